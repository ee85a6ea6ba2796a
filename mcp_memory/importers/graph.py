"""The knowledge graph of the reference server `@modelcontextprotocol/server-memory`: entities, observations, relations."""

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_memory.domain import Entry
from mcp_memory.importers.given import (
    MAX_TAG,
    File,
    Found,
    Given,
    Malformed,
    Package,
    Unread,
    decoded,
    each,
    lines_of,
    listed,
    object_or_none,
    objects_of,
    one,
    parsed,
    text_at,
)


def recognises(package: Package) -> bool:
    """Whether a file's first line, or the file, is an entity, a relation, or an object with both lists."""
    if package.whole or not package.files:
        return False
    file = package.files[0]
    try:
        _, line = next(lines_of(file), (1, b""))
        first = object_or_none(parsed(decoded(line)))
    except Malformed:
        first = None
    return bool(first and first.get("type") in ("entity", "relation")) or _whole(file) is not None


def read(package: Package) -> Iterator[Found]:
    """Each observation with the name of its entity, tagged with the entity and its type; each relation as a sentence."""
    for file in package.files:
        if (whole := _whole(file)) is not None:
            yield from each(whole["entities"], lambda number, file=file: f"{file.name} entity {number}", _entity)
            yield from each(whole["relations"], lambda number, file=file: f"{file.name} relation {number}", _relation)
        else:
            yield from _lines(file)


def _whole(file: File) -> Mapping[str, Any] | None:
    """The graph, where the file is one object, as the server's tool read_graph answers."""
    found = object_or_none(file.json_or_none())
    return found if found and {"entities", "relations"} <= found.keys() else None


def _lines(file: File) -> Iterator[Found]:
    for where, found in objects_of(file):
        if isinstance(found, Unread):
            yield found
            continue
        match found.get("type"):
            case "entity":
                yield from one(lambda found=found, where=where: _entity(found, where), where)
            case "relation":
                yield from one(lambda found=found, where=where: _relation(found, where), where)
            case other:
                yield Unread(where, f"type {str(other)[:40]!r} is neither entity nor relation.")


def _entity(record: Mapping[str, Any], where: str) -> Iterator[Found]:
    name = " ".join(text_at(record, "name").split())
    sort = " ".join(text_at(record, "entityType").split())
    observations = listed(record.get("observations", False), "observations")
    tags = tuple(tag for tag in (name, sort) if len(tag) <= MAX_TAG)
    for number, observation in enumerate(observations, start=1):
        if not isinstance(observation, str) or not observation.strip():
            raise Malformed(f"observation {number} is no text.")
        yield Given(where, Entry(about(name, observation), tags=tags))
    if not observations:
        yield Given(where, Entry(f"{name} is of the type {sort}.", tags=tags))


def _relation(record: Mapping[str, Any], where: str) -> Iterator[Found]:
    one_, sort, other = (" ".join(text_at(record, name).split()) for name in ("from", "relationType", "to"))
    tags = tuple(tag for tag in (one_, other) if len(tag) <= MAX_TAG)
    yield Given(where, Entry(f"{one_} {sort.replace('_', ' ')} {other}", tags=tags))


def about(name: str, text: str) -> str:
    """A statement that can be understood alone: with what it is about in front, where it does not say so itself."""
    return text if name.casefold() in text.casefold() else f"{name}: {text}"
