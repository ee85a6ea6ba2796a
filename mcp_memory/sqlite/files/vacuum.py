"""Compaction of the file, in steps so small that nobody waits for one."""

import time
from collections.abc import Callable

import apsw

from mcp_memory.errors import Conflict
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.rows import fetch

PAGES = 500  # Pages freed per step: 2 MB, some 20 ms without writers
PAUSE = 0.02  # Seconds between two steps; waiting writers retry every 1 to 100 ms
MERGED = 100  # Index pages merged per step
STEPS = 100_000  # An upper bound: merging ends where a step changes nothing
WHOLE = 32 * 1024 * 1024  # Bytes up to which an early file is rewritten at once: about half a second
INCREMENTAL = 2


def compact(database: Database, progress: Callable[[int, int], None], *, whole: bool) -> None:
    """Merge the full-text index and free pages in steps; an early file above WHOLE needs `whole`. Raises Conflict."""
    with database.index_writer() as connection:
        if connection.pragma("auto_vacuum") == INCREMENTAL:
            _merge(connection)
            _give_back(connection, progress)
        else:
            size = connection.pragma("page_count") * connection.pragma("page_size")
            if size > WHOLE and not whole:
                raise Conflict(
                    f"{database.path} was made by an early version and has to be rewritten once, {size // 2**20} MB, while "
                    "others cannot write. Run `mcp-memory compact --whole` when nobody is using it; after that it is done "
                    "in small steps."
                )
            _merge(connection)
            connection.pragma("auto_vacuum", "incremental")
            connection.execute("VACUUM")
    database.checkpoint()


def _merge(connection: apsw.Connection) -> None:
    """Merge the segments of the full-text index in steps."""
    pages = -MERGED  # at first all segments are to be merged, then what that left to be done
    for _ in range(STEPS):
        before = connection.total_changes()
        connection.execute("INSERT INTO text_index (text_index, rank) VALUES ('merge', ?)", (pages,))
        if connection.total_changes() - before < 2:
            return
        pages = MERGED
        time.sleep(PAUSE)


def _give_back(connection: apsw.Connection, progress: Callable[[int, int], None]) -> None:
    total: int = connection.pragma("freelist_count")
    left = total
    while left:
        fetch(connection, f"PRAGMA incremental_vacuum({PAGES})")
        fetch(connection, "PRAGMA wal_checkpoint(PASSIVE)")  # else the log grows by all that is moved
        before, left = left, connection.pragma("freelist_count")
        progress(max(total - left, 0), total)
        if left >= before:
            return
        time.sleep(PAUSE)
