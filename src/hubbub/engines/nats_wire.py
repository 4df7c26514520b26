"""NATS' protocol for clients, as one connection speaks it: https://docs.nats.io/reference/reference-protocols/nats-protocol.

What is written in one turn of the loop leaves in one write.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import msgspec

LINE = b"\r\n"
LONGEST = 64 * 1024
"""Bytes of a line of the server's."""
HEADERS = b"NATS/1.0\r\n"

Heard = Callable[[int, bytes, bytes, bytes, bytes], object]


class Info(msgspec.Struct, frozen=True):
    """What a server says of itself first."""

    server_id: str = ""
    version: str = ""
    max_payload: int = 1024 * 1024
    headers: bool = False
    jetstream: bool = False
    auth_required: bool = False
    tls_required: bool = False
    nonce: str = ""


class NatsError(Exception):
    """What a server said before it closed the connection, or that what it said is none of the protocol."""


class Wire(asyncio.Protocol):
    """`heard` is called with a subscription's number, subject, reply subject, headers and body; `lost` once, at the
    end, with what ended it: a TimeoutError if the server did not confirm something within `timeout` seconds."""

    def __init__(self, heard: Heard, lost: Callable[[Exception], object], timeout: float) -> None:
        self.info: asyncio.Future[Info] = asyncio.get_running_loop().create_future()
        self._heard = heard
        self._lost = lost
        self._timeout = timeout
        self._buffer = bytearray()
        self._message: tuple[int, bytes, bytes, int, int] | None = None  # whose head has come
        self._pongs: deque[asyncio.Future[None]] = deque()
        self._pending: list[bytes] = []
        self._confirmed: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None

    # --- asyncio.Protocol ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not derive from it

    def connection_lost(self, error: Exception | None) -> None:
        error = self._error or error or ConnectionError("NATS has closed the connection")
        self._transport = None
        waiting: list[asyncio.Future[Any]] = [self.info, *self._pongs]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody may be waiting
        self._pongs.clear()
        self._lost(error)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            self._parse()
        except (ValueError, IndexError, NatsError, msgspec.DecodeError) as error:
            self._error = error if isinstance(error, NatsError) else NatsError("that is not NATS' protocol")
            self.abort()

    # --- speaking -----------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        return self._transport is not None

    @property
    def transport(self) -> asyncio.Transport | None:
        return self._transport

    def rewire(self, transport: asyncio.Transport) -> None:
        """Go on over TLS."""
        self._transport = transport

    def write(self, *parts: bytes) -> None:
        """Send it with what else is written now. Does nothing on a connection that has ended."""
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.extend(parts)

    def publish(self, subject: str, body: bytes, reply: str = "", headers: bytes = b"") -> None:
        """`headers` are lines as `header` makes them."""
        if headers:
            head = HEADERS + headers + LINE
            self.write(
                f"HPUB {subject} {reply} {len(head)} {len(head) + len(body)}\r\n".encode(), head, body, LINE
            )
        else:
            self.write(f"PUB {subject} {reply} {len(body)}\r\n".encode(), body, LINE)

    def subscribe(self, subject: str, number: int) -> None:
        self.write(f"SUB {subject} {number}\r\n".encode())

    def unsubscribe(self, number: int) -> None:
        self.write(f"UNSUB {number}\r\n".encode())

    def confirm(self) -> asyncio.Future[None]:
        """Done when the server has done all that was written until now, and what it had to say of it was heard; it
        raises what ended the connection. One future for all who ask in one turn of the loop."""
        if self._confirmed is None:
            self._confirmed = asyncio.get_running_loop().create_future()
            self.write(b"")
        return self._confirmed

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        confirmed, self._confirmed = self._confirmed, None
        if confirmed is not None:
            pending.append(b"PING\r\n")
            self._pongs.append(confirmed)
            timer = asyncio.get_running_loop().call_later(self._timeout, self._expire)
            confirmed.add_done_callback(lambda _: timer.cancel())
        if self._transport is not None:
            self._transport.write(b"".join(pending))
        elif confirmed is not None and not confirmed.done():
            confirmed.set_exception(ConnectionError("NATS has closed the connection"))
            confirmed.exception()

    def _expire(self) -> None:
        self._error = TimeoutError("NATS does not answer")
        self.abort()

    # --- hearing ------------------------------------------------------------------------------------------

    def _parse(self) -> None:
        buffer, at = self._buffer, 0
        try:
            while True:
                if self._message is not None:
                    number, subject, reply, headers, size = self._message
                    end = at + size
                    if len(buffer) < end + 2:
                        return
                    head = bytes(buffer[at : at + headers])
                    body = bytes(buffer[at + headers : end])
                    at = end + 2
                    self._message = None
                    self._heard(number, subject, reply, head, body)
                    continue
                end = buffer.find(LINE, at)
                if end < 0:
                    if len(buffer) - at > LONGEST:
                        raise NatsError("an endless line")
                    return
                line = bytes(buffer[at:end])
                at = end + 2
                self._read(line)
        finally:
            del buffer[:at]

    def _read(self, line: bytes) -> None:
        operation, _, rest = line.partition(b" ")
        operation = operation.upper()
        if operation == b"MSG":
            fields = rest.split()
            reply = fields[2] if len(fields) == 4 else b""
            self._message = int(fields[1]), fields[0], reply, 0, int(fields[-1])
        elif operation == b"HMSG":
            fields = rest.split()
            reply = fields[2] if len(fields) == 5 else b""
            self._message = int(fields[1]), fields[0], reply, int(fields[-2]), int(fields[-1])
        elif operation == b"PING":
            self.write(b"PONG\r\n")
        elif operation == b"PONG":
            if self._pongs and not (future := self._pongs.popleft()).done():
                future.set_result(None)
        elif operation == b"INFO":
            info = msgspec.json.decode(rest, type=Info)
            if not self.info.done():
                self.info.set_result(info)
        elif operation == b"-ERR":
            self._error = NatsError(rest.strip(b"' ").decode("utf-8", "replace"))
        elif operation != b"+OK":
            raise NatsError("that is not NATS' protocol")


def header(name: str, value: str | int) -> bytes:
    return f"{name}: {value}\r\n".encode()


def headers_of(raw: bytes) -> dict[bytes, bytes]:
    """The lines of a message's headers; under b"" the status (as b"503"), if there is one."""
    lines = raw.split(LINE)
    found = {b"": lines[0][8:].strip()[:3]} if len(lines[0]) > 8 else {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name:
            found[name] = value.strip()
    return found
