"""When another file was last merged into this one: what was done before may have been done elsewhere."""

from pathlib import Path

import apsw

from mcp_memory.sqlite.files import backup_names


def record_merge(connection: apsw.Connection, *, at: int) -> None:
    """Record that operations came from another file at `at`, or at the latest of them where a clock there is ahead."""
    connection.execute(
        "INSERT OR REPLACE INTO last_merge (id, at) SELECT 1, max(?, coalesce(max(at), 0)) FROM operations", (at,)
    )


def last_merge_at(connection: apsw.Connection) -> int:
    """Return the time of the last merge in milliseconds since 1970; 0 where there was none."""
    at: int | None = connection.execute("SELECT at FROM last_merge").get
    return at or 0


def copy_before(connection: apsw.Connection) -> Path | None:
    """Return the copy that was made before the last merge, where it is still there."""
    return backup_names.latest_before(Path(connection.db_filename("main")), "merge")
