"""Plain text: a list of one thing a line, or a document."""

from collections.abc import Iterator

from mcp_memory.domain import Entry
from mcp_memory.importers.given import File, Found, Given, LeftOut, Malformed, Package, decoded, one
from mcp_memory.importers.markup import blocks

SUFFIXES = (".txt", ".text", ".log", ".rst", ".org", "")
PART = 1_000_000
"""Characters of a document: what is longer is cut between paragraphs, so that no part is refused for its size."""


def recognises(package: Package) -> bool:
    """Whether any of it is text by its name, or is text for its first bytes."""
    return any(_is_text(file) for file in package.files)


def read(package: Package) -> Iterator[Found]:
    """Each list item where a file is nothing but a list, else the file."""
    files = package.files if not package.whole else [file for file in package.files if _is_text(file)]
    for file in files:
        yield from one(lambda file=file: _text(file), file.name)


def _is_text(file: File) -> bool:
    if file.suffix not in SUFFIXES:
        return False
    try:
        return "\0" not in decoded(file.data)
    except Malformed:
        return file.suffix != ""


def _text(file: File) -> Iterator[Found]:
    text = file.text.strip()
    if "\0" in text:
        raise Malformed(f"it is no text: it holds a NUL character at {text.index(chr(0))}.")
    if not text:
        yield LeftOut("an empty file")
        return
    if len(text) <= PART:
        found = list(blocks(text))
        if len(found) > 1 and all(block.item for block in found):
            for block in found:
                yield Given(f"{file.name} line {block.line}", Entry(block.text))
            return
    for number, part in enumerate(parts := list(_parts(text)), start=1):
        where = file.name if len(parts) == 1 else f"{file.name} part {number}"
        yield Given(where, Entry(part))


def _parts(text: str) -> Iterator[str]:
    """The text in parts of PART at most, cut at the last empty line, else end of line, else anywhere."""
    at = 0
    while at < len(text):
        end = at + PART
        if end < len(text):
            cuts = (text.rfind(mark, at + PART // 2, end) for mark in ("\n\n", "\n", " "))
            end = next((cut for cut in cuts if cut > 0), end)
        if text[at:end].strip():
            yield text[at:end].strip()
        at = end
