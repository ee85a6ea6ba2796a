"""SqliteStore: the Store contract over one file."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import apsw

from mcp_memory.domain.ids import IdSequence, id_text
from mcp_memory.domain.model import (
    Candidate,
    Filter,
    Item,
    ItemId,
    KeptCall,
    Kind,
    Measured,
    Operation,
    OperationId,
    Revision,
    Source,
    SourceId,
    Statement,
    Topic,
    Undoing,
    Unmeasured,
    Vector,
    normal_hash,
)
from mcp_memory.domain.size import Room
from mcp_memory.domain.stats import Stats
from mcp_memory.domain.steps import Neighbour, Outcome, Step
from mcp_memory.errors import NotFound
from mcp_memory.language.dates.periods import Period
from mcp_memory.sqlite import listing as sqlite_listing
from mcp_memory.sqlite import quota
from mcp_memory.sqlite import stats as sqlite_stats
from mcp_memory.sqlite.database import SYNCHRONOUS, Database, Synchronous
from mcp_memory.sqlite.files import vacuum
from mcp_memory.sqlite.history import known_before, lineage, undo
from mcp_memory.sqlite.history import tool_calls as history_tool_calls
from mcp_memory.sqlite.index import (
    query_terms,
    rebuild,
    search,
    topic_rows,
    usage,
)
from mcp_memory.sqlite.index import vectors as index_vectors
from mcp_memory.sqlite.index.topics import SqliteTopics
from mcp_memory.sqlite.index.vector_cache import VectorCache
from mcp_memory.sqlite.index.vector_search import VectorSearch, load_extension
from mcp_memory.sqlite.paths import size_of
from mcp_memory.sqlite.recovery import checks, repair
from mcp_memory.sqlite.rows import (
    ITEM_COLUMNS,
    OPERATION_COLUMNS,
    fetch,
    item_columns,
    number_of,
)
from mcp_memory.sqlite.rows import item as item_of
from mcp_memory.sqlite.rows import operation as operation_of
from mcp_memory.sqlite.steps import Steps
from mcp_memory.store import Before

DROPPED = 2_000
"""Vectors of another encoder that are dropped in one transaction: 5 MB, 0.1 s in which nobody else can write."""
STATES = "FROM revisions AS r JOIN items AS i ON i.id = r.item_id"


class SqliteStore:
    """Keeps memories in one SQLite file. See store.Store for what each method promises."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], int],
        read_only: bool = False,
        max_size: int | None = None,
        synchronous: Synchronous = SYNCHRONOUS,
        search: Callable[[], VectorSearch] = VectorCache,
    ) -> None:
        """Open the file. Raises Unusable and ReadOnly as Database does.

        `clock` gives milliseconds since 1970; `max_size` is in bytes, None for no limit. `search` is VectorScan for a
        process that lives for one answer.
        """
        self._database = Database(
            path, read_only=read_only, prepare=_prepare, mend=repair.mend, synchronous=synchronous
        )
        self._clock = clock
        self._max_size = max_size
        self._ids = IdSequence(clock)
        self._search = search()
        self._frequencies = query_terms.DocumentFrequencies()
        self._topics = SqliteTopics(self._database)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed: asked for, or the file or its directory may not be written."""
        return self._database.read_only

    @property
    def encryption(self) -> str | None:
        """What the file is encrypted with, None where it is not."""
        return self._database.encryption

    @property
    def topic_index(self) -> SqliteTopics:
        """How the items gather into topics."""
        return self._topics

    def apply(self, operation: Operation, steps: Sequence[Step], *, encoder: str | None = None) -> list[Outcome]:
        with self._database.write() as connection:
            carrier = Steps(connection, operation, ids=self._ids, encoder=encoder)
            outcomes = [carrier.carry_out(step) for step in steps]
            carrier.finish()
            quota.require_room(connection, self._max_size, steps)
        if any(outcome.status == "erased" for outcome in outcomes):
            self._database.checkpoint()
        return outcomes

    def room(self) -> Room:
        with self._database.read() as connection:
            return quota.room(connection, self._max_size)

    def search_text(self, query: str, *, where: Filter, limit: int) -> list[Candidate]:
        with self._database.read() as connection:
            encoder = _serving(connection)
            admits = partial(self._search.admits, connection, encoder_id=encoder[0] if encoder else None, where=where)
            return search.search_text(connection, query, frequencies=self._frequencies, admits=admits, limit=limit)

    def search_vectors(self, query: Vector, *, encoder: str, where: Filter, limit: int) -> list[Candidate]:
        with self._database.read() as connection:
            return self._nearest(connection, query, encoder=encoder, where=where, limit=limit)

    def word_scores(self, query: str, items: Sequence[Item]) -> tuple[Vector, float]:
        with self._database.read() as connection:
            return search.word_scores(
                connection, query, [(item.text, item.speaker) for item in items], frequencies=self._frequencies
            )

    def nearest(self, vectors: Vector, *, encoder: str, where: Filter, limit: int) -> list[list[Neighbour]]:
        with self._database.read() as connection:
            found = [self._nearest(connection, vector, encoder=encoder, where=where, limit=limit) for vector in vectors]
            states = _states(connection, [c.revision_id for candidates in found for c in candidates])
        return [[Neighbour(states[c.revision_id], c.score) for c in candidates] for candidates in found]

    def _nearest(
        self, connection: apsw.Connection, query: Vector, *, encoder: str, where: Filter, limit: int
    ) -> list[Candidate]:
        number = _serving_as(connection, encoder)
        if number is None:
            return []

        def nearest(count: int) -> index_vectors.Nearest:
            return self._search.nearest(connection, query, encoder_id=number, where=where, limit=count)

        return search.search_vectors(connection, query, encoder_id=number, nearest=nearest, limit=limit)

    def repetitions(self, texts: Sequence[str], *, scope: str | None) -> dict[str, Item]:
        digests = {text: normal_hash(text).hex() for text in texts}
        with self._database.read() as connection:
            rows = fetch(
                connection,
                f"SELECT lower(hex(r.normal_hash)), {ITEM_COLUMNS} {STATES} "
                "WHERE r.normal_hash IN (SELECT unhex(value) FROM json_each(?)) AND r.scope = ifnull(?, r.scope) "
                "AND r.until_time IS NULL AND r.status = 'live' ORDER BY i.id DESC",
                (json.dumps(list(digests.values())), scope),
            )
        found = {row[0]: item_of(row[1:]) for row in rows}
        return {text: found[digest] for text, digest in digests.items() if digest in found}

    def told_before(self, statements: Sequence[Statement]) -> list[Before]:
        with self._database.read() as connection:
            return known_before.told_before(connection, statements)

    def told_from(self, origins: Sequence[str]) -> list[tuple[Source, list[Item]]]:
        with self._database.read() as connection:
            return known_before.told_from(connection, origins)

    def items(self, ids: Sequence[ItemId]) -> dict[ItemId, Item]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                f"SELECT {ITEM_COLUMNS} {STATES} "
                "WHERE i.id IN (SELECT value FROM json_each(?)) AND r.until_time IS NULL",
                (_numbers(ids),),
            )
        found = [item_of(row) for row in rows]
        return {item.id: item for item in found}

    def erased(self, ids: Sequence[ItemId]) -> set[ItemId]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                "SELECT item_id FROM erased WHERE item_id IN (SELECT value FROM json_each(?))",
                (_numbers(ids),),
            )
        return {ItemId(id_text(number)) for (number,) in rows}

    def states(self, revision_ids: Sequence[int], *, as_of: int | None = None) -> dict[int, Item]:
        with self._database.read() as connection:
            return _states(connection, revision_ids, as_of=as_of)

    def measured(self, revision_ids: Sequence[int], *, encoder: str) -> dict[int, Measured]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                "SELECT revision_id, codes, late, pieces FROM vectors "
                "WHERE encoder_id = (SELECT id FROM encoders WHERE serving = 1 AND identity = ?) "
                "AND revision_id IN (SELECT value FROM json_each(?))",
                (encoder, json.dumps(list(revision_ids))),
            )
        own = index_vectors.decode([row[1] for row in rows])
        late = index_vectors.decode([row[2] or row[1] for row in rows])
        return {
            row[0]: Measured(own[number], late[number] if row[2] else None, row[3]) for number, row in enumerate(rows)
        }

    def states_at(self, places: Iterable[tuple[SourceId, int]], *, where: Filter) -> dict[int, bool]:
        numbered = sorted((number_of(source), position) for source, position in places)
        with self._database.read() as connection:
            return search.states_at(connection, numbered, where=where) if numbered else {}

    def neighbours(self, ids: Sequence[ItemId], *, where: Filter) -> dict[ItemId, tuple[Item | None, Item | None]]:
        with self._database.read() as connection:
            found = search.neighbours(connection, [number_of(identifier) for identifier in ids], where=where)
        return {
            ItemId(id_text(number)): (item_of(before) if before else None, item_of(after) if after else None)
            for number, (before, after) in found.items()
        }

    def rarity(self, words: Sequence[str]) -> tuple[list[float], int]:
        with self._database.read() as connection:
            return search.rarity(connection, words, frequencies=self._frequencies)

    def present_vectors(self, ids: Sequence[ItemId], *, encoder: str) -> dict[ItemId, Vector]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                "SELECT r.item_id, v.codes FROM revisions AS r JOIN vectors AS v ON v.revision_id = r.id "
                "WHERE v.encoder_id = (SELECT id FROM encoders WHERE serving = 1 AND identity = ?) "
                "AND r.until_time IS NULL AND r.item_id IN (SELECT value FROM json_each(?))",
                (encoder, _numbers(ids)),
            )
        decoded = index_vectors.decode([row[1] for row in rows])
        return {ItemId(id_text(row[0])): decoded[number] for number, row in enumerate(rows)}

    def listing(self, *, where: Filter, limit: int, offset: int = 0) -> list[tuple[int, Item]]:
        with self._database.read() as connection:
            return sqlite_listing.listing(connection, where=where, limit=limit, offset=offset)

    def dated(self, periods: Sequence[Period], *, where: Filter, limit: int) -> list[int]:
        with self._database.read() as connection:
            return search.dated(connection, periods, where=where, limit=limit)

    def count(self, *, where: Filter) -> int:
        with self._database.read() as connection:
            return sqlite_listing.count(connection, where=where)

    def scopes(self) -> list[str]:
        with self._database.read() as connection:
            return [name for (name,) in fetch(connection, _SCOPES)]

    def expired(self, *, before: int, scopes: Sequence[str], kinds: Sequence[Kind]) -> list[Item]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                f"SELECT {ITEM_COLUMNS} {STATES} WHERE r.until_time IS NULL AND i.recorded_at < :before "
                "AND (:scopes = '[]' OR r.scope IN (SELECT value FROM json_each(:scopes))) "
                "AND (:kinds = '[]' OR r.kind IN (SELECT value FROM json_each(:kinds))) ORDER BY i.id",
                {"before": before, "scopes": json.dumps(scopes), "kinds": json.dumps(kinds)},
            )
        return [item for item in map(item_of, rows) if item.last_seen_at < before]

    def replaced_by(self, ids: Sequence[ItemId], *, as_of: int | None = None) -> dict[ItemId, list[Item]]:
        with self._database.read() as connection:
            return lineage.replaced_by(connection, ids, as_of=as_of)

    def source(self, source_id: SourceId, *, as_of: int | None = None) -> Source:
        with self._database.read() as connection:
            return lineage.source(connection, source_id, as_of=as_of)

    def topics(self, *, as_of: int | None = None) -> list[Topic]:
        with self._database.read() as connection:
            return topic_rows.kept(connection, as_of=as_of)

    def tags(self) -> list[tuple[str, str, int]]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                "SELECT t.value, r.scope, count(*) FROM revisions AS r, json_each(r.tags) AS t "
                "WHERE r.until_time IS NULL AND r.status = 'live' GROUP BY 1, 2 ORDER BY 3 DESC, 1",
            )
        return [(tag, scope, number) for tag, scope, number in rows]

    def history(self, item_id: ItemId) -> list[Revision]:
        with self._database.read() as connection:
            return lineage.history(connection, item_id)

    def operations(self, *, limit: int, since: int | None = None) -> list[Operation]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                f"SELECT {OPERATION_COLUMNS} FROM operations AS o WHERE o.at >= ? ORDER BY o.at DESC LIMIT ?",
                (since or 0, limit),
            )
        return [operation_of(row) for row in rows]

    def last_operation(self, *, client: str, session: str) -> OperationId:
        with self._database.read() as connection:
            return undo.last_operation(connection, client=client, session=session)

    def undoing(self, operation_id: OperationId) -> Undoing:
        with self._database.read() as connection:
            return undo.described(connection, undo.plan(connection, number_of(operation_id)))

    def serving_encoder(self) -> str | None:
        with self._database.read() as connection:
            encoder = _serving(connection)
        return encoder[1] if encoder else None

    def register_encoder(self, identity: str, dimensions: int) -> bool:
        serving = self.serving_encoder()
        if serving == identity or self.read_only:
            return serving == identity
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO encoders (identity, dimensions, serving) "
                "VALUES (?, ?, NOT EXISTS (SELECT 1 FROM encoders)) ON CONFLICT DO NOTHING",
                (identity, dimensions),
            )
            return connection.execute("SELECT serving FROM encoders WHERE identity = ?", (identity,)).get == 1

    def serve_encoder(self, identity: str) -> None:
        with self._database.write() as connection:
            if connection.execute("SELECT 1 FROM encoders WHERE identity = ?", (identity,)).get is None:
                raise NotFound(f"No vectors of the encoder {identity} are kept.")
            connection.execute("UPDATE encoders SET serving = 0")
            connection.execute("UPDATE encoders SET serving = 1 WHERE identity = ?", (identity,))
        left = True
        while left:
            with self._database.write() as connection:
                left = index_vectors.drop_unserved(connection, limit=DROPPED)

    def unmeasured(self, identity: str, *, limit: int) -> list[Unmeasured]:
        with self._database.read() as connection:
            return index_vectors.missing(connection, identity, limit=limit)

    def pending(self, identity: str) -> int:
        with self._database.read() as connection:
            return index_vectors.count_missing(connection, identity)

    def behind(self, identity: str) -> bool:
        with self._database.read() as connection:
            return not index_vectors.is_complete(connection, identity)

    def add_measured(self, identity: str, measured: Mapping[int, Measured]) -> None:
        with self._database.write() as connection:
            checks.add_measured(connection, identity, measured)

    def told(self, revision_ids: Sequence[int]) -> dict[int, list[Period]]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                "SELECT revision_id, periods FROM text_dates "
                "WHERE periods <> '[]' AND revision_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(revision_ids)),),
            )
        return {number: [Period(*period) for period in json.loads(periods)] for number, periods in rows}

    def read_dates(self, *, zone_offset: int, limit: int) -> int:
        with self._database.read() as connection:
            if not checks.lacks_dates(connection):
                return 0
        with self._database.write() as connection:
            return checks.read_dates(connection, zone_offset=zone_offset, limit=limit)

    def reindex_words(self, progress: Callable[[int, int], None], *, zone_offset: int) -> None:
        rebuild.reindex_words(self._database, progress, zone_offset=zone_offset)
        with self._database.write() as connection:
            rebuild.drop_wrong_vectors(connection)

    def compact(self, progress: Callable[[int, int], None], *, whole: bool = False) -> tuple[int, int]:
        before = size_of(self._database.path)
        vacuum.compact(self._database, progress, whole=whole)
        return before, size_of(self._database.path)

    def backup(self, target: Path) -> None:
        checks.backup(self._database, target)

    def verify(self) -> Iterator[str]:
        with self._database.read() as connection:
            found = [*checks.problems(connection), *checks.differences(connection)]
        return iter(found)

    def tool_calls(self, *, before: int) -> list[KeptCall]:
        with self._database.read() as connection:
            return history_tool_calls.tool_calls(connection, before=before)

    def patterns_of(self, ids: Sequence[ItemId]) -> dict[ItemId, list[ItemId]]:
        with self._database.read() as connection:
            return history_tool_calls.patterns_of(connection, ids)

    def uses(self, ids: Sequence[ItemId], *, before: int) -> dict[ItemId, int]:
        with self._database.read() as connection:
            return usage.uses(connection, ids, before=before)

    def add_uses(self, counts: Mapping[ItemId, int], *, day: int) -> None:
        with self._database.write() as connection:
            usage.add_uses(connection, counts, day=day)

    def duplicates(self) -> list[list[Item]]:
        with self._database.read() as connection:
            return sqlite_stats.duplicates(connection)

    def stats(self) -> Stats:
        with self._database.read() as connection:
            encoder = _serving(connection)
            found = sqlite_stats.stats(
                connection, self._database.path, encoder=encoder[1] if encoder else None, now=self._clock()
            )
            used = quota.room(connection, self._max_size).used
        return replace(found, encryption=self.encryption, used=used, max_size=self._max_size)

    def close(self) -> None:
        self._database.close()


def _prepare(connection: apsw.Connection) -> None:
    """Give a reading connection what the searches need."""
    load_extension(connection)
    query_terms.prepare(connection)


def _serving(connection: apsw.Connection) -> tuple[int, str] | None:
    rows = fetch(connection, "SELECT id, identity FROM encoders WHERE serving = 1")
    return (rows[0][0], rows[0][1]) if rows else None


def _serving_as(connection: apsw.Connection, identity: str) -> int | None:
    encoder = _serving(connection)
    return encoder[0] if encoder and encoder[1] == identity else None


_LIVE = "FROM revisions WHERE until_time IS NULL AND status = 'live'"
# One look-up in the index a scope: to read every state takes 100 ms among 100,000.
_SCOPES = f"""
    WITH RECURSIVE known(scope) AS (
        SELECT min(scope) {_LIVE}
        UNION ALL SELECT (SELECT min(scope) {_LIVE} AND scope > known.scope) FROM known WHERE known.scope IS NOT NULL
    )
    SELECT scope FROM known WHERE scope IS NOT NULL
"""


def _numbers(ids: Sequence[ItemId]) -> str:
    return json.dumps([number_of(identifier) for identifier in ids])


def _states(connection: apsw.Connection, revision_ids: Sequence[int], *, as_of: int | None = None) -> dict[int, Item]:
    rows = fetch(
        connection,
        f"SELECT r.id, {item_columns(as_of)} {STATES} WHERE r.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(revision_ids)),),
    )
    return {row[0]: item_of(row[1:]) for row in rows}
