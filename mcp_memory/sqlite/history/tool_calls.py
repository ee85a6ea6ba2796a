"""Tool calls in the file: those that are shown, those that became a part of a pattern, and the patterns."""

import json
from collections.abc import Sequence

import apsw

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import ItemId, KeptCall
from mcp_memory.maintenance.tool_calls import read_pattern
from mcp_memory.sqlite.rows import ITEM_COLUMNS, fetch, number_of
from mcp_memory.sqlite.rows import item as item_of

DUE_AT_ONCE = 20_000
"""Calls that are looked at in one go, the oldest."""

_PARTS = "SELECT 1 FROM links AS l WHERE l.to_id = r.item_id AND l.type = 'derived-from' AND l.until_time IS NULL"
_CALLS = f"""
    FROM revisions AS r JOIN items AS i ON i.id = r.item_id
    WHERE r.until_time IS NULL AND r.kind = 'tool' AND (r.status = 'live' OR r.status = 'replaced' AND EXISTS ({_PARTS}))
"""


def tool_calls(connection: apsw.Connection, *, before: int) -> list[KeptCall]:
    """See Store."""
    rows = fetch(
        connection,
        f"""
        SELECT
            (
                SELECT json_group_array(DISTINCT l.from_id) FROM links AS l
                WHERE l.to_id = i.id AND l.type = 'derived-from' AND l.until_time IS NULL
            ),
            EXISTS (
                SELECT 1 FROM links AS l WHERE l.to_id = i.id AND l.type = 'derived-from' AND l.until_time IS NOT NULL
                AND NOT EXISTS (
                    SELECT 1 FROM links AS again
                    WHERE again.to_id = l.to_id AND again.type = l.type AND again.operation_id = l.operation_id
                    AND again.until_time IS NULL
                )
            ),
            {ITEM_COLUMNS}
        {_CALLS} AND (i.recorded_at < ? OR r.text LIKE '% × %: % succeeded%') ORDER BY i.id LIMIT {DUE_AT_ONCE}
        """,
        (before,),
    )
    return [
        KeptCall(item_of(row[2:]), tuple(ItemId(id_text(number)) for number in json.loads(row[0])), bool(row[1]))
        for row in rows
    ]


def patterns_of(connection: apsw.Connection, ids: Sequence[ItemId]) -> dict[ItemId, list[ItemId]]:
    """See Store."""
    rows = fetch(
        connection,
        "SELECT from_id, to_id, until_time IS NULL FROM links WHERE type = 'derived-from' AND from_id IN "
        "(SELECT from_id FROM links WHERE type = 'derived-from' AND to_id IN (SELECT value FROM json_each(:ids)) "
        "UNION SELECT value FROM json_each(:ids))",
        {"ids": json.dumps([number_of(identifier) for identifier in ids])},
    )
    found: dict[ItemId, list[ItemId]] = {}
    for pattern, call, present in rows:
        parts = found.setdefault(ItemId(id_text(pattern)), [])
        if present:
            parts.append(ItemId(id_text(call)))
    return found


def counts(connection: apsw.Connection) -> dict[str, int]:
    """How many calls are kept whole, how many patterns there are, how many calls are hidden in these."""
    rows = fetch(connection, f"SELECT r.status, r.text {_CALLS}")
    patterns = sum(status == "live" and read_pattern(text) is not None for status, text in rows)
    hidden = sum(status == "replaced" for status, _ in rows)
    return {"whole": len(rows) - patterns - hidden, "patterns": patterns, "hidden": hidden}
