"""The opening of a session: what of a store goes into its core context, without any search."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from mcp_memory.domain.model import Filter, Hit, Item, Kind, Topic
from mcp_memory.recall.salience import ItemReader, saliences
from mcp_memory.render import session_context

STANDING_KINDS: tuple[Kind, ...] = ("preference", "decision")
"""Kinds a session begins with, after what is pinned."""
LISTED = 300
"""Items of a part of the core context among which the strongest are looked for, the latest."""
SHOWN = 100
"""Of these that are put into words: more than a budget of 2,000 tokens holds."""


def core(
    reader: ItemReader,
    *,
    where: Filter,
    topics: Sequence[Topic],
    now: datetime,
    passage: Callable[[Item], str] | None = None,
) -> list[session_context.Part]:
    """Return the core context of a session: what is pinned, standing preferences, the project's latest decisions,
    those of `topics` that are fresh, then what is strongest of the rest.

    Depends on the day that `now` shows and on what is remembered, and not on what was recalled since midnight.
    """
    pinned = session_context.standing_now(_listed(reader, replace(where, pinned_only=True)), now=now)
    preferences, decisions = (_of_kind(reader, kind, where, now=now) for kind in STANDING_KINDS)
    rest = [item for item in _listed(reader, where) if item.kind not in STANDING_KINDS]
    rest = session_context.standing_now(rest, now=now)
    ordered = {
        "pinned": session_context.strongest(pinned, strengths=saliences(reader, pinned, now=now), now=now),
        "preferences": session_context.best_preferences(
            preferences, strengths=saliences(reader, preferences, now=now), now=now
        ),
        "decisions": session_context.latest_decisions(decisions),
        "topics": [],
        "rest": session_context.strongest(rest, strengths=saliences(reader, rest, now=now), now=now),
    }
    parts = [
        session_context.Part(
            name,
            session_context.lines_of(
                _with_replaced(reader, [Hit(item, 0.0) for item in items[:SHOWN]], as_of=where.as_of),
                now=now,
                passage=passage,
            ),
        )
        for name, items in ordered.items()
    ]
    about = session_context.Part("topics", session_context.topic_lines(topics))
    return [about if part.name == about.name else part for part in parts]


def _of_kind(reader: ItemReader, kind: Kind, where: Filter, *, now: datetime) -> list[Item]:
    if where.kinds and kind not in where.kinds:
        return []
    return session_context.standing_now(_listed(reader, replace(where, kinds=(kind,))), now=now)


def _listed(reader: ItemReader, where: Filter) -> list[Item]:
    return reader.listing(where=where, limit=LISTED)


def _with_replaced(reader: ItemReader, hits: Sequence[Hit], *, as_of: int | None) -> list[Hit]:
    replaced = reader.replaced_by([hit.item.id for hit in hits], as_of=as_of)
    return [replace(hit, was=(*replaced.get(hit.item.id, ()), *hit.was)) for hit in hits]
