"""Operations, undo and transaction time: what was visible at a moment is known for ever, and what was done is taken back."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import pytest
from changes import (
    CHANGE,
    DOCUMENTS,
    ENCODER,
    NUMBER,
    TEXTS,
    Change,
    Kept,
    carry_out,
    draw,
    operations,
    said,
    sources,
    visible,
)
from conftest import examples
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import Caller, Entry, normal_hash, sha256
from mcp_memory.errors import Conflict, InvalidInput, MemoryProblem, NotFound
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.sqlite import database


@pytest.fixture
def open_kept(tmp_path: Path) -> Iterator[Callable[[], Kept]]:
    opened: list[Kept] = []

    def make() -> Kept:
        opened.append(Kept(tmp_path / f"{len(opened)}.db"))
        return opened[-1]

    yield make
    for kept in opened:
        kept.close()


@pytest.fixture
def kept(open_kept: Callable[[], Kept]) -> Kept:
    return open_kept()


@pytest.fixture
def memory(kept: Kept) -> Memory:
    return kept.memory


def test_as_of_any_moment_of_200_operations_gives_what_was_visible_then(kept: Kept) -> None:
    chance = random.Random(20261122)
    moments: list[tuple[datetime, dict[str, Any]]] = []
    refused = 0
    for number in range(200):
        kept.clock.pass_(minutes=1)
        if chance.random() < 0.25 and operations(kept):
            try:
                kept.memory.undo(chance.choice([None, *operations(kept)[-12:]]))
            except (Conflict, NotFound):
                refused += 1
        else:
            carry_out(kept, draw(chance))
        if number % 5 == 0:
            moments.append((kept.clock(), visible(kept)))

    undone = sum(operation.verb == "undo" for operation in kept.memory.operations(limit=1000))
    assert min(undone, refused) > 10
    assert list(kept.memory.file.verify()) == []
    for moment, then in moments:
        assert visible(kept, as_of=moment) == then


SLOW = examples(40)


@SLOW
@given(before=st.lists(CHANGE, max_size=4), after=st.lists(CHANGE, min_size=1, max_size=7))
def test_undoing_all_operations_leaves_what_was_visible_and_undoing_the_undos_brings_it_back(
    open_kept: Callable[[], Kept], before: list[Change], after: list[Change]
) -> None:
    kept = open_kept()
    for change in before:
        kept.clock.pass_(minutes=1)
        carry_out(kept, change)
    first, readable, known = visible(kept), sources(kept), operations(kept)
    for change in after:
        kept.clock.pass_(minutes=1)
        carry_out(kept, change)
    last, readable_last = visible(kept), sources(kept)
    done = operations(kept)[len(known) :]

    undos = [kept.memory.undo(operation).by for operation in reversed(done)]
    assert visible(kept) == first
    assert sources(kept) == readable
    for undo in reversed(undos):
        kept.memory.undo(undo)
    assert visible(kept) == last
    assert sources(kept) == readable_last
    for _ in done:
        kept.memory.undo()
    assert visible(kept) == first
    assert list(kept.memory.file.verify()) == []


@SLOW
@example(  # a digest that comes back after what it took the place of has gone
    changes=[
        ("say", "The deploy port is 8080.", "web"),
        ("say", "The deploy port is 8080.", "user"),
        ("digest", "port", "web", "short"),
        ("say", "The deploy port is 8080.", "web"),
        ("digest", "port", "web", "short"),
        ("replace", "The deploy port is 9090.", 0),
    ],
    choices=[0, 22, 26, 9],
)
@given(changes=st.lists(CHANGE, min_size=2, max_size=8), choices=st.lists(NUMBER, max_size=8))
def test_whatever_is_undone_in_whatever_order_the_file_stays_sound(
    open_kept: Callable[[], Kept], changes: list[Change], choices: list[int]
) -> None:
    kept = open_kept()
    for change in changes:
        kept.clock.pass_(minutes=1)
        carry_out(kept, change)
    for choice in choices:
        known = operations(kept)
        before = visible(kept)
        try:
            done = kept.memory.undo(known[choice % len(known)]) if known else None
        except Conflict:
            assert visible(kept) == before
            continue
        if done is not None and done.by is not None:
            after = visible(kept)
            kept.memory.undo(done.by)
            assert visible(kept) == before
            kept.memory.undo(operations(kept)[-1])
            assert visible(kept) == after

    assert list(kept.memory.file.verify()) == []
    words = [
        (item.text, item.scope)
        for item in kept.memory.listing(ItemQuery("all"), limit=1000)
        if item.source_kind == "words"
    ]
    reworded = any(change[0] == "reword" for change in changes)
    assert reworded or len(words) == len(set(words))


# one operation

ANN, BOB = Caller("ann 1.0", "a1"), Caller("bob 2.0", "b1")


def texts(memory: Memory, query: str | None = None, **select: Any) -> list[str]:
    return [hit.item.text for hit in memory.recall(query, select=ItemQuery(**select)).hits]


def say(memory: Memory, text: str, *, by: Caller = ANN, **like: Any) -> str:
    return memory.remember(text, like=Entry("", **like), by=by).items[0].id


def last(memory: Memory) -> str:
    return memory.operations(limit=1)[0].id


def test_undoing_a_replacement_brings_the_old_memory_back(memory: Memory, kept: Kept) -> None:
    old = say(memory, "The deploy port is 8080.")
    kept.clock.pass_(days=1)
    say(memory, "The deploy port is 9090.")
    kept.clock.pass_(days=1)

    done = memory.undo(by=ANN)

    assert texts(memory, "deploy port") == ["The deploy port is 8080."]
    assert memory.recall("deploy port").hits[0].was == ()
    assert [item.id for item, _ in done.undoing.changes] == [old, done.undoing.changes[1][0].id]
    then = memory.recall("deploy port", select=ItemQuery(as_of="2026-03-03")).hits
    assert [(hit.item.text, [was.text for was in hit.was]) for hit in then] == [
        ("The deploy port is 9090.", ["The deploy port is 8080."])
    ]


def test_was_is_told_as_of_a_moment_only_where_it_was_replaced_by_then(memory: Memory, kept: Kept) -> None:
    old = say(memory, "The gate code is with Ann.")
    new = say(memory, "Bob keeps the code of the gate.")
    kept.clock.pass_(days=1)
    say(memory, "Bob keeps the code of the gate.", replaces=old)

    before = {hit.item.id: hit.was for hit in memory.recall("gate code", select=ItemQuery(as_of="2026-03-02")).hits}
    now = {hit.item.id: [was.id for was in hit.was] for hit in memory.recall("gate code").hits}

    assert before == {old: (), new: ()}
    assert now == {new: [old]}


def test_what_was_taken_back_is_new_when_it_is_remembered_again(memory: Memory) -> None:
    first = say(memory, "The tea is from Assam.")
    memory.undo(by=ANN)

    again = memory.remember("The tea is from Assam.").items[0]

    assert again.status == "created"
    assert again.id != first
    assert texts(memory, "tea") == ["The tea is from Assam."]


def test_undo_gives_back_counts_fields_and_tombstones(memory: Memory) -> None:
    item = say(memory, "The tea is from Assam.", tags=("tea",))
    first = memory.listing(ItemQuery(), limit=5)
    for change in (
        lambda: say(memory, "the tea is from assam"),
        lambda: memory.update(item, confirm=True, by=ANN),
        lambda: memory.update(item, content="The tea is from Ceylon.", kind="note", pinned=True, by=ANN),
        lambda: memory.forget([item], by=ANN),
    ):
        change()
        assert memory.listing(ItemQuery(), limit=5) != first
        memory.undo(by=ANN)
        assert [said(found) for found in memory.listing(ItemQuery(), limit=5)] == [said(found) for found in first]


def test_undo_takes_back_a_whole_batch_and_every_item_of_a_document(memory: Memory) -> None:
    memory.remember(items=[Entry(text) for text in TEXTS], by=ANN)
    document = memory.remember(DOCUMENTS[0], by=ANN)
    source = memory.item(document.items[0].id)[0].source_id

    memory.undo(by=ANN)
    memory.undo(by=ANN)

    assert memory.listing(ItemQuery("all"), limit=50) == []
    with pytest.raises(NotFound, match="forgotten"):
        memory.source(source)


def test_undo_takes_back_what_the_session_did_last_and_not_what_others_did(memory: Memory) -> None:
    say(memory, "Ann likes tea.", by=ANN)
    say(memory, "Ann likes plums.", by=replace(ANN, session="a2"))
    say(memory, "Bob likes coffee.", by=BOB)

    memory.undo(by=ANN)
    left = texts(memory)
    with pytest.raises(NotFound, match="taken back already"):
        memory.undo(by=ANN)
    memory.undo(by=replace(ANN, session="a3"))

    assert sorted(left) == ["Ann likes plums.", "Bob likes coffee."]
    assert texts(memory) == ["Bob likes coffee."]
    with pytest.raises(NotFound, match="eve has changed nothing yet"):
        memory.undo(by=Caller("eve", "e1"))


def test_one_undo_after_another_goes_further_back(memory: Memory) -> None:
    for text in TEXTS[3:6]:
        say(memory, text)

    left = []
    for _ in range(3):
        memory.undo(by=ANN)
        left.append(len(texts(memory)))

    assert left == [2, 1, 0]


def test_a_preview_says_what_undo_would_do_and_does_nothing(memory: Memory) -> None:
    item = say(memory, "The tea is from Assam.")
    before = memory.operations(limit=9)

    shown = memory.undo_preview(by=ANN)

    assert shown.by is None
    assert f"#{item} gone: The tea is from Assam." in shown.text
    assert "Nothing was changed yet." in shown.text
    assert (memory.operations(limit=9), texts(memory)) == (before, ["The tea is from Assam."])


# refusals


def reworded(memory: Memory, item: str) -> None:
    memory.update(item, content="The tea is from Ceylon.", by=BOB)


def said_again(memory: Memory, item: str) -> None:
    say(memory, "The tea is from Assam.", by=BOB)


def replaced_later(memory: Memory, item: str) -> None:
    say(memory, "Tea comes in from all over India.", by=BOB, replaces=item)


def forgotten_later(memory: Memory, item: str) -> None:
    memory.forget([item], by=BOB)


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (reworded, "was changed later by update"),
        (said_again, "was said again by remember"),
        (replaced_later, "was changed later by remember"),
        (forgotten_later, "was changed later by forget"),
    ],
)
def test_what_something_later_depends_on_is_not_taken_back_before_that(
    memory: Memory, later: Callable[[Memory, str], None], reason: str
) -> None:
    item = say(memory, "The tea is from Assam.")
    first = last(memory)
    later(memory, item)
    newer = last(memory)

    with pytest.raises(Conflict, match=rf"#{item} {reason} #{newer} .*Undo that first: operation #{newer}"):
        memory.undo(first)
    memory.undo(newer)
    memory.undo(first)

    assert texts(memory) == []


def test_a_memory_does_not_come_back_beside_what_was_remembered_anew_or_has_its_place(memory: Memory) -> None:
    item = say(memory, "The tea is from Assam.")
    memory.forget([item], by=ANN)
    forgotten = last(memory)
    anew = say(memory, "The tea is from Assam.", by=BOB)
    with pytest.raises(Conflict, match=f"what #{item} says was remembered anew as #{anew}"):
        memory.undo(forgotten)
    memory.undo(by=BOB)

    say(memory, "One supplier is left.", by=ANN)
    coffee = say(memory, "Coffee is from Brazil.", by=ANN)
    say(memory, "Coffee now comes out of Peru only.", by=ANN, replaces=coffee)
    first = last(memory)
    say(memory, "One supplier is left.", by=BOB, replaces=coffee)
    with pytest.raises(Conflict, match=f"#{coffee} was replaced by"):
        memory.undo(first)


def test_what_was_said_again_of_a_memory_that_went_is_taken_back_after_that(memory: Memory) -> None:
    item = say(memory, "The tea is from Assam.")
    say(memory, "The tea is from Assam.", by=BOB)
    again = last(memory)
    memory.forget([item], by=ANN)
    gone = last(memory)

    with pytest.raises(Conflict, match=f"#{item} was taken away later by forget #{gone}"):
        memory.undo(again)
    memory.undo(gone)
    memory.undo(again)

    assert [found.seen for found in memory.listing(ItemQuery(), limit=5)] == [1]


def test_an_update_that_was_only_confirmed_in_other_fields_can_be_taken_back(memory: Memory) -> None:
    item = say(memory, "The tea is from Assam.")
    memory.update(item, kind="note", by=ANN)
    say(memory, "The tea is from Assam.", by=BOB)

    memory.undo(by=ANN)

    assert [(found.kind, found.seen) for found in memory.listing(ItemQuery(), limit=5)] == [("fact", 2)]


def test_what_is_taken_back_is_not_taken_back_twice(memory: Memory) -> None:
    say(memory, "The tea is from Assam.")
    first = last(memory)
    undo = memory.undo(first).by

    with pytest.raises(Conflict, match=f"is taken back already. To change that, undo #{undo}"):
        memory.undo(first)


@pytest.mark.parametrize(("operation", "problem"), [("0p9s3l9cgm2pe", NotFound), ("last", InvalidInput)])
def test_an_operation_that_is_not_there_is_named(memory: Memory, operation: str, problem: type[MemoryProblem]) -> None:
    say(memory, "The tea is from Assam.")

    with pytest.raises(problem, match=operation):
        memory.undo(operation)


def test_of_two_that_undo_the_same_operation_at_once_one_is_refused(kept: Kept) -> None:
    say(kept.memory, "The tea is from Assam.")
    operation = last(kept.memory)
    barrier = threading.Barrier(2)
    answers: list[str] = []

    def undo() -> None:
        with Memory.open(kept.path, model=ENCODER) as other:
            barrier.wait()
            try:
                answers.append(other.undo(operation).undoing.operation.id)
            except Conflict as problem:
                answers.append(str(problem).partition(")")[2])

    threads = [threading.Thread(target=undo) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers, key=len)[0] == operation
    assert sorted(answers, key=len)[1].startswith(" is taken back already.")
    assert kept.memory.stats().operations == 2


def test_what_two_operations_said_stays_when_one_of_them_is_taken_back(memory: Memory) -> None:
    def replaced() -> list[str]:
        return [was.id for hit in memory.recall("gate code").hits if hit.item.id == new for was in hit.was]

    old = say(memory, "The gate code is with Ann.")
    say(memory, "The key is with Eve as well.", replaces=old)
    new = say(memory, "Bob keeps the code of the gate.")
    say(memory, "Bob keeps the code of the gate.", replaces=old)
    first = last(memory)
    say(memory, "Bob keeps the code of the gate.", by=BOB, replaces=old)

    undo = memory.undo(first).by
    without_the_first = replaced()
    memory.undo(undo)
    memory.undo(by=BOB)
    without_the_second = replaced()
    memory.undo(first)

    assert without_the_first == without_the_second == [old]
    assert replaced() == []


# digests


def test_undoing_a_digest_brings_the_earlier_one_back_and_it_is_fresh_again(memory: Memory, kept: Kept) -> None:
    item = say(memory, "The tea is from Assam.", tags=("tea",))
    memory.summarize("tea", digest="The first digest.", by=ANN)
    kept.clock.pass_(days=1)
    memory.summarize("tea", digest="The second digest.", by=ANN)
    memory.update(item, content="The tea is from Ceylon.", by=ANN)
    stale = memory.summarize("tea").text

    answers = []
    for _ in range(3):
        memory.undo(by=ANN)
        answers.append(memory.summarize("tea").text)

    assert "stale" in stale
    assert ["The second digest." in answers[0], "The first digest." in answers[1]] == [True, True]
    assert "digest." not in answers[2]
    then = memory.summarize("tea", select=ItemQuery(as_of="2026-03-02")).text
    assert "The first digest." in then
    with pytest.raises(InvalidInput, match="as_of"):
        memory.summarize("tea", select=ItemQuery(as_of="2026-03-02"), digest="A third digest.")


def test_a_digest_that_was_written_anew_stands_in_the_way_of_undoing_the_one_before(memory: Memory) -> None:
    say(memory, "The tea is from Assam.", tags=("tea",))
    memory.summarize("tea", digest="The first digest.", by=ANN)
    first = last(memory)
    memory.summarize("tea", digest="The second digest.", by=BOB)

    with pytest.raises(Conflict, match="the digest of tea was written anew"):
        memory.undo(first)


# erasing


def raw_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*")).lower()


def test_what_was_taken_back_and_brought_back_is_erased_like_anything_else(memory: Memory, kept: Kept) -> None:
    item = say(memory, "Her badge is qxwzvk.", tags=("badge",))
    memory.summarize("badge", digest="The badge is qxwzvk.", by=ANN)
    memory.undo(memory.undo(by=ANN).by)
    memory.update(item, content="Her badge is qxwzvj.", by=ANN)
    memory.undo(memory.undo(by=ANN).by)
    memory.undo(by=ANN)
    present = [word for word in (b"qxwzvk", b"qxwzvj") if word in raw_bytes(kept.path)]

    memory.forget([item], erase=True, by=ANN)

    assert len(present) == 2
    assert b"qxwzv" not in raw_bytes(kept.path)
    assert list(memory.file.verify()) == []


def test_an_erase_reaches_the_tombstones_that_say_the_same(memory: Memory, kept: Kept) -> None:
    memory.forget([say(memory, "Her badge is qxwzvk.")])
    say(memory, "Her badge is qxwzvk.")
    memory.undo(by=ANN)
    again = say(memory, "Her badge is qxwzvk.")
    elsewhere = say(memory, "Her badge is qxwzvk.", scope="web")

    memory.forget([again], erase=True)
    left = raw_bytes(kept.path).count(b"qxwzvk") > 0
    memory.forget([elsewhere], erase=True)

    tombstone = say(memory, "Her badge is qxwzvk.")
    memory.undo(by=ANN)
    memory.forget([say(memory, "Her badge is qxwzvk."), tombstone], erase=True)

    assert left
    assert memory.operations(limit=1)[0].erased == 2
    assert b"qxwzvk" not in raw_bytes(kept.path)
    assert list(memory.file.verify()) == []


def test_an_erase_cannot_be_taken_back_nor_what_it_left_nothing_of(memory: Memory) -> None:
    item = say(memory, "Her badge is qxwzvk.")
    first = last(memory)
    memory.forget([item], erase=True, by=ANN)

    with pytest.raises(Conflict, match="for good, so it can't be taken back"):
        memory.undo(by=ANN)
    with pytest.raises(Conflict, match="left nothing that could be taken back"):
        memory.undo(first)


def test_of_a_batch_that_was_erased_in_part_the_rest_is_taken_back(memory: Memory) -> None:
    batch = memory.remember(items=[Entry("Her badge is qxwzvk."), Entry("Her desk is by the door.")], by=ANN)
    first = last(memory)
    memory.forget([batch.items[0].id], erase=True, by=ANN)

    memory.undo(first)

    assert texts(memory) == []
    assert list(memory.file.verify()) == []


def test_as_of_tells_the_passage_of_what_was_forgotten_since(memory: Memory, kept: Kept) -> None:
    item = say(memory, "The tea is from Assam.")
    kept.clock.pass_(days=1)
    memory.forget([item])

    then = memory.recall("tea", select=ItemQuery(as_of="2026-03-02"), detail="full")

    assert [hit.item.text for hit in then.hits] == ["The tea is from Assam."]


# retention


def test_what_is_past_its_time_is_found_by_when_it_was_last_said(memory: Memory, kept: Kept) -> None:
    say(memory, "An old note.", kind="note")
    repeated = say(memory, "An old fact that holds.")
    gone = say(memory, "An old fact.")
    memory.forget([gone])
    kept.clock.pass_(days=100)
    say(memory, "A new note.", kind="note")
    memory.update(repeated, confirm=True)

    assert [item.text for item in memory.expired("90d")] == ["An old note.", "An old fact."]
    assert [item.text for item in memory.expired("12 weeks", ItemQuery("all", kinds=("note",)))] == ["An old note."]
    assert memory.expired("4m") == []
    assert memory.expired("90d", ItemQuery("web")) == []
    for age in ("90", "0d", "10 minutes", "soon"):
        with pytest.raises(InvalidInput, match="is no age"):
            memory.expired(age)


# files of before

FIRST_SCHEMA = """
INSERT INTO operations (id, verb, at, client, session, summary) VALUES
    (1, 'remember', 1000, 'c', '', ''), (2, 'remember', 2000, 'c', '', 'tea again, in a note'),
    (3, 'remember', 3000, 'c', '', ''), (4, 'remember', 4000, 'c', '', ''),
    (5, 'forget', 5000, 'c', '', 'erase #000000000000z'), (6, 'summarize', 6000, 'c', '', '');
INSERT INTO sources (id, operation_id, sha256, kind, origin, text, recorded_at) VALUES
    (11, 1, :tea, 'words', NULL, 'Maya drinks tea.', 1000), (12, 2, :note, 'document', NULL, 'Note. Maya drinks tea.', 2000),
    (13, 3, :old, 'words', NULL, 'The port is 8080.', 3000), (14, 4, :new, 'words', NULL, 'The port is 9090.', 4000);
INSERT INTO items (id, source_id, position, span_start, span_end, recorded_at, seen, last_seen_at) VALUES
    (21, 11, 0, 0, 16, 1000, 3, 2500), (23, 13, 0, 0, 17, 3000, 1, 3000), (24, 14, 0, 0, 17, 4000, 1, 4000);
INSERT INTO repeats VALUES (21, 12, 6, 22);
INSERT INTO revisions (id, item_id, operation_id, number, from_time, until_time, status, text, kind, scope, tags,
        importance, confidence, pinned, normal_hash) VALUES
    (31, 21, 1, 1, 1000, NULL, 'live', 'Maya drinks tea.', 'fact', 'user', '["tea"]', 0.5, 1.0, 0, :tea_hash),
    (33, 23, 3, 1, 3000, 4000, 'live', 'The port is 8080.', 'fact', 'user', '[]', 0.5, 1.0, 0, :old_hash),
    (34, 23, 4, 2, 4000, NULL, 'replaced', 'The port is 8080.', 'fact', 'user', '[]', 0.5, 1.0, 0, :old_hash),
    (35, 24, 4, 1, 4000, NULL, 'live', 'The port is 9090.', 'fact', 'user', '[]', 0.5, 1.0, 0, :new_hash);
INSERT INTO text_index (rowid, words, grams) VALUES
    (31, 'Maya drinks tea.', ''), (33, 'The port is 8080.', ''), (35, 'The port is 9090.', '');
INSERT INTO links VALUES (24, 23, 'replaces', 4, 4000);
INSERT INTO topics (id, operation_id, name, scope, digest, from_time) VALUES (41, 6, 'tea', 'user', 'Tea it is.', 6000);
INSERT INTO topic_revisions VALUES (41, 31);
"""


def test_a_file_of_the_first_schema_keeps_its_counts_and_its_past_and_can_be_undone(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    tea, old, new = "Maya drinks tea.", "The port is 8080.", "The port is 9090."
    hashes = {"tea": sha256(tea), "note": sha256("Note. Maya drinks tea."), "old": sha256(old), "new": sha256(new)}
    normal = {"tea_hash": normal_hash(tea), "old_hash": normal_hash(old), "new_hash": normal_hash(new)}
    file = apsw.Connection(str(path))
    file.execute(database.migrations()[0])
    file.execute(FIRST_SCHEMA, hashes | normal).fetchall()
    file.pragma("application_id", database.APPLICATION_ID)
    file.pragma("user_version", 1)
    file.close()

    with Memory.open(path, model=ENCODER) as memory:
        memory.wait_for_encoder()
        [first] = memory.recall("port").hits
        before = [item.seen for item in memory.listing(ItemQuery("all", tags=("tea",)), limit=9)]
        memory.update(id_text(21), confirm=True)
        after = [item.seen for item in memory.listing(ItemQuery("all", tags=("tea",)), limit=9)]
        memory.undo()

        assert list(memory.file.verify()) == []
        assert (first.item.text, [was.text for was in first.was]) == (new, [old])
        assert (before, after) == ([3], [4])
        assert "Tea it is." in memory.summarize("tea", select=ItemQuery("user")).text
        assert [old] == [item.text for item in memory.listing(ItemQuery(as_of="1970-01-01T00:00:03Z"), limit=1)]
        for number, refused in [(6, None), (5, "for good"), (4, None), (3, None), (2, None), (1, None)]:
            if refused:
                with pytest.raises(Conflict, match=refused):
                    memory.undo(id_text(number))
            else:
                memory.undo(id_text(number))
        assert memory.listing(ItemQuery("all"), limit=9) == []
        with pytest.raises(NotFound, match="forgotten"):
            memory.source(id_text(12))
        assert list(memory.file.verify()) == []
