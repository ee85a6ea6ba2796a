"""The build hook: makes the bundled encoder and puts it into the wheel and the source archive."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODEL = Path("models") / "all-minilm-l6-v2"
EXTRAS = ("encoder.json", "LICENSE", "README.md")
RECIPE_NEEDS = ["numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.31.1", "pip==26.3", "tokenizers==0.23.3"]
"""What building the model takes. Where it is there already, as in a source archive and a bundle, nothing is installed."""


class ModelBuildHook(BuildHookInterface[Any]):
    """Runs the model's recipe, which does nothing where the model is there already.

    An editable install reads the model from the source tree; a wheel carries it inside the package; a source archive carries it where the recipe puts it, so that installing from one fetches nothing.
    """

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What has to be installed before a build."""
        return [] if _complete(Path(self.root) / MODEL) else RECIPE_NEEDS

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects the files of a target."""
        built = self._build(Path(self.root) / MODEL)
        if version == "editable":
            return
        inside = MODEL if self.target_name == "sdist" else Path("mcp_memory") / MODEL
        for name in _shipped(Path(self.root) / MODEL):
            source = built / name if (built / name).is_file() else Path(self.root) / MODEL / name
            build_data["force_include"][str(source)] = str(inside / name)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling when the target is written."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _build(self, home: Path) -> Path:
        """The directory where the built model lies: beside its recipe, or a scratch directory where that cannot be written."""
        self._scratch: Path | None = None
        if _complete(home):
            return home
        command = [sys.executable, str(home / "build.py")]
        if not _writable(home):
            self._scratch = Path(tempfile.mkdtemp(prefix="mcp-memory-model-"))
            command += ["--output", str(self._scratch), "--weights", str(self._scratch)]
        # onnxruntime, which checks the model, reports its use and leaves files in the home directory otherwise.
        environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
        if subprocess.run(command, check=False, stdout=sys.stderr, env=environment).returncode:
            raise RuntimeError("the bundled encoder could not be built; the reason stands above")
        return self._scratch or home


def _shipped(home: Path) -> list[str]:
    return [*_recorded(home), *EXTRAS]


def _recorded(home: Path) -> dict[str, str]:
    return json.loads((home / "encoder.json").read_text(encoding="utf-8"))["files"]


def _complete(home: Path) -> bool:
    files = [(home / name, digest) for name, digest in _recorded(home).items()]
    return all(path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest for path, digest in files)


def _writable(directory: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def get_build_hook() -> type[ModelBuildHook]:
    """What hatchling looks for."""
    return ModelBuildHook
