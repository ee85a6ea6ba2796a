"""Streamable HTTP on a loopback address, for requests that carry the token."""

import hmac
import ipaddress
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from mcp.server import Server
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.types import ASGIApp

from mcp_memory.errors import InvalidInput, Unusable
from mcp_memory.memory import Memory
from mcp_memory.server.app import make_server
from mcp_memory.server.memory_host import MemoryHost

log = logging.getLogger(__name__)

PATH = "/mcp"
DEFAULT_HOST = "127.0.0.1"
MAX_BODY = 64_000_000
"""Bytes of a request: the largest document with every character escaped, as a line of standard input may have."""
MAX_CONNECTIONS = 200
"""Connections at once, each of which may hold a body; further ones are answered 503."""
MAX_SESSIONS = 1_000
LAST_ANSWERS = 5
"""Seconds that requests have to be answered in after a signal to stop."""


class OneToken:
    """Verifies the one token of this server."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Compare in constant time; None for a wrong token."""
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        return AccessToken(token=token, client_id="token", scopes=[])


def read_address(text: str) -> tuple[str, int]:
    """Parse `[HOST:]PORT`, with an IPv6 address in brackets. Raises InvalidInput unless it is loopback."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else DEFAULT_HOST
    if not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise InvalidInput(f"--http {text} names no port; give [HOST:]PORT, as 8765 or [::1]:8765.")
    if host == "localhost":
        host = DEFAULT_HOST
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InvalidInput(
            f"--http {text} is no loopback address. What is remembered is served to this machine only: "
            "give a port alone, or an address such as 127.0.0.1:8765 or [::1]:8765."
        )
    return host, int(port)


def make_app(server: Server[Any], *, host: str, port: int, token: str) -> ASGIApp:
    """Build the ASGI application, which checks Host, Origin and the token.

    It refuses pages of another origin in a browser on this machine, including names rebound to this address.
    """
    names = {_bracketed(host), "localhost"}
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MAX_BODY,
        max_sessions=MAX_SESSIONS,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=[f"{name}:{port}" for name in names],
            allowed_origins=[f"http://{name}:{port}" for name in names],
        ),
    )
    guarded = AuthenticationMiddleware(RequireAuthMiddleware(inner, []), backend=BearerAuthBackend(OneToken(token)))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (guarded if scope["type"] == "http" else inner)(scope, receive, send)

    return app


def serve_http(
    open_memory: Callable[[], Memory],
    *,
    address: tuple[str, int],
    token: str,
    project: str | None,
    started: Callable[[str], None],
) -> None:
    """Serve clients over HTTP until SIGINT or SIGTERM. Calls `started` with the URL once connections are accepted.

    Raises Unusable where the port is taken.
    """
    listening = _listen(*address)
    host, port = listening.getsockname()[:2]
    memory = MemoryHost(open_memory)
    # The directory this process was started in says nothing of the clients'.
    server = make_server(memory, project=project, elsewhere=lambda: None)
    configuration = uvicorn.Config(
        make_app(server, host=host, port=port, token=token),
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )
    memory.start()
    try:
        started(f"http://{_bracketed(host)}:{port}{PATH}")
        uvicorn.Server(configuration).run(sockets=[listening])
    finally:
        memory.close()
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # where SO_REUSEADDR would let another process take the port over
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise Unusable(
            f"{_bracketed(host)}:{port} cannot be listened on: {error.strerror}; name another port."
        ) from error
    return listening


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
