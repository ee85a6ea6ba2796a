"""Recall in a store of few memories, with the encoder that comes with the package: what is found, and what is left out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clock import Clock

from mcp_memory.domain.model import Entry
from mcp_memory.encoders import Encoder
from mcp_memory.memory import Memory

pytestmark = pytest.mark.model

LIVES = """\
I work as a structural engineer at a small consultancy in Leeds.
I prefer short answers without bullet points.
My wife Hanna teaches biology at a secondary school.
The staging database is Postgres 15 on host db-stage-2.
Feature flags live in config/flags.yaml and are read at startup.
The nightly backup job failed twice in October because the disk was full.
The oven runs about fifteen degrees hotter than the dial says.
The cast iron pan must never go in the dishwasher.
We buy our coffee beans from a roaster on Mill Road.
Disk alerts page at 85 percent, not at 90.
The on-call phone is in the top drawer of Priya's desk.
Log retention is 30 days in the hot tier and one year in S3.
Leo's swimming lesson is on Wednesdays at four.
The babysitter is called Marta and lives across the street.
Ava broke her arm on the trampoline in June.
My favourite author is Penelope Fitzgerald.
I gave up on Ulysses after a hundred pages.
The roof was redone in 2021 with Welsh slate.
Recycling is collected every other Monday.
Art style: hand-drawn ink, two colours per level.
Do not add microtransactions, ever.
The head race is on 20 March 2027.
Before races the user eats porridge with banana.
The club's boathouse burned down in 2024.
We booked the Ryokan Sawanoya in Kyoto for four nights.
My passport runs out in November 2029.
The rent is 1,180 euros, paid on the third.
Grandma's goulash needs three kinds of paprika and no flour.
The VPN certificate expires on 3 March 2027.
Bruno is scared of fireworks.
""".splitlines()


@pytest.fixture
def memory(tmp_path: Path, bundled: Encoder) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", model=bundled, clock=Clock()) as opened:
        opened.wait_for_encoder()
        yield opened


def found(memory: Memory, query: str) -> list[str]:
    return [hit.item.text for hit in memory.recall(query).hits]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where are the toggles kept?", "Feature flags live in config/flags.yaml and are read at startup."),
        ("what does the game look like?", "Art style: hand-drawn ink, two colours per level."),
        ("what do I do for a living?", "I work as a structural engineer at a small consultancy in Leeds."),
        ("Where did we stay in Kyoto?", "We booked the Ryokan Sawanoya in Kyoto for four nights."),
    ],
)
def test_an_answer_in_quite_other_words_is_found_among_thirty_memories(
    memory: Memory, question: str, answer: str
) -> None:
    memory.remember(items=[Entry(text) for text in LIVES])

    assert found(memory, question)[:1] == [answer]


@pytest.mark.parametrize("question", ["Where does the user live?", "Who won the chess tournament?", "x", "recall x"])
def test_what_is_not_known_is_answered_with_nothing_in_a_store_of_two(memory: Memory, question: str) -> None:
    memory.remember(items=[Entry("The port is 8080."), Entry("Deploys go out on Tuesdays.")])

    assert found(memory, question) == []


@pytest.mark.parametrize("query", ["x", "q?", "Z", "7"])
def test_a_single_letter_finds_what_holds_it_as_a_word(memory: Memory, query: str) -> None:
    memory.remember(items=[Entry(text) for text in [*LIVES, "The plot has x on one axis and z on the other."]])

    assert found(memory, query) == (["The plot has x on one axis and z on the other."] if query in "xZ" else [])


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("我的职业是什么？", "我在杭州的一家医院做麻醉师。"),
        ("我不能吃什么？", "我对海鲜过敏，尤其是虾。"),
        ("我怎么锻炼身体？", "我每天早上六点去西湖边跑步。"),
        ("我丈夫爱好什么？", "我老公常去河边钓鱼。"),
        ("我有猫吗？", "我们家养了一只橘猫，名字叫团子。"),
    ],
)
def test_a_chinese_question_finds_an_answer_that_says_it_in_kindred_words(
    memory: Memory, question: str, answer: str
) -> None:
    told = [
        "我在杭州的一家医院做麻醉师。",
        "我对海鲜过敏，尤其是虾。",
        "我每天早上六点去西湖边跑步。",
        "我老公常去河边钓鱼。",
        "我们家养了一只橘猫，名字叫团子。",
        "车险每年三月到期。",
    ]
    memory.remember(items=[Entry(text) for text in told])

    assert found(memory, question)[:1] == [answer]


@pytest.mark.parametrize("query", ['" OR NEAR( * ^ ) -- AND', '"', "*()", "{}", "%", "!!! ???", "。？", "🙂", "____"])
def test_a_question_of_signs_alone_is_answered_with_nothing(memory: Memory, query: str) -> None:
    memory.remember(
        items=[Entry(text) for text in ("I prefer tabs.", "My cat is black.", "我喜欢高山湖泊。", "我住在北京。")]
    )

    assert memory.recall(query).text == "Nothing relevant is known."
