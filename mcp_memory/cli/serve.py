"""Serving clients over standard input and output, or over HTTP on this machine."""

import os
import sys

import click

from mcp_memory.cli.options import configured
from mcp_memory.server import run
from mcp_memory.server.auth import read_token
from mcp_memory.server.config import Config
from mcp_memory.server.memory_host import open_memory
from mcp_memory.server.stdio.early_responder import start_early_responder


@click.command()
@click.option("--http", "address", metavar="[HOST:]PORT", help="Serve over HTTP on this machine, to many clients.")
@configured
def serve(config: Config, address: str | None) -> None:
    """Serve an MCP client over standard input and output; with --http many of them, on a loopback address.

    Over HTTP every request carries a token, from MCP_MEMORY_TOKEN or else from a file beside the memory file, which is
    generated once. A URL with ?project=NAME is about that project.

    \b
    Examples:
      mcp-memory serve --database notes.db
      mcp-memory serve --http 8765
      {"mcpServers": {"memory": {"command": "mcp-memory"}}}
      {"mcpServers": {"memory": {"type": "http", "url": "http://127.0.0.1:8765/mcp",
                                 "headers": {"Authorization": "Bearer TOKEN"}}}}
    """
    if address is None:
        serve_stdio_of(config)
        return
    # uvicorn and starlette, which serving over standard input and output does without
    from mcp_memory.server.http import read_address, serve_http

    listening = read_address(address)
    token, origin = read_token(os.environ, config.database)

    def started(url: str) -> None:
        click.echo(f"Serving {url} to this machine. Token: {origin}", err=True)
        if sys.stderr.isatty():
            click.echo(f"Authorization: Bearer {token}", err=True)

    serve_http(lambda: open_memory(config), address=listening, token=token, project=config.project, started=started)


def serve_stdio_of(config: Config) -> None:
    if sys.stdin.isatty():
        click.echo("Serving an MCP client over standard input and output; mcp-memory --help says what else.", err=True)
    run.serve(start_early_responder(), config)
