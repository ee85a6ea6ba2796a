"""Rewritings that are killed at random moments: which file was left, and whether all that was acknowledged is in it."""

import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from multiprocessing.synchronize import Event
from pathlib import Path

from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Unusable
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.files import cipher, rekey
from mcp_memory.sqlite.files.cipher import Key

KEYS = (None, f"raw:{'c3' * 32}", f"raw:{'5a' * 32}")
"""Each rewriting leads from one to the next, and from the last to the first: encrypt, rekey, decrypt."""
NAMES = ("encrypt", "rekey", "decrypt")
SECRET = b"quokkaparade"


def rewrite(path: Path, number: int, begun: Event | None = None) -> None:
    """Lead the file from one of KEYS to the next."""
    before, after = KEYS[number], KEYS[(number + 1) % 3]
    os.environ[cipher.KEY_VARIABLE] = before or ""
    if begun:
        begun.set()
    if after is None:
        rekey.decrypt(path)
    else:
        change = rekey.rekey if before else rekey.encrypt
        change(path, Key(after, "the benchmark"), salt="0" * 32)


def opened(path: Path, key: str | None) -> tuple[list[str], list[str]] | None:
    """What is remembered and what is wrong; None where this is not the file's key."""
    os.environ[cipher.KEY_VARIABLE] = key or f"raw:{'00' * 32}"
    try:
        with Memory.open(path, model=HashingEncoder()) as memory:
            if (memory.file.encryption is None) != (key is None):
                return None
            return sorted(i.text for i in memory.listing(ItemQuery("all"), limit=1_000_000)), list(memory.file.verify())
    except Unusable:
        return None


def survive(*, kills: int, seed: int, items: int) -> None:
    """Kill rewritings until so many were killed, and print what survived."""
    source, counts, lost = random.Random(seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        path, state, longest, number = Path(folder) / "memory.db", 0, 0.05, 0
        os.environ[cipher.KEY_VARIABLE] = ""
        texts = [f"The quokkaparade says number {n}." for n in range(items)]
        with Memory.open(path, model=HashingEncoder()) as memory:
            memory.remember(items=[Entry(text) for text in texts])
        while counts["killed"] < kills:
            number += 1
            os.environ[cipher.KEY_VARIABLE] = KEYS[state] or ""
            texts.append(f"The parade says number {items + number}.")
            with Memory.open(path, model=HashingEncoder()) as memory:
                memory.remember(texts[-1])
            begun = multiprocessing.Event()
            process = multiprocessing.Process(target=rewrite, args=(path, state, begun))
            process.start()
            begun.wait(60)
            time.sleep(source.uniform(0, longest))
            process.kill()
            process.join()
            killed = process.exitcode == -signal.SIGKILL
            longest = max(0.01, min(2.0, longest * (1.1 if killed else 0.8)))
            counts["killed"] += killed
            found = [opened(path, KEYS[key]) for key in (state, (state + 1) % 3)]
            whole = [number for number, each in enumerate(found) if each is not None]
            if len(whole) != 1 or found[whole[0]] != (sorted(texts), []):
                lost += 1
                continue
            counts[f"{NAMES[state]}: {('old', 'new')[whole[0]]} file"] += killed
            state = (state + whole[0]) % 3
            legible = SECRET in b"".join(file.read_bytes() for file in path.parent.iterdir())
            counts["legible though encrypted"] += legible and KEYS[state] is not None
            counts["files left over"] += len(list(path.parent.iterdir())) - 1
    print(
        f"seed {seed}: {counts.pop('killed')} of {number} rewritings killed, {lost} files not wholly the old or the new"
    )
    print(f"{len(texts)} memories acknowledged, {len(texts) if not lost else 'not'} all there")
    for name, count in sorted(counts.items()):
        print(f"  {name}: {count}")
