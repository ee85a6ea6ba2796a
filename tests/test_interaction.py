"""Late interaction: word pieces matched one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.domain.model import PendingEmbedding, SourceId
from mcp_memory.encoders import bundled_model_directory, load_encoder
from mcp_memory.encoders import pieces as encoders_pieces
from mcp_memory.encoders.embedding import embed
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.recall import late_interaction

RANDOM = np.random.default_rng(5)


def pieces(*vectors: np.ndarray) -> bytes:
    return encoders_pieces.encode_pieces(encoders_pieces.reduce_states(np.array(vectors, np.float32)))


def test_the_projection_is_orthonormal_and_always_the_same() -> None:
    matrix = encoders_pieces.projection(384)

    assert matrix.shape == (384, 64)
    assert np.allclose(matrix.T @ matrix, np.eye(64), atol=1e-5)
    assert matrix[0, :2].tolist() == pytest.approx([6.2e-05, 0.0153], abs=1e-3)


def test_pieces_of_stop_words_and_punctuation_carry_no_meaning() -> None:
    text = "Who is the captain?"
    spans = [(0, 3), (4, 6), (7, 10), (11, 14), (14, 18), (18, 19)]

    assert encoders_pieces.content_tokens(text, spans) == [3, 4]
    assert encoders_pieces.token_words(text, [spans[3], spans[4]]) == ["captain", "captain"]


def test_each_piece_of_a_question_counts_its_best_match_in_the_text() -> None:
    states = RANDOM.normal(size=(3, 384)).astype(np.float32)
    question = encoders_pieces.reduce_states(states[:2])

    matches = late_interaction.max_sim(question, [pieces(states[1], states[2]), b"", pieces(states[0], states[1])])

    assert matches.shape == (3, 2)
    assert matches[0, 1] == pytest.approx(1, abs=0.03)
    assert matches[0, 0] < 0.3
    assert matches[1].tolist() == [0, 0]
    assert late_interaction.coverage(matches, np.array([1, 1], np.float32))[2] == pytest.approx(1, abs=0.03)


@given(counts=st.lists(st.integers(0, 4), max_size=6), asked=st.integers(0, 3))
def test_matches_lie_between_nothing_and_all(counts: list[int], asked: int) -> None:
    texts = [pieces(*RANDOM.normal(size=(count, 384))) if count else b"" for count in counts]
    question = encoders_pieces.reduce_states(RANDOM.normal(size=(asked, 384)).astype(np.float32))

    matches = late_interaction.max_sim(question, texts)

    assert matches.shape == (len(counts), asked)
    assert ((matches >= 0) & (matches <= 1.05)).all()


def test_a_word_the_turn_before_says_is_covered_less_than_one_it_says_itself() -> None:
    matches = np.array([[1, 0], [0, 1], [0, 0]], np.float32)

    spread = late_interaction.with_neighbours(matches, [("talk", 0), ("talk", 1), ("other", 2)])

    assert spread.tolist() == [[1, 0.5], [pytest.approx(0.7), 1], [0, 0]]


def test_what_stands_alone_has_no_reading_among_neighbours() -> None:
    states = [
        PendingEmbedding(1, "The boat is blue.", SourceId("a"), 0),
        PendingEmbedding(2, "Ann: The boat is blue.", SourceId("b"), 4),
        PendingEmbedding(3, "Bob: Since when?", SourceId("b"), 5),
    ]

    alone, first, second = embed(HashingEncoder(), states)

    assert alone.late_chunk is None
    assert first.late_chunk is not None
    assert second.late_chunk is not None
    assert np.linalg.norm(first.late_chunk) == pytest.approx(1, abs=1e-5)
    assert len(alone.tokens) == 2 * 64


def test_a_long_conversation_is_read_in_windows_that_reach_every_turn() -> None:
    talk = [PendingEmbedding(n, f"Ann: turn {n} tells of {n} boats and {n} oars", SourceId("t"), n) for n in range(200)]

    measured = embed(HashingEncoder(), talk)

    assert all(made.late_chunk is not None for made in measured)


@pytest.mark.model
def test_the_same_turn_reads_differently_among_other_neighbours() -> None:
    encoder = load_encoder(bundled_model_directory())
    boats = [
        PendingEmbedding(0, "We bought a boat.", SourceId("a"), 0),
        PendingEmbedding(1, "It is blue.", SourceId("a"), 1),
    ]
    birds = [
        PendingEmbedding(0, "We saw a parrot.", SourceId("b"), 0),
        PendingEmbedding(1, "It is blue.", SourceId("b"), 1),
    ]

    one, other = embed(encoder, boats)[1], embed(encoder, birds)[1]

    assert one.vector.tobytes() == other.vector.tobytes()
    assert one.late_chunk is not None
    assert other.late_chunk is not None
    assert one.late_chunk @ encoder.encode_query("boat") > other.late_chunk @ encoder.encode_query("boat")
