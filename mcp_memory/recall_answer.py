"""Rendering what recall answers: the hits of a question, or what a session begins with, within a token budget."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mcp_memory.domain.call_hints import Speech
from mcp_memory.domain.model import Filter, Item, ItemId, SourceId
from mcp_memory.domain.results import Recall
from mcp_memory.language.token_count import count_tokens
from mcp_memory.recall import ranking
from mcp_memory.recall.search import Searcher, SearchResult
from mcp_memory.remember.scope_suggestions import unknown_scope_notes
from mcp_memory.render import packing, session_context
from mcp_memory.render import session_start as render_session_start
from mcp_memory.render.item_text import Context, passage_around
from mcp_memory.store import Store
from mcp_memory.topics import lead as topics_lead
from mcp_memory.topics.indexer import TopicIndexer

TOPICS = 5
"""Topics that a session's start may name, those that changed last."""
BEHIND = "Some memories have no vector yet: they were found by their words alone."
FEWER = (
    f"A question is answered with {ranking.CANDIDATES} memories at most, not {{limit}}; "
    "narrow it with since, until, tags or scope to see others."
)


def with_notes(found: SearchResult, *, limit: int | None, pending: bool) -> SearchResult:
    """Add notes to a result: that vectors were still pending, and that fewer than `limit` can be returned."""
    notes = found.notes or ((BEHIND,) if pending else ())
    if limit and limit > ranking.CANDIDATES:
        notes = (*notes, FEWER.format(limit=limit))
    return replace(found, notes=notes) if notes != found.notes else found


class RecallRenderer:
    """Renders what a recaller finds. Thread-safe."""

    def __init__(self, store: Store, recaller: Searcher, topic_indexer: TopicIndexer) -> None:
        self._store = store
        self._topic_indexer = topic_indexer
        self._recaller = recaller

    def answer(
        self,
        query: str,
        found: SearchResult,
        *,
        where: Filter,
        max_tokens: int,
        full: bool,
        now: datetime,
        speech: Speech,
    ) -> Recall:
        """Render the hits of a question; with `full` each with the passage around it in its source.

        The topic's digest stands first where the question is about more of a topic than the answer holds.
        """
        if not found.hits:
            notes = (*found.notes, *self._unknown_scope_notes(where, speech))
            text = "\n".join(["Nothing relevant is known.", *notes])
            return Recall([], 0, text, count_tokens(text), notes, found.timings)
        start = time.perf_counter()
        contexts = self._contexts([hit.item for hit in found.hits], where, full=full)
        count = max(found.total, len(found.hits))

        def pack(budget: int) -> packing.Packed:
            return packing.answer(
                found.hits, count=count, notes=found.notes, max_tokens=budget, now=now, contexts=contexts, speech=speech
            )

        packed = pack(max_tokens)
        more = count - len(packed.hits)
        lead = self._topic_indexer.lead(query, packed.hits, more=more, where=where, now=now)
        if lead:
            packed = topics_lead.prepend_lead(packed, lead, max_tokens=max_tokens, repack=pack)
        timings = found.timings | {"packing": (time.perf_counter() - start) * 1000}
        return Recall(packed.hits, more, packed.text, count_tokens(packed.text), found.notes, timings)

    def session_start(
        self, *, where: Filter, limit: int | None, max_tokens: int, full: bool, now: datetime, speech: Speech
    ) -> Recall:
        """Render the core context of a session. It counts as no use: what it shows would keep all else out of it."""

        def passage(item: Item) -> str:
            return self._passage(item, where)

        topics = [] if where.is_narrowed else self._topic_indexer.topics(where.scopes, limit=TOPICS)
        parts = render_session_start.core(
            self._store, where=where, topics=topics, now=now, passage=passage if full else None
        )
        if not any(part.lines for part in parts):
            notes = self._unknown_scope_notes(where, speech)
            text = "\n".join(["Nothing is remembered here yet.", *notes])
            return Recall([], 0, text, count_tokens(text), notes)
        total = sum(count.items for count in self._store.counts(where=where))
        packed = session_context.pack(parts, max_tokens=max_tokens, limit=limit, total=total, now=now)
        return Recall(packed.hits, max(0, total - len(packed.hits)), packed.text, count_tokens(packed.text))

    def _unknown_scope_notes(self, where: Filter, speech: Speech) -> tuple[str, ...]:
        if len(where.scopes) != 1:
            return ()
        known = [count.scope for count in self._store.counts(where=Filter())]
        return unknown_scope_notes(where.scopes, known, speech)

    def _contexts(self, items: Sequence[Item], where: Filter, *, full: bool) -> dict[ItemId, Context]:
        """Return the neighbours of each item in its source, and in full detail the passage around it."""
        around = self._neighbours(items, where)
        return {
            item.id: Context(
                self._passage(item, where) if full else "",
                around.get((item.source_id, item.position - 1)),
                around.get((item.source_id, item.position + 1)),
                with_origin=full,
            )
            for item in items
        }

    def _passage(self, item: Item, where: Filter) -> str:
        return passage_around(self._store.source(item.source_id, as_of=where.as_of), item.span)

    def _neighbours(self, items: Sequence[Item], where: Filter) -> dict[tuple[SourceId, int], Item]:
        """Return the items right before and after these in their sources, by place."""
        places = {
            (item.source_id, item.position + shift)
            for item in items
            if item.source_kind != "words"
            for shift in (-1, 1)
        }
        found = self._store.revisions_at(places, where=where) if places else {}
        states = self._store.revisions(list(found)).values() if found else ()
        return {(state.item.source_id, state.item.position): state.item for state in states}
