"""Records of any tool: JSON, JSON Lines and CSV with the usual field names."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, cast

from mcp_memory.domain.model import Entry, Turn
from mcp_memory.exchange.importers.parsed import (
    TITLE_FIELDS,
    File,
    Malformed,
    Package,
    ParsedRecord,
    ReadProblem,
    ReadResult,
    Remark,
    Skipped,
    decode,
    is_deleted,
    label_field,
    lines_of,
    list_or_none,
    map_kind,
    object_or_none,
    parse_json,
    parse_tags,
    parse_time,
    read_one,
    require_object,
    text_field,
    unread_fields,
    with_title,
)

CONTENT = ("content", "text", "memory", "fact", "statement", "note", "body", "value", "message")
WHEN = ("occurred_at", "date", "created_at", "created", "timestamp", "time", "updated_at")
TAGS = ("tags", "labels", "categories", "keywords")
KIND = ("kind", "type", "category", "memory_type")
LISTS = ("memories", "items", "results", "records", "facts", "notes", "data")
SAMPLE = 20  # Records that are looked at to tell whether a file of a folder holds memories
MAX_FIELD = 10_000_000  # Characters; the intake takes no more


_OTHERS = re.compile(
    r"[^\W\d_\x00-\x7f]{3}"  # more letters outside ASCII in a row than a language of western Europe has
    r"|[^\x00-\x7f\u2010-\u2027]{4}|[ÐÞÝðþýŸ]"
    r"|(?<=[^\W\d_])[^\x00-\x7f\w’‘·–—…](?=[^\W\d_])|(?<=[^\W\d_])[²³¹¼½¾ªº](?=[^\W\d_])"  # a sign inside a word
)
"""What no language of western Europe writes, or hardly any, and other code pages look like when read as this one."""


def recognises(package: Package) -> bool:
    """Return whether a file is JSON, JSON Lines or CSV by its name, or JSON by its first character."""
    if package.whole:
        return bool(package.with_suffix(".json", ".jsonl", ".ndjson", ".csv", ".tsv"))
    return any(
        file.suffix in (".json", ".jsonl", ".ndjson", ".csv", ".tsv") or file.json_or_none() is not None
        for file in package.files
    )


def holds_memories(file: File) -> bool:
    """Return whether one of a file's first records has the fields of a memory, or the file is too damaged to tell."""
    try:
        if file.suffix in (".csv", ".tsv"):
            head = file.text.partition("\n")[0].lower()
            return bool({name.strip(' "') for name in re.split(r"[,;\t|]", head)} & set(CONTENT))
        if file.suffix in (".jsonl", ".ndjson") or file.json_or_none() is None:
            return any(_says(parse_json(decode(line))) for _, line in islice(lines_of(file), SAMPLE))
        records = _records(file.value)
        return any(_says(said) for said in (records or [])[:SAMPLE])
    except Malformed:
        return True


def _says(said: Any) -> bool:
    record = object_or_none(said)
    if record is None:
        return isinstance(said, str) and bool(said.strip())
    texts = (record.get(name) for name in CONTENT)
    return isinstance(record.get("messages"), list) or any(isinstance(text, str) and text.strip() for text in texts)


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each text with its tags, kind, date and importance; messages with roles become one conversation."""
    for file in package.files:
        if file.suffix in (".csv", ".tsv"):
            yield from _csv(file)
        elif file.suffix in (".jsonl", ".ndjson") or file.json_or_none() is None:
            yield from _json_lines(file)
        else:
            yield from _json(file)


def _json(file: File) -> Iterator[ReadResult]:
    value = file.value
    if (found := object_or_none(value)) is not None and isinstance(found.get("messages"), list):
        yield from read_one(lambda: _conversation(found, file.name), file.name)
        return
    records = _records(value)
    if records is None:
        yield ReadProblem(file.name, "it is neither a list nor an object.")
        return
    for number, said in enumerate(records, start=1):
        where = f"{file.name} record {number}"
        yield from read_one(lambda said=said, where=where: _record(said, where), where)


def _records(value: Any) -> list[Any] | None:
    """Return the records of a JSON value: a list, the list in an object, or the object; None for anything else."""
    found = object_or_none(value)
    if found is None:
        return list_or_none(value)
    return next((said for name in LISTS if (said := list_or_none(found.get(name))) is not None), [found])


def _json_lines(file: File) -> Iterator[ReadResult]:
    for number, line in lines_of(file):
        where = f"{file.name} line {number}"
        yield from read_one(lambda line=line, where=where: _record(parse_json(decode(line)), where), where)


def _western(file: File) -> str | None:
    """Decode Windows-1252, as older Excel writes it in western Europe; None where it may be another encoding."""
    try:
        text = file.data.decode("cp1252").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None
    return None if _OTHERS.search(text) or "\0" in text else text


def _csv(file: File) -> Iterator[ReadResult]:
    try:
        text = file.text
    except Malformed:
        text = _western(file)
        if text is None:
            raise
        note = "it is not in UTF-8 and was read as Windows-1252. Look whether its letters are right; else undo and convert it."
        yield Remark(file.name, note)
    csv.field_size_limit(MAX_FIELD)
    head = text.partition("\n")[0]
    delimiter = max(",;\t|", key=head.count) if any(mark in head for mark in ",;\t|") else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(reader, list[str]())]
    except csv.Error as error:
        yield ReadProblem(file.name, f"its first line is no CSV ({error}).")
        return
    if not {name.lower() for name in names} & set(CONTENT):
        yield ReadProblem(file.name, f"its first line names no column {', '.join(CONTENT[:-1])} or {CONTENT[-1]}.")
        return
    while True:
        where = f"{file.name} line {reader.line_num + 1}"
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield ReadProblem(where, f"it is no CSV ({error}).")
            continue
        if row is None:
            return
        if not row:
            continue
        yield from read_one(lambda row=row, where=where: _row(names, row, where), where)


def _row(names: list[str], row: list[str], where: str) -> Iterator[ReadResult]:
    if len(row) != len(names):
        raise Malformed(f"it has {len(row)} values, and the first line names {len(names)}.")
    columns = {name.lower(): name for name in names}
    record = {name.lower(): value for name, value in zip(names, row, strict=True) if value.strip()}
    for found in _record(record, where):
        named = (
            tuple(columns[name] or "without a name" for name in found.not_read)
            if isinstance(found, ParsedRecord)
            else ()
        )
        yield replace(found, not_read=named) if isinstance(found, ParsedRecord) else found


def _record(said: Any, where: str) -> Iterator[ReadResult]:
    if isinstance(said, str):
        if not said.strip():
            raise Malformed("it is empty.")
        yield ParsedRecord(where, Entry(said))
        return
    record = require_object(said, "neither a text nor a JSON object")
    if isinstance(record.get("messages"), list):
        yield from _conversation(record, where)
        return
    if is_deleted(record):
        yield Skipped("deleted there")
        return
    kind, also = map_kind(next((label_field(record, name) for name in KIND if record.get(name)), None))
    tags = parse_tags(next((record[name] for name in TAGS if record.get(name)), None))
    when = next((record[name] for name in WHEN if record.get(name)), None)
    importance = record.get("importance")
    if importance is not None:
        importance = _importance(importance)
    title = next((name for name in TITLE_FIELDS if isinstance(record.get(name), str) and record[name].strip()), "")
    text = with_title(text_field(record, *CONTENT), " ".join(str(record.get(title, "")).split()))
    entry = Entry(text, kind, tags + also, label_field(record, "scope"), parse_time(when), importance)
    content = next((name for name in CONTENT if record.get(name) is not None), "")
    sort, labelled = (next((name for name in names if record.get(name)), "") for names in (KIND, TAGS))
    read_ = (content, title, sort, labelled, "scope", "importance")
    yield ParsedRecord(where, entry, not_read=unread_fields(record, *read_))


def _importance(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise Malformed("importance is no number.") from None
    if not 0 <= found <= 1:
        raise Malformed(f"importance {found:g} is outside 0 to 1.")
    return found


def _conversation(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    turns: list[Turn] = []
    for message in cast("list[Any]", record["messages"]):
        said = require_object(message)
        speaker = label_field(said, "speaker") or label_field(said, "role") or label_field(said, "author")
        if speaker in ("system", "tool", "developer"):
            continue
        when = next((said[name] for name in ("at", *WHEN) if said.get(name)), None)
        turns.append(Turn(text_field(said, "content", "text", "message"), speaker, parse_time(when)))
    if not turns:
        raise Malformed("its messages are empty.")
    yield ParsedRecord(where, Entry(""), tuple(turns))
