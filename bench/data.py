"""Reading retrieval test sets: corpus.jsonl, queries.jsonl and qrels.tsv in one directory."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class TestSet:
    """Documents, questions and which documents answer which question. A question searches its own store."""

    documents: list[dict[str, Any]]
    """Each has _id, store and text, and speaker, date, session, image_caption or title where there are any."""
    queries: list[dict[str, Any]]
    """Each has _id, store, text and category; only those that have an answer."""
    gold: dict[str, set[str]]

    @property
    def stores(self) -> list[str]:
        """The names of the stores, in the order of the documents."""
        return list(dict.fromkeys(document["store"] for document in self.documents))


def read_test_set(directory: Path) -> TestSet:
    """The test set in a directory. Raises FileNotFoundError naming the file that is missing."""
    documents = read_lines(directory / "corpus.jsonl")
    gold: dict[str, set[str]] = defaultdict(set)
    for line in (directory / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, score = line.split("\t")
        if int(score) > 0:
            gold[query].add(document)
    queries = [query for query in read_lines(directory / "queries.jsonl") if gold.get(query["_id"])]
    return TestSet(documents, queries, dict(gold))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The documents or questions of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
