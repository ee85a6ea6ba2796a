"""The truth of a store as records, for export, import and merge."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from mcp_memory.domain.ids import LENGTH, id_number, id_text
from mcp_memory.domain.model import tags_json
from mcp_memory.errors import InvalidInput

EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999
"""The first and the last millisecond of the years 1 to 9999, in UTC."""

Value: TypeAlias = str | int | float | bool | list[str] | None
ColumnValue: TypeAlias = str | int | float | bytes | None  # The same as it is kept in a row


@dataclass(frozen=True, slots=True)
class FieldType:
    """The export, validation and storage of a field."""

    name: str
    write: Callable[[Any], Value]
    read: Callable[[Any], ColumnValue]  # Raises ValueError or TypeError where it is not of this type
    optional: bool = False


@dataclass(frozen=True, slots=True)
class RecordType:
    """A kind of record: its table, and its fields, which are the table's columns."""

    table: str
    fields: Mapping[str, FieldType]
    key: tuple[str, ...]  # What tells two records apart, and the order in which they are exported


@dataclass(frozen=True, slots=True)
class Record:
    """A row of truth; `fields` as exported."""

    type: str
    fields: Mapping[str, Value]


def to_row(record: Record) -> dict[str, ColumnValue]:
    """Convert a record to a row, by column. Raises InvalidInput."""
    known = RECORDS.get(record.type)
    if known is None:
        raise InvalidInput(f"{record.type!r} is no type of record; there are {', '.join(RECORDS)}.")
    strange = record.fields.keys() - known.fields.keys()
    missing = known.fields.keys() - record.fields.keys()
    if strange or missing:
        what = f"has no field {min(strange)!r}" if strange else f"lacks its field {min(missing)!r}"
        raise InvalidInput(f"a record of type {record.type} {what}.")
    return {name: _kept(name, field, record.fields[name]) for name, field in known.fields.items()}


def _kept(name: str, field: FieldType, value: Value) -> ColumnValue:
    if value is None and field.optional:
        return None
    try:
        return field.read(value)
    except (ValueError, TypeError, OverflowError):
        raise InvalidInput(f"its field {name!r} is not {field.name}.") from None


def to_record(type_: str, row: tuple[Any, ...]) -> Record:
    """Convert a row, in the order of its type's columns, to a record."""
    fields = RECORDS[type_].fields
    return Record(
        type_,
        {
            name: None if value is None else field.write(value)
            for (name, field), value in zip(fields.items(), row, strict=True)
        },
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # a lone surrogate can't be kept
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 63) <= value < 1 << 63:
        raise TypeError
    return value


def _time(value: Any) -> int:
    moment = _integer(value)
    if not EARLIEST <= moment <= LATEST:
        raise ValueError
    return moment


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _truth(value: Any) -> int:
    if not isinstance(value, bool):
        raise TypeError
    return int(value)


def _identifier(value: Any) -> int:
    if not isinstance(value, str) or len(value) != LENGTH:
        raise TypeError
    return id_number(value)


def _bytes(value: Any) -> bytes:
    return bytes.fromhex(_text(value))


def _tags(value: Any) -> str:
    if not isinstance(value, list):
        raise TypeError
    return tags_json([_text(tag) for tag in cast("list[Any]", value)])


TYPES: Mapping[str, FieldType] = {
    "ID": FieldType("an id of 13 letters and digits", id_text, _identifier),
    "TEXT": FieldType("a text", str, _text),
    "INT": FieldType("a whole number", int, _integer),
    "TIME": FieldType("a time in milliseconds since 1970, in the years 1 to 9999", int, _time),
    "REAL": FieldType("a number", float, _number),
    "FLAG": FieldType("true or false", bool, _truth),
    "TAGS": FieldType("a list of texts", json.loads, _tags),
    "HEX": FieldType("a text of hexadecimal digits", bytes.hex, _bytes),
}


def _type(table: str, columns: str, key: str = "id") -> RecordType:
    """Declare a type of record; `columns` are names with types, where a `?` marks one that may be null."""
    fields: dict[str, FieldType] = {}
    for column in columns.split(","):
        name, sort = column.split()
        field = TYPES[sort.removesuffix("?")]
        fields[name] = replace(field, name=f"{field.name} or null", optional=True) if sort.endswith("?") else field
    return RecordType(table, fields, tuple(key.split()))


RECORDS: Mapping[str, RecordType] = {
    "operation": _type(
        "operations",
        "id ID, verb TEXT, at TIME, client TEXT, session TEXT, summary TEXT, undoes ID?, takes_back FLAG?, erased INT",
    ),
    "source": _type(
        "sources",
        "id ID, operation_id ID, sha256 HEX, kind TEXT, origin TEXT?, text TEXT, recorded_at TIME, redacted_at TIME?",
    ),
    "item": _type(
        "items",
        "id ID, source_id ID, position INT, span_start INT, span_end INT, speaker TEXT?, recorded_at TIME, "
        "seen INT, last_seen_at TIME",
    ),
    "revision": _type(
        "revisions",
        "id ID, item_id ID, operation_id ID, number INT, from_time TIME, until_time TIME?, status TEXT, "
        "text TEXT, kind TEXT, scope TEXT, tags TAGS, importance REAL, importance_given FLAG, "
        "confidence REAL, occurred_at TIME?, valid_until TIME?, pinned FLAG, review_after TIME?, "
        "normal_hash HEX, restores ID?",
    ),
    "link": _type(
        "links",
        "from_id ID, to_id ID, type TEXT, operation_id ID, from_time TIME, until_time TIME?",
        "from_id to_id type operation_id from_time",
    ),
    "repeat": _type(
        "repeats",
        "item_id ID, source_id ID, span_start INT, span_end INT, operation_id ID, from_time TIME, until_time TIME?",
        "item_id source_id span_start operation_id from_time",
    ),
    "confirmation": _type(
        "confirmations",
        "item_id ID, operation_id ID, times INT, said_at TIME, from_time TIME, until_time TIME?",
        "item_id operation_id from_time",
    ),
    "topic": _type(
        "topics",
        "id ID, operation_id ID, name TEXT, scope TEXT, digest TEXT, from_time TIME, until_time TIME?, restores ID?",
    ),
    "topic_revision": _type("topic_revisions", "topic_id ID, revision_id ID", "topic_id revision_id"),
    "erased": _type("erased", "item_id ID, operation_id ID, at TIME", "item_id"),
}
"""Every table that is truth, with all its columns; in this order they are exported."""
