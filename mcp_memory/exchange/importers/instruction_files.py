"""Files of standing instructions: CLAUDE.md, AGENTS.md, GEMINI.md, Cursor's, Windsurf's, Cline's and Copilot's rules."""

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
"""The heading under which Gemini CLI keeps what it was told to remember: facts, not rules."""
OURS = ("<!-- mcp-memory:begin -->", "<!-- mcp-memory:end -->")
"""Between these stands what setup tells a model of this server, which is no memory."""
_REFERENCE = re.compile(r"@\S+")


def recognises(package: Package) -> bool:
    """Whether there is something, and all of it is such a file by its name."""
    return bool(package.files) and all(file.base.lower() in NAMES or file.suffix == ".mdc" for file in package.files)


def read(package: Package) -> Iterator[Found]:
    """Each list item and paragraph as a procedure, with the heading it stands under."""
    for file in package.files:
        yield from one(lambda file=file: _rules(file), file.name)


def _rules(file: File) -> Iterator[Found]:
    found = note(file.text)
    first = file.text.count("\n") - found.body.count("\n")
    for block in blocks(_without_ours(found.body)):
        if _REFERENCE.fullmatch(block.text):
            yield LeftOut("a reference to another file")
            continue
        told = linked(block.text)
        added = block.heading.casefold() == ADDED
        text = told if added or not block.heading else about(block.heading, told)
        yield Given(f"{file.name} line {first + block.line}", Entry(text, kind=None if added else "procedure"))


def _without_ours(text: str) -> str:
    """The text without the passage that `mcp-memory setup` writes, its lines empty."""
    start = text.find(OURS[0])
    end = text.find(OURS[1], start)
    if start < 0 or end < 0:
        return text
    return text[:start] + "\n" * text.count("\n", start, end) + text[end + len(OURS[1]) :]
