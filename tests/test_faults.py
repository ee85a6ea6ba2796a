"""Faults of the disk, the file and the clock: a clear error, the truth intact, and service that goes on when they end."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from clock import Clock
from mcp import Client

from bench import faults
from bench.processes import sentence
from mcp_memory.cli import main
from mcp_memory.domain.ids import id_number
from mcp_memory.domain.model import Entry
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import ReadOnly, Replaced, Unusable
from mcp_memory.memory import Memory
from mcp_memory.recall.filters import ItemQuery
from mcp_memory.server.app import MemoryHost, make_server
from mcp_memory.sqlite import paths
from mcp_memory.sqlite.database import Database

TEXTS = [
    "The harbour opens at six.",
    "Ann paints boats.",
    "Rye bread needs a day.",
    "The attic key hangs by the stove.",
]


def opened(path: Path) -> Memory:
    memory = Memory.open(path, model=HashingEncoder(64))
    memory.wait_for_encoder()
    return memory


def said(memory: Memory) -> list[str]:
    return sorted(item.text for item in memory.listing(ItemQuery("all"), limit=1000))


def remember_until_refused(memory: Memory, acknowledged: list[str]) -> None:
    chance = random.Random(1)
    for _ in range(5000):
        text = sentence(chance)
        memory.remember(text)
        acknowledged.append(text)


# the disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or not shutil.which("mount"):
        pytest.skip("needs Linux and mount")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_service_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    path, filler = small_disk / "memory.db", small_disk / "filler"
    acknowledged: list[str] = []
    with opened(path) as memory:
        memory.remember(TEXTS[0])
        filler.write_bytes(bytes(2_000_000))
        with pytest.raises(Unusable, match="free some space"):
            remember_until_refused(memory, acknowledged)

        assert memory.recall("harbour").hits[0].item.text == TEXTS[0]
        assert said(memory) == sorted([TEXTS[0], *acknowledged])
        filler.unlink()
        memory.remember(TEXTS[1])

        assert list(memory.file.verify()) == []
    with opened(path) as memory:
        assert said(memory) == sorted([TEXTS[0], TEXTS[1], *acknowledged])


def test_a_file_that_is_opened_on_a_full_disk_says_so(small_disk: Path) -> None:
    path = small_disk / "memory.db"
    with opened(path) as memory:
        memory.remember(TEXTS[0])
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass

    with pytest.raises(Unusable, match="no space left"):
        Database(path)
    (small_disk / "filler").unlink()

    with opened(path) as memory:
        assert said(memory) == [TEXTS[0]]


def test_a_file_that_may_grow_no_more_is_said_to_be_full_and_serves_on(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with opened(path) as memory:
        memory.remember(items=[Entry(text) for text in TEXTS])
        memory.maintenance.gather()
        with memory._store._database.write() as connection:  # type: ignore[attr-defined]
            connection.pragma("max_page_count", connection.pragma("page_count"))

        with pytest.raises(Unusable, match="free some space"):
            memory.remember(items=[Entry(f"Number {number} of many, at some length.") for number in range(900)])
        assert said(memory) == sorted(TEXTS)
        with memory._store._database.write() as connection:  # type: ignore[attr-defined]
            connection.pragma("max_page_count", 1_000_000)
        memory.remember("There is room again.")

        assert said(memory) == sorted([*TEXTS, "There is room again."])
        assert list(memory.file.verify()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.parametrize(
    "command", [["remember", "The harbour opens."], ["recall", "harbour"], ["verify"]], ids=" ".join
)
def test_a_device_or_a_pipe_is_said_to_be_none_of_its_files(tmp_path: Path, command: list[str]) -> None:
    pipe, device = tmp_path / "pipe.db", tmp_path / "device.db"
    os.mkfifo(pipe)
    device.symlink_to(os.devnull)

    for path in (pipe, device):
        ended = CliRunner().invoke(main, [*command, "--database", str(path)])

        assert ended.exit_code == 1
        assert f"{path} is a device or a pipe, and a memory is kept in a file." in ended.output


def test_what_may_only_be_read_is_read_and_written_as_soon_as_it_may_be(small_disk: Path) -> None:
    path = small_disk / "memory.db"
    with opened(path) as memory:
        memory.remember(TEXTS[0])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with opened(path) as memory:
        found = memory.recall("harbour").hits[0].item.text
        with pytest.raises(ReadOnly):
            memory.remember(TEXTS[1])
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)

        with pytest.raises(Replaced, match="may be written by now"):
            memory.remember(TEXTS[1])

    assert found == TEXTS[0]


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("operation", ["read", "write", "sync"])
def test_an_operation_that_fails_at_any_point_costs_nothing_that_was_acknowledged(
    tmp_path: Path, operation: str, lasting: bool
) -> None:
    tally = faults.run(tmp_path, operation=operation, lasting=lasting, points=18)

    assert tally.wrong == []
    assert tally.points > 2
    assert tally.refused > 0


def test_a_log_that_is_torn_loses_no_more_than_what_was_torn_off(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    texts = [f"Entry {number} of the log, {'wxyz'[number % 4] * 9}." for number in range(25)]
    with opened(path) as memory:
        for text in texts:
            memory.remember(text)
        data, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    chance = random.Random(3)
    kept: list[int] = []
    for number in range(12):
        copy = tmp_path / str(number) / "memory.db"
        copy.parent.mkdir()
        copy.write_bytes(data)
        torn = bytearray(log[: chance.randrange(len(log))])
        if number % 2 and torn:
            torn[-min(len(torn), 700) :] = chance.randbytes(min(len(torn), 700))
        Path(f"{copy}-wal").write_bytes(torn)
        with opened(copy) as memory:
            there = said(memory)
            assert list(memory.file.verify()) == []
            assert there == sorted(texts[: len(there)])
            memory.remember("After the tear.")
        kept.append(len(there))

    assert len(set(kept)) > 3


# the file


@pytest.mark.parametrize("command", [["verify"], ["recall", "anything"], ["stats"], ["backup"], ["list"]], ids=" ".join)
def test_an_empty_file_is_said_to_be_none_and_left_as_it_is(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "memory.db"
    path.touch()

    result = CliRunner().invoke(main, [*command, "--database", str(path)])

    assert result.exit_code == 1
    assert "is empty (0 bytes), and a memory file never is" in result.output
    assert f"mcp-memory restore BACKUP --database {path}" in result.output
    assert (path.read_bytes(), [file.name for file in tmp_path.iterdir()]) == (b"", ["memory.db"])


def test_a_new_memory_begins_in_an_empty_file_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "memory.db"
    path.touch()

    with Memory.open(path, model=HashingEncoder()) as memory:
        memory.remember("A first thing.")

    with Memory.open(path, model=HashingEncoder()) as memory:
        assert [item.text for item in memory.listing(ItemQuery(scope="all"), limit=9)] == ["A first thing."]
    assert [record.getMessage() for record in caplog.records if "is empty" in record.getMessage()] == [
        f"{path} is empty, so a new memory begins in it; if it held one, restore a backup"
    ]


def test_the_log_of_a_file_that_was_emptied_is_not_thrown_away(tmp_path: Path) -> None:
    path, log = tmp_path / "memory.db", tmp_path / "memory.db-wal"
    path.touch()
    log.write_bytes(b"what the file lost")

    with pytest.raises(Unusable, match="was emptied or cut off"):
        Memory.open(path, model=HashingEncoder())

    assert (path.read_bytes(), log.read_bytes()) == (b"", b"what the file lost")


def test_a_directory_that_vanishes_is_said_and_served_again_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "stick" / "memory.db"
    with opened(path) as memory:
        memory.remember(TEXTS[0])
        path.parent.rename(tmp_path / "elsewhere")

        for ask in (lambda: memory.remember(TEXTS[1]), lambda: memory.recall("harbour")):
            with pytest.raises(Unusable, match="Put it back"):
                ask()
        assert not path.parent.exists()
        (tmp_path / "elsewhere").rename(path.parent)
        memory.remember(TEXTS[2])

        assert said(memory) == sorted([TEXTS[0], TEXTS[2]])
    with opened(path) as memory:
        assert list(memory.file.verify()) == []
        assert said(memory) == sorted([TEXTS[0], TEXTS[2]])


@pytest.mark.anyio
async def test_a_server_serves_the_file_that_took_the_place_of_its_own(tmp_path: Path) -> None:
    path, other = tmp_path / "memory.db", tmp_path / "other.db"
    with opened(other) as memory:
        memory.remember(TEXTS[1])
    host = MemoryHost(lambda: opened(path))
    async with Client(make_server(host, project="demo")) as client:
        await client.call_tool("remember", {"content": TEXTS[0]})
        os.replace(other, path)

        found = await client.call_tool("recall", {"query": "who paints boats"})
        await client.call_tool("remember", {"content": TEXTS[2]})
    host.close()

    assert TEXTS[1] in found.content[0].text  # type: ignore[union-attr]
    with opened(path) as memory:
        assert said(memory) == sorted([TEXTS[1], TEXTS[2]])
        assert list(memory.file.verify()) == []


@pytest.mark.anyio
async def test_a_log_that_is_deleted_under_a_server_takes_nothing_with_it(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    host = MemoryHost(lambda: opened(path))
    async with Client(make_server(host, project="demo")) as client:
        await client.call_tool("remember", {"content": TEXTS[0]})
        Path(f"{path}-wal").unlink()
        answer = await client.call_tool("remember", {"content": TEXTS[1]})
    host.close()

    assert not answer.is_error
    with opened(path) as memory:
        assert said(memory) == sorted(TEXTS[:2])
        assert list(memory.file.verify()) == []


# the network


def test_a_file_on_a_networks_disk_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = f"36 35 0:30 / {tmp_path} rw shared:1 - nfs4 host:/home rw\n1 1 8:1 / / rw - ext4 /dev/sda1 rw"
    path = tmp_path / "memory.db"
    Database(path).close()
    monkeypatch.setattr(paths, "mounts_here", lambda: paths.read_mountinfo(table))

    with pytest.raises(Unusable, match=r"network's disk \(nfs4\).*disk of this machine with --database"):
        Database(path)
    Database(path, read_only=True).close()


@pytest.mark.parametrize(
    ("kind", "found"),
    [("nfs", "nfs"), ("cifs", "cifs"), ("fuse.sshfs", "fuse.sshfs"), ("ext4", None), ("9p", None), ("overlay", None)],
)
def test_the_filesystem_is_that_of_the_nearest_mount(tmp_path: Path, kind: str, found: str | None) -> None:
    mounts = [("/", "nfs4"), (str(tmp_path.parent), "ext4"), (str(tmp_path), "smbfs"), (str(tmp_path), kind)]

    assert paths.network_filesystem(tmp_path / "a" / "memory.db", lambda: mounts) == found


def test_mounts_are_read_as_linux_and_macos_tell_them() -> None:
    assert paths.read_mountinfo("36 35 0:30 / /home/a\\040b rw shared:1 - nfs4 host:/x rw\nnonsense") == [
        ("/home/a b", "nfs4")
    ]
    assert paths.read_mount_command("//me@nas/my share on /Volumes/my share (smbfs, nodev)\nnonsense") == [
        ("/Volumes/my share", "smbfs")
    ]


# the clock


def test_a_clock_that_jumps_back_mixes_nothing_up(tmp_path: Path) -> None:
    path, clock = tmp_path / "memory.db", Clock()
    ids: list[str] = []
    for jump in (0, -400, 1, -20_000):
        clock.pass_(days=jump)
        with Memory.open(path, model=HashingEncoder(64), clock=clock) as memory:
            memory.wait_for_encoder()
            made = [
                memory.remember(f"Said after a jump of {jump} days, number {n * 37}.").items[0].id for n in range(3)
            ]
            clock.pass_(hours=-5)
            made.append(memory.remember(f"And later than that, jump {jump}.").items[0].id)
            assert made == sorted(made)
            ids += made
            assert memory.recall(f"jump {jump}").hits
    with Memory.open(path, model=HashingEncoder(64), clock=clock) as memory:
        times = [operation.at for operation in memory.operations(limit=100) if operation.verb == "remember"]

        assert len(set(ids)) == 16
        assert all(id_number(identifier) > 0 for identifier in ids)
        assert times == sorted(set(times), reverse=True)
        assert list(memory.file.verify()) == []
        memory.undo()
        assert len(said(memory)) == 15
