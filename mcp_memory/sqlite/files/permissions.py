"""Files and directories that only their owner can read: by mode on POSIX, by access list on Windows."""

import contextlib
import getpass
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

FILE, DIRECTORY = 0o600, 0o700
OTHERS = stat.S_IRWXG | stat.S_IRWXO
SYSTEM = "*S-1-5-18"  # Windows' own account in every language; backups and the index run as it

Run = Callable[[Sequence[str]], object]


def make_directory(directory: Path) -> None:
    """Create a missing directory and its parents for this user only."""
    if directory.is_dir():
        return
    for missing in reversed([above for above in (directory, *directory.parents) if not above.exists()]):
        missing.mkdir(mode=DIRECTORY, exist_ok=True)
    if sys.platform == "win32":
        restrict_on_windows(directory)


def make_file(path: Path) -> bool:
    """Create an empty file for this user only; return False where there is one, which is left as it is. Raises
    OSError."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE))
    except FileExistsError:
        return False
    if sys.platform == "win32":
        restrict_on_windows(path)
    return True


def protect(database: Path, *, own: bool) -> None:
    """Restrict wide permissions in our `own` directory; elsewhere, where sharing may be meant, only log them."""
    if sys.platform == "win32":  # what lies in a user's own data directory is theirs alone there
        return
    files = [path for path in (database, *(Path(f"{database}{end}") for end in ("-wal", "-shm"))) if path.is_file()]
    if own:
        for path in filter(Path.exists, (database.parent, *files)):
            _take_back(path)
    elif wide := [path for path in files[:1] if _mode(path) & OTHERS]:
        log.warning(
            "%s can be read by other users of this machine (mode %03o); `chmod 600` it if that is not meant.",
            wide[0],
            _mode(wide[0]),
        )


def _take_back(path: Path) -> None:
    mode = _mode(path)
    if mode & OTHERS:
        with contextlib.suppress(OSError):  # another user's file: the next process that opens it warns
            path.chmod(mode & ~OTHERS)
            log.info("took the rights of other users from %s (mode was %03o)", path, mode)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def restrict_on_windows(path: Path, run: Run | None = None) -> None:
    """Restrict a path to this user and the system by icacls; a failure is logged."""
    try:
        (run or _run)(icacls_command(path, user=_account(), directory=path.is_dir()))
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the rights on %s could not be restricted to this user: %s", path, type(error).__name__)


def icacls_command(path: Path, *, user: str, directory: bool) -> list[str]:
    """Return the command that replaces inherited rights by full ones of the user and the system."""
    rights = "(OI)(CI)F" if directory else "F"
    return ["icacls", str(path), "/inheritance:r", "/grant:r", f"{user}:{rights}", f"{SYSTEM}:{rights}", "/q"]


def _account() -> str:
    domain = os.environ.get("USERDOMAIN")
    return f"{domain}\\{getpass.getuser()}" if domain else getpass.getuser()


def _run(command: Sequence[str]) -> object:
    return subprocess.run(command, check=True, capture_output=True, timeout=10, stdin=subprocess.DEVNULL)
