"""Other programs against this server: the SDK of both lines, the Inspector, frameworks."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.server import Server
from mcp.types import TextContent
from programs import run_program

from mcp_memory.server.prompts import PROMPTS
from mcp_memory.server.tools import TOOLS

MODES = ["auto", "legacy"]
FACT = "The staging database runs on Postgres 16."


async def use_everything(client: Client) -> None:
    """Call each kind of thing a server offers."""
    assert client.server_info.name == "mcp-memory"
    assert client.instructions
    assert client.instructions.startswith("This server is your long-term memory.")
    assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in TOOLS]
    kept = await client.call_tool("remember", {"content": FACT, "tags": ["infra"]})
    assert kept.meta is not None
    identifier = kept.meta["mcp-memory/remember"]["items"][0]["id"]
    recalled = await client.call_tool("recall", {"query": "staging database"})
    assert recalled.meta is not None
    assert [hit["id"] for hit in recalled.meta["mcp-memory/recall"]["hits"]] == [identifier]
    for tool, arguments in (
        ("update", {"id": identifier, "pinned": True}),
        ("summarize", {"topic": "infra"}),
        ("forget", {"ids": [identifier]}),
    ):
        result = await client.call_tool(tool, arguments)
        assert (result.is_error, isinstance(result.content[0], TextContent)) == (False, True)
    assert (await client.read_resource("memory://context")).contents
    assert (await client.get_prompt("begin")).messages


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_the_sdk_of_today_uses_everything_in_memory(server: Server[Any], mode: str) -> None:
    async with Client(server, mode=mode) as client:
        await use_everything(client)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_the_sdk_of_today_uses_everything_over_stdio(process: StdioServerParameters, mode: str) -> None:
    async with Client(process, mode=mode) as client:
        await use_everything(client)


OLD_CLIENT = """
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        found = await session.initialize()
        tools = await session.list_tools()
        kept = await session.call_tool("remember", {"content": "The staging database runs on Postgres 16."})
        recalled = await session.call_tool("recall", {"query": "staging database"})
        refused = await session.call_tool("recall", {"colour": "red"})
        resources = await session.list_resources()
        prompt = await session.get_prompt("reflect", {})
        print(json.dumps({
            "server": found.serverInfo.name,
            "era": found.protocolVersion,
            "tools": [tool.name for tool in tools.tools],
            "hits": [hit["text"] for hit in recalled.meta["mcp-memory/recall"]["hits"]],
            "errors": [kept.isError, recalled.isError, refused.isError],
            "resources": [str(resource.uri) for resource in resources.resources],
            "prompt": prompt.messages[0].role,
        }))

asyncio.run(main())
"""


@pytest.mark.clients
def test_the_sdk_of_the_old_line_uses_the_server(process: StdioServerParameters, tmp_path: Path) -> None:
    script = tmp_path / "old_client.py"
    script.write_text(OLD_CLIENT, "utf-8")
    printed = run_program(
        "uv", "run", "--isolated", "--no-project", "--with", "mcp<2", "python", str(script), process.command, *process.args,
        env=process.env,
        cwd=tmp_path,
    )  # fmt: skip

    assert json.loads(printed) == {
        "server": "mcp-memory",
        "era": "2025-11-25",
        "tools": [tool.name for tool in TOOLS],
        "hits": [FACT],
        "errors": [False, False, True],
        "resources": ["memory://context", "memory://topics"],
        "prompt": "user",
    }


@pytest.mark.clients
@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize(
    ("method", "key", "names"),
    [
        ("tools/list", "tools", [tool.name for tool in TOOLS]),
        ("resources/list", "resources", ["context", "topics"]),
        ("prompts/list", "prompts", [prompt.name for prompt in PROMPTS]),
    ],
)
def test_the_inspector_finds_nothing_to_complain_of(
    process: StdioServerParameters, tmp_path: Path, era: str, method: str, key: str, names: list[str]
) -> None:
    strict = ["--strict"] if method == "tools/list" else []  # it has no stricter eye for the others
    result = inspect(process, tmp_path, "--protocol-era", era, "--method", method, *strict)

    assert [entry["name"] for entry in result[key]] == names


@pytest.mark.clients
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_calls_a_tool(process: StdioServerParameters, tmp_path: Path, era: str) -> None:
    arguments = json.dumps({"content": FACT})
    call = ["--method", "tools/call", "--tool-name", "remember", "--tool-args-json", arguments]
    result = inspect(process, tmp_path, "--protocol-era", era, *call)

    [item] = result["_meta"]["mcp-memory/remember"]["items"]
    assert item["status"] == "created"
    assert result["content"][0]["text"].startswith(f"created #{item['id']}")


def inspect(process: StdioServerParameters, directory: Path, *arguments: str) -> dict[str, Any]:
    """The result that the Inspector prints."""
    inspector = ["npx", "--yes", "@modelcontextprotocol/inspector@2.12", "--cli", "--format", "json", "-q"]
    command = [*inspector, *arguments, "--", process.command, *process.args]
    return json.loads(run_program(*command, env=process.env, cwd=directory))["result"]
