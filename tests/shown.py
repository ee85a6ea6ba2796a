"""What a page shows is done: its commands run in their order in a home of their own, and what they print is compared.

    uv run python tests/shown.py docs/tutorial.md     # puts what the commands print now into the page

A fence `sh` has commands alone, a fence `console` commands behind `$` with what they print below each.
A fence `mcp NAME` has calls of tools behind `>` as a client of that name makes them, with what they answer.
A fence `python` is a program, and the fence without a language that follows it is what it prints.
A comment `<!-- clock: 2026-03-02 09:00 -->` puts the clock there; each command takes ten seconds on it.
A fence `… file=PATH` is a file that is there from then on.
Ids are drawn anew in each run, so an id on the page stands for the one that was printed in its place.
"""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio
import click
from click.testing import CliRunner
from clock import Clock
from mcp import Client
from mcp.types import Implementation

from mcp_memory.cli import main, verbs
from mcp_memory.memory import Memory
from mcp_memory.server.app import MemoryHost, make_server

ROOT = Path(__file__).parent.parent
HOME = "/home/maya"
"""What a page calls the home directory."""
_FENCE = re.compile(r"^(?P<marks>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=marks)[ \t]*$", re.MULTILINE | re.DOTALL)
_CLOCK = re.compile(r"<!-- clock: ([^>]+?) -->")
_ID = re.compile(r"\b0[0-9a-z]{12}\b")
_MARKS = {"console": "$ ", "mcp": "> "}


@dataclass(frozen=True, slots=True)
class Block:
    """A fence of a page, or (`language` "clock") where its clock is put."""

    language: str
    info: str
    body: str
    start: int
    """Where its body begins in the page."""

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Each command or call, and what stands below it."""
        mark = _MARKS[self.language]
        found: list[tuple[str, list[str]]] = []
        for line in self.body.splitlines():
            if line.startswith(mark):
                found.append((line[len(mark) :], []))
            elif found and found[-1][0].endswith("\\"):
                found[-1] = (f"{found[-1][0][:-1]}{line.strip()}", [])
            elif found:
                found[-1][1].append(line)
        return [(command, "\n".join(lines).strip("\n")) for command, lines in found]


def blocks_of(page: str) -> list[Block]:
    """The fences and clocks of a page in their order."""
    found = [
        Block(info.partition(" ")[0], info.partition(" ")[2], match["body"], match.start("body"))
        for match in _FENCE.finditer(page)
        for info in [match["info"].strip()]
    ]
    found += [Block("clock", "", match[1], match.start(1)) for match in _CLOCK.finditer(page)]
    return sorted(found, key=lambda block: block.start)


def commands_in(block: Block) -> list[str]:
    """The command lines of a fence of a shell."""
    if block.language == "console":
        return [command for command, _ in block.shown]
    joined = block.body.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def is_program(command: str) -> bool:
    """Whether it is a call of our program alone, which need not have a process of its own."""
    return command.startswith("mcp-memory ") and not re.search(r"[|<>;&]", re.sub(r"\"[^\"]*\"|'[^']*'", "", command))


def options_unknown(command: str) -> list[str]:
    """What a call of our program names that it has not: a command or options."""
    words = shlex.split(command, comments=True)[1:]
    owners: list[click.Command] = [main]
    if words and not words[0].startswith("-"):
        owner = main.get_command(click.Context(main), words[0])
        if owner is None:
            return [words[0]]
        owners.append(owner)
    known = {
        "--help",
        "-h",
        *(name for each in owners for one in each.params for name in (*one.opts, *one.secondary_opts)),
    }
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


@dataclass
class Session:
    """A home with a clock, in which the blocks of a page are done one after the other."""

    home: Path
    clock: Clock = field(default_factory=Clock)
    ids: dict[str, str] = field(default_factory=dict[str, str])
    """By an id on the page the one that it stands for."""

    def __post_init__(self) -> None:
        self.here = self.home

    @contextlib.contextmanager
    def at_home(self) -> Iterator[None]:
        """Nothing of this process's settings holds meanwhile; the time is the clock's."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MCP_", "CLAUDE_", "XDG_", "CODEX_"))
        }
        kept |= {"HOME": str(self.home), "USERPROFILE": str(self.home), "NO_COLOR": "1", "TZ": "UTC"}
        kept["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), kept["PATH"]))
        before = Path.cwd()
        with (
            patch.dict(os.environ, kept, clear=True),
            patch.dict(Memory.open.__func__.__kwdefaults__, clock=self.clock),  # type: ignore[attr-defined]
            patch.object(verbs, "local_time", self.clock),
        ):
            try:
                yield
            finally:
                os.chdir(before)

    def do(self, block: Block, *, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str, str]]:
        """Each command of a block that is wanted, what the page says it prints, and what it prints."""
        if block.language == "clock":
            self.clock.now = datetime.fromisoformat(block.body).replace(tzinfo=UTC)
        elif "file=" in block.info:
            path = self.here / block.info.partition("file=")[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, "utf-8")
        elif block.language in ("sh", "console"):
            shown = block.shown if block.language == "console" else [(command, "") for command in commands_in(block)]
            for command, expected in shown:
                if wanted(command):
                    yield command, expected, self._run(self._ours(command))
        elif block.language == "mcp":
            for call, expected in block.shown:
                yield call, expected, self._call(block.info, self._ours(call))

    def python(self, block: Block) -> str:
        """What a program prints."""
        self.clock.pass_(seconds=10)
        os.chdir(self.here)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block.body, "the page", "exec"), {})
        return printed.getvalue().strip("\n")

    def agree(self, expected: str, printed: str) -> bool:
        """Whether the page says what was printed; its ids are learnt."""
        told, real = (_ID.findall(text) for text in (expected, printed))
        if len(told) == len(real):
            self.ids |= dict(zip(told, real, strict=True))
        return self._ours(expected) == self.visible(printed)

    def visible(self, printed: str) -> str:
        """What was printed, as a page shows it."""
        return printed.replace(str(self.home), HOME)

    def _ours(self, text: str) -> str:
        """Text of the page with the ids of this run."""
        return _ID.sub(lambda found: self.ids.get(found[0], found[0]), text)

    def _run(self, command: str) -> str:
        self.clock.pass_(seconds=10)
        os.chdir(self.here)
        if command.startswith("cd "):
            self.here = self.here / os.path.expanduser(shlex.split(command)[1])
            return ""
        if not is_program(command):
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, encoding="utf-8", timeout=60)
            printed, code = done.stdout + done.stderr, done.returncode
        else:
            words = [os.path.expanduser(word) for word in shlex.split(command, comments=True)[1:]]
            result = CliRunner().invoke(main, words, prog_name="mcp-memory")
            printed, code = result.output, result.exit_code
            if result.exception and not isinstance(result.exception, SystemExit):
                raise result.exception
        if code:
            raise AssertionError(f"{command} ended with {code}:\n{printed}")
        return "\n".join(line.rstrip() for line in printed.strip("\n").split("\n"))

    def _call(self, client: str, call: str) -> str:
        self.clock.pass_(seconds=10)
        tool, _, arguments = call.partition(" ")
        path = self.home / ".local/share/mcp-memory/memory.db"
        path.parent.mkdir(parents=True, exist_ok=True)

        async def ask(memory: Memory) -> str:
            server = make_server(MemoryHost(lambda: memory), project=None)
            async with Client(server, client_info=Implementation(name=client, version="1")) as session:
                answer: Any = await session.call_tool(tool, json.loads(arguments or "{}"))
                return answer.content[0].text

        with Memory.open(path) as memory:
            memory.wait_for_encoder()
            return anyio.run(ask, memory)


def differences(text: str, session: Session, *, wanted: Callable[[str], bool]) -> Iterator[str]:
    """What of a page's blocks is not so, each in words."""
    program = ""
    for block in blocks_of(text):
        if block.language == "python":
            program = session.python(block)
        elif block.language == "" and program:
            if not session.agree(block.body.strip("\n"), program):
                yield f"The program prints:\n{session.visible(program)}"
            program = ""
        for command, expected, printed in session.do(block, wanted=wanted):
            if block.language != "sh" and not session.agree(expected, printed):
                yield f"{command}\nprints:\n{session.visible(printed)}\nand the page has:\n{expected}"


def written(text: str, session: Session, *, wanted: Callable[[str], bool]) -> str:
    """The page with what its commands print now."""
    parts: list[str] = []
    at, program = 0, ""
    for block in blocks_of(text):
        end = block.start + len(block.body)
        body = block.body
        if block.language == "python":
            program = session.python(block)
        elif block.language == "" and program:
            body, program = f"{session.visible(program)}\n", ""
        elif block.language in _MARKS:
            mark = _MARKS[block.language]
            lines = [
                line
                for command, expected, printed in session.do(block, wanted=wanted)
                for line in _shown(mark, command, expected, printed, session)
            ]
            body = "\n".join(lines) + "\n"
        else:
            list(session.do(block, wanted=wanted))
        parts += [text[at : block.start], body]
        at = end
    return "".join([*parts, text[at:]])


def _shown(mark: str, command: str, expected: str, printed: str, session: Session) -> list[str]:
    """A command and what it prints, under the ids of this run from here on."""
    told, real = _ID.findall(expected), _ID.findall(printed)
    session.ids |= dict(zip(told, real, strict=False))
    return [mark + session._ours(command), *(session.visible(printed).split("\n") if printed else [])]


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    from test_docs import PREPARED, at_home, is_run, name_of, nothing

    for name in sys.argv[1:]:
        page = Path(name).absolute()
        with TemporaryDirectory() as directory:
            session = at_home(Path(directory))
            with session.at_home():
                PREPARED.get(name_of(page), nothing)(session.home)
                text = written(page.read_text("utf-8"), session, wanted=is_run)
        page.write_text(text, "utf-8")
