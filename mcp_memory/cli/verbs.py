"""The verbs from a shell: the same as the tools, and the list of what there is."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mcp_memory.cli.wiring import answer_of, call_tool, configured, json_option, main, open_existing, print_answer
from mcp_memory.config import Config


@main.command()
@click.argument("content", required=False)
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Remember this text file.")
@click.option("--kind", help="fact, preference, decision, event, procedure, note or tool.")
@click.option("--tag", "tags", multiple=True, help="Give it once for each tag.")
@click.option("--scope", help="user, project or a project's name.")
@click.option("--occurred-at", help="When it happened.")
@click.option("--importance", type=float, help="0 to 1.")
@click.option("--replaces", metavar="ID", help="The memory this takes the place of.")
@json_option
@configured
def remember(
    config: Config, content: str | None, file: Path | None, tags: tuple[str, ...], as_json: bool, **fields: Any
) -> None:
    """Remember CONTENT, a file, or (with -) what comes on standard input.

    \b
    Examples:
      mcp-memory remember "The staging database runs on Postgres 16." --tag infra
      mcp-memory remember "I prefer tabs." --kind preference
      mcp-memory remember --file notes.md
      git log -1 --format=%B | mcp-memory remember - --kind decision
    """
    source = None
    if file is not None:
        content, source = _utf8(file.read_bytes(), str(file)), str(file)
    elif content == "-":
        content = _utf8(sys.stdin.buffer.read(), "standard input")
    if content is None:
        raise click.UsageError("Say what to remember: a text, --file FILE, or - for standard input.")
    call_tool(config, "remember", {"content": content, "tags": list(tags), "source": source} | fields, as_json=as_json)


def _utf8(text: bytes, name: str) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{name} is not UTF-8 text ({error.reason} at byte {error.start}).") from error


@main.command()
@click.argument("query", required=False)
@click.option("--scope", help="user, project, all or a project's name.")
@click.option("--kind", "kinds", multiple=True)
@click.option("--tag", "tags", multiple=True)
@click.option("--since", help="A date or time; inclusive.")
@click.option("--until", help="A date or time; inclusive.")
@click.option("--as-of", help="Answer from what was known then.")
@click.option("--limit", type=int, default=10, show_default=True)
@click.option("--max-tokens", type=int, default=2000, show_default=True)
@click.option("--full", is_flag=True, help="Show what stands around each in its source.")
@click.option("--explain", is_flag=True, help="Show what each score is made of, as a table.")
@json_option
@configured
def recall(
    config: Config,
    kinds: tuple[str, ...],
    tags: tuple[str, ...],
    full: bool,
    explain: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Recall what answers QUERY; without one, what a session should begin with.

    \b
    Examples:
      mcp-memory recall "which port do we deploy on"
      mcp-memory recall "lodging" --since 2026-03 --until 2026-05 --full
      mcp-memory recall --as-of 2026-01-31 "which port"
      mcp-memory recall --explain "which port"
    """
    arguments = {"kinds": list(kinds), "tags": list(tags), "detail": "full" if full else None} | fields
    answer = answer_of(config, "recall", arguments)
    if not explain:
        print_answer(answer.data if as_json else answer.text)
        return
    for line in _explained(answer.data):
        click.echo(line)


def _explained(data: Mapping[str, Any]) -> list[str]:
    """A line for each hit with the parts of its score, under a line with their names, then the milliseconds."""
    names = list(dict.fromkeys(name for hit in data["hits"] for name in hit["parts"]))
    lines = [f"{'memory':<14} {'score':>7} " + " ".join(f"{name:>10}" for name in names) + "  text"]
    for hit in data["hits"]:
        values = " ".join(f"{hit['parts'].get(name, 0):>10.2f}" for name in names)
        lines.append(f"#{hit['id']} {hit['score']:>7.2f} {values}  {hit['text'][:60]!r}")
    spent = ", ".join(f"{part} {value:.1f} ms" for part, value in data["milliseconds"].items())
    return [*lines, *data["notes"], spent]


@main.command()
@click.argument("topic", required=False)
@click.option("--query")
@click.option("--scope")
@click.option("--since")
@click.option("--until")
@click.option("--max-tokens", type=int, default=600, show_default=True)
@click.option("--digest", help="Keep this text as the topic's digest.")
@json_option
@configured
def summarize(config: Config, as_json: bool, **fields: Any) -> None:
    """A digest of a TOPIC, a question, or a stretch of time.

    \b
    Examples:
      mcp-memory summarize infra
      mcp-memory summarize --since 2026-10-01 --until 2026-10-31
    """
    call_tool(config, "summarize", fields, as_json=as_json)


@main.command()
@click.argument("id")
@click.option("--content")
@click.option("--kind")
@click.option("--tag", "tags", multiple=True, help="Replaces the tags it has.")
@click.option("--importance", type=float)
@click.option("--occurred-at")
@click.option("--valid-until", help="When it stopped being true.")
@click.option("--pin/--unpin", "pinned", default=None)
@click.option("--review-after")
@click.option("--confirm", is_flag=True, help="It is still true.")
@json_option
@configured
def update(config: Config, tags: tuple[str, ...], confirm: bool, as_json: bool, **fields: Any) -> None:
    """Change the memory ID; its earlier states are kept.

    \b
    Examples:
      mcp-memory update 0p9s3l9cgm2pe --content "The deploy port is 9443."
      mcp-memory update 0p9s3l9cgm2pe --pin
    """
    call_tool(config, "update", {"tags": list(tags), "confirm": confirm or None} | fields, as_json=as_json)


@main.command()
@click.argument("ids", nargs=-1)
@click.option("--query", help="Forget what this finds; shows it first.")
@click.option("--scope")
@click.option("--confirm", is_flag=True, help="With --query: do it.")
@click.option("--erase", is_flag=True, help="Remove the words from the file for good.")
@click.option("--reason")
@json_option
@configured
def forget(config: Config, ids: tuple[str, ...], confirm: bool, erase: bool, as_json: bool, **fields: Any) -> None:
    """Forget memories by IDS, or by --query.

    \b
    Examples:
      mcp-memory forget 0p9s3l9cgm2pe
      mcp-memory forget --query "the old flat" --confirm
      mcp-memory forget 0p9s3l9cgm2pe --erase
    """
    if erase and ids and sys.stdin.isatty():
        click.confirm(f"Erase {len(ids)} for good, beyond undo?", abort=True)
    arguments = {"ids": list(ids), "confirm": confirm or None, "erase": erase or None} | fields
    call_tool(config, "forget", arguments, as_json=as_json)


@main.command("list")
@click.option("--scope", help="user, project, all or a project's name.", default="all", show_default=True)
@click.option("--kind", "kinds", multiple=True)
@click.option("--tag", "tags", multiple=True)
@click.option("--since")
@click.option("--until")
@click.option("--as-of")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@json_option
@configured
def list_items(
    config: Config, kinds: tuple[str, ...], tags: tuple[str, ...], limit: int, offset: int, as_json: bool, **fields: Any
) -> None:
    """List what is remembered, the latest first.

    \b
    Examples:
      mcp-memory list --kind decision --since 2026-10
      mcp-memory list --scope user --json
    """
    from mcp_memory import compose
    from mcp_memory.memory import local_time
    from mcp_memory.requests import ItemQuery
    from mcp_memory.tools import item_data

    memory, caller = open_existing(config)
    with memory:
        select = ItemQuery(kinds=kinds, tags=tags, **fields)
        items = memory.listing(select, limit=limit, offset=offset, by=caller)
    if as_json:
        print_answer([item_data(item) for item in items])
        return
    now = local_time()
    print_answer(
        "\n".join(f"{compose.head(item, now=now)} {compose.one_line(item.spoken)}" for item in items)
        or "Nothing matches."
    )
