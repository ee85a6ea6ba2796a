"""The memories as a folder of Markdown: written, edited by hand, taken in again, and kept in step."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import PATIENCE, examples
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.cli import main
from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Conflict
from mcp_memory.memory import Memory

Run = Callable[..., Result]
Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def run(database: Path, environment: dict[str, str]) -> Run:
    """Run a command in this process, in the project demo."""
    unset = {name: None for name in os.environ if name.startswith(("MCP_", "CLAUDE_"))}
    ours = {"MCP_MEMORY_MODEL": environment["MCP_MEMORY_MODEL"], "MCP_MEMORY_PROJECT": "demo"}

    def run(*arguments: object, other: Path | None = None) -> Result:
        variables: dict[str, str | None] = {**unset, **ours, "MCP_MEMORY_DATABASE": str(other or database)}
        return CliRunner().invoke(main, [str(argument) for argument in arguments], env=variables)

    return run


@pytest.fixture
def answer(run: Run) -> Answer:
    """What a command answers to a program."""

    def answer(*arguments: object, other: Path | None = None) -> dict[str, Any]:
        result = run(*arguments, "--json", other=other)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return answer


@pytest.fixture
def remember(answer: Answer) -> Callable[..., str]:
    """The id of what is remembered."""
    return lambda *arguments: answer("remember", *arguments)["items"][0]["id"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a folder may be made; nothing is there yet."""
    return tmp_path / "notes"


def export(run: Run, folder: Path) -> Result:
    result = run("export", "--to", folder)
    assert result.exit_code == 0, result.output
    return result


def notes(folder: Path) -> list[Path]:
    """The files of memories."""
    return sorted((folder / "memories").glob("*.md"))


def file_of(folder: Path, identifier: str) -> Path:
    [found] = [path for path in folder.rglob("*.md") if f'id: "{identifier}"' in path.read_text("utf-8")]
    return found


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file with when it was written and what it holds."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def item_of(run: Run, identifier: str) -> dict[str, Any]:
    [found] = [item for item in json.loads(run("list", "--scope", "all", "--json").stdout) if item["id"] == identifier]
    return found


def operations(answer: Answer) -> int:
    return len(answer("history", "--limit", "500")["operations"])


def test_a_folder_has_an_index_a_file_for_each_memory_and_links_from_topics(
    run: Run, remember: Callable[..., str], folder: Path
) -> None:
    one = remember("The staging database runs on Postgres 16.", "--tag", "infra", "--kind", "fact")
    remember("The production database runs on Postgres 15.", "--tag", "infra")
    remember("Backups of the database run nightly.", "--tag", "infra")
    export(run, folder)
    text = file_of(folder, one).read_text("utf-8")
    index = (folder / "MEMORY.md").read_text("utf-8")
    topics = [path.read_text("utf-8") for path in (folder / "topics").glob("*.md")]

    assert text.endswith("---\n\nThe staging database runs on Postgres 16.\n")
    assert "tags: [infra]" in text
    assert all(f"](memories/{path.name})" in index for path in notes(folder))
    assert topics
    linked = {name for topic in topics for name in re.findall(r"\[\[([^|\]]+)", topic)}
    assert linked <= {path.stem for path in notes(folder)}
    assert file_of(folder, one).stem in linked


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_folder_is_for_its_owner_alone(run: Run, remember: Callable[..., str], folder: Path) -> None:
    remember("The staging database runs on Postgres 16.")
    export(run, folder)

    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "memories")} == {0o700}


def test_importing_an_untouched_folder_and_exporting_an_unchanged_store_do_nothing(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    for number in range(5):
        remember(f"Service {number} listens on port {8000 + number}.", "--tag", "ports")
    export(run, folder)
    before, done = everything(folder), operations(answer)
    taken = answer("import", folder)
    export(run, folder)

    assert taken["operation"] is None
    assert operations(answer) == done
    assert everything(folder) == before


def test_an_edit_is_a_new_state_that_undo_takes_back_and_the_next_export_writes(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The staging database runs on Postgres 16.", "--tag", "infra")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "Postgres 16.\n", "Postgres 17.\n")
    edit(path, "tags: [infra]", "tags: [infra, Staging]\nimportance: 0.9\npinned: true\noccurred_at: 2026-03-04")
    taken = answer("import", folder)
    item, history = item_of(run, identifier), run("history", identifier).output
    again = answer("import", folder)
    name = path.name
    export(run, folder)
    run("undo", taken["operation"])
    export(run, folder)

    assert taken["edited"] == [identifier]
    assert (item["text"], item["tags"]) == ("The staging database runs on Postgres 17.", ["infra", "staging"])
    assert (item["importance"], item["pinned"], item["occurred_at"]) == (0.9, True, "2026-03-04T00:00:00")
    assert "Postgres 16" in history
    assert again["operation"] is None
    assert path.name == name
    assert "Postgres 16.\n" in path.read_text("utf-8")
    assert "pinned" not in path.read_text("utf-8")


def test_a_deleted_file_forgets_and_a_new_one_is_remembered_in_one_operation(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    gone = remember("The office is in Lisbon.")
    kept = remember("Maya likes green tea.", "--kind", "preference")
    export(run, folder)
    file_of(folder, gone).unlink()
    (folder / "deploys.md").write_text("---\nkind: procedure\ntags: [ops]\npinned: true\n---\nDeploy on Tuesdays.\n")
    edit(file_of(folder, kept), "Maya likes green tea.\n", "Maya likes black tea.\n")
    before = operations(answer)
    dry = answer("import", folder, "--dry-run")
    unchanged = operations(answer)
    taken = answer("import", folder)
    [new] = taken["new"]
    item = item_of(run, new["id"])
    done = operations(answer)
    again = answer("import", folder)
    run("undo", taken["operation"])
    texts = {item["text"] for item in json.loads(run("list", "--json").stdout)}

    assert (len(dry["new"]), dry["forgotten"], dry["operation"], unchanged) == (1, [gone], None, before)
    assert (taken["forgotten"], taken["edited"], new["status"]) == ([gone], [kept], "created")
    assert (item["text"], item["kind"], item["tags"], item["pinned"]) == (
        "Deploy on Tuesdays.",
        "procedure",
        ["ops"],
        True,
    )
    assert done == before + 1
    assert again["operation"] is None
    assert texts == {"The office is in Lisbon.", "Maya likes green tea."}


def test_a_new_file_is_that_memorys_from_then_on(run: Run, answer: Answer, folder: Path) -> None:
    run("remember", "The office is in Lisbon.")
    export(run, folder)
    mine = folder / "My deploys.md"
    mine.write_text("Deploy on Tuesdays.\n")
    first = answer("sync", folder)
    mine.write_text("Deploy on Wednesdays.\n")
    second = answer("sync", folder)
    identifier = first["taken_in"]["new"][0]["id"]
    run("update", identifier, "--content", "Deploy on Thursdays.")
    answer("sync", folder)

    assert second["taken_in"]["edited"] == [identifier]
    assert mine.read_text("utf-8").endswith("\n\nDeploy on Thursdays.\n")
    assert len(list(folder.rglob("*.md"))) == 3  # it, the other memory's and the index


def test_an_edited_file_gets_the_name_description_and_revision_of_what_it_says(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("First fact about rivers.", "--tag", "water")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "tags: [water]\n", "aliases: [the wide one]\ntags:\n  - Water # mine\n")
    edit(path, "\nFirst fact about rivers.\n", "\n\nFirst fact about oceans.\n\n\n")
    answer("sync", folder)
    first = path.read_text("utf-8")
    before = everything(folder)
    again = answer("sync", folder)

    assert 'name: "First fact about oceans."\ndescription: "First fact about oceans."\n' in first
    assert f'id: "{identifier}"\nrevision: 2\n' in first
    assert "aliases: [the wide one]\ntags:\n  - Water # mine\n" in first
    assert first.endswith("\n---\n\n\nFirst fact about oceans.\n\n\n")
    assert "rivers" not in first
    assert (again["taken_in"]["operation"], again["written_out"]["written"]) == (None, 0)
    assert everything(folder) == before


def test_a_file_made_by_hand_gets_its_id_and_is_no_stranger_in_a_copy(
    run: Run, answer: Answer, folder: Path, tmp_path: Path
) -> None:
    run("remember", "The office is in Lisbon.")
    export(run, folder)
    (folder / "dog.md").write_bytes(b"The dog is called Bruno.\r\n")
    own = "---\nname: cat\nsource: https://example.org/cat\ntags: [pets]\n---\nThe cat is called Mia.\n"
    (folder / "cat.md").write_text(own)
    new = {item["text"]: item["id"] for item in answer("sync", folder)["taken_in"]["new"]}
    dog, cat = (folder / "dog.md").read_bytes().decode(), (folder / "cat.md").read_bytes().decode()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".mcp-memory.json"))
    edit(copy / "dog.md", "is called Bruno.\r\n", "is called Rex.\r\n")
    told = answer("import", copy)

    assert f'id: "{new["The dog is called Bruno."]}"\r\nrevision: 1\r\n' in dog
    assert 'name: "The dog is called Bruno."\r\n' in dog
    assert dog.endswith("\r\n---\r\n\r\nThe dog is called Bruno.\r\n")
    assert cat.endswith("name: cat\nsource: https://example.org/cat\ntags: [pets]\n---\nThe cat is called Mia.\n")
    assert f'id: "{new["The cat is called Mia."]}"\nrevision: 1\n' in cat
    assert (told["edited"], told["new"]) == ([new["The dog is called Bruno."]], [])


def test_a_file_that_changed_before_its_made_lines_are_written_keeps_the_change(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp_memory.markdown_folder import pages

    identifier = remember("First fact about rivers.")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "\nFirst fact about rivers.\n", "\nFirst fact about oceans.\n")
    real = pages.refresh_page

    def meanwhile(*arguments: Any) -> str:
        edit(path, "about oceans.\n", "about lakes.\n")
        return real(*arguments)

    monkeypatch.setattr(pages, "refresh_page", meanwhile)
    told = answer("sync", folder)
    monkeypatch.undo()
    answer("sync", folder)

    assert [Path(name).name for name in told["written_out"]["left"]] == [path.name]
    assert path.read_text("utf-8").endswith("First fact about lakes.\n")
    assert item_of(run, identifier)["text"] == "First fact about lakes."


def test_a_new_file_is_known_again_where_the_state_of_the_folder_was_lost(
    run: Run, answer: Answer, folder: Path
) -> None:
    run("remember", "The office is in Lisbon.")
    export(run, folder)
    (folder / "deploys.md").write_text("Deploy on Tuesdays.\n")
    first = answer("import", folder)
    (folder / ".mcp-memory.json").unlink()
    told = answer("sync", folder)
    (folder / "deploys.md").write_text("Deploy on Wednesdays.\n")
    edited = answer("sync", folder)["taken_in"]["edited"]

    assert told["taken_in"]["operation"] is None
    assert edited == [first["new"][0]["id"]]
    assert len(notes(folder)) == 1


def test_what_an_agent_writes_into_its_memory_folder_comes_in(run: Run, answer: Answer, folder: Path) -> None:
    run("remember", "The office is in Lisbon.")
    export(run, folder)
    (folder / "feedback_tests.md").write_text(
        "---\nname: tests\ndescription: Run tests before pushing\ntype: feedback\n---\n\nAlways run the quick suite.\n"
    )
    edit(
        folder / "MEMORY.md",
        "## Memories\n\n",
        "## Memories\n\n- [tests](feedback_tests.md): run them\n- Prefers tabs\n",
    )
    taken = answer("sync", folder)["taken_in"]
    again = answer("sync", folder)
    kinds = {item["text"]: item["kind"] for item in json.loads(run("list", "--json").stdout)}

    assert sorted(item["text"] for item in taken["new"]) == [
        "Prefers tabs",
        "Run tests before pushing: Always run the quick suite.",
    ]
    assert kinds["Run tests before pushing: Always run the quick suite."] == "preference"
    assert again["taken_in"]["operation"] is None


def test_what_both_sides_changed_is_told_and_stays_until_a_side_is_named(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The port is 8080.")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "The port is 8080.\n", "The port is 1111.\n")
    run("update", identifier, "--content", "The port is 2222.")
    for _ in range(2):
        told = answer("sync", folder)
        assert [(clash["id"], told["taken_in"]["operation"]) for clash in told["taken_in"]["conflicts"]] == [
            (identifier, None)
        ]
        assert "1111" in path.read_text("utf-8")
        assert item_of(run, identifier)["text"] == "The port is 2222."
    text = run("import", folder).output
    answer("import", folder, "--keep", "file")

    assert "--keep" in text
    assert item_of(run, identifier)["text"] == "The port is 1111."
    assert "2222" in run("history", identifier).output


def test_keeping_the_stores_side_writes_it_over_the_file(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The port is 8080.")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "The port is 8080.\n", "The port is 1111.\n")
    run("update", identifier, "--content", "The port is 2222.")
    answer("sync", folder, "--keep", "store")

    assert path.read_text("utf-8").endswith("\n\nThe port is 2222.\n")
    assert answer("sync", folder)["taken_in"]["conflicts"] == []


def test_a_file_deleted_here_and_changed_there_comes_back(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The port is 8080.")
    export(run, folder)
    file_of(folder, identifier).unlink()
    run("update", identifier, "--content", "The port is 2222.")
    told = answer("sync", folder)

    assert [clash["id"] for clash in told["taken_in"]["conflicts"]] == [identifier]
    assert "2222" in file_of(folder, identifier).read_text("utf-8")


@pytest.mark.parametrize("erase", [(), ("--erase",)])
def test_what_is_forgotten_or_erased_is_in_no_file(
    run: Run, remember: Callable[..., str], folder: Path, erase: tuple[str, ...]
) -> None:
    for number in range(3):
        remember(f"The crane number {number} carries cargo.", "--tag", "cranes")
    identifier = remember("The crane called Zanzibar carries cargo.", "--tag", "cranes")
    export(run, folder)
    run("forget", identifier, *erase)
    export(run, folder)
    left = [path.name for path in folder.rglob("*") if path.is_file() and b"anzibar" in path.read_bytes().lower()]

    assert left == []
    assert not any("zanzibar" in path.name.lower() for path in folder.rglob("*"))


def test_an_edit_of_what_was_forgotten_is_kept_and_told(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The port is 8080.")
    remember("The office is in Lisbon.")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "The port is 8080.\n", "The port is 1111.\n")
    run("forget", identifier)
    told = answer("sync", folder)

    assert [clash["what"] for clash in told["taken_in"]["conflicts"]] == ["was forgotten, and its file was edited"]
    assert told["written_out"]["left"] == [path.relative_to(folder).as_posix()]
    assert "1111" in path.read_text("utf-8")


def test_secrets_and_private_parts_of_an_edit_are_not_kept_and_leave_the_folder(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    identifier = remember("The deploy token is in the vault.")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "is in the vault.\n", f"is {token}. <private>Ask Maya.</private> Rotate it.\n")
    (folder / "new.md").write_text(f"My other token is {token}.\n")
    told = answer("sync", folder)["taken_in"]
    texts = [item["text"] for item in json.loads(run("list", "--json").stdout)]

    assert told["masked"] == {"GitHub token": 2}
    assert token not in str(texts)
    assert "Maya" not in str(texts)
    assert [path.name for path in folder.rglob("*.md") if token in path.read_text("utf-8")] == []
    assert answer("sync", folder)["taken_in"]["operation"] is None


def test_a_renamed_file_stays_that_memorys(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The port is 8080.")
    export(run, folder)
    file_of(folder, identifier).rename(folder / "Ports.md")
    told = answer("sync", folder)
    run("update", identifier, "--content", "The port is 2222.")
    answer("sync", folder)

    assert (told["taken_in"]["moved"], told["taken_in"]["operation"]) == (1, None)
    assert notes(folder) == []
    assert "2222" in (folder / "Ports.md").read_text("utf-8")
    assert "](Ports.md)" in (folder / "MEMORY.md").read_text("utf-8")


def test_a_copy_of_a_file_is_told_and_neither_forgotten_nor_taken_for_it(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The port is 8080.")
    export(run, folder)
    path = file_of(folder, identifier)
    (folder / "copy.md").write_text(path.read_text("utf-8").replace("8080.\n", "1111.\n"))
    told = answer("sync", folder)["taken_in"]

    assert ([problem["where"] for problem in told["problems"]], told["operation"]) == (["copy.md"], None)
    assert item_of(run, identifier)["text"] == "The port is 8080."
    assert "1111" in (folder / "copy.md").read_text("utf-8")


def test_most_files_gone_forgets_nothing_unless_it_is_confirmed(run: Run, answer: Answer, folder: Path) -> None:
    for number in range(30):
        run("remember", f"Shelf {number} holds the books of author {number * 7}.")
    export(run, folder)
    count = len(notes(folder))
    for path in notes(folder):
        path.unlink()
    refused = run("sync", folder)
    taken = answer("import", folder, "--confirm")

    assert (refused.exit_code, "--confirm" in refused.output) == (1, True)
    assert len(taken["forgotten"]) == count


def test_a_file_that_cannot_be_read_is_told_and_left(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    broken, scoped = remember("The port is 8080."), remember("The office is in Lisbon.")
    export(run, folder)
    edit(file_of(folder, scoped), "scope: demo", "scope: elsewhere")
    path = file_of(folder, broken)
    edit(path, "kind: fact", "kind: [fact")
    before = path.read_bytes()
    told = answer("sync", folder)

    assert len(told["taken_in"]["problems"]) == 2
    assert told["taken_in"]["operation"] is None
    assert path.read_bytes() == before
    assert item_of(run, broken)["text"] == "The port is 8080."


def test_front_matter_of_other_programs_stays(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    identifier = remember("The port is 8080.")
    export(run, folder)
    path = file_of(folder, identifier)
    edit(path, "kind: fact", "aliases:\n  - the port\n  - '8080'\nkind: fact\ncssclasses: [wide]")
    answer("sync", folder)
    run("update", identifier, "--content", "The port is 2222.")
    answer("sync", folder)

    assert "aliases:\n  - the port\n  - '8080'\n" in path.read_text("utf-8")
    assert "cssclasses: [wide]\n" in path.read_text("utf-8")
    assert "2222" in path.read_text("utf-8")


def test_a_topics_digest_is_edited_in_its_file(run: Run, answer: Answer, folder: Path) -> None:
    for service, port in (("billing", 8001), ("search", 8002), ("login", 8003)):
        run("remember", f"The {service} service listens on port {port}.", "--tag", "ports")
    export(run, folder)
    [path] = (folder / "topics").glob("*.md")
    head, _, rest = path.read_text("utf-8").partition("---\n\n")
    path.write_text(
        f"{head}---\n\nEvery service has a port above 8000.\n\n## Memories{rest.partition('## Memories')[2]}"
    )
    told = answer("sync", folder)
    again = answer("sync", folder)
    topics = json.loads(run("topics", "--json").stdout)

    assert len(told["taken_in"]["digests"]) == 1
    assert again["taken_in"]["operation"] is None
    assert "Every service has a port above 8000." in [topic["digest"] for topic in topics]
    assert "Every service has a port above 8000." in path.read_text("utf-8")


def test_a_folder_that_is_not_ours_is_not_written_to(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    remember("The port is 8080.")
    folder.mkdir()
    (folder / "MEMORY.md").write_text("# My own index\n")
    refused = run("export", "--to", folder)
    other = tmp_path / "other"
    export(run, other)
    foreign = tmp_path / "foreign.db"
    run("remember", "Something else.", other=foreign)
    before = everything(other)
    elsewhere = run("export", "--to", other, other=foreign)

    assert (refused.exit_code, elsewhere.exit_code) == (1, 1)
    assert [path.name for path in folder.iterdir()] == ["MEMORY.md"]
    assert everything(other) == before


def test_a_folder_comes_into_another_file_as_new_memories_once(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    remember("Maya likes green tea.", "--kind", "preference", "--tag", "tea", "--occurred-at", "2026-03-04")
    remember("The port is 8080.", "--importance", "0.9")
    export(run, folder)
    before, other = everything(folder), tmp_path / "other.db"
    first = answer("import", folder, other=other)
    second = answer("import", folder, other=other)
    fields = ("text", "kind", "tags", "scope", "occurred_at", "importance")
    listed = [
        sorted([item[field] for field in fields] for item in json.loads(run("list", "--json", other=file).stdout))
        for file in (None, other)
    ]

    assert (len(first["new"]), second["new"], second["operation"]) == (2, [], None)
    assert [item[:5] for item in listed[0]] == [item[:5] for item in listed[1]]
    assert everything(folder) == before


def test_without_its_state_a_folder_is_known_by_the_ids_in_its_files(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    one, two = remember("The port is 8080."), remember("The office is in Lisbon.")
    export(run, folder)
    (folder / ".mcp-memory.json").unlink()
    edit(file_of(folder, one), "The port is 8080.\n", "The port is 1111.\n")
    file_of(folder, two).unlink()
    told = answer("sync", folder)

    assert (told["taken_in"]["edited"], told["taken_in"]["forgotten"]) == ([one], [])
    assert len(notes(folder)) == 2
    assert answer("sync", folder)["taken_in"]["operation"] is None


def test_a_state_file_that_points_out_of_the_folder_is_not_followed(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    identifier = remember("The port is 8080.")
    export(run, folder)
    [path] = notes(folder)
    outside = tmp_path / "outside.md"
    outside.write_bytes(path.read_bytes())
    edit(folder / ".mcp-memory.json", f"memories/{path.name}", "../outside.md")
    path.unlink()
    run("forget", identifier)
    export(run, folder)

    assert outside.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a right to make links on Windows")
def test_a_link_to_a_file_elsewhere_is_not_read(run: Run, answer: Answer, folder: Path, tmp_path: Path) -> None:
    run("remember", "The port is 8080.")
    export(run, folder)
    (tmp_path / "secret.md").write_text("Somebody else's words.\n")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")

    assert answer("sync", folder)["taken_in"]["new"] == []


def test_a_file_that_was_renamed_and_broken_or_became_a_link_is_not_taken_for_deleted(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    one, two = remember("The port is 8080."), remember("The office is in Lisbon.")
    export(run, folder)
    edit(file_of(folder, one), "kind: fact", "kind: [fact")
    file_of(folder, one).rename(folder / "Ports.md")
    path = file_of(folder, two)
    path.rename(tmp_path / "elsewhere.md")
    path.symlink_to(tmp_path / "elsewhere.md")
    told = answer("import", folder)

    assert (told["forgotten"], told["operation"], len(told["problems"])) == ([], None, 2)


def test_a_line_of_the_index_that_is_refused_stays_there(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    remember("The port is 8080.")
    export(run, folder)
    line = "- The token is ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    edit(folder / "MEMORY.md", "## Memories\n\n", f"## Memories\n\n{line}\n")
    told = answer("sync", folder, "--secrets", "refuse")

    assert [problem["where"] for problem in told["taken_in"]["problems"]] == ["MEMORY.md"]
    assert line in (folder / "MEMORY.md").read_text("utf-8")


def test_a_folder_that_lost_its_index_gets_it_again(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path
) -> None:
    gone = remember("The port is 8080.")
    remember("The office is in Lisbon.")
    export(run, folder)
    (folder / "MEMORY.md").unlink()
    file_of(folder, gone).unlink()
    told = answer("sync", folder)

    assert told["taken_in"]["forgotten"] == [gone]
    assert "The office is in Lisbon" in (folder / "MEMORY.md").read_text("utf-8")


def test_a_folder_that_was_packed_up_is_imported_as_what_it_was(
    run: Run, answer: Answer, remember: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    remember("Deploy steps:\n\n1. build\n2. ship", "--kind", "procedure", "--tag", "ops")
    remember("Maya likes [[green]] tea.", "--scope", "user")
    export(run, folder)
    packed, other = shutil.make_archive(str(tmp_path / "notes"), "zip", folder), tmp_path / "other.db"
    answer("import", packed, other=other)
    fields = ("text", "kind", "tags", "scope")
    listed = [
        sorted([item[name] for name in fields] for item in json.loads(run("list", "--json", other=file).stdout))
        for file in (None, other)
    ]

    assert listed[0] == listed[1]


def test_a_later_layout_is_refused(run: Run, remember: Callable[..., str], folder: Path) -> None:
    remember("The port is 8080.")
    export(run, folder)
    edit(folder / "MEMORY.md", "mcp-memory: 1", "mcp-memory: 99")
    refused = run("sync", folder)

    assert (refused.exit_code, "Upgrade" in refused.output) == (1, True)


NASTY = st.one_of(
    st.sampled_from(
        [
            "---\nid: x\n---\nbody",
            "---",
            "a\n---\nb\n...\nc",
            "```yaml\n---\nkind: event\n---\n```",
            "one\r\ntwo\r\n\r\nthree",
            "trailing blanks  \n  and\ttabs\t",
            "emoji 👩‍👩‍👧 🇵🇹 ✈️",
            "東京は日本の首都です。",
            "한국어 서울",
            "see [[Other|alias]] and [x](y.md) ![[pic.png]] #tag",
            "#00abc0123456v: recited?",
            "## Memories\n\n- [[x]]",
            "<!-- comment --> & <b>html</b>",
            "a\x0bb\x0cc\x1b[31m\x85\u2028d\ufeffe",
            "key: value\n- list\n> quote",
            "CON",
            "é e\u0301",
            "'\"\\n {a: [b]} %TAG !x &y *z",
            "x" * 300,
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=60),
)


@examples(25)
@given(texts=st.lists(NASTY, min_size=1, max_size=8), tags=st.lists(st.text("aZ ,:#'\"-1é", max_size=6), max_size=3))
def test_any_texts_come_back_as_they_went(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], tags: list[str]
) -> None:
    root = tmp_path_factory.mktemp("round")
    with Memory.open(root / "one.db", model=HashingEncoder()) as memory:
        memory.wait_for_encoder()
        entries = [Entry(text, tags=tuple(tags)) for text in texts if text.strip()]
        if entries:
            memory.remember(items=entries)
        memory.maintenance.gather()
        memory.folder.write(root / "notes")
        before, done = everything(root / "notes"), len(memory.operations(limit=500))
        taken = memory.folder.read(root / "notes", by=memory_caller(), progress=lambda done, total: None)
        memory.folder.write(root / "notes")

        assert (taken.operation, taken.problems, taken.conflicts) == (None, [], [])
        assert everything(root / "notes") == before
        assert len(memory.operations(limit=500)) == done

        (root / "notes" / ".mcp-memory.json").unlink()  # now each file is read, and compared with what it was made from
        taken = memory.folder.read(root / "notes", by=memory_caller(), progress=lambda done, total: None)

        assert (taken.operation, taken.problems, taken.conflicts, taken.new) == (None, [], [], [])
        assert {name: held for name, (_, held) in everything(root / "notes").items() if name.endswith(".md")} == {
            name: held for name, (_, held) in before.items() if name.endswith(".md")
        }


@examples(25)
@given(texts=st.lists(NASTY, min_size=2, max_size=2))
def test_whatever_someone_writes_into_a_file_is_what_the_memory_says(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    root = tmp_path_factory.mktemp("edit")
    with Memory.open(root / "one.db", model=HashingEncoder(), secrets="keep") as memory:
        memory.wait_for_encoder()
        identifier = memory.remember(f"It begins as: {texts[0]}.").items[0].id
        memory.folder.write(root / "notes")
        [path] = notes(root / "notes")
        head, _, _ = path.read_bytes().partition(b"---\n\n")
        path.write_bytes((head + b"---\n\n" + texts[1].encode() + b"\n\n").replace(b"\n", b"\r\n"))
        wanted = path.read_bytes().decode().replace("\r\n", "\n").replace("\r", "\n").partition("---\n\n")[2].strip()
        taken = memory.folder.read(root / "notes", by=memory_caller(), progress=lambda done, total: None)
        memory.folder.write(root / "notes")
        before = everything(root / "notes")
        again = memory.folder.read(root / "notes", by=memory_caller(), progress=lambda done, total: None)
        memory.folder.write(root / "notes")

        assert (memory.item(identifier)[0].text == wanted, bool(taken.problems)) == (bool(wanted), not wanted)
        assert again.operation is None
        assert everything(root / "notes") == before


def memory_caller() -> Any:
    from mcp_memory.domain.model import Caller

    return Caller()


def test_names_of_files_are_safe_everywhere(run: Run, remember: Callable[..., str], folder: Path) -> None:
    for text in ("CON", "con", "aux: ports?", "Ärger/../../etc", "..", "x" * 400, "日本語 " * 80, "Nul.", "nul"):
        run("remember", text, "--tag", "con")
    export(run, folder)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.md")]

    assert len({name.casefold() for name in names}) == len(names)
    assert all(len(name.encode()) < 120 and not re.search(r'[<>:"\\|?*\x00-\x1f]|\.\.', name) for name in names)
    assert not any(re.fullmatch(r"(?i)con|prn|aux|nul", Path(name).stem) for name in names)


@pytest.mark.skipif(sys.platform == "win32", reason="an interrupt is POSIX's")
def test_watching_brings_both_in_step_until_it_is_interrupted(
    run: Run, remember: Callable[..., str], folder: Path, database: Path, environment: dict[str, str]
) -> None:
    identifier = remember("The port is 8080.")
    command = [sys.executable, "-m", "mcp_memory", "sync", str(folder), "--watch", "--interval", "0.1"]
    watching = subprocess.Popen(
        [*command, "--database", str(database)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        until(lambda: bool(list(folder.glob("memories/*.md")) and (folder / ".mcp-memory.json").exists()))
        path = file_of(folder, identifier)
        edit(path, "The port is 8080.\n", "The port is 1111.\n")
        until(lambda: item_of(run, identifier)["text"] == "The port is 1111.")
        run("update", identifier, "--content", "The port is 2222.")
        until(lambda: "2222" in path.read_text("utf-8"))
        watching.send_signal(signal.SIGINT)
        output, problems = watching.communicate(timeout=PATIENCE)
    finally:
        watching.kill()

    assert (watching.returncode, b"Traceback" in problems) == (0, False)
    assert b"1 edited" in output


def until(true: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"it did not happen in {PATIENCE} seconds"
        time.sleep(0.05)


def test_a_file_that_changed_in_this_moment_is_not_written_over(
    run: Run, remember: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp_memory.markdown_folder import state

    (folder / "memories").mkdir(parents=True)
    assert state.write(folder, "memories/a.md", b"one", over=None)
    (folder / "memories" / "a.md").write_bytes(b"edited")

    assert state.write(folder, "memories/a.md", b"two", over=b"one") is False
    assert state.remove(folder, "memories/a.md", held=b"one") is False
    assert (folder / "memories" / "a.md").read_bytes() == b"edited"
    with pytest.raises(Conflict):
        state.prepare_folder(folder / "memories")
