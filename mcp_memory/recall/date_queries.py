"""Questions that ask for a time and nothing else: "what happened on 13 February?", "2月13日有什么事？"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mcp_memory.language.dates.extraction import Moment, without_dates
from mcp_memory.language.dates.periods import Period
from mcp_memory.language.function_words import function_words
from mcp_memory.language.number_words import MONTHS
from mcp_memory.language.stop_words import stop_words, unspaced_words
from mcp_memory.language.tokenization import STOP_WORDS, grams, words

EVER = 10**15
"""Milliseconds after 1970 that nothing remembered lies beyond, nor before it the other way."""
YEARS = range(-10, 2)
"""Years around the present one in which a day or a month that is named without its year is looked for."""

_PLANS = stop_words("en-plan")
"""Words with which a month that may be a name is a time and no person."""
_ANYTHING = _PLANS.union(
    *(
        stop_words(f"{code}-{kind}")
        for code in ("en", "de", "fr", "es", "pt", "it", "nl", "ru")
        for kind in ("memory", "general")
    )
)
"""Words that name nothing in particular, without accents, in the languages whose dates are read and that write words."""


_MONTH_LAST = re.compile(
    rf"(?:^|\b(?:for|about|on)\s+)(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})(?=\W*$)", re.IGNORECASE
)
"""A month that ends a question, after a word that a person or a thing may follow as well: "for June", "about May"."""


@dataclass(frozen=True, slots=True)
class Dates:
    """The times that a question names."""

    moments: Sequence[Moment] = ()
    only: Sequence[Period] = ()
    """What it asks for, at face value, where it names nothing else to look for."""
    ambiguous: Sequence[Period] = ()
    """The same where it ends with a month that may be a name as well: "for June", "about May"."""


def read_dates(query: str, *, now: datetime) -> Dates:
    """Read the moments of a question once, and which periods it asks for and nothing else.

    A day or a month without its year is meant in each of the YEARS.

    >>> from datetime import datetime
    >>> now = datetime(2026, 11, 21)
    >>> [period.start < period.end for period in read_dates("what happened yesterday?", now=now).only]
    [True]
    >>> read_dates("who came to the party yesterday?", now=now).only
    []
    >>> [bool(read_dates(text, now=now).ambiguous) for text in ("about May", "about May's brother")]
    [True, False]
    """
    rest, moments = without_dates(query, now=now)
    only = date_only_query(rest, moments, year=now.year)
    if not _MONTH_LAST.search(query):
        return Dates(moments, only)
    ambiguous = ambiguous_month_query(query, now=now)
    return Dates(moments, ambiguous if _PLANS.intersection(words(query)) else only, ambiguous)


def date_only_query(rest: str, moments: Sequence[Moment], *, year: int) -> list[Period]:
    """Return the periods of the moments, where the rest of a question names nothing."""
    if not moments or _names_anything(rest):
        return []
    return [period for moment in moments for period in _periods(moment, year)]


def ambiguous_month_query(query: str, *, now: datetime) -> list[Period]:
    """Return what a question asks for if the name at its end is a month."""
    rest, moments = without_dates(_MONTH_LAST.sub(r"in \g<month>", query), now=now)
    return date_only_query(rest, moments, year=now.year)


def _names_anything(text: str) -> bool:
    nothing = unspaced_words("zh-asking", "zh-general", "ja-general", "ko-general")
    return bool(set(words(text)) - STOP_WORDS - _ANYTHING - function_words(text) or grams(nothing.sub(" ", text)))


def _periods(moment: Moment, year: int) -> Sequence[Period]:
    meant = [moment.in_year(year + shift) for shift in YEARS] if moment.yearly else [moment.period]
    if moment.relation == "before":
        return [Period(-EVER, meant[-1].start)]
    if moment.relation == "after":
        return [Period(meant[0].end, EVER)]
    return meant
