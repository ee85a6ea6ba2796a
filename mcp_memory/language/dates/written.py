"""A date, a date and time, or a relative day that is given alone, such as `occurred_at`."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time
from functools import lru_cache

from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.extraction import Moment, only_moment
from mcp_memory.language.dates.fallback import read_foreign
from mcp_memory.language.dates.periods import (
    CLOCK,
    DAY,
    ZONE,
    Period,
    at_clock,
    day_period,
    is_known,
    month_period,
    second_period,
    to_ms,
    year_period,
)

LONGEST = 80
"""Characters of a text that may be a date."""

_DIGITS = re.compile(r"([0-9]{4})(?: ?[-/年] ?([0-9]{1,2})(?: ?[-/月] ?([0-9]{1,2}) ?[日号]?)?)? ?[年月]?")
_EPOCH = re.compile(r"([0-9]{10})(?:\.[0-9]+)?|([0-9]{13})")
_TIME = rf"{CLOCK}(?: ?(?P<half>[ap]\.?m\.?))?{ZONE}"
_TIMED = (re.compile(rf"(?P<date>.+?)(?:t| |, | at ){_TIME}"), re.compile(rf"{_TIME}(?: on |, | )(?P<date>.+)"))


def read_period(text: str, *, now: datetime) -> Period:
    """Return the period a text names and nothing else, in any of the ways people write one; `now` is aware.

    A time with a zone is converted to UTC; one without is taken at face value, as if it were UTC. Relative words count
    from the calendar date that `now` shows in its own zone. A month or day without a year is the latest that has begun.
    Raises InvalidInput where nothing is understood or the date does not exist.
    """
    wanted = " ".join(text.split())
    if len(wanted) <= LONGEST:
        period = _written(wanted.lower(), now) or read_foreign(wanted, now=now)
        if period and is_known(period):
            return period
    shown = text if len(text) <= 60 else text[:59] + "…"
    raise InvalidInput(
        f"{shown!r} is not a time that can be read; give one such as 2023-05-08, 2023-05-08T13:56Z, 2023-05, "
        "8 May 2023, 2023年5月8日, yesterday or 3 days ago."
    )


def _written(text: str, now: datetime) -> Period | None:
    try:
        if epoch := _EPOCH.fullmatch(text):
            number, unit = int(epoch[1] or epoch[2]), 1000 if epoch[1] else 1
            return Period(number * unit, (number + 1) * unit)
        if text in ("now", "现在"):
            return second_period(now)
        for pattern in _TIMED:
            if timed := pattern.fullmatch(text):
                day = _date(timed["date"], now)
                return at_clock(day, timed.groupdict()) if day and day.end - day.start == DAY else None
        return _date(text, now)
    except (ValueError, OverflowError):
        return None


def _date(text: str, now: datetime) -> Period | None:
    if digits := _DIGITS.fullmatch(text):
        year, month, day = (int(part) if part else None for part in digits.groups())
        with suppress(ValueError):  # 2021-22 is two years
            return _of_calendar(year or 0, month, day)
    moment = _named(text, datetime.combine(now.date(), time()))
    if moment and (moment.period.start % DAY or moment.period.end % DAY):
        moment = _named(text, now)  # two hours ago
    return _latest(moment, now) if moment else None


@lru_cache(maxsize=1024)
def _named(text: str, now: datetime) -> Moment | None:
    attempts = (only_moment(attempt, now=now) for attempt in (text, f"in {text}", f"on {text}"))
    return next(filter(None, attempts), None)


def _latest(moment: Moment, now: datetime) -> Period:
    if not moment.yearly:
        return moment.period
    here = to_ms(now.replace(tzinfo=UTC))
    this = moment.in_year(now.year)
    return this if this.start <= here else moment.in_year(now.year - 1)


def _of_calendar(year: int, month: int | None, day: int | None) -> Period:
    if month is None:
        return year_period(year)
    return month_period(year, month) if day is None else day_period(date(year, month, day))
