"""A server process and a client that speaks the protocol to it, line by line: eight of them fit on two cores."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Gone(Exception):
    """The server ended before it answered: nobody knows what became of the request."""


@dataclass(frozen=True)
class Answered:
    """What a tool answered."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    refused: bool = False


def environment(model: Path) -> dict[str, str]:
    """This process's environment with no setting of ours but the encoder and how much is logged."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MCP_", "CLAUDE_", "PYTHONDONT"))}
    return kept | {"MCP_MEMORY_MODEL": str(model), "MCP_MEMORY_LOG_LEVEL": "ERROR"}


def hashing_model(directory: Path) -> Path:
    """The directory of an encoder that needs no model."""
    model = directory / "hashing"
    model.mkdir(exist_ok=True)
    (model / "encoder.json").write_text('{"runtime": "hashing"}', "utf-8")
    return model


def arguments(database: Path) -> list[str]:
    """The command line of a server."""
    return ["-m", "mcp_memory", "--database", str(database), "--project", "bench"]


class LineClient:
    """One server process, and what is said to it. A kill from another thread makes the call in hand raise Gone."""

    def __init__(self, database: Path, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(env),
        )
        self._next = 0
        self._lock = threading.Lock()
        client = {"name": "bench", "version": "1"}
        self._request("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, given: Mapping[str, Any]) -> Answered:
        """Call a tool. Raises Gone."""
        answer = self._request("tools/call", {"name": tool, "arguments": given})
        if "error" in answer:
            return Answered(str(answer["error"]), refused=True)
        result = answer["result"]
        text = "\n".join(part["text"] for part in result["content"])
        return Answered(text, result.get("_meta", {}).get(f"mcp-memory/{tool}", {}), bool(result.get("isError")))

    def kill(self) -> None:
        """SIGKILL, and nothing else."""
        self._process.kill()

    def close(self) -> None:
        """End it as a client does that goes away."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._next += 1
            self._send({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})
            assert self._process.stdout is not None
            while True:
                try:
                    line = self._process.stdout.readline()
                except (OSError, ValueError) as error:
                    raise Gone(method) from error
                if not line.endswith(b"\n"):
                    raise Gone(method)
                answer = json.loads(line)
                if answer.get("id") == self._next:
                    return answer

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise Gone("send") from error
