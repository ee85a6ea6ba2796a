"""The start: the handshake is answered before anything is up, and nobody can tell who answered."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import INITIALIZE, INITIALIZED, PATIENCE, examples
from hypothesis import given
from hypothesis import strategies as st
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS

from mcp_memory import __version__
from mcp_memory.cli.serve import serve
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.server.stdio.early_responder import SNAPSHOT
from mcp_memory.server.stdio.handshake import CAPABILITIES, CLIENT, LONGEST, PROTOCOL, Handshake, results_of
from mcp_memory.server.stdio.snapshot import METHODS, answers_of, opening, request, snapshot
from mcp_memory.start import FLAGS, OPTIONS, serving_options

MODERN = "2026-07-28"
ROOT = Path(__file__).parent.parent
SAVED = Path(SNAPSHOT).read_text("utf-8")
posix = pytest.mark.skipif(sys.platform == "win32", reason="the gate is a descriptor that the process inherits")


def handshake() -> Handshake:
    return Handshake(results_of(SAVED, release=__version__))


def line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def said(to: Handshake, message: object) -> str | None:
    answered = to.answer(line(message))
    return answered and answered[1]


def listen(wanted: dict[str, Any]) -> dict[str, Any]:
    message = request("subscriptions/listen", MODERN)
    return message | {"params": message["params"] | {"notifications": wanted}}


def test_the_snapshot_is_what_the_server_answers_today() -> None:
    assert snapshot() == SAVED, "make it anew with `just snapshot`"


@pytest.mark.parametrize("version", KNOWN_PROTOCOL_VERSIONS)
@pytest.mark.parametrize("method", METHODS)
def test_the_front_says_byte_for_byte_what_the_server_says(version: str, method: str) -> None:
    messages = [*opening(version), request(method, version)]
    front = handshake()
    spoken = [said(front, message) for message in messages]
    expected = [answer if "error" not in json.loads(answer) else None for answer in answers_of(*messages)]

    assert spoken == expected
    assert (spoken[-1] is None) == ((method == "ping") == (version == MODERN) and method in ("ping", "server/discover"))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"toolsListChanged": True},
        {"toolsListChanged": False, "promptsListChanged": True, "resourcesListChanged": True},
        {"resourceSubscriptions": ["memory://context"], "toolsListChanged": True},
        {"resourceSubscriptions": []},
    ],
)
def test_a_subscription_is_acknowledged_as_the_server_does(wanted: dict[str, Any]) -> None:
    answer = said(handshake(), listen(wanted))

    assert answer is not None
    assert [json.loads(answer)] == [json.loads(found) for found in answers_of(listen(wanted))]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
CAPABILITY_NAMES = (
    "roots sampling elicitation experimental extensions tasks form url tools context listChanged requests list".split()
)
SOME_CAPABILITIES = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.sampled_from(CAPABILITY_NAMES), inner | st.booleans() | JSON, max_size=3),
    max_leaves=5,
)
INFO = st.fixed_dictionaries(
    {"name": st.just("a client") | JSON, "version": st.just("1")},
    optional={"title": st.text(max_size=3) | JSON, "websiteUrl": st.just("https://a.example") | JSON, "icons": JSON},
)
META = st.fixed_dictionaries(
    {},
    optional={
        "progressToken": st.integers() | JSON,
        PROTOCOL: st.sampled_from([*KNOWN_PROTOCOL_VERSIONS, "1999-01-01"]) | JSON,
        CAPABILITIES: SOME_CAPABILITIES,
        CLIENT: INFO,
        "io.modelcontextprotocol/logLevel": st.just("info") | JSON,
        "traceparent": JSON,
    },
)
ENVELOPE = st.builds(lambda meta: {PROTOCOL: MODERN, CAPABILITIES: {}} | meta, META) | st.just(
    {PROTOCOL: MODERN, CAPABILITIES: {}}
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={"_meta": ENVELOPE | META, "cursor": JSON, "notifications": st.just({"toolsListChanged": True}) | JSON},
)
INTRODUCTION = st.fixed_dictionaries(
    {
        "protocolVersion": st.sampled_from([*KNOWN_PROTOCOL_VERSIONS, "1999-01-01"]) | JSON,
        "capabilities": st.just({}) | SOME_CAPABILITIES,
        "clientInfo": st.just({"name": "a", "version": "1"}) | INFO,
    },
    optional={"_meta": META},
)
PLAIN = st.sampled_from([*METHODS, "subscriptions/listen"])
REQUESTS = st.builds(
    lambda method, params: {"method": method} | params, PLAIN, st.just({}) | st.builds(lambda p: {"params": p}, PARAMS)
)
OPENINGS = st.builds(lambda params: {"method": "initialize", "params": params}, INTRODUCTION)


@given(first=OPENINGS | REQUESTS, rest=st.lists(OPENINGS | REQUESTS, max_size=3))
@examples(150)
def test_whatever_the_front_answers_the_server_answers_the_same(
    first: dict[str, Any], rest: list[dict[str, Any]]
) -> None:
    messages = [{"jsonrpc": "2.0", "id": number} | message for number, message in enumerate([first, *rest])]
    front = handshake()
    spoken = [said(front, message) for message in messages]
    expected = answers_of(*messages)

    assert [json.loads(mine) for mine in spoken if mine] == [
        json.loads(theirs) for mine, theirs in zip(spoken, expected, strict=True) if mine
    ]


@pytest.mark.parametrize(
    "odd",
    [
        b"no json\n",
        b'{"jsonrpc": "2.0", "id": 1}\n',
        b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}\n',
        b'{"jsonrpc": "2.0", "id": null, "method": "ping"}\n',
        b'{"jsonrpc": "2.0", "id": true, "method": "ping"}\n',
        b'{"jsonrpc": "2.0", "id": "opening", "method": "ping"}\n',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}\n',
        b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}\n',
        b'{"jsonrpc": "2.0", "id": "\xff", "method": "ping"}\n',
        b"[" * 100_000 + b"\n",
        b" " * LONGEST + line(request("ping", "2025-06-18")),
        line(opening("2025-06-18")[0] | {"id": 1}),
    ],
)
def test_after_a_line_that_is_not_plain_the_server_answers_all(odd: bytes) -> None:
    front = handshake()
    first = [said(front, message) for message in opening("2025-06-18")]

    assert None not in first
    assert (front.answer(odd), front.owes) == (None, True)
    assert said(front, request("tools/list", "2025-06-18")) is None


def test_a_snapshot_of_another_release_answers_nothing() -> None:
    front = Handshake(results_of(SAVED, release="0.0.0"))

    assert said(front, INITIALIZE) is None


def test_the_front_needs_nothing_but_a_little_of_the_standard_library() -> None:
    script = "import sys; before = {*sys.modules}; import mcp_memory.start, mcp_memory.server.stdio.early_responder; print(*{*sys.modules} - before)"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    loaded = {name.partition(".")[0] for name in printed.split()}

    assert {name for name in loaded if name not in sys.stdlib_module_names} == {"mcp_memory"}
    assert loaded & {"typing", "dataclasses", "pathlib", "asyncio", "logging", "inspect", "click", "numpy"} == set()


def test_what_serves_is_told_from_what_does_not() -> None:
    assert serving_options([]) == {}
    assert serving_options(["--database", "a.db", "serve", "--project=x=y", "--read-only"]) == {
        "database": "a.db",
        "project": "x=y",
        "read_only": True,
    }
    for others in (["recall"], ["--help"], ["serve", "serve"], ["--database"], ["--database", ""], ["serve", "-h"]):
        assert serving_options(others) is None


def test_a_command_line_that_serves_knows_every_option_of_the_server() -> None:
    options = {name for option in serve.params for name in option.opts}

    assert {*OPTIONS, *FLAGS} == options - {"--help", "-h", "--http"}
    assert serving_options(["serve", "--http", "8765"]) is None


GATED = """
import os, sys
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name == "mcp":
            os.read(int(os.environ["GATE"]), 1)
sys.meta_path.insert(0, Gate())
from mcp_memory.start import main
main()
"""
"""A process in which the SDK cannot be imported before a byte, or the end, comes from a pipe."""


class Conversation:
    """A server process whose SDK comes up when it is let."""

    def __init__(self, database: Path, environment: dict[str, str], *, gated: bool = True) -> None:
        reading, self._gate = os.pipe()
        start = ["-c", GATED] if gated else ["-m", "mcp_memory"]
        self.process = subprocess.Popen(
            [sys.executable, *start, "--database", str(database), "--project", "demo"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment | {"GATE": str(reading)},
            pass_fds=[reading] if gated else [],
        )
        os.close(reading)

    def send(self, *messages: object) -> None:
        """Write all messages at once."""
        assert self.process.stdin is not None
        data = b"".join(message if isinstance(message, bytes) else line(message) for message in messages)
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next message."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def open_gate(self) -> None:
        """Let the SDK come up."""
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1

    def end(self) -> tuple[list[dict[str, Any]], str, int]:
        """End the input: what else was said, the log, and the exit code."""
        said, log = self.process.communicate(timeout=PATIENCE)
        return [json.loads(found) for found in said.splitlines()], log.decode(), self.process.returncode


@pytest.fixture
def conversation(database: Path, environment: dict[str, str]) -> Iterator[Conversation]:
    """A server that cannot import the SDK yet."""
    begun = Conversation(database, environment)
    yield begun
    begun.open_gate()
    if begun.process.poll() is None:
        begun.process.kill()
        begun.process.communicate()


@posix
def test_the_handshake_is_answered_before_the_sdk_is_up_and_the_server_goes_on_from_there(
    conversation: Conversation, request_tool: Any
) -> None:
    asked = [request(method, "2025-06-18") for method in ("tools/list", "resources/list", "prompts/list", "ping")]
    conversation.send(INITIALIZE, INITIALIZED, *asked)
    before = [conversation.read() for _ in range(5)]
    conversation.send(request_tool(1, "remember", content="The gate number is 4711."), request_tool(2, "history"))
    conversation.open_gate()
    after = [conversation.read(), conversation.read()]
    rest = conversation.end()

    assert [answer["id"] for answer in before] == [0, "tools/list", "resources/list", "prompts/list", "ping"]
    assert before[0]["result"]["protocolVersion"] == "2025-06-18"
    assert [answer["id"] for answer in after] == [1, 2]
    assert "test 1" in after[1]["result"]["content"][0]["text"]
    assert rest == ([], "", 0)


@posix
def test_a_client_without_a_handshake_is_served_from_the_first_line_on(
    conversation: Conversation, request_tool: Any
) -> None:
    meta = {PROTOCOL: MODERN, CAPABILITIES: {}, CLIENT: {"name": "modern", "version": "2"}}
    asked = [request(method, MODERN) for method in ("server/discover", "tools/list", "resources/templates/list")]
    calls = [request_tool(1, "remember", content="The gate number is 4711."), request_tool(2, "history")]
    conversation.send(*asked, listen({"toolsListChanged": True}))
    before = [conversation.read() for _ in range(4)]
    conversation.send(*[call | {"params": call["params"] | {"_meta": meta}} for call in calls])
    conversation.open_gate()
    after = [conversation.read(), conversation.read()]
    rest = conversation.end()

    assert [answer.get("id", answer.get("method")) for answer in before] == [
        *(message["id"] for message in asked),
        "notifications/subscriptions/acknowledged",
    ]
    assert [answer["id"] for answer in after] == [1, 2]
    assert "modern 2" in after[1]["result"]["content"][0]["text"]
    closed = {"code": -32000, "message": "Connection closed"}
    assert rest == ([{"jsonrpc": "2.0", "id": "subscriptions/listen", "error": closed}], "", 0)  # it was open there too


@posix
def test_what_the_snapshot_does_not_know_waits_for_the_server(conversation: Conversation) -> None:
    unknown = INITIALIZE | {"params": INITIALIZE["params"] | {"protocolVersion": "1999-01-01"}}
    conversation.send(unknown, INITIALIZED, request("tools/list", "2025-06-18"))
    conversation.open_gate()
    answers = [conversation.read(), conversation.read()]

    assert [answer["id"] for answer in answers] == [0, "tools/list"]
    assert answers[0]["result"]["protocolVersion"] == "2025-11-25"
    assert conversation.end() == ([], "", 0)


@posix
def test_a_call_that_is_taken_back_while_the_server_comes_up_is_not_answered(
    conversation: Conversation, request_tool: Any
) -> None:
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    kept = request_tool(1, "remember", content="The gate number is 4711.")
    conversation.send(INITIALIZE, INITIALIZED, kept, cancelled, request_tool(2, "recall", query="gate number"))
    assert conversation.read()["id"] == 0
    conversation.open_gate()
    answer = conversation.read()

    assert (answer["id"], answer["result"]["isError"]) == (2, False)
    assert conversation.end() == ([], "", 0)


@posix
@pytest.mark.parametrize("lines", [[], [INITIALIZE], [INITIALIZE, INITIALIZED, request("tools/list", "2025-06-18")]])
def test_a_client_that_goes_while_the_server_comes_up_is_not_waited_for(
    conversation: Conversation, lines: list[object]
) -> None:
    conversation.send(*lines)
    answers, log, exit_code = conversation.end()  # the gate is shut: the SDK never comes up

    assert (len(answers), log, exit_code) == (len([each for each in lines if "id" in str(each)]), "", 0)


@posix
def test_what_was_asked_before_the_client_went_is_done_and_answered(
    conversation: Conversation, database: Path, request_tool: Any
) -> None:
    conversation.send(INITIALIZE, INITIALIZED, request_tool(1, "remember", content="The gate number is 4711."))
    assert conversation.process.stdin is not None
    conversation.process.stdin.close()
    conversation.process.stdin = None
    conversation.open_gate()
    answers, log, exit_code = conversation.end()

    assert ([answer["id"] for answer in answers], log, exit_code) == ([0, 1], "", 0)
    with Memory.open(database, model=HashingEncoder()) as memory:
        assert [item.text for item in memory.listing(ItemQuery(scope="all"), limit=10)] == ["The gate number is 4711."]


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_that_is_coming_up(conversation: Conversation, number: signal.Signals) -> None:
    conversation.send(INITIALIZE)
    assert conversation.read()["id"] == 0
    conversation.process.send_signal(number)

    assert conversation.end() == ([], "", 0)


@pytest.mark.parametrize("era", ["2025-06-18", MODERN])
def test_a_burst_right_after_the_start_is_answered_once_each_in_an_order_that_is_legal(
    database: Path, environment: dict[str, str], request_tool: Any, era: str
) -> None:
    meta = {PROTOCOL: MODERN, CAPABILITIES: {}} if era == MODERN else {}

    def asking(message: dict[str, Any]) -> dict[str, Any]:
        return message | {"params": message.get("params", {}) | {"_meta": meta}}

    calls: list[object] = []
    for number in range(0, 60, 3):
        calls += [
            asking(request_tool(number + 1, "remember", content=f"Pump {number} runs at {number + 2} bar.")),
            asking({"jsonrpc": "2.0", "id": number + 2, "method": "tools/list"}),
            asking(request_tool(number + 3, "recall", query=f"pump {number}")),
        ]
    calls[30:30] = [b"no json\n", b"\n", asking(request_tool(100, "remember", content="A long story. " * 20_000))]
    first = [asking(request("server/discover", era)) | {"id": 0}] if era == MODERN else [INITIALIZE, INITIALIZED]
    started = Conversation(database, environment, gated=False)
    started.open_gate()
    started.send(*first, *calls)
    answers, log, exit_code = started.end()

    assert answers[0]["id"] == 0
    ids = [answer["id"] for answer in answers]
    assert sorted(found for found in ids if found is not None) == [*range(61), 100]
    assert ids.count(None) == 1
    assert all("error" not in answer for answer in answers if answer["id"] is not None)
    by_id = {answer["id"]: answer["result"] for answer in answers if answer["id"] is not None}
    found = [by_id[number + 3]["_meta"]["mcp-memory/recall"]["hits"][0]["text"] for number in range(0, 60, 3)]
    assert found == [f"Pump {number} runs at {number + 2} bar." for number in range(0, 60, 3)]
    assert (log, exit_code) == ("", 0)


def test_a_file_that_cannot_be_opened_is_told_at_the_first_call(
    database: Path, environment: dict[str, str], request_tool: Any
) -> None:
    database.write_bytes(b"this is no database" * 100)
    started = Conversation(database, environment, gated=False)
    started.open_gate()
    started.send(INITIALIZE, INITIALIZED, request("tools/list", "2025-06-18"), request_tool(1, "recall", query="gate"))
    answers, _, exit_code = started.end()

    assert [answer["id"] for answer in answers] == [0, "tools/list", 1]
    assert answers[2]["result"]["isError"] is True
    assert str(database) in answers[2]["result"]["content"][0]["text"]
    assert exit_code == 0


@pytest.mark.parametrize("arguments", [["--log-level", "loud"], ["serve", "--log-level=loud"], ["serve", "--colour"]])
def test_an_option_that_is_wrong_ends_the_server_with_the_reason(
    environment: dict[str, str], arguments: list[str]
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mcp_memory", *arguments], input="", capture_output=True, text=True, env=environment
    )

    assert ended.returncode != 0
    assert re.search("LOUD is none of DEBUG|No such option", ended.stderr)
