"""How soon a server answers, and what it keeps in memory, beside a plain SDK server and other memory servers.

    uv run python -m bench.start [--runs 5] [--calls 1000] [--peer NAME=COMMAND ...] [--write docs/start.md]

Processes take turns, one at a time. Each run starts every server twice on an empty file: once for what is said below of
`remember`, and once more on the file that it left for `recall`. A peer is one of PEERS, and its command what starts it:

    npm install @modelcontextprotocol/server-memory
    uv venv peer && uv pip install --python peer/bin/python mcp-memory-service
    ... --peer server-memory=node_modules/.bin/mcp-server-memory --peer "mcp-memory-service=peer/bin/memory server"
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.report import made_by, placed

PLAIN = """
from mcp.server import MCPServer
server = MCPServer("plain", version="1")
kept = []
def remember(content: str) -> str:
    kept.append(content)
    return f"kept {len(kept)}"
def recall(query: str) -> str:
    return next((text for text in kept if query in text), "nothing")
for tool in (remember, recall):
    server.tool(structured_output=False)(tool)
for name in ("summarize", "update", "forget", "history", "undo"):
    server.tool(name=name, structured_output=False)(lambda text: text)
server.run()
"""
"""A server of the SDK that does as little as seven tools can."""
ENCODER = """
import time
began = time.perf_counter()
from mcp_memory.encoders import bundled_model_directory, load_encoder
load_encoder(bundled_model_directory()).encode_query("a")
print((time.perf_counter() - began) * 1000)
"""
OURS, SDK = "mcp-memory", "plain SDK server"
STILL = 1.0
"""Seconds without using the processor after which a server is idle."""
PATIENCE = 30.0
"""Seconds after which a server that goes on using the processor is taken as it is."""
HANDSHAKE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A server: how it is started, and how it is asked to remember and to recall a text."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    remember: str
    recall: str

    def calls(self, number: int) -> tuple[Call, Call]:
        """Remembering something, and recalling it."""
        text, query = f"Pump {number} runs at {number * 7} bar.", f"Pump {number}"
        if self.remember == "create_entities":
            kept = {"entities": [{"name": query, "entityType": "pump", "observations": [text]}]}
            return (self.remember, kept), (self.recall, {"query": query})
        return (self.remember, {"content": text}), (self.recall, {"query": query})


PEERS = {
    "server-memory": ("create_entities", "search_nodes", {"MEMORY_FILE_PATH": "{home}/peer.jsonl"}),
    "mcp-memory-service": (
        "memory_store",
        "memory_search",
        {
            "MCP_MEMORY_STORAGE_BACKEND": "sqlite_vec",
            "MCP_MEMORY_SQLITE_PATH": "{home}/peer.db",
            "MCP_MEMORY_BASE_DIR": "{home}",
            "HF_HUB_OFFLINE": "1",
        },
    ),
}
"""How other memory servers are asked, and what keeps their files in the run's own directory."""


class Client:
    """A client of a server process that has just been spawned."""

    def __init__(self, contender: Contender, home: str) -> None:
        named = {name: value.format(home=home) for name, value in contender.environment.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MCP_", "CLAUDE_"))}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [part.format(home=home) for part in contender.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept | named,
        )
        self.ask("initialize", HANDSHAKE)
        self.first_reply = self.milliseconds()
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def milliseconds(self) -> float:
        """Since the process was spawned."""
        return (time.perf_counter() - self.began) * 1000

    def ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of a request. Raises RuntimeError for an error, which a benchmark must not take for an answer."""
        self._send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "id" in answer:
                if "result" not in answer or answer["result"].get("isError"):
                    raise RuntimeError(line.decode())
                return answer["result"]
        raise RuntimeError(f"{self._process.args} ended")

    def call(self, call: Call) -> None:
        """Call a tool and wait for its answer."""
        self.ask("tools/call", {"name": call[0], "arguments": call[1]})

    def kill(self) -> None:
        """SIGKILL, and nothing else."""
        self._process.kill()
        self._process.wait()

    def idle(self) -> None:
        """Wait until the server does nothing more, or for PATIENCE where it always does something."""
        spent, until = -1.0, time.perf_counter() + PATIENCE
        while spent != (spent := self._processor_seconds()) and time.perf_counter() < until:
            time.sleep(STILL)

    def resident(self) -> float:
        """Megabytes of memory the process is resident with."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def end(self) -> None:
        """Close the connection and wait until the server has gone."""
        self._process.communicate()

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def times(contender: Contender) -> dict[str, float]:
    """Milliseconds from the spawn to the first reply, the first `remember` and, in another process, the first `recall`."""
    with TemporaryDirectory() as home:
        remember, recall = contender.calls(0)
        client = Client(contender, home)
        client.call(remember)
        first = {"first reply": client.first_reply, "first remember": client.milliseconds()}
        client.idle()  # what is kept for later, such as vectors, is made
        client.end()
        client = Client(contender, home)
        client.call(recall)
        first["first recall"] = client.milliseconds()
        client.end()
        return first


def memory(contender: Contender, calls: int) -> dict[str, float]:
    """Megabytes resident when the server is idle after the handshake, and after so many calls."""
    with TemporaryDirectory() as home:
        client = Client(contender, home)
        client.idle()
        found = {"MB idle": client.resident()}
        for number in range(calls // 2):
            for call in contender.calls(number):
                client.call(call)
        client.idle()
        found[f"MB after {calls:,} calls"] = client.resident()
        client.end()
        return found


def tokens(contender: Contender) -> float:
    """Tokens of all that tools/list says of the tools, taken as a quarter of the characters of its JSON."""
    with TemporaryDirectory() as home:
        client = Client(contender, home)
        tools = client.ask("tools/list", {})["tools"]
        client.end()
    return len(json.dumps(tools, ensure_ascii=False, separators=(",", ":"))) / 4


def encoder_milliseconds() -> float:
    """How long an idle process takes to import and load the encoder and to make a first vector."""
    return float(subprocess.run([sys.executable, "-c", ENCODER], capture_output=True, check=True).stdout)


def contenders(peers: Sequence[str]) -> list[Contender]:
    """This server, a plain one, and those that were named on the command line."""
    ours = str(Path(sys.executable).with_name("mcp-memory"))
    found = [
        Contender(OURS, (ours, "--database", "{home}/memory.db"), {}, "remember", "recall"),
        Contender(SDK, (sys.executable, "-c", PLAIN.replace("{", "{{").replace("}", "}}")), {}, "remember", "recall"),
    ]
    for peer in peers:
        name, _, command = peer.partition("=")
        remember, recall, environment = PEERS[name]
        found.append(Contender(name, shlex.split(command), environment, remember, recall))
    return found


def table(measured: Mapping[str, Mapping[str, float]], encoder: float) -> str:
    """The medians as a Markdown table, and what the goals say of them."""
    columns = list(next(iter(measured.values())))
    lines = ["| server | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(f"{values[column]:,.0f}" for column in columns) + " |"
        for name, values in measured.items()
    ]
    ours, plain = measured[OURS], measured[SDK]
    bound = plain["first reply"] + encoder
    return "\n".join(
        [
            *lines,
            "",
            f"First reply: {ours['first reply'] / plain['first reply']:.3f} of the plain SDK server's.",
            f"First recall: {ours['first recall']:,.0f} ms; the plain SDK server's first reply plus loading the encoder "
            f"({encoder:,.0f} ms) is {bound:,.0f} ms.",
        ]
    )


def measure(servers: Sequence[Contender], *, runs: int, calls: int) -> tuple[dict[str, dict[str, float]], float]:
    """The medians of each server, and of the encoder's load."""
    timed: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
    loads: list[float] = []
    for server in servers:
        times(server)  # so that nobody's first run reads files from the disk
    for number in range(runs):
        print(f"run {number + 1} of {runs}", file=sys.stderr, flush=True)
        loads.append(encoder_milliseconds())
        for server in servers:
            timed[server.name].append(times(server))
    found: dict[str, dict[str, float]] = {}
    for server in servers:
        rows = timed[server.name]
        medians = {f"{name}": statistics.median(row[name] for row in rows) for name in rows[0]}
        found[server.name] = medians | memory(server, calls) | {"tools/list, tokens": tokens(server)}
    return found, statistics.median(loads)


def main() -> None:
    """Start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page, between its marks")
    options = parser.parse_args()
    began = time.perf_counter()
    servers = contenders(options.peer)
    if missing := [server.name for server in servers if not Path(server.command[0]).exists()]:
        parser.error(f"what starts {missing[0]} is not there")
    servers = [
        replace(server, command=(str(Path(server.command[0]).absolute()), *server.command[1:])) for server in servers
    ]
    measured, encoder = measure(servers, runs=options.runs, calls=options.calls)
    figures = table(measured, encoder)
    print(figures)
    if options.write:
        peers = "".join(f" --peer {server.name}=COMMAND" for server in servers[2:])
        command = f"uv run python -m bench.start --runs {options.runs}{peers} --write docs/start.md"
        told = made_by(date.today(), (time.perf_counter() - began) / 60, command)
        page = options.write.read_text("utf-8")
        options.write.write_text(placed(f"{told}\n\n{figures}", page), "utf-8")


if __name__ == "__main__":
    main()
