"""The index of topics in the file: the work that waits, and the changes that were planned for it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import apsw
import numpy as np

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import ItemId, Vector
from mcp_memory.domain.topic_index import (
    MEMBERS,
    Assign,
    Batch,
    Cluster,
    Clusters,
    DirtyCluster,
    Member,
    Quote,
    Rebuild,
    Release,
    Summarise,
    Summarised,
    TopicChange,
    TopicWork,
)
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.sessions import ALONE, session_of
from mcp_memory.sqlite.index.topic_rows import LIVE, MEMBERSHIP
from mcp_memory.sqlite.rows import ITEM_COLUMNS, fetch, number_of
from mcp_memory.sqlite.rows import items as items_of

REACH = 2  # Turns on either side that are read with one
LATE = 0.5  # Weight of a turn's context against its own text
PARTS = ("cluster_items", "cluster_terms", "cluster_sentences", "cluster_revisions")
WAITING = "SELECT (SELECT count(*) FROM cluster_queue) + (SELECT count(*) FROM clusters WHERE dirty > 0)"
CHANGED, LOST_MEMBER = 1, 2


def work(connection: apsw.Connection, *, encoder: str | None, items: int, clusters: int) -> TopicWork:
    """See store.Topics."""
    generation, known_by = fetch(connection, "SELECT generation, encoder FROM cluster_state")[0]
    found = TopicWork(generation, known_by, connection.execute(WAITING).get)
    for least in (LOST_MEMBER, CHANGED):
        rows = _dirty(connection, least=least, limit=clusters)
        if rows:
            return replace(
                found,
                scope=rows[0][6],
                dirty=tuple(
                    DirtyCluster(
                        cluster, row[5], bool(row[7]), tuple(_members(connection, _latest(connection, row[0]), encoder))
                    )
                    for row, cluster in zip(rows, _clusters(rows), strict=True)
                ),
            )
        if least == LOST_MEMBER and (batch := _batch(connection, encoder=encoder, limit=items)):
            return replace(found, scope=batch[0], batch=batch[1])
    return found


def _dirty(connection: apsw.Connection, *, least: int, limit: int) -> list[tuple[Any, ...]]:
    return fetch(
        connection,
        """
        SELECT c.id, c.tag, c.size, c.vector_count, c.mean, c.name, c.scope,
            EXISTS (SELECT 1 FROM topics AS t WHERE t.name = c.name AND t.scope = c.scope AND t.until_time IS NULL)
        FROM clusters AS c WHERE c.dirty >= :least AND c.dirty > 0 AND c.scope =
            (SELECT scope FROM clusters WHERE dirty >= :least AND dirty > 0 ORDER BY id LIMIT 1)
        ORDER BY c.id LIMIT :limit
        """,
        {"least": least, "limit": limit},
    )


def _batch(connection: apsw.Connection, *, encoder: str | None, limit: int) -> tuple[str, Batch] | None:
    """Return the scope and the items that have waited the longest."""
    queue = fetch(
        connection,
        f"""
        SELECT q.id, q.item_id, r.id, r.scope FROM cluster_queue AS q
        LEFT JOIN revisions AS r ON r.item_id = q.item_id AND {LIVE} ORDER BY q.id LIMIT ?
        """,
        (limit,),
    )
    if not queue:
        return None
    scope = next((row[3] for row in queue if row[3] is not None), "")
    taken = [row for row in queue if row[3] in (None, scope)]
    states = [row[2] for row in taken if row[2] is not None]
    return scope, Batch(
        stamps=tuple(row[0] for row in taken),
        members=tuple(_members(connection, states, encoder)),
        gone=tuple(ItemId(id_text(row[1])) for row in taken if row[2] is None),
        assigned=connection.execute(
            "SELECT EXISTS (SELECT 1 FROM cluster_items WHERE item_id IN (SELECT value FROM json_each(?)))",
            (json.dumps([row[1] for row in taken]),),
        ).get
        == 1,
    )


def clusters(connection: apsw.Connection, scope: str, *, terms: Iterable[str]) -> Clusters:
    """See store.Topics."""
    rows = fetch(connection, "SELECT id, tag, size, vector_count, mean, name FROM clusters WHERE scope = ?", (scope,))
    held = fetch(
        connection,
        "SELECT t.term, t.cluster_id, t.weight FROM json_each(?) AS w "
        "CROSS JOIN cluster_terms AS t ON t.term = w.value JOIN clusters AS c ON c.id = t.cluster_id "
        "WHERE c.scope = ?",
        (json.dumps(sorted(set(terms)), ensure_ascii=False), scope),
    )
    shared: dict[str, dict[int, float]] = {}
    for term, cluster, weight in held:
        shared.setdefault(term, {})[cluster] = weight
    generation: int = connection.execute("SELECT generation FROM cluster_state").get
    return Clusters(generation, _clusters(rows), shared, {row[0]: row[5] for row in rows if row[5]})


def apply(connection: apsw.Connection, change: TopicChange) -> bool:
    """See store.Topics; inside a write transaction."""
    if isinstance(change, Rebuild):
        _rebuild(connection)
        return True
    if connection.execute("SELECT generation FROM cluster_state").get != change.generation:
        return False
    match change:
        case Release(batch=batch):
            _leave(connection, [number_of(item) for item in (*batch.gone, *(one.item.id for one in batch.members))])
        case Assign():
            _assign(connection, change)
        case Summarise():
            _summarise(connection, change)
    connection.execute("UPDATE cluster_state SET generation = generation + 1")
    return True


def _rebuild(connection: apsw.Connection) -> None:
    for table in PARTS:  # whole tables at once: row by row, as they refer to clusters, others wait for seconds
        connection.execute(f"DELETE FROM {table}")
    connection.execute("DELETE FROM clusters")
    connection.execute("DELETE FROM cluster_queue")
    connection.execute(
        f"INSERT INTO cluster_queue (item_id) SELECT r.item_id FROM revisions AS r WHERE {LIVE} ORDER BY r.item_id"
    )
    connection.execute("UPDATE cluster_state SET generation = generation + 1, encoder = NULL")


def _assign(connection: apsw.Connection, change: Assign) -> None:
    assignment = change.assignment
    numbers = {negative: _insert_cluster(connection, change.scope, tag) for negative, tag in assignment.founded.items()}
    for place in assignment.places:
        for cluster in place.clusters:
            _enter(connection, numbers.get(cluster, cluster), place.item.revision_id, place.item.terms)
    for cluster, (mean, measured) in assignment.means.items():
        connection.execute(
            "UPDATE clusters SET mean = ?, vector_count = ?, "
            "size = (SELECT count(*) FROM cluster_items WHERE cluster_id = clusters.id) WHERE id = ?",
            (_blob(mean), measured, numbers.get(cluster, cluster)),
        )
    connection.execute(
        "UPDATE clusters SET dirty = (tag IS NOT NULL OR size > 1) WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers.values())),),
    )
    connection.execute(
        "DELETE FROM cluster_queue WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(change.batch.stamps),)
    )
    connection.execute("UPDATE cluster_state SET encoder = coalesce(encoder, ?)", (change.encoder,))


def _summarise(connection: apsw.Connection, change: Summarise) -> None:
    for each in change.summarised:
        _describe(connection, each, at=change.at)
    for source, target in change.merged:
        _unite(connection, source, target)
    connection.execute(
        "DELETE FROM clusters WHERE id IN (SELECT value FROM json_each(?)) "
        "AND id NOT IN (SELECT cluster_id FROM cluster_items)",
        (json.dumps([each.id for each in change.summarised]),),
    )


def _clusters(rows: Sequence[tuple[Any, ...]]) -> list[Cluster]:
    """Build clusters from rows that begin with id, tag, size, measured and mean."""
    joined = np.frombuffer(b"".join([row[4] for row in rows]), np.float16).astype(np.float32)
    clusters: list[Cluster] = []
    at = 0
    for number, tag, size, vector_count, mean, *_ in rows:
        clusters.append(Cluster(number, tag, size, vector_count, joined[at : at + len(mean) // 2]))
        at += len(mean) // 2
    return clusters


def _blob(mean: Vector) -> bytes:
    return mean.astype(np.float16).tobytes()


def _latest(connection: apsw.Connection, cluster: int) -> list[int]:
    """Return the present states of a topic's latest MEMBERS live members."""
    return [
        row[0]
        for row in fetch(
            connection,
            f"SELECT r.id FROM {MEMBERSHIP} WHERE c.id = ? ORDER BY m.item_id DESC LIMIT {MEMBERS}",
            (cluster,),
        )
    ]


def _members(connection: apsw.Connection, revision_ids: Sequence[int], encoder: str | None) -> list[Member]:
    """Return the states, in order, with the serving encoder's vectors and the text around turns."""
    wanted = json.dumps(list(revision_ids))
    rows = fetch(
        connection,
        f"SELECT r.id, {ITEM_COLUMNS} FROM revisions AS r JOIN items AS i ON i.id = r.item_id "
        "WHERE r.id IN (SELECT value FROM json_each(?))",
        (wanted,),
    )
    items = dict(zip([row[0] for row in rows], items_of([row[1:] for row in rows]), strict=True))
    measured = fetch(
        connection,
        "SELECT revision_id, codes, coalesce(late, codes) FROM vectors "
        "WHERE encoder_id = (SELECT id FROM encoders WHERE serving = 1 AND identity = ?) "
        "AND revision_id IN (SELECT value FROM json_each(?))",
        (encoder, wanted),
    )
    both = vectors.decode([row[1] for row in measured]) + LATE * vectors.decode([row[2] for row in measured])
    lengths = np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-9) if len(both) else both
    found = {row[0]: both[number] / lengths[number] for number, row in enumerate(measured)}
    around: dict[int, tuple[str, ...]] = {}
    for number, text in fetch(
        connection,
        f"""
        SELECT me.id, r.text FROM revisions AS me JOIN items AS i ON i.id = me.item_id
        JOIN sources AS s ON s.id = i.source_id AND s.kind = 'transcript'
        JOIN items AS o ON o.source_id = i.source_id AND o.id <> i.id
            AND o.position BETWEEN i.position - {REACH} AND i.position + {REACH}
        JOIN revisions AS r ON r.item_id = o.id AND {LIVE} AND r.scope = me.scope
        WHERE me.id IN (SELECT value FROM json_each(?)) ORDER BY me.id, o.position
        """,
        (wanted,),
    ):
        around[number] = (*around.get(number, ()), text)
    together = session_of(connection, revision_ids)
    return [
        Member(number, items[number], found.get(number), around.get(number, ()), *together.get(number, ALONE))
        for number in revision_ids
        if number in items
    ]


def _leave(connection: apsw.Connection, items: Sequence[int]) -> None:
    """Remove items from all topics, whose descriptions become out of date."""
    wanted = json.dumps(list(items))
    connection.execute(
        "UPDATE clusters SET dirty = 2 WHERE id IN "
        "(SELECT cluster_id FROM cluster_items WHERE item_id IN (SELECT value FROM json_each(?)))",
        (wanted,),
    )
    connection.execute("DELETE FROM cluster_items WHERE item_id IN (SELECT value FROM json_each(?))", (wanted,))


def _insert_cluster(connection: apsw.Connection, scope: str, tag: str | None) -> int:
    connection.execute(
        "INSERT INTO clusters (scope, tag, name, size, vector_count, mean, dirty) VALUES (?, ?, ?, 0, 0, x'', 1)",
        (scope, tag, tag or ""),
    )
    return connection.last_insert_rowid()


def _enter(connection: apsw.Connection, cluster: int, revision_id: int, terms: Mapping[str, float]) -> None:
    """Add a state's item as a member, unless it was erased meanwhile."""
    connection.execute(
        "INSERT INTO cluster_items (cluster_id, item_id, revision_id) SELECT ?, item_id, id FROM revisions WHERE id = ?",
        (cluster, revision_id),
    )
    connection.executemany(
        "INSERT INTO cluster_terms (term, cluster_id, weight) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET weight = weight + excluded.weight",
        [(term, cluster, weight) for term, weight in terms.items()],
    )
    connection.execute("UPDATE clusters SET dirty = max(dirty, 1) WHERE id = ?", (cluster,))


def _describe(connection: apsw.Connection, each: Summarised, *, at: int) -> None:
    description = each.description
    connection.execute("DELETE FROM cluster_terms WHERE cluster_id = ?", (each.id,))
    connection.executemany(
        "INSERT INTO cluster_terms (term, cluster_id, weight) VALUES (?, ?, ?)",
        [(term, each.id, weight) for term, weight in description.terms.items()],
    )
    connection.execute(
        "UPDATE clusters SET name = ?, keywords = ?, importance = ?, mean = ?, vector_count = ?, changed_at = ?, dirty = 0, "
        "size = (SELECT count(*) FROM cluster_items WHERE cluster_id = clusters.id) WHERE id = ?",
        (
            each.name,
            json.dumps(description.keywords, ensure_ascii=False),
            description.importance,
            _blob(description.mean),
            description.measured,
            description.changed_at,
            each.id,
        ),
    )
    _keep_quotes(connection, each.id, each.quotes, each.covered, at=at)


def _unite(connection: apsw.Connection, source: int, target: int) -> None:
    """Move a topic's members into another, to be described anew."""
    connection.execute("UPDATE OR IGNORE cluster_items SET cluster_id = ? WHERE cluster_id = ?", (target, source))
    connection.execute("DELETE FROM clusters WHERE id = ?", (source,))
    connection.execute(
        "UPDATE clusters SET dirty = 1, "
        "size = (SELECT count(*) FROM cluster_items WHERE cluster_id = clusters.id) WHERE id = ?",
        (target,),
    )


def _keep_quotes(
    connection: apsw.Connection, cluster: int, quotes: Sequence[Quote], covered: Sequence[int], *, at: int
) -> None:
    connection.execute("DELETE FROM cluster_sentences WHERE cluster_id = ?", (cluster,))
    connection.execute("DELETE FROM cluster_revisions WHERE cluster_id = ?", (cluster,))
    connection.executemany(
        "INSERT INTO cluster_sentences (cluster_id, rank, revision_id, span_start, span_end) "
        "SELECT ?, ?, id, ?, ? FROM revisions WHERE id = ?",
        [(cluster, rank, *quote.span, quote.revision_id) for rank, quote in enumerate(quotes)],
    )
    connection.execute(
        "INSERT INTO cluster_revisions (cluster_id, revision_id) SELECT ?, id FROM revisions "
        "WHERE id IN (SELECT value FROM json_each(?))",
        (cluster, json.dumps(list(covered))),
    )
    connection.execute("UPDATE clusters SET digest_at = ? WHERE id = ?", (at if quotes else None, cluster))
