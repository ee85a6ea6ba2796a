"""Ranking: BM25, the parts of a score, relevance, diversity."""

from collections.abc import Sequence

import numpy as np
import pytest

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import Item, ItemId, SourceId
from mcp_memory.language.tokenization import Span
from mcp_memory.recall import conflicts, ranking, relevance
from mcp_memory.recall.ranking import Evidence

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


def evidence(items: Sequence[Item], **known: np.ndarray) -> Evidence:
    unknown = np.full(len(items), NAN, np.float32)
    nothing = np.zeros(len(items), np.float32)
    return Evidence(
        items=items,
        regimes=[ranking.regime_of(transcript=i.source_kind == "transcript", speaker=i.speaker) for i in items],
        places=[((item.source_id, item.scope), item.position) for item in items],
        texts=known.get("texts", nothing),
        shares=known.get("shares", known.get("texts", nothing)),
        cosines=known.get("cosines", unknown),
        late=known.get("late", unknown),
        coverage=known.get("coverage", unknown),
        around=known.get("around", unknown),
        dates=known.get("dates", nothing),
        vectors=[None] * len(items),
        foreign=known.get("foreign", np.zeros(len(items), np.bool_)),
        strengths=known.get("strengths", nothing).tolist(),
        standings=known.get("standings", nothing).tolist(),
        said=known.get("said", nothing).tolist(),
    )


def order(found: Evidence, query: str = "boat") -> list[int]:
    return np.argsort(-ranking.sum_of(ranking.fuse(found, query=query)), kind="stable").tolist()


def notes(count: int) -> list[Item]:
    return [turn(10 * number, kind="words", speaker=None) for number in range(count)]


def test_bm25_is_higher_for_the_rarer_term_and_the_shorter_document() -> None:
    frequencies = np.array([[1, 0], [0, 1], [0, 1]], np.float32)

    scores = ranking.bm25(
        frequencies, lengths=array(10, 10, 5), average=10, holding=array(50, 2), total=100, weights=array(1, 1)
    )

    assert scores.argsort().tolist() == [0, 1, 2]
    assert (scores > 0).all()


def test_bm25_follows_the_formula() -> None:
    [score] = ranking.bm25(
        array(2).reshape(1, 1), lengths=array(10), average=10, holding=array(1), total=10, weights=array(0.5)
    )

    assert score == pytest.approx(0.5 * np.log1p(9.5 / 1.5) * 2 * 1.9 / 2.9, rel=1e-5)


def test_equal_scores_decide_nothing_and_unknown_ones_neither() -> None:
    assert ranking.zscores(array(3, 3, 3)).tolist() == [0, 0, 0]
    assert ranking.zscores(array()).tolist() == []
    assert ranking.zscores(array(NAN, NAN)).tolist() == [0, 0]
    assert ranking.zscores(array(1, 3, NAN)).tolist() == [-1, 1, 0]


def test_words_alone_rank_where_there_are_no_vectors() -> None:
    assert order(evidence(notes(3), texts=array(1, 3, 2))) == [1, 2, 0]


def test_a_note_that_covers_the_question_goes_before_one_that_is_only_near() -> None:
    found = evidence(notes(3), texts=array(1, 1, 0), cosines=array(0.5, 0.6, 0.1), coverage=array(0.9, 0.2, 0.1))

    assert order(found) == [0, 1, 2]


def test_a_turn_is_raised_by_a_good_turn_before_it_and_a_note_is_not() -> None:
    texts = array(5, 0, 0)

    turns = order(evidence([turn(0), turn(1), turn(9)], texts=texts))
    apart = ranking.fuse(evidence(notes(3), texts=texts), query="boat")

    assert turns == [0, 1, 2]
    assert apart["neighbours"].tolist() == [0, 0, 0]


def test_of_two_turns_that_match_alike_the_one_that_tells_goes_before_the_one_that_only_asks() -> None:
    asking, telling = "Which boat is the blue one here?", "The blue one is the boat here."

    found = evidence([turn(0, asking), turn(20, telling), turn(40)], texts=array(5, 5, 0))
    lost = ranking.fuse(found, query="Ann: boat")["asking"].tolist()

    assert lost[0] < 0
    assert lost[1:] == [0, 0]
    assert order(found, "Ann: boat")[0] == 1


def test_asked_when_a_turn_that_names_a_time_goes_before_one_that_matches_alike() -> None:
    found = evidence(
        [turn(0, "The boat is blue and rather old."), turn(20, "The boat sank last week.")], texts=array(5, 5)
    )

    assert order(found, "When did the boat sink?") == [1, 0]
    assert ranking.fuse(found, query="Where did the boat sink?")["when"].tolist() == [0, 0]


def test_a_question_raises_its_answer_more_than_a_statement_raises_what_follows() -> None:
    texts = array(0, 5, 0)

    asking, telling = (
        [turn(0), turn(1, said), turn(2)] for said in ("Which boat is it? Mine is blue here.", "Mine is blue here.")
    )
    asked = ranking.fuse(evidence(asking, texts=texts), query="boat")
    told = ranking.fuse(evidence(telling, texts=texts), query="boat")

    assert order(evidence(asking, texts=texts))[1] == 2
    assert asked["length"].tolist() == told["length"].tolist()
    assert asked["neighbours"][2] > told["neighbours"][2] + 0.05


def test_of_notes_with_the_same_words_the_nearer_in_meaning_goes_first() -> None:
    same = array(1, 1)

    assert order(evidence(notes(2), texts=same, cosines=array(0.2, 0.6), coverage=same)) == [1, 0]
    assert order(evidence(notes(2), texts=same, cosines=same, late=array(0.2, 0.6), coverage=same)) == [1, 0]


def test_notes_that_are_only_alike_keep_their_order() -> None:
    from dataclasses import replace

    items = [turn(n, text, kind="words") for n, text in enumerate(("Tea is hot.", "The sky is grey.", "Tea is cold."))]
    found = replace(evidence(items), vectors=[array(1, 0), array(0, 1), array(0.9, 0.4359)])

    assert conflicts.diversify([0, 2, 1], found, scores=array(*[0.0] * len(found.items))) == [0, 2, 1]


def test_what_the_named_speaker_said_goes_first() -> None:
    items = [turn(0, speaker="Ann"), turn(20, speaker="Bob")]

    assert order(evidence(items, texts=array(1, 1)), "What does Bob row?") == [1, 0]
    assert order(evidence(items, texts=array(1, 1)), "Do Ann and Bob row?") == [0, 1]


def test_in_a_log_the_users_own_words_go_first_unless_the_assistants_are_asked_for() -> None:
    items = [turn(0, speaker="assistant"), turn(20, speaker="user")]

    assert order(evidence(items, texts=array(1, 1)), "my boat") == [1, 0]
    assert order(evidence(items, texts=array(1, 1)), "which boat did the assistant name") == [0, 1]


def test_what_lies_in_the_time_asked_for_goes_first() -> None:
    assert order(evidence(notes(2), texts=array(2, 1), dates=array(0, 1))) == [1, 0]


def test_what_has_ended_or_is_weaker_goes_later_among_equals() -> None:
    from dataclasses import replace

    over, plain, vital = notes(3)
    items = [replace(over, valid_until=5), plain, vital]
    parts = ranking.weigh(items, regimes=["note"] * 3, strengths=[0.5, 0.5, 0.9], now=10)

    assert np.argsort(-ranking.sum_of(parts)).tolist() == [2, 1, 0]


def test_what_lies_in_the_noise_and_covers_little_is_not_relevant() -> None:
    found = evidence(notes(3), cosines=array(0.4, 0.2, 0.2), coverage=array(0.1, 0.5, 0.1), texts=array(0, 0, 2))

    assert relevance.relevant(found, floor=0.3).tolist() == [True, True, False]
    assert relevance.relevant(evidence(notes(2), texts=array(1, 0)), floor=0.3).tolist() == [True, False]


def test_a_turn_without_a_relevant_word_stays_where_its_conversation_is_relevant() -> None:
    found = evidence([turn(0), turn(1)], cosines=array(0.4, 0.1), coverage=array(0.4, 0.0))

    assert relevance.relevant(found, floor=0.3).tolist() == [True, True]
    assert relevance.relevant(found, floor=0.9).tolist() == [True, True]
    assert relevance.relevant(evidence([turn(0), turn(1)], cosines=array(0.1, 0.1)), floor=0.3).tolist() == [
        False,
        False,
    ]


def test_a_shared_word_is_enough_in_a_language_the_encoder_does_not_know() -> None:
    found = evidence(notes(2), cosines=array(0.1, 0.1), texts=array(1, 0), foreign=np.array([True, True]))

    assert relevance.relevant(found, floor=0.3).tolist() == [True, False]


def test_the_noise_floor_rises_with_how_much_was_searched() -> None:
    few, many = (relevance.noise_floor(mean=0.05, deviation=0.085, searched=n) for n in (9, 100_000))

    assert few == pytest.approx(0.228, abs=1e-3)
    assert many == pytest.approx(0.458, abs=1e-3)


def test_a_store_of_few_texts_is_held_to_the_floor_of_eight() -> None:
    floors = [relevance.noise_floor(mean=0.0, deviation=0.1, searched=n) for n in (0, 1, 8)]

    assert floors == [pytest.approx(0.204, abs=1e-3)] * 3


def test_where_nothing_is_relevant_the_nearest_is_if_it_is_only_little_short_and_covers_as_much_as_others() -> None:
    found = evidence(notes(3), cosines=array(0.27, 0.26, 0.1), coverage=array(0.1, 0.2, 0.0))
    covered_otherwise = evidence(notes(3), cosines=array(0.27, 0.1, 0.1), coverage=array(0.1, 0.2, 0.2))

    assert relevance.relevant(found, floor=0.3, doubtful=0.25).tolist() == [True, False, False]
    assert relevance.relevant(found, floor=0.3, doubtful=0.28).tolist() == [False, False, False]
    assert relevance.relevant(covered_otherwise, floor=0.3, doubtful=0.25).tolist() == [False, False, False]


def test_what_repeats_anothers_words_is_dropped_and_what_nearly_does_comes_last() -> None:
    from dataclasses import replace

    items = [
        turn(3, "Ticket 4411 is fixed.", kind="words", speaker=None),
        turn(1, "Ticket 4411 is fixed", kind="words", speaker=None),
        turn(2, "The sky is grey.", kind="words", speaker=None),
        turn(0, "Ticket 4412 is fixed.", kind="words", speaker=None),
    ]
    found = replace(evidence(items), vectors=[array(1, 0), array(1, 0), array(0, 1), array(0.999, 0.02)])

    assert conflicts.diversify([0, 1, 2, 3], found, scores=array(*[0.0] * len(found.items))) == [0, 2, 3]


def test_of_notes_that_nearly_repeat_each_other_the_latest_leads() -> None:
    from dataclasses import replace

    items = [turn(1, "It takes 15 minutes.", kind="words"), turn(2, "It takes 30 minutes.", kind="words")]
    found = replace(evidence(items), vectors=[array(1, 0), array(0.999, 0.02)])

    assert conflicts.diversify([0, 1], found, scores=array(*[0.0] * len(found.items))) == [1, 0]
