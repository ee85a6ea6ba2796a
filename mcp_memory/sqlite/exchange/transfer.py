"""Export, import and merge of the truth of a file, each of one moment and all or nothing."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw

from mcp_memory.errors import Conflict, InvalidInput, MemoryProblem, Unusable, WrongKey
from mcp_memory.exchange.importers.jsonl import Damage, read
from mcp_memory.exchange.merge_result import MergeResult
from mcp_memory.exchange.records import Record
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.exchange import last_merge, records
from mcp_memory.sqlite.exchange.merge import merge
from mcp_memory.sqlite.files.cipher import KEY_VARIABLE, NEW_KEY_VARIABLE, Key
from mcp_memory.sqlite.files.scratch import scratch_database, scratch_folder
from mcp_memory.sqlite.index import postings
from mcp_memory.sqlite.paths import size_of
from mcp_memory.sqlite.recovery import checks

log = logging.getLogger(__name__)

NAMED = 20
DATED = 500  # States dated per transaction: 0.1 s


def export(database: Database) -> Iterator[Record]:
    """Yield every record of one moment, while others write."""
    with database.read() as connection:
        yield from records.records(connection)


def merge_file(database: Database, other: Path, *, zone_offset: int, dry_run: bool = False) -> MergeResult:
    """Merge another memory file of any schema, which is only read. Raises Unusable or Conflict; `dry_run` changes nothing."""
    with scratch_folder(database.path) as folder:
        key = copy_of(other, folder / "other.db")
        if key is not None and database.key is None and not dry_run:
            raise Conflict(
                f"{other} is encrypted and {database.path} is not, so nothing was brought in. `mcp-memory encrypt` the "
                "file first, or name another file with --database."
            )
        with scratch_database(folder / "other.db", key=key) as staging:
            return _bring(database, staging, zone_offset=zone_offset, dry_run=dry_run)


def import_lines(
    database: Database, lines: Iterable[bytes], *, zone_offset: int, skip_damaged: bool = False, dry_run: bool = False
) -> MergeResult:
    """Merge exported lines, all or nothing unless `skip_damaged`. Raises InvalidInput naming the damaged ones."""
    with scratch_folder(database.path) as folder, scratch_database(folder / "import.db", key=database.key) as staging:
        with staging.write() as connection:
            damaged = records.insert(connection, read(lines))
            if damaged and not skip_damaged:
                raise InvalidInput(_damage_report(damaged))
            lost = records.drop_dangling(connection)
            if lost and not skip_damaged:
                raise InvalidInput(
                    f"The file was not imported: {lost} of its records refer to records that are not in it. "
                    "Export it again, or use --skip-damaged to leave them out."
                )
        result = _bring(database, staging, zone_offset=zone_offset, dry_run=dry_run)
    return MergeResult(result.added, result.erased, result.conflicts, len(damaged) + lost)


def _bring(database: Database, staged: Database, *, zone_offset: int, dry_run: bool) -> MergeResult:
    with staged.read() as other:
        for problem in checks.truth_problems(other):
            raise InvalidInput(f"Nothing was brought in, because the other file is not sound: {problem}.")
        with database.write() as connection:
            connection.execute("SAVEPOINT before")
            result = merge(connection, other)
            _require_whole(connection)
            if dry_run:
                connection.execute("ROLLBACK TO before")
            elif result.total:
                last_merge.record_merge(connection, at=time.time_ns() // 1_000_000)
    if not dry_run:
        try:
            if result.erased:
                database.checkpoint()
            _read_dates(database, zone_offset=zone_offset)
        except MemoryProblem as problem:  # it is brought in; the dates are read when the file is next served
            log.warning("the dates in what came from the other file could not be read yet: %s", problem)
    return result


def _read_dates(database: Database, *, zone_offset: int) -> None:
    while True:
        with database.write() as connection:
            if postings.read_dates(connection, zone_offset=zone_offset, limit=DATED) < DATED:
                return


def _require_whole(connection: apsw.Connection) -> None:
    for table, _, parent in records.dangling(connection):
        raise InvalidInput(
            f"Nothing was brought in: a row of {table} would refer to one of {parent} that is not there."
        )


def _damage_report(damaged: list[Damage]) -> str:
    more = f"\nand {len(damaged) - NAMED} more" if len(damaged) > NAMED else ""
    return (
        f"The file was not imported, because {len(damaged)} of its lines can't be used:\n"
        + "\n".join(str(damage) for damage in damaged[:NAMED])
        + f"{more}\nExport it again, or use --skip-damaged to leave them out."
    )


def copy_of(other: Path, target: Path) -> Key | None:
    """Copy another memory file at one moment and return the key of both. Raises Unusable where it is empty or unreadable."""
    if other.is_file() and not size_of(other):
        raise Unusable(
            f"{other} is empty (0 bytes), and a memory file never is. Nothing was changed; name another file."
        )
    try:
        source = Database(other, read_only=True, old="leave")
    except WrongKey as problem:
        raise Unusable(
            f"{problem} Where it has a key of its own, as a backup from before a `mcp-memory rekey` has, give it the present "
            f"one first: `mcp-memory rekey --database {other}`, with its own key in {KEY_VARIABLE} and the present one in "
            f"{NEW_KEY_VARIABLE}."
        ) from problem
    try:
        source.copy_to(target)
    finally:
        source.close()
    return source.key
