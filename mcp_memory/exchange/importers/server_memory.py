"""The knowledge graph of `@modelcontextprotocol/server-memory`: entities, observations, relations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_memory.domain.model import Entry
from mcp_memory.exchange.exporters.graph import ABOUT, BELONGS, OWNERS, SUBJECTS
from mcp_memory.exchange.importers.parsed import (
    MAX_TAG,
    File,
    Malformed,
    Package,
    ParsedRecord,
    ReadProblem,
    ReadResult,
    decode,
    lines_of,
    list_or_empty,
    list_or_none,
    object_or_none,
    objects_of,
    parse_json,
    read_each,
    read_one,
    text_field,
)


def recognises(package: Package) -> bool:
    """Return whether the first line, or the file, is an entity, a relation, or an object with both lists."""
    if package.whole or not package.files:
        return False
    file = package.files[0]
    try:
        _, line = next(lines_of(file), (1, b""))
        first = object_or_none(parse_json(decode(line)))
    except Malformed:
        first = None
    return bool(first and first.get("type") in ("entity", "relation")) or _whole(file) is not None


def read(package: Package) -> Iterator[ReadResult]:
    """Yield observations with their entity's name, relations as sentences, and the memories of our own export unchanged."""
    for file in package.files:
        if (whole := _whole(file)) is not None:
            ours = _Ours.of([*_objects(whole["entities"]), *_objects(whole["relations"])])
            yield from read_each(
                whole["entities"], lambda number, file=file: f"{file.name} entity {number}", ours.entity
            )
            yield from read_each(
                whole["relations"], lambda number, file=file: f"{file.name} relation {number}", ours.relation
            )
        else:
            yield from _lines(file)


@dataclass(frozen=True, slots=True)
class _Ours:
    """A graph that mcp-memory wrote (exporters.graph)."""

    sorts: Mapping[str, str]  # The types of its entities, by their names
    owners: Mapping[str, str]
    about: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]]) -> "_Ours":
        sorts = {
            str(record["name"]): str(record["entityType"])
            for record in records
            if record.get("entityType") in _SORTS and isinstance(record.get("name"), str)
        }
        owners: dict[str, str] = {}
        about: dict[str, tuple[str, ...]] = {}
        for record in records:
            one_, sort, other = (str(record.get(name)) for name in ("from", "relationType", "to"))
            if one_ in sorts and other in sorts and sort == BELONGS:
                owners.setdefault(one_, other)
            elif one_ in sorts and other in sorts and sort == ABOUT:
                about[one_] = (*about.get(one_, ()), other)
        return cls(sorts, owners, about)

    def entity(self, record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
        name = text_field(record, "name")
        if name not in self.sorts:
            yield from _entity(record, where)
            return
        owned = self.sorts[name] in OWNERS.values()
        observations = list_or_empty(record.get("observations", False), "observations")
        scope = name if owned else self.owners.get(name)
        # Whose tags the others are is known for a single memory only.
        others = self.about.get(name, ()) if len(observations) == 1 else ()
        tags = tuple(self._label(tag, scope) for tag in (*(() if owned else (name,)), *others))
        for number, text in enumerate(observations, start=1):
            if not isinstance(text, str) or not text.strip():
                raise Malformed(f"observation {number} is no text.")
            yield ParsedRecord(where, Entry(text, tags=tuple(tag for tag in tags if len(tag) <= MAX_TAG), scope=scope))

    def relation(self, record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
        """Yield a relation, unless it says where memories belong."""
        ends = {record.get("from"), record.get("to")}
        if not (ends <= self.sorts.keys() and record.get("relationType") in (BELONGS, ABOUT)):
            yield from _relation(record, where)

    def _label(self, name: str, scope: str | None) -> str:
        """Return the name of a topic or a tag without its owner."""
        for sort in SUBJECTS:
            name = name.removesuffix(f" ({sort})")
        return name.removesuffix(f" ({scope})")


_SORTS = frozenset((*OWNERS.values(), *SUBJECTS.values()))


def _objects(values: object) -> list[Mapping[str, Any]]:
    return [found for value in list_or_none(values) or () if (found := object_or_none(value)) is not None]


def _whole(file: File) -> Mapping[str, Any] | None:
    """Return the graph where the file is one object, as the tool read_graph returns it."""
    found = object_or_none(file.json_or_none())
    return found if found and {"entities", "relations"} <= found.keys() else None


def _lines(file: File) -> Iterator[ReadResult]:
    ours = _Ours.of([found for _, found in objects_of(file) if not isinstance(found, ReadProblem)])
    for where, found in objects_of(file):
        if isinstance(found, ReadProblem):
            yield found
            continue
        match found.get("type"):
            case "entity":
                yield from read_one(lambda found=found, where=where: ours.entity(found, where), where)
            case "relation":
                yield from read_one(lambda found=found, where=where: ours.relation(found, where), where)
            case other:
                yield ReadProblem(where, f"type {str(other)[:40]!r} is neither entity nor relation.")


def _entity(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    name = " ".join(text_field(record, "name").split())
    sort = " ".join(text_field(record, "entityType").split())
    observations = list_or_empty(record.get("observations", False), "observations")
    tags = tuple(tag for tag in (name, sort) if len(tag) <= MAX_TAG)
    for number, observation in enumerate(observations, start=1):
        if not isinstance(observation, str) or not observation.strip():
            raise Malformed(f"observation {number} is no text.")
        yield ParsedRecord(where, Entry(with_subject(name, observation), tags=tags))
    if not observations:
        yield ParsedRecord(where, Entry(f"{name} is of the type {sort}.", tags=tags))


def _relation(record: Mapping[str, Any], where: str) -> Iterator[ReadResult]:
    one_, sort, other = (" ".join(text_field(record, name).split()) for name in ("from", "relationType", "to"))
    tags = tuple(tag for tag in (one_, other) if len(tag) <= MAX_TAG)
    yield ParsedRecord(where, Entry(f"{one_} {sort.replace('_', ' ')} {other}", tags=tags))


def with_subject(name: str, text: str) -> str:
    """Prefix a statement with its subject, unless it names it already."""
    return text if name.casefold() in text.casefold() else f"{name}: {text}"
