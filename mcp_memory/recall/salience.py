"""Strength: how much a memory still counts, from its importance, its age, how often it was said and used, and who said it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal, Protocol, TypeAlias

from mcp_memory.domain.model import (
    Filter,
    Item,
    ItemId,
    Kind,
)
from mcp_memory.language.dates.periods import DAY, to_ms, zone_offset

HALF_LIFE: Mapping[Kind, int] = {
    "event": 60,
    "tool": 90,
    "note": 180,
    "fact": 365,
    "procedure": 730,
    "decision": 1825,
    "preference": 3650,
}
"""Days after which half of an item's recency is left: events fade, decisions and preferences hardly."""
IMPORTANCE = 2.0
RECENCY = 2.0
CONFIRMED = 0.5
USED = 0.5
"""Weights of the four parts of strength, chosen on seeds 1 and 2 of bench.strength, checked on others (docs/lifecycle.md)."""
OFTEN = 3
"""Uses that count for half of what any number of uses counts for."""

STALE_AFTER: Mapping[Kind, int] = {"tool": 180, "fact": 365, "procedure": 365, "decision": 730, "preference": 730}
"""Days without a confirmation after which an item is called stale. What happened stays true, and a note claims nothing."""

Voice: TypeAlias = Literal["user", "client", "assistant", "import"]
"""Whose words an item is: the user's in a conversation, what a client was told to keep, what an assistant said there,
or a passage of a document."""
HEAD_START: Mapping[Voice, int] = {"user": 120, "client": 90, "assistant": 30, "import": 0}
"""Days by which a later statement must follow to prevail over words like these, less those of its own voice."""

PINNED = 3650
"""The head start, in days, of what is pinned."""

USERS = frozenset({"user", "human"})
ASSISTANTS = frozenset({"assistant", "ai", "model", "system", "tool", "bot"})


_FIRST_DAY = date(1970, 1, 1).toordinal()


def strength(item: Item, *, now: datetime, uses: int = 0) -> float:
    """How much an item still counts, 0 to 1; the same from midnight to midnight of the clock of `now`.

    The weighted mean of its importance, its recency (1 on the day it was last said, halved with each HALF_LIFE),
    1 - 1/n for n times said, and u / (u + OFTEN) for `uses` u, which are those before today. What is pinned never
    fades: 1.
    """
    if item.pinned:
        return 1.0
    age = max(0, today(now) - confirmed_at(item, now=now) // DAY)
    recency = 0.5 ** (age / HALF_LIFE[item.kind])
    confirmed = 1 - 1 / max(item.seen, 1)
    used = uses / (uses + OFTEN)
    total = IMPORTANCE * item.importance + RECENCY * recency + CONFIRMED * confirmed + USED * used
    return total / (IMPORTANCE + RECENCY + CONFIRMED + USED)


def today(now: datetime) -> int:
    """The day that the clock of `now` shows, in days since 1970."""
    return now.toordinal() - _FIRST_DAY


def confirmed_at(item: Item, *, now: datetime) -> int:
    """When an item was last said to be true, at face value: when it happened, or when it was said again since, in the
    same words or in those it has now."""
    if item.seen == 1 and item.worded_at <= item.recorded_at and item.occurred_at is not None:
        return item.occurred_at
    return max(item.last_seen_at, item.worded_at) + zone_offset(now)


def stale_since(item: Item, *, now: datetime) -> int | None:
    """When an item was last confirmed, where that is so long ago that it may not hold any more; else None."""
    limit = STALE_AFTER.get(item.kind)
    said = confirmed_at(item, now=now)
    return said if limit is not None and today(now) - said // DAY > limit else None


def review_due(item: Item, *, now: datetime) -> int | None:
    """The moment from which an item was to be looked at again, where that has come; else None.

    Confirming it takes the moment away, and so does saying it again since.
    """
    wanted = item.review_after
    if wanted is None or wanted > to_ms(now.replace(tzinfo=UTC)):
        return None
    offset = zone_offset(now)
    return None if item.last_seen_at + offset >= max(wanted, item.changed_at + offset + 1) else wanted


def voice(item: Item) -> Voice:
    """Whose words an item is."""
    if item.source_kind == "document":
        return "import"
    if item.source_kind == "words":
        return "client"
    return "assistant" if item.speaker and item.speaker.casefold() in ASSISTANTS else "user"


def standing(item: Item, *, now: datetime) -> float:
    """What decides between two items that contradict or repeat each other: the higher prevails.

    The day it was last said, in days since 1970, with the head start that its voice has: the user's words hold
    against an assistant's inference until that is later by the difference. How often it was used does not count: an
    old value was used while there was no other.
    """
    return confirmed_at(item, now=now) // DAY + item.confidence * HEAD_START[voice(item)] + PINNED * item.pinned


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


def strengths(shelf: Shelf, items: Sequence[Item], *, now: datetime) -> list[float]:
    """How much each item still counts, 0 to 1 (salience.strength); the same all day, whatever is recalled in it."""
    uses = shelf.uses([item.id for item in items], before=today(now))
    return [strength(item, now=now, uses=uses.get(item.id, 0)) for item in items]


def face_value(item: Item, *, now: datetime) -> int:
    """When it happened as it was said, else when it was recorded as the clock on the wall of `now` showed it."""
    return item.recorded_at + zone_offset(now) if item.occurred_at is None else item.occurred_at
