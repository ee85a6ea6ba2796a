"""Strength: how much a memory still counts, from its importance, its age, how often it was said and used, and who said it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias

from mcp_memory.domain.model import Item, Kind
from mcp_memory.language.dates.periods import DAY, to_ms, zone_offset
from mcp_memory.language.segmentation import content_words, grams

"""Milliseconds."""

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

ORDINARY: Mapping[Kind, float] = {
    "preference": 0.5,
    "decision": 0.5,
    "procedure": 0.45,
    "fact": 0.4,
    "event": 0.35,
    "note": 0.3,
    "tool": 0.25,
}
"""Estimated importance of what has nothing that stands out, by kind."""
SPECIFIC = 0.2
"""For words as rare as can be against words as common as can be."""
NAMED = 0.15
"""For NAMES names or numbers, or more."""
NAMES = 3
EMPHATIC = 0.25
"""For saying that it matters."""
TELLING = 3
"""Content words below which a statement says too little to matter."""
SEEN_ENOUGH = 50
"""States from which on half is believed of how rare a word is: of the first memories every word is rare."""

_FIRST_DAY = date(1970, 1, 1).toordinal()
_NAME = re.compile(r"(?<=[\w,;:'\"(] )[A-Z][\w-]+|\d+(?:[.,:/-]\d+)*")
_EMPHASIS = re.compile(
    r"\b(?:important|critical|crucial|essential|vital|urgent|always|never|must|mandatory|remember that|warning|"
    r"do not|don't|don’t|under no circumstances|by all means)\b|\w!(?:\s|$)|重要|必须|必須|务必|千万|记住|一定要|绝不|绝对",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"\b[A-Z]{5,}\b")


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


def estimate_importance(text: str, kind: Kind, *, rarity: Mapping[str, float], rarest: float, total: int) -> float:
    """What a statement's importance probably is, 0 to 1, where nobody said: .5 is ordinary.

    What its kind is worth, more for rare words (inverse document frequency by word, of which `rarest` is that of a
    word that none of the `total` states holds), for names and numbers, and for saying that it matters.
    """
    told = terms(text)
    estimate = ORDINARY[kind]
    if told and rarest > 0:
        mean = sum(rarity.get(word, rarest) for word in told) / len(told) / rarest
        estimate += SPECIFIC * (mean - 0.5) * total / (total + SEEN_ENOUGH)
    estimate += NAMED * min(len(set(_NAME.findall(text))), NAMES) / NAMES
    estimate += EMPHATIC * bool(_EMPHASIS.search(text) or _SHOUTED.search(text))
    if len(told) < TELLING:
        estimate -= SPECIFIC / 2
    return round(min(max(estimate, 0.1), 0.9), 2)


def terms(text: str) -> Sequence[str]:
    """The words whose rarity counts, and CJK pairs, without repeats; as many as a passage has at most."""
    pairs = [gram for gram in grams(text) if len(gram) == 2]
    return list(dict.fromkeys([*content_words(text), *pairs]))[:200]
