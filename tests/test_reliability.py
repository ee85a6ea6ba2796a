"""The harnesses of bench/ in short: many processes, kills, power cuts; and that what they check can fail."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from bench import kills, power, processes
from bench.histories import Call, State, violations

A, B = "ba be bi.", "do du da."


def test_what_many_killed_processes_did_at_once_fits_the_model(tmp_path: Path) -> None:
    shared = processes.run(duration=1, least=40, seed=3, processes=3, items=100, directory=tmp_path, every=0.5)

    assert processes.check(shared, tmp_path / "memory.db") == []
    assert shared.kills >= 4
    assert sum(call.outcome == "ok" for call in shared.history) > 20


@pytest.mark.parametrize("name", kills.WORK)
def test_a_kill_at_any_point_loses_nothing_that_was_acknowledged(tmp_path: Path, name: str) -> None:
    tallies = kills.run(kills=2, seed=5, only=[name], directory=tmp_path)

    assert (tallies[name].lost, tallies[name].wrong) == (0, [])
    assert tallies[name].kills > 0


def test_a_power_cut_loses_nothing_that_was_acknowledged_and_with_normal_only_the_last(tmp_path: Path) -> None:
    tallies = power.run(cuts=3, seed=2, directory=tmp_path)

    assert (tallies["full"].lost, tallies["full"].unsound, tallies["full"].acknowledged > 20) == (0, 0, True)
    assert (tallies["normal"].out_of_order, tallies["normal"].unsound) == (0, 0)
    assert tallies["normal"].lost > 0


WROTE = Call(1, "remember", A, "#1", 1.0, 2.0, "ok")
CHANGED = Call(2, "update", B, "#1", 3.0, 4.0, "ok")
READ = Call(3, "recall", B, "#1", 5.0, 6.0, "ok", hits=(("#1", B),))
KEPT = [State("#1", 1, A, "live"), State("#1", 2, B, "live")]


def test_a_history_that_fits_has_no_violation() -> None:
    assert list(violations([WROTE, CHANGED, READ], KEPT)) == []


@pytest.mark.parametrize(
    ("calls", "states", "said"),
    [
        ([WROTE], [], "is there 0 times"),
        ([WROTE], [State("#1", 1, A, "live"), State("#2", 1, A, "live")], "is there 2 times"),
        ([replace(WROTE, outcome="refused", answer="kind")], KEPT[:1], "is there 1 times"),
        ([replace(WROTE, outcome="unknown", item="")], [KEPT[0], State("#2", 1, A, "live")], "is there 2 times"),
        ([replace(WROTE, outcome="refused", answer="database is locked")], [], "told of a lock"),
        ([replace(WROTE, outcome="refused", answer="failed inside the server")], [], "was refused remember"),
        ([WROTE, CHANGED], [KEPT[1], replace(KEPT[0], number=3)], "stands after it"),
        ([WROTE, CHANGED, replace(READ, hits=(("#1", A),))], KEPT, "whose update had been acknowledged"),
        ([WROTE, CHANGED, replace(READ, hits=())], KEPT, "did not find"),
        ([WROTE, CHANGED, replace(READ, start=1.0, end=2.5)], KEPT, "read what was ok"),
        ([WROTE, replace(CHANGED, verb="forget", text=A)], KEPT[:1], "was forgotten, and is there"),
        (
            [WROTE, replace(CHANGED, verb="forget", text=A), replace(CHANGED, start=7.0, end=8.0)],
            [*KEPT, State("#1", 3, B, "forgotten")],
            "was updated after it was forgotten",
        ),
    ],
    ids=str,
)
def test_a_history_that_cannot_be_is_told(calls: list[Call], states: list[State], said: str) -> None:
    assert any(said in line for line in violations(calls, states))


def test_a_disk_keeps_what_was_synced_and_any_part_of_the_rest() -> None:
    from bench.disk import Medium

    medium = Medium(bytearray(b"a" * 2048))
    medium.waiting.append((0, b"b" * 1024))
    medium.sync()
    medium.waiting.append((1024, b"c" * 1024))
    found = {medium.after_power_cut(random.Random(seed)) for seed in range(20)}

    assert all(image[:1024] == b"b" * 1024 for image in found)
    assert len(found) == 4
