"""Letta agent files (`.af`): memory blocks and conversations of agents."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from mcp_memory.domain.model import Entry, Turn
from mcp_memory.exchange.importers.parsed import (
    Malformed,
    Package,
    ParsedRecord,
    ReadResult,
    Skipped,
    label_field,
    list_or_empty,
    parse_time,
    read_each,
    require_object,
)

PERSONA = "persona"  # The label of the block about the agent itself, which says nothing of the person


def recognises(package: Package) -> bool:
    """Return whether this is a JSON object of agents with blocks, or of one agent with core memory."""
    if package.whole or not package.files:
        return False
    value = package.files[0].json_or_none()
    if not isinstance(value, dict):
        return False
    keys = cast("dict[str, Any]", value).keys()
    return {"agents", "blocks"} <= keys or {"core_memory", "messages"} <= keys


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each block about the person, tagged with its label, and each agent's conversation without tool traffic."""
    for file in package.files:
        value = require_object(file.value)
        agents = value.get("agents", [value])
        blocks = value.get("blocks", value.get("core_memory"))
        yield from read_each(blocks, lambda number, file=file: f"{file.name} block {number}", _block)
        yield from read_each(agents, lambda number, file=file: f"{file.name} agent {number}", _agent)


def _block(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    label, value = label_field(record, "label"), record.get("value")
    if not isinstance(value, str):
        raise Malformed("its value is no text.")
    if not value.strip():
        yield Skipped("an empty block")
        return
    if label == PERSONA:
        yield Skipped("the agent's persona")
        return
    yield ParsedRecord(where, Entry(value.strip(), tags=(label,) if label else ()))


def _agent(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    messages = list_or_empty(record.get("messages"), "messages")
    name = label_field(record, "name") or "assistant"
    turns: list[Turn] = []
    for message in messages:
        turns += _turns(require_object(message), name)
    if turns:
        yield ParsedRecord(where, Entry(""), tuple(turns))


def _turns(message: Mapping[str, Any], name: str) -> list[Turn]:
    """Parse a message; none for instructions, tool calls and their results."""
    at = parse_time(message.get("created_at"), "created_at")
    role = message.get("role")
    if role == "user":
        return [Turn(text, "user", at) for text in [_spoken(_text(message))] if text]
    if role != "assistant":
        return []
    said = [text for call in message.get("tool_calls") or () if (text := _sent(call))]
    return [Turn(text, name, at) for text in said or [_text(message)] if text]


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content", message.get("text"))
    if content is None or isinstance(content, str):
        return (content or "").strip()
    if not isinstance(content, list):
        raise Malformed("the content of a message is neither text nor a list.")
    parts = [require_object(part) for part in cast("list[Any]", content)]
    return "\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "text").strip()


def _spoken(text: str) -> str:
    """Unwrap the words of a person from a message's envelope; empty for a system's message."""
    if not text.startswith("{"):
        return text
    try:
        envelope: Any = json.loads(text)
    except ValueError:
        return text
    if not isinstance(envelope, dict) or "type" not in envelope:
        return text
    packed = cast("dict[str, Any]", envelope)
    return str(packed.get("message") or "").strip() if packed["type"] == "user_message" else ""


def _sent(call: Any) -> str:
    function = require_object(call).get("function")
    if not isinstance(function, dict) or cast("dict[str, Any]", function).get("name") != "send_message":
        return ""
    try:
        return str(json.loads(cast("dict[str, Any]", function)["arguments"])["message"]).strip()
    except (ValueError, KeyError, TypeError):
        raise Malformed("the arguments of a send_message cannot be read.") from None
