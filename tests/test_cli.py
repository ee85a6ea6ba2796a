"""The command line: the verbs from a shell, for people and for programs."""

import errno
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result
from clock import Clock
from conftest import PATIENCE

from mcp_memory.cli import COMMANDS, main
from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.memory import Memory

Run = Callable[..., Result]
Spawn = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def run(database: Path, environment: dict[str, str]) -> Run:
    """Run a command in this process, with nothing of ours in the environment but the encoder."""
    unset = {name: None for name in os.environ if name.startswith(("MCP_", "CLAUDE_"))}

    def run(*arguments: str, stdin: str | bytes | None = None, env: dict[str, str] | None = None) -> Result:
        ours = {"MCP_MEMORY_MODEL": environment["MCP_MEMORY_MODEL"], "MCP_MEMORY_PROJECT": "demo"}
        variables: dict[str, str | None] = {**unset, **ours, "MCP_MEMORY_DATABASE": str(database), **(env or {})}
        return CliRunner().invoke(main, list(arguments), input=stdin, env=variables)

    return run


@pytest.fixture
def spawn(database: Path, environment: dict[str, str]) -> Spawn:
    """Run a command in a process of its own."""

    def spawn(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "mcp_memory", "--database", str(database), *arguments],
            env=environment | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )

    return spawn


def identifier_in(result: Result) -> str:
    assert result.exit_code == 0, result.output
    found = re.search(r"#(\w+)", result.output)
    assert found
    return found[1]


def test_what_one_command_remembers_another_recalls_updates_summarizes_and_forgets(run: Run) -> None:
    identifier = identifier_in(run("remember", "The staging database runs on Postgres 16.", "--tag", "infra"))
    recalled = run("recall", "staging database")
    updated = run("update", identifier, "--content", "The staging database runs on Postgres 17.")
    summarized = run("summarize", "infra")
    forgotten = run("forget", identifier)
    listed = run("list")

    assert f"#{identifier}" in recalled.output
    assert "Postgres 16." in recalled.output
    assert updated.exit_code == 0
    assert "Postgres 17." in summarized.output
    assert forgotten.exit_code == 0
    assert (listed.exit_code, listed.output) == (0, "Nothing matches.\n")


def test_every_verb_answers_programs_with_the_data_of_its_tool(run: Run) -> None:
    kept = json.loads(run("remember", "Maya likes green tea.", "--kind", "preference", "--json").stdout)
    identifier = kept["items"][0]["id"]
    recalled = json.loads(run("recall", "green tea", "--json").stdout)
    updated = json.loads(run("update", identifier, "--importance", "0.9", "--json").stdout)
    summarized = json.loads(run("summarize", "--query", "tea", "--json").stdout)
    listed = json.loads(run("list", "--json").stdout)
    stats = json.loads(run("stats", "--json").stdout)
    forgotten = json.loads(run("forget", identifier, "--json").stdout)

    assert kept["items"] == [{"id": identifier, "status": "created"}]
    assert [(hit["id"], hit["scope"]) for hit in recalled["hits"]] == [(identifier, "user")]
    assert updated["changed"] == ["importance"]
    assert summarized["items"] == [identifier]
    assert [(item["id"], item["importance"]) for item in listed] == [(identifier, 0.9)]
    assert (stats["items"], stats["kinds"]) == (1, {"preference": 1})
    assert forgotten == {"ids": [identifier], "done": True, "erased": False}


def test_what_one_command_did_another_tells_and_takes_back(run: Run) -> None:
    identifier = identifier_in(run("remember", "The deploy port is 8080."))
    run("update", identifier, "--content", "The deploy port is 9090.")
    told = run("history", identifier)
    preview = run("undo", "--dry-run")
    before = run("recall", "deploy port")
    undone = json.loads(run("undo", "--json").stdout)
    after = run("recall", "deploy port")
    operations = json.loads(run("history", "--limit", "2", "--json").stdout)["operations"]
    brought_back = run("undo", undone["operation"])

    assert "text: The deploy port is [-8080-]{+9090+}." in told.output
    assert preview.output.startswith("Would take back ")
    assert ("9090" in before.output, "8080" in after.output) == (True, True)
    assert [(entry["verb"], entry["id"]) for entry in operations] == [
        ("undo", undone["operation"]),
        ("update", undone["undone"]["id"]),
    ]
    assert brought_back.output.startswith("Brought back ")
    assert "9090" in run("recall", "deploy port").output


def test_a_shell_is_told_commands_and_not_tools(run: Run) -> None:
    for number in range(3):
        run("remember", f"The old flat had door {number} painted green.")
    red = identifier_in(run("remember", "The till of the shop is red.", "--scope", "shop"))
    moved = identifier_in(run("update", red, "--content", "The till is green."))
    run("summarize", "flat", "--digest", "Three doors.")
    run("remember", "The old flat had a balcony.")
    kept = run("summarize", "flat").output

    preview = run("forget", "--query", "old flat door").output
    more = run("recall", "old flat door", "--limit", "1").output
    cut = run("history", red, "--limit", "1").output
    slip = run("remember", "The counter is green.", "--scope", "shopp").output
    unknown = run("recall", "anything", "--scope", "shoop").output
    gone = run("forget", "--query", "old flat door", "--confirm").output
    undone = run("undo").output

    assert moved == red
    assert "call mcp-memory forget … --confirm, or with ids" in preview
    assert "come since; mcp-memory summarize … --digest … once the digest" in kept
    assert "mcp-memory recall … --limit 4 or a larger --max-tokens" in more
    assert "1 earlier state is left out; a larger --limit shows it." in cut
    assert "shopp is a scope that nothing had before; if another is meant: --scope shop." in slip
    assert "if another is meant: --scope shop" in unknown
    assert "--erase removes them for good" in gone
    assert re.search(r"To change that again: mcp-memory undo \w{13}\.", undone)
    told = preview + kept + more + cut + slip + unknown + gone + undone
    assert not re.search(r"confirm=|limit=|max_tokens|scope=|erase=|operation=", told)


def test_a_rule_of_retention_shows_first_and_goes_by_kind_and_scope(run: Run, database: Path) -> None:
    long_ago = Clock()
    texts = {"note": "An old note that is kxqzvj.", "fact": "An old fact.", "event": "A web event."}
    with Memory.open(database, model=HashingEncoder(), clock=long_ago) as memory:
        for kind, text in texts.items():
            memory.remember(text, like=Entry("", kind=kind, scope="web" if kind == "event" else "user"))
        tombstone = memory.remember("Another note that was kxqzvj.", like=Entry("", kind="note")).items[0].id
        memory.forget([tombstone])
    run("remember", "A new fact.", "--scope", "user")

    shown = run("forget", "--older-than", "30d", "--kind", "note")
    kept = json.loads(run("list", "--json").stdout)
    erased = json.loads(run("forget", "--older-than", "30d", "--kind", "note", "--erase", "--yes", "--json").stdout)
    raw = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    by_scope = run("forget", "--older-than", "30d", "--scope", "user", "--yes")
    left = json.loads(run("list", "--json").stdout)
    undone = run("undo")

    assert shown.output.startswith("Would forget 1. Nothing was changed yet.\n")
    assert "To do it add --yes." in shown.output
    assert len(kept) == 4
    assert (len(erased["ids"]), erased["done"], erased["erased"], b"kxqzvj" in raw) == (2, True, True, False)
    assert by_scope.output.startswith("Forgot 1 ")
    assert {item["text"] for item in left} == {"A new fact.", "A web event."}
    assert "An old fact." in undone.output
    assert run("forget", "--older-than", "2y").output == "Nothing is older than that.\n"
    assert run("forget", "--older-than", "30d", "--query", "x").exit_code == 2
    assert run("forget", "--query", "x", "--kind", "note").exit_code == 2


def test_summarize_and_list_answer_from_what_was_known_then(run: Run, database: Path) -> None:
    clock = Clock()
    with Memory.open(database, model=HashingEncoder(), clock=clock) as memory:
        item = memory.remember("The deploy port is 8080.", like=Entry("", tags=("net",), scope="user")).items[0].id
        clock.pass_(days=1)
        memory.update(item, content="The deploy port is 9090.")

    answers = [run(*command, "--as-of", "2026-03-02").output for command in (["summarize", "net"], ["list"])]

    assert [("8080" in answer, "9090" in answer) for answer in answers] == [(True, False)] * 2


def test_a_file_and_standard_input_are_remembered_as_utf8(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_bytes("\ufeffDie Tür ist grün.".encode())
    from_file = run("remember", "--file", str(notes))
    from_input = run("remember", "-", stdin="奶奶的生日是农历八月十五。".encode())
    listed = json.loads(run("list", "--json").stdout)

    assert (from_file.exit_code, from_input.exit_code) == (0, 0)
    assert {item["text"] for item in listed} == {"Die Tür ist grün.", "奶奶的生日是农历八月十五。"}


def test_a_text_beside_a_file_is_refused_and_neither_is_dropped(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("The llamas moved to the upper meadow.", "utf-8")

    for text in ("The cats have a new door.", "-"):
        result = run("remember", text, "--file", str(notes), stdin=b"The cats have a new door.")

        assert (result.exit_code, result.stdout) == (2, "")
        assert "Give either a text or --file, not both: call it once for each." in result.stderr
    assert "There is no memory file" in run("list").stderr


def test_options_stand_before_or_after_the_command(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    before = run("--database", str(other), "remember", "One fact.")
    after = run("list", "--database", str(other))

    assert before.exit_code == 0
    assert "One fact." in after.output


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["remember", " "], 1, "Error: content is empty; say in a sentence what to remember.\n"),
        (["remember", "fine", "--kind", "rumour"], 1, "Error: kind 'rumour' is none of fact,"),
        (["update", "0p9s3l9cgm2pe", "--pin"], 1, "Error: There is no memory #0p9s3l9cgm2pe. Use recall"),
        (["forget"], 1, "Error: Give either ids (as recall prints them) or a query.\n"),
        (["recall", "x", "--limit", "0"], 1, "Error: limit is 0; give a number from 1 to 1000.\n"),
        (["stats", "--log-level", "loud"], 1, "Error: --log-level LOUD is none of DEBUG, INFO, WARNING, ERROR.\n"),
        (["stats", "--database", "."], 1, "Error: . is a directory. Name a file with --database"),
        (
            ["remember", "fine", "--read-only", "--database", "nowhere.db"],
            1,
            "does not exist, and --read-only forbids to make it.\n",
        ),
        (["remember", "fine", "--model", "nowhere"], 1, "cannot be read"),
        (["remember"], 2, "Say what to remember: a text, --file FILE, or - for standard input.\n"),
        (["recall", "x", "--limit", "all"], 2, "'all' is not a valid integer."),
        (["memorize", "x"], 2, "No such command 'memorize'."),
    ],
)
def test_an_error_goes_to_stderr_with_an_exit_code(
    run: Run, arguments: list[str], exit_code: int, message: str
) -> None:
    run("remember", "Something to look for.")

    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_text_that_is_not_utf8_is_named(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_bytes("grün".encode("latin-1"))

    assert run("remember", "--file", str(notes)).stderr == (
        f"Error: {notes} is not UTF-8 text (invalid start byte at byte 2).\n"
    )
    assert run("remember", "-", stdin=b"\xff").stderr == (
        "Error: standard input is not UTF-8 text (invalid start byte at byte 0).\n"
    )
    assert "There is no memory file" in run("list").stderr


def test_verify_finds_a_sound_file_sound_and_a_damaged_one_damaged(run: Run, database: Path) -> None:
    run("remember", "A fact.")
    sound = run("verify")
    content = bytearray(database.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    database.write_bytes(content)
    damaged = run("verify")

    assert (sound.exit_code, sound.stdout) == (0, f"sound: {database} (not encrypted) and the encoder's files\n")
    assert damaged.exit_code == 1
    assert "Traceback" not in damaged.output


def test_a_memory_cannot_give_orders_to_the_terminal(run: Run) -> None:
    run("remember", "The gate \x1b[2J\x9b31m is \a green.")

    assert "The gate \\x1b[2J\\x9b31m is \\x07 green." in run("recall", "gate").output
    assert "The gate \\x1b[2J\\x9b31m is \\x07 green." in run("list").output


def test_a_backup_is_a_file_that_can_be_recalled_from(run: Run, tmp_path: Path) -> None:
    run("remember", "The gate is green.")
    copied = run("backup", str(tmp_path / "copy.db"))
    recalled = run("recall", "gate", "--database", str(tmp_path / "copy.db"))

    assert copied.exit_code == 0
    assert "The gate is green." in recalled.output


def test_backups_get_dated_names_and_a_rule_lets_older_ones_go(run: Run, database: Path) -> None:
    run("remember", "The gate is green.")
    folder = database.parent / "backups"
    made = run("backup")
    old = folder / "memory-2020-01-01T000000Z.db"
    strange = folder / "notes.db"
    for path in (old, strange):
        path.write_bytes(b"")

    again = run("backup", "--keep", "1 daily")

    assert re.search(r"backups.memory-\d{4}-\d\d-\d\dT\d{6}Z\.db is a checked copy", made.output)
    assert f"Removed {old}." in again.output
    assert strange.exists()
    assert len(list(folder.iterdir())) == 2


def test_a_backup_is_restored_and_what_it_replaced_is_kept(run: Run, tmp_path: Path) -> None:
    run("remember", "The gate is green.")
    run("backup", str(tmp_path / "copy.db"))
    run("remember", "The fence is blue.")

    refused = run("restore", str(tmp_path / "copy.db"))
    restored = run("restore", str(tmp_path / "copy.db"), "--force")
    listed = run("list")

    assert (refused.exit_code, restored.exit_code) == (1, 0)
    assert "holds 1 operation that the backup does not have" in refused.output
    kept = re.search(r"kept as (\S+)\. It holds 1 operation", restored.output)
    assert kept
    assert "fence" not in listed.output
    assert "fence" in run("list", "--database", kept[1]).output


def test_what_is_exported_is_imported_elsewhere_and_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    run("remember", "The gate is green.")
    target, other = str(tmp_path / "all.jsonl"), str(tmp_path / "other.db")

    exported = run("export", target)
    planned = run("import", target, "--dry-run", "--database", other)
    unmade = not Path(other).exists()
    imported = run("import", target, "--database", other)
    again = run("import", target, "--database", other)

    assert [result.exit_code for result in (exported, planned, imported, again)] == [0] * 4
    assert "would come: 1 operation, 1 source, 1 memory" in planned.output
    assert unmade
    assert "came: 1 operation" in imported.output
    assert "is known here already" in again.output
    assert run("export", "-", "--database", other).stdout_bytes == Path(target).read_bytes()
    assert run("recall", "gate", "--database", other).output.count("The gate is green.") == 1


def test_importing_what_is_no_export_names_what_can_be_imported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gate.bin").write_bytes(bytes(range(256)))

    refused = run("import", str(tmp_path / "gate.bin"))

    assert refused.exit_code == 1
    assert "What can be imported: jsonl" in refused.output


def test_the_conflicts_of_a_merge_are_data_under_the_names_that_programs_know(run: Run, tmp_path: Path) -> None:
    other = str(tmp_path / "other.db")
    item = json.loads(run("remember", "The gate is green.", "--json").stdout)["items"][0]["id"]
    run("backup", other)
    run("update", item, "--content", "The gate is red.")
    run("update", item, "--content", "The gate is blue.", "--database", other)

    [clash] = json.loads(run("merge", other, "--json").stdout)["clashes"]

    assert clash.keys() == {"kind", "ids", "told"}
    assert clash["kind"] == "changed"
    assert item in clash["told"]


def test_merging_another_file_is_told_and_can_be_taken_back(run: Run, tmp_path: Path) -> None:
    other = str(tmp_path / "other.db")
    run("remember", "The gate is green.")
    run("remember", "The fence is blue.", "--database", other)

    planned = run("merge", other, "--dry-run")
    before = run("list").output
    merged = json.loads(run("merge", other, "--json").stdout)
    after = run("list").output
    back = run("restore", merged["backup"], "--force")

    assert "1 memory" in planned.output
    assert "fence" not in before
    assert merged["came"]["item"] == 1
    assert merged["clashes"] == []
    assert "fence" in after
    assert back.exit_code == 0
    assert "fence" not in run("list").output


def test_an_old_file_is_migrated_when_asked_and_only_shown_by_a_dry_run(run: Run, database: Path) -> None:
    packed = Path(__file__).parent / "schemas" / "0005.db.gz"
    database.write_bytes(gzip.decompress(packed.read_bytes()))
    before = database.read_bytes()

    planned = run("migrate", "--dry-run")
    unchanged = database.read_bytes() == before
    migrated = run("migrate")
    again = run("migrate")

    assert "0006_topics" in planned.output
    assert "it is sound" in planned.output
    assert unchanged
    assert "is a copy of it as it was" in migrated.output
    assert "nothing to do" in again.output


def test_a_newer_file_is_refused_with_the_way_out(run: Run, database: Path) -> None:
    run("remember", "The gate is green.")
    connection = apsw.Connection(str(database))
    connection.pragma("user_version", 99)
    connection.close()

    for command in (("recall", "gate"), ("migrate",), ("backup",), ("export", "-")):
        refused = run(*command)
        assert refused.exit_code == 1
        assert "Upgrade mcp-memory" in refused.output


def test_reindex_rebuilds_what_the_search_needs(run: Run) -> None:
    run("remember", "The gate is green.")
    rebuilt = run("reindex")
    recalled = run("recall", "gate")

    assert (rebuilt.exit_code, rebuilt.output) == (0, "The indexes are rebuilt.\n")
    assert "The gate is green." in recalled.output


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_help_of_every_command_has_an_example(run: Run, command: str | None) -> None:
    result = run(*filter(None, [command]), "--help")

    assert result.exit_code == 0
    assert re.search(rf"Examples?:\n  +(\S.*\| )?mcp-memory {command or ''}", result.output)


def test_the_help_loads_nothing_heavy(environment: dict[str, str]) -> None:
    program = (
        "import sys, mcp_memory.cli; print([m for m in ('numpy', 'mcp', 'apsw', 'onnxruntime') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)

    assert ended.stdout.strip() == b"[]"


def test_nothing_is_coloured_outside_a_terminal(run: Run, spawn: Spawn) -> None:
    run("remember", "The gate is green.")
    ended = spawn("recall", "gate", "--project", "demo")

    assert b"The gate is green." in ended.stdout
    assert b"\x1b" not in ended.stdout
    assert ended.stderr == b""


def test_a_code_page_that_lacks_a_letter_does_not_stop_the_output(spawn: Spawn) -> None:
    code_page = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    spawn("remember", "奶奶的生日是农历八月十五。", env=code_page)
    ended = spawn("list", env=code_page)

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "奶奶的生日是农历八月十五。" in ended.stdout.decode("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_colours_and_a_progress_bar_unless_it_says_no(
    database: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    document = tmp_path / "document.md"
    document.write_text("\n\n".join(paragraph(number) for number in range(110)), "utf-8")
    arguments = ["--database", str(database), "--project", "demo"]
    environment["TERM"] = "xterm"
    remembered = on_terminal(["remember", "--file", str(document), *arguments], environment)
    recalled = on_terminal(["recall", "station 7", *arguments], environment)
    plain = on_terminal(["recall", "station 7", *arguments], environment | {"NO_COLOR": "1"})

    assert re.search(r"\[#+-*\] +\d+%", remembered)
    assert "#" in recalled
    assert "#" in plain
    assert "\x1b[" in recalled
    assert "\x1b[" not in plain


def paragraph(number: int) -> str:
    return " ".join(f"Station {number} of the line lies {number * n} metres from stop {n}." for n in range(1, 16))


def on_terminal(arguments: list[str], environment: dict[str, str]) -> str:
    """What a command prints on a pseudo-terminal."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mcp_memory", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        printed = b""
        while part := read_terminal(ours):
            printed += part
        os.close(ours)
        assert process.wait(60) == 0
    return printed.decode()


def read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError as error:  # how Linux says that the other side is closed
        if error.errno != errno.EIO:
            raise
        return b""


@pytest.mark.skipif(shutil.which("head") is None, reason="needs head")
def test_a_pipe_that_closes_early_is_no_error_to_speak_of(database: Path, environment: dict[str, str]) -> None:
    with Memory.open(database, model=HashingEncoder()) as memory:
        memory.remember(items=[Entry(f"Fact {number} " + "of many words " * 20) for number in range(350)])
    with subprocess.Popen(
        [sys.executable, "-m", "mcp_memory", "--database", str(database), "list", "--limit", "350"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, timeout=60)
        process.stdout.close()
        said = process.stderr.read()

    assert head.stdout.count(b"\n") == 1
    assert said == b""


@pytest.mark.model
def test_the_demo_brings_every_fact_back_and_leaves_no_file(
    spawn: Spawn, database: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    environment.pop("MCP_MEMORY_MODEL")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ended = spawn("demo", env={"TMPDIR": str(scratch), "TEMP": str(scratch), "MCP_MEMORY_READ_ONLY": "1"})

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"All 6 came back in a new process." in ended.stdout
    assert (sorted(scratch.rglob("*")), database.exists()) == ([], False)


def test_a_demo_whose_facts_do_not_come_back_fails_and_keeps_the_file_where_asked(
    run: Run, spawn: Spawn, tmp_path: Path
) -> None:
    kept = tmp_path / "demo.db"
    ended = spawn("demo", "--keep", str(kept))
    again = run("demo", "--keep", str(kept))

    assert ended.returncode == 1
    assert re.search(rb"\d of 6 did not come back\.", ended.stdout)
    with Memory.open(kept, model=HashingEncoder(), read_only=True) as memory:
        assert memory.stats().items == 6
    assert (again.exit_code, again.stderr) == (1, f"Error: {kept} exists already; name a file that does not.\n")


def test_the_version_is_the_one_that_was_released(run: Run) -> None:
    assert run("--version").output == f"mcp-memory, version {version('mcp-memory')}\n"


def test_explain_shows_what_each_score_is_made_of(run: Run) -> None:
    run("remember", "The deploy port is 9090.")

    answer = run("recall", "--explain", "deploy port")

    head, hit, spent = answer.stdout.splitlines()
    assert head.split()[:2] == ["memory", "score"]
    assert hit.endswith("'The deploy port is 9090.'")
    assert spent.startswith("encode ")


@pytest.mark.parametrize(
    "command",
    [
        ["recall", "x"],
        ["list"],
        ["stats"],
        ["verify"],
        ["summarize"],
        ["forget", "--query", "x"],
        ["reindex"],
        ["history"],
        ["undo"],
        ["forget", "--older-than", "90d"],
    ],
)
def test_looking_into_a_file_that_is_not_there_makes_none(run: Run, tmp_path: Path, command: list[str]) -> None:
    missing = tmp_path / "typo" / "memory.db"

    result = run("--database", str(missing), *command)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: There is no memory file {missing} yet.")
    assert not missing.parent.exists()


def test_topics_are_listed_with_what_they_hold(run: Run) -> None:
    run("remember", "Ada owns the parser.", "--tag", "team")
    run("remember", "Bob owns the lexer.", "--tag", "team")

    text = run("topics")
    [topic] = json.loads(run("topics", "--json").stdout)

    assert (topic["name"], len(topic["items"]), topic["stale"]) == ("team", 2, False)
    assert text.output.splitlines()[1].startswith("team (demo): 2 memories")
    assert "digest" in text.output


def test_old_tool_calls_are_folded_on_request(run: Run) -> None:
    run("remember", "read_file(path=a.py) -> ok", "--kind", "tool")

    assert json.loads(run("fold", "--json").stdout) == {"patterns": 0, "hidden": 0, "erased": 0}
    assert json.loads(run("stats", "--json").stdout)["tool_history"] == {"whole": 1, "patterns": 0, "hidden": 0}


def test_undo_without_a_name_takes_back_nothing_that_came_from_another_file(run: Run, tmp_path: Path) -> None:
    other, exported = str(tmp_path / "other.db"), str(tmp_path / "other.jsonl")
    run("remember", "Told on the other machine: glaciers.", "--database", other)
    run("export", exported, "--database", other)

    came = run("import", exported)
    refused = run("undo")

    assert "is new: deleting it takes all of this back" in came.output
    assert refused.exit_code == 1
    assert "may have been done elsewhere" in refused.output
    assert "glaciers" in run("recall", "glaciers").output

    run("remember", "Told here: volcanoes.")
    assert "volcanoes" in run("undo").output
    again = run("undo")
    assert (again.exit_code, "may have been done elsewhere" in again.output) == (1, True)


def test_after_a_merge_undo_names_the_copy_that_takes_all_of_it_back(run: Run, tmp_path: Path) -> None:
    other, named = str(tmp_path / "other.db"), ("--database", str(tmp_path / "at work.db"))
    run("remember", "Told on the other machine: glaciers.", "--database", other)
    run("remember", "Told here: volcanoes.", *named)
    run("merge", other, *named)
    run("compact", *named)

    refused = run("undo", *named)
    [command] = re.findall(r"`mcp-memory (restore .* --force .*)` takes", refused.output)
    run(*shlex.split(command))

    assert refused.exit_code == 1
    assert "glaciers" not in run("list", *named).output
    assert "volcanoes" in run("undo", *named).output
    assert "volcanoes" not in run("list", *named).output


@pytest.mark.parametrize("date", ["valid-until", "review-after", "occurred-at"])
def test_a_date_of_a_memory_is_taken_away_with_none(run: Run, date: str) -> None:
    known = identifier_in(run("remember", "The pool is open."))
    before = json.loads(run("list", "--json").output)
    given = run("update", known, f"--{date}", "2026-01-31")

    taken = run("update", known, f"--{date}", "None")

    assert (given.exit_code, taken.exit_code) == (0, 0)
    [item], [was] = json.loads(run("list", "--json").output), before
    assert {**item, "revision": 0} == {**was, "revision": 0}
    assert f"{date.replace('-', '_')}: 2026-01-31 00:00 -> none" in run("history", known).output


@pytest.mark.parametrize("change", [["--tag", ""], ["--unpin"], ["--kind", "fact"], ["--content", "The pool is open."]])
def test_an_update_that_changes_nothing_is_said_to_and_makes_no_revision(run: Run, change: list[str]) -> None:
    known = identifier_in(run("remember", "The pool is open.", "--kind", "fact"))

    result = run("update", known, *change)

    assert (result.exit_code, f"#{known} is so already, so nothing was changed." in result.output) == (0, True)
    assert [item["revision"] for item in json.loads(run("list", "--json").output)] == [1]
    assert len(json.loads(run("history", "--json").output)["operations"]) == 1


def test_the_history_of_a_memory_shows_who_confirmed_it_or_said_it_again(run: Run) -> None:
    known = identifier_in(run("remember", "The pool is open."))
    run("update", known, "--confirm")
    run("update", known, "--tag", "leisure")
    for _ in range(4):
        run("remember", "The pool is open.")

    lines = run("history", known).output.splitlines()

    told = [re.sub(r"\S+ \S+ UTC, (\w+) #\w+ by", r"\1 by", line) for line in lines if re.match(r"\d\. |   ", line)]
    assert told == [
        "1. remember by command line: The pool is open.",
        "   update by command line: confirmed",
        "2. update by command line: tags: +leisure",
        "   said again 1 time more",
        *["   remember by command line: said again"] * 3,
    ]


def test_what_was_taken_back_is_counted_apart_from_what_was_forgotten(run: Run) -> None:
    known = identifier_in(run("remember", "The pool is open."))
    run("remember", "The sauna is closed.")
    run("undo")
    run("forget", known)

    assert "0 live, 0 replaced, 1 forgotten, 1 taken back" in run("stats").output
    run("undo")
    run("undo")
    assert "0 live, 0 replaced, 0 forgotten, 2 taken back" in run("stats").output


def test_a_kept_digest_says_what_it_covers_in_text_and_as_data(run: Run) -> None:
    known = [
        identifier_in(run("remember", f"Orion has a {part} of steel.", "--tag", "orion"))
        for part in ("mast", "keel", "rudder", "galley")
    ]
    run("summarize", "orion", "--digest", "Orion is built of steel.")

    text = run("summarize", "orion").output
    data = json.loads(run("summarize", "orion", "--json").output)
    short = run("summarize", "orion", "--max-tokens", "50").output

    told = re.search(r"\(covers 4 memories: (#\w+), (#\w+), (#\w+), …\)", text)
    assert told
    assert {one[1:] for one in told.groups()} < set(known)
    assert data["text"] == text.rstrip("\n")
    assert (data["topic"], data["stale"], data["newer"], sorted(data["items"])) == ("orion", False, 0, sorted(known))
    assert "Orion is built of steel." in short

    run("update", known[0], "--content", "Orion has a mast of wood.")
    assert json.loads(run("summarize", "orion", "--json").output)["stale"] is True


def test_a_merge_whose_copy_cannot_be_made_changes_nothing_and_says_why(
    run: Run, database: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    run("remember", "The door is red.")
    run("remember", "The gate is green.", "--database", str(other))
    (tmp_path / "backups").write_text("no directory")

    merged = run("merge", str(other))

    assert merged.exit_code == 1
    assert "backups" in merged.stderr
    assert isinstance(merged.exception, SystemExit)
    assert "green" not in run("recall", "gate").stdout


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_nothing_is_merged_into_what_may_only_be_read(run: Run, database: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "memory.db"
    run("remember", "The door is red.")
    run("remember", "The gate is green.", "--database", str(other))
    database.parent.chmod(0o500)

    merged = run("merge", str(other))
    database.parent.chmod(0o700)

    assert merged.exit_code == 1
    assert "may not be written to" in merged.stderr
