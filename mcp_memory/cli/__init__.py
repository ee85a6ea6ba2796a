"""The command line: the same verbs as the tools, what an operator does, and the wiring of it all."""

from mcp_memory.cli import backup, encryption, export_import, folder, hook, maintenance, serve, setup, topics, verbs
from mcp_memory.cli.options import main

__all__ = [
    "backup",
    "encryption",
    "export_import",
    "folder",
    "hook",
    "main",
    "maintenance",
    "serve",
    "setup",
    "topics",
    "verbs",
]
