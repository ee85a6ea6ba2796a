"""Rebuild of a damaged sqlite_schema from its migrations and from where a new file has its tables."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import NamedTuple

import apsw

from mcp_memory.sqlite.rows import fetch
from mcp_memory.sqlite.schema import APPLICATION_ID, migrations

HEADER = 100  # SQLite's file format, 1.3
MAGIC = b"SQLite format 3\x00"
PAGES = 1 << 22  # A plausible number of pages: 16 GB
_OF_TABLE = (5, 13)
_OF_INDEX = (2, 10)  # First bytes of a page that begins a table, and an index or a table sorted as one
_ROWS = (
    "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema "
    "WHERE rootpage > 0 AND name NOT LIKE 'text_index%' ORDER BY rowid"
)


class Entry(NamedTuple):
    """A row of sqlite_schema."""

    type: str
    name: str
    table: str
    root: int
    sql: str | None


def version_in_header(path: Path) -> int | None:
    """Return the schema version in the header of a plain file; None where it is no memory file."""
    with path.open("rb") as file:
        head = file.read(HEADER)
    if len(head) < HEADER or not head.startswith(MAGIC):
        return None
    version, application = (int.from_bytes(head[at : at + 4], "big") for at in (60, 68))
    return version if application == APPLICATION_ID and 0 < version <= len(migrations()) else None


def missing_pages(path: Path, head: bytes) -> tuple[int, int]:
    """Return the missing pages at a file's end and how many its sound `head` states; 0, 0 where none is missing."""
    size, pages = _page_size(head), int.from_bytes(head[28:32], "big")
    if not head.startswith(MAGIC) or len(head) < HEADER or head[24:28] != head[92:96] or not size or pages > PAGES:
        return 0, 0
    there = path.stat().st_size // size
    missing = set(range(there + 1, pages + 1)) - _logged(Path(f"{path}-wal"), size)
    return (len(missing), pages) if missing else (0, 0)


def _logged(log: Path, size: int) -> set[int]:
    """Return the pages that a WAL holds."""
    if not log.exists():
        return set()
    with log.open("rb") as file:
        numbers = set[int]()
        for at in range(32, log.stat().st_size - size, size + 24):
            file.seek(at)
            numbers.add(int.from_bytes(file.read(4), "big"))
    return numbers


def pad_missing_pages(path: Path, head: bytes) -> None:
    """Append blank pages to a truncated copy, so that new ones never land where a table still points."""
    _, pages = missing_pages(path, head)
    if pages:
        with path.open("r+b") as file:
            file.truncate(pages * _page_size(head))


def rebuild_schema_page(path: Path, version: int, make: Callable[[apsw.Connection], None]) -> bool:
    """Rewrite a copy's sqlite_schema from `make`'s layouts and what is readable; return whether its tables are located."""
    left = _left(path)
    kinds = _kinds(path)
    known = [layout for layout in _layouts(make) if _agrees(layout, left) and _fits(layout, kinds)]
    entries = max(known, key=lambda layout: _fitting(layout, kinds), default=list(left.values()))
    there = {entry.name for entry in entries if entry.type == "table" and entry.root in kinds}
    entries = [entry for entry in entries if entry.table in there and entry.root in kinds]
    if not entries:
        return False
    _empty_list(path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
        connection.pragma("writable_schema", True)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", entries)
        connection.pragma("user_version", version)
        connection.execute("COMMIT")
    return True


def schema_matches(path: Path, make: Callable[[apsw.Connection], None]) -> bool:
    """Return whether sqlite_schema can be read whole and is what `make` creates in an empty file."""
    with closing(apsw.Connection(str(path))) as connection:
        try:
            found = {(name, sql) for _, name, _, _, sql in fetch(connection, _ROWS)}
        except apsw.Error:
            return False
    return any(found == {(entry.name, entry.sql) for entry in layout} for layout in _layouts(make))


def layout_fit(path: Path, make: Callable[[apsw.Connection], None]) -> float:
    """Return the share of tables and indexes at their place in the best fitting layout; 0 where none fits."""
    left, kinds = _left(path), _kinds(path)
    known = [layout for layout in _layouts(make) if _agrees(layout, left) and _fits(layout, kinds)]
    return max((_fitting(layout, kinds) / len(layout) for layout in known), default=0)


def _left(path: Path) -> dict[str, Entry]:
    """Return the readable rows, from either end and with the WAL applied."""
    found: dict[str, Entry] = {}
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("writable_schema", True)  # goes on with what can be read
        for order in ("", " DESC"):
            with suppress(apsw.Error):
                for row in connection.execute(_ROWS + order):
                    entry = Entry(*row)
                    found[entry.name] = entry
        with suppress(apsw.Error):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return found


def _layouts(make: Callable[[apsw.Connection], None]) -> Iterator[list[Entry]]:
    """Yield the schema's layouts: new or rewritten, with and without incremental vacuum."""
    for vacuum, rewritten in product(("incremental", "none"), (False, True)):
        with closing(apsw.Connection(":memory:")) as connection:
            connection.pragma("auto_vacuum", vacuum)
            make(connection)
            if rewritten:
                connection.execute("VACUUM")
            yield [Entry(*row) for row in fetch(connection, _ROWS)]


def _agrees(layout: Sequence[Entry], left: dict[str, Entry]) -> bool:
    roots = {entry.name: entry.root for entry in layout}
    return all(roots.get(name) == entry.root for name, entry in left.items())


def _fits(layout: Sequence[Entry], kinds: Mapping[int, int]) -> bool:
    """Return whether nearly all pages of a layout begin a table or an index; a few may be damaged."""
    return _fitting(layout, kinds) >= len(layout) - max(2, len(layout) // 10)


def _fitting(layout: Sequence[Entry], kinds: Mapping[int, int]) -> int:
    return sum(kinds.get(entry.root) in (_OF_INDEX if _is_sorted(entry) else _OF_TABLE) for entry in layout)


def _is_sorted(entry: Entry) -> bool:
    return entry.type == "index" or "WITHOUT ROWID" in (entry.sql or "")


def _kinds(path: Path) -> dict[int, int]:
    """Return the first byte, the type, of each page but the first."""
    with path.open("rb") as file:
        size = _page_size(file.read(HEADER))
        found: dict[int, int] = {}
        for number in range(2, path.stat().st_size // size + 1):
            file.seek((number - 1) * size)
            found[number] = file.read(1)[0]
    return found


def _page_size(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    return 65536 if size == 1 else size


def _empty_list(path: Path) -> None:
    """Make the first page a leaf without rows, in a file without free pages and without a pointer map."""
    with path.open("r+b") as file:
        head = bytearray(file.read(HEADER))
        size = _page_size(bytes(head))
        head[18:20] = b"\x01\x01"  # no log
        head[32:40] = bytes(8)  # free pages
        head[52:56] = head[64:68] = bytes(4)  # moving pages
        usable = size - head[20]
        leaf = struct.pack(">BHHHB", 13, 0, 0, usable % 65536, 0)
        file.seek(0)
        file.write(head + leaf + bytes(size - HEADER - len(leaf)))
