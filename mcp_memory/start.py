"""Where a process begins: serving starts with its front, anything else is for the command line."""

from __future__ import annotations

import sys

OPTIONS = {
    "--database": "database",
    "--project": "project",
    "--model": "model",
    "--max-size": "max_size",
    "--secrets": "secrets",
    "--log-level": "log_level",
}
"""The options of a server that have a value, and what read_config calls them."""
FLAGS = {"--read-only": "read_only"}
"""Those that have none."""


def main() -> None:
    """Run this process's command line."""
    options = serving_options(sys.argv[1:])
    if options is None or (sys.stdin and sys.stdin.isatty()):
        from mcp_memory.cli import main

        main(prog_name="mcp-memory")
        return

    from mcp_memory.server.stdio.early_responder import start_front

    front = start_front()  # before anything else is imported
    from mcp_memory.server.run import serve_options

    serve_options(front, options)


def serving_options(arguments: list[str]) -> dict[str, str | bool] | None:
    """The options of a command line that does nothing but serve, as read_config takes them; None for any other.

    Only what is plain is read here. What is not, mistakes included, is for the command line to read or to refuse.
    """
    options: dict[str, str | bool] = {}
    rest, commands = iter(arguments), 0
    for argument in rest:
        name, given, value = argument.partition("=")
        if argument in FLAGS:
            options[FLAGS[argument]] = True
        elif name in OPTIONS:
            value = value if given else next(rest, "")
            if not value:
                return None
            options[OPTIONS[name]] = value
        elif argument == "serve" and not commands:
            commands += 1
        else:
            return None
    return options
