"""Options that every command shares, and the configuration they make."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from mcp_memory.domain.logs import log_to_stderr
from mcp_memory.errors import MemoryProblem
from mcp_memory.privacy.sanitizing import visible
from mcp_memory.server.config import read_config

_OPTIONS = (
    click.option("--database", metavar="FILE", help="The memory file. [env: MCP_MEMORY_DATABASE]"),
    click.option("--project", metavar="NAME", help="The project this is about. [env: MCP_MEMORY_PROJECT]"),
    click.option("--model", metavar="DIR", help="A directory with an encoder.json. [env: MCP_MEMORY_MODEL]"),
    click.option("--read-only", is_flag=True, help="Change nothing. [env: MCP_MEMORY_READ_ONLY]"),
    click.option(
        "--max-size", metavar="SIZE", help="What the file may hold, such as 500MB or 2GB. [env: MCP_MEMORY_MAX_SIZE]"
    ),
    click.option(
        "--secrets",
        metavar="POLICY",
        help="mask, keep or refuse what looks like a secret in what is remembered. [env: MCP_MEMORY_SECRETS]",
    ),
    click.option(
        "--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR, on stderr. [env: MCP_MEMORY_LOG_LEVEL]"
    ),
)
_NAMES = ("database", "project", "model", "read_only", "max_size", "secrets", "log_level")
PATH = click.Path(path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print data instead of text.")


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of read_config, accepted before or after the command's name, and pass a Config as first argument."""

    @wraps(command)
    def wrapper(**values: Any) -> Any:
        context = click.get_current_context()
        given = {name: values.pop(name) for name in _NAMES}
        for name, value in (context.parent.params if context.parent else {}).items():
            if name in given and not given[name]:
                given[name] = value
        with _click_errors():
            config = read_config(os.environ, **given)
            log_to_stderr(config.log_level)
            return command(config, **values)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


@contextmanager
def _click_errors() -> Generator[None]:
    try:
        yield
    except MemoryProblem as problem:
        raise click.ClickException(visible(str(problem))) from problem
