"""What an installation has: the extra for encryption in environments of its own, in either order with the package apsw."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = "The aardvark sleeps."
OURS = ["-r", "pyproject.toml", "--extra", "encrypted"]
"""The dependencies of mcp-memory[encrypted]; the package itself runs from the source tree."""
MENDING = (["pip", "uninstall", "apsw"], ["pip", "install", "--reinstall-package", "apsw-sqlite3mc", "apsw-sqlite3mc"])
"""What the refusal says to run."""

pytestmark = pytest.mark.clients


class Installation:
    """An environment of its own, in which uv installs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("MCP_")}
        self.uv("venv", "--python", sys.executable, str(folder))

    def uv(self, *arguments: str) -> None:
        """Run uv on this environment."""
        uv = shutil.which("uv")
        assert uv
        environment = self._environment | {"VIRTUAL_ENV": str(self.folder)}
        subprocess.run([uv, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True, timeout=300)

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run mcp-memory with the interpreter of this environment."""
        python = next(self.folder.glob("bin/python")) if os.name != "nt" else self.folder / "Scripts" / "python.exe"
        environment = self._environment | {"PYTHONPATH": str(ROOT)} | variables
        command = [str(python), "-c", "from mcp_memory.cli import main; main(prog_name='mcp-memory')", *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "environment")


@pytest.mark.parametrize("order", [[OURS], [["apsw"], OURS]], ids=["alone", "after apsw"])
def test_the_extra_gives_ciphers(
    installation: Installation, order: list[list[str]], model: Path, database: Path
) -> None:
    for packages in order:
        installation.uv("pip", "install", *packages)
    settings = {"MCP_MEMORY_DATABASE": str(database), "MCP_MEMORY_MODEL": str(model), "MCP_MEMORY_KEY": "a long phrase"}

    encrypted = installation.run("encrypt", **settings)
    installation.run("remember", TEXT, **settings)
    recalled = installation.run("recall", "aardvark", **settings)

    assert encrypted.returncode == 0, encrypted.stderr
    assert TEXT in recalled.stdout
    assert b"aardvark" not in database.read_bytes()


def test_where_apsw_was_installed_over_it_the_refusal_says_what_mends_it(
    installation: Installation, model: Path, database: Path
) -> None:
    installation.uv("pip", "install", *OURS)
    settings = {"MCP_MEMORY_DATABASE": str(database), "MCP_MEMORY_MODEL": str(model), "MCP_MEMORY_KEY": "a long phrase"}
    installation.run("encrypt", **settings)

    installation.uv("pip", "install", "apsw")
    refused = installation.run("remember", TEXT, **settings)
    for command in MENDING:
        installation.uv(*command)
    mended = installation.run("remember", TEXT, **settings)

    assert refused.returncode == 1
    assert all(f"uv {' '.join(command)}" in refused.stderr for command in MENDING)
    assert mended.returncode == 0, mended.stderr
