"""LoCoMo through the tools of a real server process: each conversation in a project scope of its own.

    uv run python -m bench.locomo --data DIR

DIR holds corpus.jsonl, queries.jsonl and qrels.tsv of LoCoMo's conversations (Maharana et al. 2024), a turn a document.
Prints the measures per category, and beside them what FTS5's own BM25 reaches on the same turns and questions.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import anyio
import apsw
from mcp import Client, StdioServerParameters

from bench.data import TestSet, read_test_set
from bench.metrics import Scored, measures, print_table
from mcp_memory.sqlite.index.query_terms import match_expression, query_terms

DEPTH = 10
Ids = dict[str, str]


async def run(data: TestSet, database: Path) -> None:
    """Load every conversation, ask every question, print the tables."""
    arguments = ["-m", "mcp_memory", "serve", "--database", str(database), "--project", "bench"]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(server) as client:
        await _encoder_up(client)
        document_of, loaded = await _load(client, data)
        print(
            f"{len(data.documents)} turns remembered in {loaded:.1f} s, {loaded / len(data.documents) * 1000:.1f} ms each"
        )
        await _vectors_made(database)
        scored, times = await _ask(client, data, document_of)
    print_table("recall, through the server's tools", scored)
    print_table("FTS5 alone (bm25, porter unicode61)", fts5_alone(data))
    times.sort()
    print(
        f"\nrecall: {statistics.median(times):.1f} ms a call at the median, {times[int(len(times) * 0.95)]:.1f} ms at p95"
    )


async def _load(client: Client, data: TestSet) -> tuple[Ids, float]:
    """Remember each session as one conversation; which document each memory is, and the seconds it took."""
    document_of: Ids = {}
    start = time.perf_counter()
    for (store, session), group in groupby(data.documents, key=lambda d: (d["store"], d["session"])):
        documents = list(group)
        turns = [
            {"speaker": d["speaker"], "content": d["text"], "at": d["date"], "caption": d.get("image_caption") or ""}
            for d in documents
        ]
        made = await _call(client, "remember", {"turns": turns, "scope": store, "source": session})
        ids = [item["id"] for item in made["items"]]
        if len(ids) != len(documents):
            raise RuntimeError(f"{session}: {len(documents)} turns became {len(ids)} memories; the gold does not fit")
        document_of |= dict(zip(ids, (d["_id"] for d in documents), strict=True))
    return document_of, time.perf_counter() - start


async def _ask(client: Client, data: TestSet, document_of: Ids) -> tuple[list[Scored], list[float]]:
    scored: list[Scored] = []
    times: list[float] = []
    for query in data.queries:
        start = time.perf_counter()
        arguments = {"query": query["text"], "scope": query["store"], "limit": DEPTH, "max_tokens": 20_000}
        found = await _call(client, "recall", arguments)
        times.append((time.perf_counter() - start) * 1000)
        ranking = [document_of[hit["id"]] for hit in found["hits"]]
        scored.append(Scored(query["_id"], query["category"], measures(ranking, data.gold[query["_id"]])))
    return scored, times


async def _call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(result.content)
    return (result.meta or {})[f"mcp-memory/{tool}"]


async def _encoder_up(client: Client) -> None:
    while (await _call(client, "recall", {"query": "ready"}))["notes"]:
        await anyio.sleep(0.05)


async def _vectors_made(database: Path) -> None:
    """Return when no memory waits for its vector any more."""
    command = [sys.executable, "-m", "mcp_memory", "stats", "--database", str(database), "--json"]
    while json.loads((await anyio.run_process(command)).stdout)["pending"]:
        await anyio.sleep(0.2)


def fts5_alone(data: TestSet) -> list[Scored]:
    """FTS5's own BM25 over "speaker: text caption", question words without stop words joined by OR."""
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5 (words, grams, store UNINDEXED, id UNINDEXED, tokenize = 'porter')"
    )
    connection.executemany(
        "INSERT INTO t VALUES (?, '', ?, ?)",
        [
            (f"{d.get('speaker', '')}: {d['text']} {d.get('image_caption') or ''}", d["store"], d["_id"])
            for d in data.documents
        ],
    )
    scored: list[Scored] = []
    for query in data.queries:
        rows = connection.execute(
            "SELECT id FROM t WHERE t MATCH ? AND store = ? ORDER BY rank LIMIT ?",
            (match_expression(query_terms(query["text"])), query["store"], DEPTH),
        ).fetchall()
        ranking = [row[0] for row in rows]
        scored.append(Scored(query["_id"], query["category"], measures(ranking, data.gold[query["_id"]])))
    return scored


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory of the test set")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(run, read_test_set(options.data), Path(folder) / "memory.db")


if __name__ == "__main__":
    main()
