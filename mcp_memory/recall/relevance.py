"""The floor below which a hit is noise."""

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from mcp_memory.recall.bm25 import SHARE_FLOOR, WORDS_FLOOR
from mcp_memory.recall.ranking import Evidence

COVERAGE_FLOOR = 0.34
"""Share of a question that an unrelated text covers in one case of a hundred."""


FEWEST = 8
"""Texts that count as searched at least: the expected largest cosine of three is .15, which one unrelated question in 16
reaches; of eight it is .20, and one answer in twenty lies below that however few there are (bench.everyday, 2026-11-21)."""


DOUBT = 0.5
"""Deviations below the floor that the one nearest may lie where nothing reaches it. Of questions asked of 40 texts each,
5 in 100 get their answer by it, and of 100 others 5 one line that is none (bench.everyday, 2026-11-21)."""


DOUBTED = 500
"""Texts up to which that is: among 2,760 it answers 2 of 100 unrelated questions (bench.floor, 2026-11-21)."""


def noise_floor(*, mean: float, deviation: float, searched: int) -> float:
    """The largest cosine to be expected of `searched` texts that have nothing to do with a question.

    The maximum of n normal variables lies about sqrt(2 ln n) deviations above their mean.
    """
    return mean + deviation * math.sqrt(2 * math.log(max(searched, FEWEST)))


def doubtful_floor(*, mean: float, deviation: float, searched: int) -> float:
    """The cosine from which the one nearest is taken where nothing reaches the noise floor.

    The floor rises with what is searched and the cosine of an answer does not: of questions worded quite otherwise than
    their answer a tenth lies just below the floor of 40 texts.
    """
    lowest, highest = (noise_floor(mean=mean, deviation=deviation, searched=n) for n in (FEWEST, searched))
    return max(highest - DOUBT * deviation, lowest) if searched <= DOUBTED else highest


def relevant(evidence: Evidence, *, floor: float | None, doubtful: float = math.inf) -> NDArray[np.bool_]:
    """Which candidates have anything to do with the query: their cosine stands out of the noise, or they cover much of it.

    Where none does, the one whose cosine is largest and at least `doubtful`, if no two others cover more of the query.
    Where no vector tells, or the encoder does not know the query's language (no `floor`), shared words are all there
    is to go by: enough of the query's, and a good part of those that the best shares.
    """
    wordy = (evidence.shares >= SHARE_FLOOR) & (evidence.texts >= WORDS_FLOOR * evidence.texts.max(initial=0))
    if floor is None or np.isnan(evidence.cosines).all():
        return wordy
    near = np.nan_to_num(evidence.cosines, nan=0.0) >= floor
    covering = np.nan_to_num(evidence.coverage, nan=0.0) >= COVERAGE_FLOOR
    found = near | covering | (np.isnan(evidence.cosines) | evidence.foreign) & wordy
    return found | _told_along(evidence, found) if found.any() else _nearest(evidence, doubtful)


def _nearest(evidence: Evidence, doubtful: float) -> NDArray[np.bool_]:
    """The one candidate that is nearest by cosine, if that is at least `doubtful` and no two others cover more."""
    cosines = np.where(evidence.foreign, 0, np.nan_to_num(evidence.cosines, nan=0.0))
    coverage = np.where(evidence.foreign, 0, np.nan_to_num(evidence.coverage, nan=0.0))
    best = int(cosines.argmax())
    nearest = np.zeros(len(cosines), np.bool_)
    nearest[best] = cosines[best] >= doubtful and np.count_nonzero(coverage > coverage[best]) < 2
    return nearest


def _told_along(evidence: Evidence, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The turns between people of whose talks one has anything to do with the query, in whatever session of theirs.

    A turn may answer by what the turns around it say; only all that these people say can have nothing to do with it.
    Letting in only the session that has such a turn costs 1.9 R@10 on LoCoMo's turns, and any conversation at all
    brings strangers' talk with a note that answers (python -m bench.recall --sets locomo, 2026-11-21).
    """
    people: dict[object, set[tuple[str, str | None]]] = defaultdict(set)
    turns = [regime == "conversation" for regime in evidence.regimes]
    for item, place, turn in zip(evidence.items, evidence.places, turns, strict=True):
        if turn:
            people[place[0]].add((item.scope, item.speaker))
    rows = zip(evidence.items, turns, found.tolist(), strict=True)
    telling = {(item.scope, item.speaker) for item, turn, one in rows if turn and one}
    let_in = {talk for talk, speakers in people.items() if speakers & telling}
    return np.array([turn and place[0] in let_in for turn, place in zip(turns, evidence.places, strict=True)], np.bool_)
