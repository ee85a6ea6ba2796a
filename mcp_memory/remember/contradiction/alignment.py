"""Align two statements token by token, and measure how much of their words they share."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from mcp_memory.language.tokenization import STOP_WORDS
from mcp_memory.remember.contradiction.values import Token, root


class Slot(NamedTuple):
    """A stretch where two statements differ: old tokens [start, end) stand for new tokens [new_start, new_end)."""

    start: int
    end: int
    new_start: int
    new_end: int


@lru_cache(maxsize=4096)
def key(token: Token) -> str:
    """Return what tokens are aligned by: the root of a word, else its form."""
    return root(token.form) if token.kind == "word" else token.form


def align(old: Sequence[Token], new: Sequence[Token]) -> list[Slot]:
    """Return the stretches where the statements differ, from left to right."""
    matcher = SequenceMatcher(None, [key(token) for token in old], [key(token) for token in new], autojunk=False)
    return [Slot(*places) for operation, *places in matcher.get_opcodes() if operation != "equal"]


def index_of(part: Sequence[str], whole: Sequence[str]) -> int | None:
    """Return where some words stand in others, one after the other; None where they do not."""
    width = len(part)
    return next(
        (at for at in range(len(whole) - width + 1) if width and list(whole[at : at + width]) == list(part)), None
    )


def content(tokens: Sequence[Token]) -> frozenset[str]:
    """Return the roots of content words, the pairs of Chinese characters and the values."""
    pairs = {left.form + right.form for left, right in pairwise(tokens) if left.kind == right.kind == "han"}
    rest = {key(token) for token in tokens if token.kind != "han" and token.form not in STOP_WORDS}
    return frozenset(pairs | rest)


def word_overlap(old: Sequence[Token], new: Sequence[Token]) -> float:
    """Return the share of the shorter statement's content that the other has too, 0.0 to 1.0."""
    one, other = content(old), content(new)
    least = min(len(one), len(other))
    return len(one & other) / least if least else 0.0
