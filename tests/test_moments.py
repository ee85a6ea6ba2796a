"""Which moments a sentence names."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phrases import CHINESE, ENGLISH, OTHERS

from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.extraction import Moment, moments, read_period, text_periods
from mcp_memory.language.dates.periods import Period, format_day, to_ms

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

for warm in ("5 vor", "5 et", "5 y", "5 em", "5 di", "5 het", "5 в", "年", "の", "년"):
    moments(warm, now=NOW)  # rules are made once


def day(*date: int) -> Period:
    start = to_ms(datetime(*date, tzinfo=UTC))  # type: ignore[arg-type]
    return Period(start, start + 86_400_000)


def named(text: str) -> list[tuple[str, str, str]]:
    return [(format_day(m.period.start), format_day(m.period.end - 1), m.relation) for m in moments(text, now=NOW)]


def rows(table: str) -> list[tuple[str, ...]]:
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in table.splitlines()]


@pytest.mark.parametrize(
    ("text", "first", "last", "meant"),
    [*rows(ENGLISH), *rows(CHINESE), *rows(OTHERS)],
)
def test_a_moment_is_read_from_a_sentence(text: str, first: str, last: str, meant: str) -> None:
    [found] = moments(text, now=NOW)
    start, end = found.period

    assert (format_day(start), format_day(max(start, end - 1))) == (first, last)
    assert found.relation + "*" * found.yearly == meant


def test_the_tables_are_long() -> None:
    assert [len(rows(table)) >= least for table, least in ((ENGLISH, 150), (CHINESE, 60), (OTHERS, 40))] == [True] * 3


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("March", "2026-03-01", "2026-03-31"),
        ("December", "2025-12-01", "2025-12-31"),
        ("Friday", "2026-11-20", "2026-11-20"),
        ("Q2 2024", "2024-04-01", "2024-06-30"),
        ("early March 2023", "2023-03-01", "2023-03-10"),
        ("last Friday", "2026-11-20", "2026-11-20"),
        ("去年年底", "2025-11-01", "2025-12-31"),
        ("vor zwei Wochen", "2026-11-07", "2026-11-07"),
        ("w zeszłym tygodniu", "2026-11-09", "2026-11-15"),
        ("8 Mayıs 2023", "2023-05-08", "2023-05-08"),
        ("8 травня 2023", "2023-05-08", "2023-05-08"),
        ("5/7/2023", "2023-05-07", "2023-05-07"),
    ],
)
def test_a_date_alone_is_read_in_any_language(text: str, first: str, last: str) -> None:
    period = read_period(text, now=NOW)

    assert (format_day(period.start), format_day(period.end - 1)) == (first, last)


@pytest.mark.parametrize("text", ["", "soon", "0000", "2023-02-30", "the port is 8080", "never", "30 Feb 2023", "#"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a time that can be read"):
        read_period(text, now=NOW)


@pytest.mark.parametrize(
    "text", ["May I ask?", "I marched on.", "He is 2 m tall.", "Version 3.14.2", "second to none", ""]
)
def test_what_only_looks_like_a_date_is_none(text: str) -> None:
    assert named(text) == []


def test_before_and_after_are_told_apart() -> None:
    assert named("before May 2023") == [("2023-05-01", "2023-05-31", "before")]
    [trip] = moments("what happened before the trip in May 2023", now=NOW)
    assert (trip.closeness(day(2023, 5, 3)), trip.closeness(day(2023, 6, 1))) == (1, 0)
    assert named("after 2023-05-08") == [("2023-05-08", "2023-05-08", "after")]
    assert named("March 2023之前") == [("2023-03-01", "2023-03-31", "before")]
    [since] = moments("since May 2023", now=NOW)
    assert since.closeness(day(2023, 5, 1)) == 1


def test_a_month_without_a_year_is_one_of_any_year() -> None:
    [june] = moments("When in June did I go?", now=NOW)

    assert june.yearly
    assert june.closeness(day(2019, 6, 15)) == 1
    assert june.closeness(day(2023, 7, 3)) == 1  # within its first week
    assert june.closeness(day(2023, 12, 1)) < 0.01


def test_a_yearly_period_ends_with_its_month_in_every_year() -> None:
    ends = {
        (text, year): format_day(Moment(moments(text, now=NOW)[0].period, yearly=True).in_year(year).end - 1)
        for text in ("in February", "Q1", "28 February", "29 February", "in the winter")
        for year in (2025, 2028)
    }

    assert ends == {
        ("in February", 2025): "2025-02-28",
        ("in February", 2028): "2028-02-29",
        ("Q1", 2025): "2025-03-31",
        ("Q1", 2028): "2028-03-31",
        ("28 February", 2025): "2025-02-28",
        ("28 February", 2028): "2028-02-28",
        ("29 February", 2025): "2025-02-28",
        ("29 February", 2028): "2028-02-29",
        ("in the winter", 2025): "2026-02-28",
        ("in the winter", 2028): "2029-02-28",
    }


def test_closeness_falls_with_the_distance() -> None:
    asked = Moment(read_period("2023-05-08", now=NOW))
    values = [asked.closeness(told) for told in (day(2023, 5, 8), day(2023, 5, 11), day(2023, 5, 18), day(2023, 6, 17))]

    assert values[0] == 1
    assert values == sorted(values, reverse=True)


def test_what_a_text_dates_counts_from_the_day_it_was_said() -> None:
    said = datetime(2023, 5, 10, tzinfo=UTC)

    assert [format_day(p.start) for p in text_periods("Last week I moved; in June I travel.", said=said)] == [
        "2023-05-01",
        "2023-06-01",
    ]
    assert [format_day(p.start) for p in text_periods("The dentist is on 13 February.", said=said)] == ["2023-02-13"]


PARTS = st.sampled_from(
    "last |May |31 |二月三十日|2023|ago |from |to |and |before |the |in |5/7/|前|之前|到|vor |zwei |Wochen |年|月|-|’|'|Q2 |s |90|İ".split(
        "|"
    )
)


@given(text=st.text(max_size=60), parts=st.lists(PARTS, max_size=200))
def test_no_text_is_too_odd_or_takes_long(text: str, parts: list[str]) -> None:
    start = time.thread_time()
    found = moments(text + "".join(parts), now=NOW)
    spent = time.thread_time() - start

    assert spent < 1  # of processor time; the first text of a language compiles its patterns too
    for moment in found:
        assert moment.period.start <= moment.period.end
        assert 0 <= moment.closeness(day(2023, 5, 8)) <= 1


@given(text=st.text(max_size=30), parts=st.lists(PARTS, max_size=6))
def test_a_period_is_read_or_refused(text: str, parts: list[str]) -> None:
    try:
        period = read_period(text + "".join(parts), now=NOW)
    except InvalidInput:
        return

    assert period.start < period.end
