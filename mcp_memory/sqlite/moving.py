"""Truth going out of a file and coming into it: export, import and merge, each of one moment and all or nothing."""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import apsw

from mcp_memory.errors import InvalidInput
from mcp_memory.importers.jsonl import Damage, read
from mcp_memory.merged import Merged
from mcp_memory.sqlite import brought, records, rewriting, upkeep
from mcp_memory.sqlite.cipher import Key
from mcp_memory.sqlite.database import Database, driver_errors
from mcp_memory.sqlite.merging import merge
from mcp_memory.truth import Record

TOLD = 20
"""Damaged lines that are named; of more the rest is counted."""
DATED = 500
"""States between two commits whose dates are read: 0.1 s."""


def export(database: Database) -> Iterator[Record]:
    """Every record of truth as it is at one moment, while others write."""
    with database.read() as connection:
        yield from records.records(connection)


def merge_file(database: Database, other: Path, *, zone_offset: int, dry_run: bool = False) -> Merged:
    """Bring all that another memory file holds into this one; the other file is only read, and may be in use.

    It may be of an older schema. Raises Unusable where it is no sound memory file. With `dry_run` nothing is changed.
    """
    with folder_beside(database.path) as folder:
        source = Database(other, read_only=True, old="leave")
        try:
            source.copy_to(folder / "other.db")
        finally:
            source.close()
        with _staged(folder / "other.db", key=source.key) as staged:
            return _bring(database, staged, zone_offset=zone_offset, dry_run=dry_run)


def import_lines(
    database: Database, lines: Iterable[bytes], *, zone_offset: int, skip_damaged: bool = False, dry_run: bool = False
) -> Merged:
    """Bring in what was exported: all of it, or nothing where any line is damaged and `skip_damaged` is not given.

    Without a damaged line, and what is nothing without it, the rest is brought in. Raises InvalidInput naming the lines.
    """
    with folder_beside(database.path) as folder, _staged(folder / "import.db", key=database.key) as staged:
        with staged.write() as connection:
            damaged = records.insert(connection, read(lines))
            if damaged and not skip_damaged:
                raise InvalidInput(_damage_told(damaged))
            lost = records.drop_dangling(connection)
            if lost and not skip_damaged:
                raise InvalidInput(
                    f"The file was not imported: {lost} of its records refer to records that are not in it. "
                    "Export it again, or use --skip-damaged to leave them out."
                )
        result = _bring(database, staged, zone_offset=zone_offset, dry_run=dry_run)
    return Merged(result.came, result.erased, result.clashes, len(damaged) + lost)


def _bring(database: Database, staged: Database, *, zone_offset: int, dry_run: bool) -> Merged:
    with staged.read() as other:
        for problem in upkeep.truth_problems(other):
            raise InvalidInput(f"Nothing was brought in, because the other file is not sound: {problem}.")
        with database.write() as connection:
            connection.execute("SAVEPOINT before")
            result = merge(connection, other)
            _require_whole(connection)
            if dry_run:
                connection.execute("ROLLBACK TO before")
            elif result.total:
                brought.note(connection, at=time.time_ns() // 1_000_000)
    if dry_run:
        return result
    if result.erased:
        database.checkpoint()
    while True:
        with database.write() as connection:
            if upkeep.read_dates(connection, zone_offset=zone_offset, limit=DATED) < DATED:
                return result


def _require_whole(connection: apsw.Connection) -> None:
    for table, _, parent in records.dangling(connection):
        raise InvalidInput(
            f"Nothing was brought in: a row of {table} would refer to one of {parent} that is not there."
        )


def _damage_told(damaged: list[Damage]) -> str:
    more = f"\nand {len(damaged) - TOLD} more" if len(damaged) > TOLD else ""
    return (
        f"The file was not imported, because {len(damaged)} of its lines can't be used:\n"
        + "\n".join(str(damage) for damage in damaged[:TOLD])
        + f"{more}\nExport it again, or use --skip-damaged to leave them out."
    )


@contextlib.contextmanager
def folder_beside(path: Path) -> Generator[Path]:
    """A directory for this user only on the file's own disk, gone afterwards."""
    with (
        driver_errors(path),
        tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder,
    ):
        yield Path(folder)


@contextlib.contextmanager
def _staged(path: Path, *, key: Key | None) -> Generator[Database]:
    """A file of today's schema, made where there is none; encrypted where there is a key, as nothing may lie there in clear."""
    if key is not None and not path.exists():
        rewriting.encrypt(path, key, salt=secrets.token_hex(16))
    staged = Database(path, old="migrate", key=key)
    try:
        yield staged
    finally:
        staged.close()
