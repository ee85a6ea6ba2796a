"""Items that were stored together: in one call, or in one session within the same hour, a few of them."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import apsw

from mcp_memory.language.dates.periods import HOUR
from mcp_memory.sqlite.rows import fetch

FEW = 12  # Statements of a session up to which they give context: more are a list, or an import
BARE = 200  # Characters read of each: longer texts name their subject

_SESSION_STATEMENTS = f"""operations AS p JOIN revisions AS t ON t.operation_id = p.id AND t.number = 1
    AND p.client = o.client AND p.session = o.session AND p.verb = 'remember'
    AND p.at BETWEEN o.at / {HOUR} * {HOUR} AND (o.at / {HOUR} + 1) * {HOUR} - 1 AND (o.session <> '' OR p.id = o.id)"""
"""The statements of the session of the operation `o`."""


class Session(NamedTuple):
    name: str
    texts: tuple[str, ...]  # Their first BARE characters as first stated, in order
    place: int  # Index of the requested item


ALONE = Session("", (), 0)


def session_of(connection: apsw.Connection, revision_ids: Sequence[int]) -> dict[int, Session]:
    """Return, by state, what its item was stored with; none for passages, turns and lone statements."""
    rows = fetch(
        connection,
        f"""
        SELECT r.id, r.item_id, o.id, o.client, o.session, o.at / {HOUR},
            (SELECT count(*) FROM (SELECT 1 FROM {_SESSION_STATEMENTS} LIMIT {FEW + 1}))
        FROM revisions AS r JOIN items AS i ON i.id = r.item_id
        JOIN sources AS s ON s.id = i.source_id AND s.kind = 'words'
        JOIN revisions AS f ON f.item_id = r.item_id AND f.number = 1 JOIN operations AS o ON o.id = f.operation_id
        WHERE r.id IN (SELECT value FROM json_each(?)) AND o.verb = 'remember'
        """,
        (json.dumps(list(revision_ids)),),
    )
    texts: dict[str, dict[int, str]] = {}
    found: dict[int, Session] = {}
    for number, item, operation, client, session, hour, count in rows:
        # What is the first of its session says so too, for those that come when it has found its topic already.
        if count > FEW or (count == 1 and not session):
            continue
        name = f"{client} {session} {hour}" if session else f"{operation}"
        if name not in texts:
            rows = fetch(
                connection,
                f"SELECT t.item_id, substr(t.text, 1, {BARE}) FROM operations AS o JOIN {_SESSION_STATEMENTS} "
                "WHERE o.id = ? ORDER BY t.item_id",
                (operation,),
            )
            texts[name] = dict(rows)
        found[number] = Session(name, tuple(texts[name].values()), list(texts[name]).index(item))
    return found
