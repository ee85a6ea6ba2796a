"""Names of backups, and which of them a retention rule deletes."""

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from mcp_memory.errors import InvalidInput

FOLDER = "backups"  # Next to the memory file
PERIODS = {"daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m", "yearly": "%Y"}
"""Periods of a rule, and the format that is equal for two moments of one period (ISO weeks, UTC)."""
UNFINISHED = ".unfinished"
_STAMP = "%Y-%m-%dT%H%M%SZ"
_NAME = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT\d{6}Z)(?:-(?P<again>\d+))?\.db")


def target(database: Path, at: datetime, *, before: str | None = None, folder: Path | None = None) -> Path:
    """Return a free path for a backup made at a moment: in `backups` next to the file, or in `folder`.

    `before` says what it was made before; such a one is not counted by rules, and stays.

    >>> target(Path("m/memory.db"), datetime(2026, 3, 2, 9, 0, tzinfo=UTC)).as_posix()
    'm/backups/memory-2026-03-02T090000Z.db'
    """
    folder = folder or database.parent / FOLDER
    stem = f"{database.stem}-{f'before-{before}-' if before else ''}{at.astimezone(UTC).strftime(_STAMP)}"
    number, path = 1, folder / f"{stem}.db"
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.db"
    return path


def unfinished(target: Path) -> Path:
    """Return a unique name for a file while it is written."""
    return target.with_name(f"{target.name}.{secrets.token_hex(4)}{UNFINISHED}")


def latest_before(database: Path, before: str) -> Path | None:
    """Return the last existing copy that was made before something."""
    stem = f"{database.stem}-before-{before}-"
    found = [
        path
        for path in (database.parent / FOLDER).glob("*.db")
        if path.name.startswith(stem) and _NAME.fullmatch(path.name.removeprefix(stem))
    ]
    return max(found, key=lambda path: path.name, default=None)


def made_at(path: Path, database: Path) -> tuple[datetime, int] | None:
    """Return when a backup of that memory file was made, and its number within the second; None for other files."""
    name = path.name.removeprefix(f"{database.stem}-")
    found = _NAME.fullmatch(name) if name != path.name else None
    if found is None:
        return None
    try:
        moment = datetime.strptime(found["at"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment, int(found["again"] or 1)


def read_rule(text: str) -> dict[str, int]:
    """Parse a rule such as "7 daily 4 weekly" into how many backups to keep of each period.

    Raises InvalidInput naming the words there are.

    >>> read_rule("7 daily, 4 weekly")
    {'daily': 7, 'weekly': 4}
    """
    words = text.replace(",", " ").lower().split()
    rule: dict[str, int] = {}
    for number, period in zip(words[::2], words[1::2], strict=False):
        if not number.isascii() or not number.isdigit() or len(number) > 4 or period not in PERIODS or period in rule:
            break
        rule[period] = int(number)
    if not words or 2 * len(rule) != len(words) or not any(rule.values()):
        raise InvalidInput(
            f"{text!r} is no rule of keeping: give numbers and periods, such as '7 daily 4 weekly'; "
            f"the periods are {', '.join(PERIODS)}."
        )
    return rule


def expendable(paths: Iterable[Path], database: Path, rule: Mapping[str, int]) -> list[Path]:
    """Return the backups a rule deletes, the oldest first; never the newest, nor other files. Empty periods don't count."""
    dated = {path: at for path in paths if (at := made_at(path, database)) is not None}
    newest = sorted(dated, key=lambda path: dated[path], reverse=True)
    keep = set(newest[:1])
    for period, number in rule.items():
        seen: dict[str, Path] = {}
        for path in newest:
            seen.setdefault(dated[path][0].strftime(PERIODS[period]), path)
        keep.update(list(seen.values())[:number])
    return [path for path in reversed(newest) if path not in keep]
