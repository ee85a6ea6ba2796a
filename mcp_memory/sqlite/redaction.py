"""What forgetting hides of a source's text and erasing takes out of it, with every other span left in its place."""

from collections.abc import Iterable

import apsw

from mcp_memory.sqlite.rows import fetch
from mcp_memory.text import Span

BLANK = "\u2588"
"""Stands in a source's text for each character that is gone, so that the spans of the others stay right."""

_PLACES = """
    SELECT id AS item_id, source_id, span_start, span_end FROM items
    UNION ALL SELECT item_id, source_id, span_start, span_end FROM repeats
"""


def places_of(connection: apsw.Connection, item: int) -> list[tuple[int, Span]]:
    """Each source that says an item, with where."""
    rows = fetch(connection, f"SELECT source_id, span_start, span_end FROM ({_PLACES}) WHERE item_id = ?", (item,))
    return [(source, Span(start, end)) for source, start, end in rows]


def spans_in(connection: apsw.Connection, source: int) -> tuple[list[Span], list[Span]]:
    """Where a source says items that were forgotten, and where it says any others."""
    rows = fetch(
        connection,
        f"SELECT r.status = 'forgotten', p.span_start, p.span_end FROM ({_PLACES}) AS p "
        "JOIN revisions AS r ON r.item_id = p.item_id AND r.until_time IS NULL WHERE p.source_id = ?",
        (source,),
    )
    forgotten = [Span(start, end) for gone, start, end in rows if gone]
    return forgotten, [Span(start, end) for gone, start, end in rows if not gone]


def blanked(text: str, gone: Iterable[Span], *, kept: Iterable[Span]) -> str:
    """The text with BLANK for each character of the spans that are gone, but for those that a kept span holds too.

    >>> blanked("one two three", [Span(0, 7)], kept=[Span(4, 13)]).replace(BLANK, ".")
    '....two three'
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
