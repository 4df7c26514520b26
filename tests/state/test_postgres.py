from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.engines.postgres import Postgres
from hubbub.errors import ErrorCode, HubbubError
from hubbub.state.base import NodeInfo, State
from hubbub.state.postgres import PostgresState
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import StateContract
from hubbub.testing.postgres import Cluster, execute

pytestmark = pytest.mark.anyio


def view(url: str) -> PostgresState:
    return PostgresState(Postgres(StorageConfig(url=SecretStr(url)), SystemClock(), Metrics()))


class TestContract(StateContract):
    ttl = 1.5

    @pytest.fixture(autouse=True)
    def at(self, empty_postgres_url: str) -> None:
        self.url = empty_postgres_url

    async def open(self) -> State:
        return view(self.url)

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


async def beat(state: State, node: NodeInfo, ttl: float) -> bool:
    """As soon as PostgreSQL answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await state.beat(node, ttl)
            except HubbubError as error:
                assert error.code is ErrorCode.BROKER_UNAVAILABLE  # noqa: PT017
                await asyncio.sleep(0.02)


async def test_nobody_is_held_dead_while_postgres_is_away(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "away")
    one, two = view(url), view(url)
    await one.start()
    await two.start()
    ann, bob = NodeInfo("ann"), NodeInfo("bob")
    await one.beat(ann, 0.6)
    await two.beat(bob, 0.6)
    await asyncio.to_thread(cluster.pause)
    await asyncio.sleep(1.2)
    await asyncio.to_thread(cluster.resume)
    assert await beat(one, ann, 0.6) is True
    assert await one.nodes() == [ann, bob]
    assert await beat(two, bob, 0.6) is True
    await one.stop()
    await two.stop()


async def test_a_crash_is_told_to_each_node_and_leaves_nothing_old(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "crashed")
    state = view(url)
    await state.start()
    await state.beat(NodeInfo("ann"), 60.0)
    await state.put("ticket", b"1", 60.0)
    await asyncio.to_thread(cluster.kill)
    with pytest.raises(HubbubError) as refusal:
        await state.get("ticket")
    assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE
    await asyncio.to_thread(cluster.start)
    assert await beat(state, NodeInfo("ann"), 60.0) is False
    assert await beat(state, NodeInfo("ann"), 60.0) is True
    assert await state.take("ticket") is None
    await state.stop()


async def test_what_has_ended_is_taken_out(empty_postgres_url: str) -> None:
    state = view(empty_postgres_url)
    await state.start()
    for number in range(5):
        await state.put(f"short-{number}", b"1", 0.01)
        await state.spend(f"short-{number}", 1000.0, 1)
    await state.put("long", b"1", 60.0)
    await state.spend("long", 0.1, 1)
    await asyncio.sleep(0.05)
    await state.beat(NodeInfo("ann"), 60.0)
    for table in ("kept", "buckets"):
        rows = await asyncio.to_thread(
            execute, empty_postgres_url, f"SELECT convert_from(key, 'UTF8') FROM hubbub_live.{table}"
        )
        assert [row[0] for row in rows] == ["long"]
    await state.stop()


async def test_a_clock_of_the_server_that_was_put_back_closes_no_bucket(empty_postgres_url: str) -> None:
    state = view(empty_postgres_url)
    await state.start()
    await state.spend("a", 10.0, 1)
    await asyncio.to_thread(
        execute, empty_postgres_url, "UPDATE hubbub_live.buckets SET arrival = arrival + 86400"
    )
    assert await state.spend("a", 10.0, 1) <= 0.2
    await state.stop()
