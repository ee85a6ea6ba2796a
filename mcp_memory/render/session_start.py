"""The opening of a session: what of a store goes into its core context, without any search."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from mcp_memory.domain.model import (
    Filter,
    Hit,
    Item,
    ItemId,
    Kind,
    Topic,
)
from mcp_memory.recall.salience import strength, today
from mcp_memory.render import session_context

STANDING_KINDS: tuple[Kind, ...] = ("preference", "decision")
"""Kinds a session begins with, after what is pinned."""
LISTED = 300
"""Items of a part of the core context among which the strongest are looked for, the latest."""
SHOWN = 100
"""Of these that are put into words: more than a budget of 2,000 tokens holds."""


class Shelf(Protocol):
    """What a session's opening reads of a store; see store.Store for what each method promises."""

    def listing(self, *, where: Filter, limit: int) -> list[tuple[int, Item]]:
        """The items a filter lets through, the latest first."""
        ...

    def uses(self, ids: Sequence[ItemId], *, before: int) -> Mapping[ItemId, int]:
        """How often each was handed out before a day."""
        ...

    def replaced_by(self, ids: Sequence[ItemId], *, as_of: int | None = None) -> Mapping[ItemId, Sequence[Item]]:
        """What each took the place of."""
        ...


def core(
    shelf: Shelf,
    *,
    where: Filter,
    topics: Sequence[Topic],
    now: datetime,
    passage: Callable[[Item], str] | None = None,
) -> list[session_context.Part]:
    """What a session should begin with: what is pinned, standing preferences, the project's latest decisions,
    those of `topics` that are fresh, then what is strongest of the rest.

    Depends on the day that `now` shows and on what is remembered, and not on what was recalled since midnight.
    """
    pinned = session_context.standing_now(_listed(shelf, replace(where, pinned_only=True)), now=now)
    preferences, decisions = (_of_kind(shelf, kind, where, now=now) for kind in STANDING_KINDS)
    rest = [item for item in _listed(shelf, where) if item.kind not in STANDING_KINDS]
    rest = session_context.standing_now(rest, now=now)
    ordered = {
        "pinned": session_context.strongest(pinned, strengths=strengths(shelf, pinned, now=now), now=now),
        "preferences": session_context.best_preferences(
            preferences, strengths=strengths(shelf, preferences, now=now), now=now
        ),
        "decisions": session_context.latest_decisions(decisions),
        "topics": [],
        "rest": session_context.strongest(rest, strengths=strengths(shelf, rest, now=now), now=now),
    }
    parts = [
        session_context.Part(
            name,
            session_context.hit_lines(
                _with_replaced(shelf, [Hit(item, 0.0) for item in items[:SHOWN]], as_of=where.as_of),
                now=now,
                passage=passage,
            ),
        )
        for name, items in ordered.items()
    ]
    about = session_context.Part("topics", session_context.topic_lines(topics))
    return [about if part.name == about.name else part for part in parts]


def _of_kind(shelf: Shelf, kind: Kind, where: Filter, *, now: datetime) -> list[Item]:
    if where.kinds and kind not in where.kinds:
        return []
    return session_context.standing_now(_listed(shelf, replace(where, kinds=(kind,))), now=now)


def _listed(shelf: Shelf, where: Filter) -> list[Item]:
    return [item for _, item in shelf.listing(where=where, limit=LISTED)]


def strengths(shelf: Shelf, items: Sequence[Item], *, now: datetime) -> list[float]:
    """How much each item still counts, 0 to 1 (salience.strength); the same all day, whatever is recalled in it."""
    uses = shelf.uses([item.id for item in items], before=today(now))
    return [strength(item, now=now, uses=uses.get(item.id, 0)) for item in items]


def _with_replaced(shelf: Shelf, hits: Sequence[Hit], *, as_of: int | None) -> list[Hit]:
    replaced = shelf.replaced_by([hit.item.id for hit in hits], as_of=as_of)
    return [replace(hit, was=(*replaced.get(hit.item.id, ()), *hit.was)) for hit in hits]
