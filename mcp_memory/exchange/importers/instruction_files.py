"""Instruction files: CLAUDE.md, AGENTS.md, GEMINI.md, and the rules of Cursor, Windsurf, Cline and Copilot."""

import re
from collections.abc import Iterator

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.importers.markdown import blocks, linked, note
from mcp_memory.exchange.importers.parsed import (
    File,
    Found,
    Given,
    LeftOut,
    Package,
    one,
)
from mcp_memory.exchange.importers.server_memory import about

OF_PROJECT = True
"""Rules hold in the project that they lie in."""
NAMES = (
    "claude.md",
    "claude.local.md",
    "agents.md",
    "gemini.md",
    ".cursorrules",
    ".windsurfrules",
    ".clinerules",
    "copilot-instructions.md",
)
ADDED = "gemini added memories"
"""The heading under which Gemini CLI stores remembered facts: facts, not rules."""
OURS = ("<!-- mcp-memory:begin -->", "<!-- mcp-memory:end -->")
"""Between these stands what setup tells a model of this server, which is no memory."""
_REFERENCE = re.compile(r"@\S+")


def recognises(package: Package) -> bool:
    """Return whether all files are instruction files by their names."""
    return bool(package.files) and all(file.base.lower() in NAMES or file.suffix == ".mdc" for file in package.files)


def read(package: Package) -> Iterator[Found]:
    """Yield each list item and paragraph as a procedure, under its heading."""
    for file in package.files:
        yield from one(lambda file=file: _rules(file), file.name)


def _rules(file: File) -> Iterator[Found]:
    found = note(file.text)
    first = file.text.count("\n") - found.body.count("\n")
    for block in blocks(_without_ours(found.body)):
        if _REFERENCE.fullmatch(block.text):
            yield LeftOut("a reference to another file")
            continue
        statement = linked(block.text)
        added = block.heading.casefold() == ADDED
        text = statement if added or not block.heading else about(block.heading, statement)
        yield Given(f"{file.name} line {first + block.line}", Entry(text, kind=None if added else "procedure"))


def _without_ours(text: str) -> str:
    """Blank out the lines that `mcp-memory setup` wrote."""
    start = text.find(OURS[0])
    end = text.find(OURS[1], start)
    if start < 0 or end < 0:
        return text
    return text[:start] + "\n" * text.count("\n", start, end) + text[end + len(OURS[1]) :]
