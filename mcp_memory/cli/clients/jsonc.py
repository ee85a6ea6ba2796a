"""JSON with comments, edited in place: bytes outside the change stay as they were.

Our own, because no library was sound here (November 2026): `json-five` keeps comments but hides the module `json5` of
another package and had its last release in 2024, `jsonc-edit` starts Node and fetches a parser from npm, and the
others either drop comments or need a newer Python than 3.11.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mcp_memory.errors import InvalidInput

Path = Sequence[str]

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_BARE = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_TAIL = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/(?=[ \t]*[\r\n]))")
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)
DEEPEST = 200
"""Levels of nesting that are read: a configuration has fewer than ten."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place, text[start:end]; an object or an array also has its parts, in order."""

    value: Any
    start: int
    end: int
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A member of an object, from its key on, or an element of an array, whose key is empty."""

    key: str
    start: int
    node: Node


def parse(text: str) -> Any:
    """Return the value of a text; None where it holds only blanks and comments.

    Raises InvalidInput naming the line and column of a syntax error.
    """
    node = _document(text)
    return None if node is None else node.value


def with_member(text: str, path: Path, value: Any) -> str:
    """Return the text with `value` under the keys of `path`, creating missing objects on the way.

    Raises InvalidInput for a syntax error, or where something on the way is no object.
    """
    root = _document(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = indentation(text)
    if root is None:
        return text + _written(_nested(path, value), "", unit, newline) + newline
    node, place = _deepest(root, path)
    if place == len(path):
        indent = _indent_at(text, _owner(root, path).start)
        return text[: node.start] + _written(value, indent, unit, newline) + text[node.end :]
    if not isinstance(node.value, dict):
        raise InvalidInput(f"{'.'.join(path[:place]) or 'the whole'} is not an object, so nothing can be put under it.")
    new = f"{json.dumps(path[place], ensure_ascii=False)}: "
    return _inserted(text, node, new, _nested(path[place + 1 :], value), unit=unit, newline=newline)


def with_element(text: str, path: Path, value: Any) -> str:
    """Return the text with `value` appended to the array under `path`, which is created where missing.

    Raises InvalidInput as with_member does, and where there is something else than an array.
    """
    root = _document(text)
    node, place = (root, 0) if root is None else _deepest(root, path)
    if node is None or place < len(path):
        return with_member(text, path, [value])
    if not isinstance(node.value, list):
        raise InvalidInput(f"{'.'.join(path)} is not a list, so nothing can be added to it.")
    newline = "\r\n" if "\r\n" in text else "\n"
    return _inserted(text, node, "", value, unit=indentation(text), newline=newline)


def without(text: str, path: Path, index: int | None = None) -> str:
    """Return the text without the member under `path`, or without element `index` of the array there; unchanged where missing."""
    root = _document(text)
    if root is None:
        return text
    holder, place = _deepest(root, path if index is not None else path[:-1])
    if place < len(path) - (index is None):
        return text
    if index is None:
        numbers = [number for number, part in enumerate(holder.parts) if part.key == path[-1]]
        index = numbers[-1] if numbers and isinstance(holder.value, dict) else -1
    return text if not 0 <= index < len(holder.parts) else _cut(text, holder, index)


def indentation(text: str) -> str:
    """Return one level of indentation, from the first indented line; two spaces where there is none."""
    found = _INDENT.search(text)
    return found[1] if found else "  "


def _document(text: str) -> Node | None:
    start = _skipped(text, 0)
    if start == len(text):
        return None
    node = _value(text, start, 0)
    if (after := _skipped(text, node.end)) != len(text):
        _refuse(text, after, "nothing more was expected here")
    return node


def _skipped(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> Node:
    if depth > DEEPEST:
        _refuse(text, at, f"more than {DEEPEST} levels of nesting")
    if text[at : at + 1] in ("{", "["):
        return _container(text, at, depth)
    if found := _STRING.match(text, at):
        return Node(_scalar(text, at, found[0]), at, found.end())
    found = _BARE.match(text, at)
    if not found:
        _refuse(text, at, "a value was expected here")
    return Node(json.loads(found[0]), at, found.end())


def _container(text: str, at: int, depth: int) -> Node:
    """Parse an object or an array; a trailing comma is allowed."""
    is_object = text[at] == "{"
    closing = "}" if is_object else "]"
    parts: list[Part] = []
    here = _skipped(text, at + 1)
    while text[here : here + 1] != closing:
        start, key = here, ""
        if is_object:
            found = _STRING.match(text, here)
            if not found:
                _refuse(text, here, f'a name in double quotes or "{closing}" was expected here')
            key = _scalar(text, here, found[0])
            here = _skipped(text, found.end())
            if text[here : here + 1] != ":":
                _refuse(text, here, 'a ":" was expected here')
            here = _skipped(text, here + 1)
        node = _value(text, here, depth + 1)
        parts.append(Part(key, start, node))
        here = _skipped(text, node.end)
        if text[here : here + 1] == ",":
            here = _skipped(text, here + 1)
        elif text[here : here + 1] != closing:
            _refuse(text, here, f'a "," or "{closing}" was expected here')
    value = {part.key: part.node.value for part in parts} if is_object else [part.node.value for part in parts]
    return Node(value, at, here + 1, tuple(parts))


def _scalar(text: str, at: int, literal: str) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:
        _refuse(text, at, "this string has an escape that JSON does not know")


def _refuse(text: str, at: int, what: str) -> NoReturn:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    raise InvalidInput(f"line {line}, column {column}: {what}")


def _deepest(root: Node, path: Path) -> tuple[Node, int]:
    """Return the last existing value on the path, and how many keys lead to it."""
    node = root
    for place, key in enumerate(path):
        held = [part.node for part in node.parts if part.key == key] if isinstance(node.value, dict) else []
        if not held:
            return node, place
        node = held[-1]
    return node, len(path)


def _owner(root: Node, path: Path) -> Part | Node:
    """Return the member whose value `path` leads to; all its keys must exist."""
    if not path:
        return root
    holder, _ = _deepest(root, path[:-1])
    return [part for part in holder.parts if part.key == path[-1]][-1]


def _nested(path: Path, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _written(value: Any, indent: str, unit: str, newline: str) -> str:
    return json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", newline + indent)


def _indent_at(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    found = re.match(r"[ \t]*", text[start:at])
    return found[0] if found else ""


def _inserted(text: str, holder: Node, key: str, value: Any, *, unit: str, newline: str) -> str:
    """Return the text with a new last part of a container: on a line of its own, unless all parts stand on one."""
    outer = _indent_at(text, holder.start)
    inside = text[holder.start : holder.end]
    if not holder.parts:
        indent = outer + unit
        body = f"{newline}{indent}{key}{_written(value, indent, unit, newline)}"
        if inside[1:-1].strip():  # a comment stands in it
            kept = text[holder.start + 1 : holder.end - 1].rstrip()
            return f"{text[: holder.start + 1]}{kept}{body}{newline}{outer}{text[holder.end - 1 :]}"
        return f"{text[: holder.start + 1]}{body}{newline}{outer}{text[holder.end - 1 :]}"
    last = holder.parts[-1]
    alone = "\n" in text[holder.start : last.start]
    indent = _indent_at(text, last.start) if alone else outer + unit
    separator = newline + indent if alone else " "
    written = key + (_written(value, indent, unit, newline) if alone else json.dumps(value, ensure_ascii=False))
    after = _skipped(text, last.node.end)
    trailing = text[after : after + 1] == ","
    end = after + 1 if trailing else last.node.end
    place = _line_end(text, end) if alone else end
    comma = "" if trailing else ","
    return f"{text[:end]}{comma}{text[end:place]}{separator}{written}{',' if trailing else ''}{text[place:]}"


def _cut(text: str, holder: Node, index: int) -> str:
    part = holder.parts[index]
    after = _skipped(text, part.node.end)
    comma = text[after : after + 1] == ","
    before = _skipped(text, holder.parts[index - 1].node.end) if index else holder.start  # a comma, or the bracket
    start = _line_start(text, part.start, floor=before + 1)
    if comma:
        return text[:start] + text[after + 1 :]
    if index:
        return text[:before] + text[before + 1 : start] + text[part.node.end :]
    inner = text[holder.start + 1 : start] + text[part.node.end : holder.end - 1]
    return text[: holder.start + 1] + (inner if inner.strip() else "") + text[holder.end - 1 :]


def _line_end(text: str, at: int) -> int:
    """Return the end of a trailing comment on the same line; else the position itself."""
    found = _TAIL.match(text, at)
    return found.end() if found else at


def _line_start(text: str, at: int, *, floor: int) -> int:
    """Return where the blanks before a position begin, back to the end of the previous line; not before `floor`."""
    start = at
    while start > floor and text[start - 1] in " \t":
        start -= 1
    if start > floor and text[start - 1] == "\n":
        start -= 1
        if start > floor and text[start - 1] == "\r":
            start -= 1
    return start
