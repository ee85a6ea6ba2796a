"""An encoder that hashes words and character n-grams, without a model."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from mcp_memory.encoders import Noise, Reading, Vectors
from mcp_memory.errors import InvalidInput

_WORD = re.compile(r"\w+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NGRAM_LENGTHS = (3, 4)
_NGRAM_WEIGHT = 0.5
"""Letter sequences count half a word each: they let "deploy" meet "deployment" without outvoting whole words."""
_KNOWN = frozenset({"runtime", "name", "dimensions", "files"})


class HashingEncoder:
    """Signed feature hashing (Weinberger et al. 2009) of words and of their character n-grams.

    Sees shared words and spellings, not meaning: for tests, and for machines where a model is too much.
    The same text has the same vector on every machine and in every version of Python.
    """

    def __init__(self, dimensions: int = 256, *, name: str = "hashing") -> None:
        if dimensions < 1:
            raise InvalidInput(f"dimensions must be at least 1, not {dimensions}")
        self._dimensions = dimensions
        self._name = name

    @classmethod
    def read(cls, directory: Path, description: Mapping[str, object]) -> "HashingEncoder":
        """Build the encoder of `{"runtime": "hashing", "name": ..., "dimensions": ...}`; the last two are optional."""
        path = directory / "encoder.json"
        if unknown := sorted(set(description) - _KNOWN):
            raise InvalidInput(f"{path}: unknown field {unknown[0]}, there are {', '.join(sorted(_KNOWN))}")
        name = description.get("name", "hashing")
        dimensions = description.get("dimensions", 256)
        if not isinstance(name, str):
            raise InvalidInput(f"{path}: name must be a string")
        if not isinstance(dimensions, int) or isinstance(dimensions, bool):
            raise InvalidInput(f"{path}: dimensions must be a whole number")
        return cls(dimensions, name=name)

    @property
    def identity(self) -> str:
        return f"{self._name}-{self._dimensions}-1"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def languages(self) -> tuple[str, ...]:
        return ()

    @property
    def noise(self) -> Noise:
        """Unrelated words share some n-grams."""
        return Noise(mean=0.25)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, shape (len(texts), dimensions); a text without words gets the vector of the empty text."""
        vectors = np.empty((len(texts), self._dimensions), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(_WORD.findall(_readable(text).lower()))
        return vectors

    def encode_query(self, text: str) -> Vectors:
        return self.encode([text])[0]

    def measure_query(self, text: str) -> Reading:
        return self.measure([text])[0]

    def measure(self, texts: Sequence[str]) -> list[Reading]:
        """Return each text's vector, and one unit vector per word."""
        return [self._reading(_readable(text)) for text in texts]

    def _reading(self, text: str) -> Reading:
        words = list(_WORD.finditer(text))
        states = np.empty((len(words), self._dimensions), np.float32)
        for row, word in enumerate(words):
            states[row] = self._vector([word.group().lower()])
        vector = self._vector([word.group().lower() for word in words])
        return Reading(vector, states, [word.span() for word in words])

    def _vector(self, words: Sequence[str]) -> Vectors:
        vector = np.zeros(self._dimensions, np.float64)
        for feature, weight in _features(words).items():
            place, sign = _bucket(feature, self._dimensions)
            vector[place] += sign * weight
        norm = float(np.sqrt(np.sum(vector * vector)))
        if norm == 0:
            vector[_bucket("", self._dimensions)[0]] = norm = 1.0
        return (vector / norm).astype(np.float32)


def _readable(text: str) -> str:
    """Replace lone surrogates, which cannot be hashed as bytes, one for one."""
    return _SURROGATE.sub("\ufffd", text)


def _features(words: Sequence[str]) -> dict[str, float]:
    """Weigh words and n-grams by the square root of their frequency."""
    counts: Counter[str] = Counter()
    for word in words:
        counts[f"w:{word}"] += 1
        marked = f"<{word}>"
        for length in _NGRAM_LENGTHS:
            for start in range(len(marked) - length + 1):
                counts[f"n:{marked[start : start + length]}"] += 1
    return {feature: count**0.5 * (1.0 if feature[0] == "w" else _NGRAM_WEIGHT) for feature, count in counts.items()}


@lru_cache(maxsize=65_536)
def _bucket(feature: str, dimensions: int) -> tuple[int, int]:
    digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
    return (digest >> 1) % dimensions, 1 if digest & 1 else -1
