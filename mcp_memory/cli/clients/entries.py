"""The entries of a client that start this server: found, updated, removed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from mcp_memory.cli.clients.catalogue import Client
from mcp_memory.cli.clients.command import starts_us
from mcp_memory.cli.clients.editing import read, table, value_at, with_entry, without_entry
from mcp_memory.cli.clients.files import Change
from mcp_memory.errors import Conflict

COMMAND_KEYS = ("command", "cmd", "args")
"""The keys of an entry that say what is started; whatever else stands in it is the user's."""


def own_entries(text: str, client: Client) -> dict[str, Mapping[str, Any]]:
    """Return the entries of a configuration that start this server, by name. Raises InvalidInput where it cannot be parsed."""
    servers = table(value_at(read(text, client.format), client.path))
    return {name: entry for name, entry in servers.items() if starts_us(words_of(entry)) is not None}


def words_of(entry: Any) -> list[str]:
    """Return the command line of an entry in any client's shape; empty where there is none."""
    words: list[Any] = []
    for key in COMMAND_KEYS:
        value = table(entry).get(key)
        if inner := table(value):  # older Zed: {"path": …, "args": […]}
            words += [inner.get("path"), *(inner.get("args") or [])]
        elif isinstance(value, list):
            words += cast("list[Any]", value)
        elif value is not None:
            words.append(value)
    return [str(word) for word in words]


def added(text: str, client: Client, *, name: str, words: Sequence[str], options: Sequence[str]) -> str:
    """Return the configuration with an entry that starts this server by `words`, updating one that exists.

    Settings beside the command stay, and so do the options after it where no `options` are given. Raises Conflict where
    the name belongs to another server, and InvalidInput where the text cannot be parsed.
    """
    present = own_entries(text, client)
    servers = table(value_at(read(text, client.format), client.path))
    if not present and name in servers:
        command = " ".join(words_of(servers[name])) or "no command"
        raise Conflict(f"has another server named {name} ({command}); choose a name with --name")
    where = name if name in present or not present else next(iter(present))
    entry = present.get(where)
    if entry is None:
        return with_entry(text, client.format, [*client.path, where], _shaped(client, where, [*words, *options]))
    old = words_of(entry)
    wanted = [*words, *(options or old[starts_us(old) or 0 :])]
    if old == wanted:
        return text
    made = _shaped(client, where, wanted)
    kept = {key: value for key, value in entry.items() if key not in COMMAND_KEYS}
    commands = {key: value for key, value in made.items() if key in COMMAND_KEYS}
    return with_entry(text, client.format, [*client.path, where], made | kept | commands)


def _shaped(client: Client, name: str, words: Sequence[str]) -> dict[str, Any]:
    return client.shape(name, words[0], words[1:])


def taken_out(change: Change, client: Client, backup: str | None) -> Change:
    """Return the change that removes every entry of this server: to the very bytes of before, where nothing else changed."""
    text = change.after or ""
    present = own_entries(text, client)
    if not present:
        return change

    def with_them(older: str) -> str:
        for name, entry in present.items():
            older = with_entry(older, client.format, [*client.path, name], entry)
        return older

    def without_them(newer: str) -> str:
        for name in present:
            newer = without_entry(newer, client.format, [*client.path, name])
        return newer

    clean = backup if backup is not None and not own_entries(backup, client) else None
    return reverted(change, clean, redo=with_them, undo=without_them)


def reverted(change: Change, backup: str | None, *, redo: Callable[[str], str], undo: Callable[[str], str]) -> Change:
    """Return the change that undoes setup's: back to the backup, where redoing setup on it gives the present text; to no
    file, where redoing it on nothing does; else the text with `undo` applied.
    """
    text = change.after or ""
    if backup is not None and redo(backup) == text:
        return Change(change.path, change.before, backup, restores=True)
    if backup is None and redo("") == text:
        return Change(change.path, change.before, None, restores=True)
    return Change(change.path, change.before, undo(text))
