"""The log: on standard error only, with bounded lines, and no more of them a minute than a person could read."""

import logging
import time
from collections.abc import Callable

LONGEST = 4_000
"""Characters of a message; a longer one is cut. A traceback stands beside it."""
LINES = 200
"""Lines a minute; the rest are counted. What a client sends in a loop must not fill the disk its log is on."""
MINUTE = 60.0


class Bounded(logging.Filter):
    """Lets LINES a minute through, cuts them to LONGEST, and reports how many it held back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since = clock()
        self._let_through = 0
        self._held_back = 0

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        held = 0
        if now - self._since >= MINUTE:
            held, self._since, self._let_through, self._held_back = self._held_back, now, 0, 0
        self._let_through += 1
        if self._let_through > LINES:
            self._held_back += 1
            return False
        said = record.getMessage()
        if len(said) > LONGEST:
            said = f"{said[:LONGEST]}… ({len(said)} characters)"
        if held:
            said = f"{said} ({held} lines before this one were left out)"
        elif self._let_through == LINES:
            said = f"{said} (more than {LINES} lines a minute: the rest of this minute is left out)"
        record.msg, record.args = said, None
        return True


def log_to_stderr(level: str) -> None:
    """Send this program's log to standard error, the only stream that a server on standard output may use."""
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mcp_memory").setLevel(level)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(found, Bounded) for found in handler.filters):
            handler.addFilter(Bounded())


class Fault(Exception):
    """Stands in a log for an exception whose message is logged at DEBUG only; its own message is that exception's type."""


def log_fault(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log the place and type of an error at ERROR, and all of it at DEBUG."""
    log.error(what, exc_info=(Fault, Fault(type(error).__name__), error.__traceback__))
    log.debug("in full: %s", what, exc_info=error)
