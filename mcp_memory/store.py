"""Store: the contract of keeping memories, whatever keeps them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

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
)
from mcp_memory.domain.size import Room
from mcp_memory.domain.stats import Stats
from mcp_memory.domain.steps import Neighbour, Outcome, Step
from mcp_memory.domain.topic_index import TopicIndex
from mcp_memory.language.dates.periods import Period

Before: TypeAlias = Literal["new", "known", "forgotten"]
"""What a file knows of a statement from before."""


class Store(Protocol):
    """Keeps truth (sources, items, links, revisions, operations, topics) and the indexes made from it. Thread-safe."""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed."""
        ...

    @property
    def encryption(self) -> str | None:
        """The cipher that what is kept is encrypted with; None where it is not."""
        ...

    @property
    def topic_index(self) -> TopicIndex:
        """How the items gather into topics."""
        ...

    def apply(self, operation: Operation, steps: Sequence[Step], *, encoder: str | None = None) -> list[Outcome]:
        """Carry out the steps in one transaction, and return what became of each, in the order given.

        What could have changed since the plan was made is checked again inside the transaction. `encoder` is the
        identity of what made the steps' vectors; they are kept only where it serves by then, else they are to follow.
        Raises NotFound for an id that is not there, Conflict for an item that has moved on, ReadOnly, Unusable;
        nothing is written then.
        """
        ...

    def room(self) -> Room:
        """How much is in use, and how much may be. Past its limit `apply` raises Unusable for what keeps more."""
        ...

    def search_text(self, query: str, *, where: Filter, limit: int) -> list[Candidate]:
        """States of items that hold a word of the query, those with the most and the rarest first."""
        ...

    def word_scores(self, query: str, items: Sequence[Item]) -> tuple[Vector, float]:
        """BM25 of states for a query (ranking.bm25), shape (len(items),), 0 where one holds no word of it; and what a
        state of average length that holds each word once would have."""
        ...

    def search_vectors(self, query: Vector, *, encoder: str, where: Filter, limit: int) -> list[Candidate]:
        """States of items nearest to a unit vector, by cosine, best first; every filter acts inside the search.

        Nothing where the vectors that serve are not those of `encoder`, which made the query's.
        """
        ...

    def nearest(self, vectors: Vector, *, encoder: str, where: Filter, limit: int) -> list[list[Neighbour]]:
        """For each row of `vectors`, made by `encoder`, the items nearest to it, by cosine, best first."""
        ...

    def repetitions(self, texts: Sequence[str], *, scope: str | None) -> dict[str, Item]:
        """For each text that a live item of the scope, of any where it is None, says word for word, that item."""
        ...

    def told_before(self, statements: Sequence[Statement]) -> list[Before]:
        """For each statement whether its words, or the document or conversation it is of, were told before in its scope.

        Whatever became of them since counts, but for what an undo took back; "forgotten" is what no present item says.
        """
        ...

    def told_from(self, origins: Sequence[str]) -> list[tuple[Source, list[Item]]]:
        """What was told from places of these names, no conversations, the latest first, with the live items of each.

        Left out are items that stand for something from elsewhere too. Of one name the latest twenty are read.
        """
        ...

    def items(self, ids: Sequence[ItemId]) -> dict[ItemId, Item]:
        """The present states of items, whatever their status; unknown ids are left out."""
        ...

    def erased(self, ids: Sequence[ItemId]) -> set[ItemId]:
        """Which of the ids are those of items that were erased."""
        ...

    def states(self, revision_ids: Sequence[int], *, as_of: int | None = None) -> dict[int, Item]:
        """The states that candidates name; one that was erased in the meantime is left out.

        What is counted of an item (how often it was said) is as it was at `as_of`, a transaction time.
        """
        ...

    def measured(self, revision_ids: Sequence[int], *, encoder: str) -> dict[int, Measured]:
        """What `encoder` made of states, where it serves and has measured them."""
        ...

    def states_at(self, places: Iterable[tuple[SourceId, int]], *, where: Filter) -> dict[int, bool]:
        """The states at places, each a source and a position there, with whether `where` holds for each.

        Left out is what the scopes and the moment of `where` hide.
        """
        ...

    def neighbours(self, ids: Sequence[ItemId], *, where: Filter) -> dict[ItemId, tuple[Item | None, Item | None]]:
        """The items right before and right after each in its source, as its scopes and `as_of` let them be seen."""
        ...

    def rarity(self, words: Sequence[str]) -> tuple[list[float], int]:
        """The inverse document frequency of each word (ranking.rarity), and how many states are indexed."""
        ...

    def present_vectors(self, ids: Sequence[ItemId], *, encoder: str) -> dict[ItemId, Vector]:
        """Unit vectors of the present states of items, where `encoder` serves and has made them."""
        ...

    def listing(self, *, where: Filter, limit: int, offset: int = 0) -> list[tuple[int, Item]]:
        """Live items with their revision ids, the latest first."""
        ...

    def dated(self, periods: Sequence[Period], *, where: Filter, limit: int) -> list[int]:
        """Revision ids of live items that happened in one of the periods, at face value, or whose words tell of a time
        in one, the latest first."""
        ...

    def count(self, *, where: Filter) -> int:
        """How many live items there are."""
        ...

    def scopes(self) -> list[str]:
        """The scopes that live items are in."""
        ...

    def expired(self, *, before: int, scopes: Sequence[str], kinds: Sequence[Kind]) -> list[Item]:
        """Items last said before a transaction time, the oldest first, whatever their status; empty means any."""
        ...

    def replaced_by(self, ids: Sequence[ItemId], *, as_of: int | None = None) -> dict[ItemId, list[Item]]:
        """For each item, what it replaced, the latest first, as it last said; at `as_of`, what it had replaced by then."""
        ...

    def source(self, source_id: SourceId, *, as_of: int | None = None) -> Source:
        """The source, with what is forgotten of it, or was at `as_of`, blanked out.

        Raises NotFound where nothing else is left of it.
        """
        ...

    def topics(self, *, as_of: int | None = None) -> list[Topic]:
        """The topics with a digest, the latest first; or those that had one at `as_of`, stale where they were."""
        ...

    def tags(self) -> list[tuple[str, str, int]]:
        """Each tag of live items in each scope, with how many carry it, the commonest first."""
        ...

    def history(self, item_id: ItemId) -> list[Revision]:
        """Every state of an item and the operation that made it, the first first. Raises NotFound."""
        ...

    def operations(self, *, limit: int, since: int | None = None) -> list[Operation]:
        """The operations, the latest first; `since` is a transaction time."""
        ...

    def last_operation(self, *, client: str, session: str) -> OperationId:
        """The last operation of a session that has not been taken back, and is no undo.

        Of its client where the session is empty or has changed nothing. Raises NotFound where there is none.
        """
        ...

    def undoing(self, operation_id: OperationId) -> Undoing:
        """What the step TakeBack would change. Raises NotFound, and Conflict with the reason why it can't be done."""
        ...

    def serving_encoder(self) -> str | None:
        """Identity of the encoder whose vectors answer; None before there is one."""
        ...

    def register_encoder(self, identity: str, dimensions: int) -> bool:
        """Make room for an encoder's vectors; it serves where none did. Whether it is the serving one now."""
        ...

    def serve_encoder(self, identity: str) -> None:
        """Let a registered encoder's vectors answer from now on, and drop those of all others."""
        ...

    def unmeasured(self, identity: str, *, limit: int) -> list[Unmeasured]:
        """States that encoder has not measured, those of the latest source first, in the order of their source."""
        ...

    def pending(self, identity: str) -> int:
        """How many states have no vector of that encoder."""
        ...

    def behind(self, identity: str) -> bool:
        """Whether any state has no vector of that encoder: what `pending` counts, without counting."""
        ...

    def add_measured(self, identity: str, measured: Mapping[int, Measured]) -> None:
        """Keep what an encoder made of states, by revision id; a state that is gone, or has one already, is passed over."""
        ...

    def told(self, revision_ids: Sequence[int]) -> dict[int, list[Period]]:
        """The stretches of time the states' own words name, resolved when they were kept; those that name none are left out."""
        ...

    def read_dates(self, *, zone_offset: int, limit: int) -> int:
        """Resolve the dates in states kept before that was done, at most `limit`; how many there were.

        `zone_offset` is how far the clock on the wall is ahead of UTC, in milliseconds.
        """
        ...

    def reindex_words(self, progress: Callable[[int, int], None], *, zone_offset: int) -> None:
        """Rebuild the indexes of words and of dates from truth, and let go of vectors that can't be used, beside others."""
        ...

    def compact(self, progress: Callable[[int, int], None], *, whole: bool = False) -> tuple[int, int]:
        """Give what is free in the file back to the disk, beside others; its bytes before and after.

        Raises Conflict for a large file of an early version, which nobody can write to meanwhile, without `whole`.
        """
        ...

    def backup(self, target: Path) -> None:
        """Copy the store as it is at one moment, while others write to it, and check the copy."""
        ...

    def verify(self) -> Iterator[str]:
        """Each thing that is wrong, in words; nothing where all is well."""
        ...

    def uses(self, ids: Sequence[ItemId], *, before: int) -> dict[ItemId, int]:
        """How often items were handed out before a day (in days since 1970); those that never were are left out."""
        ...

    def add_uses(self, counts: Mapping[ItemId, int], *, day: int) -> None:
        """Count that items were handed out on a day; one that is gone is passed over. Raises ReadOnly."""
        ...

    def duplicates(self) -> list[list[Item]]:
        """Live items that say the same word for word, whatever their scopes, the first first; no group of turns alone."""
        ...

    def stats(self) -> Stats:
        """How much there is."""
        ...

    def tool_calls(self, *, before: int) -> list[KeptCall]:
        """Items of the kind tool recorded before a time, and all patterns, the oldest first; those that are hidden in one too."""
        ...

    def patterns_of(self, ids: Sequence[ItemId]) -> dict[ItemId, list[ItemId]]:
        """The patterns among these items, and those that were derived from any of them, each with what it stands for.

        A pattern whose fold was taken back still has the words of its calls, and stands for none.
        """
        ...

    def close(self) -> None:
        """Give back what the operating system lent."""
        ...
