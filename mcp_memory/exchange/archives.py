"""The files of a path to import, of a folder or an archive, within limits on their size."""

import contextlib
import io
import os
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from mcp_memory.errors import InvalidInput, NotFound
from mcp_memory.exchange.importers.parsed import File, Malformed, Package, ReadProblem

MAX_FILE = 512_000_000
"""Bytes of one file, unpacked: ten years of conversations fit, and its JSON takes five times as much memory."""
MAX_TOTAL = 2_000_000_000
MAX_FILES = 100_000
RATIO = 200
"""How much smaller a packed file may be, where it is long: JSON of conversations packs to a tenth, a bomb to a thousandth."""
SMALL = 10_000_000  # Bytes up to which the ratio does not matter
HIDDEN = (".cursor", ".cursorrules", ".windsurfrules", ".clinerules", ".github", ".claude", ".gemini")
"""What begins with a point and is looked at all the same."""
READ = frozenset(
    (".md", ".markdown", ".mdc", ".txt", ".text", ".rst", ".org", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".af")
)
SKIPPED = ("node_modules", "__pycache__", "__MACOSX")


def open_package(path: Path) -> Package:
    """Return the package at a path, its files read on demand. Raises NotFound, and InvalidInput for an unusable archive."""
    if not path.exists():
        raise NotFound(f"There is no file or folder {path}.")
    if path.is_dir():
        others: list[str] = []
        files = list(_walk(path, others))
        name = resolve_dots(path).name or str(path)
        within = [found for other in others if (found := _archive_in(path, other, name)) is not None]
        opened = {found.name if isinstance(found, Package) else found.where for found in within}
        others = [other for other in others if f"{name}/{other}" not in opened]
        return Package(name, files, whole=True, others=others, within=within)
    if zipfile.is_zipfile(path):
        files, others = _members(lambda: zipfile.ZipFile(path), path.name)
        return Package(path.name, files, whole=True, others=others)
    return Package(path.name, [File(path.name, lambda: _read(path))], whole=False)


def resolve_dots(path: Path) -> Path:
    """Resolve a path that ends in `.` or `..`, which has no name of its own."""
    return path.resolve() if path.name in ("", "..") else path


def package_from_stream(stream: BinaryIO, head: bytes, name: str) -> Package:
    """Return the package in a stream whose `head` was read already. Raises InvalidInput where it is too large."""
    data = head + stream.read(MAX_FILE + 1 - len(head))
    if len(data) > MAX_FILE:
        raise InvalidInput(f"{name} holds more than {MAX_FILE / 1e6:.0f} MB; import it in parts.")
    if zipfile.is_zipfile(io.BytesIO(data)):
        files, others = _members(lambda: zipfile.ZipFile(io.BytesIO(data)), name)
        return Package(name, files, whole=True, others=others)
    return Package(name, [File(name, lambda: data)], whole=False)


def _archive_in(folder: Path, name: str, of: str) -> Package | ReadProblem | None:
    """Open an archive inside a folder, or say why it can't be opened; None where it is none."""
    path = folder / name
    if path.suffix.lower() != ".zip" or not zipfile.is_zipfile(path):
        return None
    try:
        files, others = _members(lambda: zipfile.ZipFile(path), name)
    except InvalidInput as problem:
        return ReadProblem(f"{of}/{name}", str(problem))
    return Package(f"{of}/{name}", files, whole=True, others=others)


def _walk(folder: Path, others: list[str]) -> Iterator[File]:
    """Yield a folder's files by name, without following links to folders; names passed over go to `others`."""
    count = 0
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if _wanted(name))
        for name in sorted(names):
            path = Path(at, name)
            if not _wanted(name) or not path.is_file():
                continue
            if path.suffix.lower() not in READ and name not in HIDDEN:
                others.append(path.relative_to(folder).as_posix())
                continue
            count += 1
            if count > MAX_FILES:
                raise InvalidInput(f"{folder} holds more than {MAX_FILES:,} files; import its folders one by one.")
            yield File(path.relative_to(folder).as_posix(), lambda path=path: _read(path))


def _wanted(name: str) -> bool:
    return name not in SKIPPED and (not name.startswith(".") or name in HIDDEN)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise Malformed(f"it can't be read ({error.strerror or error}).") from None
    if len(data) > MAX_FILE:
        raise Malformed(f"it holds more than {MAX_FILE / 1e6:.0f} MB; import it in parts.")
    return _with_log(path) if data.startswith(b"SQLite format 3\0") else data


def _with_log(path: Path) -> bytes:
    """Read a database with its write-ahead log, while it may be in use."""
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(":memory:")) as copy,
        ):
            source.backup(copy)
            return copy.serialize()
    except sqlite3.Error as error:
        raise Malformed(f"the database can't be read ({error}).") from None


def _members(opened: Callable[[], zipfile.ZipFile], name: str) -> tuple[list[File], list[str]]:
    """List an archive's files, unpacked on demand within their declared size, and the names that are passed over."""
    try:
        with opened() as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise InvalidInput(f"{name} is no archive that can be opened ({error}).") from None
    if len(entries) > MAX_FILES:
        raise InvalidInput(f"{name} holds {len(entries):,} files; at most {MAX_FILES:,} are read.")
    seen = [entry for entry in entries if _is_seen(entry.filename)]
    wanted = [entry for entry in seen if _is_read(entry.filename)]
    others = [entry.filename for entry in seen if not _is_read(entry.filename)]
    if sum(entry.file_size for entry in wanted) > MAX_TOTAL:
        raise InvalidInput(f"{name} would unpack to more than {MAX_TOTAL / 1e9:.0f} GB; unpack it and import parts.")
    for entry in wanted:
        if entry.file_size > max(SMALL, RATIO * entry.compress_size):
            raise InvalidInput(
                f"{name} was not imported: {entry.filename} would unpack to {entry.file_size / 1e6:.0f} MB from "
                f"{entry.compress_size / 1e6:.2f} MB, as a zip bomb does. Unpack it yourself if you trust it."
            )
        if entry.flag_bits & 1:
            raise InvalidInput(f"{name} is encrypted; unpack it with its password and import the folder.")
    return [File(entry.filename, lambda entry=entry: _unpacked(opened, entry)) for entry in wanted], others


def _is_seen(name: str) -> bool:
    parts = name.split("/")
    return bool(parts[-1]) and all(_wanted(part) for part in parts)


def _is_read(name: str) -> bool:
    base = name.rpartition("/")[2]
    return base in HIDDEN or Path(base).suffix.lower() in READ


def _unpacked(opened: Callable[[], zipfile.ZipFile], entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > MAX_FILE:
        raise Malformed(f"it holds {entry.file_size / 1e6:.0f} MB; at most {MAX_FILE / 1e6:.0f} MB are read.")
    try:
        with opened() as archive, archive.open(entry) as stream:
            return stream.read(MAX_FILE + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise Malformed(f"the archive is damaged there ({error}).") from None
