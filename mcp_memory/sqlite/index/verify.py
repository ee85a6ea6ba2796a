"""Comparison of the indexes with the truth: every word, every date and every vector."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

import apsw
import numpy as np

from mcp_memory.language.dates.extraction import text_periods
from mcp_memory.language.token_count import counted
from mcp_memory.sqlite.index.postings import insert_words
from mcp_memory.sqlite.recovery.checks import counted_problems, guarded
from mcp_memory.sqlite.rows import INDEXED, fetch

COMPARED = 4096
ZONES = [timedelta(minutes=15 * quarters) for quarters in range(-48, 57)]  # Time zones from -12 to +14 hours

_ZERO = timedelta(0)


def differences(connection: apsw.Connection) -> Iterator[str]:
    """Yield each difference between indexes and truth: they are derived again to be compared, 100,000 items in a
    minute."""
    yield from guarded(connection, words_problems, dates_problems, vectors_problems)


def words_problems(connection: apsw.Connection) -> Iterator[str]:
    """Compare the full-text index with one built anew in memory."""
    differ = 0 if any(counted_problems(connection)) else len(_differing_words(connection))
    if differ:
        yield f"{counted(differ, 'state is', 'states are')} indexed by other words than said; run `mcp-memory reindex`"


def _differing_words(connection: apsw.Connection) -> set[int]:
    fresh = apsw.Connection(":memory:")
    try:
        schema: str = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'text_index'").get
        fresh.execute(schema)
        with fresh:
            for number, text, speaker in connection.execute(f"SELECT r.id, r.text, i.speaker {INDEXED}"):
                insert_words(fresh, number, text, speaker)
        return {state for state, _ in _by_state(connection).items() ^ _by_state(fresh).items()}
    finally:
        fresh.close()


def _by_state(connection: apsw.Connection) -> dict[int, int]:
    """Return a hash of each indexed state's words, columns and positions."""
    connection.execute("CREATE VIRTUAL TABLE temp.said USING fts5vocab(main, text_index, instance)")
    hashes: dict[int, int] = {}
    try:
        for state, *word in connection.execute("SELECT doc, term, col, offset FROM temp.said"):
            hashes[state] = hashes.get(state, 0) ^ hash(tuple(word))  # no word stands twice at one place
    finally:
        connection.execute("DROP TABLE temp.said")
    return hashes


def dates_problems(connection: apsw.Connection) -> Iterator[str]:
    """Compare the indexed dates with those parsed now. States without any are dated in the background."""
    rows = connection.execute(
        "SELECT r.text, t.periods, coalesce(r.occurred_at, i.recorded_at), r.occurred_at IS NOT NULL "
        "FROM text_dates AS t JOIN revisions AS r ON r.id = t.revision_id JOIN items AS i ON i.id = r.item_id "
        "WHERE r.status = 'live'"
    )
    wrong = sum(not _matches(text, periods, said, exact=bool(exact)) for text, periods, said, exact in rows)
    if wrong:
        yield f"the dates of {counted(wrong, 'state')} are indexed otherwise than they are read; run `mcp-memory reindex`"


def _matches(text: str, periods: str, said: int, *, exact: bool) -> bool:
    """Return whether the periods are those of a text, in any zone unless `exact`."""
    moment = datetime.fromtimestamp(said / 1000, UTC)
    zones = (_ZERO,) if exact else chain((_ZERO,), ZONES)
    return any(json.dumps(text_periods(text, said=moment + zone)) == periods for zone in zones)


def vectors_problems(connection: apsw.Connection) -> Iterator[str]:
    """Report vectors whose length differs from the encoder's, or bits from the codes."""
    wrong = len(damaged_vectors(connection))
    if wrong:
        which = counted(wrong, "vector does", "vectors do")
        yield f"{which} not have the encoder's length or its own signs; run `mcp-memory reindex`"


def damaged_vectors(connection: apsw.Connection) -> set[tuple[int, int]]:
    """Return encoder and state of each unusable vector."""
    wrong: set[tuple[int, int]] = set(
        fetch(
            connection,
            "SELECT encoder_id, revision_id FROM binary_vectors AS s WHERE NOT EXISTS "
            "(SELECT 1 FROM vectors AS v WHERE v.encoder_id = s.encoder_id AND v.revision_id = s.revision_id)",
        )
    )
    last = 0
    while rows := fetch(connection, _VECTORS, (last, COMPARED)):
        last = rows[-1][0]
        wrong.update((encoder, state) for _, encoder, state, *made in rows if not _usable(*made))
    return wrong


_VECTORS = """
    SELECT v.rowid, v.encoder_id, v.revision_id, e.dimensions, v.codes, coalesce(length(v.late), e.dimensions),
        coalesce(s.bits, x'')
    FROM vectors AS v JOIN encoders AS e ON e.id = v.encoder_id
    LEFT JOIN binary_vectors AS s ON s.encoder_id = v.encoder_id AND s.revision_id = v.revision_id
    WHERE v.rowid > ? ORDER BY v.rowid LIMIT ?
"""


def _usable(dimensions: int, codes: bytes, late: int, signs: bytes) -> bool:
    """Return whether a vector has its length, and each number that is not 0 its bit."""
    if len(codes) != dimensions or late != dimensions or len(signs) != (dimensions + 7) // 8:
        return False
    numbers = np.frombuffer(codes, np.int8)
    positive = np.unpackbits(np.frombuffer(signs, np.uint8), count=dimensions).astype(np.bool_)
    return bool((positive[numbers > 0]).all() and not positive[numbers < 0].any())
