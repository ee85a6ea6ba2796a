"""Extraction: what stands for the most, without repetition, within the budget."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.topics import lexrank


def unit(*rows: tuple[float, ...]) -> np.ndarray:
    matrix = np.array(rows, np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


VECTORS = unit((1, 0, 0), (0.9, 0.1, 0.4), (0.8, 0.6, 0), (0, 0, 1))


def test_the_most_central_is_the_one_nearest_to_the_others() -> None:
    ranks = lexrank.centrality(VECTORS)

    assert int(ranks.argmax()) == 1
    assert abs(float(ranks.sum()) - 1) < 1e-3


def test_what_was_said_is_not_said_again() -> None:
    chosen = lexrank.extract(unit((1, 0), (1, 0.01), (0, 1)), [1, 1, 1], budget=10)

    assert len(chosen) == 2
    assert 2 in chosen


def test_a_bias_lifts_what_matters() -> None:
    bias = np.array([0, 0, 0, 5], np.float32)

    assert lexrank.extract(VECTORS, [1] * 4, budget=1, bias=bias) == [3]


def test_nothing_is_extracted_from_nothing() -> None:
    assert lexrank.extract(np.zeros((0, 3), np.float32), [], budget=10) == []


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(0, 100))
def test_the_budget_holds(costs: list[int], budget: int) -> None:
    vectors = np.eye(len(costs), dtype=np.float32)

    chosen = lexrank.extract(vectors, costs, budget=budget)

    assert sum(costs[number] for number in chosen) <= budget
    assert len(set(chosen)) == len(chosen)
