"""The topic index, brought up to date in small transactions."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Literal

from mcp_memory.domain.model import (
    Filter,
    Hit,
    ItemId,
    Topic,
)
from mcp_memory.domain.topic_index import (
    Batch,
    Described,
    Description,
    Excerpt,
    Member,
    Newcomer,
    Terms,
    Touched,
)
from mcp_memory.encoders.embedding import reads
from mcp_memory.language.dates.periods import to_ms
from mcp_memory.language.tokenization import Span
from mcp_memory.recall.pipeline import Recaller
from mcp_memory.render.session_context import told_topics
from mcp_memory.store import Store
from mcp_memory.topics import lead as topics_lead
from mcp_memory.topics.clustering import (
    counts_of,
    describe,
    gather,
    parts_with,
    told_with,
    twins,
    weights,
)
from mcp_memory.topics.digests import (
    DIGEST_TOKENS,
    Digester,
    Members,
    narrows,
)
from mcp_memory.topics.keywords import name_of, terms_of
from mcp_memory.topics.zh_subjects import part_of

PATCH_ITEMS = 64
"""Changed items that are placed at once."""
PATCH_TOPICS = 16
PATCH_MEMBERS = 512
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


class Gatherer:
    """Keeps topics in step with items. Thread-safe, and safe for several processes on one file.

    A patch is planned on a read and applied in one short transaction, unless another was applied in between.
    """

    def __init__(self, store: Store, recaller: Recaller, digester: Digester, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._recaller = recaller
        self._digester = digester
        self._clock = clock
        self._lock = threading.Lock()
        self._rarity: dict[str, float] = {}
        self._rarity_of = 0

    def run(self, stop: Callable[[], bool], progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Apply patches, at least one, until everything is up to date or `stop` returns true."""
        total = max(1, self._store.topic_index.pending())
        while (done := self.patch()) != "idle":
            if stop():
                return
            if done == "lost":
                time.sleep(BACK_OFF)
            left = self._store.topic_index.pending()
            total = max(total, left)
            progress(total - left, total)

    def patch(self) -> Done:
        """Do the next piece of work, of at most PATCH_ITEMS items or PATCH_TOPICS topics.

        Changed items leave their topics, which are described without them; the items are assigned anew, and the topics they
        touched are described.
        """
        with self._lock:
            encoder = self._store.serving_encoder()
            if self._store.topic_index.encoder() not in (None, encoder):
                self._store.topic_index.restart()
            if (done := self._describe(encoder, lost=True)) != "idle":
                return done
            batch = self._store.topic_index.batch(encoder=encoder, limit=PATCH_ITEMS)
            if batch is None:
                return self._describe(encoder)
            if batch.placed:
                return "worked" if self._store.topic_index.leave(batch) else "lost"
            return self._place(batch, encoder)

    def _place(self, batch: Batch, encoder: str | None) -> Done:
        index = self._store.topic_index
        newcomers, _ = self._profiles(batch.members)
        around = index.around(batch.scope, {term for newcomer in newcomers for term in newcomer.terms})
        if around.generation != batch.generation:
            return "lost"
        gathered = gather(newcomers, around.clusters, around.shared, floor=self._floor())
        return "worked" if index.place(batch, gathered, encoder=encoder) else "lost"

    def _describe(self, encoder: str | None, *, lost: bool = False) -> Done:
        """Describe as many touched topics of a scope as a patch holds, and merge those that have become one."""
        index = self._store.topic_index
        touched = _patch_of(index.touched(encoder=encoder, limit=PATCH_TOPICS, lost=lost))
        if not touched:
            return "idle"
        told: list[Description] = []
        for topic in touched:
            profiles, rarity = self._profiles(topic.members)
            told.append(describe([member.item for member in topic.members], profiles, rarity))
        generation = touched[0].generation
        around = index.around(touched[0].scope, {term for description in told for term in description.terms})
        if around.generation != generation:
            return "lost"
        now = [
            replace(topic.cluster, size=len(topic.members), mean=description.mean, measured=description.measured)
            for topic, description in zip(touched, told, strict=True)
        ]
        terms = [description.terms for description in told]
        united = twins(list(zip(now, terms, strict=True)), around.clusters, around.shared, floor=self._floor())
        names = dict(around.names)
        described: list[Described] = []
        for topic, description in zip(touched, told, strict=True):
            names.pop(topic.cluster.id, None)
            name = _name(topic, description, names.values())
            if name:
                names[topic.cluster.id] = name
            covered = tuple(member.revision_id for member in topic.members)
            excerpts = () if topic.cluster.id in dict(united) else self._excerpts(topic)
            described.append(Described(topic.cluster.id, name, description, excerpts, covered))
        at = to_ms(self._clock())
        return "worked" if index.describe(generation, described, united=united, at=at) else "lost"

    def _excerpts(self, topic: Touched) -> tuple[Excerpt, ...]:
        """Return the sentences of a digest made ahead, the most important first."""
        if len(topic.members) < 2:
            return ()
        hits = self._digester.with_replaced([member.item for member in topic.members])
        ranked = self._digester.ranked(
            Members(hits, len(hits)), max_tokens=DIGEST_TOKENS, now=self._clock(), encoded=ENCODED
        )
        numbers = {member.item.id: member.revision_id for member in topic.members}
        starts = [sentence.item.text.find(sentence.text) for sentence in ranked]
        return tuple(
            Excerpt(numbers[sentence.item.id], Span(start, start + len(sentence.text)))
            for sentence, start in zip(ranked, starts, strict=True)
        )

    def _profiles(self, members: Sequence[Member]) -> tuple[list[Newcomer], dict[str, float]]:
        """Return the term vectors of members, and the inverse document frequencies of all their terms."""
        counts = [counts_of(member.item.text, member.around) for member in members]
        terms = sorted({term for count in counts for term in count})
        rarity = self._rarities(terms)
        encoder, _ = self._recaller.usable_encoder()
        languages = encoder.languages if encoder else ()
        profiles = [
            Newcomer(
                id=member.item.id,
                revision_id=member.revision_id,
                tags=member.item.tags,
                vector=member.vector if reads(languages, member.item.text) else None,
                terms={
                    **weights(count, rarity),
                    **told_with(member.together),
                    **({} if reads(languages, member.item.text) else _parts(member)),
                },
            )
            for member, count in zip(members, counts, strict=True)
        ]
        return profiles, rarity

    def _rarities(self, terms: Sequence[str]) -> dict[str, float]:
        """Return inverse document frequencies, cached while the store is within AGED of its size."""
        _, total = self._store.rarity([])
        if abs(total - self._rarity_of) > AGED * self._rarity_of or len(self._rarity) > REMEMBERED:
            self._rarity, self._rarity_of = {}, total
        unknown = [term for term in terms if term not in self._rarity]
        self._rarity |= zip(unknown, self._store.rarity(unknown)[0], strict=True)
        return {term: self._rarity[term] for term in terms}

    def _floor(self) -> float:
        encoder, _ = self._recaller.usable_encoder()
        return encoder.noise.mean if encoder else 0.0

    # what is told of topics

    def topics(self, scopes: Sequence[str] = (), *, limit: int = LISTED) -> list[Topic]:
        """Return the topics, the latest changed first; a handed-in digest takes the place of an extracted one."""
        found = [topic for _, topic in self._store.topic_index.topics(scopes=scopes, limit=limit)]
        return told_topics(found, self._store.topics(), scopes=scopes, limit=limit)

    def lead(self, query: str, hits: Sequence[Hit], *, more: int, where: Filter, now: datetime) -> list[str]:
        """Return candidate leads of an answer (lead.lead_candidates); none where a filter leaves out a part of a topic."""
        if not query or narrows(where):
            return []
        index = self._store.topic_index
        asked = set(terms_of(query))
        fresh = [topic for topic in self._store.topics() if not topic.stale]
        shown = [hit.item.id for hit in hits]
        if lead := _lead_with_kept(fresh, asked, shown, scopes=where.scopes):
            return lead
        of_items = index.of_items([hit.item.id for hit in hits])
        of_hits = [of_items.get(hit.item.id, ()) for hit in hits]
        about = topics_lead.dominant_topic(of_hits, more=more)
        told: list[Topic] = []
        cluster = 0
        for cluster in dict.fromkeys([about] if about is not None else [one for topics in of_hits for one in topics]):
            told = [topic for _, topic in index.topics(scopes=where.scopes, limit=1, only=cluster)]
            if told and (cluster == about or topics_lead.named(told[0], asked)):
                break
            told = []
        if not told:
            return []
        for kept in fresh:
            if (kept.name, kept.scope) == (told[0].name, told[0].scope):
                return topics_lead.lead_candidates_kept(kept, shown=shown)
        sentences = self._digester.kept_sentences(cluster)
        return topics_lead.lead_candidates(told[0], sentences, query=query, shown=shown, now=now)


def _lead_with_kept(
    handed_in: Iterable[Topic], asked: Set[str], shown: Sequence[ItemId], *, scopes: Sequence[str]
) -> list[str]:
    """Return a lead with a handed-in digest whose name is in the question, where the answer holds any of its items."""
    for topic in handed_in:
        if (not scopes or topic.scope in scopes) and topics_lead.named(topic, asked):
            return topics_lead.lead_candidates_kept(topic, shown=shown) if set(shown).intersection(topic.items) else []
    return []


def _patch_of(touched: Sequence[Touched]) -> list[Touched]:
    """Return the first topics with up to PATCH_MEMBERS members together, at least one."""
    members = 0
    for number, topic in enumerate(touched):
        members += len(topic.members)
        if number and members > PATCH_MEMBERS:
            return list(touched[:number])
    return list(touched)


def _name(topic: Touched, told: Description, taken: Iterable[str]) -> str:
    """Return a tag as its topic's name, and keep a name with a handed-in digest; a single item needs none."""
    if topic.cluster.tag is not None:
        return topic.cluster.tag
    if topic.held and topic.name:
        return topic.name
    if len(topic.members) < 2:
        return ""
    return name_of(told.keywords, leading=told.leading, old=topic.name, taken=taken)


def _parts(member: Member) -> Terms:
    """Return what a statement in a language that the encoder does not know shares with its session."""
    return parts_with(member.together, part_of(member.told, member.place)) if member.told else {}
