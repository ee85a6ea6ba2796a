"""Hits that contradict or repeat each other: which one is kept, and in what order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Item
from mcp_memory.language.tokenization import normal_form
from mcp_memory.recall.ranking import Evidence, Scores

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


def diversify(order: Sequence[int], evidence: Evidence, *, scores: Scores) -> list[int]:
    """The candidates of `order` with what repeats another's words dropped, and what nearly repeats a note put last.

    Of notes that nearly repeat each other the one of the highest standing takes the place of the best: a fact told
    again with another number is more often a newer state of it than a second fact, unless the question names that
    number and so the best is better by more than TIED. Looks at the first DIVERSIFIED.
    """
    first, rest = order[:DIVERSIFIED], order[DIVERSIFIED:]
    repeats = _near_repeats(evidence, first)
    leaders: list[int] = []
    followers: list[int] = []
    said: set[str] = set()
    for place, number in enumerate(first):
        words_said = normal_form(evidence.items[number].spoken)
        if words_said in said:
            continue
        said.add(words_said)
        at = next((at for at, other in enumerate(leaders) if repeats[place, other]), None)
        if at is None:
            leaders.append(place)
        elif _prevails(evidence, number, first[leaders[at]]) and scores[first[leaders[at]]] - scores[number] <= TIED:
            followers.append(leaders[at])
            leaders[at] = place
        else:
            followers.append(place)
    return [first[place] for place in leaders + sorted(followers)] + list(rest)


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two candidates that say otherwise of the same thing, as rows of the evidence."""

    stands: int
    """The one that still counts: of the higher standing, else the one that was said later."""
    falls: int
    update: bool
    """Whether what stands was said later, of the same scope: it tells how what falls has changed."""


def rivals(order: Sequence[int], evidence: Evidence, *, differ: Callable[[Item, Item], object]) -> list[Rivals]:
    """The pairs among the first SETTLED of `order` that say otherwise of the same thing, each looked at once.

    `differ` is asked of two items, the one said earlier first, whose vectors are near; where one has none that says
    anything, of all. What two people say of themselves is not about the same, and events may both have been.
    """
    found: list[Rivals] = []
    for one, other in combinations(order[:SETTLED], 2):
        old, new = sorted((one, other), key=lambda row: evidence.said[row])
        cosine = _cosine(evidence, one, other)
        if not _comparable(evidence, one, other) or (cosine is not None and cosine < _nearness(evidence, one, other)):
            continue
        ranks = [(evidence.standings[row], evidence.said[row]) for row in (old, new)]
        if ranks[0] == ranks[1] or not differ(evidence.items[old], evidence.items[new]):
            continue
        stands, falls = (new, old) if ranks[1] > ranks[0] else (old, new)
        later = evidence.said[stands] > evidence.said[falls]
        found.append(Rivals(stands, falls, later and evidence.items[one].scope == evidence.items[other].scope))
    return found


def settle(
    order: Sequence[int],
    evidence: Evidence,
    *,
    scores: Scores,
    rivals: Sequence[Rivals],
    about_older: Callable[[Item, Item], bool],
) -> list[int]:
    """The candidates of `order`, where of two that are about the same the one that still counts goes first.

    An update goes before what it changes, however well both answer, unless `about_older` says of the older and the
    newer that the question is about the older, or it names a time that the older is nearer to. Other rivals, and two
    that nearly say the same, of which the stronger counts, change places only where they answer about equally well.
    """
    first = list(order[:SETTLED])
    standing = {(rival.stands, rival.falls) for rival in rivals}
    for place in range(len(first)):
        for later in range(place + 1, len(first)):
            one, other = first[place], first[later]
            counts = (other, one) in standing or ((one, other) not in standing and _stronger(evidence, other, one))
            if counts and scores[one] - scores[other] <= TIED:
                first[place], first[later] = other, one
    for rival in sorted(rivals, key=lambda rival: evidence.said[rival.stands]):
        at, below = first.index(rival.falls), first.index(rival.stands)
        if not rival.update or at > below or evidence.dates[rival.falls] > evidence.dates[rival.stands]:
            continue
        if not about_older(evidence.items[rival.falls], evidence.items[rival.stands]):
            first.insert(at, first.pop(below))
    return first + list(order[SETTLED:])


def _comparable(evidence: Evidence, one: int, other: int) -> bool:
    """Whether two may be about the same thing."""
    items = evidence.items[one], evidence.items[other]
    if "event" in (items[0].kind, items[1].kind):
        return False
    turns = "conversation" in (evidence.regimes[one], evidence.regimes[other])
    return not turns or items[0].speaker == items[1].speaker


def _nearness(evidence: Evidence, one: int, other: int) -> float:
    """The cosine from which two may say otherwise of the same thing."""
    return UPDATING if "log" in (evidence.regimes[one], evidence.regimes[other]) else CONTRADICTING


def _cosine(evidence: Evidence, one: int, other: int) -> float | None:
    """How near two are in meaning; None where that is not known."""
    own, others = evidence.vectors[one], evidence.vectors[other]
    if own is None or others is None or evidence.foreign[one] or evidence.foreign[other]:
        return None
    return float(own @ others)


def _stronger(evidence: Evidence, one: int, other: int) -> bool:
    """Whether two nearly say the same, neither as a turn, and the first is the stronger."""
    own, others = evidence.vectors[one], evidence.vectors[other]
    if own is None or others is None or not _comparable(evidence, one, other):
        return False
    notes = "note" in (evidence.regimes[one], evidence.regimes[other])
    return notes and float(own @ others) >= ALIKE and evidence.strengths[one] > evidence.strengths[other]


def _prevails(evidence: Evidence, one: int, other: int) -> bool:
    standings, items = evidence.standings, evidence.items
    return (standings[one], items[one].id) > (standings[other], items[other].id)


def _near_repeats(evidence: Evidence, rows: Sequence[int]) -> NDArray[np.bool_]:
    """Which of those notes nearly repeat which, shape (len(rows), len(rows))."""
    repeats = np.zeros((len(rows), len(rows)), np.bool_)
    vectors = {
        place: vector
        for place, row in enumerate(rows)
        if evidence.regimes[row] == "note" and (vector := evidence.vectors[row]) is not None
    }
    if vectors:
        matrix = np.array(list(vectors.values()), np.float32)
        repeats[np.ix_(list(vectors), list(vectors))] = matrix @ matrix.T >= SAME
    return repeats
