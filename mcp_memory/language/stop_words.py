"""Function words, which say nothing of what a text is about, by language."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return a language's function words in lower case, given its ISO 639-1 code; none where there is no list."""
    return frozenset(_lists().get(language, "").replace("+", " ").split())


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages with a list."""
    return tuple(_lists())


@cache
def _lists() -> Mapping[str, str]:
    lines = (Path(__file__).parent / "data" / "stop_words.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
