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
    comparison = _Comparison(folder, files, known, keep)
    changes = comparison.changes
    comparison.claim()
    for path, found in files.items():
        comparison.compare_file(path, found)
    comparison.find_gone()
    memories = sum(entry.sort == "memory" for entry in folder.entries.values())
    if len(changes.gone) > max(MAX_UNCONFIRMED, memories / 2) and not confirm:
        raise InvalidInput(
            f"{len(changes.gone):,} of {memories:,} files are gone from {folder.root}. Nothing was changed: bring them "
            "back, or say --confirm to forget what was in them."
        )
    if folder.index is not None and content_hash(folder.index) != folder.index_bytes:
        try:
            changes.lines = added_lines(decode(folder.index), [*folder.files, *folder.entries])
        except Malformed as problem:
            changes.problems.append(ReadProblem(INDEX, str(problem)))
    return changes


@dataclass(frozen=True, slots=True)
class _Comparison:
    folder: Folder
    files: Mapping[str, Parsed]
    known: StoredState
    keep: Keep | None
    changes: Changes = field(default_factory=Changes)
    claimed: dict[str, str] = field(default_factory=dict[str, str])
    """The file of each memory, by id."""

    def claim(self) -> None:
        """Claim the unchanged file of each memory, then the changed one that was written for it, before any copy."""
        for path in self.folder.files:
            entry = self.folder.entries.get(path)
            if entry is not None and (path not in self.files or isinstance(self.files[path], Malformed)):
                self.changes.entries[path] = entry
                if entry.sort == "memory":
                    self.claimed[entry.key] = path
        own = {path: entry.key for path, entry in self.folder.entries.items() if entry.sort == "memory"}
        pages = [(path, page.id) for path, page in self.files.items() if isinstance(page, Page)]
        for path, identifier in sorted(pages, key=lambda one: own.get(one[0]) != one[1]):
            self.claimed.setdefault(identifier, path)

    def compare_file(self, path: str, found: Parsed) -> None:
        entry = self.folder.entries.get(path)
        if isinstance(found, Malformed):
            self._problem(path, str(found))
            if names := _ID.search(self.folder.files[path]):  # a file that was renamed and broken is not one deleted
                self.claimed.setdefault(names[1].decode(), path)
        elif isinstance(found, TopicPage):
            self._compare_topic(path, found, entry)
        elif isinstance(found, Page) and not self.known.foreign(found.id):
            if (other := self.claimed[found.id]) == path:
                self._compare_memory(path, found)
            else:
                self._problem(
                    path, f"it has the id of {other}; take out its id and revision where it is another memory."
                )
        elif entry is not None and entry.sort == "memory" and (item := self.known.live(entry.key)):
            self.claimed[entry.key] = path
            self._edited(path, item, found, entry)
        elif entry is not None and entry.sort == "topic" and isinstance(found, Note):
            scope, _, name = entry.key.partition("\n")
            self._compare_topic(path, TopicPage(name, scope, digest_before_members(found.body)), entry)
        else:
            self.changes.new.append((path, found))

    def _compare_memory(self, path: str, page: Page) -> None:
        entry = self.folder.entries.get(path)
        if entry is None or entry.key != page.id:  # it was renamed
            entries = self.folder.entries.values()
            entry = next((old for old in entries if old.sort == "memory" and old.key == page.id), None)
            self.changes.moved += entry is not None
        if (item := self.known.live(page.id)) is not None:
            self._edited(path, item, page, entry)
            return
        as_it_is = FileState("memory", page.id, self._hash(path), page.fields.hash, "")
        if (
            (old := self.known.items.get(page.id)) is not None
            and entry is None
            and normalize(old.text) == page.fields.text
        ):
            entry = as_it_is  # an old copy of a file
        if (entry is not None and entry.file_hash == page.fields.hash) or self.keep == "store":
            self.changes.entries[path] = as_it_is
        elif self.keep == "file":
            self.changes.new.append((path, page))
        else:
            what = "was erased" if page.id in self.known.erased else f"was {self.known.items[page.id].status}"
            self._conflict(path, page.id, f"{what}, and its file was edited")
            self._leave(path, entry)

    def _edited(self, path: str, item: Item, page: Page | Note, entry: FileState | None) -> None:
        try:
            fields = fields_in_file(page, item)
        except Malformed as problem:
            self._problem(path, str(problem))
            self._leave(path, entry)
            return
        here, there = fields.hash, fields_of(item).hash
        unchanged = entry.stored_hash == there if entry else isinstance(page, Page) and page.revision == item.revision
        if here == there or (entry is not None and here == entry.file_hash):
            kept = there if here == there or entry is None else entry.stored_hash
            self.changes.entries[path] = FileState("memory", item.id, self._hash(path), here, kept)
        elif unchanged or self.keep == "file":
            self.changes.edits.append(Edit(path, item, fields))
            self._leave(path, entry)
        elif self.keep == "store":
            self.changes.entries[path] = FileState("memory", item.id, self._hash(path), here, there)
        else:
            self._conflict(path, item.id, "was changed, and its file too")
            self._leave(path, entry)

    def _compare_topic(self, path: str, page: TopicPage, entry: FileState | None) -> None:
        topic = self.known.topics.get((page.scope, page.name))
        there = digest_hash(topic.digest) if topic else ""
        if page.hash == there or (entry is not None and page.hash == entry.file_hash) or self.keep == "store":
            key = f"{page.scope}\n{page.name}"
            self.changes.entries[path] = FileState("topic", key, self._hash(path), page.hash, there)
            return
        self._leave(path, entry)
        if not page.digest:
            self._problem(path, "its digest is gone; delete the file, and it is written anew.")
        elif self.keep == "file" or topic is None or (entry is not None and entry.stored_hash == there):
            self.changes.digests.append((path, page, topic))
        else:
            self._conflict(path, "", f"the digest of {page.name} was changed, and its file too")

    def find_gone(self) -> None:
        """Find deleted files; one that returned under another name without its id does not count."""
        changes, folder = self.changes, self.folder
        notes = [(path, normalize(page.body)) for path, page in changes.new if isinstance(page, Note)]
        bodies = {body: path for path, body in notes if body}
        for path, entry in folder.entries.items():
            if path in folder.files or entry.sort != "memory" or entry.key in self.claimed:
                continue
            item = self.known.live(entry.key)
            if item is None:
                continue
            if path in folder.others:
                self._problem(path, "it is a link, or too large to be read.")
                changes.entries[path] = entry
            elif (now_at := bodies.pop(normalize(item.text), None)) is not None:
                changes.new = [(at, page) for at, page in changes.new if at != now_at]
                changes.entries[now_at] = replace(entry, sha256=self._hash(now_at), file_hash="")
                changes.moved += 1
            elif fields_of(item).hash == entry.stored_hash or self.keep == "file":
                changes.gone.append((path, item))
            elif self.keep is None:
                self._conflict(path, item.id, "was changed, and its file deleted")

    def _hash(self, path: str) -> str:
        return content_hash(self.folder.files[path])

    def _problem(self, path: str, problem: str) -> None:
        self.changes.problems.append(ReadProblem(path, problem))

    def _conflict(self, path: str, identifier: str, what: str) -> None:
        self.changes.conflicts.append(SyncConflict(path, identifier, what))

    def _leave(self, path: str, entry: FileState | None) -> None:
        if entry is not None:
            self.changes.entries[path] = entry
