"""mem0 and OpenMemory: lists of memories as their APIs return them, and OpenMemory's backup archive."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.importers.parsed import (
    File,
    Malformed,
    Package,
    ParsedRecord,
    ReadProblem,
    ReadResult,
    Skipped,
    is_deleted,
    label_field,
    list_or_empty,
    object_or_none,
    objects_of,
    parse_tags,
    parse_time,
    read_each,
    read_one,
    require_object,
    text_field,
    unread_fields,
)


def recognises(package: Package) -> bool:
    """Return whether this is an archive with memories.json, or a list of objects with a memory and an id."""
    if package.whole:
        return any(_backup(file) for file in package.named("memories.json"))
    return bool(package.files) and (_backup(package.files[0]) or _is_list(package.files[0]))


def read(package: Package) -> Iterator[ReadResult]:
    """Yield each memory that is not deleted, with its categories as tags and its last change."""
    for file in [file for file in package.named("memories.json") if _backup(file)] if package.whole else package.files:
        if _backup(file):
            yield from _backed_up(file)
            continue
        value = file.json_or_none()
        if value is None:
            for where, found in objects_of(file):
                if isinstance(found, ReadProblem):
                    yield found
                else:
                    yield from read_one(lambda found=found, where=where: _memory(found, where), where)
            continue
        yield from read_each(_list_in(value), lambda n, file=file: f"{file.name} memory {n}", _memory)
        yield from _related(value, file)


def _related(value: Any, file: File) -> Iterator[ReadResult]:
    """Yield the relations of its graph, where the API returned them."""
    answer = object_or_none(value)
    if answer is not None and answer.get("relations"):
        yield from read_each(answer["relations"], lambda number: f"{file.name} relation {number}", _relation)


def _relation(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    ends = text_field(record, "source"), text_field(record, "target", "destination")
    statement = " ".join((ends[0], text_field(record, "relationship", "relation"), ends[1])).replace("_", " ")
    yield ParsedRecord(
        where, Entry(" ".join(statement.split()), tags=parse_tags([end.replace("_", " ") for end in ends]))
    )


def _list_in(value: Any) -> Any:
    """Return the list of memories in an API response."""
    answer = object_or_none(value)
    if answer is None:
        return value
    alone: list[Any] = [answer]
    return next((answer[name] for name in ("results", "memories", "items") if name in answer), alone)


def _is_list(file: File) -> bool:
    value = file.json_or_none()
    if value is None:
        first = next(objects_of(file), ("", None))[1] if file.suffix in (".jsonl", ".ndjson", ".json") else None
        value = [first]
    found = _list_in(value)
    first = cast("list[Any]", found)[0] if isinstance(found, list) and found else None
    return isinstance(first, dict) and isinstance(cast("dict[str, Any]", first).get("memory"), str) and "id" in first


def _backup(file: File) -> bool:
    value = file.json_or_none()
    return isinstance(value, dict) and {"memories", "apps"} <= cast("dict[str, Any]", value).keys()


def _backed_up(file: File) -> Iterator[ReadResult]:
    value = require_object(file.value)
    try:
        names = {str(found["id"]): str(found["name"]) for found in value.get("categories") or ()}
        apps = {str(found["id"]): str(found["name"]) for found in value["apps"]}
    except (TypeError, KeyError):
        raise Malformed("its categories or apps are no list of objects with an id and a name.") from None

    def memory(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
        known = [names.get(str(category), "") for category in list_or_empty(record.get("category_ids"), "category_ids")]
        app = apps.get(str(record.get("app_id")), "")
        yield from _memory(dict(record) | {"categories": [name for name in (*known, app) if name]}, where)

    yield from read_each(value["memories"], lambda number: f"{file.name} memory {number}", memory)


def _memory(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    state = label_field(record, "state")
    if is_deleted(record):
        yield Skipped("deleted there")
        return
    changed = parse_time(record.get("updated_at"), "updated_at") or parse_time(record.get("created_at"), "created_at")
    tags = parse_tags(record.get("categories")) + ((state,) if state in ("archived", "paused") else ())
    entry = Entry(text_field(record, "memory", "content"), tags=tags, occurred_at=changed)
    yield ParsedRecord(where, entry, not_read=unread_fields(record, "memory", "content", "categories"))
