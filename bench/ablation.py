"""Ranking with one of its parts switched off, to measure what the part is worth."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType

import numpy as np

from mcp_memory.recall import pipeline, ranking, relevance
from mcp_memory.recall.features import Features

RANKING = (ranking, relevance, pipeline)
"""The modules that rank."""
Replacements = Mapping[str, object]
"""Names of the modules that rank, and what they are to stand for."""


@contextmanager
def without(part: str) -> Iterator[None]:
    """Within the block ranking does without a part of ABLATIONS; everything stands as it was after it."""
    replacements = ABLATIONS[part]()
    homes = {name: _home(name) for name in replacements}
    before = {name: getattr(home, name) for name, home in homes.items()}
    for name, value in replacements.items():
        setattr(homes[name], name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(homes[name], name, value)


def _home(name: str) -> ModuleType:
    return next(module for module in RANKING if hasattr(module, name))


def _weightless(*parts: str) -> Replacements:
    return {
        regime: {name: 0.0 if name in parts else weight for name, weight in getattr(ranking, regime).items()}
        for regime in ("CONVERSATION", "NOTE")
    }


def _fusing(change: Callable[[Features], Features]) -> Replacements:
    fuse = ranking.fuse
    return {"fuse": lambda features, query: fuse(change(features), query)}


def _late_only(features: Features) -> Features:
    return replace(features, cosine=np.where(np.isnan(features.late_cosine), features.cosine, features.late_cosine))


def _self_only(features: Features) -> Features:
    return replace(features, late_cosine=np.full_like(features.late_cosine, np.nan))


ABLATIONS: Mapping[str, Callable[[], Replacements]] = {
    "meaning: both vectors": lambda: _weightless("meaning"),
    "meaning: the vector of the text alone": lambda: _fusing(_late_only),
    "meaning: the late-chunk vector": lambda: _fusing(_self_only),
    "words (BM25)": lambda: _weightless("words"),
    "late interaction: coverage with neighbouring turns": lambda: _weightless("around"),
    "speaker": lambda: {"SPEAKER": 0.0, "OWN_WORDS": 0.0},
    "length": lambda: {"LENGTH": 0.0},
    "asking (no penalty for turns that only ask)": lambda: {"ASKING": 0.0},
    "smoothing over neighbours": lambda: {"BEFORE": 0.0, "AFTER": 0.0, "ANSWER": 0.0},
    "when (bonus for turns that name a time)": lambda: {"WHEN": 0.0},
    "date": lambda: {"DATE": 0.0},
    "floor (every candidate passes)": lambda: {
        "relevant": lambda features, *_: np.ones(len(features.candidates), np.bool_)
    },
    "diversify (repeats are not moved)": lambda: {"diversify": lambda order, *_, **__: list(order)},
}
"""By the part that is switched off. What is searched for stays the same; only the ranking of it changes."""
