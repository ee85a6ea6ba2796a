"""Extractive summarisation: the most central sentences, without repetition."""

from collections.abc import Sequence

import numpy as np

from mcp_memory.domain.model import Vector

DAMPING = 0.85
"""Share of a sentence's weight that its neighbours give (Erkan and Radev 2004, LexRank)."""
RELEVANCE = 0.7
"""Weight of centrality against novelty (Carbonell and Goldstein 1998, maximal marginal relevance)."""
REPEATED = 0.85
"""Cosine from which a sentence says what one before it said."""
ROUNDS = 30
"""Power iterations; the ranks stand still to three digits well before."""


def centrality(vectors: Vector) -> Vector:
    """Return the LexRank of unit vectors, shape (n,): the stationary distribution of a walk along their similarities.

    Erkan and Radev 2004, continuous form: an edge weighs the cosine, negative ones nothing.
    """
    count = len(vectors)
    weights = np.clip(vectors @ vectors.T, 0, None)
    weights /= weights.sum(axis=1, keepdims=True) + 1e-9
    ranks = np.full(count, 1 / max(count, 1), np.float32)
    for _ in range(ROUNDS):
        ranks = (1 - DAMPING) / count + DAMPING * (weights.T @ ranks)
    return ranks.astype(np.float32)


def extract(vectors: Vector, costs: Sequence[int], *, budget: int, bias: Vector | None = None) -> list[int]:
    """Return the indices of sentences to keep, most central first, whose costs together stay within `budget`.

    `bias` (n,) is added to the centrality, both scaled to at most 1: importance, or nearness to a question.
    """
    if not len(vectors):
        return []
    weights = centrality(vectors)
    weights = weights / (weights.max() + 1e-9)
    if bias is not None:
        weights = weights + bias
    similarities = vectors @ vectors.T
    chosen: list[int] = []
    nearest = np.zeros(len(vectors), np.float32)
    left = budget
    open_to_choice = np.ones(len(vectors), np.bool_)
    while open_to_choice.any():
        scores = np.where(open_to_choice, RELEVANCE * weights - (1 - RELEVANCE) * nearest, -np.inf)
        best = int(scores.argmax())
        open_to_choice[best] = False
        if nearest[best] >= REPEATED or costs[best] > left:
            continue
        chosen.append(best)
        left -= costs[best]
        nearest = np.maximum(nearest, similarities[best])
    return chosen
