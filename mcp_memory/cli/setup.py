"""Adds this server to the MCP clients of this machine, previews the changes, and removes it again."""

import os
from pathlib import Path

import click

from mcp_memory.cli.clients import command, markdown_block, planning
from mcp_memory.cli.clients.catalogue import CLIENTS, found
from mcp_memory.cli.clients.environment import Machine
from mcp_memory.cli.clients.files import Change, carry_out, difference
from mcp_memory.cli.clients.planning import Plan
from mcp_memory.errors import MemoryProblem

CLIENT_NAMES = tuple(client.name for client in CLIENTS)


@click.command()
@click.argument("clients", nargs=-1, type=click.Choice(CLIENT_NAMES), metavar="[CLIENT]...")
@click.option("--project", "of_project", is_flag=True, help="Write the project's files, in the repository worked in.")
@click.option("--instructions", is_flag=True, help="Tell the model when to recall and remember, in the file it reads.")
@click.option(
    "--hooks/--no-hooks", default=None, help="Claude Code's hooks; with --instructions they are written unless refused."
)
@click.option("--remove", is_flag=True, help="Take the entry, the instructions and the hooks out again.")
@click.option("--dry-run", is_flag=True, help="Show what would change, as a diff, and write nothing.")
@click.option("--list", "show_list", is_flag=True, help="Show which clients there are and which have this server.")
@click.option("--show-instructions", is_flag=True, help="Print what --instructions writes, to paste it elsewhere.")
@click.option("--name", default="mcp-memory", show_default=True, help="What the entry is called.")
@click.option("--database", metavar="FILE", help="The memory file that the entries are to name.")
def setup(
    clients: tuple[str, ...],
    of_project: bool,
    instructions: bool,
    hooks: bool | None,
    remove: bool,
    dry_run: bool,
    show_list: bool,
    show_instructions: bool,
    name: str,
    database: str | None,
) -> None:
    """Add this server to the MCP clients found on this machine, or to each CLIENT named.

    The clients are claude-desktop, claude-code, cursor, vscode, codex, gemini, windsurf, zed, cline, opencode, copilot,
    lmstudio and goose.
    Every file is first backed up under its name with .before-mcp-memory added; everything else in it stays.

    \b
    Examples:
      mcp-memory setup --dry-run
      mcp-memory setup --instructions
      mcp-memory setup claude-code cursor --project
      mcp-memory setup --list
      mcp-memory setup codex --remove
    """
    if show_instructions:
        click.echo(markdown_block.TEXT, nl=False)
        return
    machine = Machine.here(os.environ)
    if show_list:
        _show_list(machine, of_project=of_project)
        return
    chosen = planning.leaving(machine, clients, project=of_project) if remove else planning.chosen(machine, clients)
    if not chosen:
        raise click.ClickException(f"No client was found here. Name one: mcp-memory setup {'|'.join(CLIENT_NAMES)}")
    if remove:
        plans = planning.plan_removal(machine, chosen, project=of_project)
    else:
        start = command.launch(command.running(os.environ))
        wish = planning.Wish(
            start,
            name=name,
            options=("--database", str(Path(database).expanduser().absolute())) if database else (),
            project=of_project,
            instructions=instructions,
            hooks=instructions if hooks is None else hooks,
        )
        plans = planning.plan_setup(machine, chosen, wish)
        if start.note and not all(plan.problem for plan in plans):
            click.echo(start.note, err=True)
    _carry_out(plans, dry_run=dry_run, remove=remove)


def _carry_out(plans: list[Plan], *, dry_run: bool, remove: bool) -> None:
    """Write the plans and report them. Exits with 1 where a client had a problem."""
    failed = False
    for plan in plans:
        title = click.style(plan.client.title, bold=True)
        if plan.problem:
            click.echo(f"{title}: {plan.problem}", err=True)
            failed = True
            continue
        if not plan.changed:
            click.echo(
                f"{title}: {'nothing to take out' if remove else 'already there' if _has_file(plan) else 'nothing to write'}."
            )
        elif dry_run:
            _show_diff(plan)
        else:
            failed = not _write(plan, remove=remove) or failed
        for note in plan.notes:
            click.echo(f"  {note}")
    if dry_run:
        click.echo("Nothing was written.")
    elif failed:
        click.get_current_context().exit(1)


def _has_file(plan: Plan) -> bool:
    return any(change.after is not None for change in plan.changes)


def _show_diff(plan: Plan) -> None:
    for change in plan.changes:
        for line in difference(change).splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            click.echo(click.style(line, fg=colour) if colour else line)


def _write(plan: Plan, *, remove: bool) -> bool:
    """Write one client's files; return whether all of them were written."""
    try:
        for change in plan.changes:
            if change.changes:
                kept = carry_out(change)
                click.echo(f"{click.style(plan.client.title, bold=True)}: {_change_report(change, kept)}")
    except MemoryProblem as problem:
        click.echo(f"{click.style(plan.client.title, bold=True)}: {problem}", err=True)
        return False
    click.echo(f"  {'Restart {title}.' if remove else plan.client.next}".format(title=plan.client.title))
    return True


def _change_report(change: Change, kept: Path | None) -> str:
    if change.after is None:
        return f"{change.path} is gone: setup had made it."
    if change.restores:
        return f"{change.path} is as it was before."
    return f"{'wrote' if change.before is None else 'changed'} {change.path}" + (f" (before: {kept})" if kept else "")


def _show_list(machine: Machine, *, of_project: bool) -> None:
    """Print a line for each client: whether it is installed, whether it has this server, and its file."""
    here = {client.name for client in found(machine)}
    words = {True: "set up", False: "not set up", None: "unreadable"}
    for client in CLIENTS:
        files = planning.configuration_files(machine, client, project=of_project)
        state = words[planning.is_set_up(machine, client, project=of_project)] if files else "no such file"
        line = f"{client.name:<15} {'found' if client.name in here else '-':<6} {state:<12} "
        click.echo(line + ", ".join(str(file) for file in files))
