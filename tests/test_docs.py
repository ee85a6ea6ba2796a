"""The documents: their links lead somewhere, what they promise to hold is there, and every command in them is run or checked."""

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from clock import Clock
from shown import Session, blocks_of, commands_in, differences, options_unknown
from test_importing import CLAUDE, LETTA, MADE, MEM0, OPENMEMORY, archive, chatgpt

from mcp_memory.cli import COMMANDS, main
from mcp_memory.memory import Memory
from mcp_memory.server.config import LOG_LEVELS
from mcp_memory.server.tools import TOOLS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mcp_memory"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/*/*.md")])
SHELLS = ("sh", "console")
NOT_RUN = {
    "uv tool install": "installs from the index; tests/test_packages.py runs the installed package",
    "pip install uv": "installs from the index",
    "uv run pytest": "is the test suite",
    "uv run python -m bench.": "takes minutes, and most need data that does not come with the project",
    "uv run --with atheris": "installs a fuzzer",
    "just ": "runs what Justfile has under that name",
    "npm install": "installs from the index",
    "mcp-memory demo": "is run by tests/test_cli.py",
    "mcp-memory encrypt": "keeps a key in the system's keychain; tests/test_encryption.py runs it",
    "mcp-memory backup /mnt/": "names a disk of an example",
    "mcp-memory serve --http": "goes on until it is ended; tests/test_http.py does that",
    "mcp-memory sync ~/memories --watch": "goes on until it is interrupted; tests/test_folders.py does that",
    "mcp-memory restore backups/": "names a backup of an example; tests/test_restore.py runs it",
}
"""What a page shows and is not run here, by how it begins, and why. Its options are checked all the same."""


def shells_of(page: Path) -> list[str]:
    """The command lines in the fences of a page."""
    return [
        line for block in blocks_of(page.read_text("utf-8")) if block.language in SHELLS for line in commands_in(block)
    ]


def is_run(command: str) -> bool:
    return not command.startswith(tuple(NOT_RUN))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_link_into_a_page_finds_its_heading() -> None:
    headings = {
        page: {_anchor(line) for line in page.read_text("utf-8").splitlines() if line.startswith("#")} for page in PAGES
    }
    links = [
        (page, target, (page.parent / target).resolve() if target else page, anchor)
        for page in PAGES
        for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", page.read_text("utf-8"))
    ]

    assert [(name_of(page), target, anchor) for page, target, to, anchor in links if anchor not in headings[to]] == []


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower()).replace(" ", "-")


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = [str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md") if page.name != "README.md"]

    assert [page for page in pages if f"]({page})" not in index] == []


def test_every_command_and_every_tool_is_documented() -> None:
    commands, tools = ((ROOT / "docs" / name).read_text("utf-8") for name in ("cli.md", "tools.md"))

    assert [name for name in COMMANDS if f"## mcp-memory {name}\n" not in commands] == []
    assert [tool.name for tool in TOOLS if f"## {tool.name}\n" not in tools] == []


def test_the_readme_names_every_option_of_the_server() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    options = [option for parameter in main.params for option in parameter.opts if option.startswith("--")]

    assert [option for option in options if f"`{option}`" not in readme and option not in ("--help", "--version")] == []
    assert "WARNING" in LOG_LEVELS


def test_the_readme_says_what_the_tools_cost_in_tokens() -> None:
    snapshot = json.loads((ROOT / "mcp_memory" / "server" / "stdio" / "snapshot.json").read_text("utf-8"))
    answers = [answer["result"]["tools"] for answer in snapshot["answers"]["tools/list"]]
    sizes = {f"{len(json.dumps(tools, ensure_ascii=False, separators=(',', ':'))) / 4:,.0f}" for tools in answers}
    told = re.findall(
        r"([\d,]+) tokens in all|tools cost the model ([\d,]+) tokens", (ROOT / "README.md").read_text("utf-8")
    )

    assert {one or other for one, other in told} == sizes


def test_no_document_starts_a_package_of_that_name_from_the_index() -> None:
    pages = {page.name: page.read_text("utf-8") for page in PAGES}

    assert [name for name, text in pages.items() if re.search(r'uvx mcp-memory|"args": \["mcp-memory"\]', text)] == []


def a_memory(home: Path) -> None:
    """A project that the shell is in, and a memory that knows what the pages ask it for."""
    subprocess.run(["git", "init", "-q", home / "shop"], check=True)
    with Memory.open(home / ".local/share/mcp-memory/memory.db", project="maya/shop") as memory:
        memory.remember("The staging database runs on Postgres 16.")


def a_machine_with_codex(home: Path) -> None:
    """A memory, and a client that setup finds."""
    a_memory(home)
    (home / ".codex").mkdir()


def another_machine(home: Path) -> None:
    """The file of a second machine in the folder that the shell is in."""
    a_memory(home)
    with Memory.open(home / "laptop.db") as memory:
        memory.remember("The laptop's own fact.")


def exports_of_others(home: Path) -> None:
    """What other tools left where they leave it."""
    shutil.copy(MADE / "server-memory" / "memory.jsonl", home)
    shutil.copytree(MADE / "basic-memory", home / "basic-memory")
    shutil.copytree(MADE / "basic-memory", home / "vault")
    service = MADE / "mcp-memory-service"
    written(home / ".local/share/mcp-memory/sqlite_vec.db", gzip.decompress((service / "memories.db.gz").read_bytes()))
    shutil.copy(service / "export.json", home / "service-export.json")
    written(home / "mem0.json", json.dumps(MEM0).encode())
    written(home / "agent.af", json.dumps(LETTA).encode())
    archive(home / "openmemory.zip", {"memories.json": OPENMEMORY})
    archive(home / "chatgpt-export.zip", {"conversations.json": chatgpt()})
    archive(home / "claude-export.zip", {"conversations.json": CLAUDE})
    subprocess.run(["git", "init", "-q", home / "shop"], check=True)
    facts = home / ".claude/projects/-home-maya-shop/memory"
    written(facts / "MEMORY.md", b"- [Tabs](tabs.md)\n")
    written(facts / "tabs.md", b"---\nname: tabs\ndescription: Use tabs\ntype: feedback\n---\nUse tabs, not spaces.\n")
    written(home / ".gemini/GEMINI.md", b"## Gemini Added Memories\n- Maya lives in Ulm\n")
    written(home / "shop/CLAUDE.md", b"# Shop\n\n- Run the tests first\n")
    written(home / "shop/.cursorrules", b"Write short functions.\n")


def written(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def nothing(home: Path) -> None:
    """An empty home."""


PREPARED: dict[str, Callable[[Path], None]] = {
    "README.md": a_machine_with_codex,
    "docs/clients.md": a_machine_with_codex,
    "docs/backup.md": another_machine,
    "docs/how-recall-works.md": a_memory,
    "docs/importing.md": exports_of_others,
    "docs/lifecycle.md": a_memory,
}
RUN = [page for page in PAGES if any(map(is_run, shells_of(page)))]


@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="the pages show the paths and the shell of Linux")
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    session = at_home(tmp_path)
    with session.at_home():
        PREPARED.get(name_of(page), nothing)(session.home)
        wrong = list(differences(page.read_text("utf-8"), session, wanted=is_run))

    assert not wrong, "\n\n".join(wrong)


def at_home(directory: Path) -> Session:
    """A home whose name is that on the pages."""
    (directory / "maya").mkdir()
    return Session(directory / "maya", Clock())


def test_every_call_of_the_program_names_commands_and_options_that_there_are() -> None:
    told = {
        f"{name_of(page)}: {command}": unknown
        for page in PAGES
        for command in [*shells_of(page), *calls_in_prose(page.read_text("utf-8"))]
        for call in re.findall(r"(?:^|\s)(mcp-memory [a-z-].*)", command)
        if (unknown := options_unknown(re.split(r" [|>] ", call)[0]))
    }

    assert told == {}


def calls_in_prose(text: str) -> list[str]:
    """Calls between backticks, and the examples of the commands' own help."""
    quoted = re.findall(r"`(mcp-memory [a-z-][^`\n…]*)`", text)
    return quoted + re.findall(r"^ {2,}(?:.*\| )?(mcp-memory [a-z]+(?: .*)?)$", text, re.MULTILINE)


def test_every_benchmark_and_test_file_that_is_named_is_there_with_its_options() -> None:
    named = [
        (page, line) for page in PAGES for line in re.findall(r"python -m (bench\.[^`\n]*)", page.read_text("utf-8"))
    ]
    wrong = [f"{name_of(page)}: {line}" for page, line in named if not _benchmark_is(line)]
    files = [(page, path) for page in PAGES for path in re.findall(r"\btests/test_\w+\.py", page.read_text("utf-8"))]

    assert wrong == []
    assert [f"{name_of(page)}: {path}" for page, path in files if not (ROOT / path).exists()] == []


def test_every_recipe_that_is_named_is_in_the_justfile() -> None:
    recipes = re.findall(r"^([a-z-]+)[^:\n]*:", (ROOT / "Justfile").read_text("utf-8"), re.MULTILINE)
    named = [command.split()[1] for page in PAGES for command in shells_of(page) if command.startswith("just ")]

    assert named
    assert [name for name in named if name not in recipes] == []


def _benchmark_is(line: str) -> bool:
    """Whether a benchmark has the options it is called with."""
    words = shlex.split(line.replace("…", "DIR").partition(",")[0].rstrip(").:"), comments=True)
    path = ROOT / f"{words[0].replace('.', '/')}.py"
    if not path.exists():
        return False
    source = path.read_text("utf-8")
    if "harness.options(" in source:
        source += (path.parent / "harness.py").read_text("utf-8")
    return all(f'"{word}"' in source for word in words[1:] if word.startswith("--"))


def test_every_file_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", (ROOT / "ARCHITECTURE.md").read_text("utf-8"))
    below = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*")}

    missing = [
        name
        for name in named
        if not any(path == name.rstrip("/") or path.endswith(f"/{name.rstrip('/')}") for path in below)
    ]

    assert named
    assert [name for name in missing if not (ROOT / name).exists()] == []
