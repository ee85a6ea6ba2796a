"""A folder of Markdown of many memories: how long writing and taking it in takes, and that a round trip changes nothing.

uv run python -m bench.folders --memories 10000 --seed 1
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mcp_memory.domain.model import Caller, Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory

Result = TypeVar("Result")
WORDS = [f"{first}{last}" for first in "amber brook cedar delta ember fjord grove haven".split() for last in "ashloyne"]
NASTY = [
    "---\nid: x\n---",
    "```\n---\n```",
    "one\r\ntwo",
    "blanks  \n  here",
    "🇵🇹 👩‍👧",
    "東京は首都",
    "[[Other|x]]",
    "## Memories",
]


def main() -> None:
    """Print seconds and what changed; fail where a round trip changed anything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with (
        tempfile.TemporaryDirectory() as nowhere,
        Memory.open(Path(nowhere, "memory.db"), model=HashingEncoder()) as memory,
    ):
        memory.wait_for_encoder()
        folder, caller = Path(nowhere, "notes"), Caller()
        for start in range(0, given.memories, 1000):
            entries = [
                Entry(made(chance, number), tags=(chance.choice(WORDS),)) for number in range(start, start + 1000)
            ]
            memory.remember(items=entries[: given.memories - start])
        memory.maintenance.make_vectors()
        timed("gather", memory.maintenance.gather)
        first = timed("write out", lambda: memory.folder.write(folder))
        before = held(folder)
        taken = timed("take in, untouched", lambda: memory.folder.read(folder, by=caller, progress=quiet))
        again = timed("write out, unchanged", lambda: memory.folder.write(folder))
        assert (taken.operation, again.written, again.removed) == (None, 0, 0)
        assert held(folder) == before
        (folder / ".mcp-memory.json").unlink()
        taken = timed("take in, every file read", lambda: memory.folder.read(folder, by=caller, progress=quiet))
        assert (taken.operation, taken.conflicts, taken.problems) == (None, [], [])
        print(f"{first.written} files; a round trip changed nothing")


def made(chance: random.Random, number: int) -> str:
    """A text that is no other's; each tenth is hard on Markdown."""
    words = " ".join(chance.choices(WORDS, k=chance.randint(4, 30)))
    return f"Note {number}: {words}" + (f"\n\n{chance.choice(NASTY)}\n\nend {number}" if number % 10 == 0 else "")


def held(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each note with when it was written and what it holds."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.md")}


def timed(name: str, work: Callable[[], Result]) -> Result:
    """What the work gives, its seconds printed."""
    start = time.perf_counter()
    result = work()
    print(f"{name}: {time.perf_counter() - start:.2f} s", flush=True)
    return result


def quiet(done: int, total: int) -> None:
    """Tell nobody."""


if __name__ == "__main__":
    main()
