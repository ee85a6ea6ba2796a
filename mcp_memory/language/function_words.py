"""The function words of the language a text is in, as they are searched for."""

from functools import cache

from mcp_memory.language.detection import language_of_script, latin_scores
from mcp_memory.language.stop_words import stop_words
from mcp_memory.language.tokenization import words

MOST_ALIKE = 3
"""Languages that a text may be in whose function words are taken for such."""


def function_words(text: str) -> frozenset[str]:
    """Return, without accents, the function words of the language that most of a text's words speak for.

    Those of several languages where they speak for these alike, and none where that is anybody's guess.
    """
    if (script := language_of_script(text)) != "":
        return _folded(script or "")
    scores = latin_scores(text)
    best = [code for code, score in scores.items() if score and score == max(scores.values())]
    return frozenset[str]().union(*map(_folded, best)) if len(best) <= MOST_ALIKE else frozenset()


@cache
def _folded(language: str) -> frozenset[str]:
    return frozenset(words(" ".join(stop_words(language))))
