"""Read numbers, quantities, dates and times: one value in two writings gets one form."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from mcp_memory.language.number_words import MONTHS, NUMBERS, ORDINALS, ZH_DIGITS, ZH_SCALES, ZH_WEEKDAYS, parse_number
from mcp_memory.language.stemming import stems
from mcp_memory.remember.contradiction.vocabulary import DAYS, SCALES, UNITS

Kind = Literal["word", "han", "number", "quantity", "date", "time", "day", "month", "year", "ordinal", "name"]
TYPED: frozenset[Kind] = frozenset({"number", "quantity", "date", "time", "day", "month", "year", "ordinal", "name"})
"""Kinds whose form says that they are values; `name` is an address, a path, a version or an identifier."""
WHEN: frozenset[Kind] = frozenset({"date", "time", "day", "month", "year", "ordinal"})
CURRENCIES = "$€£¥"


class Token(NamedTuple):
    """A word, a Chinese character or a value. Tokens with the same `form` mean the same."""

    form: str
    kind: Kind
    surface: str
    capital: bool = False
    """Begins with a capital that is not the first letter of a sentence."""
    article: str = ""
    """The article in front: a, an, the, our."""


def typed_word(form: str, *, capital: bool) -> tuple[str, Kind]:
    """Return form and kind of a word in lower case: "monday" is day 1, "30s" a quantity, "v2.1" an identifier."""
    if match := re.fullmatch(r"(day|month|year|date)-(\d+)(?:-(\d+))?", form):
        kind: Kind = {"day": "day", "month": "month", "year": "year", "date": "date"}[match[1]]  # type: ignore[assignment]
        return (f"{match[2]}-{match[3]}" if match[3] else match[2]), kind
    if form in DAYS:
        return str(DAYS[form]), "day"
    if form in MONTHS and (form not in ("may", "march") or capital):
        return str(MONTHS[form]), "month"
    if form in NUMBERS:
        return str(NUMBERS[form]), "number"
    if form in ORDINALS:
        return str(ORDINALS[form]), "ordinal"
    if glued := re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]+)", form):
        if glued[2] in UNITS:
            return _quantity(float(glued[1]), glued[2]), "quantity"
        if glued[2] in ("k", "bn", "million"):
            return f"{float(glued[1]) * SCALES[glued[2]]:.12g}", "number"
    if re.search(r"\d|_", form) or (re.search(r"[./]", form) and not re.fullmatch(r"(?:\w\.)+\w?", form)):
        return form, "name"
    return form, "word"


def join_values(tokens: Sequence[Token]) -> list[Token]:
    """Join what makes one value: a number and its scale and unit, the parts of a date, the hour after "at"."""
    joined: list[Token] = []
    at = 0
    while at < len(tokens):
        token, used = _joined(tokens[at : at + 5])
        at += used
        following = tokens[at] if at < len(tokens) else None
        clause_ends = (
            following is None or following.kind in WHEN or following.form in ("in", "on", "and", "every", "with")
        )
        if token.kind == "number" and joined and joined[-1].form == "at" and clause_ends and _is_hour(token.form):
            token = Token(f"{token.form}:00", "time", token.surface)
        joined.append(token)
    return joined


def _is_hour(number: str) -> bool:
    return number.isdigit() and int(number) <= 24


def _quantity(value: float, unit: str) -> str:
    dimension, factor = UNITS[unit]
    return f"{value * factor:.12g} {dimension}"


def _joined(ahead: Sequence[Token]) -> tuple[Token, int]:
    """Join the first of some tokens with those after it; also return how many tokens that took."""
    first = ahead[0]
    if first.kind == "number":
        return _joined_number(ahead)
    second, third = (ahead[place] if len(ahead) > place else Token("", "word", "") for place in (1, 2))
    both = f"{first.surface} {second.surface}"
    if first.kind == "time" and second.form in ("am", "pm", "a.m", "p.m"):
        hour, minute = first.form.split(":")
        return Token(f"{int(hour) % 12 + (12 if second.form.startswith('p') else 0)}:{minute}", "time", both), 2
    if first.kind == "month" and second.kind in ("number", "ordinal") and len(second.form) <= 2:
        year = f"{third.form}-" if third.kind == "number" and len(third.form) == 4 else ""
        return Token(f"{year}{first.form}-{second.form}", "date", both + (f" {third.surface}" if year else "")), (
            3 if year else 2
        )
    if first.kind == "ordinal":
        if second.form == "of" and third.kind == "month":
            return Token(f"{third.form}-{first.form}", "date", f"{both} {third.surface}"), 3
        if second.kind == "month":
            return Token(f"{second.form}-{first.form}", "date", both), 2
    if first.form in ("may", "march") and first.surface[0].isupper() and second.kind in ("number", "ordinal"):
        return _joined([first._replace(form=str(MONTHS[first.form]), kind="month"), *ahead[1:]])
    if first.form in CURRENCIES and second.kind in ("number", "quantity", "name"):
        # "$2m" is two million dollars, though 2m alone is two metres.
        glued = re.fullmatch(r"([\d.]+)([a-z]+)", second.surface.lower())
        if second.kind == "number" or (glued and glued[2] in SCALES):
            value = float(second.form) if second.kind == "number" else float(glued[1]) * SCALES[glued[2]]  # type: ignore[index]
            scale = SCALES.get(third.form, 1.0) if third.kind == "word" else 1.0
            used = 2 + (scale != 1)
            return Token(_quantity(value * scale, first.form), "quantity", first.surface + second.surface), used
    if first.form == "every" and second.form in UNITS and second.kind == "word":
        return Token(_quantity(1, second.form), "quantity", second.surface), 2
    return first, 1


def _joined_number(ahead: Sequence[Token]) -> tuple[Token, int]:
    first, used = ahead[0], 1
    value, surface = float(first.form), first.surface
    following = [*ahead[1:], *[Token("", "word", "")] * 4]
    if following[0].kind == "number" and value >= 20 and float(following[0].form) < 10 and surface.isalpha():
        value, surface = value + float(following[0].form), f"{surface} {following[0].surface}"
        used, following = used + 1, following[1:]
    if following[0].form in SCALES and (len(following[0].form) > 1 or following[0].kind == "han"):
        value, surface = value * SCALES[following[0].form], f"{surface} {following[0].surface}"
        used, following = used + 1, following[1:]
    second, third = following[:2]
    both = f"{surface} {second.surface}"
    if second.kind == "month" and used == 1:
        year = f"{third.form}-" if third.kind == "number" and len(third.form) == 4 else ""
        return Token(f"{year}{second.form}-{first.form}", "date", both + (f" {third.surface}" if year else "")), (
            3 if year else 2
        )
    if second.form in ("am", "pm", "a.m", "p.m"):
        return Token(f"{int(value) % 12 + (12 if second.form.startswith('p') else 0)}:00", "time", both), used + 1
    for width in (3, 2, 1):
        unit = "".join(token.form for token in following[:width])
        if unit in UNITS and (width == 1 or all(token.kind == "han" for token in following[:width])):
            return Token(_quantity(value, unit), "quantity", f"{surface} {unit}"), used + width
    if used == 1 and re.fullmatch(r"(?:19|20)\d\d", first.surface):
        return first._replace(kind="year"), 1
    return Token(f"{value:.12g}", "number", surface), used


# Chinese numerals

_NUMERAL = "".join([*ZH_DIGITS, *ZH_SCALES])
_COUNTED = (
    "点|个|月|号|日|年级|年|天|周|小时|分钟|分|秒|元|块|公斤|公里|千米|米|厘米|毫米|克|毫克|毫升|升|片|杯|次|人|岁|楼|层|%|台"
    "|节点|份|章|页|条|位|名|室|倍|折|票|级|组|班|欧|美|只|辆|间|套|本|步|遍|顿|粒|股|斤|平"
)
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(rf"(?:周|星期|礼拜)([{''.join(ZH_WEEKDAYS)}])(?!年|个)"),
        lambda m: f" day-{ZH_WEEKDAYS[m[1]] + 1} ",
    ),
    (re.compile(r"(\d+(?:\.\d+)?)([百千万亿]+)"), lambda m: zh_number(m[0])),
    (
        re.compile(r"([零一二三四五六七八九两]+)点([零一二三四五六七八九]+)(?=[百千万亿]|%|米|公|元|倍)"),
        lambda m: f"{zh_number(m[1])}.{zh_number(m[2])}",
    ),
    (re.compile(rf"第?([{_NUMERAL}]+)(?=(?:{_COUNTED}))"), lambda m: zh_number(m[1])),
    (re.compile(rf"([{_NUMERAL}]*[百千万][{_NUMERAL}]*)(?=$|[了。，,；;\s])"), lambda m: zh_number(m[1])),
    (re.compile(rf"(?<=[是为到成])([{_NUMERAL}]+)(?=$|[了。，,；;\s])"), lambda m: zh_number(m[1])),
    (re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]?"), lambda m: f" {m[1]}-{int(m[2]):02}-{int(m[3]):02} "),
    (re.compile(r"(\d{1,2})月(\d{1,2})[日号]?"), lambda m: f" date-{int(m[1])}-{int(m[2])} "),
    (re.compile(r"(\d{1,2})月份?(?!\d)"), lambda m: f" month-{m[1]} "),
    (re.compile(r"(\d{4})年"), lambda m: f" year-{m[1]} "),
    (
        re.compile(
            r"(凌晨|早上|上午|中午|下午|晚上|傍晚|[早晚])?(\d{1,2})[点时](?:(\d{1,2})分?|(半)|([一三])刻)?(?:整|钟)?(?!间)"
        ),
        lambda m: f" {_hour(int(m[2]), m[1])}:{_minutes(m[3], m[4], m[5])} ",
    ),
    (re.compile(r"(下午|晚上|上午|早上|[早晚])(\d{1,2}):(\d{2})"), lambda m: f" {_hour(int(m[2]), m[1])}:{m[3]} "),
)


def to_digits(text: str) -> str:
    """Write the numerals, days and times of a Chinese text in digits: 三百五, 1.5万, 周二, 下午三点半."""
    for rule, replacement in _RULES:
        text = rule.sub(replacement, text)
    return text


def zh_number(text: str) -> str:
    """Write a numeral in digits where it is one: 三千五 is 3500, 1.5万 is 15000; 千 alone stays."""
    number = None if text in ZH_SCALES and text != "十" else parse_number(text)
    return text if number is None else f"{number.normalize():f}"


def _hour(hour: int, part: str | None) -> int:
    return hour + 12 if part in ("下午", "晚上", "傍晚", "晚") and hour < 12 else hour


def _minutes(minutes: str | None, half: str | None, quarter: str | None) -> str:
    return "30" if half else {"一": "15", "三": "45"}[quarter] if quarter else (minutes or "00").zfill(2)


@lru_cache(maxsize=4096)
def root(word: str) -> str:
    """Return the Snowball stem, which the forms of one word share."""
    return stems(word, ["en"])[0]


def surface_text(tokens: Sequence[Token]) -> str:
    """Join the tokens as they were written, in lower case."""
    text = ""
    for token in tokens:
        text += "" if not text or (token.kind == "han" and text[-1] > "\u3000") else " "
        text += token.surface
    return text.lower()
