"""Topics: what gathers, what it is called, when a digest is stale, and how much is done at once."""

import shutil
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from clock import Clock
from conftest import examples
from forks import FORKS
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.domain.model import Caller, Entry, Topic, Turn
from mcp_memory.domain.topic_index import Cluster
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.maintenance import backfill
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.topics import clustering, indexer, keywords

EVERYTHING = ItemQuery(scope="all")
BREAD = [
    "Sourdough bread needs a starter of rye flour.",
    "The sourdough starter is fed with rye flour daily.",
    "Bake sourdough bread at 250 degrees.",
    "Rye flour makes the sourdough bread dark.",
]
BIKES = [
    "The bicycle chain needs oil after rain.",
    "Rain rusts the bicycle chain.",
    "A bicycle chain lasts 3000 km without rain.",
]


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let topics wait until a test gathers them."""
    monkeypatch.setattr(backfill, "LINGER", 3600.0)


def keep(memory: Memory, *texts: str, **fields: object) -> list[str]:
    made = memory.remember(items=[Entry(text, **fields) for text in texts])  # type: ignore[arg-type]
    return [item.id for item in made.items]


def texts_of(memory: Memory) -> dict[str, str]:
    return {item.id: item.text for item in memory.listing(EVERYTHING, limit=10_000)}


def groups(memory: Memory) -> set[frozenset[str]]:
    said = texts_of(memory)
    return {frozenset(said[item] for item in topic.items) for topic in memory.topics()[0]}


def named(memory: Memory, name: str) -> Topic:
    [topic] = [topic for topic in memory.topics()[0] if topic.name == name]
    return topic


# what gathers


def test_items_gather_by_what_they_resemble(memory: Memory) -> None:
    keep(memory, BREAD[0], BIKES[0], BREAD[1], "Ada owns the parser.", BREAD[2], BIKES[1], BIKES[2], BREAD[3])

    memory.maintenance.gather()

    assert groups(memory) == {frozenset(BREAD), frozenset(BIKES)}


def test_items_gather_by_their_tags_and_the_tag_is_the_name(memory: Memory) -> None:
    keep(memory, "Ada owns the parser.", "Lunch is at noon.", tags=("team",))
    keep(memory, "Alone with its tag.", tags=("rare",))

    memory.maintenance.gather()

    assert [topic.name for topic in memory.topics()[0]] == ["team"]
    assert len(named(memory, "team").items) == 2


def test_what_resembles_tagged_items_joins_their_topic(memory: Memory) -> None:
    keep(memory, *BREAD[:3], tags=("baking",))
    [untagged] = keep(memory, BREAD[3])

    memory.maintenance.gather()

    assert untagged in named(memory, "baking").items
    assert BREAD[3] in memory.summarize("baking").text


def test_a_name_is_made_of_words_that_several_members_say(memory: Memory) -> None:
    keep(memory, *BREAD, "Ada owns the parser.", "Lunch is at noon.")
    memory.maintenance.gather()

    [topic] = memory.topics()[0]

    assert set(topic.name.split()) <= {"sourdough", "bread", "rye", "flour", "starter"}
    assert 2 <= len(topic.name.split()) <= 3
    assert {"sourdough", "rye", "flour"} <= set(topic.keywords)


def test_topics_keep_to_their_scope(memory: Memory) -> None:
    keep(memory, *BREAD[:2], scope="one")
    keep(memory, *BREAD[2:], scope="two")

    memory.maintenance.gather()

    assert memory.topics()[0] == []


def test_an_item_that_changes_leaves_its_topic(memory: Memory) -> None:
    keep(memory, *BIKES)
    odd = keep(memory, *BREAD)[0]
    memory.maintenance.gather()

    memory.update(odd, content="Ada owns the parser.")
    memory.maintenance.gather()

    assert groups(memory) == {frozenset(BREAD[1:]), frozenset(BIKES)}


def test_a_tag_that_is_taken_away_is_no_topic_any_more(memory: Memory) -> None:
    ids = keep(memory, "Ada owns the parser.", "Lunch is at noon.", tags=("team",))
    memory.maintenance.gather()

    memory.update(ids[0], tags=["people"])
    memory.maintenance.gather()

    assert memory.topics()[0] == []


def test_pinned_and_many_members_make_a_topic_important(memory: Memory) -> None:
    ids = keep(memory, *BREAD)
    keep(memory, *BIKES)
    memory.update(ids[0], pinned=True)
    memory.maintenance.gather()

    bread, bikes = sorted(memory.topics()[0], key=lambda topic: -len(topic.items))

    assert bread.importance > bikes.importance > 0.5


def test_the_topics_that_changed_last_come_first_with_what_carries_the_most(memory: Memory, clock: Clock) -> None:
    keep(memory, *BREAD)
    clock.pass_(days=1)
    keep(memory, *BIKES)
    memory.maintenance.gather()

    fresh = memory.fresh_topics(limit=1)

    assert fresh[0].sentences[0].text in BIKES
    assert set(fresh[0].digest.splitlines()) <= set(BIKES)
    assert len(fresh[0].digest.splitlines()) > 1
    assert len(fresh) == 1


def test_fresh_topics_are_those_of_the_callers_scopes(memory: Memory) -> None:
    keep(memory, *BREAD, scope="one")
    keep(memory, *BIKES)
    memory.maintenance.gather()

    seen = [len(memory.fresh_topics(by=Caller(project=project))) for project in (None, "one")]

    assert seen == [1, 2]


# digests


def test_a_session_begins_with_fresh_topics_and_reads_the_same_until_something_changes(memory: Memory) -> None:
    [first, *_] = keep(memory, *BREAD)
    keep(memory, *BIKES)
    memory.maintenance.gather()

    start = memory.recall(max_tokens=400).text
    assert sum(line.startswith("topic ") for line in start.splitlines()) == 1, start
    assert "digest of 4 memories" in start
    assert memory.recall(max_tokens=400).text == start

    memory.update(first, content="Sourdough bread needs a starter of wheat flour.")
    assert "topic " not in memory.recall(max_tokens=400).text


def test_a_digest_is_stale_the_moment_an_item_changes_and_fresh_when_gathered_again(memory: Memory) -> None:
    ids = keep(memory, *BREAD)
    memory.maintenance.gather()
    [before] = memory.topics()[0]

    memory.update(ids[2], content="Bake sourdough rye bread at 230 degrees.")
    [during] = memory.topics()[0]
    on_demand = memory.summarize(before.name).text
    memory.maintenance.gather()
    [after] = memory.topics()[0]

    assert [before.stale, during.stale, after.stale] == [False, True, False]
    assert "230 degrees" in on_demand
    assert "250 degrees" not in on_demand
    assert during.newer == 1


def test_a_digest_is_stale_the_moment_an_item_is_forgotten(memory: Memory) -> None:
    ids = keep(memory, *BREAD)
    memory.maintenance.gather()
    name = memory.topics()[0][0].name

    memory.forget([ids[2]])
    [topic] = memory.topics()[0]

    assert topic.stale
    assert ids[2] not in topic.items
    assert "250 degrees" not in memory.summarize(name).text


def test_a_topic_is_found_by_its_keywords(memory: Memory) -> None:
    keep(memory, *BREAD, *BIKES)
    memory.maintenance.gather()

    digest = memory.summarize("Flour Rye")

    assert {item.text for item in digest.items} == set(BREAD)


def test_a_digest_that_was_handed_in_is_never_overwritten_only_stale(memory: Memory) -> None:
    ids = keep(memory, *BREAD)
    memory.maintenance.gather()
    name = memory.topics()[0][0].name

    memory.summarize(name, digest="All about dark bread.")
    fresh = named(memory, name)
    memory.update(ids[0], content="Sourdough bread needs a starter of spelt flour, not rye.")
    memory.maintenance.gather()
    stale = named(memory, name)

    assert (fresh.kept, fresh.stale, fresh.digest) == (True, False, "All about dark bread.")
    assert (stale.kept, stale.stale, stale.digest) == (True, True, "All about dark bread.")
    assert set(fresh.items) == set(ids)


def test_a_topic_under_whose_name_a_digest_was_handed_in_keeps_the_name(memory: Memory) -> None:
    keep(memory, *BREAD)
    memory.maintenance.gather()
    name = memory.topics()[0][0].name
    memory.summarize(name, digest="All about dark bread.")

    keep(memory, *[f"Sourdough bread number {n} was burnt in the oven, burnt oven bread." for n in range(12)])
    memory.maintenance.gather()

    assert named(memory, name).newer >= 1


def test_an_older_and_shorter_budget_takes_what_carries_the_most(memory: Memory) -> None:
    keep(memory, *BREAD)
    memory.maintenance.gather()
    [topic] = memory.topics()[0]

    short = memory.summarize(topic.name, max_tokens=70)

    assert short.tokens <= 70
    assert [item.text for item in short.items] == [topic.sentences[0].text]
    assert short.left_out == 3


# recall


def test_recall_leads_with_the_digest_where_a_question_is_about_more_than_fits(memory: Memory) -> None:
    keep(memory, *BREAD)
    keep(memory, *BIKES)
    plain = memory.recall("sourdough bread with rye flour", limit=3)
    memory.maintenance.gather()
    [topic] = [topic for topic in memory.topics()[0] if len(topic.items) == 4]

    paged = memory.recall("sourdough bread with rye flour", limit=3)

    shown = [hit.item.text for hit in paged.hits]
    lead = paged.text.splitlines()[1]
    [unseen] = set(BREAD) - set(shown)
    assert lead.startswith(f"topic {topic.name} (4 memories): {unseen}")
    assert shown == [hit.item.text for hit in plain.hits]


def test_recall_leads_with_the_digest_that_was_handed_in_while_it_is_fresh(memory: Memory) -> None:
    keep(memory, *BREAD, tags=("baking",))
    keep(memory, *BIKES)
    memory.maintenance.gather()
    memory.summarize("baking", digest="- The rye loaf works at last.\n- It needs a day.")

    paged = memory.recall("how is the baking of rye bread going", limit=3)
    memory.forget([paged.hits[0].item.id])
    changed = memory.recall("how is the baking of rye bread going", limit=3)

    lead = paged.text.splitlines()[1]
    assert lead.startswith("topic baking (4 memories, kept digest ")
    assert lead.endswith("The rye loaf works at last. · It needs a day.")
    assert "loaf works" not in changed.text


def test_recall_has_no_lead_where_all_that_matches_is_there(memory: Memory) -> None:
    keep(memory, *BREAD)
    memory.maintenance.gather()

    assert "topic" not in memory.recall("sourdough bread with rye flour").text


def test_a_filter_that_leaves_a_part_of_a_topic_out_gets_no_digest_of_it(memory: Memory) -> None:
    keep(memory, *BREAD)
    memory.maintenance.gather()

    paged = memory.recall("sourdough bread with rye flour", limit=3, select=ItemQuery(kinds=("fact",)))

    assert len(paged.hits) == 3
    assert "topic" not in paged.text


@pytest.mark.parametrize("limit", [1, 3, 5, 8])
@pytest.mark.parametrize("budget", [60, 120, 200, 400, 2000])
def test_a_lead_costs_no_hit_and_stays_in_the_budget(database: Path, limit: int, budget: int) -> None:
    with Memory.open(database, model=HashingEncoder(), clock=Clock()) as memory:
        memory.wait_for_encoder()
        keep(memory, *[f"Sourdough bread {n} of rye flour was baked on day {n}." for n in range(20)])
        plain = memory.recall("sourdough rye bread", limit=limit, max_tokens=budget)
        memory.maintenance.gather()

        paged = memory.recall("sourdough rye bread", limit=limit, max_tokens=budget)

    assert [hit.item.id for hit in paged.hits] == [hit.item.id for hit in plain.hits]
    assert (paged.more, paged.tokens <= budget) == (plain.more, True)


def test_what_recall_printed_is_no_new_memory_with_the_lead_in_it(memory: Memory) -> None:
    keep(memory, *BREAD)
    memory.maintenance.gather()
    printed = memory.recall("sourdough bread with rye flour", limit=3).text

    again = memory.remember(printed)

    assert "topic " in printed
    assert {item.status for item in again.items} == {"known"}


# a patch at a time


def test_a_patch_is_bounded_and_the_next_process_goes_on(database: Path) -> None:
    said = [f"Statement {n} says w{n} and nothing else of z{n}." for n in range(150)]
    with Memory.open(database, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        keep(memory, *said)
        waiting = [memory.stats().ungathered]
        memory.maintenance.gather(patches=1)
        waiting.append(memory.stats().ungathered)

    with Memory.open(database, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        kept = memory.stats().ungathered
        memory.maintenance.gather()
        left = memory.stats().ungathered

    assert waiting[0] == 150
    assert waiting[0] - waiting[1] <= indexer.STEP_ITEMS
    assert 0 < kept <= waiting[1]
    assert left == 0


def test_only_the_topics_that_an_item_touches_are_described_anew(memory: Memory, clock: Clock) -> None:
    keep(memory, *BREAD, *BIKES)
    memory.maintenance.gather()
    clock.pass_(hours=1)

    keep(memory, "Rye flour for sourdough bread is sold out.")
    memory.maintenance.gather()
    made = {len(topic.items): topic.made_at for topic in memory.topics()[0]}

    assert made[5] - made[3] == 3_600_000


def test_nothing_waits_where_nothing_has_changed(memory: Memory) -> None:
    keep(memory, *BREAD)
    memory.maintenance.gather()
    before = memory.topics()

    memory.maintenance.gather()

    assert memory.topics() == before
    assert memory.stats().ungathered == 0


def gather_in_a_process(path: Path, start: Barrier) -> None:
    start.wait()
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        memory.maintenance.gather()


def test_two_processes_gather_one_file_as_one_would(tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone.db", tmp_path / "shared.db"
    with Memory.open(alone, model=HashingEncoder(), clock=Clock()) as memory:
        memory.wait_for_encoder()
        for subject in range(30):
            parts = [f"Subject s{subject} has s{subject} part p{n} of s{subject}." for n in range(6)]
            keep(memory, *parts, kind="event")
    shutil.copyfile(alone, shared)

    start = FORKS.Barrier(2)
    running = [FORKS.Process(target=gather_in_a_process, args=(shared, start)) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    with Memory.open(alone, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        memory.maintenance.gather()
        expected = groups(memory)

    with Memory.open(shared, model=HashingEncoder()) as memory:
        assert [process.exitcode for process in running] == [0, 0]
        assert list(memory.file.verify()) == []
        assert memory.stats().ungathered == 0
        assert groups(memory) == expected
    assert sum(map(len, expected)) == 180


def test_without_an_encoder_words_alone_gather(database: Path) -> None:
    with Memory.open(database, model=Path("/nowhere")) as memory:
        keep(memory, *BREAD, *BIKES)

        memory.maintenance.gather()

        assert groups(memory) == {frozenset(BREAD), frozenset(BIKES)}


def test_a_new_encoder_gathers_everything_anew(database: Path) -> None:
    with Memory.open(database, model=HashingEncoder(64, name="old")) as memory:
        memory.wait_for_encoder()
        keep(memory, *BREAD, *BIKES)
        memory.maintenance.gather()

    with Memory.open(database, model=HashingEncoder(128, name="new")) as memory:
        memory.maintenance.reindex()

        assert groups(memory) == {frozenset(BREAD), frozenset(BIKES)}
        assert memory.stats().ungathered == 0


def test_a_file_that_may_only_be_read_tells_its_topics(database: Path) -> None:
    with Memory.open(database, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        keep(memory, *BREAD)
        memory.maintenance.gather()

    with Memory.open(database, model=HashingEncoder(), read_only=True) as memory:
        memory.maintenance.gather()
        [topic] = memory.topics()[0]

        assert memory.summarize(topic.name).items


def test_what_is_erased_leaves_no_word_in_its_topics(memory: Memory, database: Path) -> None:
    ids = keep(memory, "The qxwzvj bread is sourdough bread.", "A qxwzvj sourdough is rye bread.", *BREAD)
    memory.maintenance.gather()
    memory.update(ids[1], content="The parser is Ada's.")
    memory.maintenance.gather(patches=1)

    memory.forget(ids[:2], erase=True)

    assert b"qxwzvj" not in b"".join(file.read_bytes() for file in database.parent.glob("memory.db*"))
    memory.maintenance.gather()
    assert groups(memory) == {frozenset(BREAD)}


# what always holds

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("remember"), st.sampled_from(["a", "b", "c"]), st.integers(0, 40)),
        st.tuples(st.just("retag"), st.sampled_from(["a", "b", "c"]), st.integers(0, 40)),
        st.tuples(st.just("forget"), st.just(""), st.integers(0, 40)),
        st.tuples(st.just("erase"), st.just(""), st.integers(0, 40)),
        st.tuples(st.just("gather"), st.just(""), st.just(1)),
    ),
    max_size=25,
)


@examples(12)
@given(operations=OPERATIONS)
def test_whatever_happens_topics_hold_what_is_live_and_nothing_else(
    operations: list[tuple[str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Memory.open(tmp_path_factory.mktemp("m") / "m.db", model=HashingEncoder(32)) as memory:
        memory.wait_for_encoder()
        tags: dict[str, str] = {}
        for verb, tag, number in operations:
            ids = list(tags)
            if verb == "remember":
                tags |= dict.fromkeys(keep(memory, f"Thing t{number} of {tag * 5}.", tags=(tag,)), tag)
            elif verb == "gather":
                memory.maintenance.gather(patches=1)
            elif ids and verb == "retag":
                tags[ids[number % len(ids)]] = tag
                memory.update(ids[number % len(ids)], tags=[tag])
            elif ids:
                memory.forget([ids[number % len(ids)]], erase=verb == "erase")
                del tags[ids[number % len(ids)]]
            gone = {item for topic in memory.topics()[0] for item in topic.items} - tags.keys()
            assert gone == set()

        memory.maintenance.gather()
        by_tag = {topic.name: set(topic.items) for topic in memory.topics()[0] if topic.name in "abc"}
        live = {item.id: set(item.tags) for item in memory.listing(EVERYTHING, limit=100)}
        expected = {tag: {item for item, own in live.items() if tag in own} for tag in "abc"}

        assert [tag for tag, tagged in expected.items() if len(tagged) > 1 and not tagged <= by_tag[tag]] == []
        assert set().union(*by_tag.values()) <= live.keys()
        memory.maintenance.reindex()
        anew = {topic.name: set(topic.items) for topic in memory.topics()[0] if topic.name in "abc"}
        assert {tag: by_tag[tag] & expected[tag] for tag in by_tag if len(expected[tag]) > 1} == {
            tag: anew[tag] & expected[tag] for tag in anew if len(expected[tag]) > 1
        }
        assert list(memory.file.verify()) == []


# pure parts


def test_a_topic_whose_vectors_were_just_made_is_compared_by_words_with_those_that_have_none() -> None:
    waiting = [Cluster(number, None, 2, 0, np.zeros(0, np.float32)) for number in (1, 2)]
    summarised = Cluster(1, None, 2, 2, np.array([1.0, 0.0], np.float32))

    merged = clustering.merge_candidates([(summarised, {"trip": 1.0})], waiting, {"trip": {1: 1.0, 2: 1.0}})

    assert merged == [(2, 1)]


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["The lake is cold.", "Lakes are deep.", "A lake froze."], "lake"),
        (["瑞士的湖很美。", "我在瑞士徒步。", "去瑞士的航班。"], "瑞士"),
        (["民宿有风景。", "民宿的老板很好。"], "民宿"),
    ],
)
def test_keywords_are_what_the_texts_share(texts: list[str], first: str) -> None:
    assert keywords.keywords(texts, {})[0] == first


def test_a_name_stays_while_its_words_are_keywords_and_is_nobody_elses() -> None:
    found = ("rye", "bread", "oven", "salt")

    assert keywords.choose_name(found, leading=3, old="bread rye", taken=[]) == "bread rye"
    assert keywords.choose_name(found, leading=2, old="kayak", taken=[]) == "rye bread"
    assert keywords.choose_name(found, leading=2, old="", taken=["rye bread"]) == "rye bread oven"
    assert keywords.choose_name(("rye",), leading=1, old="", taken=["rye"]) == "rye 2"


# with the bundled encoder

TRAVELLER = [
    "I would love to see alpine lakes on my trip to Switzerland.",
    "My budget for the trip is 20,000 in total.",
    "For lodging I want a guest house with a view of the mountains.",
    "I am worried about the altitude.",
    "Photography is what I travel for.",
    "The flight is booked for 5 October.",
]
REISENDE = [
    "我喜欢高山湖泊，这次想去瑞士旅行。",
    "这次旅行的预算一共是20000元。",
    "住宿我想要能看到风景的民宿。",
    "我有点担心高原反应。",
    "摄影是我旅行的目的。",
    "航班已经订好了，10月5日出发。",
]
OTHERS = [
    "The staging database runs on Postgres 16.",
    "We deploy on Fridays after the review.",
    "Ada owns the parser.",
    "My daughter Mia plays the violin.",
    "The build runs on GitHub Actions.",
    "测试服务器的端口是8080。",
    "我女儿在学小提琴。",
]


@pytest.mark.model
@pytest.mark.parametrize(
    ("told", "question", "budget", "lodging"),
    [
        (TRAVELLER, "What about my budget and lodging in Switzerland?", "20,000", "guest house"),
        (REISENDE, "我去瑞士的预算和住宿怎么样？", "20000", "民宿"),
    ],
    ids=["English", "Chinese"],
)
def test_a_travel_planner_remembers_the_trip(
    database: Path, told: list[str], question: str, budget: str, lodging: str
) -> None:
    with Memory.open(database) as memory:
        memory.wait_for_encoder()
        memory.remember(turns=[Turn(text, "Traveller") for text in told])
        keep(memory, *OTHERS)
        memory.maintenance.make_vectors()
        memory.maintenance.gather()

        said = texts_of(memory)
        [trip] = [topic for topic in memory.topics()[0] if said[topic.items[0]] in told]
        digest = memory.summarize(trip.name)
        answer = memory.recall(question)
        paged = memory.recall(question, limit=3)

        assert {said[item] for item in trip.items} == set(told)
        assert {item.text for item in digest.items} == set(told)
        hits = [hit.item.text for hit in answer.hits]
        assert any(budget in text for text in hits)
        assert any(lodging in text for text in hits)
        assert [hit.item.text for hit in paged.hits] == hits[:3]
        assert memory.item(paged.hits[0].item.id)[1].kind == "transcript"


@pytest.mark.model
def test_statements_that_name_their_subject_gather_in_chinese_too(database: Path) -> None:
    said = [
        "我喜欢瑞士的高山湖泊。",
        "瑞士旅行的预算是两万元。",
        "在瑞士想住能看到风景的民宿。",
        "担心瑞士的高原反应。",
    ]
    with Memory.open(database) as memory:
        memory.wait_for_encoder()
        keep(memory, *said, *OTHERS)
        memory.maintenance.gather()

        [topic] = [topic for topic in memory.topics()[0] if len(topic.items) == 4]

        assert topic.name == "瑞士"
        assert frozenset(said) in groups(memory)


BARE = [
    "I like alpine lakes.",
    "My budget is 20,000.",
    "I want a guest house with a view.",
    "I am worried about the altitude.",
    "I want to take photographs.",
    "My flight is booked for 5 October.",
]
UNRELATED = [
    "The deploy port is 8080.",
    "My dog is allergic to chicken.",
    "We use Postgres for storage.",
    "Anna's birthday is 3 June.",
    "I prefer dark mode.",
    "The dentist is on Elm Street.",
]


@pytest.mark.model
@pytest.mark.parametrize("at_once", [True, False], ids=["in one call", "in one session"])
def test_bare_statements_of_one_trip_that_were_told_together_gather(database: Path, at_once: bool) -> None:
    with Memory.open(database) as memory:
        memory.wait_for_encoder()
        for session, told in (("a", BARE), ("b", UNRELATED)):
            calls = [told] if at_once else [[text] for text in told]
            for texts in calls:
                memory.remember(items=[Entry(text) for text in texts], by=Caller(session=session))
        memory.maintenance.gather()
        hits = {hit.item.text for hit in memory.recall("What about my budget and lodging in Switzerland?").hits}

        gathered = groups(memory)

    assert set().union(*gathered) == set(BARE)
    assert any({BARE[1], BARE[2]} <= group for group in gathered)
    assert {BARE[1], BARE[2]} <= hits


BLOSS = ["我喜欢高山湖泊", "预算两万", "想住有景观的民宿", "担心高原反应", "喜欢摄影", "订了10月5日的机票"]
UNVERWANDT = [
    "部署端口是8080",
    "我的狗对鸡肉过敏",
    "我们用Postgres存储",
    "安娜的生日是6月3日",
    "我喜欢深色模式",
    "牙医在榆树街",
]


@pytest.mark.model
@pytest.mark.parametrize("how", ["in one call", "in one session", "minutes apart"])
def test_bare_chinese_statements_of_one_trip_that_were_told_together_gather(database: Path, how: str) -> None:
    clock = Clock()
    with Memory.open(database, clock=clock) as memory:
        memory.wait_for_encoder()
        for session, told in (("a", BLOSS), ("b", UNVERWANDT)):
            for texts in [told] if how == "in one call" else [[text] for text in told]:
                memory.remember(items=[Entry(text) for text in texts], by=Caller(session=session))
                if how == "minutes apart":
                    clock.pass_(minutes=5)
                    memory.maintenance.gather()
        memory.maintenance.gather()

        gathered = groups(memory)

    assert gathered == {frozenset(BLOSS)}


@pytest.mark.model
def test_what_one_session_told_of_several_things_stays_apart(database: Path) -> None:
    mixed = [
        "想住有景观的民宿",
        "部署端口是8080",
        "预算两万",
        "下周三面试",
        "喜欢爵士乐",
        "订了10月5日的机票",
        "部门预算一百万",
    ]
    with Memory.open(database) as memory:
        memory.wait_for_encoder()
        keep(memory, *mixed)
        memory.remember("喜欢摄影", by=Caller(session="another"))
        memory.maintenance.gather()

        assert groups(memory) == set()


@pytest.mark.model
@pytest.mark.parametrize("tag", ["瑞士", "瑞士旅行"])
def test_a_question_that_names_a_tag_begins_with_what_is_known_under_it(database: Path, tag: str) -> None:
    told = ["我喜欢高山湖泊。", "预算是20000元。", "想住能看风景的民宿。", "我担心高原反应。", "航班订在10月5日。"]
    with Memory.open(database) as memory:
        memory.wait_for_encoder()
        for text in told:
            memory.remember(text, like=Entry("", tags=(tag,)))
        keep(memory, *OTHERS)
        memory.maintenance.gather()

        answer = memory.recall("我去瑞士的预算和住宿怎么样？").text

    assert answer.splitlines()[1].startswith(f"topic {tag} (5 memories): ")
    assert "20000" in answer
    assert "民宿" in answer
