"""The verbs: the same as the tools, and a list of all memories."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mcp_memory.cli.opening import answer_of, call_tool, open_existing
from mcp_memory.cli.options import configured, json_option
from mcp_memory.cli.output import print_answer
from mcp_memory.domain.results import Forgotten
from mcp_memory.memory import local_time
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.privacy.sanitizing import visible
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.render.item_text import item_header
from mcp_memory.render.outcomes import expired, forgotten
from mcp_memory.server.config import Config
from mcp_memory.server.tools import item_data, summary_data, undo_data


@click.command()
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
    if file is not None and content is not None:
        raise click.UsageError("Give either a text or --file, not both: call it once for each.")
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


@click.command()
@click.argument("query", required=False)
@click.option("--scope", help="user, project, all or a project's name.")
@click.option("--kind", "kinds", multiple=True)
@click.option("--tag", "tags", multiple=True)
@click.option("--since", help="A date or time; inclusive.")
@click.option("--until", help="A date or time; inclusive.")
@click.option("--as-of", help="Answer from what was known then.")
@click.option("--limit", type=int, help="10 for a question; without one as many as --max-tokens holds.")
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
        click.echo(visible(line))


def _explained(data: Mapping[str, Any]) -> list[str]:
    """Return a header, a line for each hit with the parts of its score, and the time spent."""
    names = list(dict.fromkeys(name for hit in data["hits"] for name in hit["parts"]))
    lines = [f"{'memory':<14} {'score':>7} " + " ".join(f"{name:>10}" for name in names) + "  text"]
    for hit in data["hits"]:
        values = " ".join(f"{hit['parts'].get(name, 0):>10.2f}" for name in names)
        lines.append(f"#{hit['id']} {hit['score']:>7.2f} {values}  {hit['text'][:60]!r}")
    spent = ", ".join(f"{part} {value:.1f} ms" for part, value in data["milliseconds"].items())
    return [*lines, *data["notes"], spent]


@click.command()
@click.argument("topic", required=False)
@click.option("--query")
@click.option("--scope")
@click.option("--since")
@click.option("--until")
@click.option("--as-of", help="Answer from what was known then.")
@click.option("--max-tokens", type=int, default=600, show_default=True)
@click.option("--digest", help="Keep this text as the topic's digest.")
@json_option
@configured
def summarize(
    config: Config,
    topic: str | None,
    query: str | None,
    max_tokens: int,
    digest: str | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Digest a TOPIC, a question, or a stretch of time.

    \b
    Examples:
      mcp-memory summarize infra
      mcp-memory summarize --since 2026-10-01 --until 2026-10-31
      mcp-memory summarize infra --as-of 2026-01-31
    """
    memory, caller = open_existing(config)
    with memory:
        memory.wait_for_encoder()
        select = ItemQuery(**selection)
        result = memory.summarize(topic, query=query, select=select, max_tokens=max_tokens, digest=digest, by=caller)
    print_answer(summary_data(result) if as_json else result.text)


@click.command()
@click.argument("id")
@click.option("--content")
@click.option("--kind")
@click.option("--tag", "tags", multiple=True, help="Replaces the tags it has.")
@click.option("--importance", type=float)
@click.option("--occurred-at")
@click.option("--valid-until", help="When it stopped being true; none takes it away.")
@click.option("--pin/--unpin", "pinned", default=None)
@click.option("--review-after", help="When to ask whether it still holds; none takes it away.")
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


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--query", help="Forget what this finds; shows it first.")
@click.option("--older-than", metavar="AGE", help="Forget what was last said longer ago, such as 90d; shows it first.")
@click.option("--kind", "kinds", multiple=True, help="With --older-than: only of this kind.")
@click.option("--scope", help="user, project, all or a project's name.")
@click.option("--confirm", "--yes", is_flag=True, help="With --query or --older-than: do it.")
@click.option("--erase", is_flag=True, help="Remove the words from the file for good.")
@click.option("--reason")
@json_option
@configured
def forget(
    config: Config,
    ids: tuple[str, ...],
    older_than: str | None,
    kinds: tuple[str, ...],
    confirm: bool,
    erase: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Forget memories by IDS, by --query, or by --older-than, which goes through all scopes unless one is given.

    \b
    Examples:
      mcp-memory forget 0p9s3l9cgm2pe
      mcp-memory forget --query "the old flat" --confirm
      mcp-memory forget 0p9s3l9cgm2pe --erase
      mcp-memory forget --older-than 90d --kind note --scope work --erase --yes
    """
    if older_than is not None:
        if ids or fields["query"]:
            raise click.UsageError("Give one of IDS, --query and --older-than.")
        _forget_old(config, older_than, kinds, confirm=confirm, erase=erase, as_json=as_json, **fields)
        return
    if kinds:
        raise click.UsageError("--kind goes with --older-than.")
    if erase and ids and sys.stdin.isatty():
        click.confirm(f"Erase {len(ids)} for good, beyond undo?", abort=True)
    arguments = {"ids": list(ids), "confirm": confirm or None, "erase": erase or None} | fields
    call_tool(config, "forget", arguments, as_json=as_json)


def _forget_old(
    config: Config,
    older_than: str,
    kinds: tuple[str, ...],
    *,
    confirm: bool,
    erase: bool,
    as_json: bool,
    scope: str | None,
    reason: str | None,
    **_: None,
) -> None:
    """Show what a rule of retention would forget, and with `confirm` forget it."""
    memory, caller = open_existing(config)
    with memory:
        found = memory.expired(older_than, ItemQuery(scope or "all", kinds), by=caller)
        items = [item for item in found if erase or item.status != "forgotten"]
        result = Forgotten(items, done=False, erased=False)
        if items and confirm:
            because = reason or f"older than {older_than}"
            result = memory.forget([item.id for item in items], erase=erase, reason=because, by=caller)
    if as_json:
        print_answer({"ids": [item.id for item in result.items], "done": result.done, "erased": result.erased})
    else:
        print_answer(forgotten(result, speech=caller.speech) if result.done else expired(result.items, erase=erase))


@click.command()
@click.argument("id", required=False)
@click.option("--since", help="A date or time; inclusive.")
@click.option("--limit", type=int, default=20, show_default=True)
@json_option
@configured
def history(config: Config, as_json: bool, **fields: Any) -> None:
    """Show the revisions of the memory ID, with what each changed; without an id the latest operations.

    \b
    Examples:
      mcp-memory history
      mcp-memory history 0p9s3l9cgm2pe
      mcp-memory history --since yesterday --json
    """
    call_tool(config, "history", fields, as_json=as_json)


@click.command()
@click.argument("operation", required=False)
@click.option("--dry-run", is_flag=True, help="Show what it would change.")
@json_option
@configured
def undo(config: Config, operation: str | None, dry_run: bool, as_json: bool) -> None:
    """Take back OPERATION, as history names it; without one the last that came from a shell.

    An undo is an operation too: named, it is taken back in turn. What was erased stays gone.

    \b
    Examples:
      mcp-memory undo --dry-run
      mcp-memory undo
      mcp-memory undo 0p9s3l9cgm2pe
    """
    memory, caller = open_existing(config)
    with memory:
        done = (memory.undo_preview if dry_run else memory.undo)(operation, by=caller)
    print_answer(undo_data(done) if as_json else done.text)


@click.command("list")
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
    """List memories, the latest first.

    \b
    Examples:
      mcp-memory list --kind decision --since 2026-10
      mcp-memory list --scope user --json
    """
    memory, caller = open_existing(config)
    with memory:
        select = ItemQuery(kinds=kinds, tags=tags, **fields)
        items = memory.listing(select, limit=limit, offset=offset, by=caller)
    if as_json:
        print_answer([item_data(item) for item in items])
        return
    now = local_time()
    lines = [f"{item_header(item, now=now)} {one_line(item.spoken)}" for item in items]
    print_answer("\n".join(lines) or "Nothing matches.")
