"""A memory for AI assistants that outlives the session, in one SQLite file on the user's machine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_memory.memory import Memory

__version__ = "0.1.0"
__all__ = ["Memory", "__version__"]


def __getattr__(name: str) -> Any:
    # Memory brings numpy and SQLite with it; a server's handshake must not wait for them.
    if name == "Memory":
        from mcp_memory.memory import Memory

        return Memory
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
