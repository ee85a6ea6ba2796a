"""BM25 and IDF of many texts at once; recall.bm25 has the same for one text without numpy."""

import numpy as np

from mcp_memory.domain.model import Vector
from mcp_memory.recall.bm25 import BM25_B, BM25_K1


def bm25(
    frequencies: Vector, *, lengths: Vector, average: float, holding: Vector, total: int, weights: Vector
) -> Vector:
    """Return the BM25 of documents, shape (n,), from how often each holds each term, shape (n, terms).

    Robertson and Zaragoza 2009, with the inverse document frequency ln(1 + (N - n + .5) / (n + .5)) of Lucene, which
    stays positive for a term that most documents hold: FTS5's own is cut off there and silences the names of the two
    who talk. `lengths` (n,) are in tokens and `average` is their mean over the whole collection; `holding` (terms,)
    says how many of the `total` documents hold each term, `weights` (terms,) what each counts for.
    """
    damping = BM25_K1 * (1 - BM25_B + BM25_B * lengths / max(average, 1e-9))
    saturated = frequencies * (BM25_K1 + 1) / (frequencies + damping[:, None])
    return (saturated @ (weights * idf(holding, total=total))).astype(np.float32)


def idf(holding: Vector, *, total: int) -> Vector:
    """Return the inverse document frequency of terms that `holding` of `total` documents hold, as `bm25` has it."""
    return np.log1p((total - holding + 0.5) / (holding + 0.5)).astype(np.float32)
