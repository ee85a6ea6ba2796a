"""Sync of the memories with a Markdown folder, in both directions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mcp_memory.domain.model import Caller, Entry, Filter, Item, ItemId, OperationId, Statement, Topic, spoken
from mcp_memory.domain.planning import PlanningRequest
from mcp_memory.domain.results import ALL_KEPT, RememberedItem, Withheld
from mcp_memory.domain.steps import AmendItem, ForgetItem, KeepDigest, Step
from mcp_memory.encoders.embedding import embed_item
from mcp_memory.errors import Conflict, InvalidInput, NotFound
from mcp_memory.exchange.importers.agent_folder import declared_type
from mcp_memory.exchange.importers.markdown import Note
from mcp_memory.exchange.importers.parsed import Malformed, ReadProblem, map_kind
from mcp_memory.markdown_folder import pages, state
from mcp_memory.markdown_folder.diff import Changes, Edit, Keep, SyncConflict, compare
from mcp_memory.markdown_folder.pages import TIME_FIELDS, MemoryFields, Page, StoredState, fields_in_file, fields_of
from mcp_memory.markdown_folder.state import INDEX, FileState, Folder, content_hash
from mcp_memory.markdown_folder.writer import WriteResult, write_all
from mcp_memory.recall.filters import read_changes
from mcp_memory.recall.search import Searcher
from mcp_memory.remember.intake import CallContext, Intake, read_moment
from mcp_memory.remember.recording import Progress, Recorder
from mcp_memory.store import Store
from mcp_memory.topics.digests import Digester
from mcp_memory.topics.indexer import TopicIndexer

EVERYTHING = 1 << 31
MEASURED = 200
"""Edited memories that are measured before they are kept, some five seconds on two cores; the rest follows."""
INLINE = 50_000
"""Tokens of new memories that are."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The result of importing edits, or (`operation` None) of a dry run or of nothing to do."""

    operation: OperationId | None
    edited: list[Item] = field(default_factory=list[Item])
    """As they were before."""
    new: list[RememberedItem] = field(default_factory=list[RememberedItem])
    forgotten: list[Item] = field(default_factory=list[Item])
    digests: list[str] = field(default_factory=list[str])
    """Names of the topics whose digest was edited."""
    moved: int = 0
    known: int = 0
    """Additions that were known in the same words."""
    stayed_forgotten: int = 0
    """Additions that say what was forgotten here before."""
    conflicts: list[SyncConflict] = field(default_factory=list[SyncConflict])
    problems: list[ReadProblem] = field(default_factory=list[ReadProblem])
    withheld: Withheld = ALL_KEPT
    pending: int = 0


@dataclass(slots=True)
class _Plan:
    steps: list[Step] = field(default_factory=list[Step])
    edits: list[Edit] = field(default_factory=list[Edit])
    digests: list[tuple[str, KeepDigest]] = field(default_factory=list[tuple[str, KeepDigest]])
    statements: list[Statement] = field(default_factory=list[Statement])
    fields: dict[int, Mapping[str, Any]] = field(default_factory=dict[int, Mapping[str, Any]])
    of: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """By path, the numbers of the statements a new file gave."""
    again: dict[str, Statement] = field(default_factory=dict[str, Statement])
    """By path, what a new file says that is known in the same words and is all that it says."""
    known_before: Counter[str] = field(default_factory=Counter[str])
    problems: list[ReadProblem] = field(default_factory=list[ReadProblem])


class FolderSync:
    """Exports folders and imports their edits. Thread-safe as far as the folder is."""

    def __init__(
        self,
        store: Store,
        rememberer: Recorder,
        recaller: Searcher,
        topic_indexer: TopicIndexer,
        digester: Digester,
        context: CallContext,
    ) -> None:
        self._store = store
        self._rememberer = rememberer
        self._recaller = recaller
        self._topic_indexer = topic_indexer
        self._digester = digester
        self._intake, self._clock, self._operation = context.intake, context.clock, context.operation

    def write(self, root: Path) -> WriteResult:
        """Bring a folder up to date with the store, without touching files that are.

        Edits that were not imported stay and are counted. Raises Conflict for a folder that holds something else, or was
        written from another store.
        """
        state.prepare_folder(root)
        folder = state.read_folder(root)
        files = pages.parse_changed_files(folder)
        known = self._known(folder, files)
        if strange := [entry for entry in folder.entries.values() if _of_another(entry, known)]:
            raise Conflict(
                f"{root} was written from another memory file: this one knows nothing of #{strange[0].key}. Name another "
                "folder; `mcp-memory import` of this one brings in what it holds."
            )
        live = self._store.listing(where=Filter(), limit=EVERYTHING)
        return write_all(folder, files, live, list(known.topics.values()), known)

    def read(
        self,
        root: Path,
        *,
        by: Caller,
        progress: Progress,
        dry_run: bool = False,
        keep: Keep | None = None,
        confirm: bool = False,
    ) -> SyncResult:
        """Import the edits of a folder since it was written, as one operation; none where nothing changed.

        Conflicts are reported and left alone on both sides, unless `keep` names one. A file that can't be imported becomes a
        problem, and nothing of it is stored. `dry_run` changes nothing. Raises InvalidInput where most files are gone, unless
        `confirm` says that this was meant.
        """
        folder = state.read_folder(root)
        if not folder.ours:
            raise InvalidInput(f"{root} was not made by mcp-memory export: its {INDEX} does not say so.")
        files = pages.parse_changed_files(folder)
        known = self._known(folder, files)
        strange = {path for path, entry in folder.entries.items() if _of_another(entry, known)}
        if strange:  # all of it is new here
            ours = {path: entry for path, entry in folder.entries.items() if path not in strange}
            folder = replace(folder, entries=ours)
            files = pages.parse_changed_files(folder)
            known = self._known(folder, files)
        changes = compare(folder, files, known, keep=keep, confirm=confirm)
        intake = self._intake(by, self._clock())
        plan = self._plan(folder, changes, intake)
        result = _result_of(changes, plan, replace(intake.redactor.withheld, entries=()))
        if dry_run:
            new = self._rememberer.preview(plan.statements, progress=progress) if plan.statements else []
            return replace(result, new=new)
        done = self._carry_out(folder, changes, plan, result, by=by, progress=progress)
        if not strange:  # whose folder it is has to go on by what it wrote
            entries = {**changes.entries, **self._entries(folder, files, changes, plan, done)}
            unread = any(problem.where == INDEX for problem in done.problems)
            index_bytes = folder.index_bytes if unread or folder.index is None else content_hash(folder.index)
            state.write_state(folder, entries, index_bytes)
        return done

    def _known(self, folder: Folder, files: Mapping[str, Any]) -> StoredState:
        ids = pages.referenced_ids(folder, files)
        items = self._store.items(ids)
        erased = {identifier for identifier in ids if identifier not in items and self._was_erased(identifier)}
        topics = self._topic_indexer.topics((), limit=EVERYTHING)
        return StoredState(items, erased, {(topic.scope, topic.name): topic for topic in topics})

    def _was_erased(self, identifier: ItemId) -> bool:
        try:
            return not self._store.history(identifier)
        except NotFound:
            return False

    def _plan(self, folder: Folder, changes: Changes, intake: Intake) -> _Plan:
        plan = _Plan()
        encoder = self._recaller.usable_encoder()[0] if changes.edits else None
        for edit in changes.edits:
            try:
                fields = self._fields(edit, intake)
            except InvalidInput as problem:
                plan.problems.append(ReadProblem(edit.path, str(problem)))
                continue
            measure = encoder is not None and "text" in fields and len(plan.edits) < MEASURED
            measured = embed_item(encoder, edit.item, fields["text"]) if measure and encoder else None
            if fields:
                plan.steps.append(AmendItem(edit.item.id, edit.item.revision, fields, measured))
            plan.edits.append(edit)
        plan.steps += [ForgetItem(item.id) for _, item in changes.gone]
        for path, page, topic in changes.digests:
            try:
                step = self._digest(page.name, page.scope, intake.redactor.text(page.digest, "digest"), topic)
            except (InvalidInput, NotFound) as problem:
                plan.problems.append(ReadProblem(path, str(problem)))
                continue
            plan.steps.append(step)
            plan.digests.append((path, step))
        for path, page in changes.new:
            _add(plan, path, page, folder, intake)
        for line in changes.lines:
            _add(plan, INDEX, Note({}, line), folder, intake)
        self._only_new(plan)
        return plan

    def _fields(self, edit: Edit, intake: Intake) -> dict[str, Any]:
        """Return the fields of an item that an edit changes. Raises InvalidInput."""
        item, page_fields, before = edit.item, edit.fields, fields_of(edit.item)
        if page_fields.scope != item.scope:
            raise InvalidInput(
                f"its scope was {item.scope!r} and does not change: delete the file, and make one without an id."
            )
        fields = read_changes(
            content=page_fields.text if page_fields.text != before.text else None,
            kind=page_fields.kind if page_fields.kind != item.kind else None,
            tags=page_fields.tags if page_fields.tags != before.tags else None,
            importance=page_fields.importance if page_fields.importance != before.importance else None,
            pinned=page_fields.pinned if page_fields.pinned != item.pinned else None,
            moments={},
            now=intake.now,
            redactor=intake.redactor,
        )
        for name in TIME_FIELDS:
            value: int | str | None = getattr(page_fields, name)
            if value != getattr(before, name):
                fields[name] = read_moment(value, name, now=intake.now) if isinstance(value, str) else value
        if "importance" in fields:
            fields["importance_given"] = 1
        elif page_fields.importance is None and (item.importance_given or fields.keys() & {"text", "kind"}):
            text, kind = fields.get("text", item.text), fields.get("kind", item.kind)
            fields |= {"importance": self._rememberer.estimate(text, kind), "importance_given": 0}
        return fields

    def _digest(self, name: str, scope: str, digest: str, topic: Topic | None) -> KeepDigest:
        now = self._clock()
        if topic is None:
            return self._digester.plan_keep(name, digest, where=Filter(scopes=(scope,)), now=now)
        if not digest.strip():
            raise InvalidInput("its digest is private as a whole, so nothing was changed.")
        return KeepDigest(name, scope, digest.strip(), topic.items)

    def _only_new(self, plan: _Plan) -> None:
        """Drop statements that their scope knew before in the same words."""
        known = self._store.known_before(plan.statements) if plan.statements else []
        plan.known_before = Counter(known)
        for path, numbers in plan.of.items():
            if path != INDEX and len(numbers) == 1 and known[numbers[0]] == "known":
                plan.again[path] = plan.statements[numbers[0]]
        place: dict[int, int] = {}
        for number, before in enumerate(known):
            if before == "new":
                place[number] = len(place)
        plan.statements = [plan.statements[number] for number in place]
        plan.fields = {place[number]: fields for number, fields in plan.fields.items() if number in place}
        plan.of.pop(INDEX, None)
        plan.of = {path: [place.get(number, -1) for number in numbers] for path, numbers in plan.of.items()}

    def _carry_out(
        self, folder: Folder, changes: Changes, plan: _Plan, result: SyncResult, *, by: Caller, progress: Progress
    ) -> SyncResult:
        if not plan.steps and not plan.statements:
            return result
        counts = (("edited", plan.edits), ("new", plan.statements), ("forgotten", changes.gone))
        parts = [f"{len(found)} {word}" for word, found in counts if found]
        parts += [f"{len(plan.digests)} digests"] if plan.digests else []
        operation = self._operation("import", f"{', '.join(parts)} from {folder.root.name}", by)
        encoder = self._recaller.usable_encoder()[0]
        if not plan.statements:
            self._store.apply(operation, plan.steps, encoder=encoder.identity if encoder else None)
            return replace(result, operation=operation.id, pending=max(0, len(plan.edits) - MEASURED))
        remembered = self._rememberer.remember(
            plan.statements, operation=operation, progress=progress, inline=INLINE, first=plan.steps, fields=plan.fields
        )
        pending = remembered.pending + max(0, len(plan.edits) - MEASURED)
        return replace(result, operation=operation.id, new=remembered.items, pending=pending)

    def _entries(
        self, folder: Folder, files: Mapping[str, Any], changes: Changes, plan: _Plan, done: SyncResult
    ) -> dict[str, FileState]:
        made = {path: done.new[numbers[0]] for path, numbers in plan.of.items() if _alone(numbers, done.new)}
        ids = [edit.item.id for edit in plan.edits] + [item.id for item in made.values()]
        now = self._store.items(ids)
        with_file = {entry.key for entry in changes.entries.values()}
        for path, item in self._said_again(plan).items():
            if item.id not in with_file:  # taken in before, by an import that was cut off or whose state is lost
                made[path], now[item.id] = RememberedItem(item.id, "known", item.text), item
        entries: dict[str, FileState] = {}
        for edit in plan.edits:
            digest = content_hash(folder.files[edit.path])
            kept = fields_of(now[edit.item.id]).hash
            entries[edit.path] = FileState("memory", edit.item.id, digest, edit.fields.hash, kept)
        for path, step in plan.digests:
            page = next(page for at, page, _ in changes.digests if at == path)
            kept = replace(page, digest=step.digest).hash
            key = f"{page.scope}\n{page.name}"
            entries[path] = FileState("topic", key, content_hash(folder.files[path]), page.hash, kept)
        for path in plan.of:
            digest = content_hash(folder.files[path])
            entries[path] = FileState("taken", "", digest, "", "")
            if (item := made.get(path)) and item.id in now:
                there = now[item.id]
                page_fields = fields_in_file(files[path], there).hash
                entries[path] = FileState("memory", there.id, digest, page_fields, fields_of(there).hash)
        return entries

    def _said_again(self, plan: _Plan) -> dict[str, Item]:
        """Return, by path, the live item with the text of a new file."""
        statements = list(plan.again.values())
        if not statements:
            return {}
        request = PlanningRequest(statements, [None] * len(statements), [()] * len(statements))
        known = self._store.planning_context(request).known
        found = {path: known.get((one.scope, one.spoken)) for path, one in plan.again.items()}
        return {path: item for path, item in found.items() if item is not None}


def _alone(numbers: Sequence[int], new: Sequence[RememberedItem]) -> bool:
    """Return whether a file gave exactly one memory, a new one."""
    return len(numbers) == 1 and numbers[0] >= 0 and new[numbers[0]].status != "known"


def _of_another(entry: FileState, known: StoredState) -> bool:
    return entry.sort == "memory" and known.foreign(entry.key)


def _result_of(changes: Changes, plan: _Plan, withheld: Withheld) -> SyncResult:
    edited, gone = [edit.item for edit in plan.edits], [item for _, item in changes.gone]
    digests, problems = [step.name for _, step in plan.digests], [*changes.problems, *plan.problems]
    known, forgotten = plan.known_before["known"], plan.known_before["forgotten"]
    return SyncResult(
        None, edited, [], gone, digests, changes.moved, known, forgotten, changes.conflicts, problems, withheld
    )


def _add(plan: _Plan, path: str, page: Page | Note, folder: Folder, intake: Intake) -> None:
    """Plan the import of a new file, all of it or nothing."""
    try:
        page_fields = page.fields if isinstance(page, Page) else pages.parse_fields(page)
        entry = _entry(page, page_fields, f"{folder.root.name}, {path}")
        besides: dict[str, Any] = {"pinned": 1} if page_fields.pinned else {}
        for name in ("valid_until", "review_after"):
            if (value := getattr(page_fields, name)) is not None:
                besides[name] = read_moment(value, name, now=intake.now) if isinstance(value, str) else value
        statements = [] if not entry.content else [one for read in intake.entries([entry]) for one in read]
        if isinstance(page_fields.occurred_at, int):
            statements = [replace(one, occurred_at=page_fields.occurred_at) for one in statements]
    except (InvalidInput, Malformed) as problem:
        plan.problems.append(ReadProblem(path, str(problem)))
        return
    begin = len(plan.statements)
    plan.statements += statements
    numbers = list(range(begin, len(plan.statements)))
    plan.fields |= {number: besides for number in numbers if besides}
    plan.of.setdefault(path, []).extend(numbers)


def _entry(page: Page | Note, page_fields: MemoryFields, source: str) -> Entry:
    """Build the entry of a new file: its text with its description, and the fields of its front matter."""
    text, kind, scope, also = page_fields.text, page_fields.kind or None, page_fields.scope or None, ()
    if isinstance(page, Page):
        text = spoken(text, page.speaker)
    if isinstance(page, Note):
        agents = declared_type(page)
        description = page.text("description")
        if description and pages.normalize(description).casefold() not in text.casefold():
            joint = " " if description.endswith((".", "!", "?")) else ": "
            text = f"{description}{joint}{text}" if text else description
        if agents is not None:
            kind, scope = kind or agents[0], scope or agents[1]
        elif kind is None:
            kind, also = map_kind(page.text("type"))
    when = page_fields.occurred_at if isinstance(page_fields.occurred_at, str) else None
    if isinstance(page, Note) and page_fields.occurred_at is None:
        when = page.date("date")
    return Entry(
        text,
        kind=kind,
        tags=(*page_fields.tags, *also),
        scope=scope,
        occurred_at=when,
        importance=page_fields.importance,
        source=source,
    )
