"""Digesting: the memories of a topic, a question or a stretch of time as one short text that cites them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from mcp_memory import compose, summarize
from mcp_memory.compose import Sentence
from mcp_memory.domain import Filter, Hit, Summary, Topic, Vector
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.recalling import Recaller
from mcp_memory.store import Store
from mcp_memory.text import count_tokens, sentences

MEMBERS = 400
"""Items a digest is made from at most, the latest or the most relevant first."""
MEASURED = 160
"""Sentences whose vectors are made for one digest: under a second of encoding."""
IMPORTANCE = 0.5
"""Weight of an item's importance beside its centrality, which is 1 at most."""


class Members(NamedTuple):
    """What a digest is about."""

    hits: list[Hit]
    total: int


class Digester:
    """Makes extractive digests. Thread-safe."""

    def __init__(self, store: Store, recaller: Recaller) -> None:
        self._store = store
        self._recaller = recaller

    def members(self, *, query: str | None, where: Filter, now: datetime) -> Members:
        """The items a digest should cover: those that answer the query, else all the filter lets through."""
        if query:
            found = self._recaller.find(query, where=where, limit=MEMBERS, now=now)
            return Members(found.hits, found.total)
        items = [item for _, item in self._store.listing(where=where, limit=MEMBERS)]
        replaced = self._store.replaced_by([item.id for item in items])
        hits = [Hit(item, 0.0, tuple(replaced.get(item.id, ()))) for item in items]
        return Members(hits, self._store.count(where=where))

    def digest(self, members: Members, *, max_tokens: int, now: datetime) -> Summary:
        """The sentences that carry the most, in the order of time, each cited, within `max_tokens`."""
        candidates = [
            Sentence(
                hit.item.text[span.start : span.end], hit.item, hit.was[0].text if hit.was and not number else None
            )
            for hit in members.hits
            for number, span in enumerate(sentences(hit.item.text))
        ]
        candidates = candidates[: 10 * MEASURED]
        costs = [count_tokens(compose.digest_line(sentence, now=now)) + 1 for sentence in candidates]
        overhead = count_tokens(compose.digest([], left_out=members.total, now=now)) + 2
        bias = np.array([IMPORTANCE * (sentence.item.importance - 0.5) for sentence in candidates], np.float32)
        chosen = summarize.extract(
            self._measure(candidates), costs, budget=max_tokens - overhead, bias=bias if len(bias) else None
        )
        picked = sorted(
            (candidates[number] for number in chosen),
            key=lambda sentence: (compose.face_value(sentence.item, now=now), sentence.item.position, sentence.item.id),
        )
        covered = {sentence.item.id: sentence.item for sentence in picked}
        left_out = members.total - len(covered)
        text = compose.digest(picked, left_out=left_out, now=now) if picked else ""
        return Summary(text, list(covered.values()), left_out, count_tokens(text))

    def topic(self, name: str, scopes: Sequence[str]) -> Topic | None:
        """The kept digest of a topic, in the first of the scopes that has one; any scope where none is given."""
        found = [topic for topic in self._store.topics() if topic.name == name]
        for scope in scopes:
            for topic in found:
                if topic.scope == scope:
                    return topic
        return found[0] if found and not scopes else None

    def _measure(self, candidates: Sequence[Sentence]) -> Vector:
        """Vectors of the sentences: the encoder's where it is up and they are few, else of their words."""
        encoder: Encoder | None = None
        if len(candidates) <= MEASURED:
            encoder, _ = self._recaller.usable_encoder()
        texts = [sentence.text for sentence in candidates]
        return (encoder or HashingEncoder()).encode(texts) if texts else np.zeros((0, 1), np.float32)
