"""Recall over 1,000 to 1,000,000 items: its time by part, what it finds, what it takes; beside it sqlite-vec's own scan.

    uv run python -m bench.scale --data DIR [--sizes 1000,10000,100000,1000000] [--write docs/speed.md]

Each item is spliced from two sentences of the test sets in DIR, its vector from theirs, so that words and vectors are
spread as in real text without a million sentences having to be encoded. The questions are those of the test sets.
One store grows from size to size. At each a new process opens it, recalls, and reports its times and its memory; a
vec0 table of the same vectors as float32 is scanned in the same run: the exact search the candidates are compared with.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import numpy as np

from bench.data import read_test_set
from bench.report import made_by, placed
from mcp_memory.domain.ids import IdSequence, id_number
from mcp_memory.domain.model import (
    Embedding,
    Filter,
    ItemId,
    Operation,
    OperationId,
    PendingEmbedding,
    Source,
    SourceId,
    Statement,
    Vector,
)
from mcp_memory.domain.steps import AddItem
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.encoders.embedding import embed
from mcp_memory.encoders.pieces import PIECE_DIMENSIONS
from mcp_memory.language.sentences import sentences
from mcp_memory.language.tokenization import Span
from mcp_memory.memory import Memory
from mcp_memory.recall.ranking import CANDIDATES
from mcp_memory.sqlite.index.vector_search import extension_path
from mcp_memory.sqlite.store import SqliteStore

SETS = ("locomo", "scifact")
SENTENCES = 6_000
"""Real sentences the items are spliced from."""
QUESTIONS = 100
BATCH = 5_000
SEED = 11
PARTS = ("encode", "candidates", "interaction", "rank", "packing")

Base = Sequence[tuple[str, Embedding]]


def sentences_of(data: Path, encoder: Encoder, sets: Sequence[str] = SETS) -> Base:
    """Sentences of the test sets, and what the encoder makes of them."""
    told: list[str] = []
    for name in sets:
        documents = read_test_set(data / name).documents
        found = [d["text"][start:end] for d in documents for start, end in sentences(d["text"])]
        chosen = np.random.default_rng(SEED).permutation(len(found))[: SENTENCES // len(sets)]
        told += [found[place] for place in chosen]
    alone = [PendingEmbedding(number, text, SourceId(str(number)), 0) for number, text in enumerate(told)]
    made = [measured for at in range(0, len(alone), 64) for measured in embed(encoder, alone[at : at + 64])]
    return list(zip(told, made, strict=True))


def questions_of(data: Path) -> list[str]:
    """Questions of the test sets, the same each time."""
    asked = [query["text"] for name in SETS for query in read_test_set(data / name).queries]
    return [asked[place] for place in np.random.default_rng(SEED).permutation(len(asked))[:QUESTIONS]]


def splice(base: Base, number: int) -> tuple[str, Embedding]:
    """The first half of one sentence and the second half of another, and what an encoder might make of it."""
    random = np.random.default_rng((SEED, number))
    (text, made), (other_text, other) = (base[place] for place in random.integers(len(base), size=2))
    words, others = text.split(), other_text.split()
    vector = made.vector + other.vector + random.normal(0, 0.02, len(made.vector))
    head, tail = (len(m.tokens) // PIECE_DIMENSIONS // 2 * PIECE_DIMENSIONS for m in (made, other))
    told = " ".join([*words[: len(words) // 2], *others[len(others) // 2 :], f"({number})"])
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return told, Embedding(unit, None, made.tokens[:head] + other.tokens[tail:])


def keep(store: SqliteStore, base: Base, *, encoder: str, start: int, end: int) -> Iterator[tuple[list[int], Vector]]:
    """Keep items number `start` to `end`, and give their numbers in the file and their vectors, batch by batch."""
    ids = IdSequence(lambda: int(time.time() * 1000))
    for first in range(start, end, BATCH):
        steps: list[AddItem] = []
        for number in range(first, min(end, first + BATCH)):
            text, measured = splice(base, number)
            source = Source(SourceId(ids.next()), "words", text, None, int(time.time() * 1000))
            steps.append(AddItem(ItemId(ids.next()), Statement(text, source, Span(0, len(text))), measured))
        operation = Operation(OperationId(ids.next()), "remember", int(time.time() * 1000), "bench", "", "")
        store.apply(operation, steps, encoder=encoder)
        yield [id_number(step.id) for step in steps], np.stack([s.embedding.vector for s in steps if s.embedding])


class Plain:
    """The same vectors in a vec0 table of sqlite-vec, as float32."""

    def __init__(self, path: Path, dimensions: int) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.enable_load_extension(True)
        self._connection.load_extension(extension_path())
        self._connection.execute(
            f"CREATE VIRTUAL TABLE plain USING vec0 (v float[{dimensions}] distance_metric=cosine)"
        )

    def add(self, numbers: Sequence[int], vectors: Vector) -> None:
        """Add rows."""
        with self._connection:
            self._connection.executemany(
                "INSERT INTO plain (rowid, v) VALUES (?, ?)",
                ((number, vector.tobytes()) for number, vector in zip(numbers, vectors, strict=True)),
            )

    def nearest(self, query: Vector) -> list[int]:
        """The ten nearest."""
        found = self._connection.execute(
            "SELECT rowid FROM plain WHERE v MATCH ? AND k = 10", (query.tobytes(),)
        ).fetchall()
        return [number for (number,) in found]


def measure_recall(database: Path, data: Path) -> dict[str, Any]:
    """What a process that opens the store finds, needs and takes; printed as JSON by `--measure`."""
    encoder = load_encoder(bundled_model_directory())
    started = time.perf_counter()
    with Memory.open(database, model=encoder) as memory:
        memory.wait_for_encoder()
        memory.recall("warm up")
        opened = time.perf_counter() - started
        asked = questions_of(data)
        timings: list[dict[str, float]] = []
        for query in asked:
            start = time.perf_counter()
            found = memory.recall(query)
            timings.append({**found.timings, "all": (time.perf_counter() - start) * 1000})
    store = SqliteStore(database, clock=lambda: 0)
    nearest: list[list[int]] = []
    for query in asked:
        candidates = store.search_vectors(
            encoder.encode_query(query), encoder=encoder.identity, where=Filter(), limit=CANDIDATES
        )
        nearest.append([candidate.revision_id for candidate in candidates])
    return {"timings": timings, "nearest": nearest, "opened": opened, "rss": resident_megabytes()}


def resident_megabytes() -> float:
    """What the process holds in memory now, without what it shares with a file on disk."""
    pages = [int(field) for field in Path("/proc/self/statm").read_text().split()]
    return (pages[1] - pages[2]) * 4096 / 1e6


def report(size: int, database: Path, plain: Plain, data: Path, encoder: Encoder) -> dict[str, Any]:
    """One row of the table."""
    command = [sys.executable, "-m", "bench.scale", "--data", str(data), "--measure", str(database)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    scans: list[float] = []
    shares: list[float] = []
    for query, ours in zip(questions_of(data), found["nearest"], strict=True):
        vector = encoder.encode_query(query)
        start = time.perf_counter()
        exact = plain.nearest(vector)
        scans.append((time.perf_counter() - start) * 1000)
        shares.append(len(set(exact) & set(ours)) / len(exact))
    timings = found["timings"]
    row: dict[str, Any] = {"items": size}
    for part in PARTS:
        row[part] = quantiles([timing.get(part, 0.0) for timing in timings])
    row["search"] = quantiles([timing["all"] - timing["encode"] for timing in timings])
    row["vec0"] = quantiles(scans)
    row["recall@10"] = statistics.fmean(shares)
    row["bytes"] = sum(p.stat().st_size for p in database.parent.glob(f"{database.name}*")) / size
    row["rss"], row["opened"] = found["rss"], found["opened"]
    return row


def quantiles(values: Sequence[float]) -> tuple[float, float]:
    """p50 and p95."""
    return statistics.median(values), sorted(values)[int(len(values) * 0.95)]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures as a Markdown table, times as p50 / p95 in milliseconds."""
    lines = [
        "| items | encode | candidates | late interaction | ranking | packing | all but encode | vec0 float32 scan "
        "| times faster: candidates, all but encode | recall@10 of the candidates | bytes an item | MB resident | s to first recall |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = [f"{row[part][0]:.1f} / {row[part][1]:.1f}" for part in (*PARTS, "search", "vec0")]
        faster = f"{row['vec0'][0] / row['candidates'][0]:.1f}, {row['vec0'][0] / row['search'][0]:.1f}"
        rest = [faster, f"{row['recall@10']:.3f}", f"{row['bytes']:,.0f}", f"{row['rss']:.0f}", f"{row['opened']:.1f}"]
        lines.append("| " + " | ".join([f"{row['items']:,}", *times, *rest]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Grow, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page, between its marks")
    parser.add_argument("--keep", type=Path, help="a directory to keep the stores in")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure_recall(arguments.measure, arguments.data)))
        return
    began = time.perf_counter()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    encoder = load_encoder(bundled_model_directory())
    base = sentences_of(arguments.data, encoder)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        home = arguments.keep or Path(folder)
        plain = Plain(home / "plain.db", encoder.dimensions)
        grown = 0
        for size in sizes:
            store = SqliteStore(home / "memory.db", clock=lambda: int(time.time() * 1000))
            store.register_encoder(encoder.identity, encoder.dimensions)
            for numbers, vectors in keep(store, base, encoder=encoder.identity, start=grown, end=size):
                plain.add(numbers, vectors)
            store.close()
            grown = size
            rows.append(report(size, home / "memory.db", plain, arguments.data, encoder))
            print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(rows))
    if arguments.write:
        command = f"uv run python -m bench.scale --data DIR --sizes {arguments.sizes} --write docs/speed.md"
        told = made_by(date.today(), (time.perf_counter() - began) / 60, command)
        figures = f"{told}\n\n{table(rows)}"
        arguments.write.write_text(placed(figures, arguments.write.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
