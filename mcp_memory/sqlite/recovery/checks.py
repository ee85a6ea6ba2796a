"""Checks of a file, its checked backup, and dates that its index lacks."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import apsw

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import Embedding, normal_hash, sha256, spoken
from mcp_memory.errors import Conflict
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.index import vectors as codec
from mcp_memory.sqlite.index.postings import insert_dates
from mcp_memory.sqlite.index.verify import INDEXED, counted_problems, dates_problems, vectors_problems, words_problems
from mcp_memory.sqlite.rows import fetch
from mcp_memory.sqlite.schema import broken_references, integrity_problems

UNDATED = f"{INDEXED} AND NOT EXISTS (SELECT 1 FROM text_dates AS t WHERE t.revision_id = r.id)"
SAID = "coalesce(r.occurred_at, i.recorded_at + ?)"
"""A state's own date at face value, given the zone offset."""


def add_embeddings(connection: apsw.Connection, identity: str, embeddings: Mapping[int, Embedding]) -> None:
    """Store vectors of states that are still there and have none of this encoder."""
    encoder = connection.execute("SELECT id FROM encoders WHERE identity = ?", (identity,)).get
    if encoder is None:
        raise Conflict(f"The vectors of the encoder {identity} were dropped in the meantime: another one serves now.")
    codec.insert(connection, encoder, embeddings)


def lacks_dates(connection: apsw.Connection) -> bool:
    """Return whether there are states whose dates are not indexed; counted first, which is ten times as fast."""
    counted = "SELECT (SELECT count(*) FROM text_index_docsize) = (SELECT count(*) FROM text_dates)"
    return not connection.execute(counted).get and bool(fetch(connection, f"SELECT 1 {UNDATED} LIMIT 1"))


def read_dates(connection: apsw.Connection, *, zone_offset: int, limit: int) -> int:
    """Index the dates of states that lack them; return how many did."""
    rows = fetch(connection, f"SELECT r.id, r.text, {SAID} {UNDATED} LIMIT ?", (zone_offset, limit))
    for revision_id, text, said in rows:
        insert_dates(connection, revision_id, text, said=said)
    return len(rows)


def backup(database: Database, target: Path) -> None:
    """Copy the file as it is at one moment to `target`, and put it there only where the copy proves sound.

    Raises Conflict where `target` exists already, Unusable where it can't be written or the copy is damaged.
    """
    database.copy_checked(target, problems)


def backup_dated(database: Database, at: datetime, *, before: str | None = None, folder: Path | None = None) -> Path:
    """Do the same under a dated name (backup_names.target), and return its path."""
    return database.copy_dated(at, problems, before=before, folder=folder)


def problems(connection: apsw.Connection) -> Iterator[str]:
    """Yield each problem of the file, in words."""
    yield from _told(connection, integrity_problems, broken_references, truth_problems, counted_problems)


def differences(connection: apsw.Connection) -> Iterator[str]:
    """Yield each difference between indexes and truth: they are derived again to be compared, 100,000 items in a
    minute."""
    yield from _told(connection, words_problems, dates_problems, vectors_problems)


def _told(connection: apsw.Connection, *looks: Callable[[apsw.Connection], Iterator[str]]) -> Iterator[str]:
    for look in looks:
        try:
            yield from look(connection)
        except apsw.CorruptError as error:
            yield f"SQLite: {error}; what lies behind the damage could not be read"


def truth_problems(connection: apsw.Connection) -> Iterator[str]:
    """Yield what is wrong with the truth: texts that are not those that were recorded, items without a state."""
    for source, digest, text in connection.execute("SELECT id, sha256, text FROM sources"):
        if sha256(text) != digest:
            yield f"the text of source #{id_text(source)} does not have the SHA-256 it was recorded with"
        first_states = connection.execute(
            "SELECT i.id, i.span_start, i.span_end, r.text FROM items AS i "
            "LEFT JOIN revisions AS r ON r.item_id = i.id AND r.number = 1 WHERE i.source_id = ?",
            (source,),
        )
        for number, start, end, said in first_states:
            if said != text[start:end]:
                yield f"memory #{id_text(number)} does not say what its source says at its place"
    for number, text, speaker, digest in connection.execute(
        "SELECT r.item_id, r.text, i.speaker, r.normal_hash FROM revisions AS r JOIN items AS i ON i.id = r.item_id"
    ):
        if normal_hash(spoken(text, speaker)) != digest:
            yield f"a state of memory #{id_text(number)} does not have the hash of its text"
    for (number,) in fetch(
        connection,
        "SELECT id FROM items WHERE id NOT IN (SELECT item_id FROM revisions WHERE until_time IS NULL)",
    ):
        yield f"memory #{id_text(number)} has no present state"
