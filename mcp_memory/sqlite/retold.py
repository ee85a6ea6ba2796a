"""What was told to a file before, in whatever state it is by now: so that what is imported again brings nothing back."""

import json
from collections.abc import Sequence

import apsw

from mcp_memory.domain import Statement, normal_hash
from mcp_memory.sqlite.rows import fetch
from mcp_memory.store import Before

_COUNTS = """
    JOIN revisions AS p ON p.item_id = r.item_id AND p.until_time IS NULL
    JOIN operations AS o ON o.id = p.operation_id
    WHERE NOT (p.status = 'forgotten' AND p.restores IS NULL AND o.undoes IS NOT NULL)
"""
"""What an undo took back counts as never told; what was forgotten since does not."""
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


def told_before(connection: apsw.Connection, statements: Sequence[Statement]) -> list[Before]:
    """See Store."""
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
