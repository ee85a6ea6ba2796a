"""Hits that contradict or repeat each other: which one is kept, and in what order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Item
from mcp_memory.language.tokenization import normal_form
from mcp_memory.recall.features import CandidateItem, Scores

DIVERSIFIED = 60
"""Candidates among which repeats are looked for, from the best: more than an answer of default length shows."""


SETTLED = 12
"""Candidates among which updates and other contradictions are looked for, from the best: an answer of default length and two more."""


ALIKE = 0.85
"""Cosine from which two are about the same whatever their words; planner.plan shows what is as near."""


CONTRADICTING = 0.6
"""Cosine from which two may contradict each other; planner.plan looks for corrections from there as well."""


UPDATING = 0.45
"""The same where one is a message to an assistant, which says and asks more than one thing: the cosines of 19 updates in
messages and what they update lie between .48 and .86, the half of them under .6 (bench.updates, 2026-11-21)."""


TIED = 0.5
"""Difference of scores up to which two answer about equally well. With 1 every third question that names the older of
two values is answered with the newer (bench.strength, seeds 1 and 2), with .5 every sixteenth."""


SAME = 0.97
"""Cosine from which two notes say nearly the same; they may still differ in a number, so none is dropped for it."""


def diversify(order: Sequence[int], candidates: Sequence[CandidateItem], *, scores: Scores) -> list[int]:
    """Drop from `order` what repeats another's words, and put what nearly repeats a note last.

    Of notes that nearly repeat each other the one of the highest precedence takes the place of the best: a fact stated
    again with another number is more often a newer state of it than a second fact, unless the question names that
    number and so the best is better by more than TIED. Looks at the first DIVERSIFIED.
    """
    first, rest = order[:DIVERSIFIED], order[DIVERSIFIED:]
    repeats = _near_repeats([candidates[row] for row in first])
    leaders: list[int] = []
    followers: list[int] = []
    seen: set[str] = set()
    for place, number in enumerate(first):
        text = normal_form(candidates[number].item.spoken)
        if text in seen:
            continue
        seen.add(text)
        at = next((at for at, other in enumerate(leaders) if repeats[place, other]), None)
        if at is None:
            leaders.append(place)
            continue
        best = first[leaders[at]]
        if _prevails(candidates[number], candidates[best]) and scores[best] - scores[number] <= TIED:
            followers.append(leaders[at])
            leaders[at] = place
        else:
            followers.append(place)
    return [first[place] for place in leaders + sorted(followers)] + list(rest)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two candidates that contradict each other, as rows of the features."""

    kept: int
    """The one that still counts: of the higher precedence, else the one that was stated later."""
    superseded: int
    update: bool
    """True if what is kept was stated later, of the same scope: it is the new value of what it supersedes."""


def find_conflicts(
    order: Sequence[int], candidates: Sequence[CandidateItem], *, differ: Callable[[Item, Item], object]
) -> list[Conflict]:
    """Return the pairs among the first SETTLED of `order` that contradict each other.

    `differ` is asked of two items, the one stated earlier first, whose vectors are near; where one has none that says
    anything, of all. What two people say of themselves is not about the same, and events may both have been.
    """
    found: list[Conflict] = []
    for one, other in combinations(order[:SETTLED], 2):
        older, newer = sorted((one, other), key=lambda row: candidates[row].prior.stated_at)
        old, new = candidates[older], candidates[newer]
        cosine = _cosine(old, new)
        if not _comparable(old, new) or (cosine is not None and cosine < _nearness(old, new)):
            continue
        ranks = [(candidate.prior.precedence, candidate.prior.stated_at) for candidate in (old, new)]
        if ranks[0] == ranks[1] or not differ(old.item, new.item):
            continue
        kept, superseded = (newer, older) if ranks[1] > ranks[0] else (older, newer)
        later = candidates[kept].prior.stated_at > candidates[superseded].prior.stated_at
        found.append(Conflict(kept, superseded, later and old.item.scope == new.item.scope))
    return found


def order_conflicts(
    order: Sequence[int],
    candidates: Sequence[CandidateItem],
    *,
    scores: Scores,
    dates: Scores,
    conflicts: Sequence[Conflict],
    about_older: Callable[[Item, Item], bool],
) -> list[int]:
    """Return the candidates of `order`, where of two that are about the same the one that still counts goes first.

    An update goes before what it changes, however well both answer, unless `about_older` says of the older and the
    newer that the question is about the older, or it names a time that the older is nearer to (`dates`). Other
    conflicts, and two that nearly say the same, of which the more salient counts, change places only where they answer
    about equally well.
    """
    first = list(order[:SETTLED])
    settled = {(conflict.kept, conflict.superseded) for conflict in conflicts}
    for place in range(len(first)):
        for later in range(place + 1, len(first)):
            one, other = first[place], first[later]
            counts = (other, one) in settled or (
                (one, other) not in settled and _more_salient(candidates[other], candidates[one])
            )
            if counts and scores[one] - scores[other] <= TIED:
                first[place], first[later] = other, one
    for conflict in sorted(conflicts, key=lambda conflict: candidates[conflict.kept].prior.stated_at):
        at, below = first.index(conflict.superseded), first.index(conflict.kept)
        if not conflict.update or at > below or dates[conflict.superseded] > dates[conflict.kept]:
            continue
        if not about_older(candidates[conflict.superseded].item, candidates[conflict.kept].item):
            first.insert(at, first.pop(below))
    return first + list(order[SETTLED:])


def _comparable(one: CandidateItem, other: CandidateItem) -> bool:
    """Return whether two may be about the same thing."""
    if "event" in (one.item.kind, other.item.kind):
        return False
    turns = "conversation" in (one.regime, other.regime)
    return not turns or one.item.speaker == other.item.speaker


def _nearness(one: CandidateItem, other: CandidateItem) -> float:
    """Return the cosine from which two may contradict each other."""
    return UPDATING if "log" in (one.regime, other.regime) else CONTRADICTING


def _cosine(one: CandidateItem, other: CandidateItem) -> float | None:
    """Return how near two are in meaning; None where that is not known."""
    if one.vector is None or other.vector is None or one.unknown_language or other.unknown_language:
        return None
    return float(one.vector @ other.vector)


def _more_salient(one: CandidateItem, other: CandidateItem) -> bool:
    """Return whether two nearly say the same, one of them as a note, and the first is the more salient."""
    if one.vector is None or other.vector is None or not _comparable(one, other):
        return False
    notes = "note" in (one.regime, other.regime)
    return notes and float(one.vector @ other.vector) >= ALIKE and one.prior.salience > other.prior.salience


def _prevails(one: CandidateItem, other: CandidateItem) -> bool:
    return (one.prior.precedence, one.item.id) > (other.prior.precedence, other.item.id)


def _near_repeats(candidates: Sequence[CandidateItem]) -> NDArray[np.bool_]:
    """Return which notes nearly repeat which, shape (len(candidates), len(candidates))."""
    repeats = np.zeros((len(candidates), len(candidates)), np.bool_)
    vectors = {
        place: candidate.vector
        for place, candidate in enumerate(candidates)
        if candidate.regime == "note" and candidate.vector is not None
    }
    if vectors:
        matrix = np.array(list(vectors.values()), np.float32)
        repeats[np.ix_(list(vectors), list(vectors))] = matrix @ matrix.T >= SAME
    return repeats
