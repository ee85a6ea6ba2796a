"""The resources that clients may read: the core context, the topics, an item, a source."""

from dataclasses import dataclass
from urllib.parse import unquote

from mcp_memory.domain.model import Caller, Item, Operation, Source
from mcp_memory.errors import NotFound
from mcp_memory.language.dates.periods import format_moment
from mcp_memory.memory import Memory
from mcp_memory.privacy.provenance import INSTRUCTS, holds_instructions, origin_line, source_holds_instructions
from mcp_memory.privacy.sanitizing import line as one_line
from mcp_memory.privacy.sanitizing import neutralise
from mcp_memory.render import digest_text
from mcp_memory.render.item_text import fenced


@dataclass(frozen=True, slots=True)
class Resource:
    """A URI or URI template, and what it reads."""

    uri: str
    name: str
    title: str
    description: str


RESOURCES = (
    Resource(
        "memory://context",
        "context",
        "Core context",
        "What a session should begin with: pinned memories, standing preferences, recent decisions.",
    ),
    Resource(
        "memory://topics",
        "topics",
        "Topics",
        "What the memories gather into: keywords, how many, whether the digest is fresh; and the tags in use.",
    ),
)
TEMPLATES = (
    Resource("memory://topics/{name}", "topic", "Topic", "The digest of one topic."),
    Resource("memory://items/{id}", "item", "Memory", "One memory with its history and where it comes from."),
    Resource("memory://sources/{id}", "source", "Source", "The text a memory was made from, line by line."),
)


def read(memory: Memory, uri: str, *, caller: Caller) -> str:
    """Return the text at a URI. Raises NotFound listing the known URIs, and InvalidInput for a malformed id."""
    kind, _, name = uri.removeprefix("memory://").partition("/")
    name = unquote(name)
    match kind, bool(name):
        case "context", False:
            return memory.recall(by=caller).text
        case "topics", False:
            return digest_text.topics(*memory.topics())
        case "topics", True:
            return memory.summarize(name, by=caller).text
        case "items", True:
            item, _, states = memory.item(name)
            return _item_text(item, states)
        case "sources", True:
            return _source_text(memory.source(name))
        case _:
            known = ", ".join(resource.uri for resource in RESOURCES + TEMPLATES)
            raise NotFound(f"There is no resource {one_line(uri)}. There are {known}.")


def _item_text(item: Item, states: list[tuple[Item, Operation]]) -> str:
    lines = [f"scope: {one_line(item.scope)}", origin_line(item).strip()]
    for state, operation in states:
        tags = f" [{', '.join(state.tags)}]" if state.tags else ""
        lines.append(
            one_line(
                f"revision {state.revision}, {format_moment(operation.at)} UTC, {operation.verb} by {operation.client}, "
                f"{state.status}: {state.kind}{tags}: {state.spoken}"
            )
        )
    marks = [f"({INSTRUCTS})"] if any(holds_instructions(state.text, state.speaker) for state, _ in states) else []
    return "\n".join([f"#{item.id} ({item.status}), source #{item.source_id}", fenced([*lines, *marks])])


def _source_text(source: Source) -> str:
    """Fence a source with a bar before each line, so that no line passes for one of ours."""
    lines = [f"| {neutralise(line)}".rstrip() for line in source.text.splitlines()]
    called = [f"from {one_line(source.origin)}"] if source.origin else []
    marks = [f"({INSTRUCTS})"] if source_holds_instructions(source) else []
    return "\n".join([f"source #{source.id} ({source.kind})", fenced([*called, *marks, *lines])])
