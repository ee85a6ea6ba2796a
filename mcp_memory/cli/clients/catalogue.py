"""The clients that setup knows: their configuration files, their instruction files, and the shape of an entry.

Each was looked up in November 2026 in the client's documentation or its own code; docs/clients.md says which was tried.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_memory.cli.clients.editing import Format
from mcp_memory.cli.clients.environment import Machine, existing

Places = Callable[[Machine], Sequence[Path]]
Shape = Callable[[str, str, Sequence[str]], dict[str, Any]]
"""From the name of the entry, the command and its arguments to the entry."""

RULE_HEAD = "---\ndescription: When to use the long-term memory\nalwaysApply: true\n---\n\n"
"""What makes Cursor read a rule in every request."""
WINDSURF_HEAD = "---\ntrigger: always_on\n---\n\n"
INSTRUCTIONS_HEAD = '---\napplyTo: "**"\n---\n\n'
"""What makes VS Code read an instructions file in every request."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """A file of instructions that a client reads in every session."""

    path: Path
    head: str = ""
    """What a file that is only ours begins with."""


def _plain(name: str, command: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"command": command, "args": list(arguments)}


@dataclass(frozen=True, slots=True)
class Client:
    """A client, as setup writes for it."""

    name: str
    """As it is named on the command line."""
    title: str
    signs: Places
    """Files and folders of which one is there where the client is installed."""
    files: Places
    """The user's configuration files: those that count on this machine."""
    next: str
    """What to do after a change."""
    path: tuple[str, ...] = ("mcpServers",)
    """The keys under which its servers stand."""
    shape: Shape = _plain
    format: Format = "json"
    project_file: str | None = None
    """The project's configuration file, from the project's folder; None where the client reads none."""
    project_note: str = ""
    """What the client asks before it reads a project's file."""
    window: bool = False
    """Started from a desktop, so that its PATH is not the shell's."""
    instructions: Callable[[Machine], Instructions | None] = lambda machine: None
    project_instructions: Callable[[Machine], Instructions | None] = lambda machine: None
    no_instructions: str = ""
    """What to do where it reads no file of instructions."""
    hooks: Callable[[Machine], Path] | None = None
    """The user's settings file for hooks, where the client has hooks that setup writes."""
    project_hooks: str | None = None
    """The project's settings file for hooks: the one that is not shared, since it names a command of this machine."""


def _typed(name: str, command: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"type": "stdio", "command": command, "args": list(arguments)}


def _copilot(name: str, command: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"type": "local", "command": command, "args": list(arguments), "tools": ["*"]}


def _opencode(name: str, command: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"type": "local", "command": [command, *arguments], "enabled": True}


def _zed(name: str, command: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"source": "custom", "command": command, "args": list(arguments), "env": {}}


def _goose(name: str, command: str, arguments: Sequence[str]) -> dict[str, Any]:
    entry = {"enabled": True, "type": "stdio", "name": name, "description": "Long-term memory", "cmd": command}
    return {**entry, "args": list(arguments), "envs": {}, "env_keys": [], "timeout": 300}


def _claude_desktop(machine: Machine) -> list[Path]:
    """The packaged application on Windows reads a folder of its own instead of the documented one."""
    folders = [machine.application("Claude")]
    if machine.platform == "win32":
        packages = machine.local / "Packages"
        found = sorted(packages.glob("Claude_*")) if packages.is_dir() else []
        folders = [package / "LocalCache" / "Roaming" / "Claude" for package in found] or folders
    return [folder / "claude_desktop_config.json" for folder in folders]


def _claude_folder(machine: Machine) -> Path:
    return machine.variable("CLAUDE_CONFIG_DIR", machine.home / ".claude")


def _claude_code(machine: Machine) -> list[Path]:
    """Beside its folder, or inside it where CLAUDE_CONFIG_DIR names one."""
    moved = machine.environment.get("CLAUDE_CONFIG_DIR", "").strip()
    return [(_claude_folder(machine) if moved else machine.home) / ".claude.json"]


def _vscode(machine: Machine) -> list[Path]:
    """Return the user folders of Visual Studio Code: the stable edition's, and those of other editions that exist."""
    usual = machine.application("Code") / "User"
    others = existing(machine.application(name) / "User" for name in ("Code - Insiders", "VSCodium"))
    return [usual, *others] if usual.exists() or not others else others


def _codex_folder(machine: Machine) -> Path:
    return machine.variable("CODEX_HOME", machine.home / ".codex")


def _copilot_folder(machine: Machine) -> Path:
    return machine.variable("COPILOT_HOME", machine.home / ".copilot")


def _opencode_files(machine: Machine) -> list[Path]:
    """Return the existing file, with or without the c; else the plain name."""
    folder = machine.config / "opencode"
    return (existing([folder / "opencode.jsonc", folder / "opencode.json"]) or [folder / "opencode.json"])[:1]


def _zed_folder(machine: Machine) -> Path:
    return machine.roaming / "Zed" if machine.platform == "win32" else machine.config / "zed"


def _cline_folder(machine: Machine) -> Path:
    return machine.variable("CLINE_DIR", machine.home / ".cline")


def _cline(machine: Machine) -> list[Path]:
    """Return the file that all of Cline reads, and that of older extensions where it exists."""
    data = machine.variable("CLINE_DATA_DIR", _cline_folder(machine) / "data")
    shared = data / "settings" / "cline_mcp_settings.json"
    older = existing(
        folder / "globalStorage" / "saoudrizwan.claude-dev" / "settings" / shared.name for folder in _vscode(machine)
    )
    return [shared, *older] if _cline_folder(machine).exists() or not older else older


def _lm_studio_folder(machine: Machine) -> Path:
    """Return the folder that the pointer file names; older installations keep everything in the cache."""
    pointer = machine.home / ".lmstudio-home-pointer"
    if pointer.is_file() and (named := pointer.read_text("utf-8", errors="replace").strip()):
        return Path(named)
    usual, older = machine.home / ".lmstudio", machine.home / ".cache" / "lm-studio"
    return older if older.is_dir() and not usual.is_dir() else usual


def _goose_folder(machine: Machine) -> Path:
    return machine.roaming / "Block" / "goose" / "config" if machine.platform == "win32" else machine.config / "goose"


def _zed_project(machine: Machine) -> Instructions:
    """Zed reads the first of these that exists and ignores the others."""
    names = (".rules", ".cursorrules", ".windsurfrules", ".clinerules", ".github/copilot-instructions.md", "AGENT.md")
    found = [path for path in existing(machine.project / name for name in names) if path.is_file()]
    return Instructions(found[0] if found else machine.project / "AGENTS.md")


def _cline_project(machine: Machine) -> Instructions:
    rules = machine.project / ".clinerules"
    return Instructions(rules if rules.is_file() else rules / "mcp-memory.md")


def _at_home(*parts: str, folder: Callable[[Machine], Path], head: str = "") -> Callable[[Machine], Instructions]:
    return lambda machine: Instructions(folder(machine).joinpath(*parts), head)


def _in_project(name: str, head: str = "") -> Callable[[Machine], Instructions]:
    return lambda machine: Instructions(machine.project / name, head)


RESTART = "Quit {title} entirely and start it again."
NEW_SESSION = "Start a new session of {title}."
IN_SETTINGS = (
    "{title} keeps its standing instructions in its own settings, not in a file: paste the text that "
    "`mcp-memory setup --show-instructions` prints there"
)

CLIENTS: tuple[Client, ...] = (
    Client(
        "claude-desktop",
        "Claude Desktop",
        signs=lambda machine: [file.parent for file in _claude_desktop(machine)],
        files=_claude_desktop,
        next=RESTART,
        window=True,
        no_instructions=IN_SETTINGS + " (Settings, Profile).",
    ),
    Client(
        "claude-code",
        "Claude Code",
        signs=lambda machine: [_claude_folder(machine), *_claude_code(machine)],
        files=_claude_code,
        shape=_typed,
        next=NEW_SESSION + " /mcp shows the server.",
        project_file=".mcp.json",
        project_note="Claude Code asks once whether it may use the servers of .mcp.json.",
        instructions=_at_home("CLAUDE.md", folder=_claude_folder),
        project_instructions=_in_project("CLAUDE.md"),
        hooks=lambda machine: _claude_folder(machine) / "settings.json",
        project_hooks=".claude/settings.local.json",
    ),
    Client(
        "cursor",
        "Cursor",
        signs=lambda machine: [machine.home / ".cursor", machine.application("Cursor")],
        files=lambda machine: [machine.home / ".cursor" / "mcp.json"],
        next=RESTART + " Settings, Tools & MCP shows the server.",
        project_file=".cursor/mcp.json",
        window=True,
        project_instructions=_in_project(".cursor/rules/mcp-memory.mdc", RULE_HEAD),
        no_instructions=IN_SETTINGS + " (Rules), or use --project.",
    ),
    Client(
        "vscode",
        "VS Code",
        signs=_vscode,
        files=lambda machine: [folder / "mcp.json" for folder in _vscode(machine)],
        path=("servers",),
        shape=_typed,
        next='Run "MCP: List Servers" in VS Code and start the server; chat needs agent mode.',
        project_file=".vscode/mcp.json",
        project_note="VS Code asks once whether it trusts the servers of .vscode/mcp.json.",
        window=True,
        instructions=lambda machine: Instructions(
            _vscode(machine)[0] / "prompts" / "mcp-memory.instructions.md", INSTRUCTIONS_HEAD
        ),
        project_instructions=_in_project(".github/copilot-instructions.md"),
    ),
    Client(
        "codex",
        "Codex",
        signs=lambda machine: [_codex_folder(machine)],
        files=lambda machine: [_codex_folder(machine) / "config.toml"],
        path=("mcp_servers",),
        format="toml",
        next=NEW_SESSION + " /mcp shows the server.",
        project_file=".codex/config.toml",
        project_note="Codex reads .codex/config.toml in projects it trusts.",
        instructions=_at_home("AGENTS.md", folder=_codex_folder),
        project_instructions=_in_project("AGENTS.md"),
    ),
    Client(
        "gemini",
        "Gemini CLI",
        signs=lambda machine: [machine.home / ".gemini"],
        files=lambda machine: [machine.home / ".gemini" / "settings.json"],
        next=NEW_SESSION + " /mcp shows the server.",
        project_file=".gemini/settings.json",
        project_note="Gemini CLI reads .gemini/settings.json in folders it trusts.",
        instructions=_at_home(".gemini", "GEMINI.md", folder=lambda machine: machine.home),
        project_instructions=_in_project("GEMINI.md"),
    ),
    Client(
        "windsurf",
        "Windsurf",
        signs=lambda machine: [machine.home / ".codeium" / "windsurf"],
        files=lambda machine: [machine.home / ".codeium" / "windsurf" / "mcp_config.json"],
        next="Refresh the servers in Windsurf's Cascade panel, or restart it.",
        window=True,
        instructions=_at_home(
            ".codeium", "windsurf", "memories", "global_rules.md", folder=lambda machine: machine.home
        ),
        project_instructions=_in_project(".windsurf/rules/mcp-memory.md", WINDSURF_HEAD),
    ),
    Client(
        "zed",
        "Zed",
        signs=lambda machine: [_zed_folder(machine)],
        files=lambda machine: [_zed_folder(machine) / "settings.json"],
        path=("context_servers",),
        shape=_zed,
        next="Zed starts the server by itself; the Agent Panel's settings show it.",
        project_file=".zed/settings.json",
        project_note="Zed starts servers of a project's settings in worktrees it trusts.",
        window=True,
        instructions=_at_home("AGENTS.md", folder=_zed_folder),
        project_instructions=_zed_project,
    ),
    Client(
        "cline",
        "Cline",
        signs=lambda machine: [_cline_folder(machine), *(f for f in _cline(machine) if "globalStorage" in f.parts)],
        files=_cline,
        next="Cline starts the server by itself; its MCP Servers panel shows it.",
        window=True,
        instructions=_at_home("rules", "mcp-memory.md", folder=_cline_folder),
        project_instructions=_cline_project,
    ),
    Client(
        "opencode",
        "opencode",
        signs=lambda machine: [machine.config / "opencode"],
        files=_opencode_files,
        path=("mcp",),
        shape=_opencode,
        next=NEW_SESSION,
        project_file="opencode.json",
        instructions=_at_home("opencode", "AGENTS.md", folder=lambda machine: machine.config),
        project_instructions=_in_project("AGENTS.md"),
    ),
    Client(
        "copilot",
        "Copilot CLI",
        signs=lambda machine: [_copilot_folder(machine)],
        files=lambda machine: [_copilot_folder(machine) / "mcp-config.json"],
        shape=_copilot,
        next=NEW_SESSION + " /mcp shows the server.",
        project_file=".github/mcp.json",
        project_note="Copilot CLI reads .github/mcp.json in folders it trusts.",
        instructions=_at_home("copilot-instructions.md", folder=_copilot_folder),
        project_instructions=_in_project(".github/copilot-instructions.md"),
    ),
    Client(
        "lmstudio",
        "LM Studio",
        signs=lambda machine: [_lm_studio_folder(machine)],
        files=lambda machine: [_lm_studio_folder(machine) / "mcp.json"],
        next="Switch the server on in LM Studio: Program, mcp/mcp-memory.",
        window=True,
        no_instructions=IN_SETTINGS + " (the system prompt).",
    ),
    Client(
        "goose",
        "Goose",
        signs=lambda machine: [_goose_folder(machine)],
        files=lambda machine: [_goose_folder(machine) / "config.yaml"],
        path=("extensions",),
        shape=_goose,
        format="yaml",
        next=NEW_SESSION,
        window=True,
        instructions=_at_home(".goosehints", folder=_goose_folder),
        project_instructions=_in_project(".goosehints"),
    ),
)

NAMES: Mapping[str, Client] = {client.name: client for client in CLIENTS}


def found(machine: Machine) -> list[Client]:
    """Return the clients that are installed here, as far as their files tell."""
    return [client for client in CLIENTS if existing(client.signs(machine))]
