"""VectorCache: the binary vectors of all live states in memory, with what filters ask of each."""

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import apsw
import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Filter, Vector
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.vectors import Mask, Nearest, Numbers
from mcp_memory.sqlite.rows import fetch

LOADED_ROWS = 16_384  # Rows per read while everything is loaded
BLOCK = 32_768  # States per block of distances: a core's cache
MASKS = 4  # Cached filter masks: a session repeats its filters
SPARE = 1024  # Capacity for appended states before everything is copied
OPEN = np.iinfo(np.int64).max  # The end of a present state

_STATES = """
    SELECT r.id, r.from_time, r.until_time, coalesce(r.occurred_at, i.recorded_at), r.occurred_at IS NULL, r.pinned,
        r.scope, r.kind, r.tags, b.bits
    FROM revisions AS r CROSS JOIN items AS i ON i.id = r.item_id
    LEFT JOIN binary_vectors AS b ON b.encoder_id = ? AND b.revision_id = r.id
    WHERE r.status = 'live'
"""

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class States:
    """Columns of the live states, present and past, by ascending number."""

    numbers: Numbers
    began: NDArray[np.int64]
    ended: NDArray[np.int64]  # OPEN where present, 0 where erased
    happened: NDArray[np.int64]
    by_clock: Mask  # True where `happened` is the time of recording, in UTC
    pinned: Mask
    scopes: NDArray[np.int32]
    kinds: NDArray[np.int32]
    tags: NDArray[np.int32]
    has_vector: Mask
    bits: NDArray[np.uint64]  # Binary vectors, shape (words, states)

    def take(self, rows: Rows | Mask | slice) -> "States":
        """Return some rows; a slice shares their memory."""
        return States(*(getattr(self, field.name)[..., rows] for field in fields(self)))

    def put(self, rows: Rows | slice, fresh: "States") -> None:
        for field in fields(self):
            getattr(self, field.name)[..., rows] = getattr(fresh, field.name)

    def rows_of(self, numbers: Numbers) -> Rows:
        """Return the rows of ascending state numbers; missing ones are left out."""
        rows = np.searchsorted(self.numbers, numbers)
        inside = rows < len(self.numbers)
        rows, numbers = rows[inside], numbers[inside]
        return rows[self.numbers[rows] == numbers]

    def contains(self, numbers: Numbers) -> Mask:
        """Return which of these ascending numbers are states here."""
        return np.isin(numbers, self.numbers[self.rows_of(numbers)], assume_unique=True)

    def distances(self, bits: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """Return Hamming distances, shape (states,)."""
        total = np.zeros(len(self.numbers), np.uint16)
        for start in range(0, len(total), BLOCK):
            part = total[start : start + BLOCK]
            for row, word in zip(self.bits, bits, strict=True):
                part += np.bitwise_count(row[start : start + BLOCK] ^ word)
        return total


class VectorCache:
    """Caches the states of one file and follows changes of any process; a returned `States` keeps its length. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: dict[str, int] = {}
        self._names: list[str] = []
        self._buffer = self._columns([], 0)
        self._count = 0
        self._encoder: int | None = None
        self._change = 0
        self._loaded = False
        self._masks: dict[Filter, Mask] = {}

    def nearest(
        self, connection: apsw.Connection, query: Vector, *, encoder_id: int, where: Filter, limit: int
    ) -> Nearest:
        states, mask = self._states(connection, encoder_id, where)
        mask = mask & states.has_vector
        distances = states.distances(vectors.words([vectors.binary(query)], len(query))[:, 0])
        reached = np.cumsum(np.bincount(distances[mask], minlength=1))
        farthest = np.searchsorted(reached, min(limit, int(reached[-1])))
        rows = np.flatnonzero((distances <= farthest) & mask)
        rows = rows[np.argsort(distances[rows], kind="stable")[:limit]]
        return Nearest(states.numbers[rows], states.bits[:, rows])

    def admits(self, connection: apsw.Connection, numbers: Numbers, *, encoder_id: int | None, where: Filter) -> Mask:
        states, mask = self._states(connection, encoder_id, where)
        rows = np.minimum(np.searchsorted(states.numbers, numbers), len(mask) - 1)
        return mask[rows] & (states.numbers[rows] == numbers) if len(mask) else np.zeros(len(numbers), np.bool_)

    def _states(self, connection: apsw.Connection, encoder: int | None, where: Filter) -> tuple[States, Mask]:
        """Return all states as the connection sees them or later, and which of them the filter admits."""
        change: int = connection.execute("SELECT coalesce(max(number), 0) FROM revision_log").get
        with self._lock:
            if not self._loaded or self._encoder != encoder:
                self._load(connection, encoder)
                self._masks = {}
            elif change > self._change:
                self._catch_up(connection)
                self._masks = {}
            self._change = max(self._change, change)
            states = self._present()
            if where not in self._masks:
                self._masks = {**dict(list(self._masks.items())[1 - MASKS :]), where: self._mask(states, where)}
            return states, self._masks[where]

    def _mask(self, states: States, where: Filter) -> Mask:
        if where.as_of is None:
            mask = states.ended == OPEN
        else:
            mask = (states.began <= where.as_of) & (states.ended > where.as_of)
        if where.scopes:
            mask &= self._among(states.scopes, where.scopes)
        if where.kinds:
            mask &= self._among(states.kinds, where.kinds)
        if where.tags:
            wanted = set(where.tags)
            mask &= self._among(states.tags, [name for name in self._names if _tagged(name, wanted)])
        if where.pinned_only:
            mask &= states.pinned
        if where.since is not None or where.until is not None:
            happened = states.happened + where.zone_offset * states.by_clock
            if where.since is not None:
                mask &= happened >= where.since
            if where.until is not None:
                mask &= happened < where.until
        return mask

    def _among(self, codes: NDArray[np.int32], names: Iterable[str]) -> Mask:
        found = [self._codes[name] for name in names if name in self._codes]
        return codes == found[0] if len(found) == 1 else np.isin(codes, found)

    def _load(self, connection: apsw.Connection, encoder: int | None) -> None:
        width = _width(connection, encoder)
        count: int = connection.execute("SELECT count(*) FROM revisions").get
        self._buffer, self._count = _empty(self._columns([], width), count + SPARE), 0
        cursor = connection.execute(f"{_STATES} ORDER BY r.id", (encoder,))
        while rows := _take(cursor, LOADED_ROWS):
            self._append(self._columns(rows, width))
        self._encoder, self._loaded = encoder, True

    def _catch_up(self, connection: apsw.Connection) -> None:
        """Read changes, or everything where the log no longer reaches back."""
        oldest: int = connection.execute("SELECT min(number) FROM revision_log").get
        if oldest > self._change + 1:
            self._load(connection, self._encoder)
            return
        changed = fetch(
            connection, "SELECT DISTINCT revision_id FROM revision_log WHERE number > ? ORDER BY 1", (self._change,)
        )
        numbers = np.array(changed, np.int64).reshape(-1)
        found = fetch(
            connection,
            f"{_STATES} AND r.id IN (SELECT value FROM json_each(?)) ORDER BY r.id",
            (self._encoder, json.dumps(numbers.tolist())),
        )
        fresh = self._columns(found, _width(connection, self._encoder))
        known = self._present()
        known.ended[known.rows_of(numbers)] = 0  # what is not read again is gone
        again = known.contains(fresh.numbers)
        known.put(known.rows_of(fresh.numbers), fresh.take(again))
        self._append(fresh.take(~again))

    def _append(self, fresh: States) -> None:
        start, self._count = self._count, self._count + len(fresh.numbers)
        if self._count > len(self._buffer.numbers):
            self._move(slice(start), self._count + self._count // 16 + SPARE)
        self._buffer.put(slice(start, self._count), fresh)
        around = self._buffer.numbers[max(start - 1, 0) : self._count]
        if (around[1:] < around[:-1]).any():
            self._move(np.argsort(self._present().numbers), len(self._buffer.numbers))

    def _move(self, rows: Rows | slice, size: int) -> None:
        """Copy states in the given order into a new buffer: returned ones stay as they are."""
        moved = self._buffer.take(rows)
        self._buffer = _empty(self._buffer, size)
        self._buffer.put(slice(len(moved.numbers)), moved)

    def _present(self) -> States:
        return self._buffer.take(slice(self._count))

    def _columns(self, rows: Sequence[tuple[Any, ...]], dimensions: int) -> States:
        numbers, began, ended, happened, by_clock, pinned, scopes, kinds, tags, bits = (
            zip(*rows, strict=True) if rows else [()] * 10
        )
        return States(
            numbers=np.array(numbers, np.int64),
            began=np.array(began, np.int64),
            ended=np.array([OPEN if end is None else end for end in ended], np.int64),
            happened=np.array(happened, np.int64),
            by_clock=np.array(by_clock, np.bool_),
            pinned=np.array(pinned, np.bool_),
            scopes=self._coded(scopes),
            kinds=self._coded(kinds),
            tags=self._coded(tags),
            has_vector=np.array([blob is not None for blob in bits], np.bool_),
            bits=vectors.words(bits, dimensions),
        )

    def _coded(self, names: Sequence[str]) -> NDArray[np.int32]:
        for name in names:
            if name not in self._codes:
                self._codes[name] = len(self._names)
                self._names.append(name)
        return np.array([self._codes[name] for name in names], np.int32)


def _empty(like: States, count: int) -> States:
    """Allocate columns of the same types."""
    columns: list[NDArray[Any]] = [getattr(like, field.name) for field in fields(States)]
    empty = [np.zeros((*column.shape[:-1], count), column.dtype) for column in columns]
    return States(*cast("list[Any]", empty))


def _width(connection: apsw.Connection, encoder: int | None) -> int:
    width: int = connection.execute("SELECT dimensions FROM encoders WHERE id = ?", (encoder,)).get or 0
    return width


def _tagged(name: str, wanted: set[str]) -> bool:
    return name.startswith("[") and bool(wanted.intersection(json.loads(name)))


def _take(cursor: apsw.Cursor, count: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in cursor:
        rows.append(row)
        if len(rows) == count:
            break
    return rows
