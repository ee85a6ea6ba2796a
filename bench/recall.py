"""Recall against the plain ways to search, on public test sets, in this process.

    uv run python -m bench.recall --data DIR [--sets NAMES] [--every N] [--ablate] [--longmemeval FILE] [--write docs/recall.md]

DIR holds locomo/, scifact/, xquad-en/, xquad-zh/ and cmrc2018/, each with corpus.jsonl, queries.jsonl and qrels.tsv.
FILE is LongMemEval's longmemeval_s.json. Nothing is kept: every memory is a temporary file.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from bench.ablation import ABLATIONS, without
from bench.asking import OURS, Product, Result, ask, documents_of, means, recall, score
from bench.loading import Part, RecordingEncoder, remember_conversations, remember_notes, temporary_memory
from bench.longmemeval import ask_longmemeval
from bench.metrics import NAMES, Scored, print_table
from bench.report import Report, page
from bench.tasks import TASKS, Collection, Task, collections
from mcp_memory.encoders import bundled_model_directory, load_encoder
from mcp_memory.memory import Memory

MEASURED = 10
"""Items asked for without a part: as deep as the measures look."""


def main() -> None:
    """Load, ask, print, and write the page where one is wanted."""
    options = _options()
    start = time.perf_counter()
    results: list[Result] = []
    ablated: dict[str, list[Scored]] = {}
    for read in collections(options.data, options.sets) if options.data else []:
        ran, without_parts = run(every(read(), options.every), ablate=options.ablate)
        results += ran
        ablated |= without_parts
    if options.longmemeval:
        results.append(ask_longmemeval(options.longmemeval, load_encoder(bundled_model_directory())))
        print_result(results[-1])
    minutes = (time.perf_counter() - start) / 60
    print(f"\n{minutes:.1f} minutes")
    if options.write:
        made = Report(date.today(), f"uv run python -m bench.recall {_told()}", minutes, results, ablated)
        prose = options.write.read_text("utf-8") if options.write.exists() else ""
        options.write.write_text(page(made, prose), "utf-8")


def every(collection: Collection, step: int) -> Collection:
    """The collection with only each `step`-th question of its tasks, for a quick look."""
    return replace(collection, tasks=[replace(task, queries=task.queries[::step]) for task in collection.tasks])


def run(collection: Collection, *, ablate: bool) -> tuple[list[Result], dict[str, list[Scored]]]:
    """Load a collection and do its tasks, printing each; with `ablate` its LoCoMo turns without each part as well."""
    encoder = RecordingEncoder(load_encoder(bundled_model_directory()))
    results: list[Result] = []
    ablated: dict[str, list[Scored]] = {}
    with temporary_memory(encoder) as memory:
        start = time.perf_counter()
        remember = remember_conversations if collection.conversations else remember_notes
        parts = remember(memory, collection.data.documents)
        _say(f"{len(collection.data.documents)} documents remembered in {time.perf_counter() - start:.0f} s")
        product = Product(memory)
        for task in collection.tasks:
            results.append(ask(task, product, parts, encoder))
            print_result(results[-1])
            if ablate and task.name == "locomo":
                ablated = _ablate(task, memory, parts)
                _print_ablation(results[-1], ablated)
    return results, ablated


def print_result(result: Result) -> None:
    """The product's table by category, then every system's figures over all questions with the differences."""
    print_table(f"{result.task.title}: {OURS}", result.systems[OURS])
    print(f"{'':<22}" + "".join(f"{name:>9}" for name in NAMES))
    for name, scored in result.systems.items():
        print(f"{name:<22}" + "".join(f"{value:>9.1f}" for value in means(scored).values()))
    for (name, measure), difference in result.differences.items():
        print(
            f"{OURS} - {name}, {measure}: {difference.mean:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]"
            + ("" if difference.significant else " (may be chance)")
        )
    print(f"{result.unanswered} questions answered with nothing; recall {result.median_ms:.1f} ms at the median")
    sys.stdout.flush()


def _ablate(task: Task, memory: Memory, parts: Sequence[Part]) -> dict[str, list[Scored]]:
    documents = documents_of(parts)
    scored: dict[str, list[Scored]] = {}
    for part in ABLATIONS:
        with without(part):
            scored[part] = score(task, lambda query, scope: recall(memory, query, scope, limit=MEASURED), documents)
    return scored


def _print_ablation(result: Result, ablated: dict[str, list[Scored]]) -> None:
    print(f"\n{'without':<46}" + "".join(f"{name:>9}" for name in NAMES))
    for name, scored in {"(everything on)": result.systems[OURS], **ablated}.items():
        print(f"{name:<46}" + "".join(f"{value:>9.1f}" for value in means(scored).values()))
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="directory of the test sets")
    parser.add_argument("--sets", default=",".join(TASKS), help="which of them, separated by commas (default: all)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask each N-th question only (default: all)")
    parser.add_argument("--ablate", action="store_true", help="switch off each part of the ranking, on LoCoMo's turns")
    parser.add_argument("--longmemeval", type=Path, metavar="FILE", help="longmemeval_s.json; takes hours")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, between its marks")
    options = parser.parse_args()
    options.sets = options.sets.split(",")
    if unknown := set(options.sets) - set(TASKS):
        parser.error(f"unknown sets {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    if not options.data and not options.longmemeval:
        parser.error("give --data, --longmemeval or both")
    return options


def _told() -> str:
    """The command line as it is told on the page, without where the data lies on this machine."""
    places = {"--data": "DIR", "--longmemeval": "FILE"}
    words = [word for argument in sys.argv[1:] for word in argument.split("=", 1)]
    return " ".join(places.get(before, word) for before, word in zip(["", *words], words, strict=False))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
