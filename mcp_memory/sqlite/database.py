"""Database: one file opened safely, its connections and transactions, and SQLite's errors as ours."""

import contextlib
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

from mcp_memory.errors import Conflict, Damaged, MemoryProblem, ReadOnly, Repaired, Replaced, Unusable
from mcp_memory.sqlite.files import backup_names, cipher
from mcp_memory.sqlite.files.cleanup import clear_leftovers
from mcp_memory.sqlite.files.permissions import make_directory, make_file
from mcp_memory.sqlite.paths import is_full, may_write, network_filesystem, place_of, prepare_path, settle_new
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
BUSY_TIMEOUT_MS = 30_000  # A bulk import of another process holds the lock for under a second
READERS = 4  # Connections kept open for reading, each with up to 2 MB of pages; more are closed after use
LOG_KEPT = 64_000_000  # Bytes of the log that are kept after a checkpoint; SQLite would leave its largest size
Synchronous = Literal["full", "normal"]
"""`full` acknowledges a change once it is on the disk; `normal` may lose the last ones, each as a whole, in a power cut."""
SYNCHRONOUS: Synchronous = "full"  # Nothing acknowledged may be lost; docs/reliability.md states the cost
EMPTYING_MS = 100  # Nobody can write while a checkpoint waits for readers of an old state
EMPTYING_TRIES = 5
WAL_RETRIES = 200
"""Times 25 ms. Switching a new file to WAL ignores the busy timeout, so processes that open it at once must retry."""
REOPENINGS = 5  # Retries where a file is replaced while it is opened: encrypting it does that, once


WRITABLE = "Make it and its directory writable, or copy it to where they are."


class Database:
    """One SQLite file, opened by this process. Thread-safe: writers take turns, each reader has its own connection."""

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        prepare: Callable[[apsw.Connection], None] = lambda connection: None,
        repair: "Callable[[Database], None] | None" = None,
        synchronous: Synchronous = SYNCHRONOUS,
        key: cipher.Key | None = None,
        old: Old = "back up and migrate",
        progress: Progress = no_progress,
    ) -> None:
        """Open the file, creating it and its directory for this user only, and migrate it.

        Raises Unusable where the file is a directory, no database, another program's, damaged, of a newer schema or on
        a network's disk, or can't be backed up before it is migrated, and ReadOnly where it does not exist and may not
        be made. `prepare` is done to each connection that reads; `repair` rebuilds what can be where the file is found to
        be damaged, or raises Unusable; `old` says what becomes of a file of an older schema. `key` is for an encrypted
        file; without it it is looked for (cipher.keys_for), where the file is encrypted.
        """
        self.path = path
        self.key = key
        self._old: Old = old
        self._progress = progress
        self._prepare = prepare
        self._repair = repair
        self._beyond_repair: Unusable | None = None
        self._synchronous = synchronous
        self._asked_read_only = read_only
        self._log_to_empty = False
        self._write_lock = threading.RLock()
        self._readers: list[apsw.Connection] = []
        self._readers_lock = threading.Lock()
        self._closed = False
        with driver_errors(path):
            if not read_only and (kind := network_filesystem(path)):
                raise Unusable(
                    f"{path} lies on a network's disk ({kind}), where SQLite cannot keep several machines from damaging it. "
                    "Name a file on a disk of this machine with --database, and bring copies over with `mcp-memory backup`; "
                    "--read-only only reads it."
                )
            self.read_only = prepare_path(path, read_only=read_only)
            self._log = Path(f"{place_of(path)}-wal")
            # Where SQLite can't make the files it shares with other processes; a log that is there must be read.
            unshared = self.read_only and not os.access(self._log.parent, os.W_OK)
            self._immutable = unshared and not self._log.exists()
            self._writer = self._open_writer()
            if not self.read_only:
                clear_leftovers(path.resolve())
            self._identity = identity(path)
        # While a connection has the log open nobody else takes it away.
        self._log_identity = None if self.read_only else identity(self._log)

    @property
    def encryption(self) -> str | None:
        """The cipher; None for a plain file."""
        return cipher.CIPHER_NAME if self.key else None

    def _open_writer(self) -> apsw.Connection:
        """Return the writing connection, whose lock keeps other files out of this one's place; reopen where one came first."""
        given = self.key
        for _ in range(REOPENINGS):
            self.key = given
            file = identity(self.path)
            try:
                connection = self.connect()
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

    def connect(self) -> apsw.Connection:
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
            if not self.read_only:
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
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
                    + ("Open it once without --read-only." if self._asked_read_only else WRITABLE)
                )
            return
        _switch_to_wal(connection, new=version == 0)
        if version < latest and self._old != "leave":
            migrate(connection, before=self._back_up, progress=self._progress)

    def _back_up(self, version: int) -> None:
        """Copy the file before it is migrated, and refuse that where the copy can't be made."""
        if self._old == "migrate":
            return
        try:
            target = self.copy_dated(datetime.now(UTC), file_problems, before=f"schema-{len(migrations())}")
        except MemoryProblem as problem:
            raise Unusable(
                f"{self.path} has schema {version} and was not migrated to {len(migrations())}, because the backup "
                f"before that could not be made: {problem} Make room for it, then try again."
            ) from problem
        log.warning("%s is being migrated from schema %d; %s is a copy of it as it was", self.path, version, target)

    @contextlib.contextmanager
    def read(self) -> Generator[apsw.Connection]:
        """Yield a connection inside one read transaction: everything it reads is of one moment."""
        with self._repairing(), driver_errors(self.path):
            connection = self._take_reader()
            try:
                self.require_same_file()
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
        """Yield the writing connection in one immediate transaction, rolled back on any error. Raises ReadOnly."""
        self._require_writable()
        with self._repairing(), self._write_lock, driver_errors(self.path):
            self._require_open()
            self.require_same_file()
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            if identity(self.path) != self._identity:
                raise Unusable(
                    f"{self.path} was moved or replaced while this change was written, and the change went with the old "
                    "file. See what is there now before you repeat it."
                )
            if self._log_to_empty:
                self._empty_log(0)

    def checkpoint(self) -> None:
        """Empty the WAL into the file, so that nothing erased stays in it; put off while others read an old state."""
        with self._write_lock, driver_errors(self.path):
            self._require_open()
            self._log_to_empty = True
            for _ in range(EMPTYING_TRIES):
                if self._empty_log(EMPTYING_MS):
                    return
                time.sleep(EMPTYING_MS / 1000)  # others write
        log.warning("someone is reading an old state of %s; its log still holds what was erased", self.path)

    def _empty_log(self, patience_ms: int) -> bool:
        """Return whether the WAL could be emptied; what was changed is still acknowledged where the disk fails."""
        self._writer.set_busy_timeout(patience_ms)
        try:
            [(busy, *_)] = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except apsw.Error as error:
            log.info("the log of %s could not be emptied yet: %s", self.path, error)
            busy = 1
        finally:
            self._writer.set_busy_timeout(BUSY_TIMEOUT_MS)
        self._log_to_empty = bool(busy)
        return not busy

    def _require_writable(self) -> None:
        if not self.read_only:
            return
        if not self._asked_read_only and may_write(self.path):
            raise Replaced(f"{self.path} may be written by now, and has to be opened anew for that. Try again.")
        raise ReadOnly(f"{self.path} is open for reading only, so nothing can be changed in it.")

    def require_same_file(self) -> None:
        """Raise Unusable where the file is gone, and Replaced where another has its name: writes to it would be lost."""
        found = identity(self.path)
        if found is None:
            raise Unusable(
                f"{self.path} is not there any more: it, or the directory it is in, was moved, renamed or deleted while it "
                "was open. Nothing was changed. Put it back where it was and try again."
            )
        moved = found != self._identity
        if not moved and self._log_identity in (None, identity(self._log)):
            return
        with self._write_lock, contextlib.suppress(apsw.Error):
            if (
                not self._closed
            ):  # what the log alone held goes where it belongs, and not into another file of that name
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        what = "Another file stands where it was" if moved else "Its log was deleted while it was open"
        raise Replaced(f"{self.path} has to be opened anew. {what}. Nothing was changed; try again.")

    @contextlib.contextmanager
    def _repairing(self) -> Generator[None]:
        """Rebuild the indexes where the file proves to be damaged. Raises Repaired where that was done."""
        try:
            yield
        except Damaged as damage:
            if self.read_only or self._repair is None:
                raise
            if self._beyond_repair is not None:
                raise self._beyond_repair from damage
            with self._write_lock:
                try:
                    self._require_open()
                    self._repair(self)
                except Unusable as problem:
                    self._beyond_repair = problem
                    raise problem from damage
            raise Repaired(
                f"The indexes of {self.path} were damaged and have been rebuilt; nothing that is remembered was lost. "
                "This request was not carried out: try again."
            ) from damage

    @contextlib.contextmanager
    def index_writer(self) -> Generator[apsw.Connection]:
        """Yield a writing connection with transactions of its own; a power cut may take its last ones. Raises ReadOnly."""
        self._require_writable()
        with self._repairing(), driver_errors(self.path):
            self.require_same_file()
            connection = self.connect()
            try:
                connection.execute("PRAGMA synchronous = normal")
                yield connection
            finally:
                connection.close()

    def copy_to(self, target: Path) -> None:
        """Write a snapshot to `target`, for this user only, while others write."""
        with driver_errors(target), contextlib.closing(self.connection()) as connection:
            make_file(target)
            connection.execute("VACUUM INTO ?", (str(target),))

    def copy_checked(self, target: Path, problems: Callable[[apsw.Connection], Iterable[str]]) -> None:
        """Write a checked copy. Raises Conflict where `target` exists, Unusable where the copy fails or is damaged."""
        if target.exists():
            raise Conflict(f"{target} exists already; name a file that does not.")
        unfinished = backup_names.unfinished(target)
        with driver_errors(target):
            make_directory(target.parent)
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
                settle_new(unfinished, target)
        finally:
            with contextlib.suppress(OSError):  # what kept it from being made is raised
                unfinished.unlink(missing_ok=True)

    def copy_dated(
        self,
        at: datetime,
        problems: Callable[[apsw.Connection], Iterable[str]],
        *,
        before: str | None = None,
        folder: Path | None = None,
    ) -> Path:
        """Write a checked copy under a dated name that is not taken, and return its path (backup_names.target)."""
        while True:
            target = backup_names.target(self.path, at, before=before, folder=folder)
            try:
                self.copy_checked(target, problems)
            except Conflict:
                if not target.exists():
                    raise
            else:
                return target

    def connection(self) -> apsw.Connection:
        with driver_errors(self.path):
            self._require_open()
            return self.connect()

    def close(self) -> None:
        """Close every connection; a later call raises Unusable."""
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
        connection = self.connect()
        self._prepare(connection)
        return connection

    def _give_back(self, connection: apsw.Connection) -> None:
        with self._readers_lock:
            if not self._closed and len(self._readers) < READERS:
                self._readers.append(connection)
                return
        connection.close()


def identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a name now; None where there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
        raise Unusable(
            f"{path} is not a SQLite database. Name another file with --database; if it was a memory, its first page is "
            f"damaged: restore a backup (`mcp-memory restore BACKUP --database {path}`), or save what can be read of it "
            f"(`mcp-memory recover {path} --to NEW`)."
        ) from error
    except apsw.CorruptError as error:
        raise Damaged(
            f"{path} is damaged ({error}). Restore a backup, or save what can be read of it: "
            f"`mcp-memory recover {path} --to NEW`."
        ) from error
    except apsw.FullError as error:
        raise Unusable(
            f"There is no space left for {path}. Nothing was changed; free some space and try again."
        ) from error
    except (apsw.CantOpenError, apsw.IOError, apsw.PermissionsError, apsw.AuthError, OSError) as error:
        full = " There is no space left on its disk; free some and try again." if is_full(path) else ""
        raise Unusable(f"{path} cannot be opened or read: {error}.{full}") from error


def _our_version(connection: apsw.Connection, path: Path) -> int:
    """Return the schema version of the file, 0 for an empty one. Raises Unusable where it is another program's."""
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


def _switch_to_wal(connection: apsw.Connection, *, new: bool) -> None:
    for _ in range(WAL_RETRIES):
        try:
            if new:  # can be said of an empty file alone: what is freed may be given back in small steps
                connection.pragma("auto_vacuum", "incremental")
            if connection.pragma("journal_mode", "wal") == "wal":
                return
        except apsw.BusyError:
            pass
        time.sleep(0.025)
    log.warning("could not switch to WAL; readers and writers will wait for each other")
