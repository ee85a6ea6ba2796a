"""Keys of encrypted files: how an encrypted file is recognised, where its key comes from, and what to do without one.

The cipher is AEGIS-256 of SQLite3 Multiple Ciphers: each page of file and log is encrypted under a nonce of its own and
bound to its place by a 256-bit tag. A passphrase is stretched by Argon2id (19 MiB, 2 passes, 1 lane), in the library;
a raw key is used as it is. The first 16 bytes of a file are its salt: they name its key in the keychain, so that the
file may be moved, and a backup, which keeps the salt, finds its key too.
"""

import contextlib
import getpass
import importlib
import importlib.util
import logging
import os
import re
import secrets
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TypeVar
from urllib.parse import quote

import apsw

from mcp_memory.errors import InvalidInput, Unusable, WrongKey

log = logging.getLogger(__name__)
Read = TypeVar("Read")

CIPHER = "aegis"
"""The cheapest of SQLite3 Multiple Ciphers' ciphers (bench/encryption.py), with the best stretching of passphrases."""
CIPHER_NAME = "AEGIS-256"
KEY_VARIABLE = "MCP_MEMORY_KEY"
NEW_KEY_VARIABLE = "MCP_MEMORY_NEW_KEY"
SERVICE = "mcp-memory"  # The service in the keychain; the account is the file's salt in hexadecimal
KEYCHAIN = "the keychain"
MIN_PASSPHRASE = 8  # The shortest that NIST SP 800-63B allows

_PLAIN = b"SQLite format 3\x00"
_HEAD = 24
_RAW = re.compile(r"raw:[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Key:
    """A raw key (`raw:` and 64 hexadecimal digits) or a passphrase."""

    secret: str = field(repr=False)
    origin: str  # For messages: never the key itself


def head_of(connection: apsw.Connection) -> bytes:
    """Return the file's first bytes, read by SQLite: closing another descriptor would drop its locks."""
    return connection.read("main", 0, 0, _HEAD)[1]


def is_encrypted(head: bytes) -> bool:
    """Return whether a file's head is an encrypted memory file's: the cipher leaves eight known bytes in clear."""
    if len(head) < _HEAD or head.startswith(_PLAIN):
        return False
    size = int.from_bytes(head[16:18], "big")
    return size & (size - 1) == 0 and head[18] in (1, 2) and head[19] in (1, 2) and head[20:24] == b"\x40\x40\x20\x20"


def unlock(connection: apsw.Connection, path: Path, key: Key | None) -> Key | None:
    """Give a connection its file's key and return it, None for a plain file. Raises Unusable and WrongKey."""
    head = head_of(connection)
    if not is_encrypted(head):
        return None
    found, _ = _unlocked(connection, [key] if key else keys_for(path, head, environment=os.environ), path, _tables_of)
    # Nothing of what is sorted or vacuumed may be written beside the file.
    connection.pragma("temp_store", "memory")
    return found


def opening(connection: apsw.Connection, path: Path) -> tuple[Key | None, bytes]:
    """Return a file's key, None where it is plain, and its header in clear. Raises as unlock does."""
    head = head_of(connection)
    if not is_encrypted(head):
        return None, _header_of(connection)
    return _unlocked(connection, keys_for(path, head, environment=os.environ), path, _header_of)


def _unlocked(
    connection: apsw.Connection, keys: Iterable[Key], path: Path, read: Callable[[apsw.Connection], Read]
) -> tuple[Key, Read]:
    """Return the first of the keys that opens the file, and what was read. Raises as unlock does."""
    require_ciphers(f"{path} is encrypted")
    tried: list[Key] = []
    for key in keys:
        tried.append(key)
        connection.pragma("cipher", CIPHER)
        connection.pragma("key", key.secret)
        with contextlib.suppress(apsw.NotADBError):
            return key, read(connection)
    raise _wrong(tried, path)


def _tables_of(connection: apsw.Connection) -> object:
    return connection.execute("SELECT count(*) FROM sqlite_schema").get


def _header_of(connection: apsw.Connection) -> bytes:
    return connection.read("main", 0, 0, 100)[1]


def _wrong(tried: Sequence[Key], path: Path) -> WrongKey:
    return WrongKey(
        f"The key from {' and that from '.join(key.origin for key in tried)} does not open {path}: it is not the one the "
        f"file was encrypted with, or the file's first page is damaged. Set {KEY_VARIABLE} to the right key, or restore a "
        "backup."
    )


def require_ciphers(what: str) -> None:
    """Raise Unusable, with what to run, where the SQLite of this installation cannot encrypt."""
    if not hasattr(apsw, "mc_version"):
        raise Unusable(
            f"{what}, but the SQLite of this installation has no ciphers: the package apsw was installed over "
            "apsw-sqlite3mc, which has the same module. Run `pip uninstall --yes apsw` and then `pip install "
            "--force-reinstall --no-deps apsw-sqlite3mc` (with uv: `uv pip uninstall apsw`, `uv pip install "
            f"--reinstall-package apsw-sqlite3mc apsw-sqlite3mc`) for {sys.executable}."
        )


def keys_for(path: Path, head: bytes, *, environment: Mapping[str, str]) -> Iterator[Key]:
    """Yield candidate keys: environment, keychain, else a terminal (never for a server). Raises Unusable and InvalidInput."""
    given, account = environment.get(KEY_VARIABLE), salt_of(head)
    if given:
        yield read_key(given, KEY_VARIABLE)
    kept, problem = _from_keychain(account)
    if kept:
        yield read_key(kept, KEYCHAIN)
    if given or kept:
        return
    if threading.current_thread() is threading.main_thread() and sys.stdin.isatty() and sys.stderr.isatty():
        typed = getpass.getpass(f"The key of {path}: ", stream=sys.stderr)
        yield read_key(typed, "the terminal")
        return
    raise Unusable(
        f"{path} is encrypted and there is no key for it: {KEY_VARIABLE} is not set, and {problem}. Set {KEY_VARIABLE} "
        f"to its passphrase or key in the environment of this program, or keep it in the keychain with "
        f"`keyring set {SERVICE} {account}`."
    )


def read_key(text: str, origin: str) -> Key:
    """Parse a key. Raises InvalidInput for what cannot be one."""
    if not text or "\x00" in text:
        raise InvalidInput(f"The key from {origin} is empty or has a null character in it.")
    if text.startswith("raw:") and not _RAW.fullmatch(text):
        raise InvalidInput(f"The key from {origin} begins with raw: but has not 64 hexadecimal digits after it.")
    return Key(text, origin)


def read_new_key(text: str, origin: str) -> Key:
    """Parse a key to encrypt with. Raises InvalidInput where it is invalid or too weak."""
    if len(text) < MIN_PASSPHRASE:
        raise InvalidInput(f"The passphrase from {origin} is too short; take {MIN_PASSPHRASE} characters or more.")
    return read_key(text, origin)


def random_key() -> Key:
    """Return a new raw key, which needs no stretching."""
    return Key(f"raw:{secrets.token_hex(32)}", KEYCHAIN)


@contextlib.contextmanager
def kept(key: Key, salt: str, *, variable: str = KEY_VARIABLE) -> Generator[None]:
    """Keep a random key in the keychain, removed where encrypting fails. Raises Unusable where there is no keychain."""
    if key.origin != KEYCHAIN:
        yield
        return
    problem = _keychain_problem() or _keep(key, salt)
    if problem:
        raise Unusable(
            f"The new key cannot be kept in the keychain: {problem}. Give --passphrase to be asked for a passphrase, "
            f"or set {variable} to one in the environment. Nothing was changed."
        )
    try:
        yield
    except BaseException:
        _remove(salt)
        raise


def _keep(key: Key, salt: str) -> str | None:
    keyring = _keyring()
    try:
        keyring.set_password(SERVICE, salt, key.secret)
        return None if keyring.get_password(SERVICE, salt) == key.secret else "it did not give the key back"
    except keyring.errors.KeyringError as error:
        return f"it did not take the key ({_brief(error)})"


def _remove(salt: str) -> None:
    keyring = _keyring()
    try:
        keyring.delete_password(SERVICE, salt)
    except keyring.errors.KeyringError as error:
        log.warning("the key %s of %s, which opens nothing, is still in the keychain: %s", salt, SERVICE, _brief(error))


def salt_of(head: bytes) -> str:
    """Return the salt at the beginning of an encrypted file, as the keychain names it."""
    return head[:16].hex()


def copy_with_key(connection: apsw.Connection, target: Path, *, key: Key | None, salt: str) -> None:
    """Write what the connection sees to the empty file `target`, under another key or, with None, under none.

    The connection must take file names as URIs. A plain copy of an encrypted file goes on keeping 64 bytes of each page
    free, as VACUUM leaves that number as it is. `salt` is for a raw key; a passphrase gets a salt of its own.
    """
    address = f"file:{quote(target.absolute().as_posix())}"
    if key is None:
        address += "?key="
    else:
        secret = key.secret + salt if _RAW.fullmatch(key.secret) else key.secret
        address += f"?cipher={CIPHER}&key={quote(secret, safe='')}"
    try:
        connection.execute("VACUUM INTO ?", (address,))
    except apsw.CantOpenError:
        # Its message has the address in it, and with that the key.
        raise Unusable(f"{target} cannot be written. Nothing was changed.") from None


def begin_beside(connection: apsw.Connection, target: Path) -> None:
    """Make the empty file `target` a database without tables, under the key and salt of an encrypted one."""
    connection.execute("ATTACH ? AS fresh", (str(target),))
    connection.execute("PRAGMA fresh.auto_vacuum = incremental")
    connection.execute("CREATE TABLE fresh.begun (a); DROP TABLE fresh.begun; DETACH fresh").fetchall()


def _from_keychain(account: str) -> tuple[str | None, str]:
    """Return a key of the keychain, and why there is none."""
    if problem := _keychain_problem():
        return None, problem
    keyring = _keyring()
    try:
        found = keyring.get_password(SERVICE, account)
    except (keyring.errors.KeyringError, OSError) as error:
        return None, f"the keychain did not answer ({_brief(error)})"
    return found, f"the keychain has none under the service {SERVICE} and the account {account}"


def _keyring() -> ModuleType:
    importlib.import_module("keyring.errors")  # only where a keychain is used: it takes 0.1 s
    return importlib.import_module("keyring")


def _keychain_problem() -> str | None:
    if importlib.util.find_spec("keyring") is None:
        return "the package keyring is not installed (install mcp-memory[encrypted])"
    return None


def _brief(error: Exception) -> str:
    if type(error).__name__ == "NoKeyringError":
        return "this system has none that keyring can use"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
