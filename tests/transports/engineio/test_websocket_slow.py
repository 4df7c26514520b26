"""Readers on a WebSocket that are slow: told from dead ones by what they take, and ended when they take nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.transports.engineio.echo import PATH, EchoServer, echo_server, say
from tests.transports.held import HeldClock
from tests.waiting import until

from hubbub.testing.raw import TEXT, Frame, RawClient

pytestmark = pytest.mark.anyio

FAST = {"ping_interval": 0.5, "ping_timeout": 0.5}
PATIENT = {"ping_interval": 0.5, "ping_timeout": 1.5}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


async def reader(echo: EchoServer) -> RawClient:
    """An admitted client whose kernel holds little for it."""
    client = await echo.raw(receive_buffer=8_192)
    await client.upgrade(PATH + "websocket")
    await client.read_frame()
    await say(client, "4x")
    await client.read_frame()
    return client


async def flood(echo: EchoServer, messages: int) -> None:
    """Messages of 20,000 bytes, each in a turn of its own."""
    for _ in range(messages):
        echo.clients[0].send(b"x" * 20_000)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("messages", "bite", "queued"), [(20, 4_000, True), (6, 2_000, False)], ids=["queued", "in-the-kernel"]
)
async def test_a_slow_but_steady_reader_survives(messages: int, bite: int, queued: bool) -> None:
    """Its pong comes late, because the ping waits behind what it has yet to read, here or in the kernel."""
    clock = HeldClock()
    limits = {"queue_bytes": 2_000_000, "write_timeout": 1.0}
    async with echo_server(clock, limits=limits, socketio=FAST) as echo:
        client = await reader(echo)
        await flood(echo, messages)
        assert bool(echo.server.app.node.queued_bytes) is queued
        for _ in range(messages * 20_000 // bite - 2):
            await client.take_in(bite)
            clock.advance(0.03)
        received = 0
        while received < messages:
            frame = await client.read_frame()
            if frame == Frame(TEXT, b"2"):
                await say(client, "3")
            else:
                received += 1
        await say(client, "4y")
        while (frame := await client.read_frame()).payload != b"4y":
            assert frame == Frame(TEXT, b"2")
        assert echo.clients[0].ends == []
        client.close()


async def test_a_ping_before_a_flood_is_not_held_against_the_reader() -> None:
    """What it is busy with came behind the ping, but it is alive as long as it takes bytes."""
    clock = HeldClock()
    limits = {"queue_bytes": 2_000_000, "write_timeout": 1.0}
    async with echo_server(clock, limits=limits, socketio=PATIENT) as echo:
        client = await reader(echo)
        clock.advance(0.6)
        assert await client.read_frame() == Frame(TEXT, b"2")
        await flood(echo, 40)
        assert echo.server.app.node.queued_bytes
        for _ in range(60):
            await client.take_in(8_000)
            clock.advance(0.03)
        for _ in range(40):
            assert len((await client.read_frame()).payload) == 20_001
        await until(lambda: echo.clients[0].link.writable)
        clock.advance(0.5)  # the deadline of the ping has passed long since
        await say(client, "3")
        await say(client, "4y")
        while (frame := await client.read_frame()).payload != b"4y":
            assert frame == Frame(TEXT, b"2")
        assert echo.clients[0].ends == []
        client.close()


async def test_a_reader_that_takes_nothing_is_ended_by_time() -> None:
    async with echo_server(limits={"queue_bytes": 50_000_000, "write_timeout": 1.0}) as echo:
        client = await reader(echo)
        await flood(echo, 50)
        await until(lambda: echo.clients[0].ends)
        assert echo.clients[0].ends == [("transport error", True)]
        assert echo.metrics.rejected["write_timeout"] == 1
        assert echo.server.app.node.queued_bytes == 0
        assert not echo.engine.sessions
        assert await client.read_end() == "reset"
        client.close()


async def test_a_reader_that_takes_nothing_is_ended_by_bytes() -> None:
    async with echo_server(limits={"queue_bytes": 100_000}) as echo:
        client = await reader(echo)
        async with asyncio.timeout(10):
            while not echo.clients[0].ends:
                await flood(echo, 1)
        assert echo.clients[0].ends == [("transport error", True)]
        assert echo.metrics.rejected["queue_bytes"] == 1
        assert echo.server.app.node.queued_bytes == 0
        client.close()
