"""The searches: BM25 over words, cosine over vectors, with every filter inside the search."""

import json
from collections.abc import Callable, Sequence

import apsw
import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Candidate, Filter, Vector
from mcp_memory.language.dates.periods import Period
from mcp_memory.recall import bm25, bm25_arrays
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.query_terms import (
    DocumentFrequencies,
    conditions,
    indexed_tokens,
    match_expressions,
    searched_terms,
    tokens_of,
)
from mcp_memory.sqlite.index.vectors import Mask, Nearest, Numbers
from mcp_memory.sqlite.rows import fetch

NEAR = 2_000  # Nearest by binary query and state, rescored with the exact query
RESCORED = 300
"""Nearest by that second look that are scored by their int8 codes.

Of the ten nearest by an exact scan these 300 hold .998 among 100,000 states and .993 among 1,000,000; the 300 nearest by
the signs of both would hold .98 and .93 (40 questions over the stores of python -m bench.scale, 2026-11-21).
"""
PLACES = 50_000  # Postings read before common terms are left out: 10 ms


def search_text(
    connection: apsw.Connection,
    query: str,
    *,
    frequencies: DocumentFrequencies,
    admits: Callable[[Numbers], Mask],
    limit: int,
) -> list[Candidate]:
    """Return states by the sum of the query terms' IDF, rare terms first; common ones are skipped after PLACES postings."""
    terms = searched_terms(connection, query, frequencies)
    counts = frequencies.counts(connection, terms)
    weights = dict(zip(counts, bm25.idfs(counts.values(), total=frequencies.total(connection)), strict=True))
    expressions = match_expressions(terms)
    postings: list[tuple[Numbers, float]] = []
    places = 0
    for term in sorted(terms, key=lambda term: counts[term]):
        if places > PLACES and len(best := _best(postings, admits, limit)) == limit:
            return best
        numbers = _numbers_holding(connection, expressions[term])
        postings.append((numbers, terms[term] * weights[term]))
        places += len(numbers)
    return _best(postings, admits, limit)


def _best(postings: Sequence[tuple[Numbers, float]], admits: Callable[[Numbers], Mask], limit: int) -> list[Candidate]:
    """Return the admitted states of the highest sums, ties by number."""
    if not postings:
        return []
    numbers = np.unique(np.concatenate([held for held, _ in postings]))
    scores = np.zeros(len(numbers), np.float32)
    for held, weight in postings:
        scores[np.searchsorted(numbers, held)] += weight
    looked = 4 * limit
    while True:
        order = _highest(scores, looked)
        found = order[admits(numbers[order])][:limit]
        if len(found) == limit or looked >= len(numbers):
            return [Candidate(*pair) for pair in zip(numbers[found].tolist(), scores[found].tolist(), strict=True)]
        looked *= 8


def _highest(scores: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Return the rows of the highest scores, best first, ties by row."""
    rows = np.arange(len(scores))
    if count < len(scores):
        rows = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    return rows[np.argsort(-scores[rows], kind="stable")[:count]]


def search_vectors(
    connection: apsw.Connection, query: Vector, *, encoder_id: int, nearest: Callable[[int], Nearest], limit: int
) -> list[Candidate]:
    """Return the states nearest to the query: binary vectors choose in two steps, the int8 codes score."""
    near = nearest(max(limit, NEAR))
    chosen = near.numbers[np.argsort(-vectors.estimate(near.words, query), kind="stable")[: max(limit, RESCORED)]]
    (rounded, weight), (remainder, fine) = vectors.query_codes(query)
    rows = fetch(
        connection,
        "SELECT revision_id, ifnull("
        ":weight * (1 - vec_distance_cosine(vec_int8(codes), vec_int8(:rounded))), 0) + ifnull("
        ":fine * (1 - vec_distance_cosine(vec_int8(codes), vec_int8(:remainder))), 0) "
        "FROM vectors WHERE encoder_id = :encoder AND revision_id IN (SELECT value FROM json_each(:chosen)) "
        "ORDER BY 2 DESC, 1 LIMIT :limit",
        {
            "weight": weight,
            "rounded": rounded,
            "fine": fine,
            "remainder": remainder,
            "encoder": encoder_id,
            "chosen": json.dumps(chosen.tolist()),
            "limit": limit,
        },
    )
    return [Candidate(*row) for row in rows]


def bm25_scores(
    connection: apsw.Connection,
    query: str,
    texts: Sequence[tuple[str, str | None]],
    *,
    frequencies: DocumentFrequencies,
) -> tuple[Vector, float]:
    """Return BM25 of texts with their speakers, and of an average text that holds each term once."""
    terms = searched_terms(connection, query, frequencies)
    tokens = indexed_tokens(connection, texts)
    holding = np.array(list(frequencies.counts(connection, terms).values()), np.float32)
    weights = np.array(list(terms.values()), np.float32)
    total = frequencies.total(connection)
    scores = bm25_arrays.bm25(
        _frequencies(tokens, tokens_of(connection, terms)),
        lengths=np.array([len(text) for text in tokens], np.float32),
        average=frequencies.average_length(connection),
        holding=holding,
        total=total,
        weights=weights,
    )
    return scores, float(weights @ bm25_arrays.idf(holding, total=total))


def _frequencies(tokens: Sequence[Sequence[str]], terms: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """Count each term in each text, shape (texts, terms); of a term of several tokens the rarest."""
    columns: dict[str, int] = {}
    for token in (token for term in terms for token in term):
        columns.setdefault(token, len(columns))
    counts = np.zeros((len(tokens), len(columns)), np.float32)
    for row, text in zip(counts, tokens, strict=True):
        for token in text:
            if token in columns:
                row[columns[token]] += 1
    found = np.zeros((len(tokens), len(terms)), np.float32)
    for number, term in enumerate(terms):
        if term:
            found[:, number] = counts[:, [columns[token] for token in term]].min(axis=1)
    return found


def revisions_at(connection: apsw.Connection, places: Sequence[tuple[int, int]], *, where: Filter) -> dict[int, bool]:
    """Return the states at positions of sources, and whether the filter admits each."""
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


def idf(
    connection: apsw.Connection, words: Sequence[str], *, frequencies: DocumentFrequencies
) -> tuple[list[float], int]:
    """See store.Search."""
    total = frequencies.total(connection)
    counts = frequencies.counts(connection, words)
    return bm25.idfs([counts[word] for word in words], total=total), total


def text_dates(connection: apsw.Connection, revision_ids: Sequence[int]) -> dict[int, tuple[Period, ...]]:
    """Return the periods that the texts of states name; states that name none are left out."""
    rows = fetch(
        connection,
        "SELECT revision_id, periods FROM text_dates "
        "WHERE periods <> '[]' AND revision_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(revision_ids)),),
    )
    return {number: tuple(Period(*period) for period in json.loads(periods)) for number, periods in rows}


def _numbers_holding(connection: apsw.Connection, expression: str) -> NDArray[np.int64]:
    """Return the ids of the states that match, ascending. As one text: a row each would cost five times as much."""
    found: str | None = connection.execute(
        "SELECT group_concat(rowid) FROM text_index WHERE text_index MATCH ?", (expression,)
    ).get
    return np.fromstring(found or "", np.int64, sep=",")
