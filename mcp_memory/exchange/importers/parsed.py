"""Parsed records of foreign files, problems, and what is left out on purpose."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias, cast

from mcp_memory.domain.model import KINDS, Entry, Turn
from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.extraction import read_period

MAX_TAG = 200  # Characters; a longer one is no label
MAX_DATE = 100  # Characters; a longer one is a text
_COUNTED = re.compile(r"(?!(?:19|20)[0-9]{12}$)[0-9]{9,16}(?:\.[0-9]{1,9})?")
_PACKED = re.compile(r"^((?:19|20)[0-9]{6})([0-9]{6})$")
_DASHED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAILY = re.compile(
    r"(?:(?P<day>(?:19|20)[0-9]{2}(?P<mark>[-_.]?)[0-9]{2}(?P=mark)[0-9]{2})|(?P<period>(?:19|20)[0-9]{2}-(?:W?[0-9]{2})))"
    r"(?:[ _-]+[^\W\d].*)?"
)
_DAYS = (datetime(2031, 2, 4, 3, tzinfo=UTC), datetime(2032, 9, 15, 17, tzinfo=UTC))
"""Two moments that share neither year, season, weekday nor hour: a date means the same on both."""
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_ALIKE = {
    **dict.fromkeys(("task", "observation", "idea"), "note"),
    **dict.fromkeys(("meeting", "milestone"), "event"),
    **dict.fromkeys(("how-to", "howto", "process", "technique", "workflow"), "procedure"),
    "choice": "decision",
}
"""Kinds of other tools, and ours."""
_NOT = ("", "0", "false", "no", "null", "none")
TITLE_FIELDS = ("title", "name")  # Put before the text
BOOKKEEPING_FIELDS = frozenset(
    (
        "id uuid hash content_hash user user_id agent_id run_id app_id actor_id org_id project_id category_ids "
        "session_id score embedding vector structured_attributes occurred_at date created_at created timestamp "
        "time updated_at archived_at state deleted is_deleted deleted_at created_at_iso updated_at_iso"
    ).split()
)
"""Bookkeeping fields that say nothing of the content, and dates beyond the one that is read."""


class Malformed(Exception):
    """A violation of the format; the message follows the record's place."""


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A record: a text, or with `turns` a conversation, whose `entry` has the fields that all turns share."""

    where: str  # Its file and its place in it, as a person would look it up
    entry: Entry
    turns: tuple[Turn, ...] = ()
    not_read: tuple[str, ...] = ()  # Names of its fields that say something and were not read


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """A record that could not be parsed, and why; none of it is stored."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something well-formed that is no memory; `reason` follows a count of them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    where: str
    note: str

    def __str__(self) -> str:
        return f"{self.where}: {self.note}"


ReadResult: TypeAlias = ParsedRecord | ReadProblem | Skipped | Remark


@dataclass(frozen=True)
class File:
    """A file that is read on demand, once."""

    name: str  # Relative to what was named on the command line, with `/`
    load: Callable[[], bytes]  # Raises Malformed where it cannot be read or is too big

    @cached_property
    def data(self) -> bytes:
        return self.load()

    @property
    def suffix(self) -> str:
        """The lower-case extension with its dot; empty where there is none."""
        base = self.base
        return base[base.rfind(".") :].lower() if "." in base[1:] else ""

    @property
    def base(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return self.base.rpartition(".")[0] or self.base

    @cached_property
    def text(self) -> str:
        """Decode the file in any Unicode encoding, with `\n` line ends. Raises Malformed."""
        return decode(self.data).replace("\r\n", "\n").replace("\r", "\n")

    @cached_property
    def value(self) -> Any:
        """Parse the file as JSON. Raises Malformed."""
        return parse_json(decode(self.data))

    def json_or_none(self) -> Any:
        """Parse the file as JSON; None where it is not, or does not begin like it."""
        try:
            head = self.data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
            return self.value if head[:1] in (b"{", b"[", b"\xff", b"\xfe") else None
        except Malformed:
            return None


@dataclass(frozen=True, slots=True)
class Package:
    """The files of one path: one file, a folder's, or an archive's."""

    name: str
    files: Sequence[File]
    whole: bool  # Whether it is a folder or an archive
    others: Sequence[str] = ()  # The names of what lies there too and is no text by its name
    within: Sequence["Package | ReadProblem"] = ()
    """The archives in a folder, each by itself, or why it can't be opened."""

    def named(self, base: str) -> list[File]:
        """Return the files of that name in any folder."""
        return [file for file in self.files if file.base.lower() == base]

    def with_suffix(self, *suffixes: str) -> list[File]:
        return [file for file in self.files if file.suffix in suffixes]


def decode(data: bytes) -> str:
    """Decode UTF-8, or UTF-16 or UTF-32 with a byte order mark. Raises Malformed."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8-sig")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        byte = data[error.start : error.start + 1].hex()
        raise Malformed(
            f"it is not in {encoding.upper().removesuffix('-SIG')} (byte 0x{byte} at {error.start}). Convert it first, "
            "for example with iconv -f ISO-8859-1 -t UTF-8."
        ) from None


def parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"it is no JSON ({str(error)[:200]}).") from None


def lines_of(file: File) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers from 1, undecoded."""
    data = file.data
    if data.startswith(tuple(mark for mark, _ in _BOMS)):
        data = decode(data).encode("utf-8", "surrogatepass")
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield number, line


def objects_of(file: File) -> Iterator[tuple[str, Mapping[str, Any] | ReadProblem]]:
    """Yield the objects of a JSON Lines file with their places, or a problem."""
    for number, line in lines_of(file):
        where = f"{file.name} line {number}"
        try:
            yield where, require_object(parse_json(decode(line)))
        except Malformed as problem:
            yield where, ReadProblem(where, str(problem))


def read_each(
    values: object, where: Callable[[int], str], read: Callable[[Mapping[str, Any], str], Iterator[ReadResult]]
) -> Iterator[ReadResult]:
    """Yield what `read` makes of each object of a list, or a problem for a malformed one."""
    if not isinstance(values, list):
        yield ReadProblem(where(1), "it is no list.")
        return
    for number, value in enumerate(cast("list[Any]", values), start=1):
        yield from read_one(
            lambda value=value, number=number: read(require_object(value), where(number)), where(number)
        )


def read_one(read: Callable[[], Iterator[ReadResult]], where: str) -> Iterator[ReadResult]:
    try:
        found = list(read())
    except Malformed as problem:
        found = [ReadProblem(where, str(problem))]
    yield from found


def object_or_none(value: object) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def list_or_none(value: object) -> list[Any] | None:
    return cast("list[Any]", value) if isinstance(value, list) else None


def is_list_of(file: File, field: str) -> bool:
    """Return whether a file is a JSON list whose first objects have a field."""
    return any(field in (object_or_none(found) or ()) for found in (list_or_none(file.json_or_none()) or ())[:3])


def conversation(where: str, name: str | None, turns: Sequence[Turn], *, started: str | None) -> ReadResult:
    if not turns:
        return Skipped("a conversation without text")
    return ParsedRecord(f"{where}, {name}" if name else where, Entry("", occurred_at=started), tuple(turns))


def list_or_empty(value: object, name: str) -> list[Any]:
    """Return a list, empty for a missing one. Raises Malformed naming it for anything else."""
    found = [] if value is None else list_or_none(value)
    if found is None:
        raise Malformed(f"{name} is no list but {_shown(value)}.")
    return found


def require_object(value: object, wanted: str = "no JSON object") -> Mapping[str, Any]:
    """Return a JSON object. Raises Malformed with the name of what was expected."""
    if not isinstance(value, dict):
        raise Malformed(f"it is {wanted} but {_shown(value)}.")
    return cast("dict[str, Any]", value)


def text_field(record: Mapping[str, Any], *names: str) -> str:
    """Return the text of the first of the fields that exists. Raises Malformed where none does, or it is empty or no text."""
    for name in names:
        if (value := record.get(name)) is not None:
            if not isinstance(value, str):
                raise Malformed(f"{name} is no text but {_shown(value)}.")
            if not value.strip():
                raise Malformed(f"{name} is empty.")
            return value
    raise Malformed(f"it has no {' or '.join(names)}.")


def label_field(record: Mapping[str, Any], name: str) -> str | None:
    """Return a field on one line; None where missing. Raises Malformed where it is no text."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Malformed(f"{name} is no text but {_shown(value)}.")
    return " ".join(value.split()) or None


def unread_fields(record: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return the non-empty fields that were not read and may mean something."""
    known = BOOKKEEPING_FIELDS | set(names)
    return tuple(
        name for name, value in record.items() if name.lower() not in known and value not in (None, "", [], {})
    )


def is_deleted(record: Mapping[str, Any]) -> bool:
    states = (str(record.get(name)).strip().lower() for name in ("state", "status"))
    given = (record.get(name) for name in ("deleted_at", "deleted", "is_deleted"))
    return "deleted" in states or any(value and str(value).strip().lower() not in _NOT for value in given)


def with_title(text: str, title: str | None) -> str:
    """Put a title over a text, unless the text begins with it."""
    if not title or text.startswith("#") or title.casefold() in text.casefold()[:200]:
        return text
    return f"{title}: {text}" if "\n" not in text else f"# {title}\n\n{text}"


def parse_tags(value: object) -> tuple[str, ...]:
    """Parse tags from a list or a text with commas, without those that are too long. Raises Malformed."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        raise Malformed(f"the tags are no list but {_shown(value)}.")
    found: list[str] = []
    for tag in cast("list[Any]", value):
        if not isinstance(tag, str | int | float):
            raise Malformed(f"a tag is no text but {_shown(tag)}.")
        found.append(" ".join(str(tag).split()))
    return tuple(tag for tag in found if tag and len(tag) <= MAX_TAG)


def map_kind(name: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Map another tool's kind to ours; a kind that has no equal becomes a tag."""
    if not name or not name.strip():
        return None, ()
    word = " ".join(name.split()).lower()
    kind = _ALIKE.get(word, word)
    if kind in KINDS and kind != "tool":
        return kind, () if kind == word else (word,)
    return None, (word,) if len(word) <= MAX_TAG else ()


def parse_time(value: object, name: str = "the date") -> str | None:
    """Normalise seconds, milli- or microseconds since 1970, a year, a day (20260331) or an absolute text. Raises Malformed."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Malformed(f"{name} is no time but {_shown(value)}.")
    if isinstance(value, int) and (1900 <= value <= 2100 or 19000101 <= value <= 21001231):
        value = str(value)
    if isinstance(value, str) and not _COUNTED.fullmatch(value.strip()):
        if found := _absolute(value.strip()):
            return found
        raise Malformed(f"{name} {value.strip()[:40]!r} is no date that can be read; give it as 2026-03-31.")
    try:
        seconds = float(value)
        for _ in ("milliseconds", "microseconds"):
            if abs(seconds) > 1e11:
                seconds /= 1000
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        raise Malformed(f"{name} {_shown(value)} is outside what a calendar has.") from None


def date_in_name(stem: str) -> str | None:
    """Return the day, week or month that a daily note's name begins with; None where there is none."""
    found = _DAILY.fullmatch(stem)
    if not found:
        return None
    day, parted, period = found.group("day", "mark", "period")
    try:
        return parse_time(period or (day.replace(parted, "-") if parted else day))
    except Malformed:
        return None


def _absolute(text: str) -> str | None:
    """Return a date that does not depend on the day it is read on; None for any other."""
    if len(text) > MAX_DATE:
        return None
    text = _PACKED.sub(r"\1T\2", text)
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        return text if _DASHED.match(text) else found.isoformat()
    try:
        periods = {read_period(text, now=now) for now in _DAYS}
    except InvalidInput:
        return None
    return text if len(periods) == 1 else None


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):  # also a number of more digits than Python writes down
        text = f"of the type {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:40]}…"
