"""Other memory servers beside this one, each a real process over standard input: what they find, keep and lose.

    uv run python -m bench.peers --data DIR [--store conv-26] [--every 2] [--peer NAME=COMMAND ...] [--write docs/comparison.md]

DIR holds corpus.jsonl, queries.jsonl and qrels.tsv of LoCoMo, a turn a document. NAME is one of PEERS, and COMMAND what
starts it, its environment in front (`env HOME=… memory server`):

    npm install @modelcontextprotocol/server-memory
    uv venv service && uv pip install --python service/bin/python mcp-memory-service onnxruntime tokenizers
    uv venv basic && uv pip install --python basic/bin/python basic-memory
"""

import argparse
import json
import shlex
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

from bench.data import TestSet, read_test_set
from bench.metrics import hit, recall
from bench.report import made_by, placed
from bench.start import Client, Contender
from mcp_memory.language.tokenization import content_words

DEPTH = 10
"""Hits that are looked at."""
Document = Mapping[str, Any]
Names = dict[str, str]
"""By the name that a server gives something (an id, a title, the text), the document it is."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: how documents are kept in it, a question is asked of it, and what it has kept is read afterwards."""

    environment: Mapping[str, str]
    keep: Callable[[Client, Sequence[Document]], Names]
    ask: Callable[[Client, str], list[str]]
    """The names of what it finds, best first."""
    kept: Callable[[Path], list[str]]
    """All texts in its files, looked at when it has ended."""
    same: str = ""
    """The peer whose processes it shares, of which nothing else is measured again."""


def words_of(document: Document) -> str:
    """A turn as one statement: who said it, when, what."""
    return f"{document['speaker']} ({document['date']}): {document['text']}"


def said(client: Client, tool: str, **arguments: Any) -> str:
    """The text of a tool's answer."""
    answer = client.ask("tools/call", {"name": tool, "arguments": arguments})
    return "\n".join(part["text"] for part in answer["content"])


def beside(client: Client, tool: str, **arguments: Any) -> Any:
    """What this server says beside its answer."""
    answer = client.ask("tools/call", {"name": tool, "arguments": arguments})
    return answer["_meta"][f"mcp-memory/{tool}"]


# this server


def _keep_each(client: Client, documents: Sequence[Document]) -> Names:
    names: Names = {}
    for document in documents:
        item = beside(client, "remember", content=words_of(document), kind="note")["items"][0]
        names[item["id"]] = document["_id"]
    return names


def _keep_conversations(client: Client, documents: Sequence[Document]) -> Names:
    names: Names = {}
    for _, group in groupby(documents, key=lambda document: document["session"]):
        session = list(group)
        turns = [
            {
                "speaker": each["speaker"],
                "content": each["text"],
                "at": each["date"],
                "caption": each.get("image_caption"),
            }
            for each in session
        ]
        items = beside(client, "remember", turns=turns)["items"]
        names |= {item["id"]: each["_id"] for item, each in zip(items, session, strict=True)}
    return names


def _recall(client: Client, question: str) -> list[str]:
    return [item["id"] for item in beside(client, "recall", query=question, limit=DEPTH, max_tokens=20_000)["hits"]]


def _ours_kept(home: Path) -> list[str]:
    command = [sys.executable, "-m", "mcp_memory", "list", "--json", "--limit", "100000"]
    told = subprocess.run([*command, "--database", str(home / "memory.db")], capture_output=True, check=True)
    return [item["text"] for item in json.loads(told.stdout)]


# the reference server's graph: an entity a document, its text as the observation


def _keep_entities(client: Client, documents: Sequence[Document]) -> Names:
    for document in documents:
        entity = {"name": document["_id"], "entityType": "turn", "observations": [words_of(document)]}
        said(client, "create_entities", entities=[entity])
    return {document["_id"]: document["_id"] for document in documents}


def _search_nodes(client: Client, question: str) -> list[str]:
    return [entity["name"] for entity in json.loads(said(client, "search_nodes", query=question))["entities"]]


def _search_nodes_by_word(client: Client, question: str) -> list[str]:
    """As a patient model would: each content word by itself, what has most of them first."""
    found = Counter(name for word in content_words(question) for name in set(_search_nodes(client, word)))
    return [name for name, _ in found.most_common()]


def _graph_kept(home: Path) -> list[str]:
    lines = (home / "peer.jsonl").read_text("utf-8").splitlines()
    return [text for line in lines for text in json.loads(line).get("observations", ())]


# mcp-memory-service


def _store(client: Client, documents: Sequence[Document]) -> Names:
    for document in documents:  # with a conversation it keeps turns that resemble each other, too
        said(client, "memory_store", content=words_of(document), conversation_id="bench")
    return {words_of(document): document["_id"] for document in documents}


def _memory_search(mode: str) -> Callable[[Client, str], list[str]]:
    def ask(client: Client, question: str) -> list[str]:
        answer = said(client, "memory_search", query=question, limit=DEPTH, mode=mode)
        blocks = answer.split("\n\n")[1:]
        return [block.partition(". ")[2].partition("\n   Hash: ")[0] for block in blocks]

    return ask


def _service_kept(home: Path) -> list[str]:
    connection = sqlite3.connect(home / "peer.db")
    rows = connection.execute("SELECT content FROM memories WHERE deleted_at IS NULL").fetchall()
    connection.close()
    return [row[0] for row in rows]


# basic-memory: a note a document


def _write_notes(client: Client, documents: Sequence[Document]) -> Names:
    names: Names = {}
    for document in documents:
        title = document["_id"].replace("/", " ").replace(":", " turn ")
        answer = said(client, "write_note", title=title, content=words_of(document), directory="turns")
        if not answer.startswith("# Created"):
            raise RuntimeError(answer)
        names[title] = document["_id"]
    return names


def _search_notes(client: Client, question: str) -> list[str]:
    answer = said(client, "search_notes", query=question, page_size=3 * DEPTH, search_type="text")
    titles = [line[4:] for line in answer.split("\n") if line.startswith("### ")]
    return list(dict.fromkeys(titles))


def _search_notes_by_word(client: Client, question: str) -> list[str]:
    return _search_notes(client, " OR ".join(dict.fromkeys(content_words(question))) or question)


def _notes_kept(home: Path) -> list[str]:
    return [path.read_text("utf-8").rpartition("---")[2].strip() for path in (home / "notes").rglob("*.md")]


_SERVICE = {
    "MCP_MEMORY_STORAGE_BACKEND": "sqlite_vec",
    "MCP_MEMORY_SQLITE_PATH": "{home}/peer.db",
    "MCP_MEMORY_BASE_DIR": "{home}",
    "MCP_MEMORY_USE_ONNX": "1",
    "MCP_MEMORY_ONNX_ALLOW_DOWNLOAD": "0",
    "HF_HUB_OFFLINE": "1",
}
_BASIC = {
    "HOME": "{home}",
    "BASIC_MEMORY_HOME": "{home}/notes",
    "BASIC_MEMORY_NO_PROMOS": "1",
    "BASIC_MEMORY_AUTO_UPDATE": "false",
    "BASIC_MEMORY_SEMANTIC_SEARCH_ENABLED": "false",
}
_GRAPH = {"MEMORY_FILE_PATH": "{home}/peer.jsonl"}
OURS = "mcp-memory"
PEERS = {
    OURS: Peer({}, _keep_each, _recall, _ours_kept),
    f"{OURS}, as conversations": Peer({}, _keep_conversations, _recall, _ours_kept, OURS),
    "server-memory": Peer(_GRAPH, _keep_entities, _search_nodes, _graph_kept),
    "server-memory, word by word": Peer(_GRAPH, _keep_entities, _search_nodes_by_word, _graph_kept, "server-memory"),
    "mcp-memory-service": Peer(_SERVICE, _store, _memory_search("semantic"), _service_kept),
    "mcp-memory-service, hybrid": Peer(_SERVICE, _store, _memory_search("hybrid"), _service_kept, "mcp-memory-service"),
    "basic-memory": Peer(_BASIC, _write_notes, _search_notes, _notes_kept),
    "basic-memory, words with OR": Peer(_BASIC, _write_notes, _search_notes_by_word, _notes_kept, "basic-memory"),
}


@dataclass(frozen=True, slots=True)
class Entrant:
    """A peer, and what starts it."""

    name: str
    peer: Peer
    contender: Contender


def found(entrant: Entrant, data: TestSet) -> dict[str, str]:
    """What it finds: hit@5 and R@10 in percent, questions without an answer, and milliseconds of a question."""
    with TemporaryDirectory() as home:
        client = Client(entrant.contender, home)
        names = entrant.peer.keep(client, data.documents)
        client.idle()
        hits, recalls, times, empty = list[float](), list[float](), list[float](), 0
        for query in data.queries:
            began = time.perf_counter()
            ranking = entrant.peer.ask(client, query["text"])[:DEPTH]
            times.append((time.perf_counter() - began) * 1000)
            empty += not ranking
            gold = data.gold[query["_id"]]
            documents = [names.get(name, "") for name in ranking]
            hits.append(hit(documents, gold, 5))
            recalls.append(recall(documents, gold, DEPTH))
        client.end()
    return {
        "hit@5": f"{mean(hits) * 100:.1f}",
        "R@10": f"{mean(recalls) * 100:.1f}",
        "unanswered": str(empty),
        "ms per question": f"{median(times):.0f}",
    }


def made(number: int) -> Document:
    """A statement that no other resembles but for its form."""
    return {
        "_id": f"n/{number}",
        "speaker": "Lab",
        "date": "8 May 2023",
        "text": f"Sample {number:04d} weighs {number * 37} mg.",
    }


def together(entrant: Entrant, writes: int) -> str:
    """Of what two processes were acknowledged that write at once, how many are there afterwards."""
    acknowledged: list[str] = []
    refused: list[str] = []

    def write(client: Client, numbers: Iterable[int]) -> None:
        for number in numbers:
            try:
                entrant.peer.keep(client, [made(number)])
                acknowledged.append(words_of(made(number)))
            except RuntimeError as error:
                refused.append(str(error))

    with TemporaryDirectory() as home:
        clients = [Client(entrant.contender, home) for _ in range(2)]
        threads = [
            threading.Thread(target=write, args=(client, range(first, 2 * writes, 2)))
            for first, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.end()
        lost = len(set(acknowledged) - set(entrant.peer.kept(Path(home))))
    return f"{lost} of {len(acknowledged)}" + (f", {len(refused)} refused" if refused else "")


def killed(entrant: Entrant, rounds: int, writes: int) -> str:
    """Of what was acknowledged before a kill, how many are missing when the server has been started once more.

    Some finish then what they had acknowledged.
    """
    acknowledged: list[str] = []
    with TemporaryDirectory() as home:
        for number in range(rounds):
            client = Client(entrant.contender, home)
            for each in range(number * writes, (number + 1) * writes):
                entrant.peer.keep(client, [made(each)])
                acknowledged.append(words_of(made(each)))
            client.kill()
        client = Client(entrant.contender, home)
        client.idle()
        client.end()
        lost = len(set(acknowledged) - set(entrant.peer.kept(Path(home))))
    return f"{lost} of {len(acknowledged)}"


def told_twice(entrant: Entrant, statements: int) -> dict[str, str]:
    """How many of so many statements are not kept at all, and how many twice: told again word for word, and in another case
    without the final point."""
    facts = [FACTS[number % len(FACTS)].format(number) for number in range(statements)]
    found: dict[str, str] = {}
    for name, again in (
        ("duplicates, identical text", str),
        ("duplicates, other case, no full stop", lambda text: text[0].lower() + text[1:].removesuffix(".")),
    ):
        with TemporaryDirectory() as home:
            client = Client(entrant.contender, home)
            for number, fact in enumerate(facts):
                for turn, text in enumerate((fact, again(fact))):
                    _tell(client, entrant.name, text, f"{number} {turn}")
            client.end()
            kept = entrant.peer.kept(Path(home))
        known = set(facts) & set(kept)
        found["wrongly refused as repeats"] = f"{statements - len(known)} of {statements}"
        found[name] = f"{len(kept) - len(known)} of {len(known)}"
    return found


FACTS = (
    "The gateway in hall {} listens on port 8080.",
    "Maya asked for the report number {} on Friday.",
    "Our supplier {} sends its invoices by post.",
    "The train to plant {} leaves at seven in the morning.",
)


def _tell(client: Client, name: str, text: str, title: str) -> None:
    """A fact as a model would tell it; a refusal because it is known is an answer too."""
    try:
        if name == OURS:
            said(client, "remember", content=text)
        elif name == "server-memory":
            said(client, "create_entities", entities=[{"name": "work", "entityType": "topic", "observations": []}])
            said(client, "add_observations", observations=[{"entityName": "work", "contents": [text]}])
        elif name == "mcp-memory-service":
            said(client, "memory_store", content=text)
        else:
            said(client, "write_note", title=f"Fact {title}", content=text, directory="facts")
    except RuntimeError as error:
        if "uplicate" not in str(error):
            raise


def process(entrant: Entrant) -> dict[str, str]:
    """Its start, its memory when idle, and what its tools cost in tokens (a quarter of the characters)."""
    replies: list[float] = []
    for _ in range(3):
        with TemporaryDirectory() as home:
            client = Client(entrant.contender, home)
            replies.append(client.first_reply)
            client.idle()
            resident = client.resident()
            tools = client.ask("tools/list", {})["tools"]
            client.end()
    size = len(json.dumps(tools, ensure_ascii=False, separators=(",", ":"))) / 4
    return {
        "first reply, ms": f"{median(replies):,.0f}",
        "MB idle": f"{resident:.0f}",
        "tools": str(len(tools)),
        "tools/list, tokens": f"{size:,.0f}",
    }


def entrants(commands: Sequence[str], *, ours: Path) -> list[Entrant]:
    """This server and those named on the command line, each in every way it can be asked."""
    started = {OURS: (str(ours), "--database", "{home}/memory.db", "--project", "bench")}
    for command in commands:
        name, _, line = command.partition("=")
        started[name] = tuple(shlex.split(line))
    return [
        Entrant(name, peer, Contender(name, started[peer.same or name], peer.environment, "", ""))
        for name, peer in PEERS.items()
        if (peer.same or name) in started
    ]


def table(rows: Mapping[str, Mapping[str, str]]) -> str:
    """Rows by name as Markdown."""
    columns = list(next(iter(rows.values())))
    lines = ["| server | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(row.values()) + " |" for name, row in rows.items())])


def compare(servers: Sequence[Entrant], data: TestSet) -> str:
    """All tables."""
    recalls: dict[str, Mapping[str, str]] = {}
    safety: dict[str, Mapping[str, str]] = {}
    processes: dict[str, Mapping[str, str]] = {}
    for server in servers:
        print(server.name, file=sys.stderr, flush=True)
        recalls[server.name] = found(server, data)
        if server.peer.same:
            continue
        safety[server.name] = {
            "lost, two writers": together(server, 50),
            "lost after kill -9": killed(server, 5, 10),
            **told_twice(server, 20),
        }
        processes[server.name] = process(server)
    return "\n\n".join(
        [
            f"{len(data.queries)} questions about {len(data.documents)} turns of one conversation of LoCoMo:",
            table(recalls),
            "Durability and duplicates:",
            table(safety),
            "Process:",
            table(processes),
        ]
    )


def part_of(data: TestSet, store: str, every: int) -> TestSet:
    """One store of the set, and every so many of its questions."""
    documents = [document for document in data.documents if document["store"] == store]
    queries = [query for query in data.queries if query["store"] == store][::every]
    return TestSet(documents, queries, data.gold)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory of the test set")
    parser.add_argument("--store", default="conv-26")
    parser.add_argument("--every", type=int, default=2, help="ask every so many of the questions")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, between its marks")
    options = parser.parse_args()
    began = time.perf_counter()
    servers = entrants(options.peer, ours=Path(sys.executable).with_name("mcp-memory"))
    figures = compare(servers, part_of(read_test_set(options.data), options.store, options.every))
    print(figures)
    if options.write:
        peers = "".join(f" --peer {server.name}=COMMAND" for server in servers[1:] if not server.peer.same)
        command = f"uv run python -m bench.peers --data DIR --every {options.every}{peers} --write docs/comparison.md"
        told = made_by(date.today(), (time.perf_counter() - began) / 60, command)
        options.write.write_text(placed(f"{told}\n\n{figures}", options.write.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
