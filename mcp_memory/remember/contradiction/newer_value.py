"""Decide whether a later text gives the newer value of what an earlier one states.

It only labels and orders what recall shows, and hides nothing, so it may go further than the planner, which decides what
replaces what: messages and notes are seldom the same sentence twice with one value changed.
"""

import re
from functools import lru_cache

from mcp_memory.language.token_count import count_tokens
from mcp_memory.language.tokenization import STOP_WORDS
from mcp_memory.remember.contradiction.alignment import content
from mcp_memory.remember.contradiction.comparison import change_probability, replaced_value
from mcp_memory.remember.contradiction.parsing import parse, statements_of
from mcp_memory.remember.contradiction.values import TYPED

LONGEST = 150
"""Tokens (token_count.count_tokens) of a text that is compared, at most: a longer one is a passage that states many things."""
SHARED = 2
"""Content words that both texts have in common, at least."""
NEWER = 0.28
"""Probability of a change (comparison.change_probability) from which one of its sentences gives the newer value."""

_BEFORE = re.compile(
    r"\b(?:previous(?:ly)?|used to|former(?:ly)?|original(?:ly)?|at first|back then|in the past)\b"
    r"|以前|原来|原先|当初|最初|曾经",
    re.IGNORECASE,
)
"""How a question refers to a former state."""


def is_newer_value(old: str, new: str) -> bool:
    """Decide whether `new`, the later text, says otherwise of what `old` says, in one sentence of each."""
    if _too_long(old) or _too_long(new):
        return False
    shared = len(_words(old) & _words(new)) >= SHARED
    return any(
        reason or (shared and change_probability(said, says, reason=None) >= NEWER)
        for said in statements_of(old)
        for says in statements_of(new)
        for reason in [replaced_value(said, says)]
    )


def asks_for_previous(query: str, old: str, new: str) -> bool:
    """Decide whether a question is about the older of two values: it names it, or asks for a former state."""
    if _BEFORE.search(query):
        return True
    if max(len(query), len(old), len(new)) > LONGEST:
        return False
    names = {token.form for token in parse(old).tokens if token.kind in TYPED or token.capital}
    for said in statements_of(old):
        for says in statements_of(new):
            former, arrow, _ = (replaced_value(said, says) or "").partition(" -> ")
            names |= {word for word in former.split() if arrow and word.isascii() and word not in STOP_WORDS}
    return any(token.form in names - set(parse(new).forms) for token in parse(query).tokens)


@lru_cache(maxsize=256)
def _words(text: str) -> frozenset[str]:
    return content(parse(text).tokens)


@lru_cache(maxsize=512)
def _too_long(text: str) -> bool:
    return count_tokens(text) > LONGEST
