"""The knowledge graph of `@modelcontextprotocol/server-memory`: live memories as entities and relations."""

from collections.abc import Collection, Iterator, Sequence

from mcp_memory.domain.model import USER, Item, ItemId, Topic
from mcp_memory.exchange.exporters.jsonl import encode

OWNERS = {"person": "memories of a person", "project": "memories of a project"}
SUBJECTS = {"topic": "memories of a topic", "tag": "memories with a tag"}
"""Types of entities, which no other program gives: by them the importer knows that an observation is a memory as it was."""
BELONGS, ABOUT = "belongs to", "is about"


def lines(items: Sequence[Item], topics: Sequence[Topic]) -> Iterator[bytes]:
    """Yield entities with memories as observations, then relations, in a fixed order; history, kinds and dates are lost."""
    entities: dict[str, str] = {}
    observations: dict[str, list[str]] = {}
    relations: dict[tuple[str, str, str], None] = {}
    ordered = sorted(items, key=lambda item: item.id)
    for owner in dict.fromkeys(item.scope for item in ordered):
        entities[owner] = OWNERS["person" if owner == USER else "project"]
    subjects = _subjects(ordered, topics)
    named = _named([(*subjects[item.id], item.scope) for item in ordered], entities)
    for item in ordered:
        sort, subject = subjects[item.id]
        name = named[sort, subject, item.scope]
        observations.setdefault(name, []).append(item.spoken)
        if sort:
            entities[name] = SUBJECTS[sort]
            relations[name, item.scope, BELONGS] = None
        for tag in item.tags:
            if tag != subject:
                other = next(
                    (named[each, tag, item.scope] for each in SUBJECTS if (each, tag, item.scope) in named), tag
                )
                entities.setdefault(other, SUBJECTS["tag"])
                relations[name, other, ABOUT] = None
    for name, sort in entities.items():
        texts = list(dict.fromkeys(observations.get(name, [])))
        yield encode({"type": "entity", "name": name, "entityType": sort, "observations": texts})
    for one, other, sort in relations:
        yield encode({"type": "relation", "from": one, "to": other, "relationType": sort})


def _subjects(items: Sequence[Item], topics: Sequence[Topic]) -> dict[ItemId, tuple[str, str]]:
    """Return the entity of each memory: `topic` or `tag` with its name; two empty texts for its owner."""
    topic_of: dict[ItemId, str] = {}
    for topic in sorted(topics, key=lambda topic: (topic.name, topic.scope)):
        for identifier in topic.items:
            topic_of.setdefault(identifier, topic.name)
    return {
        item.id: ("topic", topic_of[item.id])
        if item.id in topic_of
        else ("tag", item.tags[0])
        if item.tags
        else ("", "")
        for item in items
    }


def _named(subjects: Sequence[tuple[str, str, str]], owners: Collection[str]) -> dict[tuple[str, str, str], str]:
    """Name the entity of each sort, subject and owner; the owner is added where two would have the same name."""
    holders: dict[str, set[tuple[str, str]]] = {}
    for sort, subject, owner in subjects:
        holders.setdefault(subject, set()).add((sort, owner))
    named: dict[tuple[str, str, str], str] = {}
    taken = set(owners)
    for sort, subject, owner in sorted(set(subjects)):
        name = subject if len(holders[subject]) == 1 and subject not in owners else f"{subject} ({owner})"
        while sort and name in taken:
            name += f" ({sort})"
        taken.add(name)
        named[sort, subject, owner] = name if sort else owner
    return named
