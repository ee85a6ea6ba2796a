"""Export formats: one module each, which turns records into bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # the names of the formats are known without what it takes to write them
    from mcp_memory.exchange.records import Record

Exporter: TypeAlias = "Callable[[Iterable[Record]], Iterator[bytes]]"
FORMATS: Mapping[str, str] = {"jsonl": "mcp_memory.exchange.exporters.jsonl"}
"""By the name that --format gives, the module whose `lines` writes it."""


def exporter(name: str) -> Exporter:
    lines: Exporter = import_module(FORMATS[name]).lines
    return lines
