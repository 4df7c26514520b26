"""Engine.IO on a WebSocket over ASGI, for an application that is mounted in another: the same sessions, a little
slower. Frames, compression and the WebSocket's own pings are the host server's affair."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from hubbub.errors import SLOW, TOO_LARGE, Disconnect, ErrorCode, HubbubError
from hubbub.protocols import engineio
from hubbub.protocols.base import Framing
from hubbub.transports.asgi import CLOSING_TIMEOUT, deny, permits
from hubbub.transports.engineio.attempt import Attempt, begin
from hubbub.transports.engineio.requests import Refused, parse_query
from hubbub.transports.engineio.session import PROTOCOL, Session, owner, why
from hubbub.transports.http import TRANSPORT, Message, Receive, Scope, Send, header_values
from hubbub.transports.node import Node
from hubbub.transports.outbox import Outbox
from hubbub.transports.streams import check_room, connection_info

if TYPE_CHECKING:
    from hubbub.transports.engineio.endpoint import EngineIo

NORMAL = 1000
"""What a close frame says where it cannot say nothing, as the reference's does."""


class AsgiSocket(Outbox[deque[bytes]]):
    """One WebSocket, as the carrier of a session or in an attempt to become that: the task of `run` reads, a second
    one writes. `write` takes what `engineio.poll` makes, since ASGI must be told which message is text."""

    transport = "websocket"

    def __init__(self, node: Node, receive: Receive, send: Send) -> None:
        super().__init__(node, deque())
        self.framing: Framing = engineio.poll
        self._receive = receive
        self._send = send
        self._session: Session | None = None
        self._attempt: Attempt | None = None
        self._code: int | None = None  # with which to close, once all that waits is written
        self._cut = False
        self._more = asyncio.Event()
        self._ready = asyncio.Event()
        self._ready.set()
        self._sending: float | None = None  # since when the client takes nothing
        self._due = math.inf
        self.heard = node.clock.monotonic()

    def open(self, session: Session) -> None:
        """Begin a new session."""
        self._session = session
        session.open(self, self.framing)
        self.call_at(session.due)

    def attempt(self, session: Session) -> None:
        """Let a session upgrade to this socket."""
        self._attempt = begin(session, self, self._node.clock, self._node.config.socketio.upgrade_timeout)

    async def run(self) -> None:
        """Until either side ends."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read(writer)
        finally:
            self._detach(None)
            self._close(NORMAL)
            await asyncio.wait([writer], timeout=CLOSING_TIMEOUT)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self.clear()

    # --- in -----------------------------------------------------------------------------------------------

    async def _read(self, writer: asyncio.Task[None]) -> None:
        while True:
            await self._ready.wait()
            received = asyncio.ensure_future(self._receive())
            await asyncio.wait([received, writer], return_when=asyncio.FIRST_COMPLETED)
            if not received.done():
                received.cancel()
                return
            event = received.result()
            if event["type"] == "websocket.disconnect":
                self._cut = True
                return
            self._message(event)

    def _message(self, event: Message) -> None:
        text = event.get("text")
        data: bytes = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else event["bytes"]
        metrics = self._node.metrics
        metrics.messages_in += 1
        metrics.bytes_in += len(data)
        self.heard = self._node.clock.monotonic()
        if len(data) > self._node.config.limits.packet_bytes and self._code is None:
            metrics.rejected["packet_bytes"] += 1
            self.close(TOO_LARGE)
        elif self._session is not None:
            self._session.receive_message(data, not isinstance(text, str))
        elif self._attempt is not None:
            self._attempt.receive(data, not isinstance(text, str))

    @property
    def taking(self) -> bool:
        return self._ready.is_set()

    def pause(self) -> None:
        self._ready.clear()

    def resume(self) -> None:
        self.heard = self._node.clock.monotonic()
        self._ready.set()

    # --- out ----------------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        if self._code is None:
            self._append(frame)

    @property
    def writable(self) -> bool:
        return self._code is None and not self._outbox and self._sending is None

    def flush(self) -> None:
        self._dirty = False
        if self._queued > self._node.config.limits.queue_bytes and self._code is None:
            self._node.metrics.rejected["queue_bytes"] += 1
            self.abort(SLOW)
        self._more.set()

    async def _write(self) -> None:
        try:
            while not self._cut and (self._outbox or self._code is None):
                if not self._outbox:
                    self._more.clear()
                    await self._more.wait()
                    continue
                frame = self._outbox.popleft()
                self._count(-len(frame))
                self._sending = self._node.clock.monotonic()
                self.call_at(self._sending + self._node.config.limits.write_timeout)
                for packet in engineio.split(frame):
                    payload = engineio.to_payload(packet)
                    await self._send(
                        {"type": "websocket.send", "bytes": payload.data}
                        if payload.binary
                        else {"type": "websocket.send", "text": payload.data.decode()}
                    )
                self._sending = None
            if not self._cut:
                await self._send({"type": "websocket.close", "code": self._code})
        except (OSError, RuntimeError):
            self.clear()  # the host's server has seen the end before us

    # --- deadlines ----------------------------------------------------------------------------------------

    def call_at(self, at: float) -> None:
        if at < self._due:
            self._due = at
            self._node.wheel.add(self, at)

    def beat(self, now: float) -> float | None:
        if now < self._due:
            return None  # another entry in the wheel stands for this socket
        again = self._look(now)
        self._due = again if again is not None else math.inf
        return again

    def _look(self, now: float) -> float | None:
        timeout = self._node.config.limits.write_timeout
        if self._code is not None:
            return None
        if self._sending is not None:
            if now - self._sending >= timeout:
                self._node.metrics.rejected["write_timeout"] += 1
                self.abort(SLOW)
                return None
            if self._session is not None:
                self._session.postpone(now)
            return self._sending + timeout
        if self._session is not None:
            return self._session.check(now)
        return self._attempt.beat(now) if self._attempt is not None else None

    def pinged(self) -> None: ...

    def ping_advances(self) -> bool:
        return False

    # --- the end ------------------------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        return self._code is not None

    def carry(self, session: Session) -> None:
        self._attempt = None
        self._session = session

    def close(self, reason: Disconnect) -> None:
        if self._code is None:
            self._node.metrics.disconnects[reason.code] += 1
            self._detach(reason)
            self._close(reason.code if reason.code < 3000 else NORMAL)

    fail = close

    def abort(self, reason: Disconnect) -> None:
        if self._code is None:
            self.clear()
            self._cut = True
            self.close(reason)

    def leave(self) -> None:
        self._detach(None)
        self._close(NORMAL)

    def drop(self) -> None:
        """`run` waits for what is left of it."""

    def _close(self, code: int) -> None:
        if self._code is None:
            self._code = code
        self._ready.set()
        self._more.set()

    def _detach(self, reason: Disconnect | None) -> None:
        session, self._session = self._session, None
        attempt, self._attempt = self._attempt, None
        if session is not None:
            session.gone(why(reason), resumable=reason is None or reason.resumable)
            session.forget()
        elif attempt is not None:
            attempt.gone()


class EngineWebSockets:
    """The ASGI application for WebSockets at the engine's path."""

    def __init__(self, engine: EngineIo) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`websocket.connect` has been received."""
        node = self._engine.node
        try:
            address = self._admit(scope)
        except HubbubError as error:
            node.metrics.errors[int(error.code)] += 1
            await deny(scope, send, error.info.status, error.message)
            return
        try:
            await self._serve(scope, receive, send)
        except Refused as refused:
            await deny(scope, send, refused.status, refused.message)
        finally:
            if address is not None:
                node.admission.leave(address)

    def _admit(self, scope: Scope) -> str | None:
        """Take a place among the connections: the address to be given back, None if the socket has a place already."""
        node = self._engine.node
        if not permits(node, scope):
            raise HubbubError(ErrorCode.ORIGIN_REFUSED)
        check_room(node)
        if TRANSPORT in (scope.get("extensions") or {}):
            return None
        address: str = (scope.get("client") or ("",))[0]
        if not node.admission.enter(address):
            raise HubbubError(ErrorCode.CONNECTION_LIMIT, retry_after=5.0)
        return address

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        engine = self._engine
        query: bytes = scope.get("query_string", b"")
        sender = owner(_last(scope, b"origin"), _last(scope, b"authorization"))
        session = engine.verify(parse_query(query), "GET", sender, upgrade=True)
        if session is None:
            engine.let_in()
        offered = scope.get("subprotocols") or [None]
        try:
            await send({"type": "websocket.accept", "subprotocol": offered[0]})
        except (OSError, RuntimeError):
            return
        socket = AsgiSocket(engine.node, receive, send)
        if session is not None:
            socket.attempt(session)
        else:
            info = connection_info(scope, "websocket", PROTOCOL)
            socket.open(Session(engine, replace(info, query=query.decode("latin-1")), sender))
        await socket.run()


def _last(scope: Scope, name: bytes) -> bytes | None:
    values = header_values(scope, name)
    return values[-1].encode("latin-1") if values else None
