"""setup against the clients themselves: each lists, and where it can starts, the server that setup wrote for it."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory

pytestmark = pytest.mark.clients

PACKAGES = {
    "claude": "@anthropic-ai/claude-code@2.1.197",
    "codex": "@openai/codex@0.169.0",
    "gemini": "@google/gemini-cli@0.61.0",
    "opencode": "opencode-ai@1.18.33",
    "copilot": "@github/copilot@1.0.102",
}
SCRIPT = Path(sys.executable).with_name("mcp-memory")

Run = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of its own with a project in it."""
    (tmp_path / "home" / "work" / ".git").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, model: Path) -> Run:
    """Run mcp-memory, or a client from its package, in that project; what it prints, without colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MCP_", "CLAUDE", "ANTHROPIC"))}
    npmrc = Path.home() / ".npmrc"
    environment = kept | {
        "HOME": str(home),
        "MCP_MEMORY_DATABASE": str(home / "memory.db"),
        "MCP_MEMORY_MODEL": str(model),
        "MCP_TIMEOUT": "60000",
        "npm_config_cache": str(Path.home() / ".npm"),
        "NPM_CONFIG_USERCONFIG": str(npmrc) if npmrc.exists() else "",
    }

    def run(program: str, *arguments: str, **more: str) -> str:
        command = [str(SCRIPT), *arguments]
        if program in PACKAGES:
            if shutil.which("npx") is None:
                pytest.skip("needs npx")
            command = ["npx", "--yes", "--package", PACKAGES[program], program, *arguments]
        ended = subprocess.run(
            command,
            cwd=home / "work",
            env=environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        if ended.returncode and any(word in ended.stderr for word in ("ENOTFOUND", "EAI_AGAIN", "ETARGET")):
            pytest.skip(f"{program} could not be fetched")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout + ended.stderr)

    return run


@pytest.mark.parametrize(
    ("client", "name", "shown"),
    [
        ("claude", "claude-code", r"mcp-memory: \S+mcp-memory +- ✔ Connected"),
        ("codex", "codex", r"mcp-memory +\S+mcp-memory .*enabled"),
        ("gemini", "gemini", r"✓ mcp-memory: \S+mcp-memory +\(stdio\) - Connected"),
        ("opencode", "opencode", r"✓ mcp-memory +connected"),
        ("copilot", "copilot", r"mcp-memory \(local\)"),
    ],
)
def test_the_client_lists_the_server_that_setup_wrote(client: str, name: str, shown: str, run: Run, home: Path) -> None:
    run("mcp-memory", "setup", name)
    if client == "gemini":
        trusted = home / ".gemini" / "trustedFolders.json"
        trusted.write_text(json.dumps({str(home / "work"): "TRUST_FOLDER"}), "utf-8")

    listed = run(client, "mcp", "list")
    run("mcp-memory", "setup", name, "--remove")
    after = run(client, "mcp", "list")

    assert re.search(shown, listed), listed
    assert "mcp-memory" not in after


@pytest.mark.parametrize(
    ("client", "name", "shown"),
    [
        ("claude", "claude-code", r"mcp-memory: .*Pending approval"),
        ("opencode", "opencode", r"✓ mcp-memory +connected"),
        ("codex", "codex", r"mcp-memory +\S+mcp-memory .*enabled"),
        ("gemini", "gemini", r"✓ mcp-memory: \S+mcp-memory +\(stdio\) - Connected"),
    ],
)
def test_the_client_reads_the_project_file_that_setup_wrote(
    client: str, name: str, shown: str, run: Run, home: Path
) -> None:
    run("mcp-memory", "setup", name, "--project")
    if client == "codex":
        folder = home / ".codex"
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(f'[projects."{home / "work"}"]\ntrust_level = "trusted"\n', "utf-8")
    if client == "gemini":
        (home / ".gemini").mkdir(exist_ok=True)
        (home / ".gemini" / "trustedFolders.json").write_text(json.dumps({str(home / "work"): "TRUST_FOLDER"}), "utf-8")

    assert re.search(shown, run(client, "mcp", "list"))


class Stub(http.server.BaseHTTPRequestHandler):
    """Answers the model's API with one short message, and keeps what was asked."""

    asked: list[str]

    def do_POST(self) -> None:
        """A message of the assistant, as a stream of events or whole."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.asked.append(body)
        usage = {"input_tokens": 1, "output_tokens": 1}
        message: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "model": "stub", "usage": usage}
        if not json.loads(body).get("stream"):
            whole = message | {"content": [{"type": "text", "text": "Fine."}], "stop_reason": "end_turn"}
            self._send("application/json", json.dumps(whole))
            return
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": message | {"content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Fine."}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
            {"type": "message_stop"},
        ]
        self._send("text/event-stream", "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events))

    def _send(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def stub() -> Iterator[tuple[str, list[str]]]:
    """A loopback stand-in for the model's API: its address, and what it was asked."""
    asked: list[str] = []
    handler = type("Keeping", (Stub,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_claude_code_shows_the_model_what_the_hooks_give(run: Run, home: Path, stub: tuple[str, list[str]]) -> None:
    address, asked = stub
    with Memory.open(home / "memory.db", model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        memory.remember("I prefer tabs over spaces.", like=Entry("", kind="preference", scope="user"))
        memory.remember("The staging database runs on Postgres 16.", like=Entry("", scope="user", importance=0.01))
    run("mcp-memory", "setup", "claude-code", "--instructions")
    run(
        "claude", "-p", "Which database is on staging?",
        ANTHROPIC_BASE_URL=address, ANTHROPIC_API_KEY="dummy", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )  # fmt: skip

    sent = "\n".join(asked)
    assert "I prefer tabs over spaces." in sent
    assert "From mcp-memory, by the words of this prompt" in sent
    assert "Long-term memory (mcp-memory)" in sent
