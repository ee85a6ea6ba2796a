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
Folder = Callable[[Machine], Path]
Shape = Callable[[str, str, Sequence[str]], dict[str, Any]]

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


def _entry(before: Sequence[tuple[str, Any]] = (), after: Sequence[tuple[str, Any]] = ()) -> Shape:
    return lambda name, command, arguments: {**dict(before), "command": command, "args": list(arguments), **dict(after)}


_PLAIN = _entry()
_TYPED = _entry([("type", "stdio")])


@dataclass(frozen=True, slots=True)
class Client:
    name: str
    title: str
    files: Places
    """The user's configuration files: those that count on this machine."""
    next: str
    """What to do after a change."""
    signs: Places | None = None
    """Files and folders of which one exists where the client is installed; None for the folders of `files`."""
    path: tuple[str, ...] = ("mcpServers",)
    """The keys under which its servers stand."""
    shape: Shape = _PLAIN
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
    project_hooks: str | None = None
    """The project's settings file for hooks: the one that is not shared, since it names a command of this machine."""


def _opencode(name: str, command: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"type": "local", "command": [command, *arguments], "enabled": True}


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


def _at_home(
    *parts: str, folder: Folder = lambda machine: machine.home, head: str = ""
) -> Callable[[Machine], Instructions]:
    return lambda machine: Instructions(folder(machine).joinpath(*parts), head)


def _files(*parts: str, folder: Folder = lambda machine: machine.home) -> Places:
    return lambda machine: [folder(machine).joinpath(*parts)]


def _in_project(name: str, head: str = "") -> Callable[[Machine], Instructions]:
    return lambda machine: Instructions(machine.project / name, head)


RESTART = "Quit {title} entirely and start it again."
NEW_SESSION = "Start a new session of {title}."
SHOWN_BY_MCP = NEW_SESSION + " /mcp shows the server."
IN_SETTINGS = (
    "{title} keeps its standing instructions in its own settings, not in a file: paste the text that "
    "`mcp-memory setup --show-instructions` prints there"
)

CLIENTS: tuple[Client, ...] = (
    Client(
        "claude-desktop", "Claude Desktop", _claude_desktop, RESTART, window=True,
        no_instructions=IN_SETTINGS + " (Settings, Profile).",
    ),
    Client(
        "claude-code", "Claude Code", _claude_code, SHOWN_BY_MCP, shape=_TYPED,
        signs=lambda machine: [_claude_folder(machine), *_claude_code(machine)],
        project_file=".mcp.json", project_note="Claude Code asks once whether it may use the servers of .mcp.json.",
        instructions=_at_home("CLAUDE.md", folder=_claude_folder), project_instructions=_in_project("CLAUDE.md"),
        hooks=lambda machine: _claude_folder(machine) / "settings.json", project_hooks=".claude/settings.local.json",
    ),
    Client(
        "cursor", "Cursor", _files(".cursor", "mcp.json"), RESTART + " Settings, Tools & MCP shows the server.",
        signs=lambda machine: [machine.home / ".cursor", machine.application("Cursor")],
        project_file=".cursor/mcp.json", window=True,
        project_instructions=_in_project(".cursor/rules/mcp-memory.mdc", RULE_HEAD),
        no_instructions=IN_SETTINGS + " (Rules), or use --project.",
    ),
    Client(
        "vscode", "VS Code", lambda machine: [folder / "mcp.json" for folder in _vscode(machine)],
        'Run "MCP: List Servers" in VS Code and start the server; chat needs agent mode.',
        path=("servers",), shape=_TYPED, window=True, project_file=".vscode/mcp.json",
        project_note="VS Code asks once whether it trusts the servers of .vscode/mcp.json.",
        instructions=_at_home(
            "prompts", "mcp-memory.instructions.md", folder=lambda machine: _vscode(machine)[0], head=INSTRUCTIONS_HEAD
        ),
        project_instructions=_in_project(".github/copilot-instructions.md"),
    ),
    Client(
        "codex", "Codex", _files("config.toml", folder=_codex_folder), SHOWN_BY_MCP, path=("mcp_servers",), format="toml",
        project_file=".codex/config.toml", project_note="Codex reads .codex/config.toml in projects it trusts.",
        instructions=_at_home("AGENTS.md", folder=_codex_folder), project_instructions=_in_project("AGENTS.md"),
    ),
    Client(
        "gemini", "Gemini CLI", _files(".gemini", "settings.json"), SHOWN_BY_MCP,
        project_file=".gemini/settings.json", project_note="Gemini CLI reads .gemini/settings.json in folders it trusts.",
        instructions=_at_home(".gemini", "GEMINI.md"), project_instructions=_in_project("GEMINI.md"),
    ),
    Client(
        "windsurf", "Windsurf", _files(".codeium", "windsurf", "mcp_config.json"),
        "Refresh the servers in Windsurf's Cascade panel, or restart it.", window=True,
        instructions=_at_home(".codeium", "windsurf", "memories", "global_rules.md"),
        project_instructions=_in_project(".windsurf/rules/mcp-memory.md", WINDSURF_HEAD),
    ),
    Client(
        "zed", "Zed", _files("settings.json", folder=_zed_folder),
        "Zed starts the server by itself; the Agent Panel's settings show it.",
        path=("context_servers",), shape=_entry([("source", "custom")], [("env", {})]), window=True,
        project_file=".zed/settings.json", project_note="Zed starts servers of a project's settings in worktrees it trusts.",
        instructions=_at_home("AGENTS.md", folder=_zed_folder), project_instructions=_zed_project,
    ),
    Client(
        "cline", "Cline", _cline, "Cline starts the server by itself; its MCP Servers panel shows it.", window=True,
        signs=lambda machine: [_cline_folder(machine), *(f for f in _cline(machine) if "globalStorage" in f.parts)],
        instructions=_at_home("rules", "mcp-memory.md", folder=_cline_folder), project_instructions=_cline_project,
    ),
    Client(
        "opencode", "opencode", _opencode_files, NEW_SESSION,
        path=("mcp",), shape=_opencode, project_file="opencode.json",
        instructions=_at_home("opencode", "AGENTS.md", folder=lambda machine: machine.config),
        project_instructions=_in_project("AGENTS.md"),
    ),
    Client(
        "copilot", "Copilot CLI", _files("mcp-config.json", folder=_copilot_folder), SHOWN_BY_MCP,
        shape=_entry([("type", "local")], [("tools", ["*"])]),
        project_file=".github/mcp.json", project_note="Copilot CLI reads .github/mcp.json in folders it trusts.",
        instructions=_at_home("copilot-instructions.md", folder=_copilot_folder),
        project_instructions=_in_project(".github/copilot-instructions.md"),
    ),
    Client(
        "lmstudio", "LM Studio", _files("mcp.json", folder=_lm_studio_folder),
        "Switch the server on in LM Studio: Program, mcp/mcp-memory.", window=True,
        no_instructions=IN_SETTINGS + " (the system prompt).",
    ),
    Client(
        "goose", "Goose", _files("config.yaml", folder=_goose_folder), NEW_SESSION,
        path=("extensions",), shape=_goose, format="yaml", window=True,
        instructions=_at_home(".goosehints", folder=_goose_folder), project_instructions=_in_project(".goosehints"),
    ),
)  # fmt: skip

NAMES: Mapping[str, Client] = {client.name: client for client in CLIENTS}


def found(machine: Machine) -> list[Client]:
    return [client for client in CLIENTS if existing(_signs(client, machine))]


def _signs(client: Client, machine: Machine) -> Sequence[Path]:
    return client.signs(machine) if client.signs else [file.parent for file in client.files(machine)]
