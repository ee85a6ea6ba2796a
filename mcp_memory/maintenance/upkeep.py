"""An operator's work on a store, and the upkeep of its indexes, topics and tool histories."""

import itertools
from collections.abc import Callable
from datetime import datetime

from mcp_memory.domain.model import Caller, Operation
from mcp_memory.domain.topic_index import Rebuild
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.errors import Unusable
from mcp_memory.language.dates.periods import DAY, to_ms, zone_offset
from mcp_memory.maintenance.audit import Audit, Auditor
from mcp_memory.maintenance.backfill import encode_missing
from mcp_memory.maintenance.tool_calls import Retention
from mcp_memory.maintenance.tool_retention import Folded, Folder
from mcp_memory.recall.language_coverage import language_advice
from mcp_memory.recall.search import Searcher
from mcp_memory.remember.recording import Progress, no_progress
from mcp_memory.store import Store
from mcp_memory.topics.indexer import TopicIndexer

ITSELF = "mcp-memory"
"""Who folds in the background: no client's undo takes it for its own."""


class Upkeep:
    """Maintains a store and what is derived from it. Thread-safe."""

    def __init__(
        self,
        store: Store,
        encoder: BackgroundEncoder,
        recaller: Searcher,
        topic_indexer: TopicIndexer,
        folder: Folder,
        *,
        clock: Callable[[], datetime],
        caller: Caller,
        retention: Retention,
        operation: Callable[[str, str, Caller], Operation],
    ) -> None:
        """`operation` makes one of its verb, its summary and caller; `caller` is the default."""
        self._store = store
        self._encoder = encoder
        self._recaller = recaller
        self._topic_indexer = topic_indexer
        self._folder = folder
        self._clock = clock
        self._caller = caller
        self._retention = retention
        self._operation = operation
        self._folded_at = 0

    def wait_for_encoder(self) -> None:
        """Return when the encoder is loaded. Raises the problem where loading failed."""
        self._loaded_encoder()

    def language_advice(self) -> str | None:
        """Say what to do where the encoder, if it is up, does not know the languages of what is remembered."""
        encoder = self._encoder.ready()
        return language_advice(self._store, encoder) if encoder else None

    def audit(self, progress: Progress = no_progress) -> Audit:
        """List what needs a person's eye, and test whether recall finds the items; changes nothing."""
        return Auditor(self._store, self._recaller).audit(now=self._clock(), progress=progress)

    def reindex(self, progress: Progress = no_progress) -> None:
        """Rebuild the indexes of words and of dates, re-encode everything while the old vectors go on serving, then rebuild all
        topics.

        An interrupted run is continued by the next one.
        """
        self._store.reindex(no_progress, zone_offset=zone_offset(self._clock()))
        encoder = self._loaded_encoder()
        self._store.register_encoder(encoder.identity, encoder.dimensions)
        encode_missing(self._store, encoder, progress=progress)
        self._store.register_encoder(encoder.identity, encoder.dimensions, role="serving")
        self._store.apply_topics(Rebuild())
        self._topic_indexer.run(lambda: False)

    def make_vectors(self, progress: Progress = no_progress) -> None:
        """Return when no vector is missing, which happens in the background otherwise."""
        encoder = self._loaded_encoder()
        if not self._store.read_only and self._store.register_encoder(encoder.identity, encoder.dimensions):
            encode_missing(self._store, encoder, progress=progress)

    def gather(self, progress: Progress = no_progress, *, patches: int | None = None) -> None:
        """Return when the topics are up to date, which happens in the background otherwise.

        With `patches`, stop after so many pieces of work, each a short transaction.
        """
        done = itertools.count(1)
        if not self._store.read_only:
            self._topic_indexer.run(lambda: patches is not None and next(done) >= patches, progress)

    def fold(self, retention: Retention | None = None, *, by: Caller | None = None) -> Folded:
        """Fold old tool calls of one shape into one pattern, in one operation, and erase expired ones.

        It happens once a day in the background otherwise. Hidden calls are found with `as_of`.
        """
        return self._folder.fold(
            now=to_ms(self._clock()),
            retention=retention or self._retention,
            operation=lambda summary: self._operation("fold", summary, by or self._caller),
        )

    def keep_up(self, stop: Callable[[], bool]) -> None:
        """Do the background work, until `stop` returns true: topics, and once a day tool histories."""
        self._topic_indexer.run(stop)
        now = to_ms(self._clock())
        if now - self._folded_at >= DAY and not stop():
            self._folded_at = now
            self.fold(by=Caller(client=ITSELF))

    def _loaded_encoder(self) -> Encoder:
        encoder = self._encoder.wait()
        if encoder is None:
            raise self._encoder.problem or Unusable("The encoder could not be loaded.")
        return encoder
