"""The MCP server: tools, resources and prompts over a Memory that comes up behind the handshake."""

import json
import logging
import os
import signal
import threading
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any, cast

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import MCPError
from mcp import types as mcp_types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from mcp_memory import prompts, resources
from mcp_memory.callers import Callers
from mcp_memory.domain import Caller
from mcp_memory.errors import InvalidInput, MemoryProblem, NotFound, Unusable
from mcp_memory.memory import Memory
from mcp_memory.projects import project_here
from mcp_memory.tools import INSTRUCTIONS, TOOLS, Answer, Tool, tool_named

log = logging.getLogger(__name__)

MAX_RESULT_CHARACTERS = 100_000
"""How much of a result Claude Code may keep in the conversation before it writes it to a file."""
MAX_PROBLEM_CHARACTERS = 1_000
"""How much of a refusal is said; more is what the caller sent, said back."""
LAST_ANSWERS = 10.0
"""Seconds that requests have to be answered in after the input has ended."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""How most clients end a server; without this the thread that reads the input would hold the process back."""

Context = ServerRequestContext[Any, Any]
Message = SessionMessage | Exception
"""What comes from the wire: a message, or why a line is none."""


class MemoryHost:
    """Opens the memory in a thread, and again at the next call where that failed. Thread-safe."""

    def __init__(self, open_memory: Callable[[], Memory]) -> None:
        self._open = open_memory
        self._memory: Memory | None = None
        self._closed = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to open, so that the first call finds it done."""
        threading.Thread(target=self._try, name="open-memory", daemon=True).start()

    def memory(self) -> Memory:
        """The memory. Raises what is wrong with the file, a later call tries again; Unusable once it is closed."""
        with self._lock:
            if self._closed:
                raise Unusable("The server is about to end.")
            if self._memory is None:
                self._memory = self._open()
            return self._memory

    def close(self) -> None:
        """Close it where it is open, and open it no more."""
        with self._lock:
            self._closed = True
            if self._memory is not None:
                self._memory.close()

    def _try(self) -> None:
        try:
            self.memory()
        except MemoryProblem as problem:
            log.error("%s", problem)
        except Exception:  # the thread's entry point: the next call tries again, and answers
            log.exception("the memory could not be opened")


class Faces:
    """What the server answers. One for each process."""

    def __init__(self, host: MemoryHost, callers: Callers) -> None:
        self._host = host
        self._callers = callers
        self._changing = anyio.Lock()

    async def list_tools(self, _: Context, __: mcp_types.PaginatedRequestParams | None) -> mcp_types.ListToolsResult:
        return mcp_types.ListToolsResult(
            tools=[
                mcp_types.Tool(
                    name=tool.name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=tool.input_schema,
                    annotations=mcp_types.ToolAnnotations(
                        title=tool.title,
                        read_only_hint=tool.read_only,
                        destructive_hint=tool.destructive,
                        idempotent_hint=tool.idempotent,
                        open_world_hint=False,
                    ),
                    _meta={"anthropic/maxResultSizeChars": MAX_RESULT_CHARACTERS},
                )
                for tool in TOOLS
            ]
        )

    async def call_tool(self, context: Context, params: mcp_types.CallToolRequestParams) -> mcp_types.CallToolResult:
        try:
            tool = tool_named(params.name)
        except InvalidInput as problem:
            raise MCPError(mcp_types.INVALID_PARAMS, str(problem)) from problem
        caller = await self._callers.caller(context)
        try:
            answer = await self._in_turn(context, tool, params.arguments or {}, caller)
        except MemoryProblem as problem:
            return _problem(problem)
        except Exception:  # the entry point of a call: the server goes on serving
            log.exception("%s failed", tool.name)
            return _problem(MemoryProblem(f"{tool.name} failed inside the server; the server's log says why."))
        return mcp_types.CallToolResult(
            content=[mcp_types.TextContent(type="text", text=answer.text)],
            _meta={f"mcp-memory/{tool.name}": dict(answer.data)},
        )

    async def _in_turn(self, context: Context, tool: Tool, arguments: Mapping[str, Any], caller: Caller) -> Answer:
        """Carry a tool out when the changes that were asked for before it are done, so that it sees them."""
        async with self._changing:
            if not tool.read_only:
                return await self._in_thread(context, tool, arguments, caller)
        return await self._in_thread(context, tool, arguments, caller)

    async def _in_thread(self, context: Context, tool: Tool, arguments: Mapping[str, Any], caller: Caller) -> Answer:
        """Carry a tool out in a worker thread.

        A call that is cancelled ends there at its next report of progress, with nothing kept, or is carried out whole.
        """

        def progress(done: int, total: int) -> None:
            anyio.from_thread.run(context.session.report_progress, done, total)

        def run() -> Answer:
            return tool.call(self._host.memory(), arguments, caller=caller, progress=progress)

        return await anyio.to_thread.run_sync(run)

    async def list_resources(
        self, _: Context, __: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListResourcesResult:
        return mcp_types.ListResourcesResult(
            resources=[
                mcp_types.Resource(
                    uri=found.uri,
                    name=found.name,
                    title=found.title,
                    description=found.description,
                    mime_type="text/plain",
                )
                for found in resources.RESOURCES
            ]
        )

    async def list_resource_templates(
        self, _: Context, __: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListResourceTemplatesResult:
        return mcp_types.ListResourceTemplatesResult(
            resource_templates=[
                mcp_types.ResourceTemplate(
                    uri_template=found.uri,
                    name=found.name,
                    title=found.title,
                    description=found.description,
                    mime_type="text/plain",
                )
                for found in resources.TEMPLATES
            ]
        )

    async def read_resource(
        self, context: Context, params: mcp_types.ReadResourceRequestParams
    ) -> mcp_types.ReadResourceResult:
        caller = await self._callers.caller(context)
        uri = str(params.uri)
        try:
            text = await anyio.to_thread.run_sync(lambda: resources.read(self._host.memory(), uri, caller=caller))
        except (NotFound, InvalidInput) as problem:
            raise MCPError(mcp_types.INVALID_PARAMS, str(problem), {"uri": uri}) from problem
        except MemoryProblem as problem:
            raise MCPError(mcp_types.INTERNAL_ERROR, str(problem), {"uri": uri}) from problem
        contents = mcp_types.TextResourceContents(uri=params.uri, mime_type="text/plain", text=text)
        return mcp_types.ReadResourceResult(contents=[contents])

    async def list_prompts(
        self, _: Context, __: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListPromptsResult:
        return mcp_types.ListPromptsResult(
            prompts=[
                mcp_types.Prompt(
                    name=prompt.name,
                    title=prompt.title,
                    description=prompt.description,
                    arguments=[
                        mcp_types.PromptArgument(name=name, description=text, required=False)
                        for name, text in prompt.arguments.items()
                    ],
                )
                for prompt in prompts.PROMPTS
            ]
        )

    async def get_prompt(self, context: Context, params: mcp_types.GetPromptRequestParams) -> mcp_types.GetPromptResult:
        caller = await self._callers.caller(context)
        try:
            text = await anyio.to_thread.run_sync(
                lambda: prompts.compose_prompt(params.name, params.arguments or {}, self._host.memory, caller=caller)
            )
        except InvalidInput as problem:
            raise MCPError(mcp_types.INVALID_PARAMS, str(problem)) from problem
        except MemoryProblem as problem:
            raise MCPError(mcp_types.INTERNAL_ERROR, str(problem)) from problem
        message = mcp_types.PromptMessage(role="user", content=mcp_types.TextContent(type="text", text=text))
        return mcp_types.GetPromptResult(messages=[message])


def make_server(
    host: MemoryHost, *, project: str | None, elsewhere: Callable[[], str | None] = project_here
) -> Server[Any]:
    """An MCP server over the memory that `host` opens; it speaks both protocol eras.

    `project` is the one that was named; `elsewhere` finds one where the client has told of none.
    """
    faces = Faces(host, Callers(project=project, elsewhere=elsewhere))
    return Server(
        "mcp-memory",
        title="Memory",
        version=version("mcp-memory"),
        instructions=INSTRUCTIONS,
        on_list_tools=faces.list_tools,
        on_call_tool=faces.call_tool,
        on_list_resources=faces.list_resources,
        on_list_resource_templates=faces.list_resource_templates,
        on_read_resource=faces.read_resource,
        on_list_prompts=faces.list_prompts,
        on_get_prompt=faces.get_prompt,
        on_subscriptions_listen=ListenHandler(InMemorySubscriptionBus()),
    )


class Wire:
    """Stands between the standard streams and the server.

    It answers the lines that are no messages, which the SDK passes over in silence so that the client waits for ever,
    and when the input has ended it lets what was asked be answered, so that requests may be piped in.
    """

    def __init__(self) -> None:
        self._asked: set[mcp_types.RequestId] = set()
        self._answered = anyio.Event()

    async def carry_in(
        self,
        lines: AsyncIterable[Message],
        to_server: MemoryObjectSendStream[Message],
        to_client: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        """Pass messages on to the server until the input ends and all is answered."""
        async with to_server, to_client:
            async for message in lines:
                if isinstance(message, Exception):
                    if refusal := refusal_of(message):
                        await to_client.send(SessionMessage(refusal))
                    continue
                self._note_asked(message)
                await to_server.send(message)
            with anyio.move_on_after(LAST_ANSWERS):
                while self._asked:
                    self._answered = anyio.Event()
                    await self._answered.wait()

    async def carry_out(
        self, from_server: MemoryObjectReceiveStream[SessionMessage], send: Callable[[SessionMessage], Any]
    ) -> None:
        """Pass the server's messages on to the client."""
        async with from_server:
            async for message in from_server:
                await send(message)
                self._note_answered(message)

    def _note_asked(self, message: SessionMessage) -> None:
        match message.message:
            case mcp_types.JSONRPCRequest(method="subscriptions/listen"):
                pass  # answered as long as the connection lasts
            case mcp_types.JSONRPCRequest(id=identifier):
                self._asked.add(identifier)
            case mcp_types.JSONRPCNotification(method="notifications/cancelled", params={"requestId": identifier}):
                self._asked.discard(identifier)
            case _:
                pass

    def _note_answered(self, message: SessionMessage) -> None:
        match message.message:
            case mcp_types.JSONRPCResponse(id=identifier) | mcp_types.JSONRPCError(id=identifier) if (
                identifier is not None
            ):
                self._asked.discard(identifier)
                self._answered.set()
            case _:
                pass


def refusal_of(error: Exception) -> mcp_types.JSONRPCError | None:
    """What to answer to a line that is no message: an error with the id the line gives, where one can be read.

    None for an empty line, and for a response, to which nobody answers.
    """
    if not isinstance(error, ValidationError):
        return None
    found = error.errors(include_url=False, include_context=False)
    line: object = found[0]["input"]
    if isinstance(line, str) and not line.strip():
        return None
    if found[0]["type"] == "json_invalid":
        code, reason = mcp_types.PARSE_ERROR, f"This line is not the JSON of a message: {found[0]['msg']}."
        fields = _fields(_json_of(str(line)))
        if fields:  # Python reads what JSON between programs may not hold
            reason += " Half of a surrogate pair (\\ud800 to \\udfff alone) is no character; send the text without it."
    else:
        code, reason = mcp_types.INVALID_REQUEST, "This line is JSON, but no JSON-RPC 2.0 request or notification."
        fields = next(filter(None, (_fields(entry["input"]) for entry in found)), _fields(None))
    if "result" in fields or "error" in fields:
        return None
    identifier = fields.get("id")
    if not isinstance(identifier, str | int) or isinstance(identifier, bool):
        identifier = None
    return mcp_types.JSONRPCError(
        jsonrpc="2.0", id=identifier, error=mcp_types.ErrorData(code=code, message=f"{reason} Nothing was done.")
    )


def serve_stdio(open_memory: Callable[[], Memory], *, project: str | None) -> None:
    """Serve one client over standard input and output until it goes, or says so with SIGINT or SIGTERM."""
    host = MemoryHost(open_memory)

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
        try:
            host.close()
        finally:
            os._exit(0)  # the thread that reads standard input cannot be interrupted

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    try:
        anyio.run(_serve_stdio, host, project)
    except* BrokenPipeError:
        log.info("the client has gone without reading its answers")
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        host.close()


async def _serve_stdio(host: MemoryHost, project: str | None) -> None:
    server = make_server(host, project=project)
    wire = Wire()
    async with AsyncExitStack() as stack:
        lines, writing = await stack.enter_async_context(stdio_server())
        await stack.enter_async_context(writing)
        host.start()
        to_server, from_client = anyio.create_memory_object_stream[Message]()
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage]()
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(wire.carry_in, lines, to_server, to_client.clone())
        tasks.start_soon(wire.carry_out, from_server, writing.send)
        await server.run(from_client, to_client, server.create_initialization_options())


def _json_of(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _fields(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}


def _problem(problem: MemoryProblem) -> mcp_types.CallToolResult:
    text, half = str(problem), MAX_PROBLEM_CHARACTERS // 2
    if len(text) > MAX_PROBLEM_CHARACTERS:
        text = f"{text[:half]} … {text[-half:]}"
    return mcp_types.CallToolResult(
        content=[mcp_types.TextContent(type="text", text=text)],
        is_error=True,
        _meta={"mcp-memory/error": {"code": problem.code}},
    )
