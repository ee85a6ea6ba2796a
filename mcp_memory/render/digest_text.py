"""Digests and topics as text with citations."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from mcp_memory.domain.call_hints import TO_TOOLS, Speech
from mcp_memory.domain.model import Item, ItemId, Topic
from mcp_memory.language.dates.periods import format_day
from mcp_memory.language.segmentation import shorten
from mcp_memory.language.token_count import counted
from mcp_memory.privacy.prompt_injection import looks_like_injection
from mcp_memory.privacy.provenance import INSTRUCTS, SHORTEST
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.recall.salience import local_time_of
from mcp_memory.render.item_text import fenced

CITED = 3
"""Memories that a kept digest names of those it covers."""


_MARK = re.compile(r"\s*[-*•]\s+")


class Sentence(NamedTuple):
    """A sentence of a digest, with the memory it comes from and the text that one replaced."""

    text: str
    item: Item
    was: str | None = None


def citation(text: str, of: ItemId | None) -> str:
    """Cite a memory's text with its id, if it is of a single memory. Marked where it holds instructions."""
    told = [*([f"#{of}"] if of else []), *([INSTRUCTS] if looks_like_injection(text) else [])]
    return f"{one_line(text)} ({', '.join(told)})" if told else one_line(text)


def digest_line(sentence: Sentence, *, now: datetime) -> str:
    """A sentence cited by id and date, a change shown old -> new, marked where it holds instructions."""
    text = one_line(sentence.text)
    mark = f", {INSTRUCTS}" if looks_like_injection(sentence.text) or looks_like_injection(sentence.was or "") else ""
    if sentence.was:
        text = f"{one_line(sentence.was)} -> {text}"
    return f"- {text} (#{sentence.item.id}, {format_day(local_time_of(sentence.item, now=now))}{mark})"


def digest(sentences: Sequence[Sentence], *, left_out: int, now: datetime) -> str:
    """The sentences as cited lines, fenced as data, and how many memories were left out."""
    tail = [f"Not in this digest: {left_out} more. Recall has them."] if left_out else []
    return "\n".join([fenced([digest_line(sentence, now=now) for sentence in sentences]), *tail])


def kept_digest(topic: Topic, *, newer: int, cited: int = CITED, speech: Speech = TO_TOOLS) -> str:
    """A topic's digest as it was handed in, fenced as data, and how many memories it does not know of.

    Where `cited` is not 0 it says what it covers: how many memories, and the ids of the first of them.
    """
    # With a mark before it no line of the text can pass for one of ours.
    lines = [f"- {one_line(_MARK.sub('', line))}" for line in topic.digest.splitlines() if line.strip()]
    lines += [f"({INSTRUCTS})"] if looks_like_injection(topic.digest) else []
    if cited and topic.items:
        ids = ", ".join([*(f"#{item}" for item in topic.items[:cited]), *(["…"] if len(topic.items) > cited else [])])
        lines.append(f"(covers {counted(len(topic.items), 'memory', 'memories')}: {ids})")
    come = f"{counted(newer, 'memory has', 'memories have')} come since; {speech.call('summarize', digest='…')} once the digest tells of that too."
    tail = [come] if newer else []
    return "\n".join([fenced(lines), *tail])


def topics(found: Sequence[Topic], tags: Sequence[tuple[str, str, int]]) -> str:
    """The topics, then the tags that are none, one a line.

    `NAME (scope): n memories, changed DATE, digest DATE (fresh); keywords: …; what carries the most`.
    """
    named = {(topic.name, topic.scope) for topic in found}
    lines = [_topic_line(topic) for topic in found]
    lines += [
        f"{one_line(tag)} ({one_line(scope)}): tag of {counted(count, 'memory', 'memories')}"
        for tag, scope, count in tags
        if (tag, scope) not in named
    ]
    return fenced(lines) if lines else "No topics yet."


def lead(topic: Topic, max_tokens: int) -> str:
    """The beginning of a digest that was handed in, or the sentence that carries the most, with whose it is."""
    text, item = (topic.sentences[0].text, topic.sentences[0].item) if topic.sentences else (topic.digest, None)
    return citation(shorten(one_line(text), max_tokens), item)


def _topic_line(topic: Topic) -> str:
    state = "stale" if topic.stale else "fresh"
    newer = f", {topic.newer} newer" if topic.newer else ""
    changed = f", changed {format_day(topic.changed_at)}" if topic.changed_at else ""
    digest = f"kept digest {format_day(topic.made_at)}" if topic.kept else f"digest {format_day(topic.made_at)}"
    parts = [f"{counted(len(topic.items), 'memory', 'memories')}{changed}, {digest} ({state}{newer})"]
    if topic.keywords:
        parts.append(f"keywords: {one_line(', '.join(topic.keywords))}")
    if topic.digest:
        parts.append(lead(topic, SHORTEST))
    return f"{one_line(topic.name)} ({one_line(topic.scope)}): {'; '.join(parts)}"
