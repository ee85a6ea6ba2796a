"""Remembering: from statements to what became of each, planned first and carried out in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mcp_memory import dedupe
from mcp_memory.domain import (
    AddItem,
    Confirm,
    Decision,
    Filter,
    Item,
    ItemId,
    Kind,
    Measured,
    Neighbour,
    Operation,
    Outcome,
    Remembered,
    RememberedItem,
    Revise,
    Statement,
    Unmeasured,
)
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.errors import NotFound
from mcp_memory.measuring import measure
from mcp_memory.store import Store
from mcp_memory.strength import estimate_importance, terms
from mcp_memory.text import count_tokens

Progress = Callable[[int, int], None]
"""Gets how many are done, of how many."""

INLINE_TOKENS = 20_000
"""Text of a call that is measured before it answers: two to three seconds on two cores. The rest is measured after."""
CONTEXT_COST = 3
"""How often a text is read that has neighbours: once alone, and twice in overlapping windows."""
ENCODE_BATCH = 64
NEIGHBOURS = 3
LOOKED_UP = 5_000
"""Words of a call whose rarity is looked up, a tenth of a second at most; the rest counts as rare."""


class Rememberer:
    """Decides what statements are to what a store knows, and has it keep them. Thread-safe."""

    def __init__(self, store: Store, encoder: BackgroundEncoder, new_id: Callable[[], str]) -> None:
        self._store = store
        self._encoder = encoder
        self._new_id = new_id

    def remember(self, statements: Sequence[Statement], *, operation: Operation, progress: Progress) -> Remembered:
        """Keep all of the statements or none; what became of each, in the order given.

        Raises NotFound where a statement replaces what is not there.
        """
        named = require_present(self._store, {s.replaces for s in statements if s.replaces})
        named |= self._store.items([s.echoes for s in statements if s.echoes])
        statements = self._estimated(statements)
        encoder = self._writing_encoder()
        measured = _measure_first(encoder, statements, progress) if encoder else [None] * len(statements)
        near = self._neighbours(encoder, statements, measured)
        decisions = dedupe.plan(statements, known=self._known(statements), neighbours=near, named=named)
        steps = [self._step(decision, made) for decision, made in zip(decisions, measured, strict=True)]
        outcomes = self._store.apply(operation, steps, encoder=encoder.identity if encoder else None)
        results = [_result(decision, outcome) for decision, outcome in zip(decisions, outcomes, strict=True)]
        pending = sum(made is None and result.status != "known" for made, result in zip(measured, results, strict=True))
        return Remembered(results, operation.id, pending)

    def estimate(self, text: str, kind: Kind) -> float:
        """What the importance of a statement probably is, by what is known beside it."""
        return self._estimates([(text, kind)])[0]

    def _estimated(self, statements: Sequence[Statement]) -> list[Statement]:
        """The statements, each without an importance with an estimate of it."""
        unsaid = [number for number, statement in enumerate(statements) if statement.importance is None]
        estimates = self._estimates([(statements[number].text, statements[number].kind) for number in unsaid])
        found = dict(zip(unsaid, estimates, strict=True))
        return [
            replace(statement, estimate=found[number]) if number in found else statement
            for number, statement in enumerate(statements)
        ]

    def _estimates(self, told: Sequence[tuple[str, Kind]]) -> list[float]:
        words = dict.fromkeys(word for text, _ in told for word in terms(text))
        looked_up = list(words)[:LOOKED_UP]
        rarity, total = self._store.rarity(["", *looked_up]) if told else ([0.0], 0)
        by_word = dict(zip(looked_up, rarity[1:], strict=True))
        return [estimate_importance(text, kind, rarity=by_word, rarest=rarity[0], total=total) for text, kind in told]

    def _writing_encoder(self) -> Encoder | None:
        """The encoder where it is up and its vectors are the ones that serve."""
        encoder = self._encoder.ready()
        if encoder is None or not self._store.register_encoder(encoder.identity, encoder.dimensions):
            return None
        return encoder

    def _known(self, statements: Sequence[Statement]) -> dict[tuple[str, str], Item]:
        """By scope and spoken text, the items that say a statement of words already."""
        by_scope: dict[str, list[str]] = {}
        for statement in statements:
            if statement.source.kind == "words":
                by_scope.setdefault(statement.scope, []).append(statement.spoken)
        return {
            (scope, text): item
            for scope, texts in by_scope.items()
            for text, item in self._store.repetitions(texts, scope=scope).items()
        }

    def _neighbours(
        self, encoder: Encoder | None, statements: Sequence[Statement], measured: Sequence[Measured | None]
    ) -> list[list[Neighbour]]:
        near: list[list[Neighbour]] = [[] for _ in statements]
        if encoder is None:
            return near
        by_scope: dict[str, list[int]] = {}
        for number, (statement, made) in enumerate(zip(statements, measured, strict=True)):
            if made is not None and statement.source.kind == "words" and statement.replaces is None:
                by_scope.setdefault(statement.scope, []).append(number)
        for scope, numbers in by_scope.items():
            matrix = np.array([made.vector for number in numbers if (made := measured[number])], np.float32)
            where = Filter(scopes=(scope,))
            found = self._store.nearest(matrix, encoder=encoder.identity, where=where, limit=NEIGHBOURS)
            for number, neighbours in zip(numbers, found, strict=True):
                near[number] = neighbours
        return near

    def _step(self, decision: Decision, measured: Measured | None) -> AddItem:
        return AddItem(
            ItemId(self._new_id()),
            decision.statement,
            measured,
            replaces=decision.of.id if isinstance(decision, Revise) else None,
            confirms=decision.of.id if isinstance(decision, Confirm) else None,
        )


def require_known(store: Store, ids: set[ItemId]) -> dict[ItemId, Item]:
    """The items of those ids, all of them and whatever their status. Raises NotFound naming one that is not there."""
    items = store.items(sorted(ids))
    for identifier in sorted(ids - items.keys()):
        raise NotFound(f"There is no memory #{identifier}. Use recall to find the right id.")
    return items


def require_present(store: Store, ids: set[ItemId]) -> dict[ItemId, Item]:
    """The items of those ids, all of them. Raises NotFound naming one that is not there or was forgotten."""
    items = require_known(store, ids)
    for item in items.values():
        if item.status == "forgotten":
            raise NotFound(f"The memory #{item.id} was forgotten. Remember it anew if it should come back.")
    return items


def _measure_first(encoder: Encoder, statements: Sequence[Statement], progress: Progress) -> list[Measured | None]:
    """What the encoder makes of the first statements that make INLINE_TOKENS; None for those that are to follow."""
    first: list[Unmeasured] = []
    left = INLINE_TOKENS
    for number, statement in enumerate(statements):
        left -= count_tokens(statement.text) * (1 if statement.source.kind == "words" else CONTEXT_COST)
        if left < 0 and first:
            break
        first.append(Unmeasured(number, statement.spoken, statement.source.id, statement.position))
    measured: list[Measured | None] = []
    for start in range(0, len(first), ENCODE_BATCH):
        measured += measure(encoder, first[start : start + ENCODE_BATCH])
        progress(len(measured), len(statements))
    return measured + [None] * (len(statements) - len(measured))


def _result(decision: Decision, outcome: Outcome) -> RememberedItem:
    """What is told of a statement: `of` only where the store still saw it as the plan did."""
    assert outcome.id is not None
    text = decision.statement.text
    match decision, outcome.status:
        case Revise(of=of), "replaced":
            return RememberedItem(outcome.id, "replaces", text, of)
        case Confirm(of=of), "known":
            return RememberedItem(outcome.id, "known", text, of)
        case _, "known":
            return RememberedItem(outcome.id, "known", text)
        case _:
            similar = getattr(decision, "similar", None)
            return RememberedItem(outcome.id, "similar" if similar else "created", text, similar)
