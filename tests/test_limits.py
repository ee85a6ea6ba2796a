"""Limits: everything that grows ends somewhere, says so where it is reached, and goes on serving."""

import io
import json
import logging
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import anyio
import apsw
import pytest
from click.testing import CliRunner
from conftest import INITIALIZE, INITIALIZED, Speak
from mcp import Client
from mcp import types as mcp_types
from mcp.server import Server
from mcp.shared.message import SessionMessage

from bench.soak import fill, soak
from mcp_memory.cli import main
from mcp_memory.domain.logs import LINES, Bounded
from mcp_memory.domain.model import Entry
from mcp_memory.domain.size import Room, format_size, read_size
from mcp_memory.encoders import Reading, Vectors
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import InvalidInput, Unusable
from mcp_memory.memory import Memory
from mcp_memory.server.config import read_config
from mcp_memory.server.stdio.transport import LineTooLong, Received, StdioTransport, receive
from mcp_memory.sqlite.database import READERS, Database

REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("where it comes from", "remember", {"content": "x", "source": "s" * 2_001}, "source has 2001 characters; name it in at most 2000."),
    ("ids", "forget", {"ids": ["0p9s3l9cgm2pe"] * 1_001}, "ids holds 1001; send at most 1000 in a call."),
    ("a topic's name", "summarize", {"topic": "t" * 201, "digest": "d"}, "topic has 201 characters; name what a digest is kept of in at most 200."),
    ("a digest", "summarize", {"topic": "t", "digest": "d, " * 5_000}, "digest must hold between 1 and 4000 tokens of text."),
    ("a tag", "remember", {"content": "x", "tags": ["t" * 201]}, "has 201 characters; keep tags under 200."),
    ("tags", "recall", {"query": "x", "tags": [f"t{n}" for n in range(51)]}, "51 tags are too many; give at most 50."),
    ("a scope", "recall", {"query": "x", "scope": "s" * 201}, "scope has 201 characters; keep it under 200."),
    ("a speaker", "remember", {"turns": [{"speaker": "s" * 201, "content": "x"}]}, "turns[0].speaker has 201 characters; keep it under 200."),
    ("a changed text", "update", {"id": "KEPT", "content": "x " * 10_001}, "content has more than 20 kB; remember it as a document instead."),
    ("a history", "history", {"limit": 1_001}, "limit is 1001; give a number from 1 to 1000."),
    ("a digest's budget", "summarize", {"max_tokens": 100_001}, "max_tokens is 100001; give a number from 50 to 100000."),
    ("a query to forget by", "forget", {"query": "q" * 10_001}, "query has 10001 characters; ask in at most 10000."),
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(("tool", "arguments", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
async def test_what_is_too_long_or_too_many_is_refused_with_the_limit(
    server: Server[Any], memory: Memory, tool: str, arguments: dict[str, Any], message: str
) -> None:
    kept = memory.remember("The kept fact.").items[0].id
    async with Client(server) as client:
        meant = json.loads(json.dumps(arguments).replace("KEPT", kept))
        result = await client.call_tool(tool, meant)

    assert result.is_error
    assert message in result.content[0].text  # type: ignore[union-attr]


# Queries


QUERIES = {
    "thousands of words": " ".join(f"word{number}" for number in range(1_100)),
    "one word again and again": "port " * 2_000,
    "a run of Chinese": "部署端口服务器" * 1_400,
    "one character": "大" * 10_000,
    "only stop words": "the of and is to " * 500,
    "quotes": '"' * 9_999,
    "operators": 'AND OR NOT NEAR( "a" * ^b {c d}: - + ' * 200,
    "column names": "words:port OR grams:* rowid:1 text_index MATCH 'x'",
    "one very long word": "a" * 10_000,
    "accents upon accents": "é" + "\u0301" * 9_000,
    "signs alone": "!@#$%^&*()" * 900,
    "Thai": "ก" * 9_000,
}


@pytest.mark.parametrize("query", list(QUERIES.values()), ids=list(QUERIES))
def test_no_query_is_too_much_for_the_index_of_words(memory: Memory, query: str) -> None:
    memory.remember(
        items=[Entry(f"The deploy port of server {number} is 80{number:02}. 部署端口") for number in range(60)]
    )

    found = memory.recall(query)

    assert found.text
    assert memory.forget(query=query).done is False


def test_a_question_for_more_than_is_ever_answered_says_so(memory: Memory) -> None:
    memory.remember(items=[Entry(f"Port {number} belongs to server w{number}.") for number in range(250)])

    many = memory.recall("port server", limit=500, max_tokens=50_000)
    few = memory.recall("port server", limit=200, max_tokens=50_000)

    assert "A question is answered with 200 memories at most, not 500; narrow it with since, until" in many.text
    assert "at most, not" not in few.text
    assert len(many.hits) <= 200


def test_a_long_question_among_long_memories_takes_little_more_work_and_space_than_a_short_one(memory: Memory) -> None:
    long = "Half a boat, - no, İ - and another. " * 500
    for number in range(12):
        [kept] = memory.remember(f"Boat {number} has {number * number} oars.").items
        memory.update(kept.id, content=f"{number} {long}")
    memory.maintenance.make_vectors()

    short_work, _ = work_of(lambda: memory.recall("Half a boat"))
    long_work, found = work_of(lambda: memory.recall(long[:10_000]))
    tracemalloc.start()
    memory.recall(long[:10_000])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.hits
    assert long_work < 10 * short_work
    assert most < 30_000_000


T = TypeVar("T")


def work_of(work: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds of processor time that this thread spends on the work, and its result."""
    start = time.thread_time()
    result = work()
    return time.thread_time() - start, result


class Counting(HashingEncoder):
    """Counts the characters it encodes."""

    characters = 0

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.characters += sum(map(len, texts))
        return super().encode(texts)

    def measure(self, texts: Sequence[str]) -> list[Reading]:
        self.characters += sum(map(len, texts))
        return super().measure(texts)


def test_a_digest_of_long_memories_does_not_read_all_of_them_anew(database: Path) -> None:
    encoder, long = Counting(), "half-半-boat-" * 1_300
    with Memory.open(database, model=encoder) as memory:
        memory.wait_for_encoder()
        for number in range(20):
            [kept] = memory.remember(f"Boat {number} has {number * number} oars.").items
            memory.update(kept.id, content=f"{number} {long}")
        memory.maintenance.make_vectors()
        encoder.characters = 0

        digest = memory.summarize(query="half a boat", max_tokens=100_000)

    assert digest.items
    assert 0 < encoder.characters < len(long)  # of twenty such texts


# The size of a store


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500_000_000), ("2 GB", 2_000_000_000), ("1.5GiB", 1_610_612_736), ("4000000", 4_000_000), ("0", None)],
)
def test_a_size_is_read_as_people_write_it(text: str, size: int | None) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["much", "5 XB", "-1MB", "1e9", "5MB!", "٣MB", "1 kB", "", " "])
def test_what_is_no_size_is_refused_by_the_option_that_gave_it(text: str) -> None:
    with pytest.raises(InvalidInput, match="give"):
        read_size(text)
    if text:
        with pytest.raises(InvalidInput, match=r"^MCP_MEMORY_MAX_SIZE: "):
            read_config({"MCP_MEMORY_MAX_SIZE": text})


@pytest.mark.parametrize(("size", "told"), [(999, "999 B"), (465_300_000, "465 MB"), (2_000_000_000, "2 GB")])
def test_a_size_is_told_with_three_figures(size: int, told: str) -> None:
    assert format_size(size) == told


def document(number: int) -> str:
    """60 kB that make some twenty items, and hardly any work."""
    return f"Room {number}.\n\n" + "\n\n".join(f"{part}{'-' * 3_000}." for part in range(20))


def filled(memory: Memory) -> list[str]:
    """Remember until the store is full; the ids of what was kept."""
    ids: list[str] = []
    for number in range(100):
        try:
            ids += [item.id for item in memory.remember(document(number)).items]
        except Unusable:
            return ids
    raise AssertionError("it never became full")


def test_a_full_store_refuses_to_keep_more_and_goes_on_with_all_else(database: Path) -> None:
    def change(item: str) -> None:
        memory.update(item, content="y, " * 6_000)

    with Memory.open(database, model=HashingEncoder(), max_size=1_300_000) as memory:
        memory.wait_for_encoder()
        ids = filled(memory)
        before = memory.stats().items
        with pytest.raises(
            Unusable,
            match=r"The store is full: .* may hold 1.3 MB \(--max-size, MCP_MEMORY_MAX_SIZE\)\. Nothing was kept",
        ):
            memory.remember(document(1_000))
        with pytest.raises(Unusable, match="The store is full"):
            list(map(change, ids[:60]))
        recalled = memory.recall("room 0")
        memory.update(ids[1], pinned=True)
        memory.forget([ids[2]])
        memory.undo()
        memory.forget(ids[3:60], erase=True)
        again = memory.remember("A new fact finds room.")

        assert memory.stats().items < before
        assert recalled.hits
        assert again.items[0].status == "created"
        assert list(memory.file.verify()) == []


@pytest.fixture(scope="module")
def of_twelve_documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with twelve documents, to be copied."""
    path = tmp_path_factory.mktemp("documents") / "memory.db"
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        for number in range(12):
            memory.remember(document(number))
    return path


def test_a_store_that_is_nearly_full_says_so_in_the_answer_and_in_stats(
    database: Path, of_twelve_documents: Path
) -> None:
    shutil.copyfile(of_twelve_documents, database)
    with Memory.open(database, model=HashingEncoder(), read_only=True) as memory:
        used = memory.stats().used
    runner, options = CliRunner(), ["--database", str(database), "--max-size", str(int(used * 1.05))]
    near = runner.invoke(main, ["stats", *options]).output
    far = runner.invoke(main, ["stats", "--database", str(database), "--max-size", "1GB"]).output
    none = runner.invoke(main, ["stats", "--database", str(database)]).output

    assert "Forget and erase what is no longer needed, or raise the limit" in near
    assert " of 1 GB" in far or " of 1.0 GB" in far
    assert "Forget and erase" not in far
    assert "no limit (--max-size)" in none
    assert Room(95, 100).notes[0].startswith("The store holds 95 B of the 100 B it may")
    assert Room(80, 100).notes == Room(80, None).notes == ()


def test_a_full_store_is_told_by_the_tool(
    database: Path, of_twelve_documents: Path, speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    shutil.copyfile(of_twelve_documents, database)
    spoken = speak(
        request_tool(1, "remember", content="One small fact."),
        request_tool(2, "history", limit=1),
        options=("--max-size", "1MB"),
    )

    assert spoken.answers[1]["result"]["isError"]
    assert spoken.text(1).startswith("The store is full: with this it would hold 1.")
    assert not spoken.answers[2]["result"]["isError"]


# The wire


def test_a_line_without_an_end_is_passed_over_and_the_next_one_served() -> None:
    lines = [
        b'{"jsonrpc": "2.0", "id": 7, "method": "x", "params": {"a": "' + b"a" * 5_000,
        b"a" * 5_000 + b'"}}\n',
        b"{}\n",
    ]

    async def received() -> list[Received]:
        return [line async for line in receive(io.BytesIO(b"".join(lines)), limit=1_000)]

    first, second = anyio.run(received)
    assert isinstance(first.message, LineTooLong)
    assert first.message.identifier == 7
    assert second.size == 3


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        (b'{"method":"tools/call","params":{"arguments":{"content":"%s"}},"jsonrpc":"2.0","id":5}', 5),
        (b'{"method":"tools/call","params":{"content":"%s"},"id":"five"}', "five"),
        (b'{"id": "a-1", "params": {"content": "%s"}}', "a-1"),
        (b'{"params": {"id": 9, "content": "%s", "id": 3}}', None),
        (b'["%s"]', None),
    ],
)
def test_what_asked_in_too_long_a_line_is_told_where_its_id_stands_at_either_end(
    line: bytes, identifier: str | int | None
) -> None:
    async def received() -> Any:
        return [found.message async for found in receive(io.BytesIO(line % (b"x" * 70_000)), limit=1_000)]

    (message,) = anyio.run(received)
    assert message.identifier == identifier


def test_a_server_holds_no_more_of_an_endless_line_than_a_line_may_have(
    database: Path, environment: dict[str, str], request_tool: Callable[..., dict[str, Any]]
) -> None:
    command = [sys.executable, "-m", "mcp_memory", "--database", str(database)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdin
        assert server.stdout
        for message in (INITIALIZE, INITIALIZED):
            server.stdin.write(json.dumps(message).encode() + b"\n")
        server.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": "')
        for _ in range(200):
            server.stdin.write(b"a" * 1_000_000)
        server.stdin.write(b'"}\n' + json.dumps(request_tool(2, "recall", query="x")).encode() + b"\n")
        server.stdin.close()
        answers = {answer["id"]: answer for answer in map(json.loads, server.stdout)}
        peak = peak_of(server.pid)

    assert answers[1]["error"]["message"] == (
        "This is a line of more than 64 MB; at most that fit in a call. Send it in parts. Nothing was done."
    )
    assert not answers[2]["result"]["isError"]
    assert peak is None or peak < 450


def peak_of(pid: int) -> float | None:
    """MB that a process held at most; None where that can't be told, or it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


@pytest.mark.anyio
async def test_no_more_is_read_while_as_many_requests_wait_as_may() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Any](100)
    to_client, _from_server = anyio.create_memory_object_stream[Any](100)
    answers, answering = anyio.create_memory_object_stream[Any](100)
    wire, sent = StdioTransport({}, in_hand=3), list[Any]()

    async def lines() -> AsyncIterator[Received]:
        for number in range(5):
            request = mcp_types.JSONRPCRequest(jsonrpc="2.0", id=1, method="ping")
            yield Received(SessionMessage(request), number)

    async def send(message: Any) -> None:
        sent.append(message)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wire.carry_in, lines(), to_server, to_client)
        tasks.start_soon(wire.carry_out, answering, send)
        await anyio.wait_all_tasks_blocked()
        before = from_client.statistics().current_buffer_used
        answer = mcp_types.JSONRPCResponse(jsonrpc="2.0", id=1, result={})
        await answers.send(SessionMessage(answer))
        await anyio.wait_all_tasks_blocked()
        after = from_client.statistics().current_buffer_used
        for _ in range(4):
            await answers.send(SessionMessage(answer))
        answers.close()
    for stream in (from_client, _from_server):
        stream.close()

    assert (before, after, len(sent)) == (3, 4, 5)


def test_hundreds_of_requests_at_once_are_all_answered(
    speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    spoken = speak(*[request_tool(number, "history", limit=1) for number in range(1, 301)])

    assert [spoken.answers[number]["result"]["isError"] for number in range(1, 301)] == [False] * 300


# Connections, the log of the file, and the log of the program


def test_only_a_few_connections_are_kept_open(database: Path) -> None:
    opened = Database(database)
    with ExitStack() as reads:
        for _ in range(READERS + 5):
            reads.enter_context(opened.read())
    kept = sum(connection.filename == str(database) for connection in apsw.connections())
    opened.close()

    assert kept == READERS + 1


def test_a_program_that_logs_without_end_is_cut_short_and_says_so() -> None:
    now = [0.0]
    bounded = Bounded(lambda: now[0])

    def logged(text: str) -> logging.LogRecord | None:
        record = logging.LogRecord("x", logging.WARNING, "x", 1, text, None, None)
        return record if bounded.filter(record) else None

    lines = [logged("again") for _ in range(1_000)]
    now[0] = 61.0
    later, long = logged("later"), logged("x" * 10_000)

    written = [line for line in lines if line]
    assert len(written) == LINES
    assert "the rest of this minute is left out" in written[-1].getMessage()
    assert later is not None
    assert later.getMessage() == "later (800 lines before this one were left out)"
    assert long is not None
    assert len(long.getMessage()) < 4_100


# The soak, in short


@pytest.mark.skipif(sys.platform != "linux", reason="the resident set is read from /proc")
def test_a_server_under_mixed_calls_neither_fails_nor_grows(tmp_path: Path, model: Path) -> None:
    database = tmp_path / "soaked.db"
    fill(database, items=400, model=model, seed=1)

    run = soak(database, calls=120, seed=1, model=model, log=tmp_path / "log")

    half = run.megabytes[len(run.megabytes) // 2 :]
    assert run.errors == []
    assert run.calls.total() == 120
    assert max(half) < 250
    assert max(half) - min(half) < 40
