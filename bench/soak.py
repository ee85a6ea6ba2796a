"""A server under mixed calls for minutes: what it holds in memory, whether that grows, and whether any call fails.

    uv run python -m bench.soak [--duration 600] [--items 100000] [--seed 1] [--store FILE] [--model DIR] [--csv FILE]

A store of made-up statements is filled first (their vectors are spliced as in bench.scale), then one server process
serves one client over standard input and output: remember, recall, update, forget, summarize and history, as the seed
deals them. The resident set of the server is read from /proc once a second; the slope is that of a straight line fitted
to all readings after the first minute (after the first tenth of a shorter run).
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.scale import Base, keep, quantiles
from mcp_memory.domain.model import PendingEmbedding, SourceId
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.encoders.embedding import embed
from mcp_memory.sqlite.store import SqliteStore

GOAL = 250.0
"""MB that the server may hold at 100,000 items."""
FLAT = 1.0
"""MB a minute after the first one that still count as flat: in ten minutes less than a tenth of what is held."""
SENTENCES = 2_000
"""Statements that an encoder measures; the items of the store are spliced from two of them each."""
WORDS = 6_000
"""Made-up names the statements are about."""
CALLS = {"recall": 40, "remember": 25, "update": 10, "forget": 10, "history": 10, "summarize": 5}
"""How often each tool is called in a hundred calls."""
SYLLABLES = "ba be di do fa ga ho ju ka ki lo ma mi no pa qui ra ri sa so ta te ul va vi wo xe ya zo zu".split()
VERBS = "uses runs needs owns feeds moved joined paid met lost found built checked renamed watches".split()
THINGS = "port queue garden invoice bridge database kitchen train deadline contract rehearsal kayak roof budget".split()
PLACES = "in Lisbon|on Friday|at the office|for the team|since March|near the river|with her sister|before lunch".split(
    "|"
)


@dataclass(slots=True)
class Run:
    """What was seen of a server."""

    seconds: list[float] = field(default_factory=list[float])
    megabytes: list[float] = field(default_factory=list[float])
    """Resident set at each of `seconds`."""
    calls: Counter[str] = field(default_factory=Counter[str])
    errors: list[str] = field(default_factory=list[str])
    """Answers that are refusals, or none at all."""
    waits: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Milliseconds of each call, by tool."""

    def after(self, warm: float) -> tuple[list[float], list[float]]:
        """The readings from `warm` seconds on."""
        kept = [(s, mb) for s, mb in zip(self.seconds, self.megabytes, strict=True) if s >= warm]
        return [s for s, _ in kept], [mb for _, mb in kept]

    def slope(self, warm: float) -> float:
        """MB a minute that the line through the readings from `warm` seconds on rises."""
        seconds, megabytes = self.after(warm)
        return float(np.polyfit(seconds, megabytes, 1)[0]) * 60 if len(seconds) > 1 else 0.0

    def at(self, moment: float) -> float:
        """The first reading from that second on."""
        return next((mb for s, mb in zip(self.seconds, self.megabytes, strict=True) if s >= moment), self.megabytes[-1])


class Client:
    """Speaks to one server over its standard streams, one call at a time."""

    def __init__(self, database: Path, *, model: Path | None, log: Path, options: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "mcp_memory", "--database", str(database), "--project", "soak", *options]
        command += ["--model", str(model)] if model else []
        self._log = log.open("wb")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)
        self._number = 0
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}
        self.request("initialize", client)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request. Raises EOFError where the server has gone."""
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        assert self._process.stdout
        while line := self._process.stdout.readline():
            answer = json.loads(line)
            if answer.get("id") == self._number:
                return answer
        raise EOFError("the server has gone")

    def call(self, tool: str, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], bool]:
        """A tool's text and data, and whether it was refused."""
        answer = self.request("tools/call", {"name": tool, "arguments": arguments})
        result = answer.get("result")
        if result is None:
            return str(answer["error"]), {}, True
        return result["content"][0]["text"], result.get("_meta", {}).get(f"mcp-memory/{tool}", {}), result["isError"]

    def close(self) -> int:
        """The exit code, once the input has ended."""
        assert self._process.stdin
        self._process.stdin.close()
        code = self._process.wait(60)
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()
        return code

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


class Caller:
    """Deals calls by a seed, on the ids that earlier answers gave."""

    def __init__(self, client: Client, *, seed: int) -> None:
        self._client = client
        self._chance = random.Random(seed)
        self._names = names(self._chance)
        self._ids: list[str] = []

    def call(self, run: Run) -> None:
        """One call of the mix, noted in `run`."""
        tool = self._chance.choices(list(CALLS), weights=list(CALLS.values()))[0]
        if tool in ("update", "forget") and not self._ids:
            tool = "remember"
        arguments = self._arguments(tool)
        start = time.perf_counter()
        text, data, refused = self._client.call(tool, arguments)
        run.waits.setdefault(tool, []).append((time.perf_counter() - start) * 1000)
        run.calls[tool] += 1
        if refused:
            run.errors.append(f"{tool}: {text[:200]}")
        if tool == "remember":
            self._ids = [*self._ids, *(item["id"] for item in data.get("items", ()) if item["status"] != "known")][
                -500:
            ]

    def _arguments(self, tool: str) -> dict[str, Any]:
        chance = self._chance
        match tool:
            case "recall":
                limits: dict[str, Any] = {"detail": "full"} if chance.random() < 0.2 else {}
                return {"query": statement(chance, self._names)} | limits if chance.random() < 0.95 else {}
            case "remember":
                count = chance.choice((1, 1, 1, 1, 3, 10))
                return {
                    "items": [statement(chance, self._names) for _ in range(count)],
                    "tags": [chance.choice(THINGS)],
                }
            case "update":
                return {"id": chance.choice(self._ids), "content": statement(chance, self._names)}
            case "forget":
                return {"ids": [self._taken()], "erase": chance.random() < 0.2}
            case "history":
                return {"id": chance.choice(self._ids)} if self._ids and chance.random() < 0.5 else {"limit": 50}
            case _:
                return {"topic": chance.choice(THINGS)}

    def _taken(self) -> str:
        return self._ids.pop(self._chance.randrange(len(self._ids)))


def names(chance: random.Random) -> list[str]:
    """Made-up names, each spelt once."""
    return ["".join(chance.choices(SYLLABLES, k=chance.choice((2, 3, 3, 4)))).capitalize() for _ in range(WORDS)]


def statement(chance: random.Random, named: Sequence[str]) -> str:
    """A statement about two of the names; the first of them come up more often, as words do."""
    one, other = (named[int(len(named) * chance.random() ** 2)] for _ in range(2))
    return (
        f"{one} {chance.choice(VERBS)} the {chance.choice(THINGS)} of {other} {chance.choice(PLACES)}, "
        f"number {chance.randint(1, 99_999)}."
    )


def made_up(encoder: Encoder, *, seed: int, count: int = SENTENCES) -> Base:
    """Statements and what the encoder makes of them."""
    chance = random.Random(seed)
    named = names(chance)
    told = [statement(chance, named) for _ in range(count)]
    alone = [PendingEmbedding(number, text, SourceId(str(number)), 0) for number, text in enumerate(told)]
    made = [measured for at in range(0, count, 64) for measured in embed(encoder, alone[at : at + 64])]
    return list(zip(told, made, strict=True))


def fill(database: Path, *, items: int, model: Path | None, seed: int) -> None:
    """Make a store of so many items."""
    encoder = load_encoder(model or bundled_model_directory())
    base = made_up(encoder, seed=seed, count=min(SENTENCES, max(items, 2)))
    store = SqliteStore(database, clock=lambda: int(time.time() * 1000))
    store.register_encoder(encoder.identity, encoder.dimensions)
    for _ in keep(store, base, encoder=encoder.identity, start=0, end=items):
        pass
    store.close()


def soak(
    database: Path,
    *,
    seed: int,
    model: Path | None,
    log: Path,
    duration: float = float("inf"),
    calls: int = sys.maxsize,
    options: Sequence[str] = (),
) -> Run:
    """Call a server on the store for so many seconds or so many times, whichever ends first."""
    client = Client(database, model=model, log=log, options=options)
    run, over = Run(), threading.Event()
    caller = Caller(client, seed=seed)
    client.call("recall", {"query": "warm up"})
    begun = time.monotonic()
    watching = threading.Thread(target=_watch, args=(client.pid, run, begun, over), daemon=True)
    watching.start()
    try:
        while run.calls.total() < calls and time.monotonic() - begun < duration:
            caller.call(run)
    except (EOFError, BrokenPipeError) as error:
        run.errors.append(f"after {time.monotonic() - begun:.0f} s: {error}")
    over.set()
    watching.join()
    if code := client.close():
        run.errors.append(f"the server ended with exit code {code}")
    return run


def _watch(pid: int, run: Run, begun: float, over: threading.Event) -> None:
    while not over.wait(min(1.0, 0.1 + time.monotonic() - begun)):
        held = resident(pid)
        if held is None:
            return
        run.seconds.append(time.monotonic() - begun)
        run.megabytes.append(held)


def resident(pid: int) -> float | None:
    """MB in the resident set of a process, with the files it maps; None where it has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return None


def table(run: Run, *, items: int, warm: float) -> str:
    """The figures as a Markdown table, and under it the milliseconds of each tool."""
    _, later = run.after(warm)
    lines = [
        f"| items | minutes | calls | errors | MB after {warm:.0f} s | MB at most | MB at the end | MB a minute after {warm:.0f} s |",
        "|---|---|---|---|---|---|---|---|",
        f"| {items:,} | {run.seconds[-1] / 60:.1f} | {run.calls.total():,} | {len(run.errors)} | {run.at(warm):.0f} "
        f"| {max(run.megabytes):.0f} | {statistics.fmean(later[-10:]):.0f} | {run.slope(warm):+.2f} |",
        "",
        "| tool | calls | ms, p50 / p95 | ms at most |",
        "|---|---|---|---|",
    ]
    for tool, waits in sorted(run.waits.items()):
        middle, most = quantiles(waits)
        lines.append(f"| {tool} | {len(waits):,} | {middle:.0f} / {most:.0f} | {max(waits):.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Fill, call, print; exit 1 where a call failed or the memory is above the goal or not flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=600, help="seconds of calls")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--store", type=Path, help="a store that was filled before, which is copied; or where to keep it"
    )
    parser.add_argument("--model", type=Path, help="a directory with an encoder.json")
    parser.add_argument("--csv", type=Path, help="put every reading of the resident set here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "memory.db"
        if not (options.store and options.store.exists()):
            fill(database, items=options.items, model=options.model, seed=options.seed)
            if options.store:
                shutil.copy(database, options.store)
        else:
            shutil.copy(options.store, database)
        log = Path(folder) / "app.log"
        run = soak(database, duration=options.duration, seed=options.seed, model=options.model, log=log)
        wrong = log.read_text("utf-8").splitlines()
    warm = min(60.0, options.duration / 10)
    if options.csv:
        rows = zip(run.seconds, run.megabytes, strict=True)
        options.csv.write_text("".join(f"{s:.1f},{mb:.1f}\n" for s, mb in rows), "utf-8")
    print(table(run, items=options.items, warm=warm))
    for line in [*run.errors[:10], *wrong[:10]]:
        print(line)
    sys.exit(bool(run.errors) or max(run.megabytes) > GOAL or run.slope(warm) > FLAT)


if __name__ == "__main__":
    main()
