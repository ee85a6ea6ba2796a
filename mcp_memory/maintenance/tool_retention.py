"""Retention of tool calls: old calls of one shape are folded into a pattern, and expired ones erased."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, islice

from mcp_memory.domain.model import Item, ItemId, Operation, Source, SourceId, Statement, StoredItem
from mcp_memory.domain.steps import AddItem, AmendItem, EraseItem, FoldItem, Step
from mcp_memory.language.dates.periods import DAY
from mcp_memory.language.token_count import counted
from mcp_memory.language.tokenization import Span
from mcp_memory.maintenance.tool_calls import Fold, Folding, Retention, plan_folds, read_pattern
from mcp_memory.store import Store

DUE_AT_ONCE = 20_000
"""Calls that are looked at in one go, the oldest."""


@dataclass(frozen=True, slots=True)
class Folded:
    patterns: int
    """Patterns that were made or have grown."""
    hidden: int
    """Calls that are shown no more and can come back."""
    erased: int
    """Hidden calls whose retention had ended."""


class Folder:
    """Folds the tool calls of a store. Thread-safe."""

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id

    def fold(self, *, now: int, retention: Retention, operation: Callable[[str], Operation]) -> Folded:
        """Fold what is due in one operation, which can be undone, and erase what expired in another.

        `operation` makes one of its summary. Raises Conflict, with nothing done, where a pattern was changed meanwhile.
        """
        kept = sorted(self._calls(before=now - retention.whole_days * DAY), key=lambda call: call.item.scope)
        due = [
            plan_folds(list(calls), now=now, retention=retention)
            for _, calls in groupby(kept, key=lambda call: call.item.scope)
        ]
        folds = [fold for each in due for fold in each.folds]
        steps = [step for fold in folds for step in self._steps(fold, now)]
        later = [(item, pattern) for each in due for item, pattern in each.hide]
        steps += [FoldItem(item.id, pattern) for item, pattern in later]
        hidden = sum(len(fold.hidden) for fold in folds) + len(later)
        if steps:
            self._store.apply(operation(f"{counted(hidden, 'tool call')} into {counted(len(folds), 'pattern')}"), steps)
        expired = _expired(due, kept)
        if expired:
            ended = operation(f"the retention of {len(expired)} tool calls has ended")
            self._store.apply(ended, [EraseItem(item.id, keep_patterns=True) for item in expired])
        return Folded(len(folds), hidden, len(expired))

    def _calls(self, *, before: int) -> list[StoredItem]:
        """Return calls recorded before a time, also those hidden in a pattern, and all patterns; the oldest first."""
        found = (
            stored
            for stored in self._store.scan(kinds=("tool",))
            if (stored.item.status == "live" or (stored.item.status == "replaced" and stored.patterns))
            and (stored.item.recorded_at < before or read_pattern(stored.item.text) is not None)
        )
        return list(islice(found, DUE_AT_ONCE))

    def _steps(self, fold: Fold, now: int) -> list[Step]:
        hidden = {item.id for item in fold.hidden}
        if fold.into is not None:
            pattern = fold.into.id
            first: Step = AmendItem(pattern, fold.into.revision, {"text": fold.text})
        else:
            pattern = ItemId(self._new_id())
            first = AddItem(pattern, self._statement(fold, now))
        return [first, *(FoldItem(item.id, pattern, hide=item.id in hidden) for item in fold.calls)]

    def _statement(self, fold: Fold, now: int) -> Statement:
        latest = fold.calls[-1]
        shared = set(latest.tags).intersection(*(item.tags for item in fold.calls))
        return Statement(
            text=fold.text,
            source=Source(SourceId(self._new_id()), "words", fold.text, "tool calls", now),
            span=Span(0, len(fold.text)),
            kind="tool",
            tags=tuple(sorted(shared)),
            scope=latest.scope,
            importance=max(item.importance for item in fold.calls),
            occurred_at=latest.occurred_at,
        )


def _expired(due: list[Folding], kept: list[StoredItem]) -> list[Item]:
    """Return hidden calls past their retention whose patterns still exist."""
    live = {call.item.id for call in kept if call.item.status == "live"}
    parts = {call.item.id: call.patterns for call in kept}
    return [item for each in due for item in each.expired if live.intersection(parts[item.id])]
