"""Processes of tests: each begins with what it takes already imported, where the system can fork."""

import multiprocessing
import sys

FORKS = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
FORKS.set_forkserver_preload(
    [
        "hypothesis",
        "keyring",
        "mcp_memory.encoders.hashing",
        "mcp_memory.memory",
        "mcp_memory.sqlite.files.rekey",
        "pytest",
    ]
)
