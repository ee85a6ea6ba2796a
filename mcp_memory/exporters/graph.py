"""The knowledge graph of the reference server `@modelcontextprotocol/server-memory`: what is live, as entities and relations."""

from collections.abc import Iterator, Sequence

from mcp_memory.domain import USER, Item, ItemId, Topic
from mcp_memory.exporters.jsonl import encode


def lines(items: Sequence[Item], topics: Sequence[Topic]) -> Iterator[bytes]:
    """The file, line by line: entities, each with its observations, then relations; the same for the same memories.

    A memory is an observation of one entity: of its topic, else of its first tag, else of the person or project it
    belongs to. Its other tags are what that topic is about. History, kinds and dates have no place in that format.
    """
    entities: dict[str, str] = {}
    observations: dict[str, list[str]] = {}
    relations: dict[tuple[str, str, str], None] = {}
    topic_of: dict[ItemId, Topic] = {}
    for topic in sorted(topics, key=lambda topic: (topic.name, topic.scope)):
        for identifier in topic.items:
            topic_of.setdefault(identifier, topic)
    for item in sorted(items, key=lambda item: item.id):
        owner = item.scope
        entities.setdefault(owner, "person" if owner == USER else "project")
        topic = topic_of.get(item.id)
        subject = topic.name if topic else item.tags[0] if item.tags else owner
        entities.setdefault(subject, "topic" if topic else "tag")
        observations.setdefault(subject, []).append(item.spoken)
        if subject != owner:
            relations[subject, owner, "belongs to"] = None
        for tag in item.tags:
            if tag != subject:
                entities.setdefault(tag, "tag")
                relations[subject, tag, "is about"] = None
    for name, sort in entities.items():
        told = list(dict.fromkeys(observations.get(name, [])))
        yield encode({"type": "entity", "name": name, "entityType": sort, "observations": told})
    for one, other, sort in relations:
        yield encode({"type": "relation", "from": one, "to": other, "relationType": sort})
