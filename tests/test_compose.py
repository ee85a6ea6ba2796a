"""What is read: lines, fences, budgets, and reading recall's own lines back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from clock import Clock
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.domain.model import Entry, ItemId
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.language.dates.periods import zone_offset
from mcp_memory.memory import Memory
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.remember import echoes

ID = "06p7v2q0000ab"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f"#{ID} 2026-03-02 (just now) fact: The port is 9090.", "The port is 9090."),
        (f"- #{ID} 2026-03-02 (3 weeks ago, until 2026-03-09) note pinned [a, b c]: Ann: hi: there", "Ann: hi: there"),
        (f"> #{ID} 2026-03-02 (in 3 days) tool: x", "x"),
    ],
)
def test_a_line_of_recall_is_read_back(line: str, text: str) -> None:
    assert echoes.parse_echoes(line) == [(ItemId(ID), text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The port is 9090.",
        f"See #{ID} 2026-03-02 (just now) fact: The port is 9090.",
        f"#{ID} 2026-03-02 (just now) fact: The port is 9090.\nAnd something else.",
        f"#{ID} 2026-03-02 (just now) thought: The port is 9090.",
        "<memories>\n</memories>",
    ],
)
def test_any_other_text_is_no_line_of_recall(text: str) -> None:
    assert echoes.parse_echoes(text) == []


@given(st.text(max_size=200))
def test_one_line_is_one_line_without_a_fence_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)

    assert len(line.splitlines()) <= 1
    assert "<memories" not in line.lower()
    assert one_line(line) == line


@given(spaces=st.text(" \t/\n", max_size=4), word=st.sampled_from(["memories", "MEMORIES", "Memories"]))
def test_no_spelling_of_the_fence_gets_through(spaces: str, word: str) -> None:
    assert f"<{''.join(spaces.split())}{word}".lower() not in one_line(f"<{spaces}{word}>").replace(" ", "").lower()


def test_a_shortened_line_is_still_known_when_it_comes_back(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "memory.db", model=HashingEncoder(), clock=Clock()) as memory:
        memory.wait_for_encoder()
        memory.remember("This is a long sentence about the river and the bridge over it. " * 10)
        told = memory.recall("river bridge", max_tokens=150)
        result = memory.remember(told.text)

        assert len(told.hits) == 1
        assert [entry.status for entry in result.items] == ["known"]


def test_the_age_counts_from_the_clock_on_the_wall(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "memory.db", model=HashingEncoder(), clock=Clock()) as memory:
        memory.remember("Maya flew to Lisbon.", like=Entry("", kind="event", tags=("trip",), occurred_at="2026-02-23"))
        lines = memory.recall("Lisbon").text.splitlines()

    assert lines[1].partition(" ")[2] == "2026-02-23 (1 week ago) event [trip]: Maya flew to Lisbon."


def test_the_zone_offset_is_that_of_the_moment() -> None:
    assert zone_offset(datetime(2026, 3, 2, tzinfo=UTC)) == 0
