"""Importing what other tools remembered, from a shell: recognised, kept whole or not at all, known again, taken back."""

import gzip
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mcp_memory.cli import main

MADE = Path(__file__).parent / "importing"
Run = Callable[..., Result]
Bring = Callable[..., dict[str, Any]]


@pytest.fixture
def run(database: Path, environment: dict[str, str]) -> Run:
    """Run a command in this process, in the project demo."""
    unset = {name: None for name in os.environ if name.startswith(("MCP_", "CLAUDE_"))}
    ours = {"MCP_MEMORY_MODEL": environment["MCP_MEMORY_MODEL"], "MCP_MEMORY_PROJECT": "demo"}

    def run(*arguments: object, stdin: bytes | None = None) -> Result:
        variables: dict[str, str | None] = {**unset, **ours, "MCP_MEMORY_DATABASE": str(database)}
        return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin, env=variables)

    return run


@pytest.fixture
def bring(run: Run) -> Bring:
    """What an import answers to a program."""

    def bring(*arguments: object, stdin: bytes | None = None) -> dict[str, Any]:
        result = run("import", *arguments, "--json", stdin=stdin)
        assert result.stdout, result.output
        answer = json.loads(result.stdout)
        assert result.exit_code == (1 if answer["problems"] and len(answer["problems"]) == answer["records"] else 0)
        return answer

    return bring


@pytest.fixture
def kept(run: Run) -> Callable[[], list[dict[str, Any]]]:
    """All that is remembered, the first first."""
    return lambda: json.loads(run("list", "--limit", "500", "--json").stdout)[::-1] if listed(run) else []


def listed(run: Run) -> bool:
    return run("list").output != "Nothing matches.\n"


def texts(kept: Callable[[], list[dict[str, Any]]]) -> list[str]:
    return sorted(item["text"] for item in kept())


def service_file(tmp_path: Path) -> Path:
    path = tmp_path / "memories.db"
    path.write_bytes(gzip.decompress((MADE / "mcp-memory-service" / "memories.db.gz").read_bytes()))
    return path


def written(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def archive(path: Path, members: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, value in members.items():
            packed.writestr(name, value if isinstance(value, str | bytes) else json.dumps(value))
    return path


def chatgpt(text: str = "We ship Atlas on Friday.") -> list[dict[str, Any]]:
    """Two branches: the first answer was written anew."""

    def node(parent: str | None, children: list[str], role: str, content: Any, at: float) -> dict[str, Any]:
        message = {"author": {"role": role}, "content": content, "create_time": at}
        return {"parent": parent, "children": children, "message": message}

    def said(words: str) -> dict[str, Any]:
        return {"content_type": "text", "parts": [words]}

    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1"}
    return [
        {
            "title": "Release plan",
            "create_time": 1735725600.0,
            "current_node": "d",
            "mapping": {
                "root": {"parent": None, "children": ["a"], "message": None},
                "a": node("root", ["b", "c"], "system", said("You are helpful."), 1735725600.0),
                "b": node("a", [], "user", said("A draft that was thrown away."), 1735725601.0),
                "c": node(
                    "a", ["d"], "user", {"content_type": "multimodal_text", "parts": [picture, text]}, 1735725602.0
                ),
                "d": node("c", [], "assistant", said("Noted: Friday it is."), 1735725660.0),
            },
        }
    ]


CLAUDE = [
    {
        "uuid": "1",
        "name": "Database choice",
        "created_at": "2025-03-01T09:00:00.000000Z",
        "chat_messages": [
            {
                "sender": "human",
                "text": "We chose Postgres for Atlas.",
                "content": [{"type": "text", "text": "We chose Postgres for Atlas."}],
                "created_at": "2025-03-01T09:00:01.000000Z",
            },
            {
                "sender": "assistant",
                "text": "",
                "content": [
                    {"type": "tool_use", "name": "search", "input": {}},
                    {"type": "text", "text": "Postgres 16 fits that well."},
                ],
                "created_at": "2025-03-01T09:00:09.000000Z",
            },
        ],
    }
]
LETTA = {
    "agents": [
        {
            "name": "Sam",
            "block_ids": ["block-0"],
            "messages": [
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "Be kind."}],
                    "created_at": "2025-10-31T22:00:00+00:00",
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "text",
                            "text": '{"type": "user_message", "message": "I row on Tuesdays.", "time": "x"}',
                        }
                    ],
                    "created_at": "2025-10-31T22:56:56.459100+00:00",
                },
                {"role": "user", "content": '{"type": "heartbeat", "reason": "automatic"}', "created_at": None},
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "thinking"}],
                    "tool_calls": [{"function": {"name": "send_message", "arguments": '{"message": "Good to know."}'}}],
                    "created_at": "2025-10-31T22:57:00+00:00",
                },
            ],
        }
    ],
    "blocks": [
        {"id": "block-0", "label": "human", "value": "First name: Dana\nOccupation: cartographer"},
        {"id": "block-1", "label": "notes", "value": ""},
    ],
    "tools": [],
}
MEM0 = {
    "results": [
        {
            "id": "5f0c",
            "memory": "Loves hiking in the Alps",
            "hash": "aa",
            "categories": ["hobbies"],
            "metadata": None,
            "created_at": "2024-07-26T08:44:41.039788-07:00",
            "updated_at": "2024-08-01T00:00:00-07:00",
            "user_id": "dana",
        },
        {
            "id": "5f0d",
            "memory": "Is allergic to peanuts",
            "created_at": "2024-07-26T08:44:41-07:00",
            "user_id": "dana",
        },
    ]
}
OPENMEMORY = {
    "user": {"user_id": "dana"},
    "apps": [{"id": "app-1", "name": "cursor"}],
    "categories": [{"id": "cat-1", "name": "work"}],
    "memories": [
        {
            "id": "1",
            "content": "Maps are drawn in QGIS",
            "state": "active",
            "category_ids": ["cat-1"],
            "app_id": "app-1",
            "created_at": "2025-05-01T10:00:00+00:00",
            "updated_at": None,
            "deleted_at": None,
        },
        {"id": "2", "content": "Gone", "state": "deleted", "category_ids": [], "created_at": None},
    ],
    "memory_categories": [],
    "export_meta": {"version": "1"},
}


def test_a_graph_of_the_reference_server_is_previewed_kept_once_and_taken_back_as_a_whole(run: Run, kept: Any) -> None:
    run("remember", "Something of ours.")
    graph = MADE / "server-memory" / "memory.jsonl"
    preview = run("import", graph, "--dry-run")
    before = texts(kept)
    first = run("import", graph)
    after = texts(kept)
    operations = len(json.loads(run("history", "--json").stdout)["operations"])
    second = run("import", graph)
    operations_after = len(json.loads(run("history", "--json").stdout)["operations"])
    undone = run("undo")

    assert preview.output.startswith(
        "From memory.jsonl (graph) would come: 10 new memories (10 fact), of 10 records.\n"
    )
    assert before == ["Something of ours."]
    assert first.output.startswith("From memory.jsonl (graph) came: 10 new memories (10 fact), of 10 records.\n")
    assert {
        "Maya Ortiz: Lives in Porto since 2023",
        "Tomás works on atlas",
        "atlas: Uses Postgres 16 — never MySQL",
    } < {*after}
    assert second.output.splitlines()[1:] == ["10 are known here already.", "Nothing was changed."]
    assert operations_after == operations
    assert undone.exit_code == 0
    assert texts(kept) == before


def test_what_was_taken_back_can_be_imported_again_and_what_was_forgotten_stays_so(
    run: Run, bring: Bring, kept: Any
) -> None:
    graph = MADE / "server-memory" / "memory.jsonl"
    bring(graph)
    run("undo")
    again = bring(graph)
    tea = next(item["id"] for item in kept() if "green tea" in item["text"])
    run("forget", tea)
    third = bring(graph)

    assert again["new"] == 10
    assert (third["new"], third["known"], third["forgotten"], third["operation"]) == (0, 9, 1, None)
    assert "Maya Ortiz: Prefers green tea over coffee" not in texts(kept)


def test_a_file_and_an_export_of_mcp_memory_service_say_the_same(tmp_path: Path, bring: Bring, kept: Any) -> None:
    from_file = bring(service_file(tmp_path))
    from_export = bring(MADE / "mcp-memory-service" / "export.json")

    assert (from_file["new"], from_file["left_out"]) == (4, {"deleted there": 1})
    assert (from_export["new"], from_export["known"]) == (0, 4)
    postgres = next(item for item in kept() if "Postgres" in item["text"])
    assert (postgres["kind"], postgres["tags"]) == ("decision", ["atlas", "infra"])
    assert postgres["occurred_at"].startswith("2025-01-01T10:00")
    assert postgres["scope"] == "user"


def test_observations_and_relations_of_basic_memory_stand_alone(bring: Bring, kept: Any) -> None:
    answer = bring(MADE / "basic-memory")
    by_text = {item["text"]: item for item in kept()}

    assert answer["formats"] == {"basic-memory": "basic-memory"}
    decision = by_text["Atlas deployment: Atlas deploys to Fly.io from the main branch (after the outage)"]
    assert (decision["kind"], decision["tags"]) == ("decision", ["atlas", "atlas deployment", "infra"])
    assert by_text["Maya Ortiz: Moved to Porto in March 2023"]["kind"] == "event"
    assert "Atlas deployment depends on Postgres cluster" in by_text
    assert "# Atlas deployment\n\nAtlas is deployed by hand on Fridays." in by_text


def test_a_check_box_of_basic_memory_is_no_observation(tmp_path: Path, bring: Bring, kept: Any) -> None:
    boxes = "- [ ] Call the plumber\n- [x] Buy paint\n- [-] Sell it\n"
    bring(written(tmp_path / "Flat.md", f"---\npermalink: flat\n---\n- [fact] It has two rooms\n{boxes}"))

    assert texts(kept) == [f"# Flat\n\n{boxes.strip()}", "Flat: It has two rooms"]


def test_where_it_came_from_is_kept_with_it(run: Run, bring: Bring) -> None:
    bring(MADE / "server-memory" / "memory.jsonl")
    origins = [json.loads(line).get("origin") for line in exported(run).splitlines()]

    assert "imported from graph: memory.jsonl line 1" in origins


def exported(run: Run) -> str:
    return run("export", "-").output


@pytest.mark.parametrize(
    ("name", "value", "format_", "expected"),
    [
        ("mem0.json", MEM0, "mem0", ["Is allergic to peanuts", "Loves hiking in the Alps"]),
        (
            "agent.af",
            LETTA,
            "letta",
            ["First name: Dana\nOccupation: cartographer", "Good to know.", "I row on Tuesdays."],
        ),
        ("conversations.json", chatgpt(), "chatgpt", ["Noted: Friday it is.", "We ship Atlas on Friday."]),
        ("conversations.json", CLAUDE, "claude", ["Postgres 16 fits that well.", "We chose Postgres for Atlas."]),
        (
            "CLAUDE.md",
            "# Atlas\n\n## Testing\n- Run `just test` first\n- @docs/more.md\n",
            "rules",
            ["Testing: Run `just test` first"],
        ),
        ("GEMINI.md", "## Gemini Added Memories\n- Dana lives in Ulm\n", "rules", ["Dana lives in Ulm"]),
        (
            "note.md",
            "---\ntags: [maps]\ndate: 2024-05-01\n---\nSee [[QGIS|the map tool]].",
            "markdown",
            ["note: See the map tool."],
        ),
        ("facts.txt", "- Dana lives in Ulm\n- Dana rows\n", "text", ["Dana lives in Ulm", "Dana rows"]),
        ("said.txt", "Dana lives in Ulm.\n木曜日は休みです。\n", "text", ["Dana lives in Ulm.", "木曜日は休みです。"]),
        (
            "prose.txt",
            "Dana lives in Ulm.\nShe rows on the Danube.\n",
            "text",
            ["Dana lives in Ulm.\nShe rows on the Danube."],
        ),
        (
            "wrapped.txt",
            "Dana lives in Ulm, which\nlies on the Danube.\n",
            "text",
            ["Dana lives in Ulm, which\nlies on the Danube."],
        ),
        ("facts.jsonl", '{"text": "Dana rows"}\n"Dana lives in Ulm"\n', "records", ["Dana lives in Ulm", "Dana rows"]),
        ("facts.csv", 'fact;tags\n"Dana rows; often";sport\n', "records", ["Dana rows; often"]),
        ("chat.json", {"messages": [{"role": "user", "content": "Dana rows"}]}, "records", ["Dana rows"]),
    ],
)
def test_a_file_is_recognised_kept_and_known_again(
    tmp_path: Path, bring: Bring, kept: Any, name: str, value: Any, format_: str, expected: list[str]
) -> None:
    path = written(tmp_path / name, value)
    first, found = bring(path), texts(kept)
    second = bring(path)

    assert first["formats"] == {name: format_}
    assert found == expected
    assert first["problems"] == []
    assert (second["new"], second["operation"], texts(kept)) == (0, None, expected)


def test_archives_of_chats_and_of_memories_are_read_without_unpacking_them(
    tmp_path: Path, bring: Bring, kept: Any
) -> None:
    first = bring(archive(tmp_path / "chatgpt.zip", {"conversations.json": chatgpt(), "chat.html": "<html>"}))
    second = bring(archive(tmp_path / "claude.zip", {"conversations.json": CLAUDE, "users.json": []}))
    third = bring(archive(tmp_path / "openmemory.zip", {"memories.json": OPENMEMORY, "memories.jsonl.gz": b"\x1f\x8b"}))
    by_text = {item["text"]: item for item in kept()}

    assert [*first["formats"].values(), *second["formats"].values(), *third["formats"].values()] == [
        "chatgpt",
        "claude",
        "mem0",
    ]
    assert by_text["We ship Atlas on Friday."]["occurred_at"].startswith("2025-01-01T10:00:02")
    assert (by_text["Maps are drawn in QGIS"]["tags"], third["left_out"]) == (["cursor", "work"], {"deleted there": 1})


def test_a_conversation_that_went_on_brings_only_what_is_new(tmp_path: Path, bring: Bring, kept: Any) -> None:
    bring(written(tmp_path / "conversations.json", CLAUDE))
    more = {"sender": "human", "text": "Then it is settled.", "created_at": "2025-03-01T09:05:00Z"}
    grown = [CLAUDE[0] | {"chat_messages": [*CLAUDE[0]["chat_messages"], more]}]
    again = bring(written(tmp_path / "conversations.json", grown))

    assert (again["new"], again["known"]) == (1, 2)
    assert len(kept()) == 3


def test_a_memory_folder_gives_its_facts_and_not_its_index(tmp_path: Path, bring: Bring, kept: Any) -> None:
    folder = tmp_path / "memory"
    written(folder / "MEMORY.md", "# Memory\n- [Reviews](review.md) — small ones\n- Standup is at nine\n")
    written(
        folder / "review.md",
        "---\nname: review-size\ndescription: Wants small reviews.\nmetadata:\n  type: feedback\n---\nAt most 200 lines.\n",
    )
    answer = bring(folder)
    by_text = {item["text"]: item for item in kept()}

    assert answer["formats"] == {"memory": "memory-folder"}
    assert by_text.keys() == {"Standup is at nine", "Wants small reviews. At most 200 lines."}
    reviews = by_text["Wants small reviews. At most 200 lines."]
    assert (reviews["kind"], reviews["scope"]) == ("preference", "user")
    assert by_text["Standup is at nine"]["scope"] == "demo"


def test_a_vault_gives_its_notes_and_leaves_its_settings(tmp_path: Path, bring: Bring, kept: Any) -> None:
    vault = tmp_path / "vault"
    written(vault / ".obsidian" / "app.json", {})
    written(
        vault / "Maps" / "QGIS.md",
        "---\ntags: maps\ncreated: 2024-05-01\n---\nDana draws with [[QGIS]] #tools\n\n```\n#no\n```\n",
    )
    written(vault / "empty.md", "")
    answer = bring(vault)
    [note] = kept()

    assert (answer["formats"], answer["left_out"]) == ({"vault": "markdown"}, {"an empty note": 1})
    assert note["tags"] == ["maps", "qgis", "tools"]
    assert note["occurred_at"].startswith("2024-05-01")


def test_of_a_note_comes_what_obsidian_shows(tmp_path: Path, bring: Bring, kept: Any) -> None:
    note = written(
        tmp_path / "Lamp.md",
        "---\naliases: [Light, 灯]\nstatus: bought\nprice: 20\ncssclasses: [wide]\n---\n"
        "Bought ![[pic.png]] a lamp ![[Plans/hall.PDF|200]] for [[Hall]], see [[bill.pdf]] ^block1\n"
        "%% the shop was\nrude #rude %%\n![[Kitchen]] has one. %%hidden%%\n\n`%% code %%` stays\n\n```\nx ^2\n```\n",
    )
    answer = bring(note)
    picture = bring(written(tmp_path / "Only.md", "![[pic.png]]\n"))
    [lamp] = kept()

    assert lamp["text"] == (
        "Bought a lamp for Hall, see bill.pdf\n\nKitchen has one.\n\n`%% code %%` stays\n\n```\nx ^2\n```"
    )
    assert lamp["tags"] == sorted(["hall", "kitchen", "light", "灯"])
    assert answer["not_read"] == ["status", "price"]
    assert picture["left_out"] == {"an empty note": 1}


MIXED = {
    "memory.jsonl": '{"type":"entity","name":"Dana","entityType":"person","observations":["rows"]}\n',
    "mem0.json": {"results": [{"id": "1", "memory": "Dana lives in Ulm"}]},
    "sub/notes.csv": "content,date\nDana sings,2025-04-03\n",
    "prose.txt": "Dana keeps bees.",
    "CLAUDE.md": "- Run the tests first\n",
    "Ulm.md": "Ulm lies on the Danube.",
    "package.json": {"name": "shop"},
    "photo.png": "no text",
    "broken.json": "{",
}


@pytest.mark.parametrize("packed", [False, True])
def test_files_of_several_formats_in_one_folder_come_each_as_its_own_in_one_operation(
    tmp_path: Path, run: Run, bring: Bring, kept: Any, packed: bool
) -> None:
    path = tmp_path / "mine"
    if packed:
        path = archive(path, MIXED)
    else:
        for name, value in MIXED.items():
            written(path / name, value)
    answer = bring(path)
    by_text = {item["text"]: item for item in kept()}

    assert by_text.keys() == {
        "Dana: rows",
        "Dana lives in Ulm",
        "Dana sings",
        "Dana keeps bees.",
        "Run the tests first",
        "Ulm lies on the Danube.",
    }
    assert set(answer["formats"]["mine"].split(", ")) == {"graph", "mem0", "records", "text", "rules", "markdown"}
    assert (by_text["Run the tests first"]["kind"], by_text["Run the tests first"]["scope"]) == ("procedure", "demo")
    assert answer["left_out"] == {"no format reads package.json, photo.png": 2}
    assert [problem["where"] for problem in answer["problems"]] == ["broken.json line 1"]
    run("undo")
    assert kept() == []


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2025-11-03.md", "2025-11-03"),
        ("2025_11_03.md", "2025-11-03"),
        ("20251103.md", "2025-11-03"),
        ("2025-11-03 Monday.md", "2025-11-03"),
        ("2025-11.md", "2025-11-01"),
        ("2025-13-45.md", None),
        ("2025.md", None),
        ("room 2025-11-03.md", None),
    ],
)
def test_a_daily_note_without_a_date_is_of_the_day_that_it_is_named_by(
    tmp_path: Path, bring: Bring, kept: Any, name: str, day: str | None
) -> None:
    bring(written(tmp_path / name, "Dana rowed to Ulm"))
    [note] = kept()

    assert (note["occurred_at"] or "")[:10] == (day or "")


def test_the_front_matter_of_a_daily_note_goes_before_its_name(tmp_path: Path, bring: Bring, kept: Any) -> None:
    bring(written(tmp_path / "2025-11-03.md", "---\ndate: 2024-05-01\n---\nDana rowed to Ulm"))

    assert kept()[0]["occurred_at"].startswith("2024-05-01")


def test_projects_of_claude_come_with_their_documents_and_instructions(tmp_path: Path, bring: Bring, kept: Any) -> None:
    document = {"filename": "plan.md", "content": "Atlas ships in May.", "created_at": "2025-03-01T09:00:00Z"}
    projects = [
        {"name": "Atlas", "prompt_template": "Answer in German.", "docs": [document, {"filename": "empty.md"}]},
        {"name": "How to use Claude", "is_starter_project": True, "docs": [document]},
    ]
    answer = bring(archive(tmp_path / "claude.zip", {"conversations.json": CLAUDE, "projects.json": projects}))
    by_text = {item["text"]: item for item in kept()}

    assert by_text["Atlas ships in May."]["tags"] == by_text["Answer in German."]["tags"] == ["atlas"]
    assert by_text["Atlas ships in May."]["occurred_at"].startswith("2025-03-01")
    assert by_text["Answer in German."]["kind"] == "procedure"
    assert answer["left_out"] == {"a document without text": 1, "a project that Claude comes with": 1}


def test_what_an_agent_of_letta_is_told_to_be_is_no_fact_about_the_person(
    tmp_path: Path, bring: Bring, kept: Any
) -> None:
    blocks = [{"label": "persona", "value": "I am Sam."}, {"label": "human", "value": "Dana rows"}]
    answer = bring(written(tmp_path / "agent.af", {"agents": [], "blocks": blocks}))

    assert (texts(kept), answer["left_out"]) == (["Dana rows"], {"the agent's persona": 1})


def test_exports_of_two_tools_in_one_folder_come_both(tmp_path: Path, bring: Bring, kept: Any) -> None:
    folder = tmp_path / "exports"
    written(folder / "a" / "conversations.json", chatgpt())
    written(folder / "a" / "user.json", {"id": "user-1"})
    written(folder / "b" / "conversations.json", CLAUDE)
    written(folder / "notes.txt", "Dana keeps bees.")
    answer = bring(folder)

    assert set(answer["formats"]["exports"].split(", ")) == {"chatgpt", "claude", "text"}
    assert (len(kept()), answer["problems"], answer["left_out"]) == (5, [], {})


def test_a_folder_named_by_a_point_is_told_by_its_own_name(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "memory"
    written(folder / "MEMORY.md", "- Standup is at nine\n")
    monkeypatch.chdir(folder)
    told = run("import", ".").output

    assert told.startswith("From memory (memory-folder) came: 1 new memory")
    assert "imported from memory-folder: memory, MEMORY.md line 1" in run("history", exported(run)).output


def test_what_cannot_be_read_is_told_by_its_place_and_the_rest_is_kept(tmp_path: Path, run: Run, kept: Any) -> None:
    path = tmp_path / "memory.jsonl"
    path.write_bytes(
        b'{"type":"entity","name":"Dana","entityType":"person","observations":["rows"]}\n'
        b'{"type":"entity","name":"Half","entityType":"person","observations":["is kept", 7]}\n'
        b"{broken\n"
        b'{"type":"entity","name":"Caf\xe9","entityType":"place","observations":["x"]}\n'
        b'{"type":"relation","from":"Dana","to":"Ulm"}\n'
        b'{"type":"entity","name":"NUL","entityType":"x","observations":["a\\u0000b"]}\n'
        b'{"type":"shape"}\n'
    )
    result = run("import", path)

    assert result.exit_code == 0
    assert texts(kept) == ["Dana: rows"]
    told = [line.strip() for line in result.output.splitlines()]
    assert "6 could not be read, and nothing of them was kept:" in told
    assert "memory.jsonl line 2: observation 2 is no text." in told
    assert any(line.startswith("memory.jsonl line 3: it is no JSON (") for line in told)
    assert any(line.startswith("memory.jsonl line 4: it is not in UTF-8 (byte 0xe9 at ") for line in told)
    assert "memory.jsonl line 5: it has no relationType." in told
    assert any(line.startswith("memory.jsonl line 6: content holds a NUL character") for line in told)
    assert "memory.jsonl line 7: type 'shape' is neither entity nor relation." in told


def test_secrets_in_what_is_imported_are_masked_and_counted_and_private_parts_stay_out(
    tmp_path: Path, run: Run, database: Path
) -> None:
    path = tmp_path / "facts.txt"
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    path.write_text(f"- Deploys use {token}\n- Dana rows <private>and hates it</private>\n")
    result = run("import", path)

    assert "Not kept: what looks like a secret (1 GitHub token); a mask stands in its place." in result.output
    assert "Not kept: 1 private part." in result.output
    kept = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    assert token.encode() not in kept
    assert b"hates it" not in kept


def test_a_conversation_with_one_broken_message_is_left_out_whole(tmp_path: Path, bring: Bring, kept: Any) -> None:
    broken = chatgpt()[0] | {"title": "Broken", "current_node": "nowhere"}
    answer = bring(written(tmp_path / "conversations.json", [broken, *chatgpt()]))

    assert [problem["where"] for problem in answer["problems"]] == ["conversations.json conversation 1"]
    assert texts(kept) == ["Noted: Friday it is.", "We ship Atlas on Friday."]


def test_encodings_of_windows_are_read_and_others_are_named(tmp_path: Path, bring: Bring, kept: Any) -> None:
    wide, latin = tmp_path / "wide.csv", tmp_path / "latin.txt"
    wide.write_bytes("content,date\r\nDana rows in Köln,2025-03-01\r\n".encode("utf-16"))
    latin.write_bytes("Dana aß in Köln".encode("latin-1"))
    first, second = bring(wide), bring(latin)

    assert texts(kept) == ["Dana rows in Köln"]
    assert first["problems"] == []
    assert "it is not in UTF-8 (byte 0xdf at 6)" in second["problems"][0]["problem"]


def test_a_table_of_western_excel_is_read_and_said_to_be_so(tmp_path: Path, run: Run, bring: Bring, kept: Any) -> None:
    rows = "Text;Datum\nDana aß Crème brûlée für 5 € – „süß“ auf 20 m²;2025-03-01\n¿Dónde está el niño?;2025-03-02\n"
    (tmp_path / "notes.csv").write_bytes(rows.encode("cp1252"))
    told = run("import", tmp_path / "notes.csv").output

    assert texts(kept) == ["Dana aß Crème brûlée für 5 € – „süß“ auf 20 m²", "¿Dónde está el niño?"]
    assert "notes.csv: it is not in UTF-8 and was read as Windows-1252." in told
    run("undo")
    for text, encoding in (
        ("我住在北京。", "gbk"),
        ("Дана живёт в Москве", "cp1251"),
        ("Zażółć gęślą jaźń", "cp1250"),
        ("Ο Δάνα τρέχει", "cp1253"),
        ("ダナは東京に住む", "shift-jis"),
        ("Çalışıyor, değil mi", "cp1254"),
        ("我每天早上喝茶", "big5"),
        ("저는 서울에 살아요", "cp949"),
    ):
        (tmp_path / "other.csv").write_bytes(f"text\n{text}\n".encode(encoding))
        assert "it is not in UTF-8" in bring(tmp_path / "other.csv")["problems"][0]["problem"], encoding


def test_rows_that_do_not_fit_the_header_and_dates_that_are_none_are_told_by_line(
    tmp_path: Path, bring: Bring, kept: Any
) -> None:
    path = written(
        tmp_path / "facts.csv",
        'content,date\n"Dana\nrows",2025-03-01\nonly one\nDana sings,soon\nDana reads,2025-04-01\n',
    )
    answer = bring(path)

    assert [problem["where"] for problem in answer["problems"]] == ["facts.csv line 4", "facts.csv line 5"]
    assert texts(kept) == ["Dana\nrows", "Dana reads"]


def test_a_title_stands_before_the_text_and_columns_that_are_not_read_are_named(
    tmp_path: Path, run: Run, bring: Bring, kept: Any
) -> None:
    titled = bring(written(tmp_path / "rooms.csv", "Title,Note\nKitchen,12 m2 large\nHall,The hall has no window\n"))
    german = written(tmp_path / "notes.csv", "Text,Datum,Wichtigkeit,Leer\nDana rows,1.2.2024,hoch,\n")
    told = run("import", german)
    both = bring(written(tmp_path / "x.jsonl", '{"id": 1, "text": "Dana sings", "note": "in a choir", "created": 1}\n'))

    assert texts(kept) == ["Dana rows", "Dana sings", "Kitchen: 12 m2 large", "The hall has no window"]
    assert (titled["not_read"], both["not_read"]) == ([], ["note"])
    assert "Columns and fields not read: Datum, Wichtigkeit.\n" in told.output


def test_relations_of_mem0_come_as_sentences(tmp_path: Path, bring: Bring, kept: Any) -> None:
    graph = [{"source": "dana", "relationship": "works_with", "target": "tom"}, {"source": "dana"}]
    noted = [{**MEM0["results"][0], "metadata": {"place": "Alps"}}, MEM0["results"][1]]
    answer = bring(written(tmp_path / "mem0.json", {"results": noted, "relations": graph}))

    assert texts(kept) == ["Is allergic to peanuts", "Loves hiking in the Alps", "dana works with tom"]
    assert [problem["where"] for problem in answer["problems"]] == ["mem0.json relation 2"]
    assert answer["not_read"] == ["metadata"]


def test_what_was_deleted_there_is_not_brought_back(tmp_path: Path, bring: Bring, kept: Any) -> None:
    lines = [
        {"text": "Dana rows", "state": "active", "deleted_at": None, "deleted": False},
        {"text": "Dana sings", "state": "deleted"},
        {"text": "Dana swims", "deleted_at": "2026-01-01"},
        {"text": "Dana dives", "is_deleted": True},
    ]
    records = bring(written(tmp_path / "records.json", lines))
    trimmed = {name: value for name, value in OPENMEMORY.items() if name != "export_meta"}
    memories = bring(archive(tmp_path / "openmemory.zip", {"memories.json": trimmed}))

    assert records["left_out"] == {"deleted there": 3}
    assert (memories["formats"], memories["left_out"]) == ({"openmemory.zip": "mem0"}, {"deleted there": 1})
    assert {item["text"]: item["tags"] for item in kept()} == {
        "Dana rows": [],
        "Maps are drawn in QGIS": ["cursor", "work"],
    }


@pytest.mark.parametrize(
    ("date", "day"),
    [
        ("04/13/2025", "2025-04-13"),
        ("2025/04/03", "2025-04-03"),
        ("3 April 2025", "2025-04-03"),
        ("20250403", "2025-04-03"),
        ("20250403101500", "2025-04-03"),
        ("Apr 3, 2025", "2025-04-03"),
        ("13.04.2025", "2025-04-13"),
        ("2025-04", "2025-04-01"),
        ("13/4/25 10:30 PM", "2025-04-13"),
        ("2025年4月3日", "2025-04-03"),
        ("1743674400", "2025-04-03"),
    ],
)
def test_a_date_is_read_however_it_is_written(tmp_path: Path, bring: Bring, kept: Any, date: str, day: str) -> None:
    bring(written(tmp_path / "facts.csv", f'content,date\nDana rows,"{date}"\n'))
    bring(written(tmp_path / "Ulm.md", f"---\ndate: {date}\n---\nDana lives in Ulm"))

    assert [item["occurred_at"][:10] for item in kept()] == [day, day]


@pytest.mark.parametrize("date", ["yesterday", "3 days ago", "13 February", "Friday", "2000 days ago", "9/2025/77"])
def test_a_date_that_means_another_day_tomorrow_is_told_with_its_place(tmp_path: Path, bring: Bring, date: str) -> None:
    answer = bring(written(tmp_path / "facts.csv", f"content,date\nDana rows,{date}\nDana sings,2025-04-03\n"))

    assert answer["new"] == 1
    assert [problem["where"] for problem in answer["problems"]] == ["facts.csv line 2"]


@pytest.mark.parametrize("date", ["1e400", "-1e400", "9" * 5_000, "1e300", "true", "[1]"])
def test_a_date_that_no_calendar_has_is_told_and_the_rest_is_kept(
    tmp_path: Path, run: Run, kept: Any, date: str
) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text(f'{{"text": "Dana rows", "created_at": {date}}}\n{{"text": "Dana lives in Ulm"}}\n')
    result = run("import", path)

    assert texts(kept) == ["Dana lives in Ulm"]
    assert "1 could not be read, and nothing of them was kept:" in result.output


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, run: Run, database: Path) -> None:
    bomb = archive(tmp_path / "export.zip", {"conversations.json": b" " * 60_000_000})
    result = run("import", bomb)

    assert result.exit_code == 1
    assert "conversations.json would unpack to 60 MB from 0.06 MB, as a zip bomb does." in result.output
    assert not database.exists()


def test_a_damaged_archive_and_an_unknown_file_change_nothing(tmp_path: Path, run: Run, database: Path) -> None:
    whole = archive(tmp_path / "export.zip", {"conversations.json": chatgpt()})
    cut = tmp_path / "cut.zip"
    cut.write_bytes(b"PK\x03\x04" + whole.read_bytes()[4:60])
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    results = [run("import", cut), run("import", picture), run("import", database.parent / "nothing.json")]

    assert [result.exit_code for result in results] == [1, 1, 2]
    assert "The format of picture.png is not known." in results[1].output
    assert not database.exists()


def test_a_document_that_has_changed_takes_the_place_of_what_was_brought_in_before(
    run: Run, bring: Bring, kept: Any, tmp_path: Path
) -> None:
    sections = [f"## Part {name}\n\n" + f"The {name} part is about {name} things of the house. " * 30 for name in NAMES]
    path = written(tmp_path / "notes" / "house.md", "\n\n".join(sections))
    bring(path.parent)
    before = texts(kept)

    written(path, "\n\n".join(sections).replace("about roof things", "about tiles", 3))
    bring(path.parent)

    after = texts(kept)
    assert len(after) == len(before)
    assert any("about tiles" in text for text in after)
    assert len(set(before) - set(after)) == 1
    run("undo")
    assert texts(kept) == before


NAMES = ("roof", "cellar", "garden", "kitchen", "attic", "garage")


def test_several_paths_come_in_one_operation_and_what_two_of_them_say_comes_once(
    tmp_path: Path, run: Run, bring: Bring, kept: Any
) -> None:
    one = written(tmp_path / "one.txt", "Dana rows on Tuesdays.")
    other = written(
        tmp_path / "other.jsonl", '{"content": "Dana rows on Tuesdays."}\n{"content": "Dana lives in Ulm."}\n'
    )
    answer = bring(one, other, "--tag", "old", "--scope", "project")
    items = kept()
    run("undo")

    assert (answer["new"], answer["repeated"]) == (2, 1)
    assert {(item["scope"], *item["tags"]) for item in items} == {("demo", "old")}
    assert kept() == []


def test_a_dry_run_tells_what_is_known_and_what_is_alike_and_makes_no_file(
    tmp_path: Path, run: Run, bring: Bring, database: Path
) -> None:
    graph = MADE / "server-memory" / "memory.jsonl"
    nothing_there = bring(graph, "--dry-run")
    existed = database.exists()
    run("remember", "Tomás works on atlas", "--scope", "user")
    run("remember", "atlas: The staging port is 7070", "--scope", "user")
    preview, done = bring(graph, "--dry-run"), bring(graph)

    assert (nothing_there["new"], nothing_there["operation"], existed) == (10, None, False)
    assert (preview["new"], preview["known"], preview["operation"]) == (9, 1, None)
    ports = [item for item in preview["items"] if "port" in item["text"]]
    assert [item["status"] for item in ports] == ["similar", "similar"]
    assert [item["status"] for item in preview["items"]] == [item["status"] for item in done["items"]]


def test_what_is_older_than_what_is_known_takes_no_place_and_what_is_newer_does(
    tmp_path: Path, run: Run, bring: Bring, kept: Any
) -> None:
    run("remember", "The staging port is 8080.", "--scope", "user")
    undated = bring(written(tmp_path / "a.jsonl", '{"content": "The staging port is 7070."}\n'))
    old = bring(written(tmp_path / "b.jsonl", '{"content": "The staging port is 6060.", "date": "2020-01-01"}\n'))
    new = bring(written(tmp_path / "c.jsonl", '{"content": "The staging port is 9090.", "date": "2090-01-01"}\n'))

    assert [answer["items"][0]["status"] for answer in (undated, old, new)] == ["similar", "similar", "replaces"]
    assert "The staging port is 8080." in exported(run)


def test_standard_input_is_recognised_too(bring: Bring, kept: Any) -> None:
    answer = bring("-", stdin=(MADE / "server-memory" / "memory.jsonl").read_bytes())

    assert (answer["formats"], answer["new"]) == ({"standard input": "graph"}, 10)


def test_archives_in_a_folder_and_on_standard_input_are_read(tmp_path: Path, run: Run, bring: Bring, kept: Any) -> None:
    mixed = tmp_path / "mixed"
    written(mixed / "a.md", "The tent is in the attic.")
    (mixed / "old").mkdir()
    archive(mixed / "old" / "chatgpt.zip", {"conversations.json": chatgpt()})
    archive(mixed / "claude.zip", {"conversations.json": CLAUDE})
    archive(mixed / "pictures.zip", {"one.png": b"\x89PNG"})
    archive(mixed / "bomb.zip", {"conversations.json": b" " * 60_000_000})
    folder = bring(mixed)
    alone = tmp_path / "alone"
    alone.mkdir()
    archive(alone / "memories.zip", {"memories.json": OPENMEMORY})
    archives = bring(alone)
    bombs = tmp_path / "bombs"
    bombs.mkdir()
    shutil.copy(mixed / "bomb.zip", bombs)
    refused = run("import", bombs)
    stream = bring(
        "-", stdin=archive(tmp_path / "again.zip", {"conversations.json": chatgpt("We ship Bo.")}).read_bytes()
    )

    assert folder["formats"] == {
        "mixed": "markdown",
        "mixed/claude.zip": "claude",
        "mixed/old/chatgpt.zip": "chatgpt",
    }
    assert folder["left_out"] == {"no format reads pictures.zip": 1}
    assert [problem["where"] for problem in folder["problems"]] == ["mixed/bomb.zip"]
    assert (refused.exit_code, "as a zip bomb does" in refused.output) == (1, True)
    assert (archives["formats"], archives["new"]) == ({"alone/memories.zip": "mem0"}, 1)
    assert (stream["formats"], stream["new"]) == ({"standard input": "chatgpt"}, 1)
    assert {"The tent is in the attic.", "We ship Atlas on Friday.", "We ship Bo."} <= set(texts(kept))


def test_an_unknown_file_among_several_is_told_and_the_others_come(
    tmp_path: Path, run: Run, bring: Bring, kept: Any
) -> None:
    unknown, other = tmp_path / "bin.dat", tmp_path / "other.dat"
    unknown.write_bytes(b"\0\1\2")
    other.write_bytes(b"\0\1\2")
    known = written(tmp_path / "facts.jsonl", '{"text": "Dana rows"}\n')
    answer = bring(unknown, known)
    nothing = run("import", unknown, other)

    assert [problem["where"] for problem in answer["problems"]] == ["bin.dat"]
    assert answer["problems"][0]["problem"].startswith("The format of bin.dat is not known.")
    assert texts(kept) == ["Dana rows"]
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "bin.dat is not known" in nothing.stderr
    assert "other.dat is not known" in nothing.stderr


def test_an_import_of_which_nothing_could_be_read_ends_with_an_error(tmp_path: Path, run: Run) -> None:
    bad = written(tmp_path / "bad.csv", "a,b\n1,2\n")
    result, again = run("import", bad, "--format", "graph"), run("import", bad, "--format", "graph", "--json")
    known = written(tmp_path / "good.jsonl", '{"text": "Dana rows"}\n')

    assert (result.exit_code, again.exit_code) == (1, 1)
    assert "2 could not be read" in result.stdout
    assert [run("import", known).exit_code for _ in range(2)] == [0, 0]


def test_what_a_text_says_twice_is_not_told_as_known(tmp_path: Path, run: Run, bring: Bring) -> None:
    rows = "\n\n".join(
        f"Dana rows on the {river} in the summer, and she has a boat there." for river in ("Isar", "Inn")
    )
    path = written(tmp_path / "rows.txt", "\n\n".join([rows] * 40))
    preview, told = bring(path, "--dry-run"), run("import", path).output

    assert (preview["new"], preview["known"], preview["repeated"]) == (2, 0, 78)
    assert "known here already" not in told
    assert "78 said more than once there: they come once.\n" in told


def test_records_that_could_not_be_read_are_counted_with_the_others(tmp_path: Path, run: Run) -> None:
    memories = [MEM0["results"][1], {"id": "1", "memory": 5}, {"id": "2"}, 3]
    told = run("import", written(tmp_path / "mem0.json", memories)).output

    assert "came: 1 new memory (1 fact), of 4 records.\n3 could not be read" in told


def test_a_rule_that_is_a_block_of_code_is_told_by_its_own_line(tmp_path: Path, run: Run, bring: Bring) -> None:
    rules = "# Atlas\n\n- Use tabs\n- Use uv\n\n## Commands\n\n```sh\njust test\n```\n\n- Ask first\n"
    bring(written(tmp_path / "CLAUDE.md", rules))
    lines = {line: number for number, line in enumerate(rules.splitlines(), start=1)}
    told = [json.loads(line) for line in exported(run).splitlines()]
    origins = [record["origin"] for record in told if record.get("origin")]

    assert [int(origin.rpartition(" ")[2]) for origin in origins] == [
        lines[line] for line in ("- Use tabs", "- Use uv", "```sh", "- Ask first")
    ]


def test_what_is_nested_under_a_rule_stays_nested(tmp_path: Path, bring: Bring, kept: Any) -> None:
    rules = "- Use tabs\n  - except in YAML:\n    - two spaces there\n  - and Makefiles too\n- Use uv\n"
    bring(written(tmp_path / "CLAUDE.md", rules))

    assert texts(kept) == ["Use tabs\n  - except in YAML:\n    - two spaces there\n  - and Makefiles too", "Use uv"]


def test_a_list_tells_what_is_neither_a_text_nor_an_object(tmp_path: Path, bring: Bring, kept: Any) -> None:
    answer = bring(written(tmp_path / "list.json", ["Dana rows", 3, None]))

    assert texts(kept) == ["Dana rows"]
    assert [problem["problem"] for problem in answer["problems"]] == [
        "it is neither a text nor a JSON object but 3.",
        "it is neither a text nor a JSON object but null.",
    ]


def test_a_database_in_use_is_read_with_what_is_still_in_its_log(tmp_path: Path, bring: Bring) -> None:
    import sqlite3

    path = service_file(tmp_path)
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE memories SET content = 'Written a moment ago' WHERE id = 1")
    writer.commit()
    answer = bring(path)
    writer.close()

    assert "Written a moment ago" in [item["text"] for item in answer["items"]]


def test_a_memory_file_of_ours_is_sent_to_merge(tmp_path: Path, run: Run, database: Path) -> None:
    run("remember", "Something of ours.")
    other = tmp_path / "other.db"
    shutil.copy(database, other)
    result = run("import", other)

    assert result.exit_code == 1
    assert "`mcp-memory merge FILE` brings another memory file in." in result.output
