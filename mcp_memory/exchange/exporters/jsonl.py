"""Our own format: JSON Lines, one record of truth a line, between a header with its version and a line that ends it."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from mcp_memory.exchange.records import Record

HEADER = {"format": "mcp-memory", "version": 1}
"""The first line. The version grows when a reader of the earlier one would misread a file."""


def lines(records: Iterable[Record]) -> Iterator[bytes]:
    """The file, line by line; the same bytes for the same records in the same order.

    The last line counts the records and has the SHA-256 of all bytes before it, so that a cut is noticed.
    """
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
    """One line: UTF-8 without spaces, its keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
