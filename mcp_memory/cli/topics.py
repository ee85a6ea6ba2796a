"""Topics, and folding old tool calls."""

from dataclasses import asdict
from typing import Any

import click

from mcp_memory.cli.opening import open_existing
from mcp_memory.cli.options import configured, json_option
from mcp_memory.cli.output import print_answer, progress_bar
from mcp_memory.domain.model import Topic
from mcp_memory.language.token_count import counted
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.render import digest_text
from mcp_memory.server.config import Config


@click.command()
@click.option("--scope", help="user, project, all or a project's name.", default="all", show_default=True)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
@configured
def topics(config: Config, scope: str, limit: int, as_json: bool) -> None:
    """List the topics that memories gather into, those that changed last first.

    Brings them up to date first; a running server does so by itself.

    \b
    Examples:
      mcp-memory topics
      mcp-memory topics --scope user --json
    """
    memory, caller = open_existing(config)
    with memory, progress_bar() as progress:
        memory.wait_for_encoder()
        memory.maintenance.make_vectors(progress)
        memory.maintenance.gather(progress)
        found = memory.fresh_topics(limit=limit, select=ItemQuery(scope=scope), by=caller)
    print_answer([topic_data(topic) for topic in found] if as_json else digest_text.topics(found, []))


@click.command()
@json_option
@configured
def fold(config: Config, as_json: bool) -> None:
    """Fold old tool calls of one shape into one pattern; a running server does it once a day.

    Calls are kept whole for 7 days, and can come back for 30; those that failed, wrote or deleted, for 90.

    \b
    Example:
      mcp-memory fold
    """
    memory, caller = open_existing(config)
    with memory:
        done = memory.maintenance.fold(by=caller)
    report = (
        f"{counted(done.hidden, 'call')} into {counted(done.patterns, 'pattern')}; "
        f"{done.erased} {'was' if done.erased == 1 else 'were'} past their retention."
    )
    print_answer(asdict(done) if as_json else report)


def topic_data(topic: Topic) -> dict[str, Any]:
    """Return a topic as data; times in milliseconds since 1970 UTC."""
    return {
        "name": topic.name,
        "scope": topic.scope,
        "keywords": list(topic.keywords),
        "importance": round(topic.importance, 3),
        "items": list(topic.items),
        "digest": topic.digest,
        "kept": topic.kept,
        "stale": topic.stale,
        "newer": topic.newer,
        "changed_at": topic.changed_at,
    }
