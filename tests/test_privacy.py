"""Privacy: files for their owner alone, a log without words, no network at all."""

import json
import logging
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import INITIALIZE, INITIALIZED
from mcp import Client

from mcp_memory.cli import COMMANDS, main
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.server.app import MemoryHost, make_server
from mcp_memory.server.config import default_database
from mcp_memory.sqlite.files.permissions import icacls_command, make_directory, protect, restrict_on_windows

MARKER = "zanzibarite"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# permissions


@pytest.fixture
def lax() -> Iterator[None]:
    """A umask that lets everybody read what is made without a mode."""
    before = os.umask(0)
    yield
    os.umask(before)


@posix
@pytest.mark.usefixtures("lax")
def test_only_the_owner_can_read_the_file_its_log_its_directory_and_its_backups(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "new" / "below" / "memory.db", model=HashingEncoder()) as memory:
        memory.remember("The sky is blue.")
        memory.file.backup(tmp_path / "backups" / "copy.db")

        files = {path.name: mode(path) for path in tmp_path.rglob("*") if path.is_file()}
        directories = {path.name: mode(path) for path in tmp_path.rglob("*") if path.is_dir()}

    assert files.keys() >= {"memory.db", "memory.db-wal", "memory.db-shm", "copy.db"}
    assert set(files.values()) == {0o600}
    assert directories == {"new": 0o700, "below": 0o700, "backups": 0o700}


@posix
def test_rights_that_are_too_wide_are_taken_back_in_our_own_directory(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    home = environment | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    directory = tmp_path / "data" / default_database().parent.name
    for command in (["remember", "The sky is blue."], ["recall", "sky"]):
        if directory.exists():
            directory.chmod(0o755)
            (directory / "memory.db").chmod(0o644)
        ended = subprocess.run(
            [sys.executable, "-m", "mcp_memory", *command], env=home, capture_output=True, check=True, cwd=tmp_path
        )

    assert (mode(directory), mode(directory / "memory.db")) == (0o700, 0o600)
    assert ended.stderr == b""


@posix
def test_a_named_file_that_others_can_read_stays_so_and_the_log_says_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "shared.db"
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember("The sky is blue.")
    path.chmod(0o640)
    caplog.clear()

    protect(path, own=False)

    assert mode(path) == 0o640
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} can be read by other users of this machine (mode 640); `chmod 600` it if that is not meant."
    ]


@posix
def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    make_directory(tmp_path)

    assert mode(tmp_path) == 0o755


def test_on_windows_only_the_user_and_the_system_get_rights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    commands: list[list[str]] = []

    def refuses(command: Any) -> None:
        commands.append(list(command))
        raise OSError("no such program")

    restrict_on_windows(tmp_path, refuses)

    assert [command[:3] for command in commands] == [["icacls", str(tmp_path), "/inheritance:r"]]
    assert "could not be restricted" in caplog.text
    assert icacls_command(Path("m.db"), user="PC\\ada", directory=False)[3:] == [
        "/grant:r",
        "PC\\ada:F",
        "*S-1-5-18:F",
        "/q",
    ]
    assert "PC\\ada:(OI)(CI)F" in icacls_command(Path("d"), user="PC\\ada", directory=True)


# the log

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("remember", {"content": f"The {MARKER} is under the stairs.", "tags": [MARKER], "source": MARKER}),
    ("remember", {"turns": [{"speaker": MARKER, "content": MARKER}]}),
    ("remember", {"items": [f"{MARKER} {number}" for number in range(3)]}),
    ("remember", {"content": MARKER, "kind": MARKER}),
    ("remember", {"content": MARKER, MARKER: 1}),
    ("remember", {"content": MARKER, "replaces": MARKER}),
    ("recall", {"query": MARKER}),
    ("recall", {"query": MARKER, "detail": "full"}),
    ("recall", {"query": MARKER, "since": MARKER}),
    ("summarize", {"topic": MARKER}),
    ("summarize", {"topic": MARKER, "digest": f"{MARKER}."}),
    ("summarize", {"digest": MARKER}),
    ("update", {"id": "ID", "content": f"The {MARKER} is gone."}),
    ("update", {"id": MARKER, "content": MARKER}),
    ("history", {"id": "ID"}),
    ("history", {"id": MARKER}),
    ("history", {"since": MARKER}),
    ("forget", {"query": MARKER}),
    ("forget", {"ids": ["ID"], "reason": MARKER}),
    ("forget", {"ids": [MARKER]}),
    ("undo", {}),
    ("undo", {"operation": MARKER}),
    ("forget", {"ids": ["ID"], "erase": True}),
)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What the log held so far from INFO upwards, tracebacks with it."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text


@pytest.mark.anyio
async def test_no_tool_and_no_error_of_one_puts_words_into_the_log(memory: Memory, log: Callable[[], str]) -> None:
    errors = 0
    async with Client(make_server(MemoryHost(lambda: memory), project="demo")) as client:
        kept = await client.call_tool("remember", {"content": f"{MARKER} is kept."})
        identifier = (kept.meta or {})["mcp-memory/remember"]["items"][0]["id"]
        for name, arguments in CALLS:
            text = json.dumps(arguments).replace('"ID"', json.dumps(identifier))
            errors += bool((await client.call_tool(name, json.loads(text))).is_error)
    memory.maintenance.make_vectors()
    memory.maintenance.gather()
    memory.maintenance.fold()

    assert errors >= 8
    assert MARKER not in log()


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["remember", "recall", "summarize", "update", "forget", "history", "undo"])
async def test_a_fault_in_a_tool_is_logged_without_the_words_it_was_about(
    memory: Memory, log: Callable[[], str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError(f"cannot read {MARKER}")

    monkeypatch.setattr(memory, name, broken)
    arguments = {
        "remember": {"content": MARKER},
        "update": {"id": "0" * 13, "content": MARKER},
        "forget": {"ids": ["0"]},
    }
    async with Client(make_server(MemoryHost(lambda: memory), project=None)) as client:
        result = await client.call_tool(name, arguments.get(name, {}))

    assert result.is_error
    assert f"{name} failed" in log()
    assert "ValueError" in log()
    assert MARKER not in log()


def test_no_command_and_no_error_of_one_puts_words_into_the_log(
    database: Path,
    environment: dict[str, str],
    log: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # some of them write a file of the name they are given
    unset: dict[str, str | None] = {name: None for name in os.environ if name.startswith(("MCP_", "CLAUDE_"))}
    variables = unset | {"MCP_MEMORY_MODEL": environment["MCP_MEMORY_MODEL"], "MCP_MEMORY_DATABASE": str(database)}
    given: dict[str, list[str]] = {
        "remember": [f"The {MARKER} is blue."],
        "recall": [MARKER],
        "summarize": [MARKER],
        "update": ["0" * 13, "--content", MARKER],
        "forget": ["--query", MARKER, "--confirm", "--reason", MARKER],
        "backup": [str(tmp_path / "copy.db")],
    }
    left_out = {"serve", "demo"}  # a server, and one that starts two

    for name in [*given, *(name for name in COMMANDS if name not in given and name not in left_out)]:
        for arguments in (given.get(name, []), [*given.get(name, []), f"--{MARKER}"], [MARKER]):
            CliRunner().invoke(main, ["--log-level", "INFO", name, *arguments], env=variables, input="")

    assert MARKER not in log()


# the network

SESSION: tuple[tuple[str, dict[str, Any]], ...] = (
    ("remember", {"items": ["The port is 8080.", "Ada owns the parser, since 3 March 2026."], "tags": ["infra"]}),
    ("remember", {"turns": [{"speaker": "Ann", "content": "Shall we go to Lisbon?", "at": "last week"}]}),
    ("remember", {"content": "See https://example.org/ and ![x](https://example.org/x.png). " * 60}),
    ("recall", {"query": "which port, as of yesterday?"}),
    ("recall", {}),
    ("summarize", {"topic": "infra"}),
    ("summarize", {"topic": "infra", "digest": "The port is 8080."}),
    ("history", {}),
    ("forget", {"query": "Lisbon", "confirm": True}),
    ("undo", {}),
)
WATCHED = """
import json, os, socket, sys
NAMES = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.getnameinfo",
         "socket.gethostbyname", "socket.gethostbyaddr", "socket.gethostname", "urllib.Request", "http.client.connect",
         "ftplib.connect", "smtplib.connect")
seen = open(sys.argv.pop(1), "w")
def watch(event, arguments):
    network = event in NAMES or (event == "socket.__new__" and arguments[1] != getattr(socket, "AF_UNIX", None))
    if network:
        seen.write(json.dumps([event, repr(arguments)]) + "\\n")
        seen.flush()
sys.addaudithook(watch)
seen.write(json.dumps(["watching", ""]) + "\\n")
seen.flush()
from mcp_memory.cli import COMMANDS, main
main()
"""


def lines_of(session: tuple[tuple[str, dict[str, Any]], ...]) -> bytes:
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(session, start=1)
    ]
    reads = [
        {"jsonrpc": "2.0", "id": 100, "method": "resources/read", "params": {"uri": "memory://context"}},
        {"jsonrpc": "2.0", "id": 101, "method": "prompts/get", "params": {"name": "begin"}},
    ]
    return b"".join(json.dumps(message).encode() + b"\n" for message in [INITIALIZE, INITIALIZED, *calls, *reads])


def serve(command: list[str], environment: dict[str, str]) -> list[dict[str, Any]]:
    """The answers of a server to the whole session."""
    ended = subprocess.run(
        command, input=lines_of(SESSION), capture_output=True, env=environment, timeout=120, check=True
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def all_answered(answers: list[dict[str, Any]]) -> bool:
    results = {answer["id"]: answer.get("result", {}) for answer in answers}
    return set(results) == {0, 100, 101, *range(1, len(SESSION) + 1)} and not any(
        result.get("isError") or not result for result in results.values()
    )


@pytest.mark.model
@pytest.mark.skipif(sys.platform == "win32", reason="there the event loop wakes itself over a loopback socket")
def test_a_whole_session_looks_up_binds_and_connects_nothing(
    database: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    environment.pop("MCP_MEMORY_MODEL")
    record = tmp_path / "events"

    answers = serve([sys.executable, "-c", WATCHED, str(record), "--database", str(database)], environment)

    assert all_answered(answers)
    assert [json.loads(line) for line in record.read_text().splitlines()] == [["watching", ""]]


def namespace() -> list[str]:
    """How to start a program where there is no network, not even the loopback; [] where that is not allowed."""
    program = shutil.which("unshare")
    if program is None:
        return []
    tried = subprocess.run([program, "-rn", "true"], capture_output=True)
    return [program, "-rn"] if tried.returncode == 0 else []


@pytest.mark.model
def test_a_whole_session_needs_no_network(database: Path, environment: dict[str, str]) -> None:
    apart = namespace()
    if not apart:
        pytest.skip("this machine lets no process have a network namespace of its own")
    environment.pop("MCP_MEMORY_MODEL")

    answers = serve([*apart, sys.executable, "-m", "mcp_memory", "--database", str(database)], environment)

    assert all_answered(answers)
