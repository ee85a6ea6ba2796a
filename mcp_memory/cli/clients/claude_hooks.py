"""The four hooks of this server in Claude Code's settings, added and removed among others."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mcp_memory.cli.clients import jsonc
from mcp_memory.cli.clients.command import starts_us
from mcp_memory.cli.clients.editing import read, table, value_at

HOOKS = {
    "SessionStart": ("session-start", "startup|clear|compact"),
    "UserPromptSubmit": ("prompt", None),
    "PreCompact": ("pre-compact", None),
    "Stop": ("stop", None),
}
"""Claude Code's events, what answers each, and what of the event it is for: a session that is resumed has its context."""
TIMEOUT = 10
"""Seconds after which Claude Code goes on without an answer; one takes a tenth of a second."""


def with_hooks(text: str, words: Sequence[str], options: Sequence[str], *, windows: bool) -> str:
    """Return the settings with our hooks, replacing earlier ones; unchanged where they are up to date.

    Raises InvalidInput where the settings cannot be read, or hold anything but lists of hooks.
    """
    wanted = {
        event: _group(command_line([*words, "hook", *options, name], windows=windows), matcher)
        for event, (name, matcher) in HOOKS.items()
    }
    present = _ours(read(text, "json"))
    for event, group in wanted.items():
        if [one for _, one in present.get(event, [])] == [group]:
            continue
        text = _without(text, event)
        text = jsonc.with_element(text, ["hooks", event], group)
    return text


def without_hooks(text: str) -> str:
    """Return the settings without our hooks, and without lists that held no others."""
    for event in _ours(read(text, "json")):
        text = _without(text, event)
        if value_at(read(text, "json"), ["hooks", event]) == []:
            text = jsonc.without(text, ["hooks", event])
    if value_at(read(text, "json"), ["hooks"]) == {}:
        text = jsonc.without(text, ["hooks"])
    return text


def has_hooks(text: str) -> bool:
    return bool(_ours(read(text, "json")))


def command_line(words: Sequence[str], *, windows: bool) -> str:
    """Quote words for the shell in which Claude Code runs hooks: POSIX, which on Windows is Git's."""
    return shlex.join([word.replace("\\", "/") for word in words] if windows else words)


def _group(command: str, matcher: str | None) -> dict[str, Any]:
    head = {} if matcher is None else {"matcher": matcher}
    return head | {"hooks": [{"type": "command", "command": command, "timeout": TIMEOUT}]}


def _ours(settings: Mapping[str, Any]) -> dict[str, list[tuple[int, Any]]]:
    """Return, by event, the positions and groups of hooks that call this program only."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for event, groups in table(value_at(settings, ["hooks"])).items():
        for place, group in enumerate(cast("list[Any]", groups) if isinstance(groups, list) else []):
            hooks = value_at(group, ["hooks"])
            if isinstance(hooks, list) and hooks and all(_calls_us(hook) for hook in cast("list[Any]", hooks)):
                found.setdefault(event, []).append((place, group))
    return found


def _calls_us(hook: Any) -> bool:
    command = value_at(hook, ["command"])
    try:
        words = shlex.split(str(command))
    except ValueError:
        return False
    count = starts_us(words)
    return count is not None and words[count : count + 1] == ["hook"]


def _without(text: str, event: str) -> str:
    for place, _ in reversed(_ours(read(text, "json")).get(event, [])):
        text = jsonc.without(text, ["hooks", event], place)
    return text
