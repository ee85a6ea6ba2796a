"""Bad input: each gets an answer to act on, nothing is half done, and the server goes on serving."""

import json
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Speak
from mcp import Client
from mcp.server import Server
from mcp.types import jsonrpc_message_adapter
from pydantic import ValidationError

from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.server.app import MemoryHost, make_server
from mcp_memory.server.stdio.transport import refusal_of

MEGABYTE = "x" * 999_999 + "\n"
UNKNOWN = "0p9s3l9cgm2pe"

REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("nothing", "remember", {}, "Nothing to remember: give content (a text), items (a list) or turns (a conversation)."),
    (
        "empty content",
        "remember",
        {"content": ""},
        "Nothing to remember: give content (a text), items (a list) or turns (a conversation).",
    ),
    ("blank content", "remember", {"content": " \n\t "}, "content is empty; say in a sentence what to remember."),
    ("null content", "remember", {"content": None}, "Nothing to remember: give content (a text)"),
    ("a blank item among others", "remember", {"items": ["fine", " "]}, "items[1] is empty; say in a sentence"),
    ("an empty list", "remember", {"items": []}, "Nothing to remember"),
    ("an empty list as text", "remember", {"items": "[]"}, "Nothing to remember"),
    ("11 MB", "remember", {"content": MEGABYTE * 11}, "This is 11.0 MB of text; at most 10 MB fit in a call. Send it in parts."),
    ("11 MB in items", "remember", {"items": [MEGABYTE] * 11}, "This is 11.0 MB of text; at most 10 MB"),
    ("11 MB in turns", "remember", {"turns": [{"content": MEGABYTE}] * 11}, "This is 11.0 MB of text; at most 10 MB"),
    ("10,001 items", "remember", {"items": ["fine"] * 10_001}, "items holds 10001 entries; send at most 1000 in a call."),
    ("10,001 turns", "remember", {"turns": ["fine"] * 10_001}, "turns holds 10001 turns; send at most 10000 in a call."),
    ("content and items", "remember", {"content": "one", "items": ["two"]}, "Give exactly one of content (a text), items"),
    ("content as list and items", "remember", {"content": ["one"], "items": ["two"]}, "put everything into items."),
    ("a NUL byte", "remember", {"content": "a\0b"}, "content"),
    ("a NUL byte in an item", "remember", {"items": ["fine", {"content": "a\0b"}]}, "items[1]"),
    ("a NUL byte in a tag", "remember", {"content": "fine", "tags": ["a\0b"]}, "tags"),
    ("a lone surrogate", "remember", {"content": "a \ud800 b"}, "content"),
    ("a lone surrogate in a turn", "remember", {"turns": [{"content": "fine"}, {"content": "\udfff"}]}, "turns[1].content"),
    ("a lone surrogate in the source", "remember", {"content": "fine", "source": "\ud800"}, "source"),
    ("a lone surrogate in a scope", "remember", {"content": "fine", "scope": "\ud800"}, "scope"),
    (
        "an unknown argument",
        "remember",
        {"content": "fine", "colour": "red"},
        "There is no argument 'colour'. The arguments are content, items, turns, kind, tags, scope, occurred_at, importance, "
        "replaces, source.",
    ),
    (
        "an unknown field of an item",
        "remember",
        {"items": ["fine", {"content": "fine", "colour": "red"}]},
        "items[1]: There is no argument 'colour'. The arguments are content, kind, tags",
    ),
    ("content that is an object", "remember", {"content": {"a": 1}}, "content must be a string, not an object."),
    ("content that is true", "remember", {"content": True}, "content must be a string, not True."),
    ("an item that is a number", "remember", {"items": ["fine", 7]}, "items[1] must be a string or an object with content, not 7."),
    ("items that are a number", "remember", {"items": 7}, "items must be a list, not 7."),
    ("a turn that is a number", "remember", {"turns": [7]}, "turns[0] must be an object with speaker and content, not 7."),
    ("an unknown kind", "remember", {"content": "fine", "kind": "rumour"}, "kind 'rumour' is none of fact, preference,"),
    ("a kind of 1 MB", "remember", {"content": "fine", "kind": MEGABYTE}, "is none of fact, preference,"),
    ("an argument of 1 MB", "remember", {"content": "fine", MEGABYTE: 1}, "The arguments are content, items, turns,"),
    ("a date of 1 MB", "remember", {"content": "fine", "occurred_at": MEGABYTE}, "content: occurred_at:"),
    ("a date that is none", "remember", {"content": "fine", "occurred_at": "2026-02-31"}, "content: occurred_at:"),
    ("too important", "remember", {"content": "fine", "importance": 7}, "importance 7.0 is outside 0 (trifling) to 1 (vital)"),
    ("importance in words", "remember", {"content": "fine", "importance": "very"}, "importance must be a number, not the string 'very'."),
    ("infinite importance", "remember", {"content": "fine", "importance": "inf"}, "importance must be a number"),
    ("one argument twice", "remember", {"content": "fine", "text": "fine"}, "'text' says 'content' a second time; give it once."),
    ("replacing what is not there", "remember", {"content": "fine", "replaces": UNKNOWN}, f"There is no memory #{UNKNOWN}. Use recall"),
    ("replacing what is no id", "remember", {"content": "fine", "replaces": "the first"}, "'the first' is not the id of a memory"),
    ("51 tags", "remember", {"content": "fine", "tags": [f"t{n}" for n in range(51)]}, "51 tags are too many; give at most 50."),
    ("tags within tags", "remember", {"content": "fine", "tags": [["a"]]}, "tags must hold strings only, not a list."),
    ("a limit of 0", "recall", {"query": "x", "limit": 0}, "limit is 0; give a number from 1 to 1000."),
    ("a limit of -1", "recall", {"query": "x", "limit": -1}, "limit is -1; give a number from 1 to 1000."),
    ("a limit of 10^9", "recall", {"query": "x", "limit": 10**9}, "limit is 1000000000; give a number from 1 to 1000."),
    ("a limit of 10^400", "recall", {"query": "x", "limit": 10**400}, f"limit must be a whole number, not {10**39}."),
    ("half a limit", "recall", {"query": "x", "limit": 1.5}, "limit must be a whole number, not 1.5."),
    ("a limit in words", "recall", {"query": "x", "limit": "all"}, "limit must be a whole number, not the string 'all'."),
    ("a limit that is a list", "recall", {"query": "x", "limit": [1]}, "limit must be a whole number, not a list."),
    ("no budget", "recall", {"query": "x", "max_tokens": 0}, "max_tokens is 0; give a number from 50 to 100000."),
    ("a query that is a document", "recall", {"query": "x " * 6_000}, "query has 12000 characters; ask in at most 10000."),
    ("a NUL byte in the query", "recall", {"query": "a\0b"}, "query"),
    ("a lone surrogate in the query", "recall", {"query": "\udc00"}, "query"),
    ("an unknown detail", "recall", {"query": "x", "detail": "some"}, "detail 'some' is neither 'concise' nor 'full'."),
    ("since that is no date", "recall", {"query": "x", "since": "soonish"}, "soonish"),
    ("since after until", "recall", {"query": "x", "since": "2026-05-01", "until": "2026-04-01"}, "since '2026-05-01' is not before"),
    ("an unknown kind asked for", "recall", {"query": "x", "kinds": "rumour"}, "kind 'rumour' is none of fact,"),
    ("an unknown argument of recall", "recall", {"query": "x", "colour": 1}, "There is no argument 'colour'. The arguments are query,"),
    ("a digest without a topic", "summarize", {"digest": "All is well."}, "digest needs a topic"),
    ("a digest of nothing", "summarize", {"topic": "quokkas", "digest": "All is well."}, "Nothing is known about 'quokkas'"),
    ("a topic with a NUL byte", "summarize", {"topic": "a\0b"}, "topic"),
    ("update of nothing", "update", {"content": "fine"}, "update needs the argument 'id'."),
    ("update of an unknown id", "update", {"id": UNKNOWN, "content": "fine"}, f"There is no memory #{UNKNOWN}. Use recall"),
    ("update with no change", "update", {"id": "KEPT"}, "Nothing to change: give content, kind, tags,"),
    ("update to blank", "update", {"id": "KEPT", "content": " "}, "content is empty; use forget to take a memory away."),
    ("update to a lone surrogate", "update", {"id": "KEPT", "content": "\ud800"}, "content"),
    ("update to a date that is none", "update", {"id": "KEPT", "valid_until": "never"}, "valid_until:"),
    ("pinned perhaps", "update", {"id": "KEPT", "pinned": "perhaps"}, "pinned must be true or false, not the string 'perhaps'."),
    ("forget of nothing", "forget", {}, "Give either ids (as recall prints them) or a query."),
    ("forget of an empty list", "forget", {"ids": []}, "ids is empty; give at least one."),
    ("forget of an unknown id", "forget", {"ids": ["KEPT", UNKNOWN]}, f"There is no memory #{UNKNOWN}. Use recall"),
    ("forget of what is no id", "forget", {"ids": "all"}, "'all' is not the id of a memory"),
    ("forget by both", "forget", {"ids": "KEPT", "query": "fact"}, "Give either ids (as recall prints them) or a query."),
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
async def test_what_cannot_be_used_is_refused_and_changes_nothing(
    server: Server[Any], memory: Memory, tool: str, arguments: dict[str, Any], message: str
) -> None:
    kept = memory.remember("The kept fact.").items[0].id
    memory.maintenance.gather()
    before = memory.stats(), memory.item(kept)
    meant = json.loads(json.dumps(arguments).replace("KEPT", kept))
    async with Client(server) as client:
        result = await client.call_tool(tool, meant)
        after = memory.stats(), memory.item(kept)
        works = await client.call_tool("remember", {"content": "The next fact."})

    assert result.is_error
    assert message in result.content[0].text  # type: ignore[union-attr]
    assert len(result.content[0].text) < 1_010  # type: ignore[union-attr]
    assert after == before
    assert not works.is_error


# Lines that are no messages, over standard input.

LINES: list[tuple[str, bytes, int | None, int]] = [
    ("no JSON", b"hello", None, -32700),
    ("invalid UTF-8", b"\xff\xfe\x00", None, -32700),
    ("half a message", b'{"jsonrpc": "2.0", "id": 5, "method": "tools/', None, -32700),
    ("JSON that nests too deep", b"[" * 100_000, None, -32700),
    ("a list", b"[1, 2]", None, -32600),
    ("a batch", b'[{"jsonrpc": "2.0", "id": 5, "method": "ping"}]', None, -32600),
    ("no version", b'{"id": 5, "method": "ping"}', 5, -32600),
    ("a method that is a number", b'{"jsonrpc": "2.0", "id": 5, "method": 7}', 5, -32600),
    ("arguments as a list", b'{"jsonrpc": "2.0", "id": 5, "method": "ping", "params": []}', 5, -32600),
    (
        "a lone surrogate",
        b'{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": '
        b'{"name": "remember", "arguments": {"content": "a \\ud800 b"}}}',
        5,
        -32700,
    ),
]


def test_a_line_that_is_no_message_is_answered_and_the_next_one_served(
    speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    lines: list[Any] = [b"", b"\r"]
    for number, (_, line, _, _) in enumerate(LINES):
        lines += [line.replace(b'"id": 5', b'"id": %d' % (100 + number)), request_tool(number + 1, "recall", query="x")]
    spoken = speak(*lines)

    assert [spoken.answers[number + 1]["result"]["isError"] for number in range(len(LINES))] == [False] * len(LINES)
    assert {number: spoken.answers[100 + number]["error"]["code"] for number, case in enumerate(LINES) if case[2]} == {
        number: case[3] for number, case in enumerate(LINES) if case[2]
    }
    assert spoken.answers[None]["error"]["code"] in (-32700, -32600)
    assert "surrogate" in spoken.answers[109]["error"]["message"]
    assert (spoken.log, spoken.exit_code) == ("", 0)


@pytest.mark.parametrize(("line", "code"), [(case[1], case[3]) for case in LINES if case[2] is None])
def test_a_line_without_an_id_is_refused_with_none(line: bytes, code: int) -> None:
    with pytest.raises(ValidationError) as caught:
        jsonrpc_message_adapter.validate_json(line.decode("utf-8", "replace"), by_name=False)
    refusal = refusal_of(caught.value)

    assert refusal is not None
    assert (refusal.id, refusal.error.code) == (None, code)


def test_a_line_of_11_megabytes_is_refused_and_the_next_one_served(
    speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    spoken = speak(
        request_tool(1, "remember", content="x" * 11_000_000),
        request_tool(2, "remember", content="The next fact."),
        request_tool(3, "recall", query="fact"),
    )

    assert spoken.text(1) == "This is 11.0 MB of text; at most 10 MB fit in a call. Send it in parts."
    assert "The next fact." in spoken.text(3)


# Files that cannot be served.


def directory(path: Path) -> None:
    path.mkdir()


def no_database(path: Path) -> None:
    path.write_text("This is a shopping list, and a long one at that.\n" * 100, "utf-8")


def other_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()


def newer_schema(path: Path) -> None:
    Memory.open(path, model=HashingEncoder()).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def cut_in_half(path: Path) -> None:
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember(items=entries(200))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 4096 * 4096 + 100])


def entries(count: int) -> list[Any]:
    return [Entry(f"Fact {number}, which takes its room in the file.") for number in range(count)]


FILES: list[tuple[Callable[[Path], None], str]] = [
    (directory, "is a directory. Name a file with --database, for example"),
    (no_database, "is not a SQLite database. Name another file with --database; if it was a memory,"),
    (other_program, "is a SQLite database of another program, and is left as it is."),
    (newer_schema, "was written by a newer mcp-memory (schema 99, this one knows up to"),
    (cut_in_half, "is damaged"),
]


@pytest.mark.parametrize(("make", "message"), FILES, ids=[make.__name__ for make, _ in FILES])
@pytest.mark.anyio
async def test_a_file_that_cannot_be_served_is_named_and_left_alone(
    database: Path, make: Callable[[Path], None], message: str
) -> None:
    make(database)
    before = content_of(database)
    host = MemoryHost(lambda: Memory.open(database, model=HashingEncoder()))
    async with Client(make_server(host, project=None)) as client:
        results = [
            await client.call_tool("recall", {"query": "fact"}),
            await client.call_tool("remember", {"content": "A new fact."}),
        ]
        tools = (await client.list_tools()).tools
    host.close()

    for result in results:
        text = result.content[0].text  # type: ignore[union-attr]
        assert result.is_error
        assert text.startswith(str(database))
        assert message in text
    assert len(tools) == 7
    assert content_of(database) == before


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def test_a_server_serves_as_soon_as_its_file_can_be_served(
    database: Path, speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    database.write_text("This is no database, and it is longer than a header of SQLite is.\n" * 10, "utf-8")
    spoken = speak(
        request_tool(1, "recall", query="fact"),
        request_tool(2, "remember", content="A new fact."),
        {"jsonrpc": "2.0", "id": 3, "method": "tools/list"},
    )
    database.unlink()
    again = speak(request_tool(1, "remember", content="A new fact."))

    for number in (1, 2):
        assert spoken.answers[number]["result"]["isError"]
        assert spoken.text(number).startswith(f"{database} is not a SQLite database.")
    assert len(spoken.answers[3]["result"]["tools"]) == 7
    assert "Traceback" not in spoken.log
    assert spoken.exit_code == 0
    assert not again.answers[1]["result"]["isError"]


@pytest.mark.parametrize("how", ["option", "variable", "permission"])
def test_a_read_only_file_is_recalled_from_and_never_written(
    database: Path,
    environment: dict[str, str],
    speak: Speak,
    request_tool: Callable[..., dict[str, Any]],
    how: str,
) -> None:
    if how == "permission" and (not hasattr(os, "geteuid") or os.geteuid() == 0):
        pytest.skip("for this user every file can be written")
    with Memory.open(database, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        kept = memory.remember("The kept fact.").items[0].id
    before = database.read_bytes()
    if how == "permission":
        database.chmod(0o400)
    if how == "variable":
        environment["MCP_MEMORY_READ_ONLY"] = "1"
    spoken = speak(
        request_tool(1, "remember", content="A new fact."),
        request_tool(2, "update", id=kept, content="Another fact."),
        request_tool(3, "forget", ids=[kept]),
        request_tool(4, "recall", query="kept fact"),
        options=("--read-only",) if how == "option" else (),
    )

    message = f"{database} is open for reading only, so nothing can be changed in it."
    assert [spoken.text(number) for number in (1, 2, 3)] == [message] * 3
    assert "The kept fact." in spoken.text(4)
    assert (spoken.exit_code, database.read_bytes()) == (0, before)


def test_a_file_that_may_not_be_made_is_said_to_be_missing(
    database: Path, speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    spoken = speak(request_tool(1, "recall", query="fact"), options=("--read-only",))

    assert spoken.text(1) == f"{database} does not exist, and --read-only forbids to make it."
    assert not database.exists()


def test_a_model_that_is_none_leaves_the_words(
    tmp_path: Path, environment: dict[str, str], speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    environment["MCP_MEMORY_MODEL"] = str(tmp_path / "nowhere")
    spoken = speak(request_tool(1, "remember", content="The gate is green."), request_tool(2, "recall", query="gate"))

    assert not spoken.answers[1]["result"]["isError"]
    assert "The gate is green." in spoken.text(2)
    assert re.search("the encoder could not be loaded: .*nowhere", spoken.log)
    assert "Traceback" not in spoken.log
