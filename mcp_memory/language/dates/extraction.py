"""The moments that a sentence names: "last March", "two weeks ago", "before May 2023", "去年三月", "vor zwei Wochen"."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from math import exp
from typing import Literal

from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.fallback import read_foreign
from mcp_memory.language.dates.grammar import WINDOW, Grammar, grammar
from mcp_memory.language.dates.periods import (
    CLOCK,
    DAY,
    ZONE,
    Period,
    at_clock,
    day_period,
    is_known,
    month_period,
    part_of,
    second_period,
    to_ms,
    year_period,
)
from mcp_memory.language.dates.vocabulary import PARTS, RELATIONS, SPACED, UNSPACED, Vocabulary, simplified, vocabulary
from mcp_memory.language.detection import possible_languages
from mcp_memory.language.number_words import MONTHS
from mcp_memory.language.scripts import CJK

LONGEST = 4000
"""Characters of a text that are read: more is no sentence."""

Relation = Literal["in", "before", "after"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of time that a sentence names, at face value."""

    period: Period
    relation: Relation = "in"
    yearly: bool = False
    """A month or a day without its year: meant is one of any year."""

    def closeness(self, stated: Period) -> float:
        """Return how near a stated period lies, from 0 to 1: 1 where they overlap, falling with the distance.

        A day's neighbourhood falls with a mean of 7 days, a longer period's with 10 beyond its first 7 days
        (two tenths of a point of hit@5 on LoCoMo's turns over 20 days beyond the first 15, in a prototype of this ranking).
        """
        period = self.nearest(stated.start) if self.yearly else self.period
        if self.relation == "before":
            return float(stated.start < period.start)
        if self.relation == "after":
            return float(stated.start >= period.end)
        gap = max(period.start - stated.start, stated.start - period.end, 0) / DAY
        if stated.start >= period.end:
            gap = max(gap, 1.0)  # the next day begins where a period ends, and is outside
        if period.end - period.start <= DAY:
            return exp(-gap / 7)
        return exp(-max(gap - 7, 0) / 10)

    def nearest(self, when: int) -> Period:
        """Return a yearly period in the year that brings it nearest to `when`."""
        year = datetime.fromtimestamp(when / 1000, UTC).year
        years = (self.in_year(year + shift) for shift in (-1, 0, 1))
        return min(years, key=lambda period: max(period.start - when, when - period.end, 0))

    def in_year(self, year: int) -> Period:
        """Return a yearly period in the year it begins in."""
        if not 1 <= year <= 9998:
            return self.period
        start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in self.period)
        last = year + end.year - start.year
        return Period(to_ms(_moved(start, year, otherwise=(2, 28))), to_ms(_moved(end, last, otherwise=(3, 1))))


def _moved(moment: datetime, year: int, *, otherwise: tuple[int, int]) -> datetime:
    """Return the moment in another year; where that lacks 29 February, on another month and day."""
    try:
        return moment.replace(year=year)
    except ValueError:
        return moment.replace(year=year, month=otherwise[0], day=otherwise[1])


@dataclass(frozen=True, slots=True)
class _Found:
    """A moment, with where its date stands and where it and its prepositions do."""

    date_start: int
    start: int
    end: int
    moment: Moment
    language: Vocabulary


def asks_when(query: str) -> bool:
    """Return whether the answer to an English question is a time.

    >>> asks_when("Which year did they move in?"), asks_when("Who moved in last year?")
    (True, False)
    """
    return bool(_ASKS_WHEN.search(query))


def tells_when(text: str) -> bool:
    """Return whether an English text may name a time: a guess from its letters, in 3 microseconds a turn.

    >>> tells_when("We moved in last Monday."), tells_when("We moved in.")
    (True, False)
    """
    lower = text.lower()
    return any(sign in lower for sign in _SIGNS_OF_TIME)


_ASKS_WHEN = re.compile(r"\bwhen\b|\b(?:what|which) (?:day|date|month|year|time)\b|\bhow long\b", re.IGNORECASE)
_SIGNS_OF_TIME = (
    *("day", "night", "week", "month", "year", " ago", "last ", "next "),
    *(month for month in MONTHS if len(month) > 4 or month in ("june", "july")),  # "may" is more often a verb
)


def moments(text: str, *, now: datetime) -> list[Moment]:
    """Return the moments a sentence names, in order; relative words count from the date `now` shows.

    A month without a year is the one of any year; with "last" it is the latest that lies before `now`.
    5/7/2023 is the seventh of May in English and the fifth of July in any other language; 05.07.2023 is the fifth of
    July. "Last Friday" is the latest before today, "this Friday" the first from today on; weeks begin on Monday.
    """
    return [found.moment for found in _found(text, now)]


def without_dates(text: str, *, now: datetime) -> tuple[str, list[Moment]]:
    """Return what a sentence says beside the moments it names, and these (moments)."""
    found = _found(text, now)
    ends = [0, *(each.end for each in found)]
    starts = [*(each.start for each in found), len(text)]
    return " ".join(text[end:start] for end, start in zip(ends, starts, strict=True)), [each.moment for each in found]


def text_periods(text: str, *, said: datetime) -> list[Period]:
    """Return what a text itself dates, for a match by date: relative words count from the date it was said.

    A day or a month without its year is the one nearest to that date.
    """
    named = (moment for moment in moments(text, now=said) if moment.relation == "in")
    return list(dict.fromkeys(m.nearest(to_ms(said)) if m.yearly else m.period for m in named))


def only_moment(text: str, *, now: datetime) -> Moment | None:
    """Return the one moment of a text that names nothing else, but for a preposition before it."""
    found = _found(text, now)
    if len(found) != 1:
        return None
    before, after = text[: found[0].start].strip(), text[found[0].end :].strip(" .。，,")
    alone = not after and len(before) <= 7 and " " not in before and not re.search(r"\d", before)
    return found[0].moment if alone else None


def _found(text: str, now: datetime) -> list[_Found]:
    read = text[:LONGEST]
    lowered = "".join(c if len(lower := c.lower()) != 1 else lower for c in read)
    if _EAST.search(lowered):
        lowered = simplified(lowered)
    named: list[_Found] = []
    for rules in _grammars(lowered):
        for start, end, meaning in rules.matches(lowered, now):
            named.append(_Found(start, start, end, Moment(meaning.period, "in", meaning.yearly), rules.vocabulary))
    # Where two overlap the longer counts, and of equals that whose language reads more of what stands around it.
    chosen: list[_Found] = []
    for found in sorted(named, key=lambda f: (f.date_start - f.end, -_reach(lowered, f))):
        if all(found.end <= other.date_start or other.end <= found.date_start for other in chosen):
            chosen.append(found)
    chosen.sort(key=lambda f: f.date_start)
    return _joined(lowered, list(_related(lowered, chosen)))


def _grammars(text: str) -> Iterator[Grammar]:
    """Yield the grammars of the languages the text may be in and dates something in; English reads the figures of all."""
    figures = _FIGURE.search(text) is not None
    words = set(_WORD.findall(text))
    east = _EAST.search(text) is not None
    if not figures and not east and not any(_dating(word) for word in words):
        return
    for code in dict.fromkeys((*possible_languages(text), "en")):
        if code in UNSPACED or (code in SPACED and (figures or any(code in _dating(word) for word in words))):
            yield grammar(vocabulary(code))


_FIGURE = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_]+")
_EAST = re.compile(f"[{CJK}]")


@lru_cache(maxsize=4096)
def _dating(word: str) -> tuple[str, ...]:
    """Return the languages in which a word may belong to a date."""
    return tuple(code for code in SPACED if _date_words(code).fullmatch(word))


@cache
def _date_words(code: str) -> re.Pattern[str]:
    words = vocabulary(code).words
    phrases = [pattern for slot in ("near_day", "holiday") for pattern, _ in words.get(slot, ())]
    parts = [word for word in _WORD.findall(" ".join(phrases).replace("?:", "")) if len(word) > 2]
    names = [pattern for slot in ("unit", "month", "weekday", "season", "decade") for pattern, _ in words.get(slot, ())]
    return re.compile("|".join([*names, *parts, *(pattern for pattern, _ in words["near_day"])]))


# What stands before or after a date


@cache
def _context(language: Vocabulary) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what a part of a period, and what a relation to one, look like beside it."""
    parts = "|".join(f"(?P<{name}>{language.parts[name]})" for name in PARTS if name in language.parts)
    relations = "|".join(f"(?P<{name}>{language.relations[name]})" for name in RELATIONS)
    if not language.spaced:
        return re.compile(rf"\s?(?:的)?(?:{parts})"), re.compile(rf"\s?(?:{relations})")
    link = language.relations.get("link", "(?!)")
    event = rf"(?:(?P<event>(?:\w+['’]?\w*\s+){{1,6}})(?:{link})\s+)?(?:the\s+)?"
    before = (rf"(?<!\w)(?:{parts})[\s-]*$", rf"(?<!\w)(?:{relations})\s+{event}$")
    return re.compile(before[0].replace(" ", r"\s+")), re.compile(before[1].replace(" ", r"\s+"))


def _related(text: str, chosen: Sequence[_Found]) -> Iterator[_Found]:
    """Yield each with its part and its relation, read from the words around it."""
    taken = 0
    for number, found in enumerate(chosen):
        until = chosen[number + 1].date_start if number + 1 < len(chosen) else len(text)
        found = _with_prefix(text, found, taken) if found.language.spaced else _with_suffix(text, found, until)
        yield found
        taken = found.end


def _reach(text: str, found: _Found) -> int:
    """Return how many characters are read as one with a date."""
    whole = _with_prefix(text, found, 0) if found.language.spaced else _with_suffix(text, found, len(text))
    return whole.end - whole.start


def _with_prefix(text: str, found: _Found, taken: int) -> _Found:
    part_words, relation_words = _context(found.language)
    start, moment = found.date_start, found.moment
    if part := part_words.search(text, max(taken, start - WINDOW), start):
        if moment.period.end - moment.period.start > 6 * DAY:
            name = next(name for name, value in part.groupdict().items() if value is not None)
            moment = replace(moment, period=part_of(moment.period, name))
        start = part.start()
    date_start = start
    if relation := relation_words.search(text, max(taken, start - WINDOW), start):
        name = next(name for name, value in relation.groupdict().items() if value is not None and name != "event")
        event = relation["event"] is not None
        if event and name == "until":
            return replace(found, date_start=date_start, start=start, moment=moment)
        # What happened in May may have been on any day of it.
        moment = _in_relation(moment, {"before": "until", "after": "since"}.get(name, name) if event else name)
        start = relation.start()
    found = replace(found, date_start=date_start, start=start, moment=moment)
    if not _EAST.search(text):
        return found
    return replace(_with_suffix(text, replace(found, language=vocabulary("zh")), len(text)), language=found.language)


def _with_suffix(text: str, found: _Found, until: int) -> _Found:
    part_words, relation_words = _context(found.language)
    end, moment = found.end, found.moment
    if (part := part_words.match(text, end, until)) and moment.period.end - moment.period.start > 6 * DAY:
        name = next(name for name, value in part.groupdict().items() if value is not None)
        moment, end = replace(moment, period=part_of(moment.period, name)), part.end()
    if relation := relation_words.match(text, end, until):
        name = next(name for name, value in relation.groupdict().items() if value is not None)
        moment, end = _in_relation(moment, name), relation.end()
    return replace(found, end=end, moment=moment)


def _in_relation(moment: Moment, name: str) -> Moment:
    """Return the moment in its relation. "Since" and "until" include the period: what follows its end is after it."""
    start, end = moment.period
    if name == "since":
        return replace(moment, period=Period(start, start), relation="after")
    if name == "until":
        return replace(moment, period=Period(end, end), relation="before")
    return replace(moment, relation="before" if name == "before" else "after")


def _joined(text: str, found: Sequence[_Found]) -> list[_Found]:
    """Merge two dates that bound one stretch: "between March and May 2023", "5月1日到5月8日"."""
    made: list[_Found] = []
    for here in found:
        last = made[-1] if made else None
        if last and (stretch := _stretch(text, last, here)):
            made[-1] = stretch
        else:
            made.append(here)
    return made


def _stretch(text: str, first: _Found, last: _Found) -> _Found | None:
    between = text[first.end : last.date_start].strip()
    languages = (last.language, first.language)
    language = next((each for each in languages if _fits(each.stretch["to"], between)), None)
    if not between or language is None:
        return None
    opened = not _fits(language.stretch["and"], between) or _is_opened(text, first, last, language)
    if not opened or (first.moment.period.end == first.moment.period.start and first.moment.relation == "before"):
        return None
    # "from" and "since" were read as a relation; the dates are the bounds themselves.
    start, end = first.moment.period.start, last.moment.period.end
    yearly = last.moment.yearly
    if first.moment.yearly and not yearly:
        year = datetime.fromtimestamp(last.moment.period.start / 1000, UTC).year
        start = next((s for y in (year, year - 1) if (s := first.moment.in_year(y).start) < end), start)
    if yearly and not first.moment.yearly:
        year = datetime.fromtimestamp(start / 1000, UTC).year
        end, yearly = next((e for y in (year, year + 1) if (e := last.moment.in_year(y).end) > start), end), False
    if yearly and end <= start:
        end = last.moment.in_year(2025).end
    if end <= start:
        return None
    return replace(
        last, date_start=first.date_start, start=first.start, moment=Moment(Period(start, end), "in", yearly)
    )


def _fits(words: str, text: str) -> bool:
    return re.fullmatch(words.replace(" ", r"\s+"), text) is not None


def _is_opened(text: str, first: _Found, last: _Found, language: Vocabulary) -> bool:
    """Return whether the word for "between" stands before or after two dates that only "and" joins."""
    before, after = text[: first.date_start], text[last.end :].lstrip()
    words = language.stretch
    if language.spaced:
        return re.search(rf"(?<!\w)(?:{words['between']})\s+(?:\w{{1,3}}\s+)?$", before) is not None
    return bool(re.search(words.get("between", "(?!)"), before.rstrip()) or re.match(words["after"], after))


LONGEST_DATE = 80
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
    if len(wanted) <= LONGEST_DATE:
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
