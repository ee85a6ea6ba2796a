"""Encrypting, decrypting and rekeying: the file is rewritten next to itself, checked, and put in its place at once."""

import contextlib
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import apsw

from mcp_memory.errors import Conflict, ReadOnly, Unusable
from mcp_memory.sqlite.database import Database, driver_errors, identity
from mcp_memory.sqlite.files import cipher
from mcp_memory.sqlite.files.cipher import Key
from mcp_memory.sqlite.files.cleanup import clear_leftovers, new_file_of, old_file_of, overwrite
from mcp_memory.sqlite.paths import sync
from mcp_memory.sqlite.recovery.checks import problems

WAIT = 5.0  # Seconds to wait for others to close the file


def encrypt(path: Path, key: Key, *, salt: str) -> None:
    """Encrypt a file, created where missing; `salt` is for a raw key. Raises Conflict where it is encrypted or in use."""
    cipher.require_ciphers(f"{path} cannot be encrypted")
    require_plain(path)
    opening_key(path)
    _rewrite(path, None, key, salt=salt)


def require_plain(path: Path) -> None:
    """Raise Conflict where the file is encrypted already, whatever its key."""
    if not path.is_file():
        return
    with (
        driver_errors(path),
        contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection,
    ):
        if cipher.is_encrypted(cipher.head_of(connection)):
            raise Conflict(f"{path} is encrypted already; `mcp-memory rekey` gives it another key.")


def rekey(path: Path, key: Key, *, salt: str) -> None:
    """Encrypt an encrypted file under another key. Raises as encrypt does, and Conflict where it is not encrypted."""
    _rewrite(path, _require_encrypted(path), key, salt=salt)


def decrypt(path: Path) -> Key:
    """Decrypt a file and return the key it had. Raises as rekey does."""
    key = _require_encrypted(path)
    _rewrite(path, key, None, salt="")
    return key


def opening_key(path: Path) -> Key | None:
    """Return the file's key, None where it is plain, after migration. Raises as Database does, and ReadOnly."""
    database = Database(path)
    try:
        if database.read_only:
            raise ReadOnly(f"{path} may not be written to. Check the permissions of the file and its directory.")
        return database.key
    finally:
        database.close()


def _require_encrypted(path: Path) -> Key:
    key = opening_key(path)
    if key is None:
        raise Conflict(f"{path} is not encrypted; `mcp-memory encrypt` does that.")
    return key


def _rewrite(path: Path, old: Key | None, new: Key | None, *, salt: str) -> None:
    """Rewrite the file in its own place under another key.

    At each moment the name leads to the old file or to the new one, each whole and each on the disk. The lock that is
    held from before the first page is read until the name leads to the new file excludes every other process; one that
    opened the old file and waited sees that the name leads elsewhere, and opens it again (Database).
    """
    path = path.resolve()
    fresh = new_file_of(path)
    with driver_errors(path), _alone(path, old) as connection:
        clear_leftovers(path)
        if path.stat().st_nlink > 1:  # what the other name leads to would be overwritten
            raise Conflict(
                f"{path} has another name that leads to the same file (a hard link), and what that leads to would be lost. "
                "Remove that name, or put a copy there. Nothing was changed."
            )
        _empty_log(connection, path)
        try:
            os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            cipher.copy_with_key(connection, fresh, key=new, salt=salt)
            _check(fresh, new)
            sync(fresh)
        except BaseException:
            clear_leftovers(path)
            raise
        _replace(path, fresh, connection)


def _replace(path: Path, fresh: Path, connection: apsw.Connection) -> None:
    """Put `fresh` in the place of `path` and overwrite the old file, which has a second name for the case of a kill."""
    leaving = old_file_of(path)
    for end in ("-wal", "-shm"):  # empty, and SQLite does not remove them once the name leads to another file
        Path(f"{path}{end}").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # no hard links on this file system: after a kill only its descriptor is lost
        os.link(path, leaving)
    if sys.platform == "win32":  # which replaces no file that is open
        connection.close()
        fresh.replace(path)
        clear_leftovers(path)
        return
    old = os.open(path, os.O_RDWR)
    try:
        fresh.replace(path)
        sync(path.parent)
        connection.close()
        overwrite(old)
        leaving.unlink(missing_ok=True)
    finally:
        os.close(old)


@contextlib.contextmanager
def _alone(path: Path, key: Key | None) -> Generator[apsw.Connection]:
    """Yield a connection that excludes every other process. Raises Conflict where one stays for longer than WAIT."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
    file = identity(path)
    connection = apsw.Connection(f"file:{quote(path.as_posix())}", flags=flags)
    try:
        connection.pragma("locking_mode", "exclusive")
        until = time.monotonic() + WAIT
        while True:
            try:
                cipher.unlock(connection, path, key)
                connection.execute("BEGIN EXCLUSIVE; COMMIT").fetchall()
                break
            except apsw.BusyError:
                if time.monotonic() > until:
                    raise Conflict(
                        f"Another process has {path} open: a client's server, or another command. End it and try "
                        "again. Nothing was changed."
                    ) from None
            except (apsw.Error, Unusable):
                if identity(path) == file:
                    raise
                break
            time.sleep(0.025)
        if identity(path) != file:  # the one that was opened is gone, and overwritten by now
            raise Conflict(f"Another command gave {path} another key in the meantime. Nothing was changed; try again.")
        if connection.pragma("journal_mode") != "wal":
            raise Unusable(f"{path} is on a file system where SQLite cannot keep others out of it. Move it to another.")
        yield connection
    finally:
        connection.close()


def _empty_log(connection: apsw.Connection, path: Path) -> None:
    """Checkpoint the WAL and overwrite it."""
    connection.execute("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(RESTART)").fetchall()
    with contextlib.suppress(FileNotFoundError), Path(f"{path}-wal").open("r+b", buffering=0) as written:
        overwrite(written.fileno())
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _check(fresh: Path, key: Key | None) -> None:
    """Open the new file as it will be opened, which also puts it into WAL mode, and check it."""
    database = Database(fresh, key=key)
    try:
        with database.read() as connection:
            wrong = list(problems(connection))
        if (database.key is None) != (key is None):
            wrong.append("it was not written with the key")
    finally:
        database.close()
    if wrong:
        raise Unusable(f"The new file was not taken, because it is not sound: {wrong[0]}. Nothing was changed.")
