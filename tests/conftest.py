"""What the tests share: a file, an encoder without a model, and servers in memory and in a process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from hypothesis import HealthCheck, settings
from mcp import StdioServerParameters
from mcp.server import Server

from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.server.app import MemoryHost, make_server

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
PATIENCE = 120
"""Seconds after which another process or thread counts as hanging; long enough for a machine with many other jobs."""

# Without this each of a hundred processes compiles the package anew where the environment forbids to keep what is compiled.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# hypothesis' own deadline and its check for slow inputs read the wall clock.
for profile, most in {"quick": 40, "deep": 100}.items():
    settings.register_profile(
        profile,
        max_examples=most,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
settings.load_profile("quick")  # `just test-deep` loads the other


def examples(most: int) -> settings:
    """Return settings for a property whose examples are expensive: `most` in the profile deep, 40 % of them in quick."""
    return settings(max_examples=max(1, most * settings().max_examples // 100))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the network, unless it is asked for."""
    for marker in ("clients", "agents"):
        if marker not in config.option.markexpr:
            items[:] = [item for item in items if not item.get_closest_marker(marker)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a memory may be made; nothing is there yet."""
    return tmp_path / "memory.db"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The directory of an encoder that needs no model."""
    directory = tmp_path / "hashing"
    directory.mkdir()
    (directory / "encoder.json").write_text('{"runtime": "hashing"}', "utf-8")
    return directory


@pytest.fixture(scope="session")
def bundled() -> Encoder:
    """The encoder that comes with the package."""
    directory = bundled_model_directory()
    if not (directory / "model.onnx").is_file():
        pytest.skip("the bundled model is not built")
    return load_encoder(directory)


@pytest.fixture
def clock() -> Clock:
    """What time it is, until a test moves it."""
    return Clock()


@pytest.fixture
def memory(database: Path, clock: Clock) -> Iterator[Memory]:
    """An open memory whose encoder is up."""
    with Memory.open(database, model=HashingEncoder(), clock=clock) as memory:
        memory.wait_for_encoder()
        yield memory


@pytest.fixture
def server(memory: Memory) -> Server[Any]:
    """A server in this process, for the SDK's `Client(server)`, in the project demo."""
    return make_server(MemoryHost(lambda: memory), project="demo")


@pytest.fixture
def environment(model: Path) -> dict[str, str]:
    """This process's environment with no setting of ours but the encoder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MCP_", "CLAUDE_"))}
    return kept | {"MCP_MEMORY_MODEL": str(model)}


@pytest.fixture
def process(database: Path, environment: dict[str, str]) -> StdioServerParameters:
    """A server in a process of its own, over standard input and output."""
    arguments = ["-m", "mcp_memory", "--database", str(database), "--project", "demo"]
    return StdioServerParameters(command=sys.executable, args=arguments, env=environment)


@dataclass(frozen=True)
class Spoken:
    """What a server process made of the lines it was sent."""

    answers: dict[int | str | None, dict[str, Any]]
    """By id; each line of standard output is one of them, or the test fails."""
    log: str
    exit_code: int

    def text(self, identifier: int) -> str:
        """The text of a tool's answer."""
        return "\n".join(part["text"] for part in self.answers[identifier]["result"]["content"])


Speak = Callable[..., Spoken]


@pytest.fixture
def speak(database: Path, environment: dict[str, str]) -> Speak:
    """Send lines, messages or raw bytes, to a server process after the handshake, and wait until it has ended."""

    def speak(*lines: Mapping[str, Any] | bytes, options: tuple[str, ...] = ()) -> Spoken:
        sent = [INITIALIZE, INITIALIZED, *lines]
        ended = subprocess.run(
            [sys.executable, "-m", "mcp_memory", "--database", str(database), *options],
            input=b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in sent),
            capture_output=True,
            env=environment,
            timeout=PATIENCE,
        )
        answers = [json.loads(line) for line in ended.stdout.splitlines()]
        return Spoken({answer["id"]: answer for answer in answers}, ended.stderr.decode(), ended.returncode)

    return speak


@pytest.fixture
def request_tool() -> Callable[..., dict[str, Any]]:
    """The message that calls a tool: `request_tool(id, name, **arguments)`."""

    def request_tool(identifier: int, name: str, **arguments: Any) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments}
        return {"jsonrpc": "2.0", "id": identifier, "method": "tools/call", "params": params}

    return request_tool
