"""Features: what is known about each candidate of a question, one small function a signal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Embedding, Item, Vector
from mcp_memory.language.dates.extraction import Moment
from mcp_memory.language.dates.periods import Period
from mcp_memory.recall.late_interaction import Place, coverage, max_sim, with_neighbours
from mcp_memory.recall.query import EncodedQuery
from mcp_memory.recall.salience import ASSISTANTS, USERS, Prior

Scores: TypeAlias = NDArray[np.float32]
"""One number a candidate, shape (n,)."""
Regime: TypeAlias = Literal["conversation", "log", "note"]
"""A turn between people, a message between a user and an assistant, or anything that stands for itself."""
QUERY_TOKENS = 256
"""Tokens of a question that are matched at most, those of its rarest words: one of 1,000 characters has fewer."""


@dataclass(frozen=True, slots=True)
class CandidateItem:
    """An item that may answer, with what is known about it whatever the question."""

    item: Item
    regime: Regime
    place: Place
    eligible: bool
    """True if the filter lets it through; else it stands beside one that it does."""
    vector: Vector | None
    """Of the text alone."""
    unknown_language: bool
    """True if the encoder does not know the language of its text, so that its cosines say little."""
    prior: Prior


@dataclass(frozen=True, slots=True)
class Features:
    """The candidates and how each matches a question, in one order. NaN stands for what was not measured."""

    candidates: Sequence[CandidateItem]
    bm25: Scores
    """0 where it holds no word of the query."""
    bm25_share: Scores
    """BM25 over that of a text of average length that holds each word of the query once."""
    cosine: Scores
    """Of the query with the text alone."""
    late_cosine: Scores
    """Of the query with the text as read among its neighbours (late chunking)."""
    coverage: Scores
    """The share of the query that the text covers (late interaction), 0 to 1."""
    context_coverage: Scores
    """The same with the help of the turns around."""
    date_match: Scores
    """How near it lies to what the query names in time, 0 to 1; 0 where it names nothing."""


def candidate_items(
    items: Sequence[Item],
    *,
    eligible: Sequence[bool],
    embeddings: Sequence[Embedding | None],
    priors: Sequence[Prior],
    query: EncodedQuery | None,
) -> list[CandidateItem]:
    """Put together what is known about each item."""
    unknown = query.unknown([item.text for item in items]) if query else [False] * len(items)
    return [
        CandidateItem(
            item,
            regime_of(item),
            ((item.source_id, item.scope), item.position),
            allowed,
            embedding.vector if embedding else None,
            foreign,
            prior,
        )
        for item, allowed, embedding, foreign, prior in zip(items, eligible, embeddings, unknown, priors, strict=True)
    ]


def regime_of(item: Item) -> Regime:
    """Return how an item is ranked, from its source and who speaks."""
    if item.source_kind != "transcript":
        return "note"
    return "log" if item.speaker and item.speaker.casefold() in USERS | ASSISTANTS else "conversation"


def cosines(vectors: Sequence[Vector | None], query: Vector) -> Scores:
    """Return the cosine of each unit vector with the query's, shape (vectors,); NaN where there is none."""
    found = np.full(len(vectors), np.nan, np.float32)
    known = {row: vector for row, vector in enumerate(vectors) if vector is not None}
    if known:
        found[list(known)] = np.stack(list(known.values())) @ query
    return found


def coverages(
    query: EncodedQuery, idf: Sequence[float], embeddings: Sequence[Embedding | None], places: Sequence[Place]
) -> tuple[Scores, Scores]:
    """Return the share of the query that each text covers, alone and with the turns around; NaN where it was not encoded.

    `idf` has the inverse document frequency of each of the query's words.
    """
    rarest = sorted(sorted(range(len(idf)), key=lambda token: -idf[token])[:QUERY_TOKENS])
    weights = np.array([idf[token] for token in rarest], np.float32)
    matches = max_sim(query.tokens[rarest], [embedding.tokens if embedding else b"" for embedding in embeddings])
    absent = np.array([embedding is None for embedding in embeddings], np.bool_)
    alone, helped = coverage(matches, weights), coverage(with_neighbours(matches, places), weights)
    return (
        np.where(absent, np.nan, alone).astype(np.float32),
        np.where(absent, np.nan, helped).astype(np.float32),
    )


def date_matches(asked: Sequence[Moment], happened: Sequence[int], told: Sequence[Sequence[Period]]) -> Scores:
    """Return how near each item lies to a moment that is asked for, by its own date or one that its text names."""
    return np.array(
        [
            max(moment.closeness(period) for moment in asked for period in (Period(when, when + 1), *periods))
            for when, periods in zip(happened, told, strict=True)
        ],
        np.float32,
    )


def unmeasured(count: int) -> Scores:
    """Return a signal that is known of no candidate."""
    return np.full(count, np.nan, np.float32)
