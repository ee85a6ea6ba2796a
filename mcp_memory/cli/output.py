"""Answers on standard output, as text or JSON, and progress on standard error."""

import json
import re
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from mcp_memory.privacy.sanitizing import visible

LONG = 64
"""Steps above which progress is shown as a bar."""


def print_answer(answer: Any) -> None:
    """Print text line by line, anything else as JSON."""
    if not isinstance(answer, str):
        click.echo(_UNSEEN.sub(_escaped, json.dumps(answer, ensure_ascii=False, indent=2)))
        return
    for line in answer.split("\n"):
        click.echo(_coloured(visible(line)))


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(visible(line))


def first_lines(lines: Sequence[str], shown: int, more: str) -> list[str]:
    """Return the first lines, indented, and one that counts the others, ending in `more`."""
    others = [f"  and {len(lines) - shown} more{more}"] if len(lines) > shown else []
    return [f"  {line}" for line in lines[:shown]] + others


_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""What JSON may hold as it is and a terminal obeys or hides."""


def _escaped(match: re.Match[str]) -> str:
    """Escape a character as JSON does, so that a program reads the stored text."""
    return json.dumps(match[0])[1:-1]


def _coloured(line: str) -> str:
    """Dim a line's id and date and mark what replaced something, on a terminal."""
    if line.startswith("#") and ": " in line:
        head, _, text = line.partition(": ")
        return click.style(head + ":", fg="cyan") + " " + text
    if line.startswith(("<memories>", "</memories>", "  was:", "  source")):
        return click.style(line, dim=True)
    return line


@contextmanager
def progress_bar(*, long: int = LONG) -> Generator[Callable[[int, int], None]]:
    """Show a bar on standard error for work of more than `long` steps, on a terminal only."""
    with ExitStack() as stack:
        bars: list[Any] = []

        def progress(done: int, total: int) -> None:
            if total <= long or not sys.stderr.isatty():
                return
            if not bars:
                bars.append(stack.enter_context(click.progressbar(length=total, file=sys.stderr, show_eta=True)))
            bars[0].update(done - bars[0].pos)

        yield progress
