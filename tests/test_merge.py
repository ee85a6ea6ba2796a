"""Export, import and merge: what goes out comes back the same, and two files become one whichever is brought into which."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from changes import CHANGE, ENCODER, NUMBER, TALKS, Change, Kept, carry_out, operations, sources, visible
from clock import Clock
from conftest import examples
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_memory.domain.model import Entry, ItemId
from mcp_memory.errors import Conflict, InvalidInput, NotFound
from mcp_memory.exchange.exporters import jsonl
from mcp_memory.exchange.importers.jsonl import Damage, read
from mcp_memory.exchange.merge_result import MergeResult
from mcp_memory.exchange.records import RECORDS
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.exchange import transfer
from mcp_memory.sqlite.store import SqliteStore

SLOW = examples(10)


def exported(path: Path) -> bytes:
    database = Database(path)
    try:
        return b"".join(jsonl.lines(transfer.export(database)))
    finally:
        database.close()


def imported(path: Path, content: bytes, **options: Any) -> MergeResult:
    database = Database(path)
    try:
        return transfer.import_lines(database, content.splitlines(keepends=True), zone_offset=0, **options)
    finally:
        database.close()


def merged(path: Path, other: Path, **options: Any) -> MergeResult:
    database = Database(path)
    try:
        return transfer.merge_file(database, other, zone_offset=0, **options)
    finally:
        database.close()


@pytest.fixture
def paths(tmp_path: Path) -> Callable[[], Path]:
    """New places for files, none of which was given before."""
    numbers = iter(range(10_000))
    return lambda: tmp_path / f"{next(numbers)}.db"


def live(path: Path, changes: list[Change], *, clock: Clock, undos: list[int] = [], erase: int | None = None) -> None:  # noqa: B006
    """Do things to the file at a path, a minute apart, by a clock."""
    kept = Kept(path)
    try:
        kept.clock.now = clock.now
        for change in changes:
            kept.clock.pass_(minutes=1)
            carry_out(kept, change)
        for undo in undos:
            known = operations(kept)
            kept.clock.pass_(minutes=1)
            try:
                kept.memory.undo(known[undo % len(known)] if known else None)
            except (Conflict, NotFound):
                continue
        if erase is not None and (ids := kept.ids()):
            kept.clock.pass_(minutes=1)
            kept.memory.forget([ids[erase % len(ids)]], erase=True)
        kept.memory.maintenance.make_vectors()
        clock.now = kept.clock.now
    finally:
        kept.close()


def seen(path: Path) -> tuple[Any, ...]:
    """All that can be seen of a file, when all its vectors are made."""
    kept = Kept(path)
    try:
        kept.memory.maintenance.make_vectors()
        told = [kept.memory.history(identifier).text for identifier in kept.ids()]
        done = [(o.id, o.verb, o.at, o.undone) for o in kept.memory.operations(limit=1000)]
        wrong = list(kept.memory.file.verify())
        return visible(kept), sources(kept), told, done, wrong
    finally:
        kept.close()


@SLOW
@given(
    changes=st.lists(CHANGE, min_size=1, max_size=8),
    undos=st.lists(NUMBER, max_size=3),
    erase=st.one_of(st.none(), NUMBER),
)
def test_what_is_exported_and_imported_into_an_empty_file_is_the_same(
    paths: Callable[[], Path], changes: list[Change], undos: list[int], erase: int | None
) -> None:
    first, second = paths(), paths()
    live(first, changes, clock=Clock(), undos=undos, erase=erase)

    content = exported(first)
    imported(second, content)

    assert exported(second) == content
    assert seen(second) == seen(first)
    assert seen(second)[-1] == []


SIDE = st.tuples(st.lists(CHANGE, max_size=4), st.lists(NUMBER, max_size=2), st.one_of(st.none(), NUMBER))


@SLOW
@example(  # both sides take the same back, one brings it back again
    before=[("say", "The deploy port is 8080.", "user"), ("replace", "The deploy port is 9090.", 0)],
    here=([], [1], None),
    there=([], [1, 2], None),
)
@given(before=st.lists(CHANGE, max_size=5), here=SIDE, there=SIDE)
def test_two_files_become_the_same_whichever_is_brought_into_which(
    paths: Callable[[], Path], before: list[Change], here: Any, there: Any
) -> None:
    common, a, b, ab, ba = (paths() for _ in range(5))
    clock = Clock()
    live(common, before, clock=clock)
    start = clock.now
    for path, (changes, undos, erase) in ((a, here), (b, there)):
        copy(common, path)
        clock.now = start if path == a else start + (clock.now - start) / 2
        live(path, changes, clock=clock, undos=undos, erase=erase)
    copy(a, ab)
    copy(b, ba)

    merged(ab, b)
    merged(ba, a)

    assert exported(ab) == exported(ba)
    assert seen(ab) == seen(ba)
    assert seen(ab)[-1] == []
    for other in (a, b, ba):
        assert merged(ab, other).total == 0
    assert exported(ab) == exported(ba)


TALK = ("talk", TALKS[1], "web")


@SLOW
@example(  # one side erases a turn that another side says too, of the same conversation
    sides=[([], [], 0), ([("talk", TALKS[1], "user")], [], None), ([], [], None)], before=[TALK], choices=[]
)
@given(sides=st.lists(SIDE, min_size=3, max_size=3), before=st.lists(CHANGE, max_size=3), choices=st.lists(NUMBER))
def test_three_files_become_the_same_in_whatever_order_and_can_be_undone_further(
    paths: Callable[[], Path], sides: list[Any], before: list[Change], choices: list[int]
) -> None:
    common, clock = paths(), Clock()
    live(common, before, clock=clock)
    files = [paths() for _ in sides]
    for path, (changes, undos, erase) in zip(files, sides, strict=True):
        copy(common, path)
        clock.pass_(seconds=7)
        live(path, changes, clock=clock, undos=undos, erase=erase)
    one, two, three = files
    left, right = paths(), paths()
    copy(one, left)
    merged(left, two)
    merged(left, three)
    copy(three, right)
    merged(two, one)
    merged(right, two)

    assert exported(left) == exported(right)
    live(left, [], clock=clock, undos=choices)
    assert seen(left)[-1] == []


def copy(source: Path, target: Path) -> None:
    database = Database(source)
    database.copy_to(target)
    database.close()


# what is decided otherwise


@pytest.fixture
def two(paths: Callable[[], Path]) -> tuple[Path, Path, str]:
    """Two files that know the same port, and its id."""
    first, second = paths(), paths()
    with Memory.open(first, model=ENCODER) as memory:
        port = memory.remember("The deploy port is 8080.", like=Entry("", tags=("infra",))).items[0].id
    copy(first, second)
    return first, second, port


def told(path: Path, other: Path) -> list[tuple[str, str]]:
    return [(conflict.kind, conflict.description) for conflict in merged(path, other).conflicts]


def test_of_two_changes_the_later_is_kept_and_the_other_told(two: tuple[Path, Path, str]) -> None:
    first, second, port = two
    with Memory.open(first, model=ENCODER) as memory:
        memory.update(port, content="The deploy port is 9090.")
    with Memory.open(second, model=ENCODER) as memory:
        memory.update(port, content="The deploy port is 7070.")
        later = memory.operations()[0].id

    [(kind, text)] = told(first, second)

    assert kind == "changed"
    assert f"#{port} was changed on both sides" in text
    assert "made there" in text
    with Memory.open(first, model=ENCODER) as memory:
        assert memory.item(port)[0].text == "The deploy port is 7070."
        memory.undo(later)
        assert memory.item(port)[0].text == "The deploy port is 9090."
        assert list(memory.file.verify()) == []


def test_two_replacements_an_erase_a_digest_and_a_repetition_are_told(two: tuple[Path, Path, str]) -> None:
    first, second, port = two
    with Memory.open(first, model=ENCODER) as memory:
        tea = memory.remember("Maya drinks green tea.").items[0].id
    with Memory.open(second, model=ENCODER):
        pass
    merged(second, first)
    for path, number in ((first, 9090), (second, 7070)):
        with Memory.open(path, model=ENCODER) as memory:
            memory.remember(f"The deploy port is {number}.", like=Entry("", replaces=port, tags=("infra",)))
            memory.summarize("infra", digest=f"Deploys go to {number}.")
            memory.remember("The roof is black.")
            if path == first:
                memory.forget([tea], erase=True)
            else:
                memory.update(tea, content="Maya drinks black tea.")

    found = told(first, second)

    assert sorted(kind for kind, _ in found) == ["digest", "erased", "replaced", "same"]
    by_kind = dict(found)
    assert "“The deploy port is 9090.”" in by_kind["replaced"]
    assert "“The deploy port is 7070.”" in by_kind["replaced"]
    assert "mcp-memory forget" in by_kind["replaced"]
    assert "was erased here" in by_kind["erased"]
    with Memory.open(first, model=ENCODER) as memory:
        assert "Deploys go to 7070." in memory.summarize("infra").text
        assert not any("tea" in item.text for item in memory.listing(ItemQuery("all"), limit=100))
    assert b"black tea" not in first.read_bytes()


def test_what_was_erased_does_not_come_back_from_an_older_file(two: tuple[Path, Path, str]) -> None:
    first, second, port = two
    with Memory.open(first, model=ENCODER) as memory:
        memory.forget([port], erase=True)

    result = merged(first, second)

    assert result.total == 0
    assert b"8080" not in exported(first)
    assert b"8080" not in first.read_bytes()


def test_vectors_of_the_same_encoder_come_along(two: tuple[Path, Path, str], paths: Callable[[], Path]) -> None:
    first, _, port = two
    with Memory.open(first, model=ENCODER) as memory:
        memory.maintenance.make_vectors()
    new = paths()

    merged(new, first)

    store = SqliteStore(new, clock=lambda: 0)
    assert store.pending_embeddings(ENCODER.identity, limit=0) == (0, [])
    state = store.items([ItemId(port)])[ItemId(port)].revision_id
    assert store.revisions([state], encoder=ENCODER.identity)[state].embedding is not None
    store.close()


# damaged exports


def test_a_damaged_line_is_named_and_nothing_comes(two: tuple[Path, Path, str], paths: Callable[[], Path]) -> None:
    lines = exported(two[0]).splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"text"', b'"test"')
    lines.insert(2, b"{broken\n")
    new = paths()

    with pytest.raises(InvalidInput) as refused:
        imported(new, b"".join(lines))

    assert "line 3: it is no JSON" in str(refused.value)
    assert "line 4: a record of type source has no field 'test'" in str(refused.value)
    assert "were changed or lost" in str(refused.value)
    assert "--skip-damaged" in str(refused.value)
    assert json.loads(exported(new).splitlines()[-1])["records"] == 0


@pytest.mark.parametrize("field", ["occurred_at", "valid_until", "from_time"])
def test_a_time_that_no_calendar_has_is_a_damaged_line(paths: Callable[[], Path], field: str) -> None:
    first, second = paths(), paths()
    with Memory.open(first, model=ENCODER) as memory:
        memory.remember("The deploy port is 8080.")
    lines = exported(first).splitlines(keepends=True)
    [number] = [number for number, line in enumerate(lines) if b'"record":"revision"' in line]
    lines[number] = re.sub(rb'"%b":[^,]*' % field.encode(), b'"%b":4611686018427387904' % field.encode(), lines[number])

    with pytest.raises(InvalidInput, match=rf"line {number + 1}: its field '{field}' is not a time"):
        imported(second, b"".join(lines))

    assert imported(second, b"".join(lines), skip_damaged=True).total == 1  # the operation


def test_skipping_damaged_lines_brings_what_stands_without_them(paths: Callable[[], Path]) -> None:
    first, second = paths(), paths()
    with Memory.open(first, model=ENCODER) as memory:
        lost = memory.remember("The deploy port is 8080.").items[0].id
        memory.remember("Maya drinks green tea.")
    content = b"".join(
        b"garbage\n" if b'"record":"item"' in line and lost.encode() in line else line
        for line in exported(first).splitlines(keepends=True)
    )

    result = imported(second, content, skip_damaged=True)

    assert result.skipped >= 2
    with Memory.open(second, model=ENCODER) as memory:
        assert [item.text for item in memory.listing(ItemQuery("all"), limit=10)] == ["Maya drinks green tea."]
        assert list(memory.file.verify()) == []


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_an_export_that_was_cut_off_is_refused(
    two: tuple[Path, Path, str], paths: Callable[[], Path], cut: int
) -> None:
    content = b"".join(exported(two[0]).splitlines(keepends=True)[:cut])

    with pytest.raises(InvalidInput, match="cut off"):
        imported(paths(), content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no export of mcp-memory"),
        (b'{"format":"other"}\n', "no export of mcp-memory"),
        (b'{"format":"mcp-memory","version":99}\n', "Upgrade mcp-memory"),
    ],
)
def test_what_is_no_export_or_a_newer_one_is_refused(paths: Callable[[], Path], content: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        imported(paths(), content)


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b'{"record":"item"}', b'{"record":[]}']), max_size=5
    )
)
def test_whatever_stands_in_the_lines_each_is_a_row_or_a_damage(lines: list[bytes]) -> None:
    found = list(read([jsonl.encode(jsonl.HEADER), *(line + b"\n" for line in lines)]))

    assert all(isinstance(one, Damage) for one in found)
    assert "cut off" in str(found[-1])


def test_a_text_that_is_not_what_its_hash_says_is_refused(
    two: tuple[Path, Path, str], paths: Callable[[], Path]
) -> None:
    content = exported(two[0]).replace(b"port is 8080", b"port is 6666")
    body, end = content[: content.rindex(b"{")], json.loads(content.splitlines()[-1])
    content = body + jsonl.encode({**end, "sha256": hashlib.sha256(body).hexdigest()})

    with pytest.raises(InvalidInput, match="SHA-256"):
        imported(paths(), content)


def test_every_column_of_every_table_that_is_truth_is_exported(paths: Callable[[], Path]) -> None:
    index = {"encoders", "binary_vectors", "vectors", "revision_log", "text_dates", "uses", "clusters", "last_merge"}
    database = Database(paths())
    with database.read() as connection:
        tables = {
            table: {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
            for (table,) in connection.execute(
                "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main'"
            ).fetchall()
        }
    database.close()

    kept = {
        name: columns
        for name, columns in tables.items()
        if name not in index and not name.startswith(("sqlite_", "cluster_"))
    }

    assert kept == {known.table: {*known.fields} for known in RECORDS.values()}
