"""The command line: the same verbs as the tools, what an operator does, and the wiring of it all."""

from mcp_memory.cli import encryption, serving, topics, upkeep, verbs
from mcp_memory.cli.wiring import main

__all__ = ["encryption", "main", "serving", "topics", "upkeep", "verbs"]
