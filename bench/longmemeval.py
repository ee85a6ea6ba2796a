"""LongMemEval_S from the file its authors publish: each question asked of its own haystack of sessions.

Wu et al. 2025. A session counts as found where one of its turns is; questions about what was never said
(`question_id` ends with _abs) have nothing to be found and are left out, as the authors do.
"""

import json
import re
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.asking import Product, Result, ask, compare
from bench.loading import RecordingEncoder, remember_conversations, temporary_memory
from bench.metrics import Scored
from bench.tasks import SESSION_LIMIT, Task
from mcp_memory.encoders import Encoder

NAME = "longmemeval"
TITLE = "LongMemEval_S, session, own haystack"

_WEEKDAY = re.compile(r"\s*\([A-Za-z]+\)")


@dataclass(frozen=True, slots=True)
class Haystack:
    """A question and the sessions it is asked of."""

    query: dict[str, Any]
    """_id, store, text and category."""
    asked_at: datetime
    turns: list[dict[str, Any]]
    """Documents as bench.data has them: _id, store, session, speaker, date and text."""
    gold: set[str]
    """The sessions that answer it."""


def read_longmemeval(path: Path) -> Iterator[Haystack]:
    """The haystacks of longmemeval_s.json, one for each question that has an answer. Raises KeyError for another shape."""
    for entry in json.loads(path.read_text("utf-8")):
        if not entry["question_id"].endswith("_abs"):
            yield _haystack(entry)


def ask_longmemeval(path: Path, encoder: Encoder) -> Result:
    """Every question asked of the product and the baselines, each in a memory that holds its own haystack only."""
    results: list[Result] = []
    for haystack in read_longmemeval(path):
        recording = RecordingEncoder(encoder)
        with temporary_memory(recording, clock=lambda now=haystack.asked_at: now) as memory:
            parts = remember_conversations(memory, haystack.turns)
            results.append(ask(task_of(haystack), Product(memory), parts, recording))
        print(f"{len(results)} questions asked of LongMemEval_S", file=sys.stderr, flush=True)
    return _together(results)


def task_of(haystack: Haystack) -> Task:
    """The one question, which looks for sessions."""
    name = haystack.query["_id"]
    session_of = {turn["_id"]: turn["session"] for turn in haystack.turns}
    return Task(NAME, TITLE, [haystack.query], {name: haystack.gold}, limit=SESSION_LIMIT, label=session_of.__getitem__)


def _haystack(entry: Mapping[str, Any]) -> Haystack:
    store = entry["question_id"]
    sessions = zip(entry["haystack_session_ids"], entry["haystack_dates"], entry["haystack_sessions"], strict=True)
    turns = [turn for name, day, said in sessions for turn in _turns(store, name, day, said)]
    query = {"_id": store, "store": store, "text": entry["question"], "category": entry["question_type"]}
    asked_at = datetime.strptime(_plain(entry["question_date"]), "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Haystack(query, asked_at, turns, set(entry["answer_session_ids"]))


def _turns(store: str, session: str, day: str, said: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "_id": f"{session}/{number}",
            "store": store,
            "session": session,
            "speaker": turn["role"],
            "date": _plain(day),
            "text": turn["content"],
        }
        for number, turn in enumerate(said)
        if turn["content"].strip()
    ]


def _plain(moment: str) -> str:
    """`2023/05/20 (Sat) 02:21` as `2023-05-20 02:21`."""
    return _WEEKDAY.sub("", moment).replace("/", "-")


def _together(results: Sequence[Result]) -> Result:
    tasks = [result.task for result in results]
    systems: dict[str, list[Scored]] = {
        name: [result.systems[name][0] for result in results] for name in results[0].systems
    }
    task = Task(
        NAME,
        TITLE,
        [query for task in tasks for query in task.queries],
        {name: gold for task in tasks for name, gold in task.gold.items()},
        limit=SESSION_LIMIT,
    )
    return Result(
        task,
        sum(result.items for result in results),
        systems,
        sum(result.unanswered for result in results),
        statistics.median(result.median_ms for result in results),
        compare(systems),
    )
