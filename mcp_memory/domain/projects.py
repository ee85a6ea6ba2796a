"""The project of a directory: its git repository's name, stable across clones."""

import re
from pathlib import Path
from urllib.parse import urlparse

_REMOTE = re.compile(r'\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', re.MULTILINE)


def project_of(directory: str | Path) -> str | None:
    """Return the project of a directory: owner/name of the git remote `origin`, else parent/name of the repository's folder.

    None outside any git repository, and in the home directory itself.
    """
    start = Path(directory).expanduser().absolute()
    for folder in (start, *start.parents):
        marker = folder / ".git"
        if marker.exists():
            return None if folder == Path.home() else _remote_name(marker) or f"{folder.parent.name}/{folder.name}"
    return None


def project_here() -> str | None:
    """Return the project of the working directory; None also where that has been removed."""
    try:
        return project_of(Path.cwd())
    except OSError:
        return None


def _remote_name(marker: Path) -> str | None:
    """Return owner and name from the URL of `origin`, where there is one."""
    try:
        if marker.is_file():  # a worktree or submodule: "gitdir: PATH"
            marker = (marker.parent / marker.read_text("utf-8", errors="replace").partition(":")[2].strip()).resolve()
            common = marker / "commondir"
            if common.is_file():
                marker = (marker / common.read_text("utf-8", errors="replace").strip()).resolve()
        remote = _REMOTE.search((marker / "config").read_text("utf-8", errors="replace"))
    except OSError:
        return None
    return _owner_and_name(remote[1]) if remote else None


def _owner_and_name(address: str) -> str | None:
    """Return the last two parts of the path in a URL, in `user@host:path`, or of a local path; never a host or a password."""
    path = urlparse(address).path if "://" in address else address.rpartition(":")[2]
    return "/".join(path.replace("\\", "/").rstrip("/").removesuffix(".git").strip("/").split("/")[-2:]) or None
