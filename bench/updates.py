"""Updated values: whether the newer of two statements is found, stands above the older, and says what it was.

    uv run python -m bench.updates [--missed] [--plain]

updates.jsonl holds made-up messages to an assistant, notes and unrelated messages. All of them lie in one scope, each
message in a session of its own, the newer of two some months after the older. The constants were chosen with the 40 cases
in sight; those of the part fresh were written afterwards. With --plain the newer is neither put
above the older nor told what it was, for comparison.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.loading import temporary_memory
from mcp_memory.domain.model import Entry, Turn
from mcp_memory.encoders import bundled_model_directory, load_encoder
from mcp_memory.memory import Memory
from mcp_memory.recall import conflicts
from mcp_memory.recall.filters import ItemQuery

CASES = Path(__file__).with_name("updates.jsonl")
START = datetime(2025, 1, 6, 9, 0, tzinfo=UTC)
ASKED = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
APART = timedelta(days=150)
"""Between the older statement and the newer."""
LIMIT = 10
FOUND = 5
"""The newer is found where it is among the first so many."""
REPLIES = (
    "Sure, here are a few thoughts on that. Let me know which of them suits you best.",
    "Of course! I would start small and see how it goes for a week or two.",
    "Happy to help. Tell me a little more and I can be more specific.",
)
"""What the assistant answers, in turn."""
SCOPE = "updates"

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What recall made of one case."""

    found: bool
    """The newer is among the first FOUND."""
    above: bool
    """And no older one stands before it."""
    was: bool
    """And it says what it was."""
    wrong: int
    """Hits that are said to have been what they were not."""


class _Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def main() -> None:
    """Remember all, ask each case, print the counts by shape and language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missed", action="store_true", help="name the cases that are not answered as they should be")
    parser.add_argument("--plain", action="store_true", help="without telling newer from older")
    options = parser.parse_args()
    if options.plain:
        conflicts.SETTLED = 0
    lines = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    cases = [line for line in lines if line["shape"] != "filler"]
    clock = _Clock()
    with temporary_memory(load_encoder(bundled_model_directory()), clock=clock) as memory:
        remember(memory, lines, clock)
        clock.now = ASKED
        pairs = [(case["old"], case["new"]) for case in cases]
        seen = [see(memory, case, pairs) for case in cases]
    counts: dict[str, Counter[str]] = {}
    for case, what in zip(cases, seen, strict=True):
        part = case.get("part", "")
        for group in (f"{part} {language(case)} {case['shape']}".strip(), f"{part} all".strip()):
            row = counts.setdefault(group, Counter())
            row.update(cases=1, found=what.found, above=what.above, was=what.was, wrong=what.wrong)
        if options.missed and not (what.above and what.was):
            print(f"{what}\n  {case['old']}\n  {case['new']}")
    print(f"{'':<16}{'cases':>7}{f'in {FOUND}':>7}{'above':>7}{'was':>7}{'wrong':>7}")
    for group, row in sorted(counts.items(), key=lambda entry: entry[0].endswith("all")):
        print(f"{group:<16}" + "".join(f"{row[name]:>7}" for name in ("cases", "found", "above", "was", "wrong")))


def remember(memory: Memory, lines: Sequence[Line], clock: _Clock) -> None:
    """Every statement on its own day: the older ones and half of what is unrelated, then the rest."""
    older = [(line["shape"], line.get("old") or line["text"]) for line in lines if "old" in line or _even(line)]
    newer = [(line["shape"], line.get("new") or line["text"]) for line in lines if "new" in line or not _even(line)]
    number = 0
    for start, told in ((START, older), (START + APART, newer)):
        for day, (shape, text) in enumerate(told):
            clock.now = start + timedelta(days=day)
            if shape == "note":
                memory.remember(text, like=Entry("", scope=SCOPE))
            else:
                reply = REPLIES[number % len(REPLIES)]
                said = [Turn(text, "user", clock.now.isoformat()), Turn(reply, "assistant", clock.now.isoformat())]
                memory.remember(turns=said, like=Entry("", scope=SCOPE, source=f"session {number}"))
            number += 1
    memory.maintenance.make_vectors()


def see(memory: Memory, case: Line, pairs: Sequence[tuple[str, str]]) -> Seen:
    """Ask for the present value."""
    hits = memory.recall(case["question"], select=ItemQuery(scope=SCOPE), limit=LIMIT, max_tokens=5000).hits
    texts = [hit.item.text for hit in hits]
    new = _first(texts, case["new"])
    old = _first(texts, case["old"])
    found = new is not None and new < FOUND
    above = found and (old is None or new < old)
    told = [was.text for hit in hits if hit.item.text in case["new"] for was in hit.was]
    wrong = sum(not _updated(was.text, hit.item.text, pairs) for hit in hits for was in hit.was)
    return Seen(found, above, above and any(text in case["old"] for text in told), wrong)


def _updated(old: str, new: str, pairs: Sequence[tuple[str, str]]) -> bool:
    return any(old in earlier and new in later for earlier, later in pairs)


def language(case: Line) -> str:
    """`zh` or `en`."""
    return "en" if case["question"].isascii() else "zh"


def _first(texts: Sequence[str], told: str) -> int | None:
    """The place of the first item that was made of what was told, the whole of it or a part."""
    return next((place for place, text in enumerate(texts) if text in told), None)


def _even(line: Line) -> bool:
    return "text" in line and len(line["text"]) % 2 == 0


if __name__ == "__main__":
    main()
