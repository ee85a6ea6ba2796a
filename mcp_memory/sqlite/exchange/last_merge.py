"""When another file was last brought into this one: what was done before may have been done elsewhere.

It stands in SQLite's own list of the highest numbers, under a name that no table has: it is of this file alone and no
truth, so that a merge gives the same truth whichever file went into which.
"""

from pathlib import Path

import apsw

from mcp_memory.sqlite.files import backup_names

_NAME = "brought in"


def note(connection: apsw.Connection, *, at: int) -> None:
    """Remember that operations came from another file just now; a clock there that is ahead counts."""
    latest: int = connection.execute("SELECT coalesce(max(at), 0) FROM operations").get
    write(connection, max(at, latest))


def write(connection: apsw.Connection, at: int) -> None:
    """Remember the moment as it is, in milliseconds since 1970; 0 for none."""
    connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (_NAME,))
    if at:
        connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (_NAME, at))


def last(connection: apsw.Connection) -> int:
    """The moment until when what was done may have been done elsewhere; 0 where nothing was brought in."""
    found: int | None = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = ?", (_NAME,)).get
    return found or 0


def copy_before(connection: apsw.Connection) -> Path | None:
    """The copy that was made before the last merge, where it is still there."""
    return backup_names.latest_before(Path(connection.db_filename("main")), "merge")
