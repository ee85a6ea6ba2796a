"""The index of topics, which can be made anew: clusters of items, the work that waits, and the changes made to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mcp_memory.domain.model import Item, ItemId, Vector
from mcp_memory.language.tokenization import Span

MEMBERS = 256
"""Members that a topic is described by, the latest: more change no keyword, and a patch must end."""

Terms = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class UnassignedItem:
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
    """The topics of an item: those of its tags, and the one it resembles, which may be one of these."""

    item: UnassignedItem
    clusters: tuple[int, ...]
    """Ids; a negative one is that of a topic that begins with it."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The topics of some items, new topics among them."""

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
    """Number of the first of them that several members say."""
    importance: float
    terms: Terms
    """Sums over the members of their words' weights."""
    mean: Vector
    measured: int
    changed_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """A live item in its present state, with its vector."""

    revision_id: int
    item: Item
    vector: Vector | None
    """Of its text, for a turn of a conversation also as it reads among its neighbours; unit length."""
    neighbours: tuple[str, ...] = ()
    """The texts of its neighbours, where it is a turn."""
    session: str = ""
    """Names the call or session it was stated in with others; empty where it was stated alone."""
    session_texts: tuple[str, ...] = ()
    position: int = 0
    """The statements of that session in order, and the position of this one among them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Changed items of one scope, the longest waiting first, and any that are gone."""

    stamps: tuple[int, ...]
    """What takes these changes, and no later ones, from the queue."""
    members: tuple[Member, ...]
    gone: tuple[ItemId, ...]
    assigned: bool
    """True if any of these is in a topic still: it has to leave before anything is compared with that topic."""


@dataclass(frozen=True, slots=True)
class DirtyCluster:
    """A topic whose members changed since it was summarised."""

    cluster: Cluster
    name: str
    held: bool
    """True if a digest was handed in under its name, so that the name must stay."""
    members: tuple[Member, ...]
    """The latest MEMBERS."""


@dataclass(frozen=True, slots=True)
class TopicWork:
    """Work that waits in one scope: dirty clusters, else a batch, else nothing."""

    generation: int
    """Of the index; it grows with every change, and a change planned on an earlier one is refused."""
    encoder: str | None
    """Whose vectors the topics were gathered by; None where by words alone."""
    pending: int
    scope: str = ""
    batch: Batch | None = None
    dirty: tuple[DirtyCluster, ...] = ()


@dataclass(frozen=True, slots=True)
class Clusters:
    """The topics of a scope as items are compared with them."""

    generation: int
    clusters: list[Cluster]
    shared: dict[str, dict[int, float]]
    """For each of the terms asked for the clusters that hold it, with the sum of its weights there."""
    names: dict[int, str]


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of a digest, by its span in a state of an item."""

    revision_id: int
    span: Span


@dataclass(frozen=True, slots=True)
class Summarised:
    """The new description of a topic. Without quotes it has no digest yet."""

    id: int
    name: str
    description: Description
    quotes: tuple[Quote, ...]
    covered: tuple[int, ...]
    """Revision ids of the states the digest was made from."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Change: forget all topics and queue every live item."""


@dataclass(frozen=True, slots=True)
class Release:
    """Change: take the items of a batch out of all topics, which lost them."""

    generation: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class Assign:
    """Change: put the items of a batch, which are in no topic, into these, and take them off the queue."""

    generation: int
    scope: str
    batch: Batch
    assignment: Assignment
    encoder: str | None
    """Whose vectors they were compared by; the first of all names the index's."""


@dataclass(frozen=True, slots=True)
class Summarise:
    """Change: keep summaries and digests, drop topics that are empty, and merge the first of each pair into the second."""

    generation: int
    summarised: tuple[Summarised, ...]
    merged: tuple[tuple[int, int], ...]
    at: int


TopicChange: TypeAlias = Rebuild | Release | Assign | Summarise
