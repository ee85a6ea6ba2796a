"""Salience: how much a memory still counts, from its importance, its age, how often it was stated and used, and by whom."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal, NamedTuple, Protocol, TypeAlias

from mcp_memory.domain.model import Filter, Item, ItemId, Kind
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
"""Weights of the four parts of salience, chosen on seeds 1 and 2 of bench.strength, checked on others (docs/lifecycle.md)."""
OFTEN = 3
"""Uses that count for half of what any number of uses counts for."""

STALE_AFTER: Mapping[Kind, int] = {"tool": 180, "fact": 365, "procedure": 365, "decision": 730, "preference": 730}
"""Days without a confirmation after which an item is called stale. What happened stays true, and a note claims nothing."""

SpeakerRole: TypeAlias = Literal["user", "client", "assistant", "import"]
"""Who stated an item: the user or the assistant of a conversation, a client that had it remembered, or a document."""
PRECEDENCE_DAYS: Mapping[SpeakerRole, int] = {"user": 120, "client": 90, "assistant": 30, "import": 0}
"""Days by which a later statement must follow to prevail over one of this role, less those of its own role."""

PINNED = 3650
"""The precedence, in days, of what is pinned."""

USERS = frozenset({"user", "human"})
ASSISTANTS = frozenset({"assistant", "ai", "model", "system", "tool", "bot"})


_FIRST_DAY = date(1970, 1, 1).toordinal()


class Prior(NamedTuple):
    """The query-independent worth of an item."""

    salience: float
    """How much it still counts, 0 to 1."""
    precedence: float
    """What decides between two that contradict or repeat each other: the higher prevails."""
    stated_at: int
    """When it was last stated, in milliseconds of local time."""


def priors(items: Sequence[Item], *, uses: Mapping[ItemId, int], now: datetime) -> list[Prior]:
    """Return the prior of each item; `uses` counts how often it was handed out before today."""
    day, offset = today(now), zone_offset(now)
    return [
        Prior(
            _salience(item, stated := _stated_at(item, offset), today=day, uses=uses.get(item.id, 0)),
            _precedence(item, stated),
            stated,
        )
        for item in items
    ]


def salience(item: Item, *, now: datetime, uses: int = 0) -> float:
    """Return how much an item still counts, 0 to 1; the same from midnight to midnight of the clock of `now`.

    The weighted mean of its importance, its recency (1 on the day it was last stated, halved with each HALF_LIFE),
    1 - 1/n for n times stated, and u / (u + OFTEN) for `uses` u, which are those before today. What is pinned never
    fades: 1.
    """
    return _salience(item, stated_at(item, now=now), today=today(now), uses=uses)


def _salience(item: Item, stated: int, *, today: int, uses: int) -> float:
    if item.pinned:
        return 1.0
    age = max(0, today - stated // DAY)
    recency = 0.5 ** (age / HALF_LIFE[item.kind])
    confirmed = 1 - 1 / max(item.seen, 1)
    used = uses / (uses + OFTEN)
    total = IMPORTANCE * item.importance + RECENCY * recency + CONFIRMED * confirmed + USED * used
    return total / (IMPORTANCE + RECENCY + CONFIRMED + USED)


def today(now: datetime) -> int:
    """Return the day that the clock of `now` shows, in days since 1970."""
    return now.toordinal() - _FIRST_DAY


def stated_at(item: Item, *, now: datetime) -> int:
    """Return when an item was last stated, in local time: when it happened, or when it was repeated since, in the same
    words or in those it has now."""
    return _stated_at(item, zone_offset(now))


def _stated_at(item: Item, offset: int) -> int:
    if item.seen == 1 and item.worded_at <= item.recorded_at and item.occurred_at is not None:
        return item.occurred_at
    return max(item.last_seen_at, item.worded_at) + offset


class Dates(NamedTuple):
    """The dates of an item that are shown, in milliseconds of local time."""

    now: int
    local_time: int
    """When it happened as it was given, else when it was recorded."""
    review_due: int | None
    stale_since: int | None


def dates_of(item: Item, *, now: datetime) -> Dates:
    """Return when an item happened, and since when it may not hold any more."""
    offset, present = zone_offset(now), to_ms(now.replace(tzinfo=UTC))
    limit, stated, review = STALE_AFTER.get(item.kind), _stated_at(item, offset), item.review_after
    if review is not None and (
        review > present or item.last_seen_at + offset >= max(review, item.changed_at + offset + 1)
    ):
        review = None
    stale = stated if limit is not None and today(now) - stated // DAY > limit else None
    return Dates(present, item.recorded_at + offset if item.occurred_at is None else item.occurred_at, review, stale)


def stale_since(item: Item, *, now: datetime) -> int | None:
    """Return when an item was last stated, where that is so long ago that it may not hold any more; else None."""
    return dates_of(item, now=now).stale_since


def review_due(item: Item, *, now: datetime) -> int | None:
    """Return the moment from which an item was to be reviewed, where that has come; else None.

    Confirming the item takes the moment away, and so does stating it again since.
    """
    return dates_of(item, now=now).review_due


def speaker_role(item: Item) -> SpeakerRole:
    """Return whose words an item is."""
    if item.source_kind == "document":
        return "import"
    if item.source_kind == "words":
        return "client"
    return "assistant" if item.speaker and item.speaker.casefold() in ASSISTANTS else "user"


def precedence(item: Item, *, now: datetime) -> float:
    """Return what decides between two items that contradict or repeat each other: the higher prevails.

    The day it was last stated, in days since 1970, and the PRECEDENCE_DAYS of its speaker: the user's words hold
    against an assistant's inference until that is later by the difference. How often it was used does not count: an
    old value was used while there was no other.
    """
    return _precedence(item, stated_at(item, now=now))


def _precedence(item: Item, stated: int) -> float:
    return stated // DAY + item.confidence * PRECEDENCE_DAYS[speaker_role(item)] + PINNED * item.pinned


class ItemReader(Protocol):
    """The reads that the start of a session needs; see store.Store for what each method promises."""

    def listing(self, *, where: Filter, limit: int) -> list[Item]: ...

    def uses(self, ids: Sequence[ItemId], *, before: int) -> Mapping[ItemId, int]: ...

    def replaced_by(self, ids: Sequence[ItemId], *, as_of: int | None = None) -> Mapping[ItemId, Sequence[Item]]: ...


def saliences(reader: ItemReader, items: Sequence[Item], *, now: datetime) -> list[float]:
    """Return the salience of each item; the same all day, whatever is recalled in it."""
    uses = reader.uses([item.id for item in items], before=today(now))
    return [prior.salience for prior in priors(items, uses=uses, now=now)]


def local_time_of(item: Item, *, now: datetime) -> int:
    """Return when an item happened as it was given, else when it was recorded by the clock on the wall of `now`."""
    return local_times([item], now=now)[0]


def local_times(items: Sequence[Item], *, now: datetime) -> list[int]:
    """Return local_time_of each item."""
    offset = zone_offset(now)
    return [item.recorded_at + offset if item.occurred_at is None else item.occurred_at for item in items]
