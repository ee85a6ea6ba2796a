"""Where the file lies: symbolic links, network disks, and what must be there before it is opened."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from mcp_memory.errors import Conflict, ReadOnly, Unusable
from mcp_memory.sqlite.files.permissions import make_directory, make_file

log = logging.getLogger(__name__)

NETWORK = frozenset(
    "afpfs afs beegfs ceph cifs coda davfs davfs2 fuse.ceph fuse.davfs fuse.davfs2 fuse.gcsfuse fuse.glusterfs "
    "fuse.rclone fuse.s3fs fuse.sshfs gfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs3 nfs4 ocfs2 orangefs remote smb3 smbfs "
    "webdav".split()
)
"""Filesystems shared between machines, which don't share the memory that a WAL needs."""

SHARED = 32_768  # Bytes of the WAL's shared memory, at least

Mounts = list[tuple[str, str]]


def place_of(path: Path) -> Path:
    """Return the real path of the file, where its WAL lies too."""
    return path.resolve() if path.is_symlink() else path


def mounts_here() -> Mounts:
    """Return this machine's mounts, as far as the operating system reports them."""
    if sys.platform == "linux":
        return read_mountinfo(Path("/proc/self/mountinfo").read_text("utf-8", "replace"))
    if sys.platform == "darwin":
        listed = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=False).stdout
        return read_mount_command(listed)
    return []


def read_mountinfo(text: str) -> Mounts:
    r"""Parse Linux' mountinfo.

    >>> read_mountinfo("36 35 0:30 / /home/a\\040b rw shared:1 - nfs4 host:/x rw")
    [('/home/a b', 'nfs4')]
    """
    mounts: Mounts = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4 and after:
            point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
            mounts.append((point, after.split(" ")[0]))
    return mounts


def read_mount_command(text: str) -> Mounts:
    """Parse the output of macOS' mount.

    >>> read_mount_command("//me@nas/share on /Volumes/share (smbfs, nodev, nosuid)")
    [('/Volumes/share', 'smbfs')]
    """
    mounts: Mounts = []
    for line in text.splitlines():
        head, separator, options = line.rpartition(" (")
        if separator and " on " in head:
            mounts.append((head.split(" on ", 1)[1], options.split(",")[0].rstrip(")")))
    return mounts


def network_filesystem(path: Path, mounts: Callable[[], Mounts] | None = None) -> str | None:
    """Return the type of the network filesystem of `path`; None where it is local or unknown."""
    if sys.platform == "win32":
        return _windows_share(path)
    try:
        place = path.absolute().resolve()
        over = [(point, kind) for point, kind in (mounts or mounts_here)() if place.is_relative_to(point)]
    except (OSError, subprocess.SubprocessError, RuntimeError):
        return None
    if not over:
        return None
    longest = max(len(point) for point, _ in over)
    kind = [kind for point, kind in over if len(point) == longest][-1]
    return kind if kind.lower() in NETWORK else None


def _windows_share(path: Path) -> str | None:
    anchor = path.absolute().resolve().anchor
    if anchor.startswith("\\\\"):
        return "remote"
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  # there on Windows alone
    return "remote" if kernel.GetDriveTypeW(anchor) == 4 else None


def prepare_path(path: Path, *, read_only: bool) -> bool:
    """Prepare the path for opening; return whether it is read-only. Raises Unusable for an emptied file with a WAL."""
    if path.is_dir():
        raise Unusable(f"{path} is a directory. Name a file with --database, for example {path / 'memory.db'}.")
    place = place_of(path)
    if not path.exists():
        if read_only:
            raise ReadOnly(f"{path} does not exist, and --read-only forbids to make it.")
        make_directory(place.parent)
        make_file(place)
        return False
    if not place.is_file():
        raise Unusable(f"{path} is a device or a pipe, and a memory is kept in a file. Name another with --database.")
    logged = _holds_something(Path(f"{place}-wal"))  # looked at first: who makes the file makes its log after it
    if not _holds_something(path):
        if logged:
            raise Unusable(
                f"{path} is empty, and its log ({place}-wal) is not: the file was emptied or cut off. Nothing was changed. "
                f"Restore a backup: `mcp-memory restore BACKUP --database {path}`."
            )
        if not read_only:
            log.warning("%s is empty, so a new memory begins in it; if it held one, restore a backup", path)
    return read_only or not may_write(path)


def may_write(path: Path) -> bool:
    """Return whether the file, and its WAL, may be written by this user."""
    return os.access(path, os.W_OK) and os.access(place_of(path).parent, os.W_OK)


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def is_full(path: Path) -> bool:
    """Return whether the disk has no room for SQLite's side files, without which not even reading works."""
    there = next((above for above in (path, *path.absolute().parents) if above.is_dir()), path)
    try:
        return shutil.disk_usage(there).free < SHARED
    except OSError:
        return False


def size_of(path: Path) -> int:
    """Return the bytes of a file on the disk, without its WAL."""
    return path.stat().st_size


def settle(unfinished: Path, target: Path) -> None:
    """Rename a file once it is synced, so that a power cut leaves it whole or absent."""
    sync(unfinished)
    unfinished.replace(target)
    sync(target.parent)


def settle_new(unfinished: Path, target: Path) -> None:
    """Rename a file to a free name once it is synced. Raises Conflict where the name is taken."""
    sync(unfinished)
    try:
        os.link(unfinished, target)
    except OSError:  # it is taken, or there are no hard links on this file system
        if target.exists():
            raise Conflict(f"{target} exists already; name a file that does not.") from None
        unfinished.replace(target)
    else:
        unfinished.unlink()
    sync(target.parent)


def sync(path: Path) -> None:
    """Sync a file, or the names in a directory."""
    if os.name == "nt" and path.is_dir():
        return  # a directory can't be opened there
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
