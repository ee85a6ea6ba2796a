"""Memory folders of coding agents (Claude Code, Gemini CLI): an index MEMORY.md and one fact a file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from mcp_memory.domain.model import USER, Entry
from mcp_memory.exchange.importers.markdown import MARKDOWN, Note, blocks, parse_note, resolve_links
from mcp_memory.exchange.importers.markdown_notes import DATES, note_record
from mcp_memory.exchange.importers.parsed import File, Malformed, Package, ParsedRecord, ReadResult, Skipped, read_one
from mcp_memory.exchange.importers.server_memory import with_subject

INDEX = "memory.md"
OF_PROJECT = True  # Facts in such a folder that are not about the person belong to a project
TYPES: Mapping[str, tuple[str | None, str | None]] = {
    "user": (None, USER),
    "feedback": ("preference", None),
    "project": (None, None),
    "reference": ("note", None),
}
"""By the type of a fact, its kind and scope here."""
_INDEXED = re.compile(r"\[[^\[\]]*\]\((?P<file>[^()\s]+\.md)\)|\[\[(?P<name>[^\[\]|]+)")


def recognises(package: Package) -> bool:
    """Return whether there is an index and other notes, or only an index."""
    return bool(package.named(INDEX)) or any(_typed(file) for file in package.with_suffix(".md")[:20])


def read(package: Package) -> Iterator[ReadResult]:
    """Yield the fact of each file with its description; of the index only lines that link to no file of the folder."""
    names = {file.base.lower() for file in package.files} | {file.stem.lower() for file in package.files}
    for file in package.with_suffix(*MARKDOWN):
        if file.base.lower() == INDEX:
            yield from read_one(lambda file=file: _index(file, names), file.name)
        else:
            yield from read_one(lambda file=file: _fact(file), file.name)


def _typed(file: File) -> bool:
    """Return whether the front matter has a name, a description and a type of fact; cheap where there is none."""
    if file.data[:3] != b"---":
        return False
    try:
        found = parse_note(file.text)
    except Malformed:
        return False
    return {"name", "description"} <= found.front.keys() and _type(found) in TYPES


def declared_type(found: Note) -> tuple[str | None, str | None] | None:
    """Map the type in a fact's front matter to our kind and scope; None where it names none."""
    return TYPES.get(_type(found))


def _type(found: Note) -> str:
    metadata = found.front.get("metadata")
    inner = cast("dict[str, Any]", metadata).get("type") if isinstance(metadata, dict) else None
    return str(found.front.get("type") or inner or "").lower()


def _fact(file: File) -> Iterator[ReadResult]:
    found = parse_note(file.text)
    body = resolve_links(found.body).strip()
    description = found.text("description")
    if found.front.get("type") == "topic":
        yield Skipped("the page of a topic")
    elif {"id", "revision", "kind"} <= found.front.keys():  # of our own, packed up or copied
        entry = Entry(found.body.strip(), kind=found.text("kind"), scope=found.text("scope"), tags=found.tags())
        yield ParsedRecord(file.name, replace(entry, occurred_at=found.date("occurred_at")))
    elif not body and not description:
        yield Skipped("an empty note")
    elif description is None:
        yield note_record(file, found, body=found.body)
    else:
        kind, scope = TYPES.get(_type(found), (None, None))
        joint = " " if description.endswith((".", "!", "?")) else ": "
        fact = body if not body or description.casefold() in body.casefold() else f"{description}{joint}{body}"
        name = found.text("name")
        tags = (*found.tags(), *((name,) if name and len(name) <= 60 else ()))
        yield ParsedRecord(
            file.name, Entry(fact or description, kind=kind, scope=scope, tags=tags, occurred_at=found.date(*DATES))
        )


def _index(file: File, names: set[str]) -> Iterator[ReadResult]:
    found = parse_note(file.text)
    for block in blocks(found.body):
        pointer = _INDEXED.search(block.text)
        target = (pointer["file"] or pointer["name"] or "").rpartition("/")[2].strip().lower() if pointer else ""
        if block.item and target in names:
            continue
        text = resolve_links(block.text)
        heading = block.heading if block.heading.casefold() not in ("memory", "memories", "memory index") else ""
        yield ParsedRecord(f"{file.name} line {block.line}", Entry(with_subject(heading, text) if heading else text))
