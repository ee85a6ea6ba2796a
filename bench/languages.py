"""Memories in languages that the encoder does not know: what is found by words alone, and what is answered with nothing.

    uv run python -m bench.languages [--missed]

languages.jsonl holds a small store for each language, made up: what is remembered, questions with the number of the
memory that answers, and questions that none answers. A word of the answer is in each question, often in another form or
in a compound, since without vectors there is nothing else to go by. The constants were chosen on the part dev; of
the part held-out only totals were looked at.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.loading import temporary_memory
from mcp_memory.domain.model import Entry
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder

STORES = Path(__file__).with_name("languages.jsonl")
FOUND = 5
"""An answer is found where it is among the first so many."""


class Seen(NamedTuple):
    """What recall made of some questions."""

    first: int = 0
    """Answers that stand first."""
    found: int = 0
    """Answers among the first FOUND."""
    asked: int = 0
    silent: int = 0
    """Questions without an answer that got none."""
    unanswerable: int = 0


def ask(store: Mapping[str, Any], encoder: Encoder) -> tuple[Seen, list[str]]:
    """What recall made of a store's questions, and where it was wrong, in words."""
    wrong: list[str] = []
    ranks: list[int] = []
    with temporary_memory(encoder) as memory:
        told = memory.remember(items=[Entry(text) for text in store["memories"]])
        memory.wait_for_encoder()
        for question, answer in store["questions"]:
            found = [hit.item.id for hit in memory.recall(question).hits]
            wanted = told.items[answer].id
            ranks.append(found.index(wanted) if wanted in found else FOUND)
            if ranks[-1]:
                wrong.append(f"{question} -> {store['memories'][answer]} (place {ranks[-1] + 1} of {len(found)})")
        noise = [(question, memory.recall(question).hits) for question in store["nothing"]]
    wrong += [f"{question} -> {hits[0].item.text} (nothing was wanted)" for question, hits in noise if hits]
    silent = sum(not hits for _, hits in noise)
    return Seen(ranks.count(0), sum(rank < FOUND for rank in ranks), len(ranks), silent, len(noise)), wrong


def total(seen: Sequence[Seen]) -> Seen:
    """All of them together."""
    return Seen(*(sum(column) for column in zip(*seen, strict=True)))


def main() -> None:
    """Ask all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missed", action="store_true", help="what went wrong in the part dev")
    arguments = parser.parse_args()
    encoder = load_encoder(bundled_model_directory())
    rows: dict[str, list[Seen]] = defaultdict(list)
    for line in STORES.read_text("utf-8").splitlines():
        store = json.loads(line)
        seen, wrong = ask(store, encoder)
        for name in (store["language"], store["part"]):
            rows[name].append(seen)
        if arguments.missed and store["part"] == "dev":
            print("\n".join(wrong))
    print("| language | questions | answer first | among the first 5 | unanswerable | answered with nothing |")
    print("|---|---|---|---|---|---|")
    for name, parts in sorted(rows.items(), key=lambda row: (row[0] in ("dev", "held-out"), row[0])):
        seen = total(parts)
        print(f"| {name} | {seen.asked} | {seen.first} | {seen.found} | {seen.unanswerable} | {seen.silent} |")


if __name__ == "__main__":
    main()
