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
    assert {
        "user": "memories of a person",
        "demo": "memories of a project",
        "ops": "memories with a tag",
    }.items() <= {entity["name"]: entity["entityType"] for entity in entities}.items()
    assert {"type": "relation", "from": "ops", "to": "demo", "relationType": "belongs to"} in relations


def memories(run: Run, other: Path | None = None) -> list[tuple[str, str]]:
    listed = json.loads(run("list", "--scope", "all", "--limit", 500, "--json", other=other).stdout)
    return sorted((item["scope"], item["text"]) for item in listed)


def test_a_graph_that_was_exported_comes_into_another_file_as_it_was(run: Run, graph: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    run("import", graph, other=other)

    assert memories(run, other) == memories(run)
    tagged = json.loads(run("list", "--scope", "all", "--tag", "ops", "--json", other=other).stdout)
    assert [item["text"] for item in tagged] == ["Deploy on Tuesdays."]


def test_a_graph_that_was_exported_is_known_where_it_comes_from(run: Run, graph: Path, tmp_path: Path) -> None:
    talk, notes = tmp_path / "talk.md", tmp_path / "notes.md"
    talk.write_text("\n".join(f"- Step {n}: the ferry to island {n} leaves at dawn." for n in range(40)), "utf-8")
    notes.write_text("One flat has a view.  \n\n" + "The other flat is near the park and cheap. " * 60, "utf-8")
    run("remember", "--file", talk, "--tag", "ops", "--scope", "user")
    run("remember", "--file", notes)
    run("remember", "The demo is on Friday.", "--tag", "demo")
    before = memories(run)
    run("export", again := tmp_path / "again.jsonl", "--format", "graph")

    told = json.loads(run("import", again, "--json").stdout)

    assert (told["new"], told["operation"], told["problems"]) == (0, None, [])
    assert told["known"] + told["repeated"] == len(before)
    assert memories(run) == before


def test_what_another_program_added_to_the_graph_comes_beside_it(run: Run, graph: Path, tmp_path: Path) -> None:
    lines = [
        {"type": "entity", "name": "Ada", "entityType": "person", "observations": ["Owns the parser."]},
        {"type": "relation", "from": "Ada", "to": "demo", "relationType": "works on"},
    ]
    with graph.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)

    run("import", graph)

    added = set(texts(run)) - {"Deploy on Tuesdays."}
    assert {"Ada: Owns the parser.", "Ada works on demo"} <= added
    assert not any("belongs to" in text or "memories" in text for text in added)


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
