from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from hubbub.client.events import ClientError
from hubbub.client.failures import LostError, UnreachableError
from hubbub.client.http import Http
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[Http]:
    tasks: set[asyncio.Task[object] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(reader, writer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    http = Http(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/below")
    try:
        yield http
    finally:
        http.close()
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
        await asyncio.sleep(0)  # for transports that were cut


def saying(*answers: bytes) -> Handler:
    """A server that answers each request on a connection with the next of these, and ends."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return handler


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_connection_is_used_again() -> None:
    async with running_server() as server:
        http = Http(server.url)
        for _ in range(3):
            answer = await http.request("GET", "/health/live")
            assert answer.status == 200
        assert len(http._idle) == 1
        http.close()


async def test_what_is_sent() -> None:
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readexactly(10))
        writer.write(OK)

    async def body() -> AsyncIterator[bytes]:
        yield b"01234"
        yield b"56789"

    async with answering(handler) as http:
        answer = await http.request("PATCH", "/x?y=1", headers={"A": "b"}, body=body(), length=10)
    assert (answer.status, answer.body) == (200, b"ok")
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "PATCH /below/x?y=1 HTTP/1.1"
    assert lines[1].startswith("Host: 127.0.0.1:")
    assert {"Content-Length: 10", "A: b"} <= set(lines)
    assert seen[1] == b"0123456789"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", b"ok!"),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
async def test_how_answers_end(answer: bytes, body: bytes) -> None:
    async with answering(saying(answer)) as http:
        assert (await http.request("GET", "/")).body == body


async def test_the_answer_to_head_has_no_body() -> None:
    async with answering(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")) as http:
        answer = await http.request("HEAD", "/")
    assert (answer.body, answer.headers["content-length"]) == (b"", "900")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"<html>", b"HTTP/1.1 200 OK\r\nConte"],
)
async def test_what_breaks_off_is_lost(answer: bytes) -> None:
    async with answering(saying(answer)) as http:
        with pytest.raises(LostError):
            await http.request("GET", "/")


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    async with answering(saying(OK)) as http:
        for _ in range(3):
            assert (await http.request("POST", "/")).body == b"ok"
            async with asyncio.timeout(5):
                while http._idle and not http._idle[0].stale:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)


async def test_who_says_nothing_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with answering(silent) as http:
        with pytest.raises(LostError, match=r"no answer in 0\.05 s"):
            await http.request("GET", "/", within=0.05)
        assert not http._busy


async def test_a_cancelled_request_leaves_no_connection() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with answering(silent) as http:
        task = asyncio.create_task(http.request("GET", "/"))
        async with asyncio.timeout(5):
            while not http._busy:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not http._busy
        assert not http._idle


async def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        http = Http(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UnreachableError, match="connection refused") as refused:
            await http.request("GET", "/")
    assert not refused.value.other


async def test_a_refusal_in_the_middle_of_a_body_is_heard() -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        await writer.drain()
        await reader.read()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    async with answering(refusing) as http:
        assert (await http.request("POST", "/", body=body(), length=10_000)).status == 413


@pytest.mark.parametrize("header", ["a\r\nX: y", "a\nb", "\0"])
async def test_nothing_is_smuggled_into_a_head(header: str) -> None:
    async with answering(saying(OK)) as http:
        with pytest.raises(ClientError, match="line break"):
            await http.request("GET", "/", headers={"A": header})
