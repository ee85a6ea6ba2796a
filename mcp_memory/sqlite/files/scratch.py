"""Scratch space next to the file, for this user only: a directory, and memory files in it."""

import contextlib
import secrets
import tempfile
from collections.abc import Generator
from pathlib import Path

from mcp_memory.sqlite.database import Database, driver_errors
from mcp_memory.sqlite.files import rekey
from mcp_memory.sqlite.files.cipher import Key


@contextlib.contextmanager
def scratch_folder(path: Path) -> Generator[Path]:
    """Yield a directory for this user only on the file's own disk, deleted afterwards."""
    with driver_errors(path), tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        yield Path(folder)


@contextlib.contextmanager
def scratch_database(path: Path, *, key: Key | None) -> Generator[Database]:
    """Yield a file of the present schema, encrypted where there is a key, as nothing may lie there in clear."""
    if key is not None and not path.exists():
        rekey.encrypt(path, key, salt=secrets.token_hex(16))
    database = Database(path, old="migrate", key=key)
    try:
        yield database
    finally:
        database.close()
