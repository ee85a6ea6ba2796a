"""Markdown notes, as Obsidian keeps them: each note a document with its tags, date and links."""

import re
from collections.abc import Iterator
from contextlib import suppress

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.importers.markdown import MARKDOWN, Note, link_targets, parse_note, resolve_links
from mcp_memory.exchange.importers.parsed import (
    MAX_TAG,
    File,
    Malformed,
    Package,
    ParsedRecord,
    ReadResult,
    Skipped,
    date_in_name,
    map_kind,
    parse_tags,
    read_one,
    unread_fields,
    with_title,
)

_INLINE_TAG = re.compile(r"(?:^|(?<=\s))#([\w][\w/-]{0,60})", re.MULTILINE)
_CODE = re.compile(r"(`{3,}|~{3,}).*?(?:\1|\Z)|`[^`\n]*`", re.DOTALL)
_EMBEDDED = re.compile(
    r"(?<![ \t])[ \t]*!\[\[[^\[\]|#]{1,300}\.(?:png|jpe?g|gif|svg|webp|bmp|avif|pdf|mp3|wav|m4a|ogg|flac|3gp|mp4|webm|ogv|mov|mkv|canvas|base)"
    r"(?:#[^\[\]|]*)?(?:\|[^\[\]]{0,300})?\]\]",
    re.IGNORECASE,
)
"""A picture, a recording or another file that a note shows and that is no note."""
_COMMENT = re.compile(r"(?<![ \t])[ \t]*%%.*?%%", re.DOTALL)
_BLOCK_ID = re.compile(r"(?:^|(?<![ \t])[ \t]+)\^[A-Za-z0-9-]+[ \t]*$", re.MULTILINE)
_FILE = re.compile(r"\.(?!md$)[A-Za-z][A-Za-z0-9]{1,4}$")  # How the name of a file ends that is no note
METADATA_FIELDS = tuple("title name type tags tag aliases alias cssclass cssclasses publish permalink uid".split())
"""Properties that are read, or only control how a note is displayed."""
MAX_TAGS = 50  # As the intake takes them
DATES = ("date", "created", "created_at", "updated", "modified", "last_modified", "updated_at")


def recognises(package: Package) -> bool:
    return any(file.suffix in MARKDOWN for file in package.files)


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each note under its title, with link texts as words and as tags."""
    for file in package.files if not package.whole else package.with_suffix(*MARKDOWN):
        yield from read_one(lambda file=file: _note(file), file.name)


def _note(file: File) -> Iterator[ReadResult]:
    found = parse_note(file.text)
    body = visible_text(found.body)
    if not body.strip():
        yield Skipped("an empty note")
        return
    yield note_record(file, found, body=body, tags=inline_tags(body))


def note_record(file: File, found: Note, *, body: str, tags: tuple[str, ...] = ()) -> ParsedRecord:
    title = found.text("title") or found.text("name") or file.stem
    kind, also = map_kind(found.text("type"))
    linking = tuple(name for name in link_targets(body) if len(name) <= MAX_TAG and not _FILE.search(name))
    text = with_title(resolve_links(body).strip(), title)
    tags = tuple(dict.fromkeys((*found.tags(), *tags, *also, *_aliases(found), *linking)))[:MAX_TAGS]
    entry = Entry(text, kind=kind, tags=tags, occurred_at=found.date(*DATES) or date_in_name(file.stem))
    return ParsedRecord(file.name, entry, not_read=unread_fields(found.front, *METADATA_FIELDS, *DATES))


def visible_text(body: str) -> str:
    """Return the visible text of a note, without `%%` comments, block names and pictures."""
    parts: list[str] = []
    at = 0
    for code in _CODE.finditer(body):
        parts += [_shown(body[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, _shown(body[at:])])


def _shown(text: str) -> str:
    return _BLOCK_ID.sub("", _EMBEDDED.sub("", _COMMENT.sub("", text)))


def _aliases(found: Note) -> tuple[str, ...]:
    with suppress(Malformed):
        return parse_tags(found.front.get("aliases") or found.front.get("alias"))
    return ()


def inline_tags(body: str) -> tuple[str, ...]:
    """Return the words with a `#`, except in code and except numbers."""
    found = _INLINE_TAG.findall(_CODE.sub(" ", body))
    return tuple(dict.fromkeys(tag for tag in found if not tag.isdigit()))
