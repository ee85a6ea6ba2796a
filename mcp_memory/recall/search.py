"""The search of a store as its callers see it: a protocol and its result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mcp_memory.domain.model import Filter, Hit, Item
from mcp_memory.encoders import Encoder


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of a question, best first."""

    hits: list[Hit]
    total: int
    """Number of relevant candidates, with those beyond the limit."""
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict[str, float])


class Searcher(Protocol):
    """Finds items by words and meaning (recall.pipeline.Recaller). Thread-safe."""

    def find(self, text: str, *, where: Filter, limit: int, now: datetime) -> SearchResult: ...

    def saliences(self, items: Sequence[Item], *, now: datetime) -> list[float]: ...

    def usable_encoder(self) -> tuple[Encoder | None, tuple[str, ...]]:
        """Return the encoder, where its vectors may be compared with the store's; else why not, for the reader."""
        ...
