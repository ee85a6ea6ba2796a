"""The one read of a store before statements are planned: a request, and the context that answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mcp_memory.domain.model import Item, ItemId, Source, Statement, Vector
from mcp_memory.domain.steps import Neighbour

NEIGHBOURS = 8
"""Items near a statement by its vector that it is compared with, and as many by its words.

Among the 868 old statements of tests/statement_pairs.tsv what a change is about is one of the 3 nearest by cosine for
94.1 of 100, of the 8 nearest for 96.4, of the 16 nearest for 97.4 (2026-11-21); most of the others share rare words.
"""
TERM_STATES = 500
"""States that a search for the neighbours of a statement may have to score: its rarest terms are taken until then.

2,000 finds the same on the table, and 1,000 statements against 10,000 known take 3.2 s instead of 2.3 (bench.dedupe_speed,
2026-11-21).
"""
TOO_COMMON = 5_000
"""States that hold a term from which on it is not searched for: that would take longer than encoding the statement."""
TERMS = 6
"""Terms of a statement by which its neighbours are searched for, at most."""

SpokenIn: TypeAlias = tuple[str, str]
"""A scope and a spoken text."""


@dataclass(frozen=True, slots=True)
class PlanningRequest:
    """Statements that are to be compared with what is known. The sequences have one entry a statement."""

    statements: Sequence[Statement]
    vectors: Sequence[Vector | None]
    """Unit vectors of the statements, where there are any."""
    terms: Sequence[Sequence[str]]
    """Words and pairs of CJK characters that neighbours may share; none for what has no neighbours by words."""
    encoder: str | None = None
    """Identity of what made the vectors."""
    words: Sequence[str] = ()
    """Words whose inverse document frequency is asked for."""
    origins: Sequence[str] = ()
    """Names of documents that statements may be of a later version of."""


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """A text that was recorded before, and the items that stand for it and for no text from elsewhere."""

    source: Source
    items: Sequence[Item]
    """Live, in the order of their positions."""


@dataclass(frozen=True, slots=True)
class PlanningContext:
    """Everything the store knows about the statements of a request, at one moment."""

    known: Mapping[SpokenIn, Item]
    """The live items that say a statement of words word for word, by each scope it may belong to."""
    elsewhere: Mapping[str, Item]
    """By spoken text, the first live item of any scope that says it word for word."""
    neighbours: Sequence[Sequence[Neighbour]]
    """For each statement the items near it in each of its scopes: those nearest by vector, best first, then those that
    share its rarest terms, with a cosine of 0; no item twice for one scope."""
    named: Mapping[ItemId, Item]
    """The items that statements replace or echo, whatever their status; unknown ids are left out."""
    idf: Mapping[str, float]
    """Inverse document frequency of each of the words."""
    rarest: float
    """That of a word that no state holds."""
    total: int
    earlier: Sequence[EarlierVersion]
    """Documents that were recorded under one of the origins, the latest first, twenty of a name at most."""
    scopes: Sequence[str]
    """All scopes of live items where a statement's scope has none yet; else empty."""
