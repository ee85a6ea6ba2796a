"""Deciding what is new, known or corrected: by a table of pairs, and as remember and recall show it."""

from functools import cache
from pathlib import Path

import pytest
from clock import Clock

from bench.dedupe import PARTS, UNSEEN, Judged, Pair, figures, judge, read_pairs, table
from mcp_memory.domain.model import Entry, Turn
from mcp_memory.domain.results import RememberedItem
from mcp_memory.encoders import bundled_model_directory
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.remember.contradiction.comparison import replaced_value
from mcp_memory.render import outcomes

PRECISION = 0.97
RECALL = 0.55


@cache
def judged() -> list[Judged]:
    """Every second pair driven through remember with the encoder that comes with the package."""
    if not (bundled_model_directory() / "model.onnx").is_file():
        pytest.skip("the bundled model is not built")
    return judge(read_pairs()[::2])


def tell(memory: Memory, *texts: str, **like: object) -> list[RememberedItem]:
    return [entry for text in texts for entry in memory.remember(text, like=Entry("", **like)).items]


def live(memory: Memory) -> set[str]:
    return {item.text for item in memory.listing(ItemQuery(scope="all"), limit=1_000)}


# the table


def test_the_table_covers_what_it_should() -> None:
    pairs = read_pairs()
    chinese = [pair for pair in pairs if any("\u4e00" <= character <= "\u9fff" for character in pair.old)]
    categories = {
        "repeat", "paraphrase", "detail", "number", "name", "date", "unit", "place", "status", "negation", "preference",
        "plural", "subject", "question", "multi", "event", "period", "list", "cue", "long", "other", "change", "both",
        "value-change", "explicit-correction", "tool-switch", "state-change", "move-relocation", "person-change",
        "schedule-shift", "reworded-or-negated", "preference-or-plan-change", "other-owner", "other-environment",
        "other-time", "additional-value", "general-specific", "past-event", "condition-or-exception", "measurement-log",
        "plan-vs-fact", "quotation", "similar-code",
    }  # fmt: skip

    assert len({(pair.old, pair.new) for pair in pairs}) == len(pairs) >= 800
    assert len(chinese) >= 200
    assert {pair.category for pair in pairs} == categories
    assert {pair.part for pair in pairs} == set(PARTS)


@pytest.mark.model
@pytest.mark.parametrize(
    ("part", "recall"), [(None, RECALL), ("dev", 0.78), ("held-out", 0.78), ("frozen", 0.65), ("aside", 0.45)]
)
def test_replacements_are_right_and_clear_changes_are_found(part: str | None, recall: float) -> None:
    told = [one for one in judged() if part in (None, one.pair.part)]
    found = figures(told)

    assert found.precision >= (0.95 if part == "frozen" else PRECISION), table(told)
    assert found.recall >= recall, table(told)


@pytest.mark.model
def test_nothing_but_a_repetition_is_confirmed_and_no_repetition_is_stored_twice() -> None:
    wrong = [one for one in judged() if (one.status == "known") != (one.pair.expected == "confirm")]

    assert wrong == []


@pytest.mark.model
@pytest.mark.parametrize("category", ["question", "event", "plural", "period", "subject", "paraphrase", "detail"])
def test_what_is_no_change_of_a_value_replaces_nearly_nothing(category: str) -> None:
    told = [one for one in judged() if one.pair.category == category and one.pair.expected == "add"]
    wrong = [one for one in told if one.status == "replaces"]

    assert len(wrong) <= len(told) // 20, wrong


@pytest.mark.model
def test_a_change_that_is_not_found_is_shown_as_similar() -> None:
    told = [one for one in judged() if one.pair.part in UNSEEN]
    found = figures(told)
    both = [one for one in told if one.pair.expected == "add"]

    assert found.found + found.shown >= 0.93 * found.changes
    assert sum(one.status == "similar" for one in both) <= 0.27 * len(both)


def test_corrections_are_found_by_words_while_the_encoder_is_not_up(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(judge(read_pairs()[::3], model=Path("/nowhere"), wait=False))

    assert found.precision >= PRECISION
    assert found.recall >= 0.5


def test_the_figures_are_told_by_part_language_and_category() -> None:
    pairs = [
        Pair("dev", "number", "revise", "The port is 1.", "The port is 2."),
        Pair("fresh", "name", "add", "甲", "乙"),
    ]

    lines = table([Judged(pairs[0], "replaces"), Judged(pairs[1], "replaces")]).splitlines()

    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| all", "| dev", "| fresh", "| English", "| Chinese", "| number", "| name"
    ]  # fmt: skip
    assert lines[2] == "| all | 2 | 0.500 | 2 | 0.500 | 1 | 1.000 | 0 of 0 |"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("The deploy port is 8080.", "The deploy port is 9090.", "8080 -> 9090"),
        ("Anna lives in Berlin.", "Anna lives in New York.", "berlin -> new york"),
        ("We switched nothing; we use Yarn.", "We use pnpm.", None),
        ("We use Yarn.", "We switched from Yarn to pnpm.", "yarn -> pnpm"),
        ("I moved to Lyon in 2015.", "I moved to Nice in 2019.", None),
        ("The Orion team moved to Berlin.", "The Orion team moved to Linear.", None),
        ("I play tennis every Sunday.", "I stopped playing tennis.", "no longer so"),
        ("We use Yarn.", "We don't use Yarn, we use pnpm.", "yarn -> pnpm"),
        ("We deploy on Fridays.", "We don't deploy on Fridays any longer.", "no longer so"),
        ("The docs live in Wiki.", "The docs live in Notion, no longer in Wiki.", "wiki -> notion"),
        ("The docs live in Jira.", "The docs live in Notion, no longer in Wiki.", None),
        ("My boss is Helen.", "Helen left; my boss is Raj now.", "helen -> raj"),
        ("The API uses Redis for caching.", "The API also uses Kafka for caching.", None),
        ("我们在北京有一个办公室。", "我们在成都有一个办公室。", None),
        ("公司在深圳。", "公司在科技园那边。", None),
        ("The timeout is 60 seconds.", "The timeout is one minute.", None),
        ("This is entry 7.", "This is entry 8.", None),
        ("他住在北京。", "他住在上海。", "北京 -> 上海"),
        ("第3台服务器在上海。", "第4台服务器在上海。", None),
        ("我们的3号服务器在上海。", "我们的4号服务器在上海。", None),
        ("端口是8080。", "端口改成9090了。", "8080 -> 9090"),
        (
            "The budget is 17,786,419 dollars.",
            "The budget is 17786420 dollars.",
            "17,786,419 dollars -> 17786420 dollars",
        ),
        ("The budget is 17,786,419 dollars.", "The budget is 17786419 dollars.", None),
    ],
)
def test_the_reason_says_what_changed(old: str, new: str, told: str | None) -> None:
    assert replaced_value(old, new) == told


# as remember and recall show it


def test_a_correction_hides_the_old_value_which_is_shown_as_was_until_that_day(memory: Memory, clock: Clock) -> None:

    [old] = tell(memory, "Our sprint planning is on Mondays.")
    clock.pass_(days=3)
    told = memory.remember("Sprint planning moved from Mondays to Wednesdays.")
    new = told.items[0]

    assert (new.status, new.reason) == ("replaces", "mondays -> wednesdays")
    assert outcomes.remembered(told).splitlines()[1:-1] == [
        f"created #{new.id}, replaces #{old.id} (was: Our sprint planning is on Mondays. until 2026-03-05)"
    ]
    assert "was: Our sprint planning is on Mondays. (until 2026-03-05" in memory.recall("sprint planning").text
    assert live(memory) == {"Sprint planning moved from Mondays to Wednesdays."}
    asked = ItemQuery(as_of="2026-03-03")
    assert [hit.item.text for hit in memory.recall("sprint planning", select=asked).hits] == [
        "Our sprint planning is on Mondays."
    ]


def test_what_is_similar_is_kept_beside_with_what_to_call_next(memory: Memory) -> None:

    [old] = tell(memory, "The nightly backup goes to the Frankfurt bucket.")
    told = memory.remember("The nightly backup goes to the Frankfurt bucket, encrypted with age.")

    assert told.items[0].status == "similar"
    assert f'remember it again with replaces="{old.id}"' in outcomes.remembered(told)
    assert len(live(memory)) == 2


def test_a_repetition_says_how_often_it_was_said(memory: Memory) -> None:

    [first] = tell(memory, "The port is 8080.")
    told = memory.remember("the port is 8080")

    assert outcomes.remembered(told) == f"already known #{first.id} (said 2 times)"
    assert told.items[0].reason == "said before in the same words"


@pytest.mark.parametrize("up", [True, False], ids=["encoder up", "encoder not up"])
def test_two_values_told_in_one_call_leave_the_last(tmp_path: Path, up: bool) -> None:
    model = HashingEncoder() if up else Path("/nowhere")
    with Memory.open(tmp_path / "memory.db", model=model) as memory:
        if up:
            memory.wait_for_encoder()
        told = memory.remember(
            items=[Entry("The deploy port is 8080."), Entry("Anna likes tea."), Entry("The deploy port is 9090.")]
        ).items

        assert [entry.status for entry in told] == ["created", "created", "replaces"]
        assert told[2].of is not None
        assert told[2].of.id == told[0].id
        assert live(memory) == {"Anna likes tea.", "The deploy port is 9090."}
        assert list(memory.file.verify()) == []


def test_a_value_that_goes_back_within_a_call_is_the_one_that_holds(memory: Memory) -> None:
    tell(memory, "The deploy port is 8080.")

    told = memory.remember(items=[Entry("The deploy port is 9090."), Entry("The deploy port is 8080.")]).items

    assert [entry.status for entry in told] == ["replaces", "replaces"]
    assert live(memory) == {"The deploy port is 8080."}


def test_the_right_one_of_many_that_read_alike_is_replaced(memory: Memory) -> None:
    names = [f"svc{number}" for number in range(60)]
    memory.remember(items=[Entry(f"The port of the service {name} is {7000 + n}.") for n, name in enumerate(names)])

    [told] = tell(memory, "The port of the service svc41 is 9999.")

    assert told.of is not None
    assert told.of.text == "The port of the service svc41 is 7041."
    assert len(live(memory)) == 60


def test_what_happened_and_what_somebody_said_in_a_conversation_is_not_replaced(memory: Memory) -> None:
    tell(memory, "The release date is 12 May.", kind="event")
    memory.remember(turns=[Turn("The rent is 900 euros.", speaker="Ann")])

    told = tell(memory, "The release date is 26 May.", "The rent is 950 euros.")

    assert "replaces" not in {entry.status for entry in told}
    assert len(live(memory)) == 4


def test_a_correction_may_be_of_another_kind_but_a_decision_does_not_correct_a_procedure(memory: Memory) -> None:
    tell(memory, "The deploy port is 8080.", kind="fact")
    tell(memory, "The release tool is Ansible.", kind="procedure")

    [manager] = tell(memory, "The deploy port is 9090.", kind="decision")
    [tool] = tell(memory, "The release tool is Terraform.", kind="decision")

    assert (manager.status, tool.status) == ("replaces", "similar")


def test_what_was_true_earlier_does_not_replace_what_is_true_later(memory: Memory) -> None:
    tell(memory, "The deploy port is 9090.", occurred_at="2026-02-01")

    [told] = tell(memory, "The deploy port is 8080.", occurred_at="2024-02-01")

    assert told.status == "similar"
    assert len(live(memory)) == 2


def test_a_correction_stays_within_its_scope(memory: Memory) -> None:
    tell(memory, "The deploy port is 8080.", scope="web")

    [told] = tell(memory, "The deploy port is 9090.", scope="api")

    assert told.status == "created"
    assert len(live(memory)) == 2


def test_an_undecided_statement_replaces_nothing(memory: Memory) -> None:
    tell(memory, "The release is on 12 May.")

    [told] = tell(memory, "The release might be on 26 May.")

    assert told.status in ("created", "similar")
    assert len(live(memory)) == 2


@pytest.mark.model
@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("我吃素。", "我又吃肉了。", True),
        ("I work at Google.", "I just joined Microsoft.", True),
        ("The kettle is red.", "The cup is blue.", False),
        ("I am vegetarian.", "Ben eats meat again.", False),
        ("我现在住在深圳。", "我不再吃素了。", False),
        ("我想买一辆电动车。", "他昨天在公园跑步。", False),
    ],
)
def test_what_may_be_a_change_is_shown_and_what_has_nothing_to_do_with_it_is_not(
    tmp_path: Path, old: str, new: str, shown: bool
) -> None:
    with Memory.open(tmp_path / "memory.db") as memory:
        memory.wait_for_encoder()
        [known, told] = tell(memory, old, new, scope="user")

        assert (told.status, told.of and told.of.id) == (("similar", known.id) if shown else ("created", None))


@pytest.mark.model
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A patient is 40 years old.", "A patient is 52 years old."),
        ("A supported format is CSV.", "A supported format is JSON."),
        ("有位病人40岁。", "有位病人52岁。"),
        ("Half of the team is in Berlin.", "Half of the team is in Lisbon."),
        ("I take 5 mg in the morning.", "I take 10 mg at night."),
        ("Latency is 120 ms at p50.", "Latency is 900 ms at p99."),
        ("The price is 14 euros in summer.", "The price is 25 euros in winter."),
        ("The price is 80 euros before tax.", "The price is 95 euros after tax."),
        ("The limit is 20 MB on Linux.", "The limit is 40 MB on Windows."),
        ("SELECT * FROM orders WHERE id = 1;", "SELECT * FROM orders WHERE id = 2;"),
        ("I live in Antwerp.", "I moved to Hull in 2019."),
        ("The rent is 980 euros.", "The rent is about 1,000 euros."),
        ("Blood pressure: 128/82.", "Blood pressure: 135/88."),
        ("我的月薪是2万元。", "我的月薪是20000元。"),
        ("The fund has 2 million.", "The fund has $2m."),
        ("Error E1002 means bad credentials.", "Error E1001 means timeout."),
    ],
)
def test_what_may_hold_besides_replaces_nothing(old: str, new: str) -> None:
    [judgement] = judge([Pair("", "", "add", old, new)])

    assert judgement.status in ("created", "similar")


@pytest.mark.model
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("The port is 8080.", "It's not 8080; the port is 9090."),
        ("The port is 8080.", "The port is 9090 (was 8080)."),
        ("The port is 8080.", "The current port is 9090."),
        ("The port is 8080.", "Sorry, I meant the port is 9090."),
        ("The port is 8080.", "User said that the port is now 9090."),
        ("The port is 8080.", "Use 9090 as the port instead of 8080."),
        ("端口是8080。", "端口不是8080，是9090。"),
        ("端口是8080。", "端口由8080改为9090。"),
        ("房租是3000元。", "房租涨到3500元了。"),
        ("航班是上午九点。", "航班改签到下午两点。"),
        ("我的手机是小米。", "我的手机换了，是华为。"),
        ("We live at 12 Elm Street.", "We moved to 48 Birch Avenue."),
        ("Nora is drinking green tea.", "Nora stopped drinking green tea."),
        ("My landlord is Mrs. Novak.", "My landlord is Mr. Horvat since March."),
        ("Kiran is assigned to Project Alpha.", "Kiran has been reassigned to Project Beta."),
        ("The release day is Tuesday.", "We moved the release to Thursday."),
        ("I work at Google.", "I just joined Microsoft."),
        ("我的月薪是2万元。", "我的月薪是20元。"),
        ("Alice is the CTO.", "Bob replaced Alice as CTO."),
        ("CI runs on GitHub Actions.", "CI was migrated to Buildkite on Monday."),
    ],
)
def test_a_change_told_in_other_words_replaces_or_is_shown(old: str, new: str) -> None:
    [judgement] = judge([Pair("", "", "revise", old, new)])

    assert judgement.status in ("replaces", "similar")


def test_a_page_from_the_web_replaces_nothing_that_was_stated(memory: Memory) -> None:
    tell(memory, "The deploy port is 8080.")

    [page] = tell(memory, "The deploy port is 9090.", source="https://example.org/page")

    assert page.status == "similar"
    assert len(live(memory)) == 2
