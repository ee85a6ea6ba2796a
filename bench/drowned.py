"""LoCoMo's questions before and after its conversations are drowned in notes that have nothing to do with them.

    uv run python -m bench.drowned --data DIR [--notes 100000] [--every N]

The notes are spliced from SciFact's sentences (bench.scale) and lie in the same scope as what is asked for.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.asking import documents_of, means, recall, score
from bench.loading import remember_conversations
from bench.metrics import NAMES, Scored
from bench.scale import keep, sentences_of
from bench.significance import paired_bootstrap
from bench.tasks import collections
from mcp_memory.encoders import bundled_model_directory, load_encoder
from mcp_memory.memory import Memory
from mcp_memory.sqlite.store import SqliteStore

DEPTH = 10


def main() -> None:
    """Ask, drown, ask again, print both and the difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask each N-th question only")
    options = parser.parse_args()
    encoder = load_encoder(bundled_model_directory())
    collection = collections(options.data, ["locomo-pooled"])[0]()
    [task] = collection.tasks
    task = replace(task, queries=task.queries[:: options.every])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        with Memory.open(path, model=encoder) as memory:
            memory.wait_for_encoder()
            parts = remember_conversations(memory, collection.data.documents)
            documents = defaultdict(lambda: ["unrelated"], documents_of(parts))

            def ask() -> list[Scored]:
                return score(task, lambda query, scope: recall(memory, query, scope, limit=DEPTH), documents)

            scored = {"alone": ask()}
            base = sentences_of(options.data, encoder, ["scifact"])
            store = SqliteStore(path, clock=lambda: int(time.time() * 1000))
            for _ in keep(store, base, encoder=encoder.identity, start=0, end=options.notes):
                pass
            store.close()
            scored[f"among {options.notes:,} notes"] = ask()
    print(f"{task.title}, {len(task.queries)} questions")
    print(f"{'':<24}" + "".join(f"{name:>9}" for name in NAMES))
    for name, measured in scored.items():
        print(f"{name:<24}" + "".join(f"{value:>9.1f}" for value in means(measured).values()))
    before, after = ([100 * entry.measures["hit@5"] for entry in measured] for measured in scored.values())
    lost = paired_bootstrap(after, before)
    print(f"hit@5: {lost.mean:+.1f} [{lost.low:+.1f}, {lost.high:+.1f}]")


if __name__ == "__main__":
    main()
