"""Which moments a sentence names: "last March", "two weeks ago", "before May 2023", "去年三月", "vor zwei Wochen"."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from math import exp
from typing import Literal

from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.cjk import CHINESE, EAST_BY_CODE, East, east_grammar, part_of, simplified
from mcp_memory.language.dates.european import BY_CODE, ENGLISH, TONGUES, Tongue
from mcp_memory.language.dates.fallback import read_foreign
from mcp_memory.language.dates.grammar import HOLIDAYS, TENS, WINDOW, Grammar, grammar
from mcp_memory.language.dates.periods import DAY, Period, parse_period, to_ms
from mcp_memory.language.detection import possible_languages
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

    def closeness(self, told: Period) -> float:
        """Return how near a stated period lies, from 0 to 1: 1 where they overlap, falling with the distance.

        A day's neighbourhood falls with a mean of 7 days, a longer period's with 10 beyond its first 7 days
        (two tenths of a point of hit@5 on LoCoMo's turns over 20 days beyond the first 15, in a prototype of this ranking).
        """
        period = self.nearest(told.start) if self.yearly else self.period
        if self.relation == "before":
            return float(told.start < period.start)
        if self.relation == "after":
            return float(told.start >= period.end)
        gap = max(period.start - told.start, told.start - period.end, 0) / DAY
        if told.start >= period.end:
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
    language: Tongue | East


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
_MONTHS = (
    "january february march april june july august september october november december"  # "may" is more often a verb
)
_SIGNS_OF_TIME = ("day", "night", "week", "month", "year", " ago", "last ", "next ", *_MONTHS.split())


def moments(text: str, *, now: datetime) -> list[Moment]:
    """Return the moments a sentence names, in order; relative words count from the date `now` shows.

    A month without a year is the one of any year; with "last" it is the latest that lies before `now`.
    5/7/2023 is the seventh of May in English and the fifth of July in any other language; 05.07.2023 is the fifth of
    July. "Last Friday" is the latest before today, "this Friday" the first from today on; weeks begin on Monday.
    """
    return [found.moment for found in _found(text, now)]


def beside_dates(text: str, *, now: datetime) -> tuple[str, list[Moment]]:
    """Return what a sentence says beside the moments it names, and these (moments)."""
    found = _found(text, now)
    ends = [0, *(each.end for each in found)]
    starts = [*(each.start for each in found), len(text)]
    return " ".join(text[end:start] for end, start in zip(ends, starts, strict=True)), [each.moment for each in found]


def told_periods(text: str, *, said: datetime) -> list[Period]:
    """Return what a text itself dates, for a match by date: relative words count from the date it was said.

    A day or a month without its year is the one nearest to that date.
    """
    named = (moment for moment in moments(text, now=said) if moment.relation == "in")
    return list(dict.fromkeys(m.nearest(to_ms(said)) if m.yearly else m.period for m in named))


def read_period(text: str, *, now: datetime) -> Period:
    """The period a text names and nothing else, in any of the ways people write one.

    A month or day without a year is the latest that has begun. Raises InvalidInput with what can be read.
    """
    try:
        return parse_period(text, now=now)
    except InvalidInput as problem:
        wanted = " ".join(text.split())
        for attempt in (wanted, f"in {wanted}", f"on {wanted}") if len(wanted) <= 80 else ():
            found = list(_found(attempt, now))
            if len(found) == 1 and _covers(attempt, found[0]):
                return _latest(found[0].moment, now)
        if foreign := read_foreign(wanted, now=now):
            return foreign
        raise problem


def _covers(text: str, found: _Found) -> bool:
    """Whether nothing but a preposition stands beside what was found."""
    before, after = text[: found.start].strip(), text[found.end :].strip(" .。，,")
    return not after and len(before) <= 7 and " " not in before and not re.search(r"\d", before)


def _latest(moment: Moment, now: datetime) -> Period:
    if not moment.yearly:
        return moment.period
    here = to_ms(now.replace(tzinfo=UTC))
    this = moment.in_year(now.year)
    return this if this.start <= here else moment.in_year(now.year - 1)


def _found(text: str, now: datetime) -> list[_Found]:
    read = text[:LONGEST]
    lowered = simplified("".join(c if len(lower := c.lower()) != 1 else lower for c in read))
    named: list[_Found] = []
    for language, rules in _grammars(lowered):
        for start, end, meaning in rules.matches(lowered, now):
            named.append(_Found(start, start, end, Moment(meaning.period, "in", meaning.yearly), language))
    # Where two overlap the longer counts, and of equals that whose language reads more of what stands around it.
    chosen: list[_Found] = []
    for found in sorted(named, key=lambda f: (f.date_start - f.end, -_reach(lowered, f))):
        if all(found.end <= other.date_start or other.end <= found.date_start for other in chosen):
            chosen.append(found)
    chosen.sort(key=lambda f: f.date_start)
    return _joined(lowered, list(_related(lowered, chosen)))


def _grammars(text: str) -> Iterator[tuple[Tongue | East, Grammar]]:
    """The grammars of the languages the text may be in and dates something in; English reads the figures of all."""
    figures = _FIGURE.search(text) is not None
    dating = {code for word in set(_WORD.findall(text)) for code in _dating(word)}
    if not figures and not dating and not _EAST.search(text):
        return
    for code in dict.fromkeys((*possible_languages(text), "en")):
        if code in EAST_BY_CODE:
            yield EAST_BY_CODE[code], east_grammar(EAST_BY_CODE[code])
        elif code in BY_CODE and (figures or code in dating):
            yield BY_CODE[code], grammar(BY_CODE[code])


_FIGURE = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_]+")
_EAST = re.compile(f"[{CJK}]")


@lru_cache(maxsize=4096)
def _dating(word: str) -> tuple[str, ...]:
    """The tongues in which a word may belong to a date."""
    return tuple(tongue.code for tongue in TONGUES if _dates_in(tongue).fullmatch(word))


@cache
def _dates_in(tongue: Tongue) -> re.Pattern[str]:
    phrases = " ".join([*tongue.days, *(HOLIDAYS if tongue is ENGLISH else ())])
    words = [word for word in _WORD.findall(phrases.replace("?:", "")) if len(word) > 2]
    names = "|".join(
        [*tongue.units.values(), *tongue.months.split(), *tongue.weekdays.split(), *tongue.seasons.split()]
    )
    more = [*TENS] if tongue is ENGLISH else []
    return re.compile("|".join([names, *words, *more, *tongue.days]))


# What stands before or after a date


@cache
def _before(tongue: Tongue) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What a part of a period, and what a relation to one, look like before it."""
    parts = "|".join(
        f"(?P<{name}>{getattr(tongue, name)})"
        for name in ("early", "middle", "late", "begin", "end", "first_half", "second_half")
    )
    relations = "|".join(f"(?P<{name}>{getattr(tongue, name)})" for name in ("since", "until", "before", "after"))
    event = rf"(?:(?P<event>(?:\w+['’]?\w*\s+){{1,6}})(?:{tongue.linking})\s+)?(?:the\s+)?"
    spaced = (
        re.compile(p.replace(" ", r"\s+"))
        for p in (rf"(?<!\w)(?:{parts})[\s-]*$", rf"(?<!\w)(?:{relations})\s+{event}$")
    )
    return next(spaced), next(spaced)


@cache
def _after(east: East) -> tuple[re.Pattern[str], re.Pattern[str]]:
    parts = "|".join(f"(?P<{name}>{words})" for name, words in east.parts.items())
    relations = "|".join(f"(?P<{name}>{getattr(east, name)})" for name in ("since", "until", "before", "after"))
    return re.compile(rf"\s?(?:的)?(?:{parts})"), re.compile(rf"\s?(?:{relations})")


def _related(text: str, chosen: Sequence[_Found]) -> Iterator[_Found]:
    """Each with its part and its relation read from the words around it."""
    taken = 0
    for number, found in enumerate(chosen):
        until = chosen[number + 1].date_start if number + 1 < len(chosen) else len(text)
        found = (
            _with_prefix(text, found, taken) if isinstance(found.language, Tongue) else _with_suffix(text, found, until)
        )
        yield found
        taken = found.end


def _reach(text: str, found: _Found) -> int:
    """How many characters of the words around a date are read with it."""
    whole = _with_prefix(text, found, 0) if isinstance(found.language, Tongue) else _with_suffix(text, found, len(text))
    return whole.end - whole.start


def _with_prefix(text: str, found: _Found, taken: int) -> _Found:
    assert isinstance(found.language, Tongue)
    part_words, relation_words = _before(found.language)
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
    return (
        found
        if text.isascii()
        else replace(_with_suffix(text, replace(found, language=CHINESE), len(text)), language=found.language)
    )


def _with_suffix(text: str, found: _Found, until: int) -> _Found:
    assert isinstance(found.language, East)
    part_words, relation_words = _after(found.language)
    end, moment = found.end, found.moment
    if (part := part_words.match(text, end, until)) and moment.period.end - moment.period.start > 6 * DAY:
        name = next(name for name, value in part.groupdict().items() if value is not None)
        moment, end = replace(moment, period=part_of(moment.period, name)), part.end()
    if relation := relation_words.match(text, end, until):
        name = next(name for name, value in relation.groupdict().items() if value is not None)
        moment, end = _in_relation(moment, name), relation.end()
    return replace(found, end=end, moment=moment)


def _in_relation(moment: Moment, name: str) -> Moment:
    """ "Since" holds the period itself, "until" too: what follows its end is after, what comes before it is before."""
    start, end = moment.period
    if name == "since":
        return replace(moment, period=Period(start, start), relation="after")
    if name == "until":
        return replace(moment, period=Period(end, end), relation="before")
    return replace(moment, relation="before" if name == "before" else "after")


def _joined(text: str, found: Sequence[_Found]) -> list[_Found]:
    """Two dates that bound one stretch made one: "between March and May 2023", "5月1日到5月8日"."""
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
    language = next((each for each in languages if re.fullmatch(each.joined.replace(" ", r"\s+"), between)), None)
    if not between or language is None:
        return None
    opened = True
    if isinstance(language, Tongue) and re.fullmatch(r"and|und|et(?: le)?|y(?: el)?|e(?: il)?|en|и", between):
        opened = bool(
            re.search(
                r"(?<!\w)(?:between|zwischen|entre|tra|fra|tussen|между)\s+(?:\w{1,3}\s+)?$", text[: first.date_start]
            )
        )
    if isinstance(language, East) and between in "和与跟と와과":
        opened = text[: first.date_start].rstrip().endswith(("在", "从", "于", "介于")) or text[
            last.end :
        ].lstrip().startswith(("之间", "的间", "の间", "사이"))
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
