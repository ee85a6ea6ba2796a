"""The results of the verbs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mcp_memory.domain.model import Hit, Item, ItemId, Operation, OperationId, Revision, Undoing

SUMMARY_FIELDS = ("text", "topic", "stale", "newer", "left_out", "tokens")


@dataclass(frozen=True, slots=True)
class Withheld:
    """Content that a call did not store: secrets by sort, and private passages; never their text."""

    secrets: Mapping[str, int] = field(default_factory=dict[str, int])
    private: int = 0
    unpaired: bool = False
    """True if a <private> was not closed, or closed without having been opened."""
    entries: tuple[int, ...] = ()
    """Which of the items given were private as a whole, so that nothing of them was kept; counted from 0."""


ALL_KEPT = Withheld()


@dataclass(frozen=True, slots=True)
class Recall:
    """The hits, best first."""

    hits: list[Hit]
    more: int
    """Number of further items that matched but were cut by the limit or the budget."""
    text: str
    tokens: int
    notes: tuple[str, ...] = ()
    """What the reader should know of how it was found."""
    timings: Mapping[str, float] = field(default_factory=dict[str, float])
    """Milliseconds by part."""


@dataclass(frozen=True, slots=True)
class RememberedItem:
    """The outcome for one statement. `of` is the item it confirms, replaces or resembles, `reason` why."""

    id: ItemId
    status: Literal["created", "known", "replaces", "similar"]
    text: str
    of: Item | None = None
    reason: str = ""
    elsewhere: Item | None = None
    """An item of another scope that says it in the same words."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The outcomes of a call to remember, in the order given; long text gives several items."""

    items: list[RememberedItem]
    operation_id: OperationId | None
    pending: int = 0
    """Vectors still to be made; the items are found by their words until then."""
    at: datetime | None = None
    """Local time of the operation."""
    notes: tuple[str, ...] = ()
    withheld: Withheld = ALL_KEPT


@dataclass(frozen=True, slots=True)
class Summary:
    """A digest within a token budget, and the items it was made from."""

    text: str
    items: list[Item]
    left_out: int
    tokens: int
    topic: str | None = None
    """What it is the digest of, where a topic was named."""
    stale: bool = False
    """True if the digest that is kept of the topic no longer holds, so that this is another."""
    newer: int = 0
    """Memories that came since the kept digest was handed in."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The items that a call to forget took away, or (`done` false) would take away."""

    items: list[Item]
    done: bool
    erased: bool
    left: list[Item] = field(default_factory=list[Item])
    """What the erased items had replaced and is still in the file, the latest first."""
    alike: list[Item] = field(default_factory=list[Item])
    """What resembles the query without holding all that it names, and is left alone."""
    withheld: Withheld = ALL_KEPT


@dataclass(frozen=True, slots=True)
class Undone:
    """An operation that was taken back or brought back, or (`by` None) would be."""

    undoing: Undoing
    by: OperationId | None
    """The undo, which can be undone in turn."""
    text: str


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of an item, oldest first, or the operations, latest first; and both as text."""

    text: str
    revisions: list[Revision] = field(default_factory=list[Revision])
    operations: list[Operation] = field(default_factory=list[Operation])
