"""The recording of statements as its callers see it: a protocol, and how its progress is reported."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mcp_memory.domain.model import Caller, Kind, Operation, Statement
from mcp_memory.domain.results import Remembered, RememberedItem
from mcp_memory.domain.steps import Step

Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


class Recorder(Protocol):
    """Compares statements with what is known and stores them (remember.pipeline.Rememberer). Thread-safe."""

    def remember(
        self,
        statements: Sequence[Statement],
        *,
        operation: Operation,
        progress: Progress,
        caller: Caller | None = None,
        inline: int = ...,
        first: Sequence[Step] = (),
        fields: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> Remembered: ...

    def preview(
        self, statements: Sequence[Statement], *, progress: Progress, inline: int = ...
    ) -> list[RememberedItem]: ...

    def estimate(self, text: str, kind: Kind) -> float: ...
