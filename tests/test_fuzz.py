"""What reads from outside stands whatever comes: a short run of every fuzzed target, and the inputs that once failed."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzz import HANG, STOPPED, Tally, feed, stopped_after, warm
from bench.fuzz_targets import TARGETS, Target, importer_targets
from mcp_memory.domain.ids import IdSequence
from mcp_memory.domain.model import Caller, Entry, Turn
from mcp_memory.errors import InvalidInput
from mcp_memory.exchange.importers import markdown_notes
from mcp_memory.exchange.importers.jsonl import recognises
from mcp_memory.language.segmentation import segment
from mcp_memory.language.token_count import count_tokens
from mcp_memory.maintenance.tool_calls import read_call
from mcp_memory.privacy.secret_patterns import find_secrets
from mcp_memory.remember.contradiction.newer_value import asks_for_previous
from mcp_memory.remember.echoes import parse_echoes
from mcp_memory.remember.intake import Intake
from mcp_memory.render.history import word_diff
from mcp_memory.server.arguments import Arguments, entries_of
from mcp_memory.server.stdio.transport import read_line, refusal_of
from mcp_memory.sqlite.store import SqliteStore
from mcp_memory.topics.keywords import keywords

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HUGE = 10**5_000
"""A number that Python refuses to write down."""


@pytest.mark.parametrize("target", [*TARGETS, *importer_targets()], ids=lambda target: target.name)
def test_no_input_stops_or_hangs_what_reads_it(target: Target) -> None:
    tally = Tally(target.name, "hypothesis")
    warm(target)

    @settings(max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False).map(target.make))
    def check(made: Any) -> None:
        feed(target, made, tally)

    check()
    for number in range(40):
        feed(target, target.make(random.Random(number)), tally)

    assert tally.slowest < HANG
    assert list(target.close()) == []


def quick(work: Callable[[], object]) -> None:
    """Carry something out that once took seconds or for ever."""
    with stopped_after(STOPPED):
        work()


SLOW: dict[str, Callable[[], object]] = {
    "a difference of repeated words": lambda: word_diff("q3 " * 5_000, "x " + "q3 " * 4_000 + "y" + "q3 " * 900),
    "a difference of signs": lambda: word_diff("'" * 9_000 + "a", "b" + "!'" * 4_500),
    "keywords of one long word": lambda: keywords(["ﬁ" * 8_000] * 2, {}),
    "keywords of fractions": lambda: keywords(["½" * 8_000] * 2, {}),
    "a line that cites nothing": lambda: parse_echoes("now " * 40_000),
    "a line that opens many brackets": lambda: parse_echoes("f( " * 40_000),
    "a call of digits": lambda: read_call("9" * 40_000),
    "arguments without a value": lambda: read_call("f(" + "a" * 40_000 + ")"),
    "an address that is none": lambda: find_secrets("a." * 20_000),
    "a password and then a page of nothing": lambda: find_secrets("密码 改成" + "\n" * 20_000 + "x"),
    "a code and then a page of nothing": lambda: find_secrets("my door code is" + " \n" * 10_000 + "x"),
    "beginnings of keys": lambda: find_secrets("sk-" * 20_000 + "tskey-" * 20_000),
    "passwords that follow each other": lambda: find_secrets("password is kh@tea-" * 2_000),
    "a note with a wide gap": lambda: markdown_notes.visible_text("a" + " " * 60_000 + "b"),
    "which of two long texts is older": lambda: asks_for_previous("1,000 " * 1_600, "-1" * 10_000, "1,000 " * 3_000),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_once_took_seconds_is_quick(name: str) -> None:
    quick(SLOW[name])


@pytest.mark.parametrize("value", [HUGE, -HUGE, [HUGE], {"a": HUGE}], ids=["large", "negative", "list", "object"])
def test_a_number_of_thousands_of_digits_is_refused_in_words(value: Any) -> None:
    arguments = Arguments({"content": value}, known=("content",), aliases={})

    for read in (
        arguments.text,
        arguments.texts,
        arguments.flag,
        arguments.number,
        lambda name: arguments.whole(name, 1),
    ):
        with pytest.raises(InvalidInput, match="content must"):
            read("content")
    with pytest.raises(InvalidInput, match=r"items\[0\]"):
        entries_of([{"content": value}], like=Entry(""))


def test_half_a_character_in_the_time_of_a_turn_is_refused() -> None:
    intake = Intake(Caller(), NOW, IdSequence(lambda: 1).next)

    with pytest.raises(InvalidInput, match=r"turns\[0\]\.at holds a lone surrogate"):
        intake.turns([Turn("fine", at="\udfff")], like=Entry(""))


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc": "used", "id": "#a\\udfff", "method": "tools/list"}',
        b'{"jsonrpc": 1, "id": ' + b"9" * 5_000 + b', "method": "ping"}',
    ],
)
def test_an_id_that_cannot_be_sent_back_is_refused_without_it(line: bytes) -> None:
    message = read_line(line)
    assert isinstance(message, Exception)
    refusal = refusal_of(message)

    assert refusal is not None
    assert refusal.id is None
    assert refusal.model_dump_json(by_alias=True, exclude_unset=True).encode()


def test_a_byte_order_mark_before_a_message_is_passed_over() -> None:
    assert not isinstance(read_line(b'\xef\xbb\xbf{"jsonrpc": "2.0", "id": 1, "method": "ping"}\r\n'), Exception)


@pytest.mark.parametrize("filler", [" ", "\x01", "\n", "\t", "\x1b", "\x7f"])
def test_no_item_is_longer_than_its_few_tokens_suggest(filler: str) -> None:
    text = "a" + filler * 100_000 + "b"

    assert max(end - start for start, end in segment(text)) <= 20_100
    assert count_tokens(text) > 900


def test_words_are_scored_where_what_was_found_has_gone_in_the_meantime(tmp_path: Any) -> None:
    store = SqliteStore(tmp_path / "memory.db", clock=lambda: 1)

    scores, _ = store.bm25("which port", [])

    assert len(scores) == 0
    store.close()


def test_a_file_of_brackets_alone_is_no_export() -> None:
    assert not recognises(b"[" * 4_096)
    assert not recognises(b"[" * 100_000)
