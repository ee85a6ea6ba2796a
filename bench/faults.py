"""The disk fails at the nth operation, for every n: is what was acknowledged there, and does service go on?

    uv run python -m bench.faults [--points 200] [--duration S] [--seed 1]

As SQLite's own tests do it: the same calls are made again and again, and each time another read, write, sync, open or
truncation fails, once or from then on: all that the calls make, or so many of them as the seed deals. A call may be refused, in words that name the file; when the disk is well again the
same process goes on, and the file holds what was acknowledged and nothing that was refused.
"""

import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import harness
from bench.disk import Countdown, Disk, in_use
from bench.harness import in_time
from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import MemoryProblem
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery

TEXTS = [
    "The harbour opens at six.",
    "Ann paints boats.",
    "Rye bread needs a day.",
    "The attic key hangs by the stove.",
]
OPERATIONS = ("read", "write", "sync", "open", "truncate")
NEVER = 10**9
"""An operation that the calls do not come to."""
WELL = "The disk is well again."


@dataclass
class Tally:
    """What was counted of one sort of operation."""

    points: int = 0
    """Runs in which it failed."""
    refused: int = 0
    acknowledged: int = 0
    wrong: list[str] = field(default_factory=list[str])

    def add(self, other: "Tally") -> None:
        """Count those of another sort in."""
        self.points += other.points
        self.refused += other.refused
        self.acknowledged += other.acknowledged
        self.wrong += other.wrong


def opened(path: Path) -> Memory:
    """A memory whose encoder is up."""
    memory = Memory.open(path, model=HashingEncoder(64))
    memory.wait_for_encoder()
    return memory


def said(memory: Memory) -> set[str]:
    """All that is remembered."""
    return {item.text for item in memory.listing(ItemQuery("all"), limit=1000)}


def fail_at(at: int, path: Path, ids: list[str], tally: Tally, *, operation: str, lasting: bool) -> int:
    """Make the calls with a disk that fails at one point of them; how many such operations there were until it was well."""
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
        granted(memory.file.compact)
        made = at - countdown.left
        disk.fail = lambda operation, name: None
        memory.remember(WELL)
        tally.wrong += [f"{operation} {at}: {problem}" for problem in memory.file.verify()]
        if said(memory) != {*expected, WELL}:
            tally.wrong.append(f"{operation} {at}: {said(memory) ^ {*expected, WELL}} differ")
    with opened(path) as memory:
        if said(memory) != {*expected, WELL}:
            tally.wrong.append(f"{operation} {at}: after opening anew {said(memory) ^ {*expected, WELL}} differ")
    tally.points += countdown.failed > 0
    return made


def run(
    directory: Path, *, operation: str, lasting: bool, points: int, seed: int = 1, duration: float | None = None
) -> Tally:
    """Let an operation fail at as many points of the calls, each time at another."""
    template = directory / "template.db"
    with opened(template) as memory:
        ids = [item.id for item in memory.remember(items=[Entry(text) for text in TEXTS]).items]

    def try_at(at: int, tally: Tally) -> int:
        place = directory / f"{operation}-{lasting}-{at}"
        place.mkdir()
        shutil.copyfile(template, place / "memory.db")
        count = fail_at(at, place / "memory.db", ids, tally, operation=operation, lasting=lasting)
        shutil.rmtree(place)
        return count

    made = try_at(NEVER, Tally())
    dealt = random.Random(f"{seed}/{operation}/{lasting}").sample(range(1, made + 1), min(points, made))
    tally = Tally()
    for at in in_time(dealt, duration):
        try_at(at, tally)
    return tally


def main() -> None:
    parser = harness.options(__doc__)
    parser.add_argument("--points", type=int, default=200, help="of each sort at most")
    given = parser.parse_args()
    sorts = [(operation, lasting) for operation in OPERATIONS for lasting in (False, True)]
    share = given.duration / len(sorts) if given.duration else None
    total = Tally()
    print(f"{'fails at':<18}{'points':>8}{'acknowledged':>14}{'refused':>9}{'wrong':>7}")
    for operation, lasting in sorts:
        with TemporaryDirectory() as directory:
            tally = run(
                Path(directory),
                operation=operation,
                lasting=lasting,
                points=given.points,
                seed=given.seed,
                duration=share,
            )
        show(f"{operation}, {'lasting' if lasting else 'once'}", tally)
        total.add(tally)
    show("all", total)
    for line in total.wrong[:10]:
        print(f"  {line}")
    sys.exit(bool(total.wrong))


def show(name: str, tally: Tally) -> None:
    """A line of the table."""
    print(f"{name:<18}{tally.points:>8}{tally.acknowledged:>14}{tally.refused:>9}{len(tally.wrong):>7}")


if __name__ == "__main__":
    main()
