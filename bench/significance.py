"""Whether a difference between two systems on the same questions is more than chance: the paired bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 20
AT_ONCE = 500
"""Resamples drawn together, which bounds the memory taken."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean difference and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """Ours minus theirs, question by question, with the percentiles 2.5 and 97.5 of the mean over resampled questions.

    Efron 1979; seeded, so that the same figures give the same interval.
    """
    differences = np.asarray(ours) - np.asarray(theirs)
    random = np.random.default_rng(SEED)
    means = [
        differences[random.integers(0, len(differences), (AT_ONCE, len(differences)))].mean(axis=1)
        for _ in range(RESAMPLES // AT_ONCE)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Difference(float(differences.mean()), float(low), float(high))
