"""OnnxEncoder: any sentence encoder in ONNX, read from a directory with an encoder.json.

The fields of encoder.json; a directory needs this file, the model and the tokenizer:

runtime         "onnx" (the default).
name            What the encoder is called; part of its identity.
dimensions      Length of a vector.
max_tokens      How many tokens are read at once, special tokens included (default 256).
languages       ISO 639-1 codes of the languages it knows (default: not said).
noise           {"mean": ..., "deviation": ...} of the cosines of questions and unrelated texts (default: nothing is noise).
pooling         How token states become a vector: "mean", "cls" (the first), "last", or "graph" when the model does it itself.
model           The ONNX file (default "model.onnx"); its external data, if it has any, lies beside it.
tokenizer       The file of the `tokenizers` library (default "tokenizer.json").
inputs          Names of the model's inputs: {"ids": ..., "mask": ..., "types": ...}; null for one that it does not have.
                By default those of input_ids, attention_mask and token_type_ids that the model has.
outputs         Names of the model's outputs: {"states": ..., "vector": ...}.
                "vector" is needed with pooling "graph", "states" with every other pooling and for late interaction.
query_prefix    Put before a question (default empty), as some models want "query: ".
passage_prefix  Put before a passage (default empty).
files           SHA-256 of each file by name; checked by `verify_files`, and part of the identity.
license, source For people; not read.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray
from tokenizers import Tokenizer

from mcp_memory.encoders import Noise, Reading, Vectors, file_hash, recorded_hashes
from mcp_memory.errors import InvalidInput, Unusable

_BATCH_TOKENS = 512
"""A batch of more tokens is slower per text than a smaller one: it leaves the cache (bench/encoder.py)."""
_THREADS = 2
"""Batches run at once; 1.9 times the throughput of one on two cores."""
_KEPT_TOKENS = 128
"""Texts of more tokens in all give back at their end what the model calculated in, 23 MB after all lengths: that takes a
tenth to a quarter of the last batch (25 texts of 20 tokens, 2 of 256), so a question, which is shorter, keeps its own."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_POOLS: Mapping[str, Callable[[Vectors], Vectors]] = {
    "mean": lambda states: states.mean(axis=0),
    "cls": lambda states: states[0],
    "last": lambda states: states[-1],
}
_POOLINGS = (*_POOLS, "graph")
_STANDARD_INPUTS = {"ids": "input_ids", "mask": "attention_mask", "types": "token_type_ids"}
_ERRORS_ONLY = 3
_TokenType: TypeAlias = type[np.int64] | type[np.int32]


@dataclass(frozen=True, slots=True)
class Description:
    """A checked encoder.json; the module's docstring describes the fields."""

    name: str
    dimensions: int
    pooling: str
    model: str
    tokenizer: str
    max_tokens: int
    inputs: Mapping[str, str | None] | None
    outputs: Mapping[str, str | None]
    query_prefix: str
    passage_prefix: str
    files: Mapping[str, str]
    languages: tuple[str, ...]
    noise: Noise

    @staticmethod
    def read(fields: Mapping[str, object], path: Path) -> "Description":
        """Check the fields of the encoder.json at `path`. Raises InvalidInput naming the field."""
        known = {*Description.__slots__, "runtime", "license", "source"}
        if unknown := sorted(set(fields) - known):
            raise InvalidInput(f"{path}: unknown field {unknown[0]}, there are {', '.join(sorted(known))}")
        read = _Fields(fields, path)
        described = Description(
            name=read.text("name"),
            dimensions=read.number("dimensions"),
            pooling=read.text("pooling"),
            model=read.text("model", "model.onnx"),
            tokenizer=read.text("tokenizer", "tokenizer.json"),
            max_tokens=read.number("max_tokens", 256),
            inputs=read.names("inputs", ("ids", "mask", "types")) if "inputs" in fields else None,
            outputs=read.names("outputs", ("vector", "states")),
            query_prefix=read.text("query_prefix", ""),
            passage_prefix=read.text("passage_prefix", ""),
            files=recorded_hashes(fields, path),
            languages=read.texts("languages"),
            noise=read.noise("noise"),
        )
        if described.pooling not in _POOLINGS:
            raise InvalidInput(f"{path}: pooling {described.pooling!r} is unknown, there are {', '.join(_POOLINGS)}")
        needed = "vector" if described.pooling == "graph" else "states"
        if described.outputs[needed] is None:
            raise InvalidInput(f"{path}: pooling {described.pooling!r} needs outputs.{needed}")
        return described


class OnnxEncoder:
    """Runs a model on the CPU; weights in a data file of their own are memory-mapped.

    Only texts of equally many tokens share a batch, so nothing is ever padded and a text's vector depends on the text alone.
    """

    def __init__(self, directory: Path, description: Description) -> None:
        self._description = description
        self._session = _session(directory / description.model)
        self._inputs = _session_inputs(self._session, description, directory)
        self._tokenizer = _tokenizer(directory / description.tokenizer)
        self._before, self._after = _special_tokens(self._tokenizer)
        self._identity = f"{description.name}-{_fingerprint(directory, description)}"
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="encode")
        self._giving_back = _giving_back()
        _check_outputs(self._session, description, directory)
        self._check_dimensions(directory)

    @classmethod
    def read(cls, directory: Path, description: Mapping[str, object]) -> "OnnxEncoder":
        """Load the encoder of a directory whose encoder.json is `description`. Raises InvalidInput or Unusable."""
        return cls(directory, Description.read(description, directory / "encoder.json"))

    @property
    def identity(self) -> str:
        """Name and twelve digits of a hash over the files and fields that shape the vectors."""
        return self._identity

    @property
    def dimensions(self) -> int:
        return self._description.dimensions

    @property
    def languages(self) -> tuple[str, ...]:
        return self._description.languages

    @property
    def noise(self) -> Noise:
        return self._description.noise

    def encode(self, texts: Sequence[str]) -> Vectors:
        return self._vectors(texts, self._description.passage_prefix)

    def encode_query(self, text: str) -> Vectors:
        return self._vectors([text], self._description.query_prefix)[0]

    def measure(self, texts: Sequence[str]) -> list[Reading]:
        return self._readings(texts, self._description.passage_prefix)

    def measure_query(self, text: str) -> Reading:
        return self._readings([text], self._description.query_prefix)[0]

    def _readings(self, texts: Sequence[str], prefix: str) -> list[Reading]:
        read = [self._windows(text, prefix) for text in texts]
        parts = iter(self._measured([window for found in read for window in found]))
        return [self._reading([(window, *next(parts)) for window in found]) for found in read]

    def _vectors(self, texts: Sequence[str], prefix: str) -> Vectors:
        read = [self._windows(text, prefix) for text in texts]
        pooled = iter(self._pooled([window for found in read for window in found]))
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for row, found in enumerate(read):
            vectors[row] = _merged([next(pooled) for _ in found], found)
        return vectors

    def _pooled(self, windows: Sequence["_Window"]) -> list[Vectors]:
        """Return one unit vector per window."""
        if self._description.pooling == "graph":
            return [vector for (vector,) in self._run(windows, [cast(str, self._description.outputs["vector"])])]
        return [vector for vector, _ in self._measured(windows)]

    def _measured(self, windows: Sequence["_Window"]) -> list[tuple[Vectors, Vectors | None]]:
        """Return one unit vector per window, and its states where the model gives them."""
        outputs, pooling = self._description.outputs, self._description.pooling
        if pooling == "graph":
            names = [name for name in (outputs["vector"], outputs["states"]) if name is not None]
            return [(values[0], values[1] if len(values) > 1 else None) for values in self._run(windows, names)]
        pool = _POOLS[pooling]
        return [(_unit(pool(states)), states) for (states,) in self._run(windows, [cast(str, outputs["states"])])]

    def _windows(self, text: str, prefix: str) -> list["_Window"]:
        """Split a text's pieces into as few, equally long windows as possible, with prefix and special tokens."""
        encoding = self._tokenizer.encode(prefix + _SURROGATE.sub("\ufffd", text), add_special_tokens=False)
        start = next((i for i, (_, end) in enumerate(encoding.offsets) if end > len(prefix)), len(encoding.ids))
        head, pieces = encoding.ids[:start], encoding.ids[start:]
        spans = [(max(first - len(prefix), 0), last - len(prefix)) for first, last in encoding.offsets[start:]]
        room = max(1, self._description.max_tokens - len(self._before) - len(self._after) - len(head))
        count = max(1, -(-len(pieces) // room))
        edges = [len(pieces) * i // count for i in range(count + 1)]
        before, after = [*self._before, *head], self._after
        return [
            _Window([*before, *pieces[first:last], *after], len(before), spans[first:last])
            for first, last in pairwise(edges)
        ]

    def _run(self, windows: Sequence["_Window"], outputs: list[str]) -> list[list[Vectors]]:
        """Return the model's outputs for each window, in the order given; windows of one length share a batch."""
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
        batches: list[list[int]] = []
        for length, group in groupby(order, key=lambda i: len(windows[i].ids)):
            members = list(group)
            size = max(1, _BATCH_TOKENS // length)
            batches += [members[i : i + size] for i in range(0, len(members), size)]
        work = [[windows[i].ids for i in batch] for batch in batches]
        many = sum(len(window.ids) for window in windows) > _KEPT_TOKENS
        options = [self._giving_back if many and batch is batches[-1] else None for batch in batches]
        run = partial(self._run_batch, outputs)
        values: list[list[Vectors]] = [[] for _ in windows]
        done = self._pool.map(run, work, options) if len(work) > 1 else map(run, work, options)
        for batch, results in zip(batches, done, strict=True):
            for row, i in enumerate(batch):
                values[i] = [result[row] for result in results]
        return values

    def _run_batch(self, outputs: list[str], ids: Sequence[Sequence[int]], options: object | None) -> list[Vectors]:
        tokens = np.array(ids, np.int64)
        values = {"ids": tokens, "mask": np.ones_like(tokens), "types": np.zeros_like(tokens)}
        feeds = {name: values[role].astype(dtype, copy=False) for name, (role, dtype) in self._inputs.items()}
        return [result.astype(np.float32, copy=False) for result in self._session.run(outputs, feeds, options)]

    def _reading(self, parts: Sequence[tuple["_Window", Vectors, Vectors | None]]) -> Reading:
        vector = _merged([vector for _, vector, _ in parts], [window for window, _, _ in parts])
        own = [slice(window.start, window.start + len(window.spans)) for window, _, _ in parts]
        found = [states[place] for place, (_, _, states) in zip(own, parts, strict=True) if states is not None]
        spans = [span for window, _, _ in parts for span in window.spans]
        return Reading(vector, np.concatenate(found) if found else None, spans)

    def _check_dimensions(self, directory: Path) -> None:
        """Raise where the model's vectors have another length, or cannot be made.

        Skipped for recorded files, which were checked when they were built: a run touches all weights, 10 MB and more.
        """
        measured = self._description.outputs["vector" if self._description.pooling == "graph" else "states"]
        declared = next(output.shape[-1] for output in self._session.get_outputs() if output.name == measured)
        try:
            recorded = self._description.files and isinstance(declared, int)
            found = (declared,) if recorded else self._pooled(self._windows("a", ""))[0].shape
        except Exception as error:
            raise Unusable(f"{directory / self._description.model} cannot be run: {error}") from error
        if found != (self.dimensions,):
            raise InvalidInput(
                f"{directory / 'encoder.json'}: dimensions is {self.dimensions}, but the model's vectors have shape {found}"
            )


@dataclass(frozen=True, slots=True)
class _Window:
    """Tokens of one run."""

    ids: list[int]
    start: int
    """Number of ids before the text's first piece."""
    spans: list[tuple[int, int]]
    """For each piece of the text, its (start, end) in characters."""


class _Argument(Protocol):
    """An input or output as onnxruntime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]


class _Session(Protocol):
    """The part of onnxruntime's InferenceSession that is used here."""

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Any], options: object | None) -> list[NDArray[Any]]: ...
    def get_inputs(self) -> Sequence[_Argument]: ...
    def get_outputs(self) -> Sequence[_Argument]: ...


@dataclass(frozen=True, slots=True)
class _Fields:
    """Typed access to a JSON object; errors name the file and the field."""

    values: Mapping[str, object]
    path: Path

    def text(self, field: str, default: str | None = None) -> str:
        value = self._value(field, default)
        if not isinstance(value, str):
            raise InvalidInput(f"{self.path}: {field} must be a string")
        return value

    def number(self, field: str, default: int | None = None) -> int:
        value = self._value(field, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InvalidInput(f"{self.path}: {field} must be a whole number above 0")
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        value = self._value(field, [])
        if not isinstance(value, list) or not all(isinstance(part, str) for part in cast(list[object], value)):
            raise InvalidInput(f"{self.path}: {field} must be a list of strings")
        return tuple(cast(list[str], value))

    def noise(self, field: str) -> Noise:
        """Return the noise of an object with mean and deviation; the default where missing."""
        value = self._value(field, {})
        if not isinstance(value, dict):
            raise InvalidInput(f"{self.path}: {field} must be an object with mean and deviation")
        given = cast(dict[str, object], value)
        if not given:
            return Noise()
        numbers = [given.get(name) for name in ("mean", "deviation")]
        if len(given) != 2 or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            raise InvalidInput(f"{self.path}: {field} must be an object with the numbers mean and deviation")
        return Noise(*(float(cast(float, number)) for number in numbers))

    def names(self, field: str, roles: Sequence[str]) -> dict[str, str | None]:
        """Return a name, or None, for each of `roles`."""
        value = self._value(field, None)
        if not isinstance(value, dict):
            raise InvalidInput(f"{self.path}: {field} must be an object with {', '.join(roles)}")
        given = cast(dict[str, object], value)
        if unknown := sorted(set(given) - set(roles)):
            raise InvalidInput(f"{self.path}: unknown field {field}.{unknown[0]}, there are {', '.join(roles)}")
        for role, name in given.items():
            if name is not None and not isinstance(name, str):
                raise InvalidInput(f"{self.path}: {field}.{role} must be a string or null")
        return {role: cast("str | None", given.get(role)) for role in roles}

    def _value(self, field: str, default: object) -> object:
        value = self.values.get(field, default)
        if value is None:
            raise InvalidInput(f"{self.path}: {field} is missing")
        return value


def _session(path: Path) -> _Session:
    if not path.is_file():
        recipe = path.parent / "build.py"
        hint = f"; make it with: python {recipe}" if recipe.is_file() else ""
        raise Unusable(f"{path} is missing{hint}")
    runtime = cast(Any, onnxruntime)
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Packed copies of the weights are 10 MB of each process's own; without them all share the file's pages, and the same
    # vector takes 1.8 ms instead of 1.4 (12 tokens), 4.8 instead of 4.3 (64), 19.5 instead of 17.9 (256).
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        return cast(_Session, runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
    except Exception as error:
        raise Unusable(f"{path} is not a model that onnxruntime {onnxruntime.__version__} can load: {error}") from error


def _giving_back() -> object:
    """Return run options that shrink the arena afterwards."""
    options = cast(Any, onnxruntime).RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _session_inputs(session: _Session, description: Description, directory: Path) -> dict[str, tuple[str, _TokenType]]:
    """Return, for each input of the model, its role (ids, mask or types) and its number type."""
    types: dict[str, _TokenType] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    has = {argument.name: argument.type for argument in session.get_inputs()}
    named = description.inputs or {role: name for role, name in _STANDARD_INPUTS.items() if name in has}
    wanted = {name: role for role, name in named.items() if name is not None}
    path = directory / "encoder.json"
    if missing := sorted(set(wanted) - set(has)):
        raise InvalidInput(f"{path}: the model has no input {missing[0]}, it has {', '.join(has)}")
    if unfed := sorted(set(has) - set(wanted)):
        raise InvalidInput(f"{path}: inputs does not say what the model's input {unfed[0]} is")
    if unfit := sorted(name for name, kind in has.items() if kind not in types):
        raise InvalidInput(f"{path}: the model's input {unfit[0]} takes {has[unfit[0]]}, not token numbers")
    return {name: (role, types[has[name]]) for name, role in wanted.items()}


def _check_outputs(session: _Session, description: Description, directory: Path) -> None:
    has = [argument.name for argument in session.get_outputs()]
    for role, name in description.outputs.items():
        if name is not None and name not in has:
            raise InvalidInput(
                f"{directory / 'encoder.json'}: outputs.{role} is {name}, but the model has {', '.join(has)}"
            )


def _tokenizer(path: Path) -> Tokenizer:
    if not path.is_file():
        raise Unusable(f"{path} is missing")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise Unusable(f"{path} is not a tokenizer that the tokenizers library can load: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the ids that the tokenizer puts before and after a text."""
    encoding = tokenizer.encode("a")
    own = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
    if not own:
        return encoding.ids, []
    return encoding.ids[: own[0]], encoding.ids[own[-1] + 1 :]


def _fingerprint(directory: Path, description: Description) -> str:
    """Return twelve digits of a hash over everything that shapes the vectors; without recorded hashes the files are read."""
    names = [description.tokenizer, *(path.name for path in sorted(directory.glob(f"{description.model}*")))]
    files = dict(description.files) or {name: file_hash(directory / name) for name in names}
    shape = {
        "files": files,
        "pooling": description.pooling,
        "max_tokens": description.max_tokens,
        "inputs": description.inputs and dict(description.inputs),
        "outputs": dict(description.outputs),
        "prefixes": [description.query_prefix, description.passage_prefix],
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:12]


def _merged(vectors: Sequence[Vectors], windows: Sequence["_Window"]) -> Vectors:
    if len(vectors) == 1:
        return vectors[0]
    return _unit(np.asarray(sum(len(window.spans) * vector for window, vector in zip(windows, vectors, strict=True))))


def _unit(vector: Vectors) -> Vectors:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
