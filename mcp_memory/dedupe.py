"""Deciding what a new statement is to what is known: new, a repetition, or a correction."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from mcp_memory.compose import says
from mcp_memory.domain import Add, Confirm, Decision, Item, ItemId, Neighbour, Revise, Statement
from mcp_memory.text import grams, words

SIMILAR = 0.85
"""Cosine from which a known item is worth showing beside a new one."""
CORRECTION = 0.6
"""Cosine from which a changed value is looked for."""
VALUE_WORDS = 4
"""Words a value has at most, on either side."""
SHARED = 0.5
"""Share of its words that a correction has in common with what it corrects, at least."""

CUES = frozenset(
    "is are was were be equals uses use using port version called named costs budget limit email address phone "
    "password url default set 是 为 在 用 叫 到".split()
)
"""Words right after which a statement says its value."""
PREPOSITIONS = frozenset("in on at to from for".split())
"""Words that are a cue after a verb of STATES: who lives in a place has one, who has a friend in it may have another."""
STATES = frozenset(
    "is are am live lives work works run runs based located listen listens hosted deployed sits stay stays set moved "
    "changed switched belongs starts ends use uses need needs require requires cost costs".split()
)
"""Words of what holds until it changes."""
OPENERS = frozenset("actually correction update sorry no now 其 实".split())
"""Words a correction may begin with."""
FILLERS = frozenset("a an the my our his her their its of now about currently 了".split())
"""Words that may stand between a cue and the value."""
COPULAS = frozenset("is are was were be equals costs 是 为".split())
"""Cues before which the subject stands: what differs before one is another subject."""
NEGATIONS = frozenset("not no never t nothing none without 不 没 無 无".split())

_NUMBER = re.compile(r"\d")


def plan(
    statements: Sequence[Statement],
    *,
    known: Mapping[tuple[str, str], Item],
    neighbours: Sequence[Sequence[Neighbour]],
    named: Mapping[ItemId, Item],
) -> list[Decision]:
    """What each statement is to what is known, in the order given.

    `known` has, by scope and spoken text, the items that say a statement word for word; `neighbours` has for each
    statement the items near it, best first; `named` has the items that statements replace or echo, by id.
    """
    return [
        _decide(statement, known=known.get((statement.scope, statement.spoken)), neighbours=near, named=named)
        for statement, near in zip(statements, neighbours, strict=True)
    ]


def _decide(
    statement: Statement, *, known: Item | None, neighbours: Sequence[Neighbour], named: Mapping[ItemId, Item]
) -> Decision:
    if statement.replaces is not None:
        return Revise(statement, named[statement.replaces], "said to replace it")
    recalled = named.get(statement.echoes) if statement.echoes else None
    if recalled is not None and recalled.status != "forgotten" and says(recalled, statement.text):
        return Confirm(statement, recalled, "recall printed it so")
    if known is not None:
        return Confirm(statement, known, "said before in the same words")
    if statement.source.kind != "words":
        return Add(statement)
    for neighbour in neighbours:
        if neighbour.cosine >= CORRECTION and neighbour.item.kind == statement.kind != "event":
            reason = changed_value(neighbour.item.text, statement.text)
            if reason:
                return Revise(statement, neighbour.item, reason)
    if neighbours and neighbours[0].cosine >= SIMILAR:
        return Add(statement, similar=neighbours[0].item)
    return Add(statement)


def changed_value(old: str, new: str) -> str | None:
    """What a new statement changes in an old one, where they say the same but for one value; else None.

    The value is one stretch of words right after a cue that both share, so that the subject before it is the same.
    What is merely counted ("worker 3 did task 17") has no cue before its number, and is nothing to correct.

    >>> changed_value("The deploy port is 8080.", "The deploy port is 9090.")
    '8080 -> 9090'
    >>> changed_value("The staging port is 8080.", "The production port is 8080.")
    >>> changed_value("The revenue in 2023 was low.", "The revenue in 2024 was low.")
    """
    if "?" in old + new or "\uff1f" in old + new:
        return None
    before, after = _tokens(old), _tokens(new)
    while after and after[0] in OPENERS and after[0] not in before[:1]:
        after = after[1:]
    changes = [
        change for change in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if change[0] != "equal"
    ]
    if len(changes) != 1 or changes[0][0] != "replace":
        return None
    _, old_start, old_end, new_start, new_end = changes[0]
    was, now = before[old_start:old_end], after[new_start:new_end]
    if max(len(was), len(now)) > VALUE_WORDS or NEGATIONS.intersection(was, now):
        return None
    shared = len(before) - len(was)
    if shared < 2 or shared / max(len(before), len(after)) < SHARED:
        return None
    numbers = bool(_NUMBER.search("".join(was)) and _NUMBER.search("".join(now)))
    if not _says_a_value(before[:old_start], number=numbers) or COPULAS.intersection(before[old_end:]):
        return None
    if old_start < 2 and not numbers:
        return None
    return f"{' '.join(was)} -> {' '.join(now)}"


def contradicts(one: Item, other: Item) -> bool:
    """Whether two items say the same but for one value, so that at most one of them holds; events may both have been."""
    if one.kind == "event" or other.kind == "event":
        return False
    return bool(changed_value(one.text, other.text) or changed_value(other.text, one.text))


def _says_a_value(leading: Sequence[str], *, number: bool) -> bool:
    """Whether what stands before a value says that one follows; before a number a noun may stand between ("on Postgres 16")."""
    told = [token for token in leading if token not in FILLERS and not _NUMBER.search(token)]
    nearest = told[-2:] if number and STATES.intersection(told) else told[-1:]
    return any(
        token in CUES or (token in PREPOSITIONS and STATES.intersection(told[:place]))
        for place, token in enumerate(told)
        if place >= len(told) - len(nearest)
    )


def _tokens(text: str) -> list[str]:
    """Words and CJK characters, in the order they stand."""
    tokens: list[str] = []
    for is_cjk, run in groupby(text, key=lambda character: bool(grams(character))):
        part = "".join(run)
        tokens += list(part) if is_cjk else words(part)
    return tokens
