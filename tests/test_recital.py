"""What the server printed and gets back confirms what is known; the same words in another scope are told of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clock import Clock

from mcp_memory.domain.model import Caller, Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.render import digest_text, outcomes
from mcp_memory.server import resources

TOLD = [
    "The espresso machine is descaled on the first of each month. Nadia keeps the powder in the cupboard.",
    "The espresso machine grinds for eleven seconds.",
    "The espresso machine was bought from a café in Trieste.",
    "The espresso machine has a bottomless basket for guests.",
]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", model=HashingEncoder(), clock=Clock()) as memory:
        memory.wait_for_encoder()
        memory.remember(items=[Entry(text, tags=("espresso",)) for text in TOLD])
        memory.remember("The espresso machine grinds for fourteen seconds.", like=Entry("", tags=("espresso",)))
        memory.maintenance.gather()
        yield memory


def count(memory: Memory) -> int:
    return len(memory.listing(ItemQuery(scope="all"), limit=100))


def handed_out(memory: Memory) -> dict[str, str]:
    start = memory.recall().text
    lead = memory.recall("espresso machine", limit=3).text
    lines = [line for line in lead.splitlines() if line.startswith("topic ")]
    return {
        "a digest": memory.summarize("espresso").text,
        "a digest without its fence": "\n".join(memory.summarize("espresso").text.splitlines()[1:-1]),
        "a start of a session": start,
        "the topics": digest_text.topics(*memory.topics()),
        "the topics' resource": resources.read(memory, "memory://topics", caller=Caller()),
        "a lead": lines[0] if lines else "",
        "a topic at the start": next(line for line in start.splitlines() if line.startswith("topic ")),
    }


@pytest.mark.parametrize(
    "part", ["a digest", "a digest without its fence", "a start of a session", "the topics", "the topics' resource",
             "a lead", "a topic at the start"],
)  # fmt: skip
def test_what_the_server_handed_out_confirms_what_is_known(memory: Memory, part: str) -> None:
    before = count(memory)

    told = memory.remember(handed_out(memory)[part])

    assert {entry.status for entry in told.items} == {"known"}
    assert count(memory) == before


def test_each_line_of_a_digest_by_itself_confirms_its_memory(memory: Memory) -> None:
    lines = memory.summarize("espresso").text.splitlines()[1:-1]
    before = count(memory)

    told = [entry for line in lines for entry in memory.remember(line).items]

    assert any(" -> " in line for line in lines)
    assert [f"#{entry.id}" in line for entry, line in zip(told, lines, strict=True)] == [True] * len(lines)
    assert {entry.status for entry in told} == {"known"}
    assert count(memory) == before


def test_a_line_that_says_what_was_confirms_the_memory_that_was_replaced(memory: Memory) -> None:
    text = memory.recall("how long does the espresso machine grind").text
    [was] = [line for line in text.splitlines() if line.strip().startswith("was: ")]
    before = count(memory)

    [told] = memory.remember(was).items

    assert told.status == "known"
    assert f"#{told.id}" in was
    assert count(memory) == before


def test_a_digest_line_whose_words_were_changed_is_a_new_statement(memory: Memory) -> None:
    line = next(line for line in memory.summarize("espresso").text.splitlines() if "Trieste" in line)

    [told] = memory.remember(line.replace("Trieste", "Gorizia and rebuilt by hand")).items

    assert told.status in ("created", "similar", "replaces")


def test_a_sentence_that_cites_a_memory_and_says_more_is_kept_as_it_was_said(memory: Memory) -> None:
    [known] = memory.remember("Kofi fixes the boiler.").items
    text = f"Kofi fixes the boiler (#{known.id}, 2026-03-02), and he asked for a spare key."

    [told] = memory.remember(text).items

    assert told.text == text
    assert told.status != "known"


def test_the_same_words_in_another_scope_are_stored_and_told_of(memory: Memory) -> None:
    [known] = memory.remember("Tabs are four wide.", like=Entry("", scope="web")).items

    told = memory.remember("Tabs are four wide.", like=Entry("", scope="api"))

    assert told.items[0].status == "created"
    assert (
        outcomes.remembered(told)
        .splitlines()[1]
        .startswith(f"created #{told.items[0].id} (the same words are known in web as #{known.id}; both are kept")
    )


def test_a_digest_that_was_handed_in_comes_back_as_its_sentences_and_corrects_nothing(memory: Memory) -> None:
    memory.summarize("espresso", digest=f"{TOLD[2]} {TOLD[1]}\nIt stands in the hall.")
    before = {item.text for item in memory.listing(ItemQuery(scope="all"), limit=100)}

    told = memory.remember(memory.summarize("espresso").text).items
    after = {item.text for item in memory.listing(ItemQuery(scope="all"), limit=100)}

    assert "replaces" not in {item.status for item in told}
    assert before <= after
    assert not any("covers" in text or "memories>" in text for text in after)
