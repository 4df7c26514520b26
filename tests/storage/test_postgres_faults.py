"""PostgreSQL in trouble: nothing is acknowledged that is not there, and service goes on without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from zlib import crc32

import pytest
import sqlalchemy as sa
from tests.storage.postgres_case import Node, running
from tests.waiting import until

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import postgres
from hubbub.storage.base import Action, Snapshot, Transaction, each
from hubbub.storage.tables import users
from hubbub.testing.contracts.store_case import APPEND, STAMP, logged
from hubbub.testing.postgres import Cluster, execute, migrate

pytestmark = pytest.mark.anyio
TEMPORARY = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.TIMEOUT)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(durable=True) as cluster:
        migrate(cluster.create("model"))
        yield cluster


@pytest.fixture
def url(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    return cluster.create(f"test_{abs(hash(request.node.name))}", template="model")


@pytest.fixture
async def node(url: str) -> AsyncIterator[Node]:
    async with running(url, timeout=2.0, writers=1) as node:
        await node.store.write(APPEND, ("a", 1))
        await node.store.read(logged("a"))
        assert node.store.notices is not None
        await asyncio.wait_for(node.store.notices.listening.wait(), 60)
        yield node


async def refused(node: Node, within: float) -> HubbubError:
    """What a write is refused with, in time."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(HubbubError) as caught:
        await node.store.write(APPEND, ("a", "refused"))
    assert loop.time() - begun < within
    return caught.value


async def stored(node: Node) -> list[str]:
    return [data for _, data in await node.store.read(logged("a"))]


async def serves(node: Node) -> None:
    """Ask until it is served again."""
    async with asyncio.timeout(60):
        while True:
            try:
                await node.store.write(STAMP, "probe")
                await node.store.read(logged("a"))
                return
            except HubbubError as error:
                if error.code not in TEMPORARY:
                    raise
                await asyncio.sleep(0.05)


async def test_a_restart_is_ridden_out(node: Node, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.restart)
    assert await node.store.write(APPEND, ("a", 2)) == 2
    assert await stored(node) == ["1", "2"]


async def test_killed_connections_are_made_anew_unseen(node: Node, url: str, cluster: Cluster) -> None:
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{url.rpartition('/')[2]}' AND pid <> pg_backend_pid()"
    )
    assert len(await asyncio.to_thread(execute, cluster.url(), kill)) == 3
    assert await node.store.write(APPEND, ("a", 2)) == 2
    assert await stored(node) == ["1", "2"]
    await until(lambda: ("", 0) in node.hints)


async def test_a_database_that_is_gone_is_said_and_comes_back(node: Node, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.kill)
    error = await refused(node, 3.0)
    assert error.code is ErrorCode.STORE_UNAVAILABLE
    assert error.retry_after
    assert "nothing was written" in error.message
    with pytest.raises(HubbubError) as caught:
        await node.store.read(logged("a"))
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    await refused(node, 0.5)  # nobody waits any more for what has been away for long
    await asyncio.to_thread(cluster.start)
    await serves(node)
    assert await stored(node) == ["1"]
    assert [event.offset for event in node.durable] == [1]


async def test_a_paused_one_is_given_up_in_time(node: Node, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.pause)
    error = await refused(node, 3.0)
    assert error.code in TEMPORARY
    with pytest.raises(HubbubError) as caught:
        await node.store.read(logged("a"))
    assert caught.value.code in TEMPORARY
    await asyncio.to_thread(cluster.resume)
    await serves(node)
    assert await stored(node) in (["1"], ["1", "refused"])


@contextmanager
def spoiled_commit(
    node: Node, spoil: Callable[[Callable[[], Awaitable[str]]], Awaitable[None]]
) -> Iterator[None]:
    """The next COMMIT loses its connection: `spoil` is given what would send it."""
    session = node.store._writing[0]
    assert session is not None
    raw = session._raw
    kind, execute = type(raw), type(raw).execute

    async def spoiling(self: Any, query: str, *args: Any, **options: Any) -> str:
        if not query.startswith("COMMIT"):
            status: str = await execute(self, query, *args, **options)
            return status
        kind.execute = execute
        await spoil(lambda: execute(self, query, *args, **options))
        raw.terminate()
        raise ConnectionResetError("lost by the test")

    kind.execute = spoiling
    try:
        yield
    finally:
        kind.execute = execute


async def test_what_became_of_a_lost_commit_is_found_out(node: Node) -> None:
    async def spoil(send: Callable[[], Awaitable[str]]) -> None:
        await send()

    with spoiled_commit(node, spoil):
        assert await node.store.write(APPEND, ("a", 2)) == 2
    assert await stored(node) == ["1", "2"]
    assert [event.offset for event in node.durable] == [1, 2]


async def test_a_commit_that_did_not_arrive_is_known_not_to_be(node: Node) -> None:
    async def spoil(send: Callable[[], Awaitable[str]]) -> None:
        pass

    with (
        spoiled_commit(node, spoil),
        pytest.raises(HubbubError, match="does not answer; nothing was written"),
    ):
        await node.store.write(APPEND, ("a", 2))
    assert await stored(node) == ["1"]
    assert [event.offset for event in node.durable] == [1]


async def test_the_number_of_a_transaction_proves_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash of the server another one may have got it, and be committed."""

    async def spoil(send: Callable[[], Awaitable[str]]) -> None:
        pass

    monkeypatch.setattr(postgres, "OUTCOME", "SELECT 'committed', :stamp <> ''")
    with spoiled_commit(node, spoil), pytest.raises(HubbubError, match="nothing was written"):
        await node.store.write(APPEND, ("a", 2))
    assert await stored(node) == ["1"]
    assert await node.store.write(APPEND, ("a", 2)) == 2


async def test_what_cannot_be_found_out_is_said_to_be_unknown(node: Node, cluster: Cluster) -> None:
    async def spoil(send: Callable[[], Awaitable[str]]) -> None:
        await send()
        await asyncio.to_thread(cluster.pause)

    with spoiled_commit(node, spoil), pytest.raises(HubbubError, match="unknown whether this was written"):
        await node.store.write(APPEND, ("a", 2))
    await asyncio.to_thread(cluster.resume)
    await serves(node)
    assert await stored(node) == ["1", "2"]


def sleep(tx: Transaction, seconds: float) -> float:
    tx.execute(sa.text("SELECT pg_sleep(:s)"), {"s": seconds})
    return seconds


SLEEP: Action[float, float] = each("sleep", sleep)


async def test_a_slow_statement_is_ended_and_nothing_written(node: Node) -> None:
    with pytest.raises(HubbubError) as caught:
        await node.store.write(SLEEP, 30.0)
    assert caught.value.code is ErrorCode.TIMEOUT
    assert await node.store.write(APPEND, ("a", 2)) == 2

    def slow(snapshot: Snapshot) -> None:
        snapshot.execute(sa.text("SELECT pg_sleep(30)"))

    with pytest.raises(HubbubError) as caught:
        await node.store.read(slow)
    assert caught.value.code is ErrorCode.TIMEOUT
    assert await stored(node) == ["1", "2"]


async def test_readers_that_are_all_taken_are_waited_for_in_time(url: str) -> None:
    async with running(url, timeout=1.0, readers=1) as node:

        def slow(snapshot: Snapshot) -> None:
            snapshot.execute(sa.text("SELECT pg_sleep(30)"))

        first = asyncio.create_task(node.store.read(slow))
        await until(node.store._places.locked)
        with pytest.raises(HubbubError) as caught:
            await node.store.read(logged("a"))
        assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
        with pytest.raises(HubbubError):
            await first
        assert await node.store.read(logged("a")) == []


async def test_a_reader_who_leaves_costs_no_connection(node: Node) -> None:
    (session,) = node.store._idle

    def slow(snapshot: Snapshot) -> None:
        snapshot.execute(sa.text("SELECT pg_sleep(0.2)"))

    reading = asyncio.create_task(node.store.read(slow))
    await until(lambda: not node.store._idle)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await until(lambda: node.store._idle)
    assert node.store._idle == [session]
    assert not session.lost


async def test_deadlocks_are_tried_again(url: str) -> None:
    async with running(url, writers=2) as node:
        names = ["first", "second"]
        for name in names:
            await node.store.write(STAMP, name)
        runs: list[str] = []

        def cross(tx: Transaction, order: list[str]) -> str:
            runs.append(order[0])
            for name in order:
                tx.execute(
                    sa.update(users).where(users.c.id == name).values(changed=tx.stamp, name="crossed")
                )
                tx.execute(sa.text("SELECT pg_sleep(0.1)"))
            return order[0]

        action: Action[list[str], str] = each("cross", cross)
        lanes = lanes_of_both_lines()
        first = node.store.write(action, names, lanes[0])
        second = node.store.write(action, names[::-1], lanes[1])
        assert [await first, await second] == names
        assert len(runs) > 2


def lanes_of_both_lines() -> tuple[str, str]:
    even = next(f"lane{n}" for n in range(9) if crc32(b"lane%d" % n) % 2 == 0)
    odd = next(f"lane{n}" for n in range(9) if crc32(b"lane%d" % n) % 2 == 1)
    return even, odd


async def test_an_error_that_an_action_hides_is_no_commit(node: Node) -> None:
    """PostgreSQL answers the COMMIT of a transaction that failed with ROLLBACK, and raises nothing."""

    def hide(tx: Transaction, name: str) -> str:
        tx.execute(sa.update(users).values(name=name))
        with suppress(sa.exc.DBAPIError):
            tx.execute(sa.text("SELECT 1 / 0"))
        return name

    with pytest.raises(HubbubError) as caught:
        await node.store.write(Action("hide", lambda tx, items: [hide(tx, item) for item in items]), "x")
    assert caught.value.code is ErrorCode.INTERNAL
    assert await node.store.write(APPEND, ("a", 2)) == 2


async def test_a_cluster_that_went_back_in_time_gets_a_new_epoch(node: Node, url: str) -> None:
    """As if it were promoted, or replaced by another: what `meta` knows is not what the server says."""
    epoch = node.store.epoch
    node.store._system = "another/00000001"
    before = [
        "UPDATE users SET changed = 9000000000",
        "UPDATE meta SET value = 'another/00000001' WHERE name = 'system'",
    ]
    await asyncio.to_thread(execute, url, *before)
    session = node.store._writing[0]
    assert session is not None
    await session.close()
    stamp = await node.store.write(STAMP, "later")
    assert node.store.epoch != epoch
    assert ("", 0) in node.hints
    kept = "SELECT value, (SELECT max(changed) FROM users) FROM meta WHERE name = 'epoch'"
    assert await asyncio.to_thread(execute, url, kept) == [(node.store.epoch, stamp)]
