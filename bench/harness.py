"""What the harnesses of docs/reliability.md have in common: how long they run, the seed that deals, and one table on the output."""

import argparse
import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Work = TypeVar("Work")


def options(description: str | None) -> argparse.ArgumentParser:
    """A command line with a duration and a seed; what is logged is left out from then on."""
    leave_log_out()
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, help="seconds after which nothing more is begun")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def leave_log_out() -> None:
    """Log nothing of the faults that are made; in a process that a harness starts, to be called there."""
    logging.getLogger("mcp_memory").setLevel(logging.CRITICAL)


def in_time(work: Iterable[Work], duration: float | None) -> Iterator[Work]:
    """The work one after the other, as long as there is time."""
    begun = time.monotonic()
    for each in work:
        if duration is not None and time.monotonic() - begun > duration:
            return
        yield each
