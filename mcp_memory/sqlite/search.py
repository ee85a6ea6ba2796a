"""The searches: BM25 over words, cosine over vectors, with every filter inside the search."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apsw
import numpy as np

from mcp_memory import ranking
from mcp_memory.domain import Candidate, Filter, Vector
from mcp_memory.sqlite import vectors
from mcp_memory.sqlite.indexed import indexed
from mcp_memory.sqlite.rows import fetch
from mcp_memory.text import content_words, grams

REACH = 2
"""Turns on either side that are looked at beside a candidate."""
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
    if where.pinned_only:
        parts.append("r.pinned = 1")
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
    """Give a connection what the searches need: in how many rows each term stands."""
    connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab (main, text_index, row)")


def query_terms(query: str) -> dict[str, float]:
    """What is searched for and how much each counts: words that are no stop words, pairs of CJK characters, and less
    than these their lone characters."""
    words = list(dict.fromkeys(content_words(query)))[:QUERY_WORDS]
    found = list(dict.fromkeys(grams(query)))[: 4 * QUERY_WORDS]
    pairs = any(len(gram) > 1 for gram in found)
    return dict.fromkeys(words, 1.0) | {
        gram: ranking.UNIGRAM_WEIGHT if pairs and len(gram) == 1 else 1.0 for gram in found
    }


def match_expression(terms: Iterable[str]) -> str:
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
    rows = fetch(
        connection,
        "SELECT r.id, r.text, i.speaker FROM revisions AS r JOIN items AS i ON i.id = r.item_id "
        "WHERE r.id IN (SELECT value FROM json_each(?))",
        (json.dumps([row[0] for row in chosen]),),
    )
    tokenizer = _tokenizer(connection)
    tokens = [tokenizer(term) for term in terms]
    texts = [tokenizer(" ".join(indexed(text, speaker))) for _, text, speaker in rows]
    counts = [Counter(text) for text in texts]
    total, length = _averages(connection)
    scores = ranking.bm25(
        np.array([[min((count[t] for t in term), default=0) for term in tokens] for count in counts], np.float32),
        lengths=np.array([len(text) for text in texts], np.float32),
        average=length,
        holding=np.array([_rows_holding(connection, term) for term in tokens], np.float32),
        total=total,
        weights=np.array(list(terms.values()), np.float32),
    )
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    return [Candidate(rows[i][0], float(scores[i])) for i in order]


def search_vectors(
    connection: apsw.Connection, query: Vector, *, encoder_id: int, where: Filter, limit: int
) -> list[Candidate]:
    """States nearest to the query: the signs choose, the int8 codes score."""
    condition, bound = conditions(where)
    chosen = fetch(
        connection,
        f"""
        SELECT r.id
        FROM signs AS v JOIN revisions AS r ON r.id = v.revision_id JOIN items AS i ON i.id = r.item_id
        WHERE v.encoder_id = :encoder AND {condition}
        ORDER BY vec_distance_hamming(vec_bit(v.signs), vec_bit(:signs)) LIMIT :limit
        """,
        {**bound, "encoder": encoder_id, "signs": vectors.signs(query), "limit": max(limit, RESCORED)},
    )
    rows = fetch(
        connection,
        "SELECT revision_id, codes FROM vectors "
        "WHERE encoder_id = ? AND revision_id IN (SELECT value FROM json_each(?))",
        (encoder_id, json.dumps([row[0] for row in chosen])),
    )
    if not rows:
        return []
    cosines: Vector = vectors.decode([row[1] for row in rows]) @ query
    order: list[int] = np.argsort(-cosines, kind="stable")[:limit].tolist()
    return [Candidate(int(rows[i][0]), float(cosines[i])) for i in order]


def turns_around(connection: apsw.Connection, revision_ids: Sequence[int], *, where: Filter) -> dict[int, bool]:
    """The turns up to REACH before and after those given, in their conversations; whether the filter lets each through."""
    places = fetch(
        connection,
        "SELECT DISTINCT i.source_id, i.position FROM revisions AS r JOIN items AS i ON i.id = r.item_id "
        "WHERE r.id IN (SELECT value FROM json_each(?)) "
        "AND (SELECT kind FROM sources WHERE id = i.source_id) = 'transcript'",
        (json.dumps(list(revision_ids)),),
    )
    given = set(places)
    around = {(source, position + shift) for source, position in given for shift in range(-REACH, REACH + 1)} - given
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
        {**bound, "places": json.dumps(sorted(around))},
    )
    return {number: bool(eligible) for number, eligible in rows}


def rarity(connection: apsw.Connection, words: Sequence[str]) -> tuple[list[float], int]:
    """The inverse document frequency of words, and how many states are indexed."""
    total, _ = _averages(connection)
    tokenizer = _tokenizer(connection)
    holding = np.array([_rows_holding(connection, tokenizer(word)) for word in words], np.float32)
    return ranking.rarity(holding, total=total).tolist(), total


def _averages(connection: apsw.Connection) -> tuple[int, float]:
    """How many rows the index of words has, and how many tokens a row has on average.

    Both stand as varints in the record in which FTS5 keeps its averages: the rows, then the tokens of each column.
    """
    record: bytes = connection.execute("SELECT block FROM text_index_data WHERE id = 1").get or b""
    numbers, number = list[int](), 0
    for byte in record:
        number = number << 7 | byte & 127
        if byte < 128:
            numbers.append(number)
            number = 0
    total = numbers[0] if numbers else 0
    return total, sum(numbers[1:]) / total if total else 0.0


def _tokenizer(connection: apsw.Connection) -> Callable[[str], list[str]]:
    """What the index of words makes of a text: its folded, stemmed tokens."""
    tokenizer = connection.fts5_tokenizer("porter", ["unicode61", "remove_diacritics", "2"])

    def tokens(text: str) -> list[str]:
        found = tokenizer(
            text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
        )
        return [str(token) for token in found]

    return tokens


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


def _rows_holding(connection: apsw.Connection, tokens: Sequence[str]) -> int:
    counts = [connection.execute("SELECT doc FROM temp.terms WHERE term = ?", (token,)).get or 0 for token in tokens]
    return min(counts, default=0)


def _take(cursor: apsw.Cursor, count: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in cursor:
        rows.append(row)
        if len(rows) == count:
            break
    return rows
