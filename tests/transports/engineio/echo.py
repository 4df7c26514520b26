"""A Socket.IO side that only repeats what it gets, and a server with it behind Engine.IO."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from hubbub.app import Hubbub
from hubbub.clock import Clock
from hubbub.config import Config, development
from hubbub.protocols.base import Payload
from hubbub.socketio.link import Link
from hubbub.testing.raw import TEXT, Frame, RawClient, Response, masked, request
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.engineio.endpoint import EngineIo

PATH = "/socket.io/?EIO=4&transport="
CLOSED = Frame(8, b"")
"""A close frame without a code."""


class Echo:
    """A `socketio.link.Client`. It is admitted by its first message, and keeps a record of all that it is told."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.admitted = False
        self.messages: list[bytes] = []
        self.ends: list[tuple[str, bool]] = []
        self.marks: list[int] = []
        self.heards: list[int] = []
        self.moves = 0
        self.silent = False

    def send(self, data: bytes, binary: bool = False) -> None:
        self.link.write(self.link.framing((Payload(data if binary else b"4" + data, binary),)))

    def receive(self, data: bytes, binary: bool) -> None:
        self.admitted = True
        self.messages.append(data)
        if not self.silent:
            self.send(data, binary)

    def moved(self) -> None:
        self.moves += 1

    def mark(self) -> int:
        self.marks.append(len(self.marks) + 1)
        return self.marks[-1]

    def heard(self, mark: int) -> None:
        self.heards.append(mark)

    def gone(self, why: str, *, resumable: bool) -> None:
        self.ends.append((why, resumable))


@dataclass
class EchoServer:
    """A running server; `clients` are the Socket.IO sides of all sessions so far, in order of their opening."""

    server: RunningServer
    engine: EngineIo
    clients: list[Echo] = field(default_factory=list)

    async def raw(self, **options: Any) -> RawClient:
        return await RawClient.open(self.server.host, self.server.port, **options)

    async def websocket(self, headers: dict[str, str | None] | None = None) -> RawClient:
        """A client with an open session on WebSocket, its opening packet read."""
        client = await self.raw()
        await client.upgrade(PATH + "websocket", headers)
        await client.read_frame()
        return client

    async def polling(self, headers: dict[str, str] | None = None) -> Poller:
        """A client with an open session by polling, its opening packet read. `headers` go with every request."""
        client = Poller(self, await self.raw(), await self.raw(), headers or {})
        fields = opened((await client.get()).body)
        client.sid = fields["sid"]
        return client

    @property
    def metrics(self) -> Any:
        return self.server.app.metrics


def http(method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    """A request as it is sent."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


@dataclass
class Poller:
    """A client of long-polling with one TCP connection for its GETs and one for its POSTs."""

    echo: EchoServer
    reading: RawClient
    writing: RawClient
    headers: dict[str, str]
    sid: str = ""

    @property
    def target(self) -> str:
        return PATH + "polling" + (f"&sid={self.sid}" if self.sid else "")

    @property
    def client(self) -> Echo:
        """The Socket.IO side of this session."""
        return next(each for each in self.echo.clients if each.link.id == self.sid)

    async def ask(self, headers: dict[str, str] | None = None) -> None:
        """Send a GET and do not wait."""
        await self.reading.send(http("GET", self.target, self.headers | (headers or {})))

    async def get(self, headers: dict[str, str] | None = None) -> Response:
        await self.ask(headers)
        return await self.reading.read_response()

    async def packets(self) -> list[bytes]:
        """The packets of the next answer."""
        response = await self.get()
        assert response.status == 200, response
        return response.body.split(b"\x1e")

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> Response:
        await self.writing.send(http("POST", self.target, self.headers | (headers or {}), body))
        return await self.writing.read_response()

    async def __aenter__(self) -> Poller:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reading.close()
        self.writing.close()


@contextlib.asynccontextmanager
async def echo_server(clock: Clock | None = None, **sections: Any) -> AsyncIterator[EchoServer]:
    """`sections` of the configuration as for `running_server`."""
    app = Hubbub(development(Config(**sections), secrets.token_urlsafe(32)), clock=clock)
    clients: list[Echo] = []

    def accept(link: Link) -> Echo:
        clients.append(Echo(link))
        return clients[-1]

    engine = EngineIo(app.node, accept)
    app.node.upgrades[app.config.socketio.path.encode()] = engine
    app.node.direct[app.config.socketio.path] = engine
    async with running_server(app=app) as server:
        try:
            yield EchoServer(server, engine, clients)
        finally:
            await engine.stop()


async def say(client: RawClient, text: str) -> None:
    await client.send(masked(TEXT, text.encode()))


def opened(frame: Frame | bytes) -> dict[str, Any]:
    """What an opening packet says."""
    packet = frame.payload if isinstance(frame, Frame) else frame
    assert packet[:1] == b"0"
    fields: dict[str, Any] = json.loads(packet[1:])
    return fields


async def refused(echo: EchoServer, path: str, headers: dict[str, str | None] | None = None) -> Response:
    """The answer to an upgrade request that is turned down, after which the server closes."""
    async with await echo.raw() as client:
        await client.send(request(path, headers))
        response = await client.read_response()
        assert await client.read_end() == "closed"
        return response
