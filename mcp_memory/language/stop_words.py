"""Words that say nothing of what a text is about, by language."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return a list's words in lower case, none where there is no such list.

    The list of an ISO 639-1 code has a language's function words; others are named in `data/stop_words.txt`.
    """
    return frozenset(_words(language))


@cache
def unspaced_words(*lists: str) -> re.Pattern[str]:
    """Return a pattern for any of the words of lists in languages that part no words, the longest first."""
    words = {word for name in lists for word in _words(name)}
    return re.compile("|".join(sorted(words, key=lambda word: (-len(word), word))))


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages whose function words are known."""
    return tuple(name for name in _lists() if "-" not in name)


def _words(name: str) -> list[str]:
    return _lists().get(name, "").replace(" + ", " ").removeprefix("+ ").split()


@cache
def _lists() -> Mapping[str, str]:
    lines = (Path(__file__).parent / "data" / "stop_words.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
