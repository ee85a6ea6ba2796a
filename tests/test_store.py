"""SqliteStore: the contract of keeping, where a caller of Memory cannot see it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import (
    Filter,
    ItemId,
    Measured,
    Operation,
    OperationId,
    Source,
    SourceId,
    Statement,
)
from mcp_memory.domain.steps import (
    AddItem,
    AmendItem,
    ConfirmItem,
    EraseItem,
    ForgetItem,
    Outcome,
    Step,
)
from mcp_memory.errors import Conflict, NotFound
from mcp_memory.language.tokenization import Span
from mcp_memory.sqlite.history.source_redaction import BLANK, blanked
from mcp_memory.sqlite.index import query_terms, vectors
from mcp_memory.sqlite.store import SqliteStore

NUMBERS = count(1_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "memory.db", clock=lambda: 2_000_000_000_000)
    yield store
    store.close()


def new_id() -> str:
    return id_text(next(NUMBERS) << 22)


def operation() -> Operation:
    return Operation(OperationId(new_id()), "remember", 1_900_000_000_000, "test", "", "")


def statement(text: str, *, replaces: ItemId | None = None) -> Statement:
    source = Source(SourceId(new_id()), "words", text, None, 0)
    return Statement(text, source, Span(0, len(text)), replaces=replaces)


def add(text: str, *, replaces: str | None = None, said_to: str | None = None, confirms: str | None = None) -> AddItem:
    return AddItem(
        ItemId(new_id()),
        statement(text, replaces=ItemId(said_to) if said_to else None),
        replaces=ItemId(replaces or said_to) if replaces or said_to else None,
        confirms=ItemId(confirms) if confirms else None,
    )


def keep(store: SqliteStore, *steps: Step) -> list[Outcome]:
    return store.apply(operation(), steps)


def kept(store: SqliteStore, text: str) -> ItemId:
    [outcome] = keep(store, add(text))
    assert outcome.id is not None
    return outcome.id


# what changed since the plan was made


def test_words_that_were_stored_meanwhile_are_confirmed(store: SqliteStore) -> None:
    known = kept(store, "The port is 8080.")

    assert keep(store, add("the port is 8080")) == [Outcome("known", known, known)]


def test_what_was_to_be_confirmed_but_was_forgotten_meanwhile_is_added(store: SqliteStore) -> None:
    known = kept(store, "The port is 8080.")
    keep(store, ForgetItem(known))

    [outcome] = keep(store, add("The port is 8080.", confirms=known))

    assert outcome.status == "created"


@pytest.mark.parametrize("gone", [ForgetItem, EraseItem])
def test_what_was_found_out_of_date_but_is_gone_meanwhile_does_not_stop_the_new(
    store: SqliteStore, gone: type[ForgetItem | EraseItem]
) -> None:
    old = kept(store, "The port is 8080.")
    keep(store, gone(old))

    [outcome] = keep(store, add("The port is 9090.", replaces=old))

    assert outcome.status == "created"
    assert store.stats().items == 1


def test_what_is_said_to_be_replaced_must_be_there(store: SqliteStore) -> None:
    with pytest.raises(NotFound):
        keep(store, add("kept with the others"), add("The port is 9090.", said_to=new_id()))

    assert store.stats().items == store.stats().operations == 0


def test_an_item_that_moved_on_is_not_amended(store: SqliteStore) -> None:
    item = kept(store, "The port is 8080.")
    keep(store, AmendItem(item, 1, {"kind": "note"}))

    with pytest.raises(Conflict, match="changed by someone else"):
        keep(store, AmendItem(item, 1, {"kind": "event"}))


@pytest.mark.parametrize("step", [ConfirmItem, ForgetItem, EraseItem])
def test_a_step_on_nothing_changes_nothing(
    store: SqliteStore, step: type[ConfirmItem | ForgetItem | EraseItem]
) -> None:
    with pytest.raises(NotFound):
        keep(store, add("kept with the others"), step(ItemId(new_id())))

    assert store.stats().items == 0


def test_vectors_of_an_encoder_that_no_longer_serves_are_not_kept(store: SqliteStore) -> None:
    store.register_encoder("one", 4)
    vector = np.array([1, 0, 0, 0], np.float32)
    step = AddItem(ItemId(new_id()), statement("a"), Measured(vector))
    store.register_encoder("two", 4)
    store.serve_encoder("two")

    store.apply(operation(), [step], encoder="one")

    assert store.pending("two") == 1
    assert store.search_vectors(vector, encoder="one", where=Filter(), limit=5) == []
    assert store.nearest(vector[None], encoder="one", where=Filter(), limit=5) == [[]]
    with pytest.raises(Conflict, match="dropped"):
        store.add_measured("one", {1: Measured(vector)})


def test_two_operations_of_one_millisecond_are_told_apart(store: SqliteStore) -> None:
    kept(store, "a")
    kept(store, "b")

    times = [entry.at for entry in store.operations(limit=10)]

    assert times[0] > times[1]


# queries


@given(query=st.text(max_size=40))
def test_any_query_can_be_searched(query: str) -> None:
    expression = query_terms.match_expression(query_terms.query_terms(query))

    assert expression.count('"') % 2 == 0


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "a AND",
        "NOT (b",
        "NEAR(a b, 2)",
        "words:port",
        "port*",
        "^port",
        "' OR 1=1 --",
        "東",
        "ﬁ ǅ İ",
        "a" * 9000,
        "·",
        "e\u0301",
    ],
)
def test_nothing_in_a_query_is_an_operator(store: SqliteStore, query: str) -> None:
    kept(store, f"port {query}")

    found = store.search_text(query + " port", where=Filter(), limit=10)

    assert len(found) == 1


@given(query=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=60))
def test_any_text_is_found_by_itself_or_has_no_words(shared_store: SqliteStore, query: str) -> None:
    if query.strip():
        keep(shared_store, add(query))
    shared_store.search_text(query, where=Filter(), limit=10)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path_factory.mktemp("shared") / "memory.db", clock=lambda: 2_000_000_000_000)
    yield store
    assert list(store.verify()) == []
    store.close()


# vectors


@given(
    arrays.arrays(np.float32, 64, elements=st.floats(-1, 1, width=32)).filter(lambda v: float(np.linalg.norm(v)) > 1e-3)
)
def test_a_vector_comes_back_from_its_codes_nearly_as_it_was(vector: np.ndarray) -> None:
    unit = vector / np.linalg.norm(vector)

    [decoded] = vectors.decode([vectors.codes(unit)])

    assert float(decoded @ unit) > 0.999
    assert len(vectors.binary(unit)) == 8
    assert abs(float(np.linalg.norm(decoded)) - 1) < 1e-5


def test_no_vectors_decode_to_none() -> None:
    assert vectors.decode([]).shape == (0, 0)


# redaction

SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda two: Span(min(two), max(two))), max_size=6
)


@given(gone=SPANS, still=SPANS)
def test_each_character_is_blank_exactly_where_it_is_gone_and_not_kept(gone: list[Span], still: list[Span]) -> None:
    text = "abcdefghijklmnopqrstuvwxyz01234"

    covered = {at for start, end in gone for at in range(start, end)}
    covered -= {at for start, end in still for at in range(start, end)}
    expected = "".join(BLANK if at in covered else character for at, character in enumerate(text))
    assert blanked(text, gone, kept=still) == expected
