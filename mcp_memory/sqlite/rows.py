"""Conversion between rows and domain objects."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import apsw

from mcp_memory.domain.ids import id_numbers, id_text, id_texts
from mcp_memory.domain.model import Item, ItemId, Operation, OperationId, SourceId
from mcp_memory.errors import NotFound
from mcp_memory.language.tokenization import Span

REVISION_FIELDS = tuple(
    (
        "status text kind scope tags importance importance_given confidence occurred_at valid_until pinned "
        "review_after normal_hash"
    ).split()
)
"""The fields of a state besides its identity and time."""

OPERATION_COLUMNS = """
    o.id, o.verb, o.at, o.client, o.session, o.summary, o.undoes, o.erased,
    coalesce((SELECT u.takes_back FROM operations AS u WHERE u.undoes = coalesce(o.undoes, o.id)
        ORDER BY u.at DESC, u.id DESC LIMIT 1), 0) <> coalesce(o.takes_back, 0)
"""
"""The columns that `operation` reads."""
OPERATION_WIDTH = 9


INDEXED = "FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE r.status = 'live'"


def holds(alias: str, as_of: int | None) -> str:
    """Return SQL: a row with a transaction time holds now, or did at `as_of`."""
    if as_of is None:
        return f"{alias}.until_time IS NULL"
    return f"{alias}.from_time <= {as_of:d} AND ({alias}.until_time IS NULL OR {alias}.until_time > {as_of:d})"


def item_columns(as_of: int | None = None) -> str:
    """Return the columns that `item` reads of a revision r and its item i, with its repetitions by `as_of`."""
    said = f"FROM confirmations AS c WHERE c.item_id = i.id AND {holds('c', as_of)}"
    return f"""
    i.id, i.source_id, (SELECT kind FROM sources WHERE id = i.source_id), i.position, i.span_start, i.span_end, r.text,
    r.kind, r.tags, r.scope, i.speaker, r.importance, r.confidence, r.occurred_at, r.valid_until, r.pinned,
    r.review_after, i.recorded_at, iif(r.restores IS NULL, r.from_time,
        coalesce((SELECT b.from_time FROM revisions AS b WHERE b.id = r.restores), r.from_time)),
    r.number, r.status, i.seen + coalesce((SELECT sum(c.times) {said}), 0),
    max(i.last_seen_at, coalesce((SELECT max(c.said_at) {said}), 0)), r.importance_given,
    iif(r.number = 1, r.from_time,
        (SELECT min(b.from_time) FROM revisions AS b WHERE b.item_id = i.id AND b.normal_hash = r.normal_hash)),
    (SELECT origin FROM sources WHERE id = i.source_id),
    (SELECT w.client FROM sources AS s JOIN operations AS w ON w.id = s.operation_id WHERE s.id = i.source_id), r.id
    """


ITEM_COLUMNS = item_columns()


def item(row: tuple[Any, ...]) -> Item:
    """Return the item in the state that item_columns describe."""
    return items([row])[0]


def items(rows: Sequence[tuple[Any, ...]]) -> list[Item]:
    own, sources = id_texts([row[0] for row in rows]), id_texts([row[1] for row in rows])
    return [
        Item(
            id=ItemId(identifier),
            source_id=SourceId(source),
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
            importance_given=bool(row[23]),
            worded_at=row[24],
            origin=row[25],
            client=row[26] or "",
            revision_id=row[27],
        )
        for row, identifier, source in zip(rows, own, sources, strict=True)
    ]


def states(connection: apsw.Connection, revision_ids: Collection[int], *, as_of: int | None = None) -> dict[int, Item]:
    """Return states by id; missing ones are left out."""
    found = fetch(
        connection,
        f"SELECT {item_columns(as_of)} FROM revisions AS r JOIN items AS i ON i.id = r.item_id "
        "WHERE r.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(revision_ids)),),
    )
    return {one.revision_id: one for one in items(found)}


def operation(row: tuple[Any, ...]) -> Operation:
    number, verb, at, client, session, summary, undoes, erased, undone = row
    return Operation(
        OperationId(id_text(number)),
        verb,
        at,
        client,
        session,
        summary,
        undoes=None if undoes is None else OperationId(id_text(undoes)),
        undone=bool(undone),
        erased=erased,
    )


def number_of(identifier: str) -> int:
    """Return the number of an id. Raises NotFound, since what is no id is nobody's id."""
    return numbers_of([identifier])[0]


def numbers_of(identifiers: Iterable[str]) -> list[int]:
    """Return the numbers of ids. Raises NotFound as number_of does."""
    try:
        return id_numbers(identifiers)
    except ValueError as error:
        wrong = str(error).removeprefix("#")
        raise NotFound(f"There is no memory #{wrong}: an id is the 13 letters and digits after a #.") from None


def fetch(connection: apsw.Connection, sql: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
    """Return all rows at once: an open cursor would keep the WAL from being reset."""
    return connection.execute(sql, bindings).fetchall()
