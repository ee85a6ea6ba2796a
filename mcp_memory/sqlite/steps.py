"""The changes of each step, inside the transaction of its operation."""

import json
from collections.abc import Mapping
from typing import Any

import apsw

from mcp_memory.domain.ids import IdSequence, id_number, id_text
from mcp_memory.domain.model import (
    Embedding,
    ItemId,
    Operation,
    Source,
    SourceId,
    Statement,
    normal_hash,
    spoken,
    tags_json,
)
from mcp_memory.domain.steps import (
    AddItem,
    AmendItem,
    ConfirmItem,
    EraseItem,
    FoldItem,
    ForgetItem,
    KeepDigest,
    Outcome,
    Step,
    TakeBack,
)
from mcp_memory.errors import Conflict, NotFound
from mcp_memory.language.tokenization import Span
from mcp_memory.sqlite.history import erase, folds, undo
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.postings import insert_dates, insert_words
from mcp_memory.sqlite.rows import REVISION_FIELDS, fetch, number_of


class Steps:
    """Carries out the steps of one operation, within its transaction."""

    def __init__(
        self, connection: apsw.Connection, operation: Operation, *, ids: IdSequence, encoder: str | None
    ) -> None:
        """Record the operation, at a time later than the last one's; vectors are kept where `encoder` serves."""
        self._connection = connection
        self._ids = ids
        last = connection.execute("SELECT coalesce(max(at), 0) FROM operations").get
        self._at = max(operation.at, last + 1)
        self._operation = id_number(operation.id)
        self._zone_offset = operation.zone_offset
        self._encoder: int | None = connection.execute(
            "SELECT id FROM encoders WHERE serving = 1 AND identity = ?", (encoder,)
        ).get
        self._sources: dict[SourceId, tuple[int | None, bytes]] = {}
        self._new_sources: dict[bytes, int] = {}
        self._shorter: dict[SourceId, int | None] = {}
        self._gone: dict[int, list[Span]] = {}
        self._erased: set[int] = set()
        connection.execute(
            "INSERT INTO operations (id, verb, at, client, session, summary) VALUES (?, ?, ?, ?, ?, ?)",
            (self._operation, operation.verb, self._at, operation.client, operation.session, operation.summary),
        )

    def finish(self) -> None:
        """Finish the operation: blank what was erased in its sources."""
        if self._gone:
            erase.redact(self._connection, self._gone, at=self._at)

    def carry_out(self, step: Step) -> Outcome:
        """Apply one step; see the step's own class for what it means."""
        match step:
            case AddItem():
                return self._add(step)
            case ConfirmItem():
                self._confirm(number_of(step.id))
                return Outcome("known", step.id, step.id)
            case AmendItem():
                return self._amend(step)
            case ForgetItem():
                self._revise(number_of(step.id), {"status": "forgotten"})
                return Outcome("forgotten", step.id)
            case EraseItem():
                self._erase_with_patterns(number_of(step.id), keep_patterns=step.keep_patterns)
                return Outcome("erased", step.id)
            case FoldItem():
                self._fold(step)
                return Outcome("folded", step.id, step.into)
            case KeepDigest():
                self._keep_digest(step)
                return Outcome("kept", None)
            case TakeBack():
                found = undo.plan(self._connection, id_number(step.operation))
                undo.carry_out(self._connection, found, operation=self._operation, at=self._at, ids=self._ids)
                return Outcome("undone", None)

    def _add(self, step: AddItem) -> Outcome:
        outcome = self._added(step)
        assert outcome.id is not None
        for old in step.supersedes:
            if old != outcome.id:
                self._replace(number_of(outcome.id), number_of(old), step.statement)
        return outcome

    def _added(self, step: AddItem) -> Outcome:
        statement = step.statement
        known_source, digest = self._known_source(statement.source)
        words = normal_hash(statement.spoken)
        known = self._known(step, words, known_source or self._grown_from(statement.source))
        if known is not None:
            return self._repeat(step, known, source=(known_source, digest))
        source = self._keep_source(statement.source, known_source, digest)
        number = id_number(step.id)
        self._connection.execute(
            "INSERT INTO items (id, source_id, position, span_start, span_end, speaker, recorded_at, last_seen_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, source, statement.position, *statement.span, statement.speaker, self._at, self._at),
        )
        self._insert_revision(number, number, 1, self._first_state(step, words), statement.speaker)
        if step.embedding is not None:
            self._insert_embedding(number, step.embedding)
        if step.replaces is None or not self._replace(number, number_of(step.replaces), statement):
            return Outcome("created", step.id)
        return Outcome("replaced", step.id, step.replaces)

    def _first_state(self, step: AddItem, words: bytes) -> dict[str, Any]:
        """Return the first state of a new item; a replacement inherits what was decided about its predecessor."""
        state = _first_state(step.statement) | {"normal_hash": words}
        if step.replaces is None:
            return state
        for tags, pinned, review_after, importance, given in fetch(
            self._connection,
            "SELECT tags, pinned, review_after, importance, importance_given FROM revisions "
            "WHERE item_id = ? AND until_time IS NULL AND status <> 'forgotten'",
            (number_of(step.replaces),),
        ):
            state |= {"tags": tags_json([*json.loads(tags), *step.statement.tags]), "pinned": pinned}
            state["review_after"] = review_after
            if given and not state["importance_given"]:
                state |= {"importance": importance, "importance_given": given}
        return state

    def _known_source(self, source: Source) -> tuple[int | None, bytes]:
        """Return the number of a source with this text before the operation, and its SHA-256."""
        if source.id not in self._sources:
            digest = source.sha256
            known: int | None = self._connection.execute(
                "SELECT id FROM sources WHERE sha256 = ? AND redacted_at IS NULL", (digest,)
            ).get
            self._sources[source.id] = None if digest in self._new_sources else known, digest
        return self._sources[source.id]

    def _grown_from(self, source: Source) -> int | None:
        """Return the longest earlier conversation that this one extends word for word, with the same positions."""
        if source.kind != "transcript":
            return None
        if source.id not in self._shorter:
            # The opening is compared first, so that of other conversations no more than that is read.
            self._shorter[source.id] = self._connection.execute(
                "SELECT id FROM sources WHERE kind = 'transcript' AND redacted_at IS NULL AND operation_id <> :operation "
                "AND substr(text, 1, 200) = substr(:opening, 1, min(200, length(text))) "
                "AND substr(:text, 1, length(text)) = text ORDER BY length(text) DESC LIMIT 1",
                {"operation": self._operation, "opening": source.text[:200], "text": source.text},
            ).get
        return self._shorter[source.id]

    def _keep_source(self, source: Source, known: int | None, digest: bytes) -> int:
        if known is not None:
            return known
        if digest not in self._new_sources:
            number = id_number(source.id)
            self._connection.execute(
                "INSERT INTO sources (id, operation_id, sha256, kind, origin, text, recorded_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, self._operation, digest, source.kind, source.origin, source.text, self._at),
            )
            self._new_sources[digest] = number
        return self._new_sources[digest]

    def _known(self, step: AddItem, words: bytes, source: int | None) -> int | None:
        """The item that says the same already.

        A document or a conversation stored again is known by its places, whatever became of its items since, unless they
        were forgotten, and so is the beginning of a conversation that has grown. Else it is known by its parts: a
        document's in the same words, a conversation's in the same words at the same time, as two turns of one
        conversation may well be equal.
        """
        statement = step.statement
        present = "r.until_time IS NULL AND r.scope = :scope AND r.status"
        bound = {
            "scope": statement.scope,
            "hash": words,
            "source": source,
            "start": statement.span.start,
            "confirms": None if step.confirms is None else number_of(step.confirms),
            "occurred_at": statement.occurred_at,
            "at": self._at,
            "anew": step.anew,
        }
        live = f"SELECT r.item_id FROM revisions AS r WHERE r.normal_hash = :hash AND {present} = 'live'"
        queries: list[str] = []
        if step.confirms is not None:
            queries.append(
                "SELECT item_id FROM revisions WHERE item_id = :confirms AND until_time IS NULL AND status <> 'forgotten'"
            )
        if statement.source.kind != "words" and source is not None:
            queries.append(
                "SELECT r.item_id FROM (SELECT id FROM items WHERE source_id = :source AND span_start = :start UNION ALL "
                "SELECT item_id FROM repeats WHERE source_id = :source AND span_start = :start AND until_time IS NULL) AS place "
                "CROSS JOIN revisions AS r ON r.item_id = place.id "
                f"WHERE {present} <> 'forgotten' AND (r.status = 'live' OR NOT :anew)"
            )
        if statement.source.kind != "transcript":
            queries.append(live)
        elif statement.occurred_at is not None:
            queries.append(
                "SELECT r.item_id FROM revisions AS said JOIN items AS i ON i.id = said.item_id "
                "JOIN revisions AS r ON r.item_id = i.id WHERE said.normal_hash = :hash "
                f"AND said.occurred_at = :occurred_at AND i.recorded_at < :at AND {present} <> 'forgotten'"
            )
        for query in queries:
            found: int | None = self._connection.execute(f"SELECT min(item_id) FROM ({query})", bound).get
            if found is not None:
                return found
        return None

    def _repeat(self, step: AddItem, known: int, *, source: tuple[int | None, bytes]) -> Outcome:
        """Count a repetition, and keep a longer source."""
        statement = step.statement
        identifier = ItemId(id_text(known))
        self._confirm(known)
        if statement.source.kind != "words":
            number = self._keep_source(statement.source, *source)
            self._connection.execute(
                "INSERT OR IGNORE INTO repeats (item_id, source_id, span_start, span_end, operation_id, from_time) "
                "SELECT id, ?, ?, ?, ?, ? FROM items WHERE id = ? AND (source_id, span_start) <> (?, ?)",
                (number, *statement.span, self._operation, self._at, known, number, statement.span.start),
            )
        if step.replaces in (None, identifier) or not self._replace(known, number_of(step.replaces), statement):
            return Outcome("known", identifier, identifier)
        return Outcome("replaced", identifier, step.replaces)

    def _confirm(self, number: int) -> None:
        self._connection.execute(
            "INSERT INTO confirmations (item_id, operation_id, times, said_at, from_time) "
            "SELECT id, :operation, 1, :at, :at FROM items WHERE id = :item "
            "ON CONFLICT DO UPDATE SET times = times + 1",
            {"operation": self._operation, "at": self._at, "item": number},
        )
        if not self._connection.changes():
            raise _no_item(number)

    def _replace(self, number: int, old: int, statement: Statement) -> bool:
        """Hide the old item and link to it; False where it is gone meanwhile."""
        status = self._connection.execute(
            "SELECT status FROM revisions WHERE item_id = ? AND until_time IS NULL", (old,)
        ).get
        if status in (None, "forgotten") and statement.replaces is None:
            return False
        if status is None:
            raise _no_item(old)
        if status == "live":
            self._revise(old, {"status": "replaced"})
        self._connection.execute(
            "INSERT OR IGNORE INTO links (from_id, to_id, type, operation_id, from_time) VALUES (?, ?, 'replaces', ?, ?)",
            (number, old, self._operation, self._at),
        )
        return True

    def _amend(self, step: AmendItem) -> Outcome:
        number = number_of(step.id)
        present = self._connection.execute(
            "SELECT number FROM revisions WHERE item_id = ? AND until_time IS NULL", (number,)
        ).get
        if present is not None and present != step.revision:
            raise Conflict(f"#{step.id} was changed by someone else just now. Recall it again and repeat the update.")
        fields = dict(step.fields)
        if "tags" in fields:
            fields["tags"] = tags_json(fields["tags"])
        self._revise(number, fields, embedding=step.embedding)
        return Outcome("updated", step.id)

    def _revise(self, number: int, changes: Mapping[str, Any], *, embedding: Embedding | None = None) -> None:
        """Close the present state of an item and open one with some fields changed."""
        rows = fetch(
            self._connection,
            f"SELECT r.id, r.number, i.speaker, {', '.join('r.' + field for field in REVISION_FIELDS)} "
            "FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE r.item_id = ? AND r.until_time IS NULL",
            (number,),
        )
        if not rows:
            raise _no_item(number)
        old_id, old_number, speaker, *values = rows[0]
        fields = dict(zip(REVISION_FIELDS, values, strict=True)) | dict(changes)
        fields["normal_hash"] = normal_hash(spoken(fields["text"], speaker))
        self._connection.execute("UPDATE revisions SET until_time = ? WHERE id = ?", (self._at, old_id))
        new_id = id_number(self._ids.next())
        self._insert_revision(new_id, number, old_number + 1, fields, speaker)
        if fields["status"] != "live":
            return
        if embedding is not None:
            self._insert_embedding(new_id, embedding)
        elif "text" not in changes:
            vectors.copy(self._connection, old_id, new_id)

    def _insert_revision(
        self, revision_id: int, item: int, number: int, fields: Mapping[str, Any], speaker: str | None
    ) -> None:
        self._connection.execute(
            f"INSERT INTO revisions (id, item_id, operation_id, number, from_time, {', '.join(REVISION_FIELDS)}) "
            f"VALUES (?, ?, ?, ?, ?{', ?' * len(REVISION_FIELDS)})",
            (revision_id, item, self._operation, number, self._at, *(fields[field] for field in REVISION_FIELDS)),
        )
        if fields["status"] == "live":
            insert_words(self._connection, revision_id, fields["text"], speaker)
            said: int | None = fields["occurred_at"]
            if said is None:
                recorded: int = self._connection.execute("SELECT recorded_at FROM items WHERE id = ?", (item,)).get
                said = recorded + self._zone_offset
            insert_dates(self._connection, revision_id, fields["text"], said=said)

    def _insert_embedding(self, revision_id: int, embedding: Embedding) -> None:
        if self._encoder is not None:
            vectors.insert(self._connection, self._encoder, {revision_id: embedding})

    def _erase_with_patterns(self, number: int, *, keep_patterns: bool) -> None:
        if not keep_patterns:
            parts = folds.parts_of(self._connection, number)
            for part in {part for found in parts.values() for part in found} - {number}:
                self._switch(part, "replaced", "live")
            for pattern in parts.keys() - {number} - self._erased:
                self._erase_with_tombstones(pattern)
        self._erase_with_tombstones(number)

    def _erase_with_tombstones(self, number: int) -> None:
        """Erase an item, and forgotten or undone ones of its scope with the same words."""
        tombstones = fetch(
            self._connection,
            "SELECT DISTINCT r.item_id FROM revisions AS said JOIN revisions AS r ON r.normal_hash = said.normal_hash "
            "JOIN revisions AS p ON p.item_id = r.item_id AND p.until_time IS NULL AND p.status = 'forgotten' "
            "WHERE said.item_id = ? AND r.item_id <> said.item_id AND r.scope = said.scope",
            (number,),
        )
        if number not in self._erased:  # else as a tombstone of another
            items = [number, *(row[0] for row in tombstones)]
            for item in items:
                self._erase(item)
            self._erased.update(items)
        self._connection.execute("UPDATE operations SET erased = erased + 1 WHERE id = ?", (self._operation,))

    def _erase(self, number: int) -> None:
        places = erase.erase(self._connection, number, operation=self._operation, at=self._at)
        if places is None:
            raise _no_item(number)
        for source, span in places:
            self._gone.setdefault(source, []).append(span)

    def _fold(self, step: FoldItem) -> None:
        number = number_of(step.id)
        self._connection.execute(
            "INSERT OR IGNORE INTO links (from_id, to_id, type, operation_id, from_time) VALUES (?, ?, 'derived-from', ?, ?)",
            (number_of(step.into), number, self._operation, self._at),
        )
        if step.hide:
            self._switch(number, "live", "replaced")

    def _switch(self, number: int, present: str, wanted: str) -> None:
        status = self._connection.execute(
            "SELECT status FROM revisions WHERE item_id = ? AND until_time IS NULL", (number,)
        ).get
        if status == present:
            self._revise(number, {"status": wanted})

    def _keep_digest(self, step: KeepDigest) -> None:
        self._connection.execute(
            "UPDATE topics SET until_time = ? WHERE name = ? AND scope = ? AND until_time IS NULL",
            (self._at, step.name, step.scope),
        )
        topic = id_number(self._ids.next())
        self._connection.execute(
            "INSERT INTO topics (id, operation_id, name, scope, digest, from_time) VALUES (?, ?, ?, ?, ?, ?)",
            (topic, self._operation, step.name, step.scope, step.digest, self._at),
        )
        self._connection.execute(
            "INSERT INTO topic_revisions (topic_id, revision_id) SELECT ?, id FROM revisions "
            "WHERE until_time IS NULL AND item_id IN (SELECT value FROM json_each(?))",
            (topic, json.dumps([number_of(item) for item in step.items])),
        )


def _first_state(statement: Statement) -> dict[str, Any]:
    return {
        "status": "live",
        "text": statement.text,
        "kind": statement.kind,
        "scope": statement.scope,
        "tags": tags_json(statement.tags),
        "importance": statement.estimate if statement.importance is None else statement.importance,
        "importance_given": int(statement.importance is not None),
        "confidence": statement.confidence,
        "occurred_at": statement.occurred_at,
        "valid_until": None,
        "pinned": 0,
        "review_after": None,
    }


def _no_item(number: int) -> NotFound:
    return NotFound(f"There is no memory #{id_text(number)}. Use recall to find the right id.")
