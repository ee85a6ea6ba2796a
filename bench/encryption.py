"""What encryption costs: one file plain, under a raw key and under a passphrase, by turns in one run; and kills.

    uv run python -m bench.encryption --items 5000 --rounds 5
    uv run python -m bench.encryption --ciphers
    uv run python -m bench.encryption --kills 200 --seed 7

The encoder is the hashing one, which takes no time: with a real one, which costs the same in every file, each ratio of
recall and remember is nearer to 1. Times are medians; ratios are to the plain file of the same run.
"""

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from bench.kills_of_rewriting import survive
from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.files import cipher, rekey
from mcp_memory.sqlite.files.cipher import Key

KEYS = {"plain": "", "raw key": f"raw:{'7e' * 32}", "passphrase": "correct horse battery staple"}
WORDS = [f"word{number}" for number in range(4000)]


def sentence(source: random.Random) -> str:
    """A made-up sentence of 12 words that says nothing another one says."""
    return " ".join(source.choice(WORDS) for _ in range(12)) + f" {source.random()}."


def made(path: Path, key: str, *, items: int, seed: int) -> Path:
    """A file with so many items in it, the same for each key."""
    source = random.Random(seed)
    os.environ[cipher.KEY_VARIABLE] = ""
    with Memory.open(path, model=HashingEncoder()) as memory:
        for _ in range(0, items, 500):
            memory.remember(items=[Entry(sentence(source)) for _ in range(500)])
        memory.maintenance.make_vectors()
        memory.maintenance.gather()
    if key:
        rekey.encrypt(path, Key(key, "the benchmark"), salt="0" * 32)
    return path


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def measure(path: Path, key: str, *, seed: int) -> dict[str, list[float]]:
    """One round of everything on one file, in milliseconds."""
    os.environ[cipher.KEY_VARIABLE] = key
    source = random.Random(seed)
    times: dict[str, list[float]] = {}

    def note(name: str, call: Callable[[], object]) -> None:
        times.setdefault(name, []).append(timed(call))

    note("open", lambda: Database(path).close())
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        note("first recall", lambda: memory.recall(sentence(source)))
        for _ in range(20):
            note("recall", lambda: memory.recall(sentence(source)))
        for _ in range(20):
            note("remember one", lambda: memory.remember(sentence(source)))
        entries = [Entry(sentence(source)) for _ in range(200)]
        note("remember 200", lambda: memory.remember(items=entries))
        target = path.with_name(f"{path.name}.{seed}.backup")
        note("backup", lambda: memory.file.backup(target))
        target.unlink()
    return times


def costs(*, items: int, rounds: int, seed: int) -> None:
    """Print a table of times and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: made(Path(folder) / f"{name}.db", key, items=items, seed=seed) for name, key in KEYS.items()}
        sizes = {name: path.stat().st_size for name, path in files.items()}
        times: dict[str, dict[str, list[float]]] = {name: {} for name in files}
        for number in range(rounds):
            for name, path in files.items():  # by turns, so that what else the machine does hits each
                for what, found in measure(path, KEYS[name], seed=seed + 1 + number).items():
                    times[name].setdefault(what, []).extend(found)
    print("| " + " | ".join(("", *files, "raw : plain", "passphrase : plain")) + " |")
    print("|" + "---|" * 6)
    for what in times["plain"]:
        row = [statistics.median(times[name][what]) for name in files]
        show(what, [f"{value:.2f} ms" for value in row], row)
    show("size", [f"{size / 1e6:.2f} MB" for size in sizes.values()], [float(size) for size in sizes.values()])


def compare_ciphers(*, rows: int = 42_000, rounds: int = 5) -> None:
    """Print what opening under a passphrase, single commits and a scan take in each cipher, in SQLite alone."""
    print("| cipher | open | 500 commits | scan of a cold cache |")
    print("|" + "---|" * 4)
    with tempfile.TemporaryDirectory() as folder:
        for name in (None, "aegis", "chacha20", "sqlcipher"):
            found = [use_alone(Path(folder) / f"{name}.db", name, rows=rows) for _ in range(rounds)]
            cells = [f"{statistics.median(times):.1f} ms" for times in zip(*found, strict=True)]
            print("| " + " | ".join((name or "none", *cells)) + " |")


def use_alone(path: Path, name: str | None, *, rows: int) -> tuple[float, float, float]:
    """Milliseconds to open, to commit and to scan; the rows are made the first time."""
    connection = apsw.Connection(str(path))

    def unlock() -> None:
        if name:
            connection.pragma("cipher", name)
            connection.pragma("key", KEYS["passphrase"])
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()

    def commit(number: int) -> None:
        for _ in range(number):
            connection.execute("INSERT INTO kept (text) VALUES (?)", (os.urandom(200),))

    opening = timed(unlock)
    connection.execute("PRAGMA journal_mode = wal; PRAGMA synchronous = normal").fetchall()
    connection.execute("CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, text)")
    with connection:
        commit(max(0, rows - connection.execute("SELECT count(*) FROM kept").get))
    committing = timed(lambda: commit(500))
    connection.pragma("shrink_memory")
    scanning = timed(lambda: connection.execute("SELECT sum(length(text)) FROM kept").get)
    connection.close()
    return opening, committing, scanning


def show(what: str, cells: Sequence[str], values: Sequence[float]) -> None:
    """Print a row."""
    ratios = [f"{value / values[0]:.2f}" for value in values[1:]]
    print("| " + " | ".join((what, *cells, *ratios)) + " |")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kills", type=int, default=0, help="kill so many rewritings instead, and count what survives")
    parser.add_argument("--ciphers", action="store_true", help="compare the ciphers of the library instead")
    options = parser.parse_args()
    if options.ciphers:
        compare_ciphers()
    elif options.kills:
        multiprocessing.set_start_method("spawn" if sys.platform == "win32" else "forkserver")
        survive(kills=options.kills, seed=options.seed, items=min(options.items, 1000))
    else:
        costs(items=options.items, rounds=options.rounds, seed=options.seed)


if __name__ == "__main__":
    main()
