"""Encoders: the contract, and a registry of implementations."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from mcp_memory.errors import InvalidInput, Unusable

# onnxruntime starts its telemetry, and leaves a file in the temporary directory, when it is imported; this package comes
# first, and nothing that is remembered here is to be reported on anywhere.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

Vectors: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Noise:
    """The distribution of cosines between a question and unrelated texts.

    The default takes no cosine for noise, which suits an encoder that was never calibrated.
    """

    mean: float = -1.0
    deviation: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage's vector, and the hidden states of its word pieces."""

    vector: Vectors
    """Unit vector, shape (dimensions,): the same that `encode` gives."""
    states: Vectors | None
    """Shape (pieces, dimensions), not normalised, without the special tokens; None where the model gives none."""
    spans: list[tuple[int, int]]
    """For each piece, its (start, end) in characters of the text."""


class Encoder(Protocol):
    """Turns texts into vectors, always the same vector for the same text.

    Thread-safe. A text's vector does not depend on its batch.
    """

    @property
    def identity(self) -> str:
        """Name and fingerprint of everything that shapes the vectors; encoders of one identity agree."""
        ...

    @property
    def dimensions(self) -> int: ...

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes of the known languages; empty where unknown, or where the encoder does not depend on language."""
        ...

    @property
    def noise(self) -> Noise: ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of passages, shape (len(texts), dimensions), in the order given.

        Texts longer than the encoder's window are encoded in windows whose vectors are averaged.
        """
        ...

    def encode_query(self, text: str) -> Vectors:
        """Return the unit vector of a question, shape (dimensions,)."""
        ...

    def measure_query(self, text: str) -> Reading: ...

    def measure(self, texts: Sequence[str]) -> list[Reading]:
        """Return vectors and hidden states of passages, for late interaction and late chunking."""
        ...


_ENCODERS = {"onnx": "mcp_memory.encoders.onnx:OnnxEncoder", "hashing": "mcp_memory.encoders.hashing:HashingEncoder"}
_BUNDLED = Path("models") / "all-minilm-l6-v2"


class _EncoderClass(Protocol):
    """The common constructor of registered classes."""

    def read(self, directory: Path, description: Mapping[str, object]) -> Encoder:
        """Load the encoder of a directory whose encoder.json is `description`."""
        ...


def load_encoder(directory: Path) -> Encoder:
    """Load the encoder that `directory/encoder.json` describes; its `runtime` field names the class (default "onnx").

    Raises InvalidInput where encoder.json cannot be used, Unusable where a file is missing or damaged.
    """
    description = read_description(directory)
    runtime = description.get("runtime", "onnx")
    if runtime not in _ENCODERS:
        known = ", ".join(_ENCODERS)
        raise InvalidInput(f"{directory / 'encoder.json'}: runtime {runtime!r} is unknown, there are {known}")
    module, _, name = _ENCODERS[cast(str, runtime)].partition(":")
    encoder_class = cast(_EncoderClass, getattr(import_module(module), name))
    return encoder_class.read(directory, description)


def read_description(directory: Path) -> Mapping[str, object]:
    """Parse `directory/encoder.json` as a JSON object, whose fields are not checked yet.

    Raises Unusable where the file is missing, InvalidInput where it is not a JSON object.
    """
    path = directory / "encoder.json"
    try:
        description: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unusable(
            f"{path} cannot be read ({error.strerror}); a model is a directory with an encoder.json"
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from error
    if not isinstance(description, dict):
        raise InvalidInput(f"{path} must hold a JSON object")
    return cast(Mapping[str, object], description)


def verify_files(directory: Path) -> list[str]:
    """Return a sentence for each file of an encoder whose SHA-256 differs from the one in encoder.json.

    Empty where all agree, and where encoder.json records no hashes (its `files` field).
    Raises as `load_encoder` does where encoder.json itself cannot be read.
    """
    files = recorded_hashes(read_description(directory), directory / "encoder.json")
    problems: list[str] = []
    for name, expected in files.items():
        path = directory / name
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif (found := file_hash(path)) != expected:
            problems.append(f"{path} is damaged or another file: its SHA-256 is {found}, encoder.json says {expected}")
    return problems


def recorded_hashes(description: Mapping[str, object], path: Path) -> dict[str, str]:
    """Return the `files` field of an encoder.json: SHA-256 in hexadecimal by file name; empty where there is none."""
    files = description.get("files", {})
    if not isinstance(files, dict):
        raise InvalidInput(f"{path}: files must be an object of file names and SHA-256 hashes")
    entries = cast(dict[str, object], files)
    return {name: _hash_text(value, f"{path}: files.{name}") for name, value in entries.items()}


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bundled_model_directory() -> Path:
    """Return the bundled model's directory: inside the installed package, else in the source tree.

    Raises Unusable where it is in neither.
    """
    package = Path(__file__).resolve().parent.parent
    places = [package / _BUNDLED, package.parent / _BUNDLED]
    for place in places:
        if (place / "encoder.json").is_file():
            return place
    raise Unusable(
        f"the bundled model is in none of {', '.join(map(str, places))}; install the package again or name one with --model"
    )


def _hash_text(value: object, field: str) -> str:
    if not isinstance(value, str) or len(value) != 64:
        raise InvalidInput(f"{field} must be a SHA-256 of 64 hexadecimal digits")
    return value
