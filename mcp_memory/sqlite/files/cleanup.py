"""Removal of what a killed rekey or backup leaves behind."""

import contextlib
import glob
import os
import time
from pathlib import Path

from mcp_memory.sqlite.files import backup_names

ABANDONED = 3600.0  # Seconds without a write after which an unfinished backup is abandoned
_BLOCK = bytes(1 << 20)


def new_file_of(path: Path) -> Path:
    """Return the name of the new file until it replaces `path`."""
    return path.with_name(f"{path.name}.rewriting")


def old_file_of(path: Path) -> Path:
    """Return the name of the old file until it is overwritten."""
    return path.with_name(f"{path.name}.leaving")


def clear_leftovers(path: Path) -> None:
    """Overwrite and remove leftovers of a killed rekey and unfinished backups, while this process has the file locked."""
    fresh, leaving = new_file_of(path), old_file_of(path)
    for left in (fresh, *(Path(f"{fresh}{end}") for end in ("-wal", "-shm", "-journal")), leaving):
        with contextlib.suppress(FileNotFoundError):  # there is none, or its owner was about to remove it
            if not left.samefile(path):
                with left.open("r+b", buffering=0) as file:
                    overwrite(file.fileno())
            left.unlink()
    for unfinished in (path.parent / backup_names.FOLDER).glob(
        f"{glob.escape(path.stem)}-*.db.*{backup_names.UNFINISHED}"
    ):
        with contextlib.suppress(OSError):  # it was finished meanwhile, or is not ours to remove
            if time.time() - unfinished.stat().st_mtime > ABANDONED:
                unfinished.unlink()


def overwrite(descriptor: int) -> None:
    """Write zeros over a file and sync; file systems that journal, copy or compress may keep the old bytes elsewhere."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    left = os.fstat(descriptor).st_size
    while left > 0:
        left -= os.write(descriptor, _BLOCK[:left])
    os.fsync(descriptor)
