"""Stretches of time in milliseconds since 1970: of the calendar, of the clock, and as text."""

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal, NamedTuple

Precision = Literal["millisecond", "second", "minute", "hour", "day", "week", "month", "year"]

_SECOND = 1000
_MINUTE = 60 * _SECOND
HOUR = 60 * _MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1) + DAY


class Period(NamedTuple):
    """A half-open stretch of time, [start, end), in milliseconds since 1970."""

    start: int
    end: int

    @property
    def precision(self) -> Precision:
        """Return the longest unit the period fills: a moment given to the minute has the precision "minute"."""
        length = self.end - self.start
        for unit, least in _LENGTHS:
            if length >= least:
                return unit
        return "millisecond"


_LENGTHS: tuple[tuple[Precision, int], ...] = (
    ("year", 365 * DAY),
    ("month", 28 * DAY),
    ("week", 7 * DAY),
    ("day", DAY),
    ("hour", HOUR),
    ("minute", _MINUTE),
    ("second", _SECOND),
)


def is_known(period: Period) -> bool:
    """Return whether a period is one of the years 1 to 9999."""
    return _FIRST <= period.start <= period.end <= _LAST


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970 of an aware moment, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def clock_ms(clock: Callable[[], datetime]) -> Callable[[], int]:
    return lambda: to_ms(clock())


def zone_offset(now: datetime) -> int:
    """Return how far the zone of an aware moment is ahead of UTC, in milliseconds."""
    return (now.utcoffset() or timedelta()) // timedelta(milliseconds=1)


def format_day(ms: int) -> str:
    """Return the day at face value, as 2023-05-08; milliseconds outside the years 1 to 9999 give the nearest day inside."""
    return date_of(ms).isoformat()


def format_moment(ms: int) -> str:
    """Return the minute at face value, as 2023-05-08 13:56; outside the years 1 to 9999 the nearest minute inside."""
    return _from_ms(ms).replace(tzinfo=None).isoformat(" ", "minutes")


def age(ms: int, now_ms: int) -> str:
    """Return how long ago a moment was, in its largest whole unit, or how far ahead it lies: "3 weeks ago", "in 3 days"."""
    distance = abs(now_ms - ms)
    if distance < _MINUTE:
        return "just now"
    name, length = next((name, length) for name, length in _AGES if distance >= length)
    count = distance // length
    if name == "day" and count == 1:
        return "yesterday" if ms < now_ms else "tomorrow"
    spoken = f"{count} {name}" if count == 1 else f"{count} {name}s"
    return f"{spoken} ago" if ms < now_ms else f"in {spoken}"


_AGES = (("year", 365 * DAY), ("month", 30 * DAY), ("week", 7 * DAY), ("day", DAY), ("hour", HOUR), ("minute", _MINUTE))


def date_of(ms: int) -> date:
    """Return the day at face value; outside the years 1 to 9999 the nearest inside."""
    return _from_ms(ms).date()


def _from_ms(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=min(max(ms, _FIRST), _LAST - 1))


# Times of day

CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
ZONE = r"(?: ?(?P<zone>z|utc|gmt|[+-][0-9]{2}(?::?[0-9]{2})?))?"


def at_clock(day: Period, part: Mapping[str, str | None]) -> Period:
    """Return the time of a day that the groups of CLOCK and ZONE name, in UTC. Raises ValueError where there is none."""
    hour, minute, second = (int(part.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (part.get("half") or "").replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no such time")
    fraction = part.get("fraction")
    thousandths = int(fraction[:3].ljust(3, "0")) if fraction else 0
    start = day.start + hour * HOUR + minute * _MINUTE + second * _SECOND + thousandths - _offset(part.get("zone"))
    length = 1 if fraction else _SECOND if part.get("second") else _MINUTE if part.get("minute") else HOUR
    return Period(start, start + length)


def _offset(zone: str | None) -> int:
    if not zone or zone in ("z", "utc", "gmt"):
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if minutes > 59:
        raise ValueError("no such offset")
    offset = timezone(timedelta(hours=hours, minutes=minutes)).utcoffset(None) // timedelta(milliseconds=1)
    return -offset if zone[0] == "-" else offset


def second_period(moment: datetime) -> Period:
    """Return the second, taken at face value."""
    start = to_ms(moment.replace(tzinfo=UTC, microsecond=0))
    return Period(start, start + _SECOND)


# The calendar


def day_period(day: date) -> Period:
    start = (day - _EPOCH.date()).days * DAY
    return Period(start, start + DAY)


def month_period(year: int, month: int) -> Period:
    """Return the month, from 1 to 12. Raises ValueError for any other."""
    start = day_period(date(year, month, 1)).start
    return Period(start, start + monthrange(year, month)[1] * DAY)


def year_period(year: int) -> Period:
    """Return the year, from 1 to 9999. Raises ValueError for any other."""
    return Period(day_period(date(year, 1, 1)).start, day_period(date(year, 12, 31)).end)


def season_period(year: int, season: int) -> Period:
    """Return three months from March, June, September or December of the year; 0 is spring. Winter ends in the next year."""
    last = (year, 3 * season + 5) if season < 3 else (year + 1, 2)
    return Period(month_period(year, 3 * season + 3).start, month_period(*last).end)


def quarter_period(year: int, quarter: int) -> Period:
    """Return three months; quarter is 1 to 4."""
    return Period(month_period(year, 3 * quarter - 2).start, month_period(year, 3 * quarter).end)


def half_period(year: int, half: int) -> Period:
    """Return six months; half is 1 or 2."""
    return Period(month_period(year, 6 * half - 5).start, month_period(year, 6 * half).end)


def week_of_month(year: int, month: int, number: int) -> Period:
    """Return seven days of a month, the first from the 1st, the second from the 8th; 0 is the last, to the month's end.

    February's last is its fourth, in a leap year too.
    """
    whole = month_period(year, month)
    if number == 0 and month != 2:
        return Period(whole.end - 7 * DAY, whole.end)
    start = whole.start + 7 * ((number or 4) - 1) * DAY
    return Period(start, start + 7 * DAY)


def decade_period(century: int | None, tens: int) -> Period:
    """Return ten years; without a century the latest that is over or is now, up to the twenties of this one."""
    first = (century if century is not None else 20 if tens <= 2 else 19) * 100 + 10 * tens
    return Period(year_period(first).start, year_period(first + 9).end)


def shifted_period(now: datetime, unit: str, shift: int) -> Period:
    """Return the day, week, month or year that lies `shift` of them from the one `now` is in; weeks begin on Monday."""
    today = now.date()
    if unit == "day":
        return day_period(today + timedelta(days=shift))
    if unit == "week":
        start = day_period(today + timedelta(days=7 * shift - today.weekday())).start
        return Period(start, start + 7 * DAY)
    if unit == "month":
        year, month = divmod(today.year * 12 + today.month - 1 + shift, 12)
        return month_period(year, month + 1)
    return year_period(today.year + shift)


_MULTIPLES = {"fortnight": ("week", 2), "quarter": ("month", 3), "decade": ("year", 10), "weekend": ("week", 1)}
"""Units that are so many of another."""
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def counted(unit: str, count: float, now: datetime) -> Period:
    """Return the day, month or year that lies so many units from now; the second for units of the clock."""
    base, times = _MULTIPLES.get(unit, (unit, 1))
    if base in _SECONDS:
        return second_period(now + timedelta(seconds=count * _SECONDS[base]))
    count *= times
    if base == "week":
        return shifted_period(now, "day", round(7 * count))
    if count != int(count):
        if base == "year":
            return shifted_period(now, "month", round(12 * count))
        return shifted_period(now, "day", round(_DAYS[base] * count))
    return shifted_period(now, base, int(count))


def recent(unit: str, count: float, now: datetime) -> Period:
    """Return the stretch of so many units that ends with today."""
    base, times = _MULTIPLES.get(unit, (unit, 1))
    days = 1 if base in _SECONDS else round(_DAYS[base] * count * times)
    today = shifted_period(now, "day", 0)
    return Period(today.start - days * DAY, today.end)


def unit_near(unit: str, shift: int, now: datetime) -> Period:
    """Return the last (-1), this (0) or next (1) unit of the calendar, a quarter, a decade and a weekend included."""
    if unit == "weekend":
        return weekend(shift, now)
    if unit == "quarter":
        first = now.year * 4 + (now.month - 1) // 3 + shift
        return quarter_period(first // 4, first % 4 + 1)
    if unit == "decade":
        first = now.year // 10 * 10 + 10 * shift
        return Period(year_period(first).start, year_period(first + 9).end)
    base, _ = _MULTIPLES.get(unit, (unit, 1))
    return counted(base, shift, now) if base in _SECONDS else shifted_period(now, base, shift)


def weekend(shift: int, now: datetime) -> Period:
    """Return the weekend of this week (0), or the nearest one wholly before (-1, -2) or after (1) today."""
    today = now.date()
    saturday = today + timedelta(days=5 - today.weekday() + 7 * min(shift, 0))
    if shift > 0 and today.weekday() >= 5:
        saturday += timedelta(days=7)
    return Period(day_period(saturday).start, day_period(saturday + timedelta(days=1)).end)


def occurrence(of_year: Callable[[int], Period], shift: int, now: datetime) -> Period:
    """Return what comes once a year: the latest that has ended (-1), that of this year (0), or the first to come (1)."""
    today = shifted_period(now, "day", 0)
    if shift == 0:
        return of_year(now.year)
    if shift > 0:
        return next(period for year in (now.year, now.year + 1) if (period := of_year(year)).start > today.start)
    years = (now.year, now.year - 1, now.year - 2)
    return next(period for year in years if (period := of_year(year)).end <= today.start)


_SHARES = {
    "early": (0, 4), "middle": (4, 8), "late": (8, 12), "begin": (0, 2), "end": (10, 12), "first_half": (0, 6), "second_half": (6, 12),
}  # fmt: skip
"""Where a part of a month or a year begins and ends, in twelfths: the end of a year is two months, of a month five days."""


def part_of(period: Period, part: str) -> Period:
    """Return the early, middle, late, begin, end, first_half or second_half of a period, in whole days."""
    first, last = _SHARES[part]
    days = (period.end - period.start) / DAY
    begin = date_of(period.start)
    if 365 <= days <= 366 and begin.timetuple().tm_yday == 1:
        return Period(month_period(begin.year, first + 1).start, month_period(begin.year, last).end)
    first, last = first / 12, last / 12
    return Period(period.start + round(first * days) * DAY, period.start + max(round(last * days), 1) * DAY)
