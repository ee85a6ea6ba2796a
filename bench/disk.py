"""A disk that fails as disks do: it loses what was not yet on it when the power goes, or an operation goes wrong.

SQLite's own files go through it, by a shim over the operating system's VFS that becomes the default one while it is in
use. What a process maps into memory (the index of the log) does not: it is lost with the process, and made anew.
"""

import random
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


@dataclass
class Medium:
    """What of one file is on the disk for certain, and what was written since the last sync."""

    durable: bytearray
    waiting: list[tuple[int, bytes | None]] = field(default_factory=list[tuple[int, bytes | None]])
    """Writes as (offset, bytes), and truncations as (size, None)."""

    def sync(self) -> None:
        """What was waiting is on the disk."""
        for change in self.waiting:
            put(self.durable, *change)
        self.waiting.clear()

    def after_power_cut(self, chance: random.Random) -> bytes:
        """What is found afterwards: of what was waiting any part, in any order, and writes torn between sectors."""
        found = bytearray(self.durable)
        for offset, data in self.waiting:
            if data is None:
                if chance.random() < 0.5:
                    put(found, offset, None)
                continue
            for start in range(0, len(data), SECTOR):
                if chance.random() < 0.5:
                    put(found, offset + start, data[start : start + SECTOR])
        return bytes(found)


def put(image: bytearray, offset: int, data: bytes | None) -> None:
    """Write into a file's bytes, or cut them off at `offset`."""
    if data is None:
        del image[offset:]
        return
    image.extend(bytes(max(0, offset + len(data) - len(image))))
    image[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """The shim. `fail` is asked before each operation, with its name and the file's, and may raise apsw.IOError."""

    def __init__(
        self, *, fail: Callable[[str, str], None] = lambda operation, name: None, record: bool = False
    ) -> None:
        self.name = f"disk-{id(self)}"
        self.base = apsw.vfs_names()[0]
        self.fail = fail
        self.record = record
        self.media: dict[str, Medium] = {}
        self.lock = threading.RLock()
        super().__init__(self.name, self.base)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self.fail("open", path)
        return File(self, path, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        self.fail("delete", name)
        with self.lock:
            self.media.pop(name, None)  # as if it were on the disk at once
        super().xDelete(name, syncdir)

    def cut_power(self, directory: Path, chance: random.Random) -> None:
        """Write what is found on the disk now into another directory."""
        with self.lock:
            for name, medium in self.media.items():
                directory.joinpath(Path(name).name).write_bytes(medium.after_power_cut(chance))


class File(apsw.VFSFile):
    """One open file of the disk."""

    def __init__(self, disk: Disk, path: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self.disk, self.path = disk, path
        if disk.record and path:
            with disk.lock:
                if path not in disk.media:
                    there = Path(path)
                    disk.media[path] = Medium(bytearray(there.read_bytes() if there.exists() else b""))
        super().__init__(disk.base, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self.disk.fail("read", self.path)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.fail("write", self.path)
        with self.disk.lock:
            if self.path in self.disk.media:
                self.disk.media[self.path].waiting.append((offset, bytes(data)))
            super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.fail("truncate", self.path)
        with self.disk.lock:
            if self.path in self.disk.media:
                self.disk.media[self.path].waiting.append((size, None))
            super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.fail("sync", self.path)
        with self.disk.lock:
            if self.path in self.disk.media:
                self.disk.media[self.path].sync()
            super().xSync(flags)


@contextmanager
def in_use(disk: Disk) -> Generator[Disk]:
    """Every file that SQLite opens meanwhile goes through the disk."""
    apsw.set_default_vfs(disk.name)
    try:
        yield disk
    finally:
        apsw.set_default_vfs(disk.base)
        disk.fail = lambda operation, name: None


class Countdown:
    """Fails the nth operation of some sorts, and each after it while `lasting`; counts them until then."""

    def __init__(self, at: int, *, operations: set[str], lasting: bool = False) -> None:
        self.left, self.operations, self.lasting = at, operations, lasting
        self.failed = 0

    def __call__(self, operation: str, name: str) -> None:
        if operation not in self.operations or name.endswith("-shm"):
            return
        self.left -= 1
        if self.left == 0 or (self.lasting and self.left < 0):
            self.failed += 1
            raise apsw.IOError(f"the disk failed at {operation} {Path(name).name}")
