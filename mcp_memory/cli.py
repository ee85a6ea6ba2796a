"""The command line: the same verbs as the tools, what an operator does, and the wiring of it all."""

import io
import json
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mcp_memory.config import Config, log_to_stderr, read_config
from mcp_memory.errors import MemoryProblem, NotFound
from mcp_memory.projects import project_here

if TYPE_CHECKING:  # what is heavy is imported by the command that needs it
    from mcp_memory.domain import Caller
    from mcp_memory.memory import Memory
    from mcp_memory.tools import Answer

CLIENT = "command line"
LONG = 64
"""Steps from which on a progress bar is worth its line."""

CONTROLS = {number: f"\\x{number:02x}" for number in (*range(9), *range(11, 32), *range(127, 160))}
"""What a terminal obeys instead of showing it, and how it is shown: a memory's text must not move the cursor."""

_OPTIONS = (
    click.option("--database", metavar="FILE", help="The memory file. [env: MCP_MEMORY_DATABASE]"),
    click.option("--project", metavar="NAME", help="The project this is about. [env: MCP_MEMORY_PROJECT]"),
    click.option("--model", metavar="DIR", help="A directory with an encoder.json. [env: MCP_MEMORY_MODEL]"),
    click.option("--read-only", is_flag=True, help="Change nothing. [env: MCP_MEMORY_READ_ONLY]"),
    click.option(
        "--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR, on stderr. [env: MCP_MEMORY_LOG_LEVEL]"
    ),
)
_NAMES = ("database", "project", "model", "read_only", "log_level")
_json = click.option("--json", "as_json", is_flag=True, help="Print data instead of text.")


def _configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of read_config, before or after its name, and hand it a Config as first argument."""

    @wraps(command)
    def wrapper(**values: Any) -> Any:
        context = click.get_current_context()
        given = {name: values.pop(name) for name in _NAMES}
        for name, value in (context.parent.params if context.parent else {}).items():
            if name in given and not given[name]:
                given[name] = value
        with _problems_told():
            config = read_config(os.environ, **given)
            log_to_stderr(config.log_level)
            return command(config, **values)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


@contextmanager
def _problems_told() -> Generator[None]:
    try:
        yield
    except MemoryProblem as problem:
        raise click.ClickException(str(problem)) from problem


def _open_existing(config: Config) -> "tuple[Memory, Caller]":
    """The memory, where there is one: what only reads or changes makes no file out of a mistyped name."""
    if not config.database.exists():
        raise NotFound(
            f"There is no memory file {config.database} yet. Remember something first, or name another file."
        )
    return _open(config)


def _open(config: Config) -> "tuple[Memory, Caller]":
    from mcp_memory.domain import Caller

    project = config.project or project_here()
    return _open_memory(config), Caller(client=CLIENT, project=project)


def _open_memory(config: Config) -> "Memory":
    from mcp_memory.memory import Memory

    return Memory.open(config.database, model=config.model, project=config.project, read_only=config.read_only)


def _call(config: Config, tool: str, arguments: Mapping[str, Any], *, as_json: bool) -> None:
    """Carry a tool out as a client would, and print its answer."""
    answer = _answer(config, tool, arguments)
    _print(answer.data if as_json else answer.text)


def _answer(config: Config, tool: str, arguments: Mapping[str, Any]) -> "Answer":
    from mcp_memory.tools import tool_named

    memory, caller = _open(config) if tool == "remember" else _open_existing(config)
    with memory, _progress_bar() as progress:
        memory.wait_for_encoder()
        given = {name: value for name, value in arguments.items() if value not in (None, (), [])}
        answer = tool_named(tool).call(memory, given, caller=caller, progress=progress)
        if answer.data.get("pending"):
            memory.make_vectors(progress)
    return answer


def _print(answer: Any) -> None:
    if not isinstance(answer, str):
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    for line in answer.split("\n"):
        click.echo(_coloured(line.translate(CONTROLS)))


def _coloured(line: str) -> str:
    """A line with its id and date dimmed and what replaced something marked; plain where there is no terminal."""
    if line.startswith("#") and ": " in line:
        head, _, text = line.partition(": ")
        return click.style(head + ":", fg="cyan") + " " + text
    if line.startswith(("<memories>", "</memories>", "  was:", "  source")):
        return click.style(line, dim=True)
    return line


@contextmanager
def _progress_bar() -> Generator[Callable[[int, int], None]]:
    """A bar on standard error while something long runs on a terminal; nothing elsewhere."""
    with ExitStack() as stack:
        bars: list[Any] = []

        def progress(done: int, total: int) -> None:
            if total <= LONG or not sys.stderr.isatty():
                return
            if not bars:
                bars.append(stack.enter_context(click.progressbar(length=total, file=sys.stderr, show_eta=True)))
            bars[0].update(done - bars[0].pos)

        yield progress


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcp-memory", prog_name="mcp-memory")
@_configured
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
        _serve(config)


def _speak_utf8() -> None:
    """Print in UTF-8 whatever the console's code page, and what no encoding knows as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _serve(config: Config) -> None:
    from mcp_memory.server import serve_stdio

    if sys.stdin.isatty():
        click.echo("Serving an MCP client over standard input and output; mcp-memory --help says what else.", err=True)
    serve_stdio(lambda: _open_memory(config), project=config.project)


@main.command()
@_configured
def serve(config: Config) -> None:
    """Serve an MCP client over standard input and output.

    \b
    Examples:
      mcp-memory serve --database notes.db
      {"mcpServers": {"memory": {"command": "mcp-memory"}}}
    """
    _serve(config)


@main.command()
@click.argument("content", required=False)
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Remember this text file.")
@click.option("--kind", help="fact, preference, decision, event, procedure, note or tool.")
@click.option("--tag", "tags", multiple=True, help="Give it once for each tag.")
@click.option("--scope", help="user, project or a project's name.")
@click.option("--occurred-at", help="When it happened.")
@click.option("--importance", type=float, help="0 to 1.")
@click.option("--replaces", metavar="ID", help="The memory this takes the place of.")
@_json
@_configured
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
    _call(config, "remember", {"content": content, "tags": list(tags), "source": source} | fields, as_json=as_json)


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
@_json
@_configured
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
    answer = _answer(config, "recall", arguments)
    if not explain:
        _print(answer.data if as_json else answer.text)
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
@_json
@_configured
def summarize(config: Config, as_json: bool, **fields: Any) -> None:
    """A digest of a TOPIC, a question, or a stretch of time.

    \b
    Examples:
      mcp-memory summarize infra
      mcp-memory summarize --since 2026-10-01 --until 2026-10-31
    """
    _call(config, "summarize", fields, as_json=as_json)


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
@_json
@_configured
def update(config: Config, tags: tuple[str, ...], confirm: bool, as_json: bool, **fields: Any) -> None:
    """Change the memory ID; its earlier states are kept.

    \b
    Examples:
      mcp-memory update 0p9s3l9cgm2pe --content "The deploy port is 9443."
      mcp-memory update 0p9s3l9cgm2pe --pin
    """
    _call(config, "update", {"tags": list(tags), "confirm": confirm or None} | fields, as_json=as_json)


@main.command()
@click.argument("ids", nargs=-1)
@click.option("--query", help="Forget what this finds; shows it first.")
@click.option("--scope")
@click.option("--confirm", is_flag=True, help="With --query: do it.")
@click.option("--erase", is_flag=True, help="Remove the words from the file for good.")
@click.option("--reason")
@_json
@_configured
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
    _call(config, "forget", arguments, as_json=as_json)


@main.command("list")
@click.option("--scope", help="user, project, all or a project's name.", default="all", show_default=True)
@click.option("--kind", "kinds", multiple=True)
@click.option("--tag", "tags", multiple=True)
@click.option("--since")
@click.option("--until")
@click.option("--as-of")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@_json
@_configured
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

    memory, caller = _open_existing(config)
    with memory:
        select = ItemQuery(kinds=kinds, tags=tags, **fields)
        items = memory.listing(select, limit=limit, offset=offset, by=caller)
    if as_json:
        _print([item_data(item) for item in items])
        return
    now = local_time()
    _print(
        "\n".join(f"{compose.head(item, now=now)} {compose.one_line(item.spoken)}" for item in items)
        or "Nothing matches."
    )


@main.command()
@_json
@_configured
def stats(config: Config, as_json: bool) -> None:
    """How much is remembered, and in what.

    \b
    Example:
      mcp-memory stats --json
    """
    memory, _ = _open_existing(config)
    with memory:
        found = memory.stats()
    if as_json:
        _print(asdict(found))
        return
    for name, value in asdict(found).items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{key} {count}" for key, count in cast(dict[str, int], value).items())
        click.echo(f"{click.style(f'{name:<11}', fg='cyan')}{shown}")


@main.command()
@_configured
def verify(config: Config) -> None:
    """Check the file, its lineage, its indexes and the encoder's files; exit 1 where something is wrong.

    \b
    Example:
      mcp-memory verify --database notes.db
    """
    from mcp_memory.encoders import bundled_model_directory, verify_files

    problems = verify_files(config.model or bundled_model_directory())
    memory, _ = _open_existing(config)
    with memory:
        problems += memory.verify()
    for problem in problems:
        click.echo(f"{click.style('wrong', fg='red')}: {problem}")
    if problems:
        sys.exit(1)
    click.echo(f"{click.style('sound', fg='green')}: {config.database} and the encoder's files")


@main.command()
@_configured
def reindex(config: Config) -> None:
    """Rebuild the indexes from what is remembered, with the encoder of --model; others may go on using the file.

    \b
    Example:
      mcp-memory reindex --model models/all-minilm-l6-v2
    """
    memory, _ = _open_existing(config)
    with memory, _progress_bar() as progress:
        memory.reindex(progress)
    click.echo("The indexes are rebuilt.")


@main.command()
@click.argument("target", type=click.Path(path_type=Path))
@_configured
def backup(config: Config, target: Path) -> None:
    """Copy the file as it is now to TARGET, while others use it, and check the copy.

    \b
    Example:
      mcp-memory backup memory-2026-11-21.db
    """
    memory, _ = _open_existing(config)
    with memory:
        memory.backup(target)
    click.echo(f"{target} is a checked copy of {config.database}.")


@main.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the demo's memory in this file.")
@_configured
def demo(config: Config, keep: Path | None) -> None:
    """Remember a few facts in one server process, and recall them in another; exit 1 where one does not come back.

    \b
    Examples:
      mcp-memory demo
      mcp-memory demo --keep demo.db
    """
    from mcp_memory.demo import run_demo

    sys.exit(run_demo(keep, model=config.model))
