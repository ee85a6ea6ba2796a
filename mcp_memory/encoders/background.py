"""An encoder that loads in a thread."""

import logging
import threading
from collections.abc import Callable

from mcp_memory.domain.logs import log_fault
from mcp_memory.encoders import Encoder
from mcp_memory.errors import MemoryProblem

log = logging.getLogger(__name__)


class BackgroundEncoder:
    """Loads an encoder once, in a thread of its own. Thread-safe."""

    def __init__(self, load: Callable[[], Encoder]) -> None:
        """Start loading at once."""
        self._load = load
        self._encoder: Encoder | None = None
        self.problem: MemoryProblem | None = None
        """Why loading failed."""
        self._done = threading.Event()
        threading.Thread(target=self._run, name="load-encoder", daemon=True).start()

    def ready(self) -> Encoder | None:
        """Return the encoder where it is loaded, else None, without waiting."""
        return self._encoder

    def wait(self) -> Encoder | None:
        """Return the encoder once it is loaded; None where loading failed (see `problem`)."""
        self._done.wait()
        return self._encoder

    def _run(self) -> None:
        try:
            self._encoder = self._load()
        except MemoryProblem as problem:
            self.problem = problem
            log.error("the encoder could not be loaded: %s", problem)
        except Exception as error:  # the thread's entry point: service goes on with words alone
            self.problem = MemoryProblem(f"The encoder could not be loaded: {error}")
            log_fault(log, "the encoder could not be loaded", error)
        finally:
            self._done.set()
