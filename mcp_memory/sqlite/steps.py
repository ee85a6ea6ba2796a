"""How each step changes the file, inside the transaction of its operation."""

import json
from collections.abc import Mapping
from typing import Any

import apsw

from mcp_memory.domain import (
    AddItem,
    AmendItem,
    ConfirmItem,
    EraseItem,
    ForgetItem,
    ItemId,
    KeepDigest,
    Operation,
    Outcome,
    Statement,
    Step,
    normal_hash,
    sha256,
    spoken,
    tags_json,
)
from mcp_memory.errors import Conflict, NotFound
from mcp_memory.ids import IdSequence, id_number, id_text
from mcp_memory.sqlite import vectors
from mcp_memory.sqlite.rows import fetch, number_of
from mcp_memory.text import grams

BLANK = "\u2588"
"""Stands in a source's text for each character that was erased, so that the spans of the others stay right."""

REVISION_FIELDS = (
    "status",
    "text",
    "kind",
    "scope",
    "tags",
    "importance",
    "confidence",
    "occurred_at",
    "valid_until",
    "pinned",
    "review_after",
    "normal_hash",
)


class Steps:
    """Carries out the steps of one operation. Lives as long as its transaction."""

    def __init__(self, connection: apsw.Connection, operation: Operation, ids: IdSequence) -> None:
        """Records the operation. Its time is moved past the last one's, so that `as_of` tells any two apart."""
        self._connection = connection
        self._ids = ids
        last = connection.execute("SELECT coalesce(max(at), 0) FROM operations").get
        self._at = max(operation.at, last + 1)
        self._operation = id_number(operation.id)
        self._encoder = connection.execute("SELECT id FROM encoders WHERE serving = 1").get
        self._new_sources: dict[bytes, int] = {}
        connection.execute(
            "INSERT INTO operations (id, verb, at, client, session, summary) VALUES (?, ?, ?, ?, ?, ?)",
            (self._operation, operation.verb, self._at, operation.client, operation.session, operation.summary),
        )

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
                self._erase(number_of(step.id))
                return Outcome("erased", step.id)
            case KeepDigest():
                self._keep_digest(step)
                return Outcome("kept", None)

    def _add(self, step: AddItem) -> Outcome:
        statement = step.statement
        source_id, said_before = self._source(step)
        known = self._known(statement, source_id if said_before else None)
        if known is not None:
            self._confirm(known)
            identifier = ItemId(id_text(known))
            return Outcome("known", identifier, identifier)
        number = id_number(step.id)
        self._connection.execute(
            "INSERT INTO items (id, source_id, position, span_start, span_end, speaker, recorded_at, last_seen_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, source_id, statement.position, *statement.span, statement.speaker, self._at, self._at),
        )
        fields = {
            "status": "live",
            "text": statement.text,
            "kind": statement.kind,
            "scope": statement.scope,
            "tags": tags_json(statement.tags),
            "importance": statement.importance,
            "confidence": statement.confidence,
            "occurred_at": statement.occurred_at,
            "valid_until": None,
            "pinned": 0,
            "review_after": None,
            "normal_hash": normal_hash(statement.spoken),
        }
        self._insert_revision(number, number, 1, fields, statement.speaker)
        if step.vector is not None:
            self._insert_vector(number, vectors.signs(step.vector), vectors.codes(step.vector))
        if step.replaces is None:
            return Outcome("created", step.id)
        self._replace(number, number_of(step.replaces))
        return Outcome("replaced", step.id, step.replaces)

    def _source(self, step: AddItem) -> tuple[int, bool]:
        """The source's number, and whether the file knew it before this operation."""
        source = step.statement.source
        digest = source.sha256
        if digest in self._new_sources:
            return self._new_sources[digest], False
        known = self._connection.execute(
            "SELECT id FROM sources WHERE sha256 = ? AND redacted_at IS NULL", (digest,)
        ).get
        if known is not None:
            return known, True
        number = id_number(source.id)
        self._connection.execute(
            "INSERT INTO sources (id, operation_id, sha256, kind, origin, text, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, self._operation, digest, source.kind, source.origin, source.text, self._at),
        )
        self._new_sources[digest] = number
        return number, False

    def _known(self, statement: Statement, source_id: int | None) -> int | None:
        """The live item that says the same already.

        A turn of a conversation repeats only what stands in another source at the same time, or at the same place of
        the same source: two turns of one conversation may well be equal.
        """
        if statement.replaces is not None:
            return None
        bound = (normal_hash(statement.spoken), statement.scope)
        same = "r.normal_hash = ? AND r.scope = ? AND r.until_time IS NULL AND r.status = 'live'"
        tables = "FROM revisions AS r JOIN items AS i ON i.id = r.item_id"
        if statement.source.kind != "transcript":
            return self._connection.execute(f"SELECT i.id {tables} WHERE {same} ORDER BY i.id", bound).get
        if source_id is not None:
            return self._connection.execute(
                f"SELECT i.id {tables} WHERE {same} AND i.source_id = ? AND i.span_start = ?",
                (*bound, source_id, statement.span.start),
            ).get
        if statement.occurred_at is None:
            return None
        return self._connection.execute(
            f"SELECT i.id {tables} JOIN sources AS s ON s.id = i.source_id "
            f"WHERE {same} AND r.occurred_at = ? AND s.operation_id <> ?",
            (*bound, statement.occurred_at, self._operation),
        ).get

    def _confirm(self, number: int) -> None:
        self._connection.execute("UPDATE items SET seen = seen + 1, last_seen_at = ? WHERE id = ?", (self._at, number))
        if not self._connection.changes():
            raise _no_item(number)

    def _replace(self, number: int, old: int) -> None:
        status = self._connection.execute(
            "SELECT status FROM revisions WHERE item_id = ? AND until_time IS NULL", (old,)
        ).get
        if status is None:
            raise _no_item(old)
        if status == "live":
            self._revise(old, {"status": "replaced"})
        self._connection.execute(
            "INSERT INTO links (from_id, to_id, type, operation_id, at) VALUES (?, ?, 'replaces', ?, ?)",
            (number, old, self._operation, self._at),
        )

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
        self._revise(number, fields, vector=step)
        return Outcome("updated", step.id)

    def _revise(self, number: int, changes: Mapping[str, Any], *, vector: AmendItem | None = None) -> None:
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
        if vector is not None and vector.vector is not None:
            self._insert_vector(new_id, vectors.signs(vector.vector), vectors.codes(vector.vector))
        elif "text" not in changes:
            self._connection.execute(
                "INSERT INTO vectors (encoder_id, revision_id, signs, codes) "
                "SELECT encoder_id, ?, signs, codes FROM vectors WHERE revision_id = ?",
                (new_id, old_id),
            )

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

    def _insert_vector(self, revision_id: int, signs: bytes, codes: bytes) -> None:
        # Without a serving encoder there is nothing to say whose vector it is; it is made again later.
        if self._encoder is not None:
            self._connection.execute(
                "INSERT INTO vectors (encoder_id, revision_id, signs, codes) VALUES (?, ?, ?, ?)",
                (self._encoder, revision_id, signs, codes),
            )

    def _erase(self, number: int) -> None:
        rows = fetch(
            self._connection,
            "SELECT r.id, r.text, r.status, i.speaker, i.source_id, i.span_start, i.span_end "
            "FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE i.id = ?",
            (number,),
        )
        if not rows:
            raise _no_item(number)
        for revision_id, text, status, speaker, *_ in rows:
            if status == "live":
                delete_words(self._connection, revision_id, text, speaker)
        # A digest may hold the words of what it was made from.
        self._connection.execute(
            "DELETE FROM topics WHERE id IN (SELECT t.topic_id FROM topic_revisions AS t "
            "JOIN revisions AS r ON r.id = t.revision_id WHERE r.item_id = ?)",
            (number,),
        )
        self._connection.execute("DELETE FROM items WHERE id = ?", (number,))
        _, _, _, _, source_id, start, end = rows[0]
        self._blank(source_id, start, end)

    def _blank(self, source_id: int, start: int, end: int) -> None:
        """Blank a range of a source's text, but for what other items say with the same characters."""
        others = fetch(self._connection, "SELECT span_start, span_end FROM items WHERE source_id = ?", (source_id,))
        if not others:
            self._connection.execute("DELETE FROM sources WHERE id = ?", (source_id,))
            return
        text: str = self._connection.execute("SELECT text FROM sources WHERE id = ?", (source_id,)).get
        kept = {at for first, last in others for at in range(max(first, start), min(last, end))}
        blanked = "".join(BLANK if start <= at < end and at not in kept else text[at] for at in range(len(text)))
        self._connection.execute(
            "UPDATE sources SET text = ?, sha256 = ?, redacted_at = ? WHERE id = ?",
            (blanked, sha256(blanked), self._at, source_id),
        )

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


def insert_words(connection: apsw.Connection, revision_id: int, text: str, speaker: str | None) -> None:
    """Index a state's words."""
    connection.execute(
        "INSERT INTO text_index (rowid, words, grams) VALUES (?, ?, ?)", (revision_id, *_indexed(text, speaker))
    )


def delete_words(connection: apsw.Connection, revision_id: int, text: str, speaker: str | None) -> None:
    """Take a state's words out of the index; they must be the ones that were put in."""
    connection.execute(
        "INSERT INTO text_index (text_index, rowid, words, grams) VALUES ('delete', ?, ?, ?)",
        (revision_id, *_indexed(text, speaker)),
    )


def _indexed(text: str, speaker: str | None) -> tuple[str, str]:
    return spoken(text, speaker), " ".join(grams(text))


def _no_item(number: int) -> NotFound:
    return NotFound(f"There is no memory #{id_text(number)}. Use recall to find the right id.")
