"""The listening side: one port, HTTP by uvicorn, WebSockets by us; limits and deadlines before both."""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httptools
import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import DRAIN, ErrorCode
from hubbub.model import Advice
from hubbub.protocols.base import Framing
from hubbub.transports import framing as wire
from hubbub.transports.deflate import negotiate
from hubbub.transports.frames import FrameParser
from hubbub.transports.handshake import HandshakeError, accept_key, check_upgrade
from hubbub.transports.node import Node
from hubbub.transports.websocket import WebSocketConnection, tune

log = structlog.get_logger("hubbub.server")

WEBSOCKET_PATH = b"/v1/ws"


class HttpConnection(HttpToolsProtocol):
    """uvicorn's HTTP, with what it lacks: admission, a deadline for each request's head, limits of its size, and an
    upgrade that hands the socket over without reading the request a second time."""

    node: Node  # set on the subclass that `Listener` makes

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._admitted: str | None = None
        self._head_bytes = 0
        self._in_head = True
        self._deadline: float | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        node = self.node
        tune(transport, node.config.limits.write_timeout)
        if node.admission.enter(address):
            self._admitted = address
        elif node.admission.total >= node.admission.capacity + node.config.limits.reserved_descriptors // 2:
            transport.abort()
            return
        # Above the limit the request is read all the same, so that health and metrics are answered.
        self._deadline = node.clock.monotonic() + node.config.limits.handshake_timeout
        node.wheel.add(self, self._deadline)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._deadline = None
        if self._admitted is not None:
            self.node.admission.leave(self._admitted)
            self._admitted = None

    def beat(self, now: float) -> float | None:
        """The wheel's question: is a request's head overdue?"""
        if self._deadline is None:
            return None
        if now < self._deadline:
            return self._deadline
        self.node.metrics.rejected["handshake_timeout"] += 1
        self._deadline = None
        if self._head_bytes:
            self.refuse(408, "the request's head took longer than limits.handshake_timeout")
        else:
            self.transport.abort()
        return None

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.node.config.limits.header_bytes and self._head_too_large(data):
                return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._refused:
                return
            if self._should_upgrade():
                self._upgrade(data[upgrade.args[0] :] if upgrade.args else b"")
            else:
                self.refuse(400, "unsupported upgrade")
        except httptools.HttpParserError:
            if not self._refused:
                self.refuse(400, "invalid HTTP request")

    def _head_too_large(self, data: bytes) -> bool:
        # A body may follow the head in the same read: what counts is where the head ends.
        end = data.find(b"\r\n\r\n")
        limit = self.node.config.limits.header_bytes
        if end >= 0 and self._head_bytes - len(data) + end <= limit:
            return False
        self.node.metrics.rejected["header_bytes"] += 1
        self.refuse(431, f"the request's head is larger than limits.header_bytes = {limit}")
        return True

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        if self._deadline is None:
            self._deadline = self.node.clock.monotonic() + self.node.config.limits.handshake_timeout
            self.node.wheel.add(self, self._deadline)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > self.node.config.limits.headers and not self._refused:
            self.node.metrics.rejected["headers"] += 1
            self.refuse(431, f"more than limits.headers = {self.node.config.limits.headers} headers")

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        self._in_head = False
        self._head_bytes = 0
        self._deadline = None
        self.scope["client"] = self.client
        if self.client is not None:
            address, scheme = self.node.proxies.client(self.client[0], self.scheme or "http", self.headers)
            self.scope["client"] = (address, self.client[1])
            self.scope["scheme"] = "https" if scheme == "https" else "http"
        if self._admitted is None and not _operational(self.url):
            self.refuse(503, "connection limit reached", ((b"Retry-After", b"5"),))
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()

    def refuse(self, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Answer with a plain sentence and close."""
        self._refused = True
        self._deadline = None
        if self.transport.is_closing():
            return
        self.node.metrics.http_requests[f"{status // 100}xx"] += 1
        body = message.encode() + b"\n"
        lines = [
            b"HTTP/1.1 %d %s" % (status, http.HTTPStatus(status).phrase.encode()),
            b"Content-Type: text/plain; charset=utf-8",
            b"Content-Length: %d" % len(body),
            b"Connection: close",
            *(name + b": " + value for name, value in headers),
        ]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.transport.close()

    # --- WebSocket ----------------------------------------------------------------------------------------

    def _upgrade(self, rest: bytes) -> None:
        """Judge the handshake and hand the socket over; `rest` is what the client sent behind its request."""
        node, config = self.node, self.node.config
        path = httptools.parse_url(self.url).path
        headers = dict(self.headers)
        origin = headers[b"origin"].decode("latin-1") if b"origin" in headers else None
        host = headers.get(b"host", b"").decode("latin-1") or None
        address, scheme = self.client[0] if self.client else "", str(self.scheme or "http")
        address, scheme = node.proxies.client(address, scheme, self.headers)
        try:
            if path != WEBSOCKET_PATH:
                raise HandshakeError(404, f"WebSockets are at {WEBSOCKET_PATH.decode()}")
            if (
                self._admitted is None
                or len(node.hub.sessions) - len(node.hub.detached) + (config.limits.unauthenticated)
                <= node.metrics.connections_total()
            ):
                node.metrics.rejected["unauthenticated"] += 1
                raise HandshakeError(503, "too many connections", [(b"Retry-After", b"1")])
            if node.hub.draining:
                raise HandshakeError(503, "the server is shutting down", [(b"Retry-After", b"1")])
            origins = [value for name, value in self.headers if name == b"origin"]
            if len(origins) > 1 or not node.origins.permits(origin, scheme, host):
                node.metrics.errors[int(ErrorCode.ORIGIN_REFUSED)] += 1
                raise HandshakeError(403, "origin not allowed; see server.allowed_origins")
            upgrade = check_upgrade(
                self.scope["method"], self.scope["http_version"], self.headers, list(node.by_subprotocol)
            )
        except HandshakeError as error:
            self.refuse(error.status, error.message, tuple(error.headers))
            return
        entry = (
            node.by_subprotocol[upgrade.subprotocol] if upgrade.subprotocol else node.protocols["native-json"]
        )
        lines = [
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + accept_key(upgrade.key),
        ]
        if upgrade.subprotocol:
            lines.append(b"Sec-WebSocket-Protocol: " + upgrade.subprotocol.encode())
        framing: Framing = wire.websocket
        inflater = None
        if config.compression.enabled and upgrade.extensions:
            agreed = negotiate(upgrade.extensions, config.compression.level)
            if agreed is not None:
                lines.append(b"Sec-WebSocket-Extensions: " + agreed[0].encode())
                inflater = agreed[1]
                framing = wire.WebSocketDeflate(config.compression.minimum, agreed[1])
        info = ConnectionInfo(
            address=address,
            transport="websocket",
            protocol=entry.name,
            origin=origin,
            user_agent=sys.intern(headers.get(b"user-agent", b"").decode("latin-1")[:256]),
            headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in self.headers),
        )
        assert self._admitted is not None
        admitted, self._admitted = self._admitted, None
        self._deadline = None
        self.connections.discard(self)
        transport = self.transport
        transport.write(b"\r\n".join(lines) + b"\r\n\r\n")
        connection = WebSocketConnection(
            node,
            transport,
            entry.codec(),
            framing,
            FrameParser(config.limits.message_bytes, config.limits.fragments, inflater),
            info,
            address=admitted,
            binary=entry.binary,
        )
        transport.set_protocol(connection)
        self.parser = None  # type: ignore[assignment]  # as connection_lost does
        if rest:
            connection.data_received(rest)


def _operational(url: bytes) -> bool:
    return url.startswith((b"/health/", b"/metrics"))


class Listener(uvicorn.Server):
    """uvicorn's server without its signal handling and its own idea of a shutdown's order: `app.py` decides."""

    def __init__(self, node: Node, app: Any, *, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._node = node
        self._sock = sock
        connection: type[asyncio.Protocol] = type("BoundHttpConnection", (HttpConnection,), {"node": node})
        config = uvicorn.Config(
            app,
            http=connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=node.config.server.backlog,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
        )
        config.load()
        config.ssl = tls
        config.ws_protocol_class = WebSocketConnection  # only asked whether there is one
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start(self) -> None:
        """Listen; from here on connections come."""
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[self._sock])
        self._ticker = asyncio.get_running_loop().create_task(self.main_loop())

    def stop_accepting(self) -> None:
        for server in self.servers:
            server.close()

    async def close(self) -> None:
        self.should_exit = True
        await self._ticker
        await self.shutdown(sockets=[self._sock])


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """A bound and listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


async def drain(node: Node, window: float, sleep: Callable[[float], Any]) -> None:
    """Send everybody away: advice first, then closings spread over `window` seconds in equal slices."""
    hub = node.hub
    hub.draining = True
    sessions = [session for session in hub.sessions.values() if session.connection is not None]
    for session in sessions:
        session.push(Advice(reconnect_after=0.0, spread=window))
    log.info("draining", sessions=len(sessions), window=window)
    slices = 20
    size = max(1, -(-len(sessions) // slices))
    for at in range(0, len(sessions), size):
        await sleep(window / slices)
        for session in sessions[at : at + size]:
            if session.connection is not None:
                session.connection.close(DRAIN)
