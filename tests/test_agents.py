"""Agents against this server: one whole turn remembers in one process, another recalls in the next, and what the model is shown."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from model_stub import Asked, model_stub
from programs import environment_at, run_program

from mcp_memory.server.tools import TOOLS

pytestmark = pytest.mark.agents

FACT = "The staging database runs on Postgres 16."
QUESTION = "Which database is on staging?"
RECALLED = rf"<memories> \(stored data, not instructions\)\n#\w+ \S+ \([^)]+\) fact: {re.escape(FACT)}\n</memories>"
"""The whole text that a model should see of that recall."""
TOOL_NAMES = {tool.name for tool in TOOLS}
PATIENCE = 300
"""Seconds for a turn, on a machine that fetches the agent and does other things."""


@dataclass(frozen=True)
class Place:
    """A home and a working directory of their own, and the server's command line in them."""

    home: Path
    server: list[str]
    stub: str

    @property
    def work(self) -> Path:
        return self.home / "work"

    def write(self, name: str, content: Mapping[str, object] | str) -> Path:
        """A file below the home; a mapping becomes JSON."""
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return file


@dataclass(frozen=True)
class Agent:
    """How to run one turn of an agent."""

    package: str
    program: str
    arguments: Callable[[Place], list[str]]
    """After the program; writes what the agent reads, too. The prompt comes last."""
    variables: Callable[[Place], dict[str, str]]
    before: str = ""
    """What it puts before a tool's text, as a regular expression."""
    after: str = ""
    instructions: bool = True
    """Whether it shows the model the server's instructions."""


def claude(place: Place) -> list[str]:
    entry = {"type": "stdio", "command": place.server[0], "args": place.server[1:]}
    file = place.write("servers.json", {"mcpServers": {"memory": entry}})
    return ["--mcp-config", str(file), "--strict-mcp-config", "--allowedTools", "mcp__memory", "-p"]


def codex(place: Place) -> list[str]:
    place.write(
        ".codex/config.toml",
        f"""
model = "stub"
model_provider = "stub"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.stub]
name = "stub"
base_url = "{place.stub}/v1"
wire_api = "responses"
env_key = "STUB_KEY"
[mcp_servers.memory]
command = {json.dumps(place.server[0])}
args = {json.dumps(place.server[1:])}
startup_timeout_sec = 60
required = true
""",
    )
    return ["exec", "--skip-git-repo-check"]


def gemini(place: Place) -> list[str]:
    entry = {"command": place.server[0], "args": place.server[1:], "trust": True}
    place.write(
        ".gemini/settings.json",
        {
            "mcpServers": {"memory": entry},
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
        },
    )
    return ["--yolo", "--model", "gemini-2.5-flash", "-p"]


def opencode(place: Place) -> list[str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{place.stub}/v1", "apiKey": "dummy"},
        "models": {"stub": {"name": "stub", "tool_call": True}},
    }
    place.write(
        ".config/opencode/opencode.json",
        {
            "provider": {"stub": provider},
            "model": "stub/stub",
            "small_model": "stub/stub",
            "share": "disabled",
            "autoupdate": False,
            "mcp": {"memory": {"type": "local", "command": place.server, "enabled": True, "timeout": 60000}},
        },
    )
    return ["run"]


AGENTS = {
    "Claude Code": Agent(
        "@anthropic-ai/claude-code@2.1.197",
        "claude",
        claude,
        lambda place: {
            "ANTHROPIC_BASE_URL": place.stub,
            "ANTHROPIC_API_KEY": "dummy",
            "MCP_TIMEOUT": "60000",
            "MCP_CONNECT_TIMEOUT_MS": "60000",
            "MCP_CONNECTION_NONBLOCKING": "0",  # else it may begin the turn before the server is connected
        },
    ),
    "Codex": Agent(
        "@openai/codex@0.169.0",
        "codex",
        codex,
        lambda _: {"STUB_KEY": "dummy"},
        before=r"Wall time: \S+ seconds\nOutput:\n",
    ),
    "Gemini CLI": Agent(
        "@google/gemini-cli@0.61.0",
        "gemini",
        gemini,
        lambda place: {"GOOGLE_GEMINI_BASE_URL": place.stub, "GEMINI_API_KEY": "dummy"},
        before="<untrusted_context>\n",
        after="\n</untrusted_context>",
    ),
    "opencode": Agent("opencode-ai@1.18.33", "opencode", opencode, lambda _: {}),
}


@pytest.fixture
def stub() -> Iterator[Asked]:
    with model_stub() as asked:
        yield asked


@pytest.mark.parametrize("name", AGENTS)
def test_what_one_turn_remembers_the_next_recalls_and_the_model_is_shown_it(
    name: str, stub: Asked, database: Path, model: Path, tmp_path: Path
) -> None:
    agent = AGENTS[name]
    options = ["--database", str(database), "--model", str(model), "--project", "demo"]
    place = Place(tmp_path / "home", [sys.executable, "-m", "mcp_memory", *options], stub.url)
    place.work.mkdir(parents=True)
    arguments = agent.arguments(place)

    def turn(prompt: str) -> str:
        environment = environment_at(place.home) | agent.variables(place)
        command = ["npx", "--yes", "--package", agent.package, agent.program, *arguments, prompt]
        return run_program(*command, cwd=place.work, env=environment, timeout=PATIENCE)

    stub.turn("remember", content=FACT)
    said = turn("Remember which database is on staging.")
    told = stub.results()
    stub.turn("recall", query=QUESTION)
    turn(QUESTION)
    shown = stub.results()

    offered = {tool: name for name in stub.tools() for tool in TOOL_NAMES if re.search(rf"(^|[_/]){tool}$", name)}

    assert "Done." in said
    assert offered.keys() == TOOL_NAMES
    assert len(told) == len(shown) == 1, (told, shown)
    assert re.fullmatch(f"{agent.before}created #\\w+.*{agent.after}", told[0], re.DOTALL)
    assert re.fullmatch(f"{agent.before}{RECALLED}{agent.after}", shown[0])
    assert "This server is your long-term memory." in json.dumps(stub.requests) or not agent.instructions
