"""A Markdown folder on disk: its files, the state of the last sync, and writes that lose no edit."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from mcp_memory.errors import Conflict, InvalidInput, NotFound, Unusable
from mcp_memory.markdown_folder.filenames import is_safe
from mcp_memory.sqlite.files import permissions

INDEX = "MEMORY.md"
LAYOUT_KEY = "mcp-memory"
"""The key of an index's front matter that holds the version of the layout."""
LAYOUT_VERSION = 1
STATE_FILE = ".mcp-memory.json"
"""The state of both sides after the last sync, beside the notes; it begins with a point, so editors of notes pass it over."""
MAX_NOTE_BYTES = 10_000_000
"""Bytes of a note at most, as of what is remembered in a call."""
MAX_NOTES = 200_000

Sort: TypeAlias = Literal["memory", "topic", "taken"]


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file at the last sync."""

    sort: Sort
    """A memory's file, a topic's, or one of someone else that was taken in as several memories."""
    key: str
    """The memory's id, or the topic's scope and name with a line between; empty for what was taken in."""
    sha256: str
    file_hash: str
    """The hash of its fields or digest at that time."""
    stored_hash: str
    """The hash of the same in the store; another where not all of the file could be stored."""


@dataclass(frozen=True, slots=True)
class Folder:
    root: Path
    ours: bool
    """True if it is one that was exported here."""
    files: Mapping[str, bytes]
    """The notes, by their paths in the folder with `/`, without the index."""
    others: frozenset[str]
    """Paths of what is there and is no note that is read."""
    index: bytes | None
    entries: Mapping[str, FileState] = field(default_factory=dict[str, FileState])
    index_bytes: str = ""
    """SHA-256 of the index as it was written or read last."""
    known: bool = True
    """True if there is a state: without it, deletions can't be detected."""


def content_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_ours(root: Path) -> bool:
    """Return whether a path is an exported folder; its state identifies one without an index."""
    try:
        with (root / INDEX).open("rb") as stream:
            return layout_version(stream.read(4096).decode(errors="replace")) is not None
    except FileNotFoundError:
        return (root / STATE_FILE).is_file()
    except OSError:
        return False


def read_folder(root: Path) -> Folder:
    """Read a folder. Raises NotFound, InvalidInput for one that is too large or of a later version, Unusable."""
    if not root.is_dir():
        raise NotFound(f"There is no folder {root}.")
    files: dict[str, bytes] = {}
    others: set[str] = set()
    try:
        for at, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(at, name)
                relative = path.relative_to(root).as_posix()
                if not _is_note(path) or path.stat().st_size > MAX_NOTE_BYTES:
                    others.add(relative)
                    continue
                files[relative] = path.read_bytes()
            if len(files) > MAX_NOTES:
                raise InvalidInput(f"{root} holds more than {MAX_NOTES:,} notes.")
    except OSError as error:
        raise Unusable(f"{root} can't be read ({error.strerror or error}).") from None
    index = files.pop(INDEX, None)
    state = _read_state(root)
    ours = state is not None
    if index is not None:
        begins = index[:4096].decode(errors="replace")
        ours = layout_version(begins) is not None
        require_version(begins)
    if state is None:
        return Folder(root, ours, files, frozenset(others), index, known=False)
    return Folder(root, ours, files, frozenset(others), index, state[0], state[1])


def prepare_folder(root: Path) -> None:
    """Create the folder where missing. Raises Conflict where it holds something that is not ours."""
    if root.exists() and not root.is_dir():
        raise Conflict(f"{root} is a file; name a folder.")
    if root.is_dir() and not is_ours(root):
        held = sorted(name for name in os.listdir(root) if not name.startswith("."))
        if held:
            raise Conflict(
                f"{root} holds {held[0]} and was not made by mcp-memory: nothing was written. Name an empty folder or one "
                "that is not there yet."
            )
    permissions.make_directory(root)


def write(root: Path, path: str, data: bytes, *, over: bytes | None) -> bool:
    """Write a file atomically, for this user only; False, with nothing done, where its content is not `over`.

    `over` is None for a new file. Raises Unusable.
    """
    target = root / path
    unfinished = target.with_name(f".{content_hash(path.encode())[:16]}.unfinished")
    try:
        permissions.make_directory(target.parent)
        if _present(target) != over:
            return False
        unfinished.unlink(missing_ok=True)
        if sys.platform != "win32" or target.parent == root:  # elsewhere what our directory grants is inherited
            permissions.make_file(unfinished)
        try:
            with unfinished.open("wb") as stream:
                stream.write(data)
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise Unusable(f"{target} can't be written ({error.strerror or error}).") from None
    return True


def remove(root: Path, path: str, *, held: bytes) -> bool:
    """Delete a file; False where its content is not `held` any more. Raises Unusable."""
    target = root / path
    try:
        if _present(target) != held:
            return False
        target.unlink()
    except OSError as error:
        raise Unusable(f"{target} can't be removed ({error.strerror or error}).") from None
    return True


def write_state(folder: Folder, entries: Mapping[str, FileState], index_bytes: str) -> None:
    """Store the state of both sides, if it changed. Raises Unusable."""
    if folder.known and dict(folder.entries) == dict(entries) and folder.index_bytes == index_bytes:
        return
    state = {
        "format": "mcp-memory folder",
        "version": 1,
        "index": index_bytes,
        "files": {
            path: [entry.sort, entry.key, entry.sha256, *dict.fromkeys((entry.file_hash, entry.stored_hash))]
            for path, entry in sorted(entries.items())
        },
    }
    data = json.dumps(state, ensure_ascii=False, indent=0).encode() + b"\n"
    write(folder.root, STATE_FILE, data, over=_present(folder.root / STATE_FILE))


def change_stamp(root: Path) -> int:
    """Return a number that changes whenever a note is written, added, renamed or removed."""
    found: list[tuple[str, int, int]] = []
    with suppress(OSError):
        for at, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if name.endswith(".md"):
                    status = os.stat(os.path.join(at, name))
                    found.append((os.path.join(at, name), status.st_mtime_ns, status.st_size))
    return hash(tuple(sorted(found)))


def _is_note(path: Path) -> bool:
    return path.suffix == ".md" and not path.name.startswith(".") and path.is_file() and not path.is_symlink()


def _present(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _read_state(root: Path) -> tuple[dict[str, FileState], str] | None:
    """Read the state of the last sync; None where missing. Raises InvalidInput where the file is no state."""
    data = _present(root / STATE_FILE)
    if data is None:
        return None
    try:
        state: dict[str, Any] = json.loads(data)
        entries: dict[str, FileState] = {}
        for path, values in cast("dict[str, list[str]]", state["files"]).items():
            sort, key, sha256, file_hash, *stored = (str(value) for value in values)
            if is_safe(path) and sort in ("memory", "topic", "taken"):
                entries[path] = FileState(sort, key, sha256, file_hash, stored[0] if stored else file_hash)
        if state["version"] != 1:
            raise ValueError
        return entries, str(state["index"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidInput(
            f"{root / STATE_FILE} can't be read. Delete it: files are known by their ids then, though what was deleted is not."
        ) from None


def layout_version(index: str) -> int | None:
    """Return the version of the layout that a MEMORY.md names; None where the folder is not one of ours."""
    found = _LAYOUT.match(index.replace("\r\n", "\n"))
    return int(found[1]) if found else None


_LAYOUT = re.compile(rf"---[ \t]*\n(?:(?!---|\.\.\.).*\n)*?{LAYOUT_KEY}: *(\d+) *\n")


def require_version(index: str) -> None:
    """Raise InvalidInput where a later version laid out the folder of a MEMORY.md."""
    version = layout_version(index)
    if version is not None and version > LAYOUT_VERSION:
        raise InvalidInput(
            f"The folder has version {version} of its layout, and this mcp-memory reads {LAYOUT_VERSION}. Upgrade mcp-memory."
        )
