"""Fuzzing: a million made-up inputs for everything that reads what comes from outside; no crash, no hang, no unclean store.

    uv run python -m bench.fuzz [--inputs 1000000 | --duration S] [--seed 1] [--only NAME] [--engine random|hypothesis|atheris]
    uv run --with atheris python -m bench.fuzz --engine atheris --inputs 100000

The targets and what makes their inputs are in bench/fuzz_targets.py. Three engines drive them: `random` deals inputs as
fast as it can, `hypothesis` deals the same through its own choices and shrinks what fails, `atheris` lets what each
input covers guide the next (a process for each target). A refusal (MemoryProblem) is no failure; any other exception
is, and so is an input that takes more than a second of processor time of the thread that runs it, whatever else the
machine does. Without --engine most inputs are random's, and hypothesis gets HYPOTHESIS of a thousand. In the end each
store is verified.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import strategies as st

from bench.fuzz_process import speak_junk
from bench.fuzz_targets import TARGETS, Target, importer_targets
from mcp_memory.errors import MemoryProblem

HANG = 1.0
"""Seconds of processor time from which on an input counts as one that hangs."""
STOPPED = 5.0
"""Seconds of processor time after which it is stopped."""
HYPOTHESIS = 20
WARM = 30
"""Inputs of each target before any counts."""
KEPT = 5
"""Failures of a target that are shown; after that many it is given up."""
PROCESS = 0.004
"""Share of the inputs that go as lines to a server process."""


class Hanging(BaseException):
    """An input was stopped."""


@dataclass(slots=True)
class Tally:
    """What became of the inputs of one target by one engine."""

    target: str
    engine: str
    inputs: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    """Processor time of the slowest input, in seconds."""
    failures: list[str] = field(default_factory=list[str])

    def row(self) -> str:
        """As a line of a Markdown table."""
        return (
            f"| {self.target} | {self.engine} | {self.inputs:,} | {self.refused:,} | {self.seconds:.0f} "
            f"| {self.slowest * 1000:.0f} | {len(self.failures)} |"
        )


@contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """Stop what takes longer than so much processor time, where the system and the thread can."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: object) -> None:
        raise Hanging

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def feed(target: Target, given: Any, tally: Tally) -> None:
    """Run a target on one input, and note what came of it. Raises what is a failure."""
    tally.inputs += 1
    start = time.thread_time()
    try:
        with stopped_after(STOPPED):
            target.run(given)
    except MemoryProblem:
        tally.refused += 1
    except Hanging as stopped:
        raise AssertionError(f"stopped after {STOPPED} s of processor time") from stopped
    finally:
        spent = time.thread_time() - start
        tally.slowest = max(tally.slowest, spent)
    if spent > HANG:
        raise AssertionError(f"took {spent:.1f} s of processor time")


def warm(target: Target) -> None:
    """Run a target on a few inputs that do not count: the first compile patterns and open stores."""
    for number in range(WARM):
        with suppress(Exception):
            target.run(target.make(random.Random(f"warm {number}")))


def by_random(target: Target, tally: Tally, *, inputs: int, seed: int, until: float) -> None:
    """Inputs as a seeded Random deals them; each has a seed of its own, which is told where it fails."""
    for number in range(inputs):
        if time.monotonic() > until or len(tally.failures) >= KEPT:
            return
        made = target.make(random.Random(f"{seed}/{number}"))
        try:
            feed(target, made, tally)
        except Exception as error:  # what a fuzzer is for
            tally.failures.append(told(f"{seed}/{number}", made, error))


def by_hypothesis(target: Target, tally: Tally, *, inputs: int, seed: int, until: float) -> None:
    """Inputs as hypothesis deals them; what fails is made as small as it can be."""
    if inputs < 1 or time.monotonic() > until:
        return
    smallest: list[tuple[Any, Exception]] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=inputs, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(st.randoms(use_true_random=False).map(target.make))
    def check(made: Any) -> None:
        if time.monotonic() > until and not smallest:
            return
        try:
            feed(target, made, tally)
        except Exception as error:
            smallest[:] = [(made, error)]
            raise

    try:
        check()
    except Exception as error:
        tally.failures.append(told(f"hypothesis {seed}", *(smallest[0] if smallest else (None, error))))


def by_atheris(target: Target, tally: Tally, *, inputs: int, seed: int, until: float) -> None:
    """Inputs that coverage guides, in a process of its own, which ends with the first failure."""
    command = [
        sys.executable,
        "-m",
        "bench.fuzz",
        "--engine",
        "atheris",
        "--only",
        target.name,
        "--inputs",
        str(inputs),
    ]
    command += ["--seed", str(seed), "--guided", str(max(1, int(until - time.monotonic())))]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace")
    for line in ended.stderr.splitlines():
        if line.startswith("Done ") and " runs in " in line:
            tally.inputs = int(line.split()[1])
    for line in ended.stdout.splitlines():
        if line.startswith("slowest "):
            tally.slowest = float(line.split()[1])
    if ended.returncode:
        tally.failures.append("\n".join(ended.stdout.splitlines()[-20:] + ended.stderr.splitlines()[-20:]))


def guided(target: Target, *, inputs: int, seed: int, seconds: int) -> None:
    """The process of by_atheris: never returns."""
    import atheris  # pyright: ignore[reportMissingImports]

    tally = Tally(target.name, "atheris")

    @hypothesis.settings(deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.randoms(use_true_random=False).map(target.make))
    def check(made: Any) -> None:
        try:
            feed(target, made, tally)
        except Exception as error:
            print(told("atheris", made, error), flush=True)
            raise

    def one(data: bytes) -> None:
        check.hypothesis.fuzz_one_input(data)
        if tally.inputs % 500 == 0:
            print(f"slowest {tally.slowest:.4f}", flush=True)

    warm(target)
    atheris.instrument_all()
    options = [f"-runs={inputs}", f"-seed={seed}", f"-max_total_time={seconds}", "-max_len=2048", "-timeout=60"]
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def told(seed: str, made: Any, error: Exception) -> str:
    """A failure in words: its seed, the input, and where it was raised."""
    shown_from = error.__cause__ or error
    where = "".join(traceback.format_exception(shown_from)[-6:]).strip()
    return f"seed {seed}: {shown(made)}\n{where}"


def shown(made: Any) -> str:
    """An input, shortened; a whole number of thousands of digits has no text in Python."""
    try:
        return ascii(made)[:2_000]
    except ValueError:
        return f"something with a very large number in it, {type(made).__name__}"


ENGINES: dict[str, Callable[..., None]] = {"random": by_random, "hypothesis": by_hypothesis, "atheris": by_atheris}


def plan(targets: Sequence[Target], inputs: int, engine: str | None) -> list[tuple[Target, str, int]]:
    """Which engine gives each target how many inputs."""
    whole = sum(target.share for target in targets)
    made: list[tuple[Target, str, int]] = []
    for target in targets:
        count = max(1, inputs * target.share // whole)
        if engine:
            made.append((target, engine, count))
        else:
            shrunk = count * HYPOTHESIS // 1_000
            made += [(target, "hypothesis", shrunk), (target, "random", count - shrunk)]
    return made


def main() -> None:
    """Fuzz, print a table and what failed; exit 1 where anything did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--duration", type=float, default=float("inf"), help="seconds after which no more is begun")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", metavar="NAME", help="a target; may be given again")
    parser.add_argument("--engine", choices=list(ENGINES))
    parser.add_argument("--guided", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    targets = [*TARGETS, *importer_targets()]
    chosen = [target for target in targets if not options.only or target.name in options.only]
    if options.guided:
        guided(chosen[0], inputs=options.inputs, seed=options.seed, seconds=options.guided)
    begun = time.monotonic()
    tallies: list[Tally] = []
    print("| target | engine | inputs | refused | s | slowest, ms of CPU | failures |\n|---|---|---|---|---|---|---|")
    work = plan(chosen, options.inputs, options.engine)
    for number, (target, engine, count) in enumerate(work):
        now = time.monotonic()
        # What is left of the time is shared by what is left of the work.
        until = now + (options.duration - (now - begun)) / (len(work) - number)
        tallies.append(tally := Tally(target.name, engine))
        if engine != "atheris":
            warm(target)
        ENGINES[engine](target, tally, inputs=count, seed=options.seed, until=until)
        tally.seconds = time.monotonic() - now
        print(tally.row(), flush=True)
    if not options.only and options.engine is None:
        tallies.append(tally := Tally("lines to a server process", "random"))
        speak_junk(tally, inputs=max(1, int(options.inputs * PROCESS)), seed=options.seed)
        print(tally.row(), flush=True)
    wrong = [problem for target in chosen if engine != "atheris" for problem in target.close()]
    total, failed = sum(t.inputs for t in tallies), sum(len(t.failures) for t in tallies)
    print(
        f"\n{total:,} inputs in {(time.monotonic() - begun) / 60:.1f} minutes, {failed} failures, {len(wrong)} things wrong in the stores"
    )
    for tally in tallies:
        for failure in tally.failures:
            print(f"\n## {tally.target} ({tally.engine})\n{failure}")
    print("\n".join(wrong))
    sys.stdout.flush()
    os._exit(bool(failed or wrong))  # threads of the memory need not be waited for


if __name__ == "__main__":
    main()
