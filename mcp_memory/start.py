"""The entry point: serving starts with its early responder, anything else goes to the command line."""

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
    options = serving_options(sys.argv[1:])
    if options is None or (sys.stdin and sys.stdin.isatty()):
        from mcp_memory.cli import main

        main(prog_name="mcp-memory")
        return

    from mcp_memory.server.stdio.early_responder import start_early_responder

    front = start_early_responder()  # before anything else is imported
    from mcp_memory.server.run import serve_options

    serve_options(front, options)


def serving_options(arguments: list[str]) -> dict[str, str | bool] | None:
    """Parse a command line that only serves into options of read_config; None for any other.

    Reads only the plain forms. The rest, mistakes included, is for the command line to parse or to refuse.
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
