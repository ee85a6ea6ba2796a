"""Test sets in a memory of their own: every document remembered, and which items it became."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mcp_memory.domain.model import Entry, Turn, Vector, spoken
from mcp_memory.domain.results import Remembered
from mcp_memory.encoders import Encoder, Noise, Reading
from mcp_memory.memory import Memory, local_time

DOCUMENTS_A_CALL = 25
"""Few enough for a call to measure its texts before it answers."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """An item, and the document it is a part of. Two documents that say the same are one item and two parts."""

    item: str
    text: str
    """With who says it in front, as it is indexed and encoded."""
    store: str
    document: str


class RecordingEncoder:
    """An encoder that keeps every vector it made, so that a baseline can rank by the very same ones."""

    def __init__(self, encoder: Encoder) -> None:
        self.noise: Noise = encoder.noise
        """The inner encoder's, until another is set."""
        self._encoder = encoder
        self._passages: dict[str, Vector] = {}
        self._questions: dict[str, Reading] = {}

    @property
    def identity(self) -> str:
        """The inner encoder's: the vectors are the same."""
        return self._encoder.identity

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._encoder.dimensions

    @property
    def languages(self) -> tuple[str, ...]:
        """The inner encoder's."""
        return self._encoder.languages

    def encode(self, texts: Sequence[str]) -> Vector:
        """Unit vectors of passages, shape (len(texts), dimensions)."""
        return self._encoder.encode(texts)

    def encode_query(self, text: str) -> Vector:
        """The unit vector of a question."""
        return self.measure_query(text).vector

    def measure_query(self, text: str) -> Reading:
        """The inner encoder's, made once for each question."""
        if text not in self._questions:
            self._questions[text] = self._encoder.measure_query(text)
        return self._questions[text]

    def measure(self, texts: Sequence[str]) -> list[Reading]:
        """The inner encoder's, whose vectors are kept."""
        readings = self._encoder.measure(texts)
        self._passages |= {text: reading.vector for text, reading in zip(texts, readings, strict=True)}
        return readings

    def vectors(self, texts: Sequence[str]) -> Vector:
        """Unit vectors of passages, made only where they were not made before, shape (len(texts), dimensions)."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._passages]
        self._passages |= dict(zip(missing, self._encoder.encode(missing), strict=True)) if missing else {}
        return np.stack([self._passages[text] for text in texts])


@contextmanager
def temporary_memory(encoder: Encoder, *, clock: Callable[[], datetime] = local_time) -> Iterator[Memory]:
    """An empty memory in a temporary file, with its encoder up; the file goes when the block ends."""
    with (
        TemporaryDirectory() as folder,
        Memory.open(Path(folder) / "memory.db", model=encoder, clock=clock) as memory,
    ):
        memory.wait_for_encoder()
        yield memory


def remember_conversations(memory: Memory, documents: Iterable[Document]) -> list[Part]:
    """Remember each session as one conversation in the scope of its store; a document is a turn."""
    parts: list[Part] = []
    for (store, session), group in groupby(documents, key=lambda document: (document["store"], document["session"])):
        said = list(group)
        turns = [Turn(d["text"], d.get("speaker"), d.get("date"), d.get("image_caption") or None) for d in said]
        made = memory.remember(turns=turns, like=Entry("", scope=store, source=session))
        owners = owners_of(made, [_told(turn) for turn in turns])
        for entry, owner in zip(made.items, owners, strict=True):
            parts.append(Part(entry.id, spoken(entry.text, turns[owner].speaker), store, said[owner]["_id"]))
    memory.maintenance.make_vectors()
    return parts


def remember_notes(memory: Memory, documents: Sequence[Document]) -> list[Part]:
    """Remember each document by itself in the scope of its store; a long one becomes several items."""
    parts: list[Part] = []
    for start in range(0, len(documents), DOCUMENTS_A_CALL):
        group = documents[start : start + DOCUMENTS_A_CALL]
        texts = [" ".join(filter(None, (document.get("title"), document["text"]))) for document in group]
        entries = [
            Entry(text, scope=document["store"], source=document["_id"])
            for text, document in zip(texts, group, strict=True)
        ]
        made = memory.remember(items=entries)
        for entry, owner in zip(made.items, owners_of(made, texts), strict=True):
            parts.append(Part(entry.id, entry.text, group[owner]["store"], group[owner]["_id"]))
    memory.maintenance.make_vectors()
    return parts


def owners_of(made: Remembered, texts: Sequence[str]) -> list[int]:
    """For each item made, the number of the text it was cut from; a text's items follow each other and cover it.

    Raises ValueError where an item stands in none of the texts that are left, so that no gold can be misplaced.
    """
    owners: list[int] = []
    number, at = 0, 0
    for entry in made.items:
        while number < len(texts) and (place := texts[number].find(entry.text, at)) < 0:
            number, at = number + 1, 0
        if number == len(texts):
            raise ValueError(f"#{entry.id} stands in none of the texts that were remembered")
        owners.append(number)
        at = place + len(entry.text)
        if not texts[number][at:].strip():
            number, at = number + 1, 0
    return owners


def _told(turn: Turn) -> str:
    """A turn's words and what its picture shows, as they stand in its item."""
    return f"{turn.content.strip()} [{turn.caption.strip()}]" if turn.caption else turn.content.strip()
