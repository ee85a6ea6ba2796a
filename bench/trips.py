"""How far a question and a statement travel: the modules they visit and their moves between files.

    uv run python -m bench.trips [--items 4,8,200] [--edges 0] [--modules]

A trip is one warm call of `Memory.recall` with a question, or of `Memory.remember` with a sentence, on a store of
made-up statements with the encoder up. Every call of a Python function of mcp_memory on the calling thread is an event
of `sys.setprofile`, the resumption of a generator too. A module is visited when one of its functions is called; a move
is a call whose direct caller is in another module of mcp_memory. What passes through another package in between
(a decorator of contextlib, sqlite calling back) is no move, and background threads are not seen. Both figures depend on
nothing but the code and the statements.

The moves grow with the candidates wherever one is handed over at a time: 4 and 8 statements are the store of someone who has
just begun, 200 the most candidates that a question has.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import mcp_memory
from mcp_memory.domain.model import Entry
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.memory import Memory

ROOT = str(Path(mcp_memory.__file__).parent) + "/"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

BEGUN = (
    "The deploy port of the shop is 8080.",
    "The deploy port of the shop was 7070 until May.",
    "Nadia prefers green tea in the morning.",
    "We decided to keep the invoices in PostgreSQL.",
    "The dentist moved to the old harbour.",
    "Olu plays the cello on Thursdays.",
    "The build of the site takes eleven minutes.",
    "Backups of the laptop go to the grey disk.",
)
"""What someone has remembered who has just begun."""
PEOPLE = "Ada Bruno Chen Dilara Esra Femi Greta Hugo Ines Jonas Keiko Lena Mateo Nadia Olu Petra".split()
PLACES = "Lisbon Ghent Porto Oslo Turin Leeds Bergen Graz Utrecht Malmo Lyon Bilbao Cork Trieste".split()
THINGS = "kitchen garage cellar attic garden balcony workshop library studio pantry".split()
STATEMENTS = (
    "{person} moved to {place} in spring.",
    "{person} keeps a spare key in the {thing}.",
    "{person} works for a bank in {place}.",
    "{person} likes to cook in the {thing}.",
    "The {thing} of {person} was painted by a friend from {place}.",
    "{person} owes {other} {number} euros.",
)
QUESTION = "Which port does the shop use?"
SENTENCE = "The deploy port of the shop is 9090."
WARM = (("What does Nadia drink?", "Nadia sings in a choir."), ("Where is the dentist?", "The gym opens at seven."))


@dataclass
class Trip:
    """The calls counted during one call of a verb."""

    modules: Counter[str] = field(default_factory=Counter[str])
    moves: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])


def travel(call: Callable[[], object]) -> Trip:
    """Profile a call on this thread."""
    trip = Trip()

    def on_event(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(ROOT):
            return
        callee = frame.f_code.co_filename.removeprefix(ROOT)
        trip.modules[callee] += 1
        caller = frame.f_back.f_code.co_filename if frame.f_back else ""
        if caller.startswith(ROOT) and (origin := caller.removeprefix(ROOT)) != callee:
            trip.moves[origin, callee] += 1

    sys.setprofile(on_event)
    try:
        call()
    finally:
        sys.setprofile(None)
    return trip


def statements(count: int) -> list[str]:
    """Return `count` different statements, those of BEGUN first."""
    chance = random.Random(12)
    known = dict.fromkeys(BEGUN[:count])
    while len(known) < count:
        form = STATEMENTS[len(known) % len(STATEMENTS)]
        person, other = chance.sample(PEOPLE, 2)
        place, thing, number = chance.choice(PLACES), chance.choice(THINGS), chance.randrange(5, 900)
        known[form.format(person=person, other=other, place=place, thing=thing, number=number)] = None
    return list(known)


def trips(count: int, encoder: Encoder, directory: Path) -> tuple[Trip, Trip]:
    """Return the trips of a question and of a sentence through a store of `count` statements."""
    with Memory.open(directory / f"{count}.db", model=encoder, clock=lambda: NOW) as memory:
        memory.wait_for_encoder()
        memory.remember(items=[Entry(text) for text in statements(count)])
        memory.maintenance.make_vectors()
        for question, sentence in WARM:
            memory.recall(question)
            memory.remember(sentence)
        memory.maintenance.make_vectors()
        memory.maintenance.gather()
        return travel(lambda: memory.recall(QUESTION)), travel(lambda: memory.remember(SENTENCE))


def main() -> None:
    """Print the table, and what it is made of where that is asked for."""
    parser = argparse.ArgumentParser(description="Count the modules and moves of a recall and a remember.")
    parser.add_argument("--items", default="4,8,200", help="sizes of the stores")
    parser.add_argument("--edges", type=int, default=0, help="show the commonest moves")
    parser.add_argument("--modules", action="store_true", help="show the modules visited")
    arguments = parser.parse_args()
    encoder = load_encoder(bundled_model_directory())
    print("items  verb      modules  moves")
    with TemporaryDirectory() as directory:
        for count in map(int, arguments.items.split(",")):
            for verb, trip in zip(("recall", "remember"), trips(count, encoder, Path(directory)), strict=True):
                print(f"{count:5}  {verb:8}  {len(trip.modules):7}  {trip.moves.total():5}")
                for (caller, callee), times in trip.moves.most_common(arguments.edges):
                    print(f"    {times:5}  {caller} -> {callee}")
                if arguments.modules:
                    print("    " + "\n    ".join(f"{calls:5}  {name}" for name, calls in sorted(trip.modules.items())))


if __name__ == "__main__":
    main()
