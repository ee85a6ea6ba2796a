"""Restore: a backup replaces a file that others may have open, without losing what is newer in it.

SQLite's backup interface writes the pages of the backup into the file as one transaction of its own: other processes
read the old state until it is committed and the new one after it, on the same file, and a kill on the way leaves the
old one. While that transaction is open nobody else writes, so what is compared and what is kept is what is replaced.
"""

import contextlib
import logging
import secrets
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from mcp_memory.domain.model import Operation
from mcp_memory.errors import Conflict, InvalidInput, MemoryProblem, NotFound, Unusable
from mcp_memory.language.token_count import counted
from mcp_memory.sqlite.database import Database, driver_errors
from mcp_memory.sqlite.exchange.transfer import copy_of
from mcp_memory.sqlite.files import backup_names, rekey
from mcp_memory.sqlite.files.cipher import Key
from mcp_memory.sqlite.files.permissions import FILE, make_directory, make_file
from mcp_memory.sqlite.files.scratch import scratch_folder
from mcp_memory.sqlite.history.undo import describe_operation
from mcp_memory.sqlite.paths import place_of, settle
from mcp_memory.sqlite.recovery import checks
from mcp_memory.sqlite.rows import OPERATION_COLUMNS, fetch
from mcp_memory.sqlite.rows import operation as operation_of

log = logging.getLogger(__name__)

NAMED = 10  # The latest operations that a refusal names; the rest is counted
_COUNTERS = ("revision_log", "cluster_queue", "clusters")
"""Tables whose numbers other processes follow: a restore never reuses one."""


@dataclass(frozen=True, slots=True)
class Restored:
    kept_at: Path | None  # The copy of the replaced file
    lost: int  # Operations missing from the backup


def restore(path: Path, backup: Path, *, now: datetime, force: bool = False) -> Restored:
    """Restore a backup over a copied `path`. Raises NotFound, Unusable, and Conflict where operations would be lost."""
    if not backup.exists():
        raise NotFound(f"There is no backup {backup}.")
    if path.exists() and backup.samefile(path):
        raise InvalidInput(f"{backup} is the file itself; name a backup of it.")
    place = place_of(path)
    with driver_errors(path):
        make_directory(place.parent)
    with scratch_folder(place) as folder:
        sound, key = _sound_copy(backup, folder / "restored.db")
        if not path.exists() or not path.stat().st_size:
            with driver_errors(path):
                _set_aside(place, backup_names.target(path, now, before="restore"))
                settle(sound, place)
            return Restored(None, 0)
        try:
            database = Database(path, old="leave")
        except Unusable as problem:
            if not isinstance(problem.__cause__, apsw.NotADBError | apsw.CorruptError):
                raise
            kept_at = backup_names.target(path, now, before="restore")
            return _replace_damaged(place, sound, kept_at, force=force, problem=problem)
        try:
            return _replace(database, sound, now, key=_as_encrypted(database, sound, key), force=force)
        finally:
            database.close()


def _sound_copy(backup: Path, target: Path) -> tuple[Path, Key | None]:
    """Return a migrated, checked copy of the backup, and the key that opens it."""
    key = copy_of(backup, target)
    copy = Database(target, old="migrate", key=key)
    try:
        with copy.read() as connection:
            for problem in checks.problems(connection):
                raise Unusable(f"{backup} is damaged and was not restored: {problem}.")
        copy.checkpoint()
    finally:
        copy.close()
    return target, key


def _as_encrypted(database: Database, sound: Path, key: Key | None) -> Key | None:
    """Encrypt the copy where the file is encrypted; return the copy's key."""
    if database.key is None and key is not None:
        raise Conflict(
            f"The backup is encrypted and {database.path} is not, so nothing was restored. `mcp-memory encrypt` the file "
            "first, or name another file with --database."
        )
    if database.key is not None and key is None:
        rekey.encrypt(sound, database.key, salt=secrets.token_hex(16))
        return database.key
    return key


def _replace(database: Database, sound: Path, now: datetime, *, key: Key | None, force: bool) -> Restored:
    path, restored = database.path, Restored(None, 0)
    with driver_errors(path), contextlib.closing(database.connection()) as target:
        source = Database(sound, key=key)
        try:
            _require_page_size(target, source)
            with contextlib.closing(source.connection()) as pages, target.backup("main", pages, "main") as writing:
                writing.step(0)  # begins the transaction, and copies nothing
                lost = _require_nothing_newer(database, source, force=force)
                restored = Restored(_keep(database, now, force=force), lost)
                _go_on_counting(database, source)
                writing.step(-1)
                if not writing.done:
                    raise Conflict(f"{path} was not restored, because the backup could not be read to its end.")
        finally:
            source.close()
    with contextlib.suppress(MemoryProblem):  # what was replaced leaves the log; else the next checkpoint does it
        database.checkpoint()
    return restored


def _require_page_size(target: apsw.Connection, source: Database) -> None:
    """Give the copy pages of the file's size, as a file in WAL mode takes no others."""
    size = target.pragma("page_size")
    with contextlib.closing(source.connection()) as connection:
        if connection.pragma("page_size") != size:
            connection.pragma("journal_mode", "delete")
            connection.pragma("page_size", size)
            connection.execute("VACUUM")


def _require_nothing_newer(database: Database, source: Database, *, force: bool) -> int:
    """Return the number of operations that would be lost. Raises Conflict naming them, unless forced."""
    try:
        newer = _newer(database, source)
    except MemoryProblem as problem:
        if force:
            return 0
        raise Conflict(
            f"{database.path} can't be compared with the backup ({problem}). Restore with --force: the damaged file is kept."
        ) from problem
    if newer and not force:
        named = "\n".join(f"  {describe_operation(operation)}: {operation.summary}" for operation in newer[:NAMED])
        more = f"\n  and {len(newer) - NAMED} earlier ones" if len(newer) > NAMED else ""
        raise Conflict(
            f"{database.path} holds {counted(len(newer), 'operation')} that the backup does not have, so nothing was restored:\n"
            f"{named}{more}\n`mcp-memory merge BACKUP` brings in what only the backup has and loses nothing; "
            "--force restores all the same and keeps the present file."
        )
    return len(newer)


def _newer(database: Database, source: Database) -> list[Operation]:
    with source.read() as connection:
        known = {row[0] for row in fetch(connection, "SELECT id FROM operations")}
    with _reading(database) as connection:
        columns = {row[1] for row in fetch(connection, "PRAGMA table_info(operations)")}
        wanted = OPERATION_COLUMNS if "takes_back" in columns else _PLAIN
        rows = fetch(connection, f"SELECT o.id, {wanted} FROM operations AS o ORDER BY o.at DESC")
    return [operation_of(row[1:]) for row in rows if row[0] not in known]


_PLAIN = "o.id, o.verb, o.at, o.client, o.session, o.summary, NULL, 0, 0"  # Columns of an older schema


@contextlib.contextmanager
def _reading(database: Database) -> Generator[apsw.Connection]:
    with driver_errors(database.path), contextlib.closing(database.connection()) as connection:
        yield connection


def _keep(database: Database, now: datetime, *, force: bool) -> Path:
    """Copy the file to be replaced, a damaged one byte by byte; return the copy's path."""
    try:
        return database.copy_dated(now, lambda connection: [], before="restore")
    except MemoryProblem as problem:
        if not force or not isinstance(problem, Unusable):
            raise
        log.warning("the file that is replaced is damaged (%s); it is kept as it is", problem)
    kept_at = backup_names.target(database.path, now, before="restore")
    _copy_files(place_of(database.path), kept_at)
    return kept_at


def _copy_files(path: Path, kept_at: Path) -> None:
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            make_file(Path(f"{kept_at}{suffix}"))
            shutil.copyfile(f"{path}{suffix}", f"{kept_at}{suffix}")


def _go_on_counting(database: Database, source: Database) -> None:
    """Advance the copy's counters past the file's, so that other processes read everything anew."""
    with _reading(database) as connection:
        ours = _counters(connection)
    with source.write() as connection:
        theirs = _counters(connection)
        for table in _COUNTERS:
            number = max(ours.get(table, 0), theirs.get(table, 0)) + 1
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))
        connection.execute("DELETE FROM revision_log")
        connection.execute("INSERT INTO revision_log (revision_id) VALUES (0)")
        generation = max(ours.get("cluster_state", 0), theirs["cluster_state"]) + 1
        connection.execute("UPDATE cluster_state SET generation = ?", (generation,))


def _counters(connection: apsw.Connection) -> dict[str, int]:
    """Return the last number of each counter that the file's schema has."""
    tables = {row[0] for row in fetch(connection, "SELECT name FROM sqlite_schema")}
    found: dict[str, int] = {}
    if "sqlite_sequence" in tables:
        found |= dict(fetch(connection, "SELECT name, seq FROM sqlite_sequence"))
    if "cluster_state" in tables:
        found["cluster_state"] = connection.execute("SELECT generation FROM cluster_state").get
    return found


def _replace_damaged(path: Path, sound: Path, kept_at: Path, *, force: bool, problem: Unusable) -> Restored:
    """Replace a file that SQLite does not recognise as a database."""
    if not force:
        raise Conflict(
            f"{problem} So it can't be told what it holds that the backup does not. Restore with --force: the damaged "
            "file is kept."
        ) from problem
    with driver_errors(path):
        _set_aside(path, kept_at)
        settle(sound, path)
    return Restored(kept_at, 0)


def _set_aside(path: Path, kept_at: Path) -> None:
    """Move a file away with its WAL, which SQLite would apply to its successor."""
    for suffix in ("-wal", "-shm", ""):
        if Path(f"{path}{suffix}").exists():
            make_directory(kept_at.parent)
            Path(f"{path}{suffix}").replace(f"{kept_at}{suffix}")
            Path(f"{kept_at}{suffix}").chmod(FILE)
