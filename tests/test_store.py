"""Properties of what SqliteStore is made of: queries, codes of vectors, blank sources."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from store_contract import Keeper, addition

from mcp_memory.domain.model import Filter
from mcp_memory.language.tokenization import Span
from mcp_memory.sqlite.history.source_redaction import BLANK, blank
from mcp_memory.sqlite.index import query_terms, vectors
from mcp_memory.sqlite.store import SqliteStore

# queries


@given(query=st.text(max_size=40))
def test_any_query_can_be_searched(query: str) -> None:
    expression = query_terms.match_expression(query_terms.query_terms(query))

    assert expression.count('"') % 2 == 0


@given(query=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=60))
def test_any_text_is_found_by_itself_or_has_no_words(shared_store: SqliteStore, query: str) -> None:
    if query.strip():
        Keeper(shared_store).do(addition(query))
    shared_store.search_text(query, where=Filter(), limit=10)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path_factory.mktemp("shared") / "memory.db", clock=lambda: 2_000_000_000_000)
    yield store
    assert list(store.file.verify()) == []
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
    assert blank(text, gone, kept=still) == expected
