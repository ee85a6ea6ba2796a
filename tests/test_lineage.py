"""Lineage: every memory leads back to its words, and verify says where that does not hold."""

import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
import sqlite_vec
from clock import Clock
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import InvalidInput, Unusable
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a document, some words, a changed value and a tombstone."""
    path = tmp_path / "memory.db"
    with Memory.open(path, model=HashingEncoder(), clock=Clock()) as memory:
        memory.wait_for_encoder()
        memory.remember("# One\n" + "First things are told here. " * 40 + "\n# Two\n" + "Second things too. " * 40)
        memory.remember("The deploy port is 8080.")
        memory.remember("The deploy port is 9090.")
        memory.forget([memory.remember("Not for long.").items[0].id])
    return path


def damage(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    for statement in statements:
        connection.execute(statement)
        assert connection.changes()
    connection.close()


def problems(path: Path) -> list[str]:
    with Memory.open(path, model=Path("/nowhere"), read_only=True) as memory:
        return [re.sub(r"#\w{13}", "#ID", line) for line in memory.file.verify()]


def test_a_sound_file_has_no_problems(path: Path) -> None:
    assert problems(path) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE sources SET text = text || '!' WHERE kind = 'document'",
            ["the text of source #ID does not have the SHA-256 it was recorded with"],
        ),
        (
            "UPDATE items SET span_start = span_start + 1 WHERE position = 1",
            ["memory #ID does not say what its source says at its place"],
        ),
        (
            "DELETE FROM revisions WHERE number = 1 AND text LIKE 'Not%'",
            [
                "memory #ID does not say what its source says at its place",
                "binary_vectors: a row refers to a row of revisions that is not there",
                "text_dates: a row refers to a row of revisions that is not there",
                "the index of words holds 1 state that is not there; run `mcp-memory reindex`",
                "vectors: row 6 refers to a row of revisions that is not there",
            ],
        ),
        (
            "UPDATE revisions SET text = 'The deploy port is 1.' WHERE text LIKE '%9090.'",
            [
                "memory #ID does not say what its source says at its place",
                "a state of memory #ID does not have the hash of its text",
                "1 state is indexed by other words than said; run `mcp-memory reindex`",
            ],
        ),
        (
            "UPDATE revisions SET until_time = from_time + 1 WHERE text LIKE '%9090.'",
            ["memory #ID has no present state"],
        ),
        (
            "DELETE FROM text_index_docsize WHERE id = (SELECT max(id) FROM text_index_docsize)",
            ["1 state is missing from the index of words; run `mcp-memory reindex`"],
        ),
        (
            "UPDATE vectors SET codes = substr(codes, 2) WHERE revision_id = (SELECT max(revision_id) FROM vectors)",
            ["1 vector does not have the encoder's length or its own signs; run `mcp-memory reindex`"],
        ),
        (
            "UPDATE links SET operation_id = 7",
            ["links: a row refers to a row of operations that is not there"],
        ),
    ],
    ids=["source", "span", "first state", "text", "present", "index", "vector", "foreign key"],
)
def test_verify_names_what_is_damaged(path: Path, statement: str, found: list[str]) -> None:
    damage(path, statement)

    assert sorted(line for line in problems(path) if not line.startswith("SQLite")) == sorted(found)


def test_verify_says_so_where_pages_are_overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    page = data.index(b"Second things too") // 4096 * 4096
    data[page : page + 100] = b"\xa5" * 100
    path.write_bytes(data)

    assert any(line.startswith("SQLite: ") for line in problems(path))


def test_reindex_mends_the_index_of_words(path: Path) -> None:
    damage(path, "INSERT INTO text_index (text_index) VALUES ('delete-all')")
    missing = problems(path)

    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.maintenance.reindex()

        assert missing
        assert list(memory.file.verify()) == []
        assert memory.recall("deploy port").hits


def test_a_backup_is_a_sound_copy_that_serves(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "memory.db"
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.file.backup(copy)

    with Memory.open(copy, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []
        assert memory.recall("deploy port").hits[0].item.text == "The deploy port is 9090."


def test_a_backup_of_a_damaged_file_is_not_kept(path: Path, tmp_path: Path) -> None:
    damage(path, "UPDATE sources SET text = text || '!' WHERE kind = 'document'")

    with Memory.open(path, model=HashingEncoder()) as memory, pytest.raises(Unusable, match="SHA-256"):
        memory.file.backup(tmp_path / "copy.db")

    assert [file.name for file in tmp_path.iterdir() if "copy" in file.name] == []


# invariants

CLEAN = st.text(min_size=1, max_size=300).filter(lambda text: bool(text.strip()) and "\x00" not in text)
WORDS = st.sampled_from(["the port is 1", "the port is 2", "tea", "green tea", "奶奶的生日", "a b c", "The port is 1."])
STEP = st.one_of(
    st.tuples(st.just("remember"), WORDS, st.sampled_from(["user", "web"])),
    st.tuples(st.just("update"), st.integers(0, 9), WORDS),
    st.tuples(st.just("forget"), st.integers(0, 9), st.booleans()),
)


@pytest.fixture
def memories(tmp_path: Path) -> Iterator[list[Memory]]:
    opened: list[Memory] = []
    yield opened
    for memory in opened:
        memory.close()


def fresh(memories: list[Memory], tmp_path: Path) -> tuple[Memory, Path]:
    path = tmp_path / f"{len(memories)}.db"
    memory = Memory.open(path, model=HashingEncoder(32))
    memory.wait_for_encoder()
    memories.append(memory)
    return memory, path


@examples(40)
@given(steps=st.lists(STEP, max_size=12))
def test_any_sequence_of_changes_leaves_the_file_sound(
    memories: list[Memory], tmp_path: Path, steps: list[tuple[str, object, object]]
) -> None:
    memory, path = fresh(memories, tmp_path)
    ids: list[str] = []
    made: list[str] = []
    for verb, first, second in steps:
        if verb == "remember":
            result = memory.remember(str(first), like=Entry("", scope=str(second))).items[0]
            made += [result.id] if result.status != "known" else []
            ids = list(dict.fromkeys([*ids, result.id]))
        elif ids and verb == "update":
            memory.update(ids[int(str(first)) % len(ids)], content=str(second))
        elif ids:
            memory.forget([ids.pop(int(str(first)) % len(ids))], erase=bool(second))

    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    indexed = reader.execute("SELECT id FROM text_index_docsize ORDER BY 1").fetchall()
    live = reader.execute("SELECT id FROM revisions WHERE status = 'live' ORDER BY 1").fetchall()
    reader.close()
    assert list(memory.file.verify()) == []
    assert indexed == live
    assert made == sorted(made)


@examples(60)
@given(text=CLEAN)
def test_any_clean_text_comes_back_from_its_source_as_it_was_given(
    memories: list[Memory], tmp_path: Path, text: str
) -> None:
    if not memories:
        fresh(memories, tmp_path)
    memory = memories[0]
    try:
        result = memory.remember(text, like=Entry("", scope=f"s{memory.stats().operations}"))
    except InvalidInput:
        with pytest.raises(UnicodeEncodeError):
            text.encode()
        return

    assert memory.item(result.items[0].id)[1].text == text
    assert memory.recall(text, select=ItemQuery(scope="all")).text
