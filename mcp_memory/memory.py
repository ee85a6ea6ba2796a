"""Memory: the verbs. Each plans with pure functions what the store then carries out in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from mcp_memory.bulk_import import BulkImporter
from mcp_memory.domain.ids import IdSequence
from mcp_memory.domain.model import Caller, Entry, Filter, Item, Operation, OperationId, Source, SourceId, Topic, Turn
from mcp_memory.domain.results import Forgotten, History, Recall, Remembered, Summary, Undone
from mcp_memory.domain.stats import Stats
from mcp_memory.domain.steps import AmendItem, ConfirmItem, EraseItem, ForgetItem, Step
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.encoders.embedding import embed_item
from mcp_memory.errors import InvalidInput, Unusable
from mcp_memory.language.dates.periods import clock_ms, to_ms, zone_offset
from mcp_memory.language.token_count import count_tokens, counted
from mcp_memory.language.tokenization import require_clean
from mcp_memory.maintenance.backfill import Backfill
from mcp_memory.maintenance.tool_calls import RETENTION, Retention
from mcp_memory.maintenance.tool_retention import Folder
from mcp_memory.maintenance.upkeep import Upkeep
from mcp_memory.markdown_folder.sync import FolderSync
from mcp_memory.privacy.policy import Policy
from mcp_memory.privacy.redaction import Redactor
from mcp_memory.recall.exact_match import names
from mcp_memory.recall.filters import (
    ItemQuery,
    changes_of,
    read_age,
    read_budget,
    read_changes,
    read_limit,
    read_query,
    where_of,
)
from mcp_memory.recall.pipeline import Recaller
from mcp_memory.recall.salience import review_due, today
from mcp_memory.recall.usage import UseCounts
from mcp_memory.recall_answer import RecallRenderer, with_notes
from mcp_memory.remember.intake import CallContext, Intake, read_id
from mcp_memory.remember.pipeline import Rememberer, require_known, require_present
from mcp_memory.remember.recording import Progress, no_progress
from mcp_memory.render import outcomes
from mcp_memory.sqlite.database import SYNCHRONOUS, Synchronous
from mcp_memory.sqlite.file import DatabaseFile
from mcp_memory.sqlite.index.vector_cache import VectorCache
from mcp_memory.sqlite.index.vector_search import VectorSearch
from mcp_memory.sqlite.store import SqliteStore
from mcp_memory.store import Store
from mcp_memory.topics.digests import Digester
from mcp_memory.topics.indexer import TopicIndexer
from mcp_memory.undo import Undo, left_behind

LIMIT = 10
"""Items that answer a question, where no other number is asked for."""
FORGET_LIMIT = 20
"""Items that forgetting by query takes at once at most."""


def local_time() -> datetime:
    """Return the time now, in the zone of the machine."""
    return datetime.now().astimezone()


class Memory:
    """A memory: its verbs, and the parts that look after it. Thread-safe; several processes may share one store.

    Every verb raises InvalidInput for what it cannot use, ReadOnly, Conflict and Unusable as the store does, and
    changes nothing then.
    """

    def __init__(
        self,
        store: Store,
        encoder: BackgroundEncoder,
        *,
        caller: Caller,
        file: DatabaseFile | None = None,
        clock: Callable[[], datetime] = local_time,
        retention: Retention = RETENTION,
        secrets: Policy = "mask",
    ) -> None:
        """`clock` gives the time with its zone; `caller` asks where a call names nobody. `file` is what the store is in."""
        self._secrets: Policy = secrets
        self._store = store
        self._file = file
        self._limited = file is not None and file.is_limited
        self._caller = caller
        self._clock = clock
        self._ids = IdSequence(clock_ms(clock))
        self._rememberer = Rememberer(store, encoder, self._ids.next)
        self._recaller = Recaller(store, encoder)
        self._digester = Digester(store, self._recaller)
        self._topics = TopicIndexer(store, self._recaller, self._digester, clock)
        self._uses = UseCounts(store)
        self._renderer = RecallRenderer(store, self._recaller, self._topics)
        self._undo = Undo(store, self._operation)
        context = CallContext(
            lambda by, now: Intake(by, now, self._ids.next, Redactor(secrets)), clock, self._operation
        )
        self.importer = BulkImporter(store, self._rememberer, context)
        """Imports what other tools remembered."""
        self.folder = FolderSync(store, self._rememberer, self._recaller, self._topics, self._digester, context)
        """Writes the memories as Markdown, and reads what was changed there."""
        self.maintenance = Upkeep(
            store,
            encoder,
            self._recaller,
            self._topics,
            Folder(store, self._ids.next),
            clock=clock,
            caller=caller,
            retention=retention,
            operation=self._operation,
        )
        """Audits, and brings indexes, topics and tool histories up to date."""
        offset = zone_offset(clock())
        self._backfill = Backfill(
            store,
            encoder,
            self.maintenance.keep_up,
            upgrade=lambda: file is not None and file.index_dates(zone_offset=offset),
        )

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        model: Path | Encoder | None = None,
        project: str | None = None,
        read_only: bool = False,
        max_size: int | None = None,
        clock: Callable[[], datetime] = local_time,
        retention: Retention = RETENTION,
        secrets: Policy = "mask",
        synchronous: Synchronous = SYNCHRONOUS,
        search: Callable[[], VectorSearch] = VectorCache,
    ) -> Self:
        """Open the memory in the file at `path`, which is created where there is none.

        `model` is a directory with an encoder.json, or an encoder; None takes the one that comes with the package.
        It loads in a thread: until it is up, recall answers from words alone. `retention` is for tool calls, `secrets`
        for what looks like one in what is remembered; `max_size` is in bytes. `synchronous` says what a loss of power may
        take back: "full" nothing, "normal" the last changes. `search` is VectorScan for a process that asks only a few times:
        it scans the file instead of reading all binary vectors into memory. Raises Unusable and ReadOnly where the file can't be served.
        """
        store = SqliteStore(
            Path(path),
            clock=clock_ms(clock),
            read_only=read_only,
            max_size=max_size,
            synchronous=synchronous,
            search=search,
        )
        if isinstance(model, Path | None):
            encoder = BackgroundEncoder(lambda: load_encoder(model or bundled_model_directory()))
        else:
            encoder = BackgroundEncoder(lambda: model)
        return cls(
            store,
            encoder,
            caller=Caller(project=project),
            file=store.file,
            clock=clock,
            retention=retention,
            secrets=secrets,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the batch of vectors in hand, write the use counts and close the file."""
        self._backfill.close()
        self._uses.close()
        if self._file is not None:
            self._file.close()

    @property
    def file(self) -> DatabaseFile:
        """The file, with what only a file can do. Raises Unusable where the memories are kept elsewhere."""
        if self._file is None:
            raise Unusable("These memories are not kept in a file.")
        return self._file

    # remember

    def remember(
        self,
        content: str | None = None,
        *,
        items: Sequence[Entry] | None = None,
        turns: Sequence[Turn] | None = None,
        like: Entry | None = None,
        by: Caller | None = None,
        progress: Progress = no_progress,
    ) -> Remembered:
        """Remember one text, up to 1,000 entries, or the turns of a conversation; exactly one of the three.

        `like` carries what is the same for all of it (kind, tags, scope, occurred_at, importance, replaces, source).
        Answers in the order given what became of each; a long text gives several items. All of it is kept, or nothing.
        """
        if (content is not None) + (items is not None) + (turns is not None) != 1:
            raise InvalidInput("Give exactly one of content (a text), items (a list) or turns (a conversation).")
        like = like or Entry("")
        caller, now, redactor = by or self._caller, self._clock(), Redactor(self._secrets)
        intake = Intake(caller, now, self._ids.next, redactor)
        if turns is not None:
            statements = intake.turns(turns, like=like)
        else:
            entries = items if items is not None else [replace(like, content=content or "")]
            if not entries:
                raise InvalidInput("items is empty; give at least one text.")
            statements = [statement for read in intake.entries(entries) for statement in read]
        if not statements:
            return Remembered([], None, at=now, withheld=redactor.withheld)
        sources = counted(len({statement.source.id for statement in statements}), "source")
        summary = [counted(len(statements), "statement"), sources, *redactor.summary()]
        operation = self._operation("remember", ", ".join(summary), caller)
        result = self._rememberer.remember(statements, operation=operation, progress=progress, caller=caller)
        if result.pending:
            self._backfill.run_now()
        self._backfill.nudge()
        full = self.file.usage_notes() if self._limited else ()
        return replace(result, at=now, withheld=redactor.withheld, notes=(*result.notes, *full))

    # recall

    def recall(
        self,
        query: str | None = None,
        *,
        select: ItemQuery | None = None,
        limit: int | None = None,
        max_tokens: int = 2000,
        detail: str = "concise",
        by: Caller | None = None,
    ) -> Recall:
        """Return the memories that answer a question, best first, within a token budget; never changes anything.

        Without a query: what a session should begin with. `detail="full"` adds what stands around each in its source,
        and the items before and after it. `limit` is 10 for a question, and without one as many as the budget holds.
        """
        caller, now = by or self._caller, self._clock()
        limit, max_tokens = None if limit is None else read_limit(limit), read_budget(max_tokens)
        if detail not in ("concise", "full"):
            raise InvalidInput(f"detail {detail!r} is neither 'concise' nor 'full'.")
        where = where_of(select or ItemQuery(), caller=caller, now=now)
        full = detail == "full"
        if query is None or not query.strip():
            return self._renderer.session_start(
                where=where, limit=limit, max_tokens=max_tokens, full=full, now=now, speech=caller.speech
            )
        pending = self._backfill.pending
        found = self._recaller.find(read_query(query), where=where, limit=limit or LIMIT, now=now)
        found = with_notes(found, limit=limit, pending=pending)
        result = self._renderer.answer(
            query, found, where=where, max_tokens=max_tokens, full=full, now=now, speech=caller.speech
        )
        self._uses.count((hit.item.id for hit in result.hits), day=today(now))
        return result

    # summarize

    def summarize(
        self,
        topic: str | None = None,
        *,
        query: str | None = None,
        select: ItemQuery | None = None,
        max_tokens: int = 600,
        digest: str | None = None,
        by: Caller | None = None,
    ) -> Summary:
        """Summarise a topic (the items with that tag, else those that answer it), a question, or all of a scope.

        With `digest` the text given is kept as the topic's digest, with the items it stands for; it is answered from
        then on, and said to be stale once one of them changes.
        """
        caller, now = by or self._caller, self._clock()
        max_tokens = read_budget(max_tokens)
        where = where_of(select or ItemQuery(), caller=caller, now=now)
        if topic is None:
            if digest is not None:
                raise InvalidInput("digest needs a topic: the name it should be kept under.")
            members = self._digester.members(query=query, where=where, now=now)
            return self._digester.digest(members, max_tokens=max_tokens, now=now)
        redactor = Redactor(self._secrets)
        name = " ".join(redactor.text(read_query(topic, "topic"), "topic").split()).lower()
        if digest is None:
            return self._digester.topic_digest(
                name, query=query, where=where, max_tokens=max_tokens, now=now, speech=caller.speech
            )
        if where.as_of is not None:
            raise InvalidInput("A digest is kept for what is known now; leave out as_of.")
        step = self._digester.plan_keep(name, redactor.text(digest, "digest"), where=where, now=now)
        summary = ", ".join([f"digest of {counted(len(step.items), 'item')}", *redactor.summary()])
        self._store.apply(self._operation("summarize", summary, caller), [step])
        answer = outcomes.kept_as(step, redactor.withheld)
        items = self._store.items(step.items)
        return Summary(answer, list(items.values()), 0, count_tokens(answer))

    # update, forget

    def update(
        self,
        item_id: str,
        *,
        content: str | None = None,
        kind: str | None = None,
        tags: Sequence[str] | None = None,
        importance: float | None = None,
        occurred_at: str | None = None,
        valid_until: str | None = None,
        pinned: bool | None = None,
        review_after: str | None = None,
        confirm: bool = False,
        by: Caller | None = None,
    ) -> tuple[Item, list[str]]:
        """Change what is given of an item; return the item as it is now, and the names of what changed.

        `confirm` says it is still true: it counts as said again, and a review that was due is done. The importance of new
        content is estimated again where none was ever given.
        Raises NotFound for an unknown or forgotten item, Conflict where it was changed in the meantime.
        """
        identifier = read_id(item_id)
        item = require_present(self._store, {identifier})[identifier]
        given = read_changes(
            content=content,
            kind=kind,
            tags=tags,
            importance=importance,
            pinned=pinned,
            moments={"occurred_at": occurred_at, "valid_until": valid_until, "review_after": review_after},
            now=self._clock(),
            redactor=(redactor := Redactor(self._secrets)),
        )
        fields = changes_of(item, given, confirm=confirm)
        if not fields and not confirm:  # as where a client calls again that was cut off
            return item, []
        names = (
            ["content" if name == "text" else name for name in fields]
            + (["confirmed"] if confirm else [])
            + redactor.summary()
        )
        if confirm and "review_after" not in fields and review_due(item, now=self._clock()) is not None:
            fields["review_after"] = None
        fields |= self._rememberer.importance(item, fields)
        encoder = self._recaller.usable_encoder()[0] if "text" in fields else None
        measured = embed_item(encoder, item, fields["text"]) if encoder else None
        steps: list[Step] = [ConfirmItem(item.id)] if confirm else []
        if fields:
            steps.append(AmendItem(item.id, item.revision, fields, measured))
        operation = self._operation("update", f"#{item.id}: {', '.join(names)}", by or self._caller)
        self._store.apply(operation, steps, encoder=encoder.identity if encoder else None)
        self._backfill.run_now()
        try:
            return self._store.items([item.id]).get(item.id, item), names
        except Unusable:  # it is changed, though it can't be read back just now
            return replace(item, **{field: value for field, value in fields.items() if hasattr(item, field)}), names

    def forget(
        self,
        ids: Sequence[str] | None = None,
        *,
        query: str | None = None,
        select: ItemQuery | None = None,
        confirm: bool = False,
        erase: bool = False,
        reason: str | None = None,
        by: Caller | None = None,
    ) -> Forgotten:
        """Forget items, by id or, with `confirm`, by query; without it a query only shows what would go.

        A query takes what holds all that it names; what only resembles it is named, and goes by its id alone.

        What goes leaves a tombstone and can come back; `erase` takes its words out of the file for good.
        """
        caller, now, redactor = by or self._caller, self._clock(), Redactor(self._secrets)
        if (ids is None) == (query is None):
            raise InvalidInput("Give either ids (as recall prints them) or a query.")
        if ids is not None:
            wanted = list(dict.fromkeys(read_id(identifier) for identifier in ids))
            if not wanted:
                raise InvalidInput("ids is empty; give at least one.")
            items = list((require_known if erase else require_present)(self._store, set(wanted)).values())
            done = True
            alike: list[Item] = []
        else:
            where = where_of(select or ItemQuery(), caller=caller, now=now)
            found = self._recaller.find(read_query(query or ""), where=where, limit=FORGET_LIMIT, now=now)
            items = [hit.item for hit in found.hits if names(query or "", hit.item.spoken)]
            alike = [hit.item for hit in found.hits if hit.item not in items]
            done = confirm and bool(items)
        left = left_behind(self._store, items) if erase and done else []
        if done and items:
            steps: list[Step] = [EraseItem(item.id) if erase else ForgetItem(item.id) for item in items]
            because = (
                redactor.text(require_clean(reason, "reason"), "reason").strip()[:200] if reason and not erase else ""
            )
            rest = f" and {len(items) - FORGET_LIMIT} more" if len(items) > FORGET_LIMIT else ""
            named = ", ".join(f"#{item.id}" for item in items[:FORGET_LIMIT]) + rest
            summary = f"{'erase' if erase else 'forget'} {named}{f' ({because})' if because else ''}"
            self._store.apply(self._operation("forget", summary, caller), steps)
            self._backfill.nudge()
        return Forgotten(items, done, erase and done, left, alike, redactor.withheld)

    def expired(self, older_than: str, select: ItemQuery | None = None, *, by: Caller | None = None) -> list[Item]:
        """Return the items of some scopes and kinds last said longer ago than `older_than` (such as 90d), the oldest first.

        Whatever their status: the words of a tombstone are still in the file, for a rule of retention to take out.
        """
        caller, now = by or self._caller, self._clock()
        before = to_ms(now) - read_age(older_than)
        where = where_of(select or ItemQuery("all"), caller=caller, now=now)
        found = (stored.item for stored in self._store.scan(scopes=where.scopes, kinds=where.kinds))
        return [item for item in found if max(item.recorded_at, item.last_seen_at) < before]

    # history, undo

    def history(
        self, item_id: str | None = None, *, since: str | None = None, limit: int = 20, by: Caller | None = None
    ) -> History:
        """Return an item's states and what each changed; without an id the operations, the latest first.

        Raises NotFound for an unknown id.
        """
        return self._undo.history(item_id, since=since, limit=limit, now=self._clock(), by=by or self._caller)

    def undo(self, operation: str | None = None, *, by: Caller | None = None) -> Undone:
        """Take back the last operation of this session, or of this client where the session has none; or the one named.

        An undo is an operation too: named, it is taken back in turn. Raises NotFound where there is nothing to take
        back; Conflict, naming the operation to undo first, where a later one depends on it, and for an erase.
        """
        undone = self._undo.undo(operation, by=by or self._caller)
        self._backfill.run_now()
        return undone

    def undo_preview(self, operation: str | None = None, *, by: Caller | None = None) -> Undone:
        """Return what undo would do; raises what it would raise."""
        return self._undo.preview(operation, by=by or self._caller)

    # looking into it

    def wait_for_encoder(self) -> None:
        """Return when the encoder is up. Raises what was wrong where it can't be loaded."""
        self.maintenance.wait_for_encoder()

    def stats(self) -> Stats:
        """Count what there is; and where the encoder is up, say whether it knows the languages of it."""
        return replace(self.file.stats(), advice=self.maintenance.language_advice())

    def item(self, item_id: str) -> tuple[Item, Source, list[tuple[Item, Operation]]]:
        """Return an item, its source, and every state it has been in with the operation that made it.

        Raises NotFound, for a forgotten one too.
        """
        identifier = read_id(item_id)
        require_present(self._store, {identifier})
        states = self._store.history(identifier)
        item = states[-1].item
        return item, self._store.source(item.source_id), [(state.item, state.operation) for state in states]

    def source(self, source_id: str) -> Source:
        """Raises NotFound."""
        return self._store.source(SourceId(read_id(source_id)))

    def listing(self, select: ItemQuery, *, limit: int, offset: int = 0, by: Caller | None = None) -> list[Item]:
        """Return live items, the latest first."""
        where = where_of(select, caller=by or self._caller, now=self._clock())
        return self._store.listing(where=where, limit=limit, offset=offset)

    def topics(self) -> tuple[list[Topic], list[tuple[str, str, int]]]:
        """Return the topics, those that changed last first, and each tag in each scope with how many items carry it."""
        tags = self._store.counts(where=Filter(), by="tag")
        return self._topics.topics(), [(count.tag, count.scope, count.items) for count in tags]

    def fresh_topics(self, *, limit: int = 5, select: ItemQuery | None = None, by: Caller | None = None) -> list[Topic]:
        """Return the topics of the caller's scopes that changed last, each with the sentence that carries the most as its digest."""
        where = where_of(select or ItemQuery(), caller=by or self._caller, now=self._clock())
        return self._topics.topics(where.scopes, limit=limit)

    def operations(self, *, limit: int = 20) -> list[Operation]:
        """Return what was done, the latest first."""
        return self._store.operations(limit=limit)

    def _operation(self, verb: str, summary: str, caller: Caller) -> Operation:
        now = self._clock()
        identifier, offset = OperationId(self._ids.next()), zone_offset(now)
        return Operation(identifier, verb, to_ms(now), caller.client, caller.session, summary, zone_offset=offset)
