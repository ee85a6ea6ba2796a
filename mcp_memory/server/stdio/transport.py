"""The stdio transport: bounded reading, errors for lines that are no messages, and a limit on requests in flight."""

import json
import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types as mcp_types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from mcp_memory.server.stdio.handshake import ACKNOWLEDGED, Subject

log = logging.getLogger(__name__)

MAX_LINE = 64_000_000
"""Bytes of a line: the 10 MB of text that fit in a call, each character of it written as six (\\u1234), and some more."""
MAX_IN_HAND = 64
"""Requests that wait for their answer at once; the SDK begins each as soon as it is read, and worker threads are 40."""
EDGE = 4_096
"""Bytes of a line that is too long of which either end is kept, to find its id in."""
CHUNK = 65_536
"""Bytes read at once of a line that is passed over."""
LAST_ANSWERS = 10.0
"""Seconds that requests have to be answered in after the input has ended."""

Message = SessionMessage | Exception
"""What comes from the wire: a message, or why a line is none."""

_ID = rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{0,200}")'
_PLAIN = rb'"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,200}"'
_ID_FIRST = re.compile(rb"\s*\{\s*(?:" + _PLAIN + rb"\s*,\s*){0,2}" + _ID)
_ID_LAST = re.compile(
    rb"[\]}]\s*,\s*(?:" + _PLAIN + rb"\s*,\s*){0,2}" + _ID + rb"(?:\s*,\s*" + _PLAIN + rb"){0,2}\s*\}\s*$"
)


class Lines(Protocol):
    def readline(self, size: int, /) -> bytes:
        """Return the next line with its end, at most `size` bytes of it; empty at the end."""
        ...


class LineTooLong(Exception):
    """A line of more than MAX_LINE bytes, which was skipped."""

    def __init__(self, identifier: str | int | None) -> None:
        """`identifier` is the request's, where it stands near either end of the line."""
        super().__init__(f"a line of more than {MAX_LINE // 1_000_000} MB")
        self.identifier = identifier


@dataclass(frozen=True, slots=True)
class Received:
    message: Message
    size: int


async def receive(stream: Lines, *, limit: int = MAX_LINE) -> AsyncIterator[Received]:
    """Yield the parsed lines of a stream until it ends, holding at most one line of at most `limit` bytes."""
    while line := await anyio.to_thread.run_sync(_next_line, stream, limit):
        if isinstance(line, LineTooLong):
            yield Received(line, 0)
        else:
            yield Received(read_line(line), len(line))


def read_line(line: bytes) -> Message:
    """Parse a line; invalid UTF-8 is replaced, and a leading byte order mark skipped."""
    text = line.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(text, by_name=False))
    except Exception as problem:  # whatever it is, the client hears of it, and the next line is read
        return problem


def _next_line(stream: Lines, limit: int) -> bytes | LineTooLong:
    """Return the next line with its end, empty at the end; the rest of one that is too long is read and dropped."""
    line = stream.readline(limit + 1)
    if len(line) <= limit:
        return line
    log.warning("a line of more than %d MB on standard input is passed over", limit // 1_000_000)
    head, tail = line[:EDGE], line[-EDGE:]
    while not line.endswith(b"\n") and (line := stream.readline(CHUNK)):
        tail = (tail + line)[-EDGE:]
    found = _ID_FIRST.match(head) or _ID_LAST.search(tail)
    return LineTooLong(json.loads(found[1].decode("utf-8", "replace")) if found else None)


class StdioTransport:
    """Stands between the standard streams and the server.

    Answers lines that are no messages, for which the SDK would let the client wait for ever; reads on only while there is
    room for another request; and at the end of the input waits for the pending answers, so that requests may be piped in.
    Answers that the early responder has sent are dropped.
    """

    def __init__(self, answered: dict[Subject, str], *, in_hand: int = MAX_IN_HAND) -> None:
        """`answered` is what the client has been sent already; at most `in_hand` requests wait at once."""
        self._sent = answered
        self._in_hand = in_hand
        self._asked: dict[mcp_types.RequestId, list[int]] = {}
        self._awaited: set[mcp_types.RequestId] = set()
        self._answered = anyio.Event()

    async def carry_in(
        self,
        lines: AsyncIterable[Received],
        to_server: MemoryObjectSendStream[Message],
        to_client: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        """Pass messages to the server until the input ends and everything is answered."""
        async with to_server, to_client:
            async for line in lines:
                if isinstance(line.message, Exception):
                    if refusal := refusal_of(line.message):
                        await to_client.send(SessionMessage(refusal))
                    continue
                self._note_asked(line.message, line.size)
                await to_server.send(line.message)
                if self._full():
                    log.info("%d requests wait for their answer; the next is read when one has it", self._count())
                while self._full():
                    await self._an_answer()
            with anyio.move_on_after(LAST_ANSWERS):
                while self._asked:
                    await self._an_answer()

    async def carry_out(
        self, from_server: MemoryObjectReceiveStream[SessionMessage], send: Callable[[SessionMessage], Any]
    ) -> None:
        async with from_server:
            async for message in from_server:
                if isinstance(message.message, mcp_types.JSONRPCRequest):
                    self._awaited.add(message.message.id)
                    self._answered.set()  # what the client answers must be read
                if not self._was_sent(message):
                    await send(message)
                self._note_answered(message)

    def _was_sent(self, message: SessionMessage) -> bool:
        match message.message:
            case mcp_types.JSONRPCResponse(id=identifier) | mcp_types.JSONRPCError(id=identifier):
                subject = (identifier, None)
            case mcp_types.JSONRPCNotification(
                method=method, params={"_meta": {"io.modelcontextprotocol/subscriptionId": identifier}}
            ) if method == ACKNOWLEDGED:
                subject = (None, cast(mcp_types.RequestId, identifier))
            case _:
                return False
        sent = self._sent.pop(subject, None)
        if sent not in (None, message.message.model_dump_json(by_alias=True, exclude_unset=True)):
            log.warning("the client was answered otherwise than the server would have: make the snapshot anew")
        return sent is not None

    async def _an_answer(self) -> None:
        self._answered = anyio.Event()
        await self._answered.wait()

    def _count(self) -> int:
        return sum(map(len, self._asked.values()))

    def _full(self) -> bool:
        """Return whether as many requests, or bytes of them, are in flight as may be.

        While the server waits for the client there is room, or it would wait for ever.
        """
        return not self._awaited and (self._count() >= self._in_hand or sum(map(sum, self._asked.values())) > MAX_LINE)

    def _note_asked(self, message: SessionMessage, size: int) -> None:
        match message.message:
            case mcp_types.JSONRPCRequest(method="subscriptions/listen"):
                pass  # answered as long as the connection lasts
            case mcp_types.JSONRPCRequest(id=identifier):
                self._asked.setdefault(identifier, []).append(size)
            case mcp_types.JSONRPCNotification(method="notifications/cancelled", params={"requestId": identifier}):
                self._settle(identifier)
            case mcp_types.JSONRPCResponse(id=identifier) | mcp_types.JSONRPCError(id=identifier):
                self._awaited.discard(cast(mcp_types.RequestId, identifier))
            case _:
                pass

    def _note_answered(self, message: SessionMessage) -> None:
        answer = message.message
        if isinstance(answer, mcp_types.JSONRPCResponse | mcp_types.JSONRPCError) and answer.id is not None:
            self._settle(answer.id)

    def _settle(self, identifier: object) -> None:
        known = cast(mcp_types.RequestId, identifier)
        if isinstance(identifier, str | int) and (sizes := self._asked.get(known)):
            sizes.pop()
            if not sizes:
                del self._asked[known]
        self._answered.set()


def refusal_of(error: Exception) -> mcp_types.JSONRPCError | None:
    """Return the answer to a line that is no message: an error with the id the line gives, where one can be read.

    None for an empty line, and for a response, to which nobody answers.
    """
    if isinstance(error, LineTooLong):
        reason = f"This is {error}; at most that fit in a call. Send it in parts."
        return _refusal(mcp_types.INVALID_REQUEST, reason, error.identifier)
    if not isinstance(error, ValidationError):
        return None
    found = error.errors(include_url=False, include_context=False)
    line: object = found[0]["input"]
    if isinstance(line, str) and not line.strip():
        return None
    if found[0]["type"] == "json_invalid":
        code, reason = mcp_types.PARSE_ERROR, f"This line is not the JSON of a message: {found[0]['msg']}."
        fields = _fields(_json_of(str(line)))
        if fields:  # Python reads what JSON between programs may not hold
            reason += " Half of a surrogate pair (\\ud800 to \\udfff alone) is no character; send the text without it."
    else:
        code, reason = mcp_types.INVALID_REQUEST, "This line is JSON, but no JSON-RPC 2.0 request or notification."
        fields = next(filter(None, (_fields(entry["input"]) for entry in found)), _fields(None))
    if "result" in fields or "error" in fields:
        return None
    return _refusal(code, reason, fields.get("id"))


def _refusal(code: int, reason: str, identifier: object) -> mcp_types.JSONRPCError:
    if not isinstance(identifier, str | int) or isinstance(identifier, bool) or not _sendable(identifier):
        identifier = None
    return mcp_types.JSONRPCError(
        jsonrpc="2.0", id=identifier, error=mcp_types.ErrorData(code=code, message=f"{reason} Nothing was done.")
    )


def _sendable(identifier: str | int) -> bool:
    """Return whether an id can be sent back: half of a surrogate pair can't, nor a number Python does not write."""
    try:
        return bool(str(identifier).encode())
    except ValueError:
        return False


def _json_of(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _fields(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}
