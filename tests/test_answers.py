"""What tools answer, as a client reads it: moments, small budgets, what an erase leaves, tool calls, counted nouns."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from clock import Clock

from mcp_memory.cli import main
from mcp_memory.domain.model import Caller, Entry
from mcp_memory.errors import InvalidInput
from mcp_memory.language.token_count import count_tokens
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import MIN_BUDGET
from mcp_memory.remember.recording import no_progress
from mcp_memory.render import digest_text
from mcp_memory.server.tools import Answer, tool_named


def call(memory: Memory, tool: str, **arguments: Any) -> Answer:
    return tool_named(tool).call(memory, arguments, caller=Caller(), progress=no_progress)


# moments


def test_a_summary_as_of_a_moment_shows_what_was_known_then(memory: Memory, clock: Clock) -> None:
    [gone] = call(memory, "remember", content="The harbour crane is rented by the week.", tags=["harbour"]).data[
        "items"
    ]
    call(memory, "remember", content="The harbour gate closes at 18:00.", tags=["harbour"])
    clock.pass_(days=10)
    call(memory, "remember", content="The harbour gate closes at 20:00.", tags=["harbour"])
    call(memory, "forget", ids=[gone["id"]])
    call(memory, "remember", content="The harbour office sells ice.", tags=["harbour"])

    then = call(memory, "summarize", topic="harbour", as_of="2026-03-05").text
    everything = call(memory, "summarize", as_of="2026-03-05").text
    now = call(memory, "summarize", topic="harbour").text

    assert "rented by the week" in then
    assert "18:00" in then
    assert "20:00" not in then + everything
    assert "ice" not in then + everything
    assert "The harbour gate closes at 18:00. -> The harbour gate closes at 20:00." in now
    assert "rented by the week" not in now


def test_a_kept_digest_is_told_as_of_a_moment_and_is_not_kept_for_one(memory: Memory, clock: Clock) -> None:
    call(memory, "remember", content="The harbour gate closes at 18:00.", tags=["harbour"])
    call(memory, "summarize", topic="harbour", digest="A gate that closes early.")
    clock.pass_(days=10)
    call(memory, "summarize", topic="harbour", digest="A gate.")

    assert "A gate that closes early." in call(memory, "summarize", topic="harbour", as_of="2026-03-05").text
    with pytest.raises(InvalidInput, match="leave out as_of"):
        call(memory, "summarize", topic="harbour", digest="Later.", as_of="2026-03-05")


# what an erase leaves


def test_erasing_what_replaced_something_names_what_stays_in_the_file(memory: Memory, tmp_path: Path) -> None:
    ids = [
        call(memory, "remember", content=f"The deploy port is {code}.", replaces=None).data["items"][0]["id"]
        for code in ("4711", "4712", "4713")
    ]

    done = call(memory, "forget", ids=[ids[2]], erase=True)

    assert done.data["left"] == [ids[1], ids[0]]
    assert f"Still in the file, hidden, is what that had replaced: #{ids[1]}, #{ids[0]}." in done.text
    assert f'forget with ids=["{ids[1]}", "{ids[0]}"], erase=true' in done.text

    call(memory, "forget", ids=done.data["left"], erase=True)
    assert b"4711" not in (tmp_path / "memory.db").read_bytes()


def test_an_erase_of_all_that_was_replaced_leaves_nothing_to_name(memory: Memory) -> None:
    ids = [
        call(memory, "remember", content=f"The deploy port is {code}.").data["items"][0]["id"]
        for code in ("4711", "4712")
    ]

    done = call(memory, "forget", ids=ids, erase=True)

    assert done.data["left"] == []
    assert "Still in the file" not in done.text


# small budgets


@pytest.mark.parametrize("query", [None, "lighthouse"])
@pytest.mark.parametrize(
    "text",
    [
        "The lighthouse keeper writes down " + "every ship that passes and " * 60,
        "灯塔 lighthouse " + "守望者记录每一艘船" * 15,
    ],
)
def test_the_smallest_budget_shows_the_beginning_of_what_is_long(memory: Memory, text: str, query: str | None) -> None:
    [told] = memory.remember(text[:590], like=Entry("", tags=("tower", "log"))).items
    memory.update(told.id, pinned=True)

    for budget in (MIN_BUDGET, 60, 80):
        answer = call(memory, "recall", max_tokens=budget, **({"query": query} if query else {}))

        assert [hit["id"] for hit in answer.data["hits"]] == [told.id]
        assert f"#{told.id}" in answer.text
        assert text[:8] in answer.text
        assert "…" in answer.text
        assert count_tokens(answer.text) <= budget


# tool calls


def test_a_tool_call_gets_no_word_of_what_is_similar(memory: Memory) -> None:
    for number in range(3):
        told = json.dumps(
            {"name": "search", "arguments": {"q": "berths"}, "outcome": f"{number} found", "duration_ms": 5}
        )
        answer = call(memory, "remember", content=told, kind="tool")

        assert [entry["status"] for entry in answer.data["items"]] == ["created"]
        assert "replaces" not in answer.text


def test_tool_calls_are_left_out_of_the_count_of_languages(memory: Memory) -> None:
    call(memory, "remember", content="The harbour gate closes at eight in the evening.")
    for number in range(5):
        told = json.dumps({"name": "lista_cartella", "arguments": {"percorso": f"/a/{number}"}, "outcome": "va bene"})
        call(memory, "remember", content=told, kind="tool")

    assert memory.stats().languages == {"en": 1}


def test_what_came_after_a_kept_digest_is_told_below_it_within_the_budget(memory: Memory) -> None:
    for text in ("The checkout runs on Fly.", "The checkout uses Stripe."):
        call(memory, "remember", content=text, tags=["checkout"])
    call(memory, "summarize", topic="checkout", digest="Fly and Stripe.")
    call(memory, "remember", content="The checkout freeze begins on 20 November.", tags=["checkout"])
    whole = call(memory, "summarize", topic="checkout").text
    small = call(memory, "summarize", topic="checkout", max_tokens=50).text

    assert whole.index("Fly and Stripe.") < whole.index("1 memory has come since") < whole.index("freeze begins")
    assert "Fly and Stripe." in small
    assert count_tokens(small) <= 50


# counted nouns


def test_one_of_something_is_told_in_the_singular(memory: Memory, tmp_path: Path) -> None:
    call(memory, "remember", content="The harbour gate closes at 18:00.", tags=["harbour"])
    kept = call(memory, "summarize", topic="harbour", digest="A gate.")
    call(memory, "remember", content="The harbour has nine berths.", tags=["harbour"])
    start = call(memory, "recall").text
    told = [kept.text, call(memory, "summarize", topic="harbour").text, start, digest_text.topics(*memory.topics())]
    memory.close()
    for command in (["stats"], ["audit"], ["fold"], ["topics"]):
        told.append(CliRunner().invoke(main, [*command, "--database", str(tmp_path / "memory.db")]).output)

    assert "standing for 1 memory." in told[0]
    assert "1 memory has come since" in told[1]
    assert [text for text in told if " 1 memories" in text or "(1 items" in text or " 1 items" in text] == []
