"""The searches: BM25 over words, cosine over vectors, with every filter inside the search."""

import json
from collections.abc import Sequence
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Candidate, Filter, Vector
from mcp_memory.language.dates.periods import DAY, Period
from mcp_memory.recall import ranking
from mcp_memory.recall.ranking import Scores
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.query_terms import (
    HAPPENED,
    Commonness,
    conditions,
    indexed,
    match_expression,
    searched_terms,
    tokenizer,
)
from mcp_memory.sqlite.index.vector_cache import Mask, Rows, States
from mcp_memory.sqlite.rows import ITEM_COLUMNS, fetch

NEAR = 2_000
"""Nearest by the signs of both, state and query, that are looked at again with the query as it is."""
RESCORED = 300
"""Nearest by that second look that are scored by their int8 codes.

Of the ten nearest by an exact scan these 300 hold .998 among 100,000 states and .993 among 1,000,000; the 300 nearest by
the signs of both would hold .98 and .93 (40 questions over the stores of python -m bench.scale, 2026-11-21).
"""
VAGUE = 100 * DAY
"""A season, which may still tell of a day in it; a year does not."""
PLACES = 50_000
"""Places of terms that are read before common terms are left out: 10 ms."""


def search_text(
    connection: apsw.Connection, query: str, *, commonness: Commonness, states: States, eligible: Mask, limit: int
) -> list[Candidate]:
    """States that hold a term of the query, by the sum of the terms' rarity; rare terms are looked up first.

    Once PLACES have been read and enough states found, what is left are terms so common that they tell little.
    """
    terms = searched_terms(connection, query, commonness)
    counts = {term: commonness.of(connection, term) for term in terms}
    total = commonness.total(connection)
    scores = np.zeros(len(states.numbers), np.float32)
    places = 0
    for term in sorted(terms, key=lambda term: counts[term]):
        if places > PLACES and np.count_nonzero(scores[eligible]) >= limit:
            break
        numbers = _numbers_holding(connection, term)
        rarity = ranking.rarity(np.array([counts[term]], np.float32), total=total)
        scores[states.rows_of(numbers)] += terms[term] * float(rarity[0])
        places += len(numbers)
    rows = np.flatnonzero((scores > 0) & eligible)
    if len(rows) > limit:
        rows = rows[np.argpartition(-scores[rows], limit)[:limit]]
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    return [Candidate(*pair) for pair in zip(states.numbers[rows].tolist(), scores[rows].tolist(), strict=True)]


def search_vectors(
    connection: apsw.Connection, query: Vector, *, encoder_id: int, states: States, eligible: Mask, limit: int
) -> list[Candidate]:
    """States nearest to the query: the signs choose, the int8 codes score."""
    near = _nearest_by_signs(states, query, eligible & states.measured, limit=max(limit, NEAR))
    estimates = vectors.estimated(states.signs[:, near], query)
    chosen = near[np.argsort(-estimates, kind="stable")[: max(limit, RESCORED)]]
    rows = fetch(
        connection,
        "SELECT revision_id, codes FROM vectors "
        "WHERE encoder_id = ? AND revision_id IN (SELECT value FROM json_each(?))",
        (encoder_id, json.dumps(states.numbers[chosen].tolist())),
    )
    if not rows:
        return []
    cosines: Vector = vectors.decode([row[1] for row in rows]) @ query
    order: list[int] = np.argsort(-cosines, kind="stable")[:limit].tolist()
    return [Candidate(int(rows[i][0]), float(cosines[i])) for i in order]


def _nearest_by_signs(states: States, query: Vector, mask: Mask, *, limit: int) -> Rows:
    """Where the `limit` states stand whose signs differ least from the query's, with those that differ as little as the last."""
    distances = states.distances(vectors.sign_words([vectors.signs(query)], len(query))[:, 0])
    reached = np.cumsum(np.bincount(distances[mask], minlength=1))
    farthest = int(np.searchsorted(reached, min(limit, int(reached[-1]))))
    return np.flatnonzero((distances <= farthest) & mask)


def word_scores(
    connection: apsw.Connection, query: str, texts: Sequence[tuple[str, str | None]], *, commonness: Commonness
) -> tuple[Scores, float]:
    """BM25 (ranking.bm25) of texts with who says each, shape (len(texts),), and of a text of average length that holds
    each term once."""
    terms = searched_terms(connection, query, commonness)
    tokenize = tokenizer(connection)
    told = [tokenize(" ".join(indexed(text, speaker))) for text, speaker in texts]
    holding = np.array([commonness.of(connection, term) for term in terms], np.float32)
    weights = np.array(list(terms.values()), np.float32)
    total = commonness.total(connection)
    scores = ranking.bm25(
        _frequencies(told, [tokenize(term) for term in terms]),
        lengths=np.array([len(text) for text in told], np.float32),
        average=commonness.average_length(connection),
        holding=holding,
        total=total,
        weights=weights,
    )
    return scores, float(weights @ ranking.rarity(holding, total=total))


def _frequencies(told: Sequence[Sequence[str]], terms: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """How often each text holds each term, shape (texts, terms); a term of several tokens as often as the rarest of them."""
    columns: dict[str, int] = {}
    for token in (token for term in terms for token in term):
        columns.setdefault(token, len(columns))
    counts = np.zeros((len(told), len(columns)), np.float32)
    for row, text in zip(counts, told, strict=True):
        for token in text:
            if token in columns:
                row[columns[token]] += 1
    found = np.zeros((len(told), len(terms)), np.float32)
    for number, term in enumerate(terms):
        if term:
            found[:, number] = counts[:, [columns[token] for token in term]].min(axis=1)
    return found


def dated(connection: apsw.Connection, periods: Sequence[Period], *, where: Filter, limit: int) -> list[int]:
    """The states that happened in one of the periods, or tell of a time that shares a part with one, the latest first.

    A time told of that is longer than a VAGUE one and than the period says nothing of it: a car from 2017, of a February.
    """
    condition, bound = conditions(where)
    rows = fetch(
        connection,
        f"SELECT r.id FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE {condition} AND ("
        f"EXISTS (SELECT 1 FROM json_each(:periods) AS p WHERE {HAPPENED} >= p.value ->> 0 AND {HAPPENED} < p.value ->> 1)"
        " OR EXISTS (SELECT 1 FROM text_dates AS d, json_each(d.periods) AS t, json_each(:periods) AS p"
        " WHERE d.revision_id = r.id AND t.value ->> 0 < p.value ->> 1 AND t.value ->> 1 > p.value ->> 0"
        " AND (t.value ->> 1) - (t.value ->> 0) <= max(:vague, (p.value ->> 1) - (p.value ->> 0)))"
        f") ORDER BY {HAPPENED} DESC, r.id DESC LIMIT :limit",
        {**bound, "periods": json.dumps(periods), "vague": VAGUE, "limit": limit},
    )
    return [number for (number,) in rows]


def states_at(connection: apsw.Connection, places: Sequence[tuple[int, int]], *, where: Filter) -> dict[int, bool]:
    """The states at places, each the number of a source and a position there; whether the filter lets each through."""
    visible, _ = conditions(Filter(scopes=where.scopes, as_of=where.as_of))
    condition, bound = conditions(where)
    rows = fetch(
        connection,
        f"""
        SELECT r.id, {condition}
        FROM json_each(:places) AS p
        CROSS JOIN items AS i ON i.source_id = json_extract(p.value, '$[0]') AND i.position = json_extract(p.value, '$[1]')
        CROSS JOIN revisions AS r ON r.item_id = i.id
        WHERE {visible}
        """,
        {**bound, "places": json.dumps(places)},
    )
    return {number: bool(eligible) for number, eligible in rows}


def neighbours(
    connection: apsw.Connection, items: Sequence[int], *, where: Filter
) -> dict[int, tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]]:
    """For each item that has any, the rows (ITEM_COLUMNS) of the items before and after it in its source."""
    visible, bound = conditions(Filter(scopes=where.scopes, as_of=where.as_of))
    rows = fetch(
        connection,
        f"""
        SELECT own.id, i.position - own.position, {ITEM_COLUMNS}
        FROM items AS own CROSS JOIN items AS i ON i.id IN (
            (SELECT id FROM items WHERE source_id = own.source_id AND span_start < own.span_start
                ORDER BY span_start DESC LIMIT 1),
            (SELECT id FROM items WHERE source_id = own.source_id AND span_start > own.span_start
                ORDER BY span_start LIMIT 1)
        )
        CROSS JOIN revisions AS r ON r.item_id = i.id
        WHERE own.id IN (SELECT value FROM json_each(:items)) AND {visible}
        """,
        {**bound, "items": json.dumps(list(items))},
    )
    found: dict[int, tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]] = {}
    for own, shift, *row in rows:
        before, after = found.get(own, (None, None))
        found[own] = (tuple(row), after) if shift < 0 else (before, tuple(row))
    return found


def rarity(connection: apsw.Connection, words: Sequence[str], *, commonness: Commonness) -> tuple[list[float], int]:
    """The inverse document frequency of words, and how many states are indexed."""
    holding = np.array([commonness.of(connection, word) for word in words], np.float32)
    total = commonness.total(connection)
    return ranking.rarity(holding, total=total).tolist(), total


def _numbers_holding(connection: apsw.Connection, term: str) -> NDArray[np.int64]:
    """The numbers of the states that hold a term, ascending. As one text: a row each would cost five times as much."""
    found: str | None = connection.execute(
        "SELECT group_concat(rowid) FROM text_index WHERE text_index MATCH ?", (match_expression([term]),)
    ).get
    return np.fromstring(found or "", np.int64, sep=",")
