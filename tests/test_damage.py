"""Damage: indexes that mend themselves, truth that is saved as far as it can be read, a file made small."""

import random
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
from click.testing import CliRunner
from clock import Clock

from mcp_memory.cli import main
from mcp_memory.domain.model import Entry, Turn
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Conflict, MemoryProblem, NotFound, Repaired, Unusable, WrongKey
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.files import cipher, rekey, vacuum
from mcp_memory.sqlite.recovery.repair import recover

PAGE = 4096
TEXTS = [
    f"Fact {number}: the {word} of house {number * 7} is painted {colour}."
    for number, (word, colour) in enumerate(
        [
            (word, colour)
            for word in ("door", "roof", "fence", "gate", "wall", "stair")
            for colour in (
                "red",
                "blue",
                "green",
                "white",
                "black",
                "grey",
                "brown",
                "pink",
                "teal",
                "gold",
                "plum",
                "lime",
                "navy",
                "sand",
            )
        ]
    )
]


@cache
def content() -> bytes:
    """A file with a document, a conversation, 84 facts, changes and a tombstone."""
    with TemporaryDirectory() as directory:
        return fill(Path(directory) / "memory.db").read_bytes()


def filled(path: Path) -> Path:
    path.write_bytes(content())
    return path


def fill(path: Path) -> Path:
    with Memory.open(path, model=HashingEncoder(), clock=Clock()) as memory:
        memory.wait_for_encoder()
        memory.remember(items=[Entry(text) for text in TEXTS])
        memory.remember("# One\n" + "First things are told here. " * 400 + "\n# Two\n" + "Second things too. " * 400)
        memory.remember(turns=[Turn(f"Said as number {n} of the conversation.", "Ann") for n in range(40)])
        memory.update(memory.recall(TEXTS[3]).hits[0].item.id, content="Fact 3 was wrong about the roof.")
        memory.forget([memory.remember("Not for long at all.").items[0].id])
        memory.maintenance.gather()
    return path


def said(memory: Memory) -> list[str]:
    return sorted(item.text for item in memory.listing(ItemQuery(scope="all"), limit=10_000))


def pages_of(path: Path, *tables: str) -> list[int]:
    """The leaves of b-trees, their roots among them where there is no other page."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = [
        row
        for table in tables
        for row in connection.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)
        ).fetchall()
    ]
    connection.close()
    return [number for (number,) in found]


def spoil(path: Path, pages: list[int]) -> None:
    """Overwrite pages from their beginning, as a bad block would."""
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(b"\xa5" * 600)


def again(ask: Callable[[], object]) -> object:
    """What a server does: a request that met damage which has been mended is made once more."""
    try:
        return ask()
    except Repaired:
        return ask()


@pytest.mark.parametrize(
    "indexes",
    [
        ("text_index_data",),
        ("text_index_docsize", "text_index_idx"),
        ("binary_vectors",),
        ("vectors",),
        ("revisions_scope", "revisions_normal", "operations_at", "items_source"),
        ("sqlite_autoindex_revisions_1", "sqlite_autoindex_vectors_1"),
        ("text_dates", "cluster_queue", "revision_log", "cluster_items", "cluster_terms"),
    ],
    ids=["words", "places of words", "binary vectors", "vectors", "orders", "constraints", "topics"],
)
def test_a_damaged_index_is_rebuilt_from_truth_by_itself(tmp_path: Path, indexes: tuple[str, ...]) -> None:
    path = filled(tmp_path / "memory.db")
    with Memory.open(path, model=HashingEncoder()) as memory:
        before, operations = said(memory), memory.stats().operations
    spoil(path, pages_of(path, *indexes))

    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        again(lambda: memory.remember("A new fact about the moat."))
        again(lambda: memory.recall("roof of house"))
        again(memory.maintenance.reindex)

        assert list(memory.file.verify()) == []
        assert said(memory) == sorted([*before, "A new fact about the moat."])
        assert memory.stats().operations == operations + 1
        assert memory.recall("moat").hits[0].item.text == "A new fact about the moat."
    assert [file.name for file in tmp_path.iterdir() if "mending" in file.name] == []


def test_a_process_that_holds_the_file_open_sees_what_another_mended(tmp_path: Path) -> None:
    path = filled(tmp_path / "memory.db")
    with Memory.open(path, model=HashingEncoder()) as one, Memory.open(path, model=HashingEncoder()) as other:
        assert one.recall("roof").hits
        spoil(path, pages_of(path, "text_index_data", "revisions_normal"))
        again(lambda: other.remember("The moat is deep."))
        other.maintenance.make_vectors()

        assert again(lambda: one.recall("moat")).hits[0].item.text == "The moat is deep."  # type: ignore[attr-defined]
        assert one.remember("The moat is deep.").items[0].status == "known"
        assert list(one.file.verify()) == []


def test_damaged_truth_is_left_as_it_is_and_told_with_the_way_out(tmp_path: Path) -> None:
    path = filled(tmp_path / "memory.db")
    spoil(path, pages_of(path, "revisions")[:1])
    before = path.read_bytes()

    with (
        Memory.open(path, model=HashingEncoder()) as memory,
        pytest.raises(Unusable, match=r"mcp-memory recover .*memory\.db --to"),
    ):
        memory.listing(ItemQuery(scope="all"), limit=1000)

    assert path.read_bytes() == before


def test_all_of_a_sound_file_is_saved(tmp_path: Path) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    before = path.read_bytes()

    result = CliRunner().invoke(main, ["recover", str(path), "--to", str(target)])

    assert (result.exit_code, "Nothing is known to be lost." in result.output) == (0, True)
    assert path.read_bytes() == before
    with Memory.open(path, model=HashingEncoder()) as one, Memory.open(target, model=HashingEncoder()) as other:
        assert said(one) == said(other)
        assert list(other.file.verify()) == []


@pytest.mark.parametrize(
    "tables",
    [
        ("revisions",),
        ("items",),
        ("sources",),
        ("operations",),
        ("links", "confirmations"),
        ("sources", "revisions", "items"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("seed", range(2))
def test_what_can_be_read_of_damaged_truth_is_saved_in_a_sound_file(
    tmp_path: Path, tables: tuple[str, ...], seed: int
) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    with Memory.open(path, model=HashingEncoder()) as memory:
        before = said(memory)
    chosen = random.Random(seed)
    spoiled = [chosen.choice(pages) for table in tables if (pages := pages_of(path, table))]
    spoil(path, spoiled)
    damaged = path.read_bytes()

    found = recover(path, target, clock=lambda: 1_800_000_000_000)

    assert path.read_bytes() == damaged
    with Memory.open(target, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        memory.maintenance.make_vectors()
        assert list(memory.file.verify()) == []
        kept = said(memory)
        lost = [text for text in before if text not in kept]
        assert found.lost or found.notes
        assert len(lost) <= 45 * len(spoiled)  # a page of truth holds no more
        if len(tables) == 1:  # each text stands in a state and in a source
            assert [text for text in lost if text in TEXTS and "3" not in text] == []
        memory.remember("Life goes on.")
        assert memory.recall("life goes on").hits


def test_what_was_made_up_is_told_in_words_that_count(tmp_path: Path) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM items")
    connection.close()

    result = CliRunner().invoke(main, ["recover", str(path), "--to", str(target)])

    assert re.search(r"^\d+ memories lost their sources, their words are kept$", result.output, re.MULTILINE)


@pytest.mark.parametrize("rewritten", [False, True], ids=["grown", "rewritten"])
@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_file_whose_list_of_tables_is_damaged_is_saved_whole(tmp_path: Path, rewritten: bool, which: int) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    if rewritten:
        early(path)
    with Memory.open(path, model=HashingEncoder()) as memory:
        before = said(memory)
    page = pages_of(path, "sqlite_schema")[which]
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(random.Random(which).randbytes(PAGE))

    result = CliRunner().invoke(main, ["recover", str(path), "--to", str(target)])

    assert (result.exit_code, "Nothing is known to be lost." in result.output) == (0, True)
    with Memory.open(target, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        assert said(memory) == before
        assert list(memory.file.verify()) == []


@pytest.mark.parametrize("rewritten", [False, True], ids=["grown", "rewritten"])
def test_a_file_of_which_no_list_of_tables_is_left_is_saved(tmp_path: Path, rewritten: bool) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    if rewritten:
        early(path)
    with Memory.open(path, model=HashingEncoder()) as memory:
        before = said(memory)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(random.Random(5).randbytes(PAGE - 100))

    recover(path, target, clock=lambda: 1_800_000_000_000)

    with Memory.open(target, model=HashingEncoder()) as memory:
        assert said(memory) == before


def test_tables_that_a_layout_unheard_of_hides_are_named(tmp_path: Path) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    early(path)
    connection = apsw.Connection(str(path))  # a table moved to the end
    connection.execute(
        "CREATE TABLE others AS SELECT * FROM links; DROP TABLE links; ALTER TABLE others RENAME TO links; VACUUM"
    )
    connection.close()
    [page] = [
        page
        for page in pages_of(path, "sqlite_schema")
        if b'CREATE TABLE "links"' in path.read_bytes()[(page - 1) * PAGE : page * PAGE]
    ]
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(random.Random(1).randbytes(PAGE))

    result = CliRunner().invoke(main, ["recover", str(path), "--to", str(target)])

    assert result.exit_code == 1
    assert "where links begins is not known, so nothing of it is saved" in result.output
    assert not re.search(r"no memory file|first page", result.output)


@pytest.mark.parametrize("length", [16, 100, PAGE], ids="the first {} bytes".format)
@pytest.mark.parametrize("rewritten", [False, True], ids=["grown", "rewritten"])
@pytest.mark.parametrize("zeroed", [False, True], ids=["noise", "zeros"])
def test_a_file_whose_first_page_alone_is_damaged_is_saved_whole(
    tmp_path: Path, length: int, rewritten: bool, zeroed: bool
) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    if rewritten:
        early(path)
    with Memory.open(path, model=HashingEncoder()) as memory:
        before = said(memory)
    with path.open("r+b") as file:
        file.write(bytes(length) if zeroed else random.Random(5).randbytes(length))

    refused = CliRunner().invoke(main, ["stats", "--database", str(path)])
    result = CliRunner().invoke(main, ["recover", str(path), "--to", str(target)])

    assert "mcp-memory restore BACKUP" in refused.output
    assert f"mcp-memory recover {path} --to NEW" in refused.output
    assert (result.exit_code, "Nothing is known to be lost." in result.output) == (0, True)
    with Memory.open(target, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        assert said(memory) == before
        assert list(memory.file.verify()) == []


def test_what_stands_in_the_log_of_a_file_without_a_head_is_saved_too(tmp_path: Path) -> None:
    path, copy = filled(tmp_path / "memory.db"), tmp_path / "copy.db"
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember("This stands in the log alone.")
        copy.write_bytes(bytes(100) + path.read_bytes()[100:])
        Path(f"{copy}-wal").write_bytes(Path(f"{path}-wal").read_bytes())
        before = said(memory)

    recover(copy, tmp_path / "saved.db", clock=lambda: 1_800_000_000_000)

    with Memory.open(tmp_path / "saved.db", model=HashingEncoder()) as memory:
        assert said(memory) == before
        assert list(memory.file.verify()) == []


def test_a_page_of_zeros_a_cut_off_end_and_the_log_are_saved_around(tmp_path: Path) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember("This stands in the log alone.")
        data, log = bytearray(path.read_bytes()), Path(f"{path}-wal").read_bytes()
    page = random.Random(1).choice(pages_of(path, "revisions"))
    copy = tmp_path / "copy.db"
    data[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    copy.write_bytes(data[: -3 * PAGE])
    Path(f"{copy}-wal").write_bytes(log)

    recover(copy, target, clock=lambda: 1_800_000_000_000)

    with Memory.open(target, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        memory.maintenance.make_vectors()
        assert list(memory.file.verify()) == []
        assert "This stands in the log alone." in said(memory)


@pytest.mark.parametrize("part", [0.5, 0.7, 0.9])
def test_of_a_file_that_was_cut_off_it_is_told_how_much_is_missing(tmp_path: Path, part: float) -> None:
    path, target = filled(tmp_path / "memory.db"), tmp_path / "saved.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    pages, left = len(whole) // PAGE, int(len(whole) * part) // PAGE

    result = CliRunner().invoke(main, ["recover", str(path), "--to", str(target)])

    assert result.exit_code == 1
    assert (
        f"{pages - left:,} of its {pages:,} pages ({round(100 * (pages - left) / pages)} %) are missing"
        in result.output
    )
    assert " more." not in result.output
    told = re.search(r"^Lost, at least: (.*)\.$", result.output, re.MULTILINE)
    assert told
    lost = {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", told[1])}
    assert lost.get("operations", 0) <= 5  # there were no more
    with Memory.open(target, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []
        assert not any("\x00" in text for text in said(memory))


@pytest.mark.parametrize("content", [b"", b"nothing like it" * 1000, b"SQLite format 3\x00" + b"\xff" * 9000])
def test_what_holds_nothing_is_said_to(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)

    with pytest.raises(MemoryProblem):
        recover(path, tmp_path / "saved.db", clock=lambda: 1)

    assert [file.name for file in tmp_path.iterdir()] == ["memory.db"]


def test_recover_writes_over_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "memory.db")

    with pytest.raises(Conflict, match="exists already"):
        recover(path, path, clock=lambda: 1)
    with pytest.raises(NotFound):
        recover(tmp_path / "none.db", tmp_path / "saved.db", clock=lambda: 1)


# compact


def test_a_compacted_file_is_smaller_sound_and_serves_on(tmp_path: Path) -> None:
    path = filled(tmp_path / "memory.db")
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        everything = [item.id for item in memory.listing(ItemQuery(scope="all"), limit=1000) if item.text in TEXTS]
        memory.forget(everything[10:], erase=True)
        kept = said(memory)

        before, after = memory.file.compact()

        assert after < before
        assert after == path.stat().st_size
        assert list(memory.file.verify()) == []
        assert said(memory) == kept
        assert memory.recall("conversation").hits


def early(path: Path) -> Path:
    """A file as it was made before free pages were given back in steps."""
    filled(path)
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "delete")
    connection.pragma("auto_vacuum", "none")
    connection.execute("VACUUM")
    connection.close()
    return path


def test_a_small_early_file_is_rewritten_and_a_large_one_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = early(tmp_path / "memory.db")
    monkeypatch.setattr(vacuum, "WHOLE", 4096)
    runner = CliRunner()

    refused = runner.invoke(main, ["compact", "--database", str(path), "--model", "/nowhere"])
    done = runner.invoke(main, ["compact", "--database", str(path), "--model", "/nowhere", "--whole"])
    again = runner.invoke(main, ["compact", "--database", str(path), "--model", "/nowhere"])

    assert (refused.exit_code, done.exit_code, again.exit_code) == (1, 0, 0)
    assert "--whole" in refused.output
    assert re.search(r"takes [\d,]+ bytes; it was [\d,]+\.", again.output)
    with Memory.open(path, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []


# several at once


def test_all_that_meet_the_damage_at_once_serve_afterwards(tmp_path: Path) -> None:
    path = filled(tmp_path / "memory.db")
    with Memory.open(path, model=HashingEncoder()) as memory:
        before = said(memory)
    spoil(path, pages_of(path, "text_index_data"))
    together = threading.Barrier(4)

    def ask(number: int) -> list[str]:
        with Memory.open(path, model=HashingEncoder()) as memory:
            memory.wait_for_encoder()
            together.wait()
            again(lambda: memory.recall("roof of house"))
            return said(memory)

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(ask, range(4)))

    assert seen == [before] * 4
    with Memory.open(path, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []
    assert [file.name for file in tmp_path.iterdir() if file.name != "memory.db"] == []


# encrypted files


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> cipher.Key:
    monkeypatch.setenv(cipher.KEY_VARIABLE, "correct horse battery")
    return cipher.Key("correct horse battery", cipher.KEY_VARIABLE)


def encrypted(path: Path, key: cipher.Key) -> dict[str, int]:
    """Encrypt a filled file, and give the pages in which its tables and indexes begin."""
    rekey.encrypt(filled(path), key, salt="0" * 32)
    with closing(Database(path)) as database, database.read() as connection:
        return dict(connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0").fetchall())


def test_a_damaged_index_of_an_encrypted_file_is_rebuilt_and_nothing_is_written_in_clear(
    tmp_path: Path, key: cipher.Key
) -> None:
    path = tmp_path / "memory.db"
    roots = encrypted(path, key)
    with closing(Database(path)) as database, database.index_writer() as connection:
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
        connection.pragma("writable_schema", True)
        connection.execute(
            "UPDATE sqlite_schema SET rootpage = ? WHERE name = 'text_index_data'", (roots["binary_vectors"],)
        ).fetchall()
    legible: set[Path] = set()

    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        before = said(memory)
        with watched(tmp_path, legible):
            again(lambda: memory.recall("roof of house"))

        assert list(memory.file.verify()) == []
        assert said(memory) == before
        assert memory.file.encryption
        assert memory.recall("roof of house").hits
    assert legible == set()


@contextmanager
def watched(directory: Path, legible: set[Path]) -> Iterator[None]:
    """Look again and again for files below a directory in which a memory can be read."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.002):
            with suppress(FileNotFoundError):  # a directory that is gone by the time it is listed
                for file in directory.rglob("*"):
                    with suppress(OSError):
                        if b"painted" in file.read_bytes():
                            legible.add(file)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("table", ["revisions", "items", "sources", "operations", "text_index_data"])
def test_what_can_be_read_of_a_damaged_encrypted_file_is_saved_encrypted(
    tmp_path: Path, key: cipher.Key, table: str
) -> None:
    path, saved = tmp_path / "memory.db", tmp_path / "saved.db"
    encrypted(path, key)
    with Memory.open(path, model=HashingEncoder()) as memory:
        before = said(memory)
    spoil(path, encrypted_leaves(path, table)[:1])
    damaged = path.read_bytes()

    found = recover(path, saved, clock=lambda: 0)

    assert path.read_bytes() == damaged
    assert (table in found.lost) == (table != "text_index_data")
    assert b"painted" not in saved.read_bytes()
    assert saved.read_bytes()[:16] == damaged[:16]  # its salt, by which the keychain finds the key
    with Memory.open(saved, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []
        assert len(set(before) & set(said(memory))) > len(before) // 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["memory.db", "saved.db"]


def encrypted_leaves(path: Path, table: str) -> list[int]:
    with closing(Database(path)) as database, database.read() as connection:
        rows = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)).fetchall()
    return [number for (number,) in rows]


def test_a_damaged_encrypted_file_is_told_as_such_without_its_key(
    tmp_path: Path, key: cipher.Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "memory.db"
    encrypted(path, key)
    monkeypatch.setenv("TEST_KEYCHAIN", str(tmp_path / "keychain.json"))
    monkeypatch.setenv(cipher.KEY_VARIABLE, "another passphrase")

    with pytest.raises(WrongKey, match="does not open"):
        recover(path, tmp_path / "saved.db", clock=lambda: 0)

    assert [file.name for file in tmp_path.iterdir()] == ["memory.db"]
