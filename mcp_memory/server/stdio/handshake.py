"""Answers to the requests that a client makes before it uses a server, from a snapshot of the server's own answers."""

from __future__ import annotations

import json

TYPE_CHECKING = False  # typing takes longer to import than everything that stands here
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeGuard

LONGEST = 65_536
"""Bytes of a line that is looked at; the longest that a handshake has been seen to send is 2,000."""

INITIALIZE = "initialize"
DISCOVER = "server/discover"
LISTEN = "subscriptions/listen"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
PROTOCOL = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
CLIENT = "io.modelcontextprotocol/clientInfo"
RESERVED = "io.modelcontextprotocol/"
"""How the names begin that the protocol keeps for itself in `_meta`."""
FLAGS = ("promptsListChanged", "resourcesListChanged", "toolsListChanged")

Results = dict[str, dict[str, str]]
"""By method and protocol version: the result, as JSON."""
Subject = tuple[str | int | None, str | int | None]
"""What a line is about: the id of the request that it answers, or else of the subscription that it acknowledges."""
Said = tuple[Subject, str]
"""A line to send, and what it is about."""


class Handshake:
    """The state of a conversation, followed for as long as it is plain. Not thread-safe.

    Answers only what the server is known to answer the same way in the state it will be in after the same lines. Anything
    unusual is left to the server, and so are later lines where it could change their answers.
    """

    def __init__(self, results: Results) -> None:
        """With no results it answers nothing."""
        self.owes = False
        """True if a line was left over to which the server may have to say something."""
        self._results = results
        self._plain = bool(results)
        self._version: str | None = None
        self._modern = False
        self._seen: set[str] = set()

    def answer(self, line: bytes) -> Said | None:
        """Return the line to send back; None for a notification, or for a line that the server has to answer."""
        request = self._request_of(line)
        if request is None:
            return None
        said = self._said(request["id"], request["method"], request.get("params", {}))
        self.owes = self.owes or said is None
        return said

    def _request_of(self, line: bytes) -> Mapping[str, Any] | None:
        """Parse a line as a plain request; None for a notification. Anything else ends the answering."""
        if not line.strip():
            return None
        message = _object_of(line) if self._plain and len(line) <= LONGEST else None
        if (
            message is None
            or message.get("jsonrpc") != "2.0"
            or not isinstance(message.get("method"), str)
            or not _is_object(message.get("params", {}))
            or message.keys() - {"jsonrpc", "id", "method", "params"}
        ):
            self._leave_the_rest()
            return None
        if "id" not in message:
            return None
        if not _is_id(message["id"]) or str(message["id"]) in self._seen:
            self._leave_the_rest()
            return None
        self._seen.add(str(message["id"]))
        return message

    def _leave_the_rest(self) -> None:
        self.owes, self._plain = True, False

    def _said(self, identifier: str | int, method: str, params: Mapping[str, Any]) -> Said | None:
        if self._version is None or method == INITIALIZE:
            self._open(method, params)
        version = self._version_of(method, params)
        if version is None:
            return None
        rest = params.keys() - {"_meta"}
        if method == LISTEN and self._modern and rest == {"notifications"}:
            return _acknowledgement(identifier, params["notifications"])
        result = self._results.get(method, {}).get(version)
        if result is None or (rest and method != INITIALIZE):
            return None
        return (identifier, None), f'{{"jsonrpc":"2.0","id":{_json(identifier)},"result":{result}}}'

    def _open(self, method: str, params: Mapping[str, Any]) -> None:
        """Open the conversation in the era of its first request, where that is plain."""
        first, self._version = self._version is None and len(self._seen) == 1, None
        if first and method == INITIALIZE and _is_introduction(params):
            if result := self._results[INITIALIZE].get(params["protocolVersion"]):
                self._version = json.loads(result)["protocolVersion"]
        elif first and method != INITIALIZE and _is_envelope(params):
            self._modern = params["_meta"][PROTOCOL] in self._results[DISCOVER]
            self._version = params["_meta"][PROTOCOL] if self._modern else None
        if self._version is None:
            self._leave_the_rest()

    def _version_of(self, method: str, params: Mapping[str, Any]) -> str | None:
        """Return the protocol version to answer in; None where the request has anything unusual beside its arguments."""
        if self._version is None or method == INITIALIZE:
            return self._version
        if self._modern:
            version = params["_meta"][PROTOCOL] if _is_envelope(params) else None
            return version if version in self._results[DISCOVER] else None
        meta = params.get("_meta", {})
        return self._version if _is_object(meta) and _is_meta(meta, allowed=()) else None


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_id(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and _is_text(value))


def _is_text(value: object) -> bool:
    """Return whether this is absent or a string without escapes."""
    return isinstance(value, str) and value.isprintable()


def _is_envelope(params: Mapping[str, Any]) -> bool:
    """Return whether a request names its protocol version and client in the form that every server accepts."""
    meta = params.get("_meta")
    return (
        _is_object(meta)
        and _is_text(meta.get(PROTOCOL))
        and CAPABILITIES in meta
        and _are_capabilities(meta[CAPABILITIES])
        and (CLIENT not in meta or _is_client(meta[CLIENT]))
        and _is_meta(meta, allowed=(PROTOCOL, CAPABILITIES, CLIENT))
    )


def _is_meta(meta: Mapping[str, Any], *, allowed: tuple[str, ...]) -> bool:
    reserved = {name for name in meta if name.startswith(RESERVED)}
    return reserved <= {*allowed} and ("progressToken" not in meta or _is_id(meta["progressToken"]))


def _is_introduction(params: Mapping[str, Any]) -> bool:
    meta = params.get("_meta", {})
    return (
        params.keys() <= {"protocolVersion", "capabilities", "clientInfo", "_meta"}
        and _is_text(params.get("protocolVersion"))
        and _are_capabilities(params.get("capabilities"))
        and _is_client(params.get("clientInfo"))
        and _is_object(meta)
        and _is_meta(meta, allowed=())
    )


def _is_client(info: object) -> bool:
    known = {"name", "title", "version", "description", "websiteUrl"}
    return _is_object(info) and {"name", "version"} <= info.keys() <= known and all(map(_is_text, info.values()))


def _are_capabilities(value: object) -> bool:
    """Return whether these are nested objects, as all known capabilities are, with the one known flag."""
    if not _is_object(value):
        return False
    return all(_is_capability(name, inner) for name, inner in value.items())


def _is_capability(name: str, value: object) -> bool:
    if name in ("experimental", "extensions"):
        return _is_object(value) and all(_is_object(inner) for inner in value.values())
    return isinstance(value, bool) if name == "listChanged" else _are_capabilities(value)


def _acknowledgement(identifier: str | int, wanted: object) -> Said | None:
    """Return the notification that a stream of the wanted events is open; None for another shape of request."""
    if not _is_object(wanted) or wanted.keys() - {*FLAGS, "resourceSubscriptions"}:
        return None
    addresses = wanted.get("resourceSubscriptions", [])
    if not _is_list(addresses) or not all(map(_is_text, addresses)):
        return None
    if not all(isinstance(wanted.get(flag, False), bool) for flag in FLAGS):
        return None
    honoured = {name: value for name, value in wanted.items() if value}
    params = {"_meta": {SUBSCRIPTION: identifier}, "notifications": honoured}
    return (None, identifier), _json({"jsonrpc": "2.0", "method": ACKNOWLEDGED, "params": params})


def _object_of(line: bytes) -> Mapping[str, Any] | None:
    try:
        message: object = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return message if _is_object(message) else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def results_of(snapshot: str, *, release: str) -> Results:
    """Return the results of a snapshot by method and protocol version; none where another release made it."""
    made = json.loads(snapshot)
    if made["release"] != release:
        return {}
    return {
        method: {version: _json(answer["result"]) for answer in answers for version in answer["versions"]}
        for method, answers in made["answers"].items()
    }
