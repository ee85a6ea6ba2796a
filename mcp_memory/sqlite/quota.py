"""Quota: how much of the file is in use, and the refusal of what exceeds its limit."""

from collections.abc import Sequence

import apsw

from mcp_memory.domain.size import Room, format_size
from mcp_memory.domain.steps import AddItem, AmendItem, KeepDigest, Step
from mcp_memory.errors import Unusable

TO_COME = 2_000  # Bytes an item takes later, for vector and topics (python -m bench.scale: 2,450 an item in all)


def room(connection: apsw.Connection, limit: int | None) -> Room:
    """Return the bytes in use: all pages but the free ones."""
    pages: int = connection.pragma("page_count") - connection.pragma("freelist_count")
    return Room(pages * int(connection.pragma("page_size")), limit)


def require_room(connection: apsw.Connection, limit: int | None, steps: Sequence[Step]) -> None:
    """Raise Unusable where the steps just carried out exceed the limit; deletions, undos and counts always pass."""
    if limit is None or not any(_keeps(step) for step in steps):
        return
    found = room(connection, limit)
    needed = found.used + TO_COME * sum(isinstance(step, AddItem) and step.embedding is None for step in steps)
    if needed > limit:
        raise Unusable(
            f"The store is full: with this it would hold {format_size(needed)}, and it may hold {format_size(limit)} "
            "(--max-size, MCP_MEMORY_MAX_SIZE). Nothing was kept. Forget and erase what is no longer needed, or "
            "raise the limit; recall, forget and undo go on working."
        )


def _keeps(step: Step) -> bool:
    return isinstance(step, AddItem | KeepDigest) or (isinstance(step, AmendItem) and "text" in step.fields)
