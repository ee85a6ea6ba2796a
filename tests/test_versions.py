"""A text told again from the same place with changes: what of the earlier version is replaced, known, or left alone."""

from datetime import timedelta

import pytest
from clock import Clock

from mcp_memory.domain.model import Entry
from mcp_memory.domain.results import Remembered
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.render.outcomes import remembered

DEPLOY = """# Deploying

{first}

## Before

Ask the release captain in the channel called releases whether the train is open, and wait until one of the captains has
answered with a green tick. The train is closed from Friday noon until Monday morning, and in the week before Christmas.

## The command

{command} It takes about eleven minutes, of which eight are the tests in the browser; do not close the terminal before it
says that the canary is healthy. The canary gets a twentieth of the traffic for a quarter of an hour.

## When it fails

{failing} Then write a line in the incident log, with the time, the commit and the name of whoever was on call, and tell
the support team what customers may have seen in the meantime.

{last}
"""
FIRST = {
    "first": "The shop is deployed from the main branch by whoever merged last.",
    "command": "Run make deploy from a clean checkout.",
    "failing": "Roll back with make rollback, which takes forty seconds.",
    "last": "## Dashboards\n\nThe screens are on the wall in the kitchen, next to the coffee machine that nobody cleans. "
    "The left one shows orders a minute and the right one latency by country; both are fed by a small Raspberry that has "
    "to be restarted after a power cut. Whoever arrives first in the morning switches them on, and whoever leaves last "
    "turns them off again. The password of the Raspberry is in the vault under kitchen, and its key hangs by the door.",
}


def tell(memory: Memory, source: str = "notes/deploy.md", **changed: str) -> Remembered:
    return memory.remember(DEPLOY.format(**(FIRST | changed)), like=Entry("", source=source))


def live(memory: Memory) -> list[str]:
    return [item.text for item in memory.listing(ItemQuery(scope="all"), limit=1_000)]


def holding(memory: Memory, words: str) -> int:
    return sum(words in text for text in live(memory))


def test_a_changed_passage_takes_the_place_of_the_one_before_and_the_others_are_known(memory: Memory) -> None:
    tell(memory)

    answer = tell(memory, command="Run just ship from a clean checkout.")

    assert (holding(memory, "make deploy"), holding(memory, "just ship")) == (0, 1)
    assert len(live(memory)) == len(answer.items)
    assert {entry.status for entry in answer.items} == {"replaces", "known"}


def test_recall_gives_the_later_version_and_says_what_it_was(memory: Memory) -> None:
    tell(memory)
    tell(memory, command="Run just ship from a clean checkout.")

    found = memory.recall("which command deploys, run from a clean checkout", max_tokens=2000)

    assert "just ship" in found.hits[0].item.text
    assert "was: Run make deploy from a clean checkout. (until 2026-03-02" in found.text
    assert found.text.count("of which eight are the tests") == 1


def test_a_passage_that_is_gone_is_found_no_more_but_as_of_then(memory: Memory, clock: Clock) -> None:
    tell(memory)
    then = clock.now
    clock.now += timedelta(days=1)

    answer = tell(memory, last="")

    assert holding(memory, "coffee machine") == 0
    assert "coffee machine" not in memory.recall("coffee machine that nobody cleans").text
    assert "was: " not in memory.recall("what to write in the incident log").text
    before = memory.recall("coffee machine that nobody cleans", select=ItemQuery(as_of=then.isoformat()))
    assert "coffee machine" in before.text
    assert "later version" in remembered(answer)


def test_undo_brings_the_earlier_version_back_as_one_operation(memory: Memory) -> None:
    tell(memory)
    before = sorted(live(memory))
    tell(memory, command="Run just ship.", failing="Call Ines.", last="")

    memory.undo()

    assert sorted(live(memory)) == before


def test_the_first_version_told_again_is_the_latest(memory: Memory) -> None:
    tell(memory)
    before = sorted(live(memory))
    tell(memory, command="Run just ship from a clean checkout.", last="")

    tell(memory)

    assert sorted(live(memory)) == before


def test_of_three_versions_the_last_one_is_live(memory: Memory) -> None:
    tell(memory)
    tell(memory, command="Run just ship from a clean checkout.")

    answer = tell(memory, command="Run just fly from a clean checkout.", first="Anybody may deploy the shop.")

    assert [holding(memory, command) for command in ("make deploy", "just ship", "just fly")] == [0, 0, 1]
    assert len(live(memory)) == len(answer.items)


@pytest.mark.parametrize("source", ["wiki/other.md", "meeting notes", None])
def test_a_text_from_elsewhere_or_from_no_place_replaces_nothing(memory: Memory, source: str | None) -> None:
    memory.remember(DEPLOY.format(**FIRST), like=Entry("", source=source and source.replace("other", "deploy")))

    memory.remember(DEPLOY.format(**(FIRST | {"command": "Run just ship."})), like=Entry("", source=source))

    assert (holding(memory, "make deploy"), holding(memory, "just ship")) == (1, 1)


def test_parts_of_a_document_under_one_name_stand_side_by_side(memory: Memory) -> None:
    text = DEPLOY.format(**FIRST)
    middle = text.index("## The command")

    memory.remember(text[:middle], like=Entry("", source="notes/deploy.md"))
    memory.remember(text[middle:], like=Entry("", source="notes/deploy.md"))
    memory.remember("Run make deploy from a clean checkout. Then wait.", like=Entry("", source="notes/deploy.md"))

    assert holding(memory, "release captain") == 1
    assert holding(memory, "coffee machine") == 1


def test_a_passage_that_another_document_has_too_stays(memory: Memory) -> None:
    tell(memory)
    memory.remember(DEPLOY.format(**(FIRST | {"first": "Another shop."})), like=Entry("", source="notes/other.md"))

    tell(memory, last="")

    assert holding(memory, "coffee machine") >= 1


def test_a_passage_changed_by_hand_stays(memory: Memory) -> None:
    told = tell(memory)
    last = told.items[-1]
    memory.update(last.id, content="The dashboards are on the wall in the hall.")

    tell(memory, last="")

    assert holding(memory, "in the hall") == 1


def test_a_short_note_from_one_file_is_replaced_by_its_later_version(memory: Memory) -> None:
    memory.remember("Run make deploy. Tell Ann about it. Then go home.", like=Entry("", source="notes/todo.txt"))

    memory.remember("Run just ship. Tell Ann about it. Then go home.", like=Entry("", source="notes/todo.txt"))

    assert live(memory) == ["Run just ship. Tell Ann about it. Then go home."]


def test_two_facts_from_one_file_that_share_a_sentence_stand_side_by_side(memory: Memory) -> None:
    memory.remember("Deploy with make. Ask Ann first.", like=Entry("", source="notes/deploy.md"))

    memory.remember("Deploy with make. The canary takes an hour.", like=Entry("", source="notes/deploy.md"))

    assert len(live(memory)) == 2


def test_under_a_bare_name_most_of_the_text_must_be_the_same(memory: Memory) -> None:
    readme = "This project is called {0}. It is written by {0}. Run make to build it. Run make test to test it."
    memory.remember(readme.format("Heron"), like=Entry("", source="README.md"))

    memory.remember(readme.format("Kestrel"), like=Entry("", source="README.md"))

    assert holding(memory, "Heron") == 1


def test_an_earlier_day_of_a_dated_text_replaces_nothing(memory: Memory) -> None:
    text = DEPLOY.format(**FIRST)
    memory.remember(text, like=Entry("", source="notes/deploy.md", occurred_at="2026-03-02"))

    memory.remember(
        text.replace("make deploy", "ant deploy"), like=Entry("", source="notes/deploy.md", occurred_at="2024-01-01")
    )

    assert holding(memory, "make deploy") == 1
