"""Files of other programs: read, diffed, backed up, and replaced atomically."""

import contextlib
import difflib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mcp_memory.errors import InvalidInput, ReadOnly

BACKUP = ".before-mcp-memory"
BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after; None where it does not exist, or is to be deleted."""

    path: Path
    before: str | None
    after: str | None
    restores: bool = False
    """True if `after` is what the file was before setup changed it, so that no copy need be kept any more."""
    inside: Path | None = None
    """The repository in which folders that are empty without the file go with it."""

    @property
    def changes(self) -> bool:
        return self.before != self.after


def read_text(path: Path) -> str | None:
    """Return a file's text without the byte order mark; None where there is no file. Raises InvalidInput naming it."""
    try:
        return path.read_bytes().decode("utf-8").removeprefix(BOM)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text (byte {error.start}); nothing was written.") from error
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}; nothing was written.") from error


def backup_of(path: Path) -> Path:
    """Return the path of a file's backup: beside the file itself, not beside a link to it."""
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + BACKUP)


def difference(change: Change) -> str:
    old = (change.before or "").splitlines(keepends=True)
    new = (change.after or "").splitlines(keepends=True)
    names = ["/dev/null" if text is None else str(change.path) for text in (change.before, change.after)]
    lines = difflib.unified_diff(old, new, names[0], names[1])
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def carry_out(change: Change) -> Path | None:
    """Write a change, and return the path of the backup; None where none was needed.

    Raises InvalidInput where the file has changed since it was read, and ReadOnly where it can't be written. A link stays
    a link: its target is replaced atomically, with its permissions.
    """
    if read_text(change.path) != change.before:
        raise InvalidInput(f"{change.path} was changed by another program just now; run setup again.")
    real = Path(os.path.realpath(change.path))
    try:
        kept = _back_up(real) if change.before is not None and not change.restores else None
        if change.after is None:
            real.unlink()
        else:
            had_bom = change.before is not None and real.read_bytes().startswith(BOM.encode())
            real.parent.mkdir(parents=True, exist_ok=True)
            _replace(real, ((BOM if had_bom else "") + change.after).encode())
        if change.restores:
            backup_of(change.path).unlink(missing_ok=True)
        if change.after is None and change.restores and change.inside:
            _drop_empty(real.parent, Path(os.path.realpath(change.inside)))
    except OSError as error:
        raise ReadOnly(f"{change.path} can't be written: {error.strerror}. It is as it was.") from error
    return kept


def _drop_empty(folder: Path, inside: Path) -> None:
    """Remove a folder and its parents below `inside`, as long as they are empty."""
    with contextlib.suppress(OSError):  # the first that holds anything ends it
        while folder != inside and folder.is_relative_to(inside):
            folder.rmdir()
            folder = folder.parent


def _back_up(path: Path) -> Path:
    kept = backup_of(path)
    _replace(kept, path.read_bytes(), like=path)
    return kept


def _replace(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """Write a temporary file and rename it into place, with the permissions of the old one, or those of `like`."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        model = like or path
        Path(name).chmod(stat.S_IMODE(model.stat().st_mode) if model.exists() else 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
