"""Missing vectors, made in a thread, and topics brought up to date when all is still."""

import atexit
import logging
import threading
import time
from collections.abc import Callable

from mcp_memory.domain.logs import log_fault
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.encoders.embedding import embed
from mcp_memory.errors import MemoryProblem
from mcp_memory.recall.language_coverage import ADVICE, language_advice
from mcp_memory.store import Store

log = logging.getLogger(__name__)

BATCH = 64
"""Texts between two commits: about a quarter of a second of encoding, which is what a kill can lose."""
LINGER = 1.0
"""Seconds without a change before topics are brought up to date: what is said in one breath is gathered in one patch."""
LONGEST_LINGER = 15.0
"""Seconds after which changes that never cease wait no longer."""
ENDING = 30.0
"""Seconds that the end of the program waits for the batch in hand, or for an encoder that is still loading."""
LOOKED_UP = 32 * BATCH
"""Texts looked up at once: each look-up passes over all that have their vector."""


class Backfill:
    """Waits for the encoder, then makes missing vectors when asked to, and topics when all is still. Thread-safe."""

    def __init__(
        self,
        store: Store,
        encoder: BackgroundEncoder,
        gather: Callable[[Callable[[], bool]], None] = lambda stop: None,
        *,
        upgrade: Callable[[], bool] = lambda: False,
    ) -> None:
        """Start at once, with what an earlier process left unfinished.

        The end of the program waits for it though nobody closes it: a thread that is cut off inside the encoder's
        library would abort the process.

        `gather` brings the topics up to date, a patch after the other until what it is given says to stop; `upgrade` does
        a part of what a store of an earlier version lacks, and says whether more is left.
        """
        self._upgrade = upgrade
        self._store = store
        self._encoder = encoder
        self._gather = gather
        self._wanted = threading.Event()
        self._wanted.set()
        self._busy = True
        self._warned = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="backfill", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    @property
    def pending(self) -> bool:
        encoder = self._encoder.ready()
        return self._busy and encoder is not None and self._store.pending_embeddings(encoder.identity, limit=0)[0] > 0

    def run_now(self) -> None:
        self._busy = True
        self._wanted.set()

    def nudge(self) -> None:
        """Note that items changed, so that topics follow."""
        self._wanted.set()

    def close(self) -> None:
        """Stop after the current batch; an encoder that is still loading is waited for, as its threads can't be cut off."""
        self._closed = True
        self._wanted.set()
        self._thread.join()
        atexit.unregister(self._end)

    def _end(self) -> None:
        """Stop as `close` does at interpreter exit, which does not wait for the thread."""
        self._closed = True
        self._wanted.set()
        self._thread.join(ENDING)

    def _run(self) -> None:
        self._try(self._upgrade_all)
        encoder = self._encoder.wait()
        since: float | None = None  # when the topics began to be behind
        while not self._closed:
            stirred = self._wanted.wait(None if since is None else LINGER)
            self._wanted.clear()
            if stirred:
                since = since or time.monotonic()
                if encoder is not None and self._busy:
                    self._complete(encoder)
            if since is not None and (not stirred or time.monotonic() - since > LONGEST_LINGER):
                self._try(self._serve_topics)
                since = None

    def _complete(self, encoder: Encoder) -> None:
        if self._try(lambda: self._serve(encoder)):
            self._busy = self._wanted.is_set()
        if not self._warned:
            self._try(lambda: self._warn(encoder))

    def _try(self, work: Callable[[], None]) -> bool:
        """Return whether the work was done; the log says why it was not."""
        try:
            work()
            return True
        except MemoryProblem as problem:
            if not self._closed:
                log.warning("what recall searches could not be completed: %s", problem)
        except Exception as error:  # the thread's entry point: the words still find what has no vector
            if threading.main_thread().is_alive():  # else the program ends, and pools take nothing any more
                log_fault(log, "what recall searches could not be completed", error)
        return False

    def _upgrade_all(self) -> None:
        while not self._closed and not self._store.read_only and self._upgrade():
            pass

    def _warn(self, encoder: Encoder) -> None:
        """Warn once where the encoder does not know the languages of the items."""
        if not logging.getLogger(ADVICE).isEnabledFor(logging.WARNING):
            return
        advice = language_advice(self._store, encoder)
        if advice and not self._closed:
            logging.getLogger(ADVICE).warning("%s", advice)
            self._warned = True

    def _serve(self, encoder: Encoder) -> None:
        if self._closed or self._store.read_only:
            return
        if self._store.register_encoder(encoder.identity, encoder.dimensions):
            encode_missing(self._store, encoder, stop=lambda: self._closed)

    def _serve_topics(self) -> None:
        if not self._closed and not self._store.read_only:
            self._gather(lambda: self._closed or self._wanted.is_set())


def encode_missing(
    store: Store,
    encoder: Encoder,
    *,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Make every missing vector of `encoder`, one batch a transaction, until `stop` returns true."""
    total = done = 0
    while True:
        left, missing = store.pending_embeddings(encoder.identity, limit=LOOKED_UP)
        if not missing:
            return
        total = max(total, done + left)
        for start in range(0, len(missing), BATCH):
            if stop():
                return
            batch = missing[start : start + BATCH]
            made = zip((state.revision_id for state in batch), embed(encoder, batch), strict=True)
            store.add_embeddings(encoder.identity, dict(made))
            done += len(batch)
            progress(done, max(total, done))
