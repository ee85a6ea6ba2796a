"""SIGKILL at random points of everything that writes: is all that was acknowledged there, and the file sound?

    uv run python -m bench.kills [--kills 200] [--duration S] [--seed 1] [--only remember,backup]

Each kill begins with a copy of a small file, or of one of an earlier schema. A process works on it and tells before each
change what it is about to do and after it that it was acknowledged; it is killed at a random moment. Then the file is
opened as after any crash, verified (SQLite's own check, foreign keys, lineage, every index compared with what it is made
from), and what is in it compared with what was told.
"""

import json
import multiprocessing
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import harness
from bench.harness import in_time
from bench.olden import write_old_file
from bench.processes import sentence
from mcp_memory.domain.model import Entry, Turn
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import MemoryProblem
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.database import migrations

ITEMS = 120
"""In the file at the beginning: reindex, backup and compact take some tenths of a second."""
LONGEST = 0.6
"""Seconds of work before the kill at most, with all that was begun then at some point of its way."""

CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
if sys.platform == "linux":
    CONTEXT.set_forkserver_preload(["bench.olden", "bench.processes", "mcp_memory.memory"])

Say = Callable[..., None]
Work = Callable[[Path, Say, random.Random], None]


def open_memory(path: Path) -> Memory:
    """With an encoder that needs no model."""
    return Memory.open(path, model=HashingEncoder(64))


def remember(path: Path, say: Say, chance: random.Random) -> None:
    """One after the other."""
    with open_memory(path) as memory:
        say("ready")
        while True:
            _remember(memory, say, [sentence(chance)])


def update(path: Path, say: Say, chance: random.Random) -> None:
    """New words for memories that are there."""
    with open_memory(path) as memory:
        items = memory.listing(ItemQuery("all"), limit=1000)
        say("ready")
        while True:
            item, text = chance.choice(items), sentence(chance)
            say("update?", item.id, text)
            memory.update(item.id, content=text)
            say("update", item.id, text)


def forget(path: Path, say: Say, chance: random.Random) -> None:
    """Every other one for good."""
    with open_memory(path) as memory:
        known = [(item.id, item.text) for item in memory.listing(ItemQuery("all"), limit=1000)]
        say("ready")
        while True:
            for number, (identifier, text) in enumerate(known):
                verb = "erase" if number % 2 else "forget"
                say(f"{verb}?", identifier, text)
                memory.forget([identifier], erase=verb == "erase")
                say(verb, identifier, text)
            more = memory.remember(items=[Entry(sentence(chance)) for _ in range(ITEMS)])
            known = [(item.id, item.text) for item in more.items]


def take_in(path: Path, say: Say, chance: random.Random) -> None:
    """Conversations and lists: all of one, or nothing."""
    with open_memory(path) as memory:
        say("ready")
        while True:
            texts = [sentence(chance) for _ in range(30)]
            say("remember?", *texts)
            if chance.random() < 0.5:
                memory.remember(turns=[Turn(text, "Ann") for text in texts])
            else:
                memory.remember(items=[Entry(text) for text in texts])
            say("remember", *texts)


def reindex(path: Path, say: Say, chance: random.Random) -> None:
    """Again and again, while another thread remembers."""
    _beside(path, say, chance, lambda memory: memory.maintenance.reindex())


def backup(path: Path, say: Say, chance: random.Random) -> None:
    """One copy after the other, while another thread remembers."""

    def copy(memory: Memory) -> None:
        target = path.with_name(f"copy-{time.time_ns()}.db")
        memory.file.backup(target)
        say("backup", str(target))

    _beside(path, say, chance, copy)


def compact(path: Path, say: Say, chance: random.Random) -> None:
    """After a part was erased, while another thread remembers."""

    def shrink(memory: Memory) -> None:
        texts = [sentence(chance) for _ in range(60)]
        ids = [item.id for item in memory.remember(items=[Entry(text, scope="gone") for text in texts]).items]
        memory.forget(ids, erase=True)
        memory.file.compact()

    _beside(path, say, chance, shrink)


def migrate(path: Path, say: Say, chance: random.Random) -> None:
    """Opening a file of an earlier schema."""
    say("ready")
    with open_memory(path) as memory:
        while True:
            _remember(memory, say, [sentence(chance)])


WORK: dict[str, Work] = {
    "remember": remember,
    "update": update,
    "forget": forget,
    "import": take_in,
    "reindex": reindex,
    "migrate": migrate,
    "backup": backup,
    "compact": compact,
}
"""What is killed, by name."""


def _remember(memory: Memory, say: Say, texts: Sequence[str]) -> None:
    say("remember?", *texts)
    memory.remember(items=[Entry(text) for text in texts])
    say("remember", *texts)


def _beside(path: Path, say: Say, chance: random.Random, work: Callable[[Memory], object]) -> None:
    with open_memory(path) as memory:
        other = random.Random(chance.random())

        def go_on() -> None:
            while True:
                _remember(memory, say, [sentence(other)])

        threading.Thread(target=go_on, daemon=True).start()
        say("ready")
        while True:
            work(memory)


def child(name: str, path: Path, pipe: Connection, seed: str) -> None:
    """The process that is killed. What it says is one write, which is in the pipe whole or not at all."""
    harness.leave_log_out()

    def say(*words: str) -> None:
        pipe.send_bytes(json.dumps(words).encode())

    WORK[name](path, say, random.Random(seed))


@dataclass
class Tally:
    """What was counted of one sort of work."""

    kills: int = 0
    acknowledged: int = 0
    unknown: int = 0
    kept: int = 0
    """Of the unknown ones, how many are there."""
    lost: int = 0
    wrong: list[str] = field(default_factory=list[str])


def kill_once(name: str, path: Path, seed: str) -> tuple[list[list[str]], bool]:
    """Let a process work on the file and kill it; what it told, and whether it was still at work."""
    reading, writing = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=child, args=(name, path, writing, seed), daemon=True)
    process.start()
    writing.close()
    told: list[list[str]] = []
    at_work = False
    with reading, suppress(EOFError, OSError):  # where it was killed there is no more
        told.append(json.loads(reading.recv_bytes()))
        process.join(random.Random(f"{seed}/moment").random() * LONGEST)
        at_work = process.is_alive()
        process.kill()
        process.join()
        while True:
            told.append(json.loads(reading.recv_bytes()))
    process.close()
    return told, at_work


def check(path: Path, before: Sequence[str], told: Sequence[Sequence[str]], tally: Tally) -> None:
    """Compare the file with what was told of it."""
    with open_memory(path) as memory:
        tally.wrong += memory.file.verify()
        there = [item.text for item in memory.listing(ItemQuery("all"), limit=100_000)]
        ids = {item.id: item.text for item in memory.listing(ItemQuery("all"), limit=100_000)}
    acknowledged = [tuple(words) for words in told if not words[0].endswith("?")]
    asked = [tuple(words) for words in told if words[0].endswith("?")]
    open_ = [words for words in asked if (words[0][:-1], *words[1:]) not in acknowledged]
    changed = {words[1] for words in asked if words[0] in ("update?", "forget?", "erase?")}
    went = {words[2] for words in asked if words[0] in ("forget?", "erase?")}
    tally.unknown += len(open_)
    for words in (words for words in acknowledged if words[0] not in ("ready", "backup", "ended")):
        tally.acknowledged += 1
        match words:
            case ("remember", *texts):
                tally.lost += any(there.count(text) != 1 for text in texts)
            case ("update", item, text):
                later = [other[2] for other in asked[asked.index(("update?", item, text)) :] if other[1] == item]
                tally.lost += ids.get(item) not in later
            case (_, item, text):
                tally.lost += item in ids
    for words in open_:
        present = [text in there for text in words[1:]] if words[0] == "remember?" else [words[-1] in there]
        tally.kept += all(present)
        if words[0] == "remember?" and any(present) and not all(present):
            tally.wrong.append(f"half of what was remembered at once is there: {sum(present)} of {len(present)}")
    if not changed:
        tally.lost += sum(text not in there for text in before)
    elif went:
        tally.lost += sum(text not in there for text in before if text not in went)
    for words in acknowledged:
        if words[0] == "backup":
            with open_memory(Path(words[1])) as copy:
                tally.wrong += [f"backup: {problem}" for problem in copy.file.verify()]


def templates(directory: Path, seed: int) -> tuple[Path, list[str], Iterator[Path]]:
    """A file of today's schema, what it holds, and one of each earlier schema with the same, over and over."""
    chance = random.Random(f"{seed}/template")
    texts = [sentence(chance) for _ in range(ITEMS)]
    today = directory / "today.db"
    with open_memory(today) as memory:
        memory.wait_for_encoder()
        memory.remember(items=[Entry(text) for text in texts])

    def over_and_over() -> Iterator[Path]:
        olden = [directory / f"schema-{number}.db" for number in range(1, len(migrations()))]
        for number, path in enumerate(olden, start=1):
            write_old_file(path, texts, schema=number)
        while True:
            yield from olden

    return today, texts, over_and_over()


def run(
    *, kills: int, seed: int, only: Sequence[str], directory: Path, duration: float | None = None
) -> dict[str, Tally]:
    """The tallies by work; each kill in a directory of its own."""
    today, texts, olden = templates(directory, seed)
    tallies = {name: Tally() for name in only}
    for number in in_time(range(kills), duration):
        name = only[number % len(only)]
        place = directory / f"kill-{number}"
        place.mkdir()
        path = place / "memory.db"
        shutil.copyfile(next(olden) if name == "migrate" else today, path)
        told, at_work = kill_once(name, path, f"{seed}/{number}")
        tally = tallies[name]
        tally.kills += at_work
        try:
            check(path, texts, told, tally)
        except MemoryProblem as problem:
            tally.wrong.append(f"the file can't be opened: {problem}")
        shutil.rmtree(place)
    return tallies


def report(tallies: dict[str, Tally]) -> bool:
    """One table; whether all was well."""
    columns = ("kills", "acknowledged", "lost", "unknown", "kept", "unsound")
    print(f"{'':<10}" + "".join(f"{name:>14}" for name in columns))
    total: list[int] = [0] * len(columns)
    for name, tally in tallies.items():
        row: list[Any] = [tally.kills, tally.acknowledged, tally.lost, tally.unknown, tally.kept, len(tally.wrong)]
        total = [sum(pair) for pair in zip(total, row, strict=True)]
        print(f"{name:<10}" + "".join(f"{number:>14}" for number in row))
    print(f"{'all':<10}" + "".join(f"{number:>14}" for number in total))
    for name, tally in tallies.items():
        for line in tally.wrong[:5]:
            print(f"  {name}: {line}")
    return not (total[2] or total[5])


def main() -> None:
    parser = harness.options(__doc__)
    parser.add_argument("--kills", type=int, default=200, help="at most")
    parser.add_argument("--only", default=",".join(WORK), help="the sorts of work, with commas")
    given = parser.parse_args()
    with TemporaryDirectory() as directory:
        sorts = given.only.split(",")
        tallies = run(
            kills=given.kills, seed=given.seed, only=sorts, directory=Path(directory), duration=given.duration
        )
    sys.exit(not report(tallies))


if __name__ == "__main__":
    main()
