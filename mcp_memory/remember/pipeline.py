"""Remembering: from statements to what became of each, planned first and carried out in one transaction."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcp_memory.domain.model import (
    Filter,
    Item,
    ItemId,
    Kind,
    Measured,
    Operation,
    Statement,
    Unmeasured,
)
from mcp_memory.domain.results import Remembered, RememberedItem
from mcp_memory.domain.steps import (
    Add,
    AddItem,
    AmendItem,
    Confirm,
    Decision,
    Neighbour,
    Outcome,
    Revise,
    Step,
)
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.encoders.embedding import measure, reads
from mcp_memory.errors import MemoryProblem, NotFound
from mcp_memory.language.token_count import count_tokens
from mcp_memory.remember import document_versions, planner
from mcp_memory.remember.document_versions import Earlier, Succession
from mcp_memory.remember.importance import estimate_importance, terms
from mcp_memory.store import Store

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
"""Gets how many are done, of how many."""

INLINE_TOKENS = 20_000
"""Text of a call that is measured before it answers: two to three seconds on two cores. The rest is measured after."""
CONTEXT_COST = 3
"""How often a text is read that has neighbours: once alone, and twice in overlapping windows."""
ENCODE_BATCH = 64
NEIGHBOURS = 8
"""Items near a statement by its vector that it is compared with, and as many by its words.

Among the 868 old statements of tests/statement_pairs.tsv what a change is about is one of the 3 nearest by cosine for
94.1 of 100, of the 8 nearest for 96.4, of the 16 nearest for 97.4 (2026-11-21); most of the others share rare words.
"""
WORD_ROWS = 500
"""States that a search for the neighbours of a statement may have to score: its rarest words are taken until then.

2,000 finds the same on the table, and 1,000 statements against 10,000 known take 3.2 s instead of 2.3 (bench.dedupe_speed,
2026-11-21).
"""
TOO_COMMON = 5_000
"""States that hold a word from which on it is not searched for: that would take longer than encoding the statement."""
WORDS_ASKED = 6
"""Words and pairs of Chinese characters of a statement by which its neighbours are searched for, at most."""
LOOKED_UP = 2_000
"""Words of a call whose rarity is looked up, at most: a fifth of a second on a busy machine. The rest counts as rare."""


class Rememberer:
    """Decides what statements are to what a store knows, and has it keep them. Thread-safe."""

    def __init__(self, store: Store, encoder: BackgroundEncoder, new_id: Callable[[], str]) -> None:
        self._store = store
        self._encoder = encoder
        self._new_id = new_id

    def remember(
        self,
        statements: Sequence[Statement],
        *,
        operation: Operation,
        progress: Progress,
        inline: int = INLINE_TOKENS,
        first: Sequence[Step] = (),
        fields: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> Remembered:
        """Keep all of the statements or none; what became of each, in the order given.

        The first that make `inline` tokens are measured before, the rest is to follow. `first` are steps that the same
        operation does before; `fields` are what a statement, by its number, is to say besides where it is new. Raises
        NotFound where a statement replaces what is not there.
        """
        encoder, measured, ids, decisions, over = self._planned(statements, progress, inline)
        elsewhere = self._elsewhere(decisions)
        steps: list[Step] = [
            _step(*planned, over) for planned in zip(range(len(ids)), decisions, measured, ids, strict=True)
        ]
        new = [number for number in fields or {} if not isinstance(decisions[number], Confirm)]
        amended = [AmendItem(ids[number], 1, (fields or {})[number]) for number in new]
        outcomes = self._store.apply(
            operation, [*first, *steps, *amended], encoder=encoder.identity if encoder else None
        )[len(first) : len(first) + len(steps)]
        results = [_result(decision, outcome) for decision, outcome in zip(decisions, outcomes, strict=True)]
        results = [replace(entry, elsewhere=elsewhere.get(entry.text)) for entry in results]
        pending = sum(made is None and result.status != "known" for made, result in zip(measured, results, strict=True))
        return Remembered(results, operation.id, pending, notes=(*document_versions.told(over), *self._room_notes()))

    def _room_notes(self) -> tuple[str, ...]:
        """What to tell of a store that is nearly full; nothing where that can't be read: what is kept is not refused."""
        try:
            return self._store.room().notes
        except MemoryProblem as problem:
            log.warning("how full the store is could not be read: %s", problem)
            return ()

    def preview(
        self, statements: Sequence[Statement], *, progress: Progress, inline: int = INLINE_TOKENS
    ) -> list[RememberedItem]:
        """What would become of each statement, in the order given; nothing is kept. Raises what remember raises."""
        _, _, ids, decisions, _ = self._planned(statements, progress, inline)
        return [_result(decision, _expected(decision, new)) for decision, new in zip(decisions, ids, strict=True)]

    def _planned(
        self, statements: Sequence[Statement], progress: Progress, inline: int
    ) -> tuple[Encoder | None, list[Measured | None], list[ItemId], list[Decision], Mapping[int, Succession]]:
        """The encoder that is up, what it made of the statements, their ids where they are new, what they are, and by
        their numbers what they take the place of as a later version of a text."""
        named = require_present(self._store, {s.replaces for s in statements if s.replaces})
        named |= self._store.items([s.echoes for s in statements if s.echoes])
        statements = self._estimated(statements)
        encoder = self._writing_encoder()
        measured: list[Measured | None] = [None] * len(statements)
        if encoder:
            measured = _measure_first(encoder, statements, progress, inline)
        ids = [ItemId(self._new_id()) for _ in statements]
        decisions = planner.plan(
            statements,
            ids=ids,
            known=self._known(statements),
            neighbours=self._neighbours(encoder, statements, measured),
            named=named,
        )
        over = self._successions(statements)
        return encoder, measured, ids, document_versions.decided(decisions, over), over

    def _successions(self, statements: Sequence[Statement]) -> dict[int, Succession]:
        """By the number of a statement what of an earlier version of the same text it takes the place of."""
        sources = {statement.source.id: statement.source for statement in statements}
        origins = [
            source.origin for source in sources.values() if source.origin and document_versions.has_versions(source)
        ]
        earlier = [Earlier(*told) for told in self._store.told_from(origins)] if origins else []
        return document_versions.successions(statements, earlier)

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
                for scope in statement.scopes:
                    by_scope.setdefault(scope, []).append(statement.spoken)
        return {
            (scope, text): item
            for scope, texts in by_scope.items()
            for text, item in self._store.repetitions(texts, scope=scope).items()
        }

    def _elsewhere(self, decisions: Sequence[Decision]) -> dict[str, Item]:
        """By text, what says a new statement in the same words in another scope."""
        new = [decision.statement for decision in decisions if isinstance(decision, Add)]
        texts = {statement.spoken: statement for statement in new if statement.source.kind == "words"}
        found = self._store.repetitions(list(texts), scope=None)
        return {texts[text].text: item for text, item in found.items() if item.scope != texts[text].scope}

    def _neighbours(
        self, encoder: Encoder | None, statements: Sequence[Statement], measured: Sequence[Measured | None]
    ) -> list[list[Neighbour]]:
        """For each statement of words the items near it by its vector, then those near it by its words alone, by scope."""
        near: list[list[Neighbour]] = [[] for _ in statements]
        by_scope: dict[str, list[int]] = {}
        for number, statement in enumerate(statements):
            if statement.source.kind == "words" and statement.replaces is None:
                for scope in statement.scopes:
                    by_scope.setdefault(scope, []).append(number)
        for scope, numbers in by_scope.items():
            where = Filter(scopes=(scope,))
            vectors = {number: made.vector for number in numbers if (made := measured[number])}
            if encoder and vectors:
                matrix = np.array(list(vectors.values()), np.float32)
                found = self._store.nearest(matrix, encoder=encoder.identity, where=where, limit=NEIGHBOURS)
                for number, neighbours in zip(vectors, found, strict=True):
                    read = reads(encoder.languages, statements[number].text)
                    near[number] += neighbours if read else [replace(one, cosine=0.0) for one in neighbours]
            self._add_by_words(near, {number: statements[number].text for number in numbers}, where=where)
        return near

    def _add_by_words(self, near: list[list[Neighbour]], texts: Mapping[int, str], *, where: Filter) -> None:
        """Put behind the neighbours of each text those that share its rarest words."""
        queries = self._rarest(texts)
        found = {
            number: [
                candidate.revision_id for candidate in self._store.search_text(query, where=where, limit=NEIGHBOURS)
            ]
            for number, query in queries.items()
        }
        states = self._store.states(list({revision for revisions in found.values() for revision in revisions}))
        for number, revisions in found.items():
            seen = {neighbour.item.id for neighbour in near[number]}
            items = [states[revision] for revision in revisions if revision in states]
            near[number] = near[number] + [Neighbour(item, 0.0) for item in items if item.id not in seen]

    def _rarest(self, texts: Mapping[int, str]) -> dict[int, str]:
        """For each text the words, up to WORDS_ASKED, that the fewest states hold, and WORD_ROWS in all; none where nobody does."""
        words = {number: planner.candidate_terms(text) for number, text in texts.items()}
        asked = list(dict.fromkeys(word for found in words.values() for word in found))
        rarity, total = self._store.rarity(asked)
        holding = {word: _holding(value, total=total) for word, value in zip(asked, rarity, strict=True)}
        queries: dict[int, str] = {}
        for number, found in words.items():
            left = WORD_ROWS
            chosen: list[str] = []
            held = [word for word in found if 0 < holding[word] <= TOO_COMMON]
            for word in sorted(held, key=lambda word: holding[word]):
                left -= holding[word]
                if chosen and (left < 0 or len(chosen) == WORDS_ASKED):
                    break
                chosen.append(word)
            if chosen:
                queries[number] = " ".join(chosen)
        return queries


def _holding(rarity: float, *, total: int) -> int:
    """How many of `total` states hold a word of that rarity (the inverse of ranking.rarity)."""
    return round((total + 0.5 - 0.5 * math.expm1(rarity)) / (math.expm1(rarity) + 1)) if rarity else total


def _step(
    number: int,
    decision: Decision,
    measured: Measured | None,
    identifier: ItemId,
    over: Mapping[int, Succession],
) -> AddItem:
    return AddItem(
        identifier,
        decision.statement,
        measured,
        replaces=decision.of.id if isinstance(decision, Revise) else None,
        confirms=decision.of.id if isinstance(decision, Confirm) else None,
        supersedes=over[number].items if number in over else (),
        anew=bool(over),
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


def _measure_first(
    encoder: Encoder, statements: Sequence[Statement], progress: Progress, inline: int
) -> list[Measured | None]:
    """What the encoder makes of the first statements that make `inline` tokens; None for those that are to follow."""
    first: list[Unmeasured] = []
    left = inline
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


def _expected(decision: Decision, new: ItemId) -> Outcome:
    """What a decision comes to where the store has not changed since."""
    match decision:
        case Confirm(of=of):
            return Outcome("known", of.id, of.id)
        case Revise(of=of):
            return Outcome("replaced", new, of.id)
        case Add():
            return Outcome("created", new)


def _result(decision: Decision, outcome: Outcome) -> RememberedItem:
    """What is told of a statement: `of` only where the store still saw it as the plan did."""
    assert outcome.id is not None
    text = decision.statement.text
    match decision, outcome.status:
        case Revise(of=of, reason=reason), "replaced":
            return RememberedItem(outcome.id, "replaces", text, of, reason)
        case Confirm(of=of, reason=reason), "known":
            return RememberedItem(outcome.id, "known", text, of, reason)
        case _, "known":
            return RememberedItem(outcome.id, "known", text)
        case _:
            similar = getattr(decision, "similar", None)
            return RememberedItem(outcome.id, "similar" if similar else "created", text, similar)
