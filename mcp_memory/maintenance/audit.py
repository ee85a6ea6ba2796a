"""Audit: what needs a person's eye, and whether recall finds the stored items."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mcp_memory.domain.model import USER, Filter, Item, ItemId, Vector, normal_hash
from mcp_memory.domain.steps import Neighbour
from mcp_memory.language.tokenization import normal_form
from mcp_memory.privacy.secret_patterns import find_secrets
from mcp_memory.recall.salience import review_due, stale_since
from mcp_memory.recall.search import Searcher
from mcp_memory.remember.contradiction.comparison import conflict_reason
from mcp_memory.remember.importance import terms
from mcp_memory.store import Store

CHECKED = 20_000
"""Items that are looked at one by one at most, the latest: two minutes on two cores."""
BATCH = 256
NEIGHBOURS = 6
"""Looked at beside each item, itself among them."""
NEAR = 0.9
"""Cosine from which two items are near duplicates: above what remember calls similar (planner.SIMILAR)."""
ASKED = 50
RAREST = 4
"""Words of an item that make its question."""
FIRST = 5
"""Among how many hits the item must be."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two items that nearly repeat or contradict each other; `what` is the value that differs, old -> new."""

    one: Item
    other: Item
    cosine: float
    what: str = ""


@dataclass(frozen=True, slots=True)
class Suspect:
    """An item that seems to hold secrets, with their sorts."""

    item: Item
    sorts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An item that was last confirmed long ago, or is due for review; times at face value."""

    item: Item
    confirmed: int | None
    review: int | None


@dataclass(frozen=True, slots=True)
class Miss:
    """An item that the self-test did not find, and the question."""

    item: Item
    question: str


@dataclass(frozen=True, slots=True)
class Audit:
    items: int
    """Live items."""
    checked: int
    """Number of them, the latest, that were looked at one by one."""
    duplicates: list[list[Item]]
    """Items that say the same word for word, the first first."""
    near: list[Pair]
    contradictions: list[Pair]
    secrets: list[Suspect]
    stale: list[Doubtful]
    asked: int
    """Items the self-test asked for, each by its rarest words."""
    misses: list[Miss]
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        return not (self.duplicates or self.near or self.contradictions or self.secrets or self.stale or self.misses)


class Auditor:
    """Inspects a store without changing it or counting as use."""

    def __init__(self, store: Store, recaller: Searcher) -> None:
        self._store = store
        self._recaller = recaller

    def audit(self, *, now: datetime, progress: Callable[[int, int], None]) -> Audit:
        """Inspect every live item, or the latest CHECKED."""
        total = sum(count.items for count in self._store.counts(where=Filter()))
        items = self._store.listing(where=Filter(), limit=CHECKED)
        near, contradictions, notes = self._pairs(items, progress=progress)
        if total > len(items):
            looked_at = f"Of {total} items the latest {len(items)} were looked at"
            notes += (f"{looked_at}; exact duplicates were sought among all.",)
        asked, misses = self._self_test(items, now=now)
        return Audit(
            items=total,
            checked=len(items),
            duplicates=self._duplicates(),
            near=near,
            contradictions=contradictions,
            secrets=[
                Suspect(item, tuple(dict.fromkeys(shaped.sort for shaped in found)))
                for item in items
                if (found := find_secrets(item.text))
            ],
            stale=_doubtful(items, now=now),
            asked=asked,
            misses=misses,
            notes=notes,
        )

    def _pairs(
        self, items: Sequence[Item], *, progress: Callable[[int, int], None]
    ) -> tuple[list[Pair], list[Pair], tuple[str, ...]]:
        """Return near duplicates and contradictions among the NEIGHBOURS of each item."""
        encoder, notes = self._recaller.usable_encoder()
        if encoder is None:
            return [], [], (*notes, "Near duplicates and contradictions were not sought.")
        near: dict[tuple[ItemId, ItemId], Pair] = {}
        contradictions: dict[tuple[ItemId, ItemId], Pair] = {}
        for start in range(0, len(items), BATCH):
            batch = [item.revision_id for item in items[start : start + BATCH]]
            for state in self._store.revisions(batch, encoder=encoder.identity).values():
                if state.embedding is not None:
                    for neighbour in self._nearest(state.embedding.vector, encoder=encoder.identity):
                        _compare(state.item, neighbour, near, contradictions)
            progress(min(start + BATCH, len(items)), len(items))
        rest = [pair for key, pair in near.items() if key not in contradictions]
        return _nearest_first(rest), _nearest_first(contradictions.values()), ()

    def _nearest(self, vector: Vector, *, encoder: str) -> list[Neighbour]:
        found = self._store.search_vectors(vector, encoder=encoder, where=Filter(), limit=NEIGHBOURS)
        states = self._store.revisions([one.revision_id for one in found])
        return [Neighbour(states[one.revision_id].item, one.score) for one in found if one.revision_id in states]

    def _duplicates(self) -> list[list[Item]]:
        """Return live items with the same words, a list for each text, the first first; none that only turns say."""
        ids: dict[bytes, list[ItemId]] = {}
        for stored in self._store.scan():
            if stored.item.status == "live":
                ids.setdefault(normal_hash(stored.item.spoken), []).append(stored.item.id)
        groups = [self._store.items(found) for found in ids.values() if len(found) > 1]
        return [
            sorted(items.values(), key=lambda item: item.id)
            for items in groups
            if any(item.source_kind != "transcript" for item in items.values())
        ]

    def _self_test(self, items: Sequence[Item], *, now: datetime) -> tuple[int, list[Miss]]:
        own = [item for item in items if item.source_kind == "words"] or list(items)
        chosen = own[:: max(1, len(own) // ASKED)][:ASKED]
        misses: list[Miss] = []
        for item in chosen:
            question = self._question(item)
            where = Filter(scopes=(item.scope,))
            hits = self._recaller.find(question, where=where, limit=FIRST, now=now).hits
            words = normal_form(item.spoken)
            if not any(hit.item.id == item.id or normal_form(hit.item.spoken) == words for hit in hits):
                misses.append(Miss(item, question))
        return len(chosen), misses

    def _question(self, item: Item) -> str:
        """Return the rarest words of an item, in its order; its text where it has none."""
        words = terms(item.spoken)
        rarity, _ = self._store.idf(words)
        rarest = sorted(range(len(words)), key=lambda place: -rarity[place])[:RAREST]
        return " ".join(words[place] for place in sorted(rarest)) or item.text


def _compare(
    item: Item,
    neighbour: Neighbour,
    near: dict[tuple[ItemId, ItemId], Pair],
    contradictions: dict[tuple[ItemId, ItemId], Pair],
) -> None:
    """Record how two items relate, where they can be recalled together and are not both turns."""
    other, cosine = neighbour.item, neighbour.cosine
    together = item.scope == other.scope or USER in (item.scope, other.scope)
    turns = item.source_kind == other.source_kind == "transcript"
    if item.id == other.id or not together or turns or normal_form(item.spoken) == normal_form(other.spoken):
        return
    one, other = (item, other) if item.id < other.id else (other, item)
    key = one.id, other.id
    what = conflict_reason(one, other)
    if what is not None:
        contradictions[key] = Pair(one, other, cosine, what)
    if cosine >= NEAR:
        near[key] = Pair(one, other, cosine)


def _doubtful(items: Sequence[Item], *, now: datetime) -> list[Doubtful]:
    """Return items that are stale or due for review, the longest unconfirmed first."""
    found = [Doubtful(item, stale_since(item, now=now), review_due(item, now=now)) for item in items]
    doubtful = [each for each in found if each.confirmed is not None or each.review is not None]
    return sorted(doubtful, key=lambda each: min(filter(None, (each.confirmed, each.review))))


def _nearest_first(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: -pair.cosine)
