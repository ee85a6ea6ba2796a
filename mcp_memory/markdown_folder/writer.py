"""Export of memories and topics into a Markdown folder; files that are up to date stay untouched."""

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mcp_memory.domain.model import Item, ItemId, Topic
from mcp_memory.exchange.importers.markdown import Note
from mcp_memory.exchange.importers.parsed import Malformed, decode
from mcp_memory.language.token_count import counted
from mcp_memory.markdown_folder import pages, state
from mcp_memory.markdown_folder.filenames import case_folded, memory_path, topic_path
from mcp_memory.markdown_folder.pages import IndexEntry, Page, Parsed, StoredState, fields_in_file, fields_of, title
from mcp_memory.markdown_folder.state import INDEX, FileState, Folder, content_hash

MAX_HINT = 100
"""Characters of what an index says of a topic."""


@dataclass(slots=True)
class WriteResult:
    written: int = 0
    removed: int = 0
    untouched: int = 0
    left: list[str] = field(default_factory=list[str])
    """Files that were edited and not taken in: they are as they were."""


@dataclass(slots=True)
class _Writing:
    folder: Folder
    parsed: Mapping[str, Parsed]
    done: WriteResult
    entries: dict[str, FileState]

    def put(self, path: str, data: bytes, entry: FileState) -> None:
        """Write a file, unless someone changed it in this moment."""
        if state.write(self.folder.root, path, data, over=self.folder.files.get(path)):
            self.entries[path] = entry
            self.done.written += 1
        else:
            self.leave(path)

    def keep(self, path: str, entry: FileState) -> None:
        self.entries[path] = entry
        self.done.untouched += 1

    def leave(self, path: str) -> None:
        self.done.left.append(path)
        if path in self.folder.entries:
            self.entries[path] = self.folder.entries[path]


def write_all(
    folder: Folder, parsed: Mapping[str, Parsed], items: Sequence[Item], topics: Sequence[Topic], known: StoredState
) -> WriteResult:
    """Bring a folder up to date. `parse_changed_files` are its changed files, `items` all live items.

    Raises Unusable where the disk refuses.
    """
    taken = {path: entry for path, entry in folder.entries.items() if entry.sort == "taken" and path in folder.files}
    work = _Writing(folder, parsed, WriteResult(), taken)
    names = {case_folded(path) for path in (*folder.files, *folder.others, *folder.entries)}
    paths = _paths_of(items, folder, parsed, names)
    for item in items:
        _write_memory(work, item, paths[item.id])
    listed = {item.id: _listed(item, paths[item.id]) for item in items}
    topic_paths = _write_topics(work, topics, listed, names)
    _remove_gone(work, set(paths.values()) | set(topic_paths.values()), known)
    ordered = sorted(topics, key=lambda topic: (-len(topic.items), topic.name, topic.scope))
    topic_entries = [IndexEntry(topic_paths[_key(topic)], title(topic.name), _hint(topic)) for topic in ordered]
    pinned = [listed[item.id] for item in items if item.pinned]
    rest = [listed[item.id] for item in items if not item.pinned]
    index_bytes = _write_index(work, pages.format_index(rest, topic_entries, pinned).encode())
    state.write_state(folder, work.entries, index_bytes)
    return work.done


def _paths_of(
    items: Sequence[Item], folder: Folder, parsed: Mapping[str, Parsed], names: set[str]
) -> dict[ItemId, str]:
    """Return the path of each memory, existing or new: a name is given once and stays."""
    at = {ItemId(entry.key): path for path, entry in folder.entries.items() if entry.sort == "memory"}
    for path, found in parsed.items():
        if isinstance(found, Page) and at.get(found.id) not in folder.files:
            at[found.id] = path
    paths: dict[ItemId, str] = {}
    for item in sorted(items, key=lambda item: item.id):
        path = at.get(item.id)
        if path is None:
            path = memory_path(title(item.text), item.id, names)
            names.add(case_folded(path))
        paths[item.id] = path
    return paths


def _write_memory(work: _Writing, item: Item, path: str) -> None:
    there = fields_of(item).hash
    data = work.folder.files.get(path)
    entry = work.folder.entries.get(path)
    own = entry is not None and entry.sort == "memory" and entry.key == item.id
    if data is None:
        text = pages.format_page(item).encode()
        work.put(path, text, FileState("memory", item.id, content_hash(text), there, there))
        return
    found = work.parsed.get(path)
    before = entry.file_hash if entry is not None and own else ""
    file_hash = before if found is None else _edited_hash(found, item, own=own)
    if file_hash == there:
        text = _renewed(data, item, there)
        kept = FileState("memory", item.id, content_hash(text), there, there)
        if text == data:
            work.keep(path, kept)
        else:
            work.put(path, text, kept)
    elif found is not None and (not before or file_hash != before):
        work.leave(path)
    else:
        text = pages.format_page(item, kept=_others_front(data)).encode()
        work.put(path, text, FileState("memory", item.id, content_hash(text), there, there))


def _renewed(data: bytes, item: Item, there: str) -> bytes:
    """Return a file with its derived lines up to date; unchanged where that can't be done."""
    front = data.partition(b"\n---\n")[0]
    if f'\nid: "{item.id}"\nrevision: {item.revision}\n'.encode() in front:  # as most are: 10,000 take no time
        return data
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    try:
        text = pages.refresh_page(data.removeprefix(mark).decode(), item)
        found = pages.parse_page(text)
        same = isinstance(found, Page) and found.id == item.id and fields_in_file(found, item).hash == there
    except (Malformed, UnicodeDecodeError):
        return data
    return mark + text.encode() if same else data


def _edited_hash(found: Parsed, item: Item, *, own: bool) -> str:
    """Return the print of an edited file's fields; empty where it belongs to another item."""
    if (isinstance(found, Page) and found.id == item.id) or (isinstance(found, Page | Note) and own):
        with suppress(Malformed):
            return fields_in_file(found, item).hash
    return ""


def _others_front(data: bytes) -> str:
    with suppress(Malformed):
        return pages.foreign_front_matter(decode(data))
    return ""


def _write_topics(
    work: _Writing, topics: Sequence[Topic], listed: Mapping[ItemId, IndexEntry], names: set[str]
) -> dict[str, str]:
    at = {entry.key: path for path, entry in work.folder.entries.items() if entry.sort == "topic"}
    paths: dict[str, str] = {}
    for topic in sorted(topics, key=_key):
        key = _key(topic)
        path = at.get(key)
        if path is None:
            path = topic_path(topic.name, names)
            names.add(case_folded(path))
        paths[key] = path
        members = [listed[identifier] for identifier in topic.items if identifier in listed]
        text = pages.format_topic_page(topic, members).encode()
        there = pages.digest_hash(topic.digest)
        entry = FileState("topic", key, content_hash(text), there, there)
        data, before = work.folder.files.get(path), work.folder.entries.get(path)
        if data == text:
            work.keep(path, entry)
        elif (
            data is None
            or path not in work.parsed
            or (file_hash := pages.digest_hash_of(work.parsed[path])) == there
            or (before is not None and file_hash == before.file_hash)
        ):
            work.put(path, text, entry)
        else:
            work.leave(path)
    return paths


def _remove_gone(work: _Writing, used: set[str], known: StoredState) -> None:
    """Delete the files of what is gone, but not edits in them."""
    for path, entry in work.folder.entries.items():
        if path in used or entry.sort == "taken" or path not in work.folder.files:
            continue
        if entry.sort == "memory" and known.live(entry.key):  # it has another file by now
            continue
        found = work.parsed.get(path)
        same_digest = found is not None and entry.sort == "topic" and pages.digest_hash_of(found) == entry.file_hash
        unedited = found is None or same_digest
        if unedited and state.remove(work.folder.root, path, held=work.folder.files[path]):
            work.done.removed += 1
        else:
            work.leave(path)


def _write_index(work: _Writing, text: bytes) -> str:
    """Write the index and return its SHA-256; lines added by someone stay until they are imported."""
    before = work.folder.index
    if before == text:
        return content_hash(text)
    edited = False
    if before is not None and content_hash(before) != work.folder.index_bytes:
        names = [*work.folder.files, *work.folder.entries]
        try:
            edited = bool(pages.added_lines(before.decode(), names))
        except (Malformed, UnicodeDecodeError):
            edited = True
    if edited or not state.write(work.folder.root, INDEX, text, over=before):
        work.done.left.append(INDEX)
        return work.folder.index_bytes
    work.done.written += 1
    return content_hash(text)


def _listed(item: Item, path: str) -> IndexEntry:
    day = pages.day_of(item.occurred_at if item.occurred_at is not None else item.recorded_at)
    return IndexEntry(path, title(item.text), f"{item.kind}, {day}")


def _hint(topic: Topic) -> str:
    about = title(topic.sentences[0].text if topic.sentences else topic.digest)
    summary = about if topic.digest else ", ".join(topic.keywords)
    return f"{counted(len(topic.items), 'memory', 'memories')}; {summary}"[:MAX_HINT]


def _key(topic: Topic) -> str:
    return f"{topic.scope}\n{topic.name}"
