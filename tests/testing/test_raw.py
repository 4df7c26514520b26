"""The client for tests against servers that are not ours, so that the two cannot agree on the same mistake."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection, serve

from hubbub.testing.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    RawClient,
    client_hello,
    masked,
    request,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """An echo of the websockets library."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=None, close_timeout=0.2) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 65_535, 65_536, 200_001])
async def test_frames_go_there_and_back(port: int, size: int) -> None:
    payload = bytes(at % 251 for at in range(size))
    async with await RawClient.open("127.0.0.1", port) as client:
        await client.upgrade("/")
        await client.send(masked(BINARY, payload, mask=b"\x00\xff\x10\x01"))
        assert await client.read_frame() == Frame(BINARY, payload)


async def test_json_passes_over_pings(port: int) -> None:
    async with await RawClient.open("127.0.0.1", port) as client:
        await client.upgrade("/")
        await client.send(masked(TEXT, b'{"a":', fin=False) + masked(CONTINUATION, b"1}"))
        assert await client.read_json() == {"a": 1}
        await client.send(masked(PING, b"x"))
        assert await client.read_frame() == Frame(PONG, b"x")


async def test_closes_are_read(port: int) -> None:
    async with await RawClient.open("127.0.0.1", port) as client:
        await client.upgrade("/")
        await client.send_text("passed over")
        await client.send(masked(CLOSE, b"\x0f\xa1why"))
        close = await client.read_close()
        assert (close.opcode, close.code, close.reason) == (CLOSE, 4001, "why")
        assert await client.read_end() == "closed"
        with pytest.raises(EOFError):
            await client.read_frame()


async def test_a_refusal_has_a_body(port: int) -> None:
    async with await RawClient.open("127.0.0.1", port) as client:
        await client.send(request("/", {"upgrade": None}))
        response = await client.read_response()
        assert response.status == 426
        assert len(response.body) == int(response.headers["content-length"]) > 0
    async with await RawClient.open("127.0.0.1", port) as client:
        with pytest.raises(AssertionError, match="not upgraded"):
            await client.upgrade("/", {"sec-websocket-version": "12"})


async def test_nothing_is_read_before_it_is_asked_for(port: int) -> None:
    async with await RawClient.open("127.0.0.1", port, receive_buffer=4096) as client:
        await client.upgrade("/")
        with pytest.raises(TimeoutError):
            await client.send(masked(BINARY, b"x" * 500_000) * 100, within=0.3)


async def test_ways_to_leave() -> None:
    ends: list[BaseException | bytes] = []
    ended = asyncio.Event()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ends.append(await reader.read())
        except ConnectionError as error:
            ends.append(error)
        writer.transport.abort()
        ended.set()

    async with await asyncio.start_server(serve_one, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for leave in (RawClient.close, RawClient.half_close, RawClient.reset):
            ended.clear()
            client = await RawClient.open("127.0.0.1", port, source="127.0.0.9")
            await client.send_slowly([b"a", b"b"])
            leave(client)
            await ended.wait()
            client.close()
    assert ends[:2] == [b"ab", b"ab"]
    assert isinstance(ends[2], ConnectionResetError)


def test_client_hello_is_one() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(client_hello())
    with pytest.raises(ssl.SSLError, match=r"NO_SHARED_CIPHER|no shared cipher"):
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
