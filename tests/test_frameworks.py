"""Clients of other makers against this server: each, in a process of its own, calls every tool and prints what it got."""

import json
import sys
from pathlib import Path

import pytest
from mcp import StdioServerParameters
from programs import environment_at, run_program

from mcp_memory.server.tools import TOOLS

pytestmark = pytest.mark.clients

FACT = "The staging database runs on Postgres 16."
STEPS = [
    ("remember", {"content": FACT, "tags": ["infra"]}),
    ("recall", {"query": "staging database"}),
    ("update", {"id": "$ID", "importance": 0.9}),
    ("summarize", {"topic": "infra"}),
    ("history", {"id": "$ID"}),
    ("forget", {"ids": ["$ID"]}),
    ("undo", {}),
    ("recall", {"query": "staging database"}),
]
"""Every tool once, recall twice; `$ID` is the id that the first answer named."""

PYTHON = """
import asyncio, json, os, re, sys
command, *arguments = json.loads(sys.argv[1])
steps = json.loads(sys.argv[2])
environment = dict(os.environ)

async def each(call):
    texts, identifier = [], ""
    for name, given in steps:
        text = await call(name, json.loads(json.dumps(given).replace("$ID", identifier)))
        identifier = identifier or re.search(r"#(\\w+)", text)[1]
        texts.append(text)
    return texts

def plain(result):
    return "\\n".join(part.text for part in result.content)

BODY

print(json.dumps(asyncio.run(main())))
"""
BODIES = {
    "SDK 1": (
        "mcp<2",
        """
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
async def main():
    parameters = StdioServerParameters(command=command, args=arguments, env=environment)
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        async def call(name, given):
            return plain(await session.call_tool(name, given))
        return [[tool.name for tool in (await session.list_tools()).tools], await each(call)]
""",
    ),
    "langchain-mcp-adapters": (
        "langchain-mcp-adapters",
        """
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
async def main():
    connection = {"transport": "stdio", "command": command, "args": arguments, "env": environment}
    async with MultiServerMCPClient({"memory": connection}).session("memory") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        async def call(name, given):
            answer = await tools[name].ainvoke(given)
            return answer if isinstance(answer, str) else "\\n".join(part["text"] for part in answer)
        return [list(tools), await each(call)]
""",
    ),
    "openai-agents": (
        "openai-agents",
        """
from agents.mcp import MCPServerStdio
async def main():
    parameters = {"command": command, "args": arguments, "env": environment}
    async with MCPServerStdio(params=parameters, client_session_timeout_seconds=60) as server:
        async def call(name, given):
            return plain(await server.call_tool(name, given))
        return [[tool.name for tool in await server.list_tools()], await each(call)]
""",
    ),
    "pydantic-ai": (
        "pydantic-ai-slim[mcp]",
        """
from pydantic_ai.mcp import MCPToolset
from fastmcp.client.transports import StdioTransport
async def main():
    toolset = MCPToolset(StdioTransport(command, arguments, env=environment), init_timeout=60)
    async with toolset:
        async def call(name, given):
            return str(await toolset.direct_call_tool(name, given))
        return [[tool.name for tool in await toolset.list_tools()], await each(call)]
""",
    ),
}

SCRIPT = """
import { Client } from "PACKAGE";
import { StdioClientTransport } from "STDIO";
const [command, ...args] = JSON.parse(process.argv[2]);
const client = new Client({ name: "typescript", version: "1" }, OPTIONS);
await client.connect(new StdioClientTransport({ command, args, env: process.env }));
const names = (await client.listTools()).tools.map((tool) => tool.name);
let identifier = "";
const texts = [];
for (const [name, given] of JSON.parse(process.argv[3])) {
  const filled = JSON.parse(JSON.stringify(given).replaceAll("$ID", identifier));
  const result = await client.callTool({ name, arguments: filled });
  const text = result.content.map((part) => part.text).join("\\n");
  identifier ||= text.match(/#(\\w+)/)[1];
  texts.push(text);
}
console.log(JSON.stringify([names, texts]));
await client.close();
"""
SCRIPTS = {
    "TypeScript SDK 1": (
        "@modelcontextprotocol/sdk@1",
        "@modelcontextprotocol/sdk/client/index.js",
        "@modelcontextprotocol/sdk/client/stdio.js",
        "{}",
    ),
    "TypeScript SDK 2": (
        "@modelcontextprotocol/client@2",
        "@modelcontextprotocol/client",
        "@modelcontextprotocol/client/stdio",
        "{}",
    ),
    "TypeScript SDK 2, later protocol": (
        "@modelcontextprotocol/client@2",
        "@modelcontextprotocol/client",
        "@modelcontextprotocol/client/stdio",
        '{ versionNegotiation: { mode: "auto" } }',
    ),
}


def assert_all_tools_answered(printed: str) -> None:
    names, texts = json.loads(printed.splitlines()[-1])
    assert names == [tool.name for tool in TOOLS]
    remembered, recalled, updated, digest, history, forgotten, undone, again = texts
    assert remembered.startswith("created #")
    assert FACT in recalled
    assert updated.startswith("updated #")
    assert FACT in digest
    assert FACT in history
    assert forgotten.startswith("Forgot 1")
    assert undone.startswith("Took back forget")
    assert FACT in again


@pytest.mark.parametrize("name", BODIES)
def test_a_python_client_calls_every_tool(name: str, process: StdioServerParameters, tmp_path: Path) -> None:
    package, body = BODIES[name]
    script = tmp_path / "client.py"
    script.write_text(PYTHON.replace("BODY", body.strip()), "utf-8")
    environment = environment_at(tmp_path) | {
        k: v for k, v in (process.env or {}).items() if k.startswith("MCP_MEMORY")
    }
    environment.pop("VIRTUAL_ENV", None)

    printed = run_program(
        "uv", "run", "--isolated", "--no-project", "--python", sys.executable, "--with", package, "python", str(script),
        json.dumps([process.command, *process.args]), json.dumps(STEPS),
        cwd=tmp_path,
        env=environment,
    )  # fmt: skip

    assert_all_tools_answered(printed)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_typescript_client_calls_every_tool(name: str, process: StdioServerParameters, tmp_path: Path) -> None:
    package, module, stdio, options = SCRIPTS[name]
    script = tmp_path / "client.mjs"
    filled = SCRIPT.replace("PACKAGE", module).replace("STDIO", stdio).replace("OPTIONS", options)
    script.write_text(filled, "utf-8")
    environment = environment_at(tmp_path) | {
        k: v for k, v in (process.env or {}).items() if k.startswith("MCP_MEMORY")
    }
    run_program("npm", "install", "--no-audit", "--no-fund", package, cwd=tmp_path, env=environment)

    printed = run_program(
        "node", str(script), json.dumps([process.command, *process.args]), json.dumps(STEPS),
        cwd=tmp_path,
        env=environment,
    )  # fmt: skip

    assert_all_tools_answered(printed)
