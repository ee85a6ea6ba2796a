"""Folders and files of Markdown notes, as Obsidian keeps them: each note a document, with its tags, date and links."""

import re
from collections.abc import Iterator

from mcp_memory.domain import Entry
from mcp_memory.importers.given import MAX_TAG, File, Found, Given, LeftOut, Package, day_named, kind_of, one, titled
from mcp_memory.importers.markup import MARKDOWN, Note, linked, links, note

_INLINE_TAG = re.compile(r"(?:^|(?<=\s))#([\w][\w/-]{0,60})", re.MULTILINE)
_CODE = re.compile(r"(`{3,}|~{3,}).*?(?:\1|\Z)|`[^`\n]*`", re.DOTALL)
MAX_TAGS = 50
"""Tags of a note at most, as the intake takes them."""
DATES = ("date", "created", "created_at", "updated", "modified", "last_modified", "updated_at")


def recognises(package: Package) -> bool:
    """Whether any of it is Markdown."""
    return any(file.suffix in MARKDOWN for file in package.files)


def read(package: Package) -> Iterator[Found]:
    """Each note under its title, with links as the words they show and as tags."""
    for file in package.files if not package.whole else package.with_suffix(*MARKDOWN):
        yield from one(lambda file=file: _note(file), file.name)


def _note(file: File) -> Iterator[Found]:
    found = note(file.text)
    if not found.body.strip():
        yield LeftOut("an empty note")
        return
    yield given(file, found, body=found.body, tags=inline_tags(found.body))


def given(file: File, found: Note, *, body: str, tags: tuple[str, ...] = ()) -> Given:
    """The record of a note: its body under its title, short enough for one memory or a document."""
    title = found.text("title") or found.text("name") or file.stem
    kind, also = kind_of(found.text("type"))
    linking = tuple(name for name in links(body) if len(name) <= MAX_TAG)
    text = titled(linked(body).strip(), title)
    tags = tuple(dict.fromkeys((*found.tags(), *tags, *also, *linking)))[:MAX_TAGS]
    entry = Entry(text, kind=kind, tags=tags, occurred_at=found.date(*DATES) or day_named(file.stem))
    return Given(file.name, entry)


def inline_tags(body: str) -> tuple[str, ...]:
    """The words with a `#` in a text, those in code and those that are numbers left out."""
    found = _INLINE_TAG.findall(_CODE.sub(" ", body))
    return tuple(dict.fromkeys(tag for tag in found if not tag.isdigit()))
