"""ChatGPT's data export: conversations.json, alone or in its archive; the current branch of each conversation."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from mcp_memory.domain.model import Turn
from mcp_memory.exchange.importers.parsed import (
    File,
    Malformed,
    Package,
    ReadResult,
    conversation,
    is_list_of,
    label_field,
    object_or_none,
    parse_time,
    read_each,
    require_object,
)

SPOKEN = ("text", "multimodal_text")
"""Types of content that someone wrote or said; the rest is code that ran, and what tools and searches gave."""
_NAME = re.compile(r"conversations(-[0-9]+)?\.json", re.IGNORECASE)


def recognises(package: Package) -> bool:
    return any(is_list_of(file, "mapping") for file in _files(package)[:1])


def read(package: Package) -> Iterator[ReadResult]:
    for file in _files(package):
        yield from read_each(file.value, lambda number, file=file: f"{file.name} conversation {number}", _conversation)


def _files(package: Package) -> list[File]:
    if not package.whole:
        return list(package.files)
    return [file for file in package.files if _NAME.fullmatch(file.base)]


def _conversation(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    title = label_field(record, "title")
    started = parse_time(record.get("create_time"), "create_time")
    turns = [turn for message in _branch(record) if (turn := _turn(message))]
    yield conversation(where, title, turns, started=started)


def _branch(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the messages from the first to the current one, without abandoned branches. Raises Malformed."""
    nodes = require_object(record.get("mapping"))
    here = record.get("current_node")
    if here is None:
        leaves = [name for name, node in nodes.items() if not require_object(node).get("children")]
        here = leaves[-1] if leaves else None
    messages: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    while here is not None:
        if not isinstance(here, str) or here in seen or here not in nodes:
            raise Malformed("its messages do not lead from the last to the first.")
        seen.add(here)
        node = require_object(nodes[here])
        if node.get("message") is not None:
            messages.append(require_object(node["message"]))
        here = node.get("parent")
    return messages[::-1]


def _turn(message: Mapping[str, Any]) -> Turn | None:
    """Parse a message; None for one that the conversation does not show."""
    role = require_object(message.get("author")).get("role")
    hidden = (object_or_none(message.get("metadata")) or {}).get("is_visually_hidden_from_conversation")
    if role not in ("user", "assistant") or hidden or message.get("recipient", "all") not in ("all", None):
        return None
    content = require_object(message.get("content"))
    if str(content.get("content_type", "text")) not in SPOKEN:
        return None
    parts = content.get("parts")
    if not isinstance(parts, list):
        raise Malformed("the parts of a message are no list.")
    text = "\n".join(_part(part) for part in cast("list[Any]", parts)).strip()
    return Turn(text, role, parse_time(message.get("create_time"), "create_time")) if text else None


def _part(part: Any) -> str:
    """Return the text of a part, typed or transcribed; empty for a picture."""
    if part is None or isinstance(part, str):
        return part or ""
    text = require_object(part).get("text")
    return text if isinstance(text, str) else ""
