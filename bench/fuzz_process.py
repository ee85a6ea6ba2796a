"""Raw lines to a server process: none is left without its answer for long, and the next request is always served."""

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Protocol

from bench.fuzz_targets import line_of

LINES = 100
"""Lines between two requests that must be answered."""
PATIENCE = 60.0
"""Seconds that the answer to a request is waited for, on a busy machine."""
SPENT = 1.0
"""Seconds of the server's processor time that LINES lines may take a line, on average the bound of one input."""


class Tallied(Protocol):
    """What is counted (bench.fuzz.Tally)."""

    inputs: int
    refused: int
    slowest: float
    failures: list[str]


def speak_junk(tally: Tallied, *, inputs: int, seed: int) -> None:
    """Send so many lines to a server, a request after each LINES of them, and note where one is not answered."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "encoder.json").write_text('{"runtime": "hashing"}', "utf-8")
        command = [sys.executable, "-m", "mcp_memory", "--database", f"{folder}/memory.db", "--model", folder]
        with open(f"{folder}/log", "wb") as log:
            server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        answers: Queue[Any] = Queue()
        threading.Thread(target=_read, args=(server, answers), daemon=True).start()
        _speak(server, answers, tally, inputs=inputs, seed=seed)
        assert server.stdin
        server.stdin.close()
        if server.wait(PATIENCE):
            tally.failures.append(f"the server ended with exit code {server.returncode}")
        if "Traceback" in (log := (Path(folder) / "log").read_text("utf-8", "replace")):
            tally.failures.append(log[-3_000:])


def _speak(server: "subprocess.Popen[bytes]", answers: "Queue[Any]", tally: Tallied, *, inputs: int, seed: int) -> None:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
    _request(server, answers, "first", "initialize", client)
    _send(server, b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    for first in range(0, inputs, LINES):
        before = _processor_time(server.pid)
        for number in range(first, min(first + LINES, inputs)):
            line = line_of(random.Random(f"{seed}/{number}")).replace(b"\n", b" ")
            _send(server, line + (b"\r\n" if number % 7 == 0 else b"\n"))
            tally.inputs += 1
        answer = _request(server, answers, f"n{first}", "tools/call", {"name": "recall", "arguments": {"query": "x"}})
        if answer is None or "result" not in answer:
            tally.failures.append(f"lines {first} to {first + LINES} of seed {seed}: {answer}")
            return
        spent = (_processor_time(server.pid) - before) / LINES
        tally.slowest = max(tally.slowest, spent)
        if spent > SPENT:
            tally.failures.append(f"lines {first} to {first + LINES} of seed {seed} took {spent:.1f} s each")
        tally.refused += sum("error" in found for found in _drained(answers))


def _request(
    server: "subprocess.Popen[bytes]", answers: "Queue[Any]", identifier: str, method: str, params: Any
) -> dict[str, Any] | None:
    """The answer, None where there is none in time; other answers are put back."""
    message = {"jsonrpc": "2.0", "id": f"fuzz {identifier}", "method": method, "params": params}
    _send(server, json.dumps(message).encode() + b"\n")
    others: list[Any] = []
    until = time.monotonic() + PATIENCE
    try:
        while (left := until - time.monotonic()) > 0:
            answer = answers.get(timeout=left)
            if isinstance(answer, dict) and answer.get("id") == message["id"]:
                return answer
            others.append(answer)
    except Empty:
        pass
    finally:
        for other in others:
            answers.put(other)
    return None


def _send(server: "subprocess.Popen[bytes]", line: bytes) -> None:
    assert server.stdin
    server.stdin.write(line)
    server.stdin.flush()


def _read(server: "subprocess.Popen[bytes]", answers: "Queue[Any]") -> None:
    assert server.stdout
    for line in server.stdout:
        answers.put(json.loads(line))


def _drained(answers: "Queue[Any]") -> list[Any]:
    found: list[Any] = []
    while not answers.empty():
        found.append(answers.get())
    return found


def _processor_time(pid: int) -> float:
    """Seconds, of all threads; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0
