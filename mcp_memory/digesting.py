"""Digesting: the memories of a topic, a question or a stretch of time as one short text that cites them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from mcp_memory import compose, summarize
from mcp_memory.compose import Sentence
from mcp_memory.domain import Filter, Hit, ItemId, KeepDigest, Topic, Vector
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import InvalidInput, NotFound
from mcp_memory.recalling import Recaller
from mcp_memory.results import Summary
from mcp_memory.store import Store
from mcp_memory.text import count_tokens, require_clean, sentences

MEMBERS = 400
"""Items a digest is made from at most, the latest or the most relevant first."""
MEASURED = 160
"""Sentences whose vectors are made for one digest: under a second of encoding."""
MAX_KEPT = 4_000
"""Tokens of a digest that is handed in at most."""
TELLING = re.compile(r"[^\W_]{2}|[\u3400-\u9fff]")
"""What a sentence has at least: a code fence or the rule of a table has no word."""
STRENGTH = 0.5
"""Weight of an item's strength beside its centrality, which is 1 at most."""


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
        replaced = self._store.replaced_by([item.id for item in items], as_of=where.as_of)
        hits = [Hit(item, 0.0, tuple(replaced.get(item.id, ()))) for item in items]
        return Members(hits, self._store.count(where=where))

    def digest(self, members: Members, *, max_tokens: int, now: datetime, note: str = "") -> Summary:
        """The sentences that carry the most, in the order of time, each cited, within `max_tokens` with the note."""
        candidates = [
            Sentence(
                hit.item.text[span.start : span.end], hit.item, hit.was[0].text if hit.was and not number else None
            )
            for hit in members.hits
            for number, span in enumerate(sentences(hit.item.text))
            if TELLING.search(hit.item.text, span.start, span.end)
        ]
        candidates, vectors = self._measure(candidates[: 10 * MEASURED])
        costs = [count_tokens(compose.digest_line(sentence, now=now)) + 1 for sentence in candidates]
        frame = "\n".join([compose.digest([], left_out=members.total, now=now), note])
        strengths = self._recaller.strengths([sentence.item for sentence in candidates], now=now)
        bias = np.array([STRENGTH * (strength - 0.5) for strength in strengths], np.float32)
        chosen = summarize.extract(
            vectors, costs, budget=max_tokens - count_tokens(frame) - 2, bias=bias if len(bias) else None
        )
        picked = sorted(
            (candidates[number] for number in chosen),
            key=lambda sentence: (
                compose.face_value(sentence.item, now=now),
                sentence.item.source_id,
                sentence.item.position,
                sentence.item.text.find(sentence.text),
            ),
        )
        covered = {sentence.item.id: sentence.item for sentence in picked}
        left_out = members.total - len(covered)
        text = (
            compose.digest(picked, left_out=left_out, now=now) if members.hits else "Nothing is known about this yet."
        )
        text = "\n".join(filter(None, [text, note]))
        return Summary(text, list(covered.values()), left_out, count_tokens(text))

    def of_topic(self, name: str, *, query: str | None, where: Filter, max_tokens: int, now: datetime) -> Summary:
        """The digest of a topic: the kept one while it is fresh, fits and is asked for as a whole, else a new one."""
        members = self._about(name, query=query, where=where, now=now)
        whole = Filter(scopes=where.scopes, zone_offset=where.zone_offset, as_of=where.as_of)
        kept = self._kept(name, where.scopes, where.as_of) if query is None and where == whole else None
        if kept is None:
            return self.digest(members, max_tokens=max_tokens, now=now)
        if kept.stale:
            note = f"The kept digest of {name} is stale: its memories have changed."
            return self.digest(members, max_tokens=max_tokens, now=now, note=note)
        items = list(self._store.items(kept.items).values())
        newer = max(0, members.total - len(items))
        text = compose.kept_digest(kept, newer=newer)
        if count_tokens(text) > max_tokens:
            return self.digest(members, max_tokens=max_tokens, now=now)
        return Summary(text, items, newer, count_tokens(text))

    def keeping(self, name: str, digest: str, *, where: Filter, now: datetime) -> KeepDigest:
        """The step that keeps a text as a topic's digest, standing for what is known about it.

        Raises InvalidInput where the text can't be kept, NotFound where nothing is known about the topic.
        """
        text = require_clean(digest, "digest").strip()
        if not text or count_tokens(text) > MAX_KEPT:
            raise InvalidInput(f"digest must hold between 1 and {MAX_KEPT} tokens of text.")
        if not where.scopes:
            raise InvalidInput("A kept digest belongs to one scope: give user, project, or a project's name.")
        members = self._about(name, query=None, where=where, now=now)
        if not members.hits:
            raise NotFound(f"Nothing is known about {name!r}, so there is nothing its digest could stand for.")
        return KeepDigest(name, where.scopes[-1], text, tuple(hit.item.id for hit in members.hits))

    def _about(self, name: str, *, query: str | None, where: Filter, now: datetime) -> Members:
        """The items with the topic's name as a tag, else those that answer to it."""
        tagged = replace(where, tags=(name,))
        if self._store.count(where=tagged):
            return self.members(query=query, where=tagged, now=now)
        return self.members(query=query or name, where=where, now=now)

    def _kept(self, name: str, scopes: Sequence[str], as_of: int | None) -> Topic | None:
        """The kept digest of a topic, of the narrowest of the scopes that has one: the last; any where none is given."""
        found = {topic.scope: topic for topic in reversed(self._store.topics(as_of=as_of)) if topic.name == name}
        return next((found[scope] for scope in reversed(scopes or list(found)) if scope in found), None)

    def _measure(self, candidates: Sequence[Sentence]) -> tuple[list[Sentence], Vector]:
        """The sentences with their vectors: the encoder's where it is up, else of their words.

        Where they are many, those that are the whole of their item have its vector, and of the others the first
        MEASURED are encoded; the rest are left out.
        """
        if not candidates:
            return [], np.zeros((0, 1), np.float32)
        encoder, _ = self._recaller.usable_encoder()
        if encoder is None:
            return list(candidates), HashingEncoder().encode([sentence.text for sentence in candidates])
        stored: dict[ItemId, Vector] = {}
        if len(candidates) > MEASURED:
            whole = [sentence.item.id for sentence in candidates if sentence.text == sentence.item.text.strip()]
            stored = self._store.present_vectors(whole, encoder=encoder.identity)
        rest = [number for number, sentence in enumerate(candidates) if sentence.item.id not in stored][:MEASURED]
        encoded = encoder.encode([candidates[number].text for number in rest])
        vectors = {number: encoded[place] for place, number in enumerate(rest)}
        vectors |= {
            number: stored[sentence.item.id] for number, sentence in enumerate(candidates) if sentence.item.id in stored
        }
        order = sorted(vectors)
        return [candidates[number] for number in order], np.array([vectors[number] for number in order], np.float32)
