"""The command that starts this server: which one to write into a client's configuration, and how long it lasts."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlparse

SCRIPT = "mcp-memory"
PACKAGE = "mcp-memory"
MODULE = "mcp_memory"
TEMPORARY = ("archive-v0", "builds-v0", "environments-v0", "environments-v1", "environments-v2")
"""Folders of uv's cache in which it keeps the environments of `uvx` and `uv run --with`."""


@dataclass(frozen=True, slots=True)
class Running:
    prefix: Path
    virtual: bool
    """True if that is a virtual one, whose commands may be on the path in this shell alone."""
    scripts: Path
    python: Path
    windows: bool
    source: str | None
    """What it was installed from, as `uvx --from` takes it; None where a package index was."""
    version: str
    which: Callable[[str], str | None]
    uv: str | None
    """The uv that started it, where one did."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command with its arguments, absolute and as found on the PATH, and a note for the user."""

    command: str
    arguments: tuple[str, ...]
    short: str
    """The same command without its folder, where the shell finds that very one; else the absolute one again."""
    note: str = ""

    def words(self, *, absolute: bool) -> list[str]:
        return [self.command if absolute else self.short, *self.arguments]


def running(environment: Mapping[str, str]) -> Running:
    windows = sys.platform == "win32"
    prefix = Path(sys.prefix)
    return Running(
        prefix=prefix,
        virtual=sys.prefix != sys.base_prefix,
        scripts=prefix / ("Scripts" if windows else "bin"),
        python=Path(sys.executable),
        windows=windows,
        source=_source(),
        version=metadata.version(PACKAGE),
        which=lambda name: shutil.which(name, path=environment.get("PATH")),
        uv=environment.get("UV"),
    )


def launch(running: Running) -> Launch:
    """Choose the command to write: one that still exists tomorrow.

    A tool's command (`uv tool`, `pipx`), or the script of the environment it is installed in; from a temporary
    environment of `uvx` the same `uvx` again, since its cache may be emptied at any time.
    """
    if is_temporary(running.prefix):
        return _through_uvx(running)
    script = running.scripts / (SCRIPT + (".exe" if running.windows else ""))
    shown = running.which(SCRIPT)
    lasting = _is_tool(running.prefix) or not running.virtual
    if shown and lasting and _same(Path(shown), script, within=running.prefix):
        return Launch(shown, (), SCRIPT)
    if script.exists():
        kept = "" if lasting else f"The command is part of the environment {running.prefix}: keep it."
        return Launch(str(script), (), str(script), kept)
    note = f"{running.scripts} has no {SCRIPT}, so the entry starts it through Python."
    return Launch(str(running.python), ("-m", MODULE), str(running.python), note)


def is_temporary(prefix: Path) -> bool:
    """Return whether an environment is in uv's cache, which `uv cache clean` empties."""
    return any(part in TEMPORARY for part in prefix.parts)


def starts_us(words: Sequence[str]) -> int | None:
    """Count the words of a command line that start this server in any way; None where it starts something else.

    The words after them are options of the server, such as --database.

    >>> starts_us(["uvx", "--from", "/src/mcp-memory", "mcp-memory", "--read-only"])
    4
    """
    for count, word in enumerate(words, 1):
        before = words[count - 2] if count > 1 else ""
        name = word.replace("\\", "/").rpartition("/")[2]
        if name in (SCRIPT, SCRIPT + ".exe") and not before.startswith("--") and (count == 1 or "/" not in word):
            return count
        if word == MODULE and before == "-m":
            return count
    return None


def _through_uvx(running: Running) -> Launch:
    found = running.which("uvx")
    if not found and running.uv:
        beside = Path(running.uv).with_name("uvx.exe" if running.windows else "uvx")
        found = str(beside) if beside.exists() else None
    arguments = ("--from", running.source or f"{PACKAGE}=={running.version}", SCRIPT)
    note = (
        "It runs from a temporary environment of uvx, so the entry starts uvx, which makes that anew when its cache "
        f"was emptied. `uv tool install {running.source or PACKAGE}` and a second `mcp-memory setup` start faster."
    )
    return Launch(found or "uvx", arguments, "uvx", note)


def _is_tool(prefix: Path) -> bool:
    return any((prefix / name).exists() for name in ("uv-receipt.toml", "pipx_metadata.json"))


def _same(shown: Path, script: Path, *, within: Path) -> bool:
    """Return whether the command on the PATH is this environment's: itself, a link, or a tool's copy on Windows."""
    try:
        if shown.resolve() == script.resolve() or within.resolve() in shown.resolve().parents:
            return True
        return _is_tool(within) and script.exists() and os.path.getsize(shown) == os.path.getsize(script)
    except OSError:
        return False


def _source() -> str | None:
    """Return where pip or uv installed the package from (PEP 610)."""
    try:
        written = metadata.distribution(PACKAGE).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    return read_source(json.loads(written)) if written else None


def read_source(direct_url: Mapping[str, object]) -> str:
    """Parse a direct_url.json into an argument of `uvx --from`: a path, a repository at its commit, or a URL."""
    url = str(direct_url.get("url", ""))
    vcs = cast("Mapping[str, str]", direct_url.get("vcs_info") or {})
    if vcs:
        commit = vcs.get("requested_revision") or vcs.get("commit_id")
        return f"git+{url}@{commit}" if commit else f"git+{url}"
    parsed = urlparse(url)
    if parsed.scheme == "file":
        path = unquote(parsed.path)
        return path[1:] if len(path) > 2 and path[2] == ":" else path
    return url
