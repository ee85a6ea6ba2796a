"""Claude's data export: conversations.json, projects.json and memories.json, alone or in its archive."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from mcp_memory.domain.model import Entry, Turn
from mcp_memory.exchange.importers.parsed import (
    MAX_TAG,
    Malformed,
    Package,
    ParsedRecord,
    ReadResult,
    Skipped,
    conversation,
    is_list_of,
    label_field,
    list_or_empty,
    parse_time,
    read_each,
    require_object,
)

SPEAKERS = {"human": "user", "user": "user", "assistant": "assistant"}


def recognises(package: Package) -> bool:
    files = package.named("conversations.json") if package.whole else package.files
    return any(is_list_of(file, "chat_messages") for file in list(files)[:1])


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each conversation with its name; of an archive also Claude's own memories and the projects."""
    for file in package.named("conversations.json") if package.whole else package.files:
        yield from read_each(file.value, lambda number, file=file: f"{file.name} conversation {number}", _conversation)
    for file in package.named("memories.json") if package.whole else ():
        yield from read_each(file.value, lambda number, file=file: f"{file.name} account {number}", _memories)
    for file in package.named("projects.json") if package.whole else ():
        yield from read_each(file.value, lambda number, file=file: f"{file.name} project {number}", _project)


def _conversation(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    name = label_field(record, "name")
    started = parse_time(record.get("created_at"), "created_at")
    messages = record.get("chat_messages")
    if not isinstance(messages, list):
        raise Malformed("chat_messages is no list.")
    turns = [turn for message in cast("list[Any]", messages) if (turn := _turn(require_object(message)))]
    yield conversation(where, name, turns, started=started)


def _turn(message: Mapping[str, Any]) -> Turn | None:
    """Parse a message with the text of its attachments; None where it is empty."""
    sender = message.get("sender")
    if not isinstance(sender, str) or sender not in SPEAKERS:
        raise Malformed(f"sender {str(sender)[:40]!r} is none of {', '.join(SPEAKERS)}.")
    content = message.get("content")
    parts = [require_object(part) for part in cast("list[Any]", content)] if isinstance(content, list) else []
    text = "\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "text").strip()
    text = text or str(message.get("text") or "").strip()
    for attached in list_or_empty(message.get("attachments"), "attachments"):
        extracted = require_object(attached).get("extracted_content")
        text += f"\n\n{extracted}" if isinstance(extracted, str) and extracted.strip() else ""
    at = parse_time(message.get("created_at"), "created_at")
    return Turn(text.strip(), SPEAKERS[sender], at) if text.strip() else None


def _project(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    if record.get("is_starter_project"):
        yield Skipped("a project that Claude comes with")
        return
    name = label_field(record, "name")
    tags = (name,) if name and len(name) <= MAX_TAG else ()
    where = f"{where}, {name}" if name else where
    instructions = record.get("prompt_template")
    if isinstance(instructions, str) and instructions.strip():
        at = parse_time(record.get("created_at"), "created_at")
        yield ParsedRecord(f"{where}, instructions", Entry(instructions.strip(), "procedure", tags, occurred_at=at))
    for document in list_or_empty(record.get("docs"), "docs"):
        found = require_object(document)
        file = label_field(found, "filename") or "a document"
        content = found.get("content")
        if isinstance(content, str) and content.strip():
            at = parse_time(found.get("created_at"), "created_at")
            yield ParsedRecord(f"{where}, {file}", Entry(content.strip(), tags=tags, occurred_at=at))
        else:
            yield Skipped("a document without text")


def _memories(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    remembered = record.get("conversations_memory")
    if isinstance(remembered, str) and remembered.strip():
        yield ParsedRecord(where, Entry(remembered.strip(), tags=("claude",)))
    projects = record.get("project_memories")
    for text in cast("dict[str, Any]", projects).values() if isinstance(projects, dict) else ():
        if isinstance(text, str) and text.strip():
            yield ParsedRecord(where, Entry(text.strip(), tags=("claude",)))
