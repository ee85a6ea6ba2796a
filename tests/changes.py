"""Changes that tests do to a memory at random, and all that can be seen of it."""

import random
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from clock import Clock
from hypothesis import strategies as st

from mcp_memory.domain.model import Entry, Filter, Item, Turn
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import NotFound
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.store import SqliteStore

ENCODER = HashingEncoder(64)
SCOPES = ("user", "web")
TOPICS = ("port", "tea")
TEXTS = (
    "The deploy port is 8080.",
    "The deploy port is 9090.",
    "The deploy port is 7070.",
    "Maya drinks green tea.",
    "Maya drinks black tea.",
    "Die Tür ist grün.",
    "奶奶的生日是农历八月十五。",
)
QUERIES = ("deploy port", "tea Maya", "Tür", "生日", "Bob lunch", "chapter")
TALKS = (
    (Turn("Shall we have lunch at noon?", "Bob", "2026-02-01"), Turn("Noon is fine.", "Ann", "2026-02-01")),
    (
        Turn("Shall we have lunch at noon?", "Bob", "2026-02-01"),
        Turn("Noon is fine.", "Ann", "2026-02-01"),
        Turn("See you there.", "Bob", "2026-02-01"),
    ),
)
DOCUMENTS = tuple(
    "\n\n".join(f"# Part {part}\n" + f"Chapter {part} tells of many things at length. " * 30 for part in range(parts))
    for parts in (2, 3)
)


class Kept:
    """A memory, a store beside it that looks into the same file, and a clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.memory = Memory.open(path, model=ENCODER, clock=self.clock)
        self.memory.wait_for_encoder()
        self.store = SqliteStore(path, clock=lambda: 0, read_only=True)

    def close(self) -> None:
        self.store.close()
        self.memory.close()

    def ids(self) -> list[str]:
        return [item.id for item in self.memory.listing(ItemQuery("all"), limit=1000)]


def said(item: Item) -> Item:
    """An item but for the number of its state."""
    return replace(item, revision=0)


def visible(kept: Kept, as_of: datetime | None = None) -> dict[str, Any]:
    """All that can be seen: items with their fields and counts, what they replaced, digests, what each search reaches."""
    moment = None if as_of is None else as_of.isoformat()
    select = ItemQuery("all", as_of=moment)
    memory, store = kept.memory, kept.store
    where = Filter(as_of=None if as_of is None else int(as_of.timestamp() * 1000) + 999)
    hits = memory.recall(select=select, limit=1000, max_tokens=100_000, detail="full").hits
    words = {
        query: {state.item.id for state in store.revisions([c.revision_id for c in found]).values()}
        for query in QUERIES
        for found in [store.search_text(query, where=where, limit=1000)]
    }
    serving = store.serving_encoder()
    near = store.search_vectors(ENCODER.encode(["tea"])[0], encoder=ENCODER.identity, where=where, limit=1000)
    return {
        "listed": [said(item) for item in memory.listing(select, limit=1000)],
        "was": {hit.item.id: [said(item) for item in hit.was] for hit in hits},
        "recalled": {hit.item.id: said(hit.item) for hit in hits},
        "topics": [replace(t, items=tuple(sorted(t.items))) for t in store.digests(as_of=where.as_of)],
        "words": words,
        "vectors": {(store.revisions([c.revision_id])[c.revision_id].item.id, round(c.score, 3)) for c in near}
        if serving
        else set[Any](),
    }


def sources(kept: Kept) -> dict[str, str]:
    """What can be read of each source there is."""
    return {
        item.source_id: kept.memory.source(item.source_id).text
        for item in kept.memory.listing(ItemQuery("all"), limit=1000)
    }


# any sequence of operations

Change = tuple[Any, ...]
NUMBER = st.integers(0, 30)
CHANGE = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(TEXTS), st.sampled_from(SCOPES)),
    st.tuples(st.just("say"), st.sampled_from(TEXTS), st.sampled_from(SCOPES)),
    st.tuples(st.just("batch"), st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), st.sampled_from(SCOPES)),
    st.tuples(st.just("replace"), st.sampled_from(TEXTS), NUMBER),
    st.tuples(st.just("talk"), st.sampled_from(TALKS), st.sampled_from(SCOPES)),
    st.tuples(st.just("document"), st.sampled_from(DOCUMENTS), st.sampled_from(SCOPES)),
    st.tuples(st.just("reword"), st.sampled_from(TEXTS), NUMBER),
    st.tuples(st.just("amend"), st.sampled_from([{"kind": "note"}, {"tags": ["port"]}, {"pinned": True}]), NUMBER),
    st.tuples(st.just("confirm"), NUMBER),
    st.tuples(st.just("forget"), NUMBER, st.integers(1, 3)),
    st.tuples(st.just("digest"), st.sampled_from(TOPICS), st.sampled_from(SCOPES), st.sampled_from(["short", "long"])),
)


def carry_out(kept: Kept, change: Change) -> None:
    """Do one thing to a memory, where there is something to do it to."""
    memory, ids = kept.memory, kept.ids()
    some = ids[change[-1] % len(ids)] if ids and isinstance(change[-1], int) else None
    match change:
        case ("say", text, scope):
            memory.remember(text, like=Entry("", scope=scope, tags=("tea",) if "tea" in text else ()))
        case ("batch", texts, scope):
            memory.remember(items=[Entry(text, scope=scope) for text in texts])
        case ("talk", turns, scope):
            memory.remember(turns=turns, like=Entry("", scope=scope))
        case ("document", text, scope):
            memory.remember(text, like=Entry("", scope=scope))
        case ("replace", text, _) if some:
            memory.remember(text, like=Entry("", replaces=some))
        case ("reword", text, _) if some:
            memory.update(some, content=text)
        case ("amend", fields, _) if some:
            memory.update(some, **fields)
        case ("confirm", _) if some:
            memory.update(some, confirm=True)
        case ("forget", first, count) if ids:
            start = first % len(ids)
            memory.forget(ids[start : start + count], reason="no longer wanted")
        case ("digest", name, scope, text) if memory.listing(ItemQuery(scope), limit=1):
            try:
                memory.summarize(name, select=ItemQuery(scope), digest=f"A {text} digest of {name}.")
            except NotFound:
                return
        case _:
            pass


def operations(kept: Kept) -> list[str]:
    return [operation.id for operation in kept.memory.operations(limit=1000)][::-1]


def draw(chance: random.Random) -> Change:
    text, scope, number = chance.choice(TEXTS), chance.choice(SCOPES), chance.randrange(30)
    return chance.choice(
        [
            ("say", text, scope),
            ("batch", chance.choices(TEXTS, k=3), scope),
            ("replace", text, number),
            ("talk", chance.choice(TALKS), scope),
            ("document", chance.choice(DOCUMENTS), scope),
            ("reword", text, number),
            ("amend", chance.choice([{"kind": "note"}, {"tags": ["port"]}, {"pinned": True}]), number),
            ("confirm", number),
            ("forget", number, chance.randint(1, 3)),
            ("digest", chance.choice(TOPICS), scope, chance.choice(["short", "long"])),
        ]
    )
