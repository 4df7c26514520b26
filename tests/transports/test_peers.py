from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from hubbub.cluster.passes import Origin
from hubbub.testing.clock import FakeClock
from hubbub.transports.peers import IDLE, Head, Peers, end_to_end, of_scope, request_head

pytestmark = pytest.mark.anyio

HEAD = request_head("GET", b"/x", [(b"host", b"h")], None)


class Other:
    """What stands at the other end: answers each request with the next of `answers`; None closes the connection."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.address = ""
        self.ends = False  # after one answer
        self.silent: asyncio.Event | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                if self.silent is not None:
                    self.silent.set()
                    await reader.read()
                answer = self.answers.pop(0) if self.answers else None
                if answer is not None:
                    writer.write(answer)
                if answer is None or self.ends:
                    break
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def served(self) -> None:
        await asyncio.wait_for(asyncio.gather(*self._serving), 10)


@pytest.fixture
async def other(peers: Peers) -> AsyncIterator[Other]:
    other = Other()
    server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    other.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield other
    peers.stop()
    server.close()
    await other.served()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def peers(clock: FakeClock) -> AsyncIterator[Peers]:
    peers = Peers(clock, 2.0)
    yield peers
    peers.stop()


async def ask(peers: Peers, other: Other, method: str = "GET") -> tuple[Head, bytes]:
    link = await peers.link(other.address)
    again = False
    try:
        head = await link.ask(method, HEAD, b"")
        body = b"".join([piece async for piece in link.body(head)])
        again = head.kept
    finally:
        peers.release(other.address, link, again=again)
    return head, body


@pytest.mark.parametrize(
    ("answer", "status", "body", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", 200, b"abc", False),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            200,
            b"abc0123456789",
            True,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 1\r\n\r\nx", 410, b"x", True),
    ],
)
async def test_answers(
    peers: Peers, other: Other, answer: bytes, status: int, body: bytes, kept: bool
) -> None:
    other.answers = [answer]
    head, got = await ask(peers, other)
    assert (head.status, got, head.kept) == (status, body, kept)


async def test_an_answer_to_head_has_no_body(peers: Peers, other: Other) -> None:
    other.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"]
    head, body = await ask(peers, other, "HEAD")
    assert (head.status, body) == (200, b"")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_whole_answer_is_an_error(peers: Peers, other: Other, answer: bytes | None) -> None:
    other.answers, other.ends = [answer], True
    with pytest.raises(ConnectionError):
        await ask(peers, other)
    assert not any(peers._idle.values())


async def test_a_connection_is_used_again_but_not_for_ever(
    clock: FakeClock, peers: Peers, other: Other
) -> None:
    other.answers = [b"HTTP/1.1 204 No Content\r\n\r\n"] * 3
    await ask(peers, other)
    await ask(peers, other)
    assert other.connections == 1
    clock.advance(IDLE + 1)
    await ask(peers, other)
    assert other.connections == 2


async def test_who_waits_for_a_node_that_is_gone_is_let_go(peers: Peers, other: Other) -> None:
    other.silent = asyncio.Event()
    waiting = asyncio.create_task(ask(peers, other))
    await other.silent.wait()
    peers.cut(other.address)
    with pytest.raises(OSError):
        await waiting


async def test_nobody_there(peers: Peers) -> None:
    with pytest.raises(OSError):
        await peers.link("127.0.0.1:1")


@pytest.mark.parametrize(
    ("change", "target"),
    [
        (lambda scope: None, b"/a%20b/c?d=e%20f"),
        (lambda scope: scope.pop("raw_path"), b"/a%20b/c?d=e%20f"),
        (lambda scope: scope.update(query_string=b""), b"/a%20b/c"),
    ],
)
def test_a_request_by_asgi(change: Callable[[dict[str, object]], object], target: bytes) -> None:
    scope: dict[str, object] = {
        "method": "GET",
        "path": "/a b/c",
        "raw_path": b"/a%20b/c",
        "query_string": b"d=e%20f",
        "headers": [],
        "client": ("192.0.2.1", 5),
        "scheme": "https",
    }
    change(scope)
    assert of_scope(scope) == ("GET", target, [], Origin("192.0.2.1", "https"))


def test_what_is_about_one_connection_is_not_handed_on() -> None:
    headers = [
        (b"Host", b"h"),
        (b"Connection", b"close"),
        (b"Vary", b"x"),
        (b"Transfer-Encoding", b"chunked"),
    ]
    assert end_to_end(headers) == [(b"host", b"h"), (b"vary", b"x")]
    assert end_to_end(headers, [b"vary"]) == [(b"host", b"h")]
