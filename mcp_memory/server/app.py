"""The MCP server: tools, resources and prompts over a Memory that comes up behind the handshake."""

import io
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from mcp import MCPError
from mcp import types as mcp_types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.message import SessionMessage

from mcp_memory import __version__
from mcp_memory.domain.logs import log_fault
from mcp_memory.domain.model import Caller
from mcp_memory.domain.projects import project_here
from mcp_memory.errors import InvalidInput, MemoryProblem, NotFound
from mcp_memory.privacy.sanitizing import neutralise, shown
from mcp_memory.server import prompts, resources
from mcp_memory.server.callers import Callers
from mcp_memory.server.memory_host import MemoryHost
from mcp_memory.server.stdio.early_responder import EarlyResponder
from mcp_memory.server.stdio.transport import Message, StdioTransport, receive
from mcp_memory.server.tools import INSTRUCTIONS, TOOLS, Answer, Tool, tool_named

log = logging.getLogger(__name__)

MAX_RESULT_CHARACTERS = 100_000
"""How much of a result Claude Code may keep in the conversation before it writes it to a file."""
MAX_PROBLEM_CHARACTERS = 1_000
"""How much of a refusal is said; more is what the caller sent, said back."""

Context = ServerRequestContext[Any, Any]
Page = mcp_types.PaginatedRequestParams | None


class Handlers:
    def __init__(self, host: MemoryHost, callers: Callers) -> None:
        self._host = host
        self._callers = callers
        self._changing = anyio.Lock()

    async def list_tools(self, _: Context, __: Page) -> mcp_types.ListToolsResult:
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
            raise MCPError(mcp_types.INVALID_PARAMS, neutralise(str(problem))) from problem
        caller = await self._callers.caller(context)
        try:
            answer = await self._in_turn(context, tool, params.arguments or {}, caller)
        except MemoryProblem as problem:
            return _problem(problem)
        except Exception as error:  # the entry point of a call: the server goes on serving
            log_fault(log, f"{tool.name} failed", error)
            return _problem(MemoryProblem(f"{tool.name} failed inside the server; the server's log says why."))
        return mcp_types.CallToolResult(
            content=[mcp_types.TextContent(type="text", text=answer.text)],
            _meta={f"mcp-memory/{tool.name}": shown(dict(answer.data))},
        )

    async def _in_turn(self, context: Context, tool: Tool, arguments: Mapping[str, Any], caller: Caller) -> Answer:
        """Run a tool once the earlier changes are done, so that it sees them."""
        async with self._changing:
            if not tool.read_only:
                return await self._in_thread(context, tool, arguments, caller)
        return await self._in_thread(context, tool, arguments, caller)

    async def _in_thread(self, context: Context, tool: Tool, arguments: Mapping[str, Any], caller: Caller) -> Answer:
        """Run a tool in a worker thread.

        A cancelled call ends at its next report of progress with nothing stored, or is carried out whole.
        """

        def progress(done: int, total: int) -> None:
            anyio.from_thread.run(context.session.report_progress, done, total)

        def run() -> Answer:
            return self._host.ask(lambda memory: tool.call(memory, arguments, caller=caller, progress=progress))

        return await anyio.to_thread.run_sync(run)

    async def list_resources(self, _: Context, __: Page) -> mcp_types.ListResourcesResult:
        listed = [mcp_types.Resource(**asdict(found), mime_type="text/plain") for found in resources.RESOURCES]
        return mcp_types.ListResourcesResult(resources=listed)

    async def list_resource_templates(self, _: Context, __: Page) -> mcp_types.ListResourceTemplatesResult:
        described = [asdict(found) for found in resources.TEMPLATES]
        listed = [
            mcp_types.ResourceTemplate(uri_template=fields.pop("uri"), **fields, mime_type="text/plain")
            for fields in described
        ]
        return mcp_types.ListResourceTemplatesResult(resource_templates=listed)

    async def read_resource(
        self, context: Context, params: mcp_types.ReadResourceRequestParams
    ) -> mcp_types.ReadResourceResult:
        caller = await self._callers.caller(context)
        uri = str(params.uri)
        text = await _text_of(
            lambda: self._host.ask(lambda memory: resources.read(memory, uri, caller=caller)), {"uri": uri}
        )
        contents = mcp_types.TextResourceContents(uri=params.uri, mime_type="text/plain", text=text)
        return mcp_types.ReadResourceResult(contents=[contents])

    async def list_prompts(self, _: Context, __: Page) -> mcp_types.ListPromptsResult:
        listed = [
            mcp_types.Prompt(name=one.name, title=one.title, description=one.description, arguments=_arguments(one))
            for one in prompts.PROMPTS
        ]
        return mcp_types.ListPromptsResult(prompts=listed)

    async def get_prompt(self, context: Context, params: mcp_types.GetPromptRequestParams) -> mcp_types.GetPromptResult:
        caller = await self._callers.caller(context)
        text = await _text_of(
            lambda: prompts.compose_prompt(params.name, params.arguments or {}, self._host.memory, caller=caller)
        )
        message = mcp_types.PromptMessage(role="user", content=mcp_types.TextContent(type="text", text=text))
        return mcp_types.GetPromptResult(messages=[message])


def make_server(
    host: MemoryHost, *, project: str | None, elsewhere: Callable[[], str | None] = project_here
) -> Server[Any]:
    """Build an MCP server over the memory that `host` opens; it speaks both protocol eras.

    `project` is the configured one; `elsewhere` finds one for clients that report none.
    """
    faces = Handlers(host, Callers(project=project, elsewhere=elsewhere))
    return Server(
        "mcp-memory",
        title="Memory",
        version=__version__,
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


def serve_stdio(host: MemoryHost, front: EarlyResponder, *, project: str | None) -> None:
    """Take over from the early responder, and serve until the client goes."""
    try:
        anyio.run(_serve_stdio, host, front, project)
    except* BrokenPipeError:
        log.info("the client has gone without reading its answers")


async def _serve_stdio(host: MemoryHost, front: EarlyResponder, project: str | None) -> None:
    server = make_server(host, project=project)
    wire = StdioTransport(front.answered)
    async with AsyncExitStack() as stack:
        # Standard input is read by the front: the SDK would hold a line of any length.
        _, writing = await stack.enter_async_context(stdio_server(stdin=anyio.wrap_file(io.StringIO())))
        await stack.enter_async_context(writing)
        to_server, from_client = anyio.create_memory_object_stream[Message]()
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage]()
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(wire.carry_in, receive(front), to_server, to_client.clone())
        tasks.start_soon(wire.carry_out, from_server, writing.send)
        await server.run(from_client, to_client, server.create_initialization_options())


async def _text_of(read: Callable[[], str], data: Mapping[str, str] | None = None) -> str:
    """Read a text in a worker thread. Raises MCPError with the `data` for what can't be read."""
    try:
        return await anyio.to_thread.run_sync(read)
    except MemoryProblem as problem:
        code = mcp_types.INVALID_PARAMS if isinstance(problem, NotFound | InvalidInput) else mcp_types.INTERNAL_ERROR
        raise MCPError(code, neutralise(str(problem)), data) from problem


def _arguments(prompt: prompts.Prompt) -> list[mcp_types.PromptArgument]:
    described = prompt.arguments.items()
    return [mcp_types.PromptArgument(name=name, description=text, required=False) for name, text in described]


def _problem(problem: MemoryProblem) -> mcp_types.CallToolResult:
    text, half = neutralise(str(problem)), MAX_PROBLEM_CHARACTERS // 2
    if len(text) > MAX_PROBLEM_CHARACTERS:
        text = f"{text[:half]} … {text[-half:]}"
    return mcp_types.CallToolResult(
        content=[mcp_types.TextContent(type="text", text=text)],
        is_error=True,
        _meta={"mcp-memory/error": {"code": problem.code}},
    )
