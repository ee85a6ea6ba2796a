"""Our own format: JSON Lines, one record a line, between a header with its version and a closing line."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from mcp_memory.exchange.records import Record

HEADER = {"format": "mcp-memory", "version": 1}
"""The first line. The version grows when a reader of the earlier one would misread a file."""


def lines(records: Iterable[Record]) -> Iterator[bytes]:
    """Yield the lines; the last counts the records and has the SHA-256 of all before it, which reveals truncation."""
    digest = hashlib.sha256()
    count = 0
    line = encode(HEADER)
    digest.update(line)
    yield line
    for record in records:
        count += 1
        line = encode({"record": record.type, **record.fields})
        digest.update(line)
        yield line
    yield encode({"record": "end", "records": count, "sha256": digest.hexdigest()})


def encode(value: Any) -> bytes:
    """Encode one line: UTF-8 without spaces, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
