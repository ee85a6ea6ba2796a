"""Statements recorded before: importing again brings nothing back, and a later version replaces an earlier one."""

import json
from collections.abc import Sequence

import apsw

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import Item, Source, SourceId, Statement, normal_hash
from mcp_memory.sqlite.rows import ITEM_COLUMNS, fetch, item
from mcp_memory.store import Before

_COUNTS = """
    JOIN revisions AS p ON p.item_id = r.item_id AND p.until_time IS NULL
    JOIN operations AS o ON o.id = p.operation_id
    WHERE NOT (p.status = 'forgotten' AND p.restores IS NULL AND o.undoes IS NOT NULL)
"""
"""What an undo took back counts as never recorded; what was forgotten since does not."""
_WORDS = f"""
    SELECT lower(hex(r.normal_hash)), r.scope, max(p.status <> 'forgotten') FROM revisions AS r {_COUNTS}
    AND r.normal_hash IN (SELECT unhex(value) FROM json_each(?)) GROUP BY r.normal_hash, r.scope
"""
_SOURCES = f"""
    SELECT lower(hex(s.sha256)), r.scope, max(p.status <> 'forgotten') FROM sources AS s
    JOIN (
        SELECT source_id, id AS item_id FROM items
        UNION ALL SELECT source_id, item_id FROM repeats WHERE until_time IS NULL
    ) AS place ON place.source_id = s.id
    JOIN revisions AS r ON r.item_id = place.item_id {_COUNTS}
    AND s.sha256 IN (SELECT unhex(value) FROM json_each(?)) GROUP BY s.sha256, r.scope
"""


_FROM = """
    SELECT id, kind, text, origin, recorded_at FROM (
        SELECT *, row_number() OVER (PARTITION BY origin ORDER BY id DESC) AS place FROM sources
        WHERE origin IN (SELECT value FROM json_each(?)) AND kind <> 'transcript'
    ) WHERE place <= 20 ORDER BY id DESC
"""
_STANDING = f"""
    WITH asked (id, origin) AS (SELECT id, origin FROM sources WHERE id IN (SELECT value FROM json_each(?))),
    place (source_id, item_id) AS (
        SELECT i.source_id, i.id FROM asked JOIN items AS i ON i.source_id = asked.id
        UNION SELECT p.source_id, p.item_id FROM asked JOIN repeats AS p ON p.source_id = asked.id AND p.until_time IS NULL
    )
    SELECT place.source_id, {ITEM_COLUMNS} FROM place JOIN items AS i ON i.id = place.item_id
    JOIN revisions AS r ON r.item_id = i.id AND r.until_time IS NULL AND r.status = 'live'
    JOIN asked ON asked.id = place.source_id
    WHERE (SELECT origin FROM sources WHERE id = i.source_id) = asked.origin AND NOT EXISTS (
        SELECT 1 FROM repeats AS e JOIN sources AS o ON o.id = e.source_id
        WHERE e.item_id = i.id AND e.until_time IS NULL AND o.origin IS NOT asked.origin
    ) ORDER BY place.source_id, i.position
"""


def versions_from(connection: apsw.Connection, origins: Sequence[str]) -> list[tuple[Source, list[Item]]]:
    """Return the documents recorded under these names, the latest first, with the live items that stand for them alone."""
    rows = fetch(connection, _FROM, (json.dumps(sorted(set(origins))),)) if origins else []
    found: dict[int, tuple[Source, list[Item]]] = {
        number: (Source(SourceId(id_text(number)), kind, text, origin, recorded_at), [])
        for number, kind, text, origin, recorded_at in rows
    }
    for source, *row in fetch(connection, _STANDING, (json.dumps(list(found)),)) if found else ():
        found[source][1].append(item(tuple(row)))
    return list(found.values())


def known_before(connection: apsw.Connection, statements: Sequence[Statement]) -> list[Before]:
    """See store.Planning."""
    keys = [
        normal_hash(statement.spoken).hex() if statement.source.kind == "words" else statement.source.sha256.hex()
        for statement in statements
    ]
    present: dict[tuple[str, str], bool] = {}
    for query, words in ((_WORDS, True), (_SOURCES, False)):
        asked = {
            key for key, statement in zip(keys, statements, strict=True) if (statement.source.kind == "words") == words
        }
        for key, scope, live in fetch(connection, query, (json.dumps(sorted(asked)),)) if asked else ():
            present[key, scope] = bool(live)
    answers: dict[bool | None, Before] = {None: "new", True: "known", False: "forgotten"}
    return [answers[present.get((key, statement.scope))] for key, statement in zip(keys, statements, strict=True)]
