"""setup: what it writes into the configurations of other programs, and that it leaves everything else as it was."""

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mcp_memory.cli import main
from mcp_memory.cli.clients import catalogue, jsonc, markdown_block, planning
from mcp_memory.cli.clients.catalogue import CLIENTS, NAMES
from mcp_memory.cli.clients.claude_hooks import HOOKS, command_line, with_hooks, without_hooks
from mcp_memory.cli.clients.command import Launch, Running, launch, read_source, starts_us
from mcp_memory.cli.clients.editing import read, with_entry, without_entry
from mcp_memory.cli.clients.environment import Machine, Platform
from mcp_memory.cli.clients.files import BACKUP
from mcp_memory.cli.setup import CLIENT_NAMES

Setup = Callable[..., Result]

CONFIGURATIONS = {
    "claude-desktop": '{\n  "globalShortcut": "",\n  "mcpServers": {\n    "files": {"command": "npx", "args": ["-y", "x"]}\n  }\n}',
    "claude-code": '{"numStartups": 3, "mcpServers": {}, "projects": {"/a": {"allowedTools": []}}}\n',
    "cursor": '{\n\t"mcpServers": {\n\t\t"other": {\n\t\t\t"url": "http://localhost:1"\n\t\t}\n\t}\n}\n',
    "vscode": '{\n  // what the team uses\n  "inputs": [],\n  "servers": {\n    "x": { "type": "http", "url": "u" }, // ours\n  },\n}\n',
    "codex": '# how I like it\nmodel = "o5"\n\n[mcp_servers.docs] # the docs\ncommand = "docs"\nenv = { A = "1" }\n\n[tui]\ntheme = "x"\n',
    "gemini": '{\r\n  "theme": "Dracula",\r\n  "mcpServers": {\r\n    "a": {"command": "b"}\r\n  }\r\n}\r\n',
    "windsurf": "",
    "zed": '// Zed settings\n{\n  "theme": "One Dark",\n  // servers\n  "context_servers": {\n    "pg": {"source": "custom", "command": "pg", "args": []},\n  },\n}\n',
    "cline": '{"mcpServers": {"a": {"command": "b", "disabled": false, "alwaysAllow": []}}}',
    "opencode": '{\n  "$schema": "https://opencode.ai/config.json", // keep\n  "model": "m"\n}\n',
    "copilot": '{\n    "mcpServers": {}\n}\n',
    "lmstudio": '{\n  "mcpServers": {\n    // none yet\n  }\n}\n',
    "goose": "# my Goose\nGOOSE_MODEL: \"m\"  # good\nextensions:\n  # built in\n  developer:\n    enabled: true\n    args: [a, 'b']\nGOOSE_MODE: auto\n",
}
"""By client a file as a person may have it."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, and the working directory a repository in it."""
    project = tmp_path / "home" / "work"
    (project / ".git").mkdir(parents=True)
    monkeypatch.chdir(project)
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "CLINE_DIR", "CLINE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setattr(
        "mcp_memory.cli.clients.command.launch", lambda running: Launch("/opt/mcp-memory", (), "mcp-memory")
    )
    return tmp_path / "home"


@pytest.fixture
def machine(home: Path) -> Machine:
    return Machine("linux", home, {}, home / "work")


@pytest.fixture
def setup(home: Path) -> Setup:
    """Run `mcp-memory setup` on a Linux machine with this home."""

    def setup(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["setup", *arguments])

    return setup


def written(machine: Machine, name: str, *, project: bool = False) -> Path:
    [path] = planning.configuration_files(machine, NAMES[name], project=project)
    return path


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def servers(path: Path, name: str) -> dict[str, Any]:
    """The servers of a file, as an ordinary reader of its format sees them."""
    text = path.read_text("utf-8")
    if NAMES[name].format == "toml":
        document: Any = tomllib.loads(text)
    elif NAMES[name].format == "yaml":
        document = YAML(typ="safe").load(text)
    else:
        document = jsonc.parse(text)
    for key in NAMES[name].path:
        document = document[key]
    return document


def test_the_command_names_every_client_of_the_catalogue() -> None:
    assert [client.name for client in CLIENTS] == list(CLIENT_NAMES)


@pytest.mark.parametrize("name", CLIENT_NAMES)
def test_an_entry_is_added_once_and_taken_out_to_the_byte(name: str, setup: Setup, machine: Machine) -> None:
    text = CONFIGURATIONS[name]
    path = put(written(machine, name), text)

    first = setup(name)
    changed = path.read_bytes()
    second = setup(name)
    entries = servers(path, name)

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "mcp-memory" in entries
    assert path.with_name(path.name + BACKUP).read_bytes() == text.encode()
    assert "already there" in second.output
    assert path.read_bytes() == changed
    assert all(line in changed.decode() for line in text.splitlines() if "//" in line or "#" in line)
    removed = setup(name, "--remove")
    assert removed.exit_code == 0, removed.output
    assert path.read_bytes() == text.encode()
    assert list(path.parent.glob(f"*{BACKUP}")) == []


@pytest.mark.parametrize("name", CLIENT_NAMES)
def test_a_file_that_setup_made_is_gone_when_it_is_taken_out(name: str, setup: Setup, machine: Machine) -> None:
    path = written(machine, name)

    added = setup(name, "--instructions")
    was_there = path.exists()
    removed = setup(name, "--remove")

    assert (added.exit_code, removed.exit_code, was_there) == (0, 0, True), added.output + removed.output
    assert [file for file in machine.home.rglob("*") if file.is_file()] == []


def test_folders_that_setup_made_in_a_repository_go_with_their_files(setup: Setup, machine: Machine) -> None:
    clients = [client.name for client in CLIENTS if client.project_file]
    put(machine.project / ".vscode" / "tasks.json", "{}\n")

    setup("--project", "--instructions", *clients)
    setup("--project", "--remove", *clients)

    left = {path.relative_to(machine.project).as_posix() for path in machine.project.rglob("*")}
    assert left == {".git", ".vscode", ".vscode/tasks.json"}


def test_folders_at_home_stay_as_they_may_have_been_there(setup: Setup, machine: Machine) -> None:
    (machine.home / ".cursor").mkdir()

    setup("cursor")
    setup("cursor", "--remove")

    assert list((machine.home / ".cursor").iterdir()) == []


@pytest.mark.parametrize("name", CLIENT_NAMES)
def test_what_came_in_between_stays_when_the_entry_is_taken_out(name: str, setup: Setup, machine: Machine) -> None:
    path = put(written(machine, name), CONFIGURATIONS[name])
    setup(name)
    client = NAMES[name]
    other = client.shape("later", "later-server", ["--x"])
    path.write_bytes(with_entry(path.read_bytes().decode(), client.format, [*client.path, "later"], other).encode())
    before = servers(path, name)

    setup(name, "--remove")

    assert servers(path, name) == {key: value for key, value in before.items() if key != "mcp-memory"}
    assert "later" in servers(path, name)


def test_entries_have_the_shape_that_each_client_reads(setup: Setup, machine: Machine) -> None:
    setup(*CLIENT_NAMES)

    found = {name: servers(written(machine, name), name)["mcp-memory"] for name in CLIENT_NAMES}
    command = {"command": "/opt/mcp-memory", "args": []}
    assert found == {
        **dict.fromkeys(("claude-desktop", "cursor", "windsurf", "cline", "lmstudio"), command),
        "codex": {"command": "mcp-memory", "args": []},
        "gemini": {"command": "mcp-memory", "args": []},
        "claude-code": {"type": "stdio", "command": "mcp-memory", "args": []},
        "vscode": {"type": "stdio", **command},
        "zed": {"source": "custom", **command, "env": {}},
        "opencode": {"type": "local", "command": ["mcp-memory"], "enabled": True},
        "copilot": {"type": "local", "command": "mcp-memory", "args": [], "tools": ["*"]},
        "goose": {
            "enabled": True,
            "type": "stdio",
            "name": "mcp-memory",
            "description": "Long-term memory",
            "cmd": "/opt/mcp-memory",
            "args": [],
            "envs": {},
            "env_keys": [],
            "timeout": 300,
        },
    }


def test_a_dry_run_shows_the_difference_and_writes_nothing(setup: Setup, machine: Machine) -> None:
    path = put(written(machine, "vscode"), CONFIGURATIONS["vscode"])

    shown = setup("vscode", "--dry-run")

    assert path.read_text("utf-8") == CONFIGURATIONS["vscode"]
    assert shown.output == (
        f"--- {path}\n+++ {path}\n"
        "@@ -3,5 +3,10 @@\n"
        '   "inputs": [],\n'
        '   "servers": {\n'
        '     "x": { "type": "http", "url": "u" }, // ours\n'
        '+    "mcp-memory": {\n'
        '+      "type": "stdio",\n'
        '+      "command": "/opt/mcp-memory",\n'
        '+      "args": []\n'
        "+    },\n"
        "   },\n"
        " }\n"
        "Nothing was written.\n"
    )


def test_setup_without_names_takes_the_clients_that_are_there(setup: Setup, machine: Machine) -> None:
    nobody = setup()
    for folder in (".codex", ".cursor"):
        (machine.home / folder).mkdir()

    done = setup()

    assert (nobody.exit_code, "No client was found" in nobody.output) == (1, True)
    assert sorted(file.relative_to(machine.home).as_posix() for file in machine.home.rglob("*") if file.is_file()) == [
        ".codex/config.toml",
        ".cursor/mcp.json",
    ]
    assert "Restart" not in done.output
    assert "Quit Cursor entirely and start it again." in done.output
    listed = {line.split()[0]: line.split()[1:] for line in setup("--list").output.splitlines()}
    assert listed["codex"][:3] == ["found", "set", "up"]
    assert listed["zed"][:4] == ["-", "not", "set", "up"]


def test_without_a_name_whatever_carries_our_mark_is_taken_out(setup: Setup, machine: Machine) -> None:
    (machine.home / ".cursor").mkdir()  # a client that is here
    before = sorted(machine.home.rglob("*"))
    for arguments in (("cline", "--instructions"), ("claude-code", "--instructions"), ("vscode",), ("cursor",)):
        assert setup(*arguments, "--project").exit_code == 0
    put_in = sorted(machine.home.rglob("*"))
    result = setup("--project", "--remove")

    assert result.exit_code == 0, result.output
    assert len(put_in) > len(before)
    assert sorted(machine.home.rglob("*")) == before
    assert setup("--project", "--remove").output == "Cursor: nothing to take out.\n"


def test_project_files_name_the_command_that_others_have_too(setup: Setup, machine: Machine) -> None:
    setup("--project", "claude-code", "cursor", "vscode", "codex", "gemini", "zed", "opencode", "copilot")

    names = {
        "claude-code": ".mcp.json",
        "cursor": ".cursor/mcp.json",
        "vscode": ".vscode/mcp.json",
        "codex": ".codex/config.toml",
        "gemini": ".gemini/settings.json",
        "zed": ".zed/settings.json",
        "opencode": "opencode.json",
        "copilot": ".github/mcp.json",
    }
    for name, file in names.items():
        command = servers(machine.project / file, name)["mcp-memory"]["command"]
        assert command in ("mcp-memory", ["mcp-memory"])
    assert "Goose reads no project's configuration" in setup("--project", "goose").output


@pytest.mark.parametrize(
    ("name", "broken", "place"),
    [
        ("cursor", '{\n  "mcpServers": {\n    "a": 1\n    "b": 2\n  }\n}\n', "line 4, column 5"),
        ("codex", 'model = "x"\nargs = [\n', "line 2"),
        ("codex", "a = 1\nb = = 2\n", "line 2, column 5"),
        ("goose", "a: 1\nextensions: {\n", "line 3"),
        ("gemini", "[1]", "line 1"),
        ("gemini", '{"mcpServers": [1]}', "mcpServers"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line_and_left_alone(
    name: str, broken: str, place: str, setup: Setup, machine: Machine
) -> None:
    path = put(written(machine, name), broken)

    refused = setup(name, "windsurf", "--instructions")

    assert refused.exit_code == 1
    assert f"{path}: {place}" in refused.output
    assert "Nothing was written." in refused.output
    assert path.read_text("utf-8") == broken
    assert [file for file in path.parent.iterdir() if file != path] == []
    assert "mcp-memory" in servers(written(machine, "windsurf"), "windsurf")


def test_another_server_of_that_name_is_not_overwritten(setup: Setup, machine: Machine) -> None:
    text = '{"mcpServers": {"mcp-memory": {"command": "npx", "args": ["-y", "somebody-elses"]}}}'
    path = put(written(machine, "cursor"), text)

    refused = setup("cursor")
    named = setup("cursor", "--name", "recollection")

    assert "has another server named mcp-memory (npx -y somebody-elses); choose a name with --name" in refused.output
    assert named.exit_code == 0
    assert set(servers(path, "cursor")) == {"mcp-memory", "recollection"}


def test_an_entry_of_any_name_is_brought_up_to_date_and_keeps_what_the_user_added(
    setup: Setup, machine: Machine
) -> None:
    text = (
        '{"mcpServers": {"memory": {"command": "uvx", "args": ["--from", "/old/clone", "mcp-memory", "--read-only"],'
        ' "env": {"MCP_MEMORY_SECRETS": "keep"}, "disabled": true}}}'
    )
    path = put(written(machine, "cursor"), text)

    setup("cursor")
    kept = servers(path, "cursor")
    setup("cursor", "--database", "/data/m.db")

    assert kept == {
        "memory": {
            "command": "/opt/mcp-memory",
            "args": ["--read-only"],
            "env": {"MCP_MEMORY_SECRETS": "keep"},
            "disabled": True,
        }
    }
    assert servers(path, "cursor")["memory"]["args"] == ["--database", os.path.abspath("/data/m.db")]


@pytest.mark.skipif(os.name == "nt", reason="links and permissions as POSIX has them")
def test_a_linked_file_stays_a_link_and_keeps_its_permissions(setup: Setup, machine: Machine, tmp_path: Path) -> None:
    real = put(tmp_path / "dotfiles" / "codex.toml", CONFIGURATIONS["codex"])
    real.chmod(0o600)
    link = written(machine, "codex")
    link.parent.mkdir(parents=True)
    link.symlink_to(real)

    setup("codex")

    assert link.is_symlink()
    assert "mcp-memory" in tomllib.loads(real.read_text("utf-8"))["mcp_servers"]
    assert real.stat().st_mode & 0o777 == 0o600
    assert (real.parent / f"codex.toml{BACKUP}").stat().st_mode & 0o777 == 0o600


def test_a_byte_order_mark_stays(setup: Setup, machine: Machine) -> None:
    path = put(written(machine, "cursor"), "\ufeff{}\n")

    setup("cursor")

    assert path.read_bytes().startswith(b"\xef\xbb\xbf{\n")


# Instructions and hooks


def test_instructions_are_a_block_that_is_replaced_and_taken_out(setup: Setup, machine: Machine) -> None:
    old = f"# My rules\n\nBe brief.\n\n{markdown_block.BEGIN}\nolder words\n{markdown_block.END}\n\nMore.\n"
    path = put(machine.home / ".codex" / "AGENTS.md", old)

    setup("codex", "--instructions")
    text = path.read_text("utf-8")
    again = setup("codex", "--instructions")
    setup("codex", "--remove")

    assert text == old.replace(f"{markdown_block.BEGIN}\nolder words\n{markdown_block.END}\n", markdown_block.block())
    assert "already there" in again.output
    assert path.read_text("utf-8") == "# My rules\n\nBe brief.\n\nMore.\n"


@pytest.mark.parametrize("text", ["# Rules\n", "# Rules", "# Rules\n\n", "# Rules\r\n\r\nBe brief.\r\n", "\n"])
def test_instructions_leave_a_file_to_the_byte(text: str, setup: Setup, machine: Machine) -> None:
    path = put(machine.home / ".gemini" / "GEMINI.md", text)

    setup("gemini", "--instructions")
    added = path.read_bytes().decode()
    setup("gemini", "--remove")

    assert added.startswith(text.strip("\n"))
    assert markdown_block.has_block(added)
    assert ("\r\n" in added) == ("\r\n" in text)
    assert path.read_bytes() == text.encode()


def test_rules_of_their_own_begin_with_what_makes_them_always_read(setup: Setup, machine: Machine) -> None:
    setup("cursor", "windsurf", "vscode", "--instructions", "--project")

    heads = {
        ".cursor/rules/mcp-memory.mdc": "---\ndescription: When to use the long-term memory\nalwaysApply: true\n---\n",
        ".windsurf/rules/mcp-memory.md": "---\ntrigger: always_on\n---\n",
        ".github/copilot-instructions.md": markdown_block.BEGIN,
    }
    assert {file: (machine.project / file).read_text("utf-8").startswith(head) for file, head in heads.items()} == (
        dict.fromkeys(heads, True)
    )


def test_a_file_that_several_read_has_one_block_until_the_last_of_them_leaves(setup: Setup, machine: Machine) -> None:
    setup("codex", "opencode", "--instructions", "--project")
    path = machine.project / "AGENTS.md"
    once = path.read_text("utf-8")

    setup("codex", "--remove", "--project")
    still = path.read_text("utf-8")
    setup("opencode", "--remove", "--project")

    assert once.count(markdown_block.BEGIN) == 1
    assert still == once
    assert not path.exists()


def test_zed_gets_its_instructions_in_the_file_it_reads(setup: Setup, machine: Machine) -> None:
    put(machine.project / ".rules", "Be brief.\n")

    setup("zed", "--instructions", "--project")

    assert markdown_block.has_block((machine.project / ".rules").read_text("utf-8"))
    assert not (machine.project / "AGENTS.md").exists()


def test_the_text_to_paste_is_printed(setup: Setup) -> None:
    assert setup("--show-instructions").output == markdown_block.TEXT
    assert "--show-instructions" in setup("lmstudio", "--instructions").output


SETTINGS = '{\n  // mine\n  "hooks": {\n    "Stop": [\n      {"hooks": [{"type": "command", "command": "say done"}]}\n    ]\n  },\n  "model": "opus"\n}\n'


def test_hooks_stand_beside_others_and_leave_without_a_trace(setup: Setup, machine: Machine) -> None:
    path = put(machine.home / ".claude" / "settings.json", SETTINGS)

    setup("claude-code", "--instructions")
    text = path.read_text("utf-8")
    again = setup("claude-code", "--instructions")
    setup("claude-code", "--remove")

    hooks = jsonc.parse(text)["hooks"]
    assert {
        event: [hook["command"] for group in groups for hook in group["hooks"]] for event, groups in hooks.items()
    } == {
        "Stop": ["say done", "/opt/mcp-memory hook stop"],
        "SessionStart": ["/opt/mcp-memory hook session-start"],
        "UserPromptSubmit": ["/opt/mcp-memory hook prompt"],
        "PreCompact": ["/opt/mcp-memory hook pre-compact"],
    }
    assert hooks["SessionStart"][0]["matcher"] == "startup|clear|compact"
    assert "// mine" in text
    assert "already there" in again.output
    assert path.read_text("utf-8") == SETTINGS


def test_hooks_come_with_instructions_unless_refused_and_alone_when_asked_for(setup: Setup, machine: Machine) -> None:
    settings = machine.home / ".claude" / "settings.json"

    setup("claude-code", "--instructions", "--no-hooks")
    refused = settings.exists()
    setup("claude-code", "--hooks", "--project")

    assert (refused, settings.exists()) == (False, False)
    assert (machine.project / ".claude" / "settings.local.json").exists()


def test_hooks_of_an_older_command_are_replaced() -> None:
    old = with_hooks(SETTINGS, ["/old/mcp-memory"], [], windows=False)

    new = with_hooks(old, ["uvx", "--from", "/a b", "mcp-memory"], ["--database", "/x.db"], windows=False)

    assert new.count(" session-start") == 1
    assert "uvx --from '/a b' mcp-memory hook --database /x.db prompt" in new
    assert "/old/" not in new
    assert jsonc.parse(without_hooks(new)) == jsonc.parse(SETTINGS)
    assert set(jsonc.parse(new)["hooks"]) == set(HOOKS)


def test_a_hook_on_windows_runs_in_a_shell_that_takes_backslashes_for_escapes() -> None:
    command = command_line(["C:\\Users\\A B\\mcp-memory.exe", "hook", "stop"], windows=True)

    assert command == "'C:/Users/A B/mcp-memory.exe' hook stop"


# Where each client keeps its file


def place(platform: Platform, home: Path, environment: dict[str, str], name: str) -> list[str]:
    machine = Machine(platform, home, environment, home / "work")
    return [path.relative_to(home).as_posix() for path in NAMES[name].files(machine)]


@pytest.mark.parametrize(
    ("name", "mac", "linux", "windows"),
    [
        (
            "claude-desktop",
            "Library/Application Support/Claude/claude_desktop_config.json",
            ".config/Claude/claude_desktop_config.json",
            "AppData/Roaming/Claude/claude_desktop_config.json",
        ),
        ("claude-code", ".claude.json", ".claude.json", ".claude.json"),
        ("cursor", ".cursor/mcp.json", ".cursor/mcp.json", ".cursor/mcp.json"),
        (
            "vscode",
            "Library/Application Support/Code/User/mcp.json",
            ".config/Code/User/mcp.json",
            "AppData/Roaming/Code/User/mcp.json",
        ),
        ("codex", ".codex/config.toml", ".codex/config.toml", ".codex/config.toml"),
        ("gemini", ".gemini/settings.json", ".gemini/settings.json", ".gemini/settings.json"),
        ("windsurf", *3 * (".codeium/windsurf/mcp_config.json",)),
        ("zed", ".config/zed/settings.json", ".config/zed/settings.json", "AppData/Roaming/Zed/settings.json"),
        ("cline", *3 * (".cline/data/settings/cline_mcp_settings.json",)),
        ("opencode", *3 * (".config/opencode/opencode.json",)),
        ("copilot", *3 * (".copilot/mcp-config.json",)),
        ("lmstudio", *3 * (".lmstudio/mcp.json",)),
        (
            "goose",
            ".config/goose/config.yaml",
            ".config/goose/config.yaml",
            "AppData/Roaming/Block/goose/config/config.yaml",
        ),
    ],
)
def test_each_platform_has_its_place(name: str, mac: str, linux: str, windows: str, tmp_path: Path) -> None:
    found = {platform: place(platform, tmp_path, {}, name) for platform in ("darwin", "linux", "win32")}

    assert found == {"darwin": [mac], "linux": [linux], "win32": [windows]}


def test_the_environment_moves_what_it_names(tmp_path: Path) -> None:
    def moved(name: str, variable: str) -> str:
        [path] = place("linux", tmp_path, {variable: str(tmp_path / "moved")}, name)
        return path

    assert moved("claude-code", "CLAUDE_CONFIG_DIR") == "moved/.claude.json"
    assert moved("codex", "CODEX_HOME") == "moved/config.toml"
    assert moved("copilot", "COPILOT_HOME") == "moved/mcp-config.json"
    assert moved("zed", "XDG_CONFIG_HOME") == "moved/zed/settings.json"
    assert moved("cline", "CLINE_DIR") == "moved/data/settings/cline_mcp_settings.json"


def test_what_is_found_on_the_disk_decides_between_places(tmp_path: Path) -> None:
    packaged = tmp_path / "AppData/Local/Packages/Claude_abc/LocalCache/Roaming/Claude"
    packaged.mkdir(parents=True)
    put(tmp_path / ".config/opencode/opencode.jsonc", "{}")
    (tmp_path / ".config/Code - Insiders/User").mkdir(parents=True)
    put(tmp_path / ".lmstudio-home-pointer", str(tmp_path / "models"))
    older = put(
        tmp_path / ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json", "{}"
    )

    assert place("win32", tmp_path, {}, "claude-desktop") == [
        "AppData/Local/Packages/Claude_abc/LocalCache/Roaming/Claude/claude_desktop_config.json"
    ]
    assert place("linux", tmp_path, {}, "opencode") == [".config/opencode/opencode.jsonc"]
    assert place("linux", tmp_path, {}, "vscode") == [
        ".config/Code/User/mcp.json",
        ".config/Code - Insiders/User/mcp.json",
    ]
    assert place("linux", tmp_path, {}, "lmstudio") == ["models/mcp.json"]
    assert place("linux", tmp_path, {}, "cline") == [older.relative_to(tmp_path).as_posix()]


# The command that is written


def started(tmp_path: Path, **facts: Any) -> Running:
    prefix = facts.pop("prefix", tmp_path / "venv")
    usual: dict[str, Any] = {
        "prefix": prefix,
        "virtual": True,
        "scripts": prefix / "bin",
        "python": prefix / "bin" / "python",
        "windows": False,
        "source": None,
        "version": "1.2.3",
        "which": lambda name: None,
        "uv": None,
    }
    return Running(**usual | facts)


def test_a_tool_is_started_by_the_command_on_the_path(tmp_path: Path) -> None:
    script = put(tmp_path / "tools/mcp-memory/bin/mcp-memory", "")
    put(tmp_path / "tools/mcp-memory/uv-receipt.toml", "")
    link = tmp_path / "bin/mcp-memory"
    link.parent.mkdir()
    link.symlink_to(script)

    start = launch(started(tmp_path, prefix=tmp_path / "tools/mcp-memory", which=lambda name: str(link)))

    assert start == Launch(str(link), (), "mcp-memory")


def test_an_environment_is_started_by_its_own_script_whatever_else_is_on_the_path(tmp_path: Path) -> None:
    script = put(tmp_path / "venv/bin/mcp-memory", "ours")
    other = put(tmp_path / "other/mcp-memory", "another program")

    start = launch(started(tmp_path, which=lambda name: str(other)))
    activated = launch(started(tmp_path, which=lambda name: str(script)))
    outside_any = launch(started(tmp_path, virtual=False, which=lambda name: str(script)))

    assert (start.command, start.short) == (str(script), str(script))
    assert "keep it" in start.note
    assert activated == start
    assert outside_any == Launch(str(script), (), "mcp-memory")


def test_a_temporary_environment_is_never_written(tmp_path: Path) -> None:
    cache = tmp_path / "uv/archive-v0/aB3"
    put(cache / "bin/mcp-memory", "")
    running = started(tmp_path, prefix=cache, source="/src/clone", which={"uvx": "/usr/bin/uvx"}.get)

    start = launch(running)
    from_index = launch(started(tmp_path, prefix=cache, which={"uvx": "/usr/bin/uvx"}.get))

    assert (start.command, *start.arguments) == ("/usr/bin/uvx", "--from", "/src/clone", "mcp-memory")
    assert from_index.arguments == ("--from", "mcp-memory==1.2.3", "mcp-memory")
    assert "temporary environment" in start.note


def test_without_a_script_python_starts_it(tmp_path: Path) -> None:
    start = launch(started(tmp_path))

    assert start.words(absolute=False) == [str(tmp_path / "venv/bin/python"), "-m", "mcp_memory"]


@pytest.mark.parametrize(
    ("written_down", "source"),
    [
        ({"url": "file:///src/my%20clone", "dir_info": {"editable": True}}, "/src/my clone"),
        ({"url": "file:///C:/src/clone"}, "C:/src/clone"),
        ({"url": "https://x/y.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}, "git+https://x/y.git@abc"),
        ({"url": "https://x/y.whl", "archive_info": {}}, "https://x/y.whl"),
    ],
)
def test_where_it_was_installed_from_is_named_as_uvx_takes_it(written_down: dict[str, Any], source: str) -> None:
    assert read_source(written_down) == source


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["mcp-memory"], 1),
        (["C:\\x\\mcp-memory.exe", "serve"], 1),
        (["uvx", "--from", "/src/mcp-memory", "mcp-memory", "--read-only"], 4),
        (["uv", "run", "--directory", "/x", "mcp-memory"], 5),
        (["/usr/bin/python", "-m", "mcp_memory"], 3),
        (["npx", "-y", "@modelcontextprotocol/server-memory"], None),
        (["npx", "/x/mcp-memory-server"], None),
        ([], None),
    ],
)
def test_a_command_line_is_known_for_ours(words: list[str], count: int | None) -> None:
    assert starts_us(words) == count


# Documents

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab"\\/é ', max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    document=st.dictionaries(st.text("abc", min_size=1, max_size=2), json_values, max_size=4),
    indent=st.sampled_from([None, 2, 4, "\t"]),
)
def test_any_json_document_takes_an_entry_and_gives_it_back(document: dict[str, Any], indent: Any) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)

    added = with_entry(text, "json", ["servers", "x"], {"command": "y"})
    back = without_entry(added, "json", ["servers", "x"])

    assert json.loads(added) == document | {"servers": {"x": {"command": "y"}}}
    assert json.loads(back) == document | {"servers": {}}


COMMENTED = """\
# how I like it
model = "o5"

# the docs
[mcp_servers.docs]
command = "docs"
args = [
  ["a"], # nested
]

# how the terminal looks
# (from a friend)
[tui]
theme = "x"

# the last words
"""


def test_a_comment_above_a_table_stays_above_it_when_ours_comes_and_goes(setup: Setup, machine: Machine) -> None:
    path = put(written(machine, "codex"), COMMENTED)

    setup("codex")
    added = path.read_text("utf-8")
    path.write_text(added + "\n# what is mine\n[profiles.fast]\nmodel = 'o5-mini'\n", "utf-8")
    setup("codex", "--remove")
    removed = path.read_text("utf-8")

    assert added.startswith(COMMENTED)
    assert removed.startswith(COMMENTED)
    assert "# what is mine\n[profiles.fast]" in removed
    assert "mcp-memory" not in removed


def test_a_table_in_the_middle_is_brought_up_to_date_where_it_stands(setup: Setup, machine: Machine) -> None:
    path = put(
        written(machine, "codex"),
        '[mcp_servers.mcp-memory]\ncommand = "/old/mcp-memory"\nargs = ["--project", "x"]\n\n'
        '[mcp_servers.mcp-memory.env]\nA = "1"\n\n# how the terminal looks\n[tui]\ntheme = "x"\n',
    )

    setup("codex")
    changed = path.read_text("utf-8")
    path.with_name(path.name + BACKUP).unlink()
    setup("codex", "--remove")

    assert changed.index('command = "mcp-memory"') < changed.index("# how the terminal looks\n[tui]")
    assert servers_of(changed)["mcp-memory"]["env"] == {"A": "1"}
    assert path.read_text("utf-8").strip() == '# how the terminal looks\n[tui]\ntheme = "x"'


@pytest.mark.parametrize(
    "text",
    [
        'mcp_servers = { docs = { command = "docs" } } # in braces\n',
        'mcp_servers.docs.command = "docs"\n',
        '[mcp_servers]\ndocs = { command = "docs" }\n',
        'a = """\n[mcp_servers.mcp-memory]\n"""\n',
    ],
)
def test_servers_in_any_form_of_toml_take_an_entry_and_give_it_back(text: str, setup: Setup, machine: Machine) -> None:
    path = put(written(machine, "codex"), text)

    setup("codex")
    taken = servers_of(path.read_text("utf-8"))
    setup("codex", "--remove")

    assert "mcp-memory" in taken
    assert path.read_text("utf-8") == text


def servers_of(text: str) -> dict[str, Any]:
    return tomllib.loads(text)["mcp_servers"]


def test_comments_and_trailing_commas_are_read_and_kept() -> None:
    text = '/* a */ {\n  "a": [1, 2,], // b\n  "s": {"t": "// no comment", /* c */ },\n}\n'

    added = with_entry(text, "json", ["s", "x"], {"k": 1})

    assert read(added, "json") == {"a": [1, 2], "s": {"t": "// no comment", "x": {"k": 1}}}
    assert [mark in added for mark in ("/* a */", "// b", "/* c */", "[1, 2,]")] == [True] * 4
    assert without_entry(added, "json", ["s", "x"]) == text


def test_yaml_in_braces_takes_an_entry_too() -> None:
    text = "a: 'x' # keep\nextensions: {}\n"

    added = with_entry(text, "yaml", ["extensions", "m"], {"cmd": "c"})

    assert read(added, "yaml") == {"a": "x", "extensions": {"m": {"cmd": "c"}}}
    assert "a: 'x' # keep\n" in added


def test_every_client_says_what_to_do_next_and_where_its_instructions_go(machine: Machine) -> None:
    for client in CLIENTS:
        assert client.next
        assert client.instructions(machine) or client.no_instructions
        assert client.shape("n", "c", ["a"])
    assert catalogue.found(machine) == []
