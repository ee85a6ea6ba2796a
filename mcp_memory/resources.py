"""The resources clients may read: the core context, the topics, an item, a source."""

from dataclasses import dataclass
from urllib.parse import unquote

from mcp_memory import compose
from mcp_memory.domain import Caller, Item, Operation
from mcp_memory.errors import NotFound
from mcp_memory.memory import Memory
from mcp_memory.times import format_moment


@dataclass(frozen=True, slots=True)
class Resource:
    """An address, or a template of addresses, and what is read there."""

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
    Resource("memory://sources/{id}", "source", "Source", "The verbatim text a memory was made from."),
)


def read(memory: Memory, uri: str, *, caller: Caller) -> str:
    """What is at an address. Raises NotFound, naming the addresses there are, and InvalidInput for an id that is none."""
    kind, _, name = uri.removeprefix("memory://").partition("/")
    name = unquote(name)
    match kind, bool(name):
        case "context", False:
            return memory.recall(by=caller).text
        case "topics", False:
            return compose.topics(*memory.topics())
        case "topics", True:
            return memory.summarize(name, by=caller).text
        case "items", True:
            item, source, states = memory.item(name)
            return _item_text(item, source.origin, states)
        case "sources", True:
            return memory.source(name).text
        case _:
            known = ", ".join(resource.uri for resource in RESOURCES + TEMPLATES)
            raise NotFound(f"There is no resource {uri}. There are {known}.")


def _item_text(item: Item, origin: str | None, states: list[tuple[Item, Operation]]) -> str:
    lines = [
        f"#{item.id} ({item.status}) in {item.scope}, source #{item.source_id}" + (f", from {origin}" if origin else "")
    ]
    for state, operation in states:
        tags = f" [{', '.join(state.tags)}]" if state.tags else ""
        lines.append(
            f"revision {state.revision}, {format_moment(operation.at)} UTC, {operation.verb} by {operation.client}, "
            f"{state.status}: {state.kind}{tags}: {state.spoken}"
        )
    return "\n".join(lines)
