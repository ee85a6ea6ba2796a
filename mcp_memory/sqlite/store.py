"""SqliteStore: the ports of a store over one file."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import apsw

from mcp_memory.domain.ids import IdSequence
from mcp_memory.domain.model import (
    Caller,
    Candidate,
    Count,
    Embedding,
    Filter,
    Item,
    ItemId,
    Kind,
    Operation,
    OperationId,
    PendingEmbedding,
    Revision,
    Source,
    SourceId,
    Statement,
    StoredItem,
    StoredRevision,
    Topic,
    Undoing,
    Vector,
)
from mcp_memory.domain.planning import PlanningContext, PlanningRequest
from mcp_memory.domain.steps import Outcome, Step
from mcp_memory.domain.topic_index import Clusters, TopicChange, TopicWork
from mcp_memory.language.dates.periods import Period
from mcp_memory.sqlite import listing, quota
from mcp_memory.sqlite.database import SYNCHRONOUS, Database, Synchronous
from mcp_memory.sqlite.file import DatabaseFile
from mcp_memory.sqlite.history import known_before, lineage, undo
from mcp_memory.sqlite.index import query_terms, rebuild, search, topic_rows, topics, usage
from mcp_memory.sqlite.index import vectors as index_vectors
from mcp_memory.sqlite.index.vector_cache import VectorCache
from mcp_memory.sqlite.index.vector_search import VectorSearch, load_extension
from mcp_memory.sqlite.planning import PRESENT, Gathering
from mcp_memory.sqlite.recovery import repair
from mcp_memory.sqlite.rows import OPERATION_COLUMNS, fetch, number_of, states
from mcp_memory.sqlite.rows import items as items_of
from mcp_memory.sqlite.rows import operation as operation_of
from mcp_memory.sqlite.steps import Steps
from mcp_memory.store import Before

DROPPED = 2_000  # Vectors dropped per transaction: 5 MB, 0.1 s without writers


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
            path, read_only=read_only, prepare=_prepare, repair=repair.repair, synchronous=synchronous
        )
        self._max_size = max_size
        self._ids = IdSequence(clock)
        self._search = search()
        self._frequencies = query_terms.DocumentFrequencies()
        self.file = DatabaseFile(self._database, clock=clock, max_size=max_size)

    def close(self) -> None:
        self._database.close()

    # items

    @property
    def read_only(self) -> bool:
        """True if nothing can be changed, by request or by permissions."""
        return self._database.read_only

    def apply(self, operation: Operation, steps: Sequence[Step], *, encoder: str | None = None) -> list[Outcome]:
        with self._database.write() as connection:
            carrier = Steps(connection, operation, ids=self._ids, encoder=encoder)
            outcomes = [carrier.carry_out(step) for step in steps]
            carrier.finish()
            if self._max_size is not None:
                quota.require_room(connection, self._max_size, steps)
        if any(outcome.status == "erased" for outcome in outcomes):
            self._database.checkpoint()
        return outcomes

    def items(self, ids: Sequence[ItemId]) -> dict[ItemId, Item]:
        with self._database.read() as connection:
            numbers = json.dumps([number_of(identifier) for identifier in ids])
            rows = fetch(connection, f"{PRESENT} AND i.id IN (SELECT value FROM json_each(?))", (numbers,))
        return {item.id: item for item in items_of(rows)}

    def revisions(
        self, revision_ids: Sequence[int], *, as_of: int | None = None, encoder: str | None = None
    ) -> dict[int, StoredRevision]:
        with self._database.read() as connection:
            items = states(connection, revision_ids, as_of=as_of)
            dates = search.text_dates(connection, revision_ids)
            embeddings = index_vectors.embeddings(connection, revision_ids, encoder=encoder) if encoder else {}
        return {
            number: StoredRevision(item, dates.get(number, ()), embeddings.get(number))
            for number, item in items.items()
        }

    def listing(self, *, where: Filter, limit: int, offset: int = 0, in_periods: Sequence[Period] = ()) -> list[Item]:
        with self._database.read() as connection:
            return listing.listing(connection, where=where, limit=limit, offset=offset, in_periods=in_periods)

    def counts(self, *, where: Filter, by: Literal["scope", "tag"] = "scope") -> list[Count]:
        with self._database.read() as connection:
            return listing.counts(connection, where=where, by=by)

    def scan(self, *, scopes: Sequence[str] = (), kinds: Sequence[Kind] = ()) -> Iterator[StoredItem]:
        after = -1
        while True:
            with self._database.read() as connection:
                rows = listing.page(connection, after, scopes=scopes, kinds=kinds)
            if not rows:
                return
            after = rows[-1][0]
            yield from listing.scanned(rows)

    def replaced_by(self, ids: Sequence[ItemId], *, as_of: int | None = None) -> dict[ItemId, list[Item]]:
        with self._database.read() as connection:
            return lineage.replaced_by(connection, ids, as_of=as_of)

    def source(self, source_id: SourceId, *, as_of: int | None = None) -> Source:
        with self._database.read() as connection:
            return lineage.source(connection, source_id, as_of=as_of)

    # search

    def search_text(self, query: str, *, where: Filter, limit: int) -> list[Candidate]:
        with self._database.read() as connection:
            encoder = _serving(connection)
            admits = partial(self._search.admits, connection, encoder_id=encoder[0] if encoder else None, where=where)
            return search.search_text(connection, query, frequencies=self._frequencies, admits=admits, limit=limit)

    def search_vectors(self, query: Vector, *, encoder: str, where: Filter, limit: int) -> list[Candidate]:
        with self._database.read() as connection:
            number = _serving_as(connection, encoder)
            if number is None:
                return []

            def nearest(count: int) -> index_vectors.Nearest:
                return self._search.nearest(connection, query, encoder_id=number, where=where, limit=count)

            return search.search_vectors(connection, query, encoder_id=number, nearest=nearest, limit=limit)

    def bm25(self, query: str, items: Sequence[Item]) -> tuple[Vector, float]:
        with self._database.read() as connection:
            return search.bm25_scores(
                connection, query, [(item.text, item.speaker) for item in items], frequencies=self._frequencies
            )

    def idf(self, words: Sequence[str]) -> tuple[list[float], int]:
        with self._database.read() as connection:
            return search.idf(connection, words, frequencies=self._frequencies)

    def revisions_at(self, places: Iterable[tuple[SourceId, int]], *, where: Filter) -> dict[int, bool]:
        numbered = sorted((number_of(source), position) for source, position in places)
        if not numbered:
            return {}
        with self._database.read() as connection:
            return search.revisions_at(connection, numbered, where=where)

    # history

    def history(self, item_id: ItemId) -> list[Revision]:
        with self._database.read() as connection:
            return lineage.history(connection, item_id)

    def operations(self, *, limit: int, since: int = 0) -> list[Operation]:
        with self._database.read() as connection:
            rows = fetch(
                connection,
                f"SELECT {OPERATION_COLUMNS} FROM operations AS o WHERE o.at >= ? ORDER BY o.at DESC LIMIT ?",
                (since, limit),
            )
        return [operation_of(row) for row in rows]

    def undoing(self, operation: OperationId | Caller) -> Undoing:
        with self._database.read() as connection:
            if isinstance(operation, Caller):
                operation = undo.last_operation(connection, client=operation.client, session=operation.session)
            return undo.described(connection, undo.plan(connection, number_of(operation)))

    # planning

    def planning_context(self, request: PlanningRequest) -> PlanningContext:
        with self._database.read() as connection:
            encoder = _serving_as(connection, request.encoder) if request.encoder else None
            return Gathering(connection, request, self._search, self._frequencies, encoder).context()

    def known_before(self, statements: Sequence[Statement]) -> list[Before]:
        with self._database.read() as connection:
            return known_before.known_before(connection, statements)

    # topics

    def digests(self, *, as_of: int | None = None) -> list[Topic]:
        with self._database.read() as connection:
            return topic_rows.digests(connection, as_of=as_of)

    def topics(
        self,
        *,
        limit: int,
        scopes: Sequence[str] = (),
        name: str | None = None,
        terms: Sequence[str] = (),
        members: Sequence[ItemId] = (),
    ) -> list[Topic]:
        with self._database.read() as connection:
            return topic_rows.topics(connection, limit=limit, scopes=scopes, name=name, terms=terms, members=members)

    def topic_work(self, *, encoder: str | None, items: int, clusters: int) -> TopicWork:
        with self._database.read() as connection:
            return topics.work(connection, encoder=encoder, items=items, clusters=clusters)

    def clusters(self, scope: str, *, terms: Iterable[str]) -> Clusters:
        with self._database.read() as connection:
            return topics.clusters(connection, scope, terms=terms)

    def apply_topics(self, change: TopicChange) -> bool:
        with self._database.write() as connection:
            return topics.apply(connection, change)

    # embeddings

    def serving_encoder(self) -> str | None:
        with self._database.read() as connection:
            encoder = _serving(connection)
        return encoder[1] if encoder else None

    def register_encoder(
        self, identity: str, dimensions: int, *, role: Literal["candidate", "serving"] = "candidate"
    ) -> bool:
        serves = self.serving_encoder() == identity
        if self.read_only or (serves and role == "candidate"):
            return serves
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO encoders (identity, dimensions, serving) "
                "VALUES (?, ?, NOT EXISTS (SELECT 1 FROM encoders)) ON CONFLICT DO NOTHING",
                (identity, dimensions),
            )
            if role == "serving":
                connection.execute("UPDATE encoders SET serving = 0")
                connection.execute("UPDATE encoders SET serving = 1 WHERE identity = ?", (identity,))
            serves = connection.execute("SELECT serving FROM encoders WHERE identity = ?", (identity,)).get == 1
        left = role == "serving"
        while left:
            with self._database.write() as connection:
                left = index_vectors.drop_unserved(connection, limit=DROPPED)
        return serves

    def pending_embeddings(self, identity: str, *, limit: int) -> tuple[int, list[PendingEmbedding]]:
        with self._database.read() as connection:
            return index_vectors.pending(connection, identity, limit=limit)

    def add_embeddings(self, identity: str, embeddings: Mapping[int, Embedding]) -> None:
        with self._database.write() as connection:
            index_vectors.add_embeddings(connection, identity, embeddings)

    # maintenance

    def reindex(self, progress: Callable[[int, int], None], *, zone_offset: int) -> None:
        rebuild.reindex_words(self._database, progress, zone_offset=zone_offset)
        with self._database.write() as connection:
            rebuild.drop_damaged_vectors(connection)

    def uses(self, ids: Sequence[ItemId], *, before: int) -> dict[ItemId, int]:
        with self._database.read() as connection:
            return usage.uses(connection, ids, before=before)

    def add_uses(self, counts: Mapping[ItemId, int], *, day: int) -> None:
        with self._database.write() as connection:
            usage.add_uses(connection, counts, day=day)


def _prepare(connection: apsw.Connection) -> None:
    """Prepare a reading connection for searches."""
    load_extension(connection)
    query_terms.prepare(connection)


def _serving(connection: apsw.Connection) -> tuple[int, str] | None:
    rows = fetch(connection, "SELECT id, identity FROM encoders WHERE serving = 1")
    return (rows[0][0], rows[0][1]) if rows else None


def _serving_as(connection: apsw.Connection, identity: str) -> int | None:
    encoder = _serving(connection)
    return encoder[0] if encoder and encoder[1] == identity else None
