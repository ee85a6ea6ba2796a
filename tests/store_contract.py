"""The contract of a store as tests: a class that takes a factory, and uses nothing but the ports of store.Store."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import (
    KINDS,
    Caller,
    Count,
    Embedding,
    Filter,
    Item,
    ItemId,
    Operation,
    OperationId,
    Source,
    SourceId,
    Statement,
    Vector,
)
from mcp_memory.domain.planning import PlanningContext, PlanningRequest
from mcp_memory.domain.steps import (
    AddItem,
    AmendItem,
    ConfirmItem,
    EraseItem,
    FoldItem,
    ForgetItem,
    KeepDigest,
    Outcome,
    Step,
    TakeBack,
)
from mcp_memory.domain.topic_index import (
    Assign,
    Assignment,
    Description,
    Place,
    Quote,
    Rebuild,
    Release,
    Summarise,
    Summarised,
    TopicWork,
    UnassignedItem,
)
from mcp_memory.errors import Conflict, NotFound, ReadOnly
from mcp_memory.language.dates.periods import DAY, Period
from mcp_memory.language.tokenization import Span
from mcp_memory.recall.bm25 import idf as idf_of
from mcp_memory.store import Store

NUMBERS = count(1_000)
START = 1_900_000_000_000
"""When the first operation of a test is, long after any id's time."""
ONE, TWO = "one-4", "two-4"
"""Identities of encoders with four dimensions."""
MakeStore = Callable[..., Store]


def new_id() -> str:
    return id_text(next(NUMBERS) << 22)


def unit(*values: float) -> Vector:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def said(text: str, **fields: Any) -> Statement:
    """A statement that is the whole of its source."""
    kind, origin = fields.pop("source_kind", "words"), fields.pop("origin", None)
    return Statement(text, Source(SourceId(new_id()), kind, text, origin, 0), Span(0, len(text)), **fields)


def passages(
    texts: Sequence[str], *, kind: Any = "document", origin: str | None = None, **fields: Any
) -> list[Statement]:
    """The statements of one source that holds each text on a line."""
    source = Source(SourceId(new_id()), kind, "\n".join(texts), origin, 0)
    starts = [sum(len(text) + 1 for text in texts[:number]) for number in range(len(texts))]
    return [
        Statement(text, source, Span(start, start + len(text)), position=number, **fields)
        for number, (text, start) in enumerate(zip(texts, starts, strict=True))
    ]


def addition(statement: Statement | str, **fields: Any) -> AddItem:
    statement = said(statement) if isinstance(statement, str) else statement
    return AddItem(ItemId(new_id()), statement, **fields)


class Keeper:
    """Applies steps to a store, each operation a second after the one before."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = START

    def do(self, *steps: Step, verb: str = "remember", encoder: str | None = None, session: str = "") -> OperationId:
        self.outcomes(*steps, verb=verb, encoder=encoder, session=session)
        return self.last

    def outcomes(
        self, *steps: Step, verb: str = "remember", encoder: str | None = None, session: str = ""
    ) -> list[Outcome]:
        self.at += 1000
        self.last = OperationId(new_id())
        operation = Operation(self.last, verb, self.at, "client", session, "summary")
        return self.store.apply(operation, steps, encoder=encoder)

    def add(self, statement: Statement | str, **fields: Any) -> ItemId:
        [outcome] = self.outcomes(addition(statement, **fields), encoder=ONE)
        assert outcome.id is not None
        return outcome.id

    def item(self, identifier: ItemId) -> Item:
        return self.store.items([identifier])[identifier]

    def texts(self, **filters: Any) -> list[str]:
        return [item.text for item in self.store.listing(where=Filter(**filters), limit=1000)]

    def found(self, query: str, **filters: Any) -> list[str]:
        found = self.store.search_text(query, where=Filter(**filters), limit=1000)
        states = self.store.revisions([one.revision_id for one in found])
        return [states[one.revision_id].item.text for one in found]


class StoreContract:
    """Subclass it, and give `make_store`: a store of a directory, the same one where that is given again.

    `make_store(directory, read_only=True)` may only read what is there. What is opened is closed by the subclass.
    """

    @pytest.fixture
    def make_store(self) -> Iterator[MakeStore]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make_store: MakeStore, tmp_path: Path) -> Store:
        return make_store(tmp_path)

    @pytest.fixture
    def keep(self, store: Store) -> Keeper:
        return Keeper(store)

    # items

    def test_an_item_says_what_its_statement_said(self, keep: Keeper) -> None:
        told = said(
            "Ann: tea", kind="preference", tags=("a", "b"), scope="shop", speaker="Bo", importance=0.7, occurred_at=5
        )

        item = keep.item(keep.add(replace(told, confidence=0.9)))

        expected = {"text": "Ann: tea", "kind": "preference", "tags": ("a", "b"), "scope": "shop", "speaker": "Bo"}
        expected |= {"importance": 0.7, "importance_given": True, "confidence": 0.9, "occurred_at": 5, "position": 0}
        expected |= {"recorded_at": keep.at, "changed_at": keep.at, "revision": 1, "status": "live", "seen": 1}
        expected |= {"last_seen_at": keep.at, "source_id": told.source.id, "span": told.span, "client": "client"}
        assert {name: getattr(item, name) for name in expected} == expected

    def test_what_is_added_is_there_for_whoever_opened_the_store(
        self, keep: Keeper, make_store: MakeStore, tmp_path: Path
    ) -> None:
        another = make_store(tmp_path)
        added = keep.add("The port is 8080.")

        assert another.items([added]) == keep.store.items([added])

    def test_nothing_can_be_changed_in_a_store_that_may_only_be_read(
        self, keep: Keeper, make_store: MakeStore, tmp_path: Path
    ) -> None:
        keep.add("The port is 8080.")
        reading = make_store(tmp_path, read_only=True)

        with pytest.raises(ReadOnly):
            Keeper(reading).add("The port is 9090.")
        assert reading.read_only
        assert not reading.register_encoder(ONE, 4)
        assert Keeper(reading).texts() == ["The port is 8080."]

    def test_words_that_were_stored_meanwhile_are_confirmed(self, keep: Keeper) -> None:
        known = keep.add("The port is 8080.")

        assert keep.outcomes(addition("the port is 8080")) == [Outcome("known", known, known)]
        assert (keep.item(known).seen, keep.item(known).last_seen_at) == (2, keep.at)

    def test_the_same_words_in_another_scope_are_another_item(self, keep: Keeper) -> None:
        keep.add("The port is 8080.")

        assert keep.outcomes(addition(said("The port is 8080.", scope="shop")))[0].status == "created"

    def test_what_was_to_be_confirmed_but_was_forgotten_meanwhile_is_added(self, keep: Keeper) -> None:
        known = keep.add("The port is 8080.")
        keep.do(ForgetItem(known))

        assert keep.outcomes(addition("The port is 8080.", confirms=known))[0].status == "created"

    @pytest.mark.parametrize("gone", [ForgetItem, EraseItem])
    def test_what_was_to_be_replaced_but_is_gone_meanwhile_does_not_stop_the_new(
        self, keep: Keeper, gone: type[ForgetItem | EraseItem]
    ) -> None:
        old = keep.add("The port is 8080.")
        keep.do(gone(old))

        assert keep.outcomes(addition("The port is 9090.", replaces=old))[0].status == "created"
        assert keep.texts() == ["The port is 9090."]

    def test_all_steps_of_an_operation_are_carried_out_or_none(self, keep: Keeper) -> None:
        unknown = ItemId(new_id())
        told = said("The port is 9090.", replaces=unknown)

        with pytest.raises(NotFound):
            keep.do(addition("kept with the others"), addition(told, replaces=unknown))

        assert (keep.texts(), keep.store.operations(limit=9)) == ([], [])

    @pytest.mark.parametrize("step", [ConfirmItem, ForgetItem, EraseItem])
    def test_a_step_on_nothing_changes_nothing(
        self, keep: Keeper, step: type[ConfirmItem | ForgetItem | EraseItem]
    ) -> None:
        with pytest.raises(NotFound):
            keep.do(addition("kept with the others"), step(ItemId(new_id())))

        assert keep.texts() == []

    def test_an_item_that_moved_on_is_not_amended(self, keep: Keeper) -> None:
        item = keep.add("The port is 8080.")
        keep.do(AmendItem(item, 1, {"kind": "note", "tags": ("b", "a"), "pinned": 1}))

        with pytest.raises(Conflict):
            keep.do(AmendItem(item, 1, {"kind": "event"}))
        now = keep.item(item)
        assert (now.kind, now.tags, now.pinned, now.revision) == ("note", ("a", "b"), True, 2)

    def test_what_is_replaced_is_hidden_and_linked_through_all_that_came_after(self, keep: Keeper) -> None:
        first = keep.add(said("The port is 7070.", tags=("net",)))
        second = keep.add("The port is 8080.", replaces=first)
        before = keep.at
        third = keep.add("The port is 9090.", replaces=second)

        replaced = keep.store.replaced_by([first, second, third])
        assert {item: [old.id for old in olds] for item, olds in replaced.items()} == {
            third: [second, first],
            second: [first],
        }
        assert keep.item(second).status == "replaced"
        assert keep.item(third).tags == ("net",)
        assert keep.texts() == ["The port is 9090."]
        assert keep.texts(as_of=before) == ["The port is 8080."]
        assert [old.id for old in keep.store.replaced_by([third, second], as_of=before)[second]] == [first]
        assert third not in keep.store.replaced_by([third], as_of=before)

    def test_what_a_later_version_supersedes_is_replaced_by_it(self, keep: Keeper) -> None:
        old, gone = keep.add("The port is 8080."), keep.add("The host is a.")

        new = keep.add("The port is 9090.", replaces=old, supersedes=(gone,))

        assert {one.id for one in keep.store.replaced_by([new])[new]} == {old, gone}

    def test_a_document_told_again_is_known_by_its_places(self, keep: Keeper) -> None:
        texts = ["First line here.", "Second line here."]
        keep.do(*map(addition, passages(texts)))

        statuses = [outcome.status for outcome in keep.outcomes(*map(addition, passages(texts)))]
        assert statuses == ["known", "known"]

    def test_what_is_forgotten_is_not_found_and_its_words_are_blanked_in_its_source(self, keep: Keeper) -> None:
        first, second = passages(["Tea at four.", "Coffee at five."])
        forgotten, stays = addition(first), addition(second)
        keep.do(forgotten, stays)
        before = keep.at
        keep.do(ForgetItem(forgotten.id))

        assert keep.texts() == ["Coffee at five."]
        assert keep.item(forgotten.id).status == "forgotten"
        assert "Tea" not in keep.store.source(first.source.id).text
        assert "Coffee at five." in keep.store.source(first.source.id).text
        assert keep.store.source(first.source.id, as_of=before).text == first.source.text
        keep.do(ForgetItem(stays.id))
        with pytest.raises(NotFound):
            keep.store.source(first.source.id)

    def test_what_is_erased_is_nowhere(self, keep: Keeper) -> None:
        erased = keep.add("The secret is quokka.")
        source = keep.item(erased).source_id
        before = keep.at
        keep.do(EraseItem(erased))

        assert keep.store.items([erased]) == {}
        assert keep.store.history(erased) == []
        assert keep.found("quokka", as_of=before) == []
        with pytest.raises(NotFound):
            keep.store.source(source)
        with pytest.raises(NotFound):
            keep.store.history(ItemId(new_id()))

    def test_a_pattern_goes_with_the_words_of_a_call_that_is_erased_and_the_others_are_shown(
        self, keep: Keeper
    ) -> None:
        one, other = (keep.add(said(f"read(path={name}) -> ok", kind="tool")) for name in "ab")
        pattern = addition(said("read × 2: 2 succeeded", kind="tool"))
        keep.do(pattern, FoldItem(one, pattern.id), FoldItem(other, pattern.id), verb="fold")
        assert keep.texts() == ["read × 2: 2 succeeded"]
        assert {stored.item.id: stored.patterns for stored in keep.store.scan()} == {
            one: (pattern.id,),
            other: (pattern.id,),
            pattern.id: (),
        }

        keep.do(EraseItem(one))

        assert keep.texts() == ["read(path=b) -> ok"]

    def test_a_pattern_outlives_the_calls_whose_time_is_over(self, keep: Keeper) -> None:
        call, pattern = (
            keep.add(said("read() -> ok", kind="tool")),
            addition(said("read × 1: 1 succeeded", kind="tool")),
        )
        keep.do(pattern, FoldItem(call, pattern.id), verb="fold")

        keep.do(EraseItem(call, keep_patterns=True))

        assert keep.texts() == ["read × 1: 1 succeeded"]

    def test_a_scan_goes_through_all_items_the_oldest_first(self, keep: Keeper) -> None:
        ids = [keep.add(said(f"note {number}", kind=kind)) for number, kind in enumerate(("note", "tool", "note"))]
        keep.do(ForgetItem(ids[0]))

        found = list(keep.store.scan())
        assert [stored.item.id for stored in found] == ids
        assert [stored.item.status for stored in found] == ["forgotten", "live", "live"]
        assert [stored.item.id for stored in keep.store.scan(kinds=("tool",))] == [ids[1]]
        assert list(keep.store.scan(scopes=("shop",))) == []

    def test_a_fold_that_was_taken_back_is_remembered(self, keep: Keeper) -> None:
        call, pattern = (
            keep.add(said("read() -> ok", kind="tool")),
            addition(said("read × 1: 1 succeeded", kind="tool")),
        )
        fold = keep.do(pattern, FoldItem(call, pattern.id), verb="fold")
        keep.do(TakeBack(fold), verb="undo")

        [stored, _] = keep.store.scan()
        assert (stored.patterns, stored.unfolded, stored.item.status) == ((), True, "live")

    # filters, order

    def test_every_search_sees_what_a_filter_lets_through(self, keep: Keeper) -> None:
        chance = random.Random(1)
        keep.store.register_encoder(ONE, 4)
        ids, moments = _changed_at_random(keep, chance)
        histories = [keep.store.history(identifier) for identifier in ids]
        for _ in range(60):
            where = _any_filter(chance, moments)
            expected = {state.revision_id for state in _let_through(histories, where)}
            listed = keep.store.listing(where=where, limit=1000)
            found = keep.store.search_text("memory", where=where, limit=1000)
            near = keep.store.search_vectors(unit(1, 1, 1, 1), encoder=ONE, where=where, limit=1000)
            places = [(item.source_id, 0) for item in (history[0].item for history in histories)]
            assert {item.revision_id for item in listed} == expected
            assert {one.revision_id for one in found} == {one.revision_id for one in near} == expected
            assert {
                number for number, passed in keep.store.revisions_at(places, where=where).items() if passed
            } == expected
            assert sum(one.items for one in keep.store.counts(where=where)) == len(expected)

    def test_a_listing_is_by_face_value_and_then_by_id_the_latest_first(self, keep: Keeper) -> None:
        first, second = keep.add("recorded early"), keep.add("recorded late")
        dated = keep.add(said("happened between", occurred_at=keep.item(first).recorded_at + DAY + 1))
        again = keep.add(said("happened then too", occurred_at=keep.item(first).recorded_at + DAY + 1))

        where = Filter(zone_offset=DAY)
        listed = [item.id for item in keep.store.listing(where=where, limit=9)]
        assert listed == [second, again, dated, first]
        assert [item.id for item in keep.store.listing(where=where, limit=2, offset=1)] == listed[1:3]

    def test_a_listing_in_periods_has_what_happened_in_them_or_tells_of_them(self, keep: Keeper) -> None:
        march = Period(1_772_323_200_000, 1_775_001_600_000)  # 2026
        keep.add(said("We met.", occurred_at=march.start + DAY))
        keep.add(said("The fair is on 12 March 2026.", occurred_at=march.start - 30 * DAY))
        keep.add(said("The car is from 2026.", occurred_at=march.start - 30 * DAY))
        keep.add(said("We parted.", occurred_at=march.end))

        found = keep.store.listing(where=Filter(), limit=9, in_periods=[march])

        assert [item.text for item in found] == ["We met.", "The fair is on 12 March 2026."]

    def test_counts_are_by_scope_or_by_tag(self, keep: Keeper) -> None:
        for number, (scope, tags) in enumerate((("shop", ("a", "b")), ("shop", ("a",)), ("user", ("a",)))):
            keep.add(said(f"note {number}", scope=scope, tags=tags))

        assert keep.store.counts(where=Filter()) == [Count("shop", 2), Count("user", 1)]
        assert keep.store.counts(where=Filter(), by="tag") == [
            Count("shop", 2, "a"),
            Count("user", 1, "a"),
            Count("shop", 1, "b"),
        ]
        assert keep.store.counts(where=Filter(scopes=("user",))) == [Count("user", 1)]

    # search

    def test_rare_words_weigh_more_than_common_ones(self, keep: Keeper) -> None:
        for number in range(9):
            keep.add(f"The memory of day {number}.")
        keep.add("The quokka.")

        assert keep.found("memory quokka")[0] == "The quokka."
        assert keep.found("memories")  # folded and stemmed
        assert len(keep.store.search_text("memory", where=Filter(), limit=3)) == 3
        assert keep.found("absent") == []

    @pytest.mark.parametrize("query", ['"', "a AND", "NOT (b", "port*", "' OR 1=1 --", "東", "·", "a" * 9000])
    def test_nothing_in_a_query_is_an_operator(self, keep: Keeper, query: str) -> None:
        text = f"port {query}"
        keep.add(text)

        assert keep.found(f"{query} port") == [text]

    def test_the_nearest_come_first_whatever_else_there_is(self, keep: Keeper) -> None:
        keep.store.register_encoder(ONE, 4)
        far = [addition(f"far {n}", embedding=Embedding(unit(-1, n % 7, 0, 1))) for n in range(300)]
        near, nearer = (
            addition(name, embedding=Embedding(unit(1, x, 0, 0))) for name, x in (("near", 1), ("nearer", 0.5))
        )
        keep.do(*far, near, nearer, encoder=ONE)

        found = keep.store.search_vectors(unit(1, 0, 0, 0), encoder=ONE, where=Filter(), limit=2)

        states = keep.store.revisions([one.revision_id for one in found], encoder=ONE)
        assert [states[one.revision_id].item.text for one in found] == ["nearer", "near"]
        assert [one.score for one in found] == pytest.approx([0.894, 0.707], abs=0.02)

    def test_bm25_and_idf_are_those_of_the_literature(self, keep: Keeper) -> None:
        texts = ["memory of tea", "memory of milk", "a day"]
        items = [keep.item(keep.add(text)) for text in texts]

        idf, total = keep.store.idf(["memory", "tea", "absent"])
        scores, full = keep.store.bm25("memory tea", items)

        assert total == 3
        assert idf == pytest.approx([idf_of(2, total=3), idf_of(1, total=3), idf_of(0, total=3)], rel=1e-5)
        assert scores[0] > scores[1] > scores[2] == 0
        assert full == pytest.approx(idf[0] + idf[1], rel=1e-5)
        assert keep.store.bm25("tea", [])[1] == pytest.approx(idf[1], rel=1e-5)

    def test_states_are_found_by_their_places(self, keep: Keeper) -> None:
        turns = [addition(one) for one in passages(["Hello.", "Good morning.", "Bye."], kind="transcript")]
        keep.do(*turns)
        keep.do(ForgetItem(turns[2].id))
        source = turns[0].statement.source.id

        found = keep.store.revisions_at([(source, place) for place in range(4)], where=Filter(since=keep.at))

        assert {keep.store.revisions([number])[number].item.text: passed for number, passed in found.items()} == {
            "Hello.": False,
            "Good morning.": False,
        }
        assert keep.store.revisions_at([(source, 0)], where=Filter(scopes=("shop",))) == {}

    # revisions

    def test_a_revision_is_read_as_it_was(self, keep: Keeper) -> None:
        item = keep.add("The port is 8080.")
        first = keep.item(item).revision_id
        before = keep.at
        keep.do(AmendItem(item, 1, {"text": "The port is 9090."}))
        keep.do(ConfirmItem(item))

        states = keep.store.revisions([first, keep.item(item).revision_id, 1])
        assert [state.item.text for state in states.values()] == ["The port is 8080.", "The port is 9090."]
        assert states[first].item.seen == 2
        assert keep.store.revisions([first], as_of=before)[first].item.seen == 1

    def test_a_revision_has_the_periods_that_its_text_names(self, keep: Keeper) -> None:
        item = keep.item(keep.add("The dentist is on 12 March 2026."))
        plain = keep.item(keep.add("The dentist is kind."))

        states = keep.store.revisions([item.revision_id, plain.revision_id])

        start = 1_773_273_600_000
        assert states[item.revision_id].text_dates == (Period(start, start + DAY),)
        assert states[plain.revision_id].text_dates == ()
        keep.store.reindex(lambda done, total: None, zone_offset=0)
        assert keep.store.revisions([item.revision_id]) == {item.revision_id: states[item.revision_id]}
        assert set(keep.found("dentist")) == set(keep.texts())

    # embeddings

    def test_the_first_encoder_serves_until_another_one_takes_over(self, keep: Keeper) -> None:
        store = keep.store
        assert store.serving_encoder() is None
        assert store.register_encoder(ONE, 4)
        item = keep.item(keep.add("tea", embedding=Embedding(unit(1, 0, 0, 0), unit(0, 1, 0, 0), b"abcd")))
        assert not store.register_encoder(TWO, 4)
        assert store.pending_embeddings(ONE, limit=9) == (0, [])
        assert store.pending_embeddings(TWO, limit=0) == (1, [])

        made = store.revisions([item.revision_id], encoder=ONE)[item.revision_id].embedding
        assert made is not None
        assert made.late_chunk is not None
        assert made.tokens == b"abcd"
        assert made.vector == pytest.approx(unit(1, 0, 0, 0), abs=0.01)
        assert made.late_chunk == pytest.approx(unit(0, 1, 0, 0), abs=0.01)
        store.add_embeddings(TWO, {item.revision_id: Embedding(unit(0, 0, 1, 0)), 1: Embedding(unit(1, 0, 0, 0))})
        assert store.register_encoder(TWO, 4, role="serving")

        assert store.serving_encoder() == TWO
        assert store.search_vectors(unit(1, 0, 0, 0), encoder=ONE, where=Filter(), limit=5) == []
        assert store.revisions([item.revision_id], encoder=ONE)[item.revision_id].embedding is None
        assert len(store.search_vectors(unit(0, 0, 1, 0), encoder=TWO, where=Filter(), limit=5)) == 1
        with pytest.raises(Conflict):
            store.add_embeddings(ONE, {item.revision_id: Embedding(unit(1, 0, 0, 0))})

    def test_embeddings_of_an_encoder_that_no_longer_serves_are_left_pending(self, keep: Keeper) -> None:
        keep.store.register_encoder(ONE, 4)
        keep.store.register_encoder(TWO, 4, role="serving")

        keep.do(addition("tea", embedding=Embedding(unit(1, 0, 0, 0))), encoder=ONE)

        assert keep.store.pending_embeddings(TWO, limit=0) == (1, [])

    def test_pending_states_come_by_source_the_latest_first_and_in_its_order(self, keep: Keeper) -> None:
        keep.store.register_encoder(ONE, 4)
        keep.do(addition("alone"))
        keep.do(*map(addition, passages(["one", "two"], kind="transcript", speaker="Ann")))
        spoken = [item.id for item in keep.store.listing(where=Filter(), limit=9)]
        keep.do(ForgetItem(spoken[-1]))

        pending, first = keep.store.pending_embeddings(ONE, limit=2)

        assert (pending, [(one.text, one.position) for one in first]) == (3, [("Ann: one", 0), ("Ann: two", 1)])
        keep.store.add_embeddings(ONE, {first[0].revision_id: Embedding(unit(1, 0, 0, 0))})
        assert keep.store.pending_embeddings(ONE, limit=0) == (2, [])

    def test_a_state_with_the_same_text_has_the_same_embedding(self, keep: Keeper) -> None:
        keep.store.register_encoder(ONE, 4)
        item = keep.add("tea", embedding=Embedding(unit(1, 0, 0, 0)))

        keep.do(AmendItem(item, 1, {"kind": "note"}))
        assert keep.store.pending_embeddings(ONE, limit=0)[0] == 0
        keep.do(AmendItem(item, 2, {"text": "green tea"}))
        assert keep.store.pending_embeddings(ONE, limit=0)[0] == 1

    # history

    def test_a_history_has_every_state_and_who_made_it(self, keep: Keeper) -> None:
        item = keep.add("The port is 8080.")
        created = keep.last
        amended = keep.do(AmendItem(item, 1, {"text": "The port is 9090."}), verb="update")
        again = keep.do(ConfirmItem(item))
        other = keep.add("The port is 7070.", replaces=item)

        states = keep.store.history(item)

        assert [state.item.text for state in states] == ["The port is 8080.", "The port is 9090.", "The port is 9090."]
        assert [state.operation.id for state in states[:2]] == [created, amended]
        assert [one.id for one in states[1].said_again] == [again]
        assert states[2].replaced_by == other

    def test_operations_come_the_latest_first_and_no_two_at_one_time(self, keep: Keeper) -> None:
        keep.add("a")
        keep.at -= 1000
        keep.add("b")
        keep.add("c")

        operations = keep.store.operations(limit=9)

        assert [one.id for one in operations] == sorted((one.id for one in operations), reverse=True)
        assert operations[-1].at < operations[-2].at < operations[-3].at
        assert keep.store.operations(limit=9, since=operations[0].at) == operations[:1]
        assert keep.store.operations(limit=2) == operations[:2]

    def test_an_operation_is_taken_back_and_brought_back(self, keep: Keeper) -> None:
        old = keep.add("The port is 8080.")
        new = addition("The port is 9090.", replaces=old)
        change = keep.do(new)

        undoing = keep.store.undoing(change)
        assert [(was.id, None if after is None else after.status) for was, after in undoing.changes] == [
            (old, "live"),
            (new.id, None),
        ]
        undo = keep.do(TakeBack(change), verb="undo")

        assert keep.texts() == ["The port is 8080."]
        assert [one.undone for one in keep.store.operations(limit=2)] == [False, True]
        with pytest.raises(Conflict):
            keep.store.undoing(change)
        assert keep.store.undoing(undo).brings_back
        keep.do(TakeBack(undo), verb="undo")
        assert keep.texts() == ["The port is 9090."]

    def test_what_a_later_operation_depends_on_or_what_erased_cannot_be_taken_back(self, keep: Keeper) -> None:
        item = keep.add("The port is 8080.")
        created = keep.last
        keep.do(AmendItem(item, 1, {"text": "The port is 9090."}))
        gone = keep.add("The key is quokka.")
        erased = keep.do(EraseItem(gone))

        for operation in (created, erased):
            with pytest.raises(Conflict):
                keep.store.undoing(operation)
        with pytest.raises(NotFound):
            keep.store.undoing(OperationId(new_id()))

    def test_a_caller_takes_back_its_session_first(self, keep: Keeper) -> None:
        mine = keep.do(addition("mine"), session="s")
        theirs = keep.do(addition("theirs"), session="t")

        assert keep.store.undoing(Caller("client", "s")).operation.id == mine
        assert keep.store.undoing(Caller("client", "")).operation.id == theirs
        assert keep.store.undoing(Caller("client", "new")).operation.id == theirs
        keep.do(TakeBack(mine), verb="undo", session="s")
        for nobody in (Caller("client", "s"), Caller("other", "")):
            with pytest.raises(NotFound):
                keep.store.undoing(nobody)

    # planning

    def test_a_plan_gets_what_says_the_same_in_each_scope_and_elsewhere(self, keep: Keeper) -> None:
        mine, shops = keep.add("The port is 8080."), keep.add(said("The port is 8080.", scope="shop"))
        told = said("the port is 8080", scope="user", fallback_scope="atlas")

        context = _context(keep, told)

        assert {key: item.id for key, item in context.known.items()} == {("user", told.text): mine}
        assert _context(keep, said("The port is 8080.", scope="new")).elsewhere["The port is 8080."].id in (mine, shops)
        assert context.scopes == []
        assert sorted(_context(keep, said("x", scope="shoop")).scopes) == ["shop", "user"]

    def test_a_plan_gets_the_neighbours_by_vector_and_then_by_rare_words(self, keep: Keeper) -> None:
        keep.store.register_encoder(ONE, 4)
        near = keep.add("Tea is green.", embedding=Embedding(unit(1, 0.2, 0, 0)))
        far = keep.add("Dogs bark.", embedding=Embedding(unit(-1, 0, 0, 0)))
        shared = keep.add("The quokka sleeps.")
        keep.add(said("The quokka eats.", scope="shop"))

        request = PlanningRequest([said("A quokka drinks.")], [unit(1, 0, 0, 0)], [("quokka", "absent")], encoder=ONE)
        [neighbours] = keep.store.planning_context(request).neighbours

        assert [one.item.id for one in neighbours] == [near, far, shared]
        assert [one.cosine for one in neighbours] == pytest.approx([0.98, -1, 0], abs=0.02)
        other = replace(request, encoder=TWO)
        assert [one.item.id for one in keep.store.planning_context(other).neighbours[0]] == [shared]
        both = replace(
            request, statements=[said("A quokka drinks.", scope="shop", fallback_scope="user")], vectors=[None]
        )
        assert [one.item.scope for one in keep.store.planning_context(both).neighbours[0]] == ["shop", "user"]
        for unasked in (said("A quokka.", replaces=near), passages(["A quokka."])[0]):
            assert keep.store.planning_context(replace(request, statements=[unasked])).neighbours == [[]]

    def test_a_plan_gets_the_items_it_names_and_how_rare_its_words_are(self, keep: Keeper) -> None:
        old, echo = keep.add("The port is 8080."), keep.add("Tea is green.")
        keep.do(ForgetItem(echo))
        told = [
            said("The port is 9090.", replaces=old),
            said("Tea", echo_of=echo),
            said("Oh", replaces=ItemId(new_id())),
        ]

        request = PlanningRequest(told, [None] * 3, [()] * 3, words=("port", "absent"))
        context = keep.store.planning_context(request)

        assert {item.id: item.status for item in context.named.values()} == {old: "live", echo: "forgotten"}
        assert (context.idf["absent"], context.total) == (context.rarest, 2)
        assert context.idf["port"] == pytest.approx(idf_of(1, total=2), rel=1e-5)

    def test_a_plan_gets_the_earlier_versions_of_a_document(self, keep: Keeper) -> None:
        for version in ("one", "two"):
            keep.do(*map(addition, passages([f"This is {version}.", "And more."], origin="docs/a.md")))
        keep.do(*map(addition, passages(["Another."], origin="docs/b.md")))

        request = PlanningRequest([], [], [], origins=["docs/a.md"])
        earlier = keep.store.planning_context(request).earlier

        assert [one.source.text for one in earlier] == ["This is two.\nAnd more.", "This is one.\nAnd more."]
        assert [[item.text for item in one.items] for one in earlier] == [
            ["This is two.", "And more."],
            ["This is one.", "And more."],
        ]

    def test_what_was_recorded_before_is_known_or_forgotten_but_not_what_was_undone(self, keep: Keeper) -> None:
        keep.add("Tea is green.")
        keep.do(ForgetItem(keep.add("Dogs bark.")))
        keep.do(*map(addition, passages(["A page.", "Of two."])))
        keep.add("Cats purr.")
        keep.do(TakeBack(keep.last), verb="undo")

        told = [
            said("tea is green"),
            said("Dogs bark."),
            said("Cats purr."),
            said("New."),
            said("Tea is green.", scope="shop"),
        ]
        told += passages(["A page.", "Of two."])[:1]
        assert keep.store.known_before(told) == ["known", "forgotten", "new", "new", "new", "known"]

    # topics

    def test_a_digest_is_stale_once_an_item_of_it_changed(self, keep: Keeper) -> None:
        item = keep.add("The port is 8080.")
        keep.do(KeepDigest("ports", "user", "All ports.", (item,)), verb="summarize")
        before = keep.at
        [digest] = keep.store.digests()
        assert (digest.name, digest.digest, digest.items, digest.stale, digest.made_at) == (
            "ports",
            "All ports.",
            (item,),
            False,
            keep.at,
        )

        keep.do(AmendItem(item, 1, {"text": "The port is 9090."}))
        assert [one.stale for one in keep.store.digests()] == [True]
        assert [one.stale for one in keep.store.digests(as_of=before)] == [False]
        assert keep.store.digests(as_of=START) == []
        keep.do(KeepDigest("ports", "user", "The ports.", (item,)), verb="summarize")
        assert [one.digest for one in keep.store.digests()] == ["The ports."]

    def test_items_wait_for_their_topics_and_leave_them_when_they_change(self, keep: Keeper) -> None:
        store = keep.store
        ids = [keep.add(f"Boat number {number}.") for number in range(3)]
        work = store.topic_work(encoder=None, items=9, clusters=9)
        assert work.batch is not None
        assert ([one.item.id for one in work.batch.members], work.pending, work.scope) == (ids, 3, "user")

        assert _assign_all(store, work, name="boats")

        [topic] = store.topics(limit=9)
        assert (topic.name, topic.scope, set(topic.items), topic.stale) == ("boats", "user", set(ids), False)
        assert [(one.item, one.text) for one in topic.sentences] == [(ids[0], "Boat number 0.")]
        assert store.topic_work(encoder=None, items=9, clusters=9).batch is None
        keep.do(AmendItem(ids[0], 1, {"text": "Ship number 0."}))
        work = store.topic_work(encoder=None, items=9, clusters=9)
        assert work.batch is not None
        assert work.batch.assigned
        assert store.apply_topics(Release(work.generation, work.batch))
        work = store.topic_work(encoder=None, items=9, clusters=9)
        assert [[member.item.id for member in one.members] for one in work.dirty] == [ids[:0:-1]]

    def test_a_change_planned_on_an_earlier_state_of_the_index_is_refused(self, keep: Keeper) -> None:
        for number in range(3):
            keep.add(f"Boat number {number}.")
        work = keep.store.topic_work(encoder=None, items=9, clusters=9)
        assert _assign_all(keep.store, work, name="boats")

        assert work.batch is not None
        assert not keep.store.apply_topics(Release(work.generation, work.batch))
        assert [one.name for one in keep.store.topics(limit=9)] == ["boats"]

    def test_topics_are_found_by_name_by_terms_and_by_members(self, keep: Keeper) -> None:
        store = keep.store
        boats = [keep.add(f"Boat number {number}.") for number in range(3)]
        _assign_all(store, store.topic_work(encoder=None, items=9, clusters=9), name="boats", terms={"boat": 1.0})
        birds = [keep.add(said(f"Bird {number}.", scope="zoo")) for number in range(3)]
        _assign_all(store, store.topic_work(encoder=None, items=9, clusters=9), name="birds", terms={"boat": 0.2})

        assert [one.name for one in store.topics(limit=9)] == ["birds", "boats"]
        assert [one.name for one in store.topics(limit=1)] == ["birds"]
        assert [one.name for one in store.topics(limit=9, scopes=("user",))] == ["boats"]
        assert [one.name for one in store.topics(limit=9, name="birds")] == ["birds"]
        assert [one.name for one in store.topics(limit=9, terms=["boat", "x"])] == ["boats", "birds"]
        assert [one.name for one in store.topics(limit=9, members=[birds[1]])] == ["birds"]
        assert store.topics(limit=9, members=[birds[1]], scopes=("user",)) == []
        assert store.clusters("user", terms=["boat", "x"]).shared.keys() == {"boat"}
        keep.do(*map(ForgetItem, boats))
        assert [one.name for one in store.topics(limit=9)] == ["birds"]

    def test_a_rebuild_forgets_all_topics_and_queues_every_live_item(self, keep: Keeper) -> None:
        ids = [keep.add(f"Boat number {number}.") for number in range(3)]
        _assign_all(keep.store, keep.store.topic_work(encoder=None, items=9, clusters=9), name="boats")
        keep.do(ForgetItem(ids[0]))

        assert keep.store.apply_topics(Rebuild())

        work = keep.store.topic_work(encoder=None, items=9, clusters=9)
        assert keep.store.topics(limit=9) == []
        assert work.batch is not None
        assert [one.item.id for one in work.batch.members] == ids[1:]

    # use counts

    def test_uses_are_those_before_a_day(self, keep: Keeper) -> None:
        item, other = keep.add("tea"), keep.add("coffee")

        keep.store.add_uses({item: 2, ItemId(new_id()): 1}, day=10)
        keep.store.add_uses({item: 3}, day=11)

        assert keep.store.uses([item, other], before=11) == {item: 2}
        assert keep.store.uses([item, other], before=12) == {item: 5}


def _context(keep: Keeper, *statements: Statement) -> PlanningContext:
    return keep.store.planning_context(PlanningRequest(statements, [None] * len(statements), [()] * len(statements)))


def _assign_all(store: Store, work: TopicWork, *, name: str, terms: dict[str, float] | None = None) -> bool:
    """Put the items that wait into one new topic, and summarise it by its first item."""
    assert work.batch is not None
    terms = terms or {"boat": 1.0}
    empty = np.zeros(0, np.float32)
    items = [UnassignedItem(one.item.id, one.revision_id, (), None, terms) for one in work.batch.members]
    assignment = Assignment([Place(item, (-1,)) for item in items], {-1: None}, {-1: (empty, 0)})
    if not store.apply_topics(Assign(work.generation, work.scope, work.batch, assignment, None)):
        return False
    work = store.topic_work(encoder=None, items=0, clusters=9)
    [dirty] = work.dirty
    first = min(dirty.members, key=lambda member: member.item.id)
    quotes = (Quote(first.revision_id, Span(0, len(first.item.text))),)
    changed = max(member.item.changed_at for member in dirty.members)
    description = Description((name,), 1, 0.5, terms, empty, 0, changed)
    summary = Summarised(dirty.cluster.id, name, description, quotes, tuple(one.revision_id for one in dirty.members))
    return store.apply_topics(Summarise(work.generation, (summary,), (), START))


def _changed_at_random(keep: Keeper, chance: random.Random) -> tuple[list[ItemId], list[int]]:
    """Items after changes of every sort, and the moments between the operations."""
    scopes, tags = ("user", "atlas", "borealis"), ("db", "ops", "家")
    ids: list[ItemId] = []
    moments = [START]
    for number in range(60):
        live = [item for item in keep.store.items(ids).values() if item.status == "live"]
        told = said(
            f"memory {number}",
            kind=chance.choice(KINDS),
            tags=tuple(chance.sample(tags, chance.randrange(3))),
            scope=chance.choice(scopes),
            occurred_at=chance.choice([None, chance.randrange(1_000)]),
        )
        step: Step = addition(told, embedding=Embedding(unit(*(chance.gauss(0, 1) for _ in range(4)))))
        if live and chance.random() < 0.6:
            item = chance.choice(live)
            fields = (
                {"tags": (chance.choice(tags),)},
                {"pinned": 1 - item.pinned},
                {"occurred_at": chance.randrange(1_000)},
            )
            amended = AmendItem(item.id, item.revision, chance.choice(fields))
            step = chance.choice([ForgetItem(item.id), replace(step, replaces=item.id), amended, amended])
        keep.do(step, encoder=ONE)
        ids += [step.id] if isinstance(step, AddItem) else []
        moments.append(keep.at)
    return ids, moments


def _any_filter(chance: random.Random, moments: Sequence[int]) -> Filter:
    return Filter(
        scopes=tuple(chance.sample(("user", "atlas", "borealis"), chance.randrange(3))),
        kinds=tuple(chance.sample(KINDS, chance.choice([0, 0, 3]))),
        tags=tuple(chance.sample(("db", "ops", "家"), chance.choice([0, 0, 2]))),
        since=chance.choice([None, None, 300, moments[20] + 50]),
        until=chance.choice([None, None, 700, moments[30] + 50]),
        as_of=chance.choice([None, chance.choice(moments)]),
        pinned_only=chance.random() < 0.1,
        zone_offset=chance.choice([0, 50]),
    )


def _let_through(histories: Sequence[Sequence[Any]], where: Filter) -> Iterator[Item]:
    """The states that the words of the contract say a filter lets through."""
    for history in histories:
        known = [state for state in history if where.as_of is None or state.operation.at <= where.as_of]
        item: Item | None = known[-1].item if known else None
        if item is None or item.status != "live":
            continue
        face_value = item.recorded_at + where.zone_offset if item.occurred_at is None else item.occurred_at
        if (
            (not where.scopes or item.scope in where.scopes)
            and (not where.kinds or item.kind in where.kinds)
            and (not where.tags or set(where.tags).intersection(item.tags))
            and (where.since is None or face_value >= where.since)
            and (where.until is None or face_value < where.until)
            and (item.pinned or not where.pinned_only)
        ):
            yield item
