"""Sessions that are opened on a WebSocket: what a client sees, byte by byte."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.transports.engineio.echo import CLOSED, PATH, EchoServer, echo_server, opened, refused, say
from tests.waiting import until

from hubbub.errors import DRAIN, FORCED, SLOW
from hubbub.testing.raw import BINARY, CLOSE, PING, PONG, TEXT, Frame, masked

pytestmark = pytest.mark.anyio

WEBSOCKET = PATH + "websocket"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    async with echo_server(limits={"packet_bytes": 1000}) as running:
        yield running


async def test_a_session_opens_with_its_packet(echo: EchoServer) -> None:
    async with await echo.raw() as client:
        response = await client.upgrade(WEBSOCKET)
        assert "sec-websocket-extensions" not in response.headers
        fields = opened(await client.read_frame())
        assert list(fields) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]
        assert len(fields["sid"]) == 20
        del fields["sid"]
        assert fields == {"upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000}
        assert echo.metrics.connections["websocket", "socketio"] == 1
        assert echo.metrics.connections_opened["websocket", "socketio"] == 1
        link = echo.clients[0].link
        assert (link.info.transport, link.info.protocol) == ("websocket", "socketio")
        assert link.info.query == "EIO=4&transport=websocket"
    await until(lambda: echo.clients[0].ends)
    assert echo.clients[0].ends == [("transport close", True)]
    assert echo.metrics.connections["websocket", "socketio"] == 0
    assert not echo.engine.sessions


async def test_messages_go_both_ways(echo: EchoServer) -> None:
    async with await echo.websocket() as client:
        await client.send(
            masked(TEXT, b"4hello")
            + masked(TEXT, b"4")
            + masked(BINARY, b"\x00\x01")
            + masked(TEXT, b"bAAE=")
        )
        assert [await client.read_frame() for _ in range(4)] == [
            Frame(TEXT, b"4hello"),
            Frame(TEXT, b"4"),
            Frame(BINARY, b"\x00\x01"),
            Frame(BINARY, b"\x00\x01"),
        ]
        assert echo.clients[0].messages == [b"hello", b"", b"\x00\x01", b"\x00\x01"]


@pytest.mark.parametrize("packet", ["0", "1", "5", "6", "3", "3x", "0{}"])
async def test_packets_without_a_meaning_here_are_passed_over(echo: EchoServer, packet: str) -> None:
    async with await echo.websocket() as client:
        await say(client, packet)
        await say(client, "4x")
        assert await client.read_frame() == Frame(TEXT, b"4x")


@pytest.mark.parametrize(
    ("packet", "why", "resumable"),
    [("", "parse error", False), ("7", "parse error", False), ("abc", "parse error", False),
     ("b====", "parse error", False), ("2", "transport error", True), ("2x", "transport error", True)],
)  # fmt: skip
async def test_packets_that_end_a_session(echo: EchoServer, packet: str, why: str, resumable: bool) -> None:
    async with await echo.websocket() as client:
        await say(client, packet)
        await say(client, "4late")
        assert await client.read_frame() == CLOSED
        assert echo.clients[0].ends == [(why, resumable)]
        assert echo.clients[0].messages == []
        assert not echo.engine.sessions
        await client.send(masked(CLOSE))
        assert await client.read_end() == "closed"


async def test_a_packet_of_the_largest_size(echo: EchoServer) -> None:
    async with await echo.websocket() as client:
        await say(client, "4" + "x" * 999)
        assert (await client.read_frame()).payload == b"4" + b"x" * 999
        await say(client, "4" + "x" * 1000)
        frame = await client.read_frame()
        assert (frame.opcode, frame.payload) == (CLOSE, (1009).to_bytes(2, "big"))
        assert await client.read_end() == "closed"
        assert echo.clients[0].ends == [("transport error", True)]
        assert echo.metrics.rejected["packet_bytes"] == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\x81\x01x", 1002), (masked(3), 1002), (masked(TEXT, b"4\xff"), 1007), (masked(TEXT, b"4", rsv=4), 1002)],
)  # fmt: skip
async def test_broken_frames_are_told_by_a_code_alone(echo: EchoServer, data: bytes, code: int) -> None:
    async with await echo.websocket() as client:
        await client.send(data)
        assert await client.read_frame() == Frame(CLOSE, code.to_bytes(2, "big"))
        assert await client.read_end() == "closed"
        assert echo.clients[0].ends == [("transport error", True)]


async def test_control_frames_of_the_websocket_are_answered(echo: EchoServer) -> None:
    async with await echo.websocket() as client:
        await client.send(masked(PING, b"you?"))
        assert await client.read_frame() == Frame(PONG, b"you?")
        await client.send(masked(CLOSE, (1000).to_bytes(2, "big")))
        assert (await client.read_frame()).code == 1000
        assert await client.read_end() == "closed"
    assert echo.clients[0].ends == [("transport close", True)]


@pytest.mark.parametrize(
    ("reason", "why"), [(DRAIN, "server shutting down"), (FORCED, "forced close"), (SLOW, "transport error")]
)
async def test_the_server_closes_behind_what_waits(echo: EchoServer, reason: Any, why: str) -> None:
    async with await echo.websocket() as client:
        echo.clients[0].send(b"bye")
        link = echo.clients[0].link
        link.close(reason)
        link.close(reason)
        link.write(b"after the end")
        assert not link.writable
        assert await client.read_frame() == Frame(TEXT, b"4bye")
        assert await client.read_frame() == CLOSED
        assert [end[0] for end in echo.clients[0].ends] == [why]
        assert echo.metrics.disconnects[reason.code] == 1


async def test_an_abort_says_nothing(echo: EchoServer) -> None:
    async with await echo.websocket() as client:
        echo.clients[0].send(b"bye")
        echo.clients[0].link.abort(SLOW)
        assert await client.read_end() == "reset"
        assert echo.clients[0].ends == [("transport error", True)]
        assert not echo.engine.sessions


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/socket.io/", b"Transport unknown"),
        ("/socket.io/?EIO=4", b"Transport unknown"),
        (PATH + "constructor", b"Transport unknown"),
        (PATH + "__proto__", b"Transport unknown"),
        (PATH + "webtransport", b"Transport unknown"),
        (PATH + "websocket&sid=nope", b"Session ID unknown"),
        (PATH + "websocket&sid=__proto__", b"Session ID unknown"),
        ("/socket.io/?transport=websocket", b"Unsupported protocol version"),
        ("/socket.io/?EIO=3&transport=websocket", b"Unsupported protocol version"),
        ("/socket.io/?EIO=4&EIO=99&transport=websocket", b"Unsupported protocol version"),
        ("/socket.io/?EIO=%34&transport=websocke%74&EIO=5", b"Unsupported protocol version"),
        (PATH + "polling", b"Bad request"),
    ],
)
async def test_refusals(echo: EchoServer, path: str, message: bytes) -> None:
    response = await refused(echo, path)
    assert (response.status, response.body) == (400, message)
    assert response.headers["content-type"] == "text/html"
    assert response.headers["connection"] == "close"
    assert not echo.clients


@pytest.mark.parametrize(
    "path", ["/socket.io/x?EIO=4&transport=websocket", "/socket.io/?EIO=%34&transport=websocket&sid="]
)
async def test_other_ways_to_ask_for_the_same(echo: EchoServer, path: str) -> None:
    async with await echo.raw() as client:
        await client.upgrade(path)
        opened(await client.read_frame())


@pytest.mark.parametrize("path", ["/socket.io", "/socket.iox/", "//socket.io/"])
async def test_other_paths(echo: EchoServer, path: str) -> None:
    assert (await refused(echo, path + "?EIO=4&transport=websocket")).status == 404


async def test_a_foreign_page_is_refused(echo: EchoServer) -> None:
    assert (await refused(echo, WEBSOCKET, {"Origin": "https://evil.example.com"})).status == 403


async def test_the_sid_of_a_websocket_is_good_for_nothing_else(echo: EchoServer) -> None:
    """The reference lets such a socket wait; ours is closed as one that comes after an upgrade is."""
    async with await echo.websocket() as client, await echo.raw() as other:
        sid = echo.clients[0].link.id
        await other.upgrade(f"{WEBSOCKET}&sid={sid}")
        assert await other.read_frame() == CLOSED
        await say(client, "4x")
        assert await client.read_frame() == Frame(TEXT, b"4x")


async def test_compression_by_agreement() -> None:
    async with echo_server(compression={"enabled": True, "minimum": 10}) as echo, await echo.raw() as client:
        response = await client.upgrade(WEBSOCKET, {"Sec-WebSocket-Extensions": "permessage-deflate"})
        assert response.headers["sec-websocket-extensions"].startswith("permessage-deflate")
        assert (await client.read_frame()).opcode == TEXT
        await say(client, "4" + "x" * 100)
        frame = await client.read_frame()
        assert (frame.rsv, len(frame.payload) < 100) == (4, True)


async def test_without_websockets() -> None:
    async with echo_server(socketio={"transports": ("polling",)}) as echo:
        assert (await refused(echo, WEBSOCKET)).body == b"Transport unknown"


async def test_the_end_of_the_server(echo: EchoServer) -> None:
    async with await echo.websocket() as client:
        await echo.engine.stop()
        assert await client.read_frame() == CLOSED
        assert echo.clients[0].ends == [("server shutting down", True)]
