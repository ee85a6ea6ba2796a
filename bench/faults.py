"""The disk fails at the nth operation, for every n: is what was acknowledged there, and does service go on?

    uv run python -m bench.faults [--points 200] [--step 1]

As SQLite's own tests do it: the same calls are made again and again, and each time the next read, write, sync, open or
truncation fails, once or from then on. A call may be refused, in words that name the file; when the disk is well again the
same process goes on, and the file holds what was acknowledged and nothing that was refused.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.disk import Countdown, Disk, in_use
from mcp_memory.domain import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import MemoryProblem
from mcp_memory.memory import Memory
from mcp_memory.requests import ItemQuery

TEXTS = [
    "The harbour opens at six.",
    "Ann paints boats.",
    "Rye bread needs a day.",
    "The attic key hangs by the stove.",
]
OPERATIONS = ("read", "write", "sync", "open", "truncate")
WELL = "The disk is well again."


@dataclass
class Tally:
    """What was counted of one sort of operation."""

    points: int = 0
    """Runs in which it failed."""
    refused: int = 0
    acknowledged: int = 0
    wrong: list[str] = field(default_factory=list[str])


def opened(path: Path) -> Memory:
    """A memory whose encoder is up."""
    memory = Memory.open(path, model=HashingEncoder(64))
    memory.wait_for_encoder()
    return memory


def said(memory: Memory) -> set[str]:
    """All that is remembered."""
    return {item.text for item in memory.listing(ItemQuery("all"), limit=1000)}


def fail_at(at: int, path: Path, ids: list[str], tally: Tally, *, operation: str, lasting: bool) -> bool:
    """Make the calls with a disk that fails at one point of them; whether it came to that."""
    expected = set(TEXTS)

    def granted(ask: Callable[[], object]) -> bool:
        try:
            ask()
        except MemoryProblem as problem:
            tally.refused += 1
            if str(path) not in str(problem):
                tally.wrong.append(f"{operation} {at}: what was said names no file: {problem}")
            return False
        tally.acknowledged += 1
        return True

    with in_use(Disk()) as disk, opened(path) as memory:
        countdown = Countdown(at, operations={operation}, lasting=lasting)
        disk.fail = countdown
        for text in ("New one.", "Another, of other words."):
            if granted(lambda text=text: memory.remember(text)):
                expected.add(text)
        if granted(lambda: memory.update(ids[0], content="The harbour opens at nine.")):
            expected = expected - {TEXTS[0]} | {"The harbour opens at nine."}
        granted(lambda: memory.recall("boats"))
        if granted(lambda: memory.forget([ids[1]], erase=True)):
            expected.discard(TEXTS[1])
        granted(memory.compact)
        failed = countdown.failed > 0
        disk.fail = lambda operation, name: None
        memory.remember(WELL)
        tally.wrong += [f"{operation} {at}: {problem}" for problem in memory.verify()]
        if said(memory) != {*expected, WELL}:
            tally.wrong.append(f"{operation} {at}: {said(memory) ^ {*expected, WELL}} differ")
    with opened(path) as memory:
        if said(memory) != {*expected, WELL}:
            tally.wrong.append(f"{operation} {at}: after opening anew {said(memory) ^ {*expected, WELL}} differ")
    tally.points += failed
    return failed


def run(points: Iterable[int], directory: Path, *, operation: str, lasting: bool) -> Tally:
    """Let an operation fail at each of the points, until the calls have none so late."""
    template = directory / "template.db"
    with opened(template) as memory:
        ids = [item.id for item in memory.remember(items=[Entry(text) for text in TEXTS]).items]
    tally = Tally()
    for at in points:
        place = directory / f"{operation}-{lasting}-{at}"
        place.mkdir()
        shutil.copyfile(template, place / "memory.db")
        failed = fail_at(at, place / "memory.db", ids, tally, operation=operation, lasting=lasting)
        shutil.rmtree(place)
        if not failed:
            break
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200, help="of each sort at most")
    parser.add_argument("--step", type=int, default=1)
    given = parser.parse_args()
    print(f"{'fails at':<18}{'points':>8}{'acknowledged':>14}{'refused':>9}{'wrong':>7}")
    wrong: list[str] = []
    for operation in OPERATIONS:
        for lasting in (False, True):
            with TemporaryDirectory() as directory:
                points = range(1, given.points + 1, given.step)
                tally = run(points, Path(directory), operation=operation, lasting=lasting)
            name = f"{operation}, {'lasting' if lasting else 'once'}"
            print(f"{name:<18}{tally.points:>8}{tally.acknowledged:>14}{tally.refused:>9}{len(tally.wrong):>7}")
            wrong += tally.wrong
    for line in wrong[:10]:
        print(f"  {line}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
