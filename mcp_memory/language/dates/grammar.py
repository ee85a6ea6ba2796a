"""Phrases for a time: rules made of a vocabulary's templates, and the stretch that each phrase names."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from mcp_memory.language.dates import periods
from mcp_memory.language.dates.periods import DAY, Period, day_period, month_period, shifted_period, year_period
from mcp_memory.language.dates.vocabulary import Slots, Vocabulary
from mcp_memory.language.number_words import parse_number
from mcp_memory.language.scripts import CJK

LEAP = 2024
"""Stands for any year: it has every day."""
WINDOW = 80
"""Characters before a date in which its preposition is looked for."""
LETTER = f"[^\\W{CJK}]"
"""What a word goes on with; Chinese, Japanese and Korean write on without a blank."""
TRIES = 64
"""Places looked at in a text: no sentence names more, and a text of nothing else takes 10 ms."""
_WORD_EDGES = (f"(?<!{LETTER})", f"(?!{LETTER})")
# Not inside a longer number, a path or an amount.
_FIGURE_EDGES = (rf"(?:(?<![\w$€£¥#/.:@-])|(?<=mid-)|(?<=[{CJK}]))", rf"(?!{LETTER}|%|[./:@-]\w)")
_NUMBER_EDGES = (r"(?<!\d)", "")


@dataclass(frozen=True, slots=True)
class Read:
    """The stretch of time that a phrase names."""

    period: Period
    yearly: bool = False
    """Without its year: one of any year."""


Reader = Callable[[Slots, datetime], Read]


@dataclass(frozen=True, slots=True)
class Rule:
    """A form of phrase and what it means. The reader raises ValueError or OverflowError for a date there is not."""

    form: str
    """As a regular expression without its edges, which is compiled when something may have this form."""
    edges: tuple[str, str]
    read: Reader
    lead: str | None = None
    """What must stand before it, likewise."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The rules of one language."""

    vocabulary: Vocabulary
    master: re.Pattern[str]
    """Where any of the rules may match."""
    rules: Sequence[Rule]

    def matches(self, text: str, now: datetime) -> Iterator[tuple[int, int, Read]]:
        """Yield start, end and meaning of each phrase: at each place the longest that has one."""
        at = 0
        for _ in range(TRIES):
            place = self.master.search(text, at)
            if place is None:
                return
            at = place.start()
            best = max(self._read(text, at, now), key=lambda found: found[1], default=None)
            if best is not None:
                yield best
            at = best[1] if best else at + 1

    def _read(self, text: str, at: int, now: datetime) -> Iterator[tuple[int, int, Read]]:
        for rule in self.rules:
            match = _compiled(rule.form.join(rule.edges)).match(text, at)
            if match is None or not (rule.lead is None or _compiled(rule.lead).search(text, max(0, at - WINDOW), at)):
                continue
            with suppress(ValueError, OverflowError):
                yield at, match.end(), rule.read(self.vocabulary.slots(match), now)


_compiled = cache(re.compile)


@cache
def grammar(vocabulary: Vocabulary) -> Grammar:
    """Return the rules for a vocabulary's phrases, and for the figures that every language writes."""
    rules = [*_phrases(vocabulary), *_after_words(vocabulary), *(_figures(vocabulary) if vocabulary.spaced else ())]
    # What many begin and end with is looked at once for each place, and compiled once: it halves the time of both.
    edges = dict.fromkeys(rule.edges for rule in rules)
    forms = {pair: "|".join(_bare(rule.form) for rule in rules if rule.edges == pair) for pair in edges}
    master = re.compile("|".join(f"{begin}(?:{forms[begin, end]}){end}" for begin, end in edges))
    return Grammar(vocabulary, master, rules)


def _bare(form: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", form)


def _phrases(vocabulary: Vocabulary) -> Iterator[Rule]:
    edges = _WORD_EDGES if vocabulary.spaced else _NUMBER_EDGES
    for meaning, templates in vocabulary.phrases.items():
        for template in templates:
            yield Rule(f"(?:{vocabulary.expand(template)})", edges, _READERS[meaning])


def _after_words(vocabulary: Vocabulary) -> Iterator[Rule]:
    """Yield the rules for a month, a season or a weekday that is a time only after certain words."""
    after, stretch = vocabulary.after, vocabulary.stretch
    if not after:
        return
    month, article = after["month"], f"(?: (?:{after['article']}))?" if "article" in after else ""
    parts = "|".join(vocabulary.parts.values())
    opening = f"{month}|{stretch['from']}|{parts}|(?:{stretch['from']}) \\w+ (?:{stretch['to']})"
    for slot, words, read in (
        ("month", f"(?:{opening}){article}", _date),
        ("season", f"(?:{month}){article}", _date),
        ("weekday", after.get("weekday"), _near(-1)),
        ("certain_month", after.get("certain_month"), _date),
    ):
        if words:
            lead = rf"(?<!\w)(?:{words})\s*$".replace(" ", r"\s+")
            yield Rule(vocabulary.expand(f"{{{slot}}}"), _WORD_EDGES, read, lead)


_YEAR = r"(?P<year>(?:19|20)\d\d)"
_SHORT_YEAR = r"(?P<year>(?:19|20)\d\d|['’]\d\d)"
_MONTH, _DAY = r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_EITHER = "(?P<either>)"
"""Marks a form in which the number over 12 is the day, wherever it stands."""
_CLOCK = periods.CLOCK + periods.ZONE
_FIGURES = (
    rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})(?:-(?P<day>\d{{2}})(?:[t ]{_CLOCK})?)?",
    r"(?P<year>\d{4})-?w(?P<week>\d{2})",
    rf"{_YEAR}/{_MONTH}/{_DAY}",
    rf"{_YEAR}\.{_MONTH}\.{_DAY}",
    rf"{_DAY}\.\s?{_MONTH}\.\s?{_YEAR}{_EITHER}",
    rf"{_DAY}-{_MONTH}-{_YEAR}{_EITHER}",
    rf"(?:q(?P<quarter>[1-4])|(?P<quarter2>[1-4])(?:st|nd|rd|th)?\s+quarter)(?:,?\s*(?:of\s+|/)?{_SHORT_YEAR})?",
    rf"{_YEAR}[\s-]?q(?P<quarter>[1-4])",
    rf"h(?P<half_year>[12])\s*{_SHORT_YEAR}",
    r"(?P<century>19|20)?(?P<decade>\d)0['’]?(?:s|er(?:[ -]?jahren?)?|-[хе](?: годов)?)",
    r"(?:années|años|anos|anni|jaren) ['’]?(?P<century>19|20)?(?P<decade>\d)0",
    rf"{_YEAR}(?: года?| году| г\.)?(?!\s?(?:%|km|kg|rpm|px|ms|mb|gb|items|rows|tokens|times|words|people))",
    rf"{_YEAR}\s?[-–/]\s?(?P<last_year>(?:19|20)\d\d|\d\d)",
)


def _figures(vocabulary: Vocabulary) -> Iterator[Rule]:
    first, second = (_MONTH, _DAY) if vocabulary.code == "en" else (_DAY, _MONTH)
    for form in (*_FIGURES, rf"{first}/{second}/(?P<year>(?:19|20)\d\d|\d\d){_EITHER}"):
        yield Rule(f"(?:{form})", _FIGURE_EDGES, _date)
    yield Rule(r"['’](?P<year>\d\d)(?!\w)", ("", ""), _date, r"(?<!\w)(?:in|of|since|before|after)\s+$")


# What the slots of a phrase say together


def _counted(sign: int) -> Reader:
    return lambda slots, now: Read(periods.counted(slots.get("unit", "day"), sign * _count(slots), now))


def _recent(slots: Slots, now: datetime) -> Read:
    """Read the stretch that ends today; without a unit, as in "the other day", it is of seven days."""
    unit = slots.get("unit")
    return Read(periods.recent(unit or "day", _count(slots) if unit else 7, now))


def _count(slots: Slots) -> float:
    return _number(slots.get("count", 1)) + (0.5 if "half" in slots else 0)


def _near(shift: int) -> Reader:
    """Return a reader of the last (-1), this (0) or next (1) unit, weekday, month, season or holiday."""

    def read(slots: Slots, now: datetime) -> Read:
        if "weekday" in slots:
            ahead = (slots["weekday"] - now.weekday()) % 7
            return Read(shifted_period(now, "day", {-1: ahead - 7, 0: ahead, 1: ahead or 7}[shift]))
        if (unit := slots.get("unit")) is None:
            return Read(periods.occurrence(lambda year: _in_year(year, slots), shift, now))
        part = slots.get("part")
        # The end of the year is the last one until December.
        ended = unit == "year" and part == "end" and now.month < 12
        return Read(_part(periods.unit_near(unit, shift - ended, now), part))

    return read


def _latest(slots: Slots, now: datetime) -> Read:
    """Read "the weekend": this week's once it has begun, else the last one."""
    return Read(periods.weekend(0 if now.weekday() >= 5 else -1, now))


def _date(slots: Slots, now: datetime) -> Read:
    if "near_day" in slots:
        return Read(shifted_period(now, "day", slots["near_day"]))
    if "near_week" in slots or "weekday" in slots:
        return Read(_in_week(slots, slots.get("near_week", 0), now))
    if "decade" in slots:
        return Read(_decade(slots))
    if "near_month" in slots:
        month = shifted_period(now, "month", slots["near_month"])
        begun = periods.date_of(month.start)
        return Read(_in_month(begun.year, begun.month, slots))
    if "near_year" in slots:
        return Read(_in_year(now.year + slots["near_year"], slots))
    return Read(_in_year(_year(slots["year"]) if "year" in slots else LEAP, slots), yearly="year" not in slots)


_READERS: Mapping[str, Reader] = {
    "ago": _counted(-1),
    "hence": _counted(1),
    "recent": _recent,
    "before_last": _near(-2),
    "last": _near(-1),
    "this": _near(0),
    "next": _near(1),
    "latest": _latest,
    "last_week": lambda slots, now: Read(_in_week(slots, -1, now)),
    "date": _date,
}


def _in_year(year: int, slots: Slots) -> Period:
    if "holiday" in slots:
        return _holiday(year, *slots["holiday"])
    if "quarter" in slots:
        return periods.quarter_period(year, _whole(slots["quarter"]))
    if "half_year" in slots:
        return periods.half_period(year, _whole(slots["half_year"]))
    if "season" in slots:
        return periods.season_period(year, slots["season"])
    if "week" in slots:
        monday = day_period(date.fromisocalendar(year, _whole(slots["week"]), 1))
        return Period(monday.start, monday.start + 7 * DAY)
    if "last_year" in slots:
        return _years(year, slots["last_year"])
    if "month" in slots:
        month = _whole(slots["month"])
        if month > 12 and "either" in slots:
            return _in_month(year, _whole(slots["day"]), {**slots, "day": month})
        return _in_month(year, month, slots)
    return _part(year_period(year), slots.get("part"))


def _in_month(year: int, month: int, slots: Slots) -> Period:
    if "nth" in slots:
        return periods.week_of_month(year, month, _whole(slots["nth"]))
    if "day" not in slots:
        return _part(month_period(year, month), slots.get("part"))
    first = day_period(date(year, month, _whole(slots["day"])))
    if "hour" in slots:
        return periods.at_clock(first, slots)
    if "last_day" not in slots:
        return first
    last = day_period(date(year, month, _whole(slots["last_day"])))
    if last.end <= first.start:
        raise ValueError("no stretch of days")
    return Period(first.start, last.end)


def _in_week(slots: Slots, shift: int, now: datetime) -> Period:
    """Return the week, or a day of it; its eighth stands for the weekend."""
    week = shifted_period(now, "week", shift)
    if "weekday" not in slots:
        return week
    first, last = (5, 7) if slots["weekday"] == 7 else (slots["weekday"], slots["weekday"] + 1)
    return Period(week.start + first * DAY, week.start + last * DAY)


def _holiday(year: int, month: int, day: int, length: int, weekday: int | None = None) -> Period:
    start = date(year, month, day)
    first = day_period(start).start + (0 if weekday is None else (weekday - start.weekday()) % 7 * DAY)
    return Period(first, first + length * DAY)


def _decade(slots: Slots) -> Period:
    decade, century = slots["decade"], slots.get("century")
    tens = decade if isinstance(decade, int) else _whole(decade) // 10 if len(decade) > 1 else int(decade)
    return periods.decade_period(int(century) if century and century.isdigit() else 19 if century else None, tens)


def _years(first: int, text: str) -> Period:
    last = int(text) if len(text) == 4 else first // 100 * 100 + int(text)
    if not first < last <= first + 99:
        raise ValueError("no stretch of years")
    return Period(year_period(first).start, year_period(last).end)


def _part(period: Period, part: str | None) -> Period:
    return period if part is None else periods.part_of(period, part)


def _year(text: str) -> int:
    """Return a year of four figures, or of two: those up to 69 are of this century."""
    year = _whole(text.lstrip("'’"))
    return year if year > 99 or len(text) == 4 else year + (2000 if year < 70 else 1900)


def _whole(value: int | str) -> int:
    return int(_number(value))


def _number(value: float | str) -> float:
    if not isinstance(value, str):
        return value
    number = parse_number(value.replace(",", ".").replace("○", "〇"))
    if number is None:
        raise ValueError(value)
    return float(number)
