"""The protocol's own conformance suite against the server over HTTP, in both eras."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from programs import NODE_24, run_program

from mcp_memory.memory import Memory
from mcp_memory.server.app import MemoryHost, make_server
from mcp_memory.server.http import make_app

pytestmark = pytest.mark.clients

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
EXPECTED = Path(__file__).with_name("conformance.yml")
TOKEN = "a-token-for-the-suite"
SAMPLES = re.compile(
    r"[Nn]o (tool|prompt) 'test_|diagnostic tool 'test_|test://|Expected InputRequiredResult|Prerequisite failed"
)
"""How a failure reads that is for want of the suite's sample server."""
NOT_OFFERED = {
    "logging-set-level",
    "tools-call-with-logging",
    "completion-complete",
    "resources-subscribe",
    "resources-unsubscribe",
}
"""Scenarios that call a method this server does not say it has; the second calls a sample tool after that."""


@pytest.fixture
def url(memory: Memory) -> Iterator[str]:
    """The server over HTTP. The suite sends no token, so that it is added to its requests on their way in."""
    listening = uvicorn.Config(None, port=0).bind_socket()
    port = listening.getsockname()[1]
    server = make_server(MemoryHost(lambda: memory), project=None, elsewhere=lambda: None)
    guarded = make_app(server, host="127.0.0.1", port=port, token=TOKEN)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"authorization", f"Bearer {TOKEN}".encode())]}
        await guarded(scope, receive, send)

    running = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{port}/mcp"
    running.should_exit = True
    thread.join()
    listening.close()


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_the_suite_passes_but_for_what_needs_its_sample_server(url: str, revision: str, tmp_path: Path) -> None:
    options = ["--url", url, "--requirements", revision, "--expected-failures", str(EXPECTED)]
    printed = run_program(
        *NODE_24, "npx", "--yes", SUITE, "server", *options, "-o", str(tmp_path / "out"), cwd=tmp_path
    )
    failed = {
        (name, check["errorMessage"])
        for file in (tmp_path / "out").glob("*/checks.json")
        for check in json.loads(file.read_text("utf-8"))
        if check["status"] == "FAILURE"
        for name in [re.sub(r"^server-(.*)-\d{4}-\d\d-\d\dT.*$", r"\1", file.parent.name)]
    }
    expected = set(re.findall(r"^  - (\S+)$", EXPECTED.read_text("utf-8"), re.MULTILINE))
    unexplained = [
        (name, reason)
        for name, reason in failed
        if name in expected
        and not SAMPLES.search(reason)
        and not (name in NOT_OFFERED and "Method not found" in reason)
    ]

    assert "✓ tools-list" in printed
    assert "✓ dns-rebinding-protection" in printed
    assert unexplained == []
