"""Which project a session is about, and in which order that is asked."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from conftest import PATIENCE
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.types import ErrorData, ListRootsResult, Root

from mcp_memory.cli import main
from mcp_memory.domain.model import Entry
from mcp_memory.domain.projects import project_of
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.server import callers
from mcp_memory.server.app import MemoryHost, make_server


def repository(folder: Path, *, remote: str | None = None) -> Path:
    """A folder that looks like the top of a git repository."""
    (folder / ".git").mkdir(parents=True)
    config = "[core]\n\tbare = false\n" + (f'[remote "origin"]\n\turl = {remote}\n' if remote else "")
    (folder / ".git" / "config").write_text(config, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("remote", "project"),
    [
        ("https://github.com/ada/engine.git", "ada/engine"),
        ("https://github.com/ada/engine/", "ada/engine"),
        ("git@github.com:ada/engine.git", "ada/engine"),
        ("ssh://git@example.org:2222/group/sub/engine.git", "sub/engine"),
        ("https://ada:secret@example.org/engine.git", "engine"),
        ("/srv/git/engine.git", "git/engine"),
        (None, "code/engine"),
    ],
)
def test_a_repository_is_named_by_its_remote_and_else_by_its_folder(
    tmp_path: Path, remote: str | None, project: str
) -> None:
    top = repository(tmp_path / "code" / "engine", remote=remote)
    (top / "src" / "deep").mkdir(parents=True)

    assert (project_of(top), project_of(top / "src" / "deep")) == (project, project)


def test_a_worktree_belongs_to_the_project_of_its_repository(tmp_path: Path) -> None:
    top = repository(tmp_path / "engine", remote="https://example.org/ada/engine")
    inside = top / ".git" / "worktrees" / "fix"
    inside.mkdir(parents=True)
    (inside / "commondir").write_text("../..\n", "utf-8")
    worktree = tmp_path / "fix"
    worktree.mkdir()
    (worktree / ".git").write_text(f"gitdir: {inside}\n", "utf-8")

    assert project_of(worktree) == "ada/engine"


def test_a_folder_outside_any_repository_has_no_project(tmp_path: Path) -> None:
    assert project_of(tmp_path) is None


def test_a_home_directory_under_git_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = repository(tmp_path / "home", remote="https://example.org/ada/dotfiles")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))

    assert project_of(home / "documents") is None


# The order: --project, MCP_MEMORY_PROJECT, CLAUDE_PROJECT_DIR, the client's roots, the working directory.


@pytest.mark.parametrize(
    ("options", "settings", "scope"),
    [
        (["--project", "named"], {"MCP_MEMORY_PROJECT": "variable", "CLAUDE_PROJECT_DIR": "claude"}, "named"),
        ([], {"MCP_MEMORY_PROJECT": "variable", "CLAUDE_PROJECT_DIR": "claude"}, "variable"),
        ([], {"CLAUDE_PROJECT_DIR": "claude"}, "ada/claude"),
        ([], {"CLAUDE_PROJECT_DIR": "plain"}, "plain"),
        ([], {}, "ada/here"),
    ],
)
def test_the_first_that_names_a_project_is_taken(
    tmp_path: Path,
    here: Path,
    database: Path,
    model: Path,
    options: list[str],
    settings: dict[str, str],
    scope: str,
) -> None:
    repository(tmp_path / "claude", remote="https://example.org/ada/claude")
    if "CLAUDE_PROJECT_DIR" in settings:
        settings = settings | {"CLAUDE_PROJECT_DIR": str(tmp_path / settings["CLAUDE_PROJECT_DIR"])}
    unset = {name: None for name in os.environ if name.startswith(("MCP_", "CLAUDE_"))}
    command = ["--database", str(database), "--model", str(model), *options]
    for arguments in (["remember", "The tests take a minute."], ["list", "--json"]):
        ended = CliRunner().invoke(main, command + arguments, env={**unset, **settings})

    assert [item["scope"] for item in json.loads(ended.stdout)] == [scope]


Roots = Callable[[ClientRequestContext], Any]


async def scope_with_roots(memory: Memory, roots: Roots | None, *, project: str | None = None) -> list[str]:
    """The scopes of two facts that a client with these roots has remembered, both at once."""
    server = make_server(MemoryHost(lambda: memory), project=project)
    async with (
        Client(server, mode="legacy", list_roots_callback=roots) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(client.call_tool, "remember", {"content": "The tests take a minute."})
        tasks.start_soon(client.call_tool, "remember", {"content": "The wheel takes an hour."})
    return [hit.item.scope for hit in memory.recall(select=ItemQuery(scope="all")).hits]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a repository."""
    folder = repository(tmp_path / "here", remote="https://example.org/ada/here")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
class TestRoots:
    """The project of a client that says which folders it works in."""

    @pytest.fixture(autouse=True)
    def busy_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(callers, "ROOTS_TIMEOUT", PATIENCE)

    async def test_the_first_root_that_is_a_project_is_taken(self, memory: Memory, here: Path, tmp_path: Path) -> None:
        rooted = repository(tmp_path / "a folder", remote="https://example.org/ada/rooted")
        plain = tmp_path / "plain"

        async def roots(_: ClientRequestContext) -> ListRootsResult:
            return ListRootsResult(roots=[Root(uri=plain.as_uri()), Root(uri=rooted.as_uri())])  # type: ignore[arg-type]

        assert await scope_with_roots(memory, roots) == ["ada/rooted", "ada/rooted"]

    async def test_a_named_project_is_not_asked_for(self, memory: Memory, here: Path) -> None:
        asked: list[str] = []

        async def roots(_: ClientRequestContext) -> ListRootsResult:
            asked.append("roots")
            return ListRootsResult(roots=[])

        assert await scope_with_roots(memory, roots, project="named") == ["named", "named"]
        assert asked == []

    async def test_a_client_without_roots_gets_the_working_directory(self, memory: Memory, here: Path) -> None:
        assert await scope_with_roots(memory, None) == ["ada/here", "ada/here"]

    async def test_a_client_that_refuses_gets_the_working_directory(self, memory: Memory, here: Path) -> None:
        async def roots(_: ClientRequestContext) -> ErrorData:
            return ErrorData(code=-32603, message="no")

        assert await scope_with_roots(memory, roots) == ["ada/here", "ada/here"]

    async def test_a_client_that_never_answers_is_not_waited_for(
        self, memory: Memory, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(callers, "ROOTS_TIMEOUT", 0.0)

        async def roots(_: ClientRequestContext) -> ListRootsResult:
            await anyio.sleep_forever()
            raise AssertionError

        assert await scope_with_roots(memory, roots) == ["ada/here", "ada/here"]


class TestNames:
    def test_a_project_is_known_by_its_name_alone_and_in_any_case(self, database: Path) -> None:
        with Memory.open(database, model=HashingEncoder(), project="maya/shop") as memory:
            for number, scope in enumerate(["shop", "Maya/Shop", "PROJECT", None]):
                memory.remember(f"Till {number} is red.", like=Entry("", scope=scope))
            for number, scope in enumerate(["User", "global", "me"]):
                memory.remember(f"I like colour {number}.", like=Entry("", scope=scope))
            found = memory.recall("till", select=ItemQuery(scope="Shop")).hits

            assert memory.stats().scopes == {"user": 3, "maya/shop": 4}
            assert len(found) == 4

    def test_a_scope_that_nothing_has_names_the_one_that_may_be_meant(self, database: Path) -> None:
        with Memory.open(database, model=HashingEncoder()) as memory:
            memory.remember("The roses are pruned in March.", like=Entry("", scope="maya/garden"))

            meant = 'Nothing has the scope {}; if another is meant: scope="maya/garden".'
            for scope in ("garden", "gardn"):
                assert memory.recall("roses", select=ItemQuery(scope=scope)).notes == (meant.format(scope),)
                assert meant.format(scope) in memory.recall(select=ItemQuery(scope=scope)).text
            assert memory.recall("roses", select=ItemQuery(scope="kitchen")).notes == ()
            assert memory.recall("boats", select=ItemQuery(scope="maya/garden")).notes == ()

    @pytest.mark.parametrize("scope", ["shopp", "projct:shop", "SHOP"])
    def test_a_new_scope_that_is_nearly_a_known_one_is_told_of(self, database: Path, scope: str) -> None:
        with Memory.open(database, model=HashingEncoder(), project="blog") as memory:
            memory.remember("The till is red.", like=Entry("", scope="shop"))

            told = memory.remember("The counter is green.", like=Entry("", scope=scope))
            again = memory.remember("The door is blue.", like=Entry("", scope=scope))
            other = memory.remember("The shelf is white.", like=Entry("", scope="warehouse"))

        assert told.notes == (f'{scope} is a scope that nothing had before; if another is meant: scope="shop".',)
        assert again.notes == other.notes == ()

    def test_a_memory_of_another_scope_is_updated_by_its_id_and_stays_there(self, database: Path) -> None:
        with Memory.open(database, model=HashingEncoder(), project="blog") as memory:
            [told] = memory.remember("The till is red.", like=Entry("", scope="shop")).items

            item, changed = memory.update(told.id, content="The till is green.")

        assert (item.scope, item.text, changed) == ("shop", "The till is green.", ["content"])

    def test_who_the_user_is_holds_in_every_project_and_what_a_product_does_in_its_own(self, database: Path) -> None:
        of_user = [
            "My name is Ines and I like boats.",
            "I live in Porto.",
            "The user's wife is called Ana.",
            "I am allergic to nuts.",
            "我叫李雷。",
            "我住在杭州。",
        ]
        of_project = [
            "The user is redirected to the login page.",
            "My port is 80.",
            "I moved the tests.",
            "用户表有三列。",
        ]
        with Memory.open(database, model=HashingEncoder(), project="maya/shop") as memory:
            memory.remember(items=[Entry(text) for text in (*of_user, *of_project)])
            found = {item.text: item.scope for item in memory.listing(ItemQuery(scope="all"), limit=20)}
            memory.remember("I live in Lisbon.", like=Entry("", scope="project"))

            assert found == dict.fromkeys(of_user, "user") | dict.fromkeys(of_project, "maya/shop")
            assert [i.text for i in memory.listing(ItemQuery(scope="shop"), limit=1)] == ["I live in Lisbon."]


@pytest.mark.model
class TestWhatIsKnownOfTheUser:
    """Statements of which nobody gave a scope, with the encoder that comes with the package."""

    @pytest.fixture
    def memory(self, database: Path) -> Iterator[Memory]:
        with Memory.open(database, project="me/q") as memory:
            memory.wait_for_encoder()
            yield memory

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("I live in Paris.", "I moved to Lyon."),
            ("I live in Paris.", "I just moved to Lyon."),
            ("我住在北京。", "我搬到上海了。"),
            ("我住在广州。", "我现在住在深圳。"),
            ("My name is Ann Lee.", "I changed my name to Ann Kim."),
            ("I am 34 years old.", "I am 35 years old."),
            ("My phone number is 555-1234.", "I changed my phone number to 555-9876."),
            ("My phone number is 555-1234.", "My new phone number is 555-9876."),
            ("I work at Siemens.", "I work at Bosch now."),
            ("我的电话是13812345678。", "我的电话换成13912345678了。"),
        ],
    )
    def test_what_changes_it_takes_its_place_in_every_project(self, memory: Memory, old: str, new: str) -> None:
        [known] = memory.remember(old).items
        [told] = memory.remember(new).items

        assert (told.status, told.of and told.of.id) == ("replaces", known.id)
        assert scopes(memory) == {new: "user"}

    def test_what_is_told_at_once_is_changed_as_well(self, memory: Memory) -> None:
        texts = ["My name is Ann Lee.", "I changed my name to Ann Kim.", "I changed my name to Ann Kim"]
        told = memory.remember(items=[Entry(text) for text in texts]).items

        assert [entry.status for entry in told] == ["created", "replaces", "known"]
        assert scopes(memory) == {texts[1]: "user"}

    def test_what_its_project_was_told_of_the_user_is_replaced_there(self, memory: Memory) -> None:
        [known] = memory.remember("My name is Ann Lee.", like=Entry("", scope="project")).items
        [told] = memory.remember("My name is Ann Kim.").items

        assert (told.status, told.of and told.of.id) == ("replaces", known.id)
        assert scopes(memory) == {"My name is Ann Kim.": "me/q"}

    def test_what_repeats_it_confirms_it(self, memory: Memory) -> None:
        [known] = memory.remember("The kitchen is painted green.", like=Entry("", scope="user")).items

        [told] = memory.remember("the kitchen is painted green").items

        assert (told.status, told.id) == ("known", known.id)

    def test_what_a_project_says_stays_there(self, memory: Memory) -> None:
        memory.remember(items=[Entry("I live in Paris."), Entry("The server is in Paris.", scope="user")])
        of_project = [
            "The server moved to Lyon.",
            "I moved the repo to GitLab.",
            "We moved to Lyon.",
            "Ann moved to Lyon.",
        ]
        told = memory.remember(items=[Entry(text) for text in of_project]).items

        assert [entry.status for entry in told] == ["similar", "created", "created", "created"]
        assert scopes(memory) == {
            **dict.fromkeys(of_project, "me/q"),
            **dict.fromkeys(["I live in Paris.", "The server is in Paris."], "user"),
        }

    def test_a_scope_that_was_given_holds(self, memory: Memory) -> None:
        memory.remember("I live in Paris.")
        [told] = memory.remember("I moved to Lyon.", like=Entry("", scope="project")).items

        assert told.status == "created"
        assert scopes(memory) == {"I live in Paris.": "user", "I moved to Lyon.": "me/q"}

    def test_another_project_is_left_alone(self, memory: Memory) -> None:
        memory.remember("I live in Paris.", like=Entry("", scope="other"))
        [told] = memory.remember("I moved to Lyon.").items

        assert told.status == "created"

    def test_what_is_similar_there_can_be_replaced_by_its_id(self, memory: Memory) -> None:
        [known] = memory.remember("The server is in Paris.", like=Entry("", scope="user")).items
        [told] = memory.remember("The machines went to Lyon.", like=Entry("", replaces=known.id)).items

        assert told.status == "replaces"
        assert scopes(memory) == {"The machines went to Lyon.": "user"}


def scopes(memory: Memory) -> dict[str, str]:
    return {item.text: item.scope for item in memory.listing(ItemQuery(scope="all"), limit=50)}
