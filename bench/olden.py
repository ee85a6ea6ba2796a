"""Files as earlier versions made them, filled by plain SQL: what a migration finds."""

import time
from collections.abc import Sequence
from pathlib import Path

import apsw

from mcp_memory.domain.ids import IdSequence, id_number
from mcp_memory.domain.model import normal_hash, sha256
from mcp_memory.sqlite.database import APPLICATION_ID, migrations
from mcp_memory.sqlite.index.postings import insert_words


def write_old_file(path: Path, texts: Sequence[str], *, schema: int) -> None:
    """Make a file of an earlier schema that holds these texts, each said by itself."""
    ids = IdSequence(lambda: time.time_ns() // 1_000_000)
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    for script in migrations()[:schema]:
        connection.execute(script).fetchall()
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", schema)
    with connection:
        for number, text in enumerate(texts, start=1):
            operation, source, item = (id_number(ids.next()) for _ in range(3))
            connection.execute(
                "INSERT INTO operations (id, verb, at, client, session, summary) VALUES (?, 'remember', ?, 'old', '', '')",
                (operation, number),
            )
            connection.execute(
                "INSERT INTO sources (id, operation_id, sha256, kind, text, recorded_at) VALUES (?, ?, ?, 'words', ?, ?)",
                (source, operation, sha256(text), text, number),
            )
            connection.execute(
                "INSERT INTO items (id, source_id, position, span_start, span_end, recorded_at, last_seen_at) "
                "VALUES (?, ?, 0, 0, ?, ?, ?)",
                (item, source, len(text), number, number),
            )
            connection.execute(
                "INSERT INTO revisions (id, item_id, operation_id, number, from_time, status, text, kind, scope, tags, "
                "importance, confidence, pinned, normal_hash) "
                "VALUES (?, ?, ?, 1, ?, 'live', ?, 'fact', 'user', '[]', 0.5, 1, 0, ?)",
                (item, item, operation, number, text, normal_hash(text)),
            )
            insert_words(connection, item, text, None)
    connection.close()
