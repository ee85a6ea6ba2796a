"""Topics as they are read from the file: the clusters worth showing, and the digests that were handed in."""

import json
from collections.abc import Sequence
from typing import Any

import apsw

from mcp_memory.domain.ids import id_texts
from mcp_memory.domain.model import Excerpt, ItemId, Topic
from mcp_memory.sqlite.rows import fetch, holds, numbers_of

LIVE = "r.until_time IS NULL AND r.status = 'live'"
MEMBERSHIP = (
    f"cluster_items AS m JOIN revisions AS r ON r.item_id = m.item_id AND {LIVE} JOIN clusters AS c "
    "ON c.id = m.cluster_id AND c.scope = r.scope"
)
"""Live members in their present state."""
SHOWN = "c.name <> '' AND c.size >= iif(c.tag IS NULL, 3, 2)"
"""Topics worth showing: a tag of two items, or three similar items."""
STALE = (
    "EXISTS (SELECT 1 FROM cluster_revisions AS d JOIN revisions AS s ON s.id = d.revision_id "
    "WHERE d.cluster_id = c.id AND (s.until_time IS NOT NULL OR s.status <> 'live'))"
)


def topics(
    connection: apsw.Connection,
    *,
    limit: int,
    scopes: Sequence[str] = (),
    name: str | None = None,
    terms: Sequence[str] = (),
    members: Sequence[ItemId] = (),
) -> list[Topic]:
    """See store.Topics. Topics are chosen before their many members are read."""
    conditions = [SHOWN]
    if scopes:
        conditions.append("c.scope IN (SELECT value FROM json_each(:scopes))")
    if name is not None:
        conditions.append("c.name = :name")
    if members:
        conditions.append(
            "c.id IN (SELECT cluster_id FROM cluster_items WHERE item_id IN (SELECT value FROM json_each(:members)))"
        )
    weight = "0"
    if terms:
        weight = (
            "(SELECT sum(t.weight) FROM cluster_terms AS t WHERE t.cluster_id = c.id "
            "AND t.term IN (SELECT value FROM json_each(:terms)))"
        )
        conditions.append(
            "c.id IN (SELECT cluster_id FROM cluster_terms WHERE term IN (SELECT value FROM json_each(:terms)))"
        )
    rows = fetch(
        connection,
        f"""
        WITH chosen (id, place) AS (
            SELECT id, row_number() OVER (ORDER BY weight DESC, changed_at DESC, id DESC) FROM (
                SELECT c.id, c.changed_at, {weight} AS weight FROM clusters AS c
                WHERE {" AND ".join(conditions)}
                    AND EXISTS (SELECT 1 FROM cluster_items AS m JOIN revisions AS r ON r.item_id = m.item_id AND {LIVE}
                        WHERE m.cluster_id = c.id AND r.scope = c.scope)
                ORDER BY weight DESC, changed_at DESC, c.id DESC LIMIT :limit
            )
        )
        SELECT c.name, c.scope, c.keywords, c.importance, c.digest_at, c.changed_at,
            json_group_array(m.item_id), {STALE},
            sum(NOT EXISTS (SELECT 1 FROM cluster_revisions AS k WHERE k.cluster_id = c.id AND k.revision_id = r.id)),
            (SELECT json_group_array(
                    json_array(e.rank, s.item_id, substr(s.text, e.span_start + 1, e.span_end - e.span_start))
                    ORDER BY s.item_id, e.span_start)
                FROM cluster_sentences AS e
                JOIN revisions AS s ON s.id = e.revision_id AND s.until_time IS NULL AND s.status = 'live'
                WHERE e.cluster_id = c.id)
        FROM {MEMBERSHIP} JOIN chosen ON chosen.id = c.id GROUP BY c.id ORDER BY chosen.place
        """,
        {
            "scopes": json.dumps(list(scopes)),
            "name": name,
            "terms": json.dumps(list(terms), ensure_ascii=False),
            "members": json.dumps(numbers_of(members)),
            "limit": limit,
        },
    )
    return [_topic(row) for row in rows]


def digests(connection: apsw.Connection, *, as_of: int | None = None) -> list[Topic]:
    """See store.Topics."""
    rows = fetch(
        connection,
        f"""
        SELECT t.name, t.scope, t.digest,
            coalesce((SELECT b.from_time FROM topics AS b WHERE b.id = t.restores), t.from_time),
            (SELECT json_group_array(r.item_id) FROM topic_revisions AS m JOIN revisions AS r
                ON r.id = m.revision_id WHERE m.topic_id = t.id),
            EXISTS (SELECT 1 FROM topic_revisions AS m JOIN revisions AS r ON r.id = m.revision_id
                JOIN revisions AS p ON p.item_id = r.item_id AND {holds("p", as_of)}
                WHERE m.topic_id = t.id AND coalesce(p.restores, p.id) <> coalesce(r.restores, r.id))
        FROM topics AS t WHERE {holds("t", as_of)} ORDER BY 4 DESC
        """,
    )
    return [
        Topic(
            name=name,
            scope=scope,
            digest=digest,
            made_at=made_at,
            items=_ids(json.loads(members)),
            stale=bool(stale),
        )
        for name, scope, digest, made_at, members, stale in rows
    ]


def _ids(numbers: Sequence[int]) -> tuple[ItemId, ...]:
    return tuple(map(ItemId, id_texts(numbers)))


def _topic(row: tuple[Any, ...]) -> Topic:
    name, scope, keywords, importance, made_at, changed_at, members, stale, newer, sentences = row
    quoted: list[tuple[int, int, str]] = json.loads(sentences)
    ranked = sorted(quoted)
    return Topic(
        name=name,
        scope=scope,
        digest="\n".join(" ".join(sentence.split()) for _, _, sentence in quoted),
        sentences=tuple(map(Excerpt, _ids([item for _, item, _ in ranked]), [sentence for *_, sentence in ranked])),
        made_at=made_at or changed_at,
        items=_ids(sorted(json.loads(members))),
        stale=bool(stale) or made_at is None,
        keywords=tuple(json.loads(keywords)),
        importance=importance,
        changed_at=changed_at,
        newer=newer,
        kept=False,
    )
