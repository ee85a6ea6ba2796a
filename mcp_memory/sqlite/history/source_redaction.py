"""Blanking of spans in a source's text, with every other span left in its place."""

from collections.abc import Iterable

import apsw

from mcp_memory.language.tokenization import Span
from mcp_memory.sqlite.rows import fetch, holds

BLANK = "_"  # One byte, as a redacted text must not be longer; one for each character, which keeps other spans right


def places_of(connection: apsw.Connection, item: int) -> list[tuple[int, Span]]:
    """Return the sources and spans that state an item, or did before an undo."""
    rows = fetch(
        connection,
        "SELECT source_id, span_start, span_end FROM items WHERE id = :item "
        "UNION SELECT source_id, span_start, span_end FROM repeats WHERE item_id = :item",
        {"item": item},
    )
    return [(source, Span(start, end)) for source, start, end in rows]


def spans_in(connection: apsw.Connection, source: int, *, as_of: int | None = None) -> tuple[list[Span], list[Span]]:
    """Return the spans of forgotten items in a source and those of others; or as of `as_of`."""
    rows = fetch(
        connection,
        f"""
        SELECT r.status = 'forgotten' OR NOT p.held, p.span_start, p.span_end
        FROM (
            SELECT id AS item_id, span_start, span_end, 1 AS held FROM items WHERE source_id = :source
            UNION ALL SELECT item_id, span_start, span_end, max({holds("t", as_of)}) FROM repeats AS t
            WHERE source_id = :source GROUP BY item_id, span_start
        ) AS p JOIN revisions AS r ON r.item_id = p.item_id AND {holds("r", as_of)}
        """,
        {"source": source},
    )
    forgotten = [Span(start, end) for gone, start, end in rows if gone]
    return forgotten, [Span(start, end) for gone, start, end in rows if not gone]


def blank(text: str, gone: Iterable[Span], *, kept: Iterable[Span]) -> str:
    """Replace each character of the spans that are gone by BLANK, but for those that a kept span holds too.

    >>> blank("one two three", [Span(0, 7)], kept=[Span(4, 13)])
    '____two three'
    """
    parts: list[str] = []
    at = 0
    still = sorted(kept)
    for start, end in sorted(gone):
        start = max(start, at)
        if start >= end:
            continue
        parts.append(text[at:start])
        for first, last in still:
            if last <= start or first >= end:
                continue
            first, last = max(first, start), min(last, end)
            parts += [BLANK * (first - start), text[first:last]]
            start = last
        parts.append(BLANK * (end - start))
        at = end
    return "".join([*parts, text[at:]])
