"""Reading around damage: each row of a table that can still be reached by any way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from mcp_memory.sqlite.rows import fetch

INDEXES = frozenset("binary_vectors encoders last_merge revision_log text_dates uses vectors".split())
"""Tables derived from truth, besides those of topics, the full-text index and SQLite itself."""
EARLIER_INDEXES = frozenset("changes gathering signs told ungathered".split())  # Those of schema 8 and earlier

Key = tuple[Any, ...]
Sink = Callable[[Sequence[Any]], None]


@dataclass(frozen=True, slots=True)
class Read:
    saved: int
    lost: tuple[Key, ...]  # The keys of referenced rows that can't be read
    whole: bool  # Whether every row could be read


def is_index(table: str) -> bool:
    """Return whether a table is derived from truth."""
    return table in INDEXES | EARLIER_INDEXES or table.startswith(("cluster", "text_index", "sqlite_"))


def tables(connection: apsw.Connection) -> list[str]:
    """Return the ordinary tables of a file."""
    rows = fetch(connection, "SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
    return [name for name, kind in rows if kind == "table" and not name.startswith("sqlite_")]


def copy_table(damaged: apsw.Connection, target: apsw.Connection, table: str) -> Read:
    """Copy each readable row of a table, from both ends and by references; rows that `target` rejects are lost too."""
    both = {name for (name,) in fetch(target, "SELECT name FROM pragma_table_info(?)", (table,))}
    columns = [name for (name,) in fetch(damaged, "SELECT name FROM pragma_table_info(?)", (table,)) if name in both]
    if not columns:
        return Read(0, (), whole=False)
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    saved, blank = 0, list[Key]()

    def keep(row: Sequence[Any]) -> None:
        nonlocal saved
        if any(isinstance(value, str) and "\x00" in value for value in row):  # no memory has that character
            blank.append(tuple(row[:1]))
            return
        target.execute(insert, row)
        saved += target.changes()

    keys = _key_of(damaged, table)
    found, failed = _read(damaged, table, keys, columns, keep)
    missing = _named(damaged, table, keys) - found
    lost: list[Key] = []
    where = " AND ".join(f"{key} = ?" for key in keys)
    for key in sorted(missing):
        try:
            row = damaged.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", key).fetchone()
            if row is None:
                lost.append(key)
            else:
                keep(row)
        except apsw.Error:
            lost.append(key)
    return Read(saved, (*lost, *blank), whole=not (failed or lost or blank))


def _key_of(connection: apsw.Connection, table: str) -> list[str]:
    keys = fetch(connection, "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,))
    return [name for (name,) in keys] or ["rowid"]


def _read(
    connection: apsw.Connection, table: str, keys: Sequence[str], columns: Sequence[str], keep: Sink
) -> tuple[set[Key], bool]:
    """Read from either end; return the keys read, and whether anything could not be."""
    found: set[Key] = set()
    failed = False
    for order, beyond in (("", ">"), ("DESC", "<")):
        last: Key | None = None
        ordered = ", ".join(f"{key} {order}" for key in keys)
        row_key = ", ".join(keys)
        while True:
            where = f"WHERE ({row_key}) {beyond} ({', '.join('?' * len(keys))})" if last else ""
            tail = f"FROM {table} NOT INDEXED {where} ORDER BY {ordered}"
            try:
                for row in connection.execute(f"SELECT {row_key}, {', '.join(columns)} {tail}", last or ()):
                    key = row[: len(keys)]
                    if key in found:
                        return found, failed  # the two ends have met
                    keep(row[len(keys) :])
                    found.add(key)
                    last = key
                break
            except apsw.Error:
                failed = True
            try:  # the next key alone, where only what the row says is damaged
                last = connection.execute(f"SELECT {row_key} {tail} LIMIT 1", last or ()).fetchone()
            except apsw.Error:
                break
            if last is None:
                break
        if not failed:
            break
    return found, failed


def _named(connection: apsw.Connection, table: str, keys: Sequence[str]) -> set[Key]:
    """Return the keys that the table's indexes and references contain."""
    named: set[Key] = set()
    for query in (*_by_indexes(connection, table, keys), *_by_references(connection, table, keys)):
        for order in ("", " DESC"):
            try:
                for key in connection.execute(f"{query} ORDER BY 1{order}" if order else query):
                    named.add(key)
                break
            except apsw.Error:
                continue
    return {key for key in named if None not in key}


def _by_indexes(connection: apsw.Connection, table: str, keys: Sequence[str]) -> Iterator[str]:
    indexes = fetch(connection, "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?", (table,))
    for name, sql in indexes:
        _, where, condition = (sql or "").partition(" WHERE ")
        yield f"SELECT {', '.join(keys)} FROM {table} INDEXED BY {name}{where}{condition}"


def _by_references(connection: apsw.Connection, table: str, keys: Sequence[str]) -> Iterator[str]:
    if len(keys) != 1:
        return
    for child in tables(connection):
        columns = fetch(connection, 'SELECT "from" FROM pragma_foreign_key_list(?) WHERE "table" = ?', (child, table))
        for (column,) in columns:
            yield f"SELECT DISTINCT {column} FROM {child}"
