"""Undo of operations: what one changed, what depends on it since, and the states that restore the earlier ones.

Nothing is deleted: an item gets a new state that says what the one before the operation said, and what has a
transaction time (links, repeats, confirmations, digests) ends, or begins anew. An operation and the undos of it are a
chain in which each turns the effects of the operation off or on again; an undo names the operation at the chain's
beginning, whichever of the chain it was asked to take back.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

import apsw

from mcp_memory.domain.ids import IdSequence, id_number, id_text
from mcp_memory.domain.model import Operation, OperationId, Undoing
from mcp_memory.errors import Conflict, NotFound
from mcp_memory.language.dates.periods import format_moment
from mcp_memory.language.token_count import counted
from mcp_memory.sqlite.exchange import last_merge
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.postings import copy_dates, insert_words
from mcp_memory.sqlite.rows import ITEM_COLUMNS, OPERATION_COLUMNS, REVISION_FIELDS, fetch, item
from mcp_memory.sqlite.rows import operation as operation_of

TIMED = {
    "links": ("from_id", "to_id", "type"),
    "repeats": ("item_id", "source_id", "span_start", "span_end"),
    "confirmations": ("item_id", "times", "said_at"),
}
"""Tables whose rows have a transaction time and belong to an operation, with their key columns."""


@dataclass(frozen=True, slots=True)
class Change:
    """An item whose state changes; numbers of revisions."""

    item: int
    present: int
    target: int | None  # The state to restore; None for a tombstone
    live: bool  # Whether its present state is live
    becomes_live: bool
    says_the_same: bool  # Whether the target has the words of the present state


@dataclass(frozen=True, slots=True)
class Digest:
    """A topic whose digest changes; numbers of its rows, None where there is none."""

    name: str
    present: int | None
    target: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that turn an operation's effects off, or on again."""

    origin: Operation
    tip: Operation  # The last undo of the chain, or the operation itself
    changes: list[Change]
    digests: list[Digest]
    rows: dict[str, int]  # Rows of each TIMED table that end or begin anew

    @property
    def since(self) -> int:
        """The time after which operations may depend on the chain."""
        return self.tip.at if self.origin.undone else self.origin.at


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A later operation that depends on the chain."""

    operation: int
    reason: str


def last_operation(connection: apsw.Connection, *, client: str, session: str) -> OperationId:
    """Return the last active operation of the session, else of the client. Raises NotFound, and Conflict after a merge."""
    since = last_merge.last_merge_at(connection)
    for whose in ("o.client = :client AND o.session = :session AND o.session <> ''", "o.client = :client"):
        found = False
        for row in connection.execute(
            f"SELECT {OPERATION_COLUMNS} FROM operations AS o WHERE {whose} AND o.undoes IS NULL ORDER BY o.at DESC",
            {"client": client, "session": session},
        ):
            operation = operation_of(row)
            if operation.at <= since and "session" not in whose:
                raise _may_be_elsewhere(connection, since)
            found = True
            if not operation.undone:
                return operation.id
        if found:
            raise NotFound(
                "All that was done here is taken back already. Look up the operations with history, and name one."
            )
    raise NotFound(f"{client} has changed nothing yet. Look up the operations with history, and name one.")


def _may_be_elsewhere(connection: apsw.Connection, since: int) -> Conflict:
    copy, file = last_merge.copy_before(connection), quote(connection.db_filename("main"))
    whole = (
        f"; `mcp-memory restore {quote(str(copy))} --force --database {file}` takes all of that back" if copy else ""
    )
    return Conflict(
        f"What another file held was brought in (until {format_moment(since)} UTC), and nothing was done here since that "
        "could be taken back: what came before may have been done elsewhere. Look up the operations with history, and "
        f"name one{whole}."
    )


def plan(connection: apsw.Connection, number: int) -> Plan:
    """Plan an undo. Raises NotFound, and Conflict where it is undone, erased, empty, or later operations depend on it."""
    named = _operation(connection, number)
    origin = named if named.undoes is None else _operation(connection, id_number(named.undoes))
    tip = _tip(connection, origin)
    if named.undone:
        raise Conflict(f"{describe_operation(named)} is taken back already. To change that, undo #{tip.id}.")
    if origin.erased:
        raise Conflict(
            f"{describe_operation(origin)} took words out of the file for good, so it can't be taken back. "
            "Name an earlier operation to take that one back."
        )
    found = Plan(
        origin,
        tip,
        _changes(connection, origin, tip),
        list(_digests(connection, origin, tip)),
        {table: _count(connection, table, origin, tip) for table in TIMED},
    )
    if not found.changes and not found.digests and not any(found.rows.values()):
        raise Conflict(
            f"{describe_operation(origin)} left nothing that could be taken back: what it changed was erased since."
        )
    obstacles = sorted(
        {obstacle.operation: obstacle for obstacle in _obstacles(connection, found)}.values(),
        key=lambda obstacle: _operation(connection, obstacle.operation).at,
    )
    if obstacles:
        later = _operation(connection, obstacles[-1].operation)
        others = (
            f" {counted(len(obstacles) - 1, 'more operation depends', 'more operations depend')} on it."
            if len(obstacles) > 1
            else ""
        )
        raise Conflict(
            f"{describe_operation(named)} can't be taken back, because {obstacles[-1].reason} by {describe_operation(later)}. "
            f"Undo that first: operation #{later.id}.{others}"
        )
    return found


def described(connection: apsw.Connection, found: Plan) -> Undoing:
    """Describe the plan with its items."""
    numbers = [number for change in found.changes for number in (change.present, change.target) if number is not None]
    rows = fetch(
        connection,
        f"SELECT r.id, {ITEM_COLUMNS} FROM revisions AS r JOIN items AS i ON i.id = r.item_id "
        "WHERE r.id IN (SELECT value FROM json_each(?))",
        (json.dumps(numbers),),
    )
    states = {row[0]: item(row[1:]) for row in rows}
    return Undoing(
        found.origin,
        [
            (states[change.present], states[change.target] if change.target is not None else None)
            for change in found.changes
        ],
        found.rows["confirmations"],
        tuple(digest.name for digest in found.digests),
    )


def carry_out(connection: apsw.Connection, found: Plan, *, operation: int, at: int, ids: IdSequence) -> None:
    """Carry the plan out, as `operation` at transaction time `at`."""
    origin = id_number(found.origin.id)
    connection.execute(
        "UPDATE operations SET undoes = ?, takes_back = ? WHERE id = ?", (origin, not found.origin.undone, operation)
    )
    for change in found.changes:
        _change(connection, change, operation=operation, at=at, number=id_number(ids.next()))
    for table, columns in TIMED.items():
        said = ", ".join(columns)
        if found.origin.undone:
            connection.execute(
                f"INSERT INTO {table} ({said}, operation_id, from_time) "
                f"SELECT {said}, operation_id, ? FROM {table} WHERE operation_id = ? AND until_time = ?",
                (at, origin, found.tip.at),
            )
        else:
            connection.execute(
                f"UPDATE {table} SET until_time = ? WHERE operation_id = ? AND until_time IS NULL", (at, origin)
            )
    for digest in found.digests:
        connection.execute("UPDATE topics SET until_time = ? WHERE id = ?", (at, digest.present))
        number = id_number(ids.next())
        connection.execute(
            "INSERT INTO topics (id, operation_id, name, scope, digest, from_time, restores) "
            "SELECT ?, ?, name, scope, digest, ?, coalesce(restores, id) FROM topics WHERE id = ?",
            (number, operation, at, digest.target),
        )
        connection.execute(
            "INSERT INTO topic_revisions (topic_id, revision_id) "
            "SELECT ?, revision_id FROM topic_revisions WHERE topic_id = ?",
            (number, digest.target),
        )


def describe_operation(operation: Operation) -> str:
    return f"{operation.verb} #{operation.id} ({format_moment(operation.at)} UTC, {operation.client})"


def _operation(connection: apsw.Connection, number: int) -> Operation:
    rows = fetch(connection, f"SELECT {OPERATION_COLUMNS} FROM operations AS o WHERE o.id = ?", (number,))
    if not rows:
        raise NotFound(f"There is no operation #{id_text(number)}. Look up the operations with history.")
    return operation_of(rows[0])


def _tip(connection: apsw.Connection, origin: Operation) -> Operation:
    """Return the first undo that has no undo itself, or the operation."""
    number: int | None = connection.execute(
        "SELECT id FROM operations WHERE undoes = :origin AND at > coalesce("
        "(SELECT max(at) FROM operations WHERE undoes = :origin AND takes_back <> :undone), 0) ORDER BY at, id LIMIT 1",
        {"origin": id_number(origin.id), "undone": origin.undone},
    ).get
    return origin if number is None else _operation(connection, number)


_CHANGES = """
    WITH touched AS (
        SELECT item_id, min(number) AS first, max(number) AS last FROM revisions WHERE operation_id = :origin
        GROUP BY item_id
    )
    SELECT t.item_id, p.id, g.id, p.status = 'live', g.status = 'live', g.normal_hash = p.normal_hash
    FROM touched AS t
    JOIN revisions AS p ON p.item_id = t.item_id AND p.until_time IS NULL
    LEFT JOIN revisions AS g ON g.item_id = t.item_id AND g.number = iif(:undone, t.last, t.first - 1)
    ORDER BY t.item_id
"""


def _changes(connection: apsw.Connection, origin: Operation, tip: Operation) -> list[Change]:
    rows = fetch(connection, _CHANGES, {"origin": id_number(origin.id), "undone": origin.undone})
    if origin.verb == "fold" and not origin.undone:
        # A pattern whose calls were erased is all that is left of them.
        parts = fetch(connection, "SELECT DISTINCT from_id FROM links WHERE operation_id = ?", (id_number(origin.id),))
        whole = {number for (number,) in parts}
        rows = [row for row in rows if row[2] is not None or row[0] in whole]
    return [Change(number, present, to, bool(a), bool(b), bool(same)) for number, present, to, a, b, same in rows]


def _digests(connection: apsw.Connection, origin: Operation, tip: Operation) -> Iterator[Digest]:
    for name, kept, present, before in fetch(
        connection,
        """
        SELECT k.name, k.id,
            (SELECT id FROM topics AS p WHERE p.name = k.name AND p.scope = k.scope AND p.until_time IS NULL),
            (SELECT id FROM topics AS b WHERE b.name = k.name AND b.scope = k.scope AND b.until_time = :at)
        FROM topics AS k WHERE k.operation_id = :origin
        """,
        {"origin": id_number(origin.id), "at": tip.at},
    ):
        yield Digest(name, present, kept if origin.undone else before)


def _count(connection: apsw.Connection, table: str, origin: Operation, tip: Operation) -> int:
    total = "sum(times)" if table == "confirmations" else "count(*)"
    number: int | None = connection.execute(
        f"SELECT {total} FROM {table} WHERE operation_id = ? AND until_time IS ?",
        (id_number(origin.id), tip.at if origin.undone else None),
    ).get
    return number or 0


def _obstacles(connection: apsw.Connection, found: Plan) -> Iterator[Obstacle]:
    yield from _moved_on(connection, found)
    yield from _newer_digests(connection, found)
    yield from _gone(connection, found)
    yield from _said_again(connection, found)
    yield from _replaced_too(connection, found)
    yield from _remembered_anew(connection, found)


def _moved_on(connection: apsw.Connection, found: Plan) -> Iterator[Obstacle]:
    """Find items that are no longer in the state that the chain left them in."""
    for number, operation in fetch(
        connection,
        """
        SELECT p.item_id, (SELECT operation_id FROM revisions WHERE id = coalesce(p.restores, p.id))
        FROM json_each(:present) AS j JOIN revisions AS p ON p.id = j.value
        WHERE coalesce(p.restores, p.id) IS NOT (
            SELECT coalesce(e.restores, e.id) FROM revisions AS e
            WHERE e.item_id = p.item_id AND e.operation_id = :tip ORDER BY e.number DESC LIMIT 1
        )
        """,
        {"present": json.dumps([change.present for change in found.changes]), "tip": id_number(found.tip.id)},
    ):
        yield Obstacle(operation, f"#{id_text(number)} was changed later")


def _newer_digests(connection: apsw.Connection, found: Plan) -> Iterator[Obstacle]:
    """Find topics that have another digest than the one that the chain left them."""
    for name, operation in fetch(
        connection,
        """
        SELECT p.name, (SELECT operation_id FROM topics WHERE id = coalesce(p.restores, p.id))
        FROM json_each(:present) AS j JOIN topics AS p ON p.id = j.value
        WHERE coalesce(p.restores, p.id) NOT IN (
            SELECT coalesce(e.restores, e.id) FROM topics AS e WHERE e.operation_id = :tip
        )
        """,
        {"present": json.dumps([d.present for d in found.digests]), "tip": id_number(found.tip.id)},
    ):
        yield Obstacle(operation, f"the digest of {name} was written anew")


def _gone(connection: apsw.Connection, found: Plan) -> Iterator[Obstacle]:
    """Find items that the operation repeated, and that were forgotten or taken back since."""
    for number, operation in fetch(
        connection,
        """
        SELECT p.item_id, (SELECT operation_id FROM revisions WHERE id = coalesce(p.restores, p.id))
        FROM confirmations AS c JOIN revisions AS p ON p.item_id = c.item_id AND p.until_time IS NULL
        WHERE c.operation_id = :origin AND c.until_time IS :until AND p.status = 'forgotten'
        AND p.item_id NOT IN (SELECT value FROM json_each(:changed))
        """,
        {
            "origin": id_number(found.origin.id),
            "until": found.tip.at if found.origin.undone else None,
            "changed": json.dumps([change.item for change in found.changes]),
        },
    ):
        yield Obstacle(operation, f"#{id_text(number)} was taken away later")


def _said_again(connection: apsw.Connection, found: Plan) -> Iterator[Obstacle]:
    """Find items that were repeated since, and would no longer be there in those words."""
    losing = [
        change.item for change in found.changes if change.live and not (change.becomes_live and change.says_the_same)
    ]
    for number, operation in fetch(
        connection,
        "SELECT item_id, operation_id FROM confirmations WHERE item_id IN (SELECT value FROM json_each(?)) "
        "AND until_time IS NULL AND operation_id <> ? AND said_at > ?",
        (json.dumps(losing), id_number(found.origin.id), found.since),
    ):
        yield Obstacle(operation, f"#{id_text(number)} was said again")


def _replaced_too(connection: apsw.Connection, found: Plan) -> Iterator[Obstacle]:
    """Find items that would come back although something else has taken their place since."""
    for number, newer, operation in fetch(
        connection,
        "SELECT l.to_id, l.from_id, l.operation_id FROM links AS l JOIN operations AS o ON o.id = l.operation_id "
        "WHERE l.to_id IN (SELECT value FROM json_each(?)) AND l.type = 'replaces' AND l.until_time IS NULL "
        "AND o.id <> ? AND o.at > ?",
        (json.dumps(_returning(found)), id_number(found.origin.id), found.since),
    ):
        yield Obstacle(operation, f"#{id_text(number)} was replaced by #{id_text(newer)}")


def _remembered_anew(connection: apsw.Connection, found: Plan) -> Iterator[Obstacle]:
    """Find items that would come back although the same was stored anew since; turns of a conversation may repeat."""
    for number, other, operation in fetch(
        connection,
        """
        SELECT g.item_id, r.item_id, coalesce(b.operation_id, r.operation_id)
        FROM json_each(:targets) AS j
        JOIN revisions AS g ON g.id = j.value
        JOIN revisions AS r ON r.normal_hash = g.normal_hash AND r.scope = g.scope AND r.until_time IS NULL
        LEFT JOIN revisions AS b ON b.id = r.restores
        WHERE r.status = 'live' AND coalesce(b.from_time, r.from_time) > :since
        AND r.item_id NOT IN (SELECT value FROM json_each(:turned))
        AND (SELECT kind FROM sources WHERE id = (SELECT source_id FROM items WHERE id = g.item_id)) <> 'transcript'
        """,
        {
            "targets": json.dumps(
                [
                    change.target
                    for change in found.changes
                    if change.becomes_live and not (change.live and change.says_the_same)
                ]
            ),
            "turned": json.dumps([change.item for change in found.changes]),
            "since": found.since,
        },
    ):
        yield Obstacle(operation, f"what #{id_text(number)} says was remembered anew as #{id_text(other)}")


def _returning(found: Plan) -> Sequence[int]:
    return [change.item for change in found.changes if change.becomes_live and not change.live]


def _change(connection: apsw.Connection, change: Change, *, operation: int, at: int, number: int) -> None:
    """End an item's present state, and give it the target's again, or a tombstone."""
    connection.execute("UPDATE revisions SET until_time = ? WHERE id = ?", (at, change.present))
    fields = ", ".join(REVISION_FIELDS)
    hidden = change.target is None
    values = ", ".join("'forgotten'" if hidden and field == "status" else f"s.{field}" for field in REVISION_FIELDS)
    bound: dict[str, Any] = {"id": number, "operation": operation, "at": at, "present": change.present}
    connection.execute(
        f"INSERT INTO revisions (id, item_id, operation_id, number, from_time, restores, {fields}) "
        f"SELECT :id, s.item_id, :operation, p.number + 1, :at, {'NULL' if hidden else 'coalesce(s.restores, s.id)'}, "
        f"{values} FROM revisions AS s JOIN revisions AS p ON p.id = :present WHERE s.id = :said",
        bound | {"said": change.present if change.target is None else change.target},
    )
    if change.target is None or not change.becomes_live:
        return
    [(text, speaker)] = fetch(
        connection,
        "SELECT r.text, i.speaker FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE r.id = ?",
        (number,),
    )
    insert_words(connection, number, text, speaker)
    copy_dates(connection, change.target, number)
    vectors.copy(connection, change.target, number)
