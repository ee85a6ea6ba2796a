"""Who calls: the client's name, the session that a call belongs to, and its project."""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlparse
from urllib.request import url2pathname

import anyio
from mcp import MCPError
from mcp import types as mcp_types
from mcp.server import ServerRequestContext

from mcp_memory.domain.model import Caller
from mcp_memory.domain.projects import project_of

log = logging.getLogger(__name__)

ROOTS_TIMEOUT = 2.0
"""Seconds a client has to name its roots before the server goes on without."""
MAX_CLIENT = 200
"""Characters of a client's name, which is kept with each operation."""
MAX_SESSIONS = 1_000
"""Sessions whose project is kept in mind; one that is forgotten is asked for its roots again."""
SESSION_HEADER = "mcp-session-id"
PROJECT_PARAMETER = "project"
"""What names a project in an address, `http://127.0.0.1:8765/mcp?project=NAME`: over HTTP one server has many."""

Context = ServerRequestContext[Any, Any]


@dataclass(slots=True)
class _Place:
    finding: anyio.Lock = field(default_factory=anyio.Lock)
    known: bool = False
    project: str | None = None


class Callers:
    def __init__(self, *, project: str | None, elsewhere: Callable[[], str | None]) -> None:
        """`project` is the configured one; `elsewhere` finds one for clients that report none."""
        self._session = secrets.token_hex(6)
        self._project = project
        self._elsewhere = elsewhere
        self._places: OrderedDict[str, _Place] = OrderedDict()

    async def caller(self, context: Context) -> Caller:
        """Identify the caller of a request.

        Over stdio a process is one session. Over HTTP a session is what its handshake opened; in the later protocol, which
        has no handshake, the calls that one client makes of one process are one session.
        """
        params = context.session.client_params
        client = f"{params.client_info.name} {params.client_info.version}" if params else "unknown"
        session = _http(context, "headers", SESSION_HEADER)
        return Caller(
            client=client.strip()[:MAX_CLIENT],
            session=session[:12] or self._session,
            project=_http(context, "query_params", PROJECT_PARAMETER)
            or self._project
            or await self._found(context, session),
        )

    async def _found(self, context: Context, session: str) -> str | None:
        place = self._places.setdefault(session, _Place())
        self._places.move_to_end(session)
        if len(self._places) > MAX_SESSIONS:
            self._places.popitem(last=False)
        async with place.finding:
            if not place.known:
                place.project = await _project_of_roots(context) or self._elsewhere()
                place.known = True
        return place.project


def _http(context: Context, part: str, name: str) -> str:
    """Return a header or query parameter of the request; empty where there is none, and over stdio."""
    request: object = context.request
    return cast(str, getattr(request, part).get(name, "")) if request is not None else ""


async def _project_of_roots(context: Context) -> str | None:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.roots is None or not context.session.can_send_request:
        return None
    with anyio.move_on_after(ROOTS_TIMEOUT):
        try:
            found = await context.session.send_request(mcp_types.ListRootsRequest(), mcp_types.ListRootsResult)
        except MCPError as error:
            log.info("the client did not name its roots: %s", error)
            return None
        for root in found.roots:
            address = urlparse(str(root.uri))
            if address.scheme == "file" and (project := project_of(url2pathname(address.path))):
                return project
    return None
