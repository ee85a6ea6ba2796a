"""The tasks: which documents are loaded, what is asked where, and what counts as found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.baselines import EVERYWHERE
from bench.data import TestSet, read_test_set

SESSION_LIMIT = 100
"""Turns asked for so that ten sessions are among them; the first ten are the same whatever the limit."""


@dataclass(frozen=True, slots=True)
class Task:
    """Questions asked of one collection of documents."""

    name: str
    title: str
    queries: Sequence[Mapping[str, Any]]
    gold: Mapping[str, set[str]]
    limit: int
    """Items asked for."""
    pooled: bool = False
    """Whether a question searches every store, and not only its own."""
    label: Callable[[str], str] = str
    """What a document is found as: itself, or the session it belongs to."""

    def scope(self, query: Mapping[str, Any]) -> str:
        """Where a question is asked."""
        return EVERYWHERE if self.pooled else query["store"]


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents that are loaded once, for one task or several."""

    data: TestSet
    conversations: bool
    """Whether a document is a turn, and not a text by itself."""
    tasks: list[Task]


TASKS = ("locomo", "locomo-pooled", "locomo-session", "scifact", "xquad-zh", "xquad-en-zh", "cmrc2018")
"""Every task of the command line, in the order it is run."""


def collections(data: Path, names: Sequence[str]) -> list[Callable[[], Collection]]:
    """What is to be loaded for the tasks named, each read when it is called."""
    made: list[Callable[[], Collection]] = []
    if any(name.startswith("locomo") for name in names):
        made.append(lambda: _locomo(read_test_set(data / "locomo"), names))
    if "scifact" in names:
        made.append(lambda: _notes(read_test_set(data / "scifact"), "scifact", "SciFact", limit=30))
    if {"xquad-zh", "xquad-en-zh"} & set(names):
        made.append(lambda: _xquad(data, names))
    if "cmrc2018" in names:
        made.append(lambda: _notes(read_test_set(data / "cmrc2018"), "cmrc2018", "CMRC 2018, Chinese", limit=30))
    return made


def _locomo(data: TestSet, names: Sequence[str]) -> Collection:
    session_of = {document["_id"]: document["session"] for document in data.documents}
    sessions = {query: {session_of[turn] for turn in turns} for query, turns in data.gold.items()}
    tasks = [
        Task("locomo", "LoCoMo, turn, own conversation", data.queries, data.gold, limit=SESSION_LIMIT),
        Task("locomo-pooled", "LoCoMo, turn, all conversations in one scope", data.queries, data.gold, 10, pooled=True),
        Task(
            "locomo-session",
            "LoCoMo, session, own conversation",
            data.queries,
            sessions,
            limit=SESSION_LIMIT,
            label=session_of.__getitem__,
        ),
    ]
    return Collection(data, True, [task for task in tasks if task.name in names])


def _notes(data: TestSet, name: str, title: str, *, limit: int) -> Collection:
    return Collection(data, False, [Task(name, title, data.queries, data.gold, limit)])


def _xquad(data: Path, names: Sequence[str]) -> Collection:
    chinese = read_test_set(data / "xquad-zh")
    store = chinese.stores[0]
    tasks = [Task("xquad-zh", "XQuAD, Chinese", chinese.queries, chinese.gold, limit=30)]
    if "xquad-en-zh" in names:
        english = [query | {"store": store} for query in read_test_set(data / "xquad-en").queries]
        english = [query for query in english if query["_id"] in chinese.gold]
        tasks.append(Task("xquad-en-zh", "XQuAD, English questions, Chinese paragraphs", english, chinese.gold, 30))
    return Collection(chinese, False, [task for task in tasks if task.name in names])
