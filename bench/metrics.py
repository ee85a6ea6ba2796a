"""What a ranking is worth against the gold: hit@k, recall@k, all@k and nDCG@k."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

NAMES = ("hit@5", "R@5", "R@10", "all@5", "nDCG@10")


def hit(ranking: Sequence[str], gold: set[str], k: int) -> float:
    """1 where any gold document is among the first k."""
    return float(any(found in gold for found in ranking[:k]))


def recall(ranking: Sequence[str], gold: set[str], k: int) -> float:
    """The share of the gold documents that are among the first k."""
    return len(gold.intersection(ranking[:k])) / len(gold)


def ndcg(ranking: Sequence[str], gold: set[str], k: int) -> float:
    """Normalised discounted cumulative gain with binary gains (Järvelin and Kekäläinen 2002)."""
    gain = sum(1 / math.log2(place + 2) for place, found in enumerate(ranking[:k]) if found in gold)
    best = sum(1 / math.log2(place + 2) for place in range(min(k, len(gold))))
    return gain / best


def measures(ranking: Sequence[str], gold: set[str]) -> dict[str, float]:
    """Every measure of NAMES for one query."""
    return {
        "hit@5": hit(ranking, gold, 5),
        "R@5": recall(ranking, gold, 5),
        "R@10": recall(ranking, gold, 10),
        "all@5": float(recall(ranking, gold, 5) == 1),
        "nDCG@10": ndcg(ranking, gold, 10),
    }


@dataclass(frozen=True, slots=True)
class Scored:
    """One query's measures."""

    query: str
    category: str
    measures: Mapping[str, float]


def table(scored: Iterable[Scored]) -> list[tuple[str, int, list[float]]]:
    """For each category and for all, the number of queries and the mean of each of NAMES, in percent."""
    groups: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for entry in scored:
        groups[entry.category].append(entry.measures)
        groups["all"].append(entry.measures)
    names = sorted(groups, key=lambda name: (name == "all", name))
    return [
        (name, len(groups[name]), [100 * sum(m[key] for m in groups[name]) / len(groups[name]) for key in NAMES])
        for name in names
    ]


def print_table(title: str, scored: Iterable[Scored]) -> None:
    """The table as aligned text."""
    print(f"\n{title}\n{'':<14}{'queries':>8}" + "".join(f"{name:>9}" for name in NAMES))
    for name, count, values in table(scored):
        print(f"{name:<14}{count:>8}" + "".join(f"{value:>9.1f}" for value in values))
