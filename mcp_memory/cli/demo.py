"""The demo: facts stored through one server process over MCP are recalled through another, in other words."""

import os
import sys
import tempfile
import time
from pathlib import Path

import anyio
import click
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

from mcp_memory.cli.options import configured
from mcp_memory.server.config import Config

FACTS: tuple[dict[str, object], ...] = (
    {"content": "Maya prefers dark roast coffee without sugar.", "kind": "preference"},
    {
        "content": "We decided to deploy the API with blue-green releases, because rollbacks took too long.",
        "kind": "decision",
    },
    {"content": "The staging database listens on port 5544.", "kind": "fact", "tags": ["infra"]},
    {"content": "Maya flew to Lisbon for the design conference.", "kind": "event", "occurred_at": "2026-03-14"},
    {"content": "To clear a stuck build, delete the .turbo folder and run the install again.", "kind": "procedure"},
    {"content": "奶奶的生日是农历八月十五。", "kind": "fact"},
)
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("How does she take her hot drink in the morning?", "dark roast"),
    ("What way of shipping new versions of the backend did we settle on?", "blue-green"),
    ("Where can I connect to the test environment's Postgres?", "5544"),
    ("Which city did she travel to in spring for work?", "Lisbon"),
    ("My compile is hanging, what helped last time?", ".turbo"),
    ("奶奶什么时候过生日？", "八月十五"),
)
PATIENCE = 60
"""Seconds the whole demo may take before something is taken to be wrong."""


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the demo's memory in this file.")
@configured
def demo(config: Config, keep: Path | None) -> None:
    """Remember a few facts in one server process, and recall them in another; exit 1 where one does not come back.

    \b
    Examples:
      mcp-memory demo
      mcp-memory demo --keep demo.db
    """
    sys.exit(run_demo(keep, model=config.model))


def run_demo(keep: Path | None, *, model: Path | None) -> int:
    """Run the demo and print it; 0 when every fact came back. The file stays only where `keep` names it."""
    if keep is not None and keep.exists():
        raise click.ClickException(f"{keep} exists already; name a file that does not.")
    with tempfile.TemporaryDirectory(prefix="mcp-memory-demo-", ignore_cleanup_errors=True) as folder:
        database = (keep or Path(folder) / "memory.db").absolute()
        missed = anyio.run(_demo, database, model)
    if keep is not None:
        click.echo(f"\nKept in {keep}. Look into it: mcp-memory list --database {keep}")
    if missed:
        click.secho(f"\n{missed} of {len(QUESTIONS)} did not come back.", fg="red")
        return 1
    click.secho(f"\nAll {len(QUESTIONS)} came back in a new process.", fg="green")
    return 0


async def _demo(database: Path, model: Path | None) -> int:
    arguments = ["-m", "mcp_memory", "serve", "--database", str(database), "--project", "demo"]
    if model is not None:
        arguments += ["--model", str(model)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MCP_MEMORY_")}
    server = StdioServerParameters(command=sys.executable, args=arguments, env=environment)
    try:
        with anyio.fail_after(PATIENCE):
            await _tell(server)
            return await _ask(server)
    except TimeoutError:
        raise click.ClickException(f"The demo was not over after {PATIENCE} seconds.") from None


async def _tell(server: StdioServerParameters) -> None:
    click.secho("First process: remember", bold=True)
    start = time.perf_counter()
    async with Client(server) as client:
        click.secho(f"  connected in {_since(start)}", dim=True)
        await _wait_for_encoder(client)
        for fact in FACTS:
            start = time.perf_counter()
            became = _text(await client.call_tool("remember", fact)).partition("\n")[0]
            click.echo(f"  {fact['content']}\n    {became} {click.style(_since(start), dim=True)}")
    click.secho("  the process has ended\n", dim=True)


async def _ask(server: StdioServerParameters) -> int:
    click.secho("Second process: recall", bold=True)
    missed = 0
    start = time.perf_counter()
    async with Client(server) as client:
        click.secho(f"  connected in {_since(start)}", dim=True)
        await _wait_for_encoder(client)
        for question, expected in QUESTIONS:
            start = time.perf_counter()
            result = await client.call_tool("recall", {"query": question, "limit": 1})
            hits = (result.meta or {})["mcp-memory/recall"]["hits"]
            answer = hits[0]["text"] if hits else "(nothing)"
            found = expected in answer
            missed += not found
            mark = click.style("found", fg="green") if found else click.style("missed", fg="red")
            click.echo(f"  {question}\n    {mark}: {answer} {click.style(_since(start), dim=True)}")
    return missed


async def _wait_for_encoder(client: Client) -> None:
    """Recall until the answer no longer says that the encoder is loading, so that the demo shows search by meaning.

    A client need not wait: until vectors follow, memories are found by their words.
    """
    start = time.perf_counter()
    while "encoder is still loading" in _text(await client.call_tool("recall", {"query": "ready"})):
        await anyio.sleep(0.02)
    click.secho(f"  encoder up in {_since(start)}", dim=True)


def _text(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def _since(start: float) -> str:
    return f"({(time.perf_counter() - start) * 1000:.0f} ms)"
