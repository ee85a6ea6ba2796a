"""Content word pieces of a text as small unit vectors, for late interaction."""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Vector
from mcp_memory.language.tokenization import STOP_WORDS, Span

PIECE_DIMENSIONS = 64
"""Length of a piece's vector: a seeded random projection to 64 loses nothing to PCA or to all 384 (docs/recall.md)."""
SEED = 7
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=4)
def projection(dimensions: int) -> Vector:
    """Return a random matrix with orthonormal columns, shape (dimensions, PIECE_DIMENSIONS), always the same.

    Johnson and Lindenstrauss 1984: it preserves angles between vectors without training data.
    """
    width = min(dimensions, PIECE_DIMENSIONS)
    random = np.random.Generator(np.random.PCG64(SEED)).standard_normal((dimensions, width))
    columns: list[NDArray[np.float64]] = []
    for column in random.T:
        for other in columns:
            column = column - (column @ other) * other
        columns.append(column / np.sqrt(column @ column))
    return np.stack(columns, axis=1).astype(np.float32)


def content_tokens(text: str, spans: Sequence[Span | tuple[int, int]]) -> list[int]:
    """Return the positions of word pieces in content words: no stop words, no punctuation."""
    words = [(match.start(), match.end()) for match in _WORD.finditer(text) if match[0].casefold() not in STOP_WORDS]
    kept: list[int] = []
    at = 0
    for number, (start, _) in enumerate(spans):
        while at < len(words) and words[at][1] <= start:
            at += 1
        if at < len(words) and words[at][0] <= start:
            kept.append(number)
    return kept


def token_words(text: str, spans: Sequence[Span | tuple[int, int]]) -> list[str]:
    """Return the word of each piece."""
    words = {match.start(): match for match in _WORD.finditer(text)}
    starts = np.array(sorted(words))
    return [words[int(starts[np.searchsorted(starts, start, side="right") - 1])][0] for start, _ in spans]


def reduce_states(states: Vector) -> Vector:
    """Project hidden states, shape (n, dimensions), to unit vectors of PIECE_DIMENSIONS.

    Subtracting the mean state first gained four tenths of a point of hit@5 on LoCoMo's turns at best, in a prototype of
    this ranking.
    """
    reduced = states @ projection(states.shape[1])
    norms = np.sqrt((reduced * reduced).sum(axis=1, keepdims=True))
    return (reduced / np.maximum(norms, 1e-9)).astype(np.float32)


def encode_pieces(vectors: Vector) -> bytes:
    """Quantise unit vectors to int8, 127 for 1."""
    return np.rint(vectors * 127).astype(np.int8).tobytes()
