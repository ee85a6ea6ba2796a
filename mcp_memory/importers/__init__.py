"""What can be imported: one module a format, each of which knows its own bytes and turns them into what they say.

A module has `recognises(head)`, given the first HEAD bytes of a file. Our own format becomes records of truth, which are
merged; a foreign one becomes what is remembered.
"""

from mcp_memory.errors import InvalidInput
from mcp_memory.importers import jsonl

FORMATS = {"jsonl": jsonl}
"""By name; the first that recognises a file reads it."""
HEAD = 4096
"""Bytes that are looked at."""


def recognise(head: bytes) -> str:
    """The name of the format of a file that begins so. Raises InvalidInput where none knows it."""
    for name, module in FORMATS.items():
        if module.recognises(head):
            return name
    if head.startswith(b"SQLite format 3\0"):
        raise InvalidInput("This is a database; `mcp-memory merge FILE` brings another memory file in.")
    raise InvalidInput(f"The format is not known. What can be imported: {', '.join(FORMATS)}.")
