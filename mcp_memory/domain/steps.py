"""What a plan decides and what a transaction carries out, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mcp_memory.domain.model import (
    Item,
    ItemId,
    Measured,
    OperationId,
    Statement,
)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item near a statement, by its vector or by its words; the cosine is 0 where it is not known."""

    item: Item
    cosine: float


@dataclass(frozen=True, slots=True)
class Add:
    """The statement is new. `similar` is near, and worth a look."""

    statement: Statement
    similar: Item | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """The statement is known already: `of` says it."""

    statement: Statement
    of: Item
    reason: str


@dataclass(frozen=True, slots=True)
class Revise:
    """The statement takes the place of `of`."""

    statement: Statement
    of: Item
    reason: str


Decision: TypeAlias = Add | Confirm | Revise


@dataclass(frozen=True, slots=True)
class AddItem:
    """Step: store a new item and its source, or confirm the item that says the same by then.

    With `replaces` that item is hidden and linked to; with `confirms` that item counts as saying the same. `supersedes`
    are hidden and linked to besides.
    """

    id: ItemId
    statement: Statement
    measured: Measured | None = None
    replaces: ItemId | None = None
    confirms: ItemId | None = None
    supersedes: tuple[ItemId, ...] = ()
    anew: bool = False
    """Whether what was hidden of the same text counts as never told: it is told as the latest version of it."""


@dataclass(frozen=True, slots=True)
class ConfirmItem:
    """Step: count one more time that an item was said."""

    id: ItemId


@dataclass(frozen=True, slots=True)
class AmendItem:
    """Step: a new revision of an item with some fields changed, given that it is still at `revision`."""

    id: ItemId
    revision: int
    fields: Mapping[str, Any]
    measured: Measured | None = None


@dataclass(frozen=True, slots=True)
class ForgetItem:
    """Step: a tombstone. The item is no longer found, and can come back."""

    id: ItemId


@dataclass(frozen=True, slots=True)
class EraseItem:
    """Step: take an item's text, vectors, index rows and revisions out of the file for good."""

    id: ItemId


@dataclass(frozen=True, slots=True)
class KeepDigest:
    """Step: a topic's digest, with the states of the items it was made from."""

    name: str
    scope: str
    digest: str
    items: tuple[ItemId, ...]


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Step: what an operation changed is as it was before; or, where it was taken back, as it was after it."""

    operation: OperationId


@dataclass(frozen=True, slots=True)
class FoldItem:
    """Step: an item becomes a part of another, which is derived from it; with `hide` it is shown no more.

    Without `into` an item that was hidden so is shown again.
    """

    id: ItemId
    into: ItemId | None
    hide: bool = True


Step: TypeAlias = AddItem | ConfirmItem | AmendItem | ForgetItem | EraseItem | KeepDigest | FoldItem | TakeBack


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step.

    A step to add turns into a confirmation where another process has stored the same words in the meantime.
    """

    status: Literal["created", "known", "replaced", "updated", "forgotten", "erased", "kept", "folded", "undone"]
    id: ItemId | None
    of: ItemId | None = None
