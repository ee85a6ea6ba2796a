"""The searches: BM25 over words, cosine over vectors, with every filter inside the search."""

import json
from collections.abc import Sequence
from typing import Any

import apsw
import numpy as np

from mcp_memory.domain import Candidate, Filter, Vector
from mcp_memory.sqlite import vectors
from mcp_memory.sqlite.rows import fetch
from mcp_memory.text import content_words, grams

QUERY_WORDS = 64
"""Words of a query that are searched for: a question has fewer, and time grows with each."""
RESCORED = 200
"""Nearest by signs that are scored by their int8 codes: .996 of the exact recall@10 at 100,000 items."""
HAPPENED = "coalesce(r.occurred_at, i.recorded_at + :zone_offset)"
"""When it happened, at face value."""
SCAN_ROWS = 8192
"""Rows a pass over all vectors holds at once: 3 MB at 384 dimensions."""


def conditions(where: Filter) -> tuple[str, dict[str, Any]]:
    """The filter as SQL over a revision r and its item i, with what it binds."""
    parts = ["r.status = 'live'"]
    bound: dict[str, Any] = {}
    if where.as_of is None:
        parts.append("r.until_time IS NULL")
    else:
        parts.append("r.from_time <= :as_of AND (r.until_time IS NULL OR r.until_time > :as_of)")
        bound["as_of"] = where.as_of
    if where.scopes:
        parts.append("r.scope IN (SELECT value FROM json_each(:scopes))")
        bound["scopes"] = json.dumps(where.scopes)
    if where.kinds:
        parts.append("r.kind IN (SELECT value FROM json_each(:kinds))")
        bound["kinds"] = json.dumps(where.kinds)
    if where.tags:
        parts.append(
            "EXISTS (SELECT 1 FROM json_each(r.tags) AS t WHERE t.value IN (SELECT value FROM json_each(:tags)))"
        )
        bound["tags"] = json.dumps(where.tags)
    if where.since is not None:
        parts.append(f"{HAPPENED} >= :since")
        bound["zone_offset"] = where.zone_offset
        bound["since"] = where.since
    if where.until is not None:
        parts.append(f"{HAPPENED} < :until")
        bound["zone_offset"] = where.zone_offset
        bound["until"] = where.until
    return " AND ".join(parts), bound


def match_expression(query: str) -> str | None:
    """The FTS5 expression for any of the query's words or CJK bigrams; None where it has neither.

    Every word is quoted, so nothing a user writes is read as an operator.
    """
    words = list(dict.fromkeys(content_words(query)))[:QUERY_WORDS]
    pairs = list(dict.fromkeys(gram for gram in grams(query) if len(gram) > 1)) or grams(query)
    parts: list[str] = []
    if words:
        parts.append(f"words : ({_any_of(words)})")
    if pairs:
        parts.append(f"grams : ({_any_of(pairs[: 2 * QUERY_WORDS])})")
    return " OR ".join(parts) or None


def search_text(connection: apsw.Connection, query: str, *, where: Filter, limit: int) -> list[Candidate]:
    """States that hold a word of the query, by BM25 (FTS5's, sign turned so that higher is better)."""
    expression = match_expression(query)
    if expression is None:
        return []
    condition, bound = conditions(where)
    rows = fetch(
        connection,
        f"""
        SELECT r.id, -bm25(text_index) AS score
        FROM text_index JOIN revisions AS r ON r.id = text_index.rowid JOIN items AS i ON i.id = r.item_id
        WHERE text_index MATCH :expression AND {condition}
        ORDER BY score DESC LIMIT :limit
        """,
        {**bound, "expression": expression, "limit": limit},
    )
    return [Candidate(revision_id, score) for revision_id, score in rows]


def search_vectors(
    connection: apsw.Connection, query: Vector, *, encoder_id: int, where: Filter, limit: int
) -> list[Candidate]:
    """States nearest to the query: the signs choose, the int8 codes score."""
    condition, bound = conditions(where)
    rows = fetch(
        connection,
        f"""
        SELECT r.id, v.codes
        FROM vectors AS v JOIN revisions AS r ON r.id = v.revision_id JOIN items AS i ON i.id = r.item_id
        WHERE v.encoder_id = :encoder AND {condition}
        ORDER BY vec_distance_hamming(vec_bit(v.signs), vec_bit(:signs)) LIMIT :limit
        """,
        {**bound, "encoder": encoder_id, "signs": vectors.signs(query), "limit": max(limit, RESCORED)},
    )
    if not rows:
        return []
    cosines = vectors.decode([row[1] for row in rows]) @ query
    order = np.argsort(-cosines, kind="stable")[:limit]
    return [Candidate(int(rows[i][0]), float(cosines[i])) for i in order]


def nearest(
    connection: apsw.Connection, queries: Vector, *, encoder_id: int, where: Filter, limit: int
) -> list[list[Candidate]]:
    """For each row of `queries` the nearest states by cosine, in one pass over all vectors whatever their number."""
    condition, bound = conditions(where)
    cursor = connection.execute(
        f"""
        SELECT r.id, v.codes
        FROM vectors AS v JOIN revisions AS r ON r.id = v.revision_id JOIN items AS i ON i.id = r.item_id
        WHERE v.encoder_id = :encoder AND {condition}
        """,
        {**bound, "encoder": encoder_id},
    )
    best: list[list[Candidate]] = [[] for _ in queries]
    while rows := _take(cursor, SCAN_ROWS):
        cosines = queries @ vectors.decode([row[1] for row in rows]).T
        count = min(limit, len(rows))
        chosen = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        for number, columns in enumerate(chosen):
            found = [Candidate(int(rows[column][0]), float(cosines[number, column])) for column in columns]
            best[number] = sorted(best[number] + found, key=lambda c: -c.score)[:limit]
    return best


def _any_of(words: Sequence[str]) -> str:
    return " OR ".join('"' + word.replace('"', '""') + '"' for word in words)


def _take(cursor: apsw.Cursor, count: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in cursor:
        rows.append(row)
        if len(rows) == count:
            break
    return rows
