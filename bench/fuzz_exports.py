"""Files that other tools write, small ones of each format, and what damage makes of them."""

import gzip
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from bench.fuzz_inputs import mutated, spliced, value
from mcp_memory.errors import InvalidInput
from mcp_memory.exchange import importers
from mcp_memory.exchange.importers.parsed import File, Malformed, Package

MADE = Path(__file__).parents[1] / "tests" / "importing"
"""Files that the tools themselves made."""
REPLACED = 0.5
"""How often a value of JSON is replaced and not its bytes changed: most changed bytes are no JSON any more."""

_NODE: dict[str, Any] = {
    "author": {"role": "user"},
    "content": {"content_type": "text", "parts": ["We ship on Friday."]},
    "create_time": 1735725602.0,
}
_VALUES: dict[str, tuple[str, Any]] = {
    "chatgpt": (
        "conversations.json",
        [
            {
                "title": "Release",
                "create_time": 1735725600.0,
                "current_node": "b",
                "mapping": {
                    "a": {"parent": None, "children": ["b"], "message": None},
                    "b": {"parent": "a", "children": [], "message": _NODE},
                },
            }
        ],
    ),
    "claude": (
        "conversations.json",
        [
            {
                "uuid": "1",
                "name": "Database",
                "created_at": "2025-03-01T09:00:00Z",
                "chat_messages": [
                    {
                        "sender": "human",
                        "text": "",
                        "content": [{"type": "text", "text": "We chose Postgres."}],
                        "created_at": "2025-03-01T09:00:01Z",
                    }
                ],
            }
        ],
    ),
    "mem0": (
        "memories.json",
        {
            "results": [
                {"id": "1", "memory": "Dana rows", "categories": ["sport"], "created_at": "2024-07-26T08:44:41Z"}
            ]
        },
    ),
    "letta": (
        "agent.af",
        {
            "agents": [
                {
                    "name": "Sam",
                    "block_ids": ["block-0"],
                    "messages": [{"role": "user", "content": [{"type": "text", "text": "I row."}]}],
                }
            ],
            "blocks": [{"id": "block-0", "label": "human", "value": "First name: Dana"}],
        },
    ),
    "records": ("facts.json", [{"text": "Dana rows", "tags": ["sport"], "date": "2024-05-01"}, "Dana lives in Ulm"]),
}
_TEXTS: dict[str, tuple[str, str]] = {
    "rules": ("CLAUDE.md", "# Atlas\n\n## Testing\n- Run `just test` first\n  - always\n- @docs/more.md\n"),
    "memory-folder": ("MEMORY.md", "- [Rowing](rowing.md): Dana rows\n- Dana lives in Ulm\n"),
    "markdown": ("note.md", "---\ntags: [maps]\ndate: 2024-05-01\n---\n# Maps\n\nSee [[QGIS|the map tool]].\n"),
    "text": ("facts.txt", "- Dana lives in Ulm\n- Dana rows\n\nA paragraph\nof two lines.\n"),
}


@cache
def samples() -> dict[str, list[tuple[str, bytes]]]:
    """By format, the files of it: what each is called, and its bytes."""
    found = {name: [(file, json.dumps(made).encode())] for name, (file, made) in _VALUES.items()}
    found |= {name: [(file, text.encode())] for name, (file, text) in _TEXTS.items()}
    found["records"] += [
        ("facts.csv", b'fact;tags\n"Dana rows; often";sport\n'),
        ("facts.jsonl", b'{"text": "a"}\n"b"\n'),
    ]
    found["graph"] = [("memory.jsonl", (MADE / "server-memory" / "memory.jsonl").read_bytes())]
    service = MADE / "mcp-memory-service"
    found["mcp-memory-service"] = [
        ("export.json", (service / "export.json").read_bytes()),
        ("memories.db", gzip.decompress((service / "memories.db.gz").read_bytes())),
    ]
    notes = MADE / "basic-memory"
    found["basic-memory"] = [(path.name, path.read_bytes()) for path in sorted(notes.rglob("*.md"))]
    return found


def damaged(name: str, chance: random.Random) -> Package:
    """A package of a format's files of which some are damaged, alone or as a folder."""
    files = [(file, _changed(chance, data)) for file, data in samples()[name]]
    if chance.random() < 0.5:
        files = [chance.choice(files)]
    return Package(
        "import",
        [File(file, lambda data=data: data) for file, data in files],
        whole=len(files) > 1 or chance.random() < 0.2,
    )


def read_all(name: str, package: Package) -> None:
    """Recognise the package, and read all of it as the format `name`; what is refused as a whole raises InvalidInput."""
    with suppress(InvalidInput, Malformed):  # it is read all the same, as with --format
        importers.recognise(package)
    try:
        for part in importers.reader(name)(package):
            str(part)
    except Malformed as problem:
        raise InvalidInput(str(problem)) from problem


def _changed(chance: random.Random, data: bytes) -> bytes:
    if data.startswith((b"{", b"[")) and chance.random() < REPLACED:
        try:
            made = json.loads(data)
        except ValueError:  # JSON lines
            return mutated(chance, data)
        places = list(_places(made))
        for holder, key in chance.sample(places, min(len(places), chance.choice((1, 1, 2, 5)))):
            holder[key] = value(chance, longest=400)
        try:
            return json.dumps(made).encode()
        except ValueError:  # a number that Python refuses to write down
            return data.replace(b'": ', b'": ' + b"9" * 5_000 + b', "x": ', 1)
    return mutated(chance, data if chance.random() < 0.9 else spliced(chance, longest=2_000).encode(errors="replace"))


def _places(made: Any) -> Iterator[tuple[Any, Any]]:
    """Each place of a JSON value that can be filled with another."""
    pairs = made.items() if isinstance(made, dict) else enumerate(made) if isinstance(made, list) else ()
    for key, inner in list(pairs):
        yield made, key
        yield from _places(inner)
