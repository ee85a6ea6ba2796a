"""Answering: what was found, or a session should begin with, as the text that recall gives within its budget."""

import time
from collections.abc import Collection, Sequence
from datetime import datetime

from mcp_memory.domain.call_hints import Speech
from mcp_memory.domain.model import (
    USER,
    Caller,
    Filter,
    Item,
    ItemId,
)
from mcp_memory.domain.results import Recall
from mcp_memory.language.token_count import count_tokens
from mcp_memory.recall.pipeline import Recaller, SearchResult
from mcp_memory.remember.scope_suggestions import meant
from mcp_memory.render import packing, session_context
from mcp_memory.render import session_start as render_session_start
from mcp_memory.store import Store
from mcp_memory.topics import lead as topics_lead
from mcp_memory.topics.digests import narrows
from mcp_memory.topics.indexer import Gatherer

TOPICS = 5
"""Topics that a session's start may name, those that changed last."""


class Answerer:
    """Puts into words what a recaller finds. Thread-safe."""

    def __init__(self, store: Store, recaller: Recaller, gatherer: Gatherer) -> None:
        self._store = store
        self._gatherer = gatherer
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
        """What was found for a question; with `full` each hit has what stands around it in its source.

        A lead with the topic's digest stands first where the question is about more of a topic than the answer holds.
        """
        if not found.hits:
            notes = (*found.notes, *self._meant(where.scopes, speech))
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
        lead = self._gatherer.lead(query, packed.hits, more=more, where=where, now=now)
        if lead:
            packed = topics_lead.led(packed, lead, max_tokens=max_tokens, repack=pack)
        timings = found.timings | {"packing": (time.perf_counter() - start) * 1000}
        return Recall(packed.hits, more, packed.text, count_tokens(packed.text), found.notes, timings)

    def session_start(
        self, *, where: Filter, limit: int | None, max_tokens: int, full: bool, now: datetime, speech: Speech
    ) -> Recall:
        """What a session should begin with. Nobody counts it as a use: what it shows would keep all else out of it."""

        def passage(item: Item) -> str:
            return packing.passage_around(self._store.source(item.source_id, as_of=where.as_of), item.span)

        topics = [] if narrows(where) else self._gatherer.topics(where.scopes, limit=TOPICS)
        parts = render_session_start.core(
            self._store, where=where, topics=topics, now=now, passage=passage if full else None
        )
        if not any(part.lines for part in parts):
            notes = self._meant(where.scopes, speech)
            text = "\n".join(["Nothing is remembered here yet.", *notes])
            return Recall([], 0, text, count_tokens(text), notes)
        total = self._store.count(where=where)
        packed = session_context.pack(parts, max_tokens=max_tokens, limit=limit, total=total, now=now)
        return Recall(packed.hits, max(0, total - len(packed.hits)), packed.text, count_tokens(packed.text))

    def _meant(self, asked: Sequence[str], speech: Speech) -> tuple[str, ...]:
        """What to tell where nothing is in the one scope asked for, and another's name is nearly or in part the same."""
        near = meant(asked[0], self._store.scopes()) if len(asked) == 1 else []
        return (f"Nothing has the scope {packing.one_line(asked[0])}{_if_another(near, speech)}",) if near else ()

    def slips(self, scopes: Collection[str], caller: Caller) -> tuple[str, ...]:
        """What to tell of scopes named for what is to be kept that are new and nearly named as another, a line each."""
        named = sorted(set(scopes) - {USER, caller.project})
        known = self._store.scopes() if named else []
        return tuple(
            f"{packing.one_line(name)} is a scope that nothing had before{_if_another(near, caller.speech)}"
            for name in named
            if (near := meant(name, known))
        )

    def _contexts(self, items: Sequence[Item], where: Filter, *, full: bool) -> dict[ItemId, packing.Context]:
        """What stands around each item: its neighbours, and in full what its source says there."""
        around = self._store.neighbours([item.id for item in items], where=where)
        return {
            item.id: packing.Context(
                packing.passage_around(self._store.source(item.source_id, as_of=where.as_of), item.span)
                if full
                else "",
                *around.get(item.id, (None, None)),
                told=full,
            )
            for item in items
        }


def _if_another(near: Sequence[str], speech: Speech) -> str:
    return f"; if another is meant: {', '.join(speech.option('scope', packing.one_line(name)) for name in near)}."
