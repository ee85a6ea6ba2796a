"""The file: opening it safely, its connections, its transactions, its schema, and SQLite's errors in our words."""

import contextlib
import importlib.util
import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

import apsw

from mcp_memory import backups
from mcp_memory.errors import Conflict, MemoryProblem, ReadOnly, Unusable
from mcp_memory.permissions import make_directory, make_file
from mcp_memory.sqlite import cipher
from mcp_memory.sqlite.leftovers import clear_leftovers
from mcp_memory.sqlite.schema import (
    APPLICATION_ID,
    Progress,
    file_problems,
    migrate,
    migrations,
    no_progress,
    schema_version,
)

log = logging.getLogger(__name__)

Old: TypeAlias = Literal["back up and migrate", "migrate", "leave"]
BUSY_TIMEOUT_MS = 30_000
"""How long a statement waits for another process; a bulk import of another process holds the lock for under a second."""
READERS = 4
"""Connections kept open for the next to read, each with up to 2 MB of pages; more are closed after use."""
LOG_KEPT = 64_000_000
"""Bytes of the log that are kept once it is in the file: SQLite would leave the largest it ever was."""
WAL_RETRIES = 200
"""Times 25 ms. Switching a new file to WAL ignores the busy timeout, so processes that open it at once must retry."""
REOPENINGS = 5
"""Times that a file may be replaced while it is opened: encrypting it does that, once."""


class Database:
    """One SQLite file, opened by this process. Thread-safe: writers take turns, each reader has its own connection."""

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        prepare: Callable[[apsw.Connection], None] = lambda connection: None,
        key: cipher.Key | None = None,
        old: Old = "back up and migrate",
        progress: Progress = no_progress,
    ) -> None:
        """Open the file, making it and its directory (for this user only) where there is none, and migrate it.

        Raises Unusable where the file is a directory, no database, another program's, damaged or of a newer schema,
        or can't be backed up before it is migrated, and ReadOnly where it does not exist and may not be made.
        `prepare` is done to each connection that reads; `old` says what becomes of a file of an older schema. `key` is
        for an encrypted file; without it it is looked for (cipher.find_key), where the file is encrypted.
        """
        self.path = path
        self.key = key
        self._old: Old = old
        self._progress = progress
        self._prepare = prepare
        self._write_lock = threading.RLock()
        self._readers: list[apsw.Connection] = []
        self._readers_lock = threading.Lock()
        self._closed = False
        with driver_errors(path):
            self.read_only = _prepare_path(path, read_only=read_only)
            # Where SQLite can't make the files it shares with other processes; a log that is there must be read.
            unshared = self.read_only and not os.access(path.parent, os.W_OK)
            self._immutable = unshared and not Path(f"{path}-wal").exists()
            self._writer = self._open_writer()
            if not self.read_only:
                clear_leftovers(path.resolve())

    @property
    def encryption(self) -> str | None:
        """What the file is encrypted with, None where it is not."""
        return cipher.CIPHER_NAME if self.key else None

    def _open_writer(self) -> apsw.Connection:
        """The connection that writes. It holds a lock on the file as long as it lasts, so that none takes its place.

        Where one did before there was the lock, the file of that name is opened again.
        """
        given = self.key
        for _ in range(REOPENINGS):
            self.key = given
            file = identity(self.path)
            try:
                connection = self._connect()
                try:
                    self._begin_service(connection)
                    if identity(self.path) == file:
                        return connection
                except BaseException:
                    connection.close()
                    raise
                connection.close()
            except (apsw.Error, Unusable):
                if identity(self.path) == file:
                    raise
        raise Conflict(f"{self.path} is replaced again and again by another process. Nothing was changed; try again.")

    def _connect(self) -> apsw.Connection:
        if self.read_only:
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            suffix = "?immutable=1" if self._immutable else ""
            connection = apsw.Connection(f"file:{quote(self.path.absolute().as_posix())}{suffix}", flags=flags)
        else:
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
            connection = apsw.Connection(str(self.path), flags=flags)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            self.key = cipher.unlock(connection, self.path, self.key)
            connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
            connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
            connection.enable_load_extension(True)
            connection.load_extension(vector_extension())
            connection.enable_load_extension(False)
            if not self.read_only:
                # FULL: an acknowledged memory survives a power cut, at about 4 ms a save.
                connection.execute("PRAGMA synchronous = FULL")
                # What is erased is overwritten, not only unlinked.
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute(f"PRAGMA journal_size_limit = {LOG_KEPT}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_service(self, connection: apsw.Connection) -> None:
        version = _our_version(connection, self.path)
        latest = len(migrations())
        if version > latest:
            raise Unusable(
                f"{self.path} was written by a newer mcp-memory (schema {version}, this one knows up to {latest}). "
                "Upgrade mcp-memory, or name another file with --database."
            )
        if self.read_only:
            if version < latest and self._old != "leave":
                raise ReadOnly(
                    f"{self.path} has schema {version} and must be migrated to {latest}, but it may only be read. "
                    "Open it once without --read-only."
                )
            return
        _switch_to_wal(connection)
        if version < latest and self._old != "leave":
            migrate(connection, before=self._back_up, progress=self._progress)

    def _back_up(self, version: int) -> None:
        """Copy the file before it is migrated, and refuse that where the copy can't be made."""
        if self._old == "migrate":
            return
        target = backups.target(self.path, datetime.now(UTC), before=f"schema-{len(migrations())}")
        try:
            self.copy_checked(target, file_problems)
        except MemoryProblem as problem:
            raise Unusable(
                f"{self.path} has schema {version} and was not migrated to {len(migrations())}, because the backup "
                f"before that could not be made: {problem} Make room for it, then try again."
            ) from problem
        log.warning("%s is being migrated from schema %d; %s is a copy of it as it was", self.path, version, target)

    @contextlib.contextmanager
    def read(self) -> Generator[apsw.Connection]:
        """A connection inside one read transaction: everything it reads is of one moment."""
        with driver_errors(self.path):
            connection = self._take_reader()
            try:
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            finally:
                self._give_back(connection)

    @contextlib.contextmanager
    def write(self) -> Generator[apsw.Connection]:
        """The writing connection inside one immediate transaction: committed at the end, rolled back on any error.

        Raises ReadOnly where the file may only be read.
        """
        if self.read_only:
            raise ReadOnly(f"{self.path} is open for reading only, so nothing can be changed in it.")
        with self._write_lock, driver_errors(self.path):
            self._require_open()
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def checkpoint(self) -> None:
        """Move the log into the file and empty it, so that nothing erased stays behind in it.

        Where another process goes on reading an old state for longer than the timeout, the next checkpoint does it.
        """
        with self._write_lock, driver_errors(self.path):
            self._require_open()
            [(busy, *_)] = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            log.warning("another process is reading an old state of %s; its log still holds what was erased", self.path)

    def copy_to(self, target: Path) -> None:
        """Write the file as it is at one moment to `target`, while others go on writing to it."""
        with driver_errors(target), contextlib.closing(self.connection()) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))

    def copy_checked(self, target: Path, problems: Callable[[apsw.Connection], Iterable[str]]) -> None:
        """Write a copy and put it at `target` only when `problems` finds nothing wrong in it.

        Raises Conflict where `target` exists already, Unusable where it can't be written or the copy is not sound.
        """
        if target.exists():
            raise Conflict(f"{target} exists already; name a file that does not.")
        unfinished = target.with_name(f"{target.name}.unfinished")
        with driver_errors(target):
            make_directory(target.parent)
            unfinished.unlink(missing_ok=True)
            make_file(unfinished)
        try:
            self.copy_to(unfinished)
            copy = Database(unfinished, read_only=True, old="leave", key=self.key)
            try:
                with copy.read() as connection:
                    wrong = list(problems(connection))
            finally:
                copy.close()
            if wrong:
                raise Unusable(f"The backup was not kept, because the copy is not sound: {wrong[0]}")
            with driver_errors(target):
                settle(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)

    def connection(self) -> apsw.Connection:
        """A connection of one's own, outside every transaction, to be closed by who asked for it."""
        with driver_errors(self.path):
            self._require_open()
            return self._connect()

    def close(self) -> None:
        """Close every connection; a call after it raises Unusable."""
        with self._write_lock, self._readers_lock:
            self._closed = True
            self._writer.close()
            for connection in self._readers:
                connection.close()
            self._readers.clear()

    def _require_open(self) -> None:
        if self._closed:
            raise Unusable(f"{self.path} has been closed.")

    def _take_reader(self) -> apsw.Connection:
        with self._readers_lock:
            self._require_open()
            if self._readers:
                return self._readers.pop()
        connection = self._connect()
        self._prepare(connection)
        return connection

    def _give_back(self, connection: apsw.Connection) -> None:
        with self._readers_lock:
            if not self._closed and len(self._readers) < READERS:
                self._readers.append(connection)
                return
        connection.close()


@contextlib.contextmanager
def driver_errors(path: Path) -> Generator[None]:
    """Turn SQLite's errors into ours, each with the way out."""
    try:
        yield
    except MemoryProblem:
        raise
    except (apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as error:
        raise Conflict(
            f"Another process has been writing to {path} for {BUSY_TIMEOUT_MS // 1000} seconds. Nothing was changed; "
            "try again."
        ) from error
    except apsw.ReadOnlyError as error:
        raise ReadOnly(f"{path} may not be written to. Check the permissions of the file and its directory.") from error
    except apsw.NotADBError as error:
        raise Unusable(f"{path} is not a SQLite database. Name another file with --database.") from error
    except apsw.CorruptError as error:
        raise Unusable(
            f"{path} is damaged ({error}). Run `mcp-memory verify` to see what is wrong; restore a backup if you have one."
        ) from error
    except apsw.FullError as error:
        raise Unusable(
            f"There is no space left for {path}. Nothing was changed; free some space and try again."
        ) from error
    except (apsw.CantOpenError, apsw.IOError, apsw.PermissionsError, apsw.AuthError, OSError) as error:
        raise Unusable(f"{path} cannot be opened or read: {error}.") from error


def _prepare_path(path: Path, *, read_only: bool) -> bool:
    """Make what must be there before opening; True where the file may only be read."""
    if path.is_dir():
        raise Unusable(f"{path} is a directory. Name a file with --database, for example {path / 'memory.db'}.")
    if path.exists():
        return read_only or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK)
    if read_only:
        raise ReadOnly(f"{path} does not exist, and --read-only forbids to make it.")
    make_directory(path.parent)
    make_file(path)
    return False


def settle(unfinished: Path, target: Path) -> None:
    """Give a file its name once it is on the disk, so that a power cut leaves it whole or not there."""
    _sync(unfinished, os.O_RDWR)
    unfinished.replace(target)
    if os.name != "nt":  # where a directory can't be opened
        _sync(target.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def vector_extension() -> str:
    """Where sqlite-vec's library is. Raises Unusable where it is not installed."""
    # Found without importing the package: its import alone costs 64 ms.
    spec = importlib.util.find_spec("sqlite_vec")
    if spec is None or not spec.submodule_search_locations:
        raise Unusable("The sqlite-vec package is not installed; install mcp-memory again.")
    return str(Path(spec.submodule_search_locations[0]) / "vec0")


def identity(path: Path) -> tuple[int, int]:
    """Which file a name leads to."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _our_version(connection: apsw.Connection, path: Path) -> int:
    """The file's schema version, 0 for an empty one; raises Unusable where it is another program's."""
    # Three reads of one moment: another process may be making the file just now.
    connection.execute("BEGIN")
    try:
        ours = connection.pragma("application_id") == APPLICATION_ID
        objects: int = connection.execute("SELECT count(*) FROM sqlite_schema").get
        version = schema_version(connection)
    finally:
        connection.execute("ROLLBACK")
    if not ours and (objects or version):
        raise Unusable(
            f"{path} is a SQLite database of another program, and is left as it is. Name another file with --database."
        )
    return version


def _switch_to_wal(connection: apsw.Connection) -> None:
    for _ in range(WAL_RETRIES):
        try:
            if connection.pragma("journal_mode", "wal") == "wal":
                return
        except apsw.BusyError:
            pass
        time.sleep(0.025)
    log.warning("could not switch to WAL; readers and writers will wait for each other")
