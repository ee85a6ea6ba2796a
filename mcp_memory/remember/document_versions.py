"""Document versions: which passages of a document a later version of it, from the same place, replaces."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcp_memory.domain.model import Item, ItemId, Source, Statement, normal_hash
from mcp_memory.domain.planning import EarlierVersion
from mcp_memory.domain.steps import Add, Decision, Revise
from mcp_memory.language.dates.periods import DAY
from mcp_memory.language.sentences import sentences
from mcp_memory.language.token_count import counted
from mcp_memory.language.tokenization import compared_words, normal_form

KEPT = 0.5
"""Share of sentences from which a later text from the same place is a version, and no excerpt. Not measured."""
KEPT_UNDER_A_BARE_NAME = 0.8
"""For a name without a folder: many projects have a README.md, and many of these begin from one pattern."""
WIDESPREAD = 64  # Passages that may share a word before it is ignored
_PLACE = re.compile(r"[/\\]|\.[A-Za-z]\w{0,7}$")  # Matches names of files and pages, not "mail" or "meeting notes"


@dataclass(frozen=True, slots=True)
class ReplacedPassages:
    reworded: tuple[Item, ...] = ()  # The one with most in common first
    gone: tuple[Item, ...] = ()  # Passages that stood near it and that no statement says any more

    @property
    def items(self) -> tuple[ItemId, ...]:
        return tuple(item.id for item in (*self.reworded, *self.gone))


def versioned_origins(statements: Sequence[Statement]) -> list[str]:
    """Return the names of the documents that may be later versions of documents recorded before."""
    sources = {
        statement.source.id: statement.source for statement in statements if statement.source.kind != "transcript"
    }
    return list(dict.fromkeys(source.origin for source in sources.values() if source.origin and _has_versions(source)))


def _has_versions(source: Source) -> bool:
    """Return whether a source names its place and is long enough to be recognised after a change."""
    if source.kind == "transcript" or source.origin is None or not _PLACE.search(source.origin):
        return False
    return len(_said(source.text)) > 2


def is_version(old: str, new: str, *, share: float = KEPT) -> bool:
    """Return whether a text has that share of the sentences of an earlier one, two at least, and is not the same.

    >>> is_version("Run make. Then wait. Tell Ann.", "Run just. Then wait. Tell Ann.")
    True
    >>> is_version("Run make. Then wait. Tell Ann.", "Then wait.")
    False
    """
    was, now = _said(old), _said(new)
    return old != new and len(was & now) >= max(share * len(was), 2)


def _said(text: str) -> set[str]:
    return {normal_form(text[start:end]) for start, end in sentences(text)} - {""}


def replaced_passages(
    statements: Sequence[Statement], earlier: Sequence[EarlierVersion]
) -> dict[int, ReplacedPassages]:
    """Return, by number of a statement, what it replaces; passages still present, pinned, edited or newer stay."""
    found: dict[int, ReplacedPassages] = {}
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
                at = found.get(number, ReplacedPassages())
                if shared and number not in unchanged:
                    found[number] = ReplacedPassages((*at.reworded, item), at.gone)
                elif not item.pinned:
                    found[number] = ReplacedPassages(at.reworded, (*at.gone, item))
    return found


def _by_source(statements: Sequence[Statement]) -> Iterator[tuple[Source, list[int]]]:
    numbers: dict[str, list[int]] = {}
    for number, statement in enumerate(statements):
        numbers.setdefault(statement.source.id, []).append(number)
    for found in numbers.values():
        source = statements[found[0]].source
        if _has_versions(source):
            yield source, found


def _may_go(item: Item, source: Source, new: Statement) -> bool:
    known = item.recorded_at - DAY if item.occurred_at is None else item.occurred_at
    return (
        item.scope == new.scope and item.text in source.text and (new.occurred_at is None or new.occurred_at >= known)
    )


class _Passages:
    """Index passages of a text by their words."""

    def __init__(self, passages: Sequence[tuple[int, str]]) -> None:
        self._numbers = [number for number, _ in passages]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, text in passages:
            for word in set(compared_words(text)):
                self._holding[word].append(number)

    def nearest(self, item: Item) -> tuple[int, bool]:
        """Return the passage sharing most words, and whether that is a fair part; else the one at the item's place."""
        words = set(compared_words(item.text))
        holding = {word: numbers for word in words if (numbers := self._holding.get(word))}
        widespread = sum(len(numbers) > WIDESPREAD for numbers in holding.values())
        shared = Counter(number for numbers in holding.values() if len(numbers) <= WIDESPREAD for number in numbers)
        best = max(shared, key=lambda number: (shared[number], -number), default=None)
        if best is not None and shared[best] + widespread >= max(KEPT * len(words), 1):
            return best, True
        return self._numbers[min(item.position, len(self._numbers) - 1)], False


def apply_versions(decisions: Sequence[Decision], found: Mapping[int, ReplacedPassages]) -> list[Decision]:
    """Turn decisions to add what rewords a passage of an earlier version into decisions to replace it."""
    return [
        Revise(decision.statement, found[number].reworded[0], "a later version of the same text")
        if isinstance(decision, Add) and number in found and found[number].reworded
        else decision
        for number, decision in enumerate(decisions)
    ]


def version_note(found: Mapping[int, ReplacedPassages]) -> tuple[str, ...]:
    """Return a note on the earlier version that was replaced; none where there was none."""
    reworded = sum(len(one.reworded) for one in found.values())
    gone = sum(len(one.gone) for one in found.values())
    if not found:
        return ()
    return (
        f"This is a later version of what is known from the same source: {counted(reworded + gone, 'passage')} of the "
        f"earlier one replaced{f', {gone} of them with nothing in its place' if gone else ''}; undo brings them back.",
    )
