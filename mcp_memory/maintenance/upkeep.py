"""Upkeep: what an operator does with a store, and what keeps its indexes, topics and tool histories up to date by itself."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mcp_memory.domain.model import Caller, Operation
from mcp_memory.domain.stats import Stats
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.errors import Unusable
from mcp_memory.language.dates.periods import DAY, to_ms, zone_offset
from mcp_memory.maintenance.audit import Audit, Auditor
from mcp_memory.maintenance.backfill import encode_missing
from mcp_memory.maintenance.tool_calls import Retention
from mcp_memory.maintenance.tool_retention import Folded, Folder
from mcp_memory.recall.language_coverage import language_advice
from mcp_memory.recall.pipeline import Recaller
from mcp_memory.remember.pipeline import Progress
from mcp_memory.store import Store
from mcp_memory.topics.indexer import Gatherer

ITSELF = "mcp-memory"
"""Who folds in the background: no client's undo takes it for its own."""


def no_progress(done: int, total: int) -> None:
    """Tells nobody."""


class Upkeep:
    """Looks after the file and what is made from the truth in it. Thread-safe."""

    def __init__(
        self,
        store: Store,
        encoder: BackgroundEncoder,
        recaller: Recaller,
        gatherer: Gatherer,
        folder: Folder,
        *,
        clock: Callable[[], datetime],
        caller: Caller,
        retention: Retention,
        operation: Callable[[str, str, Caller], Operation],
    ) -> None:
        """`operation` makes one of its verb, its summary and who asks; that is `caller` where nobody else is named."""
        self._store = store
        self._encoder = encoder
        self._recaller = recaller
        self._gatherer = gatherer
        self._folder = folder
        self._clock = clock
        self._caller = caller
        self._retention = retention
        self._operation = operation
        self._folded_at = 0

    def wait_for_encoder(self) -> None:
        """Return when the encoder is up. Raises what was wrong where it can't be loaded."""
        self._loaded_encoder()

    def stats(self) -> Stats:
        """How much there is; and, where the encoder is up, whether it knows the languages of it."""
        encoder = self._encoder.ready()
        return replace(self._store.stats(), advice=language_advice(self._store, encoder) if encoder else None)

    def audit(self, progress: Progress = no_progress) -> Audit:
        """What wants a person's eye, and whether recall finds the items that are there; changes nothing."""
        return Auditor(self._store, self._recaller).audit(now=self._clock(), progress=progress)

    def verify(self) -> Iterator[str]:
        """Each thing that is wrong in the file, in words."""
        return self._store.verify()

    def compact(self, progress: Progress = no_progress, *, whole: bool = False) -> tuple[int, int]:
        """Make the file as small as what it holds, while others use it; its bytes before and after.

        Raises Conflict for a large file of an early version without `whole`: nobody can write while that is rewritten.
        """
        return self._store.compact(progress, whole=whole)

    def backup(self, target: Path) -> None:
        """Write a checked copy of the file as it is now to `target`, while others write."""
        self._store.backup(target)

    def reindex(self, progress: Progress = no_progress) -> None:
        """Rebuild the indexes of words and of dates, make every vector with this encoder while the old ones go on serving,
        and then all topics.

        Where it is interrupted, the next one goes on with the vectors that are still missing.
        """
        self._store.reindex_words(no_progress, zone_offset=zone_offset(self._clock()))
        encoder = self._loaded_encoder()
        self._store.register_encoder(encoder.identity, encoder.dimensions)
        encode_missing(self._store, encoder, progress=progress)
        self._store.serve_encoder(encoder.identity)
        self._store.topic_index.restart()
        self._gatherer.run(lambda: False)

    def make_vectors(self, progress: Progress = no_progress) -> None:
        """Return when no vector is left to be made, which happens in the background otherwise."""
        encoder = self._loaded_encoder()
        if not self._store.read_only and self._store.register_encoder(encoder.identity, encoder.dimensions):
            encode_missing(self._store, encoder, progress=progress)

    def gather(self, progress: Progress = no_progress, *, patches: int | None = None) -> None:
        """Return when the topics are up to date with all that has changed, which happens in the background otherwise.

        With `patches` after so many patches of work at most, each a short transaction of its own.
        """
        done = itertools.count(1)
        if not self._store.read_only:
            self._gatherer.run(lambda: patches is not None and next(done) >= patches, progress)

    def fold(self, retention: Retention | None = None, *, by: Caller | None = None) -> Folded:
        """Let old tool calls of one shape become one pattern, in one operation, and end what is past its retention.

        It happens once a day in the background otherwise. What was hidden is found with `as_of`.
        """
        return self._folder.fold(
            now=to_ms(self._clock()),
            retention=retention or self._retention,
            operation=lambda summary: self._operation("fold", summary, by or self._caller),
        )

    def keep_up(self, stop: Callable[[], bool]) -> None:
        """What the background does when all is still, until `stop` says so: topics, and once a day tool histories."""
        self._gatherer.run(stop)
        now = to_ms(self._clock())
        if now - self._folded_at >= DAY and not stop():
            self._folded_at = now
            self.fold(by=Caller(client=ITSELF))

    def _loaded_encoder(self) -> Encoder:
        encoder = self._encoder.wait()
        if encoder is None:
            raise self._encoder.problem or Unusable("The encoder could not be loaded.")
        return encoder
