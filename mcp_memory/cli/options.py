"""What every command shares: its options, the memory it opens, how an answer is printed; and the group they belong to."""

import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_memory.domain.logs import log_to_stderr
from mcp_memory.domain.projects import project_here
from mcp_memory.errors import MemoryProblem, NotFound, ReadOnly
from mcp_memory.privacy.sanitizing import visible
from mcp_memory.server import run
from mcp_memory.server.config import Config, read_config
from mcp_memory.server.run import open_memory
from mcp_memory.server.stdio.early_responder import start_front

if TYPE_CHECKING:  # what is heavy is imported by the command that needs it
    from mcp_memory.domain.model import Caller
    from mcp_memory.memory import Memory
    from mcp_memory.server.tools import Answer
    from mcp_memory.sqlite.database import Database

CLIENT = "command line"
LONG = 64
"""Steps from which on a progress bar is worth its line."""

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
    """Give a command the options of read_config, before or after its name, and hand it a Config as first argument."""

    @wraps(command)
    def wrapper(**values: Any) -> Any:
        context = click.get_current_context()
        given = {name: values.pop(name) for name in _NAMES}
        for name, value in (context.parent.params if context.parent else {}).items():
            if name in given and not given[name]:
                given[name] = value
        with _problems_told():
            config = read_config(os.environ, **given)
            log_to_stderr(config.log_level)
            return command(config, **values)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


@contextmanager
def _problems_told() -> Generator[None]:
    try:
        yield
    except MemoryProblem as problem:
        raise click.ClickException(visible(str(problem))) from problem


def open_existing(config: Config) -> "tuple[Memory, Caller]":
    """The memory, where there is one: what only reads or changes makes no file out of a mistyped name."""
    require_file(config)
    return open_memory_for(config)


def require_file(config: Config) -> None:
    """Raises NotFound where there is no memory file, or an empty one, which none ever is and which is left as it is."""
    if not config.database.exists():
        raise NotFound(
            f"There is no memory file {config.database} yet. Remember something first, or name another file."
        )
    if config.database.is_file() and not config.database.stat().st_size:
        raise NotFound(
            f"{config.database} is empty (0 bytes), and a memory file never is. If there was a memory in it, restore a "
            f"backup: `mcp-memory restore BACKUP --database {config.database}`. If it is to be a new one, remember "
            "something first."
        )


def require_writable(config: Config) -> None:
    """Raises ReadOnly where nothing may be changed."""
    if config.read_only:
        raise ReadOnly(f"{config.database} is open for reading only, so nothing can be changed in it.")


@contextmanager
def open_database(config: Config) -> "Generator[Database]":
    """The file alone, without an encoder. Raises Unusable and ReadOnly."""
    from mcp_memory.sqlite.database import Database

    database = Database(config.database, read_only=config.read_only)
    try:
        yield database
    finally:
        database.close()


def open_memory_for(config: Config) -> "tuple[Memory, Caller]":
    """The memory, made where there is none, and who asks it from a shell."""
    from mcp_memory.domain.call_hints import TO_SHELL
    from mcp_memory.domain.model import Caller
    from mcp_memory.recall.language_coverage import ADVICE

    logging.getLogger(ADVICE).setLevel(logging.ERROR)
    project = config.project or project_here()
    return open_memory(config), Caller(client=CLIENT, project=project, speech=TO_SHELL)


def call_tool(config: Config, tool: str, arguments: Mapping[str, Any], *, as_json: bool) -> None:
    """Carry a tool out as a client would, and print its answer."""
    answer = answer_of(config, tool, arguments)
    print_answer(answer.data if as_json else answer.text)


def answer_of(config: Config, tool: str, arguments: Mapping[str, Any]) -> "Answer":
    """What a tool answers to the arguments that were given, when the vectors of what it keeps are made."""
    from mcp_memory.server.tools import tool_named

    memory, caller = open_memory_for(config) if tool == "remember" else open_existing(config)
    with memory, progress_bar() as progress:
        memory.wait_for_encoder()
        given = {name: value for name, value in arguments.items() if value not in (None, (), [])}
        answer = tool_named(tool).call(memory, given, caller=caller, progress=progress)
        if answer.data.get("pending"):
            memory.make_vectors(progress)
    return answer


def print_answer(answer: Any) -> None:
    """Print text line by line, anything else as JSON."""
    if not isinstance(answer, str):
        click.echo(_UNSEEN.sub(_escaped, json.dumps(answer, ensure_ascii=False, indent=2)))
        return
    for line in answer.split("\n"):
        click.echo(_coloured(visible(line)))


_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""What JSON may hold as it is and a terminal obeys or hides."""


def _escaped(match: re.Match[str]) -> str:
    """A character as JSON escapes it, so that a program reads the text as it was kept."""
    return json.dumps(match[0])[1:-1]


def _coloured(line: str) -> str:
    """A line with its id and date dimmed and what replaced something marked; plain where there is no terminal."""
    if line.startswith("#") and ": " in line:
        head, _, text = line.partition(": ")
        return click.style(head + ":", fg="cyan") + " " + text
    if line.startswith(("<memories>", "</memories>", "  was:", "  source")):
        return click.style(line, dim=True)
    return line


@contextmanager
def progress_bar(*, long: int = LONG) -> Generator[Callable[[int, int], None]]:
    """A bar on standard error while something of more than `long` steps runs on a terminal; nothing elsewhere."""
    with ExitStack() as stack:
        bars: list[Any] = []

        def progress(done: int, total: int) -> None:
            if total <= long or not sys.stderr.isatty():
                return
            if not bars:
                bars.append(stack.enter_context(click.progressbar(length=total, file=sys.stderr, show_eta=True)))
            bars[0].update(done - bars[0].pos)

        yield progress


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcp-memory", prog_name="mcp-memory")
@configured
def main(config: Config) -> None:
    """A memory for AI assistants that outlives the session.

    Without a command it serves an MCP client over standard input and output.

    \b
    Examples:
      mcp-memory demo
      mcp-memory remember "The staging database runs on Postgres 16."
      mcp-memory recall "which database is on staging"
    """
    context = click.get_current_context()
    if os.environ.get("NO_COLOR"):
        context.color = False
    _speak_utf8()
    if context.invoked_subcommand is None:
        serve_stdio_of(config)


def _speak_utf8() -> None:
    """Print in UTF-8 whatever the console's code page, and what no encoding knows as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def serve_stdio_of(config: Config) -> None:
    """Serve the client of standard input and output until it goes."""
    if sys.stdin.isatty():
        click.echo("Serving an MCP client over standard input and output; mcp-memory --help says what else.", err=True)
    run.serve(start_front(), config)
