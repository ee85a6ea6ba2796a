"""What remember makes of a statement that comes after another, against a table that says what it should.

    uv run python -m bench.dedupe [--table FILE] [--part dev|held-out|fresh|second|third|fourth] [--wrong] [--words] [--cosines]

The table is tests/statement_pairs.tsv: a part, a category, what is expected (`add`, `confirm`, `revise`; `may` where replacing
is right and keeping beside is too), the statement that is known, and the new one. Each pair has a scope of its own in
one memory; the old statements are remembered first, then the new ones, with the encoder that comes with the package.
The rules were made on the part `dev`. `held-out` is every pair of the first table whose SHA-256 is odd: of it mostly the
totals were looked at, and some pairs too. `fresh`, `second`, `third` and `fourth` were each written after the rules of their day,
of other kinds, and measured once before they joined; what they showed was mended after that.
"""

import argparse
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    """Two statements of the table, and what the second is to the first."""

    part: str
    category: str
    expected: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a pair's new statement."""

    pair: Pair
    status: str
    """As remember answered."""

    @property
    def right(self) -> bool:
        """Whether that is what the table expects."""
        decided = EXPECTED[self.status]
        return decided != "confirm" if self.pair.expected == "may" else decided == self.pair.expected


@dataclass(frozen=True, slots=True)
class Figures:
    """How often some pairs were decided rightly."""

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
    """The pairs of a table, in its order."""
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
    """How often they were decided rightly."""
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
    """The figures of each category, in the order of the table."""
    names = dict.fromkeys(one.pair.category for one in judged)
    return {name: figures(one for one in judged if one.pair.category == name) for name in names}


def table(judged: Sequence[Judged]) -> str:
    """The figures as Markdown: all, each part, each language, each category."""
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


def _is_chinese(pair: Pair) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in pair.old)


def main() -> None:
    """Judge the table and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE, help="the table of pairs")
    parser.add_argument("--part", choices=PARTS, help="that part only")
    parser.add_argument("--wrong", action="store_true", help="print the pairs of dev that were decided wrongly")
    parser.add_argument("--words", action="store_true", help="without an encoder: neighbours by words alone")
    options = parser.parse_args()
    pairs = [pair for pair in read_pairs(options.table) if options.part in (None, pair.part)]
    judged = judge(pairs, model=Path("/nowhere") if options.words else None, wait=not options.words)
    print(table(judged))
    if options.wrong:
        for one in judged:
            if not one.right and one.pair.part == "dev":
                print(f"{one.pair.category}: {one.status}, not {one.pair.expected}: {one.pair.old} || {one.pair.new}")


if __name__ == "__main__":
    main()
