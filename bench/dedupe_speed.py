"""How long a call to remember takes against many known statements, without the time the model needs.

    uv run python -m bench.dedupe_speed [--known N]

The vectors come from the hashing encoder, so that what is measured is looking for neighbours, deciding and writing.
Each new statement tells another value of a known one.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mcp_memory.domain.ids import IdSequence
from mcp_memory.domain.model import Caller, Entry, ItemId, Operation, OperationId, PendingEmbedding, Statement
from mcp_memory.domain.steps import AddItem
from mcp_memory.encoders.background import BackgroundEncoder
from mcp_memory.encoders.embedding import embed
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.language.dates.periods import to_ms
from mcp_memory.memory import local_time, no_progress
from mcp_memory.remember.intake import Intake
from mcp_memory.remember.pipeline import Rememberer
from mcp_memory.sqlite.store import SqliteStore

SYSTEMS = "deploy staging billing search queue cache worker index metrics gateway mobile payments ledger auth".split()
VALUES = "port timeout owner region limit version budget retention quota".split()
NAMES = 8_000
"""Names that the statements are made of, besides a few words that all share."""
BATCH = 1_000


def main() -> None:
    """Fill a store, remember calls of 1 to 1,000 statements, and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known", type=int, default=100_000, metavar="N", help="statements known before")
    options = parser.parse_args()
    chance = random.Random(1)
    known = [_statement(chance) for _ in range(options.known)]
    with tempfile.TemporaryDirectory() as directory:
        run(Path(directory) / "memory.db", known, chance)


def run(path: Path, known: Sequence[str], chance: random.Random) -> None:
    """Fill the file with what is known, then remember and print."""
    now = to_ms(local_time())
    ids = IdSequence(lambda: now)
    store, encoder = SqliteStore(path, clock=lambda: now), HashingEncoder(384)
    store.register_encoder(encoder.identity, encoder.dimensions)
    background = BackgroundEncoder(lambda: encoder)
    background.wait()
    rememberer = Rememberer(store, background, ids.next)

    def operation() -> Operation:
        return Operation(OperationId(ids.next()), "remember", now, "bench", "", "")

    def read(texts: Sequence[str]) -> list[Statement]:
        intake = Intake(Caller(), local_time(), ids.next)
        return [statement for part in intake.entries([Entry(text) for text in texts]) for statement in part]

    for start in range(0, len(known), BATCH):
        told = read(known[start : start + BATCH])
        made = embed(encoder, [PendingEmbedding(n, one.spoken, one.source.id, 0) for n, one in enumerate(told)])
        steps = [AddItem(ItemId(ids.next()), one, vector) for one, vector in zip(told, made, strict=True)]
        store.apply(operation(), steps, encoder=encoder.identity)
    for count in (1, 1, 10, 100, 1_000):
        changed = [
            f"{text.rpartition(' ')[0]} {chance.randint(10**6, 10**7)}." for text in chance.choices(known, k=count)
        ]
        told = read(changed)
        start = time.perf_counter()
        result = rememberer.remember(told, operation=operation(), progress=no_progress)
        seconds = time.perf_counter() - start
        print(f"{count} against {len(known)}: {seconds:.2f} s, {dict(Counter(one.status for one in result.items))}")
    store.close()


def _statement(chance: random.Random) -> str:
    first, second = chance.randrange(NAMES), chance.randrange(NAMES)
    return f"The {chance.choice(SYSTEMS)} w{first} {chance.choice(VALUES)} of w{second} is {chance.randint(1, 99_999)}."


if __name__ == "__main__":
    main()
