"""A small HTTP/1.1 client (RFC 9112) on asyncio: kept connections, streamed bodies both ways, TLS. No redirects, no
cookies, no proxies."""

from __future__ import annotations

import asyncio
import contextlib
import ssl as tls
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

from hubbub.client.events import ClientError
from hubbub.client.failures import LostError, UnreachableError, no_network, nobody_there, why

IDLE = 4.0
"""Seconds for which a connection that nobody uses is trusted to be open still."""
CHUNK = 65_536
CONNECT_WITHIN = 10.0
WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Wire:
    """One connection, and the answer that is being read from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.used = 0.0
        self.begin()

    def begin(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.status = 0
        self.chunks: deque[bytes] = deque()
        self.headed = self.complete = self.began = self.kept = False

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        if self.status >= 200:
            self.headed, self.kept = True, self.parser.should_keep_alive()
        else:
            self.headers = {}

    def on_body(self, body: bytes) -> None:
        self.chunks.append(bytes(body))

    def on_message_complete(self) -> None:
        if self.headed:
            self.complete = True

    async def read(self) -> None:
        """Some more of the answer. Raises LostError if it ends before its time."""
        try:
            data = await self.reader.read(CHUNK)
            if data:
                self.began = True
                self.parser.feed_data(data)
            elif self.headed and not {"content-length", "transfer-encoding"} & self.headers.keys():
                self.complete = True  # RFC 9112, section 6.3: until the connection is closed
            else:
                raise LostError("the connection was closed before the answer was whole")
        except OSError as error:
            raise LostError(why(error)) from error
        except httptools.HttpParserError as error:
            raise LostError(f"the answer is no HTTP: {error}") from error

    @property
    def stale(self) -> bool:
        return (
            time.monotonic() - self.used > IDLE or self.reader.at_eof() or self.writer.transport.is_closing()
        )

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass(slots=True)
class Stream:
    """An answer whose head is there, and whose body comes."""

    status: int
    headers: Mapping[str, str]
    _wire: _Wire = field(repr=False)
    _empty: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises LostError if it breaks off."""
        wire = self._wire
        while not self._empty:
            while wire.chunks:
                yield wire.chunks.popleft()
            if wire.complete:
                return
            await wire.read()

    async def body(self) -> bytes:
        """All of it. Raises LostError."""
        return b"".join([chunk async for chunk in self.chunks()])


class Http:
    """Requests to one server, `url` as `failures.root` gives it. Several may be under way at once."""

    def __init__(self, url: str, ssl: tls.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host = parts.hostname
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._named = parts.netloc.rpartition("@")[2]
        self._path = parts.path.rstrip("/")
        self._ssl = ssl
        self._idle: deque[_Wire] = deque()
        self._busy: set[_Wire] = set()
        self.url = url

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] = b"",
        length: int | None = None,
        within: float | None = WITHIN,
    ) -> Answer:
        """Send a request and read the whole answer. `path` is relative to the server's address; a body that is iterated
        has `length` bytes; `within` is in seconds.

        Raises UnreachableError if no connection could be had, LostError if it broke: the request may have been handled.
        """
        try:
            async with (
                asyncio.timeout(within),
                self.open(method, path, headers=headers, body=body, length=length) as stream,
            ):
                return Answer(stream.status, stream.headers, await stream.body())
        except TimeoutError as error:
            raise LostError(f"no answer in {within:g} s") from error

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] = b"",
        length: int | None = None,
    ) -> AsyncIterator[Stream]:
        """As `request`, but for the body of the answer, which is read within the block."""
        wire = await self._connection()
        self._busy.add(wire)
        done = False
        try:
            head = self._head(method, path, headers or {}, len(body) if isinstance(body, bytes) else length)
            await self._write(wire, head, body)
            while not wire.headed:
                await wire.read()
            stream = Stream(wire.status, wire.headers, wire, _empty=method == "HEAD")
            yield stream
            done = wire.complete and wire.kept and method != "HEAD"
        finally:
            self._busy.discard(wire)
            if done and not wire.writer.transport.is_closing():
                wire.used = time.monotonic()
                self._idle.append(wire)
            else:
                wire.close()

    def close(self) -> None:
        """End all connections, those in use too."""
        for wire in (*self._idle, *self._busy):
            wire.close()
        self._idle.clear()

    def _head(self, method: str, path: str, headers: Mapping[str, str], length: int | None) -> bytes:
        lines = [f"{method} {self._path}{path} HTTP/1.1", f"Host: {self._named}"]
        if length or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {length or 0}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if any("\r" in line or "\n" in line or "\0" in line for line in lines):
            raise ClientError("a line break in a header or path")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _write(self, wire: _Wire, head: bytes, body: bytes | AsyncIterable[bytes]) -> None:
        writer = wire.writer
        try:
            if isinstance(body, bytes):
                writer.write(head + body)
                await writer.drain()
                return
            writer.write(head)
            async for chunk in body:
                writer.write(chunk)
                await writer.drain()
                if writer.transport.is_closing():
                    break
        except OSError as error:
            # The server may have refused before all was sent: its answer says why.
            if wire.reader.at_eof() and not wire.began:
                raise LostError(why(error)) from error

    async def _connection(self) -> _Wire:
        while self._idle:
            wire = self._idle.pop()
            if not wire.stale:
                wire.begin()
                return wire
            wire.close()
        context: tls.SSLContext | None = None
        if self._secure:
            context = self._ssl = self._ssl or await asyncio.to_thread(tls.create_default_context)
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=context, server_hostname=self._host if context else None
                )
        except (OSError, TimeoutError) as error:
            raise UnreachableError(
                f"cannot connect to {self.url}: {why(error)}",
                True,
                other=not nobody_there(error),
                offline=no_network(error),
            ) from error
        return _Wire(reader, writer)
