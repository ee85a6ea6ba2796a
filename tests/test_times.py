from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.extraction import read_period
from mcp_memory.language.dates.periods import Period, age, format_day, format_moment, to_ms

NOW = datetime(2023, 5, 10, 14, 5, 30, 500_000, tzinfo=UTC)  # a Wednesday
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


def at(*parts: int) -> int:
    return to_ms(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type]


def ask(text: str) -> Period:
    return read_period(text, now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "2023-05-08", "2023/05/08", "2023/5/8", "8 May 2023", "8 May, 2023", "8th of May 2023", "May 8, 2023",
        "may 8th 2023", " MAY  8,  2023 ", "2023年5月8日", "2023年05月08号",
    ],
)  # fmt: skip
def test_a_day_is_read_however_it_is_written(text: str) -> None:
    assert ask(text) == Period(at(2023, 5, 8), at(2023, 5, 9))


@pytest.mark.parametrize(
    "text",
    [
        "2023-05-08T13:56", "2023-05-08 13:56", "2023-05-08t13:56z", "2023-05-08T21:56+08:00", "2023-05-08T08:26-0530",
        "1:56 pm on 8 May, 2023", "May 8, 2023 1:56 p.m.", "8 May 2023, 13:56", "2023-05-08T13:56 UTC",
        "2023年5月8日 13:56",
    ],
)  # fmt: skip
def test_a_minute_is_read_however_it_is_written(text: str) -> None:
    assert ask(text) == Period(at(2023, 5, 8, 13, 56), at(2023, 5, 8, 13, 57))


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2023", (at(2023, 1, 1), at(2024, 1, 1))),
        ("2023年", (at(2023, 1, 1), at(2024, 1, 1))),
        ("9999", (at(9999, 1, 1), at(9999, 12, 31) + DAY)),
        ("2024-02", (at(2024, 2, 1), at(2024, 3, 1))),
        ("May 2023", (at(2023, 5, 1), at(2023, 6, 1))),
        ("2023年12月", (at(2023, 12, 1), at(2024, 1, 1))),
        ("2023-05-08T13:56:07", (at(2023, 5, 8, 13, 56, 7), at(2023, 5, 8, 13, 56, 8))),
        ("2023-05-08T13:56:07.123456Z", (at(2023, 5, 8, 13, 56, 7) + 123, at(2023, 5, 8, 13, 56, 7) + 124)),
        ("12:30 am on 8 May, 2023", (at(2023, 5, 8, 0, 30), at(2023, 5, 8, 0, 31))),
        ("1683554160", (1683554160000, 1683554161000)),
        ("1683554160123", (1683554160123, 1683554160124)),
    ],
)
def test_a_period_is_as_long_as_what_was_given(text: str, period: tuple[int, int]) -> None:
    assert ask(text) == Period(*period)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("now", (at(2023, 5, 10, 14, 5, 30), at(2023, 5, 10, 14, 5, 31))),
        ("today", (at(2023, 5, 10), at(2023, 5, 11))),
        ("Yesterday", (at(2023, 5, 9), at(2023, 5, 10))),
        ("tomorrow", (at(2023, 5, 11), at(2023, 5, 12))),
        ("3 days ago", (at(2023, 5, 7), at(2023, 5, 8))),
        ("a week ago", (at(2023, 5, 3), at(2023, 5, 4))),
        ("5 months ago", (at(2022, 12, 1), at(2023, 1, 1))),
        ("two years ago", (at(2021, 1, 1), at(2022, 1, 1))),
        ("2 hours ago", (at(2023, 5, 10, 12, 5, 30), at(2023, 5, 10, 12, 5, 31))),
        ("last week", (at(2023, 5, 1), at(2023, 5, 8))),
        ("last month", (at(2023, 4, 1), at(2023, 5, 1))),
        ("next year", (at(2024, 1, 1), at(2025, 1, 1))),
        ("今天", (at(2023, 5, 10), at(2023, 5, 11))),
        ("昨天", (at(2023, 5, 9), at(2023, 5, 10))),
        ("前天", (at(2023, 5, 8), at(2023, 5, 9))),
        ("去年", (at(2022, 1, 1), at(2023, 1, 1))),
        ("上个月", (at(2023, 4, 1), at(2023, 5, 1))),
        ("三天前", (at(2023, 5, 7), at(2023, 5, 8))),
        ("2个月前", (at(2023, 3, 1), at(2023, 4, 1))),
    ],
)
def test_relative_words_count_from_now(text: str, period: tuple[int, int]) -> None:
    assert ask(text) == Period(*period)


def test_relative_words_use_the_date_in_the_zone_of_now() -> None:
    late = datetime(2023, 5, 10, 1, 0, tzinfo=timezone(timedelta(hours=8)))

    assert read_period("today", now=late) == Period(at(2023, 5, 10), at(2023, 5, 11))


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("2023", "year"), ("2024", "year"), ("2023-02", "month"), ("last week", "week"), ("today", "day"),
        ("2023-05-08 13:56", "minute"), ("now", "second"), ("1683554160123", "millisecond"),
    ],
)  # fmt: skip
def test_the_precision_is_the_unit_that_was_given(text: str, precision: str) -> None:
    assert ask(text).precision == precision


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "0000", "10000", "2023-02-30", "2023-13", "2023-05-08T25:00", "2023-05-08T13:60",
        "13:00 pm on 8 May 2023",
        "2023-05-08T13:56+24:00", "0001-01-01T00:00+08:00", "9999-12-31T23:59-08:00", "9999999999999999",
        "999999 years ago",
        "30 Feb 2023", "２０２３", "2023-05-08; DROP",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(text)

    assert str(refused.value).startswith(f"{text!r} is not a time that can be read; give one such as 2023-05-08, ")


@given(
    st.text()
    | st.lists(st.sampled_from([*"0123456789-:/ .,tTzZ+年月日", "may ", "ago", "days ", "am", "last ", "9999"])).map(
        "".join
    )
)
def test_any_text_is_a_period_or_refused(text: str) -> None:
    try:
        period = ask(text)
    except InvalidInput:
        return

    assert period.start < period.end


@given(st.datetimes())
def test_what_is_printed_is_read_again(moment: datetime) -> None:
    ms = to_ms(moment.replace(tzinfo=UTC))

    minute = ask(format_moment(ms))
    day = ask(format_day(ms))

    assert minute == Period(ms - ms % MINUTE, ms - ms % MINUTE + MINUTE)
    assert day == Period(ms - ms % DAY, ms - ms % DAY + DAY)


@given(st.integers())
def test_any_number_of_milliseconds_is_printed(ms: int) -> None:
    assert len(format_day(ms)) == 10
    assert len(format_moment(ms)) == 16


def test_days_and_moments_are_printed_at_face_value() -> None:
    assert (format_day(at(2023, 5, 8)), format_moment(at(2023, 5, 8, 13, 56))) == ("2023-05-08", "2023-05-08 13:56")
    assert to_ms(datetime(1970, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))) == 0


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (0, "just now"), (59 * SECOND, "just now"), (MINUTE, "1 minute ago"), (5 * MINUTE, "5 minutes ago"),
        (3 * HOUR, "3 hours ago"), (DAY, "yesterday"), (6 * DAY, "6 days ago"), (7 * DAY, "1 week ago"),
        (21 * DAY, "3 weeks ago"), (150 * DAY, "5 months ago"), (364 * DAY, "12 months ago"), (365 * DAY, "1 year ago"),
        (730 * DAY, "2 years ago"), (-DAY, "tomorrow"), (-3 * DAY, "in 3 days"), (-400 * DAY, "in 1 year"),
    ],
)  # fmt: skip
def test_an_age_is_said_in_its_largest_unit(distance: int, said: str) -> None:
    assert age(at(2023, 5, 8), at(2023, 5, 8) + distance) == said
