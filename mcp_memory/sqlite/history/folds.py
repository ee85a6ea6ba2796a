"""Tool calls that were folded into patterns: what a pattern stands for, and how many there are."""

import apsw

from mcp_memory.maintenance.tool_calls import read_pattern
from mcp_memory.sqlite.rows import fetch

_PARTS = "SELECT 1 FROM links AS l WHERE l.to_id = r.item_id AND l.type = 'derived-from' AND l.until_time IS NULL"
_CALLS = f"""
    FROM revisions AS r JOIN items AS i ON i.id = r.item_id
    WHERE r.until_time IS NULL AND r.kind = 'tool' AND (r.status = 'live' OR r.status = 'replaced' AND EXISTS ({_PARTS}))
"""


def parts_of(connection: apsw.Connection, number: int) -> dict[int, list[int]]:
    """Return the calls that an item and the patterns derived from it stand for; none where the fold was undone."""
    rows = fetch(
        connection,
        "SELECT from_id, to_id, until_time IS NULL FROM links WHERE type = 'derived-from' AND from_id IN "
        "(SELECT from_id FROM links WHERE type = 'derived-from' AND to_id = :item UNION SELECT :item)",
        {"item": number},
    )
    found: dict[int, list[int]] = {}
    for pattern, call, present in rows:
        parts = found.setdefault(pattern, [])
        if present:
            parts.append(call)
    return found


def counts(connection: apsw.Connection) -> dict[str, int]:
    """Count the calls stored whole, the patterns, and the calls hidden in these."""
    rows = fetch(connection, f"SELECT r.status, r.text {_CALLS}")
    patterns = sum(status == "live" and read_pattern(text) is not None for status, text in rows)
    hidden = sum(status == "replaced" for status, _ in rows)
    return {"whole": len(rows) - patterns - hidden, "patterns": patterns, "hidden": hidden}
