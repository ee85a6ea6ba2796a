"""TopicIndex: the contract of keeping how items gather into topics, an index that can be made anew."""

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
    """A state of an item that is to find its topics."""

    id: ItemId
    revision_id: int
    tags: tuple[str, ...]
    vector: Vector | None
    """Unit length; None where there is none that can be compared."""
    terms: Terms
    """TF-IDF of its words, of unit length."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The items of one scope that gathered, as what is compared with them."""

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
    """Where a newcomer belongs: the topics of its tags, and the one it resembles, which may be one of these."""

    newcomer: Newcomer
    clusters: tuple[int, ...]
    """Ids; a negative one is that of a topic that begins with it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What became of newcomers."""

    places: list[Place]
    founded: dict[int, str | None]
    """Tags of new topics by their negative ids."""
    means: dict[int, tuple[Vector, int]]
    """New means, and how many vectors they are of, of the topics that were joined."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told of a topic, and what others are compared with."""

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
    """A live item in its present state, with what it is compared by."""

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
    """Items that changed, the longest waiting first: those of one scope, and any that are gone."""

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
    """The topics of a scope, and those among them that hold given terms, as gather and twins take them."""

    generation: int
    clusters: list[Cluster]
    shared: dict[str, dict[int, float]]
    names: dict[int, str]
    """Names that are taken."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A sentence of a digest, by its place in a state of an item."""

    revision_id: int
    span: Span


@dataclass(frozen=True, slots=True)
class Described:
    """What a topic is from now on. Without excerpts it has no digest yet."""

    id: int
    name: str
    description: Description
    excerpts: tuple[Excerpt, ...]
    covered: tuple[int, ...]
    """Revision ids of the states the digest was made from."""


class TopicIndex(Protocol):
    """Which items gather into which topics. Thread-safe; what it can't use any more it refuses, and is asked again."""

    def restart(self) -> None:
        """Forget all topics and queue every live item."""
        ...

    def encoder(self) -> str | None:
        """Whose vectors the topics were gathered by; None where by words alone."""
        ...

    def pending(self) -> int:
        """How many items and topics wait to be worked on."""
        ...

    def batch(self, *, encoder: str | None, limit: int) -> Batch | None:
        """The next changed items with vectors of `encoder`; None where none wait."""
        ...

    def around(self, scope: str, terms: Iterable[str]) -> Around:
        """The topics of a scope, with those terms."""
        ...

    def leave(self, batch: Batch) -> bool:
        """Take the batch's items out of all topics, which lost them; False where others were faster."""
        ...

    def place(self, batch: Batch, gathered: Gathered, *, encoder: str | None) -> bool:
        """Let the batch's items, which have left all topics, be in these; False where others were faster, and nothing is done."""
        ...

    def touched(self, *, encoder: str | None, limit: int, lost: bool = False) -> list[Touched]:
        """Topics of one scope whose members changed, or that `lost` any, the longest known first."""
        ...

    def describe(
        self, generation: int, described: Sequence[Described], *, united: Sequence[tuple[int, int]], at: int
    ) -> bool:
        """Keep descriptions and digests, drop topics that are empty, and let the first of each pair go into the second.

        False where others were faster, and nothing is done.
        """
        ...

    def keep_excerpts(self, cluster: int, excerpts: Sequence[Excerpt], covered: Sequence[int], *, at: int) -> None:
        """Keep a digest that was made on demand, where the topic is still there."""
        ...

    def topics(self, *, scopes: Sequence[str], limit: int, only: int | None = None) -> list[tuple[int, Topic]]:
        """The topics with enough members and a name, or `only` one, and their ids, those that changed last first."""
        ...

    def named(self, name: str, *, scopes: Sequence[str]) -> int | None:
        """The topic of that name, in the narrowest of the scopes."""
        ...

    def holding(self, terms: Sequence[str], *, scopes: Sequence[str], limit: int) -> list[tuple[int, tuple[str, ...]]]:
        """Topics that hold any of the terms, with their keywords, by the weight of these terms in them."""
        ...

    def members(self, cluster: int) -> list[Member]:
        """The live members of a topic, the latest MEMBERS, without vectors."""
        ...

    def excerpts(self, cluster: int) -> list[tuple[Item, Span]] | None:
        """The digest, what carries the most first; None where there is none, or one of its items has changed."""
        ...

    def of_items(self, ids: Sequence[ItemId]) -> Mapping[ItemId, tuple[int, ...]]:
        """The topics each item is in."""
        ...
