"""Schema versions, migrations in one transaction, and integrity checks of a file of any version."""

from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any, TypeAlias

import apsw

from mcp_memory.errors import Unusable

APPLICATION_ID = 0x6D6D656D  # `mmem`, which marks a SQLite file as ours

Progress: TypeAlias = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    pass


def schema_version(connection: apsw.Connection) -> int:
    """Return the number of applied migrations."""
    version: int = connection.pragma("user_version")
    return version


def names() -> list[str]:
    """Return the names of the migrations, in order, as `0001_initial`."""
    files = resources.files("mcp_memory.sqlite").joinpath("migrations").iterdir()
    return sorted(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql"))


def migrations() -> list[str]:
    """Return the migrations' SQL, in order; the first makes an empty file a memory file."""
    folder = resources.files("mcp_memory.sqlite").joinpath("migrations")
    return [folder.joinpath(f"{name}.sql").read_text("utf-8") for name in names()]


def migrate(connection: apsw.Connection, *, before: Callable[[int], None], progress: Progress) -> None:
    """Migrate in one transaction; `before` may refuse by raising, `progress` counts statements. Raises Unusable if unsound."""
    scripts = migrations()
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(connection)  # another process may have been faster
        if 0 < version < len(scripts):
            before(version)
        counted = _counter(_statements(scripts, version), progress)
        for number, script in enumerate(scripts[version:], start=version + 1):
            connection.exec_trace = counted
            connection.execute(script).fetchall()
            connection.exec_trace = None
            connection.pragma("user_version", number)
        connection.pragma("application_id", APPLICATION_ID)
        if version:
            for problem in broken_references(connection):
                raise Unusable(f"The file was left at schema {version}, because after migrating {problem}.")
        connection.execute("COMMIT")
    except BaseException:
        connection.exec_trace = None
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def file_problems(connection: apsw.Connection) -> Iterator[str]:
    """Yield what SQLite finds wrong in a memory file of whatever schema."""
    yield from integrity_problems(connection)
    yield from broken_references(connection)


def integrity_problems(connection: apsw.Connection) -> Iterator[str]:
    """Yield the lines of SQLite's own check as they are found, since the check itself may fail."""
    # A query first: without one the check looks for what FTS5 last saw on this connection, and misses what was erased.
    connection.execute("SELECT rowid FROM text_index WHERE text_index MATCH 'a' LIMIT 1").fetchall()
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"SQLite: {line}"


def broken_references(connection: apsw.Connection) -> Iterator[str]:
    """Yield rows that refer to rows that are not there."""
    for table, rowid, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchall():
        row = "a row" if rowid is None else f"row {rowid}"
        yield f"{table}: {row} refers to a row of {parent} that is not there"


def _counter(total: int, progress: Progress) -> Callable[[apsw.Cursor, str, Any], bool]:
    done = 0

    def count(_: apsw.Cursor, __: str, ___: Any) -> bool:
        nonlocal done
        progress(done, total)
        done += 1
        return True

    return count


def _statements(scripts: list[str], version: int) -> int:
    """Count the statements of the migrations after a version, by running them on an empty database."""
    if not version:
        return 0
    empty, found = apsw.Connection(":memory:"), list[str]()
    try:
        empty.execute("".join(scripts[:version])).fetchall()
        empty.exec_trace = lambda cursor, sql, bindings: found.append(sql) is None
        empty.execute("".join(scripts[version:])).fetchall()
    finally:
        empty.close()
    return len(found)
