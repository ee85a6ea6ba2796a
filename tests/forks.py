"""Processes of tests: each begins with what it takes already imported, where the system can fork."""

import sys

from bench.kills import CONTEXT as FORKS

if (
    sys.platform == "linux"
):  # one server forks for the tests and the harnesses of bench/; the last list of imports holds
    FORKS.set_forkserver_preload(
        [
            "bench.kills",
            "hypothesis",
            "keyring",
            "mcp_memory.encoders.hashing",
            "mcp_memory.memory",
            "mcp_memory.sqlite.files.rekey",
            "pytest",
        ]
    )
