"""A memory for AI assistants that outlives the session, in one SQLite file on the user's machine."""

import os
from importlib import import_module

TYPE_CHECKING = False  # the typing module takes longer than all else that a server needs for its first answer
if TYPE_CHECKING:
    from typing import Any

    from mcp_memory.domain.model import Entry, Turn
    from mcp_memory.memory import Memory
    from mcp_memory.recall.filters import ItemQuery

# The matrices of a recall are small: OpenBLAS's threads cost more than they save, up to tenfold on a busy machine,
# and memory. It reads this when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
__all__ = ["Entry", "ItemQuery", "Memory", "Turn", "__version__"]

_HOMES = {"Memory": "memory", "Entry": "domain.model", "Turn": "domain.model", "ItemQuery": "recall.filters"}


def __getattr__(name: str) -> "Any":
    # Memory brings numpy and SQLite with it; a server's handshake must not wait for them.
    if name in _HOMES:
        return getattr(import_module(f"mcp_memory.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
