"""How rows become what they stand for, and the other way round."""

import json
from typing import Any

import apsw

from mcp_memory.domain import Item, ItemId, Operation, OperationId, SourceId
from mcp_memory.errors import NotFound
from mcp_memory.ids import id_number, id_text
from mcp_memory.text import Span

ITEM_COLUMNS = """
    i.id, i.source_id, (SELECT kind FROM sources WHERE id = i.source_id), i.position, i.span_start, i.span_end, r.text, r.kind, r.tags, r.scope, i.speaker,
    r.importance, r.confidence, r.occurred_at, r.valid_until, r.pinned, r.review_after,
    i.recorded_at, r.from_time, r.number, r.status, i.seen, i.last_seen_at
"""
"""What `item` reads, of a revision r and its item i."""

OPERATION_COLUMNS = "o.id, o.verb, o.at, o.client, o.session, o.summary"


def item(row: tuple[Any, ...]) -> Item:
    """The item in the state that ITEM_COLUMNS describe."""
    return Item(
        id=ItemId(id_text(row[0])),
        source_id=SourceId(id_text(row[1])),
        source_kind=row[2],
        position=row[3],
        span=Span(row[4], row[5]),
        text=row[6],
        kind=row[7],
        tags=() if row[8] == "[]" else tuple(json.loads(row[8])),
        scope=row[9],
        speaker=row[10],
        importance=row[11],
        confidence=row[12],
        occurred_at=row[13],
        valid_until=row[14],
        pinned=bool(row[15]),
        review_after=row[16],
        recorded_at=row[17],
        changed_at=row[18],
        revision=row[19],
        status=row[20],
        seen=row[21],
        last_seen_at=row[22],
    )


def operation(row: tuple[Any, ...]) -> Operation:
    """The operation that OPERATION_COLUMNS describe."""
    number, verb, at, client, session, summary = row
    return Operation(OperationId(id_text(number)), verb, at, client, session, summary)


def number_of(identifier: str) -> int:
    """The number of an id; raises NotFound, since what is no id is nobody's id."""
    try:
        return id_number(identifier)
    except ValueError:
        raise NotFound(
            f"There is no memory #{identifier.removeprefix('#')}: an id is the 13 letters and digits after a #."
        ) from None


def fetch(connection: apsw.Connection, sql: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
    """All rows at once: an open cursor would keep the log from being reset."""
    return connection.execute(sql, bindings).fetchall()
