"""Export, import, and merging two files."""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import click

from mcp_memory.cli.folder import confirm_option, export_folder, export_graph, import_folder, keep_option
from mcp_memory.cli.import_foreign import ImportOptions, import_foreign
from mcp_memory.cli.opening import open_database, require_file, require_writable
from mcp_memory.cli.options import PATH, configured, json_option
from mcp_memory.cli.output import first_lines, print_answer, print_lines, progress_bar
from mcp_memory.errors import Conflict, InvalidInput, MemoryProblem, NotFound, ReadOnly
from mcp_memory.exchange import exporters, importers
from mcp_memory.exchange.merge_result import MergeResult
from mcp_memory.language.dates.periods import zone_offset
from mcp_memory.language.token_count import counted
from mcp_memory.markdown_folder.state import is_ours
from mcp_memory.server.config import Config
from mcp_memory.server.memory_host import open_memory
from mcp_memory.sqlite.database import Database, driver_errors
from mcp_memory.sqlite.exchange.transfer import export as export_records
from mcp_memory.sqlite.exchange.transfer import import_lines, merge_file
from mcp_memory.sqlite.files import backup_names
from mcp_memory.sqlite.paths import settle_new
from mcp_memory.sqlite.recovery import checks

SHOWN = 20
NOUNS = {
    "operation": ("operation", ""),
    "source": ("source", ""),
    "item": ("memory", "memories"),
    "revision": ("state of a memory", "states of memories"),
    "link": ("link", ""),
    "repeat": ("repeat", ""),
    "confirmation": ("confirmation", ""),
    "topic": ("digest", ""),
    "erased": ("erasure", ""),
}
"""What one and (where that is more than an s) several records of a type are called here, in the order of the report."""


@click.command("export")
@click.argument("file", type=PATH, required=False)
@click.option("--to", "folder", type=PATH, metavar="DIR", help="Write a folder of Markdown instead.")
@click.option(
    "--format", "format_", type=click.Choice([*exporters.FORMATS, "graph"]), default="jsonl", show_default=True
)
@configured
def export(config: Config, file: Path | None, folder: Path | None, format_: str) -> None:
    """Write everything that is remembered, with all its history, to FILE; - is standard output.

    Indexes, vectors, derived topics and use counts are not exported: they are rebuilt.

    With --to, live memories go into a folder of Markdown, one file for each memory and each topic beside an index, to
    read and to edit: `import` of the folder brings the edits back. With --format graph they go to a FILE for the
    reference memory server.

    \b
    Examples:
      mcp-memory export memory.jsonl
      mcp-memory export - | gzip > memory.jsonl.gz
      mcp-memory export --to ~/memories
      mcp-memory export graph.jsonl --format graph
    """
    if (file is None) == (folder is None):
        raise InvalidInput("Name either a FILE, or a folder with --to DIR.")
    require_file(config)
    if folder is not None:
        export_folder(config, folder)
    elif file is not None and format_ == "graph":
        _deliver(config, file, export_graph(config), what="the live memories, as a graph, of what")
    elif file is not None:
        with open_database(config) as database:
            _deliver(config, file, exporters.exporter(format_)(export_records(database)))


def _deliver(config: Config, file: Path, lines: Iterable[bytes], *, what: str = "all that") -> None:
    if str(file) == "-":
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        return
    write_new(file, lines)
    click.echo(f"{file} has {what} {config.database} remembers.")


def write_new(file: Path, lines: Iterable[bytes]) -> None:
    """Write a new file atomically, readable by this user only. Raises Conflict where it exists."""
    if file.exists():
        raise Conflict(f"{file} exists already; name a file that does not.")
    unfinished = backup_names.unfinished(file)
    with driver_errors(file):
        try:
            with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
                stream.writelines(lines)
            settle_new(unfinished, file)
        finally:
            unfinished.unlink(missing_ok=True)


@click.command("import")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path), metavar="PATH..."
)
@click.option("--format", "format_", type=click.Choice(importers.NAMES), help="Take PATH for this, unseen.")
@click.option("--scope", help="Of another tool's memories: user, project or a project's name.")
@click.option("--tag", "tags", multiple=True, help="Of another tool's memories; give it once for each tag.")
@click.option("--dry-run", is_flag=True, help="Say what would come, and change nothing.")
@click.option("--skip-damaged", is_flag=True, help="Leave out lines of an export that can't be used.")
@keep_option
@confirm_option
@json_option
@configured
def import_(
    config: Config,
    paths: tuple[Path, ...],
    format_: str | None,
    scope: str | None,
    tags: tuple[str, ...],
    dry_run: bool,
    skip_damaged: bool,
    keep: str | None,
    confirm: bool,
    as_json: bool,
) -> None:
    """Import files, folders and archives of any known format; - is standard input.

    \b
    What is remembered already stays, and importing twice changes nothing more.
    An export of mcp-memory comes with all its history, as merge brings it.
    A folder written by export brings its edits, additions and deletions since, as one operation.
    Another tool's memories come in as one operation that undo takes back.

    \b
    Examples:
      mcp-memory import memory.jsonl --dry-run
      gunzip < memory.jsonl.gz | mcp-memory import -
      mcp-memory import chatgpt-export.zip ~/notes CLAUDE.md
      mcp-memory import notes.csv --format records --scope user --tag old
    """
    foreign: list[tuple[Path, bytes]] = []
    for path in dict.fromkeys(paths):
        with ExitStack() as stack:
            if path.is_dir() and format_ is None and is_ours(path):
                if scope or tags:
                    raise InvalidInput(
                        f"{path} says itself what has which scope and tags; leave out --scope and --tag."
                    )
                import_folder(config, path, keep=keep, confirm=confirm, dry_run=dry_run, as_json=as_json)
                continue
            if path.is_dir():
                foreign.append((path, b""))
                continue
            stream: BinaryIO = sys.stdin.buffer if str(path) == "-" else stack.enter_context(path.open("rb"))
            first = stream.readline(importers.HEAD)
            if format_ != "jsonl" and not (format_ is None and importers.ours(first)):
                foreign.append((path, first))
                continue
            lines: Iterable[bytes] = chain([first], stream)
            import_ours(config, lines, named=str(path), skip_damaged=skip_damaged, dry_run=dry_run, as_json=as_json)
    if foreign:
        import_foreign(config, foreign, ImportOptions(format_, scope, tags, dry_run), as_json=as_json)


def import_ours(
    config: Config, lines: Iterable[bytes], *, named: str, skip_damaged: bool, dry_run: bool, as_json: bool
) -> None:
    def merge(database: Database, zone_offset: int) -> MergeResult:
        return import_lines(database, lines, zone_offset=zone_offset, skip_damaged=skip_damaged, dry_run=dry_run)

    run_merge(config, merge, named=named, dry_run=dry_run, as_json=as_json)


@click.command()
@click.argument("other", type=PATH)
@click.option("--dry-run", is_flag=True, help="Say what would come, and change nothing.")
@json_option
@configured
def merge(config: Config, other: Path, dry_run: bool, as_json: bool) -> None:
    """Merge the memory file OTHER, such as that of another machine, into this one; OTHER is only read.

    Operations that both know are merged once, and merging in either direction gives the same result. Where both changed
    a memory, the later change wins, the other stays in its history, and both are reported.

    \b
    Examples:
      mcp-memory merge laptop.db --dry-run
      mcp-memory merge laptop.db
    """
    if not other.exists():
        raise NotFound(f"There is no memory file {other}.")
    if config.database.exists() and other.samefile(config.database):
        raise InvalidInput(f"{other} is the file itself; name another one.")

    def merge(database: Database, zone_offset: int) -> MergeResult:
        return merge_file(database, other, zone_offset=zone_offset, dry_run=dry_run)

    run_merge(config, merge, named=str(other), dry_run=dry_run, as_json=as_json)


def run_merge(
    config: Config, merge: Callable[[Database, int], MergeResult], *, named: str, dry_run: bool, as_json: bool
) -> None:
    """Run an import or a merge after a backup, encode what has no vectors, and report the result."""
    require_writable(config)
    new, kept_at = not config.database.exists(), None
    try:
        with (
            TemporaryDirectory() as nowhere,
            open_database(
                replace(config, database=Path(nowhere) / "memory.db") if new and dry_run else config
            ) as database,
        ):
            if database.read_only:
                raise ReadOnly(
                    f"{config.database} may not be written to. Check the permissions of the file and its directory."
                )
            if not dry_run and not new:
                kept_at = checks.backup_dated(database, datetime.now(UTC), before="merge")
            merged = merge(database, zone_offset(datetime.now().astimezone()))
    except MemoryProblem:  # nothing was changed
        _discard(kept_at)
        raise
    if kept_at is not None and not merged.total and not merged.erased:
        _discard(kept_at)
        kept_at = None
    if not dry_run and merged.total:
        with open_memory(config) as memory, progress_bar() as progress:
            memory.maintenance.make_vectors(progress)
    if as_json:
        clashes = [{"kind": one.kind, "ids": one.ids, "told": one.description} for one in merged.conflicts]
        data = {"came": merged.added, "erased": merged.erased, "clashes": clashes}
        data |= {"skipped": merged.skipped, "dry_run": dry_run, "backup": str(kept_at) if kept_at else None}
        print_answer(data)
        return
    print_lines(merge_report(merged, named=named, dry_run=dry_run))
    if kept_at is not None:
        click.echo(f"{kept_at} is a copy of the file before; restoring it with --force takes all of this back.")
    elif new and not dry_run and merged.total:
        click.echo(f"{config.database} is new: deleting it takes all of this back.")


def _discard(path: Path | None) -> None:
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def merge_report(merged: MergeResult, *, named: str, dry_run: bool) -> list[str]:
    came = ", ".join(counted(merged.added[type_], *noun) for type_, noun in NOUNS.items() if merged.added.get(type_))
    would = "would come" if dry_run else "came"
    lines = [f"From {named} {would}: {came}." if came else f"All that {named} holds is known here already."]
    if merged.erased:
        lines.append(f"Erased here because one side had erased it: {counted(merged.erased, 'memory', 'memories')}.")
    if merged.skipped:
        lines.append(f"Left out, as damaged or nothing without what is: {counted(merged.skipped, 'record')}.")
    if merged.conflicts:
        lines.append(f"{counted(len(merged.conflicts), 'thing')} to look at:")
        lines += first_lines([conflict.description for conflict in merged.conflicts], SHOWN, ", which --json lists.")
    return lines
