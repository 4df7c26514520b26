"""WebSockets over ASGI, for an application that is mounted in another: the same sessions, a little slower.

Heartbeats, compression and fragments are the host server's affair (uvicorn pings every `ws_ping_interval`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from hubbub.errors import (
    CONNECT_TIMEOUT,
    DRAIN,
    NORMAL,
    SERVER_ERROR,
    SLOW,
    TOO_LARGE,
    UNSUPPORTED_DATA,
    ErrorCode,
    HubbubError,
    ProtocolError,
)
from hubbub.protocols.base import Payload, ProtocolEntry
from hubbub.telemetry.logging import get_logger
from hubbub.transports.http import AsgiApp, Message, Receive, Scope, Send, header_values, route_path
from hubbub.transports.node import Node
from hubbub.transports.streams import OutboxConnection, connection_info

log = get_logger("hubbub.asgi")

PATH = "/v1/ws"
REASON_BYTES = 123  # RFC 6455, section 5.5
CLOSING_TIMEOUT = 5.0


def message(payloads: Sequence[Payload]) -> bytes:
    """Framing: the message's bytes; ASGI's server makes the frame. Several JSON payloads are lines of one message."""
    return payloads[0].data if len(payloads) == 1 else b"\n".join([payload.data for payload in payloads])


class AsgiConnection(OutboxConnection):
    """One WebSocket: this task reads, a second one writes."""

    def __init__(
        self,
        node: Node,
        scope: Scope,
        receive: Receive,
        send: Send,
        entry: ProtocolEntry,
        registry: set[OutboxConnection],
    ) -> None:
        super().__init__(
            node, scope, entry.codec(), message, connection_info(scope, "asgi", entry.name), registry
        )
        self._receive = receive
        self._send = send
        self._binary = entry.binary
        self._more: asyncio.Future[None] | None = None
        self._guard: asyncio.Timeout | None = None
        self._sending: float | None = None
        self._heard_end = False
        self._due = node.clock.monotonic() + node.config.limits.handshake_timeout
        node.wheel.add(self, self._due)

    async def run(self) -> None:
        """Until either side ends."""
        writer = asyncio.get_running_loop().create_task(self._write())
        try:
            await self._read(writer)
        finally:
            self.lost()
            await asyncio.wait([writer], timeout=CLOSING_TIMEOUT)
            writer.cancel()

    # --- in -----------------------------------------------------------------------------------------------

    async def _read(self, writer: asyncio.Task[None]) -> None:
        """Messages to the session, until the peer or the writer has ended."""
        while True:
            await self.ready()
            received = asyncio.ensure_future(self._receive())
            await asyncio.wait([received, writer], return_when=asyncio.FIRST_COMPLETED)
            if not received.done():
                received.cancel()
                return
            event = received.result()
            if event["type"] == "websocket.disconnect":
                self._heard_end = True
                self.lost(resumable=event.get("code", NORMAL.code) != NORMAL.code)
                return
            if self._open:
                self._message(event)

    def _message(self, event: Message) -> None:
        text, data = event.get("text"), event.get("bytes")
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else data
        assert isinstance(raw, bytes)
        metrics, session = self._node.metrics, self.session
        metrics.messages_in += 1
        metrics.bytes_in += len(raw)
        if session is None:
            return
        if len(raw) > self._node.config.limits.message_bytes:
            self.close(TOO_LARGE)
            return
        if isinstance(text, str) is self._binary:
            self.close(UNSUPPORTED_DATA)
            return
        try:
            items = self.codec.receive(raw)
        except ProtocolError as error:
            for command in error.commands:
                session.accept(command)
            session.fail(error)
            return
        except Exception as error:  # a codec's fault ends its own connection only
            log.error("codec failed", protocol=self.protocol, exc_info=error)
            self.close(SERVER_ERROR)
            return
        for item in items:
            if isinstance(item, Payload):
                self.write(self.framing((item,)))
            elif self.session is not None:
                self.session.accept(item)

    # --- out ----------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        try:
            async with asyncio.timeout(None) as self._guard:
                while self._open or self._outbox:
                    if not self._outbox:
                        self._more = asyncio.get_running_loop().create_future()
                        await self._more
                        continue
                    frame = self._outbox.popleft()
                    self._count(-len(frame))
                    self._sending = self._node.clock.monotonic()
                    if self._binary:
                        await self._send({"type": "websocket.send", "bytes": frame})
                    else:
                        await self._send({"type": "websocket.send", "text": frame.decode()})
                    self._sending = None
                await self._send_close()
        except (TimeoutError, OSError, RuntimeError):
            self.clear()  # aborted, or the host's server has seen the end before us
        finally:
            self._guard = None

    async def _send_close(self) -> None:
        reason = self.ended
        if reason is None or self._heard_end:
            return
        text = reason.text.encode()[:REASON_BYTES].decode(errors="ignore")
        await self._send({"type": "websocket.close", "code": reason.code, "reason": text})

    def _wake(self) -> None:
        more, self._more = self._more, None
        if more is not None and not more.done():
            more.set_result(None)

    def _finish(self) -> None:
        self._wake()

    def _cut(self) -> None:
        self.clear()
        self._wake()
        if self._guard is not None and self._sending is not None:
            self._guard.reschedule(asyncio.get_running_loop().time())

    # --- deadlines ----------------------------------------------------------------------------------------

    def beat(self, now: float) -> float | None:
        """Called by the wheel: the handshake, and readers that take nothing."""
        if not self._open:
            return None
        session, timeout = self.session, self._node.config.limits.write_timeout
        if session is not None and not session.id and now >= self._due:
            self._node.metrics.rejected["handshake_timeout"] += 1
            self.close(CONNECT_TIMEOUT)
            return None
        if self._sending is not None and now - self._sending >= timeout:
            self._node.metrics.rejected["write_timeout"] += 1
            self.abort(SLOW)
            return None
        return (self._sending or now) + timeout


class AsgiWebSockets:
    """The ASGI application for WebSockets."""

    def __init__(self, node: Node, others: Mapping[str, AsgiApp] | None = None) -> None:
        """`others` answer what is below their paths, when its `websocket.connect` has been received."""
        self._node = node
        self._others = dict(others or {})
        self._open: set[OutboxConnection] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        node = self._node
        opening = await receive()
        if opening["type"] != "websocket.connect":
            return
        path = route_path(scope)
        for place, other in self._others.items():
            if path.startswith(place):
                await other(scope, receive, send)
                return
        try:
            entry = self._judge(scope)
            connection = AsgiConnection(node, scope, receive, send, entry, self._open)
        except HubbubError as error:
            node.metrics.errors[int(error.code)] += 1
            await deny(scope, send, error.info.status, error.message)
            return
        try:
            offered = entry.subprotocol in scope.get("subprotocols", ())
            await send({"type": "websocket.accept", "subprotocol": entry.subprotocol if offered else None})
        except (OSError, RuntimeError):
            connection.lost(resumable=False)
            return
        await connection.run()

    async def stop(self) -> None:
        for connection in list(self._open):
            connection.close(DRAIN)

    def _judge(self, scope: Scope) -> ProtocolEntry:
        """Which protocol to speak. Raises HubbubError for a wrong path, a foreign page, an unknown subprotocol."""
        node = self._node
        if route_path(scope) != PATH:
            raise HubbubError(ErrorCode.NOT_FOUND, f"WebSockets are at {PATH}")
        if not permits(node, scope):
            raise HubbubError(ErrorCode.ORIGIN_REFUSED)
        offered = scope.get("subprotocols", ())
        for subprotocol in offered:
            if subprotocol in node.by_subprotocol:
                return node.by_subprotocol[subprotocol]
        if offered:
            known = ", ".join(node.by_subprotocol)
            raise HubbubError(ErrorCode.BAD_REQUEST, f"unknown subprotocol; known are: {known}")
        return node.protocols["native-json"]


def permits(node: Node, scope: Scope) -> bool:
    """Whether a page of this origin may open WebSockets."""
    origins, hosts = header_values(scope, b"origin"), header_values(scope, b"host")
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "ws"), "http")
    host = hosts[0] if len(hosts) == 1 else None
    return len(origins) <= 1 and node.origins.permits(origins[0] if origins else None, scheme, host)


async def deny(scope: Scope, send: Send, status: int, message: str) -> None:
    """Refuse the handshake, with a status and a sentence where the host's server can say them."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": message.encode() + b"\n"})
