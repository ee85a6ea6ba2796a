"""Remembering: statements are embedded, compared with what is known in one read, planned, and stored in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mcp_memory.domain.model import Caller, Embedding, Item, ItemId, Kind, Operation, PendingEmbedding, Statement
from mcp_memory.domain.planning import PlanningContext, PlanningRequest
from mcp_memory.domain.results import Remembered, RememberedItem
from mcp_memory.domain.steps import Add, AddItem, AmendItem, Confirm, Decision, Neighbour, Outcome, Revise, Step
from mcp_memory.encoders import Encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.encoders.embedding import embed
from mcp_memory.errors import NotFound
from mcp_memory.language.token_count import count_tokens
from mcp_memory.language.tokenization import supports_language
from mcp_memory.remember import planner
from mcp_memory.remember.document_versions import (
    ReplacedPassages,
    apply_versions,
    replaced_passages,
    version_note,
    versioned_origins,
)
from mcp_memory.remember.importance import estimate_importance, terms
from mcp_memory.remember.recording import Progress
from mcp_memory.remember.scope_suggestions import scope_typo_notes
from mcp_memory.store import Store

INLINE_TOKENS = 20_000
"""Embedded before a call answers: two to three seconds on two cores; the rest follows in the background."""
CONTEXT_COST = 3  # Texts with neighbours are embedded alone and twice in overlapping windows
ENCODE_BATCH = 64
LOOKED_UP = 2_000
"""Words of a call whose idf is queried, a fifth of a second on a busy machine; the rest counts as rare."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan for statements; each sequence has one entry a statement."""

    encoder: str | None  # Identity of the encoder of the embeddings
    embeddings: Sequence[Embedding | None]
    ids: Sequence[ItemId]
    decisions: Sequence[Decision]
    replaced: Mapping[int, ReplacedPassages]
    context: PlanningContext

    def steps(self) -> list[AddItem]:
        return [
            AddItem(
                self.ids[number],
                decision.statement,
                self.embeddings[number],
                replaces=decision.of.id if isinstance(decision, Revise) else None,
                confirms=decision.of.id if isinstance(decision, Confirm) else None,
                supersedes=self.replaced[number].items if number in self.replaced else (),
                anew=bool(self.replaced),
            )
            for number, decision in enumerate(self.decisions)
        ]

    def elsewhere(self, number: int) -> Item | None:
        """Return the item of another scope with the same words as a new statement."""
        decision = self.decisions[number]
        if not isinstance(decision, Add) or decision.statement.source.kind != "words":
            return None
        item = self.context.elsewhere.get(decision.statement.spoken)
        return item if item is not None and item.scope != decision.statement.scope else None


class Rememberer:
    """Plans statements against what a store knows, and stores them. Thread-safe."""

    def __init__(self, store: Store, encoder: BackgroundEncoder, new_id: Callable[[], str]) -> None:
        self._store = store
        self._encoder = encoder
        self._new_id = new_id
        self._registered = False

    def remember(
        self,
        statements: Sequence[Statement],
        *,
        operation: Operation,
        progress: Progress,
        caller: Caller | None = None,
        inline: int = INLINE_TOKENS,
        first: Sequence[Step] = (),
        fields: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> Remembered:
        """Store all of the statements or none, and return what became of each, in the order given.

        The first that make `inline` tokens are embedded before, the rest is left pending. `first` are steps that the same
        operation takes before; `fields` are set, by the number of a statement, on the item it becomes where it is new.
        With `caller` the notes mention new scopes that may be typing errors. Raises NotFound where a statement replaces
        what is not there.
        """
        plan = self._plan(statements, progress, inline)
        steps = plan.steps()
        amended = [
            AmendItem(plan.ids[number], 1, values)
            for number, values in (fields or {}).items()
            if not isinstance(plan.decisions[number], Confirm)
        ]
        outcomes = self._store.apply(operation, [*first, *steps, *amended], encoder=plan.encoder)
        outcomes = outcomes[len(first) : len(first) + len(steps)]
        results = [
            _result(decision, outcome, elsewhere=plan.elsewhere(number))
            for number, (decision, outcome) in enumerate(zip(plan.decisions, outcomes, strict=True))
        ]
        pending = sum(
            made is None and result.status != "known" for made, result in zip(plan.embeddings, results, strict=True)
        )
        scopes = plan.context.scopes
        typos = scope_typo_notes({one.scope for one in statements}, scopes, caller) if caller and scopes else ()
        notes = version_note(plan.replaced) if plan.replaced else ()
        return Remembered(results, operation.id, pending, notes=(*typos, *notes))

    def preview(
        self, statements: Sequence[Statement], *, progress: Progress, inline: int = INLINE_TOKENS
    ) -> list[RememberedItem]:
        """Return what would become of each statement, in order, without storing anything. Raises as remember does."""
        plan = self._plan(statements, progress, inline)
        return [
            _result(decision, _expected(decision, new)) for decision, new in zip(plan.decisions, plan.ids, strict=True)
        ]

    def estimate(self, text: str, kind: Kind) -> float:
        """Estimate the importance of a statement from its words and how rare these are."""
        words = terms(text)
        idf, total = self._store.idf(["", *words])
        return estimate_importance(
            text, kind, rarity=dict(zip(words, idf[1:], strict=True)), rarest=idf[0], total=total
        )

    def importance(self, item: Item, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the importance of an item with some fields changed: given from now on, or estimated from new words."""
        if "importance" in fields:
            return {"importance_given": 1}
        if item.importance_given or not fields.keys() & {"text", "kind"}:
            return {}
        return {"importance": self.estimate(fields.get("text", item.text), fields.get("kind", item.kind))}

    def _plan(self, statements: Sequence[Statement], progress: Progress, inline: int) -> _Plan:
        encoder = self._writing_encoder()
        embeddings: list[Embedding | None] = [None] * len(statements)
        if encoder:
            embeddings = _embed_first(encoder, statements, progress, inline)
        request = _request(statements, embeddings, encoder)
        context = self._store.planning_context(request)
        for replaced in {one.replaces for one in statements if one.replaces}:
            _require_present(context.named, replaced)
        statements = [_estimated(one, context) for one in statements]
        ids = [ItemId(self._new_id()) for _ in statements]
        decisions = planner.plan(
            statements,
            ids=ids,
            known=context.known,
            neighbours=_comparable(statements, context.neighbours, encoder),
            named=context.named,
        )
        passages = replaced_passages(statements, context.earlier) if context.earlier else {}
        if passages:
            decisions = apply_versions(decisions, passages)
        return _Plan(request.encoder, embeddings, ids, decisions, passages, context)

    def _writing_encoder(self) -> Encoder | None:
        """Return the encoder where it is ready and its vectors are the ones that serve."""
        encoder = self._encoder.ready()
        if encoder is not None and not self._registered:
            self._registered = self._store.register_encoder(encoder.identity, encoder.dimensions)
        return encoder if self._registered else None


def require_known(store: Store, ids: set[ItemId]) -> dict[ItemId, Item]:
    """Return the items of those ids, whatever their status. Raises NotFound naming one that is not there."""
    items = store.items(sorted(ids))
    for identifier in sorted(ids):
        _require(items, identifier)
    return items


def require_present(store: Store, ids: set[ItemId]) -> dict[ItemId, Item]:
    """Return the items of those ids. Raises NotFound naming one that is not there or was forgotten."""
    items = store.items(sorted(ids))
    for identifier in sorted(ids):
        _require_present(items, identifier)
    return items


def _require(items: Mapping[ItemId, Item], identifier: ItemId) -> Item:
    if identifier not in items:
        raise NotFound(f"There is no memory #{identifier}. Use recall to find the right id.")
    return items[identifier]


def _require_present(items: Mapping[ItemId, Item], identifier: ItemId) -> None:
    if _require(items, identifier).status == "forgotten":
        raise NotFound(f"The memory #{identifier} was forgotten. Remember it anew if it should come back.")


def _request(
    statements: Sequence[Statement], embeddings: Sequence[Embedding | None], encoder: Encoder | None
) -> PlanningRequest:
    words = dict.fromkeys(word for one in statements if one.importance is None for word in terms(one.text))
    return PlanningRequest(
        statements,
        vectors=[made.vector if made else None for made in embeddings],
        terms=[planner.candidate_terms(one.text) if one.source.kind == "words" else () for one in statements],
        encoder=encoder.identity if encoder else None,
        words=list(words)[:LOOKED_UP],
        origins=versioned_origins(statements) if any(one.source.origin for one in statements) else (),
    )


def _estimated(statement: Statement, context: PlanningContext) -> Statement:
    if statement.importance is not None:
        return statement
    estimate = estimate_importance(
        statement.text, statement.kind, rarity=context.idf, rarest=context.rarest, total=context.total
    )
    return replace(statement, estimate=estimate)


def _comparable(
    statements: Sequence[Statement], neighbours: Sequence[Sequence[Neighbour]], encoder: Encoder | None
) -> Sequence[Sequence[Neighbour]]:
    """Return the neighbours, without cosines where the encoder does not know the language of a statement."""
    if encoder is None or not encoder.languages:
        return neighbours
    return [
        near
        if not near or supports_language(encoder.languages, one.text)
        else [replace(neighbour, cosine=0.0) for neighbour in near]
        for one, near in zip(statements, neighbours, strict=True)
    ]


def _embed_first(
    encoder: Encoder, statements: Sequence[Statement], progress: Progress, inline: int
) -> list[Embedding | None]:
    """Embed the first statements that make `inline` tokens; None for those that are left pending."""
    first: list[PendingEmbedding] = []
    left = inline
    for number, statement in enumerate(statements):
        left -= count_tokens(statement.text) * (1 if statement.source.kind == "words" else CONTEXT_COST)
        if left < 0 and first:
            break
        first.append(PendingEmbedding(number, statement.spoken, statement.source.id, statement.position))
    made: list[Embedding | None] = []
    for start in range(0, len(first), ENCODE_BATCH):
        made += embed(encoder, first[start : start + ENCODE_BATCH])
        progress(len(made), len(statements))
    return made + [None] * (len(statements) - len(made))


def _expected(decision: Decision, new: ItemId) -> Outcome:
    """Return the outcome of a decision where the store has not changed since."""
    match decision:
        case Confirm(of=of):
            return Outcome("known", of.id, of.id)
        case Revise(of=of):
            return Outcome("replaced", new, of.id)
        case Add():
            return Outcome("created", new)


def _result(decision: Decision, outcome: Outcome, *, elsewhere: Item | None = None) -> RememberedItem:
    """Build one statement's result; `of` only where the store still saw it as the plan did."""
    assert outcome.id is not None
    text = decision.statement.text
    match decision, outcome.status:
        case Revise(of=of, reason=reason), "replaced":
            return RememberedItem(outcome.id, "replaces", text, of, reason)
        case Confirm(of=of, reason=reason), "known":
            return RememberedItem(outcome.id, "known", text, of, reason)
        case _, "known":
            return RememberedItem(outcome.id, "known", text, elsewhere=elsewhere)
        case _:
            similar = getattr(decision, "similar", None)
            return RememberedItem(outcome.id, "similar" if similar else "created", text, similar, elsewhere=elsewhere)
