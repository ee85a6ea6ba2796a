"""Makes the one-click bundle: the source archive, which carries the built model, with the manifest and the icon.

`uv run python -m release.bundle` writes dist/mcp-memory-VERSION.mcpb. With `--release-url URL`, where the bundle will be
downloaded from, it also writes dist/server.json, the entry for the MCP registry, with the bundle's SHA-256.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MCPB = "@anthropic-ai/mcpb@2.1.2"
BESIDE = ("manifest.json", "icon.png")


def make_bundle(directory: Path) -> Path:
    """The bundle, written into `directory`. Raises CalledProcessError where the manifest is not valid.

    It holds what the source archive lists and nothing that lies about in the working tree.
    """
    manifest = json.loads((ROOT / "manifest.json").read_text("utf-8"))
    directory.mkdir(parents=True, exist_ok=True)
    bundle = directory.absolute() / f"{manifest['name']}-{manifest['version']}.mcpb"
    with tempfile.TemporaryDirectory(prefix="mcp-memory-bundle-") as folder:
        unpacked = source_tree(Path(folder))
        for name in BESIDE:
            shutil.copy(ROOT / name, unpacked)
        _run("npx", "--yes", MCPB, "validate", str(unpacked / "manifest.json"))
        _run("npx", "--yes", MCPB, "pack", str(unpacked), str(bundle))
    return bundle


def source_tree(folder: Path) -> Path:
    """The source archive, made and unpacked in `folder`."""
    _run("uv", "build", "--sdist", "--out-dir", str(folder), str(ROOT))
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    [unpacked] = (entry for entry in folder.iterdir() if entry.is_dir())
    return unpacked


def registry_entry(bundle: Path, release_url: str) -> dict[str, Any]:
    """server.json with the bundle as its package, and the options that a user is asked for."""
    manifest = json.loads((ROOT / "manifest.json").read_text("utf-8"))
    entry = json.loads((ROOT / "server.json").read_text("utf-8"))
    variables = manifest["server"]["mcp_config"]["env"]
    fields = manifest["user_config"]
    package = {
        "registryType": "mcpb",
        "identifier": release_url,
        "version": manifest["version"],
        "fileSha256": hashlib.sha256(bundle.read_bytes()).hexdigest(),
        "transport": {"type": "stdio"},
        "environmentVariables": [
            {"name": name, "description": fields[field]["description"], "isRequired": fields[field]["required"]}
            for name, value in variables.items()
            if (field := value.removeprefix("${user_config.").removesuffix("}")) in fields
        ],
    }
    return entry | {"packages": [package]}


def _run(*command: str) -> None:
    subprocess.run(
        [shutil.which(command[0]) or command[0], *command[1:]],
        check=True,
        cwd=tempfile.gettempdir(),
        env=os.environ | {"CI": "1", "npm_config_update_notifier": "false"},
    )


def main() -> None:
    """Run from a command line."""
    parser = argparse.ArgumentParser(description="Make the one-click bundle.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--release-url", help="where the bundle will be downloaded from")
    given = parser.parse_args()
    bundle = make_bundle(given.out)
    print(f"{bundle}: {bundle.stat().st_size / 1e6:.1f} MB")
    if given.release_url:
        entry = registry_entry(bundle, given.release_url)
        (given.out / "server.json").write_text(json.dumps(entry, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
