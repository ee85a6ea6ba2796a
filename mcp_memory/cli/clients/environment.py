"""The machine as setup sees it: platform, home, environment, and where programs keep their files."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Platform = Literal["darwin", "linux", "win32"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything that decides where a client's files are."""

    platform: Platform
    home: Path
    environment: Mapping[str, str]
    project: Path
    """The folder whose project files are meant: the root of the repository worked in, else the working directory."""

    @classmethod
    def here(cls, environment: Mapping[str, str]) -> "Machine":
        platform: Platform = "win32" if sys.platform == "win32" else "darwin" if sys.platform == "darwin" else "linux"
        return cls(platform, Path.home(), environment, project_folder(Path.cwd()))

    def variable(self, name: str, default: Path) -> Path:
        """Return the directory that an environment variable names, else the default."""
        value = self.environment.get(name, "").strip()
        return Path(value).expanduser() if value else default

    @property
    def config(self) -> Path:
        """Return the directory of settings by the XDG rules, on every platform."""
        return self.variable("XDG_CONFIG_HOME", self.home / ".config")

    @property
    def roaming(self) -> Path:
        return self.variable("APPDATA", self.home / "AppData" / "Roaming")

    @property
    def local(self) -> Path:
        return self.variable("LOCALAPPDATA", self.home / "AppData" / "Local")

    def application(self, name: str) -> Path:
        """Return where a desktop application keeps its data: Application Support, roaming data, or ~/.config."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support" / name
        return (self.roaming if self.platform == "win32" else self.config) / name


def project_folder(directory: Path) -> Path:
    """Return the root of a directory's git repository; the directory itself outside any."""
    for folder in (directory, *directory.parents):
        if (folder / ".git").exists():
            return folder
    return directory


def existing(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that exist, broken links included."""
    return [path for path in paths if os.path.lexists(path)]
