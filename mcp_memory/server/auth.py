"""The bearer token of the server over HTTP: from the environment, or generated once into a file beside the memory file."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from mcp_memory.errors import InvalidInput, Unusable

VARIABLE = "MCP_MEMORY_TOKEN"
MIN_LENGTH = 16
"""Characters. At 64 letters to choose from these are 96 bits, which nobody guesses over a network."""
_SENDABLE = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token may be made of (RFC 6750, section 2.1)."""


def token_file(database: Path) -> Path:
    return database.with_name(f"{database.name}.token")


def read_token(environment: Mapping[str, str], database: Path) -> tuple[str, str]:
    """Return the token and where it comes from.

    A missing one is generated into a file that only the user can read; processes that race for it get the same one.
    Raises InvalidInput for a token that is too short or cannot be sent, Unusable where the file can be neither read nor
    written.
    """
    if named := environment.get(VARIABLE):
        return _checked(named, VARIABLE), VARIABLE
    file = token_file(database)
    try:
        if not file.exists():
            _make(file)
        return _checked(file.read_text("utf-8").strip(), str(file)), str(file)
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"The token in {file} cannot be had ({error}); set {VARIABLE} instead.") from error


def _make(file: Path) -> None:
    """Write a temporary file and link it into place: the first writer wins, and nobody reads half a token."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as writing:
        writing.write(f"{secrets.token_urlsafe(32)}\n")
    try:
        os.link(aside, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not file.exists():
            os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _checked(token: str, origin: str) -> str:
    if len(token) < MIN_LENGTH or not _SENDABLE.fullmatch(token):
        raise InvalidInput(
            f"The token in {origin} is too short or holds what no header may; "
            f"give at least {MIN_LENGTH} letters, digits and .-_~+/, or delete it for one that is made."
        )
    return token
