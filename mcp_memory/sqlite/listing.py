"""Lists of items: those that a filter lets through, those of some revisions, all of them; and how many there are."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import apsw

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import Count, Filter, Item, ItemId, Kind, StoredItem
from mcp_memory.language.dates.periods import DAY, Period
from mcp_memory.sqlite.index.query_terms import HAPPENED, conditions
from mcp_memory.sqlite.rows import ITEM_COLUMNS, fetch, item_columns, items

STATES = "FROM revisions AS r JOIN items AS i ON i.id = r.item_id"
PAGE = 1_000  # Items per read of a scan
VAGUE = 100 * DAY  # A season, which may still concern a day in it; a year does not


def listing(
    connection: apsw.Connection, *, where: Filter, limit: int, offset: int = 0, in_periods: Sequence[Period] = ()
) -> list[Item]:
    """See store.Items. Columns are read of the returned items only, not of all that are sorted."""
    condition, bound = conditions(where)
    if in_periods:
        condition += f" AND ({_IN_PERIODS})"
        bound |= {"periods": json.dumps(in_periods), "vague": VAGUE}
    rows = fetch(
        connection,
        f"SELECT {item_columns(where.as_of)} "
        f"FROM (SELECT r.id AS number, {HAPPENED} AS happened, i.id AS item {STATES} WHERE {condition} "
        "ORDER BY happened DESC, item DESC LIMIT :limit OFFSET :offset) AS latest "
        "CROSS JOIN revisions AS r ON r.id = latest.number CROSS JOIN items AS i ON i.id = latest.item "
        "ORDER BY latest.happened DESC, latest.item DESC",
        {**bound, "limit": limit, "offset": offset},
    )
    return items(rows)


_IN_PERIODS = (
    f"EXISTS (SELECT 1 FROM json_each(:periods) AS p WHERE {HAPPENED} >= p.value ->> 0 AND {HAPPENED} < p.value ->> 1)"
    " OR EXISTS (SELECT 1 FROM text_dates AS d, json_each(d.periods) AS t, json_each(:periods) AS p"
    " WHERE d.revision_id = r.id AND t.value ->> 0 < p.value ->> 1 AND t.value ->> 1 > p.value ->> 0"
    " AND (t.value ->> 1) - (t.value ->> 0) <= max(:vague, (p.value ->> 1) - (p.value ->> 0)))"
)
# A named time that is longer than VAGUE and than the period says nothing of it: a car from 2017, of a February.


def counts(connection: apsw.Connection, *, where: Filter, by: Literal["scope", "tag"]) -> list[Count]:
    """See store.Items."""
    condition, bound = conditions(where)
    if by == "scope":
        rows = fetch(
            connection,
            f"SELECT r.scope, count(*) {STATES} WHERE {condition} GROUP BY r.scope ORDER BY 2 DESC, 1",
            bound,
        )
        return [Count(scope, number) for scope, number in rows]
    rows = fetch(
        connection,
        "SELECT r.scope, count(*), t.value FROM revisions AS r JOIN items AS i ON i.id = r.item_id, json_each(r.tags) AS t "
        f"WHERE {condition} GROUP BY t.value, r.scope ORDER BY 2 DESC, t.value, r.scope",
        bound,
    )
    return [Count(scope, number, tag) for scope, number, tag in rows]


_DERIVED = """
    SELECT json_group_array(DISTINCT l.from_id) FROM links AS l
    WHERE l.to_id = i.id AND l.type = 'derived-from' AND l.until_time IS NULL
"""
_UNFOLDED = """
    EXISTS (
        SELECT 1 FROM links AS l WHERE l.to_id = i.id AND l.type = 'derived-from' AND l.until_time IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM links AS again WHERE again.to_id = l.to_id AND again.type = l.type
            AND again.operation_id = l.operation_id AND again.until_time IS NULL
        )
    )
"""


def page(
    connection: apsw.Connection, after: int, *, scopes: Sequence[str], kinds: Sequence[Kind]
) -> list[tuple[Any, ...]]:
    """Return the next PAGE rows of a scan for `scanned`; each begins with its item's number."""
    return fetch(
        connection,
        f"""
        SELECT i.id, ({_DERIVED}), {_UNFOLDED}, {ITEM_COLUMNS} {STATES}
        WHERE r.until_time IS NULL AND i.id > :after
        AND (:scopes = '[]' OR r.scope IN (SELECT value FROM json_each(:scopes)))
        AND (:kinds = '[]' OR r.kind IN (SELECT value FROM json_each(:kinds))) ORDER BY i.id LIMIT {PAGE}
        """,
        {"after": after, "scopes": json.dumps(list(scopes)), "kinds": json.dumps(list(kinds))},
    )


def scanned(rows: Sequence[tuple[Any, ...]]) -> Iterator[StoredItem]:
    """Yield the items of a page."""
    for (_, patterns, unfolded, *_), item in zip(rows, items([row[3:] for row in rows]), strict=True):
        numbers = json.loads(patterns)
        yield StoredItem(item, tuple(ItemId(id_text(number)) for number in numbers), bool(unfolded))
