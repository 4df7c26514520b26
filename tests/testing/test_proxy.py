from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.waiting import until

from hubbub.testing.proxy import FaultProxy
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
