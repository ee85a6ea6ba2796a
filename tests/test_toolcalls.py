"""Tool histories: what is kept of calls, for how long, and what many of one shape become."""

import json
from pathlib import Path

import pytest
from clock import Clock
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.domain.model import Entry, Item
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import Conflict
from mcp_memory.maintenance import backfill
from mcp_memory.maintenance.tool_calls import Call, Pattern, Retention, notable, read_call, read_pattern, similarity
from mcp_memory.maintenance.tool_retention import Folded
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery

TOOLS = ItemQuery(scope="all", kinds=("tool",))


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls wait until a test folds them."""
    monkeypatch.setattr(backfill, "LINGER", 3600.0)


def call(name: str, *, outcome: str = "ok", ms: int = 20, **arguments: object) -> str:
    return json.dumps({"name": name, "arguments": arguments, "outcome": outcome, "duration_ms": ms})


def keep(memory: Memory, *calls: str) -> list[str]:
    return [item.id for item in memory.remember(items=[Entry(text, kind="tool") for text in calls]).items]


def shown(memory: Memory, **select: str) -> list[Item]:
    return memory.listing(ItemQuery(scope="all", kinds=("tool",), **select), limit=1000)  # type: ignore[arg-type]


READS = [call("read_file", path=f"src/m{n}.py", ms=10 * n) for n in range(1, 6)]


def test_calls_are_kept_whole_for_seven_days(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS)
    clock.pass_(days=6)

    assert memory.maintenance.fold() == Folded(0, 0, 0)
    assert len(shown(memory)) == 5


def test_repeated_calls_become_one_pattern(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS, call("list_issues", state="open"))
    clock.pass_(days=8)

    done = memory.maintenance.fold()
    texts = {item.text for item in shown(memory)}

    assert done == Folded(1, 5, 0)
    assert texts == {
        "read_file \u00d7 5: 5 succeeded, typically 30 ms; "
        "path: src/m1.py | src/m2.py | src/m3.py | src/m4.py | src/m5.py",
        call("list_issues", state="open"),
    }
    assert memory.stats().tool_history == {"whole": 1, "patterns": 1, "hidden": 5}


def test_a_pattern_says_where_there_were_more_values_than_it_names(memory: Memory, clock: Clock) -> None:
    def told() -> list[str]:
        return [item.text.rpartition("; ")[2] for item in shown(memory) if "\u00d7" in item.text]

    keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()
    five = told()
    named = "path: src/m1.py | src/m2.py | src/m3.py | src/m4.py | src/m5.py"
    for name in ("six", "seven"):
        keep(memory, call("read_file", path=f"src/{name}.py", ms=30))
        clock.pass_(days=8)
        memory.maintenance.fold()

    assert (five, told()) == ([named], [f"{named} | \u2026"])


def test_two_calls_of_a_shape_make_no_pattern(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS[:2], call("read_file", path="a.py", lines="1-5", encoding="utf-8"))
    clock.pass_(days=8)

    assert memory.maintenance.fold().patterns == 0


def test_hidden_calls_are_found_as_of_then(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()

    assert len(shown(memory, as_of="2026-03-05")) == 5


def test_later_calls_are_counted_in_the_pattern_there_is(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()
    keep(memory, call("read_file", path="src/new.py", ms=30))
    clock.pass_(days=8)

    done = memory.maintenance.fold()
    [pattern] = shown(memory)

    assert done.hidden == 1
    assert pattern.text.startswith("read_file \u00d7 6: 6 succeeded, typically 30 ms;")


def test_after_thirty_days_only_the_pattern_remains(memory: Memory, clock: Clock, database: Path) -> None:
    keep(memory, *READS, call("read_file", path="src/qxwzvj.py", ms=1))
    clock.pass_(days=8)
    memory.maintenance.fold()
    clock.pass_(days=23)

    done = memory.maintenance.fold()

    assert done == Folded(0, 0, 6)
    assert shown(memory, as_of="2026-03-05") == []
    assert [item.text[:13] for item in shown(memory)] == ["read_file \u00d7 6"]
    assert memory.stats().tool_history == {"whole": 0, "patterns": 1, "hidden": 0}
    assert b"qxwzvj" not in b"".join(file.read_bytes() for file in database.parent.glob("memory.db*"))
    assert list(memory.file.verify()) == []


def test_what_failed_and_what_changed_something_is_kept_longer(memory: Memory, clock: Clock) -> None:
    failed = call("read_file", path="src/m9.py", outcome="error: permission denied")
    writes = [call("write_file", path=f"src/w{n}.py") for n in range(3)]
    keep(memory, *READS, failed, *writes)
    clock.pass_(days=40)
    memory.maintenance.fold()
    early = {item.text for item in shown(memory)}
    clock.pass_(days=51)
    memory.maintenance.fold()
    memory.maintenance.fold()

    late = sorted(item.text.split(",")[0] for item in shown(memory))

    assert {failed, *writes} <= early
    assert any(text.startswith("read_file \u00d7 6: 5 succeeded") for text in early)
    assert late == ["read_file \u00d7 6: 5 succeeded", "write_file \u00d7 3: 3 succeeded"]


def test_retention_is_settable(database: Path, clock: Clock) -> None:
    retention = Retention(whole_days=1, least=2)
    with Memory.open(database, model=HashingEncoder(), clock=clock, retention=retention) as memory:
        memory.wait_for_encoder()
        keep(memory, *READS[:2])
        clock.pass_(days=2)

        assert memory.maintenance.fold().hidden == 2


def test_a_call_that_is_erased_takes_the_pattern_with_it_and_the_others_come_back(
    memory: Memory, clock: Clock, database: Path
) -> None:
    ids = keep(memory, *READS[:3], call("read_file", path="qxwzvj.py"))
    clock.pass_(days=8)
    memory.maintenance.fold()

    memory.forget([ids[3]], erase=True)

    assert {item.text for item in shown(memory)} == set(READS[:3])
    assert b"qxwzvj" not in b"".join(file.read_bytes() for file in database.parent.glob("memory.db*"))


def test_a_fold_that_is_undone_shows_its_calls_again_and_is_not_made_a_second_time(
    memory: Memory, clock: Clock
) -> None:
    ids = keep(memory, *READS, call("read_file", path="src/m9.py", outcome="error: permission denied"))
    clock.pass_(days=8)
    memory.maintenance.fold()

    memory.undo()
    again = memory.maintenance.fold()

    assert again == Folded(0, 0, 0)
    assert {item.id for item in shown(memory)} == set(ids)
    assert memory.stats().tool_history == {"whole": 6, "patterns": 0, "hidden": 0}
    assert list(memory.file.verify()) == []


def test_a_fold_whose_calls_are_erased_can_no_longer_be_undone(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()
    fold = memory.operations(limit=1)[0].id
    clock.pass_(days=31)
    memory.maintenance.fold()
    before = {item.text for item in shown(memory)}

    with pytest.raises(Conflict, match="erased since"):
        memory.undo(fold)

    assert {item.text for item in shown(memory)} == before
    assert len(before) == 1


def test_calls_of_the_shape_that_come_after_an_undone_fold_make_a_pattern_of_their_own(
    memory: Memory, clock: Clock
) -> None:
    keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()
    memory.undo()
    keep(memory, *(call("read_file", path=f"new/n{n}.py") for n in range(3)))
    clock.pass_(days=8)

    done = memory.maintenance.fold()

    assert done == Folded(1, 3, 0)
    assert len(shown(memory)) == 6


def test_a_fold_whose_undo_is_undone_holds_again(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()
    folded = shown(memory)

    memory.undo(memory.undo().by)
    keep(memory, call("read_file", path="src/new.py", ms=30))
    clock.pass_(days=8)
    later = memory.maintenance.fold()

    assert [item.text[:13] for item in folded] == ["read_file \u00d7 5"]
    assert later.hidden == 1
    assert [(item.id, item.text[:13]) for item in shown(memory)] == [(folded[0].id, "read_file \u00d7 6")]


def test_undoing_a_later_fold_leaves_the_earlier_one(memory: Memory, clock: Clock) -> None:
    keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()
    pattern = shown(memory)[0].text
    late = call("read_file", path="src/new.py", ms=30)
    keep(memory, late)
    clock.pass_(days=8)
    memory.maintenance.fold()

    memory.undo()
    memory.maintenance.fold()

    assert {item.text for item in shown(memory)} == {pattern, late}


def test_a_call_that_is_shown_long_after_its_fold_was_undone_is_erased_without_a_trace(
    memory: Memory, clock: Clock, database: Path
) -> None:
    ids = keep(memory, *READS[:3], call("read_file", path="qxwzvj.py"))
    clock.pass_(days=8)
    memory.maintenance.fold()
    memory.undo()

    memory.forget([ids[3]], erase=True)

    assert {item.text for item in shown(memory)} == set(READS[:3])
    assert b"qxwzvj" not in b"".join(file.read_bytes() for file in database.parent.glob("memory.db*"))


def test_a_call_that_was_folded_says_in_which_pattern_it_is(memory: Memory, clock: Clock) -> None:
    ids = keep(memory, *READS)
    clock.pass_(days=8)
    memory.maintenance.fold()

    [pattern] = shown(memory)

    assert f"replaced by #{pattern.id}" in memory.history(ids[0]).text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("deploy(port=8080) -> ok in 12 ms", "deploy(port=9090) -> ok in 12 ms"),
        ("The port of the deploy tool is 8080.", "The port of the deploy tool is 9090."),
        (call("set_limit", limit=5), call("set_limit", limit=6)),
    ],
)
def test_calls_that_differ_in_one_value_are_both_kept(memory: Memory, first: str, second: str) -> None:
    memory.remember(first, like=Entry("", kind="tool"))
    memory.remember(second, like=Entry("", kind="tool"))
    keep(memory, "fetch set to 1 port is 80", "fetch set to 1 port is 81")

    assert {first, second} < {item.text for item in shown(memory)}
    assert len(shown(memory)) == 4


def test_a_pinned_call_stays_as_it_is(memory: Memory, clock: Clock) -> None:
    ids = keep(memory, *READS)
    memory.update(ids[0], pinned=True)
    clock.pass_(days=8)

    memory.maintenance.fold()

    assert ids[0] in {item.id for item in shown(memory)}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (call("grep", pattern="x y", ms=5), Call("grep", {"pattern": "x y"}, False, 5.0)),
        ('{"tool": "grep", "input": "{\\"q\\": 1}", "error": "boom"}', Call("grep", {"q": "1"}, True, None)),
        ('{"tool_name": "ls", "args": null, "success": false, "duration": 1.5}', Call("ls", {}, True, 1500.0)),
        (
            "run_tests(suite=unit, fast=true) -> failed in 2 s",
            Call("run_tests", {"suite": "unit", "fast": "true"}, True, 2000.0),
        ),
        ("run_tests() -> 12 passed, no errors, 300 ms", Call("run_tests", {}, False, 300.0)),
        ("Bash: git status went well", Call("Bash", {}, False, None)),
    ],
)
def test_calls_are_read_forgivingly(text: str, read: Call) -> None:
    assert read_call(text) == read


@given(st.text(min_size=1))
def test_any_text_can_be_read_as_a_call(text: str) -> None:
    assert read_call(text).name


@given(st.text(min_size=1), st.text(min_size=1))
def test_similarity_is_between_nothing_and_the_same(one: str, other: str) -> None:
    first, second = read_call(one), read_call(other)

    assert 0 <= similarity(first, second) == similarity(second, first) <= 1
    assert similarity(first, first) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("write_file", {}, True),
        ("deleteIssue", {}, True),
        ("sql", {"query": "DELETE FROM users"}, True),
        ("sql", {"query": "SELECT 1"}, False),
        ("read_file", {"path": "delete.py"}, False),
    ],
)
def test_what_wrote_or_deleted_is_told_by_its_name_and_its_action(
    name: str, arguments: dict[str, str], expected: bool
) -> None:
    assert notable(Call(name, arguments, False, None)) is expected


def test_a_pattern_is_read_back() -> None:
    pattern = Pattern("grep", 4, 3, 12.0, {"pattern": ("a", "b"), "path": ("src",)})

    assert read_pattern(pattern.text) == pattern
    assert read_pattern("The deploy port is 8080.") is None
