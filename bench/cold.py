"""One answer from a process that does nothing else: what `mcp-memory recall` takes on a file of a given size.

    uv run python -m bench.cold FILE [FILE ...] [--runs 5]

Each run starts the command anew. Wall clock and processor time are medians, memory is the peak resident set.
python -m bench.scale writes files of up to 1,000,000 items.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

QUESTION = "Which sessions talked about painting a sunset?"


class Run(NamedTuple):
    """What one process took."""

    wall: float
    """Seconds."""
    processor: float
    """Seconds, of all its threads."""
    peak: float
    """Megabytes."""


def recall(database: Path) -> Run:
    """Start the command, let it answer, and measure it."""
    command = [sys.executable, "-m", "mcp_memory", "recall", QUESTION, "--database", str(database)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Run(wall, used.ru_utime + used.ru_stime, kilobytes / 1024)


def main() -> None:
    """Print a row a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print("| file | s | s of processor time | MB at most |\n|---|---|---|---|")
    for file in given.files:
        runs = [recall(file) for _ in range(given.runs + 1)][1:]  # the first reads the file from the disk
        wall, processor, peak = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"| {file.name} | {wall:.2f} | {processor:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
