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

from mcp_memory.bulk_import import ImportResult, Origin
from mcp_memory.cli.opening import open_memory_for, require_writable
from mcp_memory.cli.output import first_lines, print_answer, print_lines, progress_bar
from mcp_memory.errors import InvalidInput
from mcp_memory.exchange import archives, importers
from mcp_memory.exchange.importers.detection import packages_by_format, read, unread_files
from mcp_memory.exchange.importers.parsed import Malformed, Package, ReadProblem, ReadResult, Skipped
from mcp_memory.language.token_count import counted
from mcp_memory.render.outcomes import not_kept
from mcp_memory.server.config import Config

_Sorted: TypeAlias = tuple[Package, dict[str, list[Package]]]
"""A package, and what is read of it by format."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class ImportOptions:
    format: str | None
    scope: str | None
    tags: tuple[str, ...]
    dry_run: bool


def import_foreign(
    config: Config, paths: Sequence[tuple[Path, bytes]], wanted: ImportOptions, *, as_json: bool
) -> None:
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
            imported = memory.importer.run(found, by=caller, progress=progress, dry_run=wanted.dry_run)
            if imported.pending:
                memory.maintenance.make_vectors(progress)
    formats = {package.name: ", ".join(names) for package, names in packages}
    if as_json:
        print_answer(_data(imported, formats, dry_run=wanted.dry_run))
    else:
        print_lines(import_report(imported, formats, dry_run=wanted.dry_run))
    if imported.problems and len(imported.problems) == imported.records:
        click.get_current_context().exit(1)


def _opened(paths: Sequence[tuple[Path, bytes]], format_: str | None) -> tuple[list[_Sorted], list[ReadResult]]:
    """Return the packages of paths with their files by format, and what is not read. Raises InvalidInput where all fail."""
    packages: list[_Sorted] = []
    besides: list[ReadResult] = []
    refused: list[InvalidInput] = []
    for path in paths:
        try:
            found, left = _sorted(_package(path), format_)
        except InvalidInput as problem:
            refused.append(problem)
            besides.append(ReadProblem("standard input" if str(path[0]) == "-" else path[0].name, str(problem)))
            continue
        packages += found
        besides += left
    if not packages:
        raise InvalidInput("\n".join(str(problem) for problem in refused))
    return packages, besides


def _package(given: tuple[Path, bytes]) -> Package:
    path, head = given
    if str(path) == "-":
        return archives.package_from_stream(sys.stdin.buffer, head, "standard input")
    return archives.open_package(path)


def _sorted(package: Package, name: str | None) -> tuple[list[_Sorted], list[ReadResult]]:
    """Split a package, and the archives in it, by format: all of it by the one named, else each file by its own.

    Returns beside it what no format reads. Raises InvalidInput where nothing is read.
    """
    if name:
        return [(package, {name: [package]})], []
    packages: list[_Sorted] = []
    besides: list[ReadResult] = []
    for found in package.within:
        if isinstance(found, ReadProblem):
            besides.append(found)
            continue
        try:
            packages.append((found, packages_by_format(found)))
            besides += unread_files(*packages[-1])
        except (InvalidInput, Malformed):
            besides.append(Skipped(f"no format reads {found.name.partition('/')[2]}"))
    if not package.files and packages:
        return packages, [*besides, *unread_files(package, {})]
    try:
        formats = packages_by_format(package)
    except Malformed as problem:
        raise InvalidInput(f"{package.name} was not imported: {problem}") from None
    except InvalidInput as problem:
        if not packages:
            reasons = [str(found) for found in besides if isinstance(found, ReadProblem)]
            raise InvalidInput("\n".join([*reasons, str(problem)])) from None
        formats = {}
    return [*([(package, formats)] if formats else []), *packages], [*unread_files(package, formats), *besides]


def _found(
    packages: Sequence[_Sorted], besides: Sequence[ReadResult], wanted: ImportOptions
) -> list[tuple[Origin, Iterable[ReadResult]]]:
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


def import_report(imported: ImportResult, formats: dict[str, str], *, dry_run: bool) -> list[str]:
    named = ", ".join(f"{name} ({format_})" for name, format_ in formats.items())
    new = imported.count("created", "similar", "replaces")
    would = "would come" if dry_run else "came"
    kinds = ", ".join(f"{number} {kind}" for kind, number in imported.kinds.items())
    lines = [
        f"From {named} {would}: {new} new {'memory' if new == 1 else 'memories'}{f' ({kinds})' if kinds else ''}, of {counted(imported.records, 'record')}."
    ]
    if imported.known:
        lines.append(f"{imported.known} {'are' if imported.known > 1 else 'is'} known here already.")
    if imported.forgotten:
        lines.append(f"{imported.forgotten} forgotten here before: they stay so.")
    if imported.repeated:
        lines.append(f"{imported.repeated} said more than once there: they come once.")
    lines += _beside(
        imported, "replaces", ("takes the place of what it corrects", "take the place of what they correct")
    )
    lines += _beside(imported, "similar", ("resembles what is known", "resemble what is known"))
    lines += [f"{number} left out: {reason}." for reason, number in imported.left_out.items()]
    lines += [str(note) for note in imported.notes[:SHOWN]]
    if imported.not_read:
        lines.append(f"Columns and fields not read: {_listed(imported.not_read)}.")
    lines += not_kept(imported.withheld)
    if imported.problems:
        lines.append(f"{len(imported.problems)} could not be read, and nothing of them was kept:")
        lines += first_lines(list(map(str, imported.problems)), SHOWN, ", which --json lists.")
    if imported.operation:
        lines.append(f"`mcp-memory undo {imported.operation}` takes all of it back.")
    elif not dry_run:
        lines.append("Nothing was changed.")
    return lines


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(_short(name) for name in names[:SHOWN]) + more


def _beside(imported: ImportResult, status: str, words: tuple[str, str]) -> list[str]:
    found = [item for item in imported.items if item.status == status]
    if not found:
        return []
    related = [f" (#{item.of.id}: {_short(item.of.text)})" if item.of else "" for item in found]
    lines = [f"{_short(item.text)}{other}" for item, other in zip(found, related, strict=True)]
    return [f"{len(found)} {words[len(found) > 1]}:", *first_lines(lines, SHOWN, ", which --json lists.")]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:90]}…"


def _data(imported: ImportResult, formats: dict[str, str], *, dry_run: bool) -> dict[str, Any]:
    return {
        "formats": formats,
        "records": imported.records,
        "new": imported.count("created", "similar", "replaces"),
        "known": imported.known,
        "forgotten": imported.forgotten,
        "repeated": imported.repeated,
        "kinds": imported.kinds,
        "left_out": imported.left_out,
        "not_read": list(imported.not_read),
        "notes": [{"where": note.where, "note": note.note} for note in imported.notes],
        "masked": dict(imported.withheld.secrets),
        "items": [
            {"id": item.id, "status": item.status, "text": item.text, "of": item.of.id if item.of else None}
            for item in imported.items
        ],
        "problems": [{"where": problem.where, "problem": problem.problem} for problem in imported.problems],
        "operation": imported.operation,
        "dry_run": dry_run,
    }
