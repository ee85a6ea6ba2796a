"""Extractive digests: the items of a topic, a question or a period as one short text that cites them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from mcp_memory.domain.call_hints import TO_TOOLS, Speech
from mcp_memory.domain.model import Filter, Hit, Item, ItemId, Topic, Vector
from mcp_memory.domain.results import Summary
from mcp_memory.domain.steps import KeepDigest
from mcp_memory.domain.topic_index import MEMBERS as LATEST
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import InvalidInput, NotFound
from mcp_memory.language.scripts import HAN
from mcp_memory.language.sentences import sentences
from mcp_memory.language.token_count import count_tokens
from mcp_memory.language.tokenization import require_clean, words
from mcp_memory.recall import salience
from mcp_memory.recall.search import Searcher
from mcp_memory.remember.intake import MAX_NAME
from mcp_memory.render import digest_text
from mcp_memory.render.digest_text import Sentence
from mcp_memory.store import Store
from mcp_memory.topics import lexrank
from mcp_memory.topics.keywords import keyword_coverage, terms_of
from mcp_memory.topics.small_talk import has_content

MEMBERS = 400
"""Items a digest is made from at most, the latest or the most relevant first."""
MEASURED = 160
"""Sentences whose vectors are made for one digest: under a second of encoding."""
READ = 300
"""Characters of a sentence that its vector is made of for that: one of 20 kB would take as long as 160 others."""
MAX_KEPT = 4_000
"""Tokens of a digest that is handed in at most."""
DIGEST_TOKENS = 600
"""Length of the digests that are made ahead: what is asked for where nothing is said."""
LOOKED_AT = 20
"""Topics whose keywords are compared with a name."""
TELLING = re.compile(f"[^\\W_]{{2}}|[{HAN}]")
"""What a sentence has at least: a code fence or the rule of a table has no word."""
STRENGTH = 0.5
"""Weight of an item's strength beside its centrality, which is 1 at most."""


class Members(NamedTuple):
    hits: list[Hit]
    total: int


class Digester:
    """Builds extractive digests. Thread-safe."""

    def __init__(self, store: Store, recaller: Searcher) -> None:
        self._store = store
        self._recaller = recaller

    def members(self, *, query: str | None, where: Filter, now: datetime) -> Members:
        """Return the items that answer a query; without one all that the filter lets through."""
        if query:
            found = self._recaller.find(query, where=where, limit=MEMBERS, now=now)
            return Members(found.hits, found.total)
        items = self._store.listing(where=where, limit=MEMBERS)
        return Members(self.with_replaced(items, as_of=where.as_of), self._count(where))

    def _count(self, where: Filter) -> int:
        return sum(count.items for count in self._store.counts(where=where))

    def digest(self, members: Members, *, max_tokens: int, now: datetime, note: str = "") -> Summary:
        """Return the most important sentences in the order of time, each cited, within `max_tokens` including the note."""
        ranked = self.ranked(members, max_tokens=max_tokens, now=now, note=note)
        return _composed(ranked, members, now=now, note=note)

    def ranked(
        self, members: Members, *, max_tokens: int, now: datetime, note: str = "", encoded: int = MEASURED
    ) -> list[Sentence]:
        """Return the sentences of a digest of `max_tokens`, the most important first.

        At most `encoded` sentences are encoded for it.
        """
        candidates = [
            Sentence(
                hit.item.text[span.start : span.end], hit.item, hit.was[0].text if hit.was and not number else None
            )
            for hit in members.hits
            for number, span in enumerate(sentences(hit.item.text))
            if TELLING.search(hit.item.text, span.start, span.end)
        ]
        names = {word for hit in members.hits for word in words(hit.item.speaker or "")}
        # Courtesy and agreement stand for many others, so they would be chosen first.
        candidates = [sentence for sentence in candidates if has_content(sentence.text, names)] or candidates
        candidates, vectors = self._measure(candidates[: 10 * MEASURED], encoded)
        costs = [_cost(sentence, now=now) for sentence in candidates]
        strengths = self._recaller.saliences([sentence.item for sentence in candidates], now=now)
        bias = np.array([STRENGTH * (strength - 0.5) for strength in strengths], np.float32)
        budget = max_tokens - _frame(members, now=now, note=note)
        chosen = lexrank.extract(vectors, costs, budget=budget, bias=bias if len(bias) else None)
        return [candidates[number] for number in chosen]

    def with_replaced(self, items: Sequence[Item], *, as_of: int | None = None) -> list[Hit]:
        """Return the items with what each replaced; at `as_of`, what it had replaced by then."""
        replaced = self._store.replaced_by([item.id for item in items], as_of=as_of)
        return [Hit(item, 0.0, tuple(replaced.get(item.id, ()))) for item in items]

    def topic_digest(
        self, name: str, *, query: str | None, where: Filter, max_tokens: int, now: datetime, speech: Speech = TO_TOOLS
    ) -> Summary:
        """Return the digest of a topic: the stored one while it is fresh, fits and is asked for as a whole, else a new one."""
        members = self._about(name, query=query, where=where, now=now)
        narrowed = query is not None or replace(where, as_of=None).is_narrowed
        kept = None if narrowed else self._kept(name, where.scopes, where.as_of)
        if kept is None:
            standing = not narrowed and where.as_of is None
            made = self._made(name, members, where.scopes, max_tokens=max_tokens, now=now) if standing else None
            return replace(made or self.digest(members, max_tokens=max_tokens, now=now), topic=name)
        if kept.stale:
            note = f"The kept digest of {name} is stale: its memories have changed."
            return replace(self.digest(members, max_tokens=max_tokens, now=now, note=note), topic=name, stale=True)
        items = list(self._store.items(kept.items).values())
        newer = come = max(0, members.total - len(items))
        text = digest_text.kept_digest(kept, newer=newer, speech=speech)
        if count_tokens(text) > max_tokens:
            text = digest_text.kept_digest(kept, newer=newer, cited=0, speech=speech)
        left = max_tokens - count_tokens(text)
        if left < 0:
            return replace(self.digest(members, max_tokens=max_tokens, now=now), topic=name)
        if newer:
            known = set(kept.items)
            since = Members([hit for hit in members.hits if hit.item.id not in known], newer)
            added = self.digest(since, max_tokens=max(1, left), now=now)
            if added.items and count_tokens(whole := f"{text}\n{added.text}") <= max_tokens:
                text, items, newer = whole, items + added.items, added.left_out
        return Summary(text, items, newer, count_tokens(text), topic=name, newer=come)

    def plan_keep(self, name: str, digest: str, *, where: Filter, now: datetime) -> KeepDigest:
        """Return the step that stores a text as a topic's digest, covering what is known about the topic.

        Raises InvalidInput where the text can't be stored, NotFound where nothing is known about the topic.
        """
        text = require_clean(digest, "digest").strip()
        if (length := len(name)) > MAX_NAME:
            raise InvalidInput(f"topic has {length} characters; name what a digest is kept of in at most {MAX_NAME}.")
        if not text or count_tokens(text) > MAX_KEPT:
            raise InvalidInput(f"digest must hold between 1 and {MAX_KEPT} tokens of text.")
        if not where.scopes:
            raise InvalidInput("A kept digest belongs to one scope: give user, project, or a project's name.")
        members = self._about(name, query=None, where=where, now=now)
        if not members.hits:
            raise NotFound(f"Nothing is known about {name!r}, so there is nothing its digest could stand for.")
        return KeepDigest(name, where.scopes[-1], text, tuple(hit.item.id for hit in members.hits))

    def _about(self, name: str, *, query: str | None, where: Filter, now: datetime) -> Members:
        """Return the items tagged with the topic's name and those clustered with them, else those that answer it as a query."""
        gathered = self._gathered(name, where) if query is None and where.as_of is None else []
        tagged = replace(where, tags=(name,))
        if self._count(tagged):
            members = self.members(query=query, where=tagged, now=now)
            known = {hit.item.id for hit in members.hits}
            added = self.with_replaced([item for item in gathered if item.id not in known])[: MEMBERS - len(known)]
            return Members([*members.hits, *added], members.total + len(added))
        if gathered:
            return Members(self.with_replaced(gathered), len(gathered))
        return self.members(query=query or name, where=where, now=now)

    def topic_called(self, name: str, scopes: Sequence[str]) -> Topic | None:
        """Return the topic of a name, else the one whose keywords include all of its words."""
        of_name = self._store.topics(scopes=scopes, limit=LOOKED_AT, name=name)
        named = {topic.scope: topic for topic in reversed(of_name)}
        for scope in reversed(scopes or list(named)):
            if scope in named:
                return named[scope]
        terms = list(dict.fromkeys(terms_of(name)))
        found = self._store.topics(scopes=scopes, limit=LOOKED_AT, terms=terms) if terms else []
        return next((topic for topic in found if keyword_coverage(terms, topic.keywords) == 1), None)

    def _gathered(self, name: str, where: Filter) -> list[Item]:
        topic = self.topic_called(name, where.scopes)
        latest = topic.items[: -LATEST - 1 : -1] if topic else ()
        items = self._store.items(latest) if latest else {}
        return [items[number] for number in latest if number in items and _lets_through(where, items[number])]

    def _made(
        self, name: str, members: Members, scopes: Sequence[str], *, max_tokens: int, now: datetime
    ) -> Summary | None:
        """Return the topic's stored excerpts as a digest, where they are fresh and cover what fits into `max_tokens`."""
        topic = self.topic_called(name, scopes) if max_tokens <= DIGEST_TOKENS else None
        if topic is None:
            return None
        sentences = self.made_sentences(topic)
        known = {hit.item.id for hit in members.hits}
        if not sentences or not {sentence.item.id for sentence in sentences} <= known:
            return None
        left = max_tokens - _frame(members, now=now)
        fitting: list[Sentence] = []
        for sentence in sentences:
            cost = _cost(sentence, now=now)
            if cost <= left:
                fitting.append(sentence)
                left -= cost
        return _composed(fitting, members, now=now) if fitting else None

    def made_sentences(self, topic: Topic) -> list[Sentence]:
        """Return the sentences of a topic's stored excerpts, the most important first; none where stale."""
        if topic.stale or not topic.sentences:
            return []
        ids = list(dict.fromkeys(excerpt.item for excerpt in topic.sentences))
        items = self._store.items(ids)
        replaced = self._store.replaced_by(ids)
        was = {item: replaced[item][0].text if item in replaced else None for item in ids}
        return [
            Sentence(excerpt.text, item, was[item.id] if item.text.lstrip().startswith(excerpt.text) else None)
            for excerpt in topic.sentences
            if (item := items.get(excerpt.item)) is not None
        ]

    def _kept(self, name: str, scopes: Sequence[str], as_of: int | None) -> Topic | None:
        """Return the handed-in digest of a topic in the narrowest of the scopes; without scopes the latest."""
        found = {topic.scope: topic for topic in reversed(self._store.digests(as_of=as_of)) if topic.name == name}
        return next((found[scope] for scope in reversed(scopes or list(found)) if scope in found), None)

    def _measure(self, candidates: Sequence[Sentence], encoded: int) -> tuple[list[Sentence], Vector]:
        """Return the sentences with their vectors: the encoder's where it is loaded, else those of their words.

        Of many sentences, those that are the whole of their item have its vector, and the first `encoded` others are encoded;
        the rest are left out.
        """
        if not candidates:
            return [], np.zeros((0, 1), np.float32)
        encoder, _ = self._recaller.usable_encoder()
        if encoder is None:
            return list(candidates), HashingEncoder().encode([sentence.text for sentence in candidates])
        stored: dict[ItemId, Vector] = {}
        if len(candidates) > encoded:
            whole = [one.item.revision_id for one in candidates if one.text == one.item.text.strip()]
            states = self._store.revisions(whole, encoder=encoder.identity).values()
            stored = {state.item.id: state.embedding.vector for state in states if state.embedding}
        rest = [number for number, sentence in enumerate(candidates) if sentence.item.id not in stored][:encoded]
        made = encoder.encode([candidates[number].text[:READ] for number in rest])
        vectors = {number: made[place] for place, number in enumerate(rest)}
        known = [(number, stored.get(sentence.item.id)) for number, sentence in enumerate(candidates)]
        vectors |= {number: vector for number, vector in known if vector is not None}
        order = sorted(vectors)
        return [candidates[number] for number in order], np.array([vectors[number] for number in order], np.float32)


def _composed(ranked: Sequence[Sentence], members: Members, *, now: datetime, note: str = "") -> Summary:
    picked = sorted(
        ranked,
        key=lambda one: (
            *(salience.local_time_of(one.item, now=now), one.item.source_id, one.item.position),
            one.item.text.find(one.text),
        ),
    )
    covered = {sentence.item.id: sentence.item for sentence in picked}
    left_out = members.total - len(covered)
    digest = digest_text.digest(picked, left_out=left_out, now=now)
    text = "\n".join(filter(None, [digest if members.hits else "Nothing is known about this yet.", note]))
    return Summary(text, list(covered.values()), left_out, count_tokens(text))


def _cost(sentence: Sentence, *, now: datetime) -> int:
    return count_tokens(digest_text.digest_line(sentence, now=now)) + 1


def _frame(members: Members, *, now: datetime, note: str = "") -> int:
    return count_tokens("\n".join([digest_text.digest([], left_out=members.total, now=now), note])) + 2


def _lets_through(where: Filter, item: Item) -> bool:
    """Return whether a live item passes a filter, `as_of` aside."""
    happened = item.recorded_at + where.zone_offset if item.occurred_at is None else item.occurred_at
    return (
        (not where.scopes or item.scope in where.scopes)
        and (not where.kinds or item.kind in where.kinds)
        and (not where.tags or bool(set(where.tags) & set(item.tags)))
        and (item.pinned or not where.pinned_only)
        and (where.since is None or happened >= where.since)
        and (where.until is None or happened < where.until)
    )
