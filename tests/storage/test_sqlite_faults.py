from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.storage.sqlite_case import PRAGMA, fill, make_store, nobody, opened, until_refused

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import sqlite
from hubbub.storage.base import Action, Logged, Snapshot, Transaction, each
from hubbub.storage.reserve import Reserve
from hubbub.storage.sqlite import SqliteStore
from hubbub.testing.contracts.store_case import APPEND, logged

pytestmark = pytest.mark.anyio

BIG = "x" * 20_000


async def refused(store: SqliteStore, data: object = BIG, *, unknown: bool = False) -> ErrorCode:
    """The code with which a write is refused."""
    with pytest.raises(HubbubError) as caught:
        await store.write(APPEND, ("log", data))
    assert ("unknown" in caught.value.message) is unknown
    assert ("nothing was written" in caught.value.message) is not unknown
    assert caught.value.info.temporary
    assert caught.value.retry_after
    return caught.value.code


async def test_no_room_in_the_database_refuses_what_needs_some_and_ends_with_room(tmp_path: Path) -> None:
    async with opened(tmp_path / "hubbub.db") as store:
        assert await store.write(APPEND, ("log", "a")) == 1
        pages = await store.write(PRAGMA, "page_count")
        await store.write(PRAGMA, f"max_page_count = {pages}")
        outcomes = await asyncio.gather(
            *[store.write(APPEND, ("log", BIG)) for _ in range(50)], return_exceptions=True
        )
        assert {getattr(each, "code", each) for each in outcomes} == {ErrorCode.STORE_FULL}
        assert await refused(store) is ErrorCode.STORE_FULL
        assert await store.read(logged("log")) == [(1, "a")]
        await store.write(PRAGMA, "max_page_count = 1000000")
        assert await store.write(APPEND, ("log", BIG)) == 2
        assert len(await store.read(logged("log"))) == 2


async def test_the_reserve_is_given_up_for_tidying_and_writes_wait_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, taken = threading.Event(), Reserve.take

    def take(reserve: Reserve) -> bool:
        return taken(reserve) if reserve.held or room.is_set() else False

    room.set()
    async with opened(tmp_path / "hubbub.db") as store:
        reserve = tmp_path / "hubbub.db-reserve"
        assert await asyncio.to_thread(reserve.exists)
        monkeypatch.setattr(Reserve, "take", take)
        room.clear()
        pages = await store.write(PRAGMA, "page_count")
        await store.write(PRAGMA, f"max_page_count = {pages}")
        assert await refused(store) is ErrorCode.STORE_FULL
        assert not await asyncio.to_thread(reserve.exists)
        assert await refused(store, "small") is ErrorCode.STORE_FULL
        assert await store.read(logged("log")) == []
        room.set()
        assert await store.write(PRAGMA, "max_page_count = 1000000") == 1000000
        assert await asyncio.to_thread(reserve.exists)
        assert await store.write(APPEND, ("log", BIG)) == 1


async def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    """On a real one of 2 MB, where that can be made."""
    disk = tmp_path / "disk"
    await asyncio.to_thread(disk.mkdir)
    mounting = await asyncio.create_subprocess_exec(
        "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk), stderr=asyncio.subprocess.DEVNULL
    )
    if await mounting.wait():
        pytest.skip("no right to mount")
    try:
        async with opened(disk / "hubbub.db", reserve=200_000) as store:
            acknowledged, error = await until_refused(store, 1000)
            assert error is not None
            assert error.code is ErrorCode.STORE_FULL
            for _ in range(20):
                assert await refused(store) is ErrorCode.STORE_FULL
            assert [seq for seq, _ in await store.read(logged("log"))] == acknowledged
            grow = await asyncio.create_subprocess_exec("mount", "-o", "remount,size=20m", str(disk))
            assert await grow.wait() == 0
            more, error = await until_refused(store, 20)
            assert error is None
            acknowledged += more
            assert [seq for seq, _ in await store.read(logged("log"))] == acknowledged
        async with opened(disk / "hubbub.db") as again:
            assert [seq for seq, _ in await again.read(logged("log"))] == acknowledged
    finally:
        await (await asyncio.create_subprocess_exec("umount", str(disk))).wait()


async def test_another_program_that_holds_the_lock_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "hubbub.db", patience=1.0) as store:
        await store.write(APPEND, ("log", "a"))
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await refused(store) is ErrorCode.STORE_UNAVAILABLE
            assert await store.read(logged("log")) == [(1, "a")]
            other.execute("ROLLBACK")
            assert await store.write(APPEND, ("log", "b")) == 2


async def test_a_failing_disk_is_said_and_the_next_write_has_a_new_connection(
    tmp_path: Path,
) -> None:
    faults = ["i/o", "read-only", "corrupt"]

    def fail(tx: Transaction, name: str) -> None:
        # As SQLite would: its results cannot be had without a disk that breaks.
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = {v: k for k, v in sqlite.REASONS.items()}[name]
        raise error

    async with opened(tmp_path / "hubbub.db") as store:
        for fault in faults:
            await store.write(PRAGMA, "busy_timeout = 77")  # of this connection
            with pytest.raises(HubbubError) as caught:
                await store.write(each("fail", fail), fault)
            assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
            assert "nothing was written" in caught.value.message
            assert await store.write(APPEND, ("log", fault))
            assert await store.write(PRAGMA, "busy_timeout") != 77
        assert [data for _, data in await store.read(logged("log"))] == faults


async def test_files_may_not_grow(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: an I/O error out of write(2), in the middle of a commit."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.limited_files", str(tmp_path / "hubbub.db")),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    output, _ = await process.communicate()
    assert (process.returncode, output.decode().split()) == (0, ["unknown", "same", "written"])


async def test_a_database_that_was_taken_away_is_not_made_anew(tmp_path: Path) -> None:
    path, away = tmp_path / "hubbub.db", tmp_path / "away.db"
    other = await asyncio.to_thread(fill, tmp_path / "other.db", "b")
    store = make_store(path)
    await store.start(len, nobody)
    await store.write(APPEND, ("log", "a"))
    store._writing.submit(store._close_connection).result()  # type: ignore[union-attr]
    await asyncio.to_thread(path.rename, away)
    assert await refused(store) is ErrorCode.STORE_UNAVAILABLE
    assert not await asyncio.to_thread(path.exists)
    await asyncio.to_thread(other.rename, path)
    for suffix in ("-wal", "-shm"):
        await asyncio.to_thread((tmp_path / f"hubbub.db{suffix}").unlink, True)
    assert await refused(store) is ErrorCode.STORE_UNAVAILABLE
    await store.stop()


async def test_a_slow_transaction_is_said_to_be_unknown_and_told_when_it_is_there(tmp_path: Path) -> None:
    go, heard = threading.Event(), list[Logged]()

    def slow(tx: Transaction, item: str) -> None:
        go.wait(30)

    store = make_store(tmp_path / "hubbub.db", patience=0.5)
    await store.start(heard.extend, nobody)
    stuck = store.write(each("slow", slow), "")
    published = store.write(APPEND, ("log", "a"))
    for future in (stuck, published):
        with pytest.raises(HubbubError, match="unknown"):
            await future
    waiting = store.write(APPEND, ("log", "b"))
    with pytest.raises(HubbubError, match="nothing was written"):
        await waiting
    assert await store.read(logged("log")) == []
    go.set()
    await store.stop()
    assert [event.data for event in heard] == [b"a"]


async def test_a_slow_query_is_ended_and_the_next_one_reads(tmp_path: Path) -> None:
    def forever(snapshot: Snapshot) -> None:
        snapshot.connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        )

    async with opened(tmp_path / "hubbub.db", patience=1.0) as store:
        await store.write(APPEND, ("log", "a"))
        outcomes = await asyncio.gather(*[store.read(forever) for _ in range(4)], return_exceptions=True)
        assert [getattr(outcome, "code", outcome) for outcome in outcomes] == [ErrorCode.TIMEOUT] * 4
        assert await store.read(logged("log")) == [(1, "a")]


async def test_an_action_that_ends_its_transaction_is_not_acknowledged(tmp_path: Path) -> None:
    def rogue(tx: Transaction, items: Sequence[str]) -> Sequence[str]:
        tx.connection.exec_driver_sql("ROLLBACK")
        return items

    async with opened(tmp_path / "hubbub.db") as store:
        with pytest.raises(HubbubError) as caught:
            await store.write(Action("rogue", rogue), "a")
        assert caught.value.code is ErrorCode.INTERNAL
        assert await store.write(APPEND, ("log", "a")) == 1


async def test_what_is_the_matter_is_logged_once_and_that_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with opened(tmp_path / "hubbub.db") as store:
        pages = await store.write(PRAGMA, "page_count")
        await store.write(PRAGMA, f"max_page_count = {pages}")
        caplog.clear()
        for _ in range(5):
            await refused(store)
        assert caplog.text.count("database refuses") == 1
        await store.write(PRAGMA, "max_page_count = 1000000")
        await store.write(APPEND, ("log", "a"))
        assert caplog.text.count("database writes again") == 1
