"""Which moments a sentence names."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.moments import Moment, moments
from mcp_memory.times import Period, format_day, parse_period, to_ms

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def day(*date: int) -> Period:
    start = to_ms(datetime(*date, tzinfo=UTC))  # type: ignore[arg-type]
    return Period(start, start + 86_400_000)


def named(text: str) -> list[tuple[str, str, str]]:
    return [(format_day(m.period.start), format_day(m.period.end - 1), m.relation) for m in moments(text, now=NOW)]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("What did we do last March?", "2026-03-01", "2026-03-31"),
        ("I met him last Friday.", "2026-11-20", "2026-11-20"),
        ("two weeks ago", "2026-11-07", "2026-11-07"),
        ("a couple of weeks ago", "2026-11-07", "2026-11-07"),
        ("a few days ago", "2026-11-18", "2026-11-18"),
        ("last weekend", "2026-11-14", "2026-11-15"),
        ("last summer", "2026-06-01", "2026-08-31"),
        ("last winter", "2025-12-01", "2026-02-28"),
        ("last December", "2025-12-01", "2025-12-31"),
        ("next Friday", "2026-11-27", "2026-11-27"),
        ("the day before yesterday", "2026-11-19", "2026-11-19"),
        ("What happened on the 16th of August, 2023?", "2023-08-16", "2023-08-16"),
        ("in 2022", "2022-01-01", "2022-12-31"),
        ("去年三月我说了什么", "2025-03-01", "2025-03-31"),
        ("上周", "2026-11-09", "2026-11-15"),
        ("两周前", "2026-11-07", "2026-11-07"),
        ("三个月前去了哪里", "2026-08-01", "2026-08-31"),
        ("2023年5月8日", "2023-05-08", "2023-05-08"),
    ],
)
def test_a_moment_is_read_from_a_sentence(text: str, first: str, last: str) -> None:
    assert named(text) == [(first, last, "in")]


@pytest.mark.parametrize(
    "text", ["May I ask?", "I marched on.", "He is 2 m tall.", "Version 3.14.2", "second to none", ""]
)
def test_what_only_looks_like_a_date_is_none(text: str) -> None:
    assert named(text) == []


def test_before_and_after_are_told_apart() -> None:
    assert named("before May 2023") == [("2023-05-01", "2023-05-31", "before")]
    assert named("what happened before the trip in May 2023") == [("2023-05-01", "2023-05-31", "before")]
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


def test_closeness_falls_with_the_distance() -> None:
    asked = Moment(parse_period("2023-05-08", now=NOW))
    values = [asked.closeness(told) for told in (day(2023, 5, 8), day(2023, 5, 11), day(2023, 5, 18), day(2023, 6, 17))]

    assert values[0] == 1
    assert values == sorted(values, reverse=True)


@given(
    text=st.text(max_size=60), parts=st.lists(st.sampled_from(["last ", "May ", "31 ", "二月三十日", "2023", "ago"]))
)
def test_no_text_is_too_odd(text: str, parts: list[str]) -> None:
    for moment in moments(text + "".join(parts), now=NOW):
        assert moment.period.start <= moment.period.end
