"""Versions: a text told again from the same place with changes, and which passages of the earlier one it takes the place of."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcp_memory.domain.model import (
    Item,
    ItemId,
    Source,
    Statement,
    normal_hash,
)
from mcp_memory.domain.steps import Add, Decision, Revise
from mcp_memory.language.dates.periods import DAY
from mcp_memory.language.sentences import sentences
from mcp_memory.language.token_count import counted
from mcp_memory.language.tokenization import compared_words, normal_form

KEPT = 0.5
"""Share of the sentences of a text that a later one from the same place says too, from which that is a version of it.

Less is another part of it, or an excerpt: a client may send a long document in parts under one name. Not measured.
"""
KEPT_UNDER_A_BARE_NAME = 0.8
"""The same where the name has no folder: many projects have a README.md, and many of these begin from one pattern."""
WIDESPREAD = 64
"""Passages of a text that may share a word for it to tell them apart."""
_PLACE = re.compile(r"[/\\]|\.[A-Za-z]\w{0,7}$")
"""What the name of one file or page has, and "mail" or "meeting notes" has not."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A text that was told before, and what stands for it by now and for no text from elsewhere."""

    source: Source
    items: Sequence[Item]
    """Its live items."""


@dataclass(frozen=True, slots=True)
class Succession:
    """What a statement of a later version takes the place of."""

    reworded: tuple[Item, ...] = ()
    """Passages that it says otherwise, the one that it has most in common with first."""
    gone: tuple[Item, ...] = ()
    """Passages that stood near it and that no statement says any more."""

    @property
    def items(self) -> tuple[ItemId, ...]:
        """All of them."""
        return tuple(item.id for item in (*self.reworded, *self.gone))


def has_versions(source: Source) -> bool:
    """Whether a source is named by where it stands, and says enough to be known again when it has changed."""
    if source.kind == "transcript" or source.origin is None or not _PLACE.search(source.origin):
        return False
    return len(_said(source.text)) > 2


def is_version(old: str, new: str, *, share: float = KEPT) -> bool:
    """Whether a text has that share of the sentences of an earlier one, two at least, and is not the same.

    >>> is_version("Run make. Then wait. Tell Ann.", "Run just. Then wait. Tell Ann.")
    True
    >>> is_version("Run make. Then wait. Tell Ann.", "Then wait.")
    False
    """
    was, now = _said(old), _said(new)
    return old != new and len(was & now) >= max(share * len(was), 2)


def _said(text: str) -> set[str]:
    return {normal_form(text[start:end]) for start, end in sentences(text)} - {""}


def successions(statements: Sequence[Statement], earlier: Sequence[Earlier]) -> dict[int, Succession]:
    """By the number of a statement what it takes the place of, where its source is a version of what was told before.

    A passage that the later version has too stays, and so does one that was changed by hand, is pinned and gone, or was
    recorded after the time that the later version names.
    """
    found: dict[int, Succession] = {}
    for source, numbers in _by_source(statements):
        said = {normal_hash(statements[number].spoken): number for number in numbers}
        share = KEPT if re.search(r"[/\\]", source.origin or "") else KEPT_UNDER_A_BARE_NAME
        new: _Passages | None = None
        for text in earlier:
            if text.source.origin != source.origin or not is_version(text.source.text, source.text, share=share):
                continue
            new = new or _Passages([(number, statements[number].text) for number in numbers])
            unchanged = {said[digest] for item in text.items if (digest := normal_hash(item.spoken)) in said}
            for item in text.items:
                if not _may_go(item, text.source, statements[numbers[0]]) or normal_hash(item.spoken) in said:
                    continue
                number, shared = new.nearest(item)
                at = found.get(number, Succession())
                if shared and number not in unchanged:
                    found[number] = Succession((*at.reworded, item), at.gone)
                elif not item.pinned:
                    found[number] = Succession(at.reworded, (*at.gone, item))
    return found


def _by_source(statements: Sequence[Statement]) -> Iterator[tuple[Source, list[int]]]:
    numbers: dict[str, list[int]] = {}
    for number, statement in enumerate(statements):
        numbers.setdefault(statement.source.id, []).append(number)
    for found in numbers.values():
        source = statements[found[0]].source
        if has_versions(source):
            yield source, found


def _may_go(item: Item, source: Source, new: Statement) -> bool:
    known = item.recorded_at - DAY if item.occurred_at is None else item.occurred_at
    return (
        item.scope == new.scope and item.text in source.text and (new.occurred_at is None or new.occurred_at >= known)
    )


class _Passages:
    """The passages of a text, to be found by their words."""

    def __init__(self, passages: Sequence[tuple[int, str]]) -> None:
        self._numbers = [number for number, _ in passages]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, text in passages:
            for word in set(compared_words(text)):
                self._holding[word].append(number)

    def nearest(self, item: Item) -> tuple[int, bool]:
        """The passage that says most of what an item says, and whether that is a fair part of it; else that at its place.

        Words of more than WIDESPREAD passages count for all of them.
        """
        words = set(compared_words(item.text))
        told = {word: numbers for word in words if (numbers := self._holding.get(word))}
        widespread = sum(len(numbers) > WIDESPREAD for numbers in told.values())
        shared = Counter(number for numbers in told.values() if len(numbers) <= WIDESPREAD for number in numbers)
        best = max(shared, key=lambda number: (shared[number], -number), default=None)
        if best is not None and shared[best] + widespread >= max(KEPT * len(words), 1):
            return best, True
        return self._numbers[min(item.position, len(self._numbers) - 1)], False


def decided(decisions: Sequence[Decision], found: Mapping[int, Succession]) -> list[Decision]:
    """The decisions, with what says a passage of an earlier version otherwise replacing that."""
    return [
        Revise(decision.statement, found[number].reworded[0], "a later version of the same text")
        if isinstance(decision, Add) and number in found and found[number].reworded
        else decision
        for number, decision in enumerate(decisions)
    ]


def told(found: Mapping[int, Succession]) -> tuple[str, ...]:
    """What is said of an earlier version that a call has taken the place of; nothing where there was none."""
    reworded = sum(len(one.reworded) for one in found.values())
    gone = sum(len(one.gone) for one in found.values())
    if not found:
        return ()
    return (
        f"This is a later version of what is known from the same source: {counted(reworded + gone, 'passage')} of the "
        f"earlier one replaced{f', {gone} of them with nothing in its place' if gone else ''}; undo brings them back.",
    )
