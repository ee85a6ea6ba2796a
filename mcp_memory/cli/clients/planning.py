"""Plans of what setup changes in which files, made before anything is written."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mcp_memory.cli.clients.catalogue import CLIENTS, Client, Instructions, found
from mcp_memory.cli.clients.claude_hooks import has_hooks, with_hooks, without_hooks
from mcp_memory.cli.clients.command import Launch
from mcp_memory.cli.clients.entries import added, own_entries, reverted, taken_out
from mcp_memory.cli.clients.environment import Machine
from mcp_memory.cli.clients.files import Change, backup_of, read_text
from mcp_memory.cli.clients.markdown_block import has_block, with_block, without_block
from mcp_memory.errors import InvalidInput, MemoryProblem

NAME = "mcp-memory"
"""What the entry is called: "memory" is the name of other servers, and of a built-in extension of Goose."""


@dataclass(frozen=True, slots=True)
class Wish:
    launch: Launch
    name: str = NAME
    options: tuple[str, ...] = ()
    project: bool = False
    instructions: bool = False
    hooks: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    client: Client
    changes: tuple[Change, ...] = ()
    """In the order they are to be made; those that change nothing among them."""
    notes: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def changed(self) -> bool:
        return any(change.changes for change in self.changes)


@dataclass
class Drafts:
    """The files as they will be: several clients may share one, and each plan builds on those before it."""

    texts: dict[Path, Change] = field(default_factory=dict[Path, Change])

    def of(self, path: Path) -> Change:
        if path not in self.texts:
            text = read_text(path)
            return Change(path, text, text)
        return self.texts[path]


def plan_setup(machine: Machine, clients: Sequence[Client], wish: Wish) -> list[Plan]:
    """Plan adding this server to clients. A client whose file can't be used has a problem instead."""
    drafts = Drafts()
    return [_planned(client, drafts, lambda client, mine: _add(machine, client, wish, mine)) for client in clients]


def plan_removal(machine: Machine, clients: Sequence[Client], *, project: bool) -> list[Plan]:
    """Plan removing this server from clients: its entry, its instructions and its hooks."""
    drafts = Drafts()
    plans = [
        _planned(client, drafts, lambda client, changes: _remove(machine, clients, client, project, changes))
        for client in clients
    ]
    # Git keeps no empty folder, so one that held nothing but what setup made is nobody's. An empty folder at home may
    # be a program's that was there before.
    inside = machine.project if project and (machine.project / ".git").exists() else None
    return [replace(plan, changes=tuple(replace(change, inside=inside) for change in plan.changes)) for plan in plans]


def configuration_files(machine: Machine, client: Client, *, project: bool) -> list[Path]:
    """Return the user's files, or the project's where the client reads one."""
    if not project:
        return list(client.files(machine))
    return [machine.project / client.project_file] if client.project_file else []


def is_set_up(machine: Machine, client: Client, *, project: bool) -> bool | None:
    """Return whether a client starts this server; None where its file can't be read."""
    try:
        texts = [read_text(path) for path in configuration_files(machine, client, project=project)]
        return any(own_entries(text, client) for text in texts if text)
    except InvalidInput:
        return None


Draft = Callable[[Client, Drafts], list[str]]


def _planned(client: Client, drafts: Drafts, draft: Draft) -> Plan:
    """Plan one client: its changes go into the drafts together, or none where it has a problem."""
    mine = Drafts(dict(drafts.texts))
    try:
        notes = draft(client, mine)
    except MemoryProblem as problem:
        return Plan(client, problem=str(problem))
    changed = [change for path, change in mine.texts.items() if drafts.texts.get(path) != change]
    drafts.texts.update(mine.texts)
    return Plan(client, tuple(changed), tuple(notes))


def _edit(drafts: Drafts, path: Path, change: Callable[[Change], Change]) -> None:
    """Draft a change to a file. Raises what the change raises, prefixed with the file's name."""
    draft = drafts.of(path)
    try:
        drafts.texts[path] = change(draft)
    except MemoryProblem as problem:
        raise type(problem)(f"{path}: {str(problem).removeprefix(f'{path} ')}. Nothing was written.") from problem


def _add(machine: Machine, client: Client, wish: Wish, drafts: Drafts) -> list[str]:
    files = configuration_files(machine, client, project=wish.project)
    notes = [] if files else [f"{client.title} reads no project's configuration; leave out --project."]
    words = wish.launch.words(absolute=client.window and not wish.project)
    for path in files:
        _edit(
            drafts,
            path,
            lambda draft: _with_text(
                draft, added(draft.after or "", client, name=wish.name, words=words, options=wish.options)
            ),
        )
    if wish.project and client.project_note and files:
        notes.append(client.project_note)
    if wish.instructions:
        notes += _add_instructions(machine, client, wish, drafts)
    if wish.hooks and (path := _hooks_file(machine, client, project=wish.project)):
        line = wish.launch.words(absolute=True)
        _edit(
            drafts,
            path,
            lambda draft: _with_text(
                draft, with_hooks(draft.after or "", line, wish.options, windows=machine.platform == "win32")
            ),
        )
    return notes


def _with_text(draft: Change, text: str) -> Change:
    """Return the change to a text; a missing file is not created empty."""
    return draft if text == (draft.after or "") else replace(draft, after=text)


def _add_instructions(machine: Machine, client: Client, wish: Wish, drafts: Drafts) -> list[str]:
    file = _instructions(machine, client, project=wish.project)
    if file is None:
        return [client.no_instructions.format(title=client.title)] if client.no_instructions else []
    _edit(drafts, file.path, lambda draft: replace(draft, after=with_block(draft.after or "", file.head)))
    return []


def _remove(machine: Machine, leaving: Sequence[Client], client: Client, project: bool, drafts: Drafts) -> list[str]:
    for path in configuration_files(machine, client, project=project):
        _edit(drafts, path, lambda draft: taken_out(draft, client, read_text(backup_of(draft.path))))
    file = _instructions(machine, client, project=project)
    if file and not _read_by_another(machine, file.path, leaving, project=project):
        _edit(drafts, file.path, lambda draft: _without_block(draft, file))
    if path := _hooks_file(machine, client, project=project):
        _edit(drafts, path, _without_hooks)
    return []


def _read_by_another(machine: Machine, path: Path, leaving: Sequence[Client], *, project: bool) -> bool:
    """Return whether a client that stays set up reads this file of instructions too."""
    for client in CLIENTS:
        file = _instructions(machine, client, project=project)
        if client not in leaving and file and file.path == path and is_set_up(machine, client, project=project):
            return True
    return False


def _without_block(draft: Change, file: Instructions) -> Change:
    text = draft.after or ""
    if not has_block(text):
        return draft
    backup = read_text(backup_of(draft.path))
    clean = backup if backup is not None and not has_block(backup) else None
    return reverted(
        draft,
        clean,
        redo=lambda older: with_block(older, file.head),
        undo=lambda newer: without_block(newer, file.head),
    )


def _without_hooks(draft: Change) -> Change:
    text = draft.after or ""
    if not has_hooks(text):
        return draft
    backup = read_text(backup_of(draft.path))
    back = without_hooks(text)
    if backup is not None and without_hooks(backup) == backup and _same_settings(backup, back):
        return Change(draft.path, draft.before, backup, restores=True)
    if backup is None and _same_settings("", back):
        return Change(draft.path, draft.before, None, restores=True)
    return replace(draft, after=back)


def _same_settings(one: str, other: str) -> bool:
    return "".join(one.split()).strip("{}") == "".join(other.split()).strip("{}")


def _instructions(machine: Machine, client: Client, *, project: bool) -> Instructions | None:
    return (client.project_instructions if project else client.instructions)(machine)


def _hooks_file(machine: Machine, client: Client, *, project: bool) -> Path | None:
    if project:
        return machine.project / client.project_hooks if client.project_hooks else None
    return client.hooks(machine) if client.hooks else None


def chosen(machine: Machine, names: Sequence[str]) -> list[Client]:
    """Return the clients of these names in the catalogue's order; without names those found on the machine."""
    return [client for client in CLIENTS if client.name in names] if names else found(machine)


def leaving(machine: Machine, names: Sequence[str], *, project: bool) -> list[Client]:
    """Return the clients of these names in the catalogue's order; without names those found, and those whose files setup
    has changed.
    """
    here = chosen(machine, names)
    if names:
        return here
    for client in CLIENTS:
        if client not in here and _is_marked(machine, client, here, project=project):
            here.append(client)
    return [client for client in CLIENTS if client in here]


def _is_marked(machine: Machine, client: Client, others: Sequence[Client], *, project: bool) -> bool:
    """Return whether a client has something of setup's beyond a file of instructions that one of the others reads too."""
    if is_set_up(machine, client, project=project):
        return True
    hooks = _hooks_file(machine, client, project=project)
    file = _instructions(machine, client, project=project)
    read = {found.path for other in others if (found := _instructions(machine, other, project=project))}
    with suppress(MemoryProblem):
        if hooks and has_hooks(read_text(hooks) or ""):
            return True
        return bool(file and file.path not in read and has_block(read_text(file.path) or ""))
    return False
