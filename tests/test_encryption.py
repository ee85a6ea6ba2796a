"""Encryption at rest: what the bytes hold, where the key comes from, and what is said where it is missing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import keyring
import keyring.backends.fail
import pytest
from click.testing import CliRunner, Result
from keychain import FileKeychain

from mcp_memory.cli import main
from mcp_memory.domain.model import Entry, Filter
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import InvalidInput, Unusable
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite.files import cipher, rekey
from mcp_memory.sqlite.files.cipher import Key
from mcp_memory.sqlite.store import SqliteStore

FIRST, SECOND = "correct horse battery", f"raw:{'5a' * 32}"
WORDS = ("aardvark", "quokkaparade", "zeppelinschool", "Dvergasteinn")
TEXT = "The aardvark leads the quokkaparade past the zeppelinschool of Dvergasteinn."

Run = Callable[..., Result]


@pytest.fixture
def keychain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keychain of this test's own, in the place of the system's."""
    file = tmp_path / "keys" / "keychain.json"
    file.parent.mkdir()
    monkeypatch.setenv("TEST_KEYCHAIN", str(file))
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeychain())
    yield file
    keyring.set_keyring(before)


@pytest.fixture
def run(database: Path, environment: dict[str, str], keychain: Path) -> Run:
    """Run a command in this process, with nothing of ours in the environment but the encoder and what is given."""
    unset = {name: None for name in os.environ if name.startswith(("MCP_", "CLAUDE_"))}

    def run(*arguments: str, stdin: str | None = None, **variables: str) -> Result:
        ours = {"MCP_MEMORY_MODEL": environment["MCP_MEMORY_MODEL"], "MCP_MEMORY_DATABASE": str(database)}
        return CliRunner().invoke(main, list(arguments), input=stdin, env={**unset, **ours, **variables})

    return run


@pytest.fixture
def encrypted(database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encrypted file with TEXT in it, whose key is in the environment."""
    remember(database, TEXT)
    rekey.encrypt(database, Key(FIRST, "a test"), salt="0" * 32)
    monkeypatch.setenv(cipher.KEY_VARIABLE, FIRST)
    return database


def remember(path: Path, *texts: str) -> None:
    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember(items=[Entry(text) for text in texts])
        memory.maintenance.make_vectors()


def texts_of(path: Path) -> list[str]:
    with Memory.open(path, model=HashingEncoder()) as memory:
        assert list(memory.file.verify()) == []
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

    rekey.encrypt(database, Key(FIRST, "a test"), salt="0" * 32)

    assert {word for _, word in before} == set(WORDS)
    assert legible(database) == []
    assert list(beside(database)) == ["memory.db"]


def test_no_file_holds_plaintext_while_a_server_runs_and_after_it_is_killed(
    encrypted: Path, environment: dict[str, str]
) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "mcp_memory", "--database", str(encrypted)],
        env=environment | {cipher.KEY_VARIABLE: FIRST},
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
        memory.file.backup(target)

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
        problems = list(memory.file.verify())

    assert problems != []


# keys


def test_the_key_is_kept_in_the_keychain_and_found_again_where_the_file_was_moved(
    run: Run, database: Path, keychain: Path
) -> None:
    run("remember", TEXT)
    encrypted = run("encrypt")
    [account] = re.findall(r"keyring get mcp-memory ([0-9a-f]{32})", encrypted.stdout)
    moved = database.rename(database.with_name("elsewhere.db"))

    backup = run("backup", str(database), "--database", str(moved))
    rekeyed = run("rekey", "--database", str(moved))
    answers = [run("recall", "quokkaparade", "--database", str(file)).stdout for file in (moved, database)]
    accounts = json.loads(keychain.read_text())

    assert (backup.exit_code, rekeyed.exit_code) == (0, 0)
    assert [TEXT in answer for answer in answers] == [True, True]
    assert next(iter(accounts)) == f"mcp-memory {account}"
    assert len(accounts) == 2


def test_the_keychain_is_asked_where_the_environment_has_another_key(
    run: Run, database: Path, tmp_path: Path, keychain: Path
) -> None:
    run("remember", TEXT)
    run("encrypt")
    backup = tmp_path / "backup.db"
    run("backup", str(backup))
    run("rekey", MCP_MEMORY_NEW_KEY=FIRST)

    restored = run("restore", str(backup), MCP_MEMORY_KEY=FIRST)

    assert restored.exit_code == 0, restored.stderr
    assert TEXT in run("recall", "aardvark", MCP_MEMORY_KEY=FIRST).stdout


def test_encrypting_twice_is_told_without_a_key(run: Run, keychain: Path) -> None:
    run("remember", TEXT)
    run("encrypt", MCP_MEMORY_KEY=FIRST)

    again = [run("encrypt"), run("encrypt", MCP_MEMORY_KEY="another passphrase")]

    assert [answer.exit_code for answer in again] == [1, 1]
    assert all("is encrypted already" in answer.stderr for answer in again)
    assert not keychain.exists()


def test_a_file_with_another_name_is_not_encrypted(run: Run, database: Path, tmp_path: Path) -> None:
    run("remember", TEXT)
    (tmp_path / "other.db").hardlink_to(database)

    refused = run("encrypt", MCP_MEMORY_KEY=FIRST)

    assert refused.exit_code == 1
    assert "hard link" in refused.stderr
    assert texts_of(tmp_path / "other.db") == [TEXT]


def test_without_a_keychain_encrypt_says_what_else_there_is_and_changes_nothing(run: Run, database: Path) -> None:
    run("remember", TEXT)
    keyring.set_keyring(keyring.backends.fail.Keyring())

    refused = run("encrypt")

    assert refused.exit_code == 1
    assert "--passphrase" in refused.stderr
    assert texts_of(database) == [TEXT]


def test_a_failed_encrypt_leaves_no_key_in_the_keychain(run: Run, keychain: Path) -> None:
    run("encrypt")
    one = json.loads(keychain.read_text())

    again = run("encrypt")

    assert (again.exit_code, len(one)) == (1, 1)
    assert json.loads(keychain.read_text()) == one


def test_each_way_of_having_no_key_or_the_wrong_one_says_what_to_do(run: Run) -> None:
    run("remember", TEXT)
    run("encrypt", MCP_MEMORY_KEY=FIRST)

    missing = run("recall", "aardvark")
    wrong = run("recall", "aardvark", MCP_MEMORY_KEY=SECOND)
    malformed = run("recall", "aardvark", MCP_MEMORY_KEY="raw:12")
    short = run("rekey", MCP_MEMORY_KEY=FIRST, MCP_MEMORY_NEW_KEY="short")
    right = run("recall", "aardvark", MCP_MEMORY_KEY=FIRST)

    assert [answer.exit_code for answer in (missing, wrong, malformed, short, right)] == [1, 1, 1, 1, 0]
    assert "MCP_MEMORY_KEY is not set" in missing.stderr
    assert "keyring set mcp-memory " in missing.stderr
    assert "The key from MCP_MEMORY_KEY does not open" in wrong.stderr
    assert "64 hexadecimal digits" in malformed.stderr
    assert "8 characters or more" in short.stderr
    assert TEXT in right.stdout
    assert SECOND not in wrong.stdout + wrong.stderr


def test_a_server_without_the_key_starts_and_each_call_says_what_is_missing(
    run: Run, speak: Any, request_tool: Any
) -> None:
    run("remember", TEXT)
    run("encrypt", MCP_MEMORY_KEY=FIRST)

    spoken = speak(request_tool(1, "recall", query="aardvark"))

    assert spoken.answers[1]["result"]["isError"]
    assert "there is no key for it" in spoken.text(1)


def test_without_the_package_for_keychains_the_extra_is_named(encrypted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_key_in_the_environment_of_a_plain_file_is_warned_of(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run("remember", TEXT, MCP_MEMORY_KEY=FIRST)

    assert "is not encrypted; `mcp-memory encrypt` does that" in caplog.text


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

    assert [step.exit_code for step in steps] == [0, 0, 1, 0, 0, 1, 1]
    assert texts_of(database) == [TEXT]
    assert sorted(beside(database)) == ["memory.db"]


def test_decrypting_says_where_the_key_is_that_encrypted_backups_need(run: Run, database: Path) -> None:
    run("remember", TEXT)
    run("encrypt", MCP_MEMORY_KEY=FIRST)
    given = run("decrypt", MCP_MEMORY_KEY=FIRST)
    run("encrypt")
    kept = run("decrypt")

    assert "Keep its key, the one in MCP_MEMORY_KEY: its encrypted backups can't be read without it." in given.output
    assert "keychain" not in given.output
    assert "Its key stays in the keychain, for its encrypted backups." in kept.output


def test_without_a_keychain_the_variables_that_may_hold_a_key_are_named(run: Run, database: Path) -> None:
    run("remember", TEXT)
    keyring.set_keyring(keyring.backends.fail.Keyring())

    made, renewed = run("encrypt"), run("encrypt", MCP_MEMORY_KEY=FIRST) and run("rekey", MCP_MEMORY_KEY=FIRST)

    assert (made.exit_code, renewed.exit_code) == (1, 1)
    assert "set MCP_MEMORY_KEY to one" in made.output
    assert "set MCP_MEMORY_NEW_KEY to one" in renewed.output


def test_a_memory_can_begin_encrypted(run: Run, database: Path) -> None:
    made = run("encrypt", MCP_MEMORY_KEY=FIRST)
    run("remember", TEXT, MCP_MEMORY_KEY=FIRST)

    assert made.exit_code == 0
    assert legible(database) == []


def test_a_passphrase_is_asked_for_twice_and_kept_nowhere(run: Run, database: Path, keychain: Path) -> None:
    run("remember", TEXT)

    differing = run("encrypt", "--passphrase", stdin="a long phrase\nanother long phrase\n")
    same = run("encrypt", "--passphrase", stdin="a long phrase\na long phrase\n")
    found = run("recall", "quokkaparade", MCP_MEMORY_KEY="a long phrase")

    assert (differing.exit_code, same.exit_code) == (1, 0)
    assert TEXT in found.stdout
    assert legible(database) == []
    assert not keychain.exists()


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
