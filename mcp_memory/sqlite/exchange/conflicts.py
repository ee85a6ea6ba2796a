"""Conflicts of a merge in words: what is kept, and the call that restores the other."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import apsw

from mcp_memory.domain.ids import id_text
from mcp_memory.exchange.merge_result import MergeConflict
from mcp_memory.language.dates.periods import format_moment
from mcp_memory.sqlite.rows import fetch

Row = Mapping[str, Any]
SAYS = ("status", "text", "kind", "scope", "tags", "importance", "occurred_at", "valid_until", "pinned", "review_after")
"""Fields in which a difference between two states matters."""
SHOWN = 80
LISTED = 1000  # Repeated items reported at most


def changed(connection: apsw.Connection, ours: Row, theirs: Row) -> list[MergeConflict]:
    """Report an item that both sides changed: the later state is kept."""
    if all(ours[name] == theirs[name] for name in SAYS):
        return []
    kept, other = sorted((ours, theirs), key=lambda row: (row["from_time"], row["operation_id"]), reverse=True)
    item = id_text(ours["item_id"])
    where = "here" if kept is ours else "there"
    return [
        MergeConflict(
            "changed",
            (item, id_text(kept["operation_id"]), id_text(other["operation_id"])),
            f"#{item} was changed on both sides. Kept is the later change, made {where} on "
            f"{format_moment(kept['from_time'])} UTC: {_state(kept)}. The other, of "
            f"{format_moment(other['from_time'])} UTC, is in its history: {_state(other)}. "
            f"`mcp-memory history {item}` shows both, `mcp-memory undo {id_text(kept['operation_id'])}` takes the kept "
            "one back.",
        )
    ]


def erased(
    connection: apsw.Connection, other: apsw.Connection, item: int, *, at: int, here: bool
) -> list[MergeConflict]:
    """Report an item that one side erased although the other changed or repeated it later: it is erased."""
    side = other if here else connection
    later: int | None = side.execute(
        "SELECT max(time) FROM (SELECT max(from_time) AS time FROM revisions WHERE item_id = :item "
        "UNION ALL SELECT max(from_time) FROM confirmations WHERE item_id = :item)",
        {"item": item},
    ).get
    if later is None or later <= at:
        return []
    erased_in, changed_in = ("here", "there") if here else ("there", "here")
    return [
        MergeConflict(
            "erased",
            (id_text(item),),
            f"#{id_text(item)} was erased {erased_in} on {format_moment(at)} UTC and changed {changed_in} after that. "
            "It is erased in both; remember it anew if it should be kept.",
        )
    ]


def digests(ours: Sequence[Row], theirs: Sequence[Row]) -> list[MergeConflict]:
    """Report a topic for which both sides handed in a digest that the other did not know: the later one is kept."""
    known = {row["id"] for row in ours}, {row["id"] for row in theirs}
    mine = [row for row in ours if row["id"] not in known[1]]
    new = [row for row in theirs if row["id"] not in known[0]]
    if not mine or not new:
        return []
    latest = max([*mine, *new], key=lambda row: (row["from_time"], row["operation_id"]))
    if len({row["digest"] for row in (*mine[-1:], *new[-1:])}) == 1:
        return []
    where = "here" if latest in mine else "there"
    operation = id_text(latest["operation_id"])
    return [
        MergeConflict(
            "digest",
            (operation,),
            f"The digest of {latest['name']} ({latest['scope']}) was written on both sides. Kept is the later one, "
            f"written {where}; `mcp-memory undo {operation}` takes it back and shows the other.",
        )
    ]


def twice_replaced(connection: apsw.Connection, other: apsw.Connection) -> list[MergeConflict]:
    """Report items that each side replaced by an item of its own, both of which are live."""
    rows = fetch(
        connection,
        """
        SELECT l.to_id, l.from_id, l.operation_id, r.text FROM links AS l
        JOIN revisions AS r ON r.item_id = l.from_id AND r.until_time IS NULL AND r.status = 'live'
        WHERE l.type = 'replaces' AND l.until_time IS NULL AND l.to_id IN (
            SELECT to_id FROM links WHERE type = 'replaces' AND until_time IS NULL
            GROUP BY to_id HAVING count(DISTINCT from_id) > 1
        ) ORDER BY l.to_id, l.from_id
        """,
    )
    by_item: dict[int, dict[int, str]] = {}
    for item, newer, _, text in rows:
        by_item.setdefault(item, {})[newer] = text
    found: list[MergeConflict] = []
    for item, newer in by_item.items():
        there = {row[0] for row in fetch(other, "SELECT from_id FROM links WHERE to_id = ?", (item,))}
        if len(newer) < 2 or not there & newer.keys() or there >= newer.keys():
            continue
        named = " and ".join(f"#{id_text(number)} ({_short(text)})" for number, text in newer.items())
        found.append(
            MergeConflict(
                "replaced",
                (id_text(item), *map(id_text, newer)),
                f"#{id_text(item)} was replaced on both sides, by {named}. Both are kept; "
                f"`mcp-memory forget {id_text(min(newer))}`, or the other, where only one of them is true.",
            )
        )
    return found


def said_twice(connection: apsw.Connection, new: Collection[int]) -> list[MergeConflict]:
    """Report added live items that repeat another of the same scope word for word."""
    found: list[MergeConflict] = []
    for item in sorted(new):
        for other, text in fetch(
            connection,
            "SELECT o.item_id, r.text FROM revisions AS r JOIN revisions AS o ON o.normal_hash = r.normal_hash "
            "AND o.scope = r.scope AND o.item_id <> r.item_id AND o.until_time IS NULL AND o.status = 'live' "
            "WHERE r.item_id = ? AND r.until_time IS NULL AND r.status = 'live' AND (SELECT s.kind FROM items AS i "
            "JOIN sources AS s ON s.id = i.source_id WHERE i.id = r.item_id) <> 'transcript' ORDER BY o.item_id",
            (item,),
        ):
            if other not in new:
                found.append(
                    MergeConflict(
                        "same",
                        (id_text(other), id_text(item)),
                        f"#{id_text(other)} and #{id_text(item)} say the same: {_short(text)}. Both are kept, and recall "
                        f"shows one; `mcp-memory forget {id_text(max(item, other))}` where one is enough.",
                    )
                )
                break
        if len(found) == LISTED:
            break
    return found


def _state(row: Row) -> str:
    return _short(row["text"]) if row["status"] == "live" else f"{row['status']} ({_short(row['text'])})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line}”" if len(line) <= SHOWN else f"“{line[: SHOWN - 1]}…”"
