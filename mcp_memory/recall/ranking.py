"""Ranking: the features of each candidate fused into one score."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcp_memory.language.dates.extraction import tells_when
from mcp_memory.language.sentences import sentences
from mcp_memory.language.tokenization import words
from mcp_memory.recall.features import CandidateItem, Features, Regime, Scores
from mcp_memory.recall.late_interaction import neighbours, rows_of
from mcp_memory.recall.query import Query
from mcp_memory.recall.salience import USERS

CANDIDATES = 200
"""Items each search hands to the ranking; 100 lose .3 hit@5 on LoCoMo's turns to a full scan."""

CONVERSATION = {"meaning": 2.0, "words": 1.0, "around": 3.0}
NOTE = {"meaning": 1.0, "words": 1.0, "coverage": 2.0}
"""Weights of the z-scores. Any of the three of NOTE at 1 instead of 2 moves SciFact's nDCG@10 (73) by under half a point;
3, 1 and 1 give it 74.0, but between two notes the least difference of cosine then outweighs which of them still counts.
In CONVERSATION coverage by the turn itself, at 1 beside 2 around, costs .7 nDCG@10 on LoCoMo's turns (prototype)."""
SPEAKER = 0.5
"""For what the one speaker said whom the query names."""
LENGTH = 0.2
"""A unit of log length: a turn of one word answers nothing."""
OWN_WORDS = 1.5
"""In logs, for what the user said, unless the question asks what the assistant said."""
DATE = 3.0
"""For lying in the time the query names: hit@5 on every sixth question of LoCoMo's turns is 83.2 with it and 80.2 without
(python -m bench.recall --sets locomo --ablate --every 6, 2026-11-21)."""
WHEN = 0.8
"""For a turn that names a time where the query asks for one: .6 nDCG@10 on LoCoMo's turns, 3 on its temporal questions,
and no conversation loses (prototype, 2026-11-21)."""
REACH = 4
"""Turns on either side whose scores raise a turn's."""
BEFORE, AFTER, FADING = 0.2, 0.1, 0.7
"""What the turn before and the turn after give, and how it falls with each turn further."""
ANSWER = 0.5
"""What a question gives to the turn that answers it."""
POWER = 1.75
"""To which scores are raised before they are given on, so that many poor turns around do not add up to a good one."""
ASKING = 0.3
"""Share of its score that a turn loses which does nothing but ask, and of which one that asks in part loses a part: what
it asks, another answers.

From BEFORE to here and SPEAKER were chosen together on LoCoMo's turns. Chosen on four conversations and asked of the
fifth, in turn, they gain 1.5 hit@5, 1.3 R@10 and 2.5 nDCG@10 over what an older ranking had wanted (prototype);
through recall all five go from 83.2, 84.5 and 67.3 to 84.8, 85.8 and 70.5 (python -m bench.recall --sets locomo, 2026-11-21).
"""
SALIENCE: Mapping[Regime, float] = {"note": 0.6, "log": 0.1, "conversation": 0.1}
"""From the weakest memory to the strongest (salience.salience): decides between near equals only. Of turns all is told
in its place, and what their words weigh says little: .4 cost LoCoMo's .6 hit@5 and a prior for the latest cost logs 8."""
ENDED = 0.5
"""Against what was said to be no longer true."""


Parts: TypeAlias = dict[str, Scores]
"""The parts that add up to a score, by name."""


def zscores(scores: Scores) -> Scores:
    """Return how many standard deviations each score lies above the mean; 0 where it is NaN or all are equal.

    >>> zscores(np.array([1, 2, 3, np.nan], np.float32)).round(2).tolist()
    [-1.2200000286102295, 0.0, 1.2200000286102295, 0.0]
    """
    known = ~np.isnan(scores)
    if not known.any():
        return np.zeros_like(scores, np.float32)
    deviation = float(scores[known].std())
    if deviation < 1e-9:
        return np.zeros_like(scores, np.float32)
    return np.where(known, (scores - scores[known].mean()) / deviation, 0).astype(np.float32)


def best_of(texts: Mapping[int, float], cosines: Mapping[int, float]) -> set[int]:
    """Return the CANDIDATES states whose scores of both searches, as z-scores, add up to most."""
    lowest = min(cosines.values(), default=0.0)
    numbers = [*texts, *(number for number in cosines if number not in texts)]
    scores = zscores(np.array([texts.get(n, 0.0) for n in numbers], np.float32))
    scores = scores + zscores(np.array([cosines.get(n, lowest) for n in numbers], np.float32))
    best: list[int] = np.argsort(-scores, kind="stable")[:CANDIDATES].tolist()
    return {numbers[place] for place in best}


def fuse(features: Features, query: Query) -> Parts:
    """Return the parts of each candidate's score.

    Fusing z-scores and not ranks keeps how much better the best is: reciprocal rank fusion of BM25 and one vector is
    worse than BM25 alone on conversations (docs/recall.md). What a candidate is decides how: turns between people
    lean on the turns around, notes and logs stand for themselves.
    """
    candidates = features.candidates
    late = np.where(np.isnan(features.late_cosine), features.cosine, features.late_cosine).astype(np.float32)
    scores = {
        "meaning": (zscores(features.cosine) + zscores(late)) / 2,
        "words": zscores(features.bm25),
        "coverage": zscores(features.coverage),
        "around": zscores(features.context_coverage),
    }
    turns = np.array([candidate.regime == "conversation" for candidate in candidates], np.bool_)
    parts = {
        name: np.where(
            turns,
            CONVERSATION.get(name, 0) / sum(CONVERSATION.values()) * score,
            NOTE.get(name, 0) / sum(NOTE.values()) * score,
        ).astype(np.float32)
        for name, score in scores.items()
    }
    parts["speaker"] = _speaker(candidates, query)
    lengths, asking = _statement_lengths(candidates, turns)
    parts["length"] = (LENGTH * lengths).astype(np.float32)
    parts["neighbours"] = _neighbour_boost(sum_of(parts), candidates, turns)
    parts["asking"] = (-ASKING * asking * np.maximum(sum_of(parts), 0)).astype(np.float32)
    parts["when"] = (WHEN * _telling_when(candidates, turns, query)).astype(np.float32)
    parts["date"] = (DATE * features.date_match).astype(np.float32)
    return parts


def weigh(candidates: Sequence[CandidateItem], *, now: int) -> Parts:
    """Return what each candidate is worth whatever the query: its salience, and whether it has ended by `now`."""
    ended = [item.valid_until is not None and item.valid_until <= now for item in (c.item for c in candidates)]
    return {
        "strength": np.array([SALIENCE[c.regime] * (c.prior.salience - 0.5) for c in candidates], np.float32),
        "ended": np.array([-ENDED * over for over in ended], np.float32),
    }


def sum_of(parts: Parts) -> Scores:
    """Return the score that the parts add up to."""
    return np.array(sum(parts.values()), np.float32)


def _speaker(candidates: Sequence[CandidateItem], query: Query) -> Scores:
    speakers = {candidate.item.speaker for candidate in candidates} - {None, ""}
    named = {speaker for speaker in speakers if speaker and set(words(speaker)) <= query.words}
    about_assistant = bool(query.words & {"assistant", "you", "your"})
    values: list[float] = []
    for candidate in candidates:
        speaker = candidate.item.speaker
        if candidate.regime == "conversation":
            values.append(SPEAKER * (len(named) == 1 and speaker in named))
        else:
            values.append(OWN_WORDS * (candidate.regime == "log" and not about_assistant and speaker in USERS))
    return np.array(values, np.float32)


def _statement_lengths(candidates: Sequence[CandidateItem], turns: NDArray[np.bool_]) -> tuple[Scores, Scores]:
    """Return of each turn the log length of what is no question, less the mean of the turns, and the share of its words
    that ask."""
    lengths, asking = np.zeros(len(candidates), np.float32), np.zeros(len(candidates), np.float32)
    if turns.any():
        texts = [candidate.item.text for candidate, turn in zip(candidates, turns, strict=True) if turn]
        stated = np.array([_words_stated(text) for text in texts], np.float32)
        asking[turns] = 1 - stated / np.array([max(len(text.split()), 1) for text in texts], np.float32)
        lengths[turns] = np.log1p(stated)
        lengths[turns] -= lengths[turns].mean()
    return lengths, asking


def _telling_when(candidates: Sequence[CandidateItem], turns: NDArray[np.bool_], query: Query) -> Scores:
    """Return 1 for a turn that may name a time, where the query asks for one."""
    if not query.asks_when:
        return np.zeros(len(candidates), np.float32)
    return np.array([turn and tells_when(c.item.text) for c, turn in zip(candidates, turns, strict=True)], np.float32)


def _words_stated(text: str) -> int:
    if "?" not in text and "？" not in text:
        return len(text.split())
    parts = [text[start:end] for start, end in sentences(text)]
    return sum(len(part.split()) for part in parts if not part.rstrip("\"'”’)]").endswith(("?", "？")))


def _neighbour_boost(scores: Scores, candidates: Sequence[CandidateItem], turns: NDArray[np.bool_]) -> Scores:
    """Return what the turns around add to each turn: a good turn raises its neighbours, a question its answer."""
    if not turns.any():
        return np.zeros_like(scores)
    powers = np.where(turns, np.maximum(scores, 0) ** POWER, 0)
    total = powers.copy()
    at = rows_of([candidate.place for candidate in candidates])
    for distance in range(1, REACH + 1):
        for shift, given in ((-distance, BEFORE), (distance, AFTER)):
            rows, others = neighbours(at, shift)
            total[rows] += FADING ** (distance - 1) * given * powers[others]
    rows, others = neighbours(at, -1)
    asked = np.array(["?" in candidates[other].item.text for other in others], np.float32)
    total[rows] += ANSWER * asked * powers[others]
    raised = np.where(turns & (total > 0), total ** (1 / POWER) - scores, 0)
    return raised.astype(np.float32)
