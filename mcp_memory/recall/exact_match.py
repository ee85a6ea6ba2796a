"""Naming: whether a text holds all that a query names, so that what only resembles it is not taken away with it."""

import re

from mcp_memory.language.stemming import stems
from mcp_memory.language.stop_words import stop_words
from mcp_memory.language.tokenization import STOP_WORDS, grams, words

_GENERAL = stop_words("en-memory").union("all any every fact facts forget delete remove erase".split())
"""Words that say what is to be done, or that it is all of it."""
_GENERAL_HAN = re.compile(
    "请|請|忘记|忘記|忘掉|删除|刪除|去掉|关于|關於|有关|有關|所有|全部|一切|记忆|記憶|的|和|与|與"
)


def names(query: str, text: str) -> bool:
    """Return whether the text holds each content word of the query, in any inflection, and each pair of its CJK characters.

    False where the query names nothing.

    >>> names("my sunglasses", "I broke the sunglasses."), names("my sunglasses", "The sky is clear.")
    (True, False)
    """
    wanted = {stems(word, ["en"])[0] for word in words(query) if word not in STOP_WORDS | _GENERAL}
    pairs = {gram for run in _GENERAL_HAN.split(query) for gram in _longest(grams(run))}
    if not wanted and not pairs:
        return False
    return wanted <= {stems(word, ["en"])[0] for word in words(text)} and pairs <= set(grams(text))


def _longest(found: list[str]) -> list[str]:
    """The pairs; the character where there is one alone."""
    return [gram for gram in found if len(gram) == 2] or found
