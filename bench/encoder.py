"""The model card's table: the bundled encoder in float32, int8 and 4 bits, by size, quality, speed and memory.

    uv run python -m bench.encoder --data DIR

DIR holds `stsb/sts-test.csv` (STS-B's test pairs) and `scifact/` (corpus.jsonl, queries.jsonl, qrels.tsv).
The variants are built first, which fetches the published weights unless they are beside the recipe already.
Each variant is measured in a process of its own.
"""

import argparse
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import TestSet, read_test_set
from bench.metrics import ndcg
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder

VARIANTS = ("f32", "int8", "int4")
QUESTION = "Where did we put the spare key of the office?"
PASSAGE = (
    "We moved the nightly backup from the old server to the new one because its disk was nearly full, and since then "
    "it has finished before two in the morning; Maria checks the log every Monday, and if there is an error she opens "
    "a ticket, tells the team in the channel, and runs the job again by hand that day."
)
REPEATS = 100

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one variant is worth."""

    megabytes: float
    load_ms: float
    resident_mb: float
    """By how much the resident set grows from before loading to after the first question."""
    private_mb: float
    """The part of it that other processes cannot share."""
    query_ms: float
    passage_ms: float
    passages_per_second: float
    long_ms: float
    spearman: float
    ndcg: float
    sentences: Array


def main() -> None:
    """Build the variants, measure each, print the table in Markdown."""
    parser = argparse.ArgumentParser(description="Measure the bundled encoder's variants.")
    parser.add_argument("--data", type=Path, required=True, help="the directory with stsb/ and scifact/")
    data: Path = parser.parse_args().data
    with tempfile.TemporaryDirectory() as scratch:
        measured = {name: _in_a_process(_variant(name, Path(scratch)), data) for name in VARIANTS}
    print(
        "| variant | size | agreement with f32, mean / min | STS-B Spearman | SciFact nDCG@10 | question of 13 tokens "
        "| passage of 70 | passages of 70, batched | passage of 253 | load and first question | memory (private) |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, values in measured.items():
        print(_row(name, values, reference=measured["f32"].sentences))


def _row(name: str, values: Measured, *, reference: Array) -> str:
    cosines = np.sum(values.sentences * reference, axis=1)
    cells = [
        name,
        f"{values.megabytes:.1f} MB",
        f"{cosines.mean():.4f} / {cosines.min():.4f}",
        f"{values.spearman:.2f}",
        f"{values.ndcg:.2f}",
        f"{values.query_ms:.1f} ms",
        f"{values.passage_ms:.1f} ms",
        f"{values.passages_per_second:.0f}/s",
        f"{values.long_ms:.0f} ms",
        f"{values.load_ms:.0f} ms",
        f"{values.resident_mb:.0f} MB ({values.private_mb:.0f})",
    ]
    return f"| {' | '.join(cells)} |"


def _variant(name: str, scratch: Path) -> Path:
    home = bundled_model_directory()
    output = home if name == "int8" else scratch / name
    arguments = [] if name == "int8" else ["--variant", name, "--output", str(output)]
    subprocess.run([sys.executable, str(home / "build.py"), *arguments], check=True)
    return output


def _in_a_process(directory: Path, data: Path) -> Measured:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (directory, data))


def measure(directory: Path, data: Path) -> Measured:
    """Every figure of one encoder; the process should have loaded none before."""
    import mcp_memory.encoders.onnx  # noqa: F401  the libraries themselves are not counted

    before = _memory()
    started = time.perf_counter()
    encoder = load_encoder(directory)
    encoder.encode_query(QUESTION)
    load_ms = (time.perf_counter() - started) * 1000
    grown = [after - first for first, after in zip(before, _memory(), strict=True)]
    passages = [f"{PASSAGE} {number}" for number in range(400)]
    started = time.perf_counter()
    encoder.encode(passages)
    rate = len(passages) / (time.perf_counter() - started)
    first, second, scores = _pairs(data / "stsb" / "sts-test.csv")
    sentences = encoder.encode(first + second)
    cosines = np.sum(sentences[: len(first)] * sentences[len(first) :], axis=1)
    return Measured(
        megabytes=sum(path.stat().st_size for path in directory.glob("model.onnx*")) / 1e6,
        load_ms=load_ms,
        resident_mb=grown[0],
        private_mb=grown[1],
        query_ms=_median_ms(lambda: encoder.encode_query(QUESTION)),
        passage_ms=_median_ms(lambda: encoder.encode(passages[:1])),
        passages_per_second=rate,
        long_ms=_median_ms(lambda: encoder.encode([" ".join(passages[:4])[:1150]])),
        spearman=100 * float(np.corrcoef(_ranks(cosines), _ranks(scores))[0, 1]),
        ndcg=100 * _retrieval(encoder, read_test_set(data / "scifact")),
        sentences=sentences,
    )


def _retrieval(encoder: Encoder, test_set: TestSet) -> float:
    """Mean nDCG@10 of ranking all documents by their vector alone."""
    documents = test_set.documents
    texts = [" ".join(filter(None, (document.get("title"), document["text"]))) for document in documents]
    vectors = encoder.encode(texts)
    results: list[float] = []
    for query in test_set.queries:
        best = np.argsort(-(vectors @ encoder.encode_query(query["text"])), kind="stable")[:10]
        results.append(ndcg([documents[i]["_id"] for i in best], test_set.gold[query["_id"]], 10))
    return statistics.mean(results)


def _pairs(path: Path) -> tuple[list[str], list[str], Array]:
    """STS-B's sentences and their scores: column 5 the score, 6 and 7 the sentences, separated by tabs, never quoted."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [row[5] for row in rows], [row[6] for row in rows], np.array([float(row[4]) for row in rows])


def _ranks(values: Array) -> Array:
    """Ranks from 0, equal values sharing their mean rank."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts + 1) / 2)[group]


def _median_ms(action: Callable[[], object]) -> float:
    for _ in range(REPEATS // 10):
        action()
    return statistics.median(_timed(action) for _ in range(REPEATS))


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def _memory() -> Sequence[float]:
    """The resident set and its private part in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = {line.split()[0]: int(line.split()[1]) / 1000 for line in lines if line.endswith(" kB")}
    return fields["VmRSS:"], fields["RssAnon:"]


if __name__ == "__main__":
    main()
