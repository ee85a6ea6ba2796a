"""Answers of the calls that change memory: the outcomes as text, with the next call."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from mcp_memory.domain.call_hints import TO_TOOLS, Speech
from mcp_memory.domain.model import Item
from mcp_memory.domain.results import Forgotten, Remembered, RememberedItem, Withheld
from mcp_memory.domain.steps import KeepDigest
from mcp_memory.language.dates.periods import format_day, to_ms
from mcp_memory.language.segmentation import shorten
from mcp_memory.language.token_count import counted
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.render.item_text import brief, fenced
from mcp_memory.render.packing import LISTED


def remembered(result: Remembered, *, speech: Speech = TO_TOOLS) -> str:
    """Report the outcome for each statement, one line each up to LISTED, then counted."""
    until = f" until {format_day(to_ms(result.at.replace(tzinfo=UTC)))}" if result.at else ""
    lines = [_remembered_line(entry, until=until) for entry in result.items[:LISTED]]
    rest = result.items[LISTED:]
    if rest:
        counts = Counter(entry.status for entry in rest)
        lines.append(
            f"and {len(rest)} more: " + ", ".join(f"{number} {status}" for status, number in counts.most_common())
        )
    # What an older memory says stands in the fence, and with it the lines around it: their order is that of the call.
    if any(
        entry.elsewhere or (entry.of and entry.status in ("replaces", "similar")) for entry in result.items[:LISTED]
    ):
        lines = [fenced(lines)]
    if similar := [
        speech.option("replaces", entry.of.id)
        for entry in result.items[:LISTED]
        if entry.of and entry.status == "similar"
    ]:
        lines.append(
            "What is similar is kept beside the other; where the new one takes its place: remember it again with "
            + ", or ".join(dict.fromkeys(similar))
        )
    if result.pending:
        lines.append(f"Vectors still being made: {result.pending}. Recall finds them by their words until then.")
    withheld = result.withheld
    if not result.items:
        lines.append(f"Nothing was stored: all of it is private.{_UNPAIRED if withheld.unpaired else ''}")
        withheld = replace(withheld, private=0, entries=())
    return "\n".join([*lines, *not_kept(withheld), *result.notes])


_UNPAIRED = " A <private> that is not closed hides all that follows it, a </private> that was not opened all that stands before it."


def not_kept(withheld: Withheld) -> list[str]:
    """Report what was not stored, a line each, without its text."""
    lines: list[str] = []
    if withheld.secrets:
        named = ", ".join(f"{number} {sort}" for sort, number in withheld.secrets.items())
        lines.append(f"Not kept: what looks like a secret ({named}); a mask stands in its place.")
    if withheld.private:
        told = counted(withheld.private, "private part")
        lines.append(f"Not kept: {told}.{_UNPAIRED if withheld.unpaired else ''}")
    if withheld.entries:
        numbers = ", ".join(str(number) for number in withheld.entries[:LISTED])
        rest = f" and {len(withheld.entries) - LISTED} more" if len(withheld.entries) > LISTED else ""
        lines.append(f"Private as a whole, so nothing was stored of items {numbers}{rest}, counted from 0.")
    return lines


def kept_as(step: KeepDigest, withheld: Withheld) -> str:
    """That a text was kept as a topic's digest."""
    kept = f"Kept as the digest of {one_line(step.name)} ({one_line(step.scope)}), standing for {counted(len(step.items), 'memory', 'memories')}."
    return "\n".join([kept, *not_kept(withheld)])


def _remembered_line(entry: RememberedItem, *, until: str) -> str:
    of = entry.of
    match entry.status:
        case "created":
            return f"created #{entry.id}" + _elsewhere(entry)
        case "known":
            return f"already known #{entry.id}" + (f" (said {of.seen + 1} times)" if of else "")
        case "replaces":
            return f"created #{entry.id}, replaces" + (f" #{of.id} (was: {brief(of)}{until})" if of else "")
        case "similar":
            assert of is not None
            return f"created #{entry.id}, similar to #{of.id}: {brief(of)}"


def _elsewhere(entry: RememberedItem) -> str:
    """That another scope says the same in the same words, and what to call if one of the two is too many."""
    if entry.elsewhere is None:
        return ""
    other = entry.elsewhere
    return f" (the same words are known in {one_line(other.scope)} as #{other.id}; both are kept, forget one that is too many)"


def forgotten(result: Forgotten, *, speech: Speech = TO_TOOLS) -> str:
    """List what was forgotten, or what would be and how to confirm it."""
    alike = _left_alone(result)
    if not result.items:
        return "\n".join(["Nothing holds all that the query names, so nothing was forgotten.", *alike])
    lines = _named(result.items)
    lines += [f"and {len(result.items) - LISTED} more"] if len(result.items) > LISTED else []
    shown = fenced(lines)
    if not result.done:
        return "\n".join(
            [
                f"Would forget {len(result.items)}. Nothing was changed yet.",
                shown,
                f"To do it call {speech.again('forget')} {speech.option('confirm')}, or with ids to choose among them.",
                *alike,
            ]
        )
    if result.erased:
        named = [f"#{item.id}" for item in result.items[:LISTED]] + lines[LISTED:]
        return f"Erased {len(result.items)} for good: " + ", ".join(named) + _left_behind(result, speech)
    done = f"Forgot {len(result.items)} (undo brings them back; {speech.option('erase')} removes them for good):"
    return "\n".join([done, shown, *alike, *not_kept(result.withheld)])


def _named(items: Sequence[Item]) -> list[str]:
    return [f"#{item.id} {item.kind}: {brief(item)}" for item in items[:LISTED]]


def _left_alone(result: Forgotten) -> list[str]:
    """List memories that a query resembles and does not name."""
    if not result.alike:
        return []
    return ["Left alone, since these only resemble the query; forget them by their ids:", fenced(_named(result.alike))]


def _left_behind(result: Forgotten, speech: Speech) -> str:
    """That what was erased had replaced other memories, whose words are in the file still, and what erases these."""
    if not result.left:
        return ""
    ids = ", ".join(f"#{item.id}" for item in result.left[:LISTED])
    ids += f" and {len(result.left) - LISTED} more" if len(result.left) > LISTED else ""
    erasing = speech.call("forget", ids=[item.id for item in result.left[:LISTED]], erase=True)
    return f"\nStill in the file, hidden, is what that had replaced: {ids}. To erase it too call {erasing}."


def expired(items: Sequence[Item], *, erase: bool) -> str:
    """List what a rule of retention would forget, and how to confirm it."""
    if not items:
        return "Nothing is older than that."
    lines = [
        f"#{item.id} {format_day(item.last_seen_at)} {item.kind} in {one_line(item.scope)}: {brief(item)}"
        for item in items[:LISTED]
    ]
    rest = [f"and {len(items) - LISTED} more"] if len(items) > LISTED else []
    verb = "erase for good" if erase else "forget"
    return "\n".join(
        [f"Would {verb} {len(items)}. Nothing was changed yet.", fenced([*lines, *rest]), "To do it add --yes."]
    )


def updated(item: Item, changed: Sequence[str]) -> str:
    """Report the changes of an update, or that there were none."""
    if not changed:
        return f"#{item.id} is so already, so nothing was changed. To say that it is still true, confirm it."
    what = ", ".join(changed)
    return f"updated #{item.id} (revision {item.revision}: {what}):\n{fenced([one_line(shorten(item.text, 60))])}"
