"""Plain text: a list with one statement a line, or a document."""

import re
from collections.abc import Iterator

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.importers.markdown import blocks
from mcp_memory.exchange.importers.parsed import (
    File,
    Malformed,
    Package,
    ParsedRecord,
    ReadResult,
    Skipped,
    decode,
    read_one,
)

SUFFIXES = (".txt", ".text", ".log", ".rst", ".org", "")
MAX_SENTENCE = 200  # Characters of a line that is taken for one sentence
_SENTENCE = re.compile(r"""["'“«‹„(]?[^\Wa-zà-öø-ÿ_](?:(?![.!?]["'”»]?\s|[。！？]).)*[.!?。！？]["'”»)]?""")
"""A line that begins like a sentence, and that ends where its first sentence ends."""
_GOES_ON = re.compile(
    r"(?:he|she|it|they|this|that|these|then|but|and|so|or|however|also|there|therefore)\b", re.IGNORECASE
)
"""How a sentence begins that leans on the one before it."""
PART = 1_000_000
"""Characters of a document: what is longer is cut between paragraphs, so that no part is refused for its size."""


def recognises(package: Package) -> bool:
    """Return whether any file is text by its name or its first bytes."""
    return any(_is_text(file) for file in package.files)


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each list item or sentence of a file that is nothing but those, one a line; else the file."""
    for file in package.files if not package.whole else [file for file in package.files if _is_text(file)]:
        yield from read_one(lambda file=file: _text(file), file.name)


def _is_text(file: File) -> bool:
    if file.suffix not in SUFFIXES:
        return False
    try:
        return "\0" not in decode(file.data)
    except Malformed:
        return file.suffix != ""


def _text(file: File) -> Iterator[ReadResult]:
    text = file.text.strip()
    if "\0" in text:
        raise Malformed(f"it is no text: it holds a NUL character at {text.index(chr(0))}.")
    if not text:
        yield Skipped("an empty file")
        return
    if len(text) <= PART:
        found = list(blocks(text))
        if len(found) > 1 and all(block.item for block in found):
            for block in found:
                yield ParsedRecord(f"{file.name} line {block.line}", Entry(block.text))
            return
        if said := _sentences(text):
            for number, line in said:
                yield ParsedRecord(f"{file.name} line {number}", Entry(line))
            return
    for number, part in enumerate(parts := list(_parts(text)), start=1):
        where = file.name if len(parts) == 1 else f"{file.name} part {number}"
        yield ParsedRecord(where, Entry(part))


def _sentences(text: str) -> list[tuple[int, str]]:
    """Return numbered lines where each is one short sentence that stands alone; else none."""
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) < 2 or any(len(line) > MAX_SENTENCE or not _SENTENCE.fullmatch(line) for _, line in lines):
        return []
    return [] if any(_GOES_ON.match(line) for _, line in lines) else lines


def _parts(text: str) -> Iterator[str]:
    """Split a text into parts of at most PART, at an empty line, else a line end, else anywhere."""
    at = 0
    while at < len(text):
        end = at + PART
        if end < len(text):
            cuts = (text.rfind(mark, at + PART // 2, end) for mark in ("\n\n", "\n", " "))
            end = next((cut for cut in cuts if cut > 0), end)
        if text[at:end].strip():
            yield text[at:end].strip()
        at = end
