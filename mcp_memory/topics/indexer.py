"""The topic index, brought up to date in small transactions."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Literal

from mcp_memory.domain import topic_index
from mcp_memory.domain.model import Filter, Hit, ItemId, Topic
from mcp_memory.domain.topic_index import Batch, Description, DirtyCluster, Member, Terms, TopicWork, UnassignedItem
from mcp_memory.language.dates.periods import to_ms
from mcp_memory.language.tokenization import Span, supports_language
from mcp_memory.recall.search import Searcher
from mcp_memory.render.session_context import with_kept_digests
from mcp_memory.store import Store
from mcp_memory.topics import clustering
from mcp_memory.topics import lead as topics_lead
from mcp_memory.topics.digests import DIGEST_TOKENS, Digester, Members
from mcp_memory.topics.keywords import choose_name, terms_of
from mcp_memory.topics.zh_subjects import subjects_of

STEP_ITEMS = 64
"""Changed items that are placed at once."""
STEP_TOPICS = 16
STEP_MEMBERS = 512
"""Topics that are described at once, and members of theirs, whatever is reached first."""
ENCODED = 24
"""Sentences that are measured for a digest made ahead: a tenth of a second."""
BACK_OFF = 0.05
"""Seconds to wait where another process was faster."""
AGED = 0.1
REMEMBERED = 20_000
"""A look-up of how rare a word is takes 80 µs: so many are remembered, until the store has grown by AGED of its size."""
LISTED = 500

Done = Literal["worked", "idle", "lost"]


class TopicIndexer:
    """Keeps topics in step with items. Thread-safe, and safe for several processes on one file.

    A patch is planned on a read and applied in one short transaction, unless another was applied in between.
    """

    def __init__(self, store: Store, recaller: Searcher, digester: Digester, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._recaller = recaller
        self._digester = digester
        self._clock = clock
        self._lock = threading.Lock()
        self._rarity: dict[str, float] = {}
        self._rarity_of = 0

    def run(self, stop: Callable[[], bool], progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Take step after step, at least one, until all is up to date or `stop` says so."""
        total = 1
        while True:
            done, left = self.step()
            if done == "idle" or stop():
                return
            if done == "lost":
                time.sleep(BACK_OFF)
            total = max(total, left)
            progress(total - left, total)

    def step(self) -> tuple[Done, int]:
        """Do the next piece of work, of at most STEP_ITEMS items or STEP_TOPICS topics; return how much waited for it.

        Changed items leave their topics, these are summarised without them, the items are assigned anew, and in the end
        the topics they joined are summarised.
        """
        with self._lock:
            encoder = self._store.serving_encoder()
            work = self._next(encoder)
            if work.encoder not in (None, encoder):
                self._store.apply_topics(topic_index.Rebuild())
                work = self._next(encoder)
            if work.dirty:
                change = self._summarise(work)
            elif work.batch is None:
                return "idle", 0
            elif work.batch.assigned:
                change = topic_index.Release(work.generation, work.batch)
            else:
                change = self._assign(work, work.batch, encoder)
            done = change is not None and self._store.apply_topics(change)
            return "worked" if done else "lost", work.pending

    def _next(self, encoder: str | None) -> TopicWork:
        return self._store.topic_work(encoder=encoder, items=STEP_ITEMS, clusters=STEP_TOPICS)

    def _assign(self, work: TopicWork, batch: Batch, encoder: str | None) -> topic_index.Assign | None:
        items, _ = self._profiles(batch.members)
        known = self._store.clusters(work.scope, terms={term for item in items for term in item.terms})
        if known.generation != work.generation:
            return None
        assignment = clustering.assign(items, known.clusters, known.shared, floor=self._floor())
        return topic_index.Assign(work.generation, work.scope, batch, assignment, encoder)

    def _summarise(self, work: TopicWork) -> topic_index.Summarise | None:
        """Describe as many dirty topics as a patch holds, and merge those that have come to be one; None as `_assign`."""
        dirty = _patch_of(work.dirty)
        found: list[Description] = []
        for topic in dirty:
            profiles, rarity = self._profiles(topic.members)
            found.append(clustering.summarise([member.item for member in topic.members], profiles, rarity))
        known = self._store.clusters(work.scope, terms={term for one in found for term in one.terms})
        if known.generation != work.generation:
            return None
        now = [
            replace(topic.cluster, size=len(topic.members), mean=description.mean, measured=description.measured)
            for topic, description in zip(dirty, found, strict=True)
        ]
        described = list(zip(now, (description.terms for description in found), strict=True))
        merged = clustering.merge_candidates(described, known.clusters, known.shared, floor=self._floor())
        names = dict(known.names)
        summarised: list[topic_index.Summarised] = []
        for topic, description in zip(dirty, found, strict=True):
            names.pop(topic.cluster.id, None)
            name = _name(topic, description, names.values())
            if name:
                names[topic.cluster.id] = name
            covered = tuple(member.revision_id for member in topic.members)
            quotes = () if topic.cluster.id in dict(merged) else self._quotes(topic)
            summarised.append(topic_index.Summarised(topic.cluster.id, name, description, quotes, covered))
        return topic_index.Summarise(work.generation, tuple(summarised), tuple(merged), to_ms(self._clock()))

    def _quotes(self, topic: DirtyCluster) -> tuple[topic_index.Quote, ...]:
        if len(topic.members) < 2:
            return ()
        hits = self._digester.with_replaced([member.item for member in topic.members])
        members, now = Members(hits, len(hits)), self._clock()
        ranked = self._digester.ranked(members, max_tokens=DIGEST_TOKENS, now=now, encoded=ENCODED)
        numbers = {member.item.id: member.revision_id for member in topic.members}
        starts = [sentence.item.text.find(sentence.text) for sentence in ranked]
        return tuple(
            topic_index.Quote(numbers[sentence.item.id], Span(start, start + len(sentence.text)))
            for sentence, start in zip(ranked, starts, strict=True)
        )

    def _profiles(self, members: Sequence[Member]) -> tuple[list[UnassignedItem], dict[str, float]]:
        """Return the term vectors of members, and the inverse document frequencies of all their terms."""
        counts = [clustering.term_counts(member.item.text, member.neighbours) for member in members]
        terms = sorted({term for count in counts for term in count})
        rarity = self._rarities(terms)
        encoder, _ = self._recaller.usable_encoder()
        languages = encoder.languages if encoder else ()
        profiles = [
            UnassignedItem(
                id=member.item.id,
                revision_id=member.revision_id,
                tags=member.item.tags,
                vector=member.vector if supports_language(languages, member.item.text) else None,
                terms={
                    **clustering.tfidf(count, rarity),
                    **clustering.session_term(member.session),
                    **({} if supports_language(languages, member.item.text) else _parts(member)),
                },
            )
            for member, count in zip(members, counts, strict=True)
        ]
        return profiles, rarity

    def _rarities(self, terms: Sequence[str]) -> dict[str, float]:
        """Return inverse document frequencies, cached while the store is within AGED of its size."""
        _, total = self._store.idf([])
        if abs(total - self._rarity_of) > AGED * self._rarity_of or len(self._rarity) > REMEMBERED:
            self._rarity, self._rarity_of = {}, total
        unknown = [term for term in terms if term not in self._rarity]
        self._rarity |= zip(unknown, self._store.idf(unknown)[0], strict=True)
        return {term: self._rarity[term] for term in terms}

    def _floor(self) -> float:
        encoder, _ = self._recaller.usable_encoder()
        return encoder.noise.mean if encoder else 0.0

    # topics as they are shown

    def topics(self, scopes: Sequence[str] = (), *, limit: int = LISTED) -> list[Topic]:
        """Return the topics, the latest changed first; a handed-in digest takes the place of an extracted one."""
        found = self._store.topics(scopes=scopes, limit=limit)
        return with_kept_digests(found, self._store.digests(), scopes=scopes, limit=limit)

    def lead(self, query: str, hits: Sequence[Hit], *, more: int, where: Filter, now: datetime) -> list[str]:
        """Return candidate leads of an answer (lead.lead_candidates); none where a filter leaves out a part of a topic."""
        if not query or where.is_narrowed:
            return []
        fresh = [topic for topic in self._store.digests() if not topic.stale]
        shown = [hit.item.id for hit in hits]
        topics = self._store.topics(scopes=where.scopes, limit=LISTED, members=shown)
        if not fresh and not topics:
            return []
        asked = set(terms_of(query))
        if lead := _lead_with_kept(fresh, asked, shown, scopes=where.scopes):
            return lead
        of_hits = _topics_of(shown, topics)
        about = topics_lead.dominant_topic(of_hits, more=more)
        topic = topics[about] if about is not None else _named_of(topics, of_hits, asked)
        if topic is None:
            return []
        for kept in fresh:
            if (kept.name, kept.scope) == (topic.name, topic.scope):
                return topics_lead.lead_candidates_kept(kept, shown=shown)
        sentences = self._digester.made_sentences(topic)
        return topics_lead.lead_candidates(topic, sentences, query=query, shown=shown, now=now)


def _topics_of(ids: Sequence[ItemId], topics: Sequence[Topic]) -> list[list[int]]:
    """Return, for each item, the places of the topics that hold it."""
    holding: dict[ItemId, list[int]] = {item: [] for item in ids}
    for place, topic in enumerate(topics):
        for item in holding.keys() & set(topic.items):
            holding[item].append(place)
    return [holding[item] for item in ids]


def _named_of(topics: Sequence[Topic], of_hits: Sequence[Sequence[int]], asked: Set[str]) -> Topic | None:
    """Return the first topic of the hits that a question names."""
    places = dict.fromkeys(place for found in of_hits for place in found)
    return next((topics[place] for place in places if topics_lead.is_named_in(topics[place], asked)), None)


def _lead_with_kept(
    handed_in: Iterable[Topic], asked: Set[str], shown: Sequence[ItemId], *, scopes: Sequence[str]
) -> list[str]:
    """Return a lead with a handed-in digest whose name is in the question, where the answer holds any of its items."""
    for topic in handed_in:
        if (not scopes or topic.scope in scopes) and topics_lead.is_named_in(topic, asked):
            return topics_lead.lead_candidates_kept(topic, shown=shown) if set(shown).intersection(topic.items) else []
    return []


def _patch_of(touched: Sequence[DirtyCluster]) -> list[DirtyCluster]:
    """Return the first topics with up to STEP_MEMBERS members together, at least one."""
    members = 0
    for number, topic in enumerate(touched):
        members += len(topic.members)
        if number and members > STEP_MEMBERS:
            return list(touched[:number])
    return list(touched)


def _name(topic: DirtyCluster, description: Description, taken: Iterable[str]) -> str:
    """Return a tag as its topic's name, and keep a name with a handed-in digest; a single item needs none."""
    if topic.cluster.tag is not None:
        return topic.cluster.tag
    if topic.held and topic.name:
        return topic.name
    if len(topic.members) < 2:
        return ""
    return choose_name(description.keywords, leading=description.leading, old=topic.name, taken=taken)


def _parts(member: Member) -> Terms:
    """Return what a statement in a language that the encoder does not know shares with its session."""
    subjects = subjects_of(member.session_texts, member.position) if member.session_texts else ()
    return clustering.subject_terms(member.session, subjects)
