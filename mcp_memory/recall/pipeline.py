"""Recalling: from a question to the items that answer it, best first."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from mcp_memory.domain.model import (
    Filter,
    Hit,
    Item,
    SourceId,
    Vector,
)
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.encoders.embedding import reads
from mcp_memory.encoders.pieces import content_pieces, piece_words, reduce_states
from mcp_memory.language.dates.extraction import Moment, moments
from mcp_memory.language.dates.periods import Period, to_ms
from mcp_memory.language.detection import unknown_share
from mcp_memory.language.tokenization import normal_form
from mcp_memory.recall import (
    conflicts,
    ranking,
    relevance,
    salience,
)
from mcp_memory.recall.date_queries import perhaps_asked, periods_asked
from mcp_memory.recall.late_interaction import covered, match, with_neighbours
from mcp_memory.recall.query_expansion import kindred, names_nothing, searched
from mcp_memory.recall.salience import confirmed_at, face_value, standing
from mcp_memory.remember.contradiction.newer_value import asks_older, updates
from mcp_memory.remember.planner import contradicts
from mcp_memory.store import Store

ASKED = 256
"""Word pieces of a question that are matched at most, those of its rarest words: one of 1,000 characters has fewer."""
DATED = 300
"""Items of a time that is asked for among which the strongest are looked for, the latest."""
REACH = 2
"""Turns on either side that are looked at beside a candidate."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the encoder makes of a query."""

    encoder: str
    """Its identity."""
    vector: Vector
    pieces: Vector
    """Unit vectors of the content word pieces, shape (pieces, PIECE_DIMENSIONS)."""
    weights: Vector
    """Inverse document frequency of each piece's word, shape (pieces,)."""
    floor: float
    """The largest cosine that is to be expected of what has nothing to do with it."""
    doubtful: float
    """The cosine from which the nearest may have to do with it where nothing reaches the floor."""
    languages: tuple[str, ...]
    """What the encoder knows; empty for any."""
    understood: bool
    """Whether the query is in one of them, as far as can be told."""

    def reads(self, text: str) -> bool:
        """Whether the encoder knows the language of a text."""
        return reads(self.languages, text)


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
        """The items that answer a question, never more than `limit`.

        Where it ends with a month that may be a person too, what answers it otherwise goes before what happened then.
        """
        present = _present(where, now)
        if periods := periods_asked(query, now=present):
            return self._happened(periods, where=where, limit=limit, now=now)
        found = self._searched(query, searched(query), where=where, limit=limit, now=now)
        if not found.hits and (instead := kindred(query)):
            found = self._searched(query, instead, where=where, limit=limit, now=now)
        if periods := perhaps_asked(query, now=present):
            return _followed(found, self._happened(periods, where=where, limit=limit, now=now), limit=limit)
        return found

    def _searched(self, query: str, looked_for: str, *, where: Filter, limit: int, now: datetime) -> Found:
        """What meaning finds, and the words that are looked for."""
        start = time.perf_counter()
        encoder, notes = self.usable_encoder()
        if encoder is not None and (names_nothing(query) or not reads(encoder.languages, query)):
            encoder = None
        question = self._question(encoder, query) if encoder else None
        encoded = time.perf_counter()
        candidates = self._candidates(looked_for, question, where)
        searched = time.perf_counter()
        if not candidates:
            return Found([], 0, notes)
        evidence, eligible = self._evidence(query, looked_for, question, candidates, where=where, now=now)
        matched = time.perf_counter()
        found = self._rank(query, question, evidence, eligible, limit=limit, now=now)
        found = replace(found, hits=self._with_replaced(found.hits, as_of=where.as_of))
        timings = {
            "encode": (encoded - start) * 1000,
            "candidates": (searched - encoded) * 1000,
            "interaction": (matched - searched) * 1000,
            "rank": (time.perf_counter() - matched) * 1000,
        }
        return replace(found, notes=notes, timings=timings)

    def _happened(self, periods: Sequence[Period], *, where: Filter, limit: int, now: datetime) -> Found:
        """What happened in stretches of time or tells of them, the strongest first, nothing told twice."""
        states = self._store.states(self._store.dated(periods, where=where, limit=DATED), as_of=where.as_of)
        items = list({normal_form(item.spoken): item for item in states.values()}.values())
        strengths = self.strengths(items, now=now)
        ordered = sorted(zip(strengths, items, strict=True), key=lambda pair: (-pair[0], pair[1].id))
        hits = [Hit(item, strength, parts={"strength": strength}) for strength, item in ordered[:limit]]
        return Found(self._with_replaced(hits, as_of=where.as_of), len(items))

    def strengths(self, items: Sequence[Item], *, now: datetime) -> list[float]:
        """How much each item still counts (salience.strengths)."""
        return salience.strengths(self._store, items, now=now)

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
                f"{encoder.identity}. Run `mcp-memory reindex`, with the same --database and --model, to make them anew.",
            )
        return encoder, ()

    def _question(self, encoder: Encoder, query: str) -> Question:
        reading = encoder.measure_query(query)
        pieces = [] if reading.states is None else content_pieces(query, reading.spans)
        weights, searched = self._store.rarity(piece_words(query, [reading.spans[number] for number in pieces]))
        rarest = sorted(sorted(range(len(pieces)), key=lambda place: -weights[place])[:ASKED])
        kept = [pieces[place] for place in rarest]
        noise = encoder.noise
        states = np.zeros((0, encoder.dimensions), np.float32) if reading.states is None else reading.states[kept]
        return Question(
            encoder.identity,
            reading.vector,
            reduce_states(states),
            np.array([weights[place] for place in rarest], np.float32),
            relevance.noise_floor(mean=noise.mean, deviation=noise.deviation, searched=searched),
            relevance.doubtful_floor(mean=noise.mean, deviation=noise.deviation, searched=searched),
            encoder.languages,
            not encoder.languages or unknown_share([query], encoder.languages)[0] == 0,
        )

    def _candidates(self, looked_for: str, question: Question | None, where: Filter) -> set[int]:
        """The states worth a closer look: the best of both searches together."""
        found = self._store.search_text(looked_for, where=where, limit=ranking.CANDIDATES)
        texts = {candidate.revision_id: candidate.score for candidate in found}
        if question is None:
            return set(texts)
        near = self._store.search_vectors(
            question.vector, encoder=question.encoder, where=where, limit=ranking.CANDIDATES
        )
        cosines = {candidate.revision_id: candidate.score for candidate in near}
        lowest = min(cosines.values(), default=0.0)
        numbers = [*texts, *(number for number in cosines if number not in texts)]
        scores = ranking.zscores(np.array([texts.get(n, 0.0) for n in numbers], np.float32))
        scores = scores + ranking.zscores(np.array([cosines.get(n, lowest) for n in numbers], np.float32))
        best: list[int] = np.argsort(-scores, kind="stable")[: ranking.CANDIDATES].tolist()
        return {numbers[place] for place in best}

    def _evidence(
        self,
        query: str,
        looked_for: str,
        question: Question | None,
        candidates: set[int],
        *,
        where: Filter,
        now: datetime,
    ) -> tuple[ranking.Evidence, list[bool]]:
        """All that is known about the candidates and the turns around them, and which of these the filter lets through."""
        states = self._store.states(sorted(candidates), as_of=where.as_of)
        around = self._store.states_at(_turns_around(states.values()), where=where)
        states |= self._store.states(sorted(around.keys() - states.keys()), as_of=where.as_of)
        numbers = sorted(states, reverse=True)
        items = [states[number] for number in numbers]
        places = [((item.source_id, item.scope), item.position) for item in items]
        measured = self._store.measured(numbers, encoder=question.encoder) if question else {}
        made = [measured.get(number) for number in numbers]
        unknown = np.full(len(items), np.nan, np.float32)
        cosines = late = coverage = helped = unknown
        if question is not None:
            cosines = _products([m.vector if m else None for m in made], question.vector)
            late = _products([m.late if m else None for m in made], question.vector)
            matches = match(question.pieces, [m.pieces if m else b"" for m in made])
            absent = np.isnan(cosines)
            coverage = np.where(absent, np.nan, covered(matches, question.weights)).astype(np.float32)
            spread = with_neighbours(matches, places)
            helped = np.where(absent, np.nan, covered(spread, question.weights)).astype(np.float32)
        texts, full = self._store.word_scores(looked_for, items)
        if looked_for != (asked := searched(query)):
            _, full = self._store.word_scores(asked, [])
        evidence = ranking.Evidence(
            items=items,
            regimes=[_regime(item) for item in items],
            places=places,
            texts=texts,
            shares=texts / max(full, 1e-9),
            cosines=cosines,
            late=late,
            coverage=coverage,
            around=helped,
            dates=self._date_matches(query, dict(zip(numbers, items, strict=True)), where=where, now=now),
            vectors=[m.vector if m else None for m in made],
            foreign=np.array([question is not None and not question.reads(item.text) for item in items], np.bool_),
            strengths=self.strengths(items, now=now),
            standings=[standing(item, now=now) for item in items],
            said=[confirmed_at(item, now=now) for item in items],
        )
        return evidence, [number in candidates or around.get(number, False) for number in numbers]

    def _date_matches(self, query: str, items: Mapping[int, Item], *, where: Filter, now: datetime) -> Vector:
        """How near each item lies to a moment the query names, by its own date or one its text tells.

        Relative words count from `now`, or from the moment whose knowledge is asked for.
        """
        asked = moments(query, now=_present(where, now))
        if not asked:
            return np.zeros(len(items), np.float32)
        told = self._store.told(list(items))
        return np.array(
            [_closeness(asked, face_value(item, now=now), told.get(number, ())) for number, item in items.items()],
            np.float32,
        )

    def _rank(
        self,
        query: str,
        question: Question | None,
        evidence: ranking.Evidence,
        eligible: Sequence[bool],
        *,
        limit: int,
        now: datetime,
    ) -> Found:
        parts = ranking.fuse(evidence, query=query)
        parts |= ranking.weigh(evidence.items, regimes=evidence.regimes, strengths=evidence.strengths, now=to_ms(now))
        scores = ranking.sum_of(parts)
        relevant = (
            relevance.relevant(evidence, floor=question.floor, doubtful=question.doubtful)
            if question and question.understood
            else relevance.relevant(evidence, floor=None)
        )
        order: list[int] = [i for i in np.argsort(-scores, kind="stable").tolist() if relevant[i] and eligible[i]]
        distinct = conflicts.diversify(order, evidence, scores=scores)
        rivals = conflicts.rivals(distinct, evidence, differ=_says_otherwise)
        distinct = conflicts.settle(
            distinct,
            evidence,
            scores=scores,
            rivals=rivals,
            about_older=lambda old, new: asks_older(query, old.text, new.text),
        )
        kept = distinct[:limit]
        explained = [
            Hit(
                evidence.items[i],
                float(scores[i]),
                was=_changed_by(i, rivals, evidence),
                parts={name: float(part[i]) for name, part in parts.items()},
            )
            for i in kept
        ]
        return Found(explained, len(distinct))

    def _with_replaced(self, hits: Sequence[Hit], *, as_of: int | None) -> list[Hit]:
        replaced = self._store.replaced_by([hit.item.id for hit in hits], as_of=as_of)
        return [replace(hit, was=(*replaced.get(hit.item.id, ()), *hit.was)) for hit in hits]


def _products(vectors: Sequence[Vector | None], query: Vector) -> Vector:
    """The product of each vector with a query, shape (vectors,); not a number where there is none."""
    found = np.full(len(vectors), np.nan, np.float32)
    known = {row: vector for row, vector in enumerate(vectors) if vector is not None}
    if known:
        found[list(known)] = np.stack(list(known.values())) @ query
    return found


def _followed(found: Found, more: Found, *, limit: int) -> Found:
    """What was found, and after it what else was."""
    known = {hit.item.id for hit in found.hits}
    added = [hit for hit in more.hits if hit.item.id not in known]
    hits = [*found.hits, *added][:limit]
    return replace(found, hits=hits, total=found.total + len(added))


def _present(where: Filter, now: datetime) -> datetime:
    """From when the relative words of a question count: `now`, or the moment whose knowledge is asked for."""
    return now if where.as_of is None else datetime.fromtimestamp(where.as_of / 1000, now.tzinfo)


def _says_otherwise(old: Item, new: Item) -> bool:
    """Whether the later of two items tells how the earlier has changed.

    Between people, and of the passages of documents, only the same words will do: with more, passages of one subject
    are taken for news of each other, which costs 1.1 nDCG@10 on CMRC 2018 (python -m bench.recall, 2026-11-21).
    """
    strict = any(_regime(item) == "conversation" or item.source_kind == "document" for item in (old, new))
    return bool(contradicts(old, new)) or (not strict and updates(old.text, new.text))


def _regime(item: Item) -> ranking.Regime:
    return ranking.regime_of(transcript=item.source_kind == "transcript", speaker=item.speaker)


def _changed_by(row: int, rivals: Sequence[conflicts.Rivals], evidence: ranking.Evidence) -> tuple[Item, ...]:
    """What a candidate is an update of, the latest said first."""
    older = [rival.falls for rival in rivals if rival.update and rival.stands == row]
    return tuple(evidence.items[i] for i in sorted(older, key=lambda i: evidence.said[i], reverse=True))


def _turns_around(items: Iterable[Item]) -> set[tuple[SourceId, int]]:
    """The places up to REACH before and after the turns given, in their conversations."""
    given = {(item.source_id, item.position) for item in items if item.source_kind == "transcript"}
    shifts = range(-REACH, REACH + 1)
    return {(source, position + shift) for source, position in given for shift in shifts} - given


def _closeness(asked: Sequence[Moment], when: int, told: Sequence[Period]) -> float:
    return max(moment.closeness(period) for moment in asked for period in (Period(when, when + 1), *told))
