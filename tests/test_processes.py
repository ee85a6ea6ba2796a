"""Several processes and threads on one file, and processes that are killed."""

import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from forks import FORKS

from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery


def everything(path: Path) -> list[str]:
    with Memory.open(path, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []
        return [item.text for item in memory.listing(ItemQuery(scope="all"), limit=10_000)]


def remember_in_turn(path: Path, name: str, start: Barrier) -> None:
    start.wait()
    with Memory.open(path, model=HashingEncoder()) as memory:
        for number in range(25):
            memory.remember(f"Process {name} says number {number}.")
            memory.remember("All of them say this.")


def open_and_remember(path: Path, name: str, start: Barrier, rounds: int) -> None:
    for number in range(rounds):
        start.wait()
        with Memory.open(path.with_name(f"{number}.db"), model=HashingEncoder()) as memory:
            memory.remember(f"Process {name} was here.")


def run_at_once(target: object, *arguments: object, count: int) -> None:
    processes = [FORKS.Process(target=target, args=(*arguments[:1], str(n), *arguments[1:])) for n in range(count)]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * count


def test_what_four_processes_remember_at_once_is_all_there_once(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"

    run_at_once(remember_in_turn, path, FORKS.Barrier(4), count=4)

    expected = {f"Process {name} says number {n}." for name in range(4) for n in range(25)} | {"All of them say this."}
    assert Counter(everything(path)) == Counter(expected)


def test_eight_processes_make_a_new_file_at_once_ten_times_in_a_row(tmp_path: Path) -> None:
    run_at_once(open_and_remember, tmp_path / "memory.db", FORKS.Barrier(8), 10, count=8)

    for number in range(10):
        assert sorted(everything(tmp_path / f"{number}.db")) == [f"Process {name} was here." for name in range(8)]


def remember_and_tell(path: Path, rounds: int, told: Connection) -> None:
    with Memory.open(path, model=HashingEncoder()) as memory:
        for number in range(1_000):
            text = f"Round {rounds} number {number}."
            memory.remember(text)
            told.send(text)


def test_a_memory_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    acknowledged: set[str] = set()
    for rounds in range(12):
        reading, writing = FORKS.Pipe(duplex=False)
        process = FORKS.Process(target=remember_and_tell, args=(path, rounds, writing))
        process.start()
        writing.close()
        for _ in range(3 + 3 * rounds):
            acknowledged.add(reading.recv())
        process.kill()
        with reading, suppress(EOFError):
            while True:
                acknowledged.add(reading.recv())
        process.join()

    kept = Counter(everything(path))

    assert len(acknowledged) >= 234
    assert acknowledged - kept.keys() == set()
    assert set(kept.values()) == {1}


def test_eight_threads_share_one_memory(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def use(memory: Memory, name: int) -> None:
        try:
            for number in range(8):
                memory.remember(items=[Entry(f"Thread {name} says number {number}."), Entry("All say this.")])
                assert memory.recall(f"thread {name} number {number}").hits
        except BaseException as failure:
            failures.append(failure)

    with Memory.open(tmp_path / "memory.db", model=HashingEncoder()) as memory:
        threads = [threading.Thread(target=use, args=(memory, name)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
    expected = {f"Thread {name} says number {n}." for name in range(8) for n in range(8)} | {"All say this."}
    assert Counter(everything(tmp_path / "memory.db")) == Counter(expected)


def test_closing_while_vectors_are_made_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember(items=[Entry(f"Number {n} of five hundred.") for n in range(500)])

    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.maintenance.make_vectors()

        assert (memory.stats().items, memory.stats().pending) == (500, 0)


UNCLOSED = """
import sys, time
from pathlib import Path
import mcp_memory.memory
from mcp_memory import Memory
from mcp_memory.encoders.hashing import HashingEncoder

def load(directory):
    time.sleep(0.5)
    Path(sys.argv[2]).write_text("up")
    return HashingEncoder()

mcp_memory.memory.load_encoder = load
memory = Memory.open(sys.argv[1], model=Path("."))
memory.remember("Nobody closes this.")
sys.exit(7)
"""
"""A program that ends while its encoder is still loading; one that is cut off in native code would abort it."""


def test_a_program_that_does_not_close_its_memory_ends_when_its_threads_have(tmp_path: Path) -> None:
    path, loaded = tmp_path / "memory.db", tmp_path / "loaded"

    ended = subprocess.run([sys.executable, "-c", UNCLOSED, path, loaded], capture_output=True, text=True, timeout=60)

    assert (ended.returncode, ended.stderr) == (7, "")
    assert loaded.read_text() == "up"
    assert everything(path) == ["Nobody closes this."]
