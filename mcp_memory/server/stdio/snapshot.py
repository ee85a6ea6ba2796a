"""Record what the server answers to a client's first requests.

    uv run python -m mcp_memory.server.stdio.snapshot

writes snapshot.json; run it when a tool, prompt, resource, the instructions, the version or the SDK change.
"""

import json
from typing import Any

import anyio
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from mcp_memory import __version__
from mcp_memory.errors import Unusable
from mcp_memory.server.app import make_server
from mcp_memory.server.memory_host import MemoryHost
from mcp_memory.server.stdio.early_responder import SNAPSHOT
from mcp_memory.server.stdio.handshake import CAPABILITIES, PROTOCOL

METHODS = ("server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list", "ping")
CLIENT = {"name": "snapshot", "version": "0"}


def snapshot() -> str:
    """Return the snapshot of this code with this SDK, as JSON."""
    answers = {method: _gathered(method) for method in ("initialize", *METHODS)}
    return json.dumps({"release": __version__, "answers": answers}, ensure_ascii=False, indent=1) + "\n"


def answers_of(*messages: dict[str, Any]) -> list[str]:
    """Return the server's answers to messages as lines of standard output, in the order it sends them."""
    return anyio.run(_answers_of, messages)


def opening(version: str) -> list[dict[str, Any]]:
    """Return the opening messages of a client in the era of a protocol version."""
    if version in MODERN_PROTOCOL_VERSIONS:
        return []
    params: dict[str, Any] = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    return [{"jsonrpc": "2.0", "id": "opening", "method": "initialize", "params": params}]


def request(method: str, version: str) -> dict[str, Any]:
    if version not in MODERN_PROTOCOL_VERSIONS:
        return {"jsonrpc": "2.0", "id": method, "method": method}
    params: dict[str, Any] = {"_meta": {PROTOCOL: version, CAPABILITIES: {}}}
    return {"jsonrpc": "2.0", "id": method, "method": method, "params": params}


def _gathered(method: str) -> list[dict[str, Any]]:
    """Collect the distinct results of a method with their versions; none where it is an error."""
    found: list[dict[str, Any]] = []
    for version in KNOWN_PROTOCOL_VERSIONS:
        result = _result(method, version)
        same = next((answer for answer in found if answer["result"] == result), None)
        if same:
            same["versions"].append(version)
        elif result is not None:
            found.append({"versions": [version], "result": result})
    return found


def _result(method: str, version: str) -> dict[str, Any] | None:
    if method == "initialize":
        params: dict[str, Any] = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
        messages = [{"jsonrpc": "2.0", "id": method, "method": method, "params": params}]
    else:
        messages = [*opening(version), request(method, version)]
    answers = [json.loads(line) for line in answers_of(*messages)]
    return next(answer.get("result") for answer in answers if answer["id"] == method)


async def _answers_of(messages: tuple[dict[str, Any], ...]) -> list[str]:
    def no_memory() -> Any:
        raise Unusable("A handshake needs no memory.")

    server = make_server(MemoryHost(no_memory), project=None)
    lines: list[str] = []
    async with create_client_server_memory_streams() as (client, streams), anyio.create_task_group() as tasks:
        tasks.start_soon(server.run, *streams, server.create_initialization_options())
        for message in messages:
            await client[1].send(SessionMessage(jsonrpc_message_adapter.validate_python(message, by_name=False)))
            answer = await client[0].receive()
            if isinstance(answer, Exception):
                raise answer
            lines.append(answer.message.model_dump_json(by_alias=True, exclude_unset=True))
        await client[1].aclose()
    return lines


if __name__ == "__main__":
    with open(SNAPSHOT, "w", encoding="utf-8", newline="\n") as file:
        file.write(snapshot())
