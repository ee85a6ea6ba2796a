"""Late interaction: a question's tokens matched one by one with those of a text and of the turns around it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Vector

NEIGHBOURS = ((-1, 0.7), (1, 0.5), (-2, 0.5), (2, 0.3))
"""Turns around that may cover a word of the question, and how much of it: the one before, the one after, and the next."""

_AT_ONCE = 1_000_000
"""Cosines that are held at once: 4 MB. All of 200 texts of 20 kB with a question of 10 kB would be 3 GB."""

Matches: TypeAlias = NDArray[np.float32]
"""Shape (texts, tokens of the question): how well a text covers each token, 0 to 1."""

Place: TypeAlias = tuple[object, int]
"""The conversation a turn belongs to, and its position there."""


def max_sim(question: Vector, texts: Sequence[bytes]) -> Matches:
    """Return for each text and each token of the question the squared cosine of the nearest token of the text.

    The sum over the question of the maximum over the text is MaxSim (Khattab and Zaharia 2020, ColBERT); the square
    keeps many half-matches from adding up to one.
    """
    width = question.shape[1]
    counts = np.array([len(text) // width for text in texts])
    matches = np.zeros((len(texts), len(question)), np.float32)
    if len(question):
        for rows in _together(counts, _AT_ONCE // len(question)):
            codes = np.frombuffer(b"".join(texts[row] for row in rows), np.int8).reshape(-1, width).astype(np.float32)
            cosines = np.maximum(codes @ question.T / 127, 0)
            starts = np.concatenate([[0], np.cumsum(counts[rows])[:-1]])
            matches[rows] = np.maximum.reduceat(cosines, starts, axis=0) ** 2
    return matches


def _together(counts: NDArray[np.int64], most: int) -> Iterator[list[int]]:
    """Yield the rows that have tokens, in groups of no more than `most` tokens together or of one row."""
    rows: list[int] = []
    held = 0
    for row in np.flatnonzero(counts).tolist():
        if rows and held + counts[row] > most:
            yield rows
            rows, held = [], 0
        rows.append(row)
        held += counts[row]
    if rows:
        yield rows


def coverage(matches: Matches, weights: Vector) -> Vector:
    """Return the share of the question that each text covers, by the weight of its tokens, shape (texts,)."""
    total = float(weights.sum())
    return (matches @ weights / total).astype(np.float32) if total else np.zeros(len(matches), np.float32)


def with_neighbours(matches: Matches, places: Sequence[Place]) -> Matches:
    """Let a word that a turn does not say be covered by the turns around it, damped.

    `places` has for each text its conversation and its position there; a text alone in its own is unchanged.
    """
    spread = matches.copy()
    at = rows_of(places)
    for shift, damping in NEIGHBOURS:
        rows, others = neighbours(at, shift)
        spread[rows] = np.maximum(spread[rows], damping * matches[others])
    return spread


def rows_of(places: Sequence[Place]) -> dict[Place, int]:
    """Return the row at each place."""
    return {place: row for row, place in enumerate(places)}


def neighbours(rows: Mapping[Place, int], shift: int) -> tuple[list[int], list[int]]:
    """Return the rows with a neighbour `shift` places further in their conversation, and the row of that neighbour for each."""
    pairs = [
        (row, other)
        for (conversation, position), row in rows.items()
        if (other := rows.get((conversation, position + shift))) is not None
    ]
    return [row for row, _ in pairs], [other for _, other in pairs]
