"""The documents: their links lead somewhere, and what they promise to hold is there."""

import re
from pathlib import Path

import pytest

from mcp_memory.cli import main
from mcp_memory.config import LOG_LEVELS
from mcp_memory.tools import TOOLS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/*/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_command_and_every_tool_is_documented() -> None:
    commands, tools = ((ROOT / "docs" / name).read_text("utf-8") for name in ("cli.md", "tools.md"))

    assert [name for name in main.commands if f"## mcp-memory {name}\n" not in commands] == []
    assert [tool.name for tool in TOOLS if f"## {tool.name}\n" not in tools] == []


def test_the_readme_names_every_option_of_the_server() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    options = [option for parameter in main.params for option in parameter.opts if option.startswith("--")]

    assert [option for option in options if f"`{option}`" not in readme and option not in ("--help", "--version")] == []
    assert "WARNING" in LOG_LEVELS


def test_no_document_starts_a_package_of_that_name_from_the_index() -> None:
    pages = {page.name: page.read_text("utf-8") for page in PAGES}

    assert [name for name, text in pages.items() if re.search(r'uvx mcp-memory|"args": \["mcp-memory"\]', text)] == []
