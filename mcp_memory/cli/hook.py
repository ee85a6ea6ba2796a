"""Answers Claude Code's hooks from standard input: quickly, and with silence where anything is wrong."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import click

from mcp_memory.cli.hooks import reminder
from mcp_memory.domain.logs import log_to_stderr
from mcp_memory.domain.model import Caller, Entry
from mcp_memory.server.config import Config, read_config
from mcp_memory.server.memory_host import open_memory

HOOKS = ("session-start", "prompt", "pre-compact", "stop")
CLIENT = "Claude Code"
TAG = "transcript"
log = logging.getLogger(__name__)


@click.command()
@click.argument("event", type=click.Choice(HOOKS), metavar="EVENT")
@click.option("--database", metavar="FILE", help="The memory file. [env: MCP_MEMORY_DATABASE]")
@click.option("--wait", is_flag=True, help="pre-compact: keep the turns before it ends, not in a process of its own.")
def hook(event: str, database: str | None, wait: bool) -> None:
    """Answer a hook of Claude Code: session-start, prompt, pre-compact or stop; setup writes them into its settings.

    Reads the event as JSON on standard input and prints what Claude Code expects, or nothing.
    It never stops Claude Code: problems go to standard error, and it exits with 0.

    \b
    Examples:
      echo '{"source": "startup"}' | mcp-memory hook session-start
      echo '{"prompt": "which database is on staging"}' | mcp-memory hook prompt
    """
    try:
        given = sys.stdin.buffer.read()
        payload: Any = json.loads(given or b"{}")
        if not isinstance(payload, dict):
            log_to_stderr(read_config(os.environ, database=database).log_level)
            log.info("hook %s: what came on standard input is no JSON object", event)
            return
        payload = cast("dict[str, Any]", payload)
        config = read_config(_environment(payload), database=database)
        if event == "pre-compact":
            _pre_compact(payload, config, wait=wait)
        elif answer := _answer(event, payload, config):
            click.echo(answer)
    except Exception as error:  # a hook that fails must never hold up the session
        click.echo(f"mcp-memory hook {event}: {error}", err=True)


def _environment(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment, with the session's folder where Claude Code names it only in the event."""
    environment = dict(os.environ)
    folder = event.get("cwd")
    if not environment.get("CLAUDE_PROJECT_DIR") and isinstance(folder, str):
        environment["CLAUDE_PROJECT_DIR"] = folder
    return environment


def _answer(event: str, payload: Mapping[str, Any], config: Config) -> str | None:
    if event == "stop":
        return None if config.read_only else reminder.stop(payload)
    return _from_file(event, payload, config)


def _from_file(event: str, payload: Mapping[str, Any], config: Config) -> str | None:
    # the file's reader, which `stop` does without: a quarter of its time
    from mcp_memory.cli.hooks import claude_code
    from mcp_memory.sqlite.quick_reader import QuickReader

    if not config.database.exists():
        return None
    answer = claude_code.session_start if event == "session-start" else claude_code.prompt
    with QuickReader(config.database) as reader:
        scopes = claude_code.scopes_of(config.project)
        return answer(payload, reader, scopes=scopes, now=datetime.now().astimezone())


def _pre_compact(event: Mapping[str, Any], config: Config, *, wait: bool) -> None:
    """Store the turns since the last time in a detached process: Claude Code need not wait for the writing."""
    if config.read_only:
        return
    if wait:
        _keep(event, config)
        return
    command = [sys.executable, "-m", "mcp_memory", "hook", "pre-compact", "--wait"]
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        detached = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    child = subprocess.Popen(
        [*command, "--database", str(config.database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **detached,
    )
    if child.stdin:
        child.stdin.write(json.dumps(event).encode())
        child.stdin.close()


def _keep(event: Mapping[str, Any], config: Config) -> None:
    from mcp_memory.cli.hooks import claude_code
    from mcp_memory.sqlite.index.vector_search import VectorScan
    from mcp_memory.sqlite.quick_reader import QuickReader

    with open_memory(config, search=VectorScan) as memory:
        with QuickReader(config.database) as reader:
            messages, origin = claude_code.unkept(event, reader)
        if messages:
            caller = Caller(client=CLIENT, session=str(event.get("session_id", "")), project=config.project)
            like = Entry("", kind="note", tags=(TAG,), source=origin)
            memory.remember(turns=claude_code.turns(messages), like=like, by=caller)
