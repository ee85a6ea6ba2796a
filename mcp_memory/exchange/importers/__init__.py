"""Import formats: one module each, which recognises its files and parses them.

Records of our own format are merged: its module has `recognises(head)`, given the first HEAD bytes of a file. Foreign
formats become memories: their modules have `recognises(package)` and `read(package)`, which yields records and
problems (importers.parsed).
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from mcp_memory.errors import InvalidInput

if TYPE_CHECKING:  # the names of the formats are known without what it takes to read them
    from mcp_memory.exchange.importers.parsed import Package, ReadResult

FORMATS: Mapping[str, str] = {"jsonl": "mcp_memory.exchange.importers.jsonl"}
"""Our own, by name, and the module that reads it."""
FOREIGN: Mapping[str, str] = {
    "graph": "mcp_memory.exchange.importers.server_memory",
    "mcp-memory-service": "mcp_memory.exchange.importers.memory_service",
    "mem0": "mcp_memory.exchange.importers.mem0",
    "letta": "mcp_memory.exchange.importers.letta",
    "chatgpt": "mcp_memory.exchange.importers.chatgpt",
    "claude": "mcp_memory.exchange.importers.claude",
    "rules": "mcp_memory.exchange.importers.instruction_files",
    "memory-folder": "mcp_memory.exchange.importers.agent_folder",
    "basic-memory": "mcp_memory.exchange.importers.basic_memory",
    "markdown": "mcp_memory.exchange.importers.markdown_notes",
    "records": "mcp_memory.exchange.importers.generic",
    "text": "mcp_memory.exchange.importers.plain_text",
}
"""Those of others, by name, and the module that reads each; the first that recognises something reads it."""
NAMES = (*FORMATS, *FOREIGN)
HEAD = 4096


def ours(head: bytes) -> bool:
    """Return whether a file is in our own format."""
    return any(import_module(module).recognises(head) for module in FORMATS.values())


def recognise(package: "Package") -> str:
    """Name the foreign format of a package. Raises InvalidInput where none fits."""
    for name, module in FOREIGN.items():
        if import_module(module).recognises(package):
            return name
    if package.files and package.files[0].data.startswith(b"SQLite format 3\0") and not package.whole:
        raise InvalidInput(
            f"{package.name} is a database, and none of mcp-memory-service. "
            "`mcp-memory merge FILE` brings another memory file in."
        )
    raise InvalidInput(
        f"The format of {package.name} is not known. What can be imported: {', '.join([*FORMATS, *FOREIGN])}; "
        "--format names one."
    )


def reader(name: str) -> "Callable[[Package], Iterator[ReadResult]]":
    return import_module(FOREIGN[name]).read


def of_project(name: str) -> bool:
    """Return whether memories of a format belong to the current project by default, rather than to the user."""
    return bool(getattr(import_module(FOREIGN[name]), "OF_PROJECT", False))
