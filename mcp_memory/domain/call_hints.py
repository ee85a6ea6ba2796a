"""Hints on the next call, as a tool call for a client and as a command for a person at a shell."""

import json
import shlex
from collections.abc import Mapping
from typing import Protocol, cast

PROGRAM = "mcp-memory"


class Speech(Protocol):
    """The wording of hints on the next call."""

    def name(self, option: str) -> str: ...
    def option(self, option: str, value: object = True) -> str: ...

    def again(self, verb: str) -> str:
        """Return the same call again, to be followed by options."""
        ...

    def call(self, verb: str, **arguments: object) -> str:
        """Return another call; "…" stands for what the reader has to fill in."""
        ...


class _ToTools:
    def name(self, option: str) -> str:
        return option

    def option(self, option: str, value: object = True) -> str:
        text = value if value == "…" else json.dumps(value, ensure_ascii=False)
        return f"{option}={text}"

    def again(self, verb: str) -> str:
        return f"{verb} again with"

    def call(self, verb: str, **arguments: object) -> str:
        return f"{verb} with {', '.join(self.option(name, value) for name, value in arguments.items())}"


class _ToShell:
    def name(self, option: str) -> str:
        return f"--{option.replace('_', '-')}"

    def option(self, option: str, value: object = True) -> str:
        return self.name(option) if value is True else f"{self.name(option)} {_quoted(value)}"

    def again(self, verb: str) -> str:
        return f"{PROGRAM} {verb} …"

    def call(self, verb: str, **arguments: object) -> str:
        operands = arguments.pop(_OPERANDS[verb], "…")
        listed = cast("list[object]", operands) if isinstance(operands, list) else [operands]
        options = [self.option(name, value) for name, value in arguments.items()]
        return " ".join([PROGRAM, verb, *map(_quoted, listed), *options])


_OPERANDS: Mapping[str, str] = {
    "remember": "content",
    "recall": "query",
    "summarize": "topic",
    "update": "id",
    "forget": "ids",
    "history": "id",
    "undo": "operation",
}
"""The argument of each verb that a command takes without its name."""

TO_TOOLS: Speech = _ToTools()
TO_SHELL: Speech = _ToShell()


def _quoted(value: object) -> str:
    return "…" if value == "…" else shlex.quote(str(value))
