"""The command line: the same verbs as the tools, what an operator does, and the wiring of it all."""

from mcp_memory.cli import encryption, hook, keeping, mirroring, moving, serving, setup, topics, upkeep, verbs
from mcp_memory.cli.wiring import main

__all__ = [
    "encryption",
    "hook",
    "keeping",
    "main",
    "mirroring",
    "moving",
    "serving",
    "setup",
    "topics",
    "upkeep",
    "verbs",
]
