"""Editing one entry of a JSON, TOML or YAML document, with everything else left as it was."""

import io
from collections.abc import Mapping
from typing import Any, Literal, cast

from mcp_memory.cli.clients import jsonc, toml
from mcp_memory.cli.clients.jsonc import Path
from mcp_memory.errors import InvalidInput

Format = Literal["json", "toml", "yaml"]
"""json stands for JSON with comments and trailing commas too."""


def read(text: str, form: Format) -> Mapping[str, Any]:
    """Parse a document; empty for an empty one.

    Raises InvalidInput naming the line of a syntax error, and where the document is no table.
    """
    value = _READERS[form](text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("line 1: an object was expected, with a name for each of its values")
    return cast("dict[str, Any]", value)


def value_at(document: Any, path: Path) -> Any:
    for key in path:
        document = table(document).get(key)
    return document


def table(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def with_entry(text: str, form: Format, path: Path, entry: Mapping[str, Any]) -> str:
    """Return the document with `entry` under a path. Raises InvalidInput where it cannot be parsed, or edited safely."""
    before = read(text, form)
    changed = _WRITERS[form](text, path, entry)
    _require(changed, form, _put(before, path, entry))
    return changed


def without_entry(text: str, form: Format, path: Path) -> str:
    """Return the document without what a path leads to. Raises InvalidInput as with_entry does."""
    before = read(text, form)
    changed = _REMOVERS[form](text, path)
    _require(changed, form, _put(before, path, None))
    return changed


def _put(document: Any, path: Path, entry: Any) -> dict[str, Any]:
    """Return the data that the edit must result in, with no empty table where there was none."""
    key, *rest = path
    kept = dict(table(document))
    if rest:
        kept[key] = _put(kept.get(key), rest, entry)
    elif entry is None:
        kept.pop(key, None)
    else:
        kept[key] = entry
    return kept


def _require(text: str, form: Format, expected: Mapping[str, Any]) -> None:
    """Refuse an edit that would change anything else; the document shows a person why."""
    if _without_empty(read(text, form)) != _without_empty(expected):
        raise InvalidInput("it is laid out in a way that cannot be changed safely; add the entry by hand")


def _without_empty(value: Any) -> Any:
    """Drop empty tables: an editor may drop them with their last entry."""
    if not isinstance(value, Mapping):
        return value
    cleaned = {str(key): _without_empty(inner) for key, inner in table(value).items()}
    return {key: inner for key, inner in cleaned.items() if inner not in (None, {})}


# YAML. Entries are put in and taken out by whole lines: a dump would lay the rest of the document out anew.


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.allow_duplicate_keys = True
    return yaml


def _read_yaml(text: str) -> Any:
    from ruamel.yaml.error import YAMLError

    try:
        return _yaml().load(text)
    except YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f"line {mark.line + 1}" if mark else "line 1"
        raise InvalidInput(f"{line}: {getattr(error, 'problem', None) or 'it is not YAML'}") from error


def _write_yaml(text: str, path: Path, entry: Mapping[str, Any]) -> str:
    holder_key, name = path
    document: Any = _read_yaml(text)
    if document is not None and value_at(document, path) is not None:
        text = _remove_yaml(text, path)
        document = _read_yaml(text)
    holder: Any = document.get(holder_key) if document else None
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if not holder and (document is None or holder_key not in document):
        added = [f"{holder_key}:\n", *_yaml_lines(name, entry, "  ")]
        return "".join([*lines, *added])
    if not holder or holder.fa.flow_style():
        return _dumped(text, path, entry)
    above: int = cast("Any", document).lc.key(holder_key)[0]
    indent = " " * holder.lc.key(next(iter(holder)))[1]
    return "".join([*lines[: above + 1], *_yaml_lines(name, entry, indent), *lines[above + 1 :]])


def _remove_yaml(text: str, path: Path) -> str:
    holder_key, name = path
    document = _read_yaml(text)
    if document is None or value_at(document, path) is None:
        return text
    holder: Any = document[holder_key]
    if holder.fa.flow_style() or len(holder) == 1:
        return _dumped(text, path, None)
    line, column = holder.lc.key(name)
    lines = list(text.splitlines(keepends=True))
    end: int = line + 1
    while end < len(lines) and lines[end].startswith(" " * (column + 1)):
        end += 1
    return "".join(lines[:line] + lines[end:])


def _yaml_lines(name: str, entry: Mapping[str, Any], indent: str) -> list[str]:
    stream = io.StringIO()
    _yaml().dump({name: dict(entry)}, stream)
    return [indent + line for line in stream.getvalue().splitlines(keepends=True)]


def _dumped(text: str, path: Path, entry: Mapping[str, Any] | None) -> str:
    """Rewrite the document with ruamel.yaml, which keeps comments and quotes, where lines cannot be inserted or removed."""
    from ruamel.yaml.util import load_yaml_guess_indent  # pyright: ignore[reportUnknownVariableType]

    holder_key, name = path
    _, indent, offset = cast("tuple[Any, int | None, int | None]", load_yaml_guess_indent(text))
    yaml = _yaml()
    yaml.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
    document = yaml.load(text)
    if entry is None:
        document[holder_key].pop(name)
        if not document[holder_key]:
            document.pop(holder_key)
    elif document.get(holder_key):
        document[holder_key][name] = dict(entry)
    else:
        document[holder_key] = {name: dict(entry)}
    stream = io.StringIO()
    if document:
        yaml.dump(document, stream)
    return stream.getvalue()


_READERS = {"json": jsonc.parse, "toml": toml.parse, "yaml": _read_yaml}
_WRITERS = {"json": jsonc.with_member, "toml": toml.with_table, "yaml": _write_yaml}
_REMOVERS = {"json": jsonc.without, "toml": toml.without_table, "yaml": _remove_yaml}
