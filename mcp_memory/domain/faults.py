"""Faults: a bug's traceback for the log, without the words of a memory that its message may carry."""

import logging
from types import TracebackType


class Fault(Exception):
    """Stands in a log for an exception whose own message is told at DEBUG alone; its message is that one's type."""


def log_fault(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log as an error where it happened and of what type it was, and at DEBUG all there is to say."""
    log.error(what, exc_info=_without_words(error))
    log.debug("in full: %s", what, exc_info=error)


def _without_words(error: BaseException) -> tuple[type[Fault], Fault, TracebackType | None]:
    return Fault, Fault(type(error).__name__), error.__traceback__
