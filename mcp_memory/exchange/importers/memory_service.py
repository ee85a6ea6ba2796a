"""mcp-memory-service: its SQLite file, and the JSON of its exporter."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.importers.parsed import (
    Malformed,
    Package,
    ParsedRecord,
    ReadResult,
    Skipped,
    label_field,
    map_kind,
    parse_tags,
    parse_time,
    read_each,
    read_one,
    require_object,
    text_field,
)

UNTAGGED = "untagged"  # The tag of records that have none
SQLITE = b"SQLite format 3\0"
DAMAGED = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged database raises; the second is of the names in its errors."""
_VERSIONS = slice(18, 20)
"""Bytes of a database's header that say whether it has a write-ahead log; one in memory can have none."""


def recognises(package: Package) -> bool:
    """Return whether this is a database with a table of memories that have a content hash, or an export of one."""
    if package.whole or not package.files:
        return False
    file = package.files[0]
    try:
        if file.data.startswith(SQLITE):
            connection = _opened(file.data)
            try:
                return {"content", "content_hash"} <= _columns(connection)
            finally:
                connection.close()
    except (Malformed, *DAMAGED):
        return False
    value = file.json_or_none()
    return isinstance(value, dict) and "memories" in value and "export_metadata" in value


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each memory that is not deleted, with its tags, type and creation time; vectors are skipped."""
    for file in package.files:
        if file.data.startswith(SQLITE):
            yield from _rows(file.data, file.name)
        else:
            yield from read_each(
                require_object(file.value).get("memories"), lambda n, file=file: f"{file.name} memory {n}", _memory
            )


def _rows(data: bytes, name: str) -> Iterator[ReadResult]:
    connection = _opened(data)
    try:
        present = _columns(connection)
        wanted = [
            column
            for column in ("id", "content", "tags", "memory_type", "metadata", "created_at", "deleted_at")
            if column in present
        ]
        for row in connection.execute(f"SELECT {', '.join(wanted)} FROM memories ORDER BY rowid"):
            record = dict(zip(wanted, row, strict=True))
            where = f"{name} memory {record.get('id')}"
            yield from read_one(lambda record=record, where=where: _memory(record, where), where)
    except DAMAGED as error:
        raise Malformed(f"the database is damaged ({error}).") from None
    finally:
        connection.close()


def _memory(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    if record.get("deleted_at") is not None:
        yield Skipped("deleted there")
        return
    metadata = record.get("metadata")
    if isinstance(metadata, str) and metadata.strip():
        try:
            metadata = json.loads(metadata)
        except ValueError:
            raise Malformed("metadata is no JSON.") from None
    kind, also = map_kind(label_field(record, "memory_type"))
    created = parse_time(record.get("created_at"), "created_at") or parse_time(
        record.get("created_at_iso"), "created_at_iso"
    )
    tags = tuple(tag for tag in parse_tags(record.get("tags")) if tag != UNTAGGED)
    entry = Entry(text_field(record, "content"), kind=kind, tags=tags + also, occurred_at=created)
    yield ParsedRecord(where, entry)


def _opened(data: bytes) -> sqlite3.Connection:
    """Open the database in memory, trusting nothing but its tables. Raises Malformed, sqlite3.Error."""
    connection = sqlite3.connect(":memory:")
    connection.text_factory = _decoded
    try:
        connection.deserialize(data[: _VERSIONS.start] + b"\1\1" + data[_VERSIONS.stop :])
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
    except (sqlite3.Error, OverflowError):
        connection.close()
        raise
    return connection


def _decoded(data: bytes) -> str:
    """Decode text of the database, with invalid bytes as surrogates, for which the intake refuses the record."""
    return data.decode("utf-8", "surrogateescape")


def _columns(connection: sqlite3.Connection) -> set[str]:
    kind = connection.execute("SELECT type FROM sqlite_schema WHERE name = 'memories'").fetchone()
    if kind != ("table",):
        return set()
    return {row[1] for row in connection.execute("PRAGMA table_info(memories)")}
