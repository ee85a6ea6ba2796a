"""Forgiving parsing of a tool's arguments: aliases, lists as JSON or comma text, numbers as text, empty as absent."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

from mcp_memory.domain.model import Entry, Turn
from mcp_memory.errors import InvalidInput

Raw = Mapping[str, object]

TRUE = ("true", "yes", "1", "on")
FALSE = ("false", "no", "0", "off")
LARGEST = 10_000
"""Bits of a number that is shown; Python writes none of more than 4,300 digits."""


class Arguments:
    """The arguments of one call. Every reader raises InvalidInput naming the argument and the shape it should have."""

    def __init__(self, raw: Raw, *, known: Sequence[str], aliases: Mapping[str, str]) -> None:
        """Raise InvalidInput for an argument that is neither known nor an alias, naming the known ones."""
        self._values: dict[str, object] = {}
        for name, value in raw.items():
            meant = name if name in known else aliases.get(name)
            if meant is None:
                raise InvalidInput(f"There is no argument {name!r}. The arguments are {', '.join(known)}.")
            if value is None or value == "":
                continue
            if meant in self._values:
                raise InvalidInput(f"{name!r} says {meant!r} a second time; give it once.")
            self._values[meant] = value

    def has(self, name: str) -> bool:
        """Return whether the argument was passed, and is neither null nor an empty string."""
        return name in self._values

    def holds_list(self, name: str) -> bool:
        return isinstance(self._values.get(name), list)

    def text(self, name: str) -> str | None:
        """Return a string; numbers are taken as written."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and _number(value) is not None:
            return str(value)
        raise InvalidInput(f"{name} must be a string, not {_shape(value)}.")

    def whole(self, name: str, default: int) -> int:
        """Return an integer, also from text."""
        value = self._values.get(name, default)
        number = _number(value)
        if number is None or number != int(number):
            raise InvalidInput(f"{name} must be a whole number, not {_shape(value)}.")
        return int(number)

    def number(self, name: str) -> float | None:
        """Return a number, also from text."""
        value = self._values.get(name)
        if value is None:
            return None
        number = _number(value)
        if number is None:
            raise InvalidInput(f"{name} must be a number, not {_shape(value)}.")
        return number

    def flag(self, name: str) -> bool | None:
        """Return a boolean, also from text."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else str(_number(value)).removesuffix(".0")
        if word in TRUE or word in FALSE:
            return word in TRUE
        raise InvalidInput(f"{name} must be true or false, not {_shape(value)}.")

    def texts(self, name: str) -> list[str] | None:
        """Return a list of strings, also from JSON text or text with commas."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            listed = _json_of(value)
            if not isinstance(listed, list):
                return [stripped for part in value.split(",") if (stripped := part.strip())]
            value = cast(list[object], listed)
        if not isinstance(value, list):
            raise InvalidInput(f"{name} must be a list of strings, not {_shape(value)}.")
        for part in cast(list[object], value):
            if not isinstance(part, str) and _number(part) is None:
                raise InvalidInput(f"{name} must hold strings only, not {_shape(part)}.")
        return [str(part) for part in cast(list[object], value) if str(part).strip()]

    def objects(self, name: str) -> list[object] | None:
        """Return a list, also from JSON text; a single object or plain text becomes a list of one. None for an empty list."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            listed = _json_of(value)
            value = value if listed is None else listed
        if isinstance(value, str | Mapping):
            return [cast(object, value)]
        if not isinstance(value, list):
            raise InvalidInput(f"{name} must be a list, not {_shape(value)}.")
        return cast(list[object], value) or None


ENTRY_FIELDS = ("content", "kind", "tags", "scope", "occurred_at", "importance", "replaces", "source")
ENTRY_ALIASES = {
    "text": "content", "memory": "content", "fact": "content", "statement": "content",
    "date": "occurred_at", "when": "occurred_at", "at": "occurred_at",
    "type": "kind", "tag": "tags", "project": "scope",
}  # fmt: skip
TURN_NAMES = {
    "content": ("content", "text", "message", "value", "body", "parts"),
    "speaker": ("speaker", "name", "role", "author", "from", "sender", "user"),
    "at": ("at", "date", "time", "timestamp", "occurred_at", "created_at", "create_time", "sent_at", "ts"),
    "caption": ("caption", "image_caption", "blip_caption"),
}
"""What the fields of a turn are called in the common shapes of conversations, the most telling name first."""
TURN_EXTRAS = frozenset(
    "id uuid index type status model metadata channel recipient weight end_turn update_time parent_id thread_ts "
    "refusal annotations attachments files tool_calls tool_call_id function_call reasoning dia_id img_url query".split()
)
"""What stands beside them there and says nothing that is remembered."""


def entry_of(arguments: Arguments, content: str) -> Entry:
    """Build an entry from arguments read with ENTRY_FIELDS among the known ones."""
    return Entry(
        content=content,
        kind=_lower(arguments.text("kind")),
        tags=tuple(arguments.texts("tags") or ()),
        scope=arguments.text("scope"),
        occurred_at=arguments.text("occurred_at"),
        importance=arguments.number("importance"),
        replaces=arguments.text("replaces"),
        source=arguments.text("source"),
    )


def entries_of(values: Sequence[object], *, like: Entry) -> list[Entry]:
    """Build entries from strings or objects; fields that an object lacks come from `like`."""
    return [_entry(value, number, like) for number, value in enumerate(values)]


def turns_of(values: Sequence[object]) -> list[Turn]:
    """Build turns of a conversation from objects with a speaker (or role) and content, or from bare strings.

    Content may be a list of parts, as chat interfaces write it; parts of type text count.
    """
    return [_turn(value, number) for number, value in enumerate(values) if not _only_calls(value)]


def _only_calls(value: object) -> bool:
    return isinstance(value, Mapping) and "tool_calls" in value and not cast(Raw, value).get("content")


def _entry(value: object, number: int, like: Entry) -> Entry:
    if isinstance(value, str):
        return _filled(Entry(value), like)
    if not isinstance(value, Mapping):
        raise InvalidInput(f"items[{number}] must be a string or an object with content, not {_shape(value)}.")
    with _named(f"items[{number}]"):
        arguments = Arguments(cast(Raw, value), known=ENTRY_FIELDS, aliases=ENTRY_ALIASES)
        return _filled(entry_of(arguments, arguments.text("content") or ""), like)


def _filled(entry: Entry, like: Entry) -> Entry:
    return Entry(
        content=entry.content,
        kind=entry.kind or like.kind,
        tags=(*entry.tags, *like.tags),
        scope=entry.scope or like.scope,
        occurred_at=entry.occurred_at or like.occurred_at,
        importance=like.importance if entry.importance is None else entry.importance,
        replaces=entry.replaces,
        source=entry.source or like.source,
    )


def _turn(value: object, number: int) -> Turn:
    if isinstance(value, str):
        return Turn(value)
    if not isinstance(value, Mapping):
        raise InvalidInput(f"turns[{number}] must be an object with speaker and content, not {_shape(value)}.")
    raw = cast(Raw, value)
    fields = {
        field: next((raw[name] for name in names if raw.get(name) not in (None, "", [])), None)
        for field, names in TURN_NAMES.items()
    }
    fields["content"] = _text_of(fields["content"])
    fields["speaker"] = _text_of(fields["speaker"])
    unknown = raw.keys() - TURN_EXTRAS - {name for names in TURN_NAMES.values() for name in names}
    with _named(f"turns[{number}]"):
        arguments = Arguments(fields | {name: raw[name] for name in unknown}, known=tuple(TURN_NAMES), aliases={})
        return Turn(
            content=arguments.text("content") or "",
            speaker=arguments.text("speaker"),
            at=arguments.text("at"),
            caption=arguments.text("caption"),
        )


def _text_of(value: object) -> object:
    """Return the text of a value that may be a list of parts, or an object with parts, a text, a name or a role."""
    if isinstance(value, Mapping):
        inner = cast(Raw, value)
        found = [inner[name] for name in ("parts", "text", "name", "role") if inner.get(name)]
        return _text_of(found[0]) if found else None
    return _text_of_parts(cast(list[object], value)) if isinstance(value, list) else value


def _text_of_parts(parts: Sequence[object]) -> str:
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and isinstance(text := cast(Raw, part).get("text"), str):
            texts.append(text)
    return "\n".join(texts)


@contextmanager
def _named(name: str) -> Generator[None]:
    """Prefix an error in an entry with the entry's name."""
    try:
        yield
    except InvalidInput as problem:
        raise InvalidInput(f"{name}: {problem}") from problem


def _json_of(text: str) -> object:
    """Parse text as a JSON list or object; None for anything else."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number - number == 0 else None  # neither infinite nor NaN


def _lower(text: str | None) -> str | None:
    return text.strip().lower() if text else None


def _shape(value: object) -> str:
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, int) and value.bit_length() > LARGEST:
        return "a number of more digits than any has"
    return repr(value)[:40]
