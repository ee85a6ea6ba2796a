"""How rows become what they stand for, and the other way round."""

import json
from typing import Any

import apsw

from mcp_memory.domain import Item, ItemId, Operation, OperationId, SourceId
from mcp_memory.errors import NotFound
from mcp_memory.ids import id_number, id_text
from mcp_memory.text import Span

ITEM_COLUMNS = """
    i.id, i.source_id, i.position, i.span_start, i.span_end, r.text, r.kind, r.tags, r.scope, i.speaker,
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
        position=row[2],
        span=Span(row[3], row[4]),
        text=row[5],
        kind=row[6],
        tags=tuple(json.loads(row[7])),
        scope=row[8],
        speaker=row[9],
        importance=row[10],
        confidence=row[11],
        occurred_at=row[12],
        valid_until=row[13],
        pinned=bool(row[14]),
        review_after=row[15],
        recorded_at=row[16],
        changed_at=row[17],
        revision=row[18],
        status=row[19],
        seen=row[20],
        last_seen_at=row[21],
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
