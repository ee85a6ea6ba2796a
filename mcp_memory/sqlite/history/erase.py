"""Erasing an item for good: its states, index rows, places in sources, and the digests that may hold its words."""

from collections.abc import Iterable, Mapping

import apsw

from mcp_memory.domain.model import sha256
from mcp_memory.language.tokenization import Span
from mcp_memory.sqlite.history import source_redaction
from mcp_memory.sqlite.index.postings import delete_words
from mcp_memory.sqlite.rows import fetch


def erase(connection: apsw.Connection, number: int, *, operation: int, at: int) -> list[tuple[int, Span]] | None:
    """Erase an item; return the source spans to blank, or None where it is missing. Digests made after `at` stay."""
    states = fetch(
        connection,
        "SELECT r.id, r.text, r.status, i.speaker FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE i.id = ?",
        (number,),
    )
    if not states:
        return None
    for revision_id, text, status, speaker in states:
        if status == "live":
            delete_words(connection, revision_id, text, speaker)
    # A digest may hold the words of what it was made from, and of what that replaced.
    connection.execute(
        """
        WITH RECURSIVE heads (id) AS (
            VALUES (?) UNION SELECT l.from_id FROM links AS l JOIN heads ON heads.id = l.to_id
            WHERE l.type = 'replaces'
        )
        DELETE FROM topics WHERE from_time <= ? AND id IN (
            SELECT t.topic_id FROM topic_revisions AS t JOIN revisions AS r ON r.id = t.revision_id
            WHERE r.item_id IN (SELECT id FROM heads)
        )
        """,
        (number, at),
    )
    # So may the reason given for forgetting it.
    connection.execute(
        "UPDATE operations SET summary = substr(summary, 1, instr(summary, ' (') - 1) "
        "WHERE verb = 'forget' AND instr(summary, ' (') "
        "AND id IN (SELECT operation_id FROM revisions WHERE item_id = ?)",
        (number,),
    )
    places = source_redaction.places_of(connection, number)
    connection.execute("DELETE FROM items WHERE id = ?", (number,))
    connection.execute(
        "INSERT OR IGNORE INTO erased (item_id, operation_id, at) VALUES (?, ?, ?)", (number, operation, at)
    )
    return places


def redact(connection: apsw.Connection, gone: Mapping[int, Iterable[Span]], *, at: int) -> None:
    """Blank spans of each source, by its number, and delete sources that say nothing else."""
    for source, spans in gone.items():
        forgotten, others = source_redaction.spans_in(connection, source)
        if not forgotten and not others:
            connection.execute("DELETE FROM sources WHERE id = ?", (source,))
            continue
        text: str = connection.execute("SELECT text FROM sources WHERE id = ?", (source,)).get
        blanked = source_redaction.blank(text, spans, kept=forgotten + others)
        connection.execute(
            "UPDATE sources SET text = ?, sha256 = ?, redacted_at = max(coalesce(redacted_at, 0), ?) WHERE id = ?",
            (blanked, sha256(blanked), at, source),
        )
