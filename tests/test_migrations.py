"""Files of every earlier schema: they come to be as if made today, or stay as they were, and a copy is kept first."""

import gzip
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from conftest import Speak

from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Conflict, Unusable
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite import schema
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.files.migration_dry_run import pending, rehearse

SCHEMAS = Path(__file__).parent / "schemas"
OLD = sorted(path.name[:4] for path in SCHEMAS.glob("*.db.gz"))
TEXTS = {
    "The deploy port is 9090.",
    "Maya drinks black tea.",
    "Shall we have lunch at noon?",
    "Noon is fine.",
}


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file as a version with that schema left it."""
    return file_of(request.param, tmp_path)


def file_of(number: str, folder: Path) -> Path:
    path = folder / "memory.db"
    path.write_bytes(gzip.decompress((SCHEMAS / f"{number}.db.gz").read_bytes()))
    return path


def opened(path: Path) -> Memory:
    memory = Memory.open(path, model=HashingEncoder(64))
    memory.wait_for_encoder()
    return memory


def schema_of(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1, 2")
        found = [(f"{kind} {name}", " ".join(sql.split())) for kind, name, sql in rows]
    connection.close()
    return found


def rows_of(path: Path) -> dict[str, list[Any]]:
    """Every row of the tables that every schema has, in the columns that every schema has."""
    columns = {
        "operations": "id, verb, at, client, session, summary",
        "sources": "id, operation_id, sha256, kind, origin, text, recorded_at, redacted_at",
        "items": "id, source_id, position, span_start, span_end, speaker, recorded_at, seen, last_seen_at",
        "revisions": "id, item_id, operation_id, number, from_time, until_time, status, text, kind, scope, tags, "
        "importance, confidence, occurred_at, valid_until, pinned, review_after, normal_hash",
        "topics": "id, operation_id, name, scope, digest, from_time, until_time",
        "topic_revisions": "topic_id, revision_id",
        "links": "from_id, to_id, type, operation_id",
        "repeats": "item_id, source_id, span_start, span_end",
    }
    connection = sqlite3.connect(path)
    found = {
        table: connection.execute(f"SELECT {what} FROM {table} ORDER BY 1, 2").fetchall()
        for table, what in columns.items()
    }
    connection.close()
    return found


def test_there_is_a_file_of_every_schema_but_todays() -> None:
    assert [int(number) for number in OLD] == list(range(1, len(schema.names())))


def test_a_file_of_an_earlier_schema_becomes_as_if_made_today(old: Path, tmp_path: Path) -> None:
    before = rows_of(old)
    Database(tmp_path / "new.db").close()

    Database(old).close()

    assert schema_of(old) == schema_of(tmp_path / "new.db")
    assert rows_of(old) == before
    assert pending(old) == []


def test_a_migrated_file_serves_and_knows_what_it_knew(old: Path) -> None:
    with opened(old) as memory:
        memory.maintenance.reindex()
        live = {item.text for item in memory.listing(ItemQuery("all"), limit=100)}
        [hit] = [hit for hit in memory.recall("deploy port").hits if "9090" in hit.item.text]
        states = memory.history(
            next(item.id for item in memory.listing(ItemQuery("all"), limit=100) if "tea" in item.text)
        )
        memory.remember("The roof is black.")
        memory.undo()

        assert live >= TEXTS
        assert not any("green" in text or "hunter2" in text for text in live)
        assert [item.text for item in hit.was] == ["The deploy port is 8080."]
        assert [state.item.text for state in states.revisions] == ["Maya drinks green tea.", "Maya drinks black tea."]
        assert "Deploys go to port 9090.\n" in memory.summarize("infra").text
        assert list(memory.file.verify()) == []


def test_a_checked_copy_is_kept_before_a_file_is_migrated(old: Path) -> None:
    before = rows_of(old)

    Database(old).close()

    [copy] = (old.parent / "backups").iterdir()
    assert copy.name.startswith(f"memory-before-schema-{len(schema.names())}-")
    assert rows_of(copy) == before
    assert pending(copy) == pending(file_of(OLD[len(OLD) - len(pending(copy))], old.parent))


def test_a_file_that_cannot_be_copied_first_is_not_migrated(tmp_path: Path) -> None:
    path = file_of("0005", tmp_path)
    (tmp_path / "backups").write_text("a file where the directory should be")
    before = path.read_bytes()

    with pytest.raises(Unusable, match="was not migrated to"):
        Database(path)

    assert rows_of(path)
    assert schema_of(path) == schema_of_bytes(before, tmp_path)


def schema_of_bytes(content: bytes, folder: Path) -> list[tuple[str, str]]:
    (folder / "as-it-was.db").write_bytes(content)
    return schema_of(folder / "as-it-was.db")


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_of("0002", tmp_path)
    before, earlier = rows_of(path), schema_of(path)
    scripts = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: [*scripts[:-1], f"{scripts[-1]} INSERT INTO nowhere VALUES (1);"])

    with pytest.raises(apsw.SQLError, match="nowhere"):
        Database(path)

    assert (rows_of(path), schema_of(path)) == (before, earlier)


def test_a_rehearsal_changes_nothing_and_tells_how_far_it_is(old: Path) -> None:
    before, listed = old.read_bytes(), list(old.parent.iterdir())
    told: list[tuple[int, int]] = []

    rehearse(old, lambda done, total: told.append((done, total)))

    assert old.read_bytes() == before
    assert list(old.parent.iterdir()) == listed
    assert [done for done, _ in told] == list(range(len(told)))
    assert {total for _, total in told} == {len(told)}


OPEN = """
import sys
from pathlib import Path
from mcp_memory.sqlite.database import Database
print("begun", flush=True)
Database(Path(sys.argv[1]), progress=lambda done, total: print(done, flush=True)).close()
print("done", flush=True)
"""


def test_a_migration_that_is_killed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    finished = 0
    for after in (1, 3, 9, 20, 35, 50, 60, 75):
        path = file_of("0001", tmp_path)
        before, earlier = rows_of(path), schema_of(path)
        process = subprocess.Popen([sys.executable, "-c", OPEN, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(after):
            process.stdout.readline()
        process.kill()
        rest = process.communicate()[0]
        if "done" in rest or pending(path) == []:
            finished += 1
        else:
            assert (rows_of(path), schema_of(path)) == (before, earlier)

        Database(path).close()
        with Database(path).read() as connection:
            assert list(schema.file_problems(connection)) == []
        for left in tmp_path.glob("memory.db*"):
            left.unlink()
        shutil.rmtree(tmp_path / "backups", ignore_errors=True)

    assert finished < 6


def test_eight_processes_that_open_an_old_file_at_once_all_serve_it_and_one_migrates(tmp_path: Path) -> None:
    path = file_of("0001", tmp_path)

    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    told = [process.communicate(timeout=60)[0].splitlines() for process in processes]

    assert [process.returncode for process in processes] == [0] * 8
    assert sorted(len(lines) > 2 for lines in told) == [False] * 7 + [True]
    assert len(list((tmp_path / "backups").iterdir())) == 1


def test_a_server_starts_on_an_old_file_and_answers_from_it(
    tmp_path: Path, speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    file_of("0003", tmp_path)

    spoken = speak(request_tool(1, "recall", query="Which port do we deploy on?"))

    assert "The deploy port is 9090." in spoken.text(1)
    assert re.search(r"is being migrated from schema 3; .*backups.* is a copy of it as it was", spoken.log)


def test_a_server_says_that_a_file_is_newer_and_leaves_it(
    tmp_path: Path, speak: Speak, request_tool: Callable[..., dict[str, Any]]
) -> None:
    path = file_of("0003", tmp_path)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    before = path.read_bytes()

    spoken = speak(request_tool(1, "recall", query="port"))

    assert "newer mcp-memory (schema 99" in spoken.text(1)
    assert "Upgrade mcp-memory" in spoken.text(1)
    assert path.read_bytes() == before


def test_a_migrated_file_still_knows_that_another_was_merged_into_it(tmp_path: Path) -> None:
    with opened(file_of("0008", tmp_path)) as memory, pytest.raises(Conflict, match="may have been done elsewhere"):
        memory.undo()
