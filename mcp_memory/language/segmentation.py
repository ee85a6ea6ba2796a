"""Segments of a text within a token budget, cut where the topic changes."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from math import inf, sqrt

from mcp_memory.errors import InvalidInput
from mcp_memory.language.sentences import sentence_spans, trimmed_span
from mcp_memory.language.token_count import count_tokens, token_weight
from mcp_memory.language.tokenization import CJK_RUN, Span, compared_words


def shorten(text: str, max_tokens: int) -> str:
    """Return the leading whole sentences that fit, or the text itself when it does.

    Where not even the first sentence fits, its first words and "…", which is counted too; "" for no tokens at all.
    """
    if count_tokens(text) <= max_tokens:
        return text
    budget = 100 * max_tokens
    start = end = len(text) - len(text.lstrip())
    for (_, stop), _ in sentence_spans(text):
        budget -= token_weight(text[end:stop])
        if budget < 0:
            break
        end = stop
    if end > start:
        return text[start:end]
    budget = 100 * max_tokens - token_weight("…")
    if budget < 0:
        return ""
    reach = cut = _reach(text, Span(start, len(text)), budget)
    while cut > start and text[cut - 1].isalnum() and text[cut].isalnum() and not CJK_RUN.match(text, cut):
        cut -= 1
    return text[start : reach if cut == start else cut].rstrip() + "…"


_CLAUSE = re.compile(r"[,;:)\]—–](?=\s)|[，：、）】》—]")
_TINY = 4000  # hundredths of a token, below which a segment costs more than any cut
_BLOCK = 4  # sentences on each side of a gap that are compared
_SHARE = 16  # sentences are joined up to this part of the limit, so at most twice as many units share a segment


def segment(text: str, *, limit: int = 200) -> list[Span]:
    """Return spans of at most `limit` tokens (1 or more), in order; every character but white space is in exactly one.

    Cuts fall between sentences: before headings always, then where they cost least, which is at blank lines and where
    the vocabulary changes (TextTiling: Hearst, Computational Linguistics 23(1), 1997). A segment below 40 tokens
    stays alone only where a heading parts it from its neighbours or together they would not fit. A sentence longer
    than the limit is cut at a clause mark, else at a space, else anywhere. Linear in the length of the text.
    """
    if limit < 1:
        raise InvalidInput(f"limit is {limit}; give a number of tokens from 1 up.")
    return [span for section in _sections(text, 100 * limit) for span in _pack(text, section, budget=100 * limit)]


def _sections(text: str, budget: int) -> Iterator[list[Span]]:
    """Yield what stands from one heading to the next: the sentences, or the parts of those over budget, headings with what follows."""
    section, after_heading = list[Span](), False
    for span, kind in sentence_spans(text):
        if kind == "heading" and section and not after_heading:
            yield section
            section = []
        if after_heading and token_weight(text[section[-1].start : span.end]) <= budget:
            section[-1] = Span(section[-1].start, span.end)
        else:
            section += _fitting(text, span, budget)
        after_heading = kind == "heading"
    if section:
        yield section


def _fitting(text: str, span: Span, budget: int) -> Iterator[Span]:
    """Yield the span in parts that weigh at most `budget`."""
    start, end = span
    while (reach := _reach(text, Span(start, end), budget)) < end:
        cut = max((mark.end() for mark in _CLAUSE.finditer(text, start, reach)), default=start)
        if cut <= start + (reach - start) // 3:
            parts = text[start : reach + 1].rsplit(None, 1)
            cut = start + len(parts[0]) if len(parts) > 1 or (parts and text[reach].isspace()) else reach
        cut = max(cut, start + 1)
        if not text[start:cut].isspace():
            yield trimmed_span(text, start, cut)
        start = cut
    yield trimmed_span(text, start, end)


def _reach(text: str, span: Span, budget: int) -> int:
    """Return how far from the start of the span the budget goes; the end where it all fits."""
    start, end = span
    if end - start <= budget and token_weight(text[start:end]) <= budget:
        return end
    width = max(1, budget // 10)
    while start + width < end and token_weight(text[start : start + width]) <= budget:
        width *= 2
    lengths = range(1, min(width, end - start) + 1)
    return start + bisect_right(lengths, budget, key=lambda length: token_weight(text[start : start + length]))


def _pack(text: str, section: Sequence[Span], *, budget: int) -> list[Span]:
    """Join the sentences of one section at the least total cost, by dynamic programming."""
    if len(section) == 1 or token_weight(text[section[0].start : section[-1].end]) <= budget:
        return [Span(section[0].start, section[-1].end)]
    units = _joined(text, section, budget=budget // _SHARE)
    bare = [token_weight(text[unit.start : unit.end]) for unit in units]
    spaced = [token_weight(text[unit.start : after.start]) for unit, after in pairwise(units)]
    costs = _cut_costs(text, units)
    best, cuts = [0.0], [0]
    for last, weight in enumerate(bare):
        least, cut = inf, last
        for first in range(last, -1, -1):
            weight += spaced[first] if first < last else 0
            if weight > budget and first < last:
                break
            tiny = 4 - 2 * weight / _TINY if weight < _TINY else 0
            if (cost := best[first] + costs[first] + tiny) <= least:
                least, cut = cost, first
        best.append(least)
        cuts.append(cut)
    spans: list[Span] = []
    last = len(units)
    while last:
        spans.append(Span(units[cuts[last]].start, units[last - 1].end))
        last = cuts[last]
    return spans[::-1]


def _joined(text: str, section: Sequence[Span], *, budget: int) -> list[Span]:
    """Join neighbouring sentences of a few words, so that few units can share a segment."""
    units: list[Span] = []
    weight = budget
    for span in section:
        added = token_weight(text[units[-1].end if units else span.start : span.end])
        if units and weight + added <= budget:
            units[-1] = Span(units[-1].start, span.end)
            weight += added
        else:
            units.append(span)
            weight = added
    return units


def _cut_costs(text: str, section: Sequence[Span]) -> list[float]:
    """Return the cost of a cut before each sentence, from 0.0 at a sure change of topic to 1.0; nothing before the first."""
    parts = [text[span.start : span.end] for span in section]
    terms = [compared_words(part) for part in parts]
    cohesion = [_cohesion(terms, gap) for gap in range(1, len(section))]
    left, right = _peaks(cohesion), _peaks(cohesion[::-1])[::-1]
    costs = [0.0]
    for index, score in enumerate(cohesion):
        depth = min(1.0, left[index] + right[index] - 2 * score)
        blank = text.count("\n", section[index].end, section[index + 1].start) > 1
        costs.append(max(0.0, 1.0 - depth - 0.5 * blank))
    return costs


def _cohesion(terms: Sequence[Sequence[str]], gap: int) -> float:
    """Return the cosine of the word counts of the sentences before and after a gap."""
    before = Counter(chain.from_iterable(terms[max(0, gap - _BLOCK) : gap]))
    after = Counter(chain.from_iterable(terms[gap : gap + _BLOCK]))
    dot = sum(times * after[term] for term, times in before.items() if term in after)
    squares = sum(times * times for times in before.values()) * sum(times * times for times in after.values())
    return dot / sqrt(squares) if squares else 0.0


def _peaks(scores: Sequence[float]) -> list[float]:
    """Return for each score the height reached by climbing to its left."""
    peaks: list[float] = []
    for index, score in enumerate(scores):
        peaks.append(peaks[-1] if index and scores[index - 1] >= score else score)
    return peaks
