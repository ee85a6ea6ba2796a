"""Strength: what still counts goes first among equals, what fades fades, and what may be out of date is said to be."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from mcp import Client
from mcp.server import Server

from mcp_memory.domain.model import Caller, Entry, Item, Kind, Turn
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.recall.salience import HALF_LIFE, salience
from mcp_memory.remember.importance import estimate_importance
from mcp_memory.server.app import MemoryHost, make_server

EVERYWHERE = ItemQuery(scope="all")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    with opened(tmp_path, clock) as memory:
        yield memory


def opened(folder: Path, clock: Clock, *, read_only: bool = False) -> Memory:
    memory = Memory.open(folder / "memory.db", model=HashingEncoder(), clock=clock, read_only=read_only)
    memory.wait_for_encoder()
    return memory


def only(memory: Memory, text: str) -> Item:
    [item] = [item for item in memory.listing(EVERYWHERE, limit=100) if item.text == text]
    return item


def uses_in(folder: Path) -> list[tuple[int, int]]:
    connection = sqlite3.connect(folder / "memory.db")
    try:
        return connection.execute("SELECT count, earlier FROM uses ORDER BY item_id").fetchall()
    finally:
        connection.close()


# strength


@pytest.mark.parametrize("kind", HALF_LIFE)
def test_recency_is_halved_with_each_half_life(memory: Memory, clock: Clock, kind: Kind) -> None:
    memory.remember("The boat is blue.", like=Entry("", kind=kind, importance=0.5))
    item = only(memory, "The boat is blue.")

    def recency(days: int) -> float:
        started = clock.now
        clock.pass_(days=days)
        value = salience(item, now=clock.now)
        clock.now = started
        return value - salience(item, now=datetime(9000, 1, 1, tzinfo=UTC))

    assert recency(HALF_LIFE[kind]) == pytest.approx(recency(0) / 2)
    assert recency(2 * HALF_LIFE[kind]) == pytest.approx(recency(0) / 4)


def test_events_fade_and_preferences_hardly(memory: Memory, clock: Clock) -> None:
    for kind in ("event", "preference"):
        memory.remember(f"The boat is blue, a {kind}.", like=Entry("", kind=kind, importance=0.5))
    event, preference = only(memory, "The boat is blue, a event."), only(memory, "The boat is blue, a preference.")
    before = salience(event, now=clock.now), salience(preference, now=clock.now)
    clock.pass_(days=180)

    assert before[0] - salience(event, now=clock.now) > 0.2
    assert before[1] - salience(preference, now=clock.now) < 0.02


def test_confirmations_uses_and_importance_make_stronger_and_what_is_pinned_never_fades(
    memory: Memory, clock: Clock
) -> None:
    memory.remember("The boat is blue.", like=Entry("", importance=0.5))
    plain = only(memory, "The boat is blue.")
    clock.pass_(days=400)
    faded = salience(plain, now=clock.now)
    memory.update(plain.id, confirm=True)
    confirmed = salience(only(memory, plain.text), now=clock.now)
    memory.update(plain.id, importance=1.0)
    vital = salience(only(memory, plain.text), now=clock.now)
    memory.update(plain.id, pinned=True)
    clock.pass_(days=4000)

    assert faded < salience(plain, now=clock.now.replace(year=2027), uses=1)
    assert faded < salience(plain, now=datetime(2027, 4, 6, tzinfo=UTC), uses=9)
    assert faded < confirmed < vital < 1
    assert salience(only(memory, plain.text), now=clock.now) == 1.0


def test_strength_stands_still_from_midnight_to_midnight(memory: Memory, clock: Clock) -> None:
    memory.remember("Ada flew to Lisbon.", like=Entry("", kind="event"))
    item = only(memory, "Ada flew to Lisbon.")
    clock.now = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
    morning = salience(item, now=clock.now)
    clock.now = datetime(2026, 3, 9, 23, 59, 59, tzinfo=UTC)
    evening = salience(item, now=clock.now)
    clock.now = datetime(2026, 3, 10, 0, 0, tzinfo=UTC)

    assert morning == evening > salience(item, now=clock.now)


# importance


def test_importance_is_taken_as_given_and_else_estimated(memory: Memory) -> None:
    memory.remember("We looked at it again.", like=Entry("", kind="note"))
    memory.remember(
        "IMPORTANT: never restart the Kafka broker in Frankfurt before 18:00.", like=Entry("", kind="decision")
    )
    memory.remember("We looked at it twice.", like=Entry("", kind="note", importance=0.95))
    trifle, weighty, given = (
        only(memory, text)
        for text in (
            "We looked at it again.",
            "IMPORTANT: never restart the Kafka broker in Frankfurt before 18:00.",
            "We looked at it twice.",
        )
    )

    assert trifle.importance < 0.4 < 0.7 < weighty.importance
    assert (trifle.importance_given, weighty.importance_given) == (False, False)
    assert (given.importance, given.importance_given) == (0.95, True)


def test_rare_words_names_numbers_and_emphasis_each_raise_an_estimate() -> None:
    def estimate(text: str, rarity: dict[str, float]) -> float:
        return estimate_importance(text, "fact", rarity=rarity, rarest=8.0, total=1000)

    common = dict.fromkeys("boat blue painted harbour".split(), 1.0)
    plain = estimate("the boat is painted blue", common)

    assert estimate("the boat is painted blue", {}) > plain
    assert estimate("the boat is painted blue in Genoa on 4 May 2025", common) > plain
    assert estimate("the boat must be painted blue", common) > plain
    assert estimate("the boat", common) < plain


def test_a_new_text_is_estimated_anew_unless_its_importance_was_given(memory: Memory) -> None:
    memory.remember("ok then")
    estimated = only(memory, "ok then")
    memory.remember("fine then", like=Entry("", importance=0.2))
    given = only(memory, "fine then")

    memory.update(estimated.id, content="Never deploy to Frankfurt on Friday 13 March.")
    memory.update(given.id, content="Never deploy to Lisbon on Friday 13 March.")

    assert only(memory, "Never deploy to Frankfurt on Friday 13 March.").importance > estimated.importance + 0.2
    assert only(memory, "Never deploy to Lisbon on Friday 13 March.").importance == 0.2


def test_an_update_of_importance_counts_as_given_and_names_nothing_else(memory: Memory) -> None:
    memory.remember("The boat is blue.")
    _, changed = memory.update(only(memory, "The boat is blue.").id, importance=0.5)

    assert changed == ["importance"]
    assert only(memory, "The boat is blue.").importance_given


# who said it


def conflicting(memory: Memory, clock: Clock, *, days: int) -> list[str]:
    """Ask what the user said on one day and an assistant otherwise, days later, where the words fit equally well."""
    memory.remember(turns=[Turn("The deploy port is 8080.", "user")], like=Entry("", scope="a", kind="fact"))
    clock.pass_(days=days)
    memory.remember(turns=[Turn("The deploy port is 9090.", "assistant")], like=Entry("", scope="b", kind="fact"))
    found = memory.recall("which deploy port did you tell me", select=EVERYWHERE)
    return [hit.item.text for hit in found.hits]


def test_the_users_words_hold_against_an_inference_of_the_next_day_and_not_of_the_next_year(
    tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "soon").mkdir()
    (tmp_path / "late").mkdir()
    with opened(tmp_path / "soon", clock) as memory:
        soon = conflicting(memory, clock, days=1)
    with opened(tmp_path / "late", clock) as memory:
        late = conflicting(memory, clock, days=365)

    assert soon == ["The deploy port is 8080.", "The deploy port is 9090."]
    assert late == ["The deploy port is 9090.", "The deploy port is 8080."]


def test_a_question_that_names_the_older_value_is_answered_with_it(memory: Memory, clock: Clock) -> None:
    memory.remember("The deploy port is 8080.", like=Entry("", scope="a"))
    clock.pass_(days=400)
    memory.remember("The deploy port is 9090.", like=Entry("", scope="b"))

    assert memory.recall("deploy port 8080", select=EVERYWHERE).hits[0].item.text == "The deploy port is 8080."
    assert memory.recall("deploy port", select=EVERYWHERE).hits[0].item.text == "The deploy port is 9090."


# stale facts


def line_of(memory: Memory, query: str = "boat") -> str:
    return memory.recall(query).text.splitlines()[1]


def test_a_fact_that_nobody_confirmed_for_long_says_so_until_it_is_confirmed(memory: Memory, clock: Clock) -> None:
    memory.remember("The boat is blue.")
    clock.pass_(days=300)
    fresh = line_of(memory)
    clock.pass_(days=450)
    stale = line_of(memory)
    memory.update(only(memory, "The boat is blue.").id, confirm=True)

    assert "confirmed" not in fresh
    assert "2026-03-02 (2 years ago, not confirmed since 2026-03-02) fact: The boat is blue." in stale
    assert "confirmed" not in line_of(memory)


def test_saying_it_again_or_in_new_words_confirms_as_well(memory: Memory, clock: Clock) -> None:
    memory.remember(items=[Entry("The boat is blue."), Entry("The tram runs every ten minutes.")])
    clock.pass_(days=800)
    memory.remember("The boat is blue.")
    memory.update(only(memory, "The tram runs every ten minutes.").id, content="The tram runs every twelve minutes.")

    assert "confirmed" not in memory.recall("boat").text + memory.recall("tram").text


def test_what_happened_does_not_go_stale(memory: Memory, clock: Clock) -> None:
    memory.remember("The boat sank.", like=Entry("", kind="event"))
    clock.pass_(days=2000)

    assert "confirmed" not in line_of(memory)


def test_a_review_is_due_from_its_day_until_the_memory_is_confirmed(memory: Memory, clock: Clock) -> None:
    memory.remember("The boat is blue.")
    identifier = only(memory, "The boat is blue.").id
    memory.update(identifier, review_after="2026-04-01")
    before = line_of(memory)
    clock.pass_(days=40)
    due = line_of(memory)
    _, changed = memory.update(identifier, confirm=True)
    after = line_of(memory)
    memory.update(identifier, tags=["sea"])

    assert "review" not in before
    assert "(1 month ago, review since 2026-04-01)" in due
    assert changed == ["confirmed"]
    assert "review" not in after + line_of(memory)


def test_a_review_that_is_set_in_the_past_is_due_at_once(memory: Memory) -> None:
    memory.remember("The boat is blue.")
    memory.update(only(memory, "The boat is blue.").id, review_after="2020-01-01")

    assert "review since 2020-01-01" in line_of(memory)


# uses


def test_uses_are_written_after_the_answer_and_survive_reindexing(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock) as memory:
        memory.remember("The boat is blue.")
        for _ in range(3):
            memory.recall("boat")
        operations = len(memory.operations())
    written = uses_in(tmp_path)
    clock.pass_(days=1)
    with opened(tmp_path, clock) as memory:
        memory.recall("boat")
        memory.maintenance.reindex()
        assert len(memory.operations()) == operations

    assert written == [(3, 0)]
    assert uses_in(tmp_path) == [(4, 3)]


def test_uses_go_with_what_is_erased_and_none_are_written_where_the_file_may_only_be_read(
    tmp_path: Path, clock: Clock
) -> None:
    with opened(tmp_path, clock) as memory:
        memory.remember(items=[Entry("The boat is blue."), Entry("The tram is red.")])
        memory.recall("boat")
        memory.recall("tram")
    with opened(tmp_path, clock, read_only=True) as memory:
        assert memory.recall("boat").hits
    before = uses_in(tmp_path)
    with opened(tmp_path, clock) as memory:
        memory.forget([only(memory, "The boat is blue.").id], erase=True)

    assert before == [(1, 0), (1, 0)]
    assert uses_in(tmp_path) == [(1, 0)]


def test_what_was_recalled_goes_before_its_equal_from_the_next_day_on(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock) as memory:
        memory.remember(items=[Entry("Ada works on the parser."), Entry("Bob works on the parser.")])
        memory.recall("Ada")
    with opened(tmp_path, clock) as memory:
        same_day = told(memory, select=ItemQuery(scope="user"))
        clock.pass_(days=1)
        next_day = told(memory, select=ItemQuery(scope="user"))

    assert same_day == ["Bob works on the parser.", "Ada works on the parser."]
    assert next_day == ["Ada works on the parser.", "Bob works on the parser."]


# the start of a session


def told(memory: Memory, **options: Any) -> list[str]:
    return [hit.item.text for hit in memory.recall(by=Caller(project="demo"), **options).hits]


def fill(memory: Memory, clock: Clock) -> None:
    """What a session may begin with, told in no helpful order."""
    for text, kind, scope in (
        ("The boat is painted blue inside.", "fact", "demo"),
        ("Use SQLite for the store.", "decision", "demo"),
        ("Answer in short sentences.", "preference", "user"),
        ("Met Ada at the harbour.", "event", "demo"),
        ("Drop the old parser.", "decision", "demo"),
        ("Tabs in this project.", "preference", "demo"),
        ("Read the style guide first.", "fact", "demo"),
        ("Learn to sail one day.", "decision", "user"),
    ):
        memory.remember(text, like=Entry("", kind=kind, scope=scope))
        clock.pass_(days=1)
    memory.update(only(memory, "Read the style guide first.").id, pinned=True)


def test_a_session_starts_with_pinned_preferences_decisions_and_then_the_strongest(
    memory: Memory, clock: Clock
) -> None:
    fill(memory, clock)

    assert told(memory) == [
        "Read the style guide first.",
        "Answer in short sentences.",
        "Tabs in this project.",
        "Drop the old parser.",
        "Use SQLite for the store.",
        "Learn to sail one day.",
        "The boat is painted blue inside.",
        "Met Ada at the harbour.",
    ]


def test_what_has_ended_is_no_start_of_a_session(memory: Memory, clock: Clock) -> None:
    fill(memory, clock)
    memory.update(only(memory, "Drop the old parser.").id, valid_until="2026-03-05")

    assert "Drop the old parser." not in told(memory)


def test_many_preferences_leave_room_for_decisions_within_the_budget(memory: Memory) -> None:
    memory.remember(items=[Entry(f"I like colour number {n} of the long list.", kind="preference") for n in range(60)])
    memory.remember("Use SQLite for the store.", like=Entry("", kind="decision"))
    found = memory.recall(max_tokens=400)

    assert found.tokens <= 400
    assert "Use SQLite for the store." in found.text
    assert f"{found.more} more are remembered" in found.text
    assert found.more == 61 - len(found.hits)


def test_a_fresh_topic_is_told_and_a_stale_one_is_not(memory: Memory, clock: Clock) -> None:
    memory.remember("The boat is blue.", like=Entry("", tags=("sea",)))
    memory.summarize("sea", digest="All there is to know of the sea.", select=ItemQuery(scope="user"))
    fresh = memory.recall().text
    memory.update(only(memory, "The boat is blue.").id, content="The boat is green.")

    assert "topic sea (digest of 1 memory, 2026-03-02): All there is to know of the sea." in fresh
    assert "topic sea" not in memory.recall().text


def test_the_lines_of_a_session_start_given_back_are_nothing_new(memory: Memory, clock: Clock) -> None:
    fill(memory, clock)
    memory.remember("The tide turns at noon.", like=Entry("", scope="demo", tags=("sea",)))
    memory.summarize("sea", digest="Tides and boats.", select=ItemQuery(scope="demo"))
    start = memory.recall(by=Caller(project="demo")).text
    again = memory.remember(start)

    assert "topic sea" in start
    assert {entry.status for entry in again.items} == {"known"}


@pytest.mark.anyio
async def test_the_start_of_a_session_is_the_same_byte_for_byte_all_day_whatever_was_recalled(
    tmp_path: Path, clock: Clock
) -> None:
    clock.now = datetime(2026, 3, 2, 0, 5, tzinfo=UTC)
    memory = opened(tmp_path, clock)
    fill(memory, clock)
    clock.now = datetime(2026, 3, 20, 0, 5, tzinfo=UTC)
    server: Server[Any] = make_server(MemoryHost(lambda: memory), project="demo")
    async with Client(server) as client:
        first = await start_of(client)
        for _ in range(9):
            await client.call_tool("recall", {"query": "Met Ada at the harbour"})
    memory.close()
    clock.now = datetime(2026, 3, 20, 23, 55, tzinfo=UTC)
    memory = opened(tmp_path, clock)
    server = make_server(MemoryHost(lambda: memory), project="demo")
    async with Client(server) as client:
        evening = await start_of(client)
        begin = await client.get_prompt("begin", {})
        await client.call_tool("remember", {"content": "The tram is red."})
        changed = await start_of(client)
    memory.close()

    assert any(count >= 9 for count, _ in uses_in(tmp_path))
    assert first == evening
    assert first in str(begin.messages[0].content.text)  # type: ignore[union-attr]
    assert changed != evening


async def start_of(client: Client) -> str:
    contents = (await client.read_resource("memory://context")).contents
    return contents[0].text  # type: ignore[union-attr]
