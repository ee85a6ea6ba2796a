"""Estimates of how many tokens a language model needs for a text."""

import re
from operator import add

from mcp_memory.language.scripts import CJK, HAN
from mcp_memory.language.token_pairs import HAN_PAIRS

# What a run of characters weighs, in hundredths of a token: at least so much, and more for each character past so many.
_HAN_RUN = re.compile(f"[{HAN}]+")

_RUNS = (
    (re.compile(r"(?<![A-Za-z]['’])[A-Z]?[a-z]+"), 100, 11, 6),
    (re.compile(r"[A-Z]+(?![a-z])"), 100, 40, 1),
    (re.compile(r"[0-9]{1,3}"), 100, 0, 0),
    # Control characters count as signs do, and long white space too, or an item of few tokens could be of megabytes.
    (re.compile(r"(?:[\x01-\x08\x0e-\x1b\x7f!-&(-/:-@\[-`{-~]|'(?![a-z]))+"), 100, 20, 1),
    (re.compile(r"\n\s*|[^\S\n]{2,}"), 50, 1, 80),
    (_HAN_RUN, 100, 100, 1),
    (re.compile(f"(?:(?![{HAN}])[{CJK}])+"), 88, 88, 1),
    (re.compile(f"[^\x00-\x7f\\s{CJK}]"), 80, 0, 0),
)


def count_tokens(text: str) -> int:
    """Estimate a language model's tokens, without a tokenizer.

    Error against o200k_base over texts of 30 tokens and more, at the median and in nine of ten texts at most
    (python -m bench.tokens, 2026-11-21): LoCoMo dialogues 3.2 and 8.1 %, SciFact abstracts 3.7 and 9.1 %,
    XQuAD English 4.1 and 10.4 %, XQuAD Chinese 3.2 and 8.0 %, CMRC 2018 2.7 and 9.2 %.
    cl100k_base needs 45 % more for Chinese. Joining two texts with a space changes the sum of their counts by at most 2.
    """
    return (token_weight(text) + 50) // 100


def token_weight(text: str) -> int:
    weight = 0
    for pattern, least, more, free in _RUNS[:5] if text.isascii() else _RUNS:
        runs: list[str] = pattern.findall(text)
        weight += least * len(runs)
        weight += more * sum([len(run) - free for run in runs if len(run) > free])
        if pattern is _HAN_RUN:
            weight -= 100 * sum(pair in HAN_PAIRS for run in runs for pair in map(add, run, run[1:]))
    return weight


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "memory", "memories"), counted(1200, "item")
    ('1 memory', '1,200 items')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
