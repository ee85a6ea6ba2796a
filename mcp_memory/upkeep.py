"""Upkeep: what keeps the indexes, the topics and the tool histories of a store up to date, at once or in the background."""

import itertools
from collections.abc import Callable
from datetime import datetime

from mcp_memory import compose
from mcp_memory.catchup import encode_missing
from mcp_memory.domain import Caller, Operation
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.errors import Unusable
from mcp_memory.folding import Folded, Folder
from mcp_memory.gathering import Gatherer
from mcp_memory.remembering import Progress
from mcp_memory.store import Store
from mcp_memory.times import to_ms
from mcp_memory.toolcalls import DAY, Retention

ITSELF = "mcp-memory"
"""Who folds in the background: no client's undo takes it for its own."""


def no_progress(done: int, total: int) -> None:
    """Tells nobody."""


class Upkeep:
    """Looks after what is made from the truth. Thread-safe."""

    def __init__(
        self,
        store: Store,
        encoder: BackgroundEncoder,
        gatherer: Gatherer,
        folder: Folder,
        *,
        clock: Callable[[], datetime],
        retention: Retention,
        operation: Callable[[str, str, Caller], Operation],
    ) -> None:
        """`operation` makes one of its verb, its summary and who asks."""
        self._store = store
        self._encoder = encoder
        self._gatherer = gatherer
        self._folder = folder
        self._clock = clock
        self._retention = retention
        self._operation = operation
        self._folded_at = 0

    def loaded_encoder(self) -> Encoder:
        """The encoder when it is up. Raises what was wrong where it can't be loaded."""
        encoder = self._encoder.wait()
        if encoder is None:
            raise self._encoder.problem or Unusable("The encoder could not be loaded.")
        return encoder

    def reindex(self, progress: Progress) -> None:
        """Rebuild the indexes of words and of dates, make every vector while the old ones serve, then all topics."""
        self._store.reindex_words(no_progress, zone_offset=compose.zone_offset(self._clock()))
        encoder = self.loaded_encoder()
        self._store.register_encoder(encoder.identity, encoder.dimensions)
        encode_missing(self._store, encoder, progress=progress)
        self._store.serve_encoder(encoder.identity)
        self._store.topic_index.restart()
        self._gatherer.run(lambda: False)

    def make_vectors(self, progress: Progress) -> None:
        """Return when no vector is left to be made."""
        encoder = self.loaded_encoder()
        if not self._store.read_only and self._store.register_encoder(encoder.identity, encoder.dimensions):
            encode_missing(self._store, encoder, progress=progress)

    def gather(self, progress: Progress, *, patches: int | None) -> None:
        """Return when the topics are up to date, or after so many patches of work."""
        done = itertools.count(1)
        if not self._store.read_only:
            self._gatherer.run(lambda: patches is not None and next(done) >= patches, progress)

    def fold(self, retention: Retention | None, *, by: Caller) -> Folded:
        """Fold the tool calls that are due, and end what is past its retention."""
        return self._folder.fold(
            now=to_ms(self._clock()),
            retention=retention or self._retention,
            operation=lambda summary: self._operation("fold", summary, by),
        )

    def keep_up(self, stop: Callable[[], bool]) -> None:
        """What the background does when all is still, until `stop` says so: topics, and once a day tool histories."""
        self._gatherer.run(stop)
        now = to_ms(self._clock())
        if now - self._folded_at >= DAY and not stop():
            self._folded_at = now
            self.fold(None, by=Caller(client=ITSELF))
