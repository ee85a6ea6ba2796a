"""Topics on paragraphs whose articles are known, and what one more memory costs among ten thousand.

    uv run python -m bench.topics --data DIR [--data DIR ...] [--items 10000] [--bare FILE]

A DIR holds corpus.jsonl of documents that have a title: those of one title belong together (XQuAD's paragraphs).
Prints for each how well the topics match the titles: purity, normalised mutual information, and precision and recall of
pairs that share a topic. Then, on made statements about made subjects, how long the first gathering takes, and how many
topics are described anew, and how long that takes, when one more memory comes.

FILE (bench/bare_sessions.tsv) has a session in each line: what its statements are about, then the statements, bare of their
subject; or `unrelated`, or `mixed`, of which no three are about one thing. Prints how many of those about one thing are in a
topic, and how many of the others.
"""

import argparse
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.data import read_lines
from mcp_memory.domain.model import Caller, Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.maintenance import backfill
from mcp_memory.memory import Memory

ASKED = 50
"""Memories that come one by one at the end."""
SUBJECTS = 400
"""Made subjects, of 25 words each."""


def agreement(found: Sequence[int], gold: Sequence[str]) -> dict[str, float]:
    """How well a grouping matches another: purity, normalised mutual information, precision and recall of pairs."""
    count = len(gold)
    topics, titles, both = Counter(found), Counter(gold), Counter(zip(found, gold, strict=True))
    best = {topic: max(n for (other, _), n in both.items() if other == topic) for topic in topics}
    mutual = sum(n / count * math.log(n * count / (topics[t] * titles[g])) for (t, g), n in both.items())
    together, paired, due = _pairs(both), _pairs(topics), _pairs(titles)
    return {
        "topics": len([n for n in topics.values() if n > 2]),
        "purity": sum(best.values()) / count,
        "nmi": 2 * mutual / (_entropy(topics, count) + _entropy(titles, count)),
        "precision": together / max(paired, 1),
        "recall": together / max(due, 1),
    }


def quality(directory: Path) -> dict[str, float]:
    """Remember each document in a shuffled order, gather, and compare the topics with the titles."""
    documents = read_lines(directory / "corpus.jsonl")
    random.Random(1).shuffle(documents)
    with tempfile.TemporaryDirectory() as folder, Memory.open(Path(folder) / "memory.db") as memory:
        memory.wait_for_encoder()
        titles: dict[str, str] = {}
        for start in range(0, len(documents), 25):
            group = documents[start : start + 25]
            # The first part of each says what it is about; a whole one may become several items.
            entries = [Entry(document["text"][:600]) for document in group]
            made = memory.remember(items=entries)
            texts = {entry.content: document["title"] for entry, document in zip(entries, group, strict=True)}
            titles |= {item.id: next(t for c, t in texts.items() if item.text in c) for item in made.items}
        memory.maintenance.make_vectors()
        memory.maintenance.gather()
        topic_of = {item: number for number, topic in enumerate(memory.topics()[0]) for item in topic.items}
        alone = iter(range(-1, -len(titles) - 1, -1))
        return agreement(
            [topic_of[item] if item in topic_of else next(alone) for item in titles], list(titles.values())
        )


def bare(file: Path) -> dict[str, str]:
    """Tell each session in one scope of its own, a statement in a call, and count what is in a topic."""
    counts: dict[str, Counter[str]] = {}
    for line in file.read_text("utf-8").splitlines():
        about, *told = line.split("\t")
        with tempfile.TemporaryDirectory() as folder, Memory.open(Path(folder) / "memory.db") as memory:
            memory.wait_for_encoder()
            for text in told:
                memory.remember(text, by=Caller(session="bare"))
            memory.maintenance.gather()
            gathered = sum(len(topic.items) for topic in memory.topics()[0])
        language = "English" if "".join(told).isascii() else "Chinese"
        sort = about if about in ("unrelated", "mixed") else "of one thing"
        counts.setdefault(f"{language}, {sort}", Counter()).update(gathered=gathered, told=len(told))
    return {sort: f"{count['gathered']} of {count['told']}" for sort, count in counts.items()}


def cost(count: int) -> dict[str, float]:
    """Gather `count` made statements, then one more at a time, with nobody gathering beside."""
    backfill.LINGER = 3600.0
    draw = random.Random(1)
    subjects = [[_word(draw) for _ in range(25)] for _ in range(SUBJECTS)]
    statements = [" ".join(draw.sample(draw.choice(subjects), 8)) for _ in range(count + ASKED)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory.open(Path(folder) / "memory.db", model=HashingEncoder()) as memory,
    ):
        memory.wait_for_encoder()
        for start in range(0, count, 500):
            memory.remember(items=[Entry(text) for text in statements[start : start + 500]])
        memory.maintenance.make_vectors()
        patches: list[float] = []
        while memory.stats().ungathered:
            begun = time.perf_counter()
            memory.maintenance.gather(patches=1)
            patches.append((time.perf_counter() - begun) * 1000)
        spent: list[float] = []
        described: list[int] = []
        for text in statements[count:]:
            before = {topic.name: (topic.items, topic.made_at) for topic in memory.topics()[0]}
            memory.remember(text)
            begun = time.perf_counter()
            memory.maintenance.gather()
            spent.append((time.perf_counter() - begun) * 1000)
            after = {topic.name: (topic.items, topic.made_at) for topic in memory.topics()[0]}
            described.append(sum(before.get(name) != made for name, made in after.items()))
        return {
            "items": memory.stats().items,
            "topics": memory.stats().topics,
            "first gathering, s": sum(patches) / 1000,
            "patches": len(patches),
            "ms a patch, median": statistics.median(patches),
            "longest": max(patches),
            "topics described a memory, mean": statistics.mean(described),
            "at most": max(described),
            "ms a memory, median": statistics.median(spent),
        }


def _word(draw: random.Random) -> str:
    return "".join(draw.choice("bdfgklmnprstvz") + draw.choice("aeiou") for _ in range(draw.randint(2, 4)))


def _pairs(counts: Counter[object] | Counter[int] | Counter[str] | Counter[tuple[int, str]]) -> float:
    return sum(n * (n - 1) / 2 for n in counts.values())


def _entropy(counts: Counter[int] | Counter[str], total: int) -> float:
    return -sum(n / total * math.log(n / total) for n in counts.values())


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", default=[], help="directory of a test set with titles")
    parser.add_argument("--items", type=int, default=10_000, help="made statements; 0 for none")
    parser.add_argument("--bare", type=Path, help="sessions of bare statements")
    options = parser.parse_args()
    if options.bare:
        print(bare(options.bare))
    for directory in options.data:
        print(directory.name, {name: round(value, 3) for name, value in quality(directory).items()})
    if options.items:
        print({name: round(value, 2) for name, value in cost(options.items).items()})


if __name__ == "__main__":
    main()
