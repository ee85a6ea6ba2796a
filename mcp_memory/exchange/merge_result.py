"""The result of a merge, and the conflicts that a person may want to decide."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """A conflict between the two sides, with what won and the call that restores the other."""

    kind: Literal["changed", "replaced", "erased", "digest", "same"]
    ids: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Number of records of each type that were added, and the conflicts."""

    added: dict[str, int]  # By record type; those that were known already are not counted
    erased: int  # Items erased on either side
    conflicts: list[MergeConflict]
    skipped: int = 0  # Damaged lines, and records that were nothing without them

    @property
    def total(self) -> int:
        return sum(self.added.values())
