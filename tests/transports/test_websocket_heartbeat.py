"""Dead peers are found, living ones are left alone: also when bytes vanish on the way or our own loop stands still."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.transports.held import HeldClock
from tests.waiting import until

from hubbub.testing.proxy import FaultProxy, Way
from hubbub.testing.raw import PING, PONG, TEXT, RawClient, masked
from hubbub.testing.server import running_server
from hubbub.transports.node import TICK

pytestmark = pytest.mark.anyio

INTERVAL, TIMEOUT = 0.5, 0.5
FAST = {"ping_interval": INTERVAL, "ping_timeout": TIMEOUT}
NO_PONG = 3001


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@contextlib.asynccontextmanager
async def answering(client: RawClient, answer: bytes = masked(PONG)) -> AsyncIterator[list[int]]:
    """Meanwhile `client` answers each ping with `answer`; yields the list that grows with each."""
    pings: list[int] = []

    async def run() -> None:
        while True:
            if (await client.read_frame(within=60)).opcode == PING:
                pings.append(PING)
                await client.send(answer)

    task = asyncio.create_task(run())
    try:
        yield pings
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def answered(client: RawClient) -> None:
    """A ping comes, and the server has heard the pong."""
    assert (await client.read_frame()).opcode == PING
    await client.send(masked(PONG))
    await client.send_json({"type": "ping", "id": 1})
    assert (await client.read_json())["type"] == "result"


@pytest.mark.parametrize("answer", [masked(PONG), masked(PONG, b"other"), masked(2), b"\x89"])
async def test_any_byte_keeps_a_peer(answer: bytes) -> None:
    """The last is the first byte of a frame that does not go on."""
    async with (
        running_server(heartbeat=FAST) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.upgrade(headers={"sec-websocket-protocol": "hubbub.v1.json"})
        await client.authenticate(server.token())
        once = answer == b"\x89"
        async with answering(client, b"" if once else answer) as pings:
            if once:
                await until(lambda: pings)
                await client.send(answer)
            elif answer == masked(2):
                return await until(lambda: server.app.metrics.disconnects[3500])  # heard, if not understood
            await until(lambda: len(pings) >= (2 if once else 3))
        assert not server.app.metrics.disconnects
    return None


async def test_a_peer_that_talks_is_not_pinged() -> None:
    clock = HeldClock()
    async with (
        running_server(clock=clock, heartbeat=FAST) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.connect(server.token())
        for id in range(15):
            await client.send_json({"type": "ping", "id": id})
            assert (await client.read_frame()).opcode != PING
            clock.advance(INTERVAL / 4)


@pytest.mark.parametrize("way", ["to_server", "to_client"])
async def test_a_half_open_peer_is_found(way: str) -> None:
    """TCP stays open, and nothing comes through any more: a NAT that forgot, a laptop that sleeps."""
    clock = HeldClock()
    async with (
        running_server(clock=clock, heartbeat=FAST) as server,
        FaultProxy(server.host, server.port) as proxy,
        await RawClient.open("127.0.0.1", proxy.port) as client,
    ):
        await client.connect(server.token(), "news")
        assert (await client.read_json())["type"] == "join"
        clock.advance(INTERVAL + 2 * TICK)
        await answered(client)
        hole: Way = getattr(proxy, way)
        hole.black_hole = True
        clock.advance(INTERVAL + 2 * TICK)
        if hole is proxy.to_server:
            assert (await client.read_frame()).opcode == PING
            await client.send(masked(PONG))
        await until(lambda: hole.swallowed)
        assert not server.app.metrics.disconnects
        clock.advance(TIMEOUT + 2 * TICK)
        assert server.app.metrics.disconnects[NO_PONG] == 1
        assert len(server.app.hub.detached) == 1
        await until(lambda: not server.app.node.websockets)
        assert server.app.node.admission.total == 0


async def test_a_half_open_peer_is_found_while_much_is_sent_to_it() -> None:
    """What a middlebox swallows is acknowledged all the same: acknowledged bytes alone do not prove a peer."""
    async with (
        running_server(heartbeat=FAST) as server,
        FaultProxy(server.host, server.port) as proxy,
        await RawClient.open("127.0.0.1", proxy.port) as client,
    ):
        await client.connect(server.token(), "news")
        proxy.to_client.black_hole = True
        async with asyncio.timeout(5):
            while not server.app.metrics.disconnects[NO_PONG]:
                await server.app.publish("news", "e", "x" * 1000)
                await asyncio.sleep(0.005)


async def test_a_slow_network_is_no_dead_peer() -> None:
    """In real time: how late bytes are is what this is about."""
    async with (
        running_server(heartbeat=FAST) as server,
        FaultProxy(server.host, server.port) as proxy,
        await RawClient.open("127.0.0.1", proxy.port) as client,
    ):
        proxy.to_server.delay = proxy.to_client.delay = 0.1
        proxy.to_server.jitter = proxy.to_client.jitter = 0.05
        proxy.to_server.slice = proxy.to_client.slice = 1
        await client.connect(server.token())
        async with answering(client) as pings:
            await until(lambda: len(pings) >= 4)
        assert not server.app.metrics.disconnects


async def test_nobody_pays_for_a_blocked_loop() -> None:
    """The machine stands still between a ping and its pong, so that the pong comes after the loop has gone on."""
    clock = HeldClock()
    async with running_server(clock=clock, heartbeat=FAST) as server, contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(await RawClient.open(server.host, server.port)) for _ in range(5)
        ]
        for client in clients:
            await client.connect(server.token())
        clock.advance(INTERVAL + 2 * TICK)
        stalled = INTERVAL + TIMEOUT + 1.0
        clock.stall(stalled)
        for client in clients:
            await answered(client)
        clock.advance(stalled + 2 * TICK)  # what was due is put off by as much
        for client in clients:
            assert (await client.read_frame()).opcode == PING
        assert not server.app.metrics.disconnects


async def test_heartbeats_can_be_off() -> None:
    clock = HeldClock()
    async with (
        running_server(clock=clock, heartbeat={"ping_interval": 0.0, "ping_timeout": 0.1}) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.connect(server.token())
        clock.advance(100)
        await client.send_json({"type": "ping", "id": 1})
        assert (await client.read_frame()).opcode == TEXT  # the answer, and no ping before it
        assert not server.app.metrics.disconnects
