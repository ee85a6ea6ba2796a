"""Which project a directory belongs to: its git repository's name, stable across clones."""

import re
from pathlib import Path

_REMOTE = re.compile(r'\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', re.MULTILINE)
_OWNER_AND_NAME = re.compile(r"[:/]([^/:]+/[^/:]+?)(?:\.git)?/?$")


def project_of(directory: str | Path) -> str | None:
    """The project of a directory: owner/name of the git remote `origin`, else parent/name of the repository's folder.

    None outside any git repository, and in the home directory itself.
    """
    start = Path(directory).expanduser().absolute()
    for folder in (start, *start.parents):
        marker = folder / ".git"
        if marker.exists():
            return None if folder == Path.home() else _remote_name(marker) or f"{folder.parent.name}/{folder.name}"
    return None


def _remote_name(marker: Path) -> str | None:
    """The owner and name in the address of `origin`, where there is one."""
    try:
        if marker.is_file():  # a worktree or submodule: "gitdir: PATH"
            marker = (marker.parent / marker.read_text("utf-8").partition(":")[2].strip()).resolve()
            common = marker / "commondir"
            if common.is_file():
                marker = (marker / common.read_text("utf-8").strip()).resolve()
        remote = _REMOTE.search((marker / "config").read_text("utf-8", errors="replace"))
    except OSError:
        return None
    name = _OWNER_AND_NAME.search(remote[1]) if remote else None
    return name[1] if name else None
