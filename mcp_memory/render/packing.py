"""Packing: as many hits as a token budget holds, the best first, and what is said of the rest."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from mcp_memory.domain.call_hints import TO_TOOLS, Speech
from mcp_memory.domain.model import Hit, ItemId
from mcp_memory.language.segmentation import shorten
from mcp_memory.language.token_count import count_tokens
from mcp_memory.privacy.provenance import SHORTEST
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.render.item_text import (
    CLOSING,
    FORMER,
    OPENING,
    Context,
    context_lines,
    fenced,
    hit_lines,
    item_header,
    near_duplicate_key,
)

LISTED = 20
"""Entries of an answer that are named one by one; beyond them the text counts."""
FENCE = count_tokens(f"{OPENING}\n{CLOSING}\n")
"""Tokens of the marks around the hits."""
NOTHING = Context()


class Packed(NamedTuple):
    """An answer within its budget."""

    text: str
    hits: list[Hit]
    """Those that found room, in order."""


class Group(NamedTuple):
    """A hit, and the worse ones that nearly repeat it."""

    hit: Hit
    repeats: Sequence[Hit]


class Lines(NamedTuple):
    """A hit as it is shown."""

    text: str
    tokens: int
    whole: bool


def pack(hits: Sequence[Hit], *, max_tokens: int, now: datetime, speech: Speech = TO_TOOLS) -> Packed:
    """Return the hits as lines, best first, fenced as data, in at most `max_tokens`; what nearly repeats a better one is
    only named below it."""
    return _pack(_grouped(hits), contexts={}, max_tokens=max_tokens, now=now, speech=speech)


def answer(
    hits: Sequence[Hit],
    *,
    count: int,
    notes: Sequence[str],
    max_tokens: int,
    now: datetime,
    contexts: Mapping[ItemId, Context],
    speech: Speech = TO_TOOLS,
) -> Packed:
    """Return what recall answers, all of it in at most `max_tokens`: the hits packed, how many more there are, the notes.

    `count` is how many matched, with those beyond the hits. Notes are left out first where the budget is small.
    """
    groups = _grouped(hits)
    reserve = count_tokens("\n".join([remaining_note(count, shown=0, speech=speech), *notes])) + 2
    if notes and max_tokens - reserve < 2 * SHORTEST:
        notes, reserve = (), count_tokens(remaining_note(count, shown=0, speech=speech)) + 2
    packed = _pack(groups, contexts=contexts, max_tokens=max_tokens - reserve, now=now, speech=speech)
    if not packed.hits:
        # What is remembered says more than that there is more of it.
        packed, notes = _pack(groups, contexts=contexts, max_tokens=max_tokens - 1, now=now, speech=speech), ()
    if not packed.hits and hits:
        packed = truncated_hit(hits[0], max_tokens=max_tokens, now=now)
    shown = {hit.item.id for hit in packed.hits}
    folded = {repeat.item.id for group in groups if group.hit.item.id in shown for repeat in group.repeats}
    named = [hit for hit in hits if hit.item.id in shown | folded]
    rest = remaining_note(count - len(named), shown=len(named), cut=len(named) < len(hits), speech=speech)
    if packed.hits and count_tokens(f"{packed.text}\n{rest}") > max_tokens:
        rest = ""
    lines = [packed.text, rest, *notes]
    return Packed("\n".join(line for line in lines if line), named)


def _grouped(hits: Sequence[Hit]) -> list[Group]:
    groups: dict[tuple[str, ...], list[Hit]] = {}
    for hit in hits:
        groups.setdefault(near_duplicate_key(hit.item), []).append(hit)
    return [Group(first, rest) for first, *rest in groups.values()]


def _pack(
    groups: Sequence[Group], *, contexts: Mapping[ItemId, Context], max_tokens: int, now: datetime, speech: Speech
) -> Packed:
    """Pack the hits of the groups.

    An item that a better hit shows as its earlier value has no line of its own, but for more about it. A text that does
    not fit is cut at the end of a sentence and marked so. A turn that answers the question before it and does not stand
    alone is shown with that question; a context with a passage is shown whole, where there is room.
    """
    lines: list[str] = []
    shown: list[Hit] = []
    replaced: set[ItemId] = set()
    left = max_tokens - FENCE
    present = {hit.item.id for group in groups for hit in (group.hit, *group.repeats)}
    for group in groups:
        hit, context = group.hit, contexts.get(group.hit.item.id, NOTHING)
        if hit.item.id in replaced and not (group.repeats or context.passage or context.with_origin):
            shown.append(hit)
            continue
        fitting = _fitting(group, context, present, max_tokens=left - 1, now=now, speech=speech)
        if not fitting.text or fitting.tokens >= left:
            if lines:
                break
            continue  # a shorter one may still fit
        if fitting.whole:
            replaced.update(old.id for old in hit.was[:FORMER])
        lines.append(fitting.text)
        shown.append(hit)
        left -= fitting.tokens + 1
    return Packed(fenced(lines) if lines else "", shown)


def _fitting(
    group: Group, context: Context, present: Set[ItemId], *, max_tokens: int, now: datetime, speech: Speech
) -> Lines:
    """Return a hit with as much of what stands around it as fits, else as much of itself."""
    names = ", ".join(f"#{hit.item.id}" for hit in group.repeats[:LISTED])
    same = (f"  also {names}",) if names else ()
    around = context_lines(group.hit.item, context, present=present)
    bare = hit_lines(group.hit, now=now)
    for extra in dict.fromkeys(((*same, *around), (*same, *around[:1]), same, ())):
        line = "\n".join([bare, *extra])
        if (tokens := count_tokens(line)) <= max_tokens:
            return Lines(line, tokens, whole=True)
    shortened = _shortened(group.hit, max_tokens, now=now, speech=speech)
    return Lines(shortened, count_tokens(shortened), whole=False)


def _shortened(hit: Hit, max_tokens: int, *, now: datetime, speech: Speech) -> str:
    """Return the first whole sentences that fit, then "…" and how to see the rest; empty where too little would be seen."""
    start, text = item_header(hit.item, now=now), one_line(hit.item.spoken)
    cut = f"  cut: a larger {speech.name('max_tokens')} shows it whole"
    room = max_tokens - count_tokens(start) - count_tokens(cut) - 4
    if room < SHORTEST:
        return ""
    kept = shorten(text, room)
    return f"{start} {text}" if kept == text else f"{start} {kept.removesuffix('…')}…\n{cut}"


def truncated_hit(hit: Hit, *, max_tokens: int, now: datetime) -> Packed:
    """Return the beginning of a memory and "…", for a budget that holds no more; with its id alone where that saves its words."""
    left, text = max_tokens - FENCE - 2, one_line(hit.item.spoken)
    start = item_header(hit.item, now=now)
    if left - count_tokens(start) < SHORTEST // 2:
        start = f"#{hit.item.id}:"
    kept = shorten(text, max(0, left - count_tokens(start)))
    ending = "" if kept == text or kept.endswith("…") else "…"
    return Packed(fenced([f"{start} {kept}{ending}"]), [hit])


def remaining_note(count: int, *, shown: int, cut: bool = False, speech: Speech = TO_TOOLS) -> str:
    """Return how many more there are and how to get them; empty where there are none. `cut` is for a budget too small."""
    if not count:
        return ""
    larger = f"a larger {speech.name('max_tokens')}"
    how = larger if cut else f"{speech.option('limit', shown + count)} or {larger}"
    return f"{count} more: {speech.again('recall')} {how}, or narrow the query."
