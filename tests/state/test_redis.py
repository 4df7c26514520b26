from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from pydantic import SecretStr

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis
from hubbub.errors import ErrorCode, HubbubError
from hubbub.state.base import NodeInfo, State
from hubbub.state.redis import RedisState
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import StateContract
from hubbub.testing.redis import RedisCluster, RedisServer

R = TypeVar("R")
pytestmark = pytest.mark.anyio


def engine(config: RedisConfig) -> Redis:
    return Redis(config, SystemClock(), Metrics())


class TestContract(StateContract):
    ttl = 1.5

    @pytest.fixture(autouse=True)
    def at(self, redis_config: RedisConfig) -> None:
        self.config = redis_config

    async def open(self) -> State:
        return RedisState(engine(self.config))

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


class TestClusterContract(TestContract):
    @pytest.fixture(autouse=True)
    def at(self, cluster: RedisCluster) -> None:
        self.config = RedisConfig(
            url=SecretStr(cluster.url), mode="cluster", prefix=f"test-{secrets.token_hex(4)}"
        )


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    server = RedisServer()
    await asyncio.to_thread(server.open)
    yield server
    await asyncio.to_thread(server.close)


@pytest.fixture
async def states(server: RedisServer) -> AsyncIterator[tuple[RedisState, RedisState]]:
    one, two = (RedisState(engine(RedisConfig(url=SecretStr(server.url), timeout=0.5))) for _ in "12")
    await one.start()
    await two.start()
    yield one, two
    await two.stop()
    await one.stop()


async def again(ask: Callable[[], Awaitable[R]]) -> R:
    """Ask until Redis answers."""
    while True:
        try:
            return await ask()
        except HubbubError as error:
            if error.code is not ErrorCode.BROKER_UNAVAILABLE:
                raise
            await asyncio.sleep(0.02)


async def test_nobody_is_held_dead_while_redis_is_away(
    server: RedisServer, states: tuple[RedisState, RedisState]
) -> None:
    one, two = states
    ann, bob = NodeInfo("ann"), NodeInfo("bob")
    await one.beat(ann, 0.6)
    await two.beat(bob, 0.6)
    server.pause()
    await asyncio.sleep(1.2)
    server.resume()
    assert await again(two.nodes) == [ann, bob]
    assert await again(lambda: one.beat(ann, 0.6)) is True
    assert await one.nodes() == [ann, bob]
    assert await again(lambda: two.beat(bob, 0.6)) is True


async def test_a_flush_is_told_to_each_node(
    server: RedisServer, states: tuple[RedisState, RedisState]
) -> None:
    one, two = states
    ann, bob = NodeInfo("ann"), NodeInfo("bob")
    await one.beat(ann, 5.0)
    await two.beat(bob, 5.0)
    await asyncio.to_thread(server.flush)
    assert await one.beat(ann, 5.0) is False
    assert await two.beat(bob, 5.0) is False
    assert await one.beat(ann, 5.0) is True
    assert await two.nodes() == [ann, bob]


async def test_a_redis_that_is_away_is_said_to_be(
    server: RedisServer, states: tuple[RedisState, RedisState]
) -> None:
    state, _ = states
    await state.put("a", b"1", 60.0)
    server.pause()
    for asked in (state.get("a"), state.spend("b", 1.0, 1), state.nodes(), state.beat(NodeInfo("n"), 1.0)):
        with pytest.raises(HubbubError) as caught:
            await asyncio.wait_for(asked, 5.0)
        assert caught.value.code is ErrorCode.BROKER_UNAVAILABLE
    server.resume()


async def test_every_key_has_an_end(server: RedisServer, states: tuple[RedisState, RedisState]) -> None:
    state, _ = states
    await state.put("a", b"1", 60.0)
    await state.put("b", b"1", 60.0, fresh=True)
    await state.swap("c", None, b"1", 60.0)
    await state.swap("c", b"1", b"2", 60.0)
    await state.spend("d", 1.0, 1)
    await state.beat(NodeInfo("n"), 5.0)
    keys = [
        key for key in await asyncio.to_thread(server.ask, "KEYS", "*") if not key.startswith(b"hubbub:probe")
    ]
    assert len(keys) == 5
    for key in keys:
        assert key.startswith(b"hubbub:")
        assert await asyncio.to_thread(server.ask, "PTTL", key) > 0


async def test_a_clock_of_the_server_that_was_put_back_closes_no_bucket(
    server: RedisServer, states: tuple[RedisState, RedisState]
) -> None:
    state, _ = states
    await state.spend("a", 10.0, 1)
    (key,) = await asyncio.to_thread(server.ask, "KEYS", "*:rate")
    await asyncio.to_thread(server.ask, "SET", key, time.time() + 86_400)
    assert await state.spend("a", 10.0, 1) <= 0.2
