"""The server over HTTP: who may speak to it, and whose words are whose."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import httpx2
import pytest
from click.testing import CliRunner
from conftest import INITIALIZE, PATIENCE
from mcp import Client, ClientSession
from mcp import types as mcp_types
from mcp.client.streamable_http import streamable_http_client

from mcp_memory.cli import main

TOKEN = "a-token-for-the-test"


@dataclass(frozen=True)
class Served:
    """A server process over HTTP."""

    url: str
    process: "subprocess.Popen[str]"
    said: str
    """Its first line on standard error."""

    def ask(self, **headers: str) -> int:
        """The status of an initialize with these headers; underscores stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"} | named
        request = Request(self.url, json.dumps(INITIALIZE).encode(), sent)
        try:
            with urlopen(request, timeout=PATIENCE) as response:
                return response.status
        except HTTPError as refusal:
            with refusal:
                return refusal.code

    @asynccontextmanager
    async def client(self, *, token: str = TOKEN, project: str = "", mode: str = "auto") -> AsyncIterator[Client]:
        """The SDK's client, connected."""
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE) as http:
            url = self.url + (f"?project={project}" if project else "")
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                yield client


Serve = Callable[..., Served]


@pytest.fixture
def serve(database: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[Serve]:
    """Start a server on a free port, with the token of the test unless another environment is given."""
    processes: list[subprocess.Popen[str]] = []

    def serve(*options: str, address: str = "0", **variables: str) -> Served:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcp_memory", "serve", "--http", address, "--database", str(database), *options],
            stderr=subprocess.PIPE,
            env=environment | variables,
            encoding="utf-8",
            cwd=tmp_path,
        )
        processes.append(process)
        assert process.stderr is not None
        said = process.stderr.readline()
        url = re.search(r"http://\S+", said)
        return Served(url[0] if url else "", process, said)

    yield serve
    for process in processes:
        process.kill()
        process.communicate()


def refusal(database: Path, address: str, token: str = TOKEN) -> str:
    """What `mcp-memory serve --http` says when it ends without serving."""
    options = ["serve", "--http", address, "--database", str(database)]
    result = CliRunner().invoke(main, options, env={"MCP_MEMORY_TOKEN": token})
    assert result.exit_code == 1
    return result.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.168.1.2:8765", "[::]:0", "memory.example:8765", ":8765"])
def test_what_is_no_loopback_address_is_refused(database: Path, address: str) -> None:
    assert f"--http {address} is no loopback address" in refusal(database, address)


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:", "127.0.0.1:65536", "-1"])
def test_what_names_no_port_is_refused(database: Path, address: str) -> None:
    assert f"--http {address} names no port" in refusal(database, address)


LISTENS = r"Serving http://{}:\d+/mcp to this machine. Token: MCP_MEMORY_TOKEN\n"


def test_it_says_where_it_listens(serve: Serve) -> None:
    served = serve(address="127.0.0.2:0", MCP_MEMORY_TOKEN=TOKEN)

    assert re.fullmatch(LISTENS.format(r"127\.0\.0\.2"), served.said)
    assert served.ask(Authorization=f"Bearer {TOKEN}") == 200


def test_only_who_has_the_token_and_no_page_of_another_origin_is_answered(serve: Serve) -> None:
    served = serve(address="localhost:0", MCP_MEMORY_TOKEN=TOKEN)
    assert re.fullmatch(LISTENS.format(r"127\.0\.0\.1"), served.said)
    with_token = {"Authorization": f"Bearer {TOKEN}"}
    port = served.url.split(":")[2].split("/")[0]

    assert served.ask() == 401
    assert served.ask(Authorization="Bearer a-token-for-the-tesT") == 401
    assert served.ask(Authorization=f"Basic {TOKEN}") == 401
    assert served.ask(**with_token, Origin="https://evil.example") == 403
    assert served.ask(**with_token, Origin=f"http://localhost.evil.example:{port}") == 403
    assert served.ask(**with_token, Origin="http://localhost:1") == 403
    assert served.ask(**with_token, Host=f"evil.example:{port}") == 421
    assert served.ask(**with_token, Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 200


def test_a_token_is_made_once_and_only_its_file_is_named(serve: Serve, database: Path) -> None:
    first = serve()
    file = database.with_name("memory.db.token")
    token = file.read_text("utf-8").strip()
    second = serve()

    assert str(file) in first.said
    assert token not in first.said + second.said
    assert file.read_text("utf-8").strip() == token
    assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [served.ask(Authorization=f"Bearer {token}") for served in (first, second)] == [200, 200]


@pytest.mark.parametrize("token", ["brief", "not a header's token ", "ümlaut-in-the-token"])
def test_a_token_that_will_not_do_is_refused_unsaid(database: Path, token: str) -> None:
    said = refusal(database, "0", token)

    assert "The token in MCP_MEMORY_TOKEN is too short or holds what no header may" in said
    assert token not in said


def test_a_port_that_is_taken_is_named(database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert f"127.0.0.1:{port} cannot be listened on" in refusal(database, str(port))


@pytest.mark.anyio
async def test_a_project_in_the_address_is_the_one_that_calls_are_about(serve: Serve) -> None:
    served = serve("--project", "ours", MCP_MEMORY_TOKEN=TOKEN)
    fact = {"content": "The staging database listens on port 5544.", "scope": "project"}

    async with served.client(project="theirs") as client:
        await client.call_tool("remember", fact)
        there = await client.call_tool("recall", {"query": "staging database"})
    async with served.client() as client:
        here = await client.call_tool("recall", {"query": "staging database"})

    assert [hit["scope"] for hit in (there.meta or {})["mcp-memory/recall"]["hits"]] == ["theirs"]
    assert (here.meta or {})["mcp-memory/recall"]["hits"] == []


@pytest.mark.anyio
async def test_each_session_has_the_project_of_its_own_roots_and_its_own_undo(serve: Serve, tmp_path: Path) -> None:
    served = serve(MCP_MEMORY_TOKEN=TOKEN)
    for name in ("api", "site"):
        (tmp_path / "acme" / name / ".git").mkdir(parents=True)

    async def use(name: str, tool: str, **arguments: object) -> mcp_types.CallToolResult:
        async def roots(_: object) -> mcp_types.ListRootsResult:
            return mcp_types.ListRootsResult(roots=[mcp_types.Root(uri=(tmp_path / "acme" / name).as_uri())])

        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE) as http,
            streamable_http_client(served.url, http_client=http) as streams,
            ClientSession(streams[0], streams[1], list_roots_callback=roots) as session,
        ):
            await session.initialize()
            return await session.call_tool(tool, arguments)

    for name in ("api", "site"):
        await use(name, "remember", content=f"The {name} listens on port 80.", scope="project")
    found = [await use(name, "recall", query="port") for name in ("api", "site")]

    assert [[hit["scope"] for hit in (result.meta or {})["mcp-memory/recall"]["hits"]] for result in found] == [
        ["acme/api"],
        ["acme/site"],
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.anyio
async def test_it_ends_at_a_signal_with_everything_kept(serve: Serve) -> None:
    served = serve(MCP_MEMORY_TOKEN=TOKEN)
    async with served.client() as client:
        await client.call_tool("remember", {"content": "The aardvark sleeps."})
        served.process.send_signal(signal.SIGTERM)
    code = served.process.wait(PATIENCE)
    again = serve(MCP_MEMORY_TOKEN=TOKEN)
    async with again.client(mode="legacy") as client:
        recalled = await client.call_tool("recall", {"query": "aardvark"})

    assert code in (0, -signal.SIGTERM)
    assert [hit["text"] for hit in (recalled.meta or {})["mcp-memory/recall"]["hits"]] == ["The aardvark sleeps."]


def test_serving_over_standard_streams_loads_no_more_of_a_web_server_than_the_sdk_does(
    environment: dict[str, str],
) -> None:
    script = """
import sys, mcp.server, mcp.server.stdio, mcp.server.subscriptions
before = set(sys.modules)
import mcp_memory.cli, mcp_memory.server.app
print([name for name in sys.modules.keys() - before if name == "mcp_memory.server.http" or name.startswith(("uvicorn", "starlette", "mcp."))])
"""
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[]"
