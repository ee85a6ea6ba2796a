"""Dates in recall: what a question names, what a text told, what was known then; and languages the encoder lacks."""

import json
import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner
from clock import Clock
from conftest import PATIENCE

from mcp_memory.cli import main
from mcp_memory.domain.model import Entry, Turn
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.recall.language_coverage import ADVICE

FILLER = ["I went to the market with Ann.", "I walked along the river."]


class English(HashingEncoder):
    """Says, as the encoder that comes with the package does, that it knows English only."""

    @property
    def languages(self) -> tuple[str, ...]:
        return ("en",)


def opened(path: Path, clock: Clock) -> Memory:
    memory = Memory.open(path, model=HashingEncoder(), clock=clock)
    memory.wait_for_encoder()
    return memory


def first(memory: Memory, query: str, **select: str) -> str:
    return memory.recall(query, select=ItemQuery(**select), limit=1).hits[0].item.text


def test_a_date_a_text_tells_counts_from_the_day_it_was_said(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        told = "Two months ago I went to the market alone."
        entries = [Entry(told, occurred_at="2025-07-15"), *(Entry(text, occurred_at="2025-07-15") for text in FILLER)]
        memory.remember(items=entries)

        assert first(memory, "Who went to the market in May 2025?") == told


def test_a_text_that_is_changed_tells_its_new_date(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        made = memory.remember("I went to the market yesterday.", like=Entry("", occurred_at="2025-07-15"))
        memory.remember("I went to the market with Ann.", like=Entry("", occurred_at="2025-07-15"))
        memory.update(made.items[0].id, content="I went to the market in May 2022.")

        assert first(memory, "the market in May 2022") == "I went to the market in May 2022."


def test_relative_words_of_a_question_count_from_the_moment_asked_about(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "memory.db", clock) as memory:
        memory.remember("I went to the market with Ann.", like=Entry("", occurred_at="a week ago"))
        then = clock.now
        clock.now = then + timedelta(days=70)
        memory.remember("I went to the market with Ben.", like=Entry("", occurred_at="a week ago"))
        later = clock.now.date().isoformat()

        assert first(memory, "the market last week") == "I went to the market with Ben."
        assert first(memory, "the market last week", as_of=then.date().isoformat()) == "I went to the market with Ann."
        found = memory.recall("the market", select=ItemQuery(since="3 weeks ago", as_of=then.date().isoformat()))
        assert [hit.item.text for hit in found.hits] == ["I went to the market with Ann."]
        assert len(memory.recall("the market", select=ItemQuery(since="3 weeks ago", as_of=later)).hits) == 1


@pytest.mark.parametrize("rebuild", ["in the background", "by reindex"])
def test_a_file_without_the_dates_of_its_texts_gets_them(tmp_path: Path, rebuild: str) -> None:
    path = tmp_path / "memory.db"
    with opened(path, Clock()) as memory:
        memory.remember("Two months ago I went to the market alone.", like=Entry("", occurred_at="2025-07-15"))
        memory.remember("I went to the market with Ann.", like=Entry("", occurred_at="2025-07-15"))
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM text_dates")
    connection.close()
    with opened(path, Clock()) as memory:
        if rebuild == "by reindex":
            memory.maintenance.reindex()
        memory.maintenance.make_vectors()
        memory.close()
    connection = apsw.Connection(str(path))
    told = [
        json.loads(periods) for (periods,) in connection.execute("SELECT periods FROM text_dates ORDER BY revision_id")
    ]
    connection.close()

    assert [[datetime.fromtimestamp(p[0] / 1000, UTC).month for p in periods] for periods in told] == [[5], []]


def test_what_is_erased_leaves_no_date_behind(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with opened(path, Clock()) as memory:
        made = memory.remember("Yesterday I went to the market.")
        memory.forget([made.items[0].id], erase=True)
    connection = apsw.Connection(str(path))

    assert connection.execute("SELECT count(*) FROM text_dates").get == 0


WORDS = {
    "Кошку зовут Мурка": "мурка",
    "القطة اسمها لولو": "لولو",
    "החתול שלי נקרא מיצי": "מיצי",
    "Η γάτα μου λέγεται Λίλη": "Λίλη",
    "मेरी बिल्ली का नाम मीरा है": "बिल्ली",
    "내 고양이 이름은 나비야": "고양이",
    "เราไปทะเลที่ภูเก็ตเมื่อวาน": "ภูเก็ต",
    "ร้านกาแฟอยู่ใกล้สถานีรถไฟ": "สถานีรถไฟ",
    "ພວກເຮົາໄປຕະຫຼາດ": "ຕະຫຼາດ",
    "ខ្ញុំចូលចិត្តកាហ្វេ": "កាហ្វេ",
    "我们昨天去了大阪城公园": "大阪城",
    "Ich wohne in Köln am Rhein": "koln",
}


@pytest.mark.parametrize(("text", "query"), WORDS.items())
def test_words_of_any_script_are_found(tmp_path: Path, text: str, query: str) -> None:
    with Memory.open(tmp_path / "memory.db", model=Path("/nowhere"), clock=Clock()) as memory:
        memory.remember(items=[Entry(each) for each in WORDS])

        assert first(memory, query) == text


GERMAN = "Der Server {} steht in Frankfurt und wird von der Gruppe betreut."


def test_a_store_in_a_language_the_encoder_does_not_know_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "memory.db"
    with Memory.open(path, model=English(), clock=Clock()) as memory:
        memory.wait_for_encoder()
        memory.remember(items=[Entry(f"The server {number} is in the cellar.") for number in range(40)])
        before = memory.stats().advice
        memory.remember(items=[Entry(GERMAN.format(number)) for number in range(15)])
        memory.remember(items=[Entry(f"第{number}台服务器在上海。") for number in range(15)])
        advice = memory.stats().advice or ""
    caplog.clear()
    warning = threading.Event()
    monkeypatch.setattr(caplog.handler, "emit", lambda record, emit=caplog.handler.emit: (emit(record), warning.set()))
    with caplog.at_level(logging.WARNING, ADVICE), Memory.open(path, model=English(), clock=Clock()):
        assert warning.wait(PATIENCE)
    warned = [record.message for record in caplog.records if "--model" in record.message]

    assert before is None
    assert "30 of the latest 70 memories are in languages (Chinese, German)" in advice
    assert "--model" in advice
    assert "mcp-memory reindex" in advice
    assert warned == [advice]


@pytest.mark.model
def test_stats_name_what_to_do_about_languages(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory.open(path, clock=Clock()) as memory:
        memory.remember(items=[Entry(GERMAN.format(number)) for number in range(20)])
        memory.maintenance.make_vectors()
    told = CliRunner().invoke(main, ["stats", "--database", str(path)]).output
    data = json.loads(CliRunner().invoke(main, ["stats", "--json", "--database", str(path)]).stdout)

    assert "--model" in told
    assert "(German)" in data["advice"]


@pytest.mark.model
def test_a_command_that_is_not_asked_for_numbers_keeps_still_about_languages(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory.open(path, clock=Clock()) as memory:
        memory.remember(items=[Entry(GERMAN.format(number)) for number in range(20)])
    arguments = ["recall", "Server 7", "--database", str(path)]
    answer = subprocess.run(
        [sys.executable, "-m", "mcp_memory", *arguments], capture_output=True, text=True, check=True
    )

    assert "Server 7" in answer.stdout
    assert answer.stderr == ""


def conversation(memory: Memory) -> None:
    memory.remember(
        turns=[
            Turn("We met at the station.", "Ann"),
            Turn("Which city did you like best on the whole trip?", "Ben"),
            Turn("Lisbon, clearly!", "Ann"),
            Turn("I would have said Rome, because of the food there.", "Ben"),
        ]
    )


def test_a_short_answer_comes_with_its_question(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        conversation(memory)
        text = memory.recall("Lisbon clearly", limit=1).text

    assert text.splitlines()[1].endswith("Ann: Lisbon, clearly!")
    assert text.splitlines()[2].startswith("  asked #")
    assert text.splitlines()[2].endswith(": Ben: Which city did you like best on the whole trip?")


def test_a_turn_that_stands_alone_comes_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        conversation(memory)
        text = memory.recall("Rome because of the food", limit=1).text

    assert "asked" not in text
    assert "before" not in text


def test_full_detail_gives_the_passage_and_the_neighbours(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        conversation(memory)
        text = memory.recall("Lisbon clearly", limit=1, detail="full").text
        tight = memory.recall("Lisbon clearly", limit=1, detail="full", max_tokens=90)

    names = [line.split("#")[0].strip() for line in text.splitlines()[1:5]]
    assert names == ["", "asked", "after", "source"]
    assert "[[Lisbon, clearly!]]" in text
    assert tight.tokens <= 90
    assert len(tight.hits) == 1


def test_near_duplicates_are_folded_and_named(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        memory.remember("The staging server runs on port 8080.")
        memory.remember("Staging server runs on port 8080", like=Entry("", kind="note"))
        memory.remember("The staging server does not run on port 9090.")
        found = memory.recall("staging server port")
    lines = found.text.splitlines()[1:-1]

    assert len([line for line in lines if line.startswith("#")]) == 2
    assert [line.startswith("  also #") for line in lines].count(True) == len(found.hits) - 2 == 1


def test_a_text_too_long_for_the_budget_is_cut_at_a_sentence(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        sentence = "The bridge over the river was closed for repairs after the flood of that year. "
        memory.remember(sentence * 8)
        found = memory.recall("bridge river", max_tokens=150)
    told, cut = found.text.splitlines()[1:3]

    assert told.endswith("of that year.…")
    assert cut.strip() == "cut: a larger max_tokens shows it whole"
    assert found.tokens <= 150


ON_THE_13TH = ["Lunch with Sarah", "The fair opens on 13 February 2026.", "The choir sings on 13 February."]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Anything on 13 February?", ON_THE_13TH),
        ("What happened on 13 February 2026?", ON_THE_13TH),
        ("2月13日有什么事？", ON_THE_13TH),
        ("Was ist am 13. Februar passiert?", ON_THE_13TH),
        ("What did I do yesterday?", ["The dentist moved me to Friday"]),
        ("What happened before 2025?", ["We moved to Basel"]),
        ("What happened in June?", []),
    ],
)
def test_a_question_that_names_a_time_alone_is_answered_with_what_happened_in_it(
    tmp_path: Path, question: str, expected: list[str]
) -> None:
    clock = Clock()
    yesterday = (clock() - timedelta(days=1)).date().isoformat()
    told = [
        ("Lunch with Sarah", "2026-02-13"),
        ("The fair opens on 13 February 2026.", "2026-01-07"),
        ("The choir sings on 13 February.", "2026-01-07"),
        ("The dentist moved me to Friday", yesterday),
        ("We moved to Basel", "2024-05-01"),
    ]
    with opened(tmp_path / "memory.db", clock) as memory:
        memory.remember(items=[Entry(text, kind="event", occurred_at=when) for text, when in told])
        memory.remember("Lunch with Tom", like=Entry("", kind="event", occurred_at="2026-02-13", scope="other"))

        assert sorted(hit.item.text for hit in memory.recall(question).hits) == sorted(expected)


def test_a_question_that_names_more_than_a_time_is_answered_with_what_it_names(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db", Clock()) as memory:
        memory.remember("Lunch with Sarah", like=Entry("", occurred_at="2026-02-13"))
        memory.remember("Dinner with Tom", like=Entry("", occurred_at="2026-02-13"))

        assert first(memory, "Who was at the dinner on 13 February?") == "Dinner with Tom"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("anything planned for February?", ["The dentist is on 13 February."]),
        ("what is on in March", ["The race is on 20 March."]),
        ("Anything on the calendar for May?", ["The fair opens on 2 May."]),
        ("what about February", ["The dentist is on 13 February."]),
        ("about May", ["The fair opens on 2 May."]),
        ("March?", ["The race is on 20 March."]),
        ("九月第一周有什么安排？", ["Lecture on 3 September."]),
        ("What is on in the first week of September?", ["Lecture on 3 September."]),
    ],
)
def test_a_month_or_a_week_of_one_is_a_time_in_a_question_that_names_nothing_else(
    tmp_path: Path, question: str, expected: list[str]
) -> None:
    told = [
        "The dentist is on 13 February.",
        "The race is on 20 March.",
        "The fair opens on 2 May.",
        "Lecture on 3 September.",
        "Library books are due on 9 September.",
        "My car is a Skoda from 2017.",
    ]
    with opened(tmp_path / "memory.db", Clock()) as memory:
        memory.remember(items=[Entry(text, occurred_at="2026-01-07") for text in told])

        assert [hit.item.text for hit in memory.recall(question).hits] == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("about April's brother", "April has a brother with a vineyard."),
        ("anything for June?", "June collects stamps for her shop, and June paints."),
        ("a present for June", "June collects stamps for her shop, and June paints."),
    ],
)
def test_a_month_that_may_be_a_person_is_still_looked_for_by_its_name(
    tmp_path: Path, question: str, expected: str
) -> None:
    told = [
        "April has a brother with a vineyard.",
        "June collects stamps for her shop, and June paints.",
        "The market opens on 3 April.",
        "The choir sings on 5 June.",
    ]
    with opened(tmp_path / "memory.db", Clock()) as memory:
        memory.remember(items=[Entry(text, occurred_at="2026-01-07") for text in told])

        assert first(memory, question) == expected
