"""Undo: what was done to a memory, by whom, and taking it back."""

from collections.abc import Callable, Sequence
from datetime import datetime

from mcp_memory.domain.model import Caller, Item, Operation, Undoing
from mcp_memory.domain.results import History, Undone
from mcp_memory.domain.steps import TakeBack
from mcp_memory.errors import NotFound
from mcp_memory.recall.filters import read_limit, read_operation, read_since
from mcp_memory.remember.intake import read_id
from mcp_memory.render import history as render_history
from mcp_memory.store import Store


def left_behind(store: Store, items: Sequence[Item]) -> list[Item]:
    """Return what some items replaced, and what that had replaced, which is hidden in the file and not among them."""
    gone = {item.id for item in items}
    before = [old for olds in store.replaced_by(sorted(gone)).values() for old in olds]
    return [old for old in {old.id: old for old in before}.values() if old.id not in gone and old.status == "replaced"]


class Undo:
    """Reads histories and undoes operations. Thread-safe."""

    def __init__(self, store: Store, operation: Callable[[str, str, Caller], Operation]) -> None:
        """`operation` makes one of its verb, its summary and who asks."""
        self._store = store
        self._operation = operation

    def history(self, item_id: str | None, *, since: str | None, limit: int, now: datetime, by: Caller) -> History:
        """Return an item's states, or without an id the operations. Raises NotFound for an unknown id."""
        limit, start = read_limit(limit), read_since(since, now=now) if since else 0
        if item_id is None:
            operations = self._store.operations(limit=limit, since=start)
            text = render_history.of_operations(operations) if operations or since else render_history.NOTHING
            return History(text, operations=operations)
        revisions = self._store.history(read_id(item_id))
        if not revisions:
            raise NotFound(f"The memory #{read_id(item_id)} was erased: nothing of it is left.")
        earlier = max(len(revisions) - limit, sum(revision.operation.at < start for revision in revisions))
        earlier = max(0, min(earlier, len(revisions) - 1))
        return History(render_history.of_item(revisions, earlier=earlier, speech=by.speech), revisions[earlier:])

    def undo(self, operation: str | None, *, by: Caller) -> Undone:
        """Take back the operation named, else the last of the caller's; raises what planning it raises."""
        undoing = self._undoing(operation, by)
        done = "brought back" if undoing.brings_back else "took back"
        step = TakeBack(undoing.operation.id if operation is None else read_operation(operation))
        undo = self._operation("undo", f"{done} {undoing.operation.verb} #{undoing.operation.id}", by)
        self._store.apply(undo, [step])
        return Undone(undoing, undo.id, render_history.of_undo(undoing, by=undo.id, speech=by.speech))

    def preview(self, operation: str | None, *, by: Caller) -> Undone:
        """Return the result that undo would have; raises what it would raise."""
        undoing = self._undoing(operation, by)
        return Undone(undoing, None, render_history.of_undo(undoing, by=None))

    def _undoing(self, operation: str | None, caller: Caller) -> Undoing:
        return self._store.undoing(caller if operation is None else read_operation(operation))
