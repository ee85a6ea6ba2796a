"""Measure what remember makes of a statement that comes after another, against a table that says what it should.

    uv run python -m bench.dedupe [--table FILE] [--part PART] [--wrong] [--words]

The table is tests/statement_pairs.tsv: a part, a category, what is expected (`add`, `confirm`, `revise`; `may` where replacing
is right and keeping beside is too), the statement that is known, and the new one. Each pair has a scope of its own in
one memory; the old statements are remembered first, then the new ones, with the encoder that comes with the package.

Two parts are set aside, and nothing is fitted to them: `aside`, 200 pairs in natural wording by somebody who had not read
the rules, and `frozen`, the pairs of what was `third` and `fourth` with an even SHA-256 of "old<tab>new", which the rules
before 2026-12-01 were mended on. All other parts are what the rules and the weights (bench.train_contradiction) were made
on. The first table of the output has the parts set aside, beside plain ways to decide the same pairs.
"""

import argparse
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from mcp_memory.domain.model import Entry
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.memory import Memory

TABLE = Path(__file__).parent.parent / "tests" / "statement_pairs.tsv"
PARTS = ("dev", "held-out", "fresh", "second", "third", "fourth", "natural", "practice", "frozen", "aside")
UNSEEN = ("frozen", "aside")
EXPECTED = {"created": "add", "similar": "add", "known": "confirm", "replaces": "revise"}
"""By the status that remember answers, what that is in the table."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two statements of the table, and the status that the second should get."""

    part: str
    category: str
    expected: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair and the status of its new statement."""

    pair: Pair
    status: str
    """As remember answered."""

    @property
    def right(self) -> bool:
        """Decide whether that is what the table expects."""
        decided = EXPECTED[self.status]
        return decided != "confirm" if self.pair.expected == "may" else decided == self.pair.expected


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of some pairs by how they were decided."""

    pairs: int
    right: int
    replacements: int
    right_replacements: int
    changes: int
    """Pairs whose value clearly changed."""
    found: int
    shown: int
    """Changes that were not found but shown as similar."""

    @property
    def precision(self) -> float:
        """Share of the replacements that are right."""
        return self.right_replacements / self.replacements if self.replacements else 1.0

    @property
    def recall(self) -> float:
        """Share of the clear changes that were found."""
        return self.found / self.changes if self.changes else 1.0


def read_pairs(path: Path = TABLE) -> list[Pair]:
    """Return the pairs of a table, in its order."""
    return [Pair(*line.split("\t")) for line in path.read_text("utf-8").splitlines()[1:]]


def judge(pairs: Sequence[Pair], *, model: Path | Encoder | None = None, wait: bool = True) -> list[Judged]:
    """Return the status of each pair's new statement, with an encoder that is up or, without `wait`, with none yet.

    Two hundred pairs share a memory: a new scope is compared with the name of every known one.
    """
    encoder = load_encoder(bundled_model_directory()) if model is None else model
    return [
        one for start in range(0, len(pairs), 200) for one in _judge(pairs[start : start + 200], encoder, wait=wait)
    ]


def _judge(pairs: Sequence[Pair], model: Path | Encoder, *, wait: bool) -> list[Judged]:
    scopes = [f"pair {number}" for number in range(len(pairs))]
    with tempfile.TemporaryDirectory() as directory, Memory.open(Path(directory) / "memory.db", model=model) as memory:
        if wait:
            memory.wait_for_encoder()
        memory.remember(items=[Entry(pair.old, scope=scope) for pair, scope in zip(pairs, scopes, strict=True)])
        told = memory.remember(items=[Entry(pair.new, scope=scope) for pair, scope in zip(pairs, scopes, strict=True)])
    return [Judged(pair, entry.status) for pair, entry in zip(pairs, told.items, strict=True)]


def figures(judged: Iterable[Judged]) -> Figures:
    """Count how they were decided."""
    told = list(judged)
    replaced = [one for one in told if one.status == "replaces"]
    changes = [one for one in told if one.pair.expected == "revise"]
    missed = [one for one in changes if one.status != "replaces"]
    return Figures(
        pairs=len(told),
        right=sum(one.right for one in told),
        replacements=len(replaced),
        right_replacements=sum(one.right for one in replaced),
        changes=len(changes),
        found=len(changes) - len(missed),
        shown=sum(one.status == "similar" for one in missed),
    )


def by_category(judged: Sequence[Judged]) -> Mapping[str, Figures]:
    """Return the figures of each category, in the order of the table."""
    names = dict.fromkeys(one.pair.category for one in judged)
    return {name: figures(one for one in judged if one.pair.category == name) for name in names}


def table(judged: Sequence[Judged]) -> str:
    """Return the figures as Markdown: all, each part, each language, each category."""
    parts: dict[str, list[Judged]] = {"all": list(judged)}
    for name in PARTS:
        parts[name] = [one for one in judged if one.pair.part == name]
    parts["English"] = [one for one in judged if not _is_chinese(one.pair)]
    parts["Chinese"] = [one for one in judged if _is_chinese(one.pair)]
    rows = {name: figures(part) for name, part in parts.items() if part} | by_category(judged)
    lines = [
        "| pairs | number | right | replaced | of them right | clear changes | found | else shown as similar |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {row.pairs} | {row.right / row.pairs:.3f} | {row.replacements} | {row.precision:.3f} "
        f"| {row.changes} | {row.recall:.3f} | {row.shown} of {row.changes - row.found} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def unseen_table(judged: Sequence[Judged]) -> str:
    """Return the figures of the parts set aside as Markdown, beside plain ways: by the cosine alone, by sixty lines of code."""
    lines = [
        "| pairs set aside | way | replacements right | changes replaced | replaced or shown | of what both hold, shown |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for part in UNSEEN:
        own = [one for one in judged if one.pair.part == part]
        if not own:
            continue
        pairs = [one.pair for one in own]
        ways = {"remember": own, "never replace": [Judged(pair, "created") for pair in pairs]}
        ways |= {f"cosine from {floor}": by_cosine(pairs, floor) for floor in (0.6, 0.8)}
        ways["one word or number differs"] = [Judged(pair, plain_status(pair)) for pair in pairs]
        for name, way in ways.items():
            row, both = figures(way), [one for one in way if one.pair.expected == "add"]
            shown = sum(one.status == "similar" for one in both)
            lines.append(
                f"| {part} | {name} | {row.precision:.3f} of {row.replacements} | {row.recall:.3f} "
                f"| {(row.found + row.shown) / row.changes:.3f} | {shown / len(both):.3f} |"
            )
    return "\n".join(lines)


def by_cosine(pairs: Sequence[Pair], floor: float) -> list[Judged]:
    """Replace whatever has that cosine."""
    encoder = load_encoder(bundled_model_directory())
    vectors = {text: encoder.measure([text])[0].vector for pair in pairs for text in (pair.old, pair.new)}
    return [
        Judged(pair, "replaces" if float(vectors[pair.old] @ vectors[pair.new]) >= floor else "created")
        for pair in pairs
    ]


def plain_status(pair: Pair) -> str:
    """Replace where the same number of words differs in one place only, show where half of the words are shared."""
    old, new = (re.findall(r"[\w.:/@-]*\w|[\u4e00-\u9fff]", text.lower()) for text in (pair.old, pair.new))
    slots = [code for code in SequenceMatcher(None, old, new, False).get_opcodes() if code[0] != "equal"]
    if len(slots) == 1 and slots[0][0] == "replace" and slots[0][1] > 1:
        return "replaces"
    return "similar" if len({*old} & {*new}) >= min(len({*old}), len({*new})) / 2 else "created"


def _is_chinese(pair: Pair) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in pair.old)


def main() -> None:
    """Judge the table and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE, help="the table of pairs")
    parser.add_argument("--part", choices=PARTS, help="that part only")
    parser.add_argument(
        "--wrong", action="store_true", help="print the pairs that were decided wrongly, but for those set aside"
    )
    parser.add_argument("--words", action="store_true", help="without an encoder: neighbours by words alone")
    options = parser.parse_args()
    pairs = [pair for pair in read_pairs(options.table) if options.part in (None, pair.part)]
    judged = judge(pairs, model=Path("/nowhere") if options.words else None, wait=not options.words)
    print(unseen_table(judged), table(judged), sep="\n\n")
    if options.wrong:
        for one in judged:
            if not one.right and one.pair.part not in UNSEEN:
                print(f"{one.pair.category}: {one.status}, not {one.pair.expected}: {one.pair.old} || {one.pair.new}")


if __name__ == "__main__":
    main()
