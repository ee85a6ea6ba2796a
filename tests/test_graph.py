"""Exporting as the graph of the reference memory server: whole, in its format, and read by the server itself."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mcp import Client, StdioServerParameters
from programs import environment_at, run_program

from mcp_memory.cli import main

SERVER = "@modelcontextprotocol/server-memory@2026.8.31"
Run = Callable[..., Result]


@pytest.fixture
def run(database: Path, environment: dict[str, str]) -> Run:
    """Run a command in this process, in the project demo."""
    unset = {name: None for name in os.environ if name.startswith(("MCP_", "CLAUDE_"))}
    ours = {"MCP_MEMORY_MODEL": environment["MCP_MEMORY_MODEL"], "MCP_MEMORY_PROJECT": "demo"}

    def run(*arguments: object, other: Path | None = None) -> Result:
        variables: dict[str, str | None] = {**unset, **ours, "MCP_MEMORY_DATABASE": str(other or database)}
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], env=variables)
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture
def graph(run: Run, tmp_path: Path) -> Path:
    """A graph of memories with and without topics and tags, one of them forgotten."""
    for service, port in (("billing", 8001), ("search", 8002), ("login", 8003)):
        run("remember", f"The {service} service listens on port {port}.", "--tag", "ports", "--tag", "infra")
    run("remember", 'Maya likes "green" tea.\nIn 京都 she drank matcha 🍵.', "--kind", "preference", "--scope", "user")
    run("remember", "Deploy on Tuesdays.", "--tag", "ops")
    gone = json.loads(run("remember", "The old office was in Porto.", "--json").stdout)["items"][0]["id"]
    run("forget", gone)
    path = tmp_path / "graph.jsonl"
    run("export", path, "--format", "graph")
    return path


def texts(run: Run, other: Path | None = None) -> list[str]:
    return sorted(item["text"] for item in json.loads(run("list", "--scope", "all", "--json", other=other).stdout))


def test_every_live_memory_is_an_observation_of_one_entity(run: Run, graph: Path) -> None:
    lines = [json.loads(line) for line in graph.read_text("utf-8").splitlines()]
    entities = [line for line in lines if line["type"] == "entity"]
    relations = [line for line in lines if line["type"] == "relation"]
    names = [entity["name"] for entity in entities]

    assert sorted(text for entity in entities for text in entity["observations"]) == texts(run)
    assert len(set(names)) == len(names)
    assert {end for relation in relations for end in (relation["from"], relation["to"])} <= set(names)
    assert {"user": "person", "demo": "project", "ops": "tag"}.items() <= {
        entity["name"]: entity["entityType"] for entity in entities
    }.items()
    assert {"type": "relation", "from": "ops", "to": "demo", "relationType": "belongs to"} in relations


def test_a_graph_that_was_exported_can_be_imported(run: Run, graph: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    run("import", graph, other=other)
    told = "\n".join(texts(run, other))

    assert all(text in told for text in texts(run))


@pytest.mark.clients
@pytest.mark.anyio
async def test_the_reference_server_reads_the_graph_and_finds_in_it(run: Run, graph: Path, tmp_path: Path) -> None:
    run_program("npx", "--yes", "--package", SERVER, "node", "--version", cwd=tmp_path)  # skips where it can't be had
    process = StdioServerParameters(
        command="npx", args=["--yes", SERVER], env=environment_at(tmp_path) | {"MEMORY_FILE_PATH": str(graph)}
    )
    async with Client(process, mode="legacy") as client:
        whole = await answer(client, "read_graph", {})
        found = await answer(client, "search_nodes", {"query": "8002"})
        await answer(
            client, "add_observations", {"observations": [{"entityName": "ops", "contents": ["Freeze in December."]}]}
        )

    lines = [json.loads(line) for line in graph.read_text("utf-8").splitlines()]
    told = [text for entity in whole["entities"] for text in entity["observations"]]
    assert sorted(told) == texts(run)
    assert len(whole["relations"]) == sum(line["type"] == "relation" for line in lines)
    assert ["8002" in str(entity) for entity in found["entities"]] == [True]
    assert "Freeze in December." in str(lines)


async def answer(client: Client, tool: str, arguments: dict[str, Any]) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return json.loads(result.content[0].text)  # type: ignore[union-attr]
