"""Everyday memory: small stores of very varied lives, and whether a question is answered, with nothing, or with noise.

    uv run python -m bench.everyday [--missed] [--noise]

The table beside this file has a store a line: notes or the turns of a talk, questions that one of them answers (most
without a word in common with it), questions near its topics that nothing answers, and questions far from them.
The part dev is for choosing rules; of the part held only the totals are printed.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.loading import RecordingEncoder, temporary_memory
from mcp_memory.domain.model import Hit
from mcp_memory.encoders import bundled_model_directory, load_encoder
from mcp_memory.memory import Memory
from mcp_memory.remember.intake import Turn

STORES = Path(__file__).with_name("everyday.jsonl")
SAID = datetime(2027, 1, 18, 9, tzinfo=UTC)
"""When everything is remembered and asked."""
TOGETHER = 5
"""Stores that are put into one file, for a memory of some 40."""

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What recall made of one question."""

    group: str
    """Part, how it was asked, and what it asks: `dev alone`, `held together, far`."""
    question: str
    place: int | None
    """Where the answer stands, from 0; None where it is not among the hits or there is none."""
    hits: Sequence[str]


def main() -> None:
    """Ask everything of each store alone, and all but what is near of five together; print the totals.

    What is far from one of five lives may be near another, so some of that is answered rightly.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missed", action="store_true", help="name the questions of dev that are not answered first")
    parser.add_argument("--noise", action="store_true", help="name what dev's questions without an answer are given")
    options = parser.parse_args()
    encoder = RecordingEncoder(load_encoder(bundled_model_directory()))
    lines = [json.loads(line) for line in STORES.read_text("utf-8").splitlines()]
    seen: list[Seen] = []
    for part in ("dev", "held"):
        stores = [line for line in lines if line["part"] == part]
        for store in stores:
            seen += _ask([store], encoder, "alone", ("asked", "near", "far"))
        for start in range(0, len(stores), TOGETHER):
            seen += _ask(stores[start : start + TOGETHER], encoder, "together", ("asked", "far"))
    print_totals(seen)
    for one in seen:
        answerable = not one.group.endswith(("near", "far"))
        if one.group.startswith("dev") and ((options.missed and answerable and one.place != 0) or (options.noise and not answerable and one.hits)):  # fmt: skip
            print(f"{one.group}, {one.place}: {one.question}")
            print("".join(f"    {text[:100]}\n" for text in one.hits[:5]), end="")


def print_totals(seen: Iterable[Seen]) -> None:
    """Of each group how many were asked, answered first and among five, and answered with nothing; and hits a question."""
    counts: dict[str, Counter[str]] = {}
    for one in seen:
        row = counts.setdefault(one.group, Counter())
        first = one.place == 0
        five = one.place is not None and one.place < 5
        row.update(asked=1, first=first, five=five, nothing=not one.hits, hits=len(one.hits))
    print(f"{'':<20}{'asked':>7}{'at 1':>7}{'at 5':>7}{'nothing':>9}{'hits':>7}")
    for group, row in counts.items():
        shares = "".join(f"{100 * row[name] / row['asked']:>{width}.1f}" for name, width in (("first", 7), ("five", 7), ("nothing", 9)))  # fmt: skip
        print(f"{group:<20}{row['asked']:>7}{shares}{row['hits'] / row['asked']:>7.1f}")


def _ask(stores: Sequence[Line], encoder: RecordingEncoder, how: str, kinds: Sequence[str]) -> list[Seen]:
    """The questions of some stores that share one file; what has an answer is asked `how`, the rest near or far."""
    seen: list[Seen] = []
    with temporary_memory(encoder, clock=lambda: SAID) as memory:
        for store in stores:
            remember(memory, store)
        memory.maintenance.make_vectors()
        for store in stores:
            for kind in kinds:
                group = f"{store['part']} {how}" + (f", {kind}" if kind != "asked" else "")
                seen += [_see(memory, store, group, question) for question in store[kind]]
    return seen


def remember(memory: Memory, store: Line) -> None:
    """A store's notes one by one, or its talk as a whole."""
    for note in store.get("notes", []):
        memory.remember(note)
    if "turns" in store:
        memory.remember(turns=[Turn(text, speaker, SAID.isoformat()) for speaker, text in store["turns"]])


def _see(memory: Memory, store: Line, group: str, question: str | Sequence[Any]) -> Seen:
    text, answer = (question, None) if isinstance(question, str) else (question[0], _told(store, question[1]))
    hits: Sequence[Hit] = memory.recall(text).hits
    texts = [hit.item.text for hit in hits]
    place = next((at for at, told in enumerate(texts) if answer is not None and told in answer), None)
    return Seen(group, text, place, texts)


def _told(store: Line, number: int) -> str:
    return store["notes"][number] if "notes" in store else store["turns"][number][1]


if __name__ == "__main__":
    main()
