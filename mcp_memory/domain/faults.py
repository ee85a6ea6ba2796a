"""Logging a bug's traceback without the words of a memory that its message may carry."""

import logging
from types import TracebackType


class Fault(Exception):
    """Stands in a log for an exception whose message is logged at DEBUG only; its own message is that exception's type."""


def log_fault(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log the place and type of an error at ERROR, and all of it at DEBUG."""
    log.error(what, exc_info=_without_words(error))
    log.debug("in full: %s", what, exc_info=error)


def _without_words(error: BaseException) -> tuple[type[Fault], Fault, TracebackType | None]:
    return Fault, Fault(type(error).__name__), error.__traceback__
