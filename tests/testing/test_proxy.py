from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.waiting import until

from hubbub.testing.proxy import Cut, FaultProxy, asked
from hubbub.testing.raw import RawClient

pytestmark = pytest.mark.anyio


class Echo:
    """What came, and in which pieces; sends everything back."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                self.pieces.append(data)
                writer.write(data)
            self.ended.append("closed")
        except ConnectionError:
            self.ended.append("reset")
        writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    async with (
        await asyncio.start_server(echo.serve, "127.0.0.1", 0) as server,
        FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy,
    ):
        yield proxy


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[RawClient]:
    async with await RawClient.open("127.0.0.1", proxy.port) as client:
        yield client


async def test_passes_on_what_comes(proxy: FaultProxy, client: RawClient, echo: Echo) -> None:
    data = bytes(range(256)) * 1000
    await client.send(data)
    assert await client.read(len(data)) == data
    assert (proxy.to_server.passed, proxy.to_client.passed, proxy.connections) == (len(data), len(data), 1)
    client.half_close()
    assert await client.read_end() == "closed"
    assert echo.ended == ["closed"]
    await until(lambda: proxy.connections == 0)


async def test_delays_and_keeps_the_order(proxy: FaultProxy, client: RawClient) -> None:
    proxy.to_server.delay, proxy.to_server.jitter = 0.05, 0.04
    loop = asyncio.get_running_loop()
    began = loop.time()
    await client.send_slowly([b"a", b"b", b"c", b"d"], 0.01)
    assert await client.read(4) == b"abcd"
    assert loop.time() - began >= 0.02


async def test_bounds_the_bandwidth(proxy: FaultProxy, client: RawClient) -> None:
    proxy.to_server.bandwidth = 50_000
    loop = asyncio.get_running_loop()
    began = loop.time()
    await client.send(b"x" * 20_000)
    await client.read(20_000)
    assert loop.time() - began >= 0.35


async def test_cuts_into_slices(proxy: FaultProxy, client: RawClient, echo: Echo) -> None:
    proxy.to_server.slice = 1
    await client.send(b"x" * 50)
    assert await client.read(50) == b"x" * 50
    assert len(echo.pieces) > 5


@pytest.mark.parametrize("way", ["to_server", "to_client"])
async def test_a_black_hole_swallows_one_way_and_tcp_stays_open(
    proxy: FaultProxy, client: RawClient, echo: Echo, way: str
) -> None:
    await client.send(b"before")
    await client.read(6)
    getattr(proxy, way).black_hole = True
    await client.send(b"lost")
    await until(lambda: getattr(proxy, way).swallowed == 4)
    with pytest.raises(TimeoutError):
        await client.read(1, within=0.1)
    assert b"".join(echo.pieces) == (b"before" if way == "to_server" else b"beforelost")
    assert (proxy.connections, echo.ended) == (1, [])


async def test_frozen_it_reads_nothing(proxy: FaultProxy, client: RawClient) -> None:
    proxy.to_server.frozen = True
    with pytest.raises(TimeoutError):
        await client.send(b"x" * 50_000_000, within=0.3)
    assert proxy.to_server.passed < 200_000


async def test_resets_both_sides_now(proxy: FaultProxy, client: RawClient, echo: Echo) -> None:
    await client.send(b"x")
    await client.read(1)
    proxy.reset()
    assert await client.read_end() == "reset"
    await until(lambda: echo.ended == ["reset"])
    await until(lambda: proxy.connections == 0)


async def test_closes_what_was_just_accepted(echo: Echo) -> None:
    async with await asyncio.start_server(echo.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy = await FaultProxy("127.0.0.1", port).__aenter__()
        async with await RawClient.open("127.0.0.1", proxy.port) as client:
            while not proxy.accepted:  # noqa: ASYNC110 (its task has not begun when this goes on)
                await asyncio.sleep(0)
            await proxy.__aexit__(None, None, None)
            assert proxy.connections == 0
            assert await client.read_end() in ("closed", "reset")


async def test_resets_after_so_many_bytes(proxy: FaultProxy, client: RawClient, echo: Echo) -> None:
    proxy.to_server.reset_after = 10
    await client.send(b"x" * 25)
    assert await client.read_end() == "reset"
    await until(lambda: echo.ended)
    assert len(b"".join(echo.pieces)) <= 10
    assert proxy.to_server.passed == 10


async def test_refuses_new_ones(proxy: FaultProxy, client: RawClient) -> None:
    proxy.refusing = True
    with pytest.raises((ConnectionError, EOFError)):
        async with await RawClient.open("127.0.0.1", proxy.port) as second:
            await second.read(1)
    await client.send(b"still here")
    assert await client.read(10) == b"still here"


@pytest.mark.parametrize(
    ("spill", "arrived"),
    [(0, b"a1;publi"), (2, b"a1;publish"), (99, b"a1;publish3;"), (None, b"a1;publish3;")],
)
async def test_cuts_at_what_passes_for_the_nth_time(
    proxy: FaultProxy, client: RawClient, echo: Echo, spill: int | None, arrived: bytes
) -> None:
    proxy.to_server.cut = Cut(b"publi", nth=2, spill=spill)
    await client.send(b"publish1;")
    assert await client.read(9) == b"publish1;"
    await client.send(b"a1;publish3;")
    assert await client.read_end() == "reset"
    await until(lambda: echo.ended)
    assert b"".join(echo.pieces) == b"publish1;" + arrived
    assert proxy.to_server.cuts == 1


async def test_cuts_once_and_counts_over_connections(proxy: FaultProxy, client: RawClient) -> None:
    proxy.to_client.cut = Cut(b"", nth=2)
    await client.send(b"one")
    assert await client.read(3) == b"one"
    async with await RawClient.open("127.0.0.1", proxy.port) as second:
        await second.send(b"two")
        assert await second.read_end() == "reset"
    await client.send(b"three")
    assert await client.read(5) == b"three"


UPGRADE = b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
STREAM = b"GET /v1/sessions/1/events HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n"
POST = b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\n\r\n{}"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(UPGRADE, "websocket"), (STREAM, "sse"), (POST, "http"), (b"\x81\x85upgrade: websocket", None)],
)
def test_knows_what_is_asked_for(data: bytes, kind: str | None) -> None:
    assert asked(data) == kind


async def test_refuses_some_requests_only(proxy: FaultProxy, client: RawClient) -> None:
    proxy.refused = {"websocket"}
    await client.send(POST)
    assert await client.read(len(POST)) == POST
    await client.send(UPGRADE)
    assert await client.read_end() == "reset"
    assert proxy.accepted == 1


async def test_leaves_some_requests_unanswered(proxy: FaultProxy, client: RawClient, echo: Echo) -> None:
    proxy.unanswered = {"sse"}
    await client.send(STREAM)
    await until(lambda: proxy.to_server.swallowed == len(STREAM))
    await client.send(POST)
    assert await client.read(len(POST)) == POST
    assert b"".join(echo.pieces) == POST


async def test_holds_what_was_on_its_way(proxy: FaultProxy, client: RawClient) -> None:
    await client.send(b"a")
    await client.read(1)
    proxy.to_client.frozen = True
    await client.send(b"held")
    with pytest.raises(TimeoutError):
        await client.read(1, within=0.1)
    proxy.to_client.frozen = False
    assert await client.read(4) == b"held"
