"""The decisions of a plan, and the steps that a transaction carries out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mcp_memory.domain.model import Embedding, Item, ItemId, OperationId, Statement


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item near a statement, by its vector or by its words; the cosine is 0 where it is unknown."""

    item: Item
    cosine: float


@dataclass(frozen=True, slots=True)
class Add:
    """The statement is new. `similar` is near, and worth a look."""

    statement: Statement
    similar: Item | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """The statement repeats `of`."""

    statement: Statement
    of: Item
    reason: str


@dataclass(frozen=True, slots=True)
class Revise:
    """The statement replaces `of`."""

    statement: Statement
    of: Item
    reason: str


Decision: TypeAlias = Add | Confirm | Revise


@dataclass(frozen=True, slots=True)
class AddItem:
    """Step: store a new item and its source, or confirm an item with the same words that was stored meanwhile.

    `replaces` is hidden and linked to, `confirms` counts as a repetition, and `supersedes` are hidden and linked to besides.
    """

    id: ItemId
    statement: Statement
    embedding: Embedding | None = None
    replaces: ItemId | None = None
    confirms: ItemId | None = None
    supersedes: tuple[ItemId, ...] = ()
    anew: bool = False
    """True if hidden items of the same text count as new: this one is of the latest version of a document."""


@dataclass(frozen=True, slots=True)
class ConfirmItem:
    """Step: count one more repetition of an item."""

    id: ItemId


@dataclass(frozen=True, slots=True)
class AmendItem:
    """Step: add a revision with some fields changed, if the item is still at `revision`."""

    id: ItemId
    revision: int
    fields: Mapping[str, Any]
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True)
class ForgetItem:
    """Step: add a tombstone. The item is no longer found, and can come back."""

    id: ItemId


@dataclass(frozen=True, slots=True)
class EraseItem:
    """Step: take an item's text, vectors, index rows and revisions out of the store for good.

    The patterns that were derived from it hold its words and go too, unless they are kept; the other items in a pattern
    that goes are shown again.
    """

    id: ItemId
    keep_patterns: bool = False


@dataclass(frozen=True, slots=True)
class KeepDigest:
    """Step: store a topic's digest, with the revisions of the items it was made from."""

    name: str
    scope: str
    digest: str
    items: tuple[ItemId, ...]


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Step: restore what an operation changed; or, where it was taken back, apply it again."""

    operation: OperationId


@dataclass(frozen=True, slots=True)
class FoldItem:
    """Step: an item becomes a part of another, which is derived from it; with `hide` it is shown no more."""

    id: ItemId
    into: ItemId
    hide: bool = True


Step: TypeAlias = AddItem | ConfirmItem | AmendItem | ForgetItem | EraseItem | KeepDigest | FoldItem | TakeBack


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a step.

    A step to add becomes a confirmation where another process has stored the same words meanwhile.
    """

    status: Literal["created", "known", "replaced", "updated", "forgotten", "erased", "kept", "folded", "undone"]
    id: ItemId | None
    of: ItemId | None = None
