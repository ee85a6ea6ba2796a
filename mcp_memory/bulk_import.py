"""BulkImporter: takes in what another tool remembered, each record through the intake, all that is new in one operation."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mcp_memory.domain.model import USER, Caller, OperationId, Statement, Turn, normal_hash
from mcp_memory.domain.results import RememberedItem, Withheld
from mcp_memory.errors import InvalidInput
from mcp_memory.exchange.importers.parsed import ParsedRecord, ReadProblem, ReadResult, Remark, Skipped
from mcp_memory.language.token_count import counted
from mcp_memory.privacy.provenance import IMPORTED
from mcp_memory.remember.intake import MAX_BYTES, MAX_TAGS, MAX_TURNS, CallContext, Intake
from mcp_memory.remember.recording import Progress, Recorder
from mcp_memory.store import Store

MEASURED = 200_000
"""Tokens that are compared by their vectors too before they are kept, about half a minute on two cores; the rest by words."""
MAX_PLACE = 500
"""Characters of a record's place that are kept with it: a folder's files may lie deep, and titles are long."""
PART_BYTES = MAX_BYTES * 3 // 4
"""Bytes of a part of a conversation that is too long for one call: the transcript adds names and times."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where records come from, and what is the same for all of them."""

    name: str
    """What was named on the command line."""
    format: str
    scope: str | None = None
    tags: tuple[str, ...] = ()
    of_project: bool = False
    """True if they belong to the caller's project where neither they nor `scope` say otherwise; else to the person."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The outcome for records, or (`operation` None) what it would be; also None where nothing had to be done."""

    operation: OperationId | None
    items: list[RememberedItem]
    """Of what is not known in the same words, what became of each statement."""
    kinds: dict[str, int]
    """Number of new items of each kind, the commonest first."""
    known: int
    forgotten: int
    """Statements that were forgotten here, and stay so."""
    repeated: int
    """Statements that the records say more than once."""
    records: int
    """Number of records, with those that could not be read."""
    left_out: dict[str, int]
    """By reason, what was read and is no memory."""
    problems: list[ReadProblem]
    withheld: Withheld
    """What was masked in them; records that were private as a whole are among those left out."""
    pending: int = 0
    not_read: tuple[str, ...] = ()
    """Names of columns and fields that hold something and were not read."""
    notes: tuple[Remark, ...] = ()

    def count(self, *statuses: str) -> int:
        return sum(item.status in statuses for item in self.items)


@dataclass(slots=True)
class _Read:
    statements: list[Statement] = field(default_factory=list[Statement])
    records: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    problems: list[ReadProblem] = field(default_factory=list[ReadProblem])
    not_read: dict[str, None] = field(default_factory=dict[str, None])
    """Names, in the order they were met."""
    notes: list[Remark] = field(default_factory=list[Remark])


class BulkImporter:
    """Takes in what importers read. Thread-safe."""

    def __init__(self, store: Store, rememberer: Recorder, context: CallContext) -> None:
        self._store = store
        self._rememberer = rememberer
        self._intake, self._clock, self._operation = context.intake, context.clock, context.operation

    def run(
        self,
        found: Iterable[tuple[Origin, Iterable[ReadResult]]],
        *,
        by: Caller,
        progress: Progress,
        dry_run: bool = False,
    ) -> ImportResult:
        """Store what is new of all records in one operation, which undo takes back as a whole; or nothing.

        Statements that were recorded before in the same words and scope are skipped, whatever became of them since,
        unless they were taken back: importing the same again makes no operation. A record that the intake refuses
        becomes a problem, and nothing of it is stored. `dry_run` changes nothing.
        """
        read, named = _Read(), list[str]()
        intake = self._intake(by, self._clock())
        for origin, records in found:
            named.append(f"{origin.name} ({origin.format})")
            for record in records:
                self._take(read, record, origin, intake)
        statements, repeated = _distinct(read.statements)
        known_before = self._store.known_before(statements)
        before = Counter(known_before)
        news = [statement for statement, known in zip(statements, known_before, strict=True) if known == "new"]
        items, operation, pending = self._keep(news, named, by=by, progress=progress, dry_run=dry_run)
        made = {item.id for item in items if item.status != "known"}
        again = [item.id in made for item in items if item.status == "known"]
        kinds = Counter(statement.kind for statement, item in zip(news, items, strict=True) if item.status != "known")
        return ImportResult(
            operation,
            items,
            dict(kinds.most_common()),
            before["known"] + again.count(False),
            before["forgotten"],
            repeated + again.count(True),
            read.records + len(read.problems),
            dict(read.left_out.most_common()),
            read.problems,
            replace(intake.redactor.withheld, entries=()),
            pending,
            tuple(read.not_read),
            tuple(read.notes),
        )

    def _keep(
        self, news: Sequence[Statement], named: Sequence[str], *, by: Caller, progress: Progress, dry_run: bool
    ) -> tuple[list[RememberedItem], OperationId | None, int]:
        if not news:
            return [], None, 0
        if dry_run:
            return self._rememberer.preview(news, progress=progress, inline=MEASURED), None, 0
        sources = len({statement.source.id for statement in news})
        origins = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
        summary = f"{counted(len(news), 'statement')}, {counted(sources, 'source')} from {origins}"
        operation = self._operation("import", summary, by)
        result = self._rememberer.remember(news, operation=operation, progress=progress, inline=MEASURED)
        return result.items, result.operation_id, result.pending

    def _take(self, read: _Read, record: ReadResult, origin: Origin, intake: Intake) -> None:
        if isinstance(record, ReadProblem):
            read.problems.append(record)
        elif isinstance(record, Remark):
            read.notes.append(record)
        elif isinstance(record, Skipped):
            read.left_out[record.reason] += 1
        else:
            self._take_record(read, record, origin, intake)

    def _take_record(self, read: _Read, record: ParsedRecord, origin: Origin, intake: Intake) -> None:
        try:
            statements = _statements(record, origin, intake)
        except InvalidInput as problem:
            read.problems.append(ReadProblem(record.where, str(problem)))
            return
        read.records += 1
        read.not_read |= dict.fromkeys(record.not_read)
        if not statements:
            read.left_out["private"] += 1
        read.statements += [replace(said, may_replace=said.occurred_at is not None) for said in statements]


def _statements(record: ParsedRecord, origin: Origin, intake: Intake) -> list[Statement]:
    """Return the statements of a record, all of them or, where the intake refuses any, none."""
    entry = record.entry
    scope = origin.scope or entry.scope or (None if origin.of_project else USER)
    tags = tuple(dict.fromkeys((*origin.tags, *entry.tags)))[:MAX_TAGS]
    place = record.where if record.where.startswith(origin.name) else f"{origin.name}, {record.where}"
    entry = replace(entry, scope=scope, tags=tags, source=f"{IMPORTED} {origin.format}: {place[:MAX_PLACE]}")
    if not record.turns:
        return [statement for said in intake.entries([entry]) for statement in said]
    return [statement for part in _parts(record.turns) for statement in intake.turns(part, like=entry)]


def _parts(turns: Sequence[Turn]) -> list[list[Turn]]:
    """Return the turns as one conversation, or as several where they are too many or too long for one."""
    parts: list[list[Turn]] = [[]]
    size = 0
    for turn in turns:
        length = len(turn.content.encode(errors="surrogatepass"))
        if parts[-1] and (len(parts[-1]) == MAX_TURNS or size + length > PART_BYTES):
            parts.append([])
            size = 0
        parts[-1].append(turn)
        size += length
    return parts


def _distinct(statements: Sequence[Statement]) -> tuple[list[Statement], int]:
    """The statements without those of words that say what an earlier one says in the same scope; and how many those are.

    A document or a conversation that is there twice counts as one, too.
    """
    seen: dict[tuple[str, bytes], str] = {}
    kept: list[Statement] = []
    for statement in statements:
        words = statement.source.kind == "words"
        key = statement.scope, normal_hash(statement.spoken) if words else statement.source.sha256
        if seen.setdefault(key, statement.source.id) == statement.source.id:
            kept.append(statement)
    return kept, len(statements) - len(kept)
