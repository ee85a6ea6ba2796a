"""Checks of a file, and its checked backup."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import apsw

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import normal_hash, sha256, spoken
from mcp_memory.language.token_count import counted
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.rows import INDEXED, fetch
from mcp_memory.sqlite.schema import broken_references, integrity_problems


def backup(database: Database, target: Path) -> None:
    """Write a checked snapshot to `target`. Raises Conflict where it exists, Unusable where it fails or is damaged."""
    database.copy_checked(target, problems)


def backup_dated(database: Database, at: datetime, *, before: str | None = None, folder: Path | None = None) -> Path:
    """Write a checked snapshot under a dated name (backup_names.target); return its path."""
    return database.copy_dated(at, problems, before=before, folder=folder)


def problems(connection: apsw.Connection) -> Iterator[str]:
    """Yield each problem of the file, in words."""
    yield from guarded(connection, integrity_problems, broken_references, truth_problems, counted_problems)


def guarded(connection: apsw.Connection, *looks: Callable[[apsw.Connection], Iterator[str]]) -> Iterator[str]:
    for look in looks:
        try:
            yield from look(connection)
        except apsw.CorruptError as error:
            yield f"SQLite: {error}; what lies behind the damage could not be read"


def truth_problems(connection: apsw.Connection) -> Iterator[str]:
    """Yield problems of the truth: texts that fail their hash, items without a state."""
    for source, digest, text in connection.execute("SELECT id, sha256, text FROM sources"):
        if sha256(text) != digest:
            yield f"the text of source #{id_text(source)} does not have the SHA-256 it was recorded with"
        for number, start, end, said in connection.execute(
            "SELECT i.id, i.span_start, i.span_end, r.text FROM items AS i "
            "LEFT JOIN revisions AS r ON r.item_id = i.id AND r.number = 1 WHERE i.source_id = ?",
            (source,),
        ):
            if said != text[start:end]:
                yield f"memory #{id_text(number)} does not say what its source says at its place"
    for number, text, speaker, digest in connection.execute(
        "SELECT r.item_id, r.text, i.speaker, r.normal_hash FROM revisions AS r JOIN items AS i ON i.id = r.item_id"
    ):
        if normal_hash(spoken(text, speaker)) != digest:
            yield f"a state of memory #{id_text(number)} does not have the hash of its text"
    for (number,) in fetch(
        connection, "SELECT id FROM items WHERE id NOT IN (SELECT item_id FROM revisions WHERE until_time IS NULL)"
    ):
        yield f"memory #{id_text(number)} has no present state"


def counted_problems(connection: apsw.Connection) -> Iterator[str]:
    """Count states missing from the full-text index, and those it holds too many."""
    missing: int = connection.execute(
        f"SELECT count(*) {INDEXED} AND r.id NOT IN (SELECT id FROM text_index_docsize)"
    ).get
    if missing:
        yield f"{counted(missing, 'state is', 'states are')} missing from the index of words; run `mcp-memory reindex`"
    extra: int = connection.execute(
        f"SELECT count(*) FROM text_index_docsize WHERE id NOT IN (SELECT r.id {INDEXED})"
    ).get
    if extra:
        yield f"the index of words holds {counted(extra, 'state that is', 'states that are')} not there; run `mcp-memory reindex`"
