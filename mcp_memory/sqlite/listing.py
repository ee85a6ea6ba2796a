"""The items of a file that a filter lets through, the latest first, and how many they are."""

import apsw

from mcp_memory.domain.model import Filter, Item
from mcp_memory.sqlite.index.query_terms import HAPPENED, conditions
from mcp_memory.sqlite.rows import fetch, item_columns
from mcp_memory.sqlite.rows import item as item_of

STATES = "FROM revisions AS r JOIN items AS i ON i.id = r.item_id"


def listing(connection: apsw.Connection, *, where: Filter, limit: int, offset: int = 0) -> list[tuple[int, Item]]:
    """See store.Store. What is told of an item is read only of those that are told, not of all that are sorted."""
    condition, bound = conditions(where)
    rows = fetch(
        connection,
        f"SELECT r.id, {item_columns(where.as_of)} "
        f"FROM (SELECT r.id AS number, {HAPPENED} AS happened, i.id AS item {STATES} WHERE {condition} "
        "ORDER BY happened DESC, item DESC LIMIT :limit OFFSET :offset) AS latest "
        "CROSS JOIN revisions AS r ON r.id = latest.number CROSS JOIN items AS i ON i.id = latest.item "
        "ORDER BY latest.happened DESC, latest.item DESC",
        {**bound, "limit": limit, "offset": offset},
    )
    return [(row[0], item_of(row[1:])) for row in rows]


def count(connection: apsw.Connection, *, where: Filter) -> int:
    """See store.Store."""
    condition, bound = conditions(where)
    number: int = connection.execute(f"SELECT count(*) {STATES} WHERE {condition}", bound).get
    return number
