"""Backups, which of them are kept, restoring one, and migrations."""

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from mcp_memory.cli.opening import open_database, require_file, require_writable
from mcp_memory.cli.options import PATH, configured
from mcp_memory.cli.output import progress_bar
from mcp_memory.language.token_count import counted
from mcp_memory.server.config import Config
from mcp_memory.sqlite.files import backup_names, migration_dry_run
from mcp_memory.sqlite.files import restore as files_restore
from mcp_memory.sqlite.recovery import checks


@click.command()
@click.argument("target", type=PATH, required=False)
@click.option(
    "--keep",
    "rule",
    metavar="RULE",
    help="Let older backups go: numbers and periods (daily, weekly, monthly, yearly), such as '7 daily 4 weekly'.",
)
@configured
def backup(config: Config, target: Path | None, rule: str | None) -> None:
    """Copy the file while others use it, and check the copy.

    Without TARGET the copy gets a dated name in the directory backups beside the file; TARGET is another directory for
    it, or the name of a new file. --keep then keeps the newest backup of each of so many days, weeks, months or years,
    and removes the others: only files named as this command names them, and never those made before a migration, a
    restore or a merge.

    \b
    Examples:
      mcp-memory backup
      mcp-memory backup --keep "7 daily 4 weekly"
      mcp-memory backup memory-2026-11-21.db
    """
    wanted = backup_names.read_rule(rule) if rule is not None else {}
    folder = config.database.parent / backup_names.FOLDER if target is None else target if target.is_dir() else None
    if wanted and folder is None:
        raise click.UsageError("--keep needs a directory of backups: leave TARGET out, or name a directory.")
    require_file(config)
    with open_database(config) as database:
        if folder is not None:
            target = checks.backup_dated(database, datetime.now(UTC), folder=folder)
        elif target is not None:
            checks.backup(database, target)
    click.echo(f"{target} is a checked copy of {config.database}.")
    if wanted and folder is not None:
        for path in backup_names.expendable(folder.iterdir(), config.database, wanted):
            path.unlink(missing_ok=True)
            click.echo(f"Removed {path}.")


@click.command()
@click.argument("backup", type=PATH)
@click.option("--force", is_flag=True, help="Restore although the file holds what the backup does not.")
@configured
def restore(config: Config, backup: Path, force: bool) -> None:
    """Restore the file to the state of BACKUP; programs that have it open see that at once.

    Refuses where the file holds operations that the backup lacks, and names them. The replaced file is kept among the
    backups.

    \b
    Example:
      mcp-memory restore backups/memory-2026-11-21T090000Z.db
    """
    require_writable(config)
    restored = files_restore.restore(config.database, backup, now=datetime.now(UTC), force=force)
    click.echo(f"{config.database} is as {backup} was.")
    if restored.kept_at is not None:
        lost = f" It holds {counted(restored.lost, 'operation')} that the backup lacks." if restored.lost else ""
        click.echo(f"The file as it was before is kept as {restored.kept_at}.{lost}")


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would run, and prove it on a copy.")
@configured
def migrate(config: Config, dry_run: bool) -> None:
    """Migrate the file of an earlier version to today's schema, after a checked backup; every start does so by itself.

    Migrations run in one transaction: one that fails or is killed leaves the file as it was.

    \b
    Examples:
      mcp-memory migrate --dry-run
      mcp-memory migrate
    """
    require_file(config)
    names = migration_dry_run.pending(config.database)
    if not names:
        click.echo(f"{config.database} has today's schema; there is nothing to do.")
        return
    start = time.monotonic()
    with progress_bar(long=0) as progress:
        if dry_run:
            migration_dry_run.rehearse(config.database, progress)
        else:
            require_writable(config)
            migration_dry_run.migrate(config.database, progress)
    seconds = time.monotonic() - start
    listed = "".join(f"\n  {name}" for name in names)
    if dry_run:
        click.echo(
            f"Would run {counted(len(names), 'migration')}:{listed}\nOn a copy that took {seconds:.1f} s, and it is sound."
        )
        return
    click.echo(f"{config.database} has had {counted(len(names), 'migration')}:{listed}")
    folder = config.database.parent / backup_names.FOLDER
    for path in sorted(folder.glob(f"{config.database.stem}-before-schema-*.db"))[-1:]:
        click.echo(f"{path} is a copy of it as it was.")
