"""Paging: a digest before its memories, where a question is about more of a topic than an answer can hold."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from mcp_memory.compose import OPENING, Packed, Sentence, digest_line, one_line
from mcp_memory.domain import ItemId, Topic
from mcp_memory.text import count_tokens, counted
from mcp_memory.topics import match, terms_of

HITS = 3
"""Hits of one topic from which an answer is about it."""
SHARE = 0.5
"""Of the hits that are of the topic, at least."""
LEAD_TOKENS = 120
"""A lead's length at most: three or four sentences."""


def subject(of_hits: Sequence[Iterable[int]], *, more: int) -> int | None:
    """The topic an answer is broadly about: that of most of its hits, where further memories match that it can't hold.

    `of_hits` has the topics of each hit. None where all that matched is there, or no topic has HITS hits and SHARE of them.
    """
    counts = Counter(topic for topics in of_hits for topic in set(topics))
    if not counts or more <= 0:
        return None
    best = min(counts, key=lambda topic: (-counts[topic], topic))
    return best if counts[best] >= max(HITS, SHARE * len(of_hits)) else None


def named(topic: Topic, asked: Iterable[str]) -> bool:
    """Whether a question, by its terms, names a topic: an answer that holds any of it may then begin with its digest."""
    terms = set(terms_of(topic.name))
    return bool(terms) and terms <= set(asked)


def leads(
    topic: Topic, sentences: Sequence[Sentence], *, query: str, shown: Iterable[ItemId], now: datetime
) -> list[str]:
    """What may stand before the hits, the fullest first; nothing where the question names none of the topic's keywords.

    `topic NAME (n memories): sentence (#id, date) …`, with those sentences of its digest whose memories are not `shown`
    anyway, what carries the most first, then fewer of them; nothing where all of them are shown.
    """
    if not match(terms_of(query), [*topic.keywords, topic.name]):
        return []
    told = set(shown)
    head = f"topic {one_line(topic.name)} ({counted(len(topic.items), 'memory', 'memories')}"
    start = f"{head}{', digest stale' if topic.stale else ''}): "
    lines = [
        digest_line(sentence, now=now).removeprefix("- ") for sentence in sentences if sentence.item.id not in told
    ]
    fitting: list[str] = []
    for line in lines:
        if count_tokens(start + " · ".join([*fitting, line])) > LEAD_TOKENS:
            break
        fitting.append(line)
    return [start + " · ".join(fitting[:count]) for count in range(len(fitting), 0, -1)]


def led(packed: Packed, lines: Sequence[str], *, max_tokens: int, repack: Callable[[int], Packed]) -> Packed:
    """The answer with the fullest lead that costs none of its hits, within the budget; as it was where none fits.

    `repack` makes the answer anew within a smaller budget, where the text of a hit may be shortened.
    """
    for line in lines:
        if count_tokens(_insert(packed, line).text) <= max_tokens:
            return _insert(packed, line)
    hits = [hit.item.id for hit in packed.hits]
    for line in lines:
        tighter = repack(max_tokens - count_tokens(line) - 2)
        if [hit.item.id for hit in tighter.hits] == hits and count_tokens(_insert(tighter, line).text) <= max_tokens:
            return _insert(tighter, line)
    return packed


def _insert(packed: Packed, line: str) -> Packed:
    return Packed(packed.text.replace(f"{OPENING}\n", f"{OPENING}\n{line}\n", 1), packed.hits)
