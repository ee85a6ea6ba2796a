"""Commands of an operator: statistics, audit, verification, indexes, and recovery."""

import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from mcp_memory.cli.opening import open_existing
from mcp_memory.cli.options import configured, json_option
from mcp_memory.cli.output import print_answer, progress_bar
from mcp_memory.cli.stats_text import audit_data, audit_lines, recovered_lines, stats_lines
from mcp_memory.encoders import bundled_model_directory, verify_files
from mcp_memory.privacy.sanitizing import visible
from mcp_memory.server.config import Config
from mcp_memory.sqlite.recovery.repair import recover as recovered_from


@click.command()
@json_option
@configured
def stats(config: Config, as_json: bool) -> None:
    """Count what is remembered, and where it takes room.

    \b
    Example:
      mcp-memory stats --json
    """
    memory, _ = open_existing(config)
    with memory:
        memory.wait_for_encoder()
        found = memory.stats()
    if as_json:
        print_answer(asdict(found))
        return
    for name, value in stats_lines(found):
        click.echo(f"{click.style(f'{name:<12}', fg='cyan')}{visible(value)}")


@click.command()
@click.option("--strict", is_flag=True, help="Exit 1 where there is anything to look at.")
@json_option
@configured
def audit(config: Config, strict: bool, as_json: bool) -> None:
    """List what needs a person's eye: duplicates, contradictions, secrets, stale facts, and what recall does not find.

    \b
    Examples:
      mcp-memory audit
      mcp-memory audit --strict --json
    """
    memory, _ = open_existing(config)
    with memory, progress_bar() as progress:
        memory.wait_for_encoder()
        found = memory.maintenance.audit(progress)
    print_answer(audit_data(found) if as_json else "\n".join(audit_lines(found)))
    if strict and not found.clean:
        sys.exit(1)


@click.command()
@configured
def verify(config: Config) -> None:
    """Check the file, its lineage, its indexes and the encoder's files; exit 1 where something is wrong.

    \b
    Example:
      mcp-memory verify --database notes.db
    """
    problems = verify_files(config.model or bundled_model_directory())
    memory, _ = open_existing(config)
    with memory:
        problems += memory.file.verify()
        encryption = memory.file.encryption
    for problem in problems:
        click.echo(f"{click.style('wrong', fg='red')}: {visible(problem)}")
    if problems:
        sys.exit(1)
    click.echo(
        f"{click.style('sound', fg='green')}: {config.database} ({encryption or 'not encrypted'}) and the encoder's files"
    )


@click.command()
@configured
def reindex(config: Config) -> None:
    """Rebuild the indexes from the memories, with the encoder of --model; others may go on using the file.

    \b
    Example:
      mcp-memory reindex --model models/all-minilm-l6-v2
    """
    memory, _ = open_existing(config)
    with memory, progress_bar() as progress:
        memory.maintenance.reindex(progress)
    click.echo("The indexes are rebuilt.")


@click.command()
@click.option("--whole", is_flag=True, help="Rewrite a large file of an early version; nobody can write meanwhile.")
@configured
def compact(config: Config, whole: bool) -> None:
    """Give free space in the file back to the disk; others may go on using it.

    \b
    Example:
      mcp-memory compact
    """
    memory, _ = open_existing(config)
    with memory, progress_bar() as progress:
        before, after = memory.file.compact(progress, whole=whole)
    click.echo(f"{config.database} takes {after:,} bytes; it was {before:,}.")


@click.command()
@click.argument("damaged", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="The new file for what is saved.")
@json_option
@configured
def recover(config: Config, damaged: Path, target: Path, as_json: bool) -> None:
    """Save what can be read of a DAMAGED file in a new one, and report what is lost; exit 1 where anything is.

    The damaged file stays as it is. Stop the programs that use it first.

    \b
    Example:
      mcp-memory recover memory.db --to saved.db
    """
    found = recovered_from(damaged, target, clock=lambda: time.time_ns() // 1_000_000)
    print_answer(asdict(found) if as_json else "\n".join(recovered_lines(found, target)))
    if found.lost or found.notes or found.missing:
        sys.exit(1)
