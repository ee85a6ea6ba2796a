"""The power goes at a random moment: what of what was acknowledged is still there, and what does each setting cost?

    uv run python -m bench.power [--cuts 100] [--duration S] [--seed 1] [--saves 200]

A process remembers, updates, erases, backs up and compacts over a disk that loses what was not synced (bench.disk): of
what waits any part may be on it, in any order, torn between sectors. What is then found is opened as after any crash,
verified, and compared with what was acknowledged. In the end saves are timed on this machine's own disk, in turn.
"""

import random
import statistics
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import harness
from bench.disk import Disk, in_use
from bench.harness import in_time
from bench.processes import sentence
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.database import Synchronous

SETTINGS: tuple[Synchronous, ...] = ("full", "normal")
LONGEST = 60
"""Changes before the power goes, at most."""


@dataclass
class Tally:
    """What was counted of a setting."""

    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    out_of_order: int = 0
    """Losses of a change while a later one is there: never, whatever the setting."""
    most: int = 0
    """Changes that one cut took back, at most."""
    unsound: int = 0


def cut_once(directory: Path, chance: random.Random, synchronous: Synchronous, tally: Tally) -> None:
    """Work for a while, cut the power in the middle, and look at what is left."""
    path = directory / "memory.db"
    told: list[tuple[str, tuple[str, ...]]] = []
    with in_use(Disk(record=True)) as disk:
        moment = chance.randrange(LONGEST)
        after = directory / "after"
        after.mkdir()
        stop = chance.randrange(1, 12)  # syncs and writes into the change during which the power goes
        with Memory.open(path, model=HashingEncoder(64), synchronous=synchronous) as memory:
            memory.wait_for_encoder()
            for number in range(moment):
                told.append(change(memory, chance, number))
            left = deque(range(stop))

            def cut(operation: str, name: str) -> None:
                if operation in ("write", "sync") and left:
                    left.pop()
                    if not left:
                        disk.cut_power(after, chance)

            disk.fail = cut
            change(memory, chance, 1)
            if left:
                disk.cut_power(after, chance)
    tally.cuts += 1
    compare(after / "memory.db", told, tally)


def change(memory: Memory, chance: random.Random, number: int) -> tuple[str, tuple[str, ...]]:
    """One change: what was done, and the texts that tell."""
    text = sentence(chance)
    present = memory.listing(ItemQuery("all"), limit=5)
    if number % 7 == 3 and present:
        memory.update(chance.choice(present).id, content=text)
    elif number % 11 == 5 and present:
        item = chance.choice(present)
        texts = tuple(state.item.text for state in memory.history(item.id).revisions)
        memory.forget([item.id], erase=True)
        return "erased", texts
    elif number % 13 == 7:
        memory.file.compact()
        return "compacted", ()
    else:
        memory.remember(text)
    return "said", (text,)


def compare(path: Path, told: list[tuple[str, tuple[str, ...]]], tally: Tally) -> None:
    """Whether each change that was acknowledged is there: its text was said once, or is gone."""
    with Memory.open(path, model=HashingEncoder(64)) as memory:
        tally.unsound += bool(list(memory.file.verify()))
        ever = {
            state.item.text
            for item in memory.listing(ItemQuery("all"), limit=1000)
            for state in memory.history(item.id).revisions
        }
    erased = {text for what, texts in told if what == "erased" for text in texts}
    tests = [
        (what == "erased", text) for what, texts in told for text in texts if what == "erased" or text not in erased
    ]
    kept = [(text in ever) != gone for gone, text in tests]
    tally.acknowledged += len(told)
    tally.lost += kept.count(False)
    tally.most = max(tally.most, kept.count(False))
    if False in kept:
        after = range(kept.index(False), len(kept))
        tally.out_of_order += any(kept[place] and not tests[place][0] for place in after)


def cost(directory: Path, saves: int) -> dict[Synchronous, float]:
    """Median seconds of a save at each setting, taken in turn."""
    taken: dict[Synchronous, list[float]] = {name: [] for name in SETTINGS}
    memories = {
        name: Memory.open(directory / f"{name}.db", model=HashingEncoder(64), synchronous=name) for name in SETTINGS
    }
    chance = random.Random(7)
    for memory in memories.values():
        memory.wait_for_encoder()
    for _ in range(saves):
        for name, memory in memories.items():
            text = sentence(chance)
            start = time.perf_counter()
            memory.remember(text)
            taken[name].append(time.perf_counter() - start)
    for memory in memories.values():
        memory.close()
    return {name: statistics.median(times) for name, times in taken.items()}


def run(*, cuts: int, seed: int, directory: Path, duration: float | None = None) -> dict[Synchronous, Tally]:
    """The tallies by setting."""
    tallies: dict[Synchronous, Tally] = {name: Tally() for name in SETTINGS}
    for number in in_time(range(cuts), duration):
        for name, tally in tallies.items():
            place = directory / f"{name}-{number}"
            place.mkdir()
            cut_once(place, random.Random(f"{seed}/{number}"), name, tally)
    return tallies


def main() -> None:
    parser = harness.options(__doc__)
    parser.add_argument("--cuts", type=int, default=100, help="of each setting, at most")
    parser.add_argument("--saves", type=int, default=200, help="that are timed")
    given = parser.parse_args()
    with TemporaryDirectory() as directory:
        tallies = run(cuts=given.cuts, seed=given.seed, directory=Path(directory), duration=given.duration)
        seconds = cost(Path(directory), given.saves)
    print(
        f"{'synchronous':<12}{'cuts':>6}{'acknowledged':>14}{'lost':>6}{'most':>6}{'out of order':>14}{'unsound':>9}{'ms a save':>11}"
    )
    for name, tally in tallies.items():
        print(
            f"{name:<12}{tally.cuts:>6}{tally.acknowledged:>14}{tally.lost:>6}{tally.most:>6}{tally.out_of_order:>14}"
            f"{tally.unsound:>9}{1000 * seconds[name]:>11.2f}"
        )
    print(f"full takes {seconds['full'] / seconds['normal']:.2f} times as long as normal")
    full = tallies["full"]
    sys.exit(bool(full.lost or any(tally.unsound or tally.out_of_order for tally in tallies.values())))


if __name__ == "__main__":
    main()
