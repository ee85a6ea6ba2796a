"""Memory: the verbs. Each plans with pure functions what the store then carries out in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from mcp_memory import compose, dedupe
from mcp_memory.catchup import CatchUp, encode_missing
from mcp_memory.digesting import Digester
from mcp_memory.domain import (
    AddItem,
    AmendItem,
    Caller,
    Confirm,
    ConfirmItem,
    Decision,
    Entry,
    EraseItem,
    Filter,
    ForgetItem,
    Forgotten,
    Item,
    ItemId,
    KeepDigest,
    Neighbour,
    Operation,
    OperationId,
    Outcome,
    Recall,
    Remembered,
    RememberedItem,
    Revise,
    Source,
    SourceId,
    Statement,
    Stats,
    Step,
    Summary,
    Topic,
    Turn,
    Vector,
    spoken,
)
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.errors import InvalidInput, NotFound, Unusable
from mcp_memory.ids import IdSequence
from mcp_memory.intake import Intake, read_id, read_importance, read_kind, read_tags
from mcp_memory.recalling import Recaller
from mcp_memory.requests import ItemQuery, read_budget, read_limit, read_moment, read_query, where_of
from mcp_memory.sqlite.store import SqliteStore
from mcp_memory.store import Store
from mcp_memory.text import count_tokens, require_clean
from mcp_memory.times import to_ms

Progress = Callable[[int, int], None]
"""Gets how many are done, of how many."""

INLINE_TOKENS = 20_000
"""Text of a call that is encoded before it answers: two to three seconds on two cores. The rest is encoded after."""
ENCODE_BATCH = 64
NEIGHBOURS = 3
FORGET_LIMIT = 20
"""Items that forgetting by query takes at once at most."""


def local_time() -> datetime:
    """Now, in the zone of the machine."""
    return datetime.now().astimezone()


def no_progress(done: int, total: int) -> None:
    """Tells nobody."""


class Memory:
    """What is remembered, in one file. Thread-safe; several processes may have the same file open.

    Every verb raises InvalidInput for what it cannot use, ReadOnly, Conflict and Unusable as the store does, and
    changes nothing then.
    """

    def __init__(
        self, store: Store, encoder: BackgroundEncoder, *, caller: Caller, clock: Callable[[], datetime] = local_time
    ) -> None:
        """`clock` gives the time with its zone; `caller` is who asks where a verb is not told."""
        self._store = store
        self._encoder = encoder
        self._caller = caller
        self._clock = clock
        self._ids = IdSequence(lambda: to_ms(clock()))
        self._recaller = Recaller(store, encoder)
        self._digester = Digester(store, self._recaller)
        self._catch_up = CatchUp(store, encoder)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        model: Path | Encoder | None = None,
        project: str | None = None,
        read_only: bool = False,
        clock: Callable[[], datetime] = local_time,
    ) -> Self:
        """The memory kept in the file at `path`, which is made where there is none.

        `model` is a directory with an encoder.json, or an encoder; None takes the one that comes with the package.
        It loads in a thread: until it is up, recall answers from words alone.
        Raises Unusable and ReadOnly where the file can't be served.
        """
        store = SqliteStore(Path(path), clock=lambda: to_ms(clock()), read_only=read_only)
        if isinstance(model, Path | None):
            encoder = BackgroundEncoder(lambda: load_encoder(model or bundled_model_directory()))
        else:
            encoder = BackgroundEncoder(lambda: model)
        return cls(store, encoder, caller=Caller(project=project), clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the batch of vectors in hand and close the file."""
        self._catch_up.close()
        self._store.close()

    def wait_for_encoder(self) -> None:
        """Return when the encoder is up. Raises what was wrong where it can't be loaded."""
        if self._encoder.wait() is None:
            raise self._encoder.problem or Unusable("The encoder could not be loaded.")

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
        """Keep one text, up to 1,000 entries, or the turns of a conversation; exactly one of the three.

        `like` carries what is the same for all of it (kind, tags, scope, occurred_at, importance, replaces, source).
        Answers in the order given what became of each; a long text gives several items. All of it is kept, or nothing.
        """
        if (content is not None) + (items is not None) + (turns is not None) != 1:
            raise InvalidInput("Give exactly one of content (a text), items (a list) or turns (a conversation).")
        like = like or Entry("")
        caller = by or self._caller
        intake = Intake(caller, self._clock(), self._ids.next)
        if turns is not None:
            statements = intake.turns(turns, like=like)
        else:
            entries = items if items is not None else [replace(like, content=content or "")]
            if not entries:
                raise InvalidInput("items is empty; give at least one text.")
            statements = [statement for read in intake.entries(entries) for statement in read]
        return self._remember(statements, caller, progress)

    def _remember(self, statements: Sequence[Statement], caller: Caller, progress: Progress) -> Remembered:
        replaced = self._present({statement.replaces for statement in statements if statement.replaces})
        known: dict[str, Item] = {}
        for scope in {statement.scope for statement in statements}:
            texts = [statement.spoken for statement in statements if statement.scope == scope]
            known |= self._store.repetitions(texts, scope=scope)
        vectors = self._encode_now(statements, progress)
        decisions = dedupe.plan(
            statements, known=known, neighbours=self._neighbours(statements, vectors), replaced=replaced
        )
        steps = [self._step(decision, vector) for decision, vector in zip(decisions, vectors, strict=True)]
        summary = f"{len(statements)} statements, {len({s.source.id for s in statements})} sources"
        operation = self._operation("remember", summary, caller)
        outcomes = self._store.apply(operation, steps)
        pending = sum(
            1 for outcome, vector in zip(outcomes, vectors, strict=True) if outcome.status != "known" and vector is None
        )
        if pending:
            self._catch_up.wake()
        results = [_remembered(decision, outcome) for decision, outcome in zip(decisions, outcomes, strict=True)]
        return Remembered(results, operation.id, pending)

    def _encode_now(self, statements: Sequence[Statement], progress: Progress) -> list[Vector | None]:
        """Vectors of the first statements that make INLINE_TOKENS; None where they are to follow."""
        encoder = self._encoder.ready()
        if encoder is None or not self._store.register_encoder(encoder.identity, encoder.dimensions):
            return [None] * len(statements)
        texts: list[str] = []
        left = INLINE_TOKENS
        for statement in statements:
            left -= count_tokens(statement.text)
            if left < 0 and texts:
                break
            texts.append(statement.spoken)
        vectors: list[Vector | None] = []
        for start in range(0, len(texts), ENCODE_BATCH):
            vectors += list(encoder.encode(texts[start : start + ENCODE_BATCH]))
            progress(len(vectors), len(statements))
        return vectors + [None] * (len(statements) - len(vectors))

    def _neighbours(self, statements: Sequence[Statement], vectors: Sequence[Vector | None]) -> list[list[Neighbour]]:
        near: list[list[Neighbour]] = [[] for _ in statements]
        by_scope: dict[str, list[int]] = {}
        for number, (statement, vector) in enumerate(zip(statements, vectors, strict=True)):
            if vector is not None and statement.source.kind == "words" and statement.replaces is None:
                by_scope.setdefault(statement.scope, []).append(number)
        for scope, numbers in by_scope.items():
            matrix = np.array([vectors[number] for number in numbers], np.float32)
            found = self._store.nearest(matrix, where=Filter(scopes=(scope,)), limit=NEIGHBOURS)
            for number, neighbours in zip(numbers, found, strict=True):
                near[number] = neighbours
        return near

    def _step(self, decision: Decision, vector: Vector | None) -> Step:
        if isinstance(decision, Confirm) and decision.statement.source.kind == "words":
            return ConfirmItem(decision.of.id)
        replaces = decision.of.id if isinstance(decision, Revise) else None
        return AddItem(ItemId(self._ids.next()), decision.statement, vector, replaces)

    # recall

    def recall(
        self,
        query: str | None = None,
        *,
        select: ItemQuery | None = None,
        limit: int = 10,
        max_tokens: int = 2000,
        detail: str = "concise",
        by: Caller | None = None,
    ) -> Recall:
        """The memories that answer a question, best first, within a token budget; never changes anything.

        Without a query: what a session should begin with. `detail="full"` adds what stands around each in its source.
        """
        caller, now = by or self._caller, self._clock()
        limit, max_tokens = read_limit(limit), read_budget(max_tokens)
        if detail not in ("concise", "full"):
            raise InvalidInput(f"detail {detail!r} is neither 'concise' nor 'full'.")
        where = where_of(select or ItemQuery(), caller=caller, now=now)
        if query is not None and query.strip():
            found = self._recaller.find(read_query(query), where=where, limit=limit, now=now)
            hits, total, notes, timings = found.hits, found.total, found.notes, found.timings
        else:
            hits, total, notes, timings = self._recaller.core(where=where, limit=limit), 0, (), {}
        passages = [self._passage(hit.item) for hit in hits] if detail == "full" else None
        packed = compose.pack(hits, max_tokens=max_tokens, now=now, passages=passages)
        more = max(total - len(packed.hits), len(hits) - len(packed.hits))
        if not hits:
            text = "Nothing relevant is known." if query else "Nothing is remembered here yet."
        else:
            text = "\n".join(filter(None, [packed.text, compose.more(more, shown=len(packed.hits))]))
        text = "\n".join([text, *notes])
        return Recall(packed.hits, more, text, count_tokens(text), notes, timings)

    def _passage(self, item: Item) -> str:
        return compose.passage_around(self._store.source(item.source_id), item.span)

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
        """A digest of a topic (the items with that tag, else those that answer it), a question, or all of a scope.

        With `digest` the text given is kept as the topic's digest, with the items it stands for; it is answered from
        then on, and said to be stale once one of them changes.
        """
        caller, now = by or self._caller, self._clock()
        max_tokens = read_budget(max_tokens)
        select = select or ItemQuery()
        where = where_of(select, caller=caller, now=now)
        if topic is not None:
            topic = read_query(topic, "topic").strip().lower()
        if digest is not None and topic is None:
            raise InvalidInput("digest needs a topic: the name it should be kept under.")
        kept = self._digester.topic(topic, where.scopes) if topic is not None and digest is None else None
        tagged = replace(where, tags=(topic,)) if topic is not None else where
        if topic is not None and not self._store.count(where=tagged):
            tagged, query = where, query or topic
        members = self._digester.members(query=query, where=tagged, now=now)
        if digest is not None:
            return self._keep_digest(topic or "", digest, [hit.item for hit in members.hits], where, caller)
        if kept is not None and not kept.stale and count_tokens(kept.digest) <= max_tokens:
            return self._kept(kept, members.total)
        summary = self._digester.digest(members, max_tokens=max_tokens, now=now)
        if not summary.items:
            return replace(summary, text="Nothing is known about this yet.")
        stale = f"\nThe kept digest of {topic} is stale: its memories have changed." if kept and kept.stale else ""
        return replace(summary, text=summary.text + stale)

    def _keep_digest(self, topic: str, digest: str, items: Sequence[Item], where: Filter, caller: Caller) -> Summary:
        text = require_clean(digest, "digest").strip()
        if not text or count_tokens(text) > 4000:
            raise InvalidInput("digest must hold between 1 and 4000 tokens of text.")
        if not items:
            raise NotFound(f"Nothing is known about {topic!r}, so there is nothing its digest could stand for.")
        scope = where.scopes[-1] if where.scopes else items[0].scope
        step = KeepDigest(topic, scope, text, tuple(item.id for item in items))
        self._store.apply(self._operation("summarize", f"digest of {len(items)} items", caller), [step])
        answer = f"Kept as the digest of {topic} ({scope}), standing for {len(items)} memories."
        return Summary(answer, list(items), 0, count_tokens(answer))

    def _kept(self, topic: Topic, total: int) -> Summary:
        items = list(self._store.items(topic.items).values())
        newer = total - len(items)
        note = (
            f"\n{newer} memories have come since; summarize them and hand the text back as digest." if newer > 0 else ""
        )
        text = f"{compose.OPENING}\n{compose.one_line(topic.digest)}\n{compose.CLOSING}{note}"
        return Summary(text, items, max(newer, 0), count_tokens(text))

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
        """A new revision of an item, with what is given changed; the item as it is now, and the names of what changed.

        `confirm` says it is still true: it counts as said again.
        Raises NotFound for an unknown or forgotten item, Conflict where it was changed in the meantime.
        """
        now = self._clock()
        item = self._live(read_id(item_id))
        fields: dict[str, Any] = {}
        if content is not None:
            text = require_clean(content, "content").strip()
            if not text:
                raise InvalidInput("content is empty; use forget to take a memory away.")
            if len(text.encode()) > 20_000:
                raise InvalidInput("content has more than 20 kB; remember it as a document instead.")
            fields["text"] = text
        if kind is not None:
            fields["kind"] = read_kind(kind)
        if tags is not None:
            fields["tags"] = read_tags(tags)
        if importance is not None:
            fields["importance"] = read_importance(importance)
        for name, moment in (
            ("occurred_at", occurred_at),
            ("valid_until", valid_until),
            ("review_after", review_after),
        ):
            if moment is not None:
                fields[name] = read_moment(moment, name, now=now)
        if pinned is not None:
            fields["pinned"] = int(pinned)
        if not fields and not confirm:
            raise InvalidInput("Nothing to change: give content, kind, tags, importance, a date, pinned or confirm.")
        steps: list[Step] = [ConfirmItem(item.id)] if confirm else []
        if fields:
            steps.append(AmendItem(item.id, item.revision, fields, self._vector_of(item, fields.get("text"))))
        names = ["content" if name == "text" else name for name in fields] + (["confirmed"] if confirm else [])
        self._store.apply(self._operation("update", f"#{item.id}: {', '.join(names)}", by or self._caller), steps)
        self._catch_up.wake()
        return self._store.items([item.id])[item.id], names

    def _vector_of(self, item: Item, text: str | None) -> Vector | None:
        if text is None:
            return None
        encoder, _ = self._recaller.usable_encoder()
        return encoder.encode([spoken(text, item.speaker)])[0] if encoder else None

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
        """Take items away, by id or, with `confirm`, by query; without it a query only shows what would go.

        What goes leaves a tombstone and can come back; `erase` takes its words out of the file for good.
        """
        caller, now = by or self._caller, self._clock()
        if (ids is None) == (query is None):
            raise InvalidInput("Give either ids (as recall prints them) or a query.")
        if ids is not None:
            wanted = list(dict.fromkeys(read_id(identifier) for identifier in ids))
            if not wanted:
                raise InvalidInput("ids is empty; give at least one.")
            items = list(self._present(set(wanted), erase=erase).values())
            done = True
        else:
            where = where_of(select or ItemQuery(), caller=caller, now=now)
            found = self._recaller.find(read_query(query or ""), where=where, limit=FORGET_LIMIT, now=now)
            items = [hit.item for hit in found.hits]
            done = confirm
        if done and items:
            steps: list[Step] = [EraseItem(item.id) if erase else ForgetItem(item.id) for item in items]
            because = f" ({require_clean(reason, 'reason')[:200]})" if reason and not erase else ""
            named = ", ".join(f"#{item.id}" for item in items)
            verb = "erase" if erase else "forget"
            self._store.apply(self._operation("forget", f"{verb} {named}{because}", caller), steps)
        return Forgotten(items, done, erase and done)

    # looking into it

    def item(self, item_id: str) -> tuple[Item, Source, list[tuple[Item, Operation]]]:
        """An item, its source, and every state it has been in with the operation that made it. Raises NotFound."""
        states = self._store.history(read_id(item_id))
        return states[-1][0], self._store.source(states[-1][0].source_id), states

    def source(self, source_id: str) -> Source:
        """Raises NotFound."""
        return self._store.source(SourceId(read_id(source_id)))

    def listing(self, select: ItemQuery, *, limit: int, offset: int = 0, by: Caller | None = None) -> list[Item]:
        """Live items, the latest first."""
        where = where_of(select, caller=by or self._caller, now=self._clock())
        return [item for _, item in self._store.listing(where=where, limit=limit, offset=offset)]

    def topics(self) -> tuple[list[Topic], list[tuple[str, str, int]]]:
        """The topics that have a digest, and each tag in each scope with how many items carry it."""
        return self._store.topics(), self._store.tags()

    def operations(self, *, limit: int = 20) -> list[Operation]:
        """What was done, the latest first."""
        return self._store.operations(limit=limit)

    def stats(self) -> Stats:
        """How much there is."""
        return self._store.stats()

    # upkeep

    def reindex(self, progress: Progress = no_progress) -> None:
        """Rebuild the index of words, and make every vector with this encoder while the old ones go on serving."""
        self._store.reindex_words(no_progress)
        self.wait_for_encoder()
        encoder = self._encoder.ready()
        assert encoder is not None
        self._store.register_encoder(encoder.identity, encoder.dimensions)
        encode_missing(self._store, encoder, progress=progress)
        self._store.serve_encoder(encoder.identity)

    def verify(self) -> Iterator[str]:
        """Each thing that is wrong in the file, in words."""
        return self._store.verify()

    def backup(self, target: Path) -> None:
        """Write a checked copy of the file as it is now to `target`, while others write."""
        self._store.backup(target)

    def _live(self, item_id: ItemId) -> Item:
        return self._present({item_id})[item_id]

    def _present(self, ids: set[ItemId], *, erase: bool = False) -> dict[ItemId, Item]:
        """The items of those ids, all of them. Raises NotFound naming the ones that are not there or were forgotten."""
        items = self._store.items(sorted(ids)) if ids else {}
        for identifier in sorted(ids):
            if identifier not in items:
                raise NotFound(f"There is no memory #{identifier}. Use recall to find the right id.")
            if items[identifier].status == "forgotten" and not erase:
                raise NotFound(f"The memory #{identifier} was forgotten. Remember it anew if it should come back.")
        return items

    def _operation(self, verb: str, summary: str, caller: Caller) -> Operation:
        return Operation(
            OperationId(self._ids.next()), verb, to_ms(self._clock()), caller.client, caller.session, summary
        )


def _remembered(decision: Decision, outcome: Outcome) -> RememberedItem:
    assert outcome.id is not None
    text = decision.statement.text
    if outcome.status == "known":
        of = decision.of if isinstance(decision, Confirm) else None
        return RememberedItem(outcome.id, "known", text, of)
    if isinstance(decision, Revise):
        return RememberedItem(outcome.id, "replaces", text, decision.of)
    similar = getattr(decision, "similar", None)
    return RememberedItem(outcome.id, "similar" if similar else "created", text, similar)
