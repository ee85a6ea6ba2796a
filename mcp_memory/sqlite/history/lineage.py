"""Lineage of an item: its source, its states, what it replaced."""

import json
from bisect import bisect_right
from collections.abc import Sequence

import apsw

from mcp_memory.domain.ids import id_text, id_texts
from mcp_memory.domain.model import Item, ItemId, Operation, Revision, Source, SourceId
from mcp_memory.errors import NotFound
from mcp_memory.sqlite.history import source_redaction
from mcp_memory.sqlite.rows import (
    ITEM_COLUMNS,
    OPERATION_COLUMNS,
    OPERATION_WIDTH,
    fetch,
    holds,
    item,
    item_columns,
    items,
    number_of,
    numbers_of,
    operation,
)


def replaced_by(connection: apsw.Connection, ids: Sequence[ItemId], *, as_of: int | None) -> dict[ItemId, list[Item]]:
    """Return what each item replaced, directly or through others, the latest first; or had replaced at `as_of`."""
    rows = fetch(
        connection,
        f"""
        WITH RECURSIVE chain (head, old, depth) AS (
            SELECT value, value, 0 FROM json_each(?)
            UNION SELECT head, l.to_id, depth + 1 FROM chain JOIN links AS l ON l.from_id = chain.old
            WHERE l.type = 'replaces' AND {holds("l", as_of)} AND depth < 50
        )
        SELECT chain.head, {item_columns(as_of)}
        FROM chain JOIN items AS i ON i.id = chain.old JOIN revisions AS r ON r.item_id = i.id
        WHERE depth > 0 AND {holds("r", as_of)} AND r.status = 'replaced' ORDER BY depth, i.id DESC
        """,
        (json.dumps(numbers_of(ids)),),
    )
    found: dict[ItemId, list[Item]] = {}
    heads = id_texts([row[0] for row in rows])
    for head, old in zip(heads, items([row[1:] for row in rows]), strict=True):
        found.setdefault(ItemId(head), []).append(old)
    return found


def source(connection: apsw.Connection, source_id: SourceId, *, as_of: int | None) -> Source:
    """Return a source, with what was forgotten blanked, now or at `as_of`. Raises NotFound where nothing is left."""
    number = number_of(source_id)
    rows = fetch(connection, "SELECT kind, text, origin, recorded_at FROM sources WHERE id = ?", (number,))
    if not rows:
        raise NotFound(f"There is no source #{source_id}.")
    forgotten, others = source_redaction.spans_in(connection, number, as_of=as_of)
    if forgotten and not others:
        raise NotFound(f"All that the source #{source_id} says was forgotten.")
    kind, text, origin, recorded_at = rows[0]
    text = source_redaction.blank(text, forgotten, kept=others)
    return Source(id=source_id, kind=kind, text=text, origin=origin, recorded_at=recorded_at)


def history(connection: apsw.Connection, item_id: ItemId) -> list[Revision]:
    """Return every state of an item with its operation, the earliest first. Raises NotFound."""
    rows = fetch(
        connection,
        f"""
        SELECT {OPERATION_COLUMNS}, {ITEM_COLUMNS}, (
            SELECT l.from_id FROM links AS l
            WHERE r.status = 'replaced' AND l.to_id = i.id AND l.type IN ('replaces', 'derived-from') AND l.from_time <= r.from_time
            AND (l.until_time IS NULL OR l.until_time > r.from_time) ORDER BY l.from_time DESC LIMIT 1
        )
        FROM revisions AS r JOIN items AS i ON i.id = r.item_id JOIN operations AS o ON o.id = r.operation_id
        WHERE i.id = ? ORDER BY r.number
        """,
        (number_of(item_id),),
    )
    if not rows:
        if fetch(connection, "SELECT 1 FROM erased WHERE item_id = ?", (number_of(item_id),)):
            return []
        raise NotFound(f"There is no memory #{item_id}. Use recall to find the right id.")
    again = _said_again(connection, number_of(item_id))
    starts = [operation(row[:OPERATION_WIDTH]).at for row in rows]
    return [
        Revision(
            item(row[OPERATION_WIDTH:-1]),
            operation(row[:OPERATION_WIDTH]),
            None if row[-1] is None else ItemId(id_text(row[-1])),
            tuple(said for said in again if bisect_right(starts, said.at) - 1 == number),
        )
        for number, row in enumerate(rows)
    ]


def _said_again(connection: apsw.Connection, number: int) -> list[Operation]:
    """Return the operations that repeated an item and still count, the earliest first."""
    rows = fetch(
        connection,
        f"SELECT {OPERATION_COLUMNS} FROM operations AS o WHERE o.id IN "
        "(SELECT operation_id FROM confirmations WHERE item_id = ? AND until_time IS NULL) ORDER BY o.at",
        (number,),
    )
    return [operation(row) for row in rows]
