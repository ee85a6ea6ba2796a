"""UseCounts: how often recall handed out each item, gathered in memory and written afterwards, in batches."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable

from mcp_memory.domain.logs import log_fault
from mcp_memory.domain.model import ItemId
from mcp_memory.errors import MemoryProblem
from mcp_memory.store import Store

log = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two writes, at least: what a kill can lose."""


class UseCounts:
    """Counts uses without making an answer wait. What can't be written is lost, and nothing else is. Thread-safe."""

    def __init__(self, store: Store, *, interval: float = INTERVAL) -> None:
        self._store = store
        self._interval = interval
        self._lock = threading.Lock()
        self._gathered: dict[int, Counter[ItemId]] = {}
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, items: Iterable[ItemId], *, day: int) -> None:
        """Note that items were handed out on a day, in days since 1970; nothing where the file may only be read."""
        if self._store.read_only:
            return
        with self._lock:
            self._gathered.setdefault(day, Counter()).update(items)
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="use-counts", daemon=True)
                self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """Write what was gathered, and stop."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wanted.wait()
            self._closing.wait(self._interval)
            self._wanted.clear()
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            gathered, self._gathered = self._gathered, {}
        try:
            for day, counts in gathered.items():
                self._store.add_uses(counts, day=day)
        except MemoryProblem as problem:
            log.info("use counts were lost: %s", problem)
        except Exception as error:  # the thread's entry point: counts may be lost, and nothing waits for them
            log_fault(log, "use counts were lost", error)
