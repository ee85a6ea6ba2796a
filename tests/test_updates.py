"""Updates: of two memories that say otherwise of the same thing the newer comes first and says what the older said."""

from pathlib import Path

import pytest
from clock import Clock

from mcp_memory.domain.model import Entry, Hit, Turn
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.remember import echoes


def say(memory: Memory, text: str, *, speaker: str = "user", scope: str | None = None) -> None:
    memory.remember(turns=[Turn(text, speaker)], like=Entry("", scope=scope))


def changes(hits: list[Hit]) -> list[tuple[str, list[str]]]:
    """The hits in order, each with what it is said to have been."""
    return [(hit.item.text, [was.text for was in hit.was]) for hit in hits]


@pytest.mark.parametrize(
    ("older", "newer", "question"),
    [
        (
            "The budget for the kitchen is 8000 euros. Which tiles fit the kitchen budget?",
            "We raised the budget for the kitchen, it is 9500 euros by now. Which oven fits?",
            "What is the budget for the kitchen?",
        ),
        (
            "我们厨房的装修预算是八千元，可以买什么瓷砖？",
            "厨房的装修预算增加到九千元了，可以买什么烤箱？",
            "厨房的装修预算是多少？",
        ),
    ],
)
def test_a_later_message_goes_first_and_says_what_the_earlier_one_said(
    memory: Memory, clock: Clock, older: str, newer: str, question: str
) -> None:
    say(memory, older)
    clock.pass_(days=60)
    say(memory, newer)

    found = memory.recall(question)
    old = found.hits[1].item
    assert changes(found.hits) == [(newer, [older]), (older, [])]
    assert f"\n  was: {older} (said 2026-03-02, #{old.id})\n" in found.text
    assert found.text.count(older) == 1
    assert echoes.parse_echoes(found.text)[0].id == found.hits[0].item.id
    assert (found.more, "more:" in found.text) == (0, False)


def test_the_earlier_one_keeps_its_own_line_where_more_is_shown_of_it_or_it_answers_better(
    memory: Memory, clock: Clock
) -> None:
    older, newer = "The deploy port of the shop is 8080.", "The deploy port of the shop is 9090 now."
    say(memory, older)
    clock.pass_(days=60)
    say(memory, newer)

    assert memory.recall("deploy port of the shop").text.count(older) == 1
    assert memory.recall("deploy port of the shop", detail="full").text.count(older) > 1
    assert older in memory.recall("Since when is the deploy port 8080?").text.splitlines()[1]


@pytest.mark.parametrize(
    ("older", "newer", "question"),
    [
        (
            "The nightly backups are kept for 14 days on the storage box.",
            "Since the move the nightly backups on the storage box are kept for 30 days.",
            "How long are the nightly backups kept?",
        ),
        (
            "我们部署的端口是8080。",
            "我们部署的端口现在是9090。",
            "我们部署的端口",
        ),
    ],
)
def test_so_does_a_later_note_whether_it_took_the_place_of_the_earlier_one_or_not(
    memory: Memory, clock: Clock, older: str, newer: str, question: str
) -> None:
    memory.remember(older, like=Entry("", kind="note"))
    clock.pass_(days=60)
    memory.remember(newer, like=Entry("", kind="note"))

    assert changes(memory.recall(question).hits)[0] == (newer, [older])


def test_what_has_happened_later_is_newer_whatever_was_told_first(memory: Memory, clock: Clock) -> None:
    memory.remember("My rent is 1575 a month.", like=Entry("", kind="fact", occurred_at="2026-02-01"))
    clock.pass_(days=1)
    memory.remember("My rent is 1450 a month.", like=Entry("", kind="fact", occurred_at="2025-02-01"))

    assert changes(memory.recall("How much is my rent?").hits) == [
        ("My rent is 1575 a month.", ["My rent is 1450 a month."]),
        ("My rent is 1450 a month.", []),
    ]


@pytest.mark.parametrize("question", ["Since when is my rent 1450?", "What was my rent in March 2026?"])
def test_a_question_about_the_older_value_or_its_time_is_answered_with_it(
    memory: Memory, clock: Clock, question: str
) -> None:
    say(memory, "My rent is 1450 a month.")
    clock.pass_(days=100)
    say(memory, "My rent is 1575 a month.")

    assert memory.recall(question).hits[0].item.text == "My rent is 1450 a month."
    assert memory.recall("How much is my rent?").hits[0].item.text == "My rent is 1575 a month."


@pytest.mark.parametrize(
    ("one", "other", "question"),
    [
        (
            "The read timeout of the gateway is 5 seconds.",
            "The write timeout of the gateway is 15 seconds now.",
            "timeout of the gateway",
        ),
        ("My flight to Oslo leaves at 07:45.", "My flight to Rome leaves at 11:20.", "flight leaves"),
        (
            "The search index is built with Tantivy.",
            "The search index is no longer rebuilt nightly but hourly.",
            "the search index",
        ),
        (
            "The search index lives on node 4.",
            "The search index is no longer rebuilt nightly but hourly.",
            "search index",
        ),
        (
            "The mobile app is no longer supported on iOS 15.",
            "The mobile app was moved to a new repository.",
            "the mobile app",
        ),
        ("My sister lives in Lyon.", "My sister's boyfriend moved to Marseille.", "where does my sister live"),
        ("I use Vim for notes.", "I don't use Vim for code any more.", "what do I use Vim for"),
        ("The default branch is master.", "If we renamed it, the default branch would be main.", "default branch"),
        ("免费用户最多可以建10个项目。", "付费用户最多可以建100个项目。", "用户最多可以建几个项目？"),
    ],
)
def test_what_is_said_of_two_things_is_no_update(
    memory: Memory, clock: Clock, one: str, other: str, question: str
) -> None:
    say(memory, one)
    clock.pass_(days=60)
    say(memory, other)

    hits = memory.recall(question).hits
    assert len(hits) == 2
    assert all(hit.was == () for hit in hits)


def test_what_changed_of_the_same_is_an_update(memory: Memory, clock: Clock) -> None:
    older, newer = "The search index is rebuilt nightly.", "The search index is no longer rebuilt nightly but hourly."
    say(memory, older)
    clock.pass_(days=60)
    say(memory, newer)

    assert changes(memory.recall("search index").hits)[0] == (newer, [older])


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Alice is the CTO.", "Bob replaced Alice as CTO."),
        ("小李是组长。", "小王接替小李当组长了。"),
        ("I am allergic to shellfish.", "I'm not allergic to shellfish any more."),
    ],
)
def test_what_is_told_as_a_replacement_takes_the_place_of_the_old(
    memory: Memory, clock: Clock, older: str, newer: str
) -> None:
    memory.remember(older)
    clock.pass_(days=60)

    assert memory.remember(newer).items[0].status == "replaces"
    assert changes(memory.recall(newer).hits) == [(newer, [older])]


@pytest.mark.model
def test_who_has_moved_lives_elsewhere_and_what_else_was_told_stays(tmp_path: Path, clock: Clock) -> None:
    older, newer, other = "我住在杭州，是一名前端工程师。", "我搬到上海了。", "妈妈住在南京。"
    with Memory.open(tmp_path / "moved.db", clock=clock) as memory:
        memory.wait_for_encoder()
        memory.remember(other)
        memory.remember(older)
        clock.pass_(days=60)

        [entry] = memory.remember(newer).items
        assert (entry.status, entry.of.text if entry.of else "") == ("similar", older)
        assert changes(memory.recall("我住在哪里？").hits)[0] == (newer, [older])
        assert memory.recall("妈妈住在哪里？").hits[0].item.text == other
        assert memory.recall("前端工程师").hits[0].item.text == older


def test_what_two_people_say_of_themselves_is_no_update(memory: Memory, clock: Clock) -> None:
    say(memory, "My rent is 1450 a month.", speaker="Ada")
    clock.pass_(days=60)
    say(memory, "My rent is 1575 a month.", speaker="Grace")
    clock.pass_(days=60)
    say(memory, "My rent is 1600 a month.", speaker="Ada")

    was = dict(changes(memory.recall("rent a month").hits))
    assert was == {
        "My rent is 1450 a month.": [],
        "My rent is 1575 a month.": [],
        "My rent is 1600 a month.": ["My rent is 1450 a month."],
    }


@pytest.mark.model
def test_a_passage_of_a_document_is_no_update_of_another_one_on_the_same_subject(tmp_path: Path, clock: Clock) -> None:
    asked = "东湖水厂于1958年建成，每天为城区供水三万吨，是当地第一座自来水厂。"
    other = "西山水厂建成后，每天为城区供水增加到八万吨，是当地第二座自来水厂，现在由同一家公司管理。"
    history = "这座城市的自来水历史可以从几条老街的水井说起，居民长期靠挑水为生，夏天常常缺水。" * 6
    with Memory.open(tmp_path / "documents.db", clock=clock) as memory:
        memory.remember(f"# 东湖\n\n{asked}\n\n# 历史\n\n{history}")
        clock.pass_(days=1)
        memory.remember(f"# 西山\n\n{other}\n\n# 街道\n\n{history.replace('城市', '地方')}")

        hits = memory.recall("当地第一座自来水厂每天为城区供水多少？").hits
    assert asked in hits[0].item.text
    assert all(hit.was == () for hit in hits)


def test_nothing_is_an_update_of_what_holds_in_another_project(memory: Memory, clock: Clock) -> None:
    say(memory, "The deploy port is 8080.", scope="a")
    clock.pass_(days=60)
    say(memory, "The deploy port is 9090.", scope="b")

    assert all(hit.was == () for hit in memory.recall("deploy port", select=ItemQuery(scope="all")).hits)


def test_a_moment_in_the_past_knows_nothing_of_what_came_later(memory: Memory, clock: Clock) -> None:
    say(memory, "The deploy port is 8080.")
    clock.pass_(days=60)
    say(memory, "The deploy port is 9090.")

    then = memory.recall("deploy port", select=ItemQuery(as_of="2026-03-20")).hits
    assert changes(then) == [("The deploy port is 8080.", [])]
