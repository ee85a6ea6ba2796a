"""File names that every system accepts: none reserved, too long, or different by case only."""

import re
import unicodedata
from collections.abc import Collection
from itertools import count

MAX_SLUG = 60
"""Bytes of the part that tells what a file is about: with folder, id and end a name stays under 100, and the longest path of
Windows is 260."""
_PORTS = (f"{port}{number}" for port in ("com", "lpt") for number in range(10))
RESERVED = frozenset(("con", "prn", "aux", "nul", *_PORTS))
"""What Windows takes for a device whatever follows the point."""


def slug(text: str) -> str:
    """Return the letters and digits of a text in any script, lower case with `-` between; empty where it has none.

    >>> slug("Staging: Postgres 16!")
    'staging-postgres-16'
    """
    plain = unicodedata.normalize("NFC", text).lower()
    words = re.sub(r"[\W_]+", "-", plain).strip("-")
    cut = words.encode()[:MAX_SLUG].decode(errors="ignore")
    if len(cut) < len(words) and "-" in cut[len(cut) // 2 :]:
        cut = cut[: cut.rindex("-")]
    return unicodedata.normalize("NFC", cut).strip("-")


def case_folded(path: str) -> str:
    """Return a path as systems compare it that ignore case and Unicode normalisation."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def memory_path(title: str, identifier: str, taken: Collection[str]) -> str:
    """Return a memory's path: its words and the end of its id, or all of the id where that is taken (by `case_folded`)."""
    about = slug(title)
    for end in (identifier[-6:], identifier):
        path = f"memories/{about}-{end}.md" if about else f"memories/{end}.md"
        if case_folded(path) not in taken:
            return path
    return _numbered(f"memories/{identifier}", taken)


def topic_path(name: str, taken: Collection[str]) -> str:
    about = slug(name) or "topic"
    return _numbered(f"topics/{about}-topic" if about in RESERVED else f"topics/{about}", taken)


def is_safe(path: str) -> bool:
    """Return whether a path of a state file stays in the folder."""
    parts = path.split("/")
    return path.endswith(".md") and not re.search(r"[\\:\x00]", path) and all(part.strip(" .") for part in parts)


def _numbered(begin: str, taken: Collection[str]) -> str:
    paths = (f"{begin}.md" if number == 1 else f"{begin}-{number}.md" for number in count(1))
    return next(path for path in paths if case_folded(path) not in taken)
