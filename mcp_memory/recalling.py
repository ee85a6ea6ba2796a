"""Recalling: from a question to the items that answer it, best first."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from mcp_memory import ranking
from mcp_memory.domain import Filter, Hit, Item, ItemId, Vector
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.store import Store
from mcp_memory.times import to_ms

PINNED_KINDS = ("preference", "decision")
"""Kinds a session begins with, beside what is pinned."""
CORE = 60
"""Items looked at for the core context, of each kind."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first."""

    hits: list[Hit]
    total: int
    """How many candidates were relevant, with those beyond the limit."""
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict[str, float])


class Recaller:
    """Searches a store by words and, where the encoder is up and made the store's vectors, by meaning. Thread-safe."""

    def __init__(self, store: Store, encoder: BackgroundEncoder) -> None:
        self._store = store
        self._encoder = encoder

    def find(self, query: str, *, where: Filter, limit: int, now: datetime) -> Found:
        """The items that answer a question, never more than `limit`."""
        start = time.perf_counter()
        encoder, notes = self.usable_encoder()
        vector = encoder.encode_query(query) if encoder else None
        encoded = time.perf_counter()
        identity = encoder.identity if encoder else ""
        texts, cosines = self._candidates(query, vector, where, encoder=identity)
        searched = time.perf_counter()
        found = self._rank(texts, cosines, limit=limit, now=now, encoder=identity)
        timings = {
            "encode": (encoded - start) * 1000,
            "candidates": (searched - encoded) * 1000,
            "rank": (time.perf_counter() - searched) * 1000,
        }
        return replace(found, notes=notes, timings=timings)

    def core(self, *, where: Filter, limit: int) -> list[Hit]:
        """What a session should begin with: pinned items, standing preferences, decisions, then the latest."""
        groups = [
            [item for _, item in self._store.listing(where=replace(where, kinds=(kind,)), limit=CORE)]
            for kind in PINNED_KINDS
        ]
        latest = [item for _, item in self._store.listing(where=where, limit=CORE)]
        everything = [item for group in (latest, *groups) for item in group]
        ordered: dict[ItemId, Item] = {item.id: item for item in everything if item.pinned}
        for item in [item for group in (*groups, latest) for item in group]:
            ordered.setdefault(item.id, item)
        return self._with_replaced(list(ordered.values())[:limit], [0.0] * limit)

    def usable_encoder(self) -> tuple[Encoder | None, tuple[str, ...]]:
        """The encoder, where its vectors may be compared with the store's; else why not, for the reader."""
        encoder = self._encoder.ready()
        if encoder is None:
            if self._encoder.problem is not None:
                return None, (f"Found by words alone: {self._encoder.problem}",)
            return None, ("Found by words alone: the encoder is still loading. Recall again in a second for the rest.",)
        serving = self._store.serving_encoder()
        if serving not in (None, encoder.identity):
            return None, (
                f"Found by words alone: the vectors in this file were made by {serving}, and the encoder is "
                f"{encoder.identity}. Run `mcp-memory reindex` to make them anew.",
            )
        return encoder, ()

    def _candidates(
        self, query: str, vector: Vector | None, where: Filter, *, encoder: str
    ) -> tuple[dict[int, float], dict[int, float] | None]:
        """BM25 of the states that hold a word of the query, and the cosine of all candidates."""
        found = self._store.search_text(query, where=where, limit=ranking.CANDIDATES)
        texts = {candidate.revision_id: candidate.score for candidate in found}
        if vector is None:
            return texts, None
        near = self._store.search_vectors(vector, encoder=encoder, where=where, limit=ranking.CANDIDATES)
        cosines = {candidate.revision_id: candidate.score for candidate in near}
        missing = self._store.vectors([number for number in texts if number not in cosines], encoder=encoder)
        cosines |= {number: float(other @ vector) for number, other in missing.items()}
        return texts, cosines

    def _rank(
        self, texts: dict[int, float], cosines: dict[int, float] | None, *, limit: int, now: datetime, encoder: str
    ) -> Found:
        states = self._store.states(list({*texts, *(cosines or ())}))
        numbers = sorted(states, reverse=True)
        bm25 = np.array([texts.get(number, 0.0) for number in numbers], np.float32)
        near = None
        if cosines is not None:
            # A state whose vector is not made yet counts as neither near nor far.
            middle = float(np.mean(list(cosines.values()))) if cosines else 0.0
            near = np.array([cosines.get(number, middle) for number in numbers], np.float32)
        items = [states[number] for number in numbers]
        scores = ranking.weigh(ranking.fuse(bm25, near), items, now=to_ms(now))
        relevant = ranking.relevant(bm25, near)
        order = [int(i) for i in np.argsort(-scores, kind="stable") if relevant[i]]
        vectors = self._store.vectors([numbers[i] for i in order[: 2 * limit]], encoder=encoder)
        by_place = {place: vectors[numbers[place]] for place in order[: 2 * limit] if numbers[place] in vectors}
        kept = ranking.diversify(order, by_place, limit=limit)
        hits = self._with_replaced([items[i] for i in kept], [float(scores[i]) for i in kept])
        return Found(hits, len(order))

    def _with_replaced(self, items: Sequence[Item], scores: Sequence[float]) -> list[Hit]:
        replaced = self._store.replaced_by([item.id for item in items])
        return [Hit(item, score, tuple(replaced.get(item.id, ()))) for item, score in zip(items, scores, strict=False)]
