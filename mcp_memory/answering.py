"""Answering: what was found, or a session should begin with, as the text that recall gives within its budget."""

import time
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches

from mcp_memory import compose, context, paging
from mcp_memory.digesting import narrows
from mcp_memory.domain import Filter, Item, ItemId
from mcp_memory.gathering import Gatherer
from mcp_memory.recalling import Found, Recaller
from mcp_memory.results import Recall
from mcp_memory.store import Store
from mcp_memory.text import count_tokens

TOPICS = 5
"""Topics that a session's start may name, those that changed last."""

ALIKE = 0.8
"""How alike the name of a scope must be to be asked about (difflib's ratio): a letter too few or two swapped, of five."""


class Answerer:
    """Puts into words what a recaller finds. Thread-safe."""

    def __init__(self, store: Store, recaller: Recaller, gatherer: Gatherer) -> None:
        self._store = store
        self._gatherer = gatherer
        self._recaller = recaller

    def answer(self, query: str, found: Found, *, where: Filter, max_tokens: int, full: bool, now: datetime) -> Recall:
        """What was found for a question; with `full` each hit has what stands around it in its source.

        A lead with the topic's digest stands first where the question is about more of a topic than the answer holds.
        """
        if not found.hits:
            notes = (*found.notes, *self._meant(where.scopes))
            text = "\n".join(["Nothing relevant is known.", *notes])
            return Recall([], 0, text, count_tokens(text), notes, found.timings)
        start = time.perf_counter()
        contexts = self._contexts([hit.item for hit in found.hits], where, full=full)
        count = max(found.total, len(found.hits))

        def pack(budget: int) -> compose.Packed:
            return compose.answer(
                found.hits, count=count, notes=found.notes, max_tokens=budget, now=now, contexts=contexts
            )

        packed = pack(max_tokens)
        more = count - len(packed.hits)
        lead = self._gatherer.lead(query, packed.hits, more=more, where=where, now=now)
        if lead:
            packed = paging.led(packed, lead, max_tokens=max_tokens, repack=pack)
        timings = found.timings | {"packing": (time.perf_counter() - start) * 1000}
        return Recall(packed.hits, more, packed.text, count_tokens(packed.text), found.notes, timings)

    def session_start(self, *, where: Filter, limit: int | None, max_tokens: int, full: bool, now: datetime) -> Recall:
        """What a session should begin with. Nobody counts it as a use: what it shows would keep all else out of it."""

        def passage(item: Item) -> str:
            return compose.passage_around(self._store.source(item.source_id, as_of=where.as_of), item.span)

        topics = [] if narrows(where) else self._gatherer.topics(where.scopes, limit=TOPICS)
        parts = self._recaller.core(where=where, topics=topics, now=now, passage=passage if full else None)
        if not any(part.lines for part in parts):
            notes = self._meant(where.scopes)
            text = "\n".join(["Nothing is remembered here yet.", *notes])
            return Recall([], 0, text, count_tokens(text), notes)
        total = self._store.count(where=where)
        packed = context.pack(parts, max_tokens=max_tokens, limit=limit, total=total, now=now)
        return Recall(packed.hits, max(0, total - len(packed.hits)), packed.text, count_tokens(packed.text))

    def _meant(self, asked: Sequence[str]) -> tuple[str, ...]:
        """What to tell where nothing is in the one scope asked for, and another's name is nearly or in part the same."""
        if len(asked) != 1 or (known := self._store.scopes()).count(asked[0]):
            return ()
        short = {name.rpartition("/")[2].casefold(): name for name in known} | {name.casefold(): name for name in known}
        near = [short[name] for name in get_close_matches(asked[0].casefold(), short, cutoff=ALIKE)]
        near = [f'scope="{compose.one_line(name)}"' for name in dict.fromkeys(near)]
        return (
            (f"Nothing has the scope {compose.one_line(asked[0])}; if another is meant: {', '.join(near)}.",)
            if near
            else ()
        )

    def _contexts(self, items: Sequence[Item], where: Filter, *, full: bool) -> dict[ItemId, compose.Context]:
        """What stands around each item: its neighbours, and in full what its source says there."""
        around = self._store.neighbours([item.id for item in items], where=where)
        return {
            item.id: compose.Context(
                compose.passage_around(self._store.source(item.source_id, as_of=where.as_of), item.span)
                if full
                else "",
                *around.get(item.id, (None, None)),
                told=full,
            )
            for item in items
        }
