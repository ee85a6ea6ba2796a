"""A keychain kept in a JSON file, for keyring to use in the place of the system's: TEST_KEYCHAIN names it."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FileKeychain(KeyringBackend):
    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep(self._kept() | {f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = self._kept()
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("no such password")
        self._keep(kept)

    def _kept(self) -> dict[str, str]:
        name = os.environ.get("TEST_KEYCHAIN")  # a process that was forked for an earlier test has none
        return json.loads(Path(name).read_text("utf-8")) if name and Path(name).exists() else {}

    def _keep(self, kept: dict[str, str]) -> None:
        file = Path(os.environ["TEST_KEYCHAIN"])
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(kept), "utf-8")
        unfinished.replace(file)
