"""The file: making, opening and refusing it."""

import os
import sys
import threading
from pathlib import Path

import apsw
import pytest

from mcp_memory.errors import Conflict, ReadOnly, Unusable
from mcp_memory.sqlite import database as sqlite_database
from mcp_memory.sqlite.database import Database


def test_a_new_file_is_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "memory.db"

    Database(path).close()

    if sys.platform != "win32":
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


def test_the_file_is_ours_in_wal_with_foreign_keys_and_strict_tables(tmp_path: Path) -> None:
    opened = Database(tmp_path / "memory.db")
    with opened.read() as connection:
        loose = connection.execute("SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict").fetchall()
        pragmas = [
            connection.pragma(name) for name in ("application_id", "journal_mode", "foreign_keys", "user_version")
        ]
    opened.close()

    assert pragmas == [sqlite_database.APPLICATION_ID, "wal", 1, len(sqlite_database.migrations())]
    assert [name for (name,) in loose if not name.startswith("sqlite_")] == []


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (a)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(Unusable, match="another program"):
        Database(path)

    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    Database(path).close()
    newer = apsw.Connection(str(path))
    newer.pragma("user_version", 99)
    newer.close()

    with pytest.raises(Unusable, match="newer mcp-memory"):
        Database(path)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)

    with pytest.raises(Unusable):
        Database(path)

    assert path.read_bytes() == content


def test_a_directory_is_refused_with_a_better_name(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"memory\.db"):
        Database(tmp_path)


def test_what_does_not_exist_is_not_made_for_reading(tmp_path: Path) -> None:
    with pytest.raises(ReadOnly, match="does not exist"):
        Database(tmp_path / "memory.db", read_only=True)

    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_can_be_made_a_memory_but_not_for_reading(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.touch()

    with pytest.raises(ReadOnly, match="migrated"):
        Database(path, read_only=True)
    Database(path).close()


def test_names_with_odd_characters_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "a b%20#?é" / "memory;.db"
    Database(path).close()

    opened = Database(path, read_only=True)
    with opened.read() as connection:
        assert connection.pragma("user_version") == len(sqlite_database.migrations())
    opened.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_file_in_a_directory_that_may_not_be_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "locked" / "memory.db"
    Database(path).close()
    path.parent.chmod(0o500)
    try:
        opened = Database(path)
        with opened.read() as connection:
            assert connection.execute("SELECT count(*) FROM items").get == 0
        with pytest.raises(ReadOnly), opened.write():
            pass
        opened.close()
    finally:
        path.parent.chmod(0o700)


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    opened = Database(tmp_path / "memory.db")
    insert = "INSERT INTO operations (id, verb, at, client, session, summary) VALUES (1, 'remember', 1, '', '', '')"

    with pytest.raises(apsw.ConstraintError), opened.write() as connection:
        connection.execute(f"{insert}; {insert}")

    with opened.write() as connection:
        connection.execute(insert)
    with opened.read() as connection:
        assert connection.execute("SELECT count(*) FROM operations").get == 1
    opened.close()


def test_a_reader_sees_one_moment_while_another_writes(tmp_path: Path) -> None:
    opened = Database(tmp_path / "memory.db")
    counts: list[int] = []

    def write() -> None:
        with opened.write() as connection:
            connection.execute(
                "INSERT INTO operations (id, verb, at, client, session, summary) VALUES (1, 'remember', 1, '', '', '')"
            )

    with opened.read() as connection:
        counts.append(connection.execute("SELECT count(*) FROM operations").get)
        writer = threading.Thread(target=write)
        writer.start()
        writer.join()
        counts.append(connection.execute("SELECT count(*) FROM operations").get)
    with opened.read() as connection:
        counts.append(connection.execute("SELECT count(*) FROM operations").get)
    opened.close()

    assert counts == [0, 0, 1]


def test_a_lock_that_is_held_too_long_is_a_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_database, "BUSY_TIMEOUT_MS", 10)
    first, second = Database(tmp_path / "memory.db"), Database(tmp_path / "memory.db")

    with first.write(), pytest.raises(Conflict, match="try again"), second.write():
        pass

    first.close()
    second.close()


def test_a_full_disk_is_said_and_nothing_is_changed(tmp_path: Path) -> None:
    opened = Database(tmp_path / "memory.db")
    with opened.read() as connection:
        pages = connection.pragma("page_count")
    with opened.write() as connection:
        connection.pragma("max_page_count", pages)

    with pytest.raises(Unusable, match="no space left"), opened.write() as connection:
        connection.execute(
            "INSERT INTO operations (id, verb, at, client, session, summary) VALUES (1, ?, 1, '', '', '')",
            ("x" * 100_000,),
        )

    with opened.read() as connection:
        assert connection.execute("SELECT count(*) FROM operations").get == 0
    opened.close()


def test_closing_twice_is_harmless_and_a_call_after_it_says_so(tmp_path: Path) -> None:
    opened = Database(tmp_path / "memory.db")
    opened.close()
    opened.close()

    with pytest.raises(Unusable, match="closed"), opened.read():
        pass
    with pytest.raises(Unusable, match="closed"), opened.write():
        pass


def test_a_save_is_on_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    database = Database(tmp_path / "memory.db")

    with database.write() as connection:
        settings = (
            connection.pragma("synchronous"),
            connection.pragma("secure_delete"),
            connection.pragma("journal_mode"),
        )
    database.close()

    assert settings == (2, 1, "wal")
