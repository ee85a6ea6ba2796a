"""Rebuild of the indexes of words and dates while others read and write."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import apsw

from mcp_memory.language.dates.extraction import text_periods
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.index.postings import indexed
from mcp_memory.sqlite.index.verify import damaged_vectors
from mcp_memory.sqlite.rows import INDEXED, fetch

BATCH = 1_000  # States per transaction: 10 ms of writing
SHADOWS = ("text_index_data", "text_index_idx", "text_index_docsize", "text_index_config")
"""The shadow tables of an FTS5 index."""

_LACKING = f"{INDEXED} AND r.id NOT IN (SELECT id FROM fresh.kept)"


def reindex_words(database: Database, progress: Callable[[int, int], None], *, zone_offset: int) -> None:
    """Rebuild words and dates in memory and swap them in by one transaction; `progress` gets states done of all."""
    with database.index_writer() as connection:
        connection.execute("ATTACH ':memory:' AS fresh KEY ''")
        schema: str = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'text_index'").get
        connection.execute(schema.replace("text_index", "fresh.text_index", 1))
        connection.execute("INSERT INTO fresh.text_index (text_index, rank) VALUES ('secure-delete', 1)")
        connection.execute("CREATE TABLE fresh.kept (id INTEGER PRIMARY KEY, words TEXT, grams TEXT)")
        total: int = connection.execute(f"SELECT count(*) {INDEXED}").get
        done = 0
        while states := _take(connection, zone_offset=zone_offset, limit=BATCH):
            _write_dates(connection, states)
            done += len(states)
            progress(min(done, total), total)
        connection.execute("INSERT INTO fresh.text_index (text_index) VALUES ('optimize')")
        connection.execute("BEGIN IMMEDIATE")
        try:
            while _take(connection, zone_offset=zone_offset, limit=BATCH):
                pass  # what came in the meantime has its dates already
            _put_in_place(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _take(connection: apsw.Connection, *, zone_offset: int, limit: int) -> list[tuple[int, str, int]]:
    """Index the words of the next states in memory; return their numbers, texts and own dates at face value."""
    rows = fetch(
        connection,
        f"SELECT r.id, r.text, i.speaker, coalesce(r.occurred_at, i.recorded_at + ?) {_LACKING} ORDER BY r.id LIMIT ?",
        (zone_offset, limit),
    )
    for number, text, speaker, _ in rows:
        row = (number, *indexed(text, speaker))
        connection.execute("INSERT INTO fresh.kept VALUES (?, ?, ?)", row)
        connection.execute("INSERT INTO fresh.text_index (rowid, words, grams) VALUES (?, ?, ?)", row)
    return [(number, text, said) for number, text, _, said in rows]


def _write_dates(connection: apsw.Connection, states: Sequence[tuple[int, str, int]]) -> None:
    read = [
        (number, json.dumps(text_periods(text, said=datetime.fromtimestamp(said / 1000, UTC))))
        for number, text, said in states
    ]
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(
            "INSERT INTO text_dates (revision_id, periods) SELECT :state, :periods FROM revisions WHERE id = :state "
            "ON CONFLICT DO UPDATE SET periods = excluded.periods WHERE periods <> excluded.periods",
            ({"state": number, "periods": periods} for number, periods in read),
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _put_in_place(connection: apsw.Connection) -> None:
    """Replace the file's index by the one built in memory, without what was erased meanwhile."""
    gone = fetch(
        connection,
        "SELECT id, words, grams FROM fresh.kept WHERE id NOT IN (SELECT id FROM main.revisions WHERE status = 'live')",
    )
    connection.executemany(
        "INSERT INTO fresh.text_index (text_index, rowid, words, grams) VALUES ('delete', ?, ?, ?)", gone
    )
    connection.execute(
        "DELETE FROM text_dates WHERE revision_id NOT IN (SELECT id FROM revisions WHERE status = 'live')"
    )
    for table in SHADOWS:
        connection.execute(f"DELETE FROM main.{table}")
        connection.execute(f"INSERT INTO main.{table} SELECT * FROM fresh.{table}")


def drop_damaged_vectors(connection: apsw.Connection) -> None:
    """Delete unusable vectors, to be computed anew."""
    wrong = list(damaged_vectors(connection))
    for table in ("vectors", "binary_vectors"):
        connection.executemany(f"DELETE FROM {table} WHERE encoder_id = ? AND revision_id = ?", wrong)
