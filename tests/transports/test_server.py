"""The listening side as bytes on a socket: requests, limits, deadlines and the way to an upgrade."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.transports.held import HeldClock
from tests.waiting import until

from hubbub.testing.raw import RawClient, Response, client_hello, masked, request
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio

LIMITS = {"handshake_timeout": 1.0}
PING = masked(9, b"there")
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(server={"drain_window": 0.1}) as running:
        yield running


async def ask(server: RunningServer, data: bytes) -> Response:
    async with await RawClient.open(server.host, server.port) as client:
        await client.send(data)
        response = await client.read_response()
        if response.status not in (101, 200):
            assert await client.read_end() == "closed"
        return response


# --- upgrades ----------------------------------------------------------------------------------------------


async def test_frames_right_behind_the_request_are_not_lost(server: RunningServer) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        await client.send(request() + PING + PING[:3])
        assert (await client.read_response()).status == 101
        assert (await client.read_frame()).payload == b"there"
        await client.send(PING[3:])
        assert (await client.read_frame()).payload == b"there"


async def test_a_handshake_in_segments_of_one_byte(server: RunningServer) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        await client.send_slowly(bytes([byte]) for byte in request() + PING)
        assert (await client.read_response()).status == 101
        assert (await client.read_frame()).payload == b"there"


async def test_an_upgrade_after_an_answered_request(server: RunningServer) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        await client.send(HEALTH)
        assert (await client.read_response()).status == 200
        await client.upgrade()
        await client.send(PING)
        assert (await client.read_frame()).payload == b"there"


async def test_an_upgrade_before_the_answer_is_refused(server: RunningServer) -> None:
    """Else the answer's bytes would be written into the WebSocket."""
    before = server.app.metrics.connections_total()
    async with await RawClient.open(server.host, server.port) as client:
        await client.send(HEALTH + request())
        received = b""
        while data := await client.read_some():
            received += data
        assert b"101 Switching" not in received
    assert server.app.metrics.connections_total() == before


# --- HTTP -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        client_hello(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x00\x00\x00",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        # smuggling
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_a_400_at_once(server: RunningServer, data: bytes) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        await client.send(data)
        assert (await client.read_response(within=2.0)).status == 400
        assert await client.read_end() == "closed"


async def test_connect_is_refused(server: RunningServer) -> None:
    assert (await ask(server, b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")).status in (400, 405)


@pytest.mark.parametrize("body", [b"", b"x" * 100])
async def test_an_unknown_upgrade_is_passed_over(server: RunningServer, body: bytes) -> None:
    """Java's HttpClient and `curl --http2` ask for h2c with every request, those with a body too."""
    head = (
        b"POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    async with await RawClient.open(server.host, server.port) as client:
        await client.send(head + body)
        assert (await client.read_response()).status == 401
        await client.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await client.read_response()).status == 200


# --- the size of a head -----------------------------------------------------------------------------------


def head(size: int, path: str = "/health/live") -> bytes:
    """A request whose line and headers are `size` bytes long, in as many headers as it takes."""
    start = f"GET {path} HTTP/1.1\r\nHost: a\r\nX: ".encode()
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("segments", [1, 2, 7])
@pytest.mark.parametrize(("size", "status"), [(16_000, 200), (17_000, 431), (200_000, 431)])
async def test_the_size_of_a_head_is_bounded(
    server: RunningServer, size: int, status: int, segments: int
) -> None:
    data = head(size)
    step = -(-len(data) // segments)
    async with await RawClient.open(server.host, server.port) as client:
        await client.send_slowly((data[at : at + step] for at in range(0, len(data), step)), 0.01)
        assert (await client.read_response()).status == status
        await client.send(data)  # what a client sends on after the refusal does not cost it the answer


async def test_the_head_of_a_later_request_is_bounded_too(server: RunningServer) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        for size, status in ((16_000, 200), (16_000, 200), (17_000, 431)):
            await client.send(head(size))
            assert (await client.read_response()).status == status


async def test_the_number_of_headers_is_bounded(server: RunningServer) -> None:
    for count, status in ((100, 101), (101, 431)):
        headers: dict[str, str | None] = {f"x-{at}": "y" for at in range(count - 5)}
        assert (await ask(server, request(headers=headers))).status == status


@pytest.mark.parametrize(
    "endless", [b"0\r\nX: " + b"x" * 20_000, b"1;" + b"x" * 20_000], ids=["trailer", "extension"]
)
async def test_what_is_neither_head_nor_body_is_bounded(server: RunningServer, endless: bytes) -> None:
    rejected = server.app.metrics.rejected["header_bytes"]
    async with await RawClient.open(server.host, server.port) as client:
        await client.send(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert (await client.read_response()).status == 404
        await client.send(endless)
        await client.read_end()
    assert server.app.metrics.rejected["header_bytes"] == rejected + 1


# --- deadlines --------------------------------------------------------------------------------------------


async def test_a_head_that_drips_is_cut() -> None:
    async with running_server(limits=LIMITS) as server:
        loop = asyncio.get_running_loop()
        async with await RawClient.open(server.host, server.port) as client:
            began = loop.time()
            dripping = asyncio.create_task(client.send_slowly((b"%c" % byte for byte in request()), 0.1))
            assert (await client.read_response()).status == 408
            assert loop.time() - began >= 0.9
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
        assert server.app.metrics.rejected["handshake_timeout"] == 1


@pytest.mark.parametrize(
    ("first", "then"), [(b"", b""), (b"", b"\r\n"), (b"", b"G"), (HEALTH, b"\r\n"), (HEALTH, b"G")]
)
async def test_silence_is_cut(first: bytes, then: bytes) -> None:
    """Also after an answered request, where any byte stops uvicorn's own timer for good."""
    async with running_server(limits=LIMITS) as server:
        async with await RawClient.open(server.host, server.port) as client:
            if first:
                await client.send(first)
                assert (await client.read_response()).status == 200
            await client.send(then)
            await client.read_end(within=4.0)
        await settled(server)
        assert server.app.metrics.rejected["handshake_timeout"] == 1


async def test_accept_to_authenticated_is_one_deadline() -> None:
    """A client may not spend the time twice: once for the head, and once more for `connect`."""
    clock = HeldClock()
    async with running_server(clock=clock, limits=LIMITS) as server:
        async with await RawClient.open(server.host, server.port) as client:
            await client.send(request()[:10])
            await until(lambda: server.app.node.admission.total)
            clock.advance(0.9)
            await client.send(request()[10:])
            assert (await client.read_response()).status == 101
            clock.advance(0.2)
            assert (await client.read_close()).code == 3005
        assert server.app.metrics.rejected["handshake_timeout"] == 1


async def test_a_client_that_authenticates_in_time_stays() -> None:
    clock = HeldClock()
    async with (
        running_server(clock=clock, limits=LIMITS) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.connect(server.token())
        clock.advance(1.8)
        await client.send(PING)
        assert (await client.read_frame()).payload == b"there"


async def test_a_body_that_drips_after_the_answer_does_not_keep_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any byte used to stop uvicorn's timer, and nothing would start another."""
    monkeypatch.setattr("hubbub.transports.server.KEEP_ALIVE", 1)
    async with (
        running_server() as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.send(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        assert (await client.read_response()).status == 404
        dripping = asyncio.create_task(client.send_slowly([b"x"] * 100, 0.1))
        await client.read_end()
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_requests_of_one_connection_share_an_entry_in_the_wheel(server: RunningServer) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        before = sum(map(len, server.app.node.wheel._slots.values()))
        for _ in range(50):
            await client.send(HEALTH)
            assert (await client.read_response()).status == 200
        assert sum(map(len, server.app.node.wheel._slots.values())) <= before + 2


async def settled(server: RunningServer) -> None:
    """Wait until the server has noticed that all clients are gone."""
    admission = server.app.node.admission
    await until(lambda: not admission.total and not admission.spare)
    assert not admission._addresses
