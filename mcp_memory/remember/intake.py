"""Reading what remember is given, words, documents or a conversation, into statements with their sources."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from mcp_memory.domain.ids import id_number
from mcp_memory.domain.model import (
    KINDS,
    USER,
    Caller,
    Entry,
    ItemId,
    Kind,
    Operation,
    Source,
    SourceId,
    Statement,
    Turn,
)
from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.extraction import read_period as read_time
from mcp_memory.language.dates.periods import Period, to_ms
from mcp_memory.language.kinship import relations
from mcp_memory.language.segmentation import segment
from mcp_memory.language.token_count import count_tokens
from mcp_memory.language.tokenization import Span, require_clean
from mcp_memory.privacy.redaction import Redactor
from mcp_memory.remember.echoes import Echo, parse_echoes

MAX_BYTES = 10_000_000
MAX_ENTRIES = 1_000
MAX_TURNS = 10_000
MAX_TAGS = 50
MAX_NAME = 200
MAX_ORIGIN = 2_000  # Characters of an origin, which is stored with each source
SEGMENT_TOKENS = 200
"""Tokens of an item at most. Windows of 128 to 256 are what the encoder measures best (docs of the model)."""


@dataclass(frozen=True, slots=True)
class Intake:
    """The settings shared by everything one call gives."""

    caller: Caller
    now: datetime
    new_id: Callable[[], str]
    redactor: Redactor = field(default_factory=lambda: Redactor("mask"))
    """Applied to everything that is read, before anything else."""

    def entries(self, entries: Sequence[Entry]) -> list[list[Statement]]:
        """Return the statements of each entry, without private ones. Raises InvalidInput naming the entry and the field."""
        if len(entries) > MAX_ENTRIES:
            raise InvalidInput(f"items holds {len(entries)} entries; send at most {MAX_ENTRIES} in a call.")
        _require_size(sum(len(entry.content.encode(errors="surrogatepass")) for entry in entries))
        read: list[list[Statement]] = []
        for number, entry in enumerate(entries):
            name = "content" if len(entries) == 1 else f"items[{number}]"
            if kept := self.redactor.entry_or_none(entry, number, name):
                read.append(self._entry(kept, name))
        return read

    def turns(self, turns: Sequence[Turn], *, like: Entry) -> list[Statement]:
        """Return a conversation's statements; `like` has their shared fields, and undated turns inherit the last date."""
        if not turns:
            raise InvalidInput("turns is empty; give a list of {speaker, content, at?}.")
        if len(turns) > MAX_TURNS:
            raise InvalidInput(f"turns holds {len(turns)} turns; send at most {MAX_TURNS} in a call.")
        _require_size(sum(len(turn.content.encode(errors="surrogatepass")) for turn in turns))
        turns, like = self.redactor.turns(turns), self.redactor.entry(like, "turns")
        if not turns:
            return []
        text, spans = _transcript(turns)
        _require_size(len(text.encode()))
        source = self._source("transcript", text, like.source)
        shared = self._statement(replace(like, kind=like.kind or "note"), source, Span(0, 0), "turns")
        statements: list[Statement] = []
        occurred_at = shared.occurred_at
        for number, (turn, span) in enumerate(zip(turns, spans, strict=True)):
            if turn.at:
                occurred_at = read_moment(turn.at, f"turns[{number}].at", now=self.now)
            if span.start == span.end:
                continue
            for piece in _pieces(text, span):
                statements.append(
                    replace(
                        shared,
                        text=text[piece.start : piece.end],
                        span=piece,
                        position=len(statements),
                        speaker=turn.speaker,
                        occurred_at=occurred_at,
                    )
                )
        if not statements:
            raise InvalidInput("turns holds no words; give each turn a content.")
        return statements

    def _entry(self, entry: Entry, name: str) -> list[Statement]:
        text = require_clean(entry.content, name)
        if not text.strip():
            raise InvalidInput(f"{name} is empty; say in a sentence what to remember.")
        if "#" in text and (echoes := parse_echoes(text)):
            return [self._echo(entry, echo, name) for echo in echoes]
        whole = Span(len(text) - len(text.lstrip()), len(text.rstrip()))
        spans = _pieces(text, whole)
        if len(spans) == 1:
            return [self._statement(entry, self._source("words", text, entry.source), spans[0], name)]
        source = self._source("document", text, entry.source)
        shared = self._statement(replace(entry, kind=entry.kind or "note"), source, spans[0], name)
        return [
            replace(
                shared,
                text=text[span.start : span.end],
                span=span,
                position=number,
                replaces=shared.replaces if number == 0 else None,
            )
            for number, span in enumerate(spans)
        ]

    def _echo(self, entry: Entry, echo: Echo, name: str) -> Statement:
        """Read a printed line as a statement; one of a digest corrects nothing, as the digest may be out of date."""
        source = self._source("words", echo.text, entry.source)
        said = self._statement(entry, source, Span(0, len(echo.text)), name)
        return replace(said, echo_of=echo.id, may_replace=echo.id is not None)

    def _source(self, kind: Literal["words", "document", "transcript"], text: str, origin: str | None) -> Source:
        if origin is not None and len(require_clean(origin, "source")) > MAX_ORIGIN:
            raise InvalidInput(f"source has {len(origin)} characters; name it in at most {MAX_ORIGIN}.")
        return Source(SourceId(self.new_id()), kind, text, origin, to_ms(self.now))

    def _statement(self, entry: Entry, source: Source, span: Span, name: str) -> Statement:
        kind = read_kind(entry.kind) if entry.kind else "fact"
        occurred_at = None
        if entry.occurred_at:
            occurred_at = read_moment(entry.occurred_at, f"{name}: occurred_at", now=self.now)
        of_person = source.kind == "words" and _OF_PERSON.match(source.text.strip()) is not None
        scope = write_scope(entry.scope, kind=kind, project=self.caller.project, of_person=of_person)
        other = self.caller.project if of_person else USER
        return Statement(
            text=source.text[span.start : span.end],
            source=source,
            span=span,
            kind=kind,
            tags=read_tags(entry.tags),
            scope=scope,
            fallback_scope=None if entry.scope or other == scope else other,
            importance=None if entry.importance is None else read_importance(entry.importance),
            occurred_at=occurred_at,
            replaces=read_id(entry.replaces) if entry.replaces else None,
        )


@dataclass(frozen=True, slots=True)
class CallContext:
    """The context of one call."""

    intake: Callable[[Caller, datetime], Intake]
    clock: Callable[[], datetime]
    operation: Callable[[str, str, Caller], Operation]


def read_kind(kind: str) -> Kind:
    """Parse a kind. Raises InvalidInput naming the valid ones."""
    if kind not in KINDS:
        raise InvalidInput(f"kind {kind!r} is none of {', '.join(KINDS)}.")
    return kind


def read_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags in lower case, sorted, without repeats. Raises InvalidInput."""
    clean = sorted({" ".join(require_clean(tag, "tags").split()).removeprefix("#").lower() for tag in tags} - {""})
    if len(clean) > MAX_TAGS:
        raise InvalidInput(f"{len(clean)} tags are too many; give at most {MAX_TAGS}.")
    for tag in clean:
        if len(tag) > MAX_NAME:
            raise InvalidInput(f"the tag {tag[:40]!r}… has {len(tag)} characters; keep tags under {MAX_NAME}.")
    return tuple(clean)


def read_importance(importance: float) -> float:
    """Parse an importance. Raises InvalidInput outside 0 to 1."""
    if not 0 <= importance <= 1:
        raise InvalidInput(f"importance {importance} is outside 0 (trifling) to 1 (vital); 0.5 is ordinary.")
    return float(importance)


def read_id(text: str) -> ItemId:
    """Return an item's id without its `#`. Raises InvalidInput."""
    try:
        id_number(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not the id of a memory: an id is the 13 letters and digits after a #, as recall prints it."
        ) from None
    return ItemId(text.strip().removeprefix("#").lower())


_PERSON = frozenset((USER, "me", "personal", "global"))  # Names for the scope that holds everywhere


def read_scope(scope: str, *, project: str | None) -> str:
    """Return the scope a name stands for. Raises InvalidInput where the caller has no `project`."""
    name = " ".join(require_clean(scope, "scope").split())
    if not name:
        raise InvalidInput("scope is blank; give user, project, or a project's name.")
    if len(name) > MAX_NAME:
        raise InvalidInput(f"scope has {len(name)} characters; keep it under {MAX_NAME}.")
    folded = name.casefold()
    if project and folded in (project.casefold(), project.rpartition("/")[2].casefold()):
        return project  # owner/name, as a repository is called, and its name alone
    if folded in _PERSON:
        return USER
    if folded != "project":
        return name
    if project is None:
        raise InvalidInput(
            "scope is 'project', but no project is known here. Use scope='user', or start the server with --project NAME."
        )
    return project


_OWN_RELATIONS = [relation for relation in relations() if relation.circle != "other"]
_OWN = "|".join(
    [
        "name|birthday|age|home|(?:home )?address|(?:phone|mobile) number|hobb(?:y|ies)|doctor|dentist|therapist|employer",
        "favou?rite (?:colou?r|food|dish|drink|film|movie|book|band|song|season|sport|animal)",
        *(word for relation in _OWN_RELATIONS for word in relation.english),
    ]
)
_OWN_ZH = "|".join(
    ["名字|生日|地址|电话|手机号|爱好", *(word for relation in _OWN_RELATIONS for word in relation.chinese)]
)
_OF_PERSON = re.compile(
    rf"(?:my|the user['’]s) (?:full |first |last |nick|new |current )?(?:{_OWN})\b"
    r"|(?:(?:i|the user) (?:am|is|was|were)|i['’]m) (?:now )?(?:born|allergic to|(?:an? )?(?:vegetarian|vegan)|\d+ years old)\b"
    r"|(?:i|the user) (?:now |just |currently )?(?:(?:lives? in|grew up)\b|(?:speaks?|works? (?:at|for)) (?-i:[A-Z])"
    r"|turned \d\d?(?: years old)?\W*$)"
    rf"|(?:我|用户)(?:现在|目前|已经)?(?:叫|姓|住在|出生|吃素|的(?:{_OWN_ZH})|对.{{1,12}}过敏|今年.{{1,3}}岁)",
    re.IGNORECASE,
)
"""Matches the beginning of a statement about the user, whatever the project."""


def write_scope(scope: str | None, *, kind: Kind, project: str | None, of_person: bool = False) -> str:
    """Return a statement's scope: as named, else the user's for preferences and personal facts, else the project's."""
    if scope and scope.strip().casefold() == "all":
        raise InvalidInput("scope 'all' is for looking up; to remember give user, project, or a project's name.")
    if scope:
        return read_scope(scope, project=project)
    return USER if kind == "preference" or of_person or project is None else project


def read_moment(text: str, name: str, *, now: datetime) -> int:
    """Return the start of the named period, at face value. Raises InvalidInput naming the argument."""
    return read_period(text, name, now=now).start


def read_period(text: str, name: str, *, now: datetime) -> Period:
    """Return the named period, at face value. Raises InvalidInput naming the argument."""
    try:
        return read_time(text, now=now)
    except InvalidInput as problem:
        raise InvalidInput(f"{name}: {problem}") from problem


def _pieces(text: str, span: Span) -> list[Span]:
    """Split a range by topic and sentence where it is too long for one item."""
    passage = text[span.start : span.end]
    if count_tokens(passage) <= SEGMENT_TOKENS:
        return [span]
    return [Span(span.start + piece.start, span.start + piece.end) for piece in segment(passage, limit=SEGMENT_TOKENS)]


def _transcript(turns: Sequence[Turn]) -> tuple[str, list[Span]]:
    """Render a conversation, a turn a paragraph, with the span of each turn's own words."""
    parts: list[str] = []
    spans: list[Span] = []
    length = 0
    for number, turn in enumerate(turns):
        content = require_clean(turn.content, f"turns[{number}].content").strip()
        if turn.caption:
            content += f" [{require_clean(turn.caption, f'turns[{number}].caption').strip()}]"
        speaker = require_clean(turn.speaker or "", f"turns[{number}].speaker")
        if len(speaker) > MAX_NAME:
            raise InvalidInput(f"turns[{number}].speaker has {len(speaker)} characters; keep it under {MAX_NAME}.")
        said = f"{speaker}: " if speaker else ""
        lead = f"({require_clean(turn.at, f'turns[{number}].at')}) {said}" if turn.at else said
        parts += [lead, content, "\n"]
        spans.append(Span(length + len(lead), length + len(lead) + len(content)))
        length += len(lead) + len(content) + 1
    return "".join(parts), spans


def _require_size(size: int) -> None:
    if size > MAX_BYTES:
        raise InvalidInput(
            f"This is {size / 1e6:.1f} MB of text; at most {MAX_BYTES / 1e6:.0f} MB fit in a call. Send it in parts."
        )
