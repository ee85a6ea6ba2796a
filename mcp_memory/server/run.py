"""Serving a client over stdio: start-up, signals and shutdown."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mcp_memory.errors import InvalidInput
from mcp_memory.server.allocator import keep_little
from mcp_memory.server.memory_host import MemoryHost, open_memory
from mcp_memory.server.stdio.early_responder import STOP_SIGNALS, EarlyResponder

if TYPE_CHECKING:  # what is heavy is imported when it is needed
    from mcp_memory.server.config import Config

log = logging.getLogger(__name__)


def serve_options(front: EarlyResponder, options: Mapping[str, Any]) -> None:
    """Serve with the options of a command line. Exits with a message where they are wrong."""
    from mcp_memory.domain.logs import log_to_stderr
    from mcp_memory.server.config import read_config

    try:
        config = read_config(os.environ, **options)
    except InvalidInput as problem:
        sys.exit(f"Error: {problem}")
    log_to_stderr(config.log_level)
    serve(front, config)


def serve(front: EarlyResponder, config: Config) -> None:
    """Serve the client of the early responder until it goes or sends a signal. Call from the main thread.

    Once everything is imported, the memory opens in one thread and its encoder loads in another, beside the server.
    """
    keep_little()
    host = MemoryHost(lambda: open_memory(config))

    def leave() -> None:
        try:
            host.close()
        finally:
            os._exit(0)  # the thread that reads standard input cannot be interrupted

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
        leave()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    front.leave_by(leave)
    # Not beside the opening: two threads that import keep taking the interpreter from each other, which costs a tenth more
    # processor time to the first recall (0.79 s against 0.90).
    # The SDK makes some hundred thousand objects that stay; looking through them for garbage takes a sixth of its import.
    gc.disable()
    from mcp_memory.server.app import serve_stdio

    gc.freeze()
    gc.enable()
    host.start()
    try:
        serve_stdio(host, front, project=config.project)
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        host.close()
