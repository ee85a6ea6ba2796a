"""Configuration from flags and from an environment that is passed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from mcp_memory.domain.projects import project_of
from mcp_memory.domain.size import read_size
from mcp_memory.errors import InvalidInput
from mcp_memory.privacy.policy import Policy, read_policy

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Config:
    database: Path
    project: str | None
    """The project that was named, by an option or by the client that started us."""
    model: Path | None
    read_only: bool
    log_level: str
    max_size: int | None = None
    """Bytes that the store may hold; None for no limit."""
    secrets: Policy = "mask"
    """What becomes of what looks like a secret in what is to be remembered."""


def default_database() -> Path:
    """Return `memory.db` in the user's data directory, by the rules of the operating system."""
    return user_data_path("mcp-memory", appauthor=False) / "memory.db"


def read_config(
    environment: Mapping[str, str],
    *,
    database: str | None = None,
    project: str | None = None,
    model: str | None = None,
    read_only: bool = False,
    log_level: str | None = None,
    max_size: str | None = None,
    secrets: str | None = None,
) -> Config:
    """Resolve the configuration from flags first, then the environment. Raises InvalidInput naming the option."""
    level = (log_level or environment.get("MCP_MEMORY_LOG_LEVEL") or "WARNING").upper()
    if level not in LOG_LEVELS:
        raise InvalidInput(f"--log-level {level} is none of {', '.join(LOG_LEVELS)}.")
    path = database or environment.get("MCP_MEMORY_DATABASE")
    encoder = model or environment.get("MCP_MEMORY_MODEL")
    if not project:
        project = environment.get("MCP_MEMORY_PROJECT")
    if not project and environment.get("CLAUDE_PROJECT_DIR"):
        project = project_of(environment["CLAUDE_PROJECT_DIR"]) or Path(environment["CLAUDE_PROJECT_DIR"]).name
    return Config(
        database=Path(path).expanduser() if path else default_database(),
        project=project or None,
        model=Path(encoder).expanduser() if encoder else None,
        read_only=read_only or _flag(environment.get("MCP_MEMORY_READ_ONLY", ""), "MCP_MEMORY_READ_ONLY"),
        log_level=level,
        secrets=read_policy(secrets or environment.get("MCP_MEMORY_SECRETS") or "mask"),
        max_size=_size(max_size, "--max-size") or _size(environment.get("MCP_MEMORY_MAX_SIZE"), "MCP_MEMORY_MAX_SIZE"),
    )


def is_own_directory(directory: Path) -> bool:
    """Return whether a directory is the data directory of this program, where nobody else keeps files."""
    return directory.absolute() == default_database().parent.absolute()


def _size(text: str | None, name: str) -> int | None:
    try:
        return read_size(text) if text else None
    except InvalidInput as problem:
        raise InvalidInput(f"{name}: {problem}") from problem


def _flag(text: str, name: str) -> bool:
    word = text.strip().lower()
    if word in ("", "0", "false", "no", "off"):
        return False
    if word in ("1", "true", "yes", "on"):
        return True
    raise InvalidInput(f"{name}={text} is neither true nor false.")
