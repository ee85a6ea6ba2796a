"""The start of a session: what of a memory goes into its core context, in which order, within a token budget."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from mcp_memory.domain.model import USER, Hit, Item, ItemId, Topic
from mcp_memory.language.dates.periods import DAY, age, format_day, to_ms
from mcp_memory.language.token_count import count_tokens, counted
from mcp_memory.language.tokenization import normal_form
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.recall.salience import stated_at
from mcp_memory.render import digest_text, packing
from mcp_memory.render.item_text import fenced, hit_lines, passage_line
from mcp_memory.render.packing import Packed

GATHERED = 4
"""Members from which a topic that gathered by itself stands in a session's start: fewer stand there themselves."""
SHARES = {"pinned": 1.0, "preferences": 0.35, "decisions": 0.3, "topics": 0.15, "rest": 0.2}
"""What of the budget that is left after the pinned items each part may take first, so that many preferences do not
keep every decision out; what one part leaves the others may take, in this order."""
TOPIC_TOKENS = 60
"""Of a topic's digest that are shown."""


class Part(NamedTuple):
    """A part of the core context: the lines that may go in, best first."""

    name: str
    lines: Sequence["Line"]


class Line(NamedTuple):
    """A line, or several, and the hit it tells; None for a topic."""

    text: str
    hit: Hit | None


Strengths = Callable[[Sequence[Item]], Sequence[float]]
"""How much each item still counts (salience.salience)."""


def days_ago(ms: int, now_ms: int) -> str:
    """Format an age in whole days, which changes at midnight only, so that an unchanged context reads the same."""
    days, today = ms // DAY, now_ms // DAY
    return "today" if days == today else age(days * DAY, today * DAY)


def best_preferences(items: Sequence[Item], *, strengths: Sequence[float], now: datetime) -> list[Item]:
    """The person's first, then the project's; the strongest first."""
    order = _by_strength(items, strengths, now=now)
    return sorted(order, key=lambda item: item.scope != USER)


def latest_decisions(items: Sequence[Item]) -> list[Item]:
    """The project's first, then the person's; the latest first, as `items` come."""
    return sorted(items, key=lambda item: item.scope == USER)


def strongest(items: Sequence[Item], *, strengths: Sequence[float], now: datetime) -> list[Item]:
    """Order items: statements before passages and turns, the strongest first."""
    order = _by_strength(items, strengths, now=now)
    return sorted(order, key=lambda item: item.source_kind != "words")


def standing_now(items: Iterable[Item], *, now: datetime) -> list[Item]:
    """Those that have not ended."""
    moment = to_ms(now.replace(tzinfo=UTC))
    return [item for item in items if item.valid_until is None or item.valid_until > moment]


def with_kept_digests(
    gathered: Sequence[Topic], handed_in: Sequence[Topic], *, scopes: Sequence[str], limit: int
) -> list[Topic]:
    """The topics, those that changed last first; a digest that was handed in stands before one that was made."""
    kept = {(topic.name, topic.scope): topic for topic in reversed(handed_in)}
    told = [_with_kept(topic, kept.pop((topic.name, topic.scope), None)) for topic in gathered]
    told += [topic for topic in kept.values() if not scopes or topic.scope in scopes]
    return sorted(told, key=lambda topic: topic.changed_at or topic.made_at, reverse=True)[:limit]


def topic_lines(topics: Iterable[Topic]) -> list[Line]:
    """A line for each topic whose digest is fresh, and which was handed in or tells of enough to be worth a line."""
    return [
        Line(
            f"topic {one_line(topic.name)} (digest of {counted(len(topic.items), 'memory', 'memories')}, {format_day(topic.made_at)}): "
            f"{digest_text.lead(topic, TOPIC_TOKENS)}",
            None,
        )
        for topic in topics
        if not topic.stale and (topic.kept or len(topic.items) >= GATHERED)
    ]


def lines_of(hits: Iterable[Hit], *, now: datetime, passage: Callable[[Item], str] | None = None) -> list[Line]:
    """A line for each hit, with its age in days, and with the passage around it where that is asked for."""
    return [Line("\n".join(_told(hit, now=now, passage=passage)), hit) for hit in hits]


def _told(hit: Hit, *, now: datetime, passage: Callable[[Item], str] | None) -> Iterator[str]:
    yield hit_lines(hit, now=now, ago=days_ago)
    if passage and (around := passage(hit.item)):
        yield passage_line(hit.item, around)


def pack(parts: Sequence[Part], *, max_tokens: int, limit: int | None, total: int, now: datetime) -> Packed:
    """The parts in their order, fenced, in at most `max_tokens` with at most `limit` memories; none is told twice.

    `total` is how many memories there are; what is not shown is counted at the end.
    """
    frame = f"{fenced([])}\n{_rest(total)}\n"
    left = max_tokens - count_tokens(frame)
    free = len(parts) * [0.0]
    taken: list[list[int]] = [[] for _ in parts]
    said: set[str] = set()
    shown: set[ItemId] = set()
    for by_share in (True, False):
        begun = left
        for number, part in enumerate(parts):
            if by_share and part.name == "pinned":
                free[number] = left
            elif by_share:
                begun = left if number and parts[number - 1].name == "pinned" else begun
                free[number] = SHARES[part.name] * begun
            for place, line in enumerate(part.lines):
                cost = count_tokens(line.text) + 1
                room = min(free[number], left) if by_share else left
                if place in taken[number] or cost > room or not _is_new(line, said, shown, limit=limit):
                    continue
                taken[number].append(place)
                free[number] -= cost
                left -= cost
    chosen = [part.lines[place] for part, places in zip(parts, taken, strict=True) for place in sorted(places)]
    hits = [line.hit for line in chosen if line.hit is not None]
    if not chosen:
        first = [line.hit for part in parts for line in part.lines if line.hit is not None]
        packed = packing.pack(first[:1], max_tokens=max_tokens, now=now)
        return packing.truncated_hit(first[0], max_tokens=max_tokens, now=now) if first and not packed.hits else packed
    tail = _rest(total - len(hits))
    return Packed("\n".join(filter(None, [fenced([line.text for line in chosen]), tail])), hits)


def _is_new(line: Line, said: set[str], shown: set[ItemId], *, limit: int | None) -> bool:
    """Return whether a line may still go in; if so it is noted as told."""
    if line.hit is None:
        return True
    words = normal_form(line.hit.item.spoken)
    if words in said or line.hit.item.id in shown or (limit is not None and len(shown) >= limit):
        return False
    said.add(words)
    shown.add(line.hit.item.id)
    return True


def _with_kept(topic: Topic, kept: Topic | None) -> Topic:
    if kept is None:
        return topic
    newer = len(set(topic.items) - set(kept.items))
    given = replace(topic, digest=kept.digest, sentences=())
    return replace(given, made_at=kept.made_at, stale=kept.stale, newer=newer, kept=True)


def _by_strength(items: Sequence[Item], strengths: Sequence[float], *, now: datetime) -> list[Item]:
    order = sorted(
        range(len(items)),
        key=lambda number: (strengths[number], stated_at(items[number], now=now) // DAY, items[number].id),
        reverse=True,
    )
    return [items[number] for number in order]


def _rest(count: int) -> str:
    return (
        f"{count} more {'is' if count == 1 else 'are'} remembered: recall with a query finds them." if count > 0 else ""
    )
