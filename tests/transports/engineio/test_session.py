"""Heartbeats and the time that a newcomer has, on both transports."""

from __future__ import annotations

from typing import Any

import pytest
from tests.transports.engineio.echo import CLOSED, PATH, EchoServer, echo_server, http, say
from tests.transports.held import HeldClock
from tests.waiting import until

from hubbub.testing.proxy import FaultProxy
from hubbub.testing.raw import TEXT, Frame, RawClient, masked
from hubbub.transports.link import CLOSING_TIMEOUT

pytestmark = pytest.mark.anyio

FAST = {"ping_interval": 0.2, "ping_timeout": 0.3}
NO_PONG = 3001
PONG = masked(TEXT, b"3")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


# --- heartbeats -------------------------------------------------------------------------------------------


async def beat(clock: HeldClock, echo: EchoServer, client: RawClient) -> None:
    """A ping comes when its time has come, and the pong is heard."""
    heards = echo.clients[0].heards
    count = len(heards) + 1
    clock.advance(0.3)
    assert await client.read_frame() == Frame(TEXT, b"2")
    await client.send(PONG)
    await until(lambda: len(heards) == count)


async def test_pings_come_as_long_as_pongs_do() -> None:
    clock = HeldClock()
    async with echo_server(clock, socketio=FAST) as echo, await echo.websocket() as client:
        await say(client, "4x")
        assert (await client.read_frame()).payload == b"4x"
        for _ in range(5):
            await beat(clock, echo, client)
        assert echo.clients[0].heards == [1, 2, 3, 4, 5]
        assert echo.clients[0].ends == []


async def test_a_long_patience_does_not_put_off_the_next_ping() -> None:
    clock = HeldClock()
    socketio = {"ping_interval": 0.2, "ping_timeout": 60.0}
    async with echo_server(clock, socketio=socketio) as echo, await echo.websocket() as client:
        await say(client, "4x")
        assert (await client.read_frame()).payload == b"4x"
        for _ in range(3):
            await beat(clock, echo, client)


async def test_the_intervals_are_those_of_the_settings() -> None:
    clock = HeldClock()
    socketio = {"ping_interval": 0.5, "ping_timeout": 0.25}
    async with echo_server(clock, socketio=socketio) as echo, await echo.raw() as client:
        await client.upgrade(PATH + "websocket")
        opening = (await client.read_frame()).payload
        assert b'"pingInterval":500,"pingTimeout":250' in opening
        clock.advance(0.45)
        assert echo.clients[0].marks == []
        clock.advance(0.1)
        assert await client.read_frame() == Frame(TEXT, b"2")
        clock.advance(0.2)
        assert echo.clients[0].ends == []
        clock.advance(0.1)
        assert await client.read_frame() == CLOSED


async def test_a_client_without_a_pong_is_ended() -> None:
    clock = HeldClock()
    async with echo_server(clock, socketio=FAST) as echo, await echo.websocket() as client:
        clock.advance(1.0)
        assert await client.read_frame() == Frame(TEXT, b"2")
        assert await client.read_frame() == CLOSED
        assert echo.clients[0].ends == [("ping timeout", True)]
        assert (echo.clients[0].marks, echo.clients[0].heards) == ([1], [])
        assert echo.metrics.disconnects[NO_PONG] == 1


async def test_other_packets_put_the_end_off_but_once() -> None:
    clock = HeldClock()
    socketio = {"ping_interval": 0.2, "ping_timeout": 0.6}
    async with echo_server(clock, socketio=socketio) as echo, await echo.websocket() as client:
        side = echo.clients[0]

        async def talk() -> None:
            await say(client, "4x")
            await client.read_frame()

        clock.advance(0.25)
        assert await client.read_frame() == Frame(TEXT, b"2")
        clock.advance(0.3)
        await talk()
        clock.advance(0.5)  # more than the ping's 0.6 seconds since it was sent
        assert not side.ends
        await talk()
        clock.advance(0.15)
        assert side.ends == [("ping timeout", True)]


async def test_a_pong_that_nobody_asked_for_proves_nothing() -> None:
    async with echo_server() as echo, await echo.websocket() as client:
        await say(client, "3")
        await say(client, "4x")
        await client.read_frame()
        assert echo.clients[0].heards == []


async def test_pings_by_polling() -> None:
    clock = HeldClock()
    async with echo_server(clock, socketio=FAST) as echo, await echo.polling() as client:
        await client.post(b"4x")
        assert await client.packets() == [b"4x"]
        for _ in range(3):
            clock.advance(0.3)
            assert await client.packets() == [b"2"]
            await client.post(b"3")
        assert client.client.heards == [1, 2, 3]
        clock.advance(0.3)
        assert await client.packets() == [b"2"]
        await client.ask()
        await until(lambda: client.client.link.writable)
        clock.advance(0.4)
        assert (await client.reading.read_response()).body == b"1"  # hanging when time is up
        assert client.client.ends == [("ping timeout", True)]
        assert echo.metrics.disconnects[NO_PONG] == 1


async def test_a_client_that_polls_no_more_is_found() -> None:
    clock = HeldClock()
    async with echo_server(clock, socketio=FAST) as echo, await echo.polling() as client:
        clock.advance(1.0)
        assert client.client.ends == [("ping timeout", True)]
        assert (await client.get()).body == b'{"code":1,"message":"Session ID unknown"}'
        assert echo.server.app.node.queued_bytes == 0


async def test_a_ping_that_is_under_way_at_an_upgrade() -> None:
    clock = HeldClock()
    async with (
        echo_server(clock, socketio=FAST) as echo,
        await echo.polling() as client,
        await echo.raw() as socket,
    ):
        await socket.upgrade(f"{PATH}websocket&sid={client.sid}")
        clock.advance(0.3)
        assert await client.packets() == [b"2"]
        await say(socket, "5")
        await say(socket, "3")
        await until(lambda: client.client.heards == [1])
        clock.advance(1.0)
        assert await socket.read_frame() == Frame(TEXT, b"2")
        assert await socket.read_frame() == CLOSED  # and it is still looked after
        assert client.client.ends == [("ping timeout", True)]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_paused_client_is_not_judged(transport: str) -> None:
    """Its pong may lie unread in the socket."""
    clock = HeldClock()
    async with echo_server(clock, socketio=FAST) as echo:
        client = await (echo.websocket() if transport == "websocket" else echo.polling())
        side = echo.clients[0]
        side.link.pause()
        clock.advance(0.3)
        if isinstance(client, RawClient):
            await client.send(masked(TEXT, b"4x"))
            assert await client.read_frame() == Frame(TEXT, b"2")
            await client.send(PONG)
        else:
            assert await client.packets() == [b"2"]
            await client.writing.send(http("POST", client.target, body=b"3"))
        async with await echo.websocket():  # the server has looked at its sockets since
            clock.advance(1.2)
        assert side.ends == []
        assert side.heards == []
        side.link.resume()
        await until(lambda: side.heards == [1])
        async with client:
            pass


async def test_a_stall_of_ours_is_not_counted_against_the_client() -> None:
    """The pong's deadline passes while we do not read."""
    clock = HeldClock()
    socketio = {"ping_interval": 0.2, "ping_timeout": 1.0}
    async with echo_server(clock, socketio=socketio) as echo, await echo.websocket() as client:
        clock.advance(0.3)
        assert await client.read_frame() == Frame(TEXT, b"2")
        clock.stall(1.5)
        await client.send(PONG)
        await until(lambda: echo.clients[0].heards == [1])
        clock.advance(1.6)  # what was due is put off by as much as we stalled
        assert await client.read_frame() == Frame(TEXT, b"2")
        assert echo.clients[0].ends == []


async def test_a_half_open_peer_is_found() -> None:
    clock = HeldClock()
    async with (
        echo_server(clock, socketio=FAST) as echo,
        FaultProxy(echo.server.host, echo.server.port) as proxy,
        await RawClient.open("127.0.0.1", proxy.port) as client,
    ):
        await client.upgrade(PATH + "websocket")
        proxy.to_server.black_hole = True
        clock.advance(0.3)
        clock.advance(0.4)
        assert echo.clients[0].ends == [("ping timeout", True)]
        assert echo.server.app.node.websockets
        clock.advance(CLOSING_TIMEOUT)
        await until(lambda: not echo.server.app.node.websockets)


# --- newcomers --------------------------------------------------------------------------------------------

SHORT = {"handshake_timeout": 0.3}


async def test_a_client_that_enters_nothing_is_ended_on_websocket() -> None:
    clock = HeldClock()
    async with echo_server(clock, limits=SHORT) as echo, await echo.websocket() as client:
        assert len(echo.server.app.node.newcomers) == 1
        clock.advance(0.4)
        assert await client.read_frame() == CLOSED
        assert echo.clients[0].ends == [("forced server close", True)]
        assert echo.metrics.rejected["handshake_timeout"] == 1
        assert echo.metrics.disconnects[3005] == 1
        assert len(echo.server.app.node.newcomers) == 0


async def test_a_client_that_enters_nothing_is_ended_by_polling() -> None:
    clock = HeldClock()
    async with echo_server(clock, limits=SHORT) as echo, await echo.polling() as client:
        await client.ask()
        await until(lambda: client.client.link.writable)
        clock.advance(0.4)
        assert (await client.reading.read_response()).body == b"1"
        assert client.client.ends == [("forced server close", True)]
        assert echo.metrics.disconnects[3005] == 1


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_client_that_was_let_in_stays(transport: str) -> None:
    clock = HeldClock()
    async with echo_server(clock, limits=SHORT) as echo:
        client: Any = await (echo.websocket() if transport == "websocket" else echo.polling())
        echo.clients[0].admitted = True
        assert len(echo.server.app.node.newcomers) == 0
        clock.advance(0.6)
        assert echo.clients[0].ends == []
        async with client:
            pass


async def test_what_waits_above_a_link_is_counted_with_what_waits_in_it() -> None:
    async with echo_server() as echo, await echo.websocket():
        before = echo.server.app.node.queued_bytes
        echo.clients[0].link.count(1_000)
        assert echo.metrics.gauges["queue_bytes"]() == before + 1_000
        echo.clients[0].link.count(-1_000)
        assert echo.metrics.gauges["queue_bytes"]() == before
