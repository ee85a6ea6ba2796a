"""The command line: the same verbs as the tools, and what an operator does."""

import io
import os
import sys
from importlib import import_module
from typing import NamedTuple

import click

from mcp_memory.cli.options import configured
from mcp_memory.server.config import Config


class Entry(NamedTuple):
    """The module of a command, and its line in the list of commands."""

    module: str
    summary: str


COMMANDS = {
    "audit": Entry("maintenance", "List duplicates, contradictions, secrets, stale facts, and what recall misses."),
    "backup": Entry("backup", "Copy the file while others use it, and check the copy."),
    "compact": Entry("maintenance", "Give free space in the file back to the disk."),
    "decrypt": Entry("encryption", "Turn an encrypted memory file into a plain one."),
    "demo": Entry("demo", "Remember a few facts in one server process and recall them in another."),
    "encrypt": Entry("encryption", "Encrypt the memory file."),
    "export": Entry("export_import", "Write everything that is remembered to a file or a Markdown folder."),
    "fold": Entry("topics", "Fold old tool calls of one shape into a pattern."),
    "forget": Entry("verbs", "Forget memories by id, by query, or by age."),
    "history": Entry("verbs", "Show the revisions of a memory, or the latest operations."),
    "hook": Entry("hook", "Answer a hook of Claude Code."),
    "import": Entry("export_import", "Import files, folders and archives of any known format."),
    "list": Entry("verbs", "List memories, the latest first."),
    "merge": Entry("export_import", "Merge another memory file into this one."),
    "migrate": Entry("backup", "Migrate the file to the current schema, after a checked backup."),
    "recall": Entry("verbs", "Recall what answers a question, or what a session should begin with."),
    "recover": Entry("maintenance", "Save what can be read of a damaged file in a new one."),
    "reindex": Entry("maintenance", "Rebuild the indexes, with the encoder of --model."),
    "rekey": Entry("encryption", "Give an encrypted memory file another key."),
    "remember": Entry("verbs", "Remember a text, a file, or standard input."),
    "restore": Entry("backup", "Restore the file from a backup."),
    "serve": Entry("serve", "Serve MCP clients over standard input and output, or over HTTP."),
    "setup": Entry("setup", "Add this server to the MCP clients on this machine."),
    "stats": Entry("maintenance", "Count what is remembered, and where it takes room."),
    "summarize": Entry("verbs", "Digest a topic, a question, or a period."),
    "sync": Entry("folder", "Keep a folder of Markdown and the memories in step."),
    "topics": Entry("topics", "List the topics, those that changed last first."),
    "undo": Entry("verbs", "Take back an operation."),
    "update": Entry("verbs", "Change a memory; its earlier states are kept."),
    "verify": Entry("maintenance", "Check the file, its indexes and the encoder's files."),
}
"""The commands. The module of one is imported when it runs: `--help` takes a tenth of what importing them all takes."""
FUNCTIONS = {"import": "import_", "list": "list_items"}


class CommandGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"mcp_memory.cli.{COMMANDS[cmd_name].module}")
        return getattr(module, FUNCTIONS.get(cmd_name, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(cls=CommandGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcp-memory", prog_name="mcp-memory")
@configured
def main(config: Config) -> None:
    """A memory for AI assistants that outlives the session.

    Without a command it serves an MCP client over standard input and output.

    \b
    Examples:
      mcp-memory demo
      mcp-memory remember "The staging database runs on Postgres 16."
      mcp-memory recall "which database is on staging"
    """
    context = click.get_current_context()
    if os.environ.get("NO_COLOR"):
        context.color = False
    _speak_utf8()
    if context.invoked_subcommand is None:
        import_module("mcp_memory.cli.serve").serve_stdio_of(config)


def _speak_utf8() -> None:
    """Print UTF-8 whatever the console's code page, and escape what cannot be encoded."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
