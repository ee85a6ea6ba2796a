"""Tool calls: parsing, similarity, and the pattern of many calls of one shape."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, cast

from mcp_memory.domain.model import Item, ItemId, StoredItem
from mcp_memory.language.dates.periods import DAY

EQUAL, FORM, KEY = 1.0, 0.8, 0.6
"""How alike an argument is that both calls give: the same value, values of one form, any two values."""
VALUES = 5
"""Values of an argument that a pattern names."""
MORE = "\u2026"
LONGEST_VALUE = 60
"""Characters of a value that a pattern shows."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Retention periods of tool calls."""

    whole_days: int = 7
    """Until then every call is kept as it is."""
    hidden_days: int = 30
    """Until then what became part of a pattern can come back; after that only the pattern remains."""
    notable_days: int = 90
    """The same for a call that failed, or that wrote or deleted something: until then it stays as it is."""
    least: int = 3
    """Calls of one shape that make a pattern."""
    similarity: float = 0.75


RETENTION = Retention()


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Mapping[str, str]
    failed: bool
    duration_ms: float | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Many calls of one shape."""

    name: str
    count: int
    succeeded: int
    duration_ms: float | None
    values: Mapping[str, tuple[str, ...]]
    """By argument the values it was given, the first VALUES of them, and MORE where there were more."""

    @property
    def text(self) -> str:
        """The pattern as text that read_pattern parses."""
        typical = "" if self.duration_ms is None else f", typically {self.duration_ms:.0f} ms"
        shown = "; ".join(f"{key}: {' | '.join(values)}" for key, values in self.values.items())
        return f"{self.name} \u00d7 {self.count}: {self.succeeded} succeeded{typical}" + (f"; {shown}" if shown else "")


@dataclass(frozen=True, slots=True)
class Fold:
    """Calls that become a new pattern, or part of the pattern `into`."""

    text: str
    into: Item | None
    calls: tuple[Item, ...]
    hidden: tuple[Item, ...]
    """Those of the calls that are shown no more."""


@dataclass(frozen=True, slots=True)
class Folding:
    folds: tuple[Fold, ...]
    hide: tuple[tuple[Item, ItemId], ...]
    """Calls that a pattern counts already and that have been shown for long enough, with the pattern."""
    expired: tuple[Item, ...]
    """Hidden calls whose retention has ended."""


_FIELDS = {
    "name": ("name", "tool", "tool_name", "function", "command"),
    "arguments": ("arguments", "args", "input", "parameters", "params"),
    "error": ("error", "exception"),
    "outcome": ("outcome", "result", "output", "status", "success", "ok"),
}
_CALLED = re.compile(r"\s*([A-Za-z_][\w./:-]*)\s*\((.*?)\)\s*(.*)", re.DOTALL)
_ARGUMENT = re.compile(r"""\b([A-Za-z_]\w*+)\s*+[=:]\s*+("[^"]*"|'[^']*'|[^,\s]+)""")
_DURATION = re.compile(r"(?<!\d)(\d++(?:\.\d++)?)\s*+(ms|milliseconds|s|sec|seconds)\b")
_FAILED = re.compile(
    r"\b(?:fail(?:ed|ure|s)?|errors?|exception|traceback|denied|refused|timed out|timeout|not found)\b|失败|失敗|错误|錯誤|エラー",
    re.IGNORECASE,
)
_FINE = re.compile(r"\b(?:no|0|without) (?:errors?|failures?)\b", re.IGNORECASE)
_CHANGING = frozenset(
    "write wrote create update edit patch delete remove rm drop erase insert put post push commit move mv rename "
    "deploy publish send upload install uninstall truncate kill merge apply replace append save set".split()
)
"""Words of a name, or of an argument that names the action, which say that something was written or deleted."""
_ACTIONS = frozenset("action verb method operation command cmd sql query statement mode".split())
_PATTERN = re.compile(
    r"(?P<name>\S+) \u00d7 (?P<count>\d+): (?P<ok>\d+) succeeded(?:, typically (?P<ms>\d+) ms)?(?:; (?P<values>.*))?",
    re.DOTALL,
)


def read_call(text: str) -> Call:
    """Parse a call: JSON ({"name", "arguments", "outcome" or "error", "duration_ms"}, or near to it),
    `name(key=value) -> outcome in 12 ms`, or any text, whose first word is taken for the tool's name.

    >>> read_call('read_file(path="a.py") -> ok in 12 ms')
    Call(name='read_file', arguments={'path': 'a.py'}, failed=False, duration_ms=12.0)
    """
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        return _read_fields(cast(dict[str, Any], parsed))
    called = _CALLED.fullmatch(text)
    name = called[1] if called else (text.split() or [""])[0].rstrip(":,") or "tool"
    given = called[2] if called else text.partition(" ")[2]
    outcome = called[3] if called else text
    arguments = {key: value.strip("\"'") for key, value in _ARGUMENT.findall(given)}
    return Call(name, arguments, _tells_failure(outcome), _duration(outcome))


def read_pattern(text: str) -> Pattern | None:
    """Parse a pattern from the text of Pattern.text; None for any other text."""
    found = _PATTERN.fullmatch(text.strip())
    if not found:
        return None
    pairs = [part.partition(": ") for part in (found["values"] or "").split("; ") if ": " in part]
    values = {key: tuple(value.split(" | ")) for key, _, value in pairs}
    milliseconds = float(found["ms"]) if found["ms"] else None
    return Pattern(found["name"], int(found["count"]), int(found["ok"]), milliseconds, values)


def similarity(one: Call, other: Call) -> float:
    """Return 0 for two tools, else the mean of 1 for the name and, for each argument of either, EQUAL, FORM or KEY where
    both have it and 0 where one does not.

    >>> similarity(read_call("read(path=a/b.py)"), read_call("read(path=c.py)"))
    0.9
    """
    if one.name != other.name:
        return 0.0
    keys = one.arguments.keys() | other.arguments.keys()
    alike = 1.0
    for key in keys:
        if key in one.arguments and key in other.arguments:
            first, second = one.arguments[key], other.arguments[key]
            alike += EQUAL if first == second else FORM if _form(first) == _form(second) else KEY
    return alike / (1 + len(keys))


def notable(call: Call) -> bool:
    """Return whether a call failed, wrote or deleted something, and may have to be looked up later."""
    said = _words(call.name)
    for key, value in call.arguments.items():
        if key.lower() in _ACTIONS:
            said |= _words(" ".join(value.split()[:2]))
    return call.failed or bool(said & _CHANGING)


def plan_folds(kept: Sequence[StoredItem], *, now: int, retention: Retention) -> Folding:
    """Plan the folds that are due at `now`, for the calls and patterns of one scope, oldest first.

    Calls older than `whole_days` are counted in a pattern where their shape occurs `least` times or has one already;
    ordinary calls are hidden then, notable ones when their longer time is over.
    """
    patterns = {call.item.id: (call.item, found) for call in kept if (found := read_pattern(call.item.text))}
    calls = [(call, read_call(call.item.text)) for call in kept if call.item.id not in patterns]
    hide: list[tuple[Item, ItemId]] = []
    expired: list[Item] = []
    open_calls: list[tuple[Item, Call]] = []
    for call, read in calls:
        age = (now - call.item.recorded_at) / DAY
        is_due = age >= (retention.notable_days if notable(read) else retention.whole_days)
        if call.item.status != "live":
            if age >= (retention.notable_days if notable(read) else retention.hidden_days):
                expired.append(call.item)
        elif call.item.pinned or call.unfolded or age < retention.whole_days:
            continue
        elif call.patterns:
            if is_due:
                hide.append((call.item, call.patterns[0]))
        else:
            open_calls.append((call.item, read))
    folds: list[Fold] = []
    for group, into in _groups(open_calls, patterns, retention):
        old = patterns[into.id][1] if into else None
        notable_since = now - retention.notable_days * DAY
        hidden = tuple(item for item, read in group if not notable(read) or item.recorded_at <= notable_since)
        folds.append(Fold(_merged(old, group).text, into, tuple(item for item, _ in group), hidden))
    return Folding(tuple(folds), tuple(hide), tuple(expired))


def _groups(
    calls: Sequence[tuple[Item, Call]], patterns: Mapping[ItemId, tuple[Item, Pattern]], retention: Retention
) -> list[tuple[list[tuple[Item, Call]], Item | None]]:
    """Group calls by shape, with the existing pattern of each: each is compared with the first of a group."""
    live = [(item, pattern) for item, pattern in patterns.values() if item.status == "live"]
    groups: list[tuple[Call, list[tuple[Item, Call]], Item | None]] = [
        (_as_call(each), [], item) for item, each in live
    ]
    for item, call in calls:
        best = max(groups, key=lambda group: similarity(group[0], call), default=None)
        if best is not None and similarity(best[0], call) >= retention.similarity:
            best[1].append((item, call))
        else:
            groups.append((call, [(item, call)], None))
    return [
        (members, into)
        for _, members, into in groups
        if members and (into is not None or sum(item.seen for item, _ in members) >= retention.least)
    ]


def _merged(old: Pattern | None, calls: Sequence[tuple[Item, Call]]) -> Pattern:
    values: dict[str, list[str]] = {key: list(found) for key, found in old.values.items()} if old else {}
    for _, call in calls:
        for key, value in call.arguments.items():
            shown = _shown(value)
            seen = values.setdefault(_shown(key), [])
            if shown not in seen and len(seen) <= VALUES:
                seen.append(shown if len(seen) < VALUES else MORE)
    took = [call.duration_ms for _, call in calls if call.duration_ms is not None]
    if old and old.duration_ms is not None:
        took += [old.duration_ms] * old.count
    return Pattern(
        name=calls[0][1].name,
        count=(old.count if old else 0) + sum(item.seen for item, _ in calls),
        succeeded=(old.succeeded if old else 0) + sum(item.seen for item, call in calls if not call.failed),
        duration_ms=median(took) if took else None,
        values={key: tuple(found) for key, found in values.items()},
    )


def _as_call(pattern: Pattern) -> Call:
    return Call(pattern.name, {key: found[0] for key, found in pattern.values.items()}, False, None)


def _read_fields(record: Mapping[str, Any]) -> Call:
    def field(name: str) -> Any:
        return next((record[key] for key in _FIELDS[name] if record.get(key) is not None), None)

    arguments = field("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            arguments = {"input": arguments}
    if not isinstance(arguments, dict):
        arguments = {} if arguments is None else {"input": arguments}
    outcome, error = field("outcome"), field("error")
    failed = error not in (None, False, "") or outcome is False
    failed = failed or (isinstance(outcome, str) and _tells_failure(outcome))
    milliseconds = next((record[key] for key in ("duration_ms", "ms", "elapsed_ms") if key in record), None)
    if milliseconds is None:
        seconds = next((record[key] for key in ("duration", "seconds", "elapsed") if key in record), None)
        if isinstance(seconds, str):
            milliseconds = _duration(seconds)
        elif isinstance(seconds, int | float):
            milliseconds = seconds * 1000
    return Call(
        name="_".join(str(field("name") or "tool").split()),
        arguments={str(key): _value(value) for key, value in cast(dict[object, Any], arguments).items()},
        failed=failed,
        duration_ms=float(milliseconds) if isinstance(milliseconds, int | float) else None,
    )


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _shown(value: str) -> str:
    """Format a value of a pattern, without separators inside."""
    line = " ".join(value.replace("|", "/").replace(";", ",").replace(": ", ":").split())
    return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 1] + "\u2026"


def _form(value: str) -> str:
    """Return the form of a value: a number, a path or URL by its ending, words."""
    if re.fullmatch(r"[-+]?[\d.,]+", value):
        return "number"
    if value.lower() in ("true", "false"):
        return "flag"
    if not value.strip().count(" ") and re.search(r"[/\\\\]|\.\w{1,5}$", value):
        ending = re.search(r"\.\w{1,5}$", value)
        return f"path{ending[0] if ending else ''}"
    return "words" if " " in value.strip() else "word"


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", text)}


def _tells_failure(outcome: str) -> bool:
    return bool(_FAILED.search(_FINE.sub("", outcome)))


def _duration(text: str) -> float | None:
    found = _DURATION.search(text)
    if not found:
        return None
    return float(found[1]) * (1 if found[2].startswith("m") else 1000)
