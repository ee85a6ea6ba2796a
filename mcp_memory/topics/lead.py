"""Leads: a digest before the hits, where a question covers more of a topic than an answer can hold."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from mcp_memory.domain.model import ItemId, Topic
from mcp_memory.language.dates.periods import format_day
from mcp_memory.language.sentences import sentences
from mcp_memory.language.token_count import count_tokens, counted
from mcp_memory.language.tokenization import grams
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.render.digest_text import Sentence, citation, digest_line
from mcp_memory.render.item_text import OPENING
from mcp_memory.render.packing import Packed
from mcp_memory.topics.keywords import keyword_coverage, terms_of

HITS = 3
"""Hits of one topic from which an answer is about it."""
SHARE = 0.5
"""Of the hits that are of the topic, at least."""
LEAD_TOKENS = 120
_MARK = re.compile(r"^(?:[-*•#>]+\s+)+")


def dominant_topic(of_hits: Sequence[Iterable[int]], *, more: int) -> int | None:
    """Return the topic of most hits, where more memories match than the answer holds.

    `of_hits` has the topics of each hit. None where everything that matched is shown, or no topic has HITS hits and SHARE
    of them.
    """
    counts = Counter(topic for topics in of_hits for topic in set(topics))
    if not counts or more <= 0:
        return None
    best = min(counts, key=lambda topic: (-counts[topic], topic))
    return best if counts[best] >= max(HITS, SHARE * len(of_hits)) else None


def is_named_in(topic: Topic, asked: Iterable[str]) -> bool:
    """Return whether a question's terms name a topic, so that an answer with any of it may begin with its digest.

    Half of the name's words suffice; of a Chinese name its beginning, which has the subject: 瑞士旅行.
    """
    name_terms, known = terms_of(topic.name), set(asked)
    if name_terms and grams(name_terms[0]):
        return name_terms[0] in known
    return 2 * len(known.intersection(name_terms)) >= len(set(name_terms)) > 0


def lead_candidates(
    topic: Topic, sentences: Sequence[Sentence], *, query: str, shown: Iterable[ItemId], now: datetime
) -> list[str]:
    """Return candidate leads, the fullest first; none where the question has none of the topic's keywords.

    `topic NAME (n memories): sentence (#id, date) …`, with the sentences whose items are not `shown` anyway, the most
    important first, then fewer of them; none where all of them are shown.
    """
    if not keyword_coverage(terms_of(query), [*topic.keywords, topic.name]):
        return []
    shown_ids = set(shown)
    others = [sentence for sentence in sentences if sentence.item.id not in shown_ids]
    lines = [digest_line(sentence, now=now).removeprefix("- ") for sentence in others]
    return _fullest_first(_start(topic, "digest stale" if topic.stale else ""), lines)


def lead_candidates_kept(topic: Topic, *, shown: Iterable[ItemId]) -> list[str]:
    """Return candidate leads of a handed-in digest, which cites no single item; none where all its items are shown."""
    if set(topic.items) <= set(shown):
        return []
    lines = [citation(_MARK.sub("", topic.digest[start:end]), None) for start, end in sentences(topic.digest)]
    return _fullest_first(_start(topic, f"kept digest {format_day(topic.made_at)}"), lines)


def _start(topic: Topic, state: str) -> str:
    notes = [counted(len(topic.items), "memory", "memories"), *([state] if state else [])]
    return f"topic {one_line(topic.name)} ({', '.join(notes)}): "


def _fullest_first(start: str, lines: Sequence[str]) -> list[str]:
    """Return the lines that fit into LEAD_TOKENS as one lead, then fewer of them."""
    fitting: list[str] = []
    for line in lines:
        if count_tokens(start + " · ".join([*fitting, line])) > LEAD_TOKENS:
            break
        fitting.append(line)
    return [start + " · ".join(fitting[:count]) for count in range(len(fitting), 0, -1)]


def prepend_lead(packed: Packed, lines: Sequence[str], *, max_tokens: int, repack: Callable[[int], Packed]) -> Packed:
    """Return the answer with the fullest lead that costs none of its hits, within the budget; unchanged where none fits.

    `repack` packs the answer into a smaller budget, where a hit may be shortened.
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
