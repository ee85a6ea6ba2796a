"""Searches find what the filter lets through, whoever changed the file, and the nearest of it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from mcp_memory.domain.ids import id_number, id_text
from mcp_memory.domain.model import (
    KINDS,
    Candidate,
    Embedding,
    Filter,
    ItemId,
    Operation,
    OperationId,
    Source,
    SourceId,
    Statement,
    Vector,
)
from mcp_memory.domain.steps import AddItem, AmendItem, EraseItem, ForgetItem, Step
from mcp_memory.language.tokenization import Span
from mcp_memory.sqlite.index.vector_cache import VectorCache
from mcp_memory.sqlite.index.vector_search import VectorScan, VectorSearch
from mcp_memory.sqlite.store import SqliteStore

ENCODER = "one"
DIMENSIONS = 40
SCOPES = ("user", "atlas", "borealis")
TAGS = ("db", "ops", "家")
NUMBERS = count(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def stores(path: Path) -> Iterator[list[SqliteStore]]:
    """The same file opened three times, as by three processes."""
    opened = [opened_store(path) for _ in range(3)]
    opened[0].register_encoder(ENCODER, DIMENSIONS)
    yield opened
    for store in opened:
        store.close()


def opened_store(path: Path, search: Callable[[], VectorSearch] = VectorCache) -> SqliteStore:
    return SqliteStore(path, clock=lambda: 2_000_000_000_000, search=search)


def scanned(path: Path, query: Vector, where: Filter, *, limit: int) -> tuple[list[Candidate], list[Candidate]]:
    """What a process finds that reads the file for one answer: by words, and by vector."""
    store = opened_store(path, VectorScan)
    by_words = store.search_text("memory", where=where, limit=limit)
    by_vector = store.search_vectors(query, encoder=ENCODER, where=where, limit=limit)
    store.close()
    return by_words, by_vector


def unit(chance: random.Random) -> Vector:
    vector = np.array([chance.gauss(0, 1) for _ in range(DIMENSIONS)], np.float32)
    return vector / np.linalg.norm(vector)


def addition(chance: random.Random) -> AddItem:
    """Something new. Ids do not come in order, as with clocks that differ; every fifth has no vector yet."""
    number = next(NUMBERS)
    text = f"memory {number}"
    source = Source(SourceId(id_text(number << 22)), "words", text, None, 0)
    said = Statement(
        text,
        source,
        Span(0, len(text)),
        kind=chance.choice(KINDS),
        tags=tuple(chance.sample(TAGS, chance.randrange(3))),
        scope=chance.choice(SCOPES),
        occurred_at=chance.choice([None, chance.randrange(1_000)]),
    )
    identifier = ItemId(id_text((chance.randrange(1 << 38) << 22) + number))
    return AddItem(identifier, said, Embedding(unit(chance)) if chance.random() < 0.8 else None)


def change(chance: random.Random, store: SqliteStore, ids: list[ItemId]) -> Step:
    """A change to one of the items that are there, or something new."""
    items = store.items(ids)
    live = [item for item in items.values() if item.status == "live"]
    if len(live) < 3 or chance.random() < 0.5:
        return addition(chance)
    item = chance.choice(live)
    fields: list[dict[str, Any]] = [
        {"scope": chance.choice(SCOPES)},
        {"tags": (chance.choice(TAGS),)},
        {"pinned": 1 - item.pinned},
        {"occurred_at": chance.randrange(1_000)},
        {"text": f"memory {next(NUMBERS)}"},
    ]
    choice = chance.randrange(4)
    if choice == 0:
        return ForgetItem(item.id)
    if choice == 1:
        return EraseItem(item.id)
    if choice == 2:
        return replace(addition(chance), replaces=item.id)
    return AmendItem(item.id, item.revision, chance.choice(fields), Embedding(unit(chance)))


def some_filter(chance: random.Random, moments: list[int]) -> Filter:
    return Filter(
        scopes=tuple(chance.sample(SCOPES, chance.randrange(3))),
        kinds=tuple(chance.sample(KINDS, chance.choice([0, 0, 3]))),
        tags=tuple(chance.sample(TAGS, chance.choice([0, 0, 2]))),
        since=chance.choice([None, None, 300, 1_075]),
        until=chance.choice([None, None, 700, 1_075]),
        as_of=chance.choice([None, None, chance.choice(moments)]),
        pinned_only=chance.random() < 0.1,
        zone_offset=chance.choice([0, 50]),
    )


@pytest.mark.parametrize("seed", range(4))
def test_both_searches_see_what_a_listing_sees_whoever_changed_it_in_memory_and_on_disk_alike(
    stores: list[SqliteStore], path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    ids: list[ItemId] = []
    moments = [0]
    for number in range(150):
        writer = chance.choice(stores)
        steps = [change(chance, writer, ids) for _ in range(1)]
        at = 1_000 + number
        writer.apply(Operation(OperationId(id_text(at << 22)), "test", at, "", "", ""), steps, encoder=ENCODER)
        ids += [step.id for step in steps if isinstance(step, AddItem)]
        moments.append(at)
        if number == 100:
            # The list of changes is cut: whoever lags behind reads everything again.
            apsw.Connection(str(path)).execute(
                "DELETE FROM revision_log WHERE number < (SELECT max(number) FROM revision_log)"
            )
        where = some_filter(chance, moments)
        for reader in chance.sample(stores, 2):
            listed = reader.listing(where=where, limit=1_000)
            states = reader.revisions([item.revision_id for item in listed], encoder=ENCODER)
            embedded = {number for number, state in states.items() if state.embedding}
            by_words = reader.search_text("memory", where=where, limit=1_000)
            query = unit(chance)
            by_vector = reader.search_vectors(query, encoder=ENCODER, where=where, limit=1_000)
            assert {c.revision_id for c in by_words} == states.keys()
            assert {c.revision_id for c in by_vector} == embedded
        assert scanned(path, query, where, limit=1_000) == (by_words, by_vector)


def test_the_nearest_are_those_of_an_exact_search(stores: list[SqliteStore]) -> None:
    chance = random.Random(1)
    steps = [replace(addition(chance), embedding=Embedding(unit(chance))) for _ in range(400)]
    stores[0].apply(Operation(OperationId(id_text(1)), "test", 1, "", "", ""), steps, encoder=ENCODER)
    where = Filter(scopes=("atlas",))

    within = [step for step in steps if step.statement.scope == "atlas"]
    matrix = np.array([step.embedding.vector for step in within if step.embedding])
    for query in [unit(chance) for _ in range(20)]:
        found = stores[1].search_vectors(query, encoder=ENCODER, where=where, limit=3)
        best = np.argsort(-(matrix @ query))[:3]
        assert [one.revision_id for one in found] == [id_number(within[place].id) for place in best]
        assert [one.score for one in found] == pytest.approx(matrix[best] @ query, abs=0.01)


def test_a_filter_that_leaves_three_of_thousands_finds_those_three(stores: list[SqliteStore]) -> None:
    chance = random.Random(2)
    steps = [replace(addition(chance), embedding=Embedding(unit(chance))) for _ in range(3_000)]
    rare = [replace(step, statement=replace(step.statement, tags=("rare",), scope="user")) for step in steps[::1000]]
    steps[::1000] = rare
    stores[0].apply(Operation(OperationId(id_text(1)), "test", 1, "", "", ""), steps, encoder=ENCODER)

    where = Filter(scopes=("user",), tags=("rare",))
    by_words = stores[1].search_text("memory", where=where, limit=5)
    by_vector = stores[1].search_vectors(unit(chance), encoder=ENCODER, where=where, limit=5)

    assert {c.revision_id for c in by_words} == {id_number(step.id) for step in rare}
    assert {c.revision_id for c in by_vector} == {id_number(step.id) for step in rare}


def test_a_scan_of_thousands_finds_the_same_in_the_same_order(stores: list[SqliteStore], path: Path) -> None:
    chance = random.Random(5)
    steps = [replace(addition(chance), embedding=Embedding(unit(chance))) for _ in range(4_000)]
    stores[0].apply(Operation(OperationId(id_text(1)), "test", 1, "", "", ""), steps, encoder=ENCODER)

    for where in (Filter(), Filter(scopes=("user", "atlas")), Filter(scopes=("user",), kinds=KINDS[:4], since=500)):
        query = unit(chance)
        by_words = stores[1].search_text("memory", where=where, limit=100)
        by_vector = stores[1].search_vectors(query, encoder=ENCODER, where=where, limit=100)
        assert scanned(path, query, where, limit=100) == (by_words, by_vector)
        assert len(by_words) == len(by_vector) == 100


def test_a_scanning_process_that_asks_again_and_again_finds_the_same(stores: list[SqliteStore], path: Path) -> None:
    chance = random.Random(6)
    steps = [replace(addition(chance), embedding=Embedding(unit(chance))) for _ in range(400)]
    stores[0].apply(Operation(OperationId(id_text(1)), "test", 1, "", "", ""), steps, encoder=ENCODER)
    scanning = opened_store(path, VectorScan)
    queries = [unit(chance) for _ in range(20)]

    found = [scanning.search_vectors(query, encoder=ENCODER, where=Filter(), limit=3) for query in queries]
    scanning.close()

    warm = [stores[1].search_vectors(query, encoder=ENCODER, where=Filter(), limit=3) for query in queries]
    assert found == warm


def test_rare_words_are_found_among_common_ones(stores: list[SqliteStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_memory.sqlite.index.search.PLACES", 100)
    chance = random.Random(3)
    steps = [addition(chance) for _ in range(500)]
    stores[0].apply(Operation(OperationId(id_text(1)), "test", 1, "", "", ""), steps, encoder=ENCODER)

    found = stores[0].search_text(f"memory {steps[250].statement.text}", where=Filter(), limit=10)

    assert found[0].revision_id == id_number(steps[250].id)
    assert len(found) == 10


def test_what_was_erased_takes_no_place_among_the_nearest(stores: list[SqliteStore]) -> None:
    chance = random.Random(4)
    near = unit(chance)
    close = [replace(addition(chance), embedding=Embedding(near)) for _ in range(250)]
    far = replace(addition(chance), embedding=Embedding(-near))
    stores[0].apply(Operation(OperationId(id_text(1)), "test", 1, "", "", ""), [*close, far], encoder=ENCODER)
    assert len(stores[1].search_vectors(near, encoder=ENCODER, where=Filter(), limit=5)) == 5

    erased = [EraseItem(step.id) for step in close]
    stores[0].apply(Operation(OperationId(id_text(2)), "test", 2, "", "", ""), erased)

    [found] = stores[1].search_vectors(near, encoder=ENCODER, where=Filter(), limit=5)
    assert found.revision_id == id_number(far.id)
