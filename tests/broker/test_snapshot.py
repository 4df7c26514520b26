from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import msgspec
import pytest

from hubbub.broker.base import Accepted
from hubbub.broker.memory import MemoryBroker
from hubbub.broker.snapshot import VERSION, KeptKey, Snapshot, take, write
from hubbub.broker.stream import Kept
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import NO_RETENTION, Envelope, Position, Publication, Raw, Retention
from hubbub.testing import FakeClock

pytestmark = pytest.mark.anyio
KEPT = Retention(3, 60.0)
LATEST = Retention(3, 60.0, conflate=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(path: Path) -> bytes:
    return path.read_bytes()


def broker(path: Path, clock: FakeClock) -> MemoryBroker:
    return MemoryBroker(clock, path=path)


def message(channel: str, text: str, key: str | None = None) -> Envelope:
    raw = Raw(msgspec.json.encode({"text": text}))
    return Envelope(Publication(channel, "message", raw, conflation_key=key))


async def started(path: Path, clock: FakeClock) -> MemoryBroker:
    new = broker(path, clock)
    await new.start(lambda envelope: None)
    return new


async def test_a_restart_loses_nothing_that_was_retained(tmp_path: Path) -> None:
    path, clock = tmp_path / "deep" / "channels.json", FakeClock()
    first = await started(path, clock)
    for number in range(5):
        await first.publish(message("a", str(number)), KEPT)
        await first.publish(message("b", str(number), key=str(number % 2)), LATEST)
    at = (await first.history("a", KEPT, limit=0)).position
    await first.publish(message("a", "5"), KEPT)
    before = [await first.history(name, each) for name, each in (("a", KEPT), ("b", LATEST))]
    await first.stop()

    # Another process: its monotonic clock has nothing to do with the old one's.
    second = await started(path, FakeClock(now=clock.now() + 1))
    assert [await second.history(name, each) for name, each in (("a", KEPT), ("b", LATEST))] == before
    missed = await second.history("a", KEPT, since=at)
    assert missed.complete
    assert [bytes(each.data) for each in missed.publications] == [b'{"text":"5"}']
    assert (await second.publish(message("a", "6"), KEPT)).position == Position(at.epoch, at.offset + 2)
    await second.stop()


async def test_time_that_passes_between_counts(tmp_path: Path) -> None:
    path, clock = tmp_path / "channels.json", FakeClock()
    first = await started(path, clock)
    await first.publish(message("a", "old"), KEPT)
    clock.advance(40)
    await first.publish(message("a", "new"), KEPT)
    await first.stop()
    second = await started(path, FakeClock(now=clock.now() + 30))
    history = await second.history(
        "a", KEPT, since=Position((await second.history("a", KEPT)).position.epoch, 0)
    )
    assert [bytes(each.data) for each in history.publications] == [b'{"text":"new"}']
    assert not history.complete
    assert history.position.offset == 2
    await second.stop()


async def test_keys_are_remembered_as_long_as_before(tmp_path: Path) -> None:
    path, clock = tmp_path / "channels.json", FakeClock()
    first = await started(path, clock)
    accepted = await first.publish(message("a", "x"), KEPT, key="k")
    clock.advance(100)
    await first.stop()
    second_clock = FakeClock(now=clock.now() + 100)
    second = await started(path, second_clock)
    again = await second.publish(message("a", "x"), KEPT, key="k")
    assert (again.position, again.id, again.duplicate) == (accepted.position, accepted.id, True)
    with pytest.raises(HubbubError) as caught:
        await second.publish(message("a", "y"), KEPT, key="k")
    assert caught.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
    second_clock.advance(101)
    assert not (await second.publish(message("a", "y"), KEPT, key="k")).duplicate
    await second.stop()


async def test_the_file_is_private_read_once_and_gone_afterwards(tmp_path: Path) -> None:
    path, clock = tmp_path / "channels.json", FakeClock()
    first = await started(path, clock)
    await first.publish(message("a", "x"), KEPT)
    await first.stop()
    assert mode(path) == 0o600
    second = await started(path, FakeClock())
    assert names(tmp_path) == []  # or a killed server would hand out the same offsets a second time
    await second.stop()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"version":99,"written":1,"logs":{},"keys":[]}',
        b"[" * 100_000,
        b'{"version":1,"written":"now","logs":{},"keys":[]}',
    ],
)
async def test_a_file_that_is_no_snapshot_is_set_aside(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "channels.json"
    await asyncio.to_thread(path.write_bytes, raw)
    server = await started(path, FakeClock())
    assert contents(tmp_path / "channels.json.unreadable") == raw
    await server.publish(message("a", "x"), KEPT)
    await server.stop()
    assert names(tmp_path) == ["channels.json", "channels.json.unreadable"]


@pytest.mark.parametrize(
    ("offsets", "head", "forgotten"), [([1, 3], 3, 0), ([2, 1], 2, 0), ([1], 0, 0), ([2], 2, 0)]
)
async def test_a_log_with_holes_begins_anew_and_the_others_go_on(
    tmp_path: Path, offsets: list[int], head: int, forgotten: int
) -> None:
    path, clock = tmp_path / "channels.json", FakeClock()
    entries = [(1.0, Publication("bad", "m", Raw(b"1"), epoch="e", offset=offset)) for offset in offsets]
    good = [(1.0, Publication("good", "m", Raw(b"1"), epoch="e", offset=1))]
    logs = {"bad": Kept("e", head, forgotten, KEPT, entries), "good": Kept("e", 1, 0, KEPT, good)}
    await asyncio.to_thread(write, path, Snapshot(VERSION, clock.now(), logs, []))
    server = await started(path, clock)
    assert (await server.history("good", KEPT)).position == Position("e", 1)
    position = (await server.history("bad", KEPT)).position
    assert position.epoch != "e"
    await server.stop()


async def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    server = MemoryBroker(FakeClock())
    await server.start(lambda envelope: None)
    await server.publish(message("a", "x"), KEPT)
    await server.publish(message("a", "x"), NO_RETENTION)
    await server.stop()
    assert names(tmp_path) == []


async def test_a_folder_that_cannot_be_written_is_an_error_in_the_log_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread((tmp_path / "file").write_text, "")
    server = await started(tmp_path / "file" / "channels.json", FakeClock())
    await server.stop()
    assert "snapshot" in caplog.text


def test_writing_replaces_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "channels.json"
    (tmp_path / "channels.json.new").write_text("left by a crash")
    key = KeptKey("k", b"\x00\xff", 1.5, Accepted(Position("e", 1), "id"))
    snapshot = Snapshot(VERSION, 1.0, {}, [key])
    write(path, snapshot)
    assert take(path) == snapshot
    assert take(path) is None
