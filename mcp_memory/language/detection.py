"""The language of a text, by its script, and among those in Latin letters by its function words."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

from mcp_memory.language.scripts import HAN, HANGUL, KANA
from mcp_memory.language.stop_words import languages, stop_words

_SCRIPTS = (
    ("ja", KANA),
    ("ko", HANGUL),
    ("zh", HAN),
    ("ru", "\u0400-\u052f"),
    ("el", "\u0370-\u03ff\u1f00-\u1fff"),
    ("he", "\u0590-\u05ff"),
    ("ar", "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff"),
    ("hi", "\u0900-\u097f"),
    ("bn", "\u0980-\u09ff"),
    ("ta", "\u0b80-\u0bff"),
    ("th", "\u0e00-\u0e7f"),
    ("lo", "\u0e80-\u0eff"),
    ("my", "\u1000-\u109f"),
    ("km", "\u1780-\u17ff"),
    ("ka", "\u10a0-\u10ff"),
    ("hy", "\u0530-\u058f"),
)
"""A script and the language that most often is written in it, which stands for all of them."""
_LETTERS = tuple((code, re.compile(f"[{letters}]")) for code, letters in _SCRIPTS)
_LATIN_LETTER = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ]")
_WORD = re.compile(r"(?<!\w['’])[^\W\d_]+|(?<=['’])[^\W\d_]{1,2}(?!\w)")
"""Without the endings of names in Turkish, of which many are words elsewhere (Peru'nun); but what is contracted stays."""
KANA_SHARE = 0.1
"""Share of kana among Han and kana from which a text is Japanese: Japanese prose has half, a Chinese one quotes a word."""

SHORT = 60
"""Characters below which the words of a text may tell too little."""
DOUBT = 2
"""By how much a language's score may lie below the best: one telling word."""
LATIN = tuple(code for code in languages() if code != "ru")


def language_of(text: str) -> str | None:
    """Return the likeliest language as an ISO 639-1 code; None where there are no letters, or too few words to tell.

    A script stands for the language most written in it: Cyrillic is "ru", Arabic "ar", Devanagari "hi".
    """
    found = likely_languages(text)
    return found[0] if len(found) == 1 else None


def likely_languages(text: str) -> tuple[str, ...]:
    """Return the languages a text may be in: one where its script or its words tell, several where they leave it open."""
    code = language_of_script(text)
    if code != "":
        return (code,) if code else ()
    scores = latin_scores(text)
    best = max(scores.values())
    if not best:
        return LATIN
    return tuple(code for code, score in scores.items() if score == best)


def possible_languages(text: str) -> tuple[str, ...]:
    """Return the likely languages, and where a text is too short to tell those that its words do not speak against."""
    likely = likely_languages(text)
    if likely == ("zh",):
        return ("zh", "ja")  # a phrase of Han alone may be either
    if not set(likely) <= set(LATIN):
        return likely
    scores = latin_scores(text[:SHORT])
    least = max(scores.values()) - DOUBT if len(text) < SHORT else max(scores.values())
    return tuple(dict.fromkeys((*likely, *(code for code, score in scores.items() if score >= least))))


@cache
def _languages_of_word() -> Mapping[str, list[str]]:
    """Return for each function word the languages in Latin letters that have it."""
    codes = defaultdict[str, list[str]](list)
    for code in LATIN:
        for word in stop_words(code):
            codes[word].append(code)
    return codes


def latin_scores(text: str) -> dict[str, int]:
    """Score each language: 2 for a function word of no other language, 1 for one that several share."""
    scores = dict.fromkeys(LATIN, 0)
    languages_of = _languages_of_word()
    for word in _WORD.findall(text):
        codes = languages_of.get(word.lower(), ())
        for code in codes:
            scores[code] += 2 if len(codes) == 1 else 1
    return scores


def unknown_share(texts: Iterable[str], languages: Iterable[str]) -> tuple[float, list[str]]:
    """Return the share of texts that are in none of the languages, and in which they are, the commonest first.

    A text that does not tell counts as known, and every text does where `languages` is empty.
    """
    known = set(languages)
    found = Counter(language_of(text) for text in texts)
    strange = [(code, count) for code, count in found.most_common() if code is not None and code not in known]
    total = sum(found.values())
    return (sum(count for _, count in strange) / total if known and total else 0.0), [code for code, _ in strange]


def language_of_script(text: str) -> str | None:
    """Return the language of the script that most letters are in; "" for Latin, None where there are no letters."""
    if text.isascii():
        return "" if _LATIN_LETTER.search(text) else None
    counts = {code: len(letters.findall(text)) for code, letters in _LETTERS}
    if counts["ja"] and counts["ja"] >= KANA_SHARE * (counts["ja"] + counts["zh"]):
        counts["ja"] += counts.pop("zh")
    # A word takes about five letters, or two ideographs.
    counts = {code: count * (2.5 if code in ("ja", "ko", "zh") else 1) for code, count in counts.items()}
    counts[""] = len(_LATIN_LETTER.findall(text))
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] else None


NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese", "it": "Italian", "nl": "Dutch",
    "sv": "Swedish", "da": "Danish", "pl": "Polish", "tr": "Turkish", "vi": "Vietnamese", "id": "Indonesian", "fi": "Finnish",
    "cs": "Czech", "ro": "Romanian", "hu": "Hungarian", "zh": "Chinese", "ja": "Japanese", "ko": "Korean",
    "ru": "Russian or another language in Cyrillic", "el": "Greek", "he": "Hebrew", "ar": "Arabic", "hi": "Hindi", "bn": "Bengali",
    "ta": "Tamil", "th": "Thai", "lo": "Lao", "my": "Burmese", "km": "Khmer", "ka": "Georgian", "hy": "Armenian",
}  # fmt: skip
