"""Keywords and names of a topic, and how a query matches them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mcp_memory.language.scripts import HAN, HANGUL, HIRAGANA, KATAKANA
from mcp_memory.language.stop_words import unspaced_words
from mcp_memory.language.tokenization import STOP_WORDS, grams, words

MIN_IDF = 1.0
"""Least inverse document frequency: where little is kept, what all of it says is still what it is about."""
KEYWORDS = 8
NAME_WORDS = 3
LONGEST_WORD = 4
WITHIN = 0.8
"""Share of its occurrences that a CJK word has inside a longer one, from which the longer one is the word."""
_GRAMMAR = re.compile(f"{unspaced_words('zh-asking', 'zh-grammar').pattern}|[{HIRAGANA}]")
"""What carries grammar and no subject: no word stands across it."""
_IDEOGRAPHS = re.compile(f"[{HAN}{KATAKANA}{HANGUL}]+")
_DIGITS = re.compile(r"[\d.,_]+")


def terms_of(text: str) -> list[str]:
    """Return the content words of a text, plurals as singulars, and its bigrams of CJK characters.

    >>> terms_of("I like alpine lakes in 瑞士的民宿, 3 of them.")
    ['like', 'alpine', 'lake', '瑞士', '民宿']
    """
    plain = [_singular(word) for word in words(text) if _tells(word)]
    return plain + [pair for part in _GRAMMAR.split(text) for pair in grams(part) if len(pair) == 2]


def keywords(texts: Sequence[str], rarity: Mapping[str, float]) -> tuple[str, ...]:
    """Return the words that tell these texts from all others, as written, best first.

    Class-based TF-IDF: the share of the texts that hold a word times its inverse document frequency in the whole store.
    Words of only one of several texts come last; ties keep the order of the texts.
    """
    holding: Counter[str] = Counter()
    spelt: dict[str, Counter[str]] = {}
    alone: set[str] = set()
    said: dict[str, tuple[int, int]] = {}
    for number, text in enumerate(texts):
        own = {word: _singular(word) for word in words(text) if _tells(word)}
        for word, term in own.items():
            spelt.setdefault(term, Counter())[word] += 1
        for term in set(own.values()) | _stretches(text):
            holding[term] += 1
            said.setdefault(term, (number, text.lower().find(term)))
        alone.update(_runs(text))
    scores: dict[str, tuple[bool, float]] = {}
    for term, count in _whole(holding).items():
        if term not in spelt and count == 1 and term not in alone:
            continue  # said once, nothing shows that a part of a longer run is a word
        parts = [term] if term in spelt else [term[at : at + 2] for at in range(len(term) - 1)]
        rare = max(max(rarity.get(part, MIN_IDF), MIN_IDF) for part in parts)
        scores[term] = (count > 1 or len(texts) == 1, count / len(texts) * rare)
    best: list[str] = []
    for term in sorted(scores, key=lambda term: (not scores[term][0], -round(scores[term][1], 3), said[term], term)):
        if len(best) < KEYWORDS and (term in spelt or not any(term in other or other in term for other in best)):
            best.append(term)
    return tuple(spelt[term].most_common(1)[0][0] if term in spelt else term for term in best)


def choose_name(found: Sequence[str], *, leading: int, old: str, taken: Iterable[str]) -> str:
    """Return a unique name from the best keywords, from those in several members where there are any.

    The old name stays as long as its words are among the keywords, so that it can be asked for later.
    """
    others = set(taken)
    if old and old not in others and set(old.split()) <= set(found):
        return old
    wanted = min(leading or 2, NAME_WORDS, len(found))
    for count in range(wanted, len(found) + 1):
        name = " ".join(found[:count])
        if name and name not in others:
            return name
    base, number = " ".join(found[:NAME_WORDS]) or "topic", 2
    while f"{base} {number}" in others:
        number += 1
    return f"{base} {number}"


def keyword_coverage(query_terms: Iterable[str], found: Sequence[str]) -> float:
    """Return the share of a query's terms among a topic's keywords, 0 to 1."""
    asked = set(query_terms)
    known = {term for keyword in found for term in terms_of(keyword)}
    return len(asked & known) / len(asked) if asked else 0.0


def _tells(word: str) -> bool:
    return word not in STOP_WORDS and len(word) > 1 and not _DIGITS.fullmatch(word)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _runs(text: str) -> list[str]:
    return [run for part in _GRAMMAR.split(text) for run in _IDEOGRAPHS.findall(part)]


def _stretches(text: str) -> set[str]:
    """Return candidate words: stretches of two to LONGEST_WORD CJK characters."""
    return {
        run[at : at + length]
        for run in _runs(text)
        for length in range(2, LONGEST_WORD + 1)
        for at in range(len(run) - length + 1)
    }


def _whole(holding: Mapping[str, int]) -> dict[str, int]:
    """Drop stretches that nearly always stand inside a longer one."""
    inner = {
        part
        for term, count in holding.items()
        if not term.isascii()
        for length in range(2, min(len(term), LONGEST_WORD + 1))  # no stretch is longer
        for at in range(len(term) - length + 1)
        if (part := term[at : at + length]) in holding and count >= WITHIN * holding[part]
    }
    return {term: count for term, count in holding.items() if term not in inner}
