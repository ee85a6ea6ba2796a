"""Merge of the truth of another file into this one, by operation.

Every row of truth but its times of ending is the same in each file that has it, as ids are unique across files. So the
truth of two files together is the union of their rows, and what ends when follows from it: an item's states and a
topic's digests end when the next of them begins, a link or a confirmation when its operation was taken back. Whichever
file is brought into the other, the truth is the same afterwards, and bringing it in again changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import apsw

from mcp_memory.domain.model import sha256
from mcp_memory.exchange.merge_result import MergeConflict, MergeResult
from mcp_memory.exchange.records import RECORDS
from mcp_memory.language.tokenization import Span
from mcp_memory.sqlite.exchange import conflicts
from mcp_memory.sqlite.history import erase, source_redaction
from mcp_memory.sqlite.history.source_redaction import BLANK
from mcp_memory.sqlite.history.undo import TIMED
from mcp_memory.sqlite.index.postings import insert_words
from mcp_memory.sqlite.rows import fetch

Row = dict[str, Any]
PASSING = 1 << 40  # Added to revision numbers while they are reordered, to keep them unique


def merge(connection: apsw.Connection, other: apsw.Connection) -> MergeResult:
    """Merge the truth, words, dates and served vectors of `other`, of the same schema, inside the current transaction."""
    connection.pragma("defer_foreign_keys", True)
    merging = _Merging(connection, other)
    merging.operations()
    merging.sources()
    merging.items()
    merging.revisions()
    merging.merge_timed_rows()
    merging.topics()
    merging.dates()
    merging.vectors()
    erased = merging.erasures()
    merging.tidy()
    merging.conflicts += conflicts.twice_replaced(connection, other) + conflicts.said_twice(
        connection, merging.new_items
    )
    return MergeResult({type_: count for type_, count in merging.added.items() if count}, erased, merging.conflicts)


class _Merging:
    def __init__(self, connection: apsw.Connection, other: apsw.Connection) -> None:
        self.connection = connection
        self.other = other
        self.added: Counter[str] = Counter()
        self.conflicts: list[MergeConflict] = []
        self.new_items: set[int] = set()
        self._new_states: list[int] = []
        self._source_as: dict[int, int] = {}
        self._blanked: dict[int, tuple[str, str]] = {}
        self._new: dict[str, list[int]] = defaultdict(list)
        self._erased = {row[0] for file in (connection, other) for row in fetch(file, "SELECT item_id FROM erased")}
        self._undone = {
            row[0]
            for file in (connection, other)
            for row in fetch(file, "SELECT undoes FROM operations WHERE undoes IS NOT NULL")
        }

    def operations(self) -> None:
        """Merge the operations; where an erase took the reason out of one, that holds."""
        for row in self._rows("operation"):
            if not self._insert("operation", row):
                self.connection.execute(
                    "UPDATE operations SET summary = :summary WHERE id = :id AND length(summary) > length(:summary)",
                    row,
                )

    def sources(self) -> None:
        """Merge the sources; of two with the same text the smaller id stays, and what either blanks is blanked."""
        for row in self._rows("source"):
            if self._has("sources", row["id"]):
                self._blank(row)
        for row in self._rows("source"):
            if self._has("sources", row["id"]):
                continue
            same: int | None = None
            if row["redacted_at"] is None:
                same = self._get("SELECT id FROM sources WHERE sha256 = ? AND redacted_at IS NULL", row["sha256"])
            if same is not None and same < row["id"]:
                self._source_as[row["id"]] = same
                continue
            if same is not None:
                self._execute("DELETE FROM sources WHERE id = ?", same)
            self._insert("source", row)
            if same is not None:
                self._execute("UPDATE items SET source_id = ? WHERE source_id = ?", row["id"], same)
                self._execute("UPDATE OR REPLACE repeats SET source_id = ? WHERE source_id = ?", row["id"], same)

    def _blank(self, row: Row) -> None:
        """Blank in a shared source what either side has blanked; `_fill` restores what an item still says."""
        [(text, at)] = fetch(self.connection, "SELECT text, redacted_at FROM sources WHERE id = ?", (row["id"],))
        if text == row["text"] or len(text) != len(row["text"]):
            if (row["redacted_at"] or 0) > (at or 0):
                self._write_source(row["id"], row["text"], row["redacted_at"])
            return
        self._blanked[row["id"]] = text, row["text"]
        both = "".join(BLANK if BLANK in pair else pair[0] for pair in zip(text, row["text"], strict=True))
        self._write_source(row["id"], both, max(at or 0, row["redacted_at"] or 0))

    def _fill(self) -> None:
        for source, texts in self._blanked.items():
            if not self._has("sources", source):
                continue
            text, at = fetch(self.connection, "SELECT text, redacted_at FROM sources WHERE id = ?", (source,))[0]
            characters = list(text)
            forgotten, others = source_redaction.spans_in(self.connection, source)
            for start, end in forgotten + others:
                for place in range(start, end):
                    if characters[place] == BLANK:
                        characters[place] = next((one[place] for one in texts if one[place] != BLANK), BLANK)
            self._write_source(source, "".join(characters), at)

    def _write_source(self, number: int, text: str, redacted_at: int | None) -> None:
        self._execute(
            "UPDATE sources SET text = ?, sha256 = ?, redacted_at = ? WHERE id = ?",
            text,
            sha256(text),
            redacted_at,
            number,
        )

    def items(self) -> None:
        """Merge the items; of what earlier versions counted on both sides the larger number is kept."""
        for row in self._rows("item"):
            row["source_id"] = self._source_as.get(row["source_id"], row["source_id"])
            if self._insert("item", row):
                self.new_items.add(row["id"])
                continue
            self.connection.execute(
                "UPDATE items SET source_id = min(source_id, :source_id), seen = max(seen, :seen), "
                "last_seen_at = max(last_seen_at, :last_seen_at) WHERE id = :id "
                "AND (source_id > :source_id OR seen < :seen OR last_seen_at < :last_seen_at)",
                row,
            )

    def revisions(self) -> None:
        """Merge the states; those of an item on both sides follow each other by their time."""
        rows = self._rows("revision", order="item_id, number")
        for item, states in groupby(rows, key=lambda row: row["item_id"]):
            theirs = list(states)
            new = [row for row in theirs if not self._has("revisions", row["id"])]
            if not new:
                continue
            ours = [] if item in self.new_items else self._states(item)
            if ours:
                known = {row["id"] for row in theirs}
                ahead = [row for row in ours if row["id"] not in known]
                if ahead:
                    self.conflicts += conflicts.changed(self.connection, ours[-1], theirs[-1])
                self._reorder(item, ours, new)
            for row in new:
                self._insert("revision", row)
                if row["status"] == "live":
                    speaker = self._get("SELECT speaker FROM items WHERE id = ?", item)
                    insert_words(self.connection, row["id"], row["text"], speaker)
                    self._new_states.append(row["id"])

    def _states(self, item: int) -> list[Row]:
        fields = RECORDS["revision"].fields
        rows = fetch(
            self.connection, f"SELECT {', '.join(fields)} FROM revisions WHERE item_id = ? ORDER BY number", (item,)
        )
        return [dict(zip(fields, row, strict=True)) for row in rows]

    def _reorder(self, item: int, ours: list[Row], new: list[Row]) -> None:
        """Renumber all states of an item and set their ends; ours are in the file, the new ones as they are."""
        states = sorted(ours + new, key=lambda row: (row["from_time"], row["operation_id"], row["number"], row["id"]))
        for number, state in enumerate(states, start=1):
            state["number"] = number
            state["until_time"] = states[number]["from_time"] if number < len(states) else None
        self._execute(
            "UPDATE revisions SET number = number + ?, until_time = coalesce(until_time, from_time) WHERE item_id = ?",
            PASSING,
            item,
        )
        present = states[-1]["id"]
        for state in sorted(ours, key=lambda row: row["id"] == present):
            self._execute(
                "UPDATE revisions SET number = ?, until_time = ? WHERE id = ?",
                state["number"],
                state["until_time"],
                state["id"],
            )

    def merge_timed_rows(self) -> None:
        """Merge links, repeats and confirmations; those of operations that were taken back hold as these hold."""
        for type_ in ("link", "repeat", "confirmation"):
            turned: list[Row] = []
            for row in self._rows(type_):
                if "source_id" in row:
                    row["source_id"] = self._source_as.get(row["source_id"], row["source_id"])
                if row["operation_id"] in self._undone:
                    turned.append(row)
                else:
                    self._insert(type_, row)
            self._turn(type_, turned)

    def _turn(self, type_: str, theirs: list[Row]) -> None:
        """Rewrite when the rows of operations held that were taken back, and maybe restored, on either side."""
        table, columns = RECORDS[type_].table, TIMED[RECORDS[type_].table]
        said: dict[tuple[int, tuple[Any, ...]], int] = {}
        known: set[tuple[int, tuple[Any, ...]]] = set()
        for operation in self._undone:
            for *what, start in fetch(
                self.connection,
                f"SELECT {', '.join(columns)}, from_time FROM {table} WHERE operation_id = ?",
                (operation,),
            ):
                known.add((operation, tuple(what)))
                said[operation, tuple(what)] = min(start, said.get((operation, tuple(what)), start))
        for row in theirs:
            key = row["operation_id"], tuple(row[column] for column in columns)
            said[key] = min(row["from_time"], said.get(key, row["from_time"]))
        for operation in {operation for operation, _ in said}:
            self._execute(f"DELETE FROM {table} WHERE operation_id = ?", operation)
        marks = ", ?" * (len(columns) + 2)
        for (operation, what), start in said.items():
            if (operation, what) not in known and not self._erased & {
                value for name, value in zip(columns, what, strict=True) if name in _ITEMS[type_]
            }:
                self.added[type_] += 1
            for begun, ended in self._held(operation, start):
                self.connection.execute(
                    f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}, operation_id, from_time, until_time) "
                    f"VALUES (?{marks})",
                    (*what, operation, begun, ended),
                )

    def _held(self, operation: int, start: int) -> Iterator[tuple[int, int | None]]:
        """Return from when until when an operation counted, given that it did from `start`."""
        undos = fetch(
            self.connection, "SELECT at, takes_back FROM operations WHERE undoes = ? ORDER BY at, id", (operation,)
        )
        begun: int | None = start
        for at, takes_back in undos:
            if takes_back and begun is not None:
                yield begun, at
                begun = None
            elif not takes_back and begun is None:
                begun = at
        if begun is not None:
            yield begun, None

    def topics(self) -> None:
        """Merge the digests; those of one topic follow each other by their time."""
        theirs: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self._rows("topic"):
            theirs[row["name"], row["scope"]].append(row)
        fields = RECORDS["topic"].fields
        for name, rows in theirs.items():
            found = fetch(self.connection, f"SELECT {', '.join(fields)} FROM topics WHERE name = ? AND scope = ?", name)
            ours = {row[0]: dict(zip(fields, row, strict=True)) for row in found}
            self.conflicts += conflicts.digests(list(ours.values()), rows)
            new = [row for row in rows if row["id"] not in ours]
            for row in rows:
                if row["id"] in ours:
                    ours[row["id"]]["until_time"] = _first(ours[row["id"]]["until_time"], row["until_time"])
            digests = sorted([*ours.values(), *new], key=lambda row: (row["from_time"], row["operation_id"], row["id"]))
            for digest, after in pairwise(digests):
                digest["until_time"] = _first(digest["until_time"], after["from_time"])
            self._execute("UPDATE topics SET until_time = from_time WHERE name = ? AND scope = ?", *name)
            for digest in ours.values():
                self._execute("UPDATE topics SET until_time = ? WHERE id = ?", digest["until_time"], digest["id"])
            for digest in new:
                self._insert("topic", digest)
        for row in self._rows("topic_revision"):
            self._insert("topic_revision", row)

    def dates(self) -> None:
        """Copy the dates that the new states name, as they were read there, by the clock of who wrote them."""
        for state in self._new_states:
            for row in fetch(self.other, "SELECT revision_id, periods FROM text_dates WHERE revision_id = ?", (state,)):
                self._execute("INSERT OR IGNORE INTO text_dates (revision_id, periods) VALUES (?, ?)", *row)

    def vectors(self) -> None:
        """Copy the embeddings of the new states where the same encoder serves on both sides."""
        serving = fetch(self.other, "SELECT id, identity, dimensions FROM encoders WHERE serving = 1")
        if not serving or not self._new_states:
            return
        theirs, identity, dimensions = serving[0]
        self._execute(
            "INSERT INTO encoders (identity, dimensions, serving) SELECT ?, ?, 1 "
            "WHERE NOT EXISTS (SELECT 1 FROM encoders)",
            identity,
            dimensions,
        )
        ours = self._get("SELECT id FROM encoders WHERE serving = 1 AND identity = ?", identity)
        if ours is None:
            return
        for table, columns in (("vectors", "codes, late, pieces"), ("binary_vectors", "bits")):
            marks = ", ?" * (columns.count(",") + 1)
            for state in self._new_states:
                for row in fetch(
                    self.other,
                    f"SELECT {columns} FROM {table} WHERE encoder_id = ? AND revision_id = ?",
                    (theirs, state),
                ):
                    self.connection.execute(
                        f"INSERT INTO {table} (encoder_id, revision_id, {columns}) VALUES (?, ?{marks})",
                        (ours, state, *row),
                    )

    def erasures(self) -> int:
        """Erase what either side has erased; return how many items."""
        before = {row[0] for row in fetch(self.connection, "SELECT item_id FROM erased")}
        for row in self._rows("erased"):
            if not self._insert("erased", row):
                self.connection.execute(
                    "UPDATE erased SET operation_id = :operation_id, at = :at "
                    "WHERE item_id = :item_id AND (at, operation_id) > (:at, :operation_id)",
                    row,
                )
        due = fetch(
            self.connection,
            "SELECT e.item_id, e.operation_id, e.at FROM erased AS e JOIN items AS i ON i.id = e.item_id ORDER BY e.at",
        )
        gone: dict[int, list[Span]] = defaultdict(list)
        latest: dict[int, int] = {}
        for item, operation, at in due:
            self.conflicts += conflicts.erased(self.connection, self.other, item, at=at, here=item in before)
            for source, span in erase.erase(self.connection, item, operation=operation, at=at) or []:
                gone[source].append(span)
                latest[source] = max(at, latest.get(source, at))
        for source, spans in gone.items():
            erase.redact(self.connection, {source: spans}, at=latest[source])
        self._fill()
        return len(due)

    def tidy(self) -> None:
        """Delete what refers to erased items, and unreferenced sources; count what stays."""
        self._execute(
            "DELETE FROM topic_revisions WHERE topic_id NOT IN (SELECT id FROM topics) "
            "OR revision_id NOT IN (SELECT id FROM revisions)"
        )
        self._execute("UPDATE topics SET restores = NULL WHERE restores NOT IN (SELECT id FROM topics)")
        for table in ("links", "repeats", "confirmations"):
            for column in {"from_id", "to_id", "item_id"} & {*RECORDS[_RECORD_OF[table]].fields}:
                self._execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT id FROM items)")
        self._execute(
            "DELETE FROM sources WHERE id NOT IN (SELECT source_id FROM items UNION SELECT source_id FROM repeats)"
        )

        for type_, numbers in self._new.items():
            self.added[type_] += sum(self._has(RECORDS[type_].table, number) for number in numbers)

    def _rows(self, type_: str, *, order: str | None = None) -> Iterator[Row]:
        known = RECORDS[type_]
        columns = list(known.fields)
        for row in self.other.execute(
            f"SELECT {', '.join(columns)} FROM {known.table} ORDER BY {order or ', '.join(known.key)}"
        ):
            yield dict(zip(columns, row, strict=True))

    def _insert(self, type_: str, row: Row) -> bool:
        """Insert a row; return whether it is new."""
        known = RECORDS[type_]
        self.connection.execute(
            f"INSERT INTO {known.table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)}) "
            f"ON CONFLICT ({', '.join(known.key)}) DO NOTHING",
            row,
        )
        new = self.connection.changes() > 0
        if new and type_ in ("source", "topic"):
            self._new[type_].append(row["id"])
        elif new and type_ != "topic_revision" and not self._erased & {row[name] for name in _ITEMS[type_]}:
            self.added[type_] += 1
        return new

    def _has(self, table: str, number: int) -> bool:
        return self._get(f"SELECT 1 FROM {table} WHERE id = ?", number) is not None

    def _get(self, sql: str, *bindings: Any) -> Any:
        return self.connection.execute(sql, bindings).get

    def _execute(self, sql: str, *bindings: Any) -> None:
        self.connection.execute(sql, bindings)


_RECORD_OF = {known.table: type_ for type_, known in RECORDS.items()}
_ITEMS: dict[str, tuple[str, ...]] = defaultdict(
    tuple,
    item=("id",),
    revision=("item_id",),
    link=("from_id", "to_id"),
    repeat=("item_id",),
    confirmation=("item_id",),
)
"""Columns that name items, by record type; rows about an erased item are not counted as added."""


def _first(*times: int | None) -> int | None:
    return min((time for time in times if time is not None), default=None)
