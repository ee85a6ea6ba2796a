"""History in words: what each state of a memory changed, what each operation did, what an undo gives back."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from mcp_memory.domain.call_hints import TO_TOOLS, Speech
from mcp_memory.domain.model import Item, Operation, Revision, Undoing
from mcp_memory.language.dates.periods import format_moment
from mcp_memory.language.scripts import CJK
from mcp_memory.language.segmentation import shorten
from mcp_memory.language.token_count import counted
from mcp_memory.privacy.provenance import origin_line
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.render.item_text import fenced

LISTED = 20
"""Items of an undo that are named one by one; beyond them they are counted."""
AGAIN = 3
"""Times that a state was said again that are shown one by one, the last ones; those before are counted."""
AROUND = 40
"""Characters of unchanged text shown on either side of a change."""
COMPARED = 160_000
"""Pairs of words of two texts that are compared: 400 words on either side, which takes 0.3 s where all are the same
(python -m bench.fuzz, 2026-11-21). Of two longer texts that differ throughout nobody reads the difference word by word.
"""
ALIKE = 0.3
"""Share of equal words below which two texts are shown one after the other: word by word nobody could read it."""
SHOWN = 60
"""Tokens of a text that is shown whole."""
TIMES = ("occurred_at", "valid_until", "review_after")

Opcode = tuple[str, int, int, int, int]

_TOKEN = re.compile(rf"\s+|[{CJK}]|[^\W{CJK}]+|\W")
_REASON = re.compile(r"forget [^(]*\((.*)\)", re.DOTALL)


def of_item(revisions: Sequence[Revision], *, earlier: int = 0, speech: Speech = TO_TOOLS) -> str:
    """An item's states one a line, the first first, each with what it changed; `earlier` states before are counted."""
    item = revisions[-1].item
    times = "" if item.seen == 1 else f", said {item.seen} times, last {format_moment(item.last_seen_at)} UTC"
    lines: list[str] = []
    for number, revision in enumerate(revisions):
        before = revisions[number - 1].item if number else None
        if number < earlier:
            continue
        lines.append(f"{_head(revision)}: {one_line('; '.join(changes(before, revision)))}")
        lines += _said_again(revision.said_again)
    more = (
        [
            f"{counted(earlier, 'earlier state is', 'earlier states are')} left out; a larger {speech.name('limit')} shows {'it' if earlier == 1 else 'them'}."
        ]
        if earlier
        else []
    )
    told = f"#{item.id}: {item.kind} in {one_line(item.scope)}, {item.status}{times}"
    return "\n".join([fenced([told, origin_line(item), *lines]), *more])


def _said_again(operations: Sequence[Operation]) -> list[str]:
    """Who said a state again, one a line; of many only the last ones, with how many there were before them."""
    before = len(operations) - AGAIN
    counted_before = [f"   said again {counted(before, 'time')} more"] if before > 0 else []
    return counted_before + [
        f"   {_by(operation)}: {'confirmed' if operation.verb == 'update' else 'said again'}"
        for operation in operations[-AGAIN:]
    ]


def changes(before: Item | None, revision: Revision) -> list[str]:
    """List the changes of a revision, field by field; of the first, its fields.

    >>> word_diff("The port is 8080.", "The port is 9090.")
    'The port is [-8080-]{+9090+}.'
    """
    item = revision.item
    if before is None:
        return [one_line(item.spoken)]
    said = [status(revision)] if before.status != item.status else []
    said += [f"text: {word_diff(before.text, item.text)}"] if before.text != item.text else []
    said += list(_field_changes(before, item))
    if revision.operation.undoes is not None:
        said.append(revision.operation.summary)
    return said or ["nothing changed"]


def status(revision: Revision) -> str:
    """Describe the status of an item in a revision."""
    match revision.item.status:
        case "live":
            return "live again"
        case "replaced":
            return f"replaced by #{revision.replaced_by}" if revision.replaced_by else "replaced"
        case "forgotten":
            if revision.operation.undoes is not None:
                return "gone"
            reason = _REASON.fullmatch(revision.operation.summary)
            return f"forgotten ({reason[1]})" if reason else "forgotten"


def _field_changes(before: Item, after: Item) -> Iterator[str]:
    for name in ("kind", "scope", "importance", "confidence"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}: {old} -> {new}"
    gained = [f"+{tag}" for tag in after.tags if tag not in before.tags]
    lost = [f"-{tag}" for tag in before.tags if tag not in after.tags]
    if gained or lost:
        yield f"tags: {' '.join(lost + gained)}"
    for name in TIMES:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}: {_moment(old)} -> {_moment(new)}"
    if before.pinned != after.pinned:
        yield "pinned" if after.pinned else "no longer pinned"


def _moment(ms: int | None) -> str:
    return "none" if ms is None else format_moment(ms)


def word_diff(old: str, new: str) -> str:
    """The new text with what went as [-old-] and what came as {+new+}, and … for what stayed far from any change."""
    before: list[str] = _TOKEN.findall(old)
    after: list[str] = _TOKEN.findall(new)
    opcodes = _opcodes(before, after)
    if opcodes is None or _shared_words(before, after, opcodes) < ALIKE:
        return f"[-{shorten(old, SHOWN)}-]{{+{shorten(new, SHOWN)}+}}"
    parts: list[str] = []
    went = came = ""
    for number, (kind, old_start, old_end, new_start, new_end) in enumerate(opcodes):
        gone, said = "".join(before[old_start:old_end]), "".join(after[new_start:new_end])
        if kind != "equal" or (went + came and said.isspace() and number < len(opcodes) - 1):
            went, came = went + gone, came + said
            continue
        parts += [_marked(went, came), _cut(said, first=not number, last=number == len(opcodes) - 1)]
        went = came = ""
    return "".join([*parts, _marked(went, came)])


def _opcodes(before: Sequence[str], after: Sequence[str]) -> list[Opcode] | None:
    """Diff two texts between their common prefix and suffix; None where that would take too long."""
    start = end = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) * len(new) > COMPARED:
        return None
    found = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    opcodes: list[Opcode] = [(kind, a + start, b + start, c + start, d + start) for kind, a, b, c, d in found]
    if start:
        opcodes.insert(0, ("equal", 0, start, 0, start))
    if end:
        opcodes.append(("equal", len(before) - end, len(before), len(after) - end, len(after)))
    return opcodes


def _shared_words(before: Sequence[str], after: Sequence[str], opcodes: Sequence[Opcode]) -> float:
    """Share of both texts' words that stand in both, in the same order."""
    count = _words([*before, *after])
    equal = sum(_words(before[start:end]) for kind, start, end, _, _ in opcodes if kind == "equal")
    return 2 * equal / count if count else 1.0


def _words(tokens: Sequence[str]) -> int:
    return sum(token[0].isalnum() for token in tokens)


def _marked(went: str, came: str) -> str:
    return (f"[-{went}-]" if went else "") + (f"{{+{came}+}}" if came else "")


def _cut(text: str, *, first: bool, last: bool) -> str:
    """Unchanged text, but for what is far from the changes before and after it."""
    if len(text) <= 2 * AROUND + 1:
        return text
    start = "" if first else text[:AROUND].rpartition(" ")[0] + " "
    end = "" if last else " " + text[-AROUND:].partition(" ")[2]
    return f"{start}…{end}"


NOTHING = "Nothing was done here yet: nothing has been remembered, so there is nothing to undo."


def of_operations(operations: Sequence[Operation]) -> str:
    """Operations one a line, as they come."""
    lines = [f"{line(operation)}{_fate(operation)}" for operation in operations]
    return fenced(lines) if lines else "Nothing was changed in that time."


def line(operation: Operation) -> str:
    """`#id date time UTC client verb: summary`."""
    when = f"{format_moment(operation.at)} UTC"
    return one_line(f"#{operation.id} {when} {operation.client} {operation.verb}: {operation.summary}")


def _fate(operation: Operation) -> str:
    if operation.erased:
        return " (for good)"
    return " (taken back)" if operation.undone else ""


def _head(revision: Revision) -> str:
    operation = revision.operation
    undone = ", taken back" if operation.undone and operation.undoes is None else ""
    return f"{revision.item.revision}. {_by(operation)}{undone}"


def _by(operation: Operation) -> str:
    return f"{format_moment(operation.at)} UTC, {operation.verb} #{operation.id} by {one_line(operation.client)}"


def of_undo(undoing: Undoing, *, by: str | None, speech: Speech = TO_TOOLS) -> str:
    """Report an undo, and how to take it back; without `by`, what it would do."""
    done, would = ("Brought back", "Would bring back") if undoing.brings_back else ("Took back", "Would take back")
    lines = [line(undoing.operation), *(_gives_back(now, then) for now, then in undoing.changes[:LISTED])]
    rest = len(undoing.changes) - LISTED
    said = "counts" if undoing.brings_back else "no longer counts"
    tail = [
        f"and {counted(rest, 'more memory', 'more memories')}." if rest > 0 else "",
        f"What was said again {counted(undoing.confirmations, 'time')} {said}." if undoing.confirmations else "",
        f"To change that again: {speech.call('undo', operation=by)}." if by else "Nothing was changed yet.",
    ]
    lines += [f"The digest of {one_line(name)} is {_which(undoing)}." for name in undoing.digests]
    operation = undoing.operation
    return "\n".join(filter(None, [f"{done if by else would} {operation.verb} #{operation.id}:", fenced(lines), *tail]))


def _which(undoing: Undoing) -> str:
    return "the one it was given" if undoing.brings_back else "the one before, if there was one"


def _gives_back(now: Item, then: Item | None) -> str:
    """The change of an item."""
    text = one_line(shorten((then or now).spoken, SHOWN))
    if then is None or then.status == "forgotten":
        return f"#{now.id} gone: {text}"
    if now.status != then.status:
        return f"#{now.id} {'live again' if then.status == 'live' else then.status}: {text}"
    fields = [f"text: {word_diff(now.text, then.text)}"] if now.text != then.text else []
    return f"#{now.id} {one_line('; '.join([*fields, *_field_changes(now, then)]))}"
