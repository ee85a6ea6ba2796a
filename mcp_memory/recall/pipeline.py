"""Recalling: from a question to the items that answer it, best first."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from mcp_memory.domain.model import Filter, Hit, Item, SourceId, StoredRevision
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.language.dates.periods import Period, to_ms
from mcp_memory.language.tokenization import normal_form
from mcp_memory.recall import ranking, relevance
from mcp_memory.recall.conflicts import Conflict, diversify, find_conflicts, order_conflicts
from mcp_memory.recall.features import (
    CandidateItem,
    Features,
    Scores,
    candidate_items,
    cosines,
    coverages,
    date_matches,
    regime_of,
    unmeasured,
)
from mcp_memory.recall.query import Query, parse_query
from mcp_memory.recall.salience import local_times, priors, saliences, today
from mcp_memory.recall.search import SearchResult
from mcp_memory.remember.contradiction.comparison import conflict_reason
from mcp_memory.remember.contradiction.newer_value import asks_for_previous, is_newer_value
from mcp_memory.store import Store

DATED = 300
"""Items of a time that is asked for among which the most salient are looked for, the latest."""
REACH = 2
"""Turns on either side that are looked at with a candidate."""


class Recaller:
    """Searches a store by words and, where the encoder is up and made the store's vectors, by meaning. Thread-safe."""

    def __init__(self, store: Store, encoder: BackgroundEncoder) -> None:
        self._store = store
        self._encoder = encoder

    def find(self, text: str, *, where: Filter, limit: int, now: datetime) -> SearchResult:
        """Return the items that answer a question, never more than `limit`.

        Where it ends with a month that may be a person too, what answers it otherwise goes before what happened then.
        """
        query = parse_query(text, now=_present(where, now))
        if query.periods:
            return self._by_date(query.periods, where=where, limit=limit, now=now)
        found = self._hybrid_search(query, where=where, limit=limit, now=now)
        if query.ambiguous_periods:
            dated = self._by_date(query.ambiguous_periods, where=where, limit=limit, now=now)
            return _followed(found, dated, limit=limit)
        return found

    def saliences(self, items: Sequence[Item], *, now: datetime) -> list[float]:
        """Return how much each item still counts (salience.saliences)."""
        return saliences(self._store, items, now=now)

    def usable_encoder(self) -> tuple[Encoder | None, tuple[str, ...]]:
        """Return the encoder, where its vectors may be compared with the store's; else why not, for the reader."""
        encoder = self._encoder.ready()
        if encoder is None:
            if self._encoder.problem is not None:
                return None, (f"Found by words alone: {self._encoder.problem}",)
            return None, ("Found by words alone: the encoder is still loading. Recall again in a second for the rest.",)
        serving, identity = self._store.serving_encoder(), encoder.identity
        if serving not in (None, identity):
            return None, (
                f"Found by words alone: the vectors in this file were made by {serving}, and the encoder is "
                f"{identity}. Run `mcp-memory reindex`, with the same --database and --model, to make them anew.",
            )
        return encoder, ()

    def _by_date(self, periods: Sequence[Period], *, where: Filter, limit: int, now: datetime) -> SearchResult:
        """Return what happened in stretches of time or names them, the most salient first, without repeats."""
        listed = self._store.listing(where=where, limit=DATED, in_periods=periods)
        items = list({normal_form(item.spoken): item for item in listed}.values())
        ordered = sorted(
            zip(self.saliences(items, now=now), items, strict=True), key=lambda pair: (-pair[0], pair[1].id)
        )
        hits = [Hit(item, salience, parts={"strength": salience}) for salience, item in ordered[:limit]]
        return SearchResult(self._with_replaced(hits, as_of=where.as_of), len(items))

    def _hybrid_search(self, query: Query, *, where: Filter, limit: int, now: datetime) -> SearchResult:
        """Search by words and meaning; where nothing is relevant, by the query's expansion."""
        start = time.perf_counter()
        encoder, notes = self.usable_encoder()
        query = query.encode(encoder)
        encoded = time.perf_counter()
        found = self._search(query, query.content, where=where, limit=limit, now=now)
        if not found.hits and query.expansion:
            found = self._search(query, query.expansion, where=where, limit=limit, now=now)
        return replace(found, notes=notes, timings={"encode": (encoded - start) * 1000} | found.timings)

    def _search(self, query: Query, terms: str, *, where: Filter, limit: int, now: datetime) -> SearchResult:
        """Search by the words of `terms`, and by the query's vector where it has one."""
        start = time.perf_counter()
        candidates = self._candidates(query, terms, where)
        searched = time.perf_counter()
        if not candidates:
            return SearchResult([], 0)
        idf, indexed = self._store.idf(query.encoded.words) if query.encoded else ([], 0)
        features = self._features(query, terms, idf, candidates, where=where, now=now)
        matched = time.perf_counter()
        found = _rank(query, features, indexed=indexed, limit=limit, now=now)
        found = replace(found, hits=self._with_replaced(found.hits, as_of=where.as_of))
        timings = {
            "candidates": (searched - start) * 1000,
            "interaction": (matched - searched) * 1000,
            "rank": (time.perf_counter() - matched) * 1000,
        }
        return replace(found, timings=timings)

    def _candidates(self, query: Query, terms: str, where: Filter) -> set[int]:
        """Return the states worth a closer look: the best of both searches together."""
        found = self._store.search_text(terms, where=where, limit=ranking.CANDIDATES)
        texts = {candidate.revision_id: candidate.score for candidate in found}
        if query.encoded is None:
            return set(texts)
        near = self._store.search_vectors(
            query.encoded.vector, encoder=query.encoded.encoder, where=where, limit=ranking.CANDIDATES
        )
        return ranking.best_of(texts, {candidate.revision_id: candidate.score for candidate in near})

    def _features(
        self, query: Query, terms: str, idf: Sequence[float], candidates: set[int], *, where: Filter, now: datetime
    ) -> Features:
        """Read what the store knows about the candidates and the turns around them, and measure each against the query."""
        encoded = query.encoded
        encoder = encoded.encoder if encoded else None
        stored = self._store.revisions(sorted(candidates), as_of=where.as_of, encoder=encoder)
        places = _turns_around([state.item for state in stored.values()])
        around = self._store.revisions_at(places, where=where) if places else {}
        if missing := sorted(around.keys() - stored.keys()):
            stored |= self._store.revisions(missing, as_of=where.as_of, encoder=encoder)
        numbers = sorted(stored, reverse=True)
        states = [stored[number] for number in numbers]
        items = [state.item for state in states]
        embeddings = [state.embedding for state in states]
        uses = self._store.uses([item.id for item in items], before=today(now))
        rows = candidate_items(
            items,
            eligible=[number in candidates or around.get(number, False) for number in numbers],
            embeddings=embeddings,
            priors=priors(items, uses=uses, now=now),
            query=encoded,
        )
        bm25, full = self._store.bm25(terms, items)
        if terms != query.content:
            _, full = self._store.bm25(query.content, [])
        cosine = late = alone = helped = unmeasured(len(items))
        if encoded is not None:
            cosine = cosines([each.vector if each else None for each in embeddings], encoded.vector)
            late = cosines([each.late_chunk if each else None for each in embeddings], encoded.vector)
            alone, helped = coverages(encoded, idf, embeddings, [row.place for row in rows])
        return Features(
            candidates=rows,
            bm25=bm25,
            bm25_share=bm25 / max(full, 1e-9),
            cosine=cosine,
            late_cosine=late,
            coverage=alone,
            context_coverage=helped,
            date_match=self._date_match(query, states, now=now),
        )

    @staticmethod
    def _date_match(query: Query, states: Sequence[StoredRevision], *, now: datetime) -> Scores:
        if not query.moments:
            return np.zeros(len(states), np.float32)
        times = local_times([state.item for state in states], now=now)
        return date_matches(query.moments, times, [state.text_dates for state in states])

    def _with_replaced(self, hits: Sequence[Hit], *, as_of: int | None) -> list[Hit]:
        replaced = self._store.replaced_by([hit.item.id for hit in hits], as_of=as_of)
        return [replace(hit, was=(*replaced.get(hit.item.id, ()), *hit.was)) for hit in hits]


def _rank(query: Query, features: Features, *, indexed: int, limit: int, now: datetime) -> SearchResult:
    """Order the relevant candidates; `indexed` is how many states were searched."""
    candidates = features.candidates
    parts = ranking.fuse(features, query) | ranking.weigh(candidates, now=to_ms(now))
    scores = ranking.sum_of(parts)
    relevant = relevance.relevant(features, *_floors(query, indexed))
    ranked: list[int] = np.argsort(-scores, kind="stable").tolist()
    order = diversify([i for i in ranked if relevant[i] and candidates[i].eligible], candidates, scores=scores)
    conflicts = find_conflicts(order, candidates, differ=_says_otherwise)
    order = order_conflicts(
        order,
        candidates,
        scores=scores,
        dates=features.date_match,
        conflicts=conflicts,
        about_older=lambda old, new: asks_for_previous(query.text, old.text, new.text),
    )
    hits = [
        Hit(
            candidates[i].item,
            float(scores[i]),
            was=_superseded_by(i, conflicts, candidates),
            parts={name: float(part[i]) for name, part in parts.items()},
        )
        for i in order[:limit]
    ]
    return SearchResult(hits, len(order))


def _floors(query: Query, indexed: int) -> tuple[float | None, float]:
    """Return the cosine from which a candidate is relevant, and from which the nearest may be; none without an encoder
    that knows the query's language."""
    if query.encoded is None or not query.encoded.understood:
        return None, np.inf
    return relevance.floors(query.encoded.noise, searched=indexed)


def _superseded_by(row: int, conflicts: Sequence[Conflict], candidates: Sequence[CandidateItem]) -> tuple[Item, ...]:
    """Return the values that a candidate is an update of, the latest stated first."""
    older = [candidates[each.superseded] for each in conflicts if each.update and each.kept == row]
    return tuple(each.item for each in sorted(older, key=lambda each: each.prior.stated_at, reverse=True))


def _followed(found: SearchResult, more: SearchResult, *, limit: int) -> SearchResult:
    """Append what else was found."""
    known = {hit.item.id for hit in found.hits}
    added = [hit for hit in more.hits if hit.item.id not in known]
    hits = [*found.hits, *added][:limit]
    return replace(found, hits=hits, total=found.total + len(added))


def _present(where: Filter, now: datetime) -> datetime:
    """Return from when the relative words of a question count: `now`, or the moment whose knowledge is asked for."""
    return now if where.as_of is None else datetime.fromtimestamp(where.as_of / 1000, now.tzinfo)


def _says_otherwise(old: Item, new: Item) -> bool:
    """Return whether the later of two items gives a new value of what the earlier says.

    Between people, and of the passages of documents, only the same words will do: with more, passages of one subject
    are taken for news of each other, which costs 1.1 nDCG@10 on CMRC 2018 (python -m bench.recall, 2026-11-21).
    """
    strict = any(regime_of(item) == "conversation" or item.source_kind == "document" for item in (old, new))
    return bool(conflict_reason(old, new)) or (not strict and is_newer_value(old.text, new.text))


def _turns_around(items: Iterable[Item]) -> set[tuple[SourceId, int]]:
    """Return the places up to REACH before and after the turns given, in their conversations."""
    given = {(item.source_id, item.position) for item in items if item.source_kind == "transcript"}
    shifts = range(-REACH, REACH + 1)
    return {(source, position + shift) for source, position in given for shift in shifts} - given
