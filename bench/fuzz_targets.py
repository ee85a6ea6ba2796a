"""What is fuzzed: each target deals inputs of its own and says what may come of them.

A target is a function from an input to nothing that raises MemoryProblem where the input is refused, and anything else
where there is a defect. To fuzz a new parser add a Target to TARGETS; for a format of importers, a sample to fuzz_exports.
"""

import importlib
import json
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from bench.fuzz_exports import damaged, read_all
from bench.fuzz_inputs import arguments_of, mutated, spliced, value, when
from mcp_memory.domain.ids import IdSequence
from mcp_memory.domain.model import Caller, Entry, Filter, Item, ItemId, Operation, OperationId, Statement, Turn
from mcp_memory.domain.steps import AddItem, Neighbour
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import MemoryProblem
from mcp_memory.exchange import importers
from mcp_memory.exchange.exporters.jsonl import lines
from mcp_memory.language.dates.extraction import asks_when, moments, read_period, tells_when
from mcp_memory.language.dates.fallback import read_foreign
from mcp_memory.language.detection import language_of, possible_languages
from mcp_memory.language.segmentation import segment, shorten
from mcp_memory.language.sentences import sentences
from mcp_memory.language.token_count import count_tokens
from mcp_memory.language.tokenization import grams, normal_form, require_clean, words
from mcp_memory.maintenance import tool_calls
from mcp_memory.memory import Memory, no_progress
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.privacy.secret_patterns import find_secrets
from mcp_memory.recall.filters import read_age, read_operation, read_query
from mcp_memory.remember import planner
from mcp_memory.remember.contradiction.comparison import change_probability, replaced_value
from mcp_memory.remember.contradiction.newer_value import asks_for_previous, is_newer_value
from mcp_memory.remember.echoes import parse_echoes
from mcp_memory.remember.importance import estimate_importance
from mcp_memory.remember.intake import Intake, read_scope, read_tags
from mcp_memory.render import history
from mcp_memory.render.item_text import fenced
from mcp_memory.server.arguments import ENTRY_ALIASES, ENTRY_FIELDS, Arguments, entries_of, turns_of
from mcp_memory.server.config import read_config
from mcp_memory.server.prompts import compose_prompt
from mcp_memory.server.resources import read as read_resource
from mcp_memory.server.stdio.transport import read_line, refusal_of
from mcp_memory.server.tools import TOOLS
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.exchange.transfer import export
from mcp_memory.sqlite.store import SqliteStore
from mcp_memory.topics.clustering import term_counts
from mcp_memory.topics.keywords import keywords

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
SEEDS = (
    "The staging database runs on Postgres 16.",
    "I prefer tabs over spaces.",
    "Ann moved to Lisbon in May 2023 because of the job.",
    "部署端口从8080改成9090了。",
    "read_file(path='src/main.py') -> 120 lines in 3 ms",
    "Der Vertrag endet in zwei Wochen.",
)
"""What the store of the tools' target knows at first."""

Value = Any


@dataclass(frozen=True, slots=True)
class Target:
    """Something that takes input from outside."""

    name: str
    make: Callable[[random.Random], Value]
    """An input, as a seeded Random deals it."""
    run: Callable[[Value], object]
    share: int
    """Inputs of it in a thousand of a run: the cheap ones take most."""
    close: Callable[[], Sequence[str]] = field(default=lambda: ())
    """What is wrong in what it kept, when all is over."""


def text_of(longest: int) -> Callable[[random.Random], str]:
    """Texts of up to `longest` characters."""
    return lambda chance: spliced(chance, longest=longest)


def pair_of(longest: int) -> Callable[[random.Random], tuple[str, str]]:
    """Two texts, the second often a changed first."""

    def made(chance: random.Random) -> tuple[str, str]:
        one = spliced(chance, longest=longest)
        if chance.random() < 0.6:
            return one, mutated(chance, one.encode(errors="surrogatepass")).decode(errors="replace")
        return one, spliced(chance, longest=longest)

    return made


# Pure functions


def _cut(text: str) -> None:
    """Sentences and segments lie in the text in order, and what is in none of them is white space."""
    for spans in (sentences(text), segment(text)):
        at = 0
        for start, end in spans:
            assert at <= start < end <= len(text), spans
            assert not text[at:start].strip(), (spans, at)
            at = end
        assert not text[at:].strip()


def _counted(text: str) -> None:
    assert count_tokens(text) >= 0
    for budget in (1, 20):
        assert count_tokens(shorten(text, budget)) <= budget + 1
    words(text)
    grams(text)
    assert normal_form(normal_form(text)) == normal_form(text)


def _dates(text: str) -> None:
    asks_when(text)
    tells_when(text)
    for moment in moments(text, now=NOW):
        assert moment.period.start <= moment.period.end
        moment.closeness(moment.period)


def _queried(text: str) -> None:
    _searcher().search_text(read_query(text), where=Filter(), limit=10)
    _searcher().bm25(text, ())


def _compared(pair: tuple[str, str]) -> None:
    old, new = (require_clean(text, "text") for text in pair)
    replaced_value(old[: planner.COMPARED], new[: planner.COMPARED])
    change_probability(old[: planner.COMPARED], new[: planner.COMPARED], reason=None)
    is_newer_value(old, new)
    asks_for_previous(new, old, new)


def _told_again(pair: tuple[str, str]) -> None:
    """Two statements planned against each other as known, near and said before in the same call."""
    ids = IdSequence(lambda: 1_700_000_000_000)
    read = Intake(Caller(project="fuzz"), NOW, ids.next).entries([Entry(text) for text in pair])
    told = [statement for entry in read for statement in entry]
    numbers = [ItemId(ids.next()) for _ in told]
    near = [[Neighbour(_item(other, ItemId(ids.next())), 0.9) for other in told[:3]] for _ in told]
    made = planner.plan(told, ids=numbers, known={}, neighbours=near, named={})
    assert len(made) == len(told)


def _item(statement: Statement, identifier: ItemId) -> Item:
    return Item(
        id=identifier, source_id=statement.source.id, source_kind="words", position=0, span=statement.span,
        text=statement.text, kind=statement.kind, tags=(), scope=statement.scope, speaker=None, importance=0.5,
        confidence=1.0, occurred_at=None, valid_until=None, pinned=False, review_after=None, recorded_at=1, changed_at=1,
        revision=1, status="live", seen=1, last_seen_at=1,
    )  # fmt: skip


def _taken_in(text: str) -> None:
    """What a document is cut into stands in it, in order, and no piece is longer than an item may be.

    Nothing is left of one that is private as a whole.
    """
    intake = Intake(Caller(project="fuzz"), NOW, IdSequence(lambda: 1_700_000_000_000).next)
    read = intake.entries([Entry(text)])
    assert len(read) == 1 or (not read and "private" in text.casefold())
    for statement in (statement for statements in read for statement in statements):
        said = statement.source.text[statement.span.start : statement.span.end]
        assert statement.echo_of or said == statement.text
        assert len(statement.text.encode()) <= 80_000, len(statement.text)


def _transcribed(turns: Sequence[Turn]) -> None:
    intake = Intake(Caller(project="fuzz"), NOW, IdSequence(lambda: 1_700_000_000_000).next)
    for statement in intake.turns(turns, like=Entry("")):
        assert statement.source.text[statement.span.start : statement.span.end] == statement.text


def _turns(chance: random.Random) -> list[Turn]:
    def one() -> Turn:
        speaker = chance.choice((None, "Ann", spliced(chance, longest=200)))
        return Turn(spliced(chance, longest=3_000), speaker, chance.choice((None, when(chance))))

    return [one() for _ in range(chance.choice((1, 2, 5)))]


def _judged(text: str) -> None:
    find_secrets(text)
    call = tool_calls.read_call(text)
    tool_calls.similarity(call, call)
    tool_calls.read_pattern(text)
    language_of(text)
    list(possible_languages(text))
    estimate_importance(text, "note", rarity={}, rarest=9.0, total=100)
    keywords([text, text], {})
    term_counts(text)


def _shown(pair: tuple[str, str]) -> None:
    parse_echoes(pair[0])
    one_line(pair[0])
    fenced([pair[0]])
    history.word_diff(*pair)


def _measures(text: str) -> None:
    for read in (
        read_age,
        read_operation,
        lambda t: read_scope(t, project=None),
        lambda t: read_tags([t]),
        _configured,
    ):
        with suppress(MemoryProblem):
            read(text)


def _configured(text: str) -> None:
    read_config({"MCP_MEMORY_MAX_SIZE": text, "MCP_MEMORY_READ_ONLY": text})


def _periods(text: str) -> None:
    read_period(text, now=NOW)


def _read_arguments(raw: object) -> None:
    arguments = Arguments({"content": raw, "tags": raw, "importance": raw}, known=ENTRY_FIELDS, aliases=ENTRY_ALIASES)
    for reader in (arguments.text, arguments.texts, arguments.objects, arguments.number, arguments.flag):
        with suppress(MemoryProblem):
            reader("content")
    for many in (
        lambda: entries_of([raw], like=Entry("")),
        lambda: turns_of([raw]),
        lambda: arguments.whole("content", 1),
    ):
        with suppress(MemoryProblem):
            many()


# The wire


def line_of(chance: random.Random) -> bytes:
    """A message, or something like one."""
    method = chance.choice(
        ("tools/call", "tools/list", "ping", "initialize", "notifications/cancelled", "server/discover")
    )
    message = {
        "jsonrpc": chance.choice(("2.0", "2.0", "2.0", 2.0, value(chance, longest=50))),
        "id": chance.choice((1, "a", None, 10**30, -1, value(chance, longest=50))),
        "method": chance.choice((method, value(chance, longest=50))),
        "params": chance.choice(({"name": "recall", "arguments": {"query": "x"}}, value(chance, longest=300))),
    }
    for name in chance.sample(list(message), k=chance.choice((0, 0, 0, 1, 2))):
        del message[name]
    shown = chance.choice((message, message, [message], value(chance, longest=300)))
    try:
        line = json.dumps(shown, ensure_ascii=chance.random() < 0.5)
    except ValueError:  # a number of thousands of digits, which only other languages write
        line = '{"jsonrpc": "2.0", "id": ' + "9" * chance.choice((20, 5_000)) + ', "method": "ping"}'
    data = line.encode(errors="surrogatepass")
    if chance.random() < 0.05:
        data = chance.choice((b"[", b'{"a":', b"[[1],", b"1", b"-", b"\\", b'"')) * chance.choice((1, 100, 100_000))
    return mutated(chance, chance.choice((b"", b"", b"\xef\xbb\xbf")) + data)


def _wired(line: bytes) -> None:
    """A line is read or refused, and what is answered can be sent."""
    message = read_line(line)
    if isinstance(message, Exception):
        if refusal := refusal_of(message):
            refusal.model_dump_json(by_alias=True, exclude_unset=True).encode()
    else:
        message.message.model_dump_json(by_alias=True, exclude_unset=True)


# A store


@cache
def _searcher() -> SqliteStore:
    """A store whose words are searched, of a few thousand states."""
    store = SqliteStore(Path(_words_folder()) / "words.db", clock=lambda: 1)
    chance = random.Random(5)
    with_ids = IdSequence(lambda: 1_700_000_000_000)
    intake = Intake(Caller(), NOW, with_ids.next)
    said = [Entry(f"{chance.choice(SEEDS)} {number}") for number in range(1_000)]
    steps = [AddItem(ItemId(with_ids.next()), one) for entry in intake.entries(said) for one in entry]
    store.apply(Operation(OperationId(with_ids.next()), "remember", 1, "fuzz", "", ""), steps)
    return store


@cache
def _words_folder() -> str:
    return _kept().enter_context(tempfile.TemporaryDirectory())


@cache
def _kept() -> ExitStack:
    """What is given back when the process ends."""
    return ExitStack()


@cache
def _memory() -> tuple[Memory, list[str]]:
    """A real memory with a few items, and their ids."""
    path = Path(_kept().enter_context(tempfile.TemporaryDirectory())) / "memory.db"
    memory = Memory.open(path, model=HashingEncoder(), project="fuzz")
    memory.wait_for_encoder()
    made = memory.remember(items=[Entry(text) for text in SEEDS])
    return memory, [*(item.id for item in made.items), made.operation_id, "0p9s3l9cgm2pe", "#", ""]


def _tool_input(chance: random.Random) -> tuple[str, Mapping[str, Any]]:
    tool = chance.choice(TOOLS)
    _, ids = _memory()
    return tool.name, arguments_of(list(tool.properties), aliases=list(tool.aliases), ids=ids)(chance)


def _called(given: tuple[str, Mapping[str, Any]]) -> None:
    name, arguments = given
    memory, _ = _memory()
    tool = next(tool for tool in TOOLS if tool.name == name)
    answer = tool.call(memory, arguments, caller=Caller("fuzz", "fuzz", "fuzz"), progress=no_progress)
    answer.text.encode()
    json.dumps(answer.data).encode()


def _verified() -> Sequence[str]:
    memory, _ = _memory()
    return list(memory.file.verify())


def _address(chance: random.Random) -> str:
    _, ids = _memory()
    kind = chance.choice(("context", "topics", "topics/", "items/", "sources/", spliced(chance, longest=20)))
    return (
        chance.choice(("memory://", "memory:", ""))
        + kind
        + chance.choice((chance.choice(ids), spliced(chance, longest=300)))
    )


def _addressed(uri: str) -> None:
    memory, _ = _memory()
    read_resource(memory, uri, caller=Caller(project="fuzz"))
    compose_prompt("begin", {"subject": uri}, lambda: memory, caller=Caller(project="fuzz"))


TARGETS: list[Target] = [
    Target("sentences and segments", text_of(20_000), _cut, 90),
    Target("tokens, words and normal form", text_of(20_000), _counted, 120),
    Target("moments in a text", text_of(4_000), _dates, 100),
    Target("dates, one phrase", text_of(200), _periods, 30),
    Target("dates, other languages", text_of(60), lambda text: read_foreign(text, now=NOW), 5),
    Target("query parser and FTS5", text_of(10_000), _queried, 80),
    Target("comparing two statements", pair_of(20_000), _compared, 70),
    Target("planner.plan", pair_of(2_000), _told_again, 30),
    Target("documents", text_of(50_000), _taken_in, 25),
    Target("transcripts", _turns, _transcribed, 50),
    Target("secrets, tool calls, topics", text_of(20_000), _judged, 60),
    Target("lines shown and read back", pair_of(20_000), _shown, 70),
    Target("ages, sizes, scopes, tags", text_of(400), _measures, 120),
    Target("arguments", lambda chance: value(chance, longest=2_000), _read_arguments, 120),
    Target("JSON-RPC lines", line_of, _wired, 120),
    Target("tools", _tool_input, _called, 20, _verified),
    Target("resources and prompts", _address, _addressed, 5, _verified),
]


def importer_targets() -> list[Target]:
    """One for each format that can be imported: an export of ours, or another tool's file, with some of it changed."""
    ours = [Target(f"importer {name}", _export_of, partial(_imported, name), 20) for name in importers.FORMATS]
    foreign = [
        Target(f"importer {name}", partial(damaged, name), partial(read_all, name), 5) for name in importers.FOREIGN
    ]
    return [*ours, *foreign]


@cache
def _exported() -> tuple[bytes, ...]:
    """The lines of an export of the tools' store."""
    _searcher()
    database = Database(Path(_words_folder()) / "words.db", read_only=True)
    told = tuple(lines(export(database)))[:200]
    database.close()
    return told


def _export_of(chance: random.Random) -> bytes:
    """A header, some lines of an export, and what is not quite one."""
    told = _exported()
    some = [told[0], *chance.choices(told, k=chance.choice((0, 1, 3)))]
    data = b"".join(mutated(chance, line) if chance.random() < 0.5 else line for line in some)
    return chance.choice((data, data, mutated(chance, data), line_of(chance), b"[" * 100_000))


def _imported(name: str, data: bytes) -> None:
    module = importlib.import_module(importers.FORMATS[name])
    module.recognises(data[: importers.HEAD])
    for part in module.read(data.splitlines(keepends=True)):
        str(part)
