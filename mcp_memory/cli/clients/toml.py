"""TOML edited by whole lines: a table appended, updated in place, or removed; comments stay."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mcp_memory.errors import InvalidInput

Path = Sequence[str]


def parse(text: str) -> dict[str, Any]:
    """Parse a document. Raises InvalidInput naming the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at (line \d+, column \d+)\)", str(error))
        where = place[1] if place else f"line {len(text.splitlines())}"  # else the end is where something is missing
        raise InvalidInput(f"{where}: {str(error).partition(' (at ')[0]}") from error


def with_table(text: str, path: Path, entry: Mapping[str, Any]) -> str:
    """Return the document with a table under a path: in place where it exists, else at the end after a blank line."""
    newline = "\r\n" if "\r\n" in text else "\n"
    table_text = _dumped(path, entry).replace("\n", newline)
    lines = text.splitlines(keepends=True)
    blocks = _blocks(lines, path)
    if blocks:
        first = blocks[0][0]
        kept = _without(lines, blocks)
        changed = "".join([*kept[:first], table_text, *kept[first:]])
    else:
        ended = text if not text or text.endswith("\n") else text + newline
        changed = f"{ended}{newline if ended.strip() else ''}{table_text}"
    return changed if _says(changed, _put(text, path, entry)) else _with_table_laid_out(text, path, entry)


def without_table(text: str, path: Path) -> str:
    """Return the document without a table, its subtables, and the blank line before it."""
    lines = text.splitlines(keepends=True)
    blocks = _blocks(lines, path)
    kept = _without(lines, blocks)
    if blocks:
        first = blocks[0][0]
        if first and not kept[first - 1].strip() and (first == len(kept) or not kept[first].strip()):
            kept = [*kept[: first - 1], *kept[first:]]
    changed = "".join(kept)
    return changed if blocks and _says(changed, _put(text, path, None)) else _without_table_laid_out(text, path)


def _blocks(lines: Sequence[str], path: Path) -> list[tuple[int, int]]:
    """Return the line ranges of a table and its subtables, without the comments above the next table."""
    heads = [(number, head) for number, line in enumerate(lines) if (head := _head(line))]
    ends = [*(number for number, _ in heads), len(lines)][1:]
    found: list[tuple[int, int]] = []
    for (start, head), end in zip(heads, ends, strict=True):
        if head[: len(path)] != tuple(path):
            continue
        while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
            end -= 1
        found.append((start, end))
    return found


def _head(line: str) -> tuple[str, ...]:
    """Return the path that a table header names; empty for any other line."""
    if not line.lstrip().startswith("["):
        return ()
    try:
        value: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while found := cast("dict[str, Any]", value[0] if isinstance(value, list) else value):
        [(key, value)] = found.items()
        path.append(key)
    return tuple(path)


def _without(lines: Sequence[str], blocks: Sequence[tuple[int, int]]) -> list[str]:
    return [line for number, line in enumerate(lines) if not any(start <= number < end for start, end in blocks)]


def _put(text: str, path: Path, entry: Mapping[str, Any] | None) -> dict[str, Any]:
    document = parse(text)
    holder = document
    for key in path[:-1]:
        inner = holder.setdefault(key, {})
        if not isinstance(inner, dict):
            return {}
        holder = cast("dict[str, Any]", inner)
    holder.pop(path[-1], None)
    if entry is not None:
        holder[path[-1]] = dict(entry)
    return document


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    """Return whether a text parses to the data, empty tables aside."""
    try:
        return _filled(tomllib.loads(text)) == _filled(wanted)
    except tomllib.TOMLDecodeError:
        return False


def _filled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: inner for key, each in cast("dict[str, Any]", value).items() if (inner := _filled(each)) != {}}


# Where a table can't stand in lines of its own, such as inside braces, tomlkit lays it out.


def _dumped(path: Path, entry: Mapping[str, Any]) -> str:
    return _with_table_laid_out("", path, entry)


def _with_table_laid_out(text: str, path: Path, entry: Mapping[str, Any]) -> str:
    import tomlkit

    document: Any = tomlkit.parse(text)
    holder = document
    for key in path[:-1]:
        if key not in holder:
            holder[key] = tomlkit.table(is_super_table=True)
        holder = holder[key]
    holder[path[-1]] = dict(entry)
    return tomlkit.dumps(document)


def _without_table_laid_out(text: str, path: Path) -> str:
    import tomlkit

    document: Any = tomlkit.parse(text)
    holder = document
    for key in path[:-1]:
        if key not in holder:
            return text
        holder = holder[key]
    holder.pop(path[-1], None)
    if len(path) > 1 and not holder:
        document.pop(path[0])
    return tomlkit.dumps(document)
