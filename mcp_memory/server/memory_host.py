"""A memory that opens in a thread, so that a handshake need not wait for it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mcp_memory.domain.logs import log_fault
from mcp_memory.errors import MemoryProblem, Repaired, Replaced, Unusable

if TYPE_CHECKING:
    from mcp_memory.memory import Memory
    from mcp_memory.server.config import Config
    from mcp_memory.sqlite.index.vector_search import VectorSearch

log = logging.getLogger(__name__)
Given = TypeVar("Given")


class MemoryHost:
    """Opens the memory in a thread, and again at the next call after a failure. Thread-safe."""

    def __init__(self, open_memory: Callable[[], Memory]) -> None:
        self._open = open_memory
        self._memory: Memory | None = None
        self._closed = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start opening, so that the first call finds it done."""
        threading.Thread(target=self._try, name="open-memory", daemon=True).start()

    def memory(self) -> Memory:
        """Return the memory. Raises what is wrong with the file, and tries again at the next call; Unusable once closed."""
        with self._lock:
            if self._closed:
                raise Unusable("The server is about to end.")
            if self._memory is None:
                self._memory = self._open()
            return self._memory

    def ask(self, work: Callable[[Memory], Given]) -> Given:
        """Return what `work` makes of the memory; retried once where the file was replaced or repaired meanwhile."""
        memory = self.memory()
        try:
            return work(memory)
        except Replaced as problem:
            log.warning("%s", problem)
            self._let_go(memory)
        except Repaired as problem:
            log.warning("%s", problem)
        except Unusable:
            if self._memory is memory:  # else another call has let go of it
                raise
        return work(self.memory())

    def _let_go(self, memory: Memory) -> None:
        with self._lock:
            if self._memory is memory:
                self._memory = None
                memory.close()

    def close(self) -> None:
        """Close the memory where it is open, and refuse to open it again."""
        with self._lock:
            self._closed = True
            if self._memory is not None:
                self._memory.close()

    def _try(self) -> None:
        try:
            self.memory()
        except MemoryProblem as problem:
            log.error("%s", problem)
        except Exception as error:  # the thread's entry point: the next call tries again, and answers
            log_fault(log, "the memory could not be opened", error)


def open_memory(config: Config, *, search: Callable[[], VectorSearch] | None = None) -> Memory:
    """Open the memory of a configuration; without a `search` it caches all binary vectors. Raises Unusable and ReadOnly."""
    # A server answers its handshake before it has these: numpy, SQLite, platformdirs.
    from mcp_memory.memory import Memory
    from mcp_memory.server.config import is_own_directory
    from mcp_memory.sqlite.files.permissions import protect
    from mcp_memory.sqlite.index.vector_cache import VectorCache

    protect(config.database, own=is_own_directory(config.database.parent))
    memory = Memory.open(
        config.database,
        model=config.model,
        project=config.project,
        read_only=config.read_only,
        max_size=config.max_size,
        secrets=config.secrets,
        search=search or VectorCache,
    )
    if memory.file.encryption is None and os.environ.get("MCP_MEMORY_KEY"):
        log.warning("MCP_MEMORY_KEY is set, but %s is not encrypted; `mcp-memory encrypt` does that", config.database)
    return memory
