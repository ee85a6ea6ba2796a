"""Opening the memory, or the file alone, for a command."""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from mcp_memory.cli.output import print_answer, progress_bar
from mcp_memory.domain.call_hints import TO_SHELL
from mcp_memory.domain.model import Caller
from mcp_memory.domain.projects import project_here
from mcp_memory.errors import NotFound, ReadOnly
from mcp_memory.memory import Memory
from mcp_memory.recall.language_coverage import ADVICE
from mcp_memory.server.config import Config
from mcp_memory.server.memory_host import open_memory
from mcp_memory.server.tools import Answer, tool_named
from mcp_memory.sqlite.database import Database
from mcp_memory.sqlite.index.vector_search import VectorScan

CLIENT = "command line"


def open_existing(config: Config) -> tuple[Memory, Caller]:
    """Open a memory that exists: a mistyped name must not become a new file."""
    require_file(config)
    return open_memory_for(config)


def require_file(config: Config) -> None:
    """Raise NotFound where there is no memory file, or an empty one, which is never ours and is left alone."""
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
    if config.read_only:
        raise ReadOnly(f"{config.database} is open for reading only, so nothing can be changed in it.")


@contextmanager
def open_database(config: Config) -> Generator[Database]:
    database = Database(config.database, read_only=config.read_only)
    try:
        yield database
    finally:
        database.close()


def open_memory_for(config: Config) -> tuple[Memory, Caller]:
    """Open the memory, creating a missing file, and identify the shell as its caller."""

    logging.getLogger(ADVICE).setLevel(logging.ERROR)
    project = config.project or project_here()
    return open_memory(config, search=VectorScan), Caller(client=CLIENT, project=project, speech=TO_SHELL)


def call_tool(config: Config, tool: str, arguments: Mapping[str, Any], *, as_json: bool) -> None:
    answer = answer_of(config, tool, arguments)
    print_answer(answer.data if as_json else answer.text)


def answer_of(config: Config, tool: str, arguments: Mapping[str, Any]) -> Answer:
    """Call a tool, and encode what it stored before returning its answer."""

    memory, caller = open_memory_for(config) if tool == "remember" else open_existing(config)
    with memory, progress_bar() as progress:
        memory.wait_for_encoder()
        given = {name: value for name, value in arguments.items() if value not in (None, (), [])}
        answer = tool_named(tool).call(memory, given, caller=caller, progress=progress)
        if answer.data.get("pending"):
            memory.maintenance.make_vectors(progress)
    return answer
