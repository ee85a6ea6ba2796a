"""The floor below which a hit is noise."""

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from mcp_memory.encoders import Noise
from mcp_memory.recall.bm25 import SHARE_FLOOR, WORDS_FLOOR
from mcp_memory.recall.features import Features, Scores

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
    """Return the largest cosine to be expected of `searched` texts that have nothing to do with a question.

    The maximum of n normal variables lies about sqrt(2 ln n) deviations above their mean.
    """
    return mean + deviation * math.sqrt(2 * math.log(max(searched, FEWEST)))


def doubtful_floor(*, mean: float, deviation: float, searched: int) -> float:
    """Return the cosine from which the one nearest is taken where nothing reaches the noise floor.

    The floor rises with what is searched and the cosine of an answer does not: of questions worded quite otherwise than
    their answer a tenth lies just below the floor of 40 texts.
    """
    lowest, highest = (noise_floor(mean=mean, deviation=deviation, searched=n) for n in (FEWEST, searched))
    return max(highest - DOUBT * deviation, lowest) if searched <= DOUBTED else highest


def floors(noise: Noise, *, searched: int) -> tuple[float, float]:
    """Return the noise floor and the doubtful floor of an encoder among `searched` texts."""
    return (
        noise_floor(mean=noise.mean, deviation=noise.deviation, searched=searched),
        doubtful_floor(mean=noise.mean, deviation=noise.deviation, searched=searched),
    )


def relevant(features: Features, floor: float | None, doubtful: float = math.inf) -> NDArray[np.bool_]:
    """Return which candidates have anything to do with the query: their cosine exceeds the noise, or they cover much of it.

    Where none does, the one whose cosine is largest and at least `doubtful`, if no two others cover more of the query.
    Where no vector tells, or the encoder does not know the query's language (no `floor`), shared words are all there
    is to go by: enough of the query's, and a good part of those that the best shares.
    """
    wordy = (features.bm25_share >= SHARE_FLOOR) & (features.bm25 >= WORDS_FLOOR * features.bm25.max(initial=0))
    absent = np.isnan(features.cosine)
    if floor is None or absent.all():
        return wordy
    unknown = np.array([candidate.unknown_language for candidate in features.candidates], np.bool_)
    cosine, coverage = np.nan_to_num(features.cosine, nan=0.0), np.nan_to_num(features.coverage, nan=0.0)
    found = (cosine >= floor) | (coverage >= COVERAGE_FLOOR) | (absent | unknown) & wordy
    if found.any():
        return found | _same_conversation(features, found)
    return _nearest(np.where(unknown, 0, cosine), np.where(unknown, 0, coverage), doubtful)


def _nearest(cosine: Scores, coverage: Scores, doubtful: float) -> NDArray[np.bool_]:
    """Return the one candidate that is nearest by cosine, if that is at least `doubtful` and no two others cover more."""
    best = int(cosine.argmax())
    nearest = np.zeros(len(cosine), np.bool_)
    nearest[best] = cosine[best] >= doubtful and np.count_nonzero(coverage > coverage[best]) < 2
    return nearest


def _same_conversation(features: Features, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the turns between people of whose talks one has anything to do with the query, in whatever session of theirs.

    A turn may answer by what the turns around it say; only all that these people say can have nothing to do with it.
    Letting in only the session that has such a turn costs 1.9 R@10 on LoCoMo's turns, and any conversation at all
    brings strangers' talk with a note that answers (python -m bench.recall --sets locomo, 2026-11-21).
    """
    people: dict[object, set[tuple[str, str | None]]] = defaultdict(set)
    telling: set[tuple[str, str | None]] = set()
    turns = [c if c.regime == "conversation" else None for c in features.candidates]
    for turn, relevant_itself in zip(turns, found.tolist(), strict=True):
        if turn is not None:
            people[turn.place[0]].add(person := (turn.item.scope, turn.item.speaker))
            telling |= {person} if relevant_itself else set()
    let_in = {talk for talk, speakers in people.items() if speakers & telling}
    return np.array([turn is not None and turn.place[0] in let_in for turn in turns], np.bool_)
