"""The figures of a run as Markdown, and their place in a page whose prose is written by hand."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version

from bench.asking import COMPARED, OURS, Result, means
from bench.metrics import NAMES, Scored, table

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
"""The marks between which the figures stand in the page."""
ABLATED = "locomo"
"""The task whose parts are switched off."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run measured."""

    day: date
    command: str
    minutes: float
    results: Sequence[Result]
    ablated: Mapping[str, Sequence[Scored]]
    """By the part that was switched off; empty where none was."""


def page(report: Report, prose: str) -> str:
    """The page with the figures of this run between its marks."""
    return placed("\n\n".join(_sections(report)), prose)


def placed(figures: str, prose: str) -> str:
    """The page with figures between its marks; a page without marks gets them at its end."""
    before, begin, rest = prose.partition(BEGIN)
    after = rest.partition(END)[2] if begin else ""
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after or chr(10)}"


def made_by(day: date, minutes: float, command: str) -> str:
    """When, how long, on what machine and by which command figures were made."""
    return f"Made on {day.isoformat()} in {minutes:.0f} minutes on {_machine()} by\n\n```sh\n{command}\n```"


def _sections(report: Report) -> Iterable[str]:
    yield _run(report)
    yield _overview(report.results)
    for result in report.results:
        yield f"### {result.task.title}"
        yield _told(result)
        yield _systems(result)
        yield _differences(result)
        if len({query["category"] for query in result.task.queries}) > 1:
            yield "By category, mcp-memory:"
            yield _categories(result)
    everything = [result for result in report.results if result.task.name == ABLATED]
    if report.ablated and everything:
        yield "### Ablation"
        yield (
            "LoCoMo's turns, each question in its own conversation, with one part of the ranking disabled at a time.\n"
            "The candidates and the weights of the other parts stay the same."
        )
        yield _ablation(everything[0], report.ablated)


def _run(report: Report) -> str:
    return (
        f"{made_by(report.day, report.minutes, report.command)}\n\n"
        "`DIR` contains a directory for each set with `corpus.jsonl`, `queries.jsonl` and `qrels.tsv`; the data is not "
        "part of the project.\n"
        "All figures except milliseconds are percentages; the machine also ran other work, so the milliseconds vary.\n"
        "hit@5 is the share of questions with any right document among the first five, R@k the share of the right "
        "documents among the first k, all@5 the share of questions with all of them among the first five.\n"
        "These are five different measures; do not compare one with another."
    )


def _machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}, onnxruntime {version('onnxruntime')}"


def _overview(results: Sequence[Result]) -> str:
    rows = [
        [result.task.title, str(result.items), str(len(result.task.queries)), *_figures(result.systems[OURS])]
        for result in results
    ]
    return _table(["mcp-memory", "items", "questions", *NAMES], rows)


def _told(result: Result) -> str:
    return (
        f"{len(result.task.queries)} questions, {result.items} items; empty answers: {result.unanswered}; "
        f"median recall {result.median_ms:.0f} ms with {result.task.limit} items requested."
    )


def _systems(result: Result) -> str:
    return _table(["", *NAMES], [[name, *_figures(scored)] for name, scored in result.systems.items()])


def _differences(result: Result) -> str:
    baselines = [name for name in result.systems if name != OURS]
    rows = [[f"mcp-memory minus {name}", *(_difference(result, name, key) for key in COMPARED)] for name in baselines]
    return _table(["points, 95 % interval", *COMPARED], rows)


def _difference(result: Result, name: str, measure: str) -> str:
    found = result.differences[name, measure]
    return f"{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}]" + (
        "" if found.significant else " (not significant)"
    )


def _categories(result: Result) -> str:
    rows = [
        [name, str(count), *(f"{value:.1f}" for value in values)] for name, count, values in table(result.systems[OURS])
    ]
    return _table(["", "questions", *NAMES], rows)


def _ablation(result: Result, ablated: Mapping[str, Sequence[Scored]]) -> str:
    full = means(result.systems[OURS])
    rows = [["(full ranking)", *(f"{value:.1f}" for value in full.values())]]
    for name, scored in ablated.items():
        rows.append([name, *(f"{value:.1f} ({value - full[key]:+.1f})" for key, value in means(scored).items())])
    return _table(["without", *NAMES], rows)


def _figures(scored: Sequence[Scored]) -> list[str]:
    return [f"{value:.1f}" for value in means(scored).values()]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
