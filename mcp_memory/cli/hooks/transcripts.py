"""Claude Code's transcripts: the words of the user and the assistant, without tools, thoughts and inserted text."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

TAIL_BYTES = 400_000
"""Of a long transcript's end that is read where only what was said last counts: some fifty turns."""
LONGEST = 4_000
"""Characters of one message that are kept: more is a log or a file that was pasted."""

_NOISE = re.compile(r"\s*(?:<(?:command-|local-command|system-reminder|bash-|task-)|\[Request interrupted|Caveat: )")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_ID = re.compile(r"#([0-9a-z]{13})\b")


@dataclass(frozen=True, slots=True)
class Said:
    id: str
    role: Literal["user", "assistant"]
    text: str
    at: str | None
    """When, as the transcript has it: ISO 8601 in UTC."""
    tools: tuple[str, ...] = ()
    """The tools that the assistant called with it."""


def file_of(event: Mapping[str, Any]) -> Path | None:
    path = Path(str(event.get("transcript_path") or "."))
    return path if path.is_file() else None


def read_lines(path: Path, *, tail: int | None = None) -> list[Mapping[str, Any]]:
    """Return the records of a transcript, skipping lines that are not JSON; `tail` limits them to its last bytes."""
    with path.open("rb") as file:
        if tail is not None:
            file.seek(max(0, path.stat().st_size - tail))
        lines = file.read().split(b"\n")
    return list(_records(lines))


def said(records: Iterable[Mapping[str, Any]]) -> list[Said]:
    """Return the messages of both sides in order, without those of subagents, programs and summaries."""
    found: list[Said] = []
    for record in records:
        role = record.get("type")
        if role not in ("user", "assistant") or any(record.get(mark) for mark in ("isMeta", "isSidechain")):
            continue
        if record.get("isCompactSummary"):
            continue
        text, tools = _content(record)
        if text or tools:
            found.append(Said(str(record.get("uuid", "")), role, text, record.get("timestamp"), tools))
    return found


def exchanges(messages: Sequence[Said]) -> list[Said]:
    """Return each question and the last words of its answer: the messages between them report steps."""
    kept: list[Said] = []
    for message in messages:
        if not message.text:
            continue
        if kept and message.role == kept[-1].role == "assistant":
            kept.pop()
        kept.append(message)
    return kept


def last_request(messages: Sequence[Said]) -> tuple[str, tuple[str, ...]]:
    """Return the user's last words, and the tools called since."""
    tools: list[str] = []
    for message in reversed(messages):
        if message.role == "user":
            return message.text, tuple(tools)
        tools += message.tools
    return "", tuple(tools)


def shown_ids(records: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the ids of memories shown since the last compaction, which the model still has."""
    shown: set[str] = set()
    for record in records:
        if record.get("subtype") == "compact_boundary":
            shown.clear()
        shown.update(_ID.findall(json.dumps(record, ensure_ascii=False)))
    return shown


def _records(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield cast("dict[str, Any]", record)


def _content(record: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    message = record.get("message")
    content = cast("Mapping[str, Any]", message).get("content") if isinstance(message, Mapping) else None
    blocks = cast("list[Any]", content) if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    texts: list[str] = []
    tools: list[str] = []
    for block in blocks:
        if not isinstance(block, Mapping):
            continue
        fields = cast("Mapping[str, Any]", block)
        if fields.get("type") == "text":
            text = _REMINDER.sub("", str(fields.get("text", ""))).strip()
            if text and not _NOISE.match(text):
                texts.append(text)
        elif fields.get("type") == "tool_use":
            tools.append(str(fields.get("name", "")))
    text = "\n".join(texts)
    return (text if len(text) <= LONGEST else text[:LONGEST].rstrip() + " …"), tuple(tools)
