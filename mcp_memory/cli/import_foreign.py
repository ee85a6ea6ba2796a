"""Importing memories of other tools: format detection, reading, importing, and the report."""

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import click

from mcp_memory.bulk_import import Brought, Origin
from mcp_memory.cli.opening import open_memory_for, require_writable
from mcp_memory.cli.output import print_answer, progress_bar
from mcp_memory.errors import InvalidInput
from mcp_memory.exchange import archives, importers
from mcp_memory.exchange.importers.detection import parts, read, unread
from mcp_memory.exchange.importers.parsed import (
    Found,
    LeftOut,
    Malformed,
    Package,
    Unread,
)
from mcp_memory.language.token_count import counted
from mcp_memory.privacy.sanitizing import visible
from mcp_memory.render.outcomes import not_kept
from mcp_memory.server.config import Config

_Sorted: TypeAlias = tuple[Package, dict[str, list[Package]]]
"""A package, and what is read of it by format."""
TOLD = 20
"""Problems, and memories that resemble or replace others, that are told as text; --json has them all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of an import."""

    format: str | None
    scope: str | None
    tags: tuple[str, ...]
    dry_run: bool


def import_foreign(config: Config, paths: Sequence[tuple[Path, bytes]], wanted: Wanted, *, as_json: bool) -> None:
    """Import paths as one operation; each comes with what was read of standard input already.

    Paths that can't be read are reported, and the others imported. Exits with 1 where nothing could be read.
    """
    require_writable(config)
    packages, besides = _opened(paths, wanted.format)
    found = _found(packages, besides, wanted)
    with _where_to(config, dry_run=wanted.dry_run) as config:
        memory, caller = open_memory_for(config)
        with memory, progress_bar() as progress:
            memory.wait_for_encoder()
            brought = memory.bring(found, by=caller, progress=progress, dry_run=wanted.dry_run)
            if brought.pending:
                memory.make_vectors(progress)
    formats = {package.name: ", ".join(names) for package, names in packages}
    if as_json:
        print_answer(_data(brought, formats, dry_run=wanted.dry_run))
    else:
        for line in told(brought, formats, dry_run=wanted.dry_run):
            click.echo(visible(line))
    if brought.problems and len(brought.problems) == brought.records:
        click.get_current_context().exit(1)


def _opened(paths: Sequence[tuple[Path, bytes]], format_: str | None) -> tuple[list[_Sorted], list[Found]]:
    """Return the packages of paths with their files by format, and what is not read. Raises InvalidInput where all fail."""
    packages: list[_Sorted] = []
    besides: list[Found] = []
    refused: list[InvalidInput] = []
    for path in paths:
        try:
            found, left = _sorted(_package(path), format_)
        except InvalidInput as problem:
            refused.append(problem)
            besides.append(Unread("standard input" if str(path[0]) == "-" else path[0].name, str(problem)))
            continue
        packages += found
        besides += left
    if not packages:
        raise InvalidInput("\n".join(str(problem) for problem in refused))
    return packages, besides


def _package(given: tuple[Path, bytes]) -> Package:
    path, head = given
    if str(path) == "-":
        return archives.package_from(sys.stdin.buffer, head, "standard input")
    return archives.package_of(path)


def _sorted(package: Package, name: str | None) -> tuple[list[_Sorted], list[Found]]:
    """Split a package, and the archives in it, by format: all of it by the one named, else each file by its own.

    Returns beside it what no format reads. Raises InvalidInput where nothing is read.
    """
    if name:
        return [(package, {name: [package]})], []
    packages: list[_Sorted] = []
    besides: list[Found] = []
    for found in package.within:
        if isinstance(found, Unread):
            besides.append(found)
            continue
        try:
            packages.append((found, parts(found)))
            besides += unread(*packages[-1])
        except (InvalidInput, Malformed):
            besides.append(LeftOut(f"no format reads {found.name.partition('/')[2]}"))
    if not package.files and packages:
        return packages, [*besides, *unread(package, {})]
    try:
        formats = parts(package)
    except Malformed as problem:
        raise InvalidInput(f"{package.name} was not imported: {problem}") from None
    except InvalidInput as problem:
        if not packages:
            told = [str(found) for found in besides if isinstance(found, Unread)]
            raise InvalidInput("\n".join([*told, str(problem)])) from None
        formats = {}
    return [*([(package, formats)] if formats else []), *packages], [*unread(package, formats), *besides]


def _found(
    packages: Sequence[_Sorted], besides: Sequence[Found], wanted: Wanted
) -> list[tuple[Origin, Iterable[Found]]]:
    """Return the records of each format with their origin; the last also has what is not read."""
    found = [
        (Origin(package.name, name, wanted.scope, wanted.tags, importers.of_project(name)), read(name, parts))
        for package, formats in packages
        for name, parts in formats.items()
    ]
    origin, last = found[-1]
    return [*found[:-1], (origin, chain(last, besides))]


@contextmanager
def _where_to(config: Config, *, dry_run: bool) -> Generator[Config]:
    """Yield the settings; for a dry run without a memory file those of an empty temporary one."""
    if not dry_run or config.database.exists():
        yield config
        return
    with TemporaryDirectory(ignore_cleanup_errors=True) as nowhere:
        yield replace(config, database=Path(nowhere) / "memory.db")


def told(brought: Brought, formats: dict[str, str], *, dry_run: bool) -> list[str]:
    """Report what was imported, what was not and why, line by line."""
    named = ", ".join(f"{name} ({format_})" for name, format_ in formats.items())
    new = brought.count("created", "similar", "replaces")
    would = "would come" if dry_run else "came"
    kinds = ", ".join(f"{number} {kind}" for kind, number in brought.kinds.items())
    lines = [
        f"From {named} {would}: {_memories(new)}{f' ({kinds})' if kinds else ''}, of {counted(brought.records, 'record')}."
    ]
    if brought.known:
        lines.append(f"{brought.known} {'are' if brought.known > 1 else 'is'} known here already.")
    if brought.forgotten:
        lines.append(f"{brought.forgotten} forgotten here before: they stay so.")
    if brought.repeated:
        lines.append(f"{brought.repeated} said more than once there: they come once.")
    lines += _beside(
        brought, "replaces", ("takes the place of what it corrects", "take the place of what they correct")
    )
    lines += _beside(brought, "similar", ("resembles what is known", "resemble what is known"))
    lines += [f"{number} left out: {reason}." for reason, number in brought.left_out.items()]
    lines += [str(note) for note in brought.notes[:TOLD]]
    if brought.not_read:
        lines.append(f"Columns and fields not read: {_listed(brought.not_read)}.")
    lines += not_kept(brought.withheld)
    if brought.problems:
        lines.append(f"{len(brought.problems)} could not be read, and nothing of them was kept:")
        lines += [f"  {problem}" for problem in brought.problems[:TOLD]]
        if len(brought.problems) > TOLD:
            lines.append(f"  and {len(brought.problems) - TOLD} more, which --json lists.")
    if brought.operation:
        lines.append(f"`mcp-memory undo {brought.operation}` takes all of it back.")
    elif not dry_run:
        lines.append("Nothing was changed.")
    return lines


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return ", ".join(_short(name) for name in names[:TOLD]) + more


def _memories(number: int) -> str:
    return "1 new memory" if number == 1 else f"{number} new memories"


def _beside(brought: Brought, status: str, words: tuple[str, str]) -> list[str]:
    """Report the memories of a status, each with the one it relates to."""
    found = [item for item in brought.items if item.status == status]
    if not found:
        return []
    lines = [f"{len(found)} {words[len(found) > 1]}:"]
    for item in found[:TOLD]:
        other = f" (#{item.of.id}: {_short(item.of.text)})" if item.of else ""
        lines.append(f"  {_short(item.text)}{other}")
    return lines + ([f"  and {len(found) - TOLD} more, which --json lists."] if len(found) > TOLD else [])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:90]}…"


def _data(brought: Brought, formats: dict[str, str], *, dry_run: bool) -> dict[str, Any]:
    return {
        "formats": formats,
        "records": brought.records,
        "new": brought.count("created", "similar", "replaces"),
        "known": brought.known,
        "forgotten": brought.forgotten,
        "repeated": brought.repeated,
        "kinds": brought.kinds,
        "left_out": brought.left_out,
        "not_read": list(brought.not_read),
        "notes": [{"where": note.where, "note": note.note} for note in brought.notes],
        "masked": dict(brought.withheld.secrets),
        "items": [
            {"id": item.id, "status": item.status, "text": item.text, "of": item.of.id if item.of else None}
            for item in brought.items
        ],
        "problems": [{"where": problem.where, "problem": problem.problem} for problem in brought.problems],
        "operation": brought.operation,
        "dry_run": dry_run,
    }
