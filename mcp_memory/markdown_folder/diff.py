"""A three-way diff of a Markdown folder: as written last, as the files are now, as the store is now."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from mcp_memory.domain.model import Item, Topic
from mcp_memory.errors import InvalidInput
from mcp_memory.exchange.importers.markdown import Note
from mcp_memory.exchange.importers.parsed import Malformed, ReadProblem, decode
from mcp_memory.markdown_folder.pages import (
    MemoryFields,
    Page,
    Parsed,
    StoredState,
    TopicPage,
    added_lines,
    digest_before_members,
    digest_hash,
    fields_in_file,
    fields_of,
    normalize,
)
from mcp_memory.markdown_folder.state import INDEX, FileState, Folder, content_hash

_ID = re.compile(rb'^id: *"?([0-9a-v]{13})\b', re.MULTILINE)
MAX_UNCONFIRMED = 20
"""Files that may be missing without a question; of more than that at most half."""


Keep: TypeAlias = Literal["file", "store"]
"""Which side a conflict is decided for."""


@dataclass(frozen=True, slots=True)
class SyncConflict:
    """A conflict: both sides changed, and both are left alone."""

    path: str
    id: str
    """The memory's; empty for a topic."""
    what: str


@dataclass(frozen=True, slots=True)
class Edit:
    path: str
    item: Item
    fields: MemoryFields


@dataclass(slots=True)
class Changes:
    edits: list[Edit] = field(default_factory=list[Edit])
    gone: list[tuple[str, Item]] = field(default_factory=list[tuple[str, Item]])
    """Memories whose files were deleted, with where they were."""
    digests: list[tuple[str, TopicPage, Topic | None]] = field(
        default_factory=list[tuple[str, TopicPage, Topic | None]]
    )
    new: list[tuple[str, Page | Note]] = field(default_factory=list[tuple[str, Page | Note]])
    lines: list[str] = field(default_factory=list[str])
    """What was written into the index beside its links."""
    moved: int = 0
    conflicts: list[SyncConflict] = field(default_factory=list[SyncConflict])
    problems: list[ReadProblem] = field(default_factory=list[ReadProblem])
    entries: dict[str, FileState] = field(default_factory=dict[str, FileState])
    """What is known of each file by now; of what is taken in once it is."""


def compare(
    folder: Folder, files: Mapping[str, Parsed], known: StoredState, *, keep: Keep | None = None, confirm: bool = False
) -> Changes:
    """Diff a folder three ways: as written last, as the files are now, as the store is now.

    `files` are those that changed. `keep` decides conflicts. Raises InvalidInput where more files are gone than anyone
    deletes by hand, unless `confirm` says that it was meant.
    """
    changes = Changes()
    claimed: dict[str, str] = {}
    for path in folder.files:
        entry = folder.entries.get(path)
        if entry is not None and (path not in files or isinstance(files[path], Malformed)):
            changes.entries[path] = entry
            if entry.sort == "memory":
                claimed[entry.key] = path
    _claim_own(folder, files, claimed)
    for path, found in files.items():
        _compare_file(path, found, folder, known, changes, claimed, keep)
    _find_gone(folder, known, changes, claimed, keep)
    memories = sum(entry.sort == "memory" for entry in folder.entries.values())
    if len(changes.gone) > max(MAX_UNCONFIRMED, memories / 2) and not confirm:
        raise InvalidInput(
            f"{len(changes.gone):,} of {memories:,} files are gone from {folder.root}. Nothing was changed: bring them "
            "back, or say --confirm to forget what was in them."
        )
    if folder.index is not None and content_hash(folder.index) != folder.index_bytes:
        names = [*folder.files, *folder.entries]
        try:
            changes.lines = added_lines(decode(folder.index), names)
        except Malformed as problem:
            changes.problems.append(ReadProblem(INDEX, str(problem)))
    return changes


def _claim_own(folder: Folder, files: Mapping[str, Parsed], claimed: dict[str, str]) -> None:
    """Claim for each memory the file that was written for it, before any copy."""
    own = {path: entry.key for path, entry in folder.entries.items() if entry.sort == "memory"}
    pages = [(path, page.id) for path, page in files.items() if isinstance(page, Page)]
    for path, identifier in sorted(pages, key=lambda one: own.get(one[0]) != one[1]):
        claimed.setdefault(identifier, path)


def _compare_file(
    path: str,
    found: Parsed,
    folder: Folder,
    known: StoredState,
    changes: Changes,
    claimed: dict[str, str],
    keep: Keep | None,
) -> None:
    entry = folder.entries.get(path)
    if isinstance(found, Malformed):
        changes.problems.append(ReadProblem(path, str(found)))
        if names := _ID.search(folder.files[path]):  # a file that was renamed and broken is not one that was deleted
            claimed.setdefault(names[1].decode(), path)
    elif isinstance(found, TopicPage):
        _compare_topic(path, found, entry, known, changes, keep, data=folder.files[path])
    elif isinstance(found, Page) and not known.foreign(found.id):
        if claimed[found.id] == path:
            _compare_memory(path, found, folder, known, changes, keep)
        else:
            other = claimed[found.id]
            problem = f"it has the id of {other}; take out its id and revision where it is another memory."
            changes.problems.append(ReadProblem(path, problem))
    elif entry is not None and entry.sort == "memory" and (item := known.live(entry.key)):
        claimed[entry.key] = path
        _edited(path, item, found, entry, changes, keep, data=folder.files[path])
    elif entry is not None and entry.sort == "topic" and isinstance(found, Note):
        scope, _, name = entry.key.partition("\n")
        page = TopicPage(name, scope, digest_before_members(found.body))
        _compare_topic(path, page, entry, known, changes, keep, data=folder.files[path])
    else:
        changes.new.append((path, found))


def _compare_memory(
    path: str, page: Page, folder: Folder, known: StoredState, changes: Changes, keep: Keep | None
) -> None:
    entry = folder.entries.get(path)
    if entry is None or entry.key != page.id:  # it was renamed
        moved = [(at, old) for at, old in folder.entries.items() if old.sort == "memory" and old.key == page.id]
        entry = moved[0][1] if moved else None
        changes.moved += bool(moved)
    item = known.live(page.id)
    data = folder.files[path]
    if item is not None:
        _edited(path, item, page, entry, changes, keep, data=data)
        return
    if (old := known.items.get(page.id)) is not None and entry is None and normalize(old.text) == page.fields.text:
        entry = FileState(
            "memory", page.id, content_hash(data), page.fields.hash, ""
        )  # as it was: an old copy of a file
    if (entry is not None and entry.file_hash == page.fields.hash) or keep == "store":
        changes.entries[path] = FileState("memory", page.id, content_hash(data), page.fields.hash, "")
    elif keep == "file":
        changes.new.append((path, page))
    else:
        what = "was erased" if page.id in known.erased else f"was {known.items[page.id].status}"
        changes.conflicts.append(SyncConflict(path, page.id, f"{what}, and its file was edited"))
        if entry is not None:
            changes.entries[path] = entry


def _edited(
    path: str,
    item: Item,
    page: Page | Note,
    entry: FileState | None,
    changes: Changes,
    keep: Keep | None,
    *,
    data: bytes,
) -> None:
    """Classify a changed file of a live memory."""
    try:
        fields = fields_in_file(page, item)
    except Malformed as problem:
        changes.problems.append(ReadProblem(path, str(problem)))
        if entry is not None:
            changes.entries[path] = entry
        return
    here, there = fields.hash, fields_of(item).hash
    unchanged = entry.stored_hash == there if entry else isinstance(page, Page) and page.revision == item.revision
    if here == there or (entry is not None and here == entry.file_hash):
        kept = there if here == there or entry is None else entry.stored_hash
        changes.entries[path] = FileState("memory", item.id, content_hash(data), here, kept)
    elif unchanged or keep == "file":
        changes.edits.append(Edit(path, item, fields))
        if entry is not None:
            changes.entries[path] = entry
    elif keep == "store":
        changes.entries[path] = FileState("memory", item.id, content_hash(data), here, there)
    else:
        changes.conflicts.append(SyncConflict(path, item.id, "was changed, and its file too"))
        if entry is not None:
            changes.entries[path] = entry


def _compare_topic(
    path: str,
    page: TopicPage,
    entry: FileState | None,
    known: StoredState,
    changes: Changes,
    keep: Keep | None,
    *,
    data: bytes,
) -> None:
    topic = known.topics.get((page.scope, page.name))
    there = digest_hash(topic.digest) if topic else ""
    key = f"{page.scope}\n{page.name}"
    if page.hash == there or (entry is not None and page.hash == entry.file_hash) or keep == "store":
        changes.entries[path] = FileState("topic", key, content_hash(data), page.hash, there)
        return
    if entry is not None:
        changes.entries[path] = entry
    if not page.digest:
        problem = "its digest is gone; delete the file, and it is written anew."
        changes.problems.append(ReadProblem(path, problem))
    elif keep == "file" or topic is None or (entry is not None and entry.stored_hash == there):
        changes.digests.append((path, page, topic))
    else:
        changes.conflicts.append(SyncConflict(path, "", f"the digest of {page.name} was changed, and its file too"))


def _find_gone(
    folder: Folder, known: StoredState, changes: Changes, claimed: Mapping[str, str], keep: Keep | None
) -> None:
    """Find deleted files; one that returned under another name without its id does not count."""
    bodies = {
        normalize(page.body): path for path, page in changes.new if isinstance(page, Note) and normalize(page.body)
    }
    for path, entry in folder.entries.items():
        if path in folder.files or entry.sort != "memory" or entry.key in claimed:
            continue
        item = known.live(entry.key)
        if item is None:
            continue
        if path in folder.others:
            changes.problems.append(ReadProblem(path, "it is a link, or too large to be read."))
            changes.entries[path] = entry
            continue
        if (now_at := bodies.pop(normalize(item.text), None)) is not None:
            changes.new = [(at, page) for at, page in changes.new if at != now_at]
            changes.entries[now_at] = replace(entry, sha256=content_hash(folder.files[now_at]), file_hash="")
            changes.moved += 1
        elif fields_of(item).hash == entry.stored_hash or keep == "file":
            changes.gone.append((path, item))
        elif keep is None:
            changes.conflicts.append(SyncConflict(path, item.id, "was changed, and its file deleted"))
