"""Ranking: what the searches found about each candidate, put together into one order."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.model import Item, Vector
from mcp_memory.language.dates.extraction import asks_when, tells_when
from mcp_memory.language.segmentation import normal_form, sentences, words
from mcp_memory.recall.bm25 import (
    BM25_B,
    BM25_K1,
    SHARE_FLOOR,
    WORDS_FLOOR,
)
from mcp_memory.recall.late_interaction import Place, neighbours, rows_of
from mcp_memory.recall.salience import ASSISTANTS, USERS

Scores: TypeAlias = NDArray[np.float32]
"""One number a candidate, shape (n,)."""
Regime: TypeAlias = Literal["conversation", "log", "note"]
"""A turn between people, a message between a user and an assistant, or anything that stands for itself."""
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
STRENGTH: Mapping[Regime, float] = {"note": 0.6, "log": 0.1, "conversation": 0.1}
"""From the weakest memory to the strongest (salience.strength): decides between near equals only. Of turns all is told
in its place, and what their words weigh says little: .4 cost LoCoMo's .6 hit@5 and a prior for the latest cost logs 8."""
ENDED = 0.5
"""Against what was said to be no longer true."""
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about each of n candidates, in one order. NaN stands for what was not measured."""

    items: Sequence[Item]
    regimes: Sequence[Regime]
    places: Sequence[Place]
    texts: Scores
    """BM25; 0 where it holds no word of the query."""
    shares: Scores
    """BM25 over that of a text of average length that holds each word of the query once."""
    cosines: Scores
    """Of the query with the text alone."""
    late: Scores
    """Of the query with the text as read among its neighbours (late chunking)."""
    coverage: Scores
    """The share of the query that the text covers (late interaction), 0 to 1."""
    around: Scores
    """The same with the help of the turns around."""
    dates: Scores
    """How near it lies to what the query names in time, 0 to 1; 0 where it names nothing."""
    vectors: Sequence[Vector | None]
    """Of the text alone."""
    foreign: NDArray[np.bool_]
    """Which texts are in a language the encoder does not know, so that their cosines say little."""
    strengths: Sequence[float]
    """How much each still counts whatever the query, 0 to 1 (salience.strength)."""
    standings: Sequence[float]
    """What decides between two that contradict or repeat each other, the higher prevails (salience.standing)."""
    said: Sequence[int]
    """When each was last said, in milliseconds at face value (salience.confirmed_at)."""


Parts: TypeAlias = dict[str, Scores]
"""The parts that add up to a score, by name."""


def bm25(
    frequencies: Scores, *, lengths: Scores, average: float, holding: Scores, total: int, weights: Scores
) -> Scores:
    """BM25 of documents, shape (n,), from how often each holds each term, shape (n, terms).

    Robertson and Zaragoza 2009, with the inverse document frequency ln(1 + (N - n + .5) / (n + .5)) of Lucene, which
    stays positive for a term that most documents hold: FTS5's own is cut off there and silences the names of the two
    who talk. `lengths` (n,) are in tokens and `average` is their mean over the whole collection; `holding` (terms,)
    says how many of the `total` documents hold each term, `weights` (terms,) what each counts for.
    """
    damping = BM25_K1 * (1 - BM25_B + BM25_B * lengths / max(average, 1e-9))
    saturated = frequencies * (BM25_K1 + 1) / (frequencies + damping[:, None])
    return (saturated @ (weights * rarity(holding, total=total))).astype(np.float32)


def rarity(holding: Scores, *, total: int) -> Scores:
    """Inverse document frequency of terms that `holding` of `total` documents hold, as `bm25` has it."""
    return np.log1p((total - holding + 0.5) / (holding + 0.5)).astype(np.float32)


def zscores(scores: Scores) -> Scores:
    """How many standard deviations each score lies above the mean; 0 where it is NaN or all are equal.

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


def fuse(evidence: Evidence, *, query: str) -> Parts:
    """The parts of each candidate's score.

    Fusing z-scores and not ranks keeps how much better the best is: reciprocal rank fusion of BM25 and one vector is
    worse than BM25 alone on conversations (docs/recall.md). What a candidate is decides how: turns between people
    lean on the turns around, notes and logs stand for themselves.
    """
    scores = {
        "meaning": (zscores(evidence.cosines) + zscores(_either(evidence.late, evidence.cosines))) / 2,
        "words": zscores(evidence.texts),
        "coverage": zscores(evidence.coverage),
        "around": zscores(evidence.around),
    }
    turns = np.array([regime == "conversation" for regime in evidence.regimes], np.bool_)
    parts = {
        name: np.where(
            turns,
            CONVERSATION.get(name, 0) / sum(CONVERSATION.values()) * score,
            NOTE.get(name, 0) / sum(NOTE.values()) * score,
        ).astype(np.float32)
        for name, score in scores.items()
    }
    parts["speaker"] = _speaker(evidence, query)
    told, asking = _told(evidence.items, turns)
    parts["length"] = (LENGTH * told).astype(np.float32)
    parts["neighbours"] = _smoothed(sum_of(parts), evidence, turns)
    parts["asking"] = (-ASKING * asking * np.maximum(sum_of(parts), 0)).astype(np.float32)
    parts["when"] = (WHEN * _telling_when(evidence.items, turns, query)).astype(np.float32)
    parts["date"] = (DATE * evidence.dates).astype(np.float32)
    return parts


def weigh(items: Sequence[Item], *, regimes: Sequence[Regime], strengths: Sequence[float], now: int) -> Parts:
    """What an item is worth whatever the query: its strength, 0 to 1, and that it may have ended by `now`."""
    ended = [item.valid_until is not None and item.valid_until <= now for item in items]
    return {
        "strength": np.array(
            [STRENGTH[regime] * (strength - 0.5) for regime, strength in zip(regimes, strengths, strict=True)],
            np.float32,
        ),
        "ended": np.array([-ENDED * over for over in ended], np.float32),
    }


def sum_of(parts: Parts) -> Scores:
    """The score the parts add up to."""
    return np.array(sum(parts.values()), np.float32)


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


def _either(scores: Scores, otherwise: Scores) -> Scores:
    return np.where(np.isnan(scores), otherwise, scores).astype(np.float32)


def _speaker(evidence: Evidence, query: str) -> Scores:
    asked = set(words(query))
    named = {item.speaker for item in evidence.items if item.speaker and set(words(item.speaker)) <= asked}
    about_assistant = bool(asked & {"assistant", "you", "your"})
    values: list[float] = []
    for item, regime in zip(evidence.items, evidence.regimes, strict=True):
        if regime == "conversation":
            values.append(SPEAKER * (len(named) == 1 and item.speaker in named))
        else:
            values.append(OWN_WORDS * (regime == "log" and not about_assistant and item.speaker in USERS))
    return np.array(values, np.float32)


def regime_of(*, transcript: bool, speaker: str | None) -> Regime:
    """What an item is, from whether its source is a conversation and who speaks."""
    if not transcript:
        return "note"
    return "log" if speaker and speaker.casefold() in USERS | ASSISTANTS else "conversation"


def _told(items: Sequence[Item], turns: NDArray[np.bool_]) -> tuple[Scores, Scores]:
    """Of each turn the log length of what is no question, over the mean of the turns, and the share of its words that ask."""
    lengths, asking = np.zeros(len(items), np.float32), np.zeros(len(items), np.float32)
    if turns.any():
        said = [item.text for item, turn in zip(items, turns, strict=True) if turn]
        told = np.array([_words_told(text) for text in said], np.float32)
        asking[turns] = 1 - told / np.array([max(len(text.split()), 1) for text in said], np.float32)
        lengths[turns] = np.log1p(told)
        lengths[turns] -= lengths[turns].mean()
    return lengths, asking


def _telling_when(items: Sequence[Item], turns: NDArray[np.bool_], query: str) -> Scores:
    """1 for a turn that may name a time, where the query asks for one."""
    if not asks_when(query):
        return np.zeros(len(items), np.float32)
    return np.array([turn and tells_when(item.text) for item, turn in zip(items, turns, strict=True)], np.float32)


def _words_told(text: str) -> int:
    if "?" not in text and "？" not in text:
        return len(text.split())
    told = [text[start:end] for start, end in sentences(text)]
    return sum(len(sentence.split()) for sentence in told if not sentence.rstrip("\"'”’)]").endswith(("?", "？")))


def _smoothed(scores: Scores, evidence: Evidence, turns: NDArray[np.bool_]) -> Scores:
    """What the turns around add to each turn: a good turn raises its neighbours, a question its answer."""
    if not turns.any():
        return np.zeros_like(scores)
    powers = np.where(turns, np.maximum(scores, 0) ** POWER, 0)
    total = powers.copy()
    at = rows_of(evidence.places)
    for distance in range(1, REACH + 1):
        for shift, given in ((-distance, BEFORE), (distance, AFTER)):
            rows, others = neighbours(at, shift)
            total[rows] += FADING ** (distance - 1) * given * powers[others]
    rows, others = neighbours(at, -1)
    asked = np.array(["?" in evidence.items[other].text for other in others], np.float32)
    total[rows] += ANSWER * asked * powers[others]
    raised = np.where(turns & (total > 0), total ** (1 / POWER) - scores, 0)
    return raised.astype(np.float32)
