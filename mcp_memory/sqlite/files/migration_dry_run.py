"""Pending migrations of a file, and a rehearsal of them on a copy."""

from pathlib import Path

from mcp_memory.errors import Unusable
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.exchange.transfer import copy_of
from mcp_memory.sqlite.files.scratch import scratch_folder
from mcp_memory.sqlite.recovery import checks
from mcp_memory.sqlite.schema import Progress, names, no_progress, schema_version


def pending(path: Path) -> list[str]:
    """Return the names of the migrations that the file lacks, in order. Raises Unusable as opening it does."""
    database = Database(path, read_only=True, old="leave")
    try:
        with database.read() as connection:
            return names()[schema_version(connection) :]
    finally:
        database.close()


def rehearse(path: Path, progress: Progress = no_progress) -> None:
    """Migrate a copy of the file, check it and delete it. Raises what is wrong with it then."""
    with scratch_folder(path) as folder:
        key = copy_of(path, folder / "copy.db")
        copy = Database(folder / "copy.db", old="migrate", progress=progress, key=key)
        try:
            with copy.read() as connection:
                for problem in checks.problems(connection):
                    raise Unusable(f"A migrated copy of {path} is not sound: {problem}.")
        finally:
            copy.close()


def migrate(path: Path, progress: Progress = no_progress) -> None:
    """Back the file up, then migrate it in one transaction; it is left as it was where that fails."""
    Database(path, progress=progress).close()
