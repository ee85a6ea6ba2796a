"""The truth of a file as records, and records as rows of a scratch database."""

from collections.abc import Iterable, Iterator

import apsw

from mcp_memory.exchange.importers.jsonl import Damage, ParsedRow
from mcp_memory.exchange.records import RECORDS, Record, to_record
from mcp_memory.sqlite.rows import fetch


def records(connection: apsw.Connection) -> Iterator[Record]:
    """Yield every record of truth, type by type and by its key: the same order for the same truth."""
    for type_, known in RECORDS.items():
        for row in connection.execute(
            f"SELECT {', '.join(known.fields)} FROM {known.table} ORDER BY {', '.join(known.key)}"
        ):
            yield to_record(type_, row)


def insert(connection: apsw.Connection, rows: Iterable[ParsedRow | Damage]) -> list[Damage]:
    """Insert rows into an empty file and return damaged lines; references are checked at the end (drop_dangling)."""
    connection.pragma("defer_foreign_keys", True)
    damaged: list[Damage] = []
    for found in rows:
        if isinstance(found, Damage):
            damaged.append(found)
            continue
        columns = ", ".join(found.row)
        try:
            connection.execute(
                f"INSERT INTO {RECORDS[found.type].table} ({columns}) VALUES (?{', ?' * (len(found.row) - 1)})",
                tuple(found.row.values()),
            )
        except apsw.ConstraintError as error:
            damaged.append(Damage(found.line, f"the {found.type} does not fit with the lines before it ({error})."))
    return damaged


def dangling(connection: apsw.Connection) -> list[tuple[str, int | None, str]]:
    """Return rows with a broken reference: their table, their row id where it has one, the other table."""
    return [(table, row, parent) for table, row, parent, _ in fetch(connection, "PRAGMA foreign_key_check")]


def drop_dangling(connection: apsw.Connection) -> int:
    """Delete rows with a broken reference, and items without a state or source; return how many."""
    before = connection.total_changes()
    while True:
        changes = connection.total_changes()
        for known in RECORDS.values():
            for column, parent in _references(connection, known.table):
                connection.execute(
                    f"DELETE FROM {known.table} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM {parent})"
                )
        connection.execute(
            "DELETE FROM items WHERE id NOT IN (SELECT item_id FROM revisions WHERE until_time IS NULL) "
            "OR id NOT IN (SELECT item_id FROM revisions WHERE number = 1)"
        )
        if connection.total_changes() == changes:
            return changes - before


def _references(connection: apsw.Connection, table: str) -> list[tuple[str, str]]:
    rows = fetch(connection, f'SELECT "from", "table" FROM pragma_foreign_key_list(\'{table}\')')
    return [(column, parent) for column, parent in rows]
