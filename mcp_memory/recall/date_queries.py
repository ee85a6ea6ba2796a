"""Questions that ask for a time and nothing else: "what happened on 13 February?", "2月13日有什么事？"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mcp_memory.language.dates.extraction import Moment, beside_dates
from mcp_memory.language.dates.periods import Period
from mcp_memory.language.number_words import MONTHS
from mcp_memory.language.tokenization import STOP_WORDS, grams, words

EVER = 10**15
"""Milliseconds after 1970 that nothing remembered lies beyond, nor before it the other way."""
YEARS = range(-10, 2)
"""Years around the present one in which a day or a month that is named without its year is looked for."""

_ANYTHING = frozenset(
    """
    happen happens happened happening anything something everything going went on around know known remember remembered recall
    tell show list see give find memories memory notes noted events event things thing stuff plan plans planned schedule
    scheduled calendar agenda booked due coming upcoming say said tell told discuss discussed talk talked mention mentioned note please there us new news
    was ist sind ich wir habe haben hatte hat passiert passierte geschah geschehen gemacht getan los gab es steht an mir uns
    gesagt besprochen geplant erzahl erzahle zeig alles etwas irgendetwas und der die das war
    que qu est ce qui s il passe est arrive avons nous ai je j a fait y quoi de quels etaient evenements tout dit prevu etait
    paso ocurrio sucedio hice hicimos hay hubo dije dijimos algo todo hemos he hecho cosas cual fue los las el la un
    aconteceu fiz fizemos houve tem disse dissemos o os as foi e
    cosa successo ho abbiamo fatto accaduto c era detto ce che e
    wat gebeurde gebeurd is er heb hebben we ik gedaan gezegd
    что было случилось произошло мы я делал делали сделал сделали сказал в у меня нас
    """.split()
)
"""Words that name nothing in particular, without accents, in the languages whose dates are read and that write words."""
_NOTHING_NAMED = re.compile(
    "发生|發生|什么|什麼|甚么|哪些|事情|事件|活动|活動|安排|计划|計劃|日程|行程|记得|記得|记录|告诉|知道|说过|聊|做|干|过|過|"
    "我们|我們|大家|我|你|有|没|沒|了|吗|嗎|呢|的|事|啥|那天|当天|在|都|是|要|会|會|里|到|和|忙|"
    "何が|何を|何か|何|あった|ありました|ある|あります|した|しました|予定|出来事|起きた|起きました|教えて|は|が|の|に|を|か|と|も|こと|です|"
    "무슨|무엇|뭐|일이|일|있었|있나|있어|했|나요|어요|니|지|을|를|이|가|은|는|에|들|우리|내"
)
"""The same in Chinese, Japanese and Korean, where words are not parted."""


_MONTH_LAST = re.compile(
    rf"(?:^|\b(?:for|about|on)\s+)(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})(?=\W*$)", re.IGNORECASE
)
"""A month that ends a question, after a word that a person or a thing may follow as well: "for June", "about May"."""
_PLANS = frozenset(
    "happen happens happened happening going plan plans planned schedule scheduled calendar agenda booked due coming upcoming "
    "event events".split()
)
"""Words with which such a month is a time and no person."""


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
    rest, moments = beside_dates(query, now=now)
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
    rest, moments = beside_dates(_MONTH_LAST.sub(r"in \g<month>", query), now=now)
    return date_only_query(rest, moments, year=now.year)


def _names_anything(text: str) -> bool:
    return bool(set(words(text)) - STOP_WORDS - _ANYTHING or grams(_NOTHING_NAMED.sub(" ", text)))


def _periods(moment: Moment, year: int) -> Sequence[Period]:
    meant = [moment.in_year(year + shift) for shift in YEARS] if moment.yearly else [moment.period]
    if moment.relation == "before":
        return [Period(-EVER, meant[-1].start)]
    if moment.relation == "after":
        return [Period(meant[0].end, EVER)]
    return meant
