"""Use counts: how often recall returned each item."""

import json
from collections.abc import Mapping, Sequence

import apsw

from mcp_memory.domain.ids import id_texts
from mcp_memory.domain.model import ItemId
from mcp_memory.sqlite.rows import fetch, number_of, numbers_of


def uses(connection: apsw.Connection, ids: Sequence[ItemId], *, before: int) -> dict[ItemId, int]:
    """Return how often items were returned before a day, in days since 1970."""
    rows = fetch(
        connection,
        "SELECT item_id, CASE WHEN day < ? THEN count ELSE earlier END FROM uses "
        "WHERE item_id IN (SELECT value FROM json_each(?))",
        (before, json.dumps(numbers_of(ids))),
    )
    return {
        ItemId(item): count for item, (_, count) in zip(id_texts([row[0] for row in rows]), rows, strict=True) if count
    }


def add_uses(connection: apsw.Connection, counts: Mapping[ItemId, int], *, day: int) -> None:
    """Count items returned on a day; missing ones are skipped."""
    connection.executemany(
        "INSERT INTO uses (item_id, count, day, earlier) SELECT id, :count, :day, 0 FROM items WHERE id = :item "
        "ON CONFLICT DO UPDATE SET earlier = CASE WHEN excluded.day > day THEN count ELSE earlier END, "
        "count = count + excluded.count, day = max(day, excluded.day)",
        ({"item": number_of(item), "count": count, "day": day} for item, count in counts.items()),
    )
