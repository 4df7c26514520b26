"""HTTP/1.1 to another node, as its client: a request at a time on a connection, and the answer as it comes.

The other side is a Hubbub of our own, and nothing else is expected of what it says (RFC 9112).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar, cast
from urllib.parse import quote
from weakref import WeakSet

from hubbub.clock import Clock
from hubbub.cluster.passes import Origin
from hubbub.transports.http import Scope

HEAD_BYTES = 65_536
CHUNK = 65_536
IDLE = 10.0
"""Seconds after which a connection is not used again: much less than after which the other node closes it."""
KEPT = 64
"""Connections to one node that wait to be used again."""

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"content-length",
        b"date",
        b"expect",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Headers that are about one connection, and those that each sender makes anew (RFC 9110, section 7.6.1)."""

Headers = Iterable[tuple[bytes, bytes]]
P = TypeVar("P", bound=asyncio.BaseProtocol)


class BrokenAnswerError(ConnectionError):
    """What came is no answer, or ended in its midst."""


class Incoming(NamedTuple):
    """A request that is to be handed on: `target` is its path and query as they came."""

    method: str
    target: bytes
    headers: Headers
    origin: Origin


def of_scope(scope: Scope) -> Incoming:
    """A request as ASGI has it."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    if query := scope.get("query_string"):
        path = b"%b?%b" % (path, query)
    client = scope.get("client") or ("",)
    return Incoming(scope["method"], path, scope["headers"], Origin(client[0], scope.get("scheme", "http")))


class Head(NamedTuple):
    """The begin of an answer. `length` is that of its body, None if that is known by its end only."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    length: int | None
    chunked: bool
    kept: bool

    def header(self, name: bytes) -> bytes | None:
        return next((value for each, value in self.headers if each == name), None)


def request_head(method: str, target: bytes, headers: Headers, length: int | None) -> bytes:
    """A request's head. `length` of its body is told unless there is none."""
    lines = [b"%b %b HTTP/1.1" % (method.encode("latin-1"), target)]
    lines += [b"%b: %b" % (name, value) for name, value in headers]
    if length is not None:
        lines.append(b"content-length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Link:
    """One connection to a node."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.fresh = True
        """Whether nothing was asked on it before."""
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, method: str, head: bytes, body: bytes) -> Head:
        """Send a request; the head of its answer. Raises ConnectionError."""
        self._writer.write(head + body)
        await self._writer.drain()
        while (found := _parse(method, await self._line_by_line())).status < 200:
            pass  # 100 Continue
        return found

    async def _line_by_line(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BrokenAnswerError("no head") from error

    async def body(self, head: Head) -> AsyncIterator[bytes]:
        """The pieces of the body as they come. Raises ConnectionError."""
        try:
            if head.chunked:
                while size := int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                    async for piece in self._pieces(size):
                        yield piece
                    await self._reader.readexactly(2)
                await self._reader.readuntil(b"\r\n")
            elif head.length is not None:
                async for piece in self._pieces(head.length):
                    yield piece
            else:
                while piece := await self._reader.read(CHUNK):
                    yield piece
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise BrokenAnswerError("a part of the body is missing") from error

    async def _pieces(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._reader.read(min(size, CHUNK))
            if not piece:
                raise BrokenAnswerError("a part of the body is missing")
            size -= len(piece)
            yield piece

    def abort(self) -> None:
        self._writer.transport.abort()


class Peers:
    """Connections to other nodes, by their addresses (`host:port`)."""

    def __init__(self, clock: Clock, patience: float) -> None:
        """`patience`: seconds in which a node must take a connection."""
        self._clock = clock
        self._patience = patience
        self._stopped = False
        self._idle: dict[str, list[Link]] = {}
        self._used: dict[str, set[Link]] = {}
        self._sockets: dict[str, WeakSet[asyncio.BaseTransport]] = {}

    async def link(self, address: str, *, fresh: bool = False) -> Link:
        """A connection, to be given back by `release`. Raises OSError and TimeoutError."""
        if self._stopped:
            raise ConnectionAbortedError("this node ends")
        idle = self._idle.get(address, [])
        link = None
        while idle and link is None and not fresh:
            link = idle.pop()
            if not link.usable or self._clock.monotonic() - link.idle_since > IDLE:
                link.abort()
                link = None
        if link is None:
            async with asyncio.timeout(self._patience):
                streams = await asyncio.open_connection(*_place(address), limit=HEAD_BYTES)
            link = Link(*streams)
            if self._stopped:
                link.abort()
                raise ConnectionAbortedError("this node ends")
        self._used.setdefault(address, set()).add(link)
        return link

    def release(self, address: str, link: Link, *, again: bool) -> None:
        """`again`: it may be used again, as its answer was whole."""
        self._used.get(address, set()).discard(link)
        idle = self._idle.setdefault(address, [])
        if again and not self._stopped and link.usable and len(idle) < KEPT:
            link.fresh = False
            link.idle_since = self._clock.monotonic()
            idle.append(link)
        else:
            link.abort()

    async def socket(self, address: str, make: Callable[[], P]) -> P:
        """A connection of one's own. Raises OSError and TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._patience):
            transport, protocol = await loop.create_connection(make, *_place(address))
        self._sockets.setdefault(address, WeakSet()).add(transport)
        return protocol

    def cut(self, address: str) -> None:
        """The node there is gone: nobody waits for it any more."""
        for transport in self._sockets.pop(address, ()):
            cast(asyncio.Transport, transport).abort()  # uvloop's do not derive from it
        for link in (*self._used.pop(address, ()), *self._idle.pop(address, ())):
            link.abort()

    def start(self) -> None:
        """Again after a stop."""
        self._stopped = False

    def stop(self) -> None:
        """What is under way ends, and nothing begins."""
        self._stopped = True
        for address in {*self._used, *self._idle, *self._sockets}:
            self.cut(address)


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _parse(method: str, data: bytes) -> Head:
    try:
        line, *rest = data[:-4].split(b"\r\n")
        version, status, *_ = line.split(b" ")
        pairs = [each.split(b":", 1) for each in rest]
        headers = tuple((name.lower(), value.strip(b" \t")) for name, value in pairs)
        given = dict(headers)
        code = int(status)
        length = given.get(b"content-length")
        size = int(length) if length is not None else None
    except ValueError as error:
        raise BrokenAnswerError("not an answer") from error
    if method == "HEAD" or code in (204, 304) or code < 200:
        size = 0
    chunked = given.get(b"transfer-encoding", b"").lower() == b"chunked" and size is None
    kept = version == b"HTTP/1.1" and given.get(b"connection", b"").lower() != b"close"
    return Head(code, headers, size, chunked, kept and (chunked or size is not None))


def end_to_end(headers: Headers, without: Sequence[bytes] = ()) -> list[tuple[bytes, bytes]]:
    """Those that are handed on, in lower case."""
    return [
        (name, value)
        for name, value in ((name.lower(), value) for name, value in headers)
        if name not in HOP_BY_HOP and not name.startswith(tuple(without))
    ]
