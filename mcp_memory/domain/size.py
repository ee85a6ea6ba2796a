"""Sizes of a store: parsing, formatting, and warnings near the limit."""

import re
from dataclasses import dataclass

from mcp_memory.errors import InvalidInput

SMALLEST = 1_000_000
"""Bytes a limit has at least: an empty store takes half of that."""
NEAR = 0.9
"""Share of the limit from which on answers say that it is near."""
_UNITS = {"": 1, "k": 1_000, "m": 1_000**2, "g": 1_000**3, "t": 1_000**4}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kmgt]?)(i?)b?")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of a store in use, and its limit."""

    used: int
    limit: int | None

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings near the limit."""
        if self.limit is None or self.used < NEAR * self.limit:
            return ()
        return (
            f"The store holds {format_size(self.used)} of the {format_size(self.limit)} it may (--max-size). Forget and "
            "erase what is no longer needed, or raise the limit, before nothing more can be remembered.",
        )


def read_size(text: str) -> int | None:
    """Parse a size such as 500MB, 2 GB, 1.5 GiB or 4000000 into bytes; None for 0, no limit. Raises InvalidInput.

    >>> read_size("500MB"), read_size("1 GiB"), read_size("0")
    (500000000, 1073741824, None)
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if not found:
        raise InvalidInput(f"{text[:40]!r} is no size; give one such as 500MB or 2GB, or 0 for no limit.")
    power = "kmgt".find(found[2]) + 1 if found[2] else 0
    size = int(float(found[1]) * (1024**power if found[3] else _UNITS[found[2]]))
    if 0 < size < SMALLEST:
        raise InvalidInput(
            f"{text[:40]!r} is less than a store needs; give {format_size(SMALLEST)} or more, or 0 for no limit."
        )
    return size or None


def format_size(size: int) -> str:
    """Format a size in its largest unit, with three figures.

    >>> format_size(465_300_000)
    '465 MB'
    """
    for unit, length in (("TB", 1_000**4), ("GB", 1_000**3), ("MB", 1_000**2), ("kB", 1_000)):
        if size >= length:
            return f"{size / length:.3g} {unit}" if size < 1_000 * length else f"{size / length:,.0f} {unit}"
    return f"{size} B"
