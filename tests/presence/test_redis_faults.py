"""Two nodes, one real Redis, and what befalls it: presence is whole again soon after."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis
from hubbub.model import Join, Leave, Member, Presence
from hubbub.presence.redis import RedisPresence
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.redis import RedisServer, Sentinels

pytestmark = pytest.mark.anyio

PATIENCE = 30.0
LEASE = 2.0
CHANNELS = [f"room{number}" for number in range(20)]


class Node:
    def __init__(self, config: RedisConfig, name: str) -> None:
        clock, self.metrics = SystemClock(), Metrics()
        self.engine = Redis(config, clock, self.metrics)
        self.store = RedisPresence(self.engine, name, clock, self.metrics, lease=LEASE)
        self.told: list[Join | Leave] = []
        self.awake = True
        self._name = name
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.engine.start()
        self._task = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.engine.stop()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            if self.awake:
                self.told += await self.store.sweep()

    def member(self, user: str) -> Member:
        return Member(f"{self._name}-{user}", user)

    async def enter(self, *users: str) -> None:
        for channel in CHANNELS:
            for user in users:
                await self.store.touch(channel, self.member(user), math.inf)

    async def leave(self, *users: str) -> None:
        for channel in CHANNELS:
            for user in users:
                await self.store.remove(channel, self.member(user).session)


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    server = RedisServer()
    await asyncio.to_thread(server.open)
    yield server
    await asyncio.to_thread(server.close)


@pytest.fixture
async def nodes(server: RedisServer) -> AsyncIterator[tuple[Node, Node]]:
    async with running(RedisConfig(url=SecretStr(server.url), timeout=0.5)) as nodes:
        yield nodes


@contextlib.asynccontextmanager
async def running(config: RedisConfig) -> AsyncIterator[tuple[Node, Node]]:
    one, two = Node(config, "one"), Node(config, "two")
    await one.start()
    await two.start()
    await one.enter("ann", "bob")
    await two.enter("ann", "cy")
    await asyncio.gather(one.store.sweep(), two.store.sweep())
    yield one, two
    await one.stop()
    await two.stop()


async def shows(nodes: tuple[Node, Node], one: set[str], two: set[str]) -> None:
    """Wait until both nodes show these users of both."""
    wanted = {nodes[0].member(user) for user in one} | {nodes[1].member(user) for user in two}
    async with asyncio.timeout(PATIENCE):
        for channel in CHANNELS:
            for node in nodes:
                while True:
                    presence = await node.store.members(channel, 100)
                    if set(presence.members or ()) == wanted and presence.users == len(one | two):
                        break
                    await asyncio.sleep(0.02)


async def converged(nodes: tuple[Node, Node]) -> None:
    await until(lambda: all(node.store.converged for node in nodes))


async def test_a_flush_is_not_seen(server: RedisServer, nodes: tuple[Node, Node]) -> None:
    await asyncio.to_thread(server.flush)
    await shows(nodes, {"ann", "bob"}, {"ann", "cy"})
    await converged(nodes)
    assert nodes[0].told == nodes[1].told == []


async def test_a_restart_without_memory_is_not_seen(server: RedisServer, nodes: tuple[Node, Node]) -> None:
    await asyncio.to_thread(server.restart)
    await shows(nodes, {"ann", "bob"}, {"ann", "cy"})
    await converged(nodes)
    assert nodes[0].told == nodes[1].told == []


async def test_a_pause_longer_than_all_leases_is_not_seen(
    server: RedisServer, nodes: tuple[Node, Node]
) -> None:
    server.pause()
    paused = time.monotonic()
    await until(lambda: time.monotonic() > paused + LEASE)
    server.resume()
    await shows(nodes, {"ann", "bob"}, {"ann", "cy"})
    await converged(nodes)
    assert nodes[0].told == nodes[1].told == []


async def test_what_happens_while_redis_is_away_is_told_when_it_is_back(
    server: RedisServer, nodes: tuple[Node, Node]
) -> None:
    one, two = nodes
    await asyncio.to_thread(server.kill)
    await one.leave("ann", "bob")
    await two.enter("dan")
    assert await two.store.members(CHANNELS[0], 10) == Presence(
        3, 3, (two.member("ann"), two.member("cy"), two.member("dan"))
    )
    await asyncio.to_thread(server.start)
    await shows(nodes, set(), {"ann", "cy", "dan"})
    await converged(nodes)
    told = one.told + two.told
    assert {(type(push), push.member.user) for push in told} == {(Leave, "bob"), (Join, "dan")}
    assert len(told) == len(set(told)) == 2 * len(CHANNELS)


async def test_a_paused_node_goes_and_comes_back(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    one.awake = False
    await until(lambda: len(two.told) >= len(CHANNELS))
    assert {(type(push), push.member.user) for push in two.told} == {(Leave, "bob")}
    assert await two.store.members(CHANNELS[0], 0) == Presence(2, 2)
    one.awake = True
    await shows(nodes, {"ann", "bob"}, {"ann", "cy"})
    await converged(nodes)
    assert {(type(push), push.member.user) for push in one.told} == {(Join, "bob")}
    assert len(one.told) == len(two.told) == len(CHANNELS)


async def test_a_redis_that_is_paused_keeps_nobody_waiting_for_long(
    server: RedisServer, nodes: tuple[Node, Node]
) -> None:
    one, _ = nodes
    loop = asyncio.get_running_loop()
    server.pause()
    began = loop.time()
    assert await one.store.touch("new", one.member("dan"), math.inf) is True
    assert await one.store.members("new", 10) == Presence(1, 1, (one.member("dan"),))
    assert await one.store.remove("new", one.member("dan").session) is None
    assert await one.store.members("new", 10) == Presence(0, 0, ())
    took = loop.time() - began
    server.resume()
    assert took < PATIENCE, "it waits for `redis.timeout` once, not for Redis"
    await shows(nodes, {"ann", "bob"}, {"ann", "cy"})


async def test_cut_lines_are_not_seen(server: RedisServer, nodes: tuple[Node, Node]) -> None:
    for _ in range(5):
        await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "normal")
        await asyncio.sleep(0.1)
    await shows(nodes, {"ann", "bob"}, {"ann", "cy"})
    await converged(nodes)
    assert nodes[0].told == nodes[1].told == []


async def test_every_key_has_an_end_and_empty_channels_none(
    server: RedisServer, nodes: tuple[Node, Node]
) -> None:
    for key in await asyncio.to_thread(server.ask, "KEYS", "*"):
        assert await asyncio.to_thread(server.ask, "PTTL", key) > 0
    await nodes[0].leave("ann", "bob")
    await nodes[1].leave("ann", "cy")
    await asyncio.gather(*(node.store.sweep() for node in nodes))
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(server.ask, "KEYS", "*pres*") != [b"hubbub:presence"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_failover_is_not_seen() -> None:
    sentinels = Sentinels()
    await asyncio.to_thread(sentinels.open)
    try:
        config = RedisConfig(
            mode="sentinel", nodes=sentinels.nodes, sentinel_master=sentinels.name, timeout=0.5
        )
        async with running(config) as nodes:
            await asyncio.to_thread(sentinels.master.kill)
            await asyncio.to_thread(sentinels.failover)
            await nodes[0].enter("dan")
            await shows(nodes, {"ann", "bob", "dan"}, {"ann", "cy"})
            await converged(nodes)
            told = {(type(push), push.member.user) for node in nodes for push in node.told}
            assert told <= {(Join, "dan")}
    finally:
        await asyncio.to_thread(sentinels.close)
