"""Estimates of how important statements are, from their kind and their words."""

import re
from collections.abc import Mapping, Sequence

from mcp_memory.domain.model import Kind
from mcp_memory.language.tokenization import content_words, grams

ORDINARY: Mapping[Kind, float] = {
    "preference": 0.5,
    "decision": 0.5,
    "procedure": 0.45,
    "fact": 0.4,
    "event": 0.35,
    "note": 0.3,
    "tool": 0.25,
}
"""Estimates of ordinary statements, by kind."""
SPECIFIC = 0.2  # Weight of the rarest words against the most common
NAMED = 0.15  # Weight of NAMES names or numbers, or more
NAMES = 3


EMPHATIC = 0.25  # Weight of explicit emphasis
TELLING = 3  # Content words; shorter statements matter less
SEEN_ENOUGH = 50  # States from which rarity counts at least half: among the first memories every word is rare
_NAME = re.compile(r"(?<=[\w,;:'\"(] )[A-Z][\w-]+|\d+(?:[.,:/-]\d+)*")


_EMPHASIS = re.compile(
    r"\b(?:important|critical|crucial|essential|vital|urgent|always|never|must|mandatory|remember that|warning|"
    r"do not|don't|don’t|under no circumstances|by all means)\b|\w!(?:\s|$)|重要|必须|必須|务必|千万|记住|一定要|绝不|绝对",
    re.IGNORECASE,
)


_SHOUTED = re.compile(r"\b[A-Z]{5,}\b")


def estimate_importance(text: str, kind: Kind, *, rarity: Mapping[str, float], rarest: float, total: int) -> float:
    """Estimate the importance of a statement, 0 to 1, where none was given: .5 is ordinary.

    The estimate of its kind, raised for rare words (inverse document frequency by word, of which `rarest` is that of a
    word that none of the `total` states holds), for names and numbers, and for saying that it matters.
    """
    words = terms(text)
    estimate = ORDINARY[kind]
    if words and rarest > 0:
        mean = sum(rarity.get(word, rarest) for word in words) / len(words) / rarest
        estimate += SPECIFIC * (mean - 0.5) * total / (total + SEEN_ENOUGH)
    estimate += NAMED * min(len(set(_NAME.findall(text))), NAMES) / NAMES
    estimate += EMPHATIC * bool(_EMPHASIS.search(text) or _SHOUTED.search(text))
    if len(words) < TELLING:
        estimate -= SPECIFIC / 2
    return round(min(max(estimate, 0.1), 0.9), 2)


def terms(text: str) -> Sequence[str]:
    """Return the words and CJK pairs whose rarity counts, without repeats; as many as a passage has at most."""
    pairs = [gram for gram in grams(text) if len(gram) == 2]
    return list(dict.fromkeys([*content_words(text), *pairs]))[:200]
