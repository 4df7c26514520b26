"""A client made of one TCP socket: it sends the bytes it is told to, and reads only when asked.

With it a test can break every rule of HTTP and RFC 6455, stop reading, or vanish:

    client = await RawClient.open("127.0.0.1", port)
    await client.upgrade()
    await client.send(masked(TEXT, b"{"))
    assert (await client.read_close()).code == 3500
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
WITHIN = 5.0
"""Seconds after which waiting for the server raises TimeoutError, unless told otherwise."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def masked(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = b"\x37\xfa\x21\x3d"
) -> bytes:
    """A client's frame (RFC 6455, section 5.2), right or wrong as asked; `rsv`: its three reserved bits."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    key = mask * (size // 4) + mask[: size % 4]
    body = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")
    return head + mask + body.to_bytes(size, "little")


class Frame(NamedTuple):
    """A frame of the server; `rsv` is the three reserved bits as a number."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0

    @property
    def code(self) -> int:
        """The code of a close frame, 1005 if it has none."""
        return int.from_bytes(self.payload[:2], "big") or 1005

    @property
    def reason(self) -> str:
        """The reason in a close frame."""
        return self.payload[2:].decode()


@dataclass(frozen=True, slots=True)
class Response:
    """A head of HTTP and the body after it. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


def request(
    path: str = "/v1/ws",
    headers: Mapping[str, str | None] | None = None,
    *,
    method: str = "GET",
    version: str = "1.1",
) -> bytes:
    """The head of an upgrade request as a browser sends it. `headers` replace single ones, or with None remove them."""
    values: dict[str, str | None] = {
        "host": "localhost",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY,
    }
    values |= {name.lower(): value for name, value in (headers or {}).items()}
    lines = [f"{method} {path} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in values.items() if value is not None]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


class RawClient:
    """One TCP connection. Everything that waits raises TimeoutError after `within` seconds, and EOFError or
    ConnectionError when the server ends the connection instead."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._loop = asyncio.get_running_loop()
        self._read = b""

    @classmethod
    async def open(
        cls, host: str, port: int, *, receive_buffer: int | None = None, source: str | None = None
    ) -> RawClient:
        """Connect; with `receive_buffer` the kernel holds about so many unread bytes (a slow reader shows sooner), and
        with `source` the connection comes from that address of this machine."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source is not None:
                sock.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def __aenter__(self) -> RawClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- out ----------------------------------------------------------------------------------------------

    async def send(self, data: bytes, *, within: float = WITHIN) -> None:
        """Send `data` as it is."""
        async with asyncio.timeout(within):
            await self._loop.sock_sendall(self.socket, data)

    async def send_slowly(self, pieces: Iterable[bytes], pause: float = 0.0) -> None:
        """Send each piece in a segment of its own."""
        for piece in pieces:
            await self.send(piece)
            await asyncio.sleep(pause)

    async def send_text(self, text: str) -> None:
        await self.send(masked(TEXT, text.encode()))

    async def send_json(self, *values: Any) -> None:
        """Send each value in a text frame, all in one segment."""
        await self.send(b"".join(masked(TEXT, json.dumps(value).encode()) for value in values))

    # --- in -----------------------------------------------------------------------------------------------

    async def _fill(self, size: int = 65_536) -> None:
        data = await self._loop.sock_recv(self.socket, size)
        if not data:
            raise EOFError("the server has closed the connection")
        self._read += data

    async def take_in(self, size: int, *, within: float = WITHIN) -> None:
        """Take at most `size` bytes from the kernel and keep them for later: a slow reader in slow motion."""
        async with asyncio.timeout(within):
            await self._fill(size)

    async def read(self, size: int, *, within: float = WITHIN) -> bytes:
        """The next `size` bytes."""
        async with asyncio.timeout(within):
            while len(self._read) < size:
                await self._fill()
        data, self._read = self._read[:size], self._read[size:]
        return data

    async def read_some(self, size: int = 65_536, *, within: float = WITHIN) -> bytes:
        """At most `size` bytes, b"" at the end of the stream."""
        if self._read:
            data, self._read = self._read[:size], self._read[size:]
            return data
        async with asyncio.timeout(within):
            return await self._loop.sock_recv(self.socket, size)

    async def read_response(self, *, within: float = WITHIN) -> Response:
        """A response of HTTP: the body by its Content-Length; none after a 101."""
        async with asyncio.timeout(within):
            while b"\r\n\r\n" not in self._read:
                await self._fill()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        status = int(first.split(" ")[1])
        size = 0 if status == 101 else int(headers.get("content-length", "0"))
        return Response(status, headers, await self.read(size, within=within))

    async def read_frame(self, *, within: float = WITHIN) -> Frame:
        """The next frame."""
        first, size = await self.read(2, within=within)
        if size & 0x80:
            raise AssertionError("a server's frame is not masked")
        if size > 125:
            size = int.from_bytes(await self.read(2 if size == 126 else 8, within=within), "big")
        payload = await self.read(size, within=within)
        return Frame(first & 0x0F, payload, bool(first & 0x80), first >> 4 & 7)

    async def read_json(self, *, within: float = WITHIN) -> Any:
        """The value in the next text frame; pings before it are passed over."""
        while (frame := await self.read_frame(within=within)).opcode == PING:
            pass
        if frame.opcode != TEXT:
            raise AssertionError(f"expected a text frame, got {frame}")
        return json.loads(frame.payload)

    async def read_close(self, *, within: float = WITHIN) -> Frame:
        """The close frame; what comes before it is passed over."""
        async with asyncio.timeout(within):
            while (frame := await self.read_frame(within=within)).opcode != CLOSE:
                pass
        return frame

    async def read_end(self, *, within: float = WITHIN) -> str:
        """Read until the server ends the connection: "closed" or "reset"."""
        try:
            while await self.read_some(within=within):
                pass
        except ConnectionError:
            return "reset"
        return "closed"

    # --- WebSocket ----------------------------------------------------------------------------------------

    async def upgrade(
        self, path: str = "/v1/ws", headers: Mapping[str, str | None] | None = None
    ) -> Response:
        """Ask for a WebSocket; `headers` as for `request`. Raises AssertionError if it is refused."""
        await self.send(request(path, headers))
        response = await self.read_response()
        if response.status != 101:
            raise AssertionError(f"not upgraded: {response}")
        return response

    async def connect(self, token: str, *subscriptions: str) -> dict[str, Any]:
        """Upgrade, send `connect` and a `subscribe` for each channel; returns the `connected` reply."""
        await self.upgrade()
        return await self.authenticate(token, *subscriptions)

    async def authenticate(self, token: str, *subscriptions: str) -> dict[str, Any]:
        """Send `connect` and a `subscribe` for each channel over an open WebSocket; returns the `connected` reply."""
        commands = [
            {"type": "subscribe", "id": at + 2, "channel": name} for at, name in enumerate(subscriptions)
        ]
        await self.send_json({"type": "connect", "id": 1, "token": token}, *commands)
        connected: dict[str, Any] = await self.read_json()
        if connected.get("type") != "connected":
            raise AssertionError(f"not connected: {connected}")
        for _ in subscriptions:
            while (reply := await self.read_json()).get("type") in ("join", "leave", "publication"):
                pass
            if reply.get("type") != "subscribed":
                raise AssertionError(f"not subscribed: {reply}")
        return connected

    # --- the end ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the socket (a FIN, or a RST if bytes were left unread)."""
        self.socket.close()

    def half_close(self) -> None:
        """Send a FIN and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Vanish with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def new_key() -> str:
    """A random Sec-WebSocket-Key."""
    return base64.b64encode(os.urandom(16)).decode()


def client_hello(name: str = "localhost") -> bytes:
    """What a client of TLS sends first."""
    context = ssl.create_default_context()
    outgoing = ssl.MemoryBIO()
    link = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        link.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")
