"""Statistics, audits and recoveries as lines for a person, and as data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mcp_memory.cli.output import first_lines
from mcp_memory.domain.model import Item
from mcp_memory.domain.size import Room
from mcp_memory.domain.stats import Stats
from mcp_memory.language.dates.periods import format_day
from mcp_memory.language.segmentation import shorten
from mcp_memory.language.token_count import counted
from mcp_memory.maintenance.audit import Audit
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.sqlite.recovery.repair import Recovered

LISTED = 20
"""Findings of a sort that are named one by one; beyond them the text counts, and --json has them all."""
_UNITS = ("B", "kB", "MB", "GB", "TB")
NAMED = 6


def stats_lines(stats: Stats) -> list[tuple[str, str]]:
    digests = f"{stats.digests} handed in, {stats.stale_digests} stale"
    if stats.compression is not None:
        digests += (
            f"; {_bytes(stats.digested_bytes)} of sources in {_bytes(stats.digest_bytes)} of digests"
            f" ({stats.compression:.1f} to 1)"
        )
    days = ", ".join(f"{day} {count:+,}" for day, count in list(stats.growth.items())[:NAMED])
    lag = f"{stats.pending:,} without a vector, {stats.unindexed:,} missing from the index of words"
    return [
        ("file", f"{stats.path}, {_bytes(stats.bytes)}, schema {stats.schema}"),
        ("encryption", stats.encryption or "none"),
        ("in use", _in_use(stats)),
        ("sizes", ", ".join(f"{name} {_bytes(size)}" for name, size in stats.sizes.items() if size)),
        ("sources", f"{stats.sources:,}, {_bytes(stats.source_bytes)}"),
        ("items", _items(stats)),
        ("topics", f"{stats.topics:,}; {counted(stats.ungathered, 'change')} to work in"),
        ("digests", digests),
        ("tool calls", ", ".join(f"{count:,} {name}" for name, count in stats.tool_history.items())),
        ("kinds", _counts(stats.kinds)),
        ("scopes", _counts(stats.scopes)),
        ("languages", _counts(stats.languages)),
        ("growth", f"{stats.per_day:.1f} items a day" + (f"; {days}" if days else "")),
        ("avoided", f"{counted(stats.duplicates_avoided, 'duplicate')}; {counted(stats.replacements, 'replacement')}"),
        ("recalled", f"{counted(stats.recalled, 'item')}, {stats.never_recalled:.0%} never"),
        ("lag", lag if stats.pending or stats.unindexed else "none"),
        ("encoder", stats.encoder or "none yet"),
        ("operations", f"{stats.operations:,}"),
        *([("advice", stats.advice)] if stats.advice else []),
    ]


def _items(stats: Stats) -> str:
    undone = f", {stats.taken_back:,} taken back" if stats.taken_back else ""
    return f"{stats.items:,} live, {stats.replaced:,} replaced, {stats.forgotten:,} forgotten{undone}"


def _in_use(stats: Stats) -> str:
    """Return how much of the limit is used, with what to do near it."""
    if stats.max_size is None:
        return f"{_bytes(stats.used)}, no limit (--max-size)"
    share = f"{_bytes(stats.used)} of {_bytes(stats.max_size)} ({stats.used / stats.max_size:.0%})"
    return "; ".join([share, *Room(stats.used, stats.max_size).notes])


def audit_lines(audit: Audit) -> Iterator[str]:
    """Yield the findings by sort, each with the ids to act on; secrets themselves are not shown."""
    yield f"{audit.checked:,} of {counted(audit.items, 'item')} looked at."
    yield from _section(
        "exact duplicates",
        "forget all but one",
        [
            " = ".join(f"#{item.id} ({item.scope})" for item in group) + f": {_short(group[0])}"
            for group in audit.duplicates
        ],
    )
    yield from _section(
        "near duplicates",
        "forget one, or remember one with replaces",
        [f"#{p.one.id} ~ #{p.other.id} ({p.cosine:.2f}): {_short(p.one)} | {_short(p.other)}" for p in audit.near],
    )
    yield from _section(
        "contradictions",
        "remember the right one again with replaces, or forget the wrong one",
        [f"#{p.one.id} -> #{p.other.id} ({p.what}): {_short(p.one)}" for p in audit.contradictions],
    )
    yield from _section(
        "secret-shaped text",
        "forget with --erase",
        [f"#{suspect.item.id} ({suspect.item.scope}): {', '.join(suspect.sorts)}" for suspect in audit.secrets],
    )
    yield from _section(
        "stale facts",
        "update with --confirm, or forget",
        [f"#{each.item.id} {_doubt(each.confirmed, each.review)}: {_short(each.item)}" for each in audit.stale],
    )
    found = audit.asked - len(audit.misses)
    share = f" ({found / audit.asked:.0%})" if audit.asked else ""
    yield f"self-test: {found} of {counted(audit.asked, 'item')}{share} came among the first five when asked for by their rarest words"
    yield from _listed(
        [f"#{miss.item.id} not found by {miss.question!r}: {_short(miss.item)}" for miss in audit.misses]
    )
    yield from audit.notes


def audit_data(audit: Audit) -> dict[str, Any]:
    """Return an audit as data, with every finding; of a secret only its place and sort."""
    return {
        "items": audit.items,
        "checked": audit.checked,
        "clean": audit.clean,
        "duplicates": [[_item(item) for item in group] for group in audit.duplicates],
        "near_duplicates": [
            {"ids": [p.one.id, p.other.id], "cosine": round(p.cosine, 4), "texts": [p.one.text, p.other.text]}
            for p in audit.near
        ],
        "contradictions": [
            {"ids": [p.one.id, p.other.id], "change": p.what, "texts": [p.one.text, p.other.text]}
            for p in audit.contradictions
        ],
        "secrets": [{"id": s.item.id, "scope": s.item.scope, "sorts": list(s.sorts)} for s in audit.secrets],
        "stale": [
            _item(each.item)
            | {
                "confirmed": None if each.confirmed is None else format_day(each.confirmed),
                "review_after": None if each.review is None else format_day(each.review),
            }
            for each in audit.stale
        ],
        "self_test": {
            "asked": audit.asked,
            "found": audit.asked - len(audit.misses),
            "misses": [_item(miss.item) | {"question": miss.question} for miss in audit.misses],
        },
        "notes": list(audit.notes),
    }


def _item(item: Item) -> dict[str, str]:
    return {"id": item.id, "scope": item.scope, "kind": item.kind, "text": item.text}


def _section(title: str, way_out: str, findings: list[str]) -> Iterator[str]:
    yield f"{title}: {len(findings)}" + (f" ({way_out})" if findings else "")
    yield from _listed(findings)


def _listed(findings: list[str]) -> Iterator[str]:
    yield from first_lines(findings, LISTED, "; --json lists them all")


def _doubt(confirmed: int | None, review: int | None) -> str:
    notes = [f"not confirmed since {format_day(confirmed)}"] if confirmed is not None else []
    return ", ".join(notes + ([f"review since {format_day(review)}"] if review is not None else []))


def _short(item: Item) -> str:
    return one_line(shorten(item.spoken, 24))


def _counts(counts: Mapping[str, int]) -> str:
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:NAMED]]
    return ", ".join(named + ([f"{len(counts) - NAMED} more"] if len(counts) > NAMED else [])) or "none"


def _bytes(size: int) -> str:
    """Format a size in the unit that leaves one to three digits before the point."""
    unit = 0
    while unit < len(_UNITS) - 1 and size / 1000**unit >= 999.95:
        unit += 1
    return f"{size / 1000**unit:.1f} {_UNITS[unit]}" if unit else f"{size} B"


def recovered_lines(found: Recovered, target: Path) -> Iterator[str]:
    """Yield what was saved, and what is lost as far as that can be known."""
    yield f"Saved in {target}: {_rows(found.saved)}."
    if found.missing:
        share = round(100 * found.missing / found.pages)
        yield (
            f"The file was cut off: {found.missing:,} of its {found.pages:,} pages ({share} %) are missing at its end, and "
            "what stood in them alone can't be named or counted."
        )
    if found.lost:
        yield f"Lost, at least: {_rows(found.lost)}."
    elif not found.missing:
        yield "Nothing is known to be lost."
    yield from found.notes


def _rows(tables: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in tables.items() if number) or "nothing"
