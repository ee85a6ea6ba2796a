"""Encrypting, rekeying and decrypting while others use the file, and killed at every step."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random

import keyring
import pytest
from forks import FORKS
from keychain import FileKeychain

from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Conflict, Unusable
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.files import cipher, rekey
from mcp_memory.sqlite.files.cipher import Key
from mcp_memory.sqlite.recovery.checks import problems

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

FIRST, SECOND = f"raw:{'c3' * 32}", f"raw:{'5a' * 32}"
SALT = "0" * 32
SAYS = "The aardvark says number {}."
SECRET = b"aardvark"


@dataclass(frozen=True, slots=True)
class Way:
    """One rewriting: the keys before and after it, None for a plain file."""

    name: str
    before: str | None
    after: str | None


WAYS = (Way("encrypt", None, FIRST), Way("rekey", FIRST, SECOND), Way("decrypt", SECOND, None))


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key at first, and afterwards the environment and the keychain that there were."""
    monkeypatch.setenv(cipher.KEY_VARIABLE, "")
    monkeypatch.setenv("TEST_KEYCHAIN", "")
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def rewrite(path: Path, way: Way) -> None:
    """Carry one out, with the key before it, and then the one after it, in the environment of this process."""
    os.environ[cipher.KEY_VARIABLE] = way.before or ""
    if way.after is None:
        rekey.decrypt(path)
    else:
        change = rekey.rekey if way.before else rekey.encrypt
        change(path, Key(way.after, "a test"), salt=SALT)
    os.environ[cipher.KEY_VARIABLE] = way.after or ""


def remember(path: Path, *texts: str) -> None:
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember(items=[Entry(text) for text in texts])


def texts_of(path: Path) -> list[str]:
    with Memory.open(path, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []
        return sorted(item.text for item in memory.listing(ItemQuery(scope="all"), limit=100_000))


def run_all(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


# others


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_file_that_another_process_has_open_is_not_rewritten(
    database: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool, way: Way
) -> None:
    monkeypatch.setattr(rekey, "WAIT", 0.1)
    remember(database, SAYS.format(1))
    if way.before:
        rewrite(database, Way("encrypt", None, way.before))
    ready, done = FORKS.Event(), FORKS.Event()
    other = FORKS.Process(target=keep_open, args=(database, way.before, ready, done, read_only))
    other.start()
    assert ready.wait(60)
    before = database.read_bytes()

    with pytest.raises(Conflict, match="Another process has"):
        rewrite(database, way)
    after = database.read_bytes()
    done.set()
    other.join(60)
    rewrite(database, way)

    assert before == after
    assert opening_keys(database, way) == [way.after]


def keep_open(path: Path, key: str | None, ready: Event, done: Event, read_only: bool) -> None:
    os.environ[cipher.KEY_VARIABLE] = key or ""
    with Memory.open(path, model=HashingEncoder(), read_only=read_only) as memory:
        memory.listing(ItemQuery(), limit=1)
        ready.set()
        done.wait(60)


def test_what_others_remember_between_rewritings_is_all_there(tmp_path: Path) -> None:
    path, keys = tmp_path / "memory.db", tmp_path / "keys.json"
    remember(path, "It begins.")

    run_all(
        [FORKS.Process(target=with_keychain, args=(keys, open_again_and_again, path, name, 12)) for name in range(2)]
        + [FORKS.Process(target=with_keychain, args=(keys, rewrite_again_and_again, path, 10))]
    )
    use_keychain(keys)

    assert SECRET not in path.read_bytes()
    assert texts_of(path) == sorted(
        ["It begins.", *(f"The aardvark {name} says number {n}." for name in range(2) for n in range(12))]
    )


def use_keychain(file: Path) -> None:
    os.environ[cipher.KEY_VARIABLE] = ""
    os.environ["TEST_KEYCHAIN"] = str(file)
    keyring.set_keyring(FileKeychain())


def with_keychain(keys: Path, work: Callable[..., None], *arguments: object) -> None:
    use_keychain(keys)
    work(*arguments)


def open_again_and_again(path: Path, name: int, count: int) -> None:
    for number in range(count):
        remember(path, f"The aardvark {name} says number {number}.")
        time.sleep(0.1)


def rewrite_again_and_again(path: Path, count: int) -> None:
    """Encrypt, rekey and decrypt in turn, each key in the keychain, and end encrypted."""
    done = 0
    while done < count:
        key, salt = cipher.random_key(), f"{done:032x}"
        try:
            if done % 3 == 2:
                rekey.decrypt(path)
            else:
                with cipher.kept(key, salt):
                    (rekey.encrypt if done % 3 == 0 else rekey.rekey)(path, key, salt=salt)
            done += 1
        except Conflict:  # the others had it open all the time: try again, as the message says
            pass


def test_two_that_rekey_at_once_do_not_undo_each_other_nor_what_a_third_remembers(database: Path) -> None:
    rewrite(database, WAYS[0])

    run_all(
        [FORKS.Process(target=with_key, args=(open_again_and_again, database, 1, 8))]
        + [FORKS.Process(target=with_key, args=(rekey_again_and_again, database, 2)) for _ in range(2)]
    )

    assert texts_of(database) == sorted(f"The aardvark 1 says number {n}." for n in range(8))


def with_key(work: Callable[..., None], *arguments: object) -> None:
    os.environ[cipher.KEY_VARIABLE] = FIRST
    work(*arguments)


def rekey_again_and_again(path: Path, count: int) -> None:
    done = 0
    while done < count:
        try:
            rekey.rekey(path, Key(FIRST, "a test"), salt=SALT)
            done += 1
        except Conflict:
            time.sleep(0.01)


def test_four_processes_use_an_encrypted_file_at_once(tmp_path: Path) -> None:
    path, keys = tmp_path / "memory.db", tmp_path / "keys.json"
    use_keychain(keys)
    with cipher.kept(key := cipher.random_key(), SALT):
        rekey.encrypt(path, key, salt=SALT)

    run_all(
        [FORKS.Process(target=with_keychain, args=(keys, open_again_and_again, path, name, 8)) for name in range(4)]
    )

    assert len(texts_of(path)) == 4 * 8
    assert SECRET not in b"".join(file.read_bytes() for file in tmp_path.glob("memory*"))


# kills


def rewrite_and_die(path: Path, way: Way, at: int, started: Event) -> None:
    """Carry a rewriting out, but be killed when it is about to open, link, rename or remove its `at`th file."""
    seen = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.link", "os.rename", "os.remove") and path.name in str(arguments):
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(count)
    started.set()
    rewrite(path, way)


def opening_keys(path: Path, way: Way) -> list[str | None]:
    """The keys of a way that open the file, with everything in it sound."""
    found: list[str | None] = []
    for key in (way.before, way.after):
        os.environ[cipher.KEY_VARIABLE] = key or f"raw:{'00' * 32}"
        try:
            database = Database(path)
        except Unusable:
            continue
        with database.read() as connection:
            assert list(problems(connection)) == []
        if (database.encryption is None) == (key is None):
            found.append(key)
        database.close()
    os.environ[cipher.KEY_VARIABLE] = (found or [None])[0] or ""
    return found


def prepare(path: Path, way: Way, *texts: str) -> None:
    """A file with some memories, under the key that a way begins with."""
    remember(path, *texts)
    if way.before:
        rewrite(path, Way("encrypt", None, way.before))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_kill_before_any_step_leaves_the_old_file_or_the_new_one(
    way: Way, database: Path, start: Callable[..., BaseProcess]
) -> None:
    prepare(database, way, SAYS.format(1))
    content = database.read_bytes()
    kept: list[str | None] = []

    for at in range(100):
        database.write_bytes(content)
        process = start(database, way, at)
        process.join(60)
        [key] = opening_keys(database, way)
        assert [file.name for file in database.parent.glob("memory*")] == ["memory.db"]
        assert (SECRET in database.read_bytes()) == (key is None)
        assert texts_of(database) == [SAYS.format(1)]
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kept.append(key)

    assert key == way.after
    assert len(kept) >= 8
    assert set(kept) == {way.before, way.after}


@pytest.fixture
def start() -> Callable[..., BaseProcess]:
    """Start a rewriting in a process of its own, and return when it has begun."""

    def start(path: Path, way: Way, at: int = -1) -> BaseProcess:
        begun = FORKS.Event()
        process = FORKS.Process(target=rewrite_and_die, args=(path, way, at, begun))
        process.start()
        assert begun.wait(60)
        return process

    return start


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(
    way: Way, database: Path, start: Callable[..., BaseProcess]
) -> None:
    random = Random(5)
    texts = [SAYS.format(number) for number in range(500)]
    prepare(database, way, *texts)
    number = killed = 0

    while number < 6 or not killed:
        acknowledged = f"Kill {number} comes after this."
        remember(database, acknowledged)
        texts.append(acknowledged)
        process = start(database, way)
        time.sleep(random.uniform(0, 0.01 * (number % 6)))
        process.kill()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
        [key] = opening_keys(database, way)
        assert texts_of(database) == sorted(texts)
        assert [file.name for file in database.parent.glob("memory*")] == ["memory.db"]
        assert (SECRET in database.read_bytes()) == (key is None)
        if key != way.before:
            rewrite(database, Way("back", key, way.before))
        number += 1
