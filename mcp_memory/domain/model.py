"""The nouns: sources, items, their history, and what queries return."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NewType, TypeAlias

from mcp_memory.domain.call_hints import TO_TOOLS, Speech
from mcp_memory.language.tokenization import Span, normal_form

ItemId = NewType("ItemId", str)
SourceId = NewType("SourceId", str)
OperationId = NewType("OperationId", str)

Kind: TypeAlias = Literal["fact", "preference", "decision", "event", "procedure", "note", "tool"]
KINDS: tuple[Kind, ...] = ("fact", "preference", "decision", "event", "procedure", "note", "tool")

SourceKind: TypeAlias = Literal["words", "document", "transcript"]
Status: TypeAlias = Literal["live", "replaced", "forgotten"]

USER = "user"
"""The scope that is about the person and holds in every project."""

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mcp_memory.language.dates.periods import Period

    Vector: TypeAlias = NDArray[np.float32]
else:  # what only reads and shows memories need not wait for numpy, which costs more than all of it
    Vector = Any


def sha256(text: str) -> bytes:
    """Return the 32 bytes that identify a source's text."""
    return hashlib.sha256(text.encode()).digest()


def normal_hash(text: str) -> bytes:
    """Return 16 bytes that are equal for exact repetitions of a text (see tokenization.normal_form)."""
    return hashlib.blake2b(normal_form(text).encode(), digest_size=16).digest()


def spoken(text: str, speaker: str | None) -> str:
    """Prefix a text with its speaker, as it is indexed, encoded and compared."""
    return f"{speaker}: {text}" if speaker else text


def tags_json(tags: Sequence[str]) -> str:
    """Format tags as stored: a sorted JSON array without repeats."""
    return json.dumps(sorted(set(tags)), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Verbatim, immutable text, identified by the SHA-256 of its UTF-8 bytes."""

    id: SourceId
    kind: SourceKind
    text: str
    origin: str | None
    recorded_at: int

    @property
    def sha256(self) -> bytes:
        return sha256(self.text)


@dataclass(frozen=True, slots=True)
class Item:
    """A statement that can be understood alone, in one of its states. Times in milliseconds."""

    id: ItemId
    source_id: SourceId
    source_kind: SourceKind
    position: int
    """Order among the items of its source, from 0."""
    span: Span
    """Where it stands in its source's text as first recorded."""
    text: str
    kind: Kind
    tags: tuple[str, ...]
    scope: str
    speaker: str | None
    importance: float
    """0 to 1, 0.5 is ordinary: as it was given, else as it was estimated."""
    confidence: float
    """0 to 1."""
    occurred_at: int | None
    """Valid time: when it was true or happened, where that was said."""
    valid_until: int | None
    pinned: bool
    review_after: int | None
    recorded_at: int
    """Transaction time: when the file first learned it."""
    changed_at: int
    """Transaction time of this state; the first time where an undo brought it back."""
    revision: int
    """Which state this is, from 1."""
    status: Status
    seen: int
    last_seen_at: int
    importance_given: bool = False
    worded_at: int = 0
    """Transaction time since which it says what it says, in these words."""
    origin: str | None = None
    """Where its source comes from, as the caller named it: a title, a path, an address."""
    client: str = ""
    """Who had it remembered first."""
    revision_id: int = field(default=0, compare=False)
    """Key of this state in its store, which the searches name it by; 0 for what no store gave."""

    @property
    def spoken(self) -> str:
        return spoken(self.text, self.speaker)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to remember, before it is known whether it is new."""

    text: str
    source: Source
    span: Span
    position: int = 0
    kind: Kind = "fact"
    tags: tuple[str, ...] = ()
    scope: str = USER
    fallback_scope: str | None = None
    """Where else it may belong, where no scope was given: to the user, or what is of the user to the project after all."""
    speaker: str | None = None
    importance: float | None = None
    """0 to 1, where it was given."""
    estimate: float = 0.5
    """What its importance is taken for where none was given (importance.estimate_importance)."""
    confidence: float = 1.0
    occurred_at: int | None = None
    replaces: ItemId | None = None
    echo_of: ItemId | None = None
    """The item whose line, as recall prints it, this was read from."""
    may_replace: bool = True
    """True if it may take the place of what it says otherwise; what was written nobody knows when may not."""

    @property
    def spoken(self) -> str:
        return spoken(self.text, self.speaker)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes it may belong to, the likelier first."""
        return (self.scope,) if self.fallback_scope is None else (self.scope, self.fallback_scope)


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that changed something."""

    id: OperationId
    verb: str
    at: int
    client: str
    session: str
    summary: str
    undoes: OperationId | None = None
    """Of an undo: the operation that it took back, or brought back."""
    undone: bool = False
    erased: int = 0
    """Number of memories it took out of the file for good."""
    zone_offset: int = 0
    """How far the clock it was called by is ahead of UTC, in milliseconds; not kept."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of an item, and the operation that made it."""

    item: Item
    operation: Operation
    replaced_by: ItemId | None = None
    said_again: tuple[Operation, ...] = ()
    """What said it again, or confirmed it, while it was so; the first first."""


@dataclass(frozen=True, slots=True)
class Embedding:
    vector: Vector
    """Of the text alone, unit length."""
    late_chunk: Vector | None = None
    """Of the text as it reads among its neighbours, unit length; None for what stands alone."""
    tokens: bytes = b""
    """int8 vectors of its content tokens, one after the other (pieces.encode_pieces)."""


@dataclass(frozen=True, slots=True)
class PendingEmbedding:
    """A state of an item that an encoder is still to embed."""

    revision_id: int
    text: str
    source_id: SourceId
    position: int
    """Order in its source; states with neighbouring positions are read together."""


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """A state of an item with what the indexes hold of it."""

    item: Item
    text_dates: tuple["Period", ...] = ()
    """The periods that its text names, resolved when it was stored."""
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True)
class StoredItem:
    """The present state of an item with the patterns that were derived from it (tool_calls.plan)."""

    item: Item
    patterns: tuple[ItemId, ...] = ()
    unfolded: bool = False
    """True if a fold of it was undone, so that it is to stay out of patterns."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The items that a search may see. Empty or None means no limit of that kind."""

    scopes: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    tags: tuple[str, ...] = ()
    """Any of these."""
    since: int | None = None
    """Valid time at or after, in milliseconds."""
    until: int | None = None
    """Valid time before, in milliseconds."""
    as_of: int | None = None
    """What the file knew at this transaction time; None for now."""
    pinned_only: bool = False
    zone_offset: int = 0
    """How far the clock that `since` and `until` are meant by is ahead of UTC, in milliseconds."""

    @property
    def is_narrowed(self) -> bool:
        """True if it asks for a part of what there is in its scopes."""
        return self != Filter(scopes=self.scopes, zone_offset=self.zone_offset)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A revision that a search found, by its number in the store, with the score of that search."""

    revision_id: int
    score: float


@dataclass(frozen=True, slots=True)
class Count:
    """Number of live items of a scope, or of those with a tag."""

    scope: str
    items: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """An item with its score, higher is better, and what it replaced or contradicts."""

    item: Item
    score: float
    was: tuple[Item, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    """What the score is the sum of, by name (ranking.fuse)."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A sentence of a digest, and the item that says it."""

    item: ItemId
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A named cluster of items, with a digest that knows its sources."""

    name: str
    scope: str
    digest: str
    """The one that was handed in, else a line for each sentence it was made of; empty where none was made yet."""
    made_at: int
    items: tuple[ItemId, ...]
    """Its members; of a digest that was handed in and names no topic that gathered, those it was made from."""
    stale: bool
    """True if something the digest was made from has changed since, or there is none."""
    keywords: tuple[str, ...] = ()
    """What tells it from other topics, best first."""
    importance: float = 0.5
    changed_at: int = 0
    newer: int = 0
    """Members that the digest does not know of."""
    sentences: tuple[Excerpt, ...] = ()
    """Of a digest that was made, the sentences that still stand, what carries the most first."""
    kept: bool = True
    """True if the digest was handed in; such a one is never overwritten by one that was made."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """The changes of taking an operation back, or of bringing it back."""

    operation: Operation
    """The one that is taken back or brought back, never an undo."""
    changes: list[tuple[Item, Item | None]]
    """Each item as it is, and as it will be; None where it will be as if it had never been said."""
    confirmations: int
    """Change in the number of repetitions."""
    digests: tuple[str, ...]
    """Names of the topics whose digest changes."""

    @property
    def brings_back(self) -> bool:
        return self.operation.undone


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: recorded with every operation, and the meaning of "this project"."""

    client: str = "python"
    session: str = ""
    project: str | None = None
    speech: Speech = TO_TOOLS


@dataclass(frozen=True, slots=True)
class Turn:
    content: str
    speaker: str | None = None
    at: str | None = None
    """When it was said, in any form written.read_period reads."""
    caption: str | None = None
    """What a picture sent with it shows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement to remember, as passed by a caller."""

    content: str
    kind: str | None = None
    tags: tuple[str, ...] = ()
    scope: str | None = None
    occurred_at: str | None = None
    importance: float | None = None
    replaces: str | None = None
    source: str | None = None
    """Where it comes from, in the caller's words: a title, a path, an address."""
