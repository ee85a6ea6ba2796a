"""Reading what recall and its like are asked: which items, how many, how much of them, what should change in one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcp_memory.domain.ids import id_number, id_text
from mcp_memory.domain.model import USER, Caller, Filter, Item, OperationId
from mcp_memory.errors import InvalidInput
from mcp_memory.language.dates.periods import to_ms, zone_offset
from mcp_memory.language.tokenization import require_clean
from mcp_memory.privacy.redaction import Redactor
from mcp_memory.remember.intake import read_importance, read_kind, read_moment, read_period, read_scope, read_tags

MAX_LIMIT = 1_000
MIN_BUDGET = 50
MAX_BUDGET = 100_000
MAX_CONTENT = 20_000
"""UTF-8 bytes of an item's text when it is changed; more is a document."""
NO_MOMENT = "none"
"""What a change says of a date to take it away."""
MAX_QUERY = 10_000
"""Characters; a longer question is a document."""

_ZONED = re.compile(r"(\dz|utc|gmt|[+-]\d\d:?\d\d|^\d{10}|^\d{13})$")

_AGE = re.compile(r"(\d{1,5}) ?(?:(h)(?:ours?)?|(d)(?:ays?)?|(w)(?:eeks?)?|(m)(?:onths?)?|(y)(?:ears?)?)")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """Which items a call is about, in the caller's words."""

    scope: str | None = None
    """`user`, `project` (this one), `all`, or a project's name; None for user and this project."""
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    as_of: str | None = None


def where_of(select: ItemQuery, *, caller: Caller, now: datetime) -> Filter:
    """The filter the words stand for; relative ones in since and until count from as_of where it is given. Raises InvalidInput naming the one that cannot be used."""
    as_of = _known_by(select.as_of, now=now) if select.as_of else None
    then = now if as_of is None else datetime.fromtimestamp(as_of / 1000, now.tzinfo)
    since = read_period(select.since, "since", now=then).start if select.since else None
    until = read_period(select.until, "until", now=then).end if select.until else None
    if since is not None and until is not None and since >= until:
        raise InvalidInput(f"since {select.since!r} is not before until {select.until!r}.")
    return Filter(
        scopes=_scopes(select.scope, caller),
        kinds=tuple(dict.fromkeys(read_kind(kind) for kind in select.kinds)),
        tags=read_tags(select.tags) if select.tags else (),
        since=since,
        until=until,
        as_of=as_of,
        zone_offset=zone_offset(now),
    )


def _scopes(scope: str | None, caller: Caller) -> tuple[str, ...]:
    if scope and scope.strip().casefold() == "all":
        return ()
    if scope:
        return (read_scope(scope, project=caller.project),)
    return (USER, caller.project) if caller.project else (USER,)


def _known_by(text: str, *, now: datetime) -> int:
    """The last moment of the period named, as a transaction time: a day means what was known at its end."""
    end = read_period(text, "as_of", now=now).end - 1
    if _ZONED.search(text.strip().casefold()):
        return end
    return min(end - zone_offset(now), to_ms(now)) if text.strip().casefold() != "now" else to_ms(now)


def read_since(text: str, *, now: datetime) -> int:
    """The first moment of the period named, as a transaction time. Raises InvalidInput."""
    start = read_period(text, "since", now=now).start
    return start if _ZONED.search(text.strip().casefold()) else start - zone_offset(now)


def read_age(text: str) -> int:
    """Milliseconds of an age such as 36h, 90d, 12w, 6m or 2y. Raises InvalidInput."""
    found = _AGE.fullmatch(text.strip().lower())
    if not found or not int(found[1]):
        raise InvalidInput(f"{text!r} is no age; give a number of hours, days, weeks, months or years, such as 90d.")
    return int(found[1]) * _HOURS[next(filter(None, found.groups()[1:]))] * 3_600_000


def read_operation(text: str) -> OperationId:
    """An operation's id without its `#`. Raises InvalidInput where the text can't be one."""
    try:
        return OperationId(id_text(id_number(text)))
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not the id of an operation: an id is the 13 letters and digits after a #, as history prints it."
        ) from None


def read_limit(limit: int) -> int:
    """Raises InvalidInput outside 1 to 1000."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is {limit}; give a number from 1 to {MAX_LIMIT}.")
    return limit


def read_budget(max_tokens: int) -> int:
    """Raises InvalidInput outside 50 to 100,000."""
    if not MIN_BUDGET <= max_tokens <= MAX_BUDGET:
        raise InvalidInput(f"max_tokens is {max_tokens}; give a number from {MIN_BUDGET} to {MAX_BUDGET}.")
    return max_tokens


def read_query(query: str, name: str = "query") -> str:
    """Raises InvalidInput where it is empty, unclean or a document."""
    require_clean(query, name)
    if not query.strip():
        raise InvalidInput(f"{name} is empty; say in a few words what is looked for.")
    if len(query) > MAX_QUERY:
        raise InvalidInput(f"{name} has {len(query)} characters; ask in at most {MAX_QUERY}.")
    return query


def read_changes(
    *,
    content: str | None,
    kind: str | None,
    tags: Sequence[str] | None,
    importance: float | None,
    pinned: bool | None,
    moments: Mapping[str, str | None],
    now: datetime,
    redactor: Redactor,
) -> dict[str, Any]:
    """The fields of an item that an update gives, by their names in it, without what `redactor` takes out. Raises InvalidInput."""
    fields: dict[str, Any] = {}
    if content is not None:
        _require_short(content)
        text = redactor.text(require_clean(content, "content")).strip()
        if not text:
            private = "private as a whole, so nothing was changed" if content.strip() else "empty"
            raise InvalidInput(f"content is {private}; use forget to take a memory away.")
        fields["text"] = text
    if kind is not None:
        fields["kind"] = read_kind(kind)
    if tags is not None:
        fields["tags"] = read_tags(redactor.texts(tags, "tags"))
    if importance is not None:
        fields["importance"] = read_importance(importance)
    for name, text in moments.items():
        if text is not None:
            fields[name] = None if text.strip().lower() == NO_MOMENT else read_moment(text, name, now=now)
    if pinned is not None:
        fields["pinned"] = int(pinned)
    return fields


def changes_of(item: Item, fields: Mapping[str, Any], *, confirm: bool) -> dict[str, Any]:
    """Those of an update's fields that the item does not have so yet; that someone says its importance counts as one.

    Raises InvalidInput where no field is given and nothing is confirmed.
    """
    if not fields and not confirm:
        raise InvalidInput("Nothing to change: give content, kind, tags, importance, a date, pinned or confirm.")
    return {name: value for name, value in fields.items() if name == "importance" or getattr(item, name) != value}


def _require_short(content: str) -> None:
    if len(content.strip().encode(errors="surrogatepass")) > MAX_CONTENT:
        raise InvalidInput(f"content has more than {MAX_CONTENT // 1000} kB; remember it as a document instead.")
