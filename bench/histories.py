"""What a history of calls by many processes on one file must fulfil, whatever their order was: checked after the fact.

Times are those of one clock: a call that was answered before another was asked came before it. What lies between, or was
never answered because its server was killed, may have come in any order, or not at all.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "refused", "unknown"]
LOCK = re.compile(r"locked|busy|another process|SQLITE_", re.IGNORECASE)
EXPECTED = re.compile(r"no memory #|changed by someone else|is forgotten|was forgotten|kind")
"""Why a call of the harness may be refused: it asked for what is not there, or moved on, or for no kind there is."""


@dataclass(frozen=True)
class Call:
    """One call: by which client, what it asked, when, and what it was told."""

    client: int
    verb: Literal["remember", "update", "forget", "recall"]
    text: str
    """What is to be written, or is asked for; each text is written once only."""
    item: str
    """The memory it is about; of remember the one that was made, empty where that is not known."""
    start: float
    end: float
    outcome: Outcome
    answer: str = ""
    hits: tuple[tuple[str, str], ...] = ()
    """What recall gave: ids and texts."""
    first: bool = False
    """Whether it was the first after its server started, which waits for that."""


@dataclass(frozen=True)
class State:
    """A state of a memory in the file, in the order of its numbers."""

    item: str
    number: int
    text: str
    status: str


def violations(calls: Sequence[Call], states: Iterable[State]) -> Iterator[str]:
    """Each thing that can't be, in words."""
    kept: dict[str, list[State]] = defaultdict(list)
    for state in sorted(states, key=lambda state: (state.item, state.number)):
        kept[state.item].append(state)
    written: dict[str, list[State]] = defaultdict(list)
    for chain in kept.values():
        for before, state in zip([None, *chain], chain, strict=False):
            if before is None or before.text != state.text:
                written[state.text].append(state)
    writes = {call.text: call for call in calls if call.verb in ("remember", "update")}
    yield from _answers(calls)
    yield from _writes(writes, written)
    yield from _forgotten(calls, kept)
    yield from _orders(writes, kept)
    yield from _reads(calls, writes)


def _answers(calls: Iterable[Call]) -> Iterator[str]:
    for call in calls:
        if call.outcome != "refused":
            continue
        if LOCK.search(call.answer):
            yield f"client {call.client} was told of a lock: {call.answer[:200]}"
        elif not EXPECTED.search(call.answer):
            yield f"client {call.client} was refused {call.verb}: {call.answer[:200]}"


def _writes(writes: Mapping[str, Call], written: Mapping[str, Sequence[State]]) -> Iterator[str]:
    """Acknowledged once and only once, refused never there, unknown at most once."""
    for text, call in writes.items():
        count = len(written.get(text, ()))
        wanted = {"ok": (1,), "refused": (0,), "unknown": (0, 1)}[call.outcome]
        if count not in wanted:
            yield f"{call.verb} of client {call.client} was {call.outcome} and is there {count} times: {text}"
        elif count and call.item and written[text][0].item != call.item:
            yield f"{call.verb} of #{call.item} is kept as #{written[text][0].item}"


def _forgotten(calls: Iterable[Call], kept: Mapping[str, Sequence[State]]) -> Iterator[str]:
    """What was acknowledged to be forgotten stays so, and an update that was asked for afterwards is never granted."""
    gone = {call.item: call for call in calls if call.verb == "forget" and call.outcome == "ok"}
    for item in gone:
        if not kept.get(item) or kept[item][-1].status != "forgotten":
            yield f"#{item} was forgotten, and is there"
    for call in calls:
        forget = gone.get(call.item)
        if call.verb == "update" and call.outcome == "ok" and forget is not None and forget.end < call.start:
            yield f"#{call.item} was updated after it was forgotten"


def _orders(writes: Mapping[str, Call], kept: Mapping[str, Sequence[State]]) -> Iterator[str]:
    """The states of a memory stand in an order in which they can have been written."""
    for chain in kept.values():
        made = [writes[state.text] for state in chain if state.text in writes and state.status != "forgotten"]
        for place, call in enumerate(made):
            for later in made[place + 1 :]:
                if later.outcome == "ok" and later.end < call.start:
                    yield f"#{chain[0].item}: {later.text!r} was acknowledged before {call.text!r} was asked, and stands after it"


def _reads(calls: Sequence[Call], writes: Mapping[str, Call]) -> Iterator[str]:
    """Whoever reads sees all that was acknowledged to anyone before, nothing refused, and nothing that was superseded."""
    changes: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.verb in ("remember", "update", "forget") and call.item:
            changes[call.item].append(call)
    for read in calls:
        if read.verb != "recall" or read.outcome != "ok":
            continue
        for item, text in read.hits:
            write = writes.get(text)
            if write is None:
                continue  # what the file held before
            if write.outcome == "refused" or write.start > read.end:
                yield f"client {read.client} read what was {write.outcome}: {text}"
            for change in changes[item]:
                if (
                    change.outcome == "ok"
                    and change.text != text
                    and write.end < change.start
                    and change.end < read.start
                ):
                    yield f"client {read.client} read {text!r} of #{item}, whose {change.verb} had been acknowledged"
        write = writes.get(read.text)
        if write is None or write.outcome != "ok" or write.end >= read.start:
            continue
        disturbed = any(
            change is not write and change.outcome != "refused" and change.start < read.end and change.end > write.start
            for change in changes[write.item]
        )
        if not disturbed and read.text not in [text for _, text in read.hits]:
            yield f"client {read.client} did not find what had been acknowledged to client {write.client}: {read.text}"
