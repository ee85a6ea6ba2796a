"""Fit the weights of the scorer that tells a change from a statement that holds besides, and write weights.json.

    uv run python -m bench.train_contradiction [--check]

Logistic regression with an L2 penalty by Newton's method, on the pairs of tests/statement_pairs.tsv that are not set
aside (bench.dedupe.UNSEEN). Cosines are those of the bundled encoder; each pair is fitted twice, once without its
cosine, since a neighbour found by its words alone has none. With --check nothing is written: one part after the other
is left out, the rest is fitted, and the figures of the part left out are printed.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.dedupe import UNSEEN, Pair, read_pairs
from mcp_memory.encoders import bundled_model_directory, load_encoder
from mcp_memory.language.tokenization import supports_language
from mcp_memory.remember.contradiction.comparison import replaced_value
from mcp_memory.remember.contradiction.features import cues, features
from mcp_memory.remember.contradiction.parsing import parse

WEIGHTS = Path(__file__).parent.parent / "mcp_memory" / "remember" / "contradiction" / "weights.json"
RARE = 5
"""Pairs in which a feature occurs, at least."""
PENALTY = 4.0
NATURAL = ("natural", "practice", "strangers")
"""Parts in natural wording; the others vary a few plain sentences and count half."""

Features = Mapping[str, float]
Matrix = NDArray[np.float64]


def main() -> None:
    """Fit and write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fit without each part in turn and print its figures")
    options = parser.parse_args()
    pairs = [pair for pair in read_pairs() if pair.part not in UNSEEN and pair.expected in ("add", "revise")]
    pairs += strangers(pairs)
    described = describe(pairs)
    if options.check:
        for part in dict.fromkeys(pair.part for pair in pairs):
            check(part, pairs, described)
        return
    weights = fit(pairs, described)
    lines = ",\n".join(f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in sorted(weights.items()))
    WEIGHTS.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    print(f"{len(weights)} weights of {len(pairs)} pairs")


def strangers(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the changes in natural wording, each with the two statements of other pairs that share the most words."""
    natural = [pair for pair in pairs if pair.part in NATURAL]
    olds = {pair.old: cues(pair.old) for pair in natural}
    found: list[Pair] = []
    for pair in natural:
        if pair.expected == "revise":
            said = cues(pair.new)
            near = sorted(
                (old for old in olds if old != pair.old), key=lambda old: -len(said & olds[old]) / len(olds[old])
            )
            found += [Pair("strangers", pair.category, "add", old, pair.new) for old in near[:2]]
    return found


def describe(pairs: Sequence[Pair]) -> list[tuple[Features, ...]]:
    """Return the features of each pair, with its cosine and without."""
    encoder = load_encoder(bundled_model_directory())
    texts = sorted({text for pair in pairs for text in (pair.old, pair.new)})
    vectors = {text: encoder.measure([text])[0].vector for text in texts if supports_language(encoder.languages, text)}
    described: list[tuple[Features, ...]] = []
    for pair in pairs:
        read = (pair.old, pair.new, parse(pair.old), parse(pair.new))
        near = float(vectors[pair.old] @ vectors[pair.new]) if {pair.old, pair.new} <= vectors.keys() else 0.0
        reason = replaced_value(pair.old, pair.new)
        described.append(tuple(features(*read, reason=reason, cosine=cosine) for cosine in (near, 0.0)))
    return described


def fit(pairs: Sequence[Pair], described: Sequence[tuple[Features, ...]]) -> dict[str, float]:
    """Return the weight of each feature that is not rare, and the bias."""
    counts = Counter(name for with_cosine, _ in described for name in with_cosine)
    names = ["bias", *sorted(name for name, count in counts.items() if count >= RARE)]
    columns = {name: column for column, name in enumerate(names)}
    rows = [(kind, pair) for pair, kinds in zip(pairs, described, strict=True) for kind in kinds]
    matrix = np.zeros((len(rows), len(names)))
    for row, (kind, _) in enumerate(rows):
        matrix[row, 0] = 1.0
        for name, value in kind.items():
            if name in columns:
                matrix[row, columns[name]] = value
    target = np.array([pair.expected == "revise" for _, pair in rows], float)
    importance = np.array([0.5 if pair.part in ("natural", "practice") else 0.25 for _, pair in rows])
    solved = solve(matrix, target, importance)
    return {name: round(float(value), 3) for name, value in zip(names, solved, strict=True) if abs(value) >= 0.0005}


def solve(matrix: Matrix, target: Matrix, importance: Matrix) -> Matrix:
    """Minimise the weighted log loss with the L2 penalty (not of the bias) by Newton's method."""
    penalty = np.full(matrix.shape[1], PENALTY / 2)
    penalty[0] = 1e-6
    weights = np.zeros(matrix.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-matrix @ weights))
        gradient = matrix.T @ (importance * (chance - target)) + penalty * weights
        curvature = (matrix * (importance * chance * (1 - chance))[:, None]).T @ matrix + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-4:
            break
    return weights


def check(part: str, pairs: Sequence[Pair], described: Sequence[tuple[Features, ...]]) -> None:
    """Fit without a part and print how its changes and its other pairs are ranked."""
    kept = [number for number, pair in enumerate(pairs) if pair.part != part]
    weights = fit([pairs[number] for number in kept], [described[number] for number in kept])
    left = [number for number, pair in enumerate(pairs) if pair.part == part]
    score = np.array([sum(weights.get(name, 0.0) * value for name, value in described[n][0].items()) for n in left])
    changed = np.array([pairs[number].expected == "revise" for number in left])
    order = score[changed][:, None] > score[~changed][None, :]
    floor = np.quantile(score[~changed], 0.75)
    print(
        f"{part}: {len(left)} pairs, AUC {order.mean():.3f}, {(score[changed] > floor).mean():.3f} of the changes above 3 of 4 others"
    )


if __name__ == "__main__":
    main()
