"""Writing to the full-text index and the index of dates."""

import json
from datetime import UTC, datetime

import apsw

from mcp_memory.language.dates.extraction import text_periods
from mcp_memory.sqlite.index.query_terms import indexed


def insert_words(connection: apsw.Connection, revision_id: int, text: str, speaker: str | None) -> None:
    """Index a state's words."""
    connection.execute(
        "INSERT INTO text_index (rowid, words, grams) VALUES (?, ?, ?)", (revision_id, *indexed(text, speaker))
    )


def delete_words(connection: apsw.Connection, revision_id: int, text: str, speaker: str | None) -> None:
    """Delete a state's words from the index; they must be the ones that were inserted."""
    connection.execute(
        "INSERT INTO text_index (text_index, rowid, words, grams) VALUES ('delete', ?, ?, ?)",
        (revision_id, *indexed(text, speaker)),
    )


def insert_dates(connection: apsw.Connection, revision_id: int, text: str, *, said: int) -> None:
    """Index the periods a state's text names; `said` is its own date at face value, in milliseconds."""
    connection.execute(
        "INSERT OR IGNORE INTO text_dates (revision_id, periods) VALUES (?, ?)",
        (revision_id, json.dumps(text_periods(text, said=datetime.fromtimestamp(said / 1000, UTC)))),
    )


def copy_dates(connection: apsw.Connection, old: int, new: int) -> None:
    """Copy the dates of a state to a new one of the same text."""
    connection.execute(
        "INSERT OR IGNORE INTO text_dates (revision_id, periods) SELECT ?, periods FROM text_dates WHERE revision_id = ?",
        (new, old),
    )
