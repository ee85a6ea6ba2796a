"""Asking: a task's questions put to the product and to the baselines, and what each ranking is worth."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.baselines import Baselines
from bench.loading import Part, RecordingEncoder
from bench.metrics import NAMES, Scored, measures
from bench.significance import Difference, paired_bootstrap
from bench.tasks import Task
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import MAX_BUDGET, ItemQuery

OURS = "mcp-memory"
COMPARED = ("hit@5", "nDCG@10")
"""The measures whose differences are tested."""

Search = Callable[[str, str], list[str]]
"""From a question and a scope to ids of items, best first."""


@dataclass(frozen=True, slots=True)
class Result:
    """What each system scored on a task, its questions in one order."""

    task: Task
    items: int
    systems: Mapping[str, list[Scored]]
    unanswered: int
    """Questions the product answered with nothing."""
    median_ms: float
    """Of a recall."""
    differences: Mapping[tuple[str, str], Difference] = field(default_factory=dict[tuple[str, str], Difference])
    """By baseline and measure: the product minus the baseline, in points."""


class Product:
    """Recall of a memory, which is asked the same only once."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._found: dict[tuple[str, str, int], list[str]] = {}
        self._times: dict[tuple[str, str, int], float] = {}

    def search(self, query: str, scope: str, *, limit: int) -> list[str]:
        """Ids of the items that recall finds, best first, with room in its budget for all of them."""
        key = query, scope, limit
        if key not in self._found:
            start = time.perf_counter()
            self._found[key] = recall(self._memory, query, scope, limit=limit)
            self._times[key] = (time.perf_counter() - start) * 1000
        return self._found[key]

    def milliseconds(self, query: str, scope: str, *, limit: int) -> float:
        """How long that took."""
        return self._times[query, scope, limit]


def ask(task: Task, product: Product, parts: Sequence[Part], encoder: RecordingEncoder) -> Result:
    """Every question asked of the product and of the baselines, over the same items."""
    documents = documents_of(parts)
    plain = Baselines(parts, encoder)
    searches: dict[str, Search] = {
        OURS: lambda query, scope: product.search(query, scope, limit=task.limit),
        "FTS5 BM25": plain.bm25,
        "one vector": plain.vector,
        "RRF of the two": plain.rrf,
    }
    systems = {name: score(task, search, documents) for name, search in searches.items()}
    asked = [(query["text"], task.scope(query)) for query in task.queries]
    return Result(
        task,
        items=len(documents),
        systems=systems,
        unanswered=sum(not product.search(*one, limit=task.limit) for one in asked),
        median_ms=statistics.median(product.milliseconds(*one, limit=task.limit) for one in asked),
        differences=compare(systems),
    )


def recall(memory: Memory, query: str, scope: str, *, limit: int) -> list[str]:
    """Ids of the items that recall finds, best first, with room in its budget for all of them."""
    found = memory.recall(query, select=ItemQuery(scope=scope), limit=limit, max_tokens=MAX_BUDGET)
    return [hit.item.id for hit in found.hits]


def score(task: Task, search: Search, documents: Mapping[str, Sequence[str]]) -> list[Scored]:
    """A search's measures on each question of a task; a document scores as its best item."""
    scored: list[Scored] = []
    for query in task.queries:
        found = [name for item in search(query["text"], task.scope(query)) for name in documents[item]]
        ranking = list(dict.fromkeys(map(task.label, found)))
        scored.append(Scored(query["_id"], query["category"], measures(ranking, task.gold[query["_id"]])))
    return scored


def documents_of(parts: Sequence[Part]) -> dict[str, list[str]]:
    """The documents each item is a part of."""
    documents: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        documents[part.item].append(part.document)
    return dict(documents)


def compare(systems: Mapping[str, Sequence[Scored]]) -> dict[tuple[str, str], Difference]:
    """The product minus each other system on each measure of COMPARED, in points."""
    return {
        (name, measure): paired_bootstrap(
            [100 * entry.measures[measure] for entry in systems[OURS]],
            [100 * entry.measures[measure] for entry in scored],
        )
        for name, scored in systems.items()
        if name != OURS
        for measure in COMPARED
    }


def means(scored: Sequence[Scored]) -> dict[str, float]:
    """The mean of each of NAMES, in percent."""
    return {name: 100 * statistics.fmean(entry.measures[name] for entry in scored) for name in NAMES}
