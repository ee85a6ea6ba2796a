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
    Known,
    Page,
    Parsed,
    Said,
    TopicPage,
    digest_in,
    digest_print,
    new_lines,
    normal,
    said_at,
    said_of,
)
from mcp_memory.markdown_folder.state import (
    INDEX,
    Entry,
    Folder,
    fingerprint,
)

_ID = re.compile(rb'^id: *"?([0-9a-v]{13})\b', re.MULTILINE)
FEW = 20
"""Files that may be missing without a question; of more than that at most half."""


Keep: TypeAlias = Literal["file", "store"]
"""Which side a conflict is decided for."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A conflict: both sides changed, and both are left alone."""

    path: str
    id: str
    """The memory's; empty for a topic."""
    what: str


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited file of a memory."""

    path: str
    item: Item
    said: Said


@dataclass(slots=True)
class Changes:
    """What to import from a folder."""

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
    clashes: list[Clash] = field(default_factory=list[Clash])
    problems: list[ReadProblem] = field(default_factory=list[ReadProblem])
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    """What is known of each file by now; of what is taken in once it is."""


def compare(
    folder: Folder, files: Mapping[str, Parsed], known: Known, *, keep: Keep | None = None, confirm: bool = False
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
    if len(changes.gone) > max(FEW, memories / 2) and not confirm:
        raise InvalidInput(
            f"{len(changes.gone):,} of {memories:,} files are gone from {folder.root}. Nothing was changed: bring them "
            "back, or say --confirm to forget what was in them."
        )
    if folder.index is not None and fingerprint(folder.index) != folder.index_bytes:
        names = [*folder.files, *folder.entries]
        try:
            changes.lines = new_lines(decode(folder.index), names)
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
    known: Known,
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
            told = f"it has the id of {other}; take out its id and revision where it is another memory."
            changes.problems.append(ReadProblem(path, told))
    elif entry is not None and entry.sort == "memory" and (item := known.live(entry.key)):
        claimed[entry.key] = path
        _edited(path, item, found, entry, changes, keep, data=folder.files[path])
    elif entry is not None and entry.sort == "topic" and isinstance(found, Note):
        scope, _, name = entry.key.partition("\n")
        page = TopicPage(name, scope, digest_in(found.body))
        _compare_topic(path, page, entry, known, changes, keep, data=folder.files[path])
    else:
        changes.new.append((path, found))


def _compare_memory(path: str, page: Page, folder: Folder, known: Known, changes: Changes, keep: Keep | None) -> None:
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
    if (old := known.items.get(page.id)) is not None and entry is None and normal(old.text) == page.said.text:
        entry = Entry("memory", page.id, fingerprint(data), page.said.print, "")  # as it was: an old copy of a file
    if (entry is not None and entry.said == page.said.print) or keep == "store":
        changes.entries[path] = Entry("memory", page.id, fingerprint(data), page.said.print, "")
    elif keep == "file":
        changes.new.append((path, page))
    else:
        what = "was erased" if page.id in known.erased else f"was {known.items[page.id].status}"
        changes.clashes.append(Clash(path, page.id, f"{what}, and its file was edited"))
        if entry is not None:
            changes.entries[path] = entry


def _edited(
    path: str, item: Item, page: Page | Note, entry: Entry | None, changes: Changes, keep: Keep | None, *, data: bytes
) -> None:
    """Classify a changed file of a live memory."""
    try:
        said = said_at(page, item)
    except Malformed as problem:
        changes.problems.append(ReadProblem(path, str(problem)))
        if entry is not None:
            changes.entries[path] = entry
        return
    here, there = said.print, said_of(item).print
    unchanged = entry.kept == there if entry else isinstance(page, Page) and page.revision == item.revision
    if here == there or (entry is not None and here == entry.said):
        kept = there if here == there or entry is None else entry.kept
        changes.entries[path] = Entry("memory", item.id, fingerprint(data), here, kept)
    elif unchanged or keep == "file":
        changes.edits.append(Edit(path, item, said))
        if entry is not None:
            changes.entries[path] = entry
    elif keep == "store":
        changes.entries[path] = Entry("memory", item.id, fingerprint(data), here, there)
    else:
        changes.clashes.append(Clash(path, item.id, "was changed, and its file too"))
        if entry is not None:
            changes.entries[path] = entry


def _compare_topic(
    path: str,
    page: TopicPage,
    entry: Entry | None,
    known: Known,
    changes: Changes,
    keep: Keep | None,
    *,
    data: bytes,
) -> None:
    topic = known.topics.get((page.scope, page.name))
    there = digest_print(topic.digest) if topic else ""
    key = f"{page.scope}\n{page.name}"
    if page.print == there or (entry is not None and page.print == entry.said) or keep == "store":
        changes.entries[path] = Entry("topic", key, fingerprint(data), page.print, there)
        return
    if entry is not None:
        changes.entries[path] = entry
    if not page.digest:
        told = "its digest is gone; delete the file, and it is written anew."
        changes.problems.append(ReadProblem(path, told))
    elif keep == "file" or topic is None or (entry is not None and entry.kept == there):
        changes.digests.append((path, page, topic))
    else:
        changes.clashes.append(Clash(path, "", f"the digest of {page.name} was changed, and its file too"))


def _find_gone(folder: Folder, known: Known, changes: Changes, claimed: Mapping[str, str], keep: Keep | None) -> None:
    """Find deleted files; one that returned under another name without its id does not count."""
    bodies = {normal(page.body): path for path, page in changes.new if isinstance(page, Note) and normal(page.body)}
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
        if (now_at := bodies.pop(normal(item.text), None)) is not None:
            changes.new = [(at, page) for at, page in changes.new if at != now_at]
            changes.entries[now_at] = replace(entry, bytes=fingerprint(folder.files[now_at]), said="")
            changes.moved += 1
        elif said_of(item).print == entry.kept or keep == "file":
            changes.gone.append((path, item))
        elif keep is None:
            changes.clashes.append(Clash(path, item.id, "was changed, and its file deleted"))
