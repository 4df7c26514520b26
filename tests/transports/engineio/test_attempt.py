"""From polling to WebSocket: nothing is lost on the way, nothing overtakes, and who fails goes on as before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.transports.engineio.echo import CLOSED, PATH, EchoServer, Poller, echo_server, http, say
from tests.waiting import until

from hubbub.errors import FORCED
from hubbub.testing.raw import BINARY, PING, PONG, TEXT, Frame, RawClient, masked

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    async with echo_server() as running:
        yield running


async def probing(client: Poller, *, probe: bool = True) -> RawClient:
    """A WebSocket for the client's session, with its probe answered."""
    socket = await client.echo.raw()
    await socket.upgrade(f"{PATH}websocket&sid={client.sid}", client.headers)
    if probe:
        await say(socket, "2probe")
        assert await socket.read_frame() == Frame(TEXT, b"3probe")
    return socket


async def asked(client: Poller, target: str = "") -> tuple[int, bytes]:
    """The answer to one more GET, on a connection of its own."""
    async with await client.echo.raw() as other:
        await other.send(http("GET", target or client.target, client.headers))
        response = await other.read_response()
        return response.status, response.body


async def still_polls(client: Poller) -> None:
    await client.post(b"4still here")
    assert await client.packets() == [b"4still here"]
    assert client.client.moves == 0


async def test_an_upgrade_as_clients_make_it(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client) as socket:
        link, before = client.client.link, client.client.link.write
        await client.ask()
        assert (await client.reading.read_response()).body == b"6"  # so that the client need not wait for it
        await say(socket, "5")
        await say(socket, "4hello")
        assert await socket.read_frame() == Frame(TEXT, b"4hello")
        assert client.client.moves == 1
        assert link.write is not before
        assert link.info.transport == "websocket"
        assert echo.metrics.connections["websocket", "socketio"] == 1
        assert echo.metrics.connections["polling", "socketio"] == 0
        assert await asked(client) == (400, b'{"code":3,"message":"Bad request"}')
        assert (await client.post(b"4x")).status == 400
        assert link.writable
    await until(lambda: client.client.ends)
    assert client.client.ends == [("transport close", True)]
    assert not echo.engine.sessions
    assert echo.metrics.connections["websocket", "socketio"] == 0


@pytest.mark.parametrize("upgrade", ["5", "5x"])
async def test_an_upgrade_without_a_probe(echo: EchoServer, upgrade: str) -> None:
    async with await echo.polling() as client, await probing(client, probe=False) as socket:
        await say(socket, upgrade)
        await say(socket, "4x")
        assert await socket.read_frame() == Frame(TEXT, b"4x")


async def test_every_probe_is_answered(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client) as socket:
        await say(socket, "2probe")
        assert await socket.read_frame() == Frame(TEXT, b"3probe")


async def test_each_poll_during_the_upgrade_is_let_go(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await client.ask()
        async with await probing(client):
            assert (await client.reading.read_response()).body == b"6"
            for _ in range(3):
                assert await client.packets() == [b"6"]


async def test_messages_during_the_upgrade_go_by_polling(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client):
        client.client.send(b"x")
        assert await client.packets() == [b"4x"]


async def test_what_waits_comes_first(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client) as socket:
        for number in range(40):
            client.client.send(b"%d" % number)
        client.client.send(b"\x00\xff", binary=True)
        client.client.link.write(b"4several\x1eb\x1eb//8=")
        await say(socket, "5")
        await say(socket, "4after")
        frames = [await socket.read_frame() for _ in range(45)]
        assert frames[:40] == [Frame(TEXT, b"4%d" % number) for number in range(40)]
        assert frames[40:] == [
            Frame(BINARY, b"\x00\xff"),
            Frame(TEXT, b"4several"),
            Frame(BINARY, b""),
            Frame(BINARY, b"\xff\xff"),
            Frame(TEXT, b"4after"),
        ]
        assert echo.server.app.node.queued_bytes == 0


async def test_what_is_written_around_the_upgrade_keeps_its_order(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client) as socket:
        moved = client.client.moved

        def writing() -> None:
            moved()
            client.client.send(b"in moved")

        client.client.moved = writing  # type: ignore[method-assign]
        client.client.send(b"before")
        await socket.send(masked(TEXT, b"5") + masked(TEXT, b"4echo"))
        assert [(await socket.read_frame()).payload for _ in range(3)] == [b"4before", b"4in moved", b"4echo"]


async def test_a_stream_of_messages_through_the_upgrade(echo: EchoServer) -> None:
    """The server writes all the while; a client reads both ways and sees each number once, in order."""
    async with await echo.polling() as client:
        writing = True

        async def write() -> int:
            number = 0
            while writing:
                client.client.send(b"%d" % number)
                number += 1
                await asyncio.sleep(0)
            return number

        task = asyncio.create_task(write())
        received: list[bytes] = []
        for _ in range(20):
            received += await client.packets()
        async with await probing(client) as socket:
            received += await client.packets()
            await say(socket, "5")
            while len(received) < 2000:
                received.append((await socket.read_frame()).payload)
            writing = False
            count = await task
            while len(received) - received.count(b"6") < count:
                received.append((await socket.read_frame()).payload)
        assert [packet for packet in received if packet != b"6"] == [b"4%d" % n for n in range(count)]


async def test_a_poll_and_a_post_that_hang_at_the_upgrade(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client, probe=False) as socket:
        await client.ask()
        await client.writing.send(http("POST", client.target, body=b"4first")[:-1])
        await asked(client, "/socket.io/")
        await say(socket, "5")
        assert (await client.reading.read_response()).body == b"1"
        assert await client.writing.read_end() in ("closed", "reset")
        await say(socket, "4x")
        assert await socket.read_frame() == Frame(TEXT, b"4x")


async def test_a_post_that_is_held_at_the_upgrade_is_answered(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client, probe=False) as socket:
        client.client.link.pause()
        await client.writing.send(http("POST", client.target, body=b"4first"))
        await asked(client, "/socket.io/")
        await say(socket, "5")
        assert (await client.writing.read_response()).body == b"ok"
        client.client.link.resume()
        await say(socket, "4x")
        assert await socket.read_frame() == Frame(TEXT, b"4first")
        assert await socket.read_frame() == Frame(TEXT, b"4x")


async def test_a_pause_outlasts_the_upgrade(echo: EchoServer) -> None:
    async with await echo.polling() as client, await probing(client) as socket:
        client.client.link.pause()
        await say(socket, "5")
        await until(lambda: client.client.moves)
        await say(socket, "4x")
        assert (await asked(client))[0] == 400  # the server has come by
        assert client.client.messages == []
        client.client.link.resume()
        assert await socket.read_frame() == Frame(TEXT, b"4x")


async def test_a_second_upgrade_is_closed_at_once(echo: EchoServer) -> None:
    """During the first one, and after it."""
    async with await echo.polling() as client, await probing(client) as socket:
        async with await probing(client, probe=False) as second:
            assert await second.read_frame() == CLOSED
            await second.send(masked(8))
            assert await second.read_end() == "closed"
        await say(socket, "5")
        async with await probing(client, probe=False) as third:
            assert await third.read_frame() == CLOSED
        await say(socket, "4x")
        assert await socket.read_frame() == Frame(TEXT, b"4x")


@pytest.mark.parametrize("packet", ["2", "2x", "1", "6", "3probe", "4x", "9", ""])
@pytest.mark.parametrize("probe", [True, False])
async def test_anything_else_ends_the_attempt(echo: EchoServer, packet: str, probe: bool) -> None:
    async with await echo.polling() as client:
        async with await probing(client, probe=probe) as socket:
            await say(socket, packet)
            assert await socket.read_frame() == CLOSED
            await say(socket, "5")
        await still_polls(client)
        async with await probing(client) as again:
            await say(again, "5")
            await say(again, "4x")
            assert await again.read_frame() == Frame(TEXT, b"4x")


async def test_bytes_end_the_attempt(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        async with await probing(client) as socket:
            await socket.send(masked(BINARY, b"5"))
            assert await socket.read_frame() == CLOSED
        await still_polls(client)


@pytest.mark.parametrize("probe", [True, False])
async def test_a_probe_that_is_dropped(echo: EchoServer, probe: bool) -> None:
    async with await echo.polling() as client:
        (await probing(client, probe=probe)).reset()
        await until(lambda: not echo.server.app.node.websockets)
        await still_polls(client)
        (await probing(client, probe=probe)).close()
        await until(lambda: not echo.server.app.node.websockets)
        await still_polls(client)


async def test_a_websocket_that_breaks_frames_while_it_probes(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        async with await probing(client) as socket:
            await socket.send(masked(PING, b"x"))
            assert await socket.read_frame() == Frame(PONG, b"x")
            await socket.send(masked(3))
            assert (await socket.read_frame()).code == 1002
        await still_polls(client)


@pytest.mark.parametrize("probe", [True, False])
async def test_an_upgrade_that_takes_too_long(probe: bool) -> None:
    async with echo_server(socketio={"upgrade_timeout": 0.3}) as echo, await echo.polling() as client:
        async with await probing(client, probe=probe) as socket:
            assert await socket.read_frame() == CLOSED
        await still_polls(client)


@pytest.mark.parametrize("body", [b"1", b"9", b"2"])
async def test_the_session_ends_while_it_probes(echo: EchoServer, body: bytes) -> None:
    async with await echo.polling() as client, await probing(client) as socket:
        await client.post(body)
        assert await socket.read_frame() == CLOSED
        assert not echo.engine.sessions


async def test_the_server_closes_while_it_probes(echo: EchoServer) -> None:
    """The client may be about to say that it has upgraded: it gets the last words either way."""
    async with await echo.polling() as client, await probing(client) as socket:
        client.client.send(b"bye")
        client.client.link.close(FORCED)
        await say(socket, "5")
        assert await socket.read_frame() == Frame(TEXT, b"4bye")
        assert await socket.read_frame() == CLOSED
        assert client.client.ends == [("forced close", False)]
        assert client.client.moves == 0
        assert not echo.engine.sessions
        assert sum(echo.metrics.connections.values()) == 0


async def test_an_upgrade_of_a_session_that_was_closed(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        client.client.link.close(FORCED)
        async with await probing(client, probe=False) as socket:
            assert await socket.read_frame() == CLOSED
        assert await client.packets() == [b"6", b"1"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (PATH + "websocket&sid={}x", b"Session ID unknown"),
        ("/socket.io/?EIO=3&transport=websocket&sid={}", b"Bad request"),
        (PATH + "constructor&sid={}", b"Transport unknown"),
    ],
)
async def test_refusals(echo: EchoServer, target: str, message: bytes) -> None:
    async with await echo.polling() as client, await echo.raw() as other:
        with pytest.raises(AssertionError, match="not upgraded") as refusal:
            await other.upgrade(target.format(client.sid))
        assert message.decode() in str(refusal.value)
        await still_polls(client)
