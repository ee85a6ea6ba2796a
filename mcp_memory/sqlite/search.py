"""The searches: BM25 over words, cosine over vectors, with every filter inside the search."""

import json
from collections.abc import Sequence
from typing import Any, cast

import apsw
import numpy as np

from mcp_memory import ranking
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
    bound: dict[str, Any] = {"zone_offset": where.zone_offset}
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
        bound["since"] = where.since
    if where.until is not None:
        parts.append(f"{HAPPENED} < :until")
        bound["until"] = where.until
    return " AND ".join(parts), bound


def prepare(connection: apsw.Connection) -> None:
    """Give a connection what the searches need: the frequencies of a query's terms in a row, and in all rows."""
    connection.register_fts5_function("frequencies", _frequencies)
    connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab (main, text_index, row)")


def query_terms(query: str) -> list[str]:
    """The words of a query that are searched for, without stop words, and its CJK bigrams (or lone characters)."""
    words = list(dict.fromkeys(content_words(query)))[:QUERY_WORDS]
    pairs = list(dict.fromkeys(gram for gram in grams(query) if len(gram) > 1)) or grams(query)
    return words + pairs[: 2 * QUERY_WORDS]


def match_expression(terms: Sequence[str]) -> str:
    """The FTS5 expression for any of the terms; each is quoted, so nothing a user writes is read as an operator."""
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)


def search_text(connection: apsw.Connection, query: str, *, where: Filter, limit: int) -> list[Candidate]:
    """States that hold a term of the query: FTS5's BM25 chooses them, ranking.bm25 scores them."""
    terms = query_terms(query)
    if not terms:
        return []
    condition, bound = conditions(where)
    expression = match_expression(terms)
    chosen = fetch(
        connection,
        f"""
        SELECT r.id
        FROM text_index JOIN revisions AS r ON r.id = text_index.rowid JOIN items AS i ON i.id = r.item_id
        WHERE text_index MATCH :expression AND {condition}
        ORDER BY bm25(text_index) LIMIT :limit
        """,
        {**bound, "expression": expression, "limit": limit},
    )
    if not chosen:
        return []
    # A second pass over the chosen alone: in one query the frequencies of every match would be counted.
    rows = fetch(
        connection,
        "SELECT rowid, frequencies(text_index) FROM text_index "
        "WHERE text_index MATCH ? AND rowid IN (SELECT value FROM json_each(?))",
        (expression, json.dumps([row[0] for row in chosen])),
    )
    table = np.array([np.frombuffer(row[1], np.int64) for row in rows])
    holding = np.array([_rows_holding(connection, term) for term in terms], np.float32)
    scores = ranking.bm25(
        table[:, 3:].astype(np.float32),
        lengths=table[:, 2].astype(np.float32),
        average=float(table[0, 1]) / max(int(table[0, 0]), 1),
        holding=holding,
        total=int(table[0, 0]),
    )
    order = np.argsort(-scores, kind="stable")
    return [Candidate(rows[int(i)][0], float(scores[i])) for i in order]


def _frequencies(api: apsw.FTS5ExtensionApi, *_: object) -> bytes:
    """int64: how many rows there are, how many tokens in all, how many in this row, and each phrase's count in it."""
    counts = [sum(map(len, api.phrase_locations(phrase))) for phrase in range(api.phrase_count)]
    return np.array([api.row_count, api.column_total_size(), api.column_size(), *counts], np.int64).tobytes()


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
    cosines: Vector = vectors.decode([row[1] for row in rows]) @ query
    order: list[int] = np.argsort(-cosines, kind="stable")[:limit].tolist()
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
        cosines: Vector = queries @ vectors.decode([row[1] for row in rows]).T
        count = min(limit, len(rows))
        chosen: list[list[int]] = np.argpartition(-cosines, count - 1, axis=1)[:, :count].tolist()
        for number, columns in enumerate(chosen):
            found = [Candidate(int(rows[column][0]), float(cosines.item(number, column))) for column in columns]
            best[number] = sorted(best[number] + found, key=lambda c: -c.score)[:limit]
    return best


def _rows_holding(connection: apsw.Connection, term: str) -> int:
    tokenizer = connection.fts5_tokenizer("porter", ["unicode61", "remove_diacritics", "2"])
    found = tokenizer(term.encode(), apsw.FTS5_TOKENIZE_QUERY, None, include_offsets=False, include_colocated=False)
    tokens = cast("list[str]", found)
    counts = [connection.execute("SELECT doc FROM temp.terms WHERE term = ?", (token,)).get or 0 for token in tokens]
    return min(counts, default=0)


def _take(cursor: apsw.Cursor, count: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in cursor:
        rows.append(row)
        if len(rows) == count:
            break
    return rows
