"""What a date, a stretch of time and an age mean, as milliseconds since 1970 and as words."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal, NamedTuple

from mcp_memory.errors import InvalidInput

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
        """The longest unit the period fills: a moment given to the minute has the precision "minute"."""
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


def parse_period(text: str, *, now: datetime) -> Period:
    """The period a date, a date and time, or a relative day names; `now` is aware.

    A time with a zone is converted to UTC; one without is taken at face value, as if it were UTC. Relative words
    count from the calendar date that `now` shows in its own zone. Raises InvalidInput where nothing is understood or
    the date does not exist.
    """
    wanted = " ".join(text.casefold().split())
    try:
        for pattern, read in _FORMS:
            if found := pattern.fullmatch(wanted):
                period = read(found, now)
                if _FIRST <= period.start < period.end <= _LAST:
                    return period
                break
    except (ValueError, OverflowError):
        pass
    shown = text if len(text) <= 60 else text[:59] + "…"
    raise InvalidInput(
        f"{shown!r} is not a time that can be read; give one such as 2023-05-08, 2023-05-08T13:56Z, 2023-05, "
        "8 May 2023, 2023年5月8日, yesterday or 3 days ago."
    )


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware moment, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def zone_offset(now: datetime) -> int:
    """How far the zone of an aware moment is ahead of UTC, in milliseconds."""
    return (now.utcoffset() or timedelta()) // timedelta(milliseconds=1)


def format_day(ms: int) -> str:
    """The day at face value, as 2023-05-08; milliseconds outside the years 1 to 9999 give the nearest day inside."""
    return _from_ms(ms).date().isoformat()


def format_moment(ms: int) -> str:
    """The minute at face value, as 2023-05-08 13:56; outside the years 1 to 9999 the nearest minute inside."""
    return _from_ms(ms).replace(tzinfo=None).isoformat(" ", "minutes")


def age(ms: int, now_ms: int) -> str:
    """How long ago a moment was, in its largest whole unit, or how far ahead it lies: "3 weeks ago", "in 3 days"."""
    distance = abs(now_ms - ms)
    if distance < _MINUTE:
        return "just now"
    name, length = next((name, length) for name, length in _AGES if distance >= length)
    count = distance // length
    if name == "day" and count == 1:
        return "yesterday" if ms < now_ms else "tomorrow"
    spoken = f"{count} {name}" if count == 1 else f"{count} {name}s"
    return f"{spoken} ago" if ms < now_ms else f"in {spoken}"


_AGES = (
    ("year", 365 * DAY),
    ("month", 30 * DAY),
    ("week", 7 * DAY),
    ("day", DAY),
    ("hour", HOUR),
    ("minute", _MINUTE),
)


def _from_ms(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=min(max(ms, _FIRST), _LAST - 1))


# Written dates

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _written(found: re.Match[str], _now: datetime) -> Period:
    """A year, and whatever of month, day and time of day was given with it."""
    part = found.groupdict()
    year = int(part["year"])
    if not part.get("month"):
        return year_period(year)
    month = int(part["month"]) if part["month"].isdigit() else _MONTHS.index(part["month"][:3]) + 1
    if not part.get("day"):
        return month_period(year, month)
    day = day_period(date(year, month, int(part["day"])))
    return _at_time(day, part) if part.get("hour") else day


def _at_time(day: Period, part: dict[str, str | None]) -> Period:
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


def _epoch(found: re.Match[str], _now: datetime) -> Period:
    digits = found[0].partition(".")[0]
    return Period(int(digits), int(digits) + 1) if len(digits) == 13 else _second(int(digits) * _SECOND)


def _second(start: int) -> Period:
    return Period(start, start + _SECOND)


def day_period(day: date) -> Period:
    """The day."""
    start = (day - _EPOCH.date()).days * DAY
    return Period(start, start + DAY)


def month_period(year: int, month: int) -> Period:
    """The month, from 1 to 12. Raises ValueError for any other."""
    start = day_period(date(year, month, 1)).start
    return Period(start, start + monthrange(year, month)[1] * DAY)


def year_period(year: int) -> Period:
    """The year, from 1 to 9999. Raises ValueError for any other."""
    return Period(day_period(date(year, 1, 1)).start, day_period(date(year, 12, 31)).end)


def season_period(year: int, season: int) -> Period:
    """Three months from March, June, September or December of the year; 0 is spring. Winter ends in the next year."""
    last = (year, 3 * season + 5) if season < 3 else (year + 1, 2)
    return Period(month_period(year, 3 * season + 3).start, month_period(*last).end)


def quarter_period(year: int, quarter: int) -> Period:
    """Three months; quarter is 1 to 4."""
    return Period(month_period(year, 3 * quarter - 2).start, month_period(year, 3 * quarter).end)


def half_period(year: int, half: int) -> Period:
    """Six months; half is 1 or 2."""
    return Period(month_period(year, 6 * half - 5).start, month_period(year, 6 * half).end)


def week_of_month(year: int, month: int, number: int) -> Period:
    """Seven days of a month, the first from the 1st, the second from the 8th; 0 is the last, to the month's end.

    February's last is its fourth, in a leap year too.
    """
    whole = month_period(year, month)
    if number == 0 and month != 2:
        return Period(whole.end - 7 * DAY, whole.end)
    start = whole.start + 7 * ((number or 4) - 1) * DAY
    return Period(start, start + 7 * DAY)


# Relative words

_ENGLISH = "a one two three four five six seven eight nine ten eleven twelve"
_COUNTS = {
    "an": 1,
    "两": 2,
    **{word: max(1, count) for count, word in enumerate(_ENGLISH.split())},
    **{word: count for count, word in enumerate("一二三四五六七八九十", 1)},
}
_NEAR = ("last", "this", "next")
# Each word with its unit and how many units from now it lies.
_WORDS: dict[str, tuple[str, int]] = {
    "today": ("day", 0),
    "yesterday": ("day", -1),
    "tomorrow": ("day", 1),
    "the day before yesterday": ("day", -2),
    "the day after tomorrow": ("day", 2),
    **{f"{word} {unit}": (unit, n) for n, word in enumerate(_NEAR, -1) for unit in ("week", "month", "year")},
    "今天": ("day", 0),
    "昨天": ("day", -1),
    "前天": ("day", -2),
    "大前天": ("day", -3),
    "明天": ("day", 1),
    "后天": ("day", 2),
    "大后天": ("day", 3),
    "上周": ("week", -1),
    "上星期": ("week", -1),
    "上个星期": ("week", -1),
    "上礼拜": ("week", -1),
    "本周": ("week", 0),
    "这周": ("week", 0),
    "这个星期": ("week", 0),
    "下周": ("week", 1),
    "下个星期": ("week", 1),
    "上个月": ("month", -1),
    "上月": ("month", -1),
    "本月": ("month", 0),
    "这个月": ("month", 0),
    "下个月": ("month", 1),
    "下月": ("month", 1),
    "去年": ("year", -1),
    "前年": ("year", -2),
    "今年": ("year", 0),
    "明年": ("year", 1),
    "后年": ("year", 2),
}
_UNITS = {"天": "day", "日": "day", "周": "week", "星期": "week", "礼拜": "week", "月": "month", "年": "year"}
_CLOCK_UNITS = {"second": _SECOND, "minute": _MINUTE, "hour": HOUR, "秒": _SECOND, "分钟": _MINUTE, "小时": HOUR}


def _now(_found: re.Match[str], now: datetime) -> Period:
    return _second(to_ms(now.replace(tzinfo=UTC, microsecond=0)))


def _named(found: re.Match[str], now: datetime) -> Period:
    unit, shift = _WORDS[found[0]]
    return shifted_period(now, unit, shift)


def _ago(found: re.Match[str], now: datetime) -> Period:
    count = _COUNTS.get(found["count"]) or int(found["count"])
    unit = found["unit"]
    if unit in _CLOCK_UNITS:
        return _second(_now(found, now).start - count * _CLOCK_UNITS[unit])
    if unit in ("week", "周", "星期", "礼拜"):
        return shifted_period(now, "day", -7 * count)
    return shifted_period(now, _UNITS.get(unit, unit), -count)


def shifted_period(now: datetime, unit: str, shift: int) -> Period:
    """The calendar unit that lies `shift` units from the one `now` is in; weeks begin on Monday."""
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


# Forms, the first that matches the whole text in lower case with single spaces

_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?P<year>[0-9]{4})"
_DAY_OF_MONTH = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_ZONE = r"(?: ?(?P<zone>z|utc|gmt|[+-][0-9]{2}(?::?[0-9]{2})?))?"
_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
_DATES = (
    rf"{_DAY_OF_MONTH} (?:of )?{_MONTH},? {_YEAR}",
    rf"{_MONTH} {_DAY_OF_MONTH},? {_YEAR}",
    rf"{_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})",
    rf"{_YEAR}/(?P<month>[0-9]{{1,2}})/(?P<day>[0-9]{{1,2}})",
    rf"{_YEAR} ?年 ?(?P<month>[0-9]{{1,2}}) ?月 ?(?P<day>[0-9]{{1,2}}) ?[日号]",
)
_ALONE = (
    rf"{_YEAR} ?年?",
    rf"{_YEAR}[-/](?P<month>[0-9]{{2}})",
    rf"{_MONTH},? {_YEAR}",
    rf"{_YEAR} ?年 ?(?P<month>[0-9]{{1,2}}) ?月",
    *_DATES,
    *(rf"{day}(?:t| |, | at )?{_CLOCK}(?: ?(?P<half>[ap]\.?m\.?))?{_ZONE}" for day in _DATES),
    *(rf"{_CLOCK}(?: ?(?P<half>[ap]\.?m\.?))?{_ZONE}(?: on|,)? {day}" for day in _DATES),
)
_COUNT = "(?P<count>[0-9]{1,6}|" + "|".join(_COUNTS) + ")"
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Period]], ...] = (
    *((re.compile(form), _written) for form in _ALONE),
    (re.compile(r"[0-9]{10}(?:\.[0-9]+)?|[0-9]{13}"), _epoch),
    (re.compile("now|现在"), _now),
    (re.compile("|".join(_WORDS)), _named),
    (re.compile(rf"{_COUNT} (?P<unit>second|minute|hour|day|week|month|year)s? ago"), _ago),
    (re.compile(rf"{_COUNT} ?个?(?P<unit>秒|分钟|小时|天|日|周|星期|礼拜|月|年)(?:之前|以前|前)"), _ago),
)
