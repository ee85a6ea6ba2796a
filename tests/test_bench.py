"""The benchmarks' own parts: what they load, how they map items to documents, and how they compare."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.ablation import ABLATIONS, RANKING, without
from bench.asking import OURS, Product, Result, ask
from bench.baselines import reciprocal_rank_fusion
from bench.floor import noise_of
from bench.loading import Part, RecordingEncoder, remember_conversations, remember_notes, temporary_memory
from bench.longmemeval import ask_longmemeval, read_longmemeval
from bench.report import BEGIN, END, Report, page
from bench.significance import paired_bootstrap
from bench.tasks import Task
from bench.topics import agreement
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.recall import relevance

TURNS = [
    {"text": "I adopted a puppy called Biscuit.", "speaker": "Ann", "date": "2023-05-01"},
    {"text": "Look at this!", "speaker": "Ben", "date": "2023-05-01", "image_caption": "a red kayak on a lake"},
    {"text": "My sister moved to Lisbon for work.", "speaker": "Ann", "date": "2023-05-01"},
]
DOCUMENTS: list[dict[str, Any]] = [
    turn | {"_id": f"t{number}", "store": "talk", "session": "one"} for number, turn in enumerate(TURNS)
]
QUERIES = [
    {"_id": "q0", "store": "talk", "text": "What is the puppy called?", "category": "pets"},
    {"_id": "q1", "store": "talk", "text": "Who showed a red kayak?", "category": "pictures"},
]
GOLD = {"q0": {"t0"}, "q1": {"t1"}}
TASK = Task("locomo", "A talk", QUERIES, GOLD, limit=10)


def longmemeval_file(folder: Path) -> Path:
    def session(about: str) -> Sequence[Mapping[str, Any]]:
        return [{"role": "user", "content": f"Tell me about {about}."}, {"role": "assistant", "content": "With joy."}]

    entry = {
        "question_id": "gpt4_1",
        "question_type": "single-session-user",
        "question": "Which kayak did I ask about?",
        "answer": "the red one",
        "question_date": "2023/06/01 (Thu) 09:30",
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/22 (Mon) 10:00"],
        "haystack_session_ids": ["answer_1", "other_1"],
        "haystack_sessions": [
            [*session("a red kayak"), {"role": "user", "content": "", "has_answer": False}],
            session("stamps from Peru"),
        ],
        "answer_session_ids": ["answer_1"],
    }
    path = folder / "longmemeval_s.json"
    path.write_text(json.dumps([entry, entry | {"question_id": "gpt4_2_abs"}]), "utf-8")
    return path


def asked() -> Result:
    encoder = RecordingEncoder(HashingEncoder())
    with temporary_memory(encoder) as memory:
        return ask(TASK, Product(memory), remember_conversations(memory, DOCUMENTS), encoder)


def test_a_turn_with_a_picture_is_the_document_of_its_item() -> None:
    with temporary_memory(HashingEncoder()) as memory:
        parts = remember_conversations(memory, DOCUMENTS)

    assert [(part.document, part.text) for part in parts] == [
        ("t0", "Ann: I adopted a puppy called Biscuit."),
        ("t1", "Ben: Look at this! [a red kayak on a lake]"),
        ("t2", "Ann: My sister moved to Lisbon for work."),
    ]


def test_each_item_of_a_long_document_belongs_to_it_and_so_does_one_that_says_the_same() -> None:
    long = " ".join(f"Sentence number {number} tells of another thing entirely." for number in range(80))
    documents = [
        {"_id": "long", "store": "notes", "text": long},
        {"_id": "short", "store": "notes", "title": "Kayaks", "text": "They are red."},
        {"_id": "again", "store": "notes", "text": "Kayaks They are red."},
    ]
    with temporary_memory(HashingEncoder()) as memory:
        parts = remember_notes(memory, documents)

    *first, short, again = parts
    assert len(first) > 1
    assert {part.document for part in first} == {"long"}
    assert (short, again) == (
        Part(short.item, "Kayaks They are red.", "notes", "short"),
        replace(short, document="again"),
    )


def test_the_product_and_every_baseline_are_asked_the_same_questions() -> None:
    result = asked()

    assert list(result.systems) == [OURS, "FTS5 BM25", "one vector", "RRF of the two"]
    assert {name: [entry.query for entry in scored] for name, scored in result.systems.items()} == {
        name: ["q0", "q1"] for name in result.systems
    }
    assert [entry.measures["hit@5"] for entry in result.systems["FTS5 BM25"]] == [1.0, 1.0]


def test_longmemeval_is_read_as_haystacks_without_the_questions_that_have_no_answer(tmp_path: Path) -> None:
    (haystack,) = read_longmemeval(longmemeval_file(tmp_path))

    assert haystack.query == {
        "_id": "gpt4_1",
        "store": "gpt4_1",
        "text": "Which kayak did I ask about?",
        "category": "single-session-user",
    }
    assert haystack.asked_at == datetime(2023, 6, 1, 9, 30, tzinfo=UTC)
    assert haystack.gold == {"answer_1"}
    assert [(turn["_id"], turn["session"], turn["date"]) for turn in haystack.turns] == [
        ("answer_1/0", "answer_1", "2023-05-20 02:21"),
        ("answer_1/1", "answer_1", "2023-05-20 02:21"),
        ("other_1/0", "other_1", "2023-05-22 10:00"),
        ("other_1/1", "other_1", "2023-05-22 10:00"),
    ]


def test_longmemeval_scores_sessions(tmp_path: Path) -> None:
    result = ask_longmemeval(longmemeval_file(tmp_path), HashingEncoder())

    assert {name: scored[0].measures["all@5"] for name, scored in result.systems.items()} == dict.fromkeys(
        result.systems, 1.0
    )


@pytest.mark.parametrize("part", ABLATIONS)
def test_a_part_is_off_within_the_block_and_back_after_it(part: str) -> None:
    before = [dict(vars(module)) for module in RANKING]
    with without(part):
        changed = [dict(vars(module)) for module in RANKING] != before
        asked()

    assert changed
    assert [dict(vars(module)) for module in RANKING] == before


def test_a_difference_that_every_question_shows_is_significant_and_one_that_cancels_is_not() -> None:
    clear = paired_bootstrap([100.0] * 60 + [0.0] * 40, [0.0] * 100)
    even = paired_bootstrap([100.0, 0.0] * 50, [0.0, 100.0] * 50)

    assert (clear.mean, clear.significant) == (60.0, True)
    assert clear.low == pytest.approx(50, abs=3)
    assert (even.mean, even.significant) == (0.0, False)
    assert paired_bootstrap([1.0, 0.0], [0.0, 0.0]) == paired_bootstrap([1.0, 0.0], [0.0, 0.0])


def test_rank_fusion_prefers_what_both_lists_have() -> None:
    assert reciprocal_rank_fusion([["a", "b"], ["b", "c"]]) == ["b", "a", "c"]


def test_the_noise_puts_the_floor_at_the_95th_percentile_of_the_largest_cosines() -> None:
    cosines = np.random.default_rng(1).normal(0.1, 0.05, (400, 300)).astype(np.float32)

    noise = noise_of(cosines)

    floor = relevance.noise_floor(mean=noise.mean, deviation=noise.deviation, searched=300)
    assert noise.mean == pytest.approx(0.1, abs=0.001)
    assert (cosines.max(axis=1) < floor).mean() == pytest.approx(0.95, abs=0.005)
    assert math.isclose(floor, float(np.percentile(cosines.max(axis=1), 95)), rel_tol=1e-4)


def test_the_figures_of_a_page_are_replaced_and_its_prose_is_kept() -> None:
    report = Report(date(2026, 1, 2), "bench", 1.0, [asked()], {"date": asked().systems[OURS]})
    once = page(report, f"# Title\n\n{BEGIN}\nold figures\n{END}\n\nAfter.\n")

    assert once.startswith("# Title\n\n")
    assert once.endswith("\n\nAfter.\n")
    assert "old figures" not in once
    assert "| mcp-memory minus FTS5 BM25 |" in once
    assert "| date | 100.0 (+0.0) |" in once
    assert page(report, once) == once


def test_topics_agree_with_titles_as_far_as_their_pairs_do() -> None:
    same = agreement([1, 1, 2, 2], ["a", "a", "b", "b"])
    one = agreement([1, 1, 1, 1], ["a", "a", "b", "b"])

    assert (same["purity"], same["precision"], same["recall"]) == (1, 1, 1)
    assert same["nmi"] == pytest.approx(1)
    assert (one["purity"], one["recall"], one["nmi"]) == (0.5, 1, pytest.approx(0))
    assert one["precision"] == pytest.approx(1 / 3)
