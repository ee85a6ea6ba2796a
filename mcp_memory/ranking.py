"""Ranking: the scores of the searches fused, weighed by what an item is, and freed of repetition."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain import Item, Vector

CANDIDATES = 200
"""Items each search hands to the ranking; more gained nothing on LoCoMo's conversations of 590 turns."""
TEXT_WEIGHT = 1.0
VECTOR_WEIGHT = 0.5
"""hit@5 on LoCoMo's turns (python -m bench.locomo, 2026-11-21): 64.7 at .3, .4 and .5; 64.4 at .8; 63.8 at 1."""
RELEVANCE_FLOOR = 0.25
"""Cosine under which an item that shares no word with the query is noise."""
IMPORTANCE_WEIGHT = 0.2
"""In standard deviations, from the least to the most important: decides between near equals only."""
ENDED_PENALTY = 0.5
"""In standard deviations, for what was said to be no longer true."""
SAME = 0.97
"""Cosine from which two hits say the same."""

BM25_K1 = 0.9
BM25_B = 0.3
"""With these and the IDF below hit@5 on LoCoMo's turns is 64.7, with FTS5's own BM25 (1.2, .75) in its place 61.6."""

Scores = NDArray[np.float32]


def bm25(frequencies: Scores, *, lengths: Scores, average: float, holding: Scores, total: int) -> Scores:
    """BM25 of documents, shape (n,), from how often each holds each term, shape (n, terms).

    Robertson and Zaragoza 2009, with the inverse document frequency ln(1 + (N - n + .5) / (n + .5)) of Lucene, which
    stays positive for a term that most documents hold: FTS5's own is cut off there and silences the names of the two
    who talk. `lengths` (n,) are in tokens and `average` is their mean over the whole collection; `holding` (terms,)
    says how many of the `total` documents hold each term.
    """
    weights = np.log1p((total - holding + 0.5) / (holding + 0.5))
    damping = BM25_K1 * (1 - BM25_B + BM25_B * lengths / max(average, 1e-9))
    return (frequencies * (BM25_K1 + 1) / (frequencies + damping[:, None]) @ weights).astype(np.float32)


def zscores(scores: Scores) -> Scores:
    """How many standard deviations each score lies above the mean; zeros where all are equal.

    >>> zscores(np.array([1, 2, 3], np.float32)).round(2).tolist()
    [-1.2200000286102295, 0.0, 1.2200000286102295]
    """
    deviation = float(scores.std()) if scores.size else 0.0
    if deviation < 1e-9:
        return np.zeros_like(scores, np.float32)
    return ((scores - scores.mean()) / deviation).astype(np.float32)


def fuse(texts: Scores, cosines: Scores | None) -> Scores:
    """The weighted sum of the z-scores of BM25 and cosine, over the same candidates in the same order.

    A candidate that holds no word of the query has the BM25 0. Without vectors BM25 stands alone.
    Fusing z-scores and not ranks keeps how much better the best is: reciprocal rank fusion loses 7 points of hit@5 on
    LoCoMo's turns against it (docs/recall.md).
    """
    fused = TEXT_WEIGHT * zscores(texts)
    if cosines is not None:
        fused = fused + VECTOR_WEIGHT * zscores(cosines)
    return fused.astype(np.float32)


def relevant(texts: Scores, cosines: Scores | None) -> NDArray[np.bool_]:
    """Which candidates have anything to do with the query: they share a word with it, or lie near it."""
    if cosines is None:
        return texts > 0
    return (texts > 0) | (cosines >= RELEVANCE_FLOOR)


def weigh(fused: Scores, items: Sequence[Item], *, now: int) -> Scores:
    """The fused scores moved a little by how important an item is, and down where it has ended by `now`."""
    importance = np.array([item.importance - 0.5 for item in items], np.float32)
    ended = np.array([item.valid_until is not None and item.valid_until <= now for item in items], np.float32)
    return (fused + IMPORTANCE_WEIGHT * importance - ENDED_PENALTY * ended).astype(np.float32)


def diversify(order: Sequence[int], vectors: Mapping[int, Vector], *, limit: int) -> list[int]:
    """The first `limit` of `order` that do not repeat one before them (cosine of SAME or more)."""
    kept: list[int] = []
    for number in order:
        if len(kept) == limit:
            break
        mine = vectors.get(number)
        repeats = mine is not None and any(float(mine @ vectors[other]) >= SAME for other in kept if other in vectors)
        if not repeats:
            kept.append(number)
    return kept
