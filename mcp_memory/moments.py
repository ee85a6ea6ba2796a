"""Which moments a sentence names: "last March", "two weeks ago", "before May 2023", "去年三月"."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Literal

from mcp_memory.errors import InvalidInput
from mcp_memory.times import Period, parse_period, to_ms

DAY = 86_400_000

Relation = Literal["in", "before", "after"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of time that a sentence names, at face value."""

    period: Period
    relation: Relation = "in"
    yearly: bool = False
    """A month or a day without its year: meant is one of any year."""

    def closeness(self, when: int) -> float:
        """How near a moment lies, from 0 to 1: 1 inside, falling with the distance.

        A day's neighbourhood falls with a mean of 7 days, a longer period's with 10 beyond its first 7 days
        (two tenths of a point of hit@5 on LoCoMo's turns over 20 days beyond the first 15, in a prototype of this ranking).
        """
        period = self._of_year(when) if self.yearly else self.period
        if self.relation == "before":
            return float(when < period.start)
        if self.relation == "after":
            return float(when >= period.end)
        gap = max(period.start - when, when - period.end, 0) / DAY
        if period.end - period.start <= DAY:
            return exp(-gap / 7)
        return exp(-max(gap - 7, 0) / 10)

    def _of_year(self, when: int) -> Period:
        """The period in the year that brings it nearest to `when`."""
        start = datetime.fromtimestamp(self.period.start / 1000, UTC)
        year = datetime.fromtimestamp(when / 1000, UTC).year
        length = self.period.end - self.period.start
        day = min(start.day, 28) if start.month == 2 else start.day
        starts = [to_ms(start.replace(year=year + shift, day=day)) for shift in (-1, 0, 1) if 1 <= year + shift <= 9999]
        nearest = min(starts, key=lambda s: max(s - when, when - s - length, 0))
        return Period(nearest, nearest + length)


def asks_when(query: str) -> bool:
    """Whether the answer to an English question is a time.

    >>> asks_when("Which year did they move in?"), asks_when("Who moved in last year?")
    (True, False)
    """
    return bool(_ASKS_WHEN.search(query))


def tells_when(text: str) -> bool:
    """Whether an English text may name a time: a guess from its letters, in 3 microseconds a turn.

    >>> tells_when("We moved in last Monday."), tells_when("We moved in.")
    (True, False)
    """
    lower = text.lower()
    return any(sign in lower for sign in _SIGNS_OF_TIME)


def moments(text: str, *, now: datetime) -> list[Moment]:
    """The moments a sentence names, in order; relative words count from the date `now` shows.

    A month without a year is the one of any year; with "last" it is the latest that lies before `now`.
    """
    found: list[Moment] = []
    taken = 0
    for match in _PHRASE.finditer(text):
        if match.start() < taken:
            continue
        moment = _read(match, now)
        if moment is not None:
            found.append(moment)
            taken = match.end()
    return found


_MONTHS = ("january february march april may june july august september october november december").split()
_SIGNS_OF_TIME = (
    "day",
    "night",
    "week",
    "month",
    "year",
    " ago",
    "last ",
    "next ",
    *(m for m in _MONTHS if m != "may"),
)
_ASKS_WHEN = re.compile(r"\bwhen\b|\b(?:what|which) (?:day|date|month|year|time)\b|\bhow long\b", re.IGNORECASE)
_MONTH_NAMES = "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in _MONTHS) + "|sept"
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_SEASONS = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}
_COUNT = r"(?:\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|a few|a couple of|several)"
_UNIT = r"(?:second|minute|hour|day|week|month|year)s?"
_HAN = r"(?:[一二两三四五六七八九十]{1,3}|\d{1,2})"

_DATES = "|".join(
    (
        r"\d{4}-\d{2}(?:-\d{2})?(?:[T ]\d{2}:\d{2}(?::\d{2})?)?",
        rf"\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTH_NAMES})\b(?:,? \d{{4}})?",
        rf"(?:{_MONTH_NAMES}) \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?",
        rf"(?:{_MONTH_NAMES}),? \d{{4}}",
        rf"(?:last|this|next|past) (?:{_MONTH_NAMES})\b",
        rf"(?:(?<=in )|(?<=of )|(?<=during )|(?<=since )|(?<=before )|(?<=after )|(?<=until )|(?<=by ))(?:{_MONTH_NAMES})\b",
        rf"(?:last|this|next|past) (?:{'|'.join(_WEEKDAYS)}|{'|'.join(_SEASONS)}|weekend|week|month|year|night)\b",
        rf"{_COUNT} {_UNIT} ago",
        r"the day before yesterday|yesterday|today|tonight|tomorrow",
        r"\b(?:19|20)\d{2}\b",
        r"\d{4}年(?:\d{1,2}月(?:\d{1,2}[日号])?)?",
        rf"(?:去年|今年|明年|前年)(?:{_HAN}月(?:份)?)?",
        rf"{_HAN}月{_HAN}[日号]|{_HAN}月(?:份)?(?![前后内])",
        rf"{_HAN}个?(?:天|日|周|星期|礼拜|月|年)(?:以)?前",
        r"上个?(?:周|星期|礼拜|月)|这个?(?:周|星期|月)|前天|昨天|昨晚|今天|今晚|明天",
    )
)
_PHRASE = re.compile(
    rf"(?:\b(?P<relation>before|after|since|until|prior to)\s+(?:the (?:\w+ (?:in|on|of) )?)?)?(?P<date>{_DATES})(?P<tail>之?[前后]|以[前后])?",
    re.IGNORECASE,
)
_RELATIONS: dict[str, Relation] = {
    "before": "before",
    "until": "before",
    "prior to": "before",
    "after": "after",
    "since": "after",
}
_FEW = {"a few": "3", "several": "3", "a couple of": "2", "an": "1", "a": "1"}
_HAN_DIGITS = {han: number for number, han in enumerate("零一二三四五六七八九")} | {"两": 2}


def _read(match: re.Match[str], now: datetime) -> Moment | None:
    phrase = match["date"].casefold()
    relation = _RELATIONS.get((match["relation"] or "").casefold(), "in")
    if match["tail"]:
        relation = "before" if match["tail"].endswith("前") else "after"
    try:
        period, yearly = _period(phrase, now)
    except (InvalidInput, ValueError):
        return None
    if relation == "after" and match["relation"] and match["relation"].casefold() == "since":
        period = Period(period.start, period.start)
    return Moment(period, relation, yearly)


def _period(phrase: str, now: datetime) -> tuple[Period, bool]:
    """The period of a phrase, and whether it is one of any year."""
    phrase = re.sub(r"(?<=\d)(?:st|nd|rd|th)?(?: of)?(?= [a-z])|(?<=\d)(?:st|nd|rd|th)\b", "", phrase)
    for few, number in _FEW.items():
        phrase = re.sub(rf"^{few} (?=\w+ ago)", f"{number} ", phrase)
    if re.fullmatch(rf"{_HAN}月.*|[去今明前]年.+", phrase):
        return _chinese(phrase, now)
    word, _, rest = phrase.partition(" ")
    if word in ("last", "past", "this", "next") and rest:
        return _relative(word, rest, now), False
    if phrase == "tonight":
        phrase = "today"
    if phrase in ("昨晚", "今晚"):
        phrase = phrase.replace("晚", "天")
    if re.search(r"[a-z]", phrase) and not re.search(r"\d{4}|ago|day|tomorrow", phrase):
        # No year: 2024 has every day, so 29 February is read; the year is left open.
        return parse_period(f"{phrase} 2024", now=now), True
    return parse_period(phrase, now=now), False


def _relative(word: str, rest: str, now: datetime) -> Period:
    today = parse_period("today", now=now).start
    here = datetime.fromtimestamp(today / 1000, UTC)
    if rest == "night":
        return parse_period("yesterday", now=now)
    if rest == "weekend":
        saturday = here - timedelta(
            days=(here.weekday() - 5) % 7 + (7 if word != "this" and here.weekday() >= 5 else 0)
        )
        return Period(to_ms(saturday), to_ms(saturday + timedelta(days=2)))
    if rest in _WEEKDAYS:
        back = (here.weekday() - _WEEKDAYS.index(rest)) % 7 or 7
        day = here + timedelta(days=7 - back if word == "next" else -back)
        return Period(to_ms(day), to_ms(day) + DAY)
    if rest in _SEASONS:
        return _latest(lambda year: _months(year, _SEASONS[rest], 3), here, word)
    if rest in ("week", "month", "year"):
        return parse_period(f"{'last' if word == 'past' else word} {rest}", now=now)
    number = next(i for i, name in enumerate(_MONTHS, start=1) if name.startswith(rest[:3]))
    return _latest(lambda year: _months(year, number, 1), here, word)


def _latest(of_year: Callable[[int], Period], here: datetime, word: str) -> Period:
    """The latest that has ended (last), the one of this year (this), or the first still to come (next)."""
    at = to_ms(here)
    if word == "this":
        return of_year(here.year)
    if word == "next":
        return next(period for year in (here.year, here.year + 1) if (period := of_year(year)).start > at)
    return next(period for year in (here.year, here.year - 1, here.year - 2) if (period := of_year(year)).end <= at)


def _months(year: int, first: int, count: int) -> Period:
    last = first + count - 1
    end = datetime(year + last // 12, last % 12 + 1, 1, tzinfo=UTC)
    return Period(to_ms(datetime(year, first, 1, tzinfo=UTC)), to_ms(end))


def _chinese(phrase: str, now: datetime) -> tuple[Period, bool]:
    year_word = re.match("[去今明前]年", phrase)
    numbers = [_han_number(part) for part in re.findall(rf"({_HAN})[月日号]", phrase)]
    year = 2024
    if year_word:
        year = now.year + {"去": -1, "今": 0, "明": 1, "前": -2}[phrase[0]]
    if not numbers:
        return _months(year, 1, 12), False
    if len(numbers) == 1:
        return _months(year, numbers[0], 1), not year_word
    day = to_ms(datetime(year, numbers[0], numbers[1], tzinfo=UTC))
    return Period(day, day + DAY), not year_word


def _han_number(text: str) -> int:
    """Raises ValueError for what is no number up to 99."""
    if text.isdigit():
        return int(text)
    tens, mark, ones = text.partition("十")
    digits = [_HAN_DIGITS.get(part) for part in (tens or "一", ones or "零")] if mark else [0, _HAN_DIGITS.get(text)]
    if digits[0] is None or digits[1] is None:
        raise ValueError(text)
    return 10 * digits[0] + digits[1]
