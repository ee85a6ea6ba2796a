"""The memories as a folder of Markdown: exported, imported, and kept in step."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mcp_memory.cli.opening import open_existing, open_memory_for, require_writable
from mcp_memory.cli.options import PATH, configured, json_option
from mcp_memory.cli.output import first_lines, print_answer, print_lines, progress_bar
from mcp_memory.domain.model import Caller
from mcp_memory.errors import InvalidInput, MemoryProblem
from mcp_memory.exchange.archives import resolve_dots
from mcp_memory.exchange.exporters.graph import lines
from mcp_memory.language.token_count import counted
from mcp_memory.markdown_folder import state
from mcp_memory.markdown_folder.sync import EVERYTHING, SyncResult
from mcp_memory.markdown_folder.writer import WriteResult
from mcp_memory.memory import Memory
from mcp_memory.privacy.sanitizing import visible
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.render.outcomes import not_kept
from mcp_memory.server.config import Config
from mcp_memory.server.stdio.early_responder import STOP_SIGNALS

SHOWN = 20
INTERVAL = 2.0
"""Seconds between two looks at a folder: 10,000 notes are looked at in a tenth of a second."""

keep_option = click.option(
    "--keep", type=click.Choice(["file", "store"]), help="Which side counts where both changed a memory."
)
confirm_option = click.option("--confirm", is_flag=True, help="Forget also where most files of the folder are gone.")


@click.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--watch", is_flag=True, help="Go on until interrupted, with each change of the folder or the memories.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=INTERVAL, show_default=True, metavar="SECONDS")
@keep_option
@confirm_option
@json_option
@configured
def sync(
    config: Config, folder: Path, watch: bool, interval: float, keep: str | None, confirm: bool, as_json: bool
) -> None:
    """Keep a folder of Markdown and the memories in step: edits of the folder come in, then everything is written out.

    \b
    An edited file is a new revision of its memory, a new file a new memory, a deleted file forgets one; `undo` takes it
    back. What both sides changed is reported and left alone on both, until --keep names the side that wins.

    \b
    Examples:
      mcp-memory sync ~/memories
      mcp-memory sync ~/memories --watch
    """
    require_writable(config)
    if watch and as_json:
        raise InvalidInput("--json prints one answer; leave it out with --watch.")
    memory, caller = open_memory_for(config)
    with memory, _stopped_by_signals() if watch else nullcontext(threading.Event()) as stop:
        memory.wait_for_encoder()
        answer = _synchronize(memory, caller, folder, keep=keep, confirm=confirm)
        if as_json:
            print_answer({"taken_in": _taken_data(answer[0], dry_run=False), "written_out": asdict(answer[1])})
            return
        print_lines([*import_report(answer[0], folder, dry_run=False), *export_report(answer[1], folder)])
        if not watch:
            return
        click.echo(f"Watching {visible(str(folder))}; interrupt to end.", err=True)
        last = before = None
        while not stop.wait(interval):
            now = (state.change_stamp(folder), _latest(memory))
            still = now == before  # nobody is in the middle of saving
            if still and now != last and not _attempt(memory, caller, folder, keep=keep):
                last = now
            before = now


def export_folder(config: Config, folder: Path) -> None:
    memory, _ = open_existing(config)
    with memory, progress_bar() as progress:
        memory.wait_for_encoder()
        memory.maintenance.make_vectors(progress)
        memory.maintenance.gather(progress)
        written = memory.folder.write(folder)
    print_lines(export_report(written, folder))


def export_graph(config: Config) -> list[bytes]:
    memory, caller = open_existing(config)
    with memory, progress_bar() as progress:
        memory.wait_for_encoder()
        memory.maintenance.make_vectors(progress)
        memory.maintenance.gather(progress)
        everywhere = ItemQuery(scope="all")
        topics = memory.fresh_topics(limit=EVERYTHING, select=everywhere, by=caller)
        return list(lines(memory.listing(everywhere, limit=EVERYTHING, by=caller), topics))


def import_folder(
    config: Config, folder: Path, *, keep: str | None, confirm: bool, dry_run: bool, as_json: bool
) -> None:
    folder = resolve_dots(folder)
    require_writable(config)
    memory, caller = open_memory_for(config)
    with memory, progress_bar() as progress:
        memory.wait_for_encoder()
        taken = memory.folder.read(
            folder, by=caller, progress=progress, keep=_side(keep), confirm=confirm, dry_run=dry_run
        )
        if taken.pending:
            memory.maintenance.make_vectors(progress)
    if as_json:
        print_answer(_taken_data(taken, dry_run=dry_run))
        return
    print_lines(import_report(taken, folder, dry_run=dry_run))


def import_report(taken: SyncResult, folder: Path, *, dry_run: bool) -> list[str]:
    new = [item for item in taken.new if item.status != "known"]
    parts = [f"{len(found)} {word}" for word, found in (("edited", taken.edited), ("new", new)) if found]
    parts += [f"{len(taken.forgotten)} forgotten"] if taken.forgotten else []
    parts += [counted(len(taken.digests), "digest")] if taken.digests else []
    would = "would come" if dry_run else "came"
    lines = [f"From {folder} {would}: {', '.join(parts)}." if parts else f"Nothing came from {folder}."]
    lines += [f"{taken.moved} renamed."] if taken.moved else []
    if known := taken.known + len(taken.new) - len(new):
        lines.append(f"{known} known here already.")
    if taken.stayed_forgotten:
        lines.append(f"{taken.stayed_forgotten} forgotten here before: they stay so.")
    lines += not_kept(taken.withheld)
    if taken.conflicts:
        lines.append("Changed on both sides, and left as it is on both; --keep file or --keep store decides:")
        conflicts = [f"{one.path}{f' (#{one.id})' if one.id else ''} {one.what}" for one in taken.conflicts]
        lines += first_lines(conflicts, SHOWN, ".")
    if taken.problems:
        lines.append(f"{len(taken.problems)} could not be taken in, and nothing of them was kept:")
        lines += first_lines(list(map(str, taken.problems)), SHOWN, ".")
    if taken.operation:
        lines.append(f"`mcp-memory undo {taken.operation}` takes all of it back.")
    return lines


def export_report(written: WriteResult, folder: Path) -> list[str]:
    lines = [
        f"{folder}: {counted(written.written, 'file')} written, {written.removed} removed, {written.untouched} as they were."
    ]
    if written.left:
        lines.append(f"Edited there and not taken in, so left as they are (`mcp-memory import {folder}`):")
        lines += first_lines(written.left, SHOWN, ".")
    return lines


def _synchronize(
    memory: Memory, caller: Caller, folder: Path, *, keep: str | None, confirm: bool
) -> tuple[SyncResult, WriteResult]:
    with progress_bar() as progress:
        taken = SyncResult(None)
        if state.is_ours(folder):
            taken = memory.folder.read(folder, by=caller, progress=progress, keep=_side(keep), confirm=confirm)
        memory.maintenance.make_vectors(progress)
        memory.maintenance.gather(progress)
        return taken, memory.folder.write(folder)


def _attempt(memory: Memory, caller: Caller, folder: Path, *, keep: str | None) -> bool:
    """Sync once while watching, and return whether anything was done; problems are reported, once for each change."""
    try:
        taken, written = _synchronize(memory, caller, folder, keep=keep, confirm=False)
    except MemoryProblem as problem:
        click.echo(visible(f"{problem}"), err=True)
        return False
    wrote = bool(written.written or written.removed)
    if taken.operation or taken.conflicts or taken.problems or taken.moved:
        print_lines(import_report(taken, folder, dry_run=False))
    if wrote:
        print_lines(export_report(written, folder))
    return wrote or taken.operation is not None


def _latest(memory: Memory) -> str:
    """Return the id of the last operation, which changes with every change of the memories."""
    return next((operation.id for operation in memory.operations(limit=1)), "")


def _side(keep: str | None) -> Any:
    return keep


@contextmanager
def _stopped_by_signals() -> Generator[threading.Event]:
    """Yield an event that an interrupt sets, so that the write in progress is finished first."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def end(number: int, frame: object) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _taken_data(taken: SyncResult, *, dry_run: bool) -> dict[str, Any]:
    return {
        "edited": [item.id for item in taken.edited],
        "new": [{"id": item.id, "status": item.status, "text": item.text} for item in taken.new],
        "forgotten": [item.id for item in taken.forgotten],
        "digests": taken.digests,
        "moved": taken.moved,
        "known": taken.known,
        "stayed_forgotten": taken.stayed_forgotten,
        "conflicts": [asdict(conflict) for conflict in taken.conflicts],
        "problems": [{"where": problem.where, "problem": problem.problem} for problem in taken.problems],
        "masked": dict(taken.withheld.secrets),
        "operation": taken.operation,
        "dry_run": dry_run,
    }
