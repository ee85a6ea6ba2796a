"""Encryption at rest: what the bytes hold, where the key comes from, and what goes on while the file is rewritten."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from mcp_memory.domain import Entry, Filter
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Conflict, InvalidInput, Unusable
from mcp_memory.memory import Memory
from mcp_memory.requests import ItemQuery
from mcp_memory.sqlite import cipher, rewriting
from mcp_memory.sqlite.cipher import Key
from mcp_memory.sqlite.store import SqliteStore

KEYCHAIN = Path(__file__).parent / "keychain"
SPAWN = multiprocessing.get_context("spawn")
FIRST, SECOND = "correct horse battery", f"raw:{'5a' * 32}"
WORDS = ("aardvark", "quokkaparade", "zeppelinschool", "Dvergasteinn")
TEXT = "The aardvark leads the quokkaparade past the zeppelinschool of Dvergasteinn."

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def settings(database: Path, environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a command: no key, and a keychain of this test's own."""
    return environment | {
        "MCP_MEMORY_DATABASE": str(database),
        "PYTHONPATH": str(KEYCHAIN),
        "PYTHON_KEYRING_BACKEND": "file_keychain.FileKeychain",
        "TEST_KEYCHAIN": str(tmp_path / "keychain.json"),
    }


@pytest.fixture
def run(settings: dict[str, str]) -> Run:
    """A command line in a process of its own, with some variables set or (None) unset."""

    def run(*arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in (settings | variables).items() if value is not None}
        command = [sys.executable, "-m", "mcp_memory", *arguments]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env, timeout=60, input="")

    return run


@pytest.fixture
def encrypted(database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encrypted file with TEXT in it, whose key is in the environment."""
    remember(database, TEXT)
    rewriting.encrypt(database, Key(FIRST, "a test"), salt="0" * 32)
    monkeypatch.setenv(cipher.KEY_VARIABLE, FIRST)
    return database


def remember(path: Path, *texts: str) -> None:
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember(items=[Entry(text) for text in texts])
        memory.make_vectors()


def texts_of(path: Path) -> list[str]:
    with Memory.open(path, model=HashingEncoder()) as memory:
        assert list(memory.verify()) == []
        return sorted(item.text for item in memory.listing(ItemQuery(scope="all"), limit=100_000))


def beside(path: Path) -> dict[str, bytes]:
    """Every file of the directory, by name."""
    return {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}


def legible(path: Path) -> list[tuple[str, str]]:
    """Where in the directory a word of TEXT can be read, in any case and in UTF-16 too."""
    return [
        (name, word)
        for name, content in beside(path).items()
        for word in WORDS
        if word.lower().encode() in content.lower() or word.encode("utf-16-le") in content
    ]


# the bytes


def test_a_plain_file_can_be_read_by_anyone_and_an_encrypted_one_not(database: Path) -> None:
    remember(database, TEXT)
    before = legible(database)

    rewriting.encrypt(database, Key(FIRST, "a test"), salt="0" * 32)

    assert {word for _, word in before} == set(WORDS)
    assert legible(database) == []
    assert list(beside(database)) == ["memory.db"]


def test_no_file_holds_plaintext_while_a_server_runs_and_after_it_is_killed(
    encrypted: Path, settings: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "mcp_memory"]
    server = subprocess.Popen(
        command,
        env=settings | {cipher.KEY_VARIABLE: FIRST},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        ask(server, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=CLIENT)
        for number in range(30):
            answer = ask(server, "tools/call", name="remember", arguments={"content": f"{TEXT[:-1]}, round {number}."})
            assert "created" in answer["result"]["content"][0]["text"]
        found = ask(server, "tools/call", name="recall", arguments={"query": "who leads the quokkaparade"})
        running = legible(encrypted), sorted(beside(encrypted))
        server.kill()
        server.wait()
        killed = legible(encrypted)

    assert "aardvark" in found["result"]["content"][0]["text"]
    assert running == ([], ["memory.db", "memory.db-shm", "memory.db-wal"])
    assert killed == []
    assert len(texts_of(encrypted)) == 31


def test_a_backup_is_encrypted_with_the_same_key(encrypted: Path) -> None:
    target = encrypted.with_name("backup.db")
    with Memory.open(encrypted, model=HashingEncoder()) as memory:
        memory.backup(target)

    assert legible(encrypted) == []
    assert texts_of(target) == [TEXT]


def test_words_and_vectors_are_searched_in_an_encrypted_file(encrypted: Path) -> None:
    encoder = HashingEncoder()
    [query] = encoder.encode([TEXT])
    store = SqliteStore(encrypted, clock=lambda: 0)

    by_words = store.search_text("quokkaparade", where=Filter(), limit=5)
    by_vectors = store.search_vectors(query, encoder=encoder.identity, where=Filter(), limit=5)
    store.close()

    assert len(by_words) == len(by_vectors) == 1


@pytest.mark.parametrize("change", ["flip", "swap"])
def test_a_page_that_was_changed_or_moved_is_damage_and_not_another_memory(encrypted: Path, change: str) -> None:
    remember(encrypted, *(f"Number {number} of the zoo." for number in range(200)))
    content = bytearray(encrypted.read_bytes())
    one, other = slice(4096 * 5, 4096 * 6), slice(4096 * 9, 4096 * 10)
    if change == "swap":
        content[one], content[other] = content[other], content[one]
    else:
        content[4096 * 5 + 100] ^= 1
    encrypted.write_bytes(content)

    with Memory.open(encrypted, model=HashingEncoder()) as memory:
        problems = list(memory.verify())

    assert problems != []


# keys


def test_the_key_is_kept_in_the_keychain_and_found_again_where_the_file_was_moved(run: Run, database: Path) -> None:
    run("remember", TEXT)
    encrypted = run("encrypt")
    [account] = re.findall(r"keyring get mcp-memory ([0-9a-f]{32})", encrypted.stdout)
    moved = database.rename(database.with_name("elsewhere.db"))

    backup = run("backup", str(database), "--database", str(moved))
    rekeyed = run("rekey", "--database", str(moved))
    answers = [run("recall", "quokkaparade", "--database", str(file)).stdout for file in (moved, database)]
    accounts = json.loads((database.parent / "keychain.json").read_text())

    assert (backup.returncode, rekeyed.returncode) == (0, 0)
    assert [TEXT in answer for answer in answers] == [True, True]
    assert list(accounts)[0] == f"mcp-memory {account}"
    assert len(accounts) == 2


def test_without_a_keychain_encrypt_says_what_else_there_is_and_changes_nothing(run: Run, database: Path) -> None:
    run("remember", TEXT)

    refused = run("encrypt", PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")

    assert refused.returncode == 1
    assert "--passphrase" in refused.stderr
    assert texts_of(database) == [TEXT]


def test_a_failed_encrypt_leaves_no_key_in_the_keychain(run: Run, database: Path) -> None:
    with Memory.open(database, model=HashingEncoder()):
        pass
    run("encrypt", MCP_MEMORY_KEY=FIRST)

    again = run("encrypt", MCP_MEMORY_KEY=None, MCP_MEMORY_DATABASE=str(database))

    assert again.returncode == 1
    assert json.loads((database.parent / "keychain.json").read_text()) == {}


def test_each_way_of_having_no_key_or_the_wrong_one_says_what_to_do(run: Run) -> None:
    run("remember", TEXT)
    run("encrypt", MCP_MEMORY_KEY=FIRST)

    missing = run("recall", "aardvark")
    wrong = run("recall", "aardvark", MCP_MEMORY_KEY=SECOND)
    malformed = run("recall", "aardvark", MCP_MEMORY_KEY="raw:12")
    short = run("rekey", MCP_MEMORY_KEY=FIRST, MCP_MEMORY_NEW_KEY="short")
    right = run("recall", "aardvark", MCP_MEMORY_KEY=FIRST)

    assert [answer.returncode for answer in (missing, wrong, malformed, short, right)] == [1, 1, 1, 1, 0]
    assert "MCP_MEMORY_KEY is not set" in missing.stderr
    assert "keyring set mcp-memory " in missing.stderr
    assert "The key from MCP_MEMORY_KEY does not open" in wrong.stderr
    assert "64 hexadecimal digits" in malformed.stderr
    assert "8 characters or more" in short.stderr
    assert TEXT in right.stdout
    assert SECOND not in wrong.stdout + wrong.stderr


def test_a_server_without_the_key_starts_and_each_call_says_what_is_missing(run: Run, speak: Any, request_tool: Any) -> None:
    run("remember", TEXT)
    run("encrypt", MCP_MEMORY_KEY=FIRST)

    spoken = speak(request_tool(1, "recall", query="aardvark"))

    assert spoken.answers[1]["result"]["isError"]
    assert "there is no key for it" in spoken.text(1)


def test_without_the_package_for_keychains_the_extra_is_named(
    encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(cipher.KEY_VARIABLE)
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(Unusable, match=r"install mcp-memory\[encrypted\]"):
        Memory.open(encrypted, model=HashingEncoder())


def test_without_ciphers_an_encrypted_file_says_which_package_stands_in_the_way(
    encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(apsw, "mc_version")

    with pytest.raises(Unusable, match="apsw was installed over apsw-sqlite3mc"):
        Memory.open(encrypted, model=HashingEncoder())


def test_a_plain_file_is_opened_without_a_look_at_the_keychain(run: Run, database: Path) -> None:
    run("remember", TEXT)
    script = (
        "import sys; from mcp_memory.memory import Memory; from mcp_memory.encoders.hashing import HashingEncoder\n"
        "with Memory.open(sys.argv[1], model=HashingEncoder()) as memory: memory.recall('aardvark')\n"
        "print(sorted(name for name in sys.modules if name.startswith(('keyring', 'secretstorage', 'jeepney'))))"
    )

    printed = subprocess.run([sys.executable, "-c", script, str(database)], capture_output=True, text=True, check=True)

    assert printed.stdout == "[]\n"


def test_a_key_in_the_environment_of_a_plain_file_is_warned_of(run: Run) -> None:
    warned = run("remember", TEXT, MCP_MEMORY_KEY=FIRST)

    assert "is not encrypted; `mcp-memory encrypt` does that" in warned.stderr


def test_no_message_shows_a_key(encrypted: Path) -> None:
    key = Key(FIRST, "a test")

    assert FIRST not in repr(key)
    with pytest.raises(InvalidInput) as refused:
        cipher.read_key("raw:" + FIRST, "a test")
    assert FIRST not in str(refused.value)


# rewriting


def test_stats_and_verify_say_what_the_file_is_encrypted_with(run: Run) -> None:
    run("remember", TEXT)
    plain = run("stats").stdout, run("verify").stdout, json.loads(run("stats", "--json").stdout)["encryption"]
    run("encrypt", MCP_MEMORY_KEY=FIRST)
    key = {"MCP_MEMORY_KEY": FIRST}
    now = run("stats", **key).stdout, run("verify", **key).stdout, json.loads(run("stats", "--json", **key).stdout)

    assert "encryption  none" in plain[0]
    assert "(not encrypted)" in plain[1]
    assert plain[2] is None
    assert "encryption  AEGIS-256" in now[0]
    assert "(AEGIS-256)" in now[1]
    assert now[2]["encryption"] == "AEGIS-256"


def test_decrypting_gives_back_what_was_there_and_rekeying_takes_the_old_key_away(run: Run, database: Path) -> None:
    run("remember", TEXT)
    steps = [
        run("encrypt", MCP_MEMORY_KEY=FIRST),
        run("rekey", MCP_MEMORY_KEY=FIRST, MCP_MEMORY_NEW_KEY=SECOND),
        run("recall", "aardvark", MCP_MEMORY_KEY=FIRST),
        run("recall", "aardvark", MCP_MEMORY_KEY=SECOND),
        run("decrypt", MCP_MEMORY_KEY=SECOND),
        run("decrypt"),
        run("rekey", MCP_MEMORY_NEW_KEY=FIRST),
    ]

    assert [step.returncode for step in steps] == [0, 0, 1, 0, 0, 1, 1]
    assert texts_of(database) == [TEXT]
    assert sorted(beside(database)) == ["memory.db"]


def test_a_memory_can_begin_encrypted(run: Run, database: Path) -> None:
    made = run("encrypt", MCP_MEMORY_KEY=FIRST)
    run("remember", TEXT, MCP_MEMORY_KEY=FIRST)

    assert made.returncode == 0
    assert legible(database) == []


def test_a_passphrase_is_asked_for_twice_and_kept_nowhere(
    database: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    from click.testing import CliRunner

    from mcp_memory.cli import main

    remember(database, TEXT)
    monkeypatch.setenv("MCP_MEMORY_MODEL", str(model))
    arguments = ["encrypt", "--passphrase", "--database", str(database)]

    differing = CliRunner().invoke(main, arguments, input="a long phrase\nanother long phrase\n")
    same = CliRunner().invoke(main, arguments, input="a long phrase\na long phrase\n")
    monkeypatch.setenv(cipher.KEY_VARIABLE, "a long phrase")

    assert (differing.exit_code, same.exit_code) == (1, 0)
    assert texts_of(database) == [TEXT]
    assert legible(database) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_another_process_has_open_is_not_rewritten(
    database: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    monkeypatch.setattr(rewriting, "WAIT", 0.1)
    remember(database, TEXT)
    ready, done = SPAWN.Event(), SPAWN.Event()
    other = SPAWN.Process(target=keep_open, args=(database, ready, done, read_only))
    other.start()
    assert ready.wait(60)
    before = database.read_bytes()

    with pytest.raises(Conflict, match="Another process has"):
        rewriting.encrypt(database, Key(FIRST, "a test"), salt="0" * 32)
    after = database.read_bytes()
    done.set()
    other.join(60)
    rewriting.encrypt(database, Key(FIRST, "a test"), salt="0" * 32)

    assert before == after
    assert legible(database) == []


def keep_open(path: Path, ready: Event, done: Event, read_only: bool) -> None:
    with Memory.open(path, model=HashingEncoder(), read_only=read_only) as memory:
        memory.listing(ItemQuery(), limit=1)
        ready.set()
        done.wait(60)


def test_what_others_remember_between_rewritings_is_all_there(tmp_path: Path, settings: Mapping[str, str]) -> None:
    path = tmp_path / "memory.db"
    remember(path, TEXT)
    for name in ("PYTHON_KEYRING_BACKEND", "TEST_KEYCHAIN", "PYTHONPATH"):
        os.environ[name] = settings[name]
    writers = [SPAWN.Process(target=open_again_and_again, args=(path, name, 12)) for name in range(2)]
    changes = SPAWN.Process(target=rewrite_again_and_again, args=(path, 9))
    try:
        for process in (*writers, changes):
            process.start()
        for process in (*writers, changes):
            process.join(120)
    finally:
        for name in ("PYTHON_KEYRING_BACKEND", "TEST_KEYCHAIN", "PYTHONPATH"):
            del os.environ[name]

    assert [process.exitcode for process in (*writers, changes)] == [0, 0, 0]
    assert texts_of(path) == sorted([TEXT, *(f"Writer {name} says {n}." for name in range(2) for n in range(12))])


def open_again_and_again(path: Path, name: int, count: int) -> None:
    sys.path.insert(0, str(KEYCHAIN))
    for number in range(count):
        remember(path, f"Writer {name} says {number}.")
        time.sleep(0.02)


def rewrite_again_and_again(path: Path, count: int) -> None:
    """Encrypt, rekey and decrypt in turn, each key in the keychain."""
    sys.path.insert(0, str(KEYCHAIN))
    for number in range(count):
        key, salt = cipher.random_key(), f"{number:032x}"
        if number % 3 == 2:
            rewriting.decrypt(path)
            continue
        with cipher.kept(key, salt):
            (rewriting.encrypt if number % 3 == 0 else rewriting.rekey)(path, key, salt=salt)


def test_four_processes_use_an_encrypted_file_at_once(encrypted: Path) -> None:
    processes = [SPAWN.Process(target=open_again_and_again, args=(encrypted, name, 8)) for name in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    assert [process.exitcode for process in processes] == [0] * 4
    assert len(texts_of(encrypted)) == 4 * 8 + 1


# kills


@dataclass(frozen=True, slots=True)
class Way:
    """One rewriting: the keys before and after it, None for a plain file."""

    name: str
    before: str | None
    after: str | None


WAYS = (Way("encrypt", None, FIRST), Way("rekey", FIRST, SECOND), Way("decrypt", SECOND, None))

CHILD = """
import os, signal, sys, time
from pathlib import Path
from mcp_memory.sqlite import cipher, rewriting
from mcp_memory.sqlite.cipher import Key
path, name, new, at = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
seen = 0
def hook(event, arguments):
    global seen
    if event in ("open", "os.link", "os.rename", "os.remove", "os.mkdir") and path.name in str(arguments):
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
print("ready", flush=True)
sys.stdin.readline()
sys.addaudithook(hook)
if name == "decrypt":
    rewriting.decrypt(path)
else:
    getattr(rewriting, name)(path, Key(new, "a test"), salt="0" * 32)
print("done", flush=True)
"""


@pytest.fixture
def rewriter(database: Path, settings: dict[str, str]) -> Iterator[Callable[[Way, int], "subprocess.Popen[str]"]]:
    """Start a process that will rewrite the file once it is sent a line, and kill itself before its n-th look at a file."""
    started: list[subprocess.Popen[str]] = []

    def start(way: Way, at: int = -1) -> "subprocess.Popen[str]":
        env = settings | ({cipher.KEY_VARIABLE: way.before} if way.before else {})
        arguments = [sys.executable, "-c", CHILD, str(database), way.name, way.after or "", str(at)]
        process = subprocess.Popen(arguments, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def key_that_opens(path: Path, way: Way, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The one key of the two that opens the file, with everything in it sound."""
    opening: list[str | None] = []
    for key in (way.before, way.after):
        monkeypatch.setenv(cipher.KEY_VARIABLE, key or "no key at all")
        try:
            with Memory.open(path, model=HashingEncoder()) as memory:
                assert list(memory.verify()) == []
                if (memory.encryption is None) == (key is None):
                    opening.append(key)
        except Unusable:
            pass
    assert len(opening) == 1
    monkeypatch.setenv(cipher.KEY_VARIABLE, opening[0] or "no key at all")
    return opening[0]


def go_to(path: Path, way: Way, now: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring a file from the key it has to the one that the way begins with."""
    monkeypatch.setenv(cipher.KEY_VARIABLE, now or "no key at all")
    if now == way.before:
        return
    if way.before is None:
        rewriting.decrypt(path)
    else:
        change = rewriting.rekey if now else rewriting.encrypt
        change(path, Key(way.before, "a test"), salt="0" * 32)
        monkeypatch.setenv(cipher.KEY_VARIABLE, way.before)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_kill_before_any_step_leaves_the_old_file_or_the_new_one(
    way: Way, database: Path, rewriter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(database, TEXT)
    now: str | None = None
    kept: list[str | None] = []

    for at in range(100):
        go_to(database, way, now, monkeypatch)
        process = rewriter(way, at)
        process.communicate("go\n")
        now = key_that_opens(database, way, monkeypatch)
        assert texts_of(database) == [TEXT]
        assert sorted(beside(database)) == ["memory.db"]
        assert bool(legible(database)) == (now is None)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kept.append(now)

    assert now == way.after
    assert len(kept) >= 8
    assert set(kept) == {way.before, way.after}


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(
    database: Path, rewriter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(5)
    remember(database, *(f"{TEXT[:-1]}, and number {number} too." for number in range(1500)))
    now: str | None = None
    killed = 0
    for number in range(18):
        way = WAYS[number % 3]
        go_to(database, way, now, monkeypatch)
        remember(database, f"Acknowledged before kill {number}.")
        process = rewriter(way)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(random.uniform(0, 0.35))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        now = key_that_opens(database, way, monkeypatch)
        assert bool(legible(database)) == (now is None)
        assert sorted(beside(database)) == ["memory.db"]

    texts = texts_of(database)
    assert len(texts) == 1518
    assert [text for text in texts if text.startswith("Ack")] == sorted(f"Acknowledged before kill {n}." for n in range(18))
    assert killed >= 6


CLIENT = {"name": "test", "version": "1"}


def ask(server: "subprocess.Popen[str]", method: str, **params: Any) -> dict[str, Any]:
    """Send a request and read its answer."""
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
    server.stdin.flush()
    while True:
        message = json.loads(server.stdout.readline())
        if message.get("id") == 1:
            return message
