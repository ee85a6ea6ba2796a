"""The relevance floor: how an encoder's cosines with unrelated texts are spread, and what the floor rejects and keeps.

    uv run python -m bench.floor --data DIR [--every N]

DIR holds locomo/, scifact/ and xquad-en/. The claims of SciFact and the questions of XQuAD have nothing to do with
LoCoMo's conversations. The mean and the deviation printed are what an encoder.json calls its noise.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.asking import recall
from bench.baselines import EVERYWHERE
from bench.data import read_test_set
from bench.loading import Part, RecordingEncoder, remember_conversations, temporary_memory
from mcp_memory.domain.model import Vector
from mcp_memory.encoders import Noise, bundled_model_directory, load_encoder
from mcp_memory.memory import Memory
from mcp_memory.recall.relevance import noise_floor

PERCENTILE = 95
"""Of the largest cosine of an unrelated question: so many of a hundred lie under the floor."""

Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Share:
    """Of some questions, how many were answered with anything."""

    asked: int
    answered: int


def main() -> None:
    """Calibrate, then ask through recall with the floor as it is and as it was calibrated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory of the test sets")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask each N-th question only (default: all)")
    options = parser.parse_args()
    data: Path = options.data
    conversations = read_test_set(data / "locomo")
    unrelated = {name: read_test_set(data / name).queries for name in ("scifact", "xquad-en")}
    encoder = RecordingEncoder(load_encoder(bundled_model_directory()))
    with temporary_memory(encoder) as memory:
        parts = remember_conversations(memory, conversations.documents)
        calibrated = calibrate(parts, [query["text"] for asked in unrelated.values() for query in asked], encoder)
        for name, noise in (("as shipped", encoder.noise), ("as calibrated", calibrated)):
            encoder.noise = noise
            floor = noise_floor(mean=noise.mean, deviation=noise.deviation, searched=len(parts))
            print(
                f"\n{name}: mean {noise.mean:.3f}, deviation {noise.deviation:.3f}, floor {floor:.3f} of {len(parts)}"
            )
            for kind, queries in unrelated.items():
                _print_rejected(memory, kind, queries[:: options.every], conversations.stores)
            _print_kept(memory, conversations.queries[:: options.every])


def calibrate(parts: Sequence[Part], unrelated: Sequence[str], encoder: RecordingEncoder) -> Noise:
    """The spread of the cosines of unrelated questions, printed on the way.

    The mean is of all cosines; the deviation is such that the expected largest of n lies at PERCENTILE of the
    questions' largest.
    """
    cosines = np.stack([encoder.encode_query(text) for text in unrelated]) @ encoder.vectors([p.text for p in parts]).T
    stores = np.array([part.store for part in parts])
    print(f"{len(unrelated)} unrelated questions, {len(parts)} texts")
    noise = noise_of(cosines)
    print(f"all texts: mean {noise.mean:.4f}, deviation {noise.deviation:.4f} (of the cosines {cosines.std():.4f})")
    for store in dict.fromkeys(stores.tolist()):
        own = cosines[:, stores == store]
        print(f"{store}: {own.shape[1]} texts, mean {noise_of(own).mean:.4f}, deviation {noise_of(own).deviation:.4f}")
    return noise


def noise_of(cosines: Vector) -> Noise:
    """The noise that puts the floor at PERCENTILE of the rows' maxima, from cosines of shape (questions, texts)."""
    mean = float(cosines.mean())
    largest = float(np.percentile(cosines.max(axis=1), PERCENTILE))
    return Noise(mean, (largest - mean) / math.sqrt(2 * math.log(cosines.shape[1])))


def answered(memory: Memory, asked: Sequence[tuple[str, str]]) -> Share:
    """How many of the questions, each with the scope it is asked in, recall answers with anything."""
    return Share(len(asked), sum(bool(recall(memory, query, scope, limit=1)) for query, scope in asked))


def _print_rejected(memory: Memory, kind: str, queries: Sequence[Query], stores: Sequence[str]) -> None:
    """Off-topic questions, in one conversation each (in turn) and in all of them."""
    own = answered(memory, [(query["text"], stores[n % len(stores)]) for n, query in enumerate(queries)])
    pooled = answered(memory, [(query["text"], EVERYWHERE) for query in queries])
    for where, share in (("one conversation", own), ("all", pooled)):
        rejected = share.asked - share.answered
        print(f"{kind}, asked of {where}: {100 * rejected / share.asked:.1f} % of {share.asked} rejected")


def _print_kept(memory: Memory, queries: Sequence[Query]) -> None:
    """Questions about what was talked of, in their own conversation and in all of them."""
    for where, scopes in (("their own", [q["store"] for q in queries]), ("all", [EVERYWHERE for _ in queries])):
        share = answered(memory, [(query["text"], scope) for query, scope in zip(queries, scopes, strict=True)])
        print(f"locomo, asked of {where}: {100 * share.answered / share.asked:.1f} % of {share.asked} kept")


if __name__ == "__main__":
    main()
