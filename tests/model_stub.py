"""A stand-in for a model's API on loopback: it calls one tool, then ends the turn, and keeps all that it was sent."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

DONE = "Done."


@dataclass
class Asked:
    """What the model is to do in the next turn, and what it was sent."""

    tool: str = ""
    """The end of the name of the tool that it calls, whatever a client puts before it."""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    called: bool = False
    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])

    def turn(self, tool: str, **arguments: Any) -> None:
        """Call this tool in the next turn."""
        self.tool, self.arguments, self.called = tool, arguments, False
        self.requests.clear()

    def results(self) -> list[str]:
        """The texts of the tool's results as the model was given them, each once, in any of the APIs' forms."""
        found = [text for _, body in self.requests for text in _results(body)]
        return list(dict.fromkeys(found))

    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools that the model was offered, by name."""
        return {name: tool for _, body in self.requests for name, tool in _tools(body.get("tools", []))}

    def next(self, body: dict[str, Any]) -> str | None:
        """The full name of the tool to call now; None where the turn is to end."""
        names = [name for name, _ in _tools(body.get("tools", [])) if name.endswith(self.tool)]
        if self.called or not self.tool or not names:
            return None
        self.called = True
        return names[0]


def _tools(tools: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for tool in tools or []:
        for inner in (*tool.get("functionDeclarations", []), *(tool.get("tools") or [])):
            yield (f"{tool.get('name', '')}/{inner['name']}".lstrip("/")), inner
        function = tool.get("function", tool)
        if "name" in function and not tool.get("tools"):
            yield function["name"], function


def _results(body: dict[str, Any]) -> Iterator[str]:
    """Tool results in a request of Anthropic, of OpenAI's responses or chat, or of Gemini."""
    for message in body.get("messages", []):
        if message.get("role") == "tool":
            yield _text(message["content"])
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            if part.get("type") == "tool_result":
                yield _text(part["content"])
    for item in body.get("input", []) if isinstance(body.get("input"), list) else []:
        if item.get("type") in ("function_call_output", "custom_tool_call_output"):
            yield _text(item["output"])
    for content in body.get("contents", []):
        for part in content.get("parts", []):
            if "functionResponse" in part:
                yield _text(part["functionResponse"]["response"])


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(part.get("text", json.dumps(part)) for part in value)
    return _text(value["output"]) if isinstance(value, dict) and set(value) == {"output"} else json.dumps(value)


@contextmanager
def model_stub() -> Iterator[Asked]:
    """A stub that runs as long as the block."""
    asked = Asked()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"asked": asked}))
    asked.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in the form of the API whose path is asked for."""

    asked: Asked

    def do_GET(self) -> None:
        """A list of models, for whoever looks."""
        self.send("application/json", json.dumps({"data": [], "models": [], "object": "list"}))

    def do_POST(self) -> None:
        """The next step of the turn."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = self.path.partition("?")[0]
        if path.endswith("count_tokens"):
            self.send("application/json", '{"input_tokens": 1}')
            return
        if path.endswith(":countTokens"):
            self.send("application/json", '{"totalTokens": 1}')
            return
        self.asked.requests.append((path, body))
        name = self.asked.next(body)
        arguments = dict(self.asked.arguments)
        if path.endswith("/messages"):
            self.events(anthropic(name, arguments), named=True) if body.get("stream") else self.send(
                "application/json", json.dumps(anthropic_whole(name, arguments))
            )
        elif path.endswith("/responses"):
            self.events(responses(name, arguments), named=True)
        elif "enerateContent" in path:
            answer = gemini(name, arguments)
            self.events([answer]) if "stream" in path else self.send("application/json", json.dumps(answer))
        elif body.get("stream"):
            self.events(chat(name, arguments), end="data: [DONE]\n\n")
        else:
            self.send("application/json", json.dumps(chat_whole(name, arguments)))

    def events(self, events: list[dict[str, Any]], *, named: bool = False, end: str = "") -> None:
        """Send events as a stream."""
        lines = [(f"event: {e['type']}\n" if named else "") + f"data: {json.dumps(e)}\n\n" for e in events]
        self.send("text/event-stream", "".join(lines) + end)

    def send(self, kind: str, text: str) -> None:
        """Send a whole body."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def anthropic_whole(name: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """A message of Anthropic's API."""
    text = {"type": "text", "text": DONE}
    block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": arguments} if name else text
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "stub",
        "content": [block],
        "stop_reason": "tool_use" if name else "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def anthropic(name: str | None, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The same as events."""
    whole = anthropic_whole(name, arguments)
    [block] = whole["content"]
    start = block | ({"input": {}} if name else {"text": ""})
    delta = (
        {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        if name
        else {"type": "text_delta", "text": DONE}
    )
    return [
        {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"]}, "usage": whole["usage"]},
        {"type": "message_stop"},
    ]


def responses(name: str | None, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Events of OpenAI's responses API. A tool in a namespace is called by both names."""
    item: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": DONE, "annotations": []}],
    }
    if name:
        namespace, _, inner = name.rpartition("/")
        item = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": inner,
            "arguments": json.dumps(arguments),
            "status": "completed",
        } | ({"namespace": namespace} if namespace else {})
    usage = {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    }
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "stub", "status": "completed"}
    return [
        {"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response | {"output": [item], "usage": usage}},
    ]


def gemini(name: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """An answer of Gemini's API."""
    part = {"functionCall": {"id": "call_1", "name": name, "args": arguments}} if name else {"text": DONE}
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    }


def chat_whole(name: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """A completion of OpenAI's chat API."""
    message: dict[str, Any] = {"role": "assistant", "content": None if name else DONE}
    if name:
        call = {"name": name, "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"index": 0, "id": "call_1", "type": "function", "function": call}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if name else "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "stub", "choices": [choice], "usage": usage}


def chat(name: str | None, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The same as events."""
    whole = chat_whole(name, arguments)
    [choice] = whole["choices"]
    common = {**whole, "object": "chat.completion.chunk"}
    return [
        common | {"choices": [{"index": 0, "delta": choice["message"], "finish_reason": None}], "usage": None},
        common | {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
    ]
