"""Which items were told together: in one call, or in one session within the same hour, a few of them."""

import json
from collections.abc import Sequence

import apsw

from mcp_memory.sqlite.rows import fetch
from mcp_memory.times import HOUR

FEW = 12
"""Statements told together at most for that to say something of what they are about: more are a list, or an import."""


def told_together(connection: apsw.Connection, revision_ids: Sequence[int]) -> dict[int, str]:
    """By state, what names those that were told together with its item; none for passages, turns and what was told alone.

    A session is told by its client; where it has no name, only what one call told is told together.
    """
    rows = fetch(
        connection,
        f"""
        SELECT r.id, o.client, o.session, o.at / {HOUR}, o.id,
            (SELECT count(*) FROM (SELECT 1 FROM operations AS p
                JOIN revisions AS t ON t.operation_id = p.id AND t.number = 1
                WHERE p.client = o.client AND p.session = o.session AND p.verb = 'remember'
                    AND p.at BETWEEN o.at / {HOUR} * {HOUR} AND (o.at / {HOUR} + 1) * {HOUR} - 1
                    AND (o.session <> '' OR p.id = o.id) LIMIT {FEW + 1}))
        FROM revisions AS r JOIN items AS i ON i.id = r.item_id
        JOIN sources AS s ON s.id = i.source_id AND s.kind = 'words'
        JOIN revisions AS f ON f.item_id = r.item_id AND f.number = 1 JOIN operations AS o ON o.id = f.operation_id
        WHERE r.id IN (SELECT value FROM json_each(?)) AND o.verb = 'remember'
        """,
        (json.dumps(list(revision_ids)),),
    )
    return {
        number: f"{client} {session} {hour}" if session else f"{operation}"
        for number, client, session, hour, operation, count in rows
        if 1 < count <= FEW
    }
