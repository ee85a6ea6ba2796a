"""Many server processes on one file, one of them killed every second: is every acknowledged write there, once?

    uv run python -m bench.processes [--duration 60] [--seed 1] [--processes 8] [--items 2000]

Each server is driven over standard input and output by a client of its own, the first by the SDK's. They remember,
recall, update and forget at once, each other's memories too, and ask for what must be refused. The file begins in an
earlier schema, so the first of them migrates it. Meanwhile reindex, backup and compact run beside them in turn, with
stretches between in which nothing does, so that both are timed on the same machine in the same minute. Every call is
recorded, and the whole history is checked against a model (bench.histories); then the file is verified.
"""

import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.from_thread
import apsw
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench import harness
from bench.histories import Call, State, violations
from bench.olden import write_old_file
from bench.stdio import Answered, Gone, LineClient, arguments, environment, hashing_model
from mcp_memory.domain.ids import id_text
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.sqlite.database import migrations

SYLLABLES = ["ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "xu", "za"]
UPKEEP = ("backup", "compact", "reindex")
REST = 1.0
"""Seconds between two pieces of upkeep: about as long as one takes, for as many calls with as without."""
THINKING = 0.02
"""Seconds a client thinks at most between two calls."""


def sentence(chance: random.Random) -> str:
    """Words nobody else says: two of these are never taken for the same or for a change of each other."""
    return " ".join("".join(chance.choices(SYLLABLES, k=4)) for _ in range(7)) + "."


@dataclass
class Shared:
    """What the clients know of each other. Append and pop of a list are atomic."""

    duration: float
    least: int = 0
    """Calls and kills without which the time is not up."""
    known: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Memories that were acknowledged, with the last text that was."""
    gone: list[str] = field(default_factory=list[str])
    history: list[Call] = field(default_factory=list[Call])
    upkeep: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])
    failures: list[str] = field(default_factory=list[str])
    kills: int = 0
    started: int = 0
    ends: float = float("inf")

    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.ends and min(len(self.history), 10 * self.kills) >= self.least


Ask = Callable[[str, Mapping[str, Any]], Answered]


def drive(number: int, shared: Shared, chance: random.Random, ask: Ask, *, first: bool) -> None:
    """Make calls until the time is up. Raises Gone when the server is killed, which the history knows by then."""
    while not shared.over():
        verb, given, text, item = choose(shared, chance)
        start = time.monotonic()
        call = Call(number, verb, text, item, start, 0.0, "unknown", first=first)  # type: ignore[arg-type]
        try:
            answer = ask(verb, given)
        except Gone:
            shared.history.append(replace(call, end=time.monotonic()))
            raise
        call = replace(call, end=time.monotonic(), outcome="refused" if answer.refused else "ok", answer=answer.text)
        shared.history.append(read(call, answer, shared))
        shared.started += first
        first = False
        time.sleep(chance.random() * THINKING)


def choose(shared: Shared, chance: random.Random) -> tuple[str, dict[str, Any], str, str]:
    """The next call: its verb and arguments, and the text and the memory it is about."""
    kind = chance.random()
    if kind < 0.40 or not shared.known:
        text = sentence(chance)
        return "remember", {"content": text, "scope": "user"}, text, ""
    if kind < 0.44:
        text = sentence(chance)
        return "remember", {"content": text, "kind": "no such kind"}, text, ""
    if kind < 0.47 and shared.gone:
        text, item = sentence(chance), chance.choice(shared.gone)
        return "update", {"id": item, "content": text}, text, item
    item, text = chance.choice(shared.known[-40:])
    if kind < 0.75:
        return "recall", {"query": text, "limit": 5}, text, item
    if kind < 0.93:
        new = sentence(chance)
        return "update", {"id": item, "content": new}, new, item
    return "forget", {"ids": [item]}, text, item


def read(call: Call, answer: Answered, shared: Shared) -> Call:
    """The call with what it was told; what it made known is known to all clients from now on."""
    if call.outcome != "ok":
        return call
    match call.verb:
        case "remember":
            [made] = answer.data["items"]
            if made["status"] != "created":
                shared.failures.append(f"{call.text} was {made['status']}")
            call = replace(call, item=made["id"])
            shared.known.append((call.item, call.text))
        case "update":
            shared.known.append((call.item, call.text))
        case "forget":
            shared.gone.append(call.item)
        case "recall":
            call = replace(call, hits=tuple((hit["id"], hit["text"]) for hit in answer.data.get("hits", ())))
    return call


def drive_by_lines(
    number: int, shared: Shared, seed: int, path: Path, env: Mapping[str, str], clients: dict[int, LineClient]
) -> None:
    """A client that starts its server anew each time it is killed."""
    chance = random.Random(f"{seed}/{number}")
    while not shared.over():
        with suppress(Gone):
            clients[number] = client = LineClient(path, env)
            try:
                drive(number, shared, chance, client.call, first=True)
            finally:
                client.close()
    clients.pop(number, None)


def drive_by_sdk(number: int, shared: Shared, seed: int, path: Path, env: Mapping[str, str]) -> None:
    """The SDK's own client, which nobody kills."""
    parameters = StdioServerParameters(command=sys.executable, args=arguments(path), env=dict(env))

    async def run() -> None:
        async with Client(stdio_client(parameters)) as client:

            def ask(tool: str, given: Mapping[str, Any]) -> Answered:
                result = anyio.from_thread.run(client.call_tool, tool, dict(given))
                text = "\n".join(getattr(part, "text", "") for part in result.content)
                return Answered(text, (result.meta or {}).get(f"mcp-memory/{tool}", {}), bool(result.is_error))

            await anyio.to_thread.run_sync(
                lambda: drive(number, shared, random.Random(f"{seed}/{number}"), ask, first=True)
            )

    anyio.run(run)


def kill_now_and_then(shared: Shared, seed: int, clients: dict[int, LineClient], *, every: float) -> None:
    """SIGKILL to one server every second, whatever it does."""
    chance = random.Random(f"{seed}/kills")
    while not shared.over():
        time.sleep(every)
        with suppress(IndexError, KeyError):  # none is up
            clients.pop(chance.choice(sorted(clients))).kill()
            shared.kills += 1


def look_after(shared: Shared, path: Path, env: Mapping[str, str]) -> None:
    """Reindex, back up and compact in turn, as an operator would, with rests between."""
    turn = 0
    time.sleep(REST)
    while not shared.over():
        name = UPKEEP[turn % len(UPKEEP)]
        target = [str(path.with_name(f"backup-{turn}.db"))] if name == "backup" else []
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "mcp_memory", name, "--database", str(path), *target],
            env=dict(env),
            capture_output=True,
            text=True,
        )
        shared.upkeep.append((name, start, time.monotonic()))
        if done.returncode:
            shared.failures.append(f"{name} failed: {done.stderr.strip()[-300:]}")
        for file in target:
            Path(file).unlink(missing_ok=True)
        turn += 1
        time.sleep(REST)


def run(
    *, duration: float, seed: int, processes: int, items: int, directory: Path, every: float = 1.0, least: int = 0
) -> Shared:
    """The whole thing; what was recorded. It lasts until there were `least` calls, and a kill for each ten of them."""
    path, env = directory / "memory.db", environment(hashing_model(directory))
    write_old_file(
        path, [sentence(random.Random(f"{seed}/old/{n}")) for n in range(items)], schema=len(migrations()) - 1
    )
    shared = Shared(duration, least)
    clients: dict[int, LineClient] = {}
    threads = [threading.Thread(target=drive_by_sdk, args=(0, shared, seed, path, env))]
    threads += [
        threading.Thread(target=drive_by_lines, args=(number, shared, seed, path, env, clients))
        for number in range(1, processes)
    ]
    for thread in threads:
        thread.start()
    while shared.started < processes:  # the time begins when all have had their first answer
        time.sleep(0.05)
    shared.ends = time.monotonic() + duration
    threads.append(threading.Thread(target=kill_now_and_then, args=(shared, seed, clients), kwargs={"every": every}))
    threads.append(threading.Thread(target=look_after, args=(shared, path, env)))
    for thread in threads[-2:]:
        thread.start()
    for thread in threads:
        thread.join()
    return shared


def states_of(path: Path) -> list[State]:
    """Every state of every memory in the file."""
    connection = apsw.Connection(str(path))
    rows = connection.execute("SELECT item_id, number, text, status FROM revisions").fetchall()
    connection.close()
    return [State(id_text(item), number, text, status) for item, number, text, status in rows]


def check(shared: Shared, path: Path) -> list[str]:
    """Everything that is wrong; nothing where all that is promised held."""
    wrong = list(violations(shared.history, states_of(path))) + shared.failures
    with Memory.open(path, model=HashingEncoder()) as memory:
        wrong += [f"verify: {problem}" for problem in memory.file.verify()]
    return wrong


def stalls(shared: Shared) -> dict[str, list[float]]:
    """How long calls took, by the upkeep they ran beside; those that waited for their server to start apart."""
    taken: dict[str, list[float]] = defaultdict(list)
    for call in shared.history:
        if call.outcome == "unknown":
            continue
        beside = [name for name, start, end in shared.upkeep if call.start < end and call.end > start]
        for name in ["first call"] if call.first else beside or ["nothing"]:
            taken[name].append(call.end - call.start)
    return taken


def report(shared: Shared, wrong: Sequence[str], path: Path) -> None:
    """One table of survivors and one of stalls."""
    outcomes = Counter((call.verb, call.outcome) for call in shared.history)
    print(
        f"{len(shared.history)} calls in {shared.duration:.0f} s, {shared.kills} servers killed, {shared.started} started\n"
    )
    print(f"{'verb':<10}{'acknowledged':>14}{'refused':>10}{'unknown':>10}")
    for verb in ("remember", "update", "forget", "recall"):
        print(
            f"{verb:<10}"
            + "".join(
                f"{outcomes[verb, name]:>{width}}" for name, width in (("ok", 14), ("refused", 10), ("unknown", 10))
            )
        )
    print(f"\n{'beside':<12}{'runs':>6}{'calls':>8}{'median s':>10}{'p99 s':>8}{'longest s':>11}")
    for name, taken in sorted(stalls(shared).items()):
        ordered = sorted(taken)
        runs = sum(upkeep == name for upkeep, _, _ in shared.upkeep)
        print(
            f"{name:<12}{runs or '':>6}{len(ordered):>8}{ordered[len(ordered) // 2]:>10.3f}"
            f"{ordered[len(ordered) * 99 // 100]:>8.3f}{ordered[-1]:>11.3f}"
        )
    print(f"\n{path.stat().st_size:,} bytes; {len(wrong)} violations")
    for line in wrong[:20]:
        print(f"  {line}")


def main() -> None:
    parser = harness.options(__doc__)
    parser.set_defaults(duration=60.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--items", type=int, default=2000, help="in the file at the beginning")
    given = parser.parse_args()
    with TemporaryDirectory() as directory:
        shared = run(**vars(given), directory=Path(directory))
        path = Path(directory) / "memory.db"
        wrong = check(shared, path)
        report(shared, wrong, path)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
