"""English and Chinese words for numbers, months and days of the week, and the exact number that a text writes."""

import re
from collections.abc import Mapping
from decimal import Decimal


def _count(words: str, start: int, *, step: int = 1) -> dict[str, int]:
    return {word: start + step * at for at, entry in enumerate(words.split()) for word in entry.split("|")}


NUMBERS: Mapping[str, int] = {
    **_count(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen",
        0,
    ),
    **_count("twenty thirty forty fifty sixty seventy eighty ninety", 20, step=10),
}
ORDINALS: Mapping[str, int] = _count(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth",
    1,
)
MONTHS: Mapping[str, int] = _count(
    "january|jan february|feb march|mar april|apr may june|jun july|jul august|aug september|sep|sept october|oct "
    "november|nov december|dec",
    1,
)
"""English names and abbreviations, from 1."""
WEEKDAYS: Mapping[str, int] = _count(
    "monday|mon tuesday|tues|tue wednesday|wed thursday|thurs|thur|thu friday|fri saturday|sat sunday|sun", 0
)
"""English names and abbreviations, from 0 for Monday."""
ZH_DIGITS: Mapping[str, int] = _count("零|〇|○ 一 二|两|兩 三 四 五 六 七 八 九", 0)
ZH_SCALES: Mapping[str, int] = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
ZH_WEEKDAYS: Mapping[str, int] = _count("一 二 三 四 五 六 日|天", 0)
"""What follows 周, 星期 or 礼拜, from 0 for Monday."""
SCALES: Mapping[str, int] = {
    "k": 10**3, "hundred": 100, "thousand": 10**3, "m": 10**6, "million": 10**6, "billion": 10**9, **ZH_SCALES,
}  # fmt: skip

_FIGURES = re.compile(r"([+-]?\d+(?:,\d{3})*(?:\.\d+)?)\s*([a-z]*)")
_ZH_PARTS = re.compile(rf"\d+(?:,\d{{3}})*(?:\.\d+)?|[{''.join([*ZH_DIGITS, *ZH_SCALES])}]")


def parse_number(text: str) -> Decimal | None:
    """Parse a number in figures or in English or Chinese words, with its scale; None for anything else.

    >>> [int(parse_number(text) or 0) for text in ("1,200", "1.5万", "两万五", "三千五", "twenty-five", "3k", "2千万")]
    [1200, 15000, 25000, 3500, 25, 3000, 20000000]
    >>> parse_number("二〇二六"), parse_number("2.5"), parse_number("some")
    (Decimal('2026'), Decimal('2.5'), None)
    """
    plain = text.strip().lower()
    if found := _FIGURES.fullmatch(plain):
        scale = SCALES.get(found[2]) if found[2] else 1
        return None if scale is None else Decimal(found[1].replace(",", "")) * scale
    return _english(plain) if plain.isascii() else _chinese(plain)


def _english(text: str) -> Decimal | None:
    words = [word for word in re.split(r"[\s-]+", text) if word != "and"]
    total = section = 0
    for at, word in enumerate(words):
        if (number := NUMBERS.get(word)) is not None:
            below = section % 100
            if below and not (number < 10 and below >= 20 and below % 10 == 0):
                return None  # "one two" is no number
            section += number
        elif word in ("a", "an") and at == 0 and len(words) > 1:
            section = 1
        elif word == "hundred" and section:
            section *= 100
        elif len(word) > 1 and word in SCALES and section:
            total, section = total + section * SCALES[word], 0
        else:
            return None
    return Decimal(total + section) if words else None


def _chinese(text: str) -> Decimal | None:
    parts: list[str] = _ZH_PARTS.findall(text)
    if not parts or "".join(parts) != text:
        return None
    if all(part in ZH_DIGITS for part in parts):
        return Decimal("".join(str(ZH_DIGITS[part]) for part in parts))
    total = section = Decimal(0)
    digit: Decimal | None = None
    last = largest = 1
    for part in parts:
        scale = ZH_SCALES.get(part)
        if scale is None:
            digit = Decimal(ZH_DIGITS[part]) if part in ZH_DIGITS else Decimal(part.replace(",", ""))
            last = last if digit else 1  # 两万零五: after a zero come ones
            continue
        if scale < 10**4:
            section += (1 if digit is None else digit) * scale
        elif scale > largest > 1:  # 一万亿
            total, section, largest = (total + section + (digit or 0)) * scale, Decimal(0), scale
        else:
            total, section, largest = total + (section + (digit or 0) or 1) * scale, Decimal(0), scale
        digit, last = None, scale
    # 三千五 is 3,500: a last digit without a scale of its own counts by a tenth of the scale before it.
    return total + section + (digit or 0) * (last // 10 if last > 10 else 1)
