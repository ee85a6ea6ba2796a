"""Statistics of the file: how much it holds, what it grew by, how often items were used."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from mcp_memory.domain.model import USER
from mcp_memory.domain.stats import Stats
from mcp_memory.language.dates.periods import DAY
from mcp_memory.language.detection import language_of
from mcp_memory.sqlite.database import schema_version
from mcp_memory.sqlite.history import folds
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.topic_rows import SHOWN
from mcp_memory.sqlite.index.topics import WAITING
from mcp_memory.sqlite.rows import fetch

OPENING = 400  # Characters used for language detection: 100,000 items stay a matter of seconds
GROWTH_DAYS = 30  # Days whose growth is counted daily
AVOIDED = """
    SELECT (SELECT coalesce(sum(seen - 1), 0) FROM items) + (SELECT coalesce(sum(c.times), 0) FROM confirmations AS c
        JOIN operations AS o ON o.id = c.operation_id WHERE c.until_time IS NULL AND o.verb = 'remember')
"""
"""Repetitions of known statements; an update that confirms avoids nothing."""
REPLACEMENTS = """
    SELECT count(*) FROM (SELECT DISTINCT from_id, to_id FROM links WHERE type = 'replaces' AND until_time IS NULL)
"""

_LIVE = "FROM revisions AS r WHERE r.until_time IS NULL AND r.status = 'live'"
_TAKEN_BACK = (
    "SELECT count(*) FROM revisions AS r JOIN operations AS o ON o.id = r.operation_id "
    "WHERE r.until_time IS NULL AND r.status = 'forgotten' AND r.restores IS NULL AND o.undoes IS NOT NULL"
)
"""Items without a state left after an undo: nobody forgot them."""
_UNINDEXED = "SELECT count(*) FROM revisions WHERE status = 'live' AND id NOT IN (SELECT id FROM text_index_docsize)"
_DIGESTED = """
    SELECT DISTINCT i.source_id FROM topics AS t JOIN topic_revisions AS m ON m.topic_id = t.id
    JOIN revisions AS r ON r.id = m.revision_id JOIN items AS i ON i.id = r.item_id WHERE t.until_time IS NULL
"""
_HOLDING = {
    "words": ("text_index",),
    "vectors": ("vectors", "binary_vectors", "encoders"),
    "truth": ("sources", "items", "repeats", "revisions", "links", "operations", "topic"),
    "topics": ("cluster",),
}
"""Tables by prefix, and what they hold with their indexes."""


def stats(connection: apsw.Connection, path: Path, *, encoder: str | None, now: int) -> Stats:
    counts = dict(fetch(connection, "SELECT status, count(*) FROM revisions WHERE until_time IS NULL GROUP BY status"))
    log = Path(f"{path}-wal")
    live = counts.get("live", 0)
    recalled: int = connection.execute(f"SELECT count(*) {_LIVE} AND r.item_id IN (SELECT item_id FROM uses)").get
    taken_back: int = connection.execute(_TAKEN_BACK).get
    growth, per_day = _growth(connection, now)
    return Stats(
        path=str(path),
        bytes=sum(file.stat().st_size for file in (path, log) if file.exists()),
        sources=connection.execute("SELECT count(*) FROM sources").get,
        items=live,
        replaced=counts.get("replaced", 0),
        forgotten=counts.get("forgotten", 0) - taken_back,
        taken_back=taken_back,
        operations=connection.execute("SELECT count(*) FROM operations").get,
        pending=vectors.count_pending(connection, encoder or ""),
        encoder=encoder,
        scopes=dict(
            fetch(
                connection, f"SELECT r.scope, count(*) {_LIVE} GROUP BY r.scope ORDER BY r.scope <> '{USER}', 2 DESC, 1"
            )
        ),
        kinds=dict(fetch(connection, f"SELECT r.kind, count(*) {_LIVE} GROUP BY r.kind ORDER BY 2 DESC, 1")),
        schema=schema_version(connection),
        languages=_languages(connection),
        growth=growth,
        per_day=per_day,
        duplicates_avoided=connection.execute(AVOIDED).get,
        replacements=connection.execute(REPLACEMENTS).get,
        recalled=recalled,
        never_recalled=1 - recalled / live if live else 0.0,
        unindexed=connection.execute(_UNINDEXED).get,
        topics=connection.execute(f"SELECT count(*) FROM clusters AS c WHERE {SHOWN}").get,
        ungathered=connection.execute(WAITING).get,
        tool_history=folds.counts(connection),
        sizes=_sizes(connection) | ({"log": log.stat().st_size} if log.exists() else {}),
        **_digests(connection),
    )


def _growth(connection: apsw.Connection, now: int) -> tuple[dict[str, int], float]:
    first: int | None = connection.execute("SELECT min(recorded_at) FROM items").get
    if first is None:
        return {}, 0.0
    today = now // DAY
    rows = fetch(
        connection,
        f"SELECT recorded_at / {DAY}, count(*) FROM items WHERE recorded_at / {DAY} > ? GROUP BY 1 ORDER BY 1 DESC",
        (today - GROWTH_DAYS,),
    )
    days = max(1, min(GROWTH_DAYS, today - first // DAY + 1))
    by_date = {datetime.fromtimestamp(day * DAY / 1000, UTC).date().isoformat(): count for day, count in rows}
    return by_date, sum(by_date.values()) / days


def _languages(connection: apsw.Connection) -> dict[str, int]:
    counts = Counter(
        language_of(text[:OPENING]) or "unknown"
        for (text,) in connection.execute(f"SELECT r.text {_LIVE} AND r.kind <> 'tool'")
    )
    return dict(counts.most_common())


def _digests(connection: apsw.Connection) -> dict[str, Any]:
    """Return the fields of Stats about digests."""
    [(digests, digest_bytes, stale)] = fetch(
        connection,
        "SELECT count(*), coalesce(sum(octet_length(digest)), 0), coalesce(sum(EXISTS (SELECT 1 FROM topic_revisions AS m "
        "JOIN revisions AS r ON r.id = m.revision_id WHERE m.topic_id = t.id AND r.until_time IS NOT NULL)), 0) "
        "FROM topics AS t WHERE t.until_time IS NULL",
    )
    total: int = connection.execute("SELECT coalesce(sum(octet_length(text)), 0) FROM sources").get
    digested: int = connection.execute(
        f"SELECT coalesce(sum(octet_length(text)), 0) FROM sources WHERE id IN ({_DIGESTED})"
    ).get
    return {
        "digests": digests,
        "stale_digests": stale,
        "source_bytes": total,
        "digested_bytes": digested,
        "digest_bytes": digest_bytes,
        "compression": digested / digest_bytes if digest_bytes else None,
    }


def _sizes(connection: apsw.Connection) -> dict[str, int]:
    """Return bytes of pages by content (SQLite's dbstat)."""
    sizes = {"truth": 0, "words": 0, "vectors": 0, "topics": 0, "other": 0}
    indexes = dict(fetch(connection, "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'"))
    for name, size in fetch(connection, "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE"):
        table = indexes.get(name, name)
        holds = next((what for what, starts in _HOLDING.items() if table.startswith(starts)), "other")
        sizes[holds] += size
    page: int = connection.pragma("page_size")
    sizes["free"] = connection.pragma("freelist_count") * page
    sizes["other"] += connection.pragma("page_count") * page - sum(
        sizes.values()
    )  # pointer maps: dbstat passes over them
    return sizes
