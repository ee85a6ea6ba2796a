"""Words for the people in somebody's life, in English and Chinese: family, partners, and whom one lives and works with."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Circle = Literal["family", "partner", "other"]


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    circle: Circle
    single: bool
    """A person has one at a time, so that naming another one replaces the first."""
    english: tuple[str, ...]
    chinese: tuple[str, ...]


@cache
def relations() -> tuple[Relation, ...]:
    """Return all relations, as `data/relations.tsv` lists them."""
    return tuple(_read((Path(__file__).parent / "data" / "relations.tsv").read_text("utf-8")))


def _read(table: str) -> Iterator[Relation]:
    for line in table.splitlines():
        if line and not line.startswith("#"):
            name, circle, number, english, chinese = line.split("\t")
            assert circle in ("family", "partner", "other")
            yield Relation(name, circle, number == "one", tuple(english.split(",")), tuple(chinese.split()))
