"""Words, character n-grams and the normal form of a text."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from mcp_memory.errors import InvalidInput
from mcp_memory.language.scripts import CJK, UNSPACED
from mcp_memory.language.stop_words import stop_words

STOP_WORDS = stop_words("en")
"""English function words, question words, and what a split contraction leaves behind (s, t, d, ll, m, re, ve)."""
CJK_SHARE = 0.3
"""Share of Chinese, Japanese and Korean characters among a text's letters from which it counts as such."""
CJK_RUN = re.compile(f"[{CJK}]+")
# unicode61 ends a word at each vowel mark of these scripts.
_UNSPACED_RUN = re.compile(f"[{UNSPACED}]+")
# unicode61 skips the marks in its own short list of combining diacritics without ending the word there.
_MARKS = "\u0300-\u0304\u0306-\u030c\u030f\u0311\u031b\u0323-\u0328\u032d\u032e\u0330\u0331"

WORD = re.compile(f"[^\\W_{CJK}{UNSPACED}](?:[^\\W_{CJK}{UNSPACED}]|[{_MARKS}])*")


class Span(NamedTuple):
    """A half-open range of characters, [start, end)."""

    start: int
    end: int


def require_clean(text: str, name: str) -> str:
    """Return the text unchanged. Raises InvalidInput where it holds a NUL or a lone surrogate, which UTF-8 storage cannot keep."""
    if found := re.search("[\x00\ud800-\udfff]", text):
        what = "a NUL character" if found[0] == "\x00" else "a lone surrogate"
        raise InvalidInput(f"{name} holds {what} at position {found.start()}; remove it and send the rest again.")
    return text


def words(text: str) -> list[str]:
    """Return lower-case words without accents, as FTS5's `unicode61 remove_diacritics 2` cuts them; no CJK.

    FTS5 knows Unicode 6.1 and takes characters added since, newer emoji among them, for letters; here they part words.
    """
    return [word.lower() if word.isascii() else _fold(word) for word in WORD.findall(text)]


def content_words(text: str) -> list[str]:
    """Return the words that are not STOP_WORDS; all of them when nothing would remain."""
    everything = words(text)
    return [word for word in everything if word not in STOP_WORDS] or everything


def compared_words(text: str) -> list[str]:
    """Return what texts are compared by: content words, and pairs of the characters of scripts without spaces."""
    return content_words(text) + [gram for gram in grams(text) if len(gram) == 2]


def grams(text: str) -> list[str]:
    """Return each character of every CJK run, followed by the pair it starts: `大阪城` gives 大, 大阪, 阪, 阪城, 城.

    So do Thai, Lao, Burmese and Khmer, their letters without the marks.
    """
    runs: list[str] = [] if text.isascii() else CJK_RUN.findall(text)
    if not text.isascii():
        runs += ["".join(filter(str.isalpha, run)) for run in _UNSPACED_RUN.findall(text)]
    return [gram for run in runs for at in range(len(run)) for gram in (run[at], run[at : at + 2])[: len(run) - at]]


def cjk_share(text: str) -> float:
    """Return the share of letters in scripts that are searched by characters, 0.0 to 1.0; 0.0 where there are no letters."""
    if text.isascii():
        return 0.0
    letters = sum(map(str.isalpha, text))
    ideographs = sum(map(len, CJK_RUN.findall(text)))
    ideographs += sum(sum(map(str.isalpha, run)) for run in _UNSPACED_RUN.findall(text))
    return min(1.0, ideographs / letters) if letters else 0.0


def supports_language(languages: Sequence[str], text: str) -> bool:
    """Return whether an encoder of these languages, or of any where there are none, understands a text.

    Vectors of an English encoder cost questions in Chinese 7 points of hit@5.
    """
    return not languages or bool({"zh", "ja", "ko"}.intersection(languages)) or cjk_share(text) <= CJK_SHARE


def _fold(word: str) -> str:
    folded = ""
    for character in word:
        lower, folding = character.lower(), character.casefold()
        base = unicodedata.normalize("NFD", lower)[0]
        if not unicodedata.combining(character):
            folded += base if base.isascii() else folding if len(folding) == 1 else lower
    return folded


_QUOTES_AND_DASHES = "“”„‟«»「」『』″‘’‚‛′`´‐‑‒–—―−"
_UNIFIED = str.maketrans(_QUOTES_AND_DASHES, '"' * 11 + "'" * 7 + "-" * 7, "\u200b\u2060\ufeff\u00ad")
_RAISED = re.compile("([²³¹⁰⁴-⁹¼-¾⅐-⅞]+)")
_LIST_MARK = re.compile(r"[-*+•‣◦▪·>](?: [-*+•‣◦▪·>])* (?![\d.])")


def normal_form(text: str) -> str:
    """Return the form two texts share exactly when one repeats the other word for word.

    Case, compatibility forms, white space, the style of quotes and dashes, surrounding quotes, a list mark in front
    and a final . ! ; or … do not count. Numbers, signs, a final question mark and all inner punctuation do.
    """
    form = _RAISED.sub(r"^\1", text).translate(_UNIFIED)
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", form).casefold())
    form = " ".join(form.translate(_UNIFIED).split())
    while True:
        marker = _LIST_MARK.match(form)
        bare = (form[marker.end() :] if marker else form).rstrip(".!;。 ")
        if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'" and bare.count(bare[0]) == 2:
            bare = bare[1:-1].strip()
        if not bare or bare == form:
            return form
        form = bare
