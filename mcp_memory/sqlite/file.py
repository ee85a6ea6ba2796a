"""DatabaseFile: what only a store in one file has: its size, its statistics, its copies and its repair."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mcp_memory.domain.size import Room
from mcp_memory.domain.stats import Stats
from mcp_memory.errors import MemoryProblem
from mcp_memory.sqlite import quota
from mcp_memory.sqlite import stats as sqlite_stats
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.files import vacuum
from mcp_memory.sqlite.index import postings, verify
from mcp_memory.sqlite.paths import size_of
from mcp_memory.sqlite.recovery import checks
from mcp_memory.sqlite.rows import fetch

log = logging.getLogger(__name__)

DATED = 500  # Texts dated per transaction: 0.1 s


class DatabaseFile:
    """The file of a SqliteStore. Thread-safe."""

    def __init__(self, database: Database, *, clock: Callable[[], int], max_size: int | None) -> None:
        self._database = database
        self._clock = clock
        self._max_size = max_size

    @property
    def is_limited(self) -> bool:
        return self._max_size is not None

    @property
    def encryption(self) -> str | None:
        """The cipher; None for a plain file."""
        return self._database.encryption

    def usage(self) -> Room:
        """Return how much of the file is in use, and how much may be."""
        with self._database.read() as connection:
            return quota.room(connection, self._max_size)

    def usage_notes(self) -> tuple[str, ...]:
        """Return a note where the file is nearly full; none where that can't be read, as nothing depends on it."""
        try:
            return self.usage().notes
        except MemoryProblem as problem:
            log.warning("how full the file is could not be read: %s", problem)
            return ()

    def stats(self) -> Stats:
        with self._database.read() as connection:
            serving = fetch(connection, "SELECT identity FROM encoders WHERE serving = 1")
            found = sqlite_stats.stats(
                connection, self._database.path, encoder=serving[0][0] if serving else None, now=self._clock()
            )
            used = quota.room(connection, self._max_size).used
        return replace(found, encryption=self.encryption, used=used, max_size=self._max_size)

    def verify(self) -> Iterator[str]:
        """Return each problem of the file in words: damage, broken references, indexes that differ from the truth."""
        with self._database.read() as connection:
            found = [*checks.problems(connection), *verify.differences(connection)]
        return iter(found)

    def backup(self, target: Path) -> None:
        """Write a checked snapshot to `target`. Raises Conflict where it exists, Unusable where it fails or is damaged."""
        checks.backup(self._database, target)

    def compact(
        self, progress: Callable[[int, int], None] = lambda done, total: None, *, whole: bool = False
    ) -> tuple[int, int]:
        """Compact the file; return its bytes before and after. Raises Conflict for a large early file without `whole`."""
        before = size_of(self._database.path)
        vacuum.compact(self._database, progress, whole=whole)
        return before, size_of(self._database.path)

    def index_dates(self, *, zone_offset: int) -> bool:
        """Index the dates of DATED texts that lack them; return whether more may be left."""
        with self._database.read() as connection:
            if not postings.lacks_dates(connection):
                return False
        with self._database.write() as connection:
            return postings.read_dates(connection, zone_offset=zone_offset, limit=DATED) == DATED

    def close(self) -> None:
        self._database.close()
