"""Rebuild of a damaged header: what SQLite needs to read a file at all, known or measured from the file's pages."""

from collections.abc import Iterator
from pathlib import Path

import apsw

from mcp_memory.sqlite.recovery.schema_page import HEADER, MAGIC
from mcp_memory.sqlite.schema import APPLICATION_ID

_SIZES = tuple(1 << power for power in range(9, 17))  # Page sizes of SQLite's file format, 1.3.2
_KINDS = {2: 12, 5: 12, 10: 8, 13: 8}  # First bytes of table and index pages, with the length of the page's header
_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")


def rebuild_header(path: Path, version: int) -> bool:
    """Write a memory file's header to a plain copy; return False where its pages are not SQLite's."""
    size = page_size(path)
    if size is None:
        return False
    log = Path(f"{path}-wal")
    way = b"\x02\x02" if log.exists() and log.stat().st_size else b"\x01\x01"
    with path.open("r+b") as file:
        head = bytearray(HEADER)
        head[:16] = MAGIC
        head[16:18] = (1 if size == 65536 else size).to_bytes(2, "big")
        head[18:24] = way + b"\x00\x40\x20\x20"
        for at, number in (
            (24, 1),  # the count of changes, and below the one that the number of pages is of
            (28, path.stat().st_size // size),
            (40, 1),
            (44, 4),  # the format of the list of tables
            (56, 1),  # UTF-8
            (60, version),
            (68, APPLICATION_ID),
            (92, 1),
            (96, apsw.SQLITE_VERSION_NUMBER),
        ):
            head[at : at + 4] = number.to_bytes(4, "big")
        file.write(head)
    return True


def page_size(path: Path) -> int | None:
    """Return the page size of a file without a header; None where none fits."""
    log = Path(f"{path}-wal")
    if log.exists():
        with log.open("rb") as file:
            head = file.read(32)
        if head[:4] in _WAL_MAGIC and (size := int.from_bytes(head[8:12], "big")) in _SIZES:
            return size
    shares = {size: _share(path, size) for size in _SIZES if path.stat().st_size >= 2 * size}
    best = max(shares, key=lambda size: shares[size], default=None)
    return best if best is not None and shares[best] > 0 else None


def _share(path: Path, size: int) -> float:
    """Return the share of pages after the first that begin as a table's or an index's."""
    pages = list(_beginnings(path, size))
    return sum(_is_one(page, size) for page in pages) / len(pages)


def _beginnings(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        for at in range(size, path.stat().st_size - size + 1, size):
            file.seek(at)
            yield file.read(12)


def _is_one(page: bytes, size: int) -> bool:
    """Return whether a page's kind, number of cells and their start agree."""
    length = _KINDS.get(page[0])
    if length is None:
        return False
    cells, begin = int.from_bytes(page[3:5], "big"), int.from_bytes(page[5:7], "big") or 65536
    return length + 2 * cells <= begin <= size and bool(cells or begin == size)
