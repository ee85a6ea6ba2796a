"""The words in which a language names times, as `data/<language>.toml` lists them, and patterns made of them.

A template is a regular expression over lower-case text with slots such as {month}; a blank in it stands for white space.
A slot becomes an alternation of named groups, one a word, so that a match tells which of a table's words it found.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mcp_memory.language.number_words import MONTHS, NUMBERS, WEEKDAYS

SPACED = ("en", "de", "fr", "es", "pt", "it", "nl", "ru")
"""Languages with a vocabulary that write a blank between words; what relates a date stands before it."""
UNSPACED = ("zh", "ja", "ko")
"""Others with a vocabulary; what relates a date stands after it."""
PARTS = ("early", "middle", "late", "begin", "end", "first_half", "second_half")
RELATIONS = ("since", "until", "before", "after")

Value = int | float | str | Sequence[int]
"""What a word stands for: a number, the name of a unit or a part, or a holiday's month, day, length and weekday."""
Slots = Mapping[str, Any]
"""What a phrase's slots hold, by their names."""

_YEAR = r"(?:19|20|21)\d\d|[0-9]{4}(?=\W*$)|['’]\d\d"
_HAN_YEAR = r"(?:19|20)\d\d|[一二][九零〇○]\w{2}|\d\d(?= ?年)"
_HAN_NUMBER = r"(?:[一二两三四五六七八九十]{1,3}|\d{1,3})"
_FIGURES = {"count": r"\d{1,4}(?:[.,]5)?", "day": r"\d{1,2}", "year": _YEAR}
_HAN_FIGURES = {"count": rf"{_HAN_NUMBER}(?=\D)", "month": _HAN_NUMBER, "day": _HAN_NUMBER, "year": _HAN_YEAR}
_ANY = ("unit", "weekday", "month", "season", "holiday")
_SLOT = re.compile(r"\{([a-z]\w*)\}")


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The words of one language; the tables of `words` hold patterns with what each stands for, by slot."""

    code: str
    spaced: bool
    words: Mapping[str, Sequence[tuple[str, Value]]]
    exact: int
    """Number of the words for counts, from the first, that are exact."""
    phrases: Mapping[str, Sequence[str]]
    parts: Mapping[str, str]
    relations: Mapping[str, str]
    after: Mapping[str, str] = field(default_factory=dict[str, str])
    """The words after which a bare month, season or weekday is a time."""
    stretch: Mapping[str, str] = field(default_factory=dict[str, str])
    patterns: Mapping[str, str] = field(default_factory=dict[str, str])

    def expand(self, template: str) -> str:
        """Return the regular expression that a template stands for."""
        while (expanded := _SLOT.sub(lambda slot: self._slot(slot[1]), template)) != template:
            template = expanded
        template = template.replace(" ?", r"\s?")
        return template.replace(" ", r"\s+") if self.spaced else template

    def _slot(self, name: str) -> str:
        if name in self.patterns:
            return self.patterns[name]
        if name == "part":
            return _alternatives(f"(?P<part__{part}>{words})" for part, words in self.parts.items())
        if name == "any":
            return _alternatives(self._slot(each) for each in _ANY if each in self.words)
        if name == "exact":
            return _alternatives(self._groups("count")[: self.exact + 1])
        return _alternatives(self._groups(name))

    def _groups(self, name: str) -> list[str]:
        figures = (_FIGURES if self.spaced else _HAN_FIGURES).get(name)
        words = [f"(?P<{name}__{number}>{pattern})" for number, (pattern, _) in enumerate(self.words.get(name, ()))]
        return [*([f"(?P<{name}>{figures})"] if figures else []), *words]

    def slots(self, match: re.Match[str]) -> Slots:
        """Return what the slots of a matched template hold: what their words stand for, or their text."""
        found: dict[str, Any] = {}
        for group, text in match.groupdict().items():
            if text is not None:
                name, _, word = group.partition("__")
                found[name.rstrip("0123456789").removeprefix("certain_")] = self._value(name, word) if word else text
        return found

    def _value(self, name: str, word: str) -> Value:
        if not word.isdigit():
            return word
        return self.words[name][int(word)][1] if name in self.words else int(word)


def _alternatives(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


@cache
def vocabulary(language: str) -> Vocabulary:
    data = tomllib.loads((Path(__file__).parent / "data" / f"{language}.toml").read_text("utf-8"))
    exact = [*_numbered(data.get("counts", ""), 1), *data.get("exact", {}).items()]
    words: dict[str, Sequence[tuple[str, Value]]] = {
        "month": _numbered(data.get("months", ""), 1),
        "weekday": _numbered(data.get("weekdays", ""), 0),
        "season": _numbered(data["seasons"], 0),
        "unit": [(words, unit) for unit, words in data["units"].items()],
        **{f"near_{unit}": list(table.items()) for unit, table in data["relative"].items()},
        **{
            name: list(data[f"{name}s"].items())
            for name in ("quarter", "nth", "decade", "holiday", "certain_month")
            if f"{name}s" in data
        },
    }
    if language == "en":
        exact += _spelt(NUMBERS)
        words |= {"month": _spelt(MONTHS), "weekday": _spelt(WEEKDAYS)}
    return Vocabulary(
        code=language,
        spaced=language in SPACED,
        words={name: table for name, table in words.items() if table} | {"count": [*exact, *data["vague"].items()]},
        exact=len(exact),
        phrases=data["phrases"],
        parts=data["parts"],
        relations=data["relations"],
        after=data.get("after", {}),
        stretch=data["stretch"],
        patterns=data.get("patterns", {}),
    )


def _numbered(words: str, first: int) -> list[tuple[str, Value]]:
    return [(pattern, number) for number, pattern in enumerate(words.split(), first)]


def _spelt(numbers: Mapping[str, int]) -> list[tuple[str, Value]]:
    """Return the spellings of each number as one pattern; a dot may follow an abbreviation."""
    spellings: dict[int, list[str]] = {}
    for word, number in numbers.items():
        names = spellings.setdefault(number, [])
        names.append(rf"{word}\.?" if names else word)
    return [("|".join(names), number) for number, names in spellings.items()]


@cache
def _simplifying() -> dict[int, int]:
    data = tomllib.loads((Path(__file__).parent / "data" / "zh.toml").read_text("utf-8"))
    return str.maketrans(data["traditional"], data["simplified"])


def simplified(text: str) -> str:
    """Return the text with the characters of dates as the vocabularies have them, as long as before."""
    return text.translate(_simplifying())
