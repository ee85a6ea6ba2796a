"""basic-memory: Markdown notes with a permalink, observations in categories, and relations to other notes."""

import re
from collections.abc import Iterator

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.importers.markdown import MARKDOWN, Note, parse_note, resolve_links
from mcp_memory.exchange.importers.markdown_notes import DATES, note_record
from mcp_memory.exchange.importers.parsed import (
    MAX_TAG,
    File,
    Malformed,
    Package,
    ParsedRecord,
    ReadResult,
    map_kind,
    read_one,
)
from mcp_memory.exchange.importers.server_memory import with_subject

_OBSERVATION = re.compile(r"[ \t]*[-*][ \t]+\[(?![ xX-]\])(?P<category>[^\[\]()\n]{1,60})\][ \t]+(?P<text>\S.*)")
_RELATION = re.compile(r"[ \t]*[-*][ \t]+(?P<sort>[^\[\]\n]{0,100}?)[ \t]*\[\[(?P<to>[^\[\]\n]{1,300})\]\](?P<rest>.*)")
_TAG = re.compile(r"(?:^|(?<=\s))#([\w][\w/-]*)")
_CONTEXT = re.compile(r"\s*\((?P<context>[^()]*)\)\s*$")
_SECTION = re.compile(r"^#{1,6}[ \t]+(?:Observations|Relations)[ \t]*$\n?", re.MULTILINE | re.IGNORECASE)
_TITLE = re.compile(r"\A\s*#[ \t]+[^\n]*\s*\Z")


def recognises(package: Package) -> bool:
    """Return whether there is nothing but notes, and one has a permalink."""
    return any(_is_note(file) for file in package.with_suffix(*MARKDOWN))


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each observation and each relation alone, and the rest of each note."""
    for file in package.with_suffix(*MARKDOWN):
        yield from read_one(lambda file=file: _note(file), file.name)


def _is_note(file: File) -> bool:
    try:
        return "permalink" in parse_note(file.text).front
    except Malformed:
        return False


def _note(file: File) -> Iterator[ReadResult]:
    found = parse_note(file.text)
    title = found.text("title") or file.stem
    rest: list[str] = []
    for number, line in enumerate(found.body.split("\n"), start=file.text.count("\n") - found.body.count("\n") + 1):
        where = f"{file.name} line {number}"
        if observed := _OBSERVATION.fullmatch(line):
            yield ParsedRecord(where, _observation(observed, title, found))
        elif related := _RELATION.fullmatch(line):
            yield ParsedRecord(where, _relation(related, title, found))
        else:
            rest.append(line)
    body = _SECTION.sub("", "\n".join(rest)).strip()
    if body and not _TITLE.fullmatch(body):
        yield note_record(file, found, body=body)


def _observation(found: "re.Match[str]", title: str, of: Note) -> Entry:
    text = found["text"].strip()
    kind, also = map_kind(found["category"])
    tags = _TAG.findall(text)
    context = _CONTEXT.search(text)
    statement = _TAG.sub("", text[: context.start()] if context else text)
    statement = " ".join(resolve_links(statement).split())
    if context and context["context"].strip():
        statement += f" ({context['context'].strip()})"
    return Entry(
        with_subject(title, statement),
        kind=kind,
        tags=tuple(dict.fromkeys(tag for tag in (title, *of.tags(), *also, *tags) if len(tag) <= MAX_TAG)),
        occurred_at=of.date(*DATES),
    )


def _relation(found: "re.Match[str]", title: str, of: Note) -> Entry:
    to = found["to"].partition("|")[0].strip()
    sort = found["sort"].strip().replace("_", " ") or "relates to"
    statement = f"{title} {sort} {to}{found['rest'].rstrip()}"
    return Entry(statement, tags=tuple(tag for tag in (title, to) if len(tag) <= MAX_TAG), occurred_at=of.date(*DATES))
