"""Deciding what a new statement is to what is known: new, a repetition, or a correction."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mcp_memory.domain.model import (
    USER,
    Item,
    ItemId,
    Kind,
    Statement,
    normal_hash,
)
from mcp_memory.domain.steps import (
    Add,
    Confirm,
    Decision,
    Neighbour,
    Revise,
)
from mcp_memory.language.dates.periods import DAY
from mcp_memory.remember.contradiction.comparison import change, likeness
from mcp_memory.remember.contradiction.succession import searched_words
from mcp_memory.remember.echoes import says

SIMILAR = 0.85
"""Cosine from which a known item is worth showing beside a new one."""
ALIKE = 0.7
"""Likeness of the words (comparison.likeness) from which it is, whatever the cosine.

Of the table's part dev, SIMILAR alone shows 55 of 100 added details, 57 paraphrases and 57 changes that are not found;
both together 100, 81 and 86, and 15 of 100 statements that add another value to a subject that may have several (at
0.6: 46, at 0.5: 90). 2026-11-21, the bundled encoder.
"""
COMPARED = 400
"""Characters of a text that is compared word by word at most: what is longer is a passage, not a statement."""
WIDESPREAD = 64
"""Statements of a call that may share a word for it to lead from one to another; more than that tell nothing apart."""
BESIDE = 8
"""Statements of the same call that one is compared with."""
LASTING: frozenset[Kind] = frozenset({"fact", "preference", "decision", "note"})
"""Kinds that may correct each other. A procedure corrects its own kind only."""
HAPPENED: frozenset[Kind] = frozenset({"event", "tool"})
"""Kinds of what happened, which correct nothing: a call with another value is another call."""

Key: TypeAlias = tuple[str, str]
"""A scope and a word."""


def plan(
    statements: Sequence[Statement],
    *,
    ids: Sequence[ItemId],
    known: Mapping[tuple[str, str], Item],
    neighbours: Sequence[Sequence[Neighbour]],
    named: Mapping[ItemId, Item],
) -> list[Decision]:
    """What each statement is to what is known and to those before it in the call, in the order given.

    `ids` has the id that each statement's item gets if it is new; `known` has, by scope and spoken text, the items that
    say a statement word for word; `neighbours` has for each statement the items near it in any of its scopes, best first;
    `named` has the items that statements replace or echo, by id. Linear in the number of statements.
    """
    told = _Told()
    decisions: list[Decision] = []
    for statement, identifier, near in zip(statements, ids, neighbours, strict=True):
        decision = _placed(statement, known=known, near=near, named=named, told=told)
        told.take(decision, identifier)
        decisions.append(decision)
    return decisions


@dataclass(slots=True)
class _Told:
    """What the statements of a call before the one in hand have become."""

    items: list[Item] = field(default_factory=list[Item])
    gone: set[ItemId] = field(default_factory=set[ItemId])
    """What they have replaced."""
    words: dict[Key, list[int]] = field(default_factory=lambda: defaultdict[Key, list[int]](list))
    """By scope and word, the numbers of the items that hold it."""
    said: dict[tuple[str, bytes], ItemId] = field(default_factory=dict[tuple[str, bytes], ItemId])

    def take(self, decision: Decision, identifier: ItemId) -> None:
        """Count in what became of a statement; its item is `identifier` where it is new."""
        statement = decision.statement
        if statement.source.kind != "words":
            return
        if isinstance(decision, Revise):
            self.gone.add(decision.of.id)
        if isinstance(decision, Confirm):
            return
        item = _item_of(statement, identifier)
        self.said[statement.scope, normal_hash(statement.spoken)] = identifier
        for word in searched_words(statement.spoken):
            self.words[statement.scope, word].append(len(self.items))
        self.items.append(item)

    def repeats(self, statement: Statement) -> bool:
        """Whether the call has said the same before, and nothing since has taken its place."""
        said = self.said.get((statement.scope, normal_hash(statement.spoken)))
        return said is not None and said not in self.gone

    def near(self, statement: Statement) -> list[Item]:
        """Up to BESIDE items of the call that share the most of their rarer words with a statement, the latest first."""
        shared: Counter[int] = Counter()
        for word in searched_words(statement.spoken):
            numbers = self.words.get((statement.scope, word), ())
            if len(numbers) <= WIDESPREAD:
                shared.update(numbers)
        best = sorted(shared, key=lambda number: (shared[number], number), reverse=True)[:BESIDE]
        return [self.items[number] for number in best]


def _item_of(statement: Statement, identifier: ItemId) -> Item:
    """The item that a statement becomes under an id where it is new, before a store has kept it."""
    recorded_at = statement.source.recorded_at
    return Item(
        id=identifier,
        source_id=statement.source.id,
        source_kind=statement.source.kind,
        position=statement.position,
        span=statement.span,
        text=statement.text,
        kind=statement.kind,
        tags=statement.tags,
        scope=statement.scope,
        speaker=statement.speaker,
        importance=statement.estimate if statement.importance is None else statement.importance,
        confidence=statement.confidence,
        occurred_at=statement.occurred_at,
        valid_until=None,
        pinned=False,
        review_after=None,
        recorded_at=recorded_at,
        changed_at=recorded_at,
        revision=1,
        status="live",
        seen=1,
        last_seen_at=recorded_at,
    )


def _placed(
    statement: Statement,
    *,
    known: Mapping[Key, Item],
    near: Sequence[Neighbour],
    named: Mapping[ItemId, Item],
    told: _Told,
) -> Decision:
    """What a statement is in its scope, or where nobody gave it one in the other that it may belong to.

    It is the user's where it repeats what is known of them, and goes wherever it says of the user what changes something
    there. What else it changes in the other scope may well still hold there: it is kept and shown as similar.
    """
    home, *others = [
        _decide(
            replace(statement, scope=scope),
            known=known.get((scope, statement.spoken)),
            near=[neighbour for neighbour in near if neighbour.item.scope == scope],
            named=named,
            told=told,
        )
        for scope in statement.scopes
    ]
    if not others or isinstance(home, Confirm) or told.repeats(home.statement):
        return home
    [theirs] = others
    if isinstance(theirs, Revise):
        said = known.get((statement.scope, statement.spoken)) is None if statement.replaces else _of_user(statement)
        if said and theirs.of.scope == statement.other_scope:
            return theirs
        alike = theirs.of
    elif (
        statement.scope != USER
        and isinstance(home, Add)
        and (isinstance(theirs, Confirm) or told.repeats(theirs.statement))
    ):
        return theirs
    else:
        alike = theirs.similar if isinstance(theirs, Add) else None
    if not isinstance(home, Add) or home.similar or all(neighbour.item != alike for neighbour in near):
        return home
    return replace(home, similar=alike)


def _of_user(statement: Statement) -> bool:
    return _OF_USER.match(statement.text.strip()) is not None


_OF_USER = re.compile(
    r"\W*(?:(?:actually|update|correction|now|sorry|no|by the way|btw|as of \w+|since \w+|this \w+|last \w+)\b\W*)*"
    r"(?:i|my|the user|user)\b|\W*(?:更正|其实|现在|最近|今年|上周|上个月|刚刚?)?[，,：:]?(?:我(?!们)|用户)",
    re.IGNORECASE,
)
"""How a statement begins that says something of the user."""


def _decide(
    statement: Statement, *, known: Item | None, near: Sequence[Neighbour], named: Mapping[ItemId, Item], told: _Told
) -> Decision:
    if statement.replaces is not None:
        return Revise(statement, named[statement.replaces], "said to replace it")
    recalled = named.get(statement.echoes) if statement.echoes else None
    if recalled is not None and recalled.status != "forgotten" and says(recalled, statement.text):
        return Confirm(statement, recalled, "the server printed it so")
    if known is not None and known.id not in told.gone:
        return Confirm(statement, known, "said before in the same words")
    if statement.source.kind != "words" or told.repeats(statement):
        return Add(statement)
    candidates = [*(Neighbour(item, 0.0) for item in told.near(statement)), *near]
    candidates = [candidate for candidate in candidates if candidate.item.id not in told.gone]
    otherwise: Item | None = None
    for candidate in candidates:
        if max(len(statement.text), len(candidate.item.text)) > COMPARED:
            continue
        reason = change(candidate.item.text, statement.text)
        if reason and _may_correct(statement, candidate.item):
            return Revise(statement, candidate.item, reason)
        otherwise = otherwise or (candidate.item if reason else None)
    if statement.kind == "tool":
        return Add(statement)
    # What was told together is known to whoever told it.
    stored = [candidate for candidate in near if candidate.item.id not in told.gone]
    return Add(statement, similar=otherwise or _similar(statement, stored))


def _may_correct(statement: Statement, item: Item) -> bool:
    """Whether a statement of its kind and time can take the place of an item like that."""
    if not statement.corrects or statement.kind in HAPPENED:
        return False
    if not (statement.kind == item.kind or {statement.kind, item.kind} <= LASTING):
        return False
    if item.source_kind == "transcript":
        return False
    # When it was recorded is in UTC, when it happened on somebody's clock: a day apart at most.
    known = item.recorded_at - DAY if item.occurred_at is None else item.occurred_at
    return statement.occurred_at is None or statement.occurred_at >= known


def _similar(statement: Statement, candidates: Sequence[Neighbour]) -> Item | None:
    """The known item worth showing beside a new statement: near in meaning, or in words."""
    best, score = None, 0.0
    for candidate in candidates:
        alike = 0.0
        if max(len(statement.text), len(candidate.item.text)) <= COMPARED:
            alike = likeness(candidate.item.text, statement.text)
        told = max(candidate.cosine / SIMILAR, alike / ALIKE)
        if told >= 1 and told > score:
            best, score = candidate.item, told
    return best


def contradicts(one: Item, other: Item) -> str | None:
    """What differs between two items that say the same but for one value, of which at most one holds; else None.

    Events may both have been.
    """
    if "event" in (one.kind, other.kind) or max(len(one.text), len(other.text)) > COMPARED:
        return None
    return change(one.text, other.text) or change(other.text, one.text)
