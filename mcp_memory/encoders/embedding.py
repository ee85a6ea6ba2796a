"""Embedding of items, by themselves and among the items around them."""

from collections.abc import Sequence

import numpy as np

from mcp_memory.domain.model import Embedding, Item, PendingEmbedding, Vector, spoken
from mcp_memory.encoders import Encoder, Reading
from mcp_memory.encoders.pieces import content_tokens, encode_pieces, reduce_states

WINDOW_TOKENS = 190
"""Tokens of a stretch of conversation that is read at once; 128 to 256 help, 512 hurt (late chunking on LoCoMo)."""


def embed(encoder: Encoder, passages: Sequence[PendingEmbedding]) -> list[Embedding]:
    """Embed passages, in the order given.

    Late chunking (Günther et al. 2024): a passage that has neighbours is also read among them, and its own part of
    that reading averaged, in the window where it stands nearest to the middle.
    """
    readings = encoder.measure([passage.text for passage in passages])
    late = _late_vectors(encoder, passages, [len(reading.spans) for reading in readings])
    return [
        Embedding(vector=reading.vector, late_chunk=late.get(number), tokens=_pieces(passage.text, reading))
        for number, (passage, reading) in enumerate(zip(passages, readings, strict=True))
    ]


def embed_item(encoder: Encoder, item: Item, text: str) -> Embedding:
    """Embed an item whose text is now `text`, without the turns around it."""
    return embed(encoder, [PendingEmbedding(0, spoken(text, item.speaker), item.source_id, item.position)])[0]


def _pieces(text: str, reading: Reading) -> bytes:
    if reading.states is None:
        return b""
    kept = content_tokens(text, reading.spans)
    return encode_pieces(reduce_states(reading.states[kept])) if kept else b""


def _late_vectors(encoder: Encoder, passages: Sequence[PendingEmbedding], tokens: Sequence[int]) -> dict[int, Vector]:
    # A window with room for one passage alone would only read that again.
    windows = [window for run in _runs(passages) for window in _windows(run, tokens) if len(window) > 1]
    texts: list[str] = []
    starts: list[list[int]] = []
    for window in windows:
        text = ""
        starts.append([])
        for number in window:
            starts[-1].append(len(text))
            text += passages[number].text + "\n"
        texts.append(text)
    found: dict[int, Vector] = {}
    centrality: dict[int, float] = {}
    for window, begins, reading in zip(windows, starts, encoder.measure(texts), strict=True):
        if reading.states is None:
            continue
        edges = np.searchsorted([start for start, _ in reading.spans], [*begins, 1 << 60])
        for number, first, last in zip(window, edges[:-1], edges[1:], strict=True):
            middle = min(first + last, 2 * len(reading.spans) - first - last)
            if first < last and middle > centrality.get(number, -1):
                centrality[number] = middle
                found[number] = _unit(reading.states[first:last].mean(axis=0))
    return found


def _runs(passages: Sequence[PendingEmbedding]) -> list[list[int]]:
    """Return the numbers of passages that follow each other, in order; those that stand alone are left out."""
    order = sorted(range(len(passages)), key=lambda number: (passages[number].source_id, passages[number].position))
    runs: list[list[int]] = []
    for number in order:
        last = passages[runs[-1][-1]] if runs else None
        here = passages[number]
        if last is not None and last.source_id == here.source_id and here.position - last.position <= 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [run for run in runs if len(run) > 1]


def _windows(run: Sequence[int], tokens: Sequence[int]) -> list[list[int]]:
    """Split a run into stretches of at most WINDOW_TOKENS, each beginning in the middle of the one before."""
    windows: list[list[int]] = []
    start = 0
    while True:
        end, total = start, 0
        while end < len(run) and (end == start or total + tokens[run[end]] <= WINDOW_TOKENS):
            total += tokens[run[end]]
            end += 1
        windows.append(list(run[start:end]))
        if end == len(run):
            return windows
        middle, half = start, 0
        while half < total / 2:
            half += tokens[run[middle]]
            middle += 1
        start = min(max(middle, start + 1), end)


def _unit(vector: Vector) -> Vector:
    length = float(np.sqrt(vector @ vector))
    return vector / length if length else vector
