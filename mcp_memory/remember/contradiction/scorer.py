"""Score a pair as a change, by logistic regression; bench/train_contradiction.py fits the weights of weights.json."""

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def probability(features: Mapping[str, float]) -> float:
    """Return the probability of a change, 0.0 to 1.0; features without a weight do not count."""
    weights = _weights()
    logit = weights["bias"] + sum(weights.get(name, 0.0) * value for name, value in features.items())
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


@cache
def _weights() -> Mapping[str, float]:
    return json.loads(files(__package__).joinpath("weights.json").read_text("utf-8"))
