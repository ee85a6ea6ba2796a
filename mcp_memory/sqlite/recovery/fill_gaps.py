"""Completion of salvaged truth: what is referenced and lost is rebuilt from other records, or dropped."""

from collections.abc import Callable
from typing import Any

import apsw

from mcp_memory.domain.ids import EPOCH_MS, RANDOM_BITS, IdSequence, id_number, id_text
from mcp_memory.domain.model import normal_hash, sha256, spoken
from mcp_memory.language.token_count import counted
from mcp_memory.sqlite.history.source_redaction import BLANK
from mcp_memory.sqlite.rows import fetch

_OPERATIONS = " UNION ".join(
    f"SELECT operation_id FROM {table}"
    for table in ("sources", "revisions", "repeats", "links", "confirmations", "topics")
)
_DANGLING = (
    ("repeats", "item_id NOT IN (SELECT id FROM items) OR source_id NOT IN (SELECT id FROM sources)", "repetition"),
    ("links", "from_id NOT IN (SELECT id FROM items) OR to_id NOT IN (SELECT id FROM items)", "link"),
    ("confirmations", "item_id NOT IN (SELECT id FROM items)", "confirmation"),
    (
        "topic_revisions",
        "topic_id NOT IN (SELECT id FROM topics) OR revision_id NOT IN (SELECT id FROM revisions)",
        "passage of a digest",
    ),
)
_PLURALS = {"memory": "memories", "passage of a digest": "passages of a digest"}
_WITHOUT_FIRST = (
    "SELECT i.id, i.source_id, i.span_start, i.span_end, i.recorded_at FROM items AS i "
    "WHERE NOT EXISTS (SELECT 1 FROM revisions AS r WHERE r.item_id = i.id AND r.number = 1)"
)
_FIRST_TEXT = "(SELECT r.text FROM revisions AS r WHERE r.item_id = i.id AND r.number = 1)"


def fill_gaps(connection: apsw.Connection, clock: Callable[[], int]) -> list[str]:
    """Rebuild lost records that others refer to; return what was reconstructed and lost. Foreign keys must be off."""
    notes: list[str] = []
    connection.execute(
        "INSERT INTO operations (id, verb, at, client, session, summary) "
        "SELECT o.operation_id, 'recover', (o.operation_id >> ?) + ?, '', '', 'what this was is lost' "
        f"FROM ({_OPERATIONS} UNION SELECT undoes FROM operations) AS o "
        "WHERE o.operation_id IS NOT NULL AND o.operation_id NOT IN (SELECT id FROM operations)",
        (RANDOM_BITS, EPOCH_MS),
    )
    _note(notes, connection.changes(), "operation", "is lost, its changes are not", "are lost, their changes are not")
    ids = IdSequence(clock)
    _restore_texts(connection, notes)
    _make_items(connection, ids, notes)
    _make_first_states(connection, notes)
    _make_sources(connection, ids, notes)
    for (item,) in fetch(
        connection, "SELECT id FROM items WHERE id NOT IN (SELECT item_id FROM revisions WHERE until_time IS NULL)"
    ):
        connection.execute(
            "UPDATE revisions SET until_time = NULL WHERE item_id = :item AND number = "
            "(SELECT max(number) FROM revisions WHERE item_id = :item)",
            {"item": item},
        )
        notes.append(f"the present state of memory #{id_text(item)} is lost; it is as it was before that")
    for table, condition, noun in _DANGLING:
        connection.execute(f"DELETE FROM {table} WHERE {condition}")
        _note(notes, connection.changes(), noun, "of what is lost was let go", "of what is lost were let go")
    for table in ("revisions", "topics"):
        connection.execute(f"UPDATE {table} SET restores = NULL WHERE restores NOT IN (SELECT id FROM {table})")
    return notes


def _note(notes: list[str], number: int, noun: str, one: str, many: str) -> None:
    if number:
        notes.append(f"{counted(number, noun, _PLURALS.get(noun, ''))} {one if number == 1 else many}")


def _restore_texts(connection: apsw.Connection, notes: list[str]) -> None:
    """Restore the text of a source or first state that fails its hash from the other."""
    for source, digest, text in fetch(connection, "SELECT id, sha256, text FROM sources"):
        sound = sha256(text) == digest
        for revision, start, end, said, speaker, said_hash in fetch(
            connection,
            "SELECT r.id, i.span_start, i.span_end, r.text, i.speaker, r.normal_hash FROM items AS i "
            "JOIN revisions AS r ON r.item_id = i.id AND r.number = 1 WHERE i.source_id = ?",
            (source,),
        ):
            if said == text[start:end]:
                continue
            if not sound and normal_hash(spoken(said, speaker)) == said_hash and len(said) == end - start:
                text = text[:start] + said + text[end:]
            else:
                connection.execute("UPDATE revisions SET text = ? WHERE id = ?", (text[start:end], revision))
        if not sound:
            healed = sha256(text) == digest
            connection.execute(
                "UPDATE sources SET text = ?, sha256 = ?, redacted_at = iif(?, redacted_at, recorded_at) WHERE id = ?",
                (text, sha256(text), healed, source),
            )
            if not healed:
                notes.append(f"the text of source #{id_text(source)} is not what was recorded; it is kept as it is")
    for revision, item, text, speaker, said_hash in fetch(
        connection,
        "SELECT r.id, r.item_id, r.text, i.speaker, r.normal_hash FROM revisions AS r JOIN items AS i ON i.id = r.item_id",
    ):
        found = normal_hash(spoken(text, speaker))
        if found != said_hash:
            connection.execute("UPDATE revisions SET normal_hash = ? WHERE id = ?", (found, revision))
            notes.append(f"a state of memory #{id_text(item)} is not what was recorded; it is kept as it is")


def _make_items(connection: apsw.Connection, ids: IdSequence, notes: list[str]) -> None:
    """Give states without an item one of its own, in a source of its first known words."""
    rows = fetch(
        connection,
        "SELECT item_id, operation_id, text, min(number), min(from_time) FROM revisions "
        "WHERE item_id NOT IN (SELECT id FROM items) GROUP BY item_id",
    )
    for item, operation, text, _, at in rows:
        source = _insert_source(connection, id_number(ids.next()), operation, text, at=at)
        connection.execute(
            "INSERT INTO items (id, source_id, position, span_start, span_end, recorded_at, last_seen_at) "
            "VALUES (?, ?, 0, 0, ?, ?, ?)",
            (item, source, len(text), at, at),
        )
        # Who said it went with the item, and is part of the hash.
        for revision, said in fetch(connection, "SELECT id, text FROM revisions WHERE item_id = ?", (item,)):
            connection.execute("UPDATE revisions SET normal_hash = ? WHERE id = ?", (normal_hash(said), revision))
    _note(notes, len(rows), "memory", "lost its source, its words are kept", "lost their sources, their words are kept")


def _make_first_states(connection: apsw.Connection, notes: list[str]) -> None:
    """Give items without a first state what their source says there, or their next known state."""
    made = 0
    for item, source, start, end, recorded_at in fetch(connection, _WITHOUT_FIRST):
        row: tuple[Any, ...] | None = connection.execute(
            "SELECT substr(text, ? + 1, ?), operation_id FROM sources WHERE id = ?", (start, end - start, source)
        ).fetchone()
        later: tuple[Any, ...] | None = connection.execute(
            "SELECT text, operation_id, from_time FROM revisions WHERE item_id = ? ORDER BY number LIMIT 1", (item,)
        ).fetchone()
        known = row or later
        if known is None or (row and not later and row[0].strip(f"{BLANK} \n") == ""):
            notes.append(f"memory #{id_text(item)} is lost, and so is what it was said in")
            connection.execute("DELETE FROM items WHERE id = ?", (item,))
            continue
        speaker = connection.execute("SELECT speaker FROM items WHERE id = ?", (item,)).get
        connection.execute(
            "INSERT INTO revisions (id, item_id, operation_id, number, from_time, until_time, status, text, kind, scope, "
            "tags, importance, confidence, pinned, normal_hash) "
            "SELECT :item, :item, :operation, 1, :at, :until, 'live', :text, coalesce(max(kind), 'note'), "
            "coalesce(max(scope), 'user'), '[]', 0.5, 1, 0, :hash FROM "
            "(SELECT kind, scope FROM revisions WHERE item_id = :item ORDER BY number LIMIT 1)",
            {
                "item": item,
                "operation": known[1],
                "at": min(recorded_at, later[2]) if later else recorded_at,
                "until": later[2] if later else None,
                "text": known[0],
                "hash": normal_hash(spoken(known[0], speaker)),
            },
        )
        made += 1
    _note(
        notes,
        made,
        "first state",
        "is lost, and was taken from the source",
        "are lost, and were taken from their sources",
    )


def _make_sources(connection: apsw.Connection, ids: IdSequence, notes: list[str]) -> None:
    """Reconstruct lost sources from the items stated in them."""
    lost = fetch(
        connection, "SELECT DISTINCT source_id FROM items WHERE source_id NOT IN (SELECT id FROM sources) ORDER BY 1"
    )
    for (source,) in lost:
        said = fetch(
            connection,
            f"SELECT i.id, i.span_start, i.span_end, {_FIRST_TEXT}, i.recorded_at, (SELECT min(operation_id) FROM revisions "
            "AS r WHERE r.item_id = i.id) FROM items AS i WHERE i.source_id = ? ORDER BY i.span_start",
            (source,),
        )
        text = ""
        for item, start, end, words, at, operation in said:
            if len(words) == end - start and start >= len(text):
                text = text.ljust(start, BLANK) + words
            else:  # it can't have stood there: it gets a source of its own
                own = _insert_source(connection, id_number(ids.next()), operation, words, at=at)
                connection.execute(
                    "UPDATE items SET source_id = ?, span_start = 0, span_end = ? WHERE id = ?", (own, len(words), item)
                )
        _insert_source(connection, source, said[0][5], text, at=said[0][4])
    _note(
        notes,
        len(lost),
        "source",
        "is lost, and was put together from what was said in it",
        "are lost, and were put together from what was said in them",
    )


def _insert_source(connection: apsw.Connection, number: int, operation: int, text: str, *, at: int) -> int:
    """Insert a reconstructed source, redacted so that it is never matched by text."""
    connection.execute(
        "INSERT INTO sources (id, operation_id, sha256, kind, text, recorded_at, redacted_at) "
        "VALUES (?, ?, ?, 'words', ?, ?, ?)",
        (number, operation, sha256(text), text, at, at),
    )
    return number
