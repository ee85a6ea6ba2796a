"""Store: the contract of keeping memories, cut into ports.

A store keeps the truth (sources, items, links, revisions, operations, handed-in digests) and the indexes made from it
(words, dates, vectors, topics, use counts). A second implementation can be written from this page; it passes
tests/test_store_contract.py. What only a file can do (backup, restore, encryption, recovery, merging two files, its size
and statistics) is no part of it: see sqlite/file.py. Whoever opened a store closes it.

Terms. A *state* is one revision of an item, named by its `revision_id`, a positive integer that is never used again; later
states have no order but their item's. An item's *present* state is its last one; an item is *live* where that has the
status live. Times are milliseconds since 1970 in UTC; *transaction time* is when the store learned something, *valid time*
when it was true: `occurred_at`, else the time of recording. A *face value* is that moment as a clock on the wall shows it:
`occurred_at` as it is given, a time of recording plus the zone offset.

Filters. `where` lets a state through if all of its conditions hold: the state is live, and is the present one, or with
`as_of` was the present one at that transaction time (recorded at or before it, and followed by the next one after it, if at
all); its scope, kind and at least one tag are among those named, where any are; its face value is at or after `since` and
before `until`; it is pinned, where `pinned_only`. A filter acts inside each search and before its limit.

Atomicity. Each method reads one moment and sees all of an operation or nothing of it. Any number of threads and processes
may use one store at a time. Every method raises Unusable where the store cannot be read, and a method that writes ReadOnly
where it may not; nothing is changed then.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

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

Before: TypeAlias = Literal["new", "known", "forgotten"]
"""What a store knows of a statement from before."""


class Items(Protocol):
    """Items, their states and their sources."""

    @property
    def read_only(self) -> bool:
        """True if nothing can be changed."""
        ...

    def apply(self, operation: Operation, steps: Sequence[Step], *, encoder: str | None = None) -> list[Outcome]:
        """Carry out the steps of an operation, all or none, and return what became of each, in the order given.

        The operation is recorded with them, its time moved past that of the last one, so that `as_of` tells any two apart.
        What may have changed since the plan was made is checked again: text to add that a live item of the scope has by
        then is confirmed instead; what was to be confirmed or replaced and is gone makes an addition. Words and dates of
        new states are indexed at once. Embeddings made by `encoder` are kept where it serves, and else left pending.
        Raises NotFound for an id that is not there, or that a statement names to be replaced and was erased; Conflict
        for an item that has moved on from the revision a step names, or an undo that something later depends on.
        """
        ...

    def items(self, ids: Sequence[ItemId]) -> dict[ItemId, Item]:
        """Return the present states of items, whatever their status; unknown and erased ids are left out."""
        ...

    def revisions(
        self, revision_ids: Sequence[int], *, as_of: int | None = None, encoder: str | None = None
    ) -> dict[int, StoredRevision]:
        """Return states by their ids, with the periods their texts name; one that was erased is left out.

        How often an item was said is counted as of `as_of`. With `encoder` each has its embedding, where that encoder
        serves and has made one.
        """
        ...

    def listing(self, *, where: Filter, limit: int, offset: int = 0, in_periods: Sequence[Period] = ()) -> list[Item]:
        """Return the states that a filter lets through, by face value and then by id, the latest first.

        With `in_periods` those whose face value is in one of the periods, or whose text names a period that overlaps one
        and is no longer than it or than a season (100 days).
        """
        ...

    def counts(self, *, where: Filter, by: Literal["scope", "tag"] = "scope") -> list[Count]:
        """Count what a filter lets through by scope, or by scope and tag; the most first, then by tag and scope."""
        ...

    def scan(self, *, scopes: Sequence[str] = (), kinds: Sequence[Kind] = ()) -> Iterator[StoredItem]:
        """Go through the present states of items, whatever their status, in the order of their ids, the oldest first.

        Empty `scopes` and `kinds` mean any. It is read in parts: what changes in between may or may not be seen.
        """
        ...

    def replaced_by(self, ids: Sequence[ItemId], *, as_of: int | None = None) -> dict[ItemId, list[Item]]:
        """Return what items replaced, directly and through others, and what is replaced still; at `as_of`, was by then.

        The directly replaced first, then the latest id first. Items that replaced nothing are left out.
        """
        ...

    def source(self, source_id: SourceId, *, as_of: int | None = None) -> Source:
        """Return a source with the passages of forgotten items blanked out, as they are now or were at `as_of`.

        Raises NotFound where there is none, or all of it was forgotten.
        """
        ...


class Search(Protocol):
    """Searches of states by words, by vectors and by place."""

    def search_text(self, query: str, *, where: Filter, limit: int) -> list[Candidate]:
        """Return states that share terms with a query, by the sum of the terms' inverse document frequencies, best first.

        Terms are content words, folded and stemmed, and characters and pairs of CJK text. Nothing in a query is an
        operator. Terms so common that they tell little may be left out once enough is found.
        """
        ...

    def search_vectors(self, query: Vector, *, encoder: str, where: Filter, limit: int) -> list[Candidate]:
        """Return the states nearest to a unit vector by cosine, best first; none where `encoder` does not serve."""
        ...

    def bm25(self, query: str, items: Sequence[Item]) -> tuple[Vector, float]:
        """Return the BM25 of each item's text for a query, shape (len(items),), 0 where it holds no term of it; and that
        of a text of average length that holds each term once. The statistics are those of all states, present and past."""
        ...

    def idf(self, words: Sequence[str]) -> tuple[list[float], int]:
        """Return the inverse document frequency of each word over all states (bm25.idf), and how many these are."""
        ...

    def revisions_at(self, places: Iterable[tuple[SourceId, int]], *, where: Filter) -> dict[int, bool]:
        """Return the states at places, each a source and a position there, and whether `where` lets each through.

        Left out is what the scopes and the `as_of` of `where` hide.
        """
        ...


class History(Protocol):
    """Operations, and how they can be undone."""

    def history(self, item_id: ItemId) -> list[Revision]:
        """Return every state of an item and the operation that made it, the first first; none of an erased item.

        Raises NotFound for an id that never was.
        """
        ...

    def operations(self, *, limit: int, since: int = 0) -> list[Operation]:
        """Return the operations from a transaction time on, the latest first."""
        ...

    def undoing(self, operation: OperationId | Caller) -> Undoing:
        """Return what the step TakeBack would change, of the operation named or of the last one of a caller.

        That is the last of its session that counts and is no undo, or of its client where the session is empty or has
        changed nothing. Raises NotFound where there is none; Conflict with the reason where it can't be done: a later
        operation depends on it, or it erased something.
        """
        ...


class Planning(Protocol):
    """Reads before new statements are recorded."""

    def planning_context(self, request: PlanningRequest) -> PlanningContext:
        """Gather, in one read, all that planning compares statements with.

        Neighbours are looked for where a statement is of words and names nothing that it replaces, in each of its scopes:
        the NEIGHBOURS nearest by vector where `encoder` serves, and as many that share its rarest terms. Of these up to
        TERMS are taken that stand in no more than TERM_STATES states together, one at least; none that no state holds, or
        more than TOO_COMMON (domain/planning.py).
        """
        ...

    def known_before(self, statements: Sequence[Statement]) -> list[Before]:
        """Return, for each statement, "new", "known" or "forgotten": whether its text was recorded in its scope before.

        A document or a conversation is known by its whole text. "forgotten" is what no item that is there still says.
        What an undo took back does not count.
        """
        ...


class Topics(Protocol):
    """Topics: the digests handed in, which are truth, and the clusters of items, an index that can be made anew."""

    def digests(self, *, as_of: int | None = None) -> list[Topic]:
        """Return the topics with a handed-in digest, the latest first; or those that had one at `as_of`.

        A digest is stale where an item it was made from has changed since.
        """
        ...

    def topics(
        self,
        *,
        limit: int,
        scopes: Sequence[str] = (),
        name: str | None = None,
        terms: Sequence[str] = (),
        members: Sequence[ItemId] = (),
    ) -> list[Topic]:
        """Return the clusters that are topics: named, with two members that carry a tag or three that resemble each other.

        Where they are given, of these scopes, of this name, with any of these terms and any of these members. Those that
        changed last come first; with terms those in which these weigh the most.
        """
        ...

    def topic_work(self, *, encoder: str | None, items: int, clusters: int) -> TopicWork:
        """Return the next work: dirty clusters that lost a member, else changed items, else other dirty clusters.

        At most so many items or clusters, of one scope, the longest waiting first, with vectors of `encoder`.
        """
        ...

    def clusters(self, scope: str, *, terms: Iterable[str]) -> Clusters:
        """Return all clusters of a scope, and which of them hold these terms."""
        ...

    def apply_topics(self, change: TopicChange) -> bool:
        """Carry out a change in one transaction; False, and nothing is done, where another was faster."""
        ...


class Embeddings(Protocol):
    """Encoders and the vectors they made. One encoder serves at a time: its vectors answer."""

    def serving_encoder(self) -> str | None:
        """Return the identity of the encoder that serves; None before there is one."""
        ...

    def register_encoder(
        self, identity: str, dimensions: int, *, role: Literal["candidate", "serving"] = "candidate"
    ) -> bool:
        """Make room for an encoder's vectors, and return whether it serves now.

        A candidate serves where none did. As serving, it serves from now on, and the vectors of all others are dropped.
        Where the store is read-only nothing is registered.
        """
        ...

    def pending_embeddings(self, identity: str, *, limit: int) -> tuple[int, list[PendingEmbedding]]:
        """Count the states, present and past, that lack an embedding of an encoder, and return the first `limit` of them.

        Those of the latest source come first, in the order of their source. With a limit of 0 it only counts.
        """
        ...

    def add_embeddings(self, identity: str, embeddings: Mapping[int, Embedding]) -> None:
        """Store embeddings by revision id; a state that is gone, or has one already, is passed over.

        Raises Conflict where the encoder is not registered any more, because another one serves by now.
        """
        ...


class Maintenance(Protocol):
    """Indexes made anew, and how often items are used."""

    def reindex(self, progress: Callable[[int, int], None], *, zone_offset: int) -> None:
        """Rebuild the indexes of words and of dates from the truth while others read and write, and drop broken vectors.

        Relative dates in a text are resolved by when it happened, else by when it was recorded on a clock that is
        `zone_offset` milliseconds ahead of UTC.
        """
        ...

    def uses(self, ids: Sequence[ItemId], *, before: int) -> dict[ItemId, int]:
        """Return how often items were handed out before a day, in days since 1970; those that never were are left out."""
        ...

    def add_uses(self, counts: Mapping[ItemId, int], *, day: int) -> None:
        """Count that items were handed out on a day; one that is gone is passed over."""
        ...


class Store(Items, Search, History, Planning, Topics, Embeddings, Maintenance, Protocol):
    """All ports of one store. Thread-safe."""
