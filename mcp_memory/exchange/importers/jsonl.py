"""Parsing our own format: a record or a problem for each line, and whether the file is complete."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from mcp_memory.errors import InvalidInput
from mcp_memory.exchange.exporters.jsonl import HEADER
from mcp_memory.exchange.records import ColumnValue, Record, to_row


@dataclass(frozen=True, slots=True)
class ParsedRow:
    line: int  # From 1
    type: str
    row: dict[str, ColumnValue]


@dataclass(frozen=True, slots=True)
class Damage:
    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


def recognises(head: bytes) -> bool:
    try:
        first: Any = json.loads(head.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and cast("dict[str, Any]", first).get("format") == HEADER["format"]


def read(lines: Iterable[bytes]) -> Iterator[ParsedRow | Damage]:
    """Yield a record or a problem for each line; a truncated or changed file ends with a Damage. Raises InvalidInput."""
    rest = iter(enumerate(lines, start=1))
    _, header = next(rest, (1, b""))
    _require_version(header)
    digest = hashlib.sha256(header)
    number, count, ended = 1, 0, False
    for number, line in rest:
        if not line.strip():
            continue
        if ended:
            yield Damage(number, "something follows the line that ends the file.")
            return
        found = _object(line)
        if isinstance(found, dict) and found.get("record") == "end":
            ended = True
            if (found.get("records"), found.get("sha256")) != (count, digest.hexdigest()):
                yield Damage(number, "the lines before it are not those that were exported: some were changed or lost.")
            continue
        digest.update(line)
        count += 1
        yield _read(number, found)
    if not ended:
        yield Damage(number, "the file ends here, before the line that ends an export: it was cut off.")


def _require_version(header: bytes) -> None:
    if not recognises(header):
        raise InvalidInput('This is no export of mcp-memory: its first line is not {"format":"mcp-memory",…}.')
    version = json.loads(header).get("version")
    if version != HEADER["version"]:
        raise InvalidInput(
            f"The export has version {version!r}, and this mcp-memory reads {HEADER['version']}. Upgrade mcp-memory."
        )


def _object(line: bytes) -> dict[str, Any] | str:
    """Parse a line as an object, or say what is wrong with it."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"it is no JSON ({error})."
    return cast("dict[str, Any]", found) if isinstance(found, dict) else "it is no JSON object."


def _read(number: int, found: dict[str, Any] | str) -> ParsedRow | Damage:
    if isinstance(found, str):
        return Damage(number, found)
    type_ = found.pop("record", None)
    try:
        return ParsedRow(number, str(type_), to_row(Record(str(type_), found)))
    except InvalidInput as problem:
        return Damage(number, str(problem))
