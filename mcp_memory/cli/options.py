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

_VALUES = (
    ("database", "FILE", "The memory file."),
    ("project", "NAME", "The project this is about."),
    ("model", "DIR", "A directory with an encoder.json."),
    ("read-only", "", "Change nothing."),
    ("max-size", "SIZE", "What the file may hold, such as 500MB or 2GB."),
    ("secrets", "POLICY", "mask, keep or refuse what looks like a secret in what is remembered."),
    ("log-level", "LEVEL", "DEBUG, INFO, WARNING or ERROR, on stderr."),
)
"""Name, value and help of each; without a value it is a flag."""
_NAMES = [name.replace("-", "_") for name, _, _ in _VALUES]
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

    for (option, value, text), name in reversed(list(zip(_VALUES, _NAMES, strict=True))):
        described = f"{text} [env: MCP_MEMORY_{name.upper()}]"
        wrapper = click.option(f"--{option}", metavar=value or None, is_flag=not value, help=described)(wrapper)
    return wrapper


@contextmanager
def _click_errors() -> Generator[None]:
    try:
        yield
    except MemoryProblem as problem:
        raise click.ClickException(visible(str(problem))) from problem
