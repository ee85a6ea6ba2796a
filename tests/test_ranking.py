"""Ranking: BM25, fusion, relevance, diversity."""

import numpy as np
import pytest

from mcp_memory import ranking


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_bm25_is_higher_for_the_rarer_term_and_the_shorter_document() -> None:
    frequencies = np.array([[1, 0], [0, 1], [0, 1]], np.float32)

    scores = ranking.bm25(frequencies, lengths=array(10, 10, 5), average=10, holding=array(50, 2), total=100)

    assert scores.argsort().tolist() == [0, 1, 2]
    assert (scores > 0).all()


def test_bm25_follows_the_formula() -> None:
    [score] = ranking.bm25(array(2).reshape(1, 1), lengths=array(10), average=10, holding=array(1), total=10)

    assert score == pytest.approx(np.log1p(9.5 / 1.5) * 2 * 1.9 / 2.9, rel=1e-5)


def test_equal_scores_decide_nothing() -> None:
    assert ranking.zscores(array(3, 3, 3)).tolist() == [0, 0, 0]
    assert ranking.zscores(array()).tolist() == []


def test_words_alone_rank_where_there_are_no_vectors() -> None:
    assert ranking.fuse(array(1, 3, 2), None).argsort().tolist() == [0, 2, 1]


def test_fused_scores_weigh_words_before_nearness() -> None:
    fused = ranking.fuse(array(2, 0), array(0.1, 0.9))

    assert fused.argmax() == 0


def test_what_shares_no_word_and_lies_far_is_noise() -> None:
    assert ranking.relevant(array(1, 0, 0), array(0, 0.3, 0.2)).tolist() == [True, True, False]
    assert ranking.relevant(array(1, 0, 0), None).tolist() == [True, False, False]


def test_what_repeats_a_better_one_is_passed_over() -> None:
    vectors = {0: array(1, 0), 1: array(0.999, 0.02), 2: array(0, 1)}

    assert ranking.diversify([0, 1, 2, 3], vectors, limit=3) == [0, 2, 3]
