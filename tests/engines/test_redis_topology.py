"""Slots, and the master that Sentinels know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.engines.redis_world import again, ear, refused
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis
from hubbub.engines.redis_topology import slot
from hubbub.errors import ConfigError
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.redis import RedisServer, Sentinels


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"x",
        b"123456789",
        b"{user1000}.following",
        b"foo{}{bar}",
        b"foo{{bar}}zap",
        b"foo{bar}{zap}",
        b"a}b{c",
        b"{",
    ],
)
def test_slots_are_those_of_redis(key: bytes, clustered: RedisServer) -> None:
    assert slot(key) == clustered.ask("CLUSTER", "KEYSLOT", key)


@pytest.fixture(scope="module")
def clustered() -> Iterator[RedisServer]:
    with RedisServer(cluster_enabled="yes", cluster_port="0") as server:
        yield server


@pytest.fixture
def sentinels() -> Iterator[Sentinels]:
    with Sentinels() as sentinels:
        yield sentinels


def config(sentinels: Sentinels, **settings: object) -> RedisConfig:
    base = {"url": "redis://unused", "mode": "sentinel", "nodes": sentinels.nodes, "timeout": 0.5}
    return RedisConfig.model_validate({**base, **settings})


async def test_the_new_master_is_followed(sentinels: Sentinels) -> None:
    async with ear(config(sentinels)) as world:
        name = world.name("c")
        await world.redis.listen(name)
        await world.hears(name, b"1")
        await until(lambda: world.redis.condition.up)
        sentinels.master.pause()  # worse than a kill: its connections stay open
        await asyncio.to_thread(sentinels.failover)
        await until(lambda: world.missed >= 1 and world.renewed >= 1)
        await until(lambda: world.redis.condition.up)
        await world.hears(name, b"2")
        [peer] = world.redis._topology.peers
        assert peer.commands.run_id.decode() in await asyncio.to_thread(info, sentinels.master)

        # One Sentinel less, and a failover that somebody asked for: the old master goes on as a replica.
        await asyncio.to_thread(sentinels.sentinels[0].kill)
        assert await world.redis.call("PING") == b"PONG"


async def test_a_failover_that_was_asked_for(sentinels: Sentinels) -> None:
    async with ear(config(sentinels)) as world:
        name = world.name("c")
        await world.redis.listen(name)
        await asyncio.to_thread(sentinels.failover)
        await until(lambda: world.missed >= 1 and world.renewed >= 1)
        assert await again(lambda: world.redis.call("SET", world.name("x"), 1)) == b"OK"
        await until(lambda: world.redis.condition.up)
        await world.hears(name, b"1")


def info(server: RedisServer) -> str:
    text: bytes = server.ask("INFO", "server")
    return text.decode()


async def test_sentinels_that_know_no_such_master(sentinels: Sentinels) -> None:
    redis = Redis(config(sentinels, sentinel_master="other"), SystemClock(), Metrics())
    with pytest.raises(ConfigError, match="no master named 'other'"):
        await redis.start()


async def test_no_sentinel_at_all() -> None:
    nodes = ("127.0.0.1:1",)
    unreachable = RedisConfig.model_validate({"url": "redis://unused", "mode": "sentinel", "nodes": nodes})
    async with ear(unreachable) as world:
        assert world.redis.condition.detail == "no Sentinel answers"
        with refused():
            await world.redis.call("PING")
