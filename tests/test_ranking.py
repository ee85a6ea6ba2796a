"""Ranking: BM25, the parts of a score, relevance, diversity."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import Item, ItemId, SourceId
from mcp_memory.language.tokenization import Span
from mcp_memory.recall import bm25_arrays, conflicts, ranking, relevance
from mcp_memory.recall.features import CandidateItem, Features, regime_of
from mcp_memory.recall.query import Query, parse_query
from mcp_memory.recall.salience import Prior

NAN = float("nan")


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def turn(
    position: int, text: str = "The boat is blue.", *, speaker: str | None = "Ann", kind: str = "transcript"
) -> Item:
    return Item(
        id=ItemId(id_text(position)),
        source_id=SourceId(id_text(1)),
        source_kind=kind,  # type: ignore[arg-type]
        position=position,
        span=Span(0, len(text)),
        text=text,
        kind="note",
        tags=(),
        scope="user",
        speaker=speaker,
        importance=0.5,
        confidence=1.0,
        occurred_at=None,
        valid_until=None,
        pinned=False,
        review_after=None,
        recorded_at=0,
        changed_at=0,
        revision=1,
        status="live",
        seen=1,
        last_seen_at=0,
    )


def candidates(items: Sequence[Item], **known: Sequence[Any]) -> list[CandidateItem]:
    return [
        CandidateItem(
            item=item,
            regime=regime_of(item),
            place=((item.source_id, item.scope), item.position),
            eligible=True,
            vector=known["vectors"][row] if "vectors" in known else None,
            unknown_language=bool(known["foreign"][row]) if "foreign" in known else False,
            prior=Prior(known["saliences"][row] if "saliences" in known else 0.0, 0.0, 0),
        )
        for row, item in enumerate(items)
    ]


def features(items: Sequence[Item], *, foreign: Sequence[bool] = (), **known: np.ndarray) -> Features:
    unknown = np.full(len(items), NAN, np.float32)
    nothing = np.zeros(len(items), np.float32)
    return Features(
        candidates=candidates(items, **({"foreign": foreign} if foreign else {})),
        bm25=known.get("bm25", nothing),
        bm25_share=known.get("bm25", nothing),
        cosine=known.get("cosine", unknown),
        late_cosine=known.get("late_cosine", unknown),
        coverage=known.get("coverage", unknown),
        context_coverage=known.get("context_coverage", unknown),
        date_match=known.get("date_match", nothing),
    )


def question(text: str) -> Query:
    return parse_query(text, now=datetime(2026, 6, 1, tzinfo=UTC))


def order(found: Features, query: str = "boat") -> list[int]:
    return np.argsort(-ranking.sum_of(ranking.fuse(found, question(query))), kind="stable").tolist()


def notes(count: int) -> list[Item]:
    return [turn(10 * number, kind="words", speaker=None) for number in range(count)]


def test_bm25_is_higher_for_the_rarer_term_and_the_shorter_document() -> None:
    frequencies = np.array([[1, 0], [0, 1], [0, 1]], np.float32)

    scores = bm25_arrays.bm25(
        frequencies, lengths=array(10, 10, 5), average=10, holding=array(50, 2), total=100, weights=array(1, 1)
    )

    assert scores.argsort().tolist() == [0, 1, 2]
    assert (scores > 0).all()


def test_bm25_follows_the_formula() -> None:
    [score] = bm25_arrays.bm25(
        array(2).reshape(1, 1), lengths=array(10), average=10, holding=array(1), total=10, weights=array(0.5)
    )

    assert score == pytest.approx(0.5 * np.log1p(9.5 / 1.5) * 2 * 1.9 / 2.9, rel=1e-5)


def test_equal_scores_decide_nothing_and_unknown_ones_neither() -> None:
    assert ranking.zscores(array(3, 3, 3)).tolist() == [0, 0, 0]
    assert ranking.zscores(array()).tolist() == []
    assert ranking.zscores(array(NAN, NAN)).tolist() == [0, 0]
    assert ranking.zscores(array(1, 3, NAN)).tolist() == [-1, 1, 0]


def test_words_alone_rank_where_there_are_no_vectors() -> None:
    assert order(features(notes(3), bm25=array(1, 3, 2))) == [1, 2, 0]


def test_a_note_that_covers_the_question_goes_before_one_that_is_only_near() -> None:
    found = features(notes(3), bm25=array(1, 1, 0), cosine=array(0.5, 0.6, 0.1), coverage=array(0.9, 0.2, 0.1))

    assert order(found) == [0, 1, 2]


def test_a_turn_is_raised_by_a_good_turn_before_it_and_a_note_is_not() -> None:
    texts = array(5, 0, 0)

    turns = order(features([turn(0), turn(1), turn(9)], bm25=texts))
    apart = ranking.fuse(features(notes(3), bm25=texts), question("boat"))

    assert turns == [0, 1, 2]
    assert apart["neighbours"].tolist() == [0, 0, 0]


def test_of_two_turns_that_match_alike_the_one_that_tells_goes_before_the_one_that_only_asks() -> None:
    asking, telling = "Which boat is the blue one here?", "The blue one is the boat here."

    found = features([turn(0, asking), turn(20, telling), turn(40)], bm25=array(5, 5, 0))
    lost = ranking.fuse(found, question("Ann: boat"))["asking"].tolist()

    assert lost[0] < 0
    assert lost[1:] == [0, 0]
    assert order(found, "Ann: boat")[0] == 1


def test_asked_when_a_turn_that_names_a_time_goes_before_one_that_matches_alike() -> None:
    found = features(
        [turn(0, "The boat is blue and rather old."), turn(20, "The boat sank last week.")], bm25=array(5, 5)
    )

    assert order(found, "When did the boat sink?") == [1, 0]
    assert ranking.fuse(found, question("Where did the boat sink?"))["when"].tolist() == [0, 0]


def test_a_question_raises_its_answer_more_than_a_statement_raises_what_follows() -> None:
    texts = array(0, 5, 0)

    asking, telling = (
        [turn(0), turn(1, said), turn(2)] for said in ("Which boat is it? Mine is blue here.", "Mine is blue here.")
    )
    asked = ranking.fuse(features(asking, bm25=texts), question("boat"))
    told = ranking.fuse(features(telling, bm25=texts), question("boat"))

    assert order(features(asking, bm25=texts))[1] == 2
    assert asked["length"].tolist() == told["length"].tolist()
    assert asked["neighbours"][2] > told["neighbours"][2] + 0.05


def test_of_notes_with_the_same_words_the_nearer_in_meaning_goes_first() -> None:
    same = array(1, 1)

    assert order(features(notes(2), bm25=same, cosine=array(0.2, 0.6), coverage=same)) == [1, 0]
    assert order(features(notes(2), bm25=same, cosine=same, late_cosine=array(0.2, 0.6), coverage=same)) == [1, 0]


def test_notes_that_are_only_alike_keep_their_order() -> None:

    items = [turn(n, text, kind="words") for n, text in enumerate(("Tea is hot.", "The sky is grey.", "Tea is cold."))]
    found = candidates(items, vectors=[array(1, 0), array(0, 1), array(0.9, 0.4359)])

    assert conflicts.diversify([0, 2, 1], found, scores=array(*[0.0] * len(found))) == [0, 2, 1]


def test_what_the_named_speaker_said_goes_first() -> None:
    items = [turn(0, speaker="Ann"), turn(20, speaker="Bob")]

    assert order(features(items, bm25=array(1, 1)), "What does Bob row?") == [1, 0]
    assert order(features(items, bm25=array(1, 1)), "Do Ann and Bob row?") == [0, 1]


def test_in_a_log_the_users_own_words_go_first_unless_the_assistants_are_asked_for() -> None:
    items = [turn(0, speaker="assistant"), turn(20, speaker="user")]

    assert order(features(items, bm25=array(1, 1)), "my boat") == [1, 0]
    assert order(features(items, bm25=array(1, 1)), "which boat did the assistant name") == [0, 1]


def test_what_lies_in_the_time_asked_for_goes_first() -> None:
    assert order(features(notes(2), bm25=array(2, 1), date_match=array(0, 1))) == [1, 0]


def test_what_has_ended_or_is_weaker_goes_later_among_equals() -> None:
    from dataclasses import replace

    over, plain, vital = notes(3)
    items = [replace(over, valid_until=5), plain, vital]
    parts = ranking.weigh(candidates(items, saliences=[0.5, 0.5, 0.9]), now=10)

    assert np.argsort(-ranking.sum_of(parts)).tolist() == [2, 1, 0]


def test_what_lies_in_the_noise_and_covers_little_is_not_relevant() -> None:
    found = features(notes(3), cosine=array(0.4, 0.2, 0.2), coverage=array(0.1, 0.5, 0.1), bm25=array(0, 0, 2))

    assert relevance.relevant(found, floor=0.3).tolist() == [True, True, False]
    assert relevance.relevant(features(notes(2), bm25=array(1, 0)), floor=0.3).tolist() == [True, False]


def test_a_turn_without_a_relevant_word_stays_where_its_conversation_is_relevant() -> None:
    found = features([turn(0), turn(1)], cosine=array(0.4, 0.1), coverage=array(0.4, 0.0))

    assert relevance.relevant(found, floor=0.3).tolist() == [True, True]
    assert relevance.relevant(found, floor=0.9).tolist() == [True, True]
    assert relevance.relevant(features([turn(0), turn(1)], cosine=array(0.1, 0.1)), floor=0.3).tolist() == [
        False,
        False,
    ]


def test_a_shared_word_is_enough_in_a_language_the_encoder_does_not_know() -> None:
    found = features(notes(2), cosine=array(0.1, 0.1), bm25=array(1, 0), foreign=[True, True])

    assert relevance.relevant(found, floor=0.3).tolist() == [True, False]


def test_the_noise_floor_rises_with_how_much_was_searched() -> None:
    few, many = (relevance.noise_floor(mean=0.05, deviation=0.085, searched=n) for n in (9, 100_000))

    assert few == pytest.approx(0.228, abs=1e-3)
    assert many == pytest.approx(0.458, abs=1e-3)


def test_a_store_of_few_texts_is_held_to_the_floor_of_eight() -> None:
    floors = [relevance.noise_floor(mean=0.0, deviation=0.1, searched=n) for n in (0, 1, 8)]

    assert floors == [pytest.approx(0.204, abs=1e-3)] * 3


def test_where_nothing_is_relevant_the_nearest_is_if_it_is_only_little_short_and_covers_as_much_as_others() -> None:
    found = features(notes(3), cosine=array(0.27, 0.26, 0.1), coverage=array(0.1, 0.2, 0.0))
    covered_otherwise = features(notes(3), cosine=array(0.27, 0.1, 0.1), coverage=array(0.1, 0.2, 0.2))

    assert relevance.relevant(found, floor=0.3, doubtful=0.25).tolist() == [True, False, False]
    assert relevance.relevant(found, floor=0.3, doubtful=0.28).tolist() == [False, False, False]
    assert relevance.relevant(covered_otherwise, floor=0.3, doubtful=0.25).tolist() == [False, False, False]


def test_what_repeats_anothers_words_is_dropped_and_what_nearly_does_comes_last() -> None:

    items = [
        turn(3, "Ticket 4411 is fixed.", kind="words", speaker=None),
        turn(1, "Ticket 4411 is fixed", kind="words", speaker=None),
        turn(2, "The sky is grey.", kind="words", speaker=None),
        turn(0, "Ticket 4412 is fixed.", kind="words", speaker=None),
    ]
    found = candidates(items, vectors=[array(1, 0), array(1, 0), array(0, 1), array(0.999, 0.02)])

    assert conflicts.diversify([0, 1, 2, 3], found, scores=array(*[0.0] * len(found))) == [0, 2, 3]


def test_of_notes_that_nearly_repeat_each_other_the_latest_leads() -> None:

    items = [turn(1, "It takes 15 minutes.", kind="words"), turn(2, "It takes 30 minutes.", kind="words")]
    found = candidates(items, vectors=[array(1, 0), array(0.999, 0.02)])

    assert conflicts.diversify([0, 1], found, scores=array(*[0.0] * len(found))) == [1, 0]
