"""Repair: indexes rebuilt in place from whole truth, and damaged truth salvaged into a new file."""

import logging
import os
import re
import shutil
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from mcp_memory.errors import Conflict, InvalidInput, NotFound, Unusable
from mcp_memory.sqlite.database import APPLICATION_ID, Database, driver_errors, migrations, schema_version
from mcp_memory.sqlite.files import cipher
from mcp_memory.sqlite.files.scratch import scratch_database, scratch_folder
from mcp_memory.sqlite.index import rebuild
from mcp_memory.sqlite.index.postings import insert_words
from mcp_memory.sqlite.paths import place_of
from mcp_memory.sqlite.recovery import checks, file_header, fill_gaps, salvage, schema_page
from mcp_memory.sqlite.rows import INDEXED, fetch

log = logging.getLogger(__name__)

ATTEMPTS = 3  # Retries where others write during a rebuild
CARRIED = ("encoders", "vectors", "binary_vectors", "text_dates", "uses", "last_merge")
"""Indexes that are expensive to derive, of which each row is worth saving."""
CORE = frozenset({"operations", "sources", "items", "revisions"})  # Tables that every memory file has
CHANGES_AHEAD = 1 << 20  # Advance of the change counter, so that each process reloads its caches


@dataclass(frozen=True, slots=True)
class Recovered:
    """The result of a salvage."""

    saved: dict[str, int]  # Rows by table
    lost: dict[str, int]  # Referenced rows that can't be read, by table: at least these
    notes: tuple[str, ...]  # Reconstructed and dropped records
    missing: int = 0  # Pages that a truncated file lacks
    pages: int = 0  # Pages it had before it was truncated


def repair(database: Database) -> None:
    """Rebuild all indexes in one transaction from whole truth. Raises Unusable, with the way out, where truth is damaged."""
    with scratch_folder(place_of(database.path)) as folder:
        for attempt in range(ATTEMPTS):
            beside = folder / f"{attempt}.db"
            with closing(database.connect()) as watcher, closing(database.connect()) as damaged:
                seen = watcher.pragma("data_version")
                found = damage(damaged)
                if not found:
                    return  # another process has been faster
                if any(is_truth for _, is_truth in found):
                    raise _beyond(database.path, found)
                lost = _copy_whole(damaged, beside, key=database.key)
                if lost:
                    raise _beyond(database.path, [(line, True) for line in lost])
                if _write_back(database, beside, watcher=watcher, seen=seen):
                    log.warning("the indexes of %s were damaged (%s) and have been rebuilt", database.path, found[0][0])
                    return
    raise Conflict(f"{database.path} is damaged, and others went on writing while it was being mended. Try again.")


def damage(connection: apsw.Connection) -> list[tuple[str, bool]]:
    """Return SQLite's findings, each with whether it is in a table of truth itself."""
    roots = dict(fetch(connection, "SELECT rootpage, name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"))
    lines: list[str] = []
    try:
        lines += [
            line
            for (found_lines,) in connection.execute("PRAGMA integrity_check")
            for line in found_lines.splitlines()
            if line != "ok"
        ]
    except apsw.CorruptError as error:
        lines.append(str(error))
    with suppress(apsw.CorruptError):
        fetch(connection, "SELECT count(*) FROM text_index WHERE text_index MATCH 'a'")
    found: list[tuple[str, bool]] = []
    for line in lines:
        tree = re.match(r"Tree (\d+) ", line)
        name = roots.get(int(tree.group(1))) if tree else None
        wrong_value = re.match(r"(?:NULL|NUMERIC|TEXT|BLOB|REAL|INT\w*|non-\w+) value in (\w+)\.", line)
        name = wrong_value.group(1) if wrong_value else name
        if not line.startswith("***"):
            found.append((line, name is not None and not salvage.is_index(name)))
    return found


def _copy_whole(damaged: apsw.Connection, path: Path, *, key: cipher.Key | None) -> list[str]:
    """Copy all readable rows into a sound file; return what of the truth cannot be read."""
    with scratch_database(path, key=key) as fresh, closing(fresh.connect()) as target:
        target.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
        target.execute("BEGIN IMMEDIATE")
        target.execute("DELETE FROM sqlite_sequence WHERE name = 'revision_log'")
        target.execute(
            "INSERT INTO sqlite_sequence VALUES ('revision_log', ?)", (_last_change(damaged) + CHANGES_AHEAD,)
        )
        truth = [table for table in salvage.tables(damaged) if not salvage.is_index(table)]
        read = {table: salvage.copy_table(damaged, target, table) for table in truth}
        lost = [f"{table} can't be read whole" for table, rows in read.items() if not rows.whole]
        _carry_indexes(damaged, target)
        _index_words(target)
        target.execute("COMMIT")
        if not lost:
            with fresh.read() as connection:
                lost = list(checks.problems(connection))
    return lost


def _last_change(connection: apsw.Connection) -> int:
    with suppress(apsw.Error):
        return connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revision_log'").get
    return CHANGES_AHEAD


def _carry_indexes(damaged: apsw.Connection, target: apsw.Connection) -> None:
    """Copy the readable rows of expensive indexes; the rest is derived in the background."""
    for table in CARRIED:
        with suppress(apsw.Error):
            salvage.copy_table(damaged, target, table)
    for table in ("binary_vectors", "vectors", "text_dates"):
        target.execute(f"DELETE FROM {table} WHERE revision_id NOT IN (SELECT id FROM revisions)")
    target.execute("DELETE FROM uses WHERE item_id NOT IN (SELECT id FROM items)")
    for table in ("binary_vectors", "vectors"):
        target.execute(f"DELETE FROM {table} WHERE encoder_id NOT IN (SELECT id FROM encoders)")
    rebuild.drop_damaged_vectors(target)


def _index_words(target: apsw.Connection) -> None:
    for number, text, speaker in fetch(target, f"SELECT r.id, r.text, i.speaker {INDEXED} ORDER BY r.id"):
        insert_words(target, number, text, speaker)


def _write_back(database: Database, path: Path, *, watcher: apsw.Connection, seen: int) -> bool:
    """Overwrite the database's pages in one transaction; return False where others have written since."""
    beside = Database(path, key=database.key)
    with (
        closing(beside),
        closing(beside.connect()) as source,
        closing(database.connect()) as target,
        target.backup("main", source, "main") as copying,
    ):
        copying.step(0)  # takes the lock of a writer, and no page yet
        if watcher.pragma("data_version") != seen:
            return False
        copying.step(-1)
    database.checkpoint()
    return True


def _beyond(path: Path, found: Sequence[tuple[str, bool]]) -> Unusable:
    worst = next((line for line, is_truth in found if is_truth), found[0][0])
    return Unusable(
        f"{path} is damaged where what is remembered is kept ({worst}). Nothing was changed. Restore a backup, or save "
        f"what can be read, which tells what is lost: `mcp-memory recover {path} --to NEW`."
    )


def recover(damaged: Path, target: Path, *, clock: Callable[[], int]) -> Recovered:
    """Salvage a damaged file, read only, into a new one. Raises NotFound, Conflict, and Unusable where nothing is readable."""
    if not damaged.is_file():
        raise NotFound(f"There is no file {damaged}.")
    if target.exists():
        raise Conflict(f"{target} exists already; name a file that does not.")
    if damaged.absolute() == target.absolute():
        raise InvalidInput("What is saved goes into a new file; name another with --to.")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy, unfinished = (target.with_name(f".{target.name}.{part}") for part in ("damaged", "unfinished"))
    try:
        with driver_errors(damaged):
            for path in (copy, unfinished):
                _remove(path)
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            shutil.copyfile(damaged, copy)
            log_beside = Path(f"{place_of(damaged)}-wal")
            if log_beside.exists():
                shutil.copyfile(log_beside, f"{copy}-wal")
            recovered = _recover(copy, unfinished, clock, named=damaged)
            unfinished.replace(target)
    finally:
        for path in (copy, unfinished):
            _remove(path)
    return recovered


def _opened(path: Path, key: cipher.Key | None) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    try:
        cipher.unlock(connection, path, key)
    except apsw.CorruptError as error:
        raise Unusable(
            f"The list of its tables can't be read ({error}), and that of an encrypted file can't be put back. Restore a "
            "backup."
        ) from error
    return connection


def _recover(damaged: Path, path: Path, clock: Callable[[], int], *, named: Path) -> Recovered:
    with closing(apsw.Connection(str(damaged))) as connection:
        key, head = cipher.opening(connection, named)
    missing, pages = schema_page.missing_pages(damaged, head)
    schema_page.pad_missing_pages(damaged, head)
    relisted = _rebuild_schema_page(damaged) if key is None else None
    with ExitStack() as stack:
        old = stack.enter_context(closing(_opened(damaged, key)))
        if key is not None:
            cipher.begin_beside(old, path)
        new = stack.enter_context(closing(_opened(path, key)))
        new.pragma("auto_vacuum", "incremental")
        listed = set(salvage.tables(old))
        version = relisted or _version_of(old, listed)
        _run_migrations(new, 0, version)
        truth = [table for table in salvage.tables(new) if not salvage.is_index(table)]
        new.execute("BEGIN IMMEDIATE")
        read = {table: salvage.copy_table(old, new, table) for table in truth}
        new.execute("COMMIT")
        _run_migrations(new, version, len(migrations()))
        new.execute("BEGIN IMMEDIATE")
        notes = [
            f"where {table} begins is not known, so nothing of it is saved" for table in truth if table not in listed
        ]
        notes += fill_gaps.fill_gaps(new, clock)
        if version == len(migrations()):
            _carry_indexes(old, new)
        _index_words(new)
        new.execute("COMMIT")
    with closing(Database(path, key=key)) as fresh, fresh.read() as connection:
        notes += checks.problems(connection)
        saved = {table: connection.execute(f"SELECT count(*) FROM {table}").get for table in truth}
    if not saved["items"] and not any(rows.saved for rows in read.values()):
        raise Unusable(
            f"Nothing can be read of it: {'; '.join(notes) or 'all its pages are damaged, or it was empty'}."
        )
    lost = {table: len(rows.lost) for table, rows in read.items() if rows.lost}
    return Recovered(saved, lost, tuple(notes), missing, pages)


def _rebuild_schema_page(path: Path) -> int | None:
    """Rebuild an unreadable schema page and return its schema, None where it is readable. Raises Unusable."""
    try:
        return _rebuild_where_needed(path)
    except apsw.NotADBError as error:
        version = _rebuild_header(path)
        if version is None:
            raise Unusable(
                f"The first page of the file can't be read ({error}), and its other pages are not those of a memory file of "
                "this mcp-memory, or lie where an older one put them. Restore a backup: `mcp-memory restore BACKUP`."
            ) from error
        return version


def _rebuild_where_needed(path: Path) -> int | None:
    version = schema_page.version_in_header(path)
    with closing(apsw.Connection(str(path))) as connection:
        try:
            rows = fetch(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'")
            names = {name for (name,) in rows}
            sound = version is None or names >= CORE
        except apsw.CorruptError as error:
            sound = False
            if version is None:
                raise Unusable(
                    f"The list of its tables can't be read ({error}), and it is not marked as a memory file. Restore a "
                    "backup."
                ) from error
    if sound or version is None:
        return None
    if not schema_page.rebuild_schema_page(path, version, lambda new: _run_migrations(new, 0, version)):
        raise Unusable("The list of its tables can't be read, and where they begin is not known. Restore a backup.")
    return version


def _rebuild_header(path: Path) -> int | None:
    """Rebuild a copy's header, and its schema page where needed; return the best fitting schema, None where none fits."""
    if not file_header.rebuild_header(path, len(migrations())):
        return None
    versions = range(len(migrations()), 0, -1)
    for version in versions:
        if schema_page.schema_matches(path, lambda new, to=version: _run_migrations(new, 0, to)):
            file_header.rebuild_header(path, version)
            return version
    shares = {v: schema_page.layout_fit(path, lambda new, to=v: _run_migrations(new, 0, to)) for v in versions}
    version = max(shares, key=lambda v: shares[v])  # the first of the best
    if not shares[version] or not schema_page.rebuild_schema_page(
        path, version, lambda new: _run_migrations(new, 0, version)
    ):
        return None
    return version


def _version_of(connection: apsw.Connection, listed: Set[str]) -> int:
    version = schema_version(connection)
    if not listed >= CORE:
        raise Unusable("It is no memory file: its tables are others. Nothing was saved.")
    if not 0 < version <= len(migrations()):
        raise Unusable(
            f"It has schema {version}, and this mcp-memory knows 1 to {len(migrations())}. Upgrade mcp-memory."
        )
    return version


def _run_migrations(connection: apsw.Connection, version: int, latest: int) -> None:
    for number, script in enumerate(migrations()[version:latest], start=version + 1):
        connection.execute(script).fetchall()
        connection.pragma("user_version", number)
    connection.pragma("application_id", APPLICATION_ID)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
