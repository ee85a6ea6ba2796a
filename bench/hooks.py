"""The hooks of Claude Code: how long each takes as a process of its own, and what comes with a prompt.

    uv run python -m bench.hooks [--items 1000 10000] [--rounds 15] [--data DIR]

Times are from spawning the process to its end, the file and the imports warm, beside those of an interpreter that does
nothing and of one that imports numpy, so that a busy machine shows. With --data, which holds locomo/ and xquad-en/ or
others, it also says for some thresholds how often a question about a conversation gets one of the turns that answer it,
and how often a question about something else gets anything.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.data import read_test_set
from mcp_memory.cli.hooks import claude_code
from mcp_memory.domain.model import Entry, Filter
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.sqlite.quick_reader import QuickReader

SEED = 20261121
SUBJECTS = "staging production billing search login export backup report gateway scheduler".split()
THINGS = "database cache queue server bucket certificate deadline owner budget dashboard".split()
VALUES = "Postgres Redis Kafka Friday Lisbon Tuesday Hetzner Grafana Maria nginx".split()
THRESHOLDS = ((0.2, 2), (0.3, 2), (0.4, 2), (0.3, 1), (0.3, 3))
"""Shares of the words and numbers of words that are compared."""


def main() -> None:
    """Print the times, and the shares where there is data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[1_000, 10_000], help="memories in the file")
    parser.add_argument("--rounds", type=int, default=15, help="times that each hook is run (default: 15)")
    parser.add_argument("--data", type=Path, help="directory of the test sets")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, code in (("an interpreter", "pass"), ("import numpy", "import numpy")):
            print(f"{name:<34} {timed([sys.executable, '-c', code], {}, options.rounds)}")
        for count in options.items:
            database = Path(folder) / f"{count}.db"
            fill(database, notes(count))
            for event, given in events(Path(folder)):
                command = [sys.executable, "-m", "mcp_memory", "hook", event, "--database", str(database)]
                print(f"{event:<14} {count:>7,} memories     {timed(command, given, options.rounds)}", flush=True)
        if options.data:
            compare(Path(folder) / "conversations.db", options.data)


def events(folder: Path) -> list[tuple[str, dict[str, object]]]:
    """Each hook and an event for it, with a transcript of 2,000 messages."""
    transcript = folder / "transcript.jsonl"
    lines = [
        {"type": role, "uuid": f"{number}-{role}", "message": {"role": role, "content": f"message {number} of {role}"}}
        for number in range(1_000)
        for role in ("user", "assistant")
    ]
    transcript.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    shared: dict[str, object] = {"session_id": "bench", "transcript_path": str(transcript)}
    return [
        ("session-start", shared | {"source": "startup"}),
        ("prompt", shared | {"prompt": "Which database does billing run on, and who is the owner of the dashboard?"}),
        ("pre-compact", shared | {"trigger": "auto", "session_id": "nobody", "transcript_path": ""}),
        ("stop", shared | {"stop_hook_active": False}),
    ]


def notes(count: int) -> list[str]:
    """Statements that are all different."""
    source = random.Random(SEED)
    kinds = [source.choice(SUBJECTS) for _ in range(count)]
    return [
        f"The {source.choice(THINGS)} of {kind} {number} is {source.choice(VALUES)} since {2000 + number % 26}."
        for number, kind in enumerate(kinds)
    ]


def fill(database: Path, texts: Sequence[str]) -> None:
    """Remember texts, a thousand at a time, without a model."""
    with Memory.open(database, model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        for start in range(0, len(texts), 1_000):
            memory.remember(items=[Entry(text, scope="user") for text in texts[start : start + 1_000]])


def timed(command: Sequence[str], event: dict[str, object], rounds: int) -> str:
    """The median and the quickest of some runs, in milliseconds, and the median of the processor's time."""
    spent: list[float] = []
    processor: list[float] = []
    for _ in range(rounds + 1):
        start, used = time.perf_counter(), os.times()
        subprocess.run(command, input=json.dumps(event).encode(), capture_output=True, check=True, env=dict(os.environ))
        spent.append((time.perf_counter() - start) * 1000)
        now = os.times()
        processor.append((now.children_user + now.children_system - used.children_user - used.children_system) * 1000)
    return (
        f"median {statistics.median(spent[1:]):6.0f} ms   quickest {min(spent[1:]):6.0f} ms   "
        f"processor {statistics.median(processor[1:]):6.0f} ms"
    )


def compare(database: Path, data: Path) -> None:
    """Print for each threshold what comes with questions about the conversations and with others."""
    conversations = read_test_set(data / "locomo")
    first = conversations.stores[0]
    texts = {d["_id"]: f"{d.get('speaker')}: {d['text']}" for d in conversations.documents if d["store"] == first}
    fill(database, list(texts.values()))
    asked = [query for query in conversations.queries if query["store"] == first]
    others = [query for name in ("xquad-en", "scifact") for query in read_test_set(data / name).queries[:300]]
    with QuickReader(database) as reader:
        where = Filter(scopes=("user",))
        about = [(query, reader.found(query["text"], where=where)) for query in asked]
        unrelated = [reader.found(query["text"], where=where) for query in others]
    print(f"\n{len(texts):,} turns; {len(asked)} questions about them, {len(others)} about something else")
    print(f"{'share':>6} {'words':>6} {'with the answer':>16} {'with anything':>14} {'others with anything':>21}")
    for share, words in THRESHOLDS:
        kept = [(query, likely(hits, share, words)) for query, hits in about]
        right = sum(
            any(texts[gold] in hits for gold in conversations.gold[query["_id"]] if gold in texts)
            for query, hits in kept
        )
        noisy = sum(bool(likely(hits, share, words)) for hits in unrelated)
        print(
            f"{share:>6} {words:>6} {right / len(about):>16.2f} {sum(bool(hits) for _, hits in kept) / len(about):>14.2f} "
            f"{noisy / len(unrelated):>21.3f}"
        )


def likely(hits: Sequence[claude_code.Hit], share: float, words: int) -> list[str]:
    """What would come with a prompt under other thresholds."""
    passed = [hit for hit in hits if hit.score >= share and hit.parts["words"] >= min(words, hit.parts["asked"])]
    return [hit.item.text for hit in passed[: claude_code.PROMPT_HITS]]


if __name__ == "__main__":
    main()
