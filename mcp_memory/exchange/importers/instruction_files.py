"""Instruction files: CLAUDE.md, AGENTS.md, GEMINI.md, and the rules of Cursor, Windsurf, Cline and Copilot."""

import re
from collections.abc import Iterator

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.importers.markdown import blocks, parse_note, resolve_links
from mcp_memory.exchange.importers.parsed import File, Package, ParsedRecord, ReadResult, Skipped, read_one
from mcp_memory.exchange.importers.server_memory import with_subject

OF_PROJECT = True  # Rules hold in the project that they lie in
NAMES = tuple(
    (
        "claude.md claude.local.md agents.md gemini.md .cursorrules .windsurfrules .clinerules copilot-instructions.md"
    ).split()
)
GEMINI_HEADING = "gemini added memories"  # The heading under which Gemini CLI stores remembered facts: facts, not rules
SETUP_MARKERS = ("<!-- mcp-memory:begin -->", "<!-- mcp-memory:end -->")
"""Between these stands what setup tells a model of this server, which is no memory."""
_REFERENCE = re.compile(r"@\S+")


def recognises(package: Package) -> bool:
    return bool(package.files) and all(file.base.lower() in NAMES or file.suffix == ".mdc" for file in package.files)


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each list item and paragraph as a procedure, under its heading."""
    for file in package.files:
        yield from read_one(lambda file=file: _rules(file), file.name)


def _rules(file: File) -> Iterator[ReadResult]:
    found = parse_note(file.text)
    first = file.text.count("\n") - found.body.count("\n")
    for block in blocks(_without_ours(found.body)):
        if _REFERENCE.fullmatch(block.text):
            yield Skipped("a reference to another file")
            continue
        statement = resolve_links(block.text)
        added = block.heading.casefold() == GEMINI_HEADING
        text = statement if added or not block.heading else with_subject(block.heading, statement)
        yield ParsedRecord(f"{file.name} line {first + block.line}", Entry(text, kind=None if added else "procedure"))


def _without_ours(text: str) -> str:
    """Blank out the lines that `mcp-memory setup` wrote."""
    start = text.find(SETUP_MARKERS[0])
    end = text.find(SETUP_MARKERS[1], start)
    if start < 0 or end < 0:
        return text
    return text[:start] + "\n" * text.count("\n", start, end) + text[end + len(SETUP_MARKERS[1]) :]
