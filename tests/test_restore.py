"""Backup and restore: a file comes back as it was, under those who have it open, and nothing newer is lost unasked."""

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Conflict, InvalidInput, NotFound, Unusable
from mcp_memory.exchange.exporters import jsonl
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.exchange import transfer
from mcp_memory.sqlite.files import backup_names, cipher, rekey
from mcp_memory.sqlite.files.restore import restore
from mcp_memory.sqlite.recovery import checks

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def texts(memory: Memory) -> list[str]:
    return sorted(item.text for item in memory.listing(ItemQuery("all"), limit=1000))


def opened(path: Path) -> Memory:
    memory = Memory.open(path, model=HashingEncoder())
    memory.wait_for_encoder()
    return memory


@pytest.fixture
def backup(memory: Memory, tmp_path: Path) -> Path:
    """A backup that knows of a red door; the memory then learned of a green gate."""
    memory.remember("The door is red.")
    memory.maintenance.make_vectors()
    target = tmp_path / "backup.db"
    memory.file.backup(target)
    memory.remember("The gate is green.")
    memory.maintenance.make_vectors()
    return target


def test_a_restore_refuses_to_lose_what_is_newer_and_names_it(memory: Memory, database: Path, backup: Path) -> None:
    newest = memory.operations()[0].id

    with pytest.raises(Conflict, match=f"1 operation[\\s\\S]*remember #{newest}[\\s\\S]*--force"):
        restore(database, backup, now=NOW)

    assert texts(memory) == ["The door is red.", "The gate is green."]
    assert list((database.parent).glob("backups/*")) == []


def test_who_has_the_file_open_sees_the_restored_state_and_goes_on(
    memory: Memory, database: Path, backup: Path
) -> None:
    assert memory.recall("gate").hits

    restored = restore(database, backup, now=NOW, force=True)

    assert restored.lost == 1
    assert texts(memory) == ["The door is red."]
    assert not memory.recall("gate").hits
    memory.remember("The fence is blue.")
    memory.maintenance.make_vectors()
    memory.maintenance.gather()
    assert [hit.item.text for hit in memory.recall("blue fence").hits][:1] == ["The fence is blue."]
    assert list(memory.file.verify()) == []
    assert restored.kept_at is not None
    with opened(restored.kept_at) as kept:
        assert texts(kept) == ["The door is red.", "The gate is green."]
        assert list(kept.file.verify()) == []


def test_a_file_that_holds_nothing_newer_is_restored_unasked(memory: Memory, database: Path, tmp_path: Path) -> None:
    memory.remember("The door is red.")
    memory.file.backup(tmp_path / "backup.db")

    assert restore(database, tmp_path / "backup.db", now=NOW).lost == 0


def test_what_is_not_there_any_more_comes_back(memory: Memory, database: Path, backup: Path) -> None:
    memory.close()
    database.unlink()
    Path(f"{database}-wal").write_bytes(b"left behind")

    restored = restore(database, backup, now=NOW)

    assert restored.kept_at is None
    with opened(database) as memory:
        assert texts(memory) == ["The door is red."]


@pytest.mark.parametrize("content", [None, b"", b"no database" * 500])
def test_a_restored_file_is_for_this_user_only(
    memory: Memory, database: Path, backup: Path, content: bytes | None
) -> None:
    memory.close()
    database.unlink()
    if content is not None:
        database.write_bytes(content)
        database.chmod(0o644)

    restored = restore(database, backup, now=NOW, force=True)

    assert database.stat().st_mode & 0o777 == 0o600
    assert restored.kept_at is None or restored.kept_at.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, b"", b"no database" * 500])
def test_what_a_link_leads_to_is_restored_and_the_link_stays(
    memory: Memory, database: Path, backup: Path, tmp_path: Path, content: bytes | None
) -> None:
    memory.close()
    database.unlink()
    if content is not None:
        database.write_bytes(content)
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to("../memory.db")

    restored = restore(link, backup, now=NOW, force=True)

    assert link.is_symlink()
    with opened(database) as memory:
        assert texts(memory) == ["The door is red."]
    if restored.kept_at is not None:
        assert restored.kept_at.parent == link.parent / "backups"
        assert restored.kept_at.read_bytes() == content


def test_an_empty_file_is_no_backup_and_nothing_to_merge(memory: Memory, database: Path, tmp_path: Path) -> None:
    memory.remember("The door is red.")
    empty = tmp_path / "empty.db"
    empty.touch()

    with pytest.raises(Unusable, match="is empty"):
        restore(database, empty, now=NOW, force=True)
    with pytest.raises(Unusable, match="is empty"):
        transfer.merge_file(Database(database), empty, zone_offset=0)

    assert texts(memory) == ["The door is red."]
    assert empty.read_bytes() == b""


def test_a_file_is_no_backup_of_itself(memory: Memory, database: Path, tmp_path: Path) -> None:
    memory.remember("The door is red.")
    link = tmp_path / "link.db"
    link.symlink_to(database)

    with pytest.raises(InvalidInput, match="is the file itself"):
        restore(database, link, now=NOW, force=True)


@pytest.mark.parametrize("content", [b"no database" * 500, None])
def test_a_damaged_file_is_replaced_when_that_is_wanted_and_kept(
    memory: Memory, database: Path, backup: Path, content: bytes | None
) -> None:
    memory.close()
    if content is None:  # its pages but the first few
        size = database.stat().st_size
        with database.open("r+b") as file:
            file.seek(4 * 4096)
            file.write(os.urandom(size - 4 * 4096))
    else:
        database.write_bytes(content)
    damaged = database.read_bytes()

    with pytest.raises(Conflict, match="--force"):
        restore(database, backup, now=NOW)
    restored = restore(database, backup, now=NOW, force=True)

    assert restored.kept_at is not None
    assert restored.kept_at.read_bytes() == damaged
    with opened(database) as memory:
        assert texts(memory) == ["The door is red."]
        assert list(memory.file.verify()) == []


def test_a_damaged_a_newer_and_a_missing_backup_are_refused(memory: Memory, database: Path, backup: Path) -> None:
    newer = backup.with_name("newer.db")
    newer.write_bytes(backup.read_bytes())
    connection = apsw.Connection(str(newer))
    connection.pragma("user_version", 99)
    connection.close()
    damaged = backup.with_name("damaged.db")
    damaged.write_bytes(backup.read_bytes().replace(b"The door is red.", b"The door is dad."))

    with pytest.raises(Unusable, match="newer mcp-memory"):
        restore(database, newer, now=NOW, force=True)
    with pytest.raises(Unusable, match=r"damaged\.db is damaged"):
        restore(database, damaged, now=NOW, force=True)
    with pytest.raises(NotFound, match=r"nowhere\.db"):
        restore(database, backup.with_name("nowhere.db"), now=NOW, force=True)

    assert texts(memory) == ["The door is red.", "The gate is green."]


SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from mcp_memory.sqlite.files.restore import restore
print("begun", flush=True)
restore(Path(sys.argv[1]), Path(sys.argv[2]), now=datetime.now(UTC), force=True)
print("done", flush=True)
"""


def test_a_restore_that_is_killed_leaves_the_one_state_or_the_other(
    memory: Memory, database: Path, backup: Path
) -> None:
    before, after = ["The door is red.", "The gate is green."], ["The door is red."]
    for number in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(database), str(backup)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(0.01 + 0.02 * number)
        except subprocess.TimeoutExpired:
            process.kill()
        done = "done" in process.communicate()[0]

        with opened(database) as another:
            assert texts(another) == texts(memory)
            assert list(another.file.verify()) == []
        assert texts(memory) == after if done else texts(memory) in (before, after)
        if texts(memory) == after:
            memory.remember("The gate is green.")


# the names of backups, and which of them stay


def test_a_rule_keeps_the_newest_of_each_of_the_last_days_and_weeks(tmp_path: Path) -> None:
    database = tmp_path / "memory.db"
    moments = [NOW - timedelta(hours=8 * number) for number in range(3 * 40)]
    made = {backup_names.target(database, moment): moment for moment in moments}

    gone = backup_names.expendable(made, database, backup_names.read_rule("7 daily 4 weekly"))

    kept = sorted((made[path] for path in made.keys() - set(gone)), reverse=True)
    assert [moment.strftime("%m-%d %H") for moment in kept] == [
        "03-02 09",
        "03-01 17",
        "02-28 17",
        "02-27 17",
        "02-26 17",
        "02-25 17",
        "02-24 17",
        "02-22 17",
        "02-15 17",
    ]
    assert gone == sorted(gone)


def test_a_rule_never_lets_go_what_is_no_backup_of_this_file(tmp_path: Path) -> None:
    database = tmp_path / "memory.db"
    strange = [
        tmp_path / "memory-2026-01-01.db",
        tmp_path / "notes-2026-01-01T000000Z.db",
        tmp_path / "memory-before-restore-2026-01-01T000000Z.db",
        tmp_path / "memory-2026-01-01T000000Z.db.txt",
        tmp_path / "memory-2026-99-01T000000Z.db",
        tmp_path / "memory.db",
    ]
    ours = [backup_names.target(database, NOW), backup_names.target(database, NOW + timedelta(seconds=1))]

    assert backup_names.expendable([*strange, *ours], database, {"daily": 1}) == ours[:1]


@pytest.mark.parametrize("text", ["", "daily", "7", "7 hourly", "-1 daily", "7 daily 4", "7 daily 3 daily", "0 daily"])
def test_what_is_no_rule_is_refused_with_the_words_there_are(text: str) -> None:
    with pytest.raises(InvalidInput, match="daily, weekly, monthly, yearly"):
        backup_names.read_rule(text)


def test_two_backups_of_one_second_have_two_names(tmp_path: Path) -> None:
    database = tmp_path / "memory.db"
    first = backup_names.target(database, NOW)
    first.parent.mkdir()
    first.touch()
    second = backup_names.target(database, NOW)

    assert second != first
    assert backup_names.expendable([second, first], database, {"daily": 1}) == [first]


def test_backups_that_are_made_at_once_are_all_made(memory: Memory, database: Path) -> None:
    memory.remember("The door is red.")

    def back_up(number: int) -> Path:
        with contextlib.closing(Database(database)) as mine:
            return checks.backup_dated(mine, NOW)

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(back_up, range(6)))

    assert len({*made}) == 6
    assert sorted(path.name for path in (database.parent / "backups").iterdir()) == sorted(path.name for path in made)
    for path in made:
        with opened(path) as copy:
            assert texts(copy) == ["The door is red."]


def test_two_backups_to_one_name_leave_the_first(memory: Memory, database: Path, tmp_path: Path) -> None:
    memory.remember("The door is red.")
    target = tmp_path / "backup.db"

    def back_up(number: int) -> str:
        with contextlib.closing(Database(database)) as mine:
            try:
                checks.backup(mine, target)
            except Conflict as problem:
                return str(problem)
        return "made"

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(back_up, range(4)))

    assert said == [*[f"{target} exists already; name a file that does not."] * 3, "made"]
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


def test_a_backup_that_nobody_finishes_is_removed_and_one_that_is_being_made_is_not(database: Path) -> None:
    Database(database).close()
    folder = database.parent / "backups"
    folder.mkdir()
    names = (f"{database.stem}-2026-03-02T090000Z.db.{end}" for end in ("aa.unfinished", "bb.unfinished"))
    old, new = (folder / name for name in names)
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))

    Database(database).close()

    assert not old.exists()
    assert new.exists()


# encrypted files


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> cipher.Key:
    monkeypatch.setenv(cipher.KEY_VARIABLE, "correct horse battery staple")
    return cipher.Key("correct horse battery staple", cipher.KEY_VARIABLE)


def encrypted(path: Path) -> bool:
    return not path.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize("when", ["before the backup", "after the backup"])
def test_an_encrypted_file_is_restored_and_stays_encrypted(tmp_path: Path, secret: cipher.Key, when: str) -> None:
    path, backup = tmp_path / "memory.db", tmp_path / "backup.db"
    with opened(path) as memory:
        memory.remember("The door is red.")
    if when == "before the backup":
        rekey.encrypt(path, secret, salt="0" * 32)
    with opened(path) as memory:
        memory.file.backup(backup)
        memory.remember("The gate is green.")
    if when == "after the backup":
        rekey.encrypt(path, secret, salt="0" * 32)

    with opened(path) as memory:
        restored = restore(path, backup, now=NOW, force=True)
        seen = texts(memory)
        memory.remember("The fence is blue.")
        wrong = list(memory.file.verify())

    assert seen == ["The door is red."]
    assert wrong == []
    assert restored.kept_at is not None
    assert encrypted(path)
    assert encrypted(restored.kept_at)
    assert b"red" not in path.read_bytes()
    with opened(path) as memory:
        assert texts(memory) == ["The door is red.", "The fence is blue."]


def test_an_encrypted_backup_is_not_put_into_a_plain_file(tmp_path: Path, secret: cipher.Key) -> None:
    path, backup = tmp_path / "memory.db", tmp_path / "backup.db"
    for each, text in ((path, "The door is red."), (backup, "The gate is green.")):
        with opened(each) as memory:
            memory.remember(text)
    rekey.encrypt(backup, secret, salt="0" * 32)

    with pytest.raises(Conflict, match="mcp-memory encrypt"):
        restore(path, backup, now=NOW, force=True)

    with opened(path) as memory:
        assert texts(memory) == ["The door is red."]


def test_an_encrypted_file_is_merged_and_imported_into(tmp_path: Path, secret: cipher.Key) -> None:
    path, other, third = tmp_path / "memory.db", tmp_path / "other.db", tmp_path / "third.db"
    for each, text in ((path, "The door is red."), (other, "The gate is green."), (third, "The fence is blue.")):
        with opened(each) as memory:
            memory.remember(text)
    rekey.encrypt(path, secret, salt="0" * 32)
    rekey.encrypt(third, secret, salt="1" * 32)
    source = Database(other)
    lines = list(jsonl.lines(transfer.export(source)))
    source.close()

    database = Database(path)
    transfer.import_lines(database, lines, zone_offset=0)
    transfer.merge_file(database, third, zone_offset=0)
    database.close()

    assert encrypted(path)
    with opened(path) as memory:
        assert texts(memory) == ["The door is red.", "The fence is blue.", "The gate is green."]
        assert list(memory.file.verify()) == []


def test_what_is_encrypted_does_not_come_into_a_plain_file_unasked(tmp_path: Path, secret: cipher.Key) -> None:
    path, other = tmp_path / "memory.db", tmp_path / "other.db"
    for each, text in ((path, "The door is red."), (other, "The gate is green.")):
        with opened(each) as memory:
            memory.remember(text)
    rekey.encrypt(other, secret, salt="0" * 32)

    with contextlib.closing(Database(path)) as database:
        planned = transfer.merge_file(database, other, zone_offset=0, dry_run=True)
        with pytest.raises(Conflict, match="mcp-memory encrypt"):
            transfer.merge_file(database, other, zone_offset=0)

    assert planned.added
    assert b"gate" not in path.read_bytes()


def test_a_backup_from_before_a_rekey_says_how_it_is_restored(
    tmp_path: Path, secret: cipher.Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEYCHAIN", str(tmp_path / "keychain.json"))
    path, backup = tmp_path / "memory.db", tmp_path / "backup.db"
    rekey.encrypt(path, secret, salt="0" * 32)
    with opened(path) as memory:
        memory.remember("The door is red.")
        memory.file.backup(backup)
    rekey.rekey(path, cipher.Key("another passphrase", "a test"), salt="1" * 32)
    monkeypatch.setenv(cipher.KEY_VARIABLE, "another passphrase")

    with pytest.raises(Unusable, match=rf"mcp-memory rekey --database {backup}"):
        restore(path, backup, now=NOW)
    monkeypatch.setenv(cipher.KEY_VARIABLE, secret.secret)
    rekey.rekey(backup, cipher.Key("another passphrase", "a test"), salt="2" * 32)
    monkeypatch.setenv(cipher.KEY_VARIABLE, "another passphrase")
    restore(path, backup, now=NOW)

    with opened(path) as memory:
        assert texts(memory) == ["The door is red."]
