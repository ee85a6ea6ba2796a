"""Options: flags before the environment, and a clear word about what cannot be used."""

from pathlib import Path

import pytest

from mcp_memory.errors import InvalidInput
from mcp_memory.server.config import Config, default_database, read_config

DEFAULTS = Config(database=default_database(), project=None, model=None, read_only=False, log_level="WARNING")


def test_with_nothing_said_the_file_lies_in_the_users_data_directory() -> None:
    assert read_config({}) == DEFAULTS
    assert default_database().name == "memory.db"
    assert default_database().is_absolute()


def test_empty_variables_are_as_good_as_none() -> None:
    names = ("DATABASE", "PROJECT", "MODEL", "READ_ONLY", "LOG_LEVEL")

    assert read_config({f"MCP_MEMORY_{name}": "" for name in names} | {"CLAUDE_PROJECT_DIR": ""}) == DEFAULTS


def test_the_environment_says_everything_a_flag_can() -> None:
    environment = {
        "MCP_MEMORY_DATABASE": "~/notes.db",
        "MCP_MEMORY_PROJECT": "ada/engine",
        "MCP_MEMORY_MODEL": "~/encoder",
        "MCP_MEMORY_READ_ONLY": "Yes",
        "MCP_MEMORY_LOG_LEVEL": "debug",
    }

    assert read_config(environment) == Config(
        database=Path.home() / "notes.db",
        project="ada/engine",
        model=Path.home() / "encoder",
        read_only=True,
        log_level="DEBUG",
    )


def test_a_flag_wins_over_the_environment() -> None:
    environment = {
        "MCP_MEMORY_DATABASE": "other.db",
        "MCP_MEMORY_PROJECT": "other",
        "MCP_MEMORY_MODEL": "other",
        "MCP_MEMORY_READ_ONLY": "0",
        "MCP_MEMORY_LOG_LEVEL": "ERROR",
    }
    flags = {"database": "a.db", "project": "a", "model": "m", "read_only": True, "log_level": "info"}

    assert read_config(environment, **flags) == Config(Path("a.db"), "a", Path("m"), True, "INFO")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"MCP_MEMORY_LOG_LEVEL": "loud"}, "--log-level LOUD is none of DEBUG, INFO, WARNING, ERROR."),
        ({"MCP_MEMORY_READ_ONLY": "perhaps"}, "MCP_MEMORY_READ_ONLY=perhaps is neither true nor false."),
    ],
)
def test_what_cannot_be_used_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_config(environment)

    assert str(caught.value) == message
