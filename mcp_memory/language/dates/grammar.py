"""Phrases for a time in languages written with spaces: rules made of the tables of tongues, and what each means."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial

from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.european import ENGLISH, Tongue
from mcp_memory.language.dates.periods import (
    DAY,
    Period,
    day_period,
    half_period,
    month_period,
    parse_period,
    quarter_period,
    season_period,
    shifted_period,
    week_of_month,
    year_period,
)
from mcp_memory.language.scripts import CJK

LEAP = 2024
"""Stands for any year: it has every day."""
WINDOW = 80
"""Characters before a date in which its preposition is looked for."""
LETTER = f"[^\\W{CJK}]"
"""What a word goes on with; Chinese, Japanese and Korean write on without a blank."""
_BEGIN = f"(?<!{LETTER})"
_END = f"(?!{LETTER})"
# Not inside a longer number, a path or an amount.
_FIGURE_BEGIN = rf"(?:(?<![\w$€£¥#/.:@-])|(?<=mid-)|(?<=[{CJK}]))"
_FIGURE_END = rf"(?!{LETTER}|%|[./:@-]\w)"
TRIES = 64
"""Places looked at in a text: no sentence names more, and a text of nothing else takes 10 ms."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a phrase means."""

    period: Period
    yearly: bool = False
    """Without its year: one of any year."""


Reader = Callable[[re.Match[str], datetime], Read]


@dataclass(frozen=True, slots=True)
class Rule:
    """A form of phrase and what it means. The reader raises ValueError, or InvalidInput, for a date there is not."""

    form: str
    """As a regular expression, which is compiled when something may have this form."""
    read: Reader
    lead: str | None = None
    """What must stand before it, likewise."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The rules of one language."""

    master: re.Pattern[str]
    """Where any of the rules may match."""
    rules: Sequence[Rule]

    def matches(self, text: str, now: datetime) -> Iterator[tuple[int, int, Read]]:
        """Start, end and meaning of each phrase: at each place the longest that has one."""
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
            match = _compiled(rule.form).match(text, at)
            if match is None or not (rule.lead is None or _compiled(rule.lead).search(text, max(0, at - WINDOW), at)):
                continue
            with suppress(ValueError, OverflowError, InvalidInput):
                yield at, match.end(), rule.read(match, now)


def grammar_of(rules: Sequence[Rule]) -> Grammar:
    """The rules with one pattern for where any of them may begin."""
    bare = [re.sub(r"\(\?P<\w+>", "(?:", rule.form) for rule in rules]
    # What many begin and end with is looked at once for each place, and compiled once: it halves the time of both.
    joined: list[str] = []
    for begin, end in ((_BEGIN, _END), (_FIGURE_BEGIN, _FIGURE_END)):
        inner = [form[len(begin) : -len(end)] for form in bare if form.startswith(begin) and form.endswith(end)]
        bare = [form for form in bare if not (form.startswith(begin) and form.endswith(end))]
        joined += [f"{begin}(?:{'|'.join(inner)}){end}"] if inner else []
    return Grammar(re.compile("|".join([*joined, *bare])), rules)


_compiled = cache(re.compile)


# Rules of a tongue


@cache
def grammar(tongue: Tongue) -> Grammar:
    """The rules for its phrases, and for the figures that every language writes."""
    parts = f"{tongue.early}|{tongue.middle}|{tongue.late}|{tongue.begin}|{tongue.end}"
    rules = [
        *_rules(tongue, tongue.ago, partial(_counted, tongue, -1)),
        *_rules(tongue, tongue.hence, partial(_counted, tongue, 1)),
        *_rules(tongue, tongue.recent, partial(_recent, tongue)),
        *_rules(tongue, tongue.last, partial(_near, -1)),
        *_rules(tongue, tongue.this, partial(_near, 0)),
        *_rules(tongue, tongue.next, partial(_near, 1)),
        *_rules(tongue, tongue.dates, _dated),
        *_rules(tongue, f"{{m}},? {tongue.year_of}", _dated),
        *_rules(tongue, f"{{s}},? {tongue.year_of}", _season),
        *_rules(
            tongue,
            "{m}",
            _dated,
            lead=f"(?:{tongue.in_month}|{tongue.between}|{parts}|(?:{tongue.between}) \\w+ (?:{tongue.joined}))(?: the| le| el| o| il)?",
        ),
        *_rules(tongue, "{s}", _season, lead=f"(?:{tongue.in_month})(?: the| dem| der| l['’]| el| la| het| de)?"),
        *_rules(tongue, "{w}", partial(_weekday, -1), lead=tongue.on),
        *(_rule(tongue, words, partial(_shift, days)) for words, days in tongue.days.items()),
        *_figures(tongue),
        *(_english_rules() if tongue is ENGLISH else ()),
    ]
    return grammar_of(rules)


def _rules(tongue: Tongue, templates: str, read: Reader, *, lead: str | None = None) -> list[Rule]:
    return [_rule(tongue, template, read, lead=lead) for template in templates.split(" / ")]


def _rule(tongue: Tongue, template: str, read: Reader, *, lead: str | None = None) -> Rule:
    units = "|".join(f"(?P<u_{unit}>{words})" for unit, words in tongue.units.items())
    months, weekdays, seasons = (
        "|".join(f"(?P<{letter}_{number}>{words})" for number, words in enumerate(names.split(), first))
        for letter, names, first in (("m", tongue.months, 1), ("w", tongue.weekdays, 0), ("s", tongue.seasons, 0))
    )
    counts = "|".join([r"\d{1,3}(?:[.,]5)?", *tongue.few, *tongue.counts.split()])
    made = {
        "{n}": f"(?P<n>{counts})",
        "{u}": f"(?:{units})",
        "{x}": f"(?:{units}|{weekdays}|{months}|{seasons})",
        "{m}": f"(?:{months})",
        "{w}": f"(?:{weekdays})",
        "{s}": f"(?:{seasons})",
        "{d}": r"(?P<d>\d{1,2})",
        "{y}": r"(?P<y>(?:19|20|21)\d\d|['’]\d\d)",
    }
    for name, pattern in made.items():
        template = template.replace(name, pattern)
    spaced = template.replace(" ", r"\s+")
    before = None if lead is None else rf"(?<!\w)(?:{lead})\s*$".replace(" ", r"\s+")
    return Rule(f"{_BEGIN}(?:{spaced}){_END}", read, before)


def _which(match: re.Match[str], letter: str) -> str | None:
    """The name of the group of a letter that matched."""
    for name, value in match.groupdict().items():
        if value is not None and name.startswith(f"{letter}_"):
            return name[2:]
    return None


def _year(text: str) -> int:
    """A year of four figures, or of two: those up to 69 are of this century."""
    if len(digits := text.lstrip("'’")) == 4:
        return int(digits)
    return int(digits) + (2000 if int(digits) < 70 else 1900)


def _count(tongue: Tongue, text: str) -> float:
    if text[0].isdigit():
        return float(text.replace(",", "."))
    for words, number in tongue.few.items():
        if re.fullmatch(words.replace(" ", r"\s+"), text):
            return number
    return next(n for n, words in enumerate(tongue.counts.split(), 1) if re.fullmatch(words, text))


UNITS = {"fortnight": ("week", 2), "quarter": ("month", 3), "decade": ("year", 10), "weekend": ("week", 1)}
"""Units that are so many of another."""
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def counted(unit: str, count: float, now: datetime) -> Period:
    """The day, month or year that lies so many units from now; the second for units of the clock."""
    base, times = UNITS.get(unit, (unit, 1))
    if base in _SECONDS:
        moment = now.replace(tzinfo=UTC, microsecond=0) + timedelta(seconds=count * _SECONDS[base])
        start = int(moment.timestamp()) * 1000
        return Period(start, start + 1000)
    count *= times
    if base == "week":
        return shifted_period(now, "day", round(7 * count))
    if count != int(count):
        if base == "year":
            return shifted_period(now, "month", round(12 * count))
        return shifted_period(now, "day", round(_DAYS[base] * count))
    return shifted_period(now, base, int(count))


def recent(unit: str, count: float, now: datetime) -> Period:
    """The stretch of so many units that ends with today."""
    base, times = UNITS.get(unit, (unit, 1))
    days = 1 if base in _SECONDS else round(_DAYS[base] * count * times)
    today = shifted_period(now, "day", 0)
    return Period(today.start - days * DAY, today.end)


def _counted(tongue: Tongue, sign: int, match: re.Match[str], now: datetime) -> Read:
    count = _count(tongue, match["n"]) if match["n"] else 1
    vague = match["n"] and any(re.fullmatch(words, match["n"]) for words in tongue.few)
    if sign > 0 and tongue is ENGLISH and vague:
        raise ValueError("'we haven't talked in a few days' is no date")
    return Read(counted(_which(match, "u") or "day", sign * count, now))


def _recent(tongue: Tongue, match: re.Match[str], now: datetime) -> Read:
    return Read(recent(_which(match, "u") or "day", _count(tongue, match["n"]), now))


def _shift(days: int, _match: re.Match[str], now: datetime) -> Read:
    return Read(shifted_period(now, "day", days))


def _near(shift: int, match: re.Match[str], now: datetime) -> Read:
    if unit := _which(match, "u"):
        return Read(unit_near(unit, shift, now))
    if _which(match, "w") is not None:
        return _weekday(shift, match, now)
    if month := _which(match, "m"):
        return Read(occurrence(lambda year: month_period(year, int(month)), shift, now))
    season = int(_which(match, "s") or 0)
    return Read(occurrence(lambda year: season_period(year, season), shift, now))


def unit_near(unit: str, shift: int, now: datetime) -> Period:
    """The last (-1), this (0) or next (1) day, week, month, quarter, year, decade or weekend of the calendar."""
    if unit == "weekend":
        return weekend(shift, now)
    if unit == "quarter":
        first = now.year * 4 + (now.month - 1) // 3 + shift
        return quarter_period(first // 4, first % 4 + 1)
    if unit == "decade":
        first = now.year // 10 * 10 + 10 * shift
        return Period(year_period(first).start, year_period(first + 9).end)
    base, _ = UNITS.get(unit, (unit, 1))
    if base in _SECONDS:
        return counted(base, shift, now)
    return shifted_period(now, base, shift)


def weekend(shift: int, now: datetime) -> Period:
    """The weekend of this week (0), or the nearest one wholly before (-1) or after (1) today."""
    today = now.date()
    saturday = today + timedelta(days=5 - today.weekday())
    if shift < 0:
        saturday -= timedelta(days=7)
    if shift > 0 and today.weekday() >= 5:
        saturday += timedelta(days=7)
    return Period(day_period(saturday).start, day_period(saturday + timedelta(days=1)).end)


def _weekday(shift: int, match: re.Match[str], now: datetime) -> Read:
    """The latest before today, the first from today on, or the first after today."""
    ahead = (int(_which(match, "w") or 0) - now.weekday()) % 7
    days = {-1: ahead - 7, 0: ahead, 1: ahead or 7}[shift]
    return Read(shifted_period(now, "day", days))


def occurrence(of_year: Callable[[int], Period], shift: int, now: datetime) -> Period:
    """What comes once a year: the latest that has ended (-1), that of this year (0), or the first to come (1)."""
    today = shifted_period(now, "day", 0)
    if shift == 0:
        return of_year(now.year)
    if shift > 0:
        return next(period for year in (now.year, now.year + 1) if (period := of_year(year)).start > today.start)
    years = (now.year, now.year - 1, now.year - 2)
    return next(period for year in years if (period := of_year(year)).end <= today.start)


def _dated(match: re.Match[str], _now: datetime) -> Read:
    parts = match.groupdict()
    yearly = parts.get("y") is None
    year = LEAP if yearly else _year(match["y"])
    month = int(_which(match, "m") or 0)
    if parts.get("d"):
        return Read(day_period(date(year, month, int(match["d"]))), yearly)
    return Read(month_period(year, month), yearly)


def _season(match: re.Match[str], _now: datetime) -> Read:
    yearly = match.groupdict().get("y") is None
    return Read(season_period(LEAP if yearly else _year(match["y"]), int(_which(match, "s") or 0)), yearly)


# Figures, the same in every language but for the order of day and month


def _figures(tongue: Tongue) -> list[Rule]:
    first = tongue is ENGLISH
    forms: list[tuple[str, Reader]] = [
        (r"\d{4}-\d{2}(?:-\d{2})?(?:[tT ]\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,9})?(?:[zZ]|[+-]\d{2}:\d{2})?)?", _iso),
        (r"(?P<y>\d{4})-?w(?P<w>\d{2})", _iso_week),
        (r"(?P<y>(?:19|20)\d\d)/(?P<m>\d{1,2})/(?P<d>\d{1,2})", _ymd),
        (r"(?P<y>(?:19|20)\d\d)\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})", _ymd),
        (r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>(?:19|20)\d\d|\d\d)", partial(_numbered, not first)),
        (r"(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>(?:19|20)\d\d)", partial(_numbered, False)),
        (r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>(?:19|20)\d\d)", partial(_numbered, False)),
        (r"(?:q(?P<q>[1-4])|(?P<q2>[1-4])(?:st|nd|rd|th)?\s+quarter)(?:,?\s*(?:of\s+|/)?(?P<y>(?:19|20)\d\d|['’]\d\d))?", _quarter),
        (r"(?P<y>(?:19|20)\d\d)[\s-]?q(?P<q>[1-4])", _quarter),
        (r"h(?P<h>[12])\s*(?P<y>(?:19|20)\d\d|['’]\d\d)", _half),
        (r"(?P<c>19|20)?(?P<t>\d)0['’]?(?:s|er(?:[ -]?jahren?)?|-[хе](?: годов)?)", _decade),
        (r"(?:années|años|anos|anni|jaren) ['’]?(?P<c>19|20)?(?P<t>\d)0", _decade),
        (r"(?P<y>(?:19|20)\d\d)(?: года?| году| г\.)?(?!\s?(?:%|km|kg|rpm|px|ms|mb|gb|items|rows|tokens|times|words|people))", _bare_year),
        (r"(?P<y>(?:19|20)\d\d)\s?[-–/]\s?(?P<z>(?:19|20)\d\d|\d\d)", _years),
    ]  # fmt: skip
    made = [Rule(f"{_FIGURE_BEGIN}(?:{form}){_FIGURE_END}", read) for form, read in forms]
    apostrophe = Rule(r"['’](?P<y>\d\d)(?!\w)", _bare_year, r"(?<!\w)(?:in|of|since|before|after)\s+$")
    return [*made, apostrophe]


def _iso(match: re.Match[str], now: datetime) -> Read:
    return Read(parse_period(match[0], now=now))


def _iso_week(match: re.Match[str], _now: datetime) -> Read:
    monday = day_period(date.fromisocalendar(int(match["y"]), int(match["w"]), 1))
    return Read(Period(monday.start, monday.start + 7 * DAY))


def _ymd(match: re.Match[str], _now: datetime) -> Read:
    return Read(day_period(date(int(match["y"]), int(match["m"]), int(match["d"]))))


def _numbered(day_first: bool, match: re.Match[str], _now: datetime) -> Read:
    month, day = int(match["m"]), int(match["d"])
    if (day_first and "/" in match[0]) or month > 12:
        month, day = day, month
    if month > 12:
        month, day = day, month
    return Read(day_period(date(_year(match["y"]), month, day)))


def _quarter(match: re.Match[str], now: datetime) -> Read:
    parts = match.groupdict()
    number = int(parts.get("q") or parts.get("q2") or 0)
    if not parts["y"]:
        return Read(quarter_period(LEAP, number), yearly=True)
    return Read(quarter_period(_year(parts["y"]), number))


def _half(match: re.Match[str], _now: datetime) -> Read:
    return Read(half_period(_year(match["y"]), int(match["h"])))


def decade_period(century: int | None, tens: int) -> Period:
    """Ten years; without a century the latest that is over or is now, up to the twenties of this one."""
    first = (century if century is not None else 20 if tens <= 2 else 19) * 100 + 10 * tens
    return Period(year_period(first).start, year_period(first + 9).end)


def _decade(match: re.Match[str], _now: datetime) -> Read:
    return Read(decade_period(int(match["c"]) if match["c"] else None, int(match["t"])))


def _bare_year(match: re.Match[str], _now: datetime) -> Read:
    return Read(year_period(_year(match["y"])))


def _years(match: re.Match[str], _now: datetime) -> Read:
    first = int(match["y"])
    last = int(match["z"]) if len(match["z"]) == 4 else first // 100 * 100 + int(match["z"])
    if not first < last <= first + 99:
        raise ValueError("no stretch of years")
    return Read(Period(year_period(first).start, year_period(last).end))


# What English alone says

HOLIDAYS: dict[str, tuple[int, int, int]] = {
    "christmas(?: day)?|xmas": (12, 25, 1),
    "christmas eve": (12, 24, 1),
    "the holidays|the christmas (?:holidays|break)": (12, 20, 14),
    "new year['’]?s eve": (12, 31, 1),
    "new year['’]?s(?: day)?": (1, 1, 1),
    "halloween": (10, 31, 1),
    "valentine['’]?s(?: day)?": (2, 14, 1),
    "independence day|the fourth of july|the 4th of july": (7, 4, 1),
    "thanksgiving(?: day)?": (11, 22, 7),
}
"""Month, day and number of days; Thanksgiving is the Thursday in its days."""
TENS = {
    "twenties": 2,
    "thirties": 3,
    "forties": 4,
    "fifties": 5,
    "sixties": 6,
    "seventies": 7,
    "eighties": 8,
    "nineties": 9,
}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4}


_ONLY_MONTHS = {1: "january", 2: "february", 7: "july", 9: "september", 10: "october", 11: "november", 12: "december"}
"""Months whose names are nobody's, and no other word: after "for" and "about" the others may be a person or a verb."""


def _english_rules() -> list[Rule]:
    rule = partial(_rule, ENGLISH)
    only_months = "|".join(f"(?P<m_{number}>{name})" for number, name in _ONLY_MONTHS.items())
    ordinals = "|".join(_ORDINALS)
    return [
        rule(f"(?:the )?(?P<o>{ordinals}) quarter (?:of |in )?{{y}}", _ordinal_quarter),
        rule("{m} (?P<a>\\d{1,2})(?:st|nd|rd|th)?\\s?(?:-|–|to)\\s?(?P<b>\\d{1,2})(?:st|nd|rd|th)?(?:,? {y})?", _days),
        rule("(?P<a>\\d{1,2})(?:st|nd|rd|th)?\\s?(?:-|–|to)\\s?(?P<b>\\d{1,2})(?:st|nd|rd|th)? (?:of )?{m}(?:,? {y})?", _days),
        rule(f"(?:{only_months})", _dated, lead="for|about"),
        rule(f"(?:the )?(?P<o>{ordinals}) (?:full )?week (?:of|in) {{m}}(?:,? {{y}})?", _week_of_month),
        rule("half (?:a|of a|an) {u} ago", partial(_some, 0.5)),
        rule("an? {u} and a half ago", partial(_some, 1.5)),
        rule("an? half {u} ago", partial(_some, 0.5)),
        rule("the (?P<u>week|month|year|weekend) before last", _before_last),
        rule("(?:over |at |on )?the weekend", lambda _match, now: Read(weekend(0 if now.weekday() >= 5 else -1, now))),
        rule("the other (?:day|night|week)", lambda _match, now: Read(recent("day", 7, now))),
        rule("(?:so far )?(?:this year|year to date)", lambda _match, now: Read(unit_near("year", 0, now))),
        rule("(?:the )?(?:last|past) (?P<k>week|month|year)(?= or (?:so|two))", lambda match, now: Read(recent(match["k"], 1, now))),
        rule(f"(?:the )?(?:early |late )?(?P<t>{'|'.join(TENS)})", lambda match, _now: Read(decade_period(None, TENS[match["t"]]))),
        *(
            rule(f"(?:(?P<near>last|this|next) )?(?:{words})(?:,? (?:of |in )?{{y}})?", partial(_holiday, *day))
            for words, day in HOLIDAYS.items()
        ),
    ]  # fmt: skip


def _ordinal_quarter(match: re.Match[str], _now: datetime) -> Read:
    return Read(quarter_period(_year(match["y"]), _ORDINALS[match["o"]]))


def _week_of_month(match: re.Match[str], _now: datetime) -> Read:
    year = _year(match["y"]) if match["y"] else LEAP
    month = int(_which(match, "m") or 0)
    return Read(week_of_month(year, month, 0 if match["o"] == "last" else _ORDINALS[match["o"]]), yearly=not match["y"])


def _days(match: re.Match[str], _now: datetime) -> Read:
    year = _year(match["y"]) if match["y"] else LEAP
    month = int(_which(match, "m") or 0)
    first, last = (day_period(date(year, month, int(match[name]))) for name in "ab")
    if last.end <= first.start:
        raise ValueError("no stretch of days")
    return Read(Period(first.start, last.end), yearly=not match["y"])


def _some(count: float, match: re.Match[str], now: datetime) -> Read:
    return Read(counted(_which(match, "u") or "day", -count, now))


def _before_last(match: re.Match[str], now: datetime) -> Read:
    if match["u"] == "weekend":
        last = weekend(-1, now)
        return Read(Period(last.start - 7 * DAY, last.end - 7 * DAY))
    return Read(shifted_period(now, match["u"], -2))


def _holiday(month: int, day: int, length: int, match: re.Match[str], now: datetime) -> Read:
    def of_year(year: int) -> Period:
        start = date(year, month, day)
        if month == 11:
            start += timedelta(days=(3 - start.weekday()) % 7)
        first = day_period(start)
        return Period(first.start, first.start + (1 if month == 11 else length) * DAY)

    if match["y"]:
        return Read(of_year(_year(match["y"])))
    if match["near"]:
        return Read(occurrence(of_year, {"last": -1, "this": 0, "next": 1}[match["near"]], now))
    return Read(of_year(LEAP), yearly=True)
