"""The contract of the topic index, which clusters items and can be rebuilt from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcp_memory.domain.model import (
    Item,
    ItemId,
    Topic,
    Vector,
)
from mcp_memory.language.tokenization import Span

MEMBERS = 256
"""Members that a topic is described by, the latest: more change no keyword, and a patch must end."""

Terms = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A revision to be assigned to topics."""

    id: ItemId
    revision_id: int
    tags: tuple[str, ...]
    vector: Vector | None
    """Unit length; None where there is none that can be compared."""
    terms: Terms
    """TF-IDF of its words, of unit length."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The members of a topic in one scope, as a centroid to compare with."""

    id: int
    tag: str | None
    """The tag that its first members carry; None where they resemble each other only."""
    size: int
    measured: int
    """Members with a vector."""
    mean: Vector
    """Of their vectors: its length says how near they are to each other. Shape (dimensions,), or (0,)."""


@dataclass(frozen=True, slots=True)
class Place:
    """The topics of a newcomer: those of its tags, and the one it resembles, which may be one of these."""

    newcomer: Newcomer
    clusters: tuple[int, ...]
    """Ids; a negative one is that of a topic that begins with it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The assignment of newcomers to topics."""

    places: list[Place]
    founded: dict[int, str | None]
    """Tags of new topics by their negative ids."""
    means: dict[int, tuple[Vector, int]]
    """New means, and how many vectors they are of, of the topics that were joined."""


@dataclass(frozen=True, slots=True)
class Description:
    """The name, keywords and centroid of a topic."""

    keywords: tuple[str, ...]
    """As people write them, best first."""
    leading: int
    """How many of the first of them several members say."""
    importance: float
    terms: Terms
    """Sums over the members of their words' weights."""
    mean: Vector
    measured: int
    changed_at: int
    """When a member changed last."""


@dataclass(frozen=True, slots=True)
class Member:
    """A live item in its present state, with its vector."""

    revision_id: int
    item: Item
    vector: Vector | None
    """Of its text, for a turn of a conversation also as it reads among its neighbours; unit length."""
    around: tuple[str, ...] = ()
    """What is said around it, where it is a turn."""
    together: str = ""
    """What names those that it was told together with; empty where it was told alone."""
    told: tuple[str, ...] = ()
    place: int = 0
    """The statements that were told together, in order, and the place of this one among them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Changed items of one scope, the longest waiting first, and any that are gone."""

    generation: int
    scope: str
    stamps: tuple[int, ...]
    """What takes these changes, and no later ones, from the queue."""
    members: tuple[Member, ...]
    gone: tuple[ItemId, ...]
    placed: bool
    """Whether any of these is in a topic still: it has to leave before anything is compared with that topic."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A topic whose members changed since it was described."""

    generation: int
    cluster: Cluster
    scope: str
    name: str
    held: bool
    """Whether a digest was handed in under its name, so that the name must stay."""
    members: tuple[Member, ...]
    """The latest MEMBERS."""


@dataclass(frozen=True, slots=True)
class Around:
    """The topics of a scope, and those among them that hold given terms."""

    generation: int
    clusters: list[Cluster]
    shared: dict[str, dict[int, float]]
    names: dict[int, str]
    """Names that are taken."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A sentence of a digest, by its place in a revision."""

    revision_id: int
    span: Span


@dataclass(frozen=True, slots=True)
class Described:
    """The new state of a topic. Without excerpts it has no digest yet."""

    id: int
    name: str
    description: Description
    excerpts: tuple[Excerpt, ...]
    covered: tuple[int, ...]
    """Revision ids of the states the digest was made from."""


class TopicIndex(Protocol):
    """Clusters items into topics. Thread-safe; calls that raced with another process are refused, and repeated."""

    def restart(self) -> None:
        """Drop all topics and queue every live item."""
        ...

    def encoder(self) -> str | None:
        """Identity of the encoder whose vectors the topics were clustered by; None where by words alone."""
        ...

    def pending(self) -> int:
        """Count the items and topics in the queue."""
        ...

    def batch(self, *, encoder: str | None, limit: int) -> Batch | None:
        """Return the next changed items with vectors of `encoder`; None where none wait."""
        ...

    def around(self, scope: str, terms: Iterable[str]) -> Around:
        """Return the topics of a scope, with those terms."""
        ...

    def leave(self, batch: Batch) -> bool:
        """Remove the batch's items from all topics; False where another process was faster."""
        ...

    def place(self, batch: Batch, gathered: Gathered, *, encoder: str | None) -> bool:
        """Add the batch's items, which have left all topics, to these; False, with nothing done, where another process was faster."""
        ...

    def touched(self, *, encoder: str | None, limit: int, lost: bool = False) -> list[Touched]:
        """Return topics of one scope whose members changed, or that `lost` any, the longest waiting first."""
        ...

    def describe(
        self, generation: int, described: Sequence[Described], *, united: Sequence[tuple[int, int]], at: int
    ) -> bool:
        """Store descriptions and digests, drop empty topics, and merge the first of each pair into the second.

        False, with nothing done, where another process was faster.
        """
        ...

    def keep_excerpts(self, cluster: int, excerpts: Sequence[Excerpt], covered: Sequence[int], *, at: int) -> None:
        """Store a digest that was made on demand, if the topic still exists."""
        ...

    def topics(self, *, scopes: Sequence[str], limit: int, only: int | None = None) -> list[tuple[int, Topic]]:
        """Return the topics with enough members and a name, or `only` one, with their ids, the latest changed first."""
        ...

    def named(self, name: str, *, scopes: Sequence[str]) -> int | None:
        """Return the topic of that name, in the narrowest of the scopes."""
        ...

    def holding(self, terms: Sequence[str], *, scopes: Sequence[str], limit: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return topics that hold any of the terms, with their keywords, by the weight of these terms in them."""
        ...

    def members(self, cluster: int) -> list[Member]:
        """Return the latest MEMBERS live members of a topic, without vectors."""
        ...

    def excerpts(self, cluster: int) -> list[tuple[Item, Span]] | None:
        """Return the digest, the most important sentence first; None where there is none, or one of its items has changed."""
        ...

    def of_items(self, ids: Sequence[ItemId]) -> Mapping[ItemId, tuple[int, ...]]:
        """Return the topics of each item."""
        ...
