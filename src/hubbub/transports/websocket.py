"""The native protocol on a WebSocket: messages are commands, a silent peer is pinged, the end has a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import CONNECT_TIMEOUT, NO_PONG, SERVER_ERROR, Disconnect, ProtocolError
from hubbub.model import DisconnectPush
from hubbub.protocols.base import Codec, Framing, Payload
from hubbub.telemetry.logging import get_logger
from hubbub.transports import framing as wire
from hubbub.transports.frames import FrameParser
from hubbub.transports.kernel import sent
from hubbub.transports.link import CLOSING_TIMEOUT, HIGH_WATER, WebSocketLink
from hubbub.transports.node import Node, jittered
from hubbub.transports.upgrade import Open, UpgradeRequest

if TYPE_CHECKING:
    from hubbub.hub.session import Session

log = get_logger("hubbub.websocket")

PATH = b"/v1/ws"
IDLE_BEAT = 60.0


class WebSocketConnection(WebSocketLink):
    """The Connection of one native session."""

    __slots__ = ("_binary", "_deadline", "_ping_end", "codec", "framing", "session")

    def __init__(
        self,
        node: Node,
        socket_transport: asyncio.Transport,
        codec: Codec,
        framing: Framing,
        parser: FrameParser,
        info: ConnectionInfo,
        *,
        address: str,
        binary: bool,
        deadline: float,
    ) -> None:
        """`address` was admitted and is given back at the end; `connect` must have come by `deadline` (monotonic)."""
        self._binary = binary
        self._deadline = deadline
        self._ping_end = 0  # where in the stream of sent bytes the last ping ends
        self.codec = codec
        self.framing = framing
        self.session: Session | None = None
        beat = node.clock.monotonic() + (node.config.heartbeat.ping_interval or IDLE_BEAT)
        super().__init__(
            node,
            socket_transport,
            parser,
            address=address,
            protocol=info.protocol,
            due=min(deadline, beat),
        )
        node.hub.open(self, info)

    @property
    def anonymous(self) -> bool:
        return self.session is None or not self.session.id

    def _message(self, data: bytes, binary: bool) -> None:
        metrics, session = self._node.metrics, self.session
        metrics.messages_in += 1
        metrics.bytes_in += len(data)
        if session is None:
            return
        try:
            if binary is not self._binary:
                raise ProtocolError(f"{self.protocol} takes {'binary' if self._binary else 'text'} frames")
            items = self.codec.receive(data)
        except ProtocolError as error:
            for command in error.commands:
                session.accept(command)
            session.fail(error)
            return
        except Exception as error:  # a codec's fault must not take the process's loop with it
            log.error("codec failed", protocol=self.protocol, exc_info=error)
            self.close(SERVER_ERROR)
            return
        for item in items:
            if isinstance(item, Payload):
                self.write(self.framing((item,)))
            elif self.session is not None:
                self.session.accept(item)
                if self._outbox and len(self._outbox[-1]) > HIGH_WATER:
                    self.flush()  # a large answer: what follows is counted, should the peer not read it

    # --- deadlines ----------------------------------------------------------------------------------------

    def _open_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        session = self.session
        if session is None or session.id:
            return super()._open_beat(transport, now)
        if now < self._deadline:
            return min(self._deadline, now + (self._node.config.heartbeat.ping_interval or IDLE_BEAT))
        self._node.metrics.rejected["handshake_timeout"] += 1
        self.close(CONNECT_TIMEOUT)
        return now + CLOSING_TIMEOUT

    def _idle_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        heartbeat = self._node.config.heartbeat
        interval, timeout = heartbeat.ping_interval, heartbeat.ping_timeout
        if interval <= 0:
            return now + IDLE_BEAT
        if not self._reading:
            return now + interval  # its bytes wait unread: silence means nothing
        if self._pinged is not None:
            if now - self._pinged >= timeout:
                if not self._ping_advances(transport):
                    self.abort(NO_PONG)
                    return None
                self._pinged = now
            return self._pinged + timeout
        if now - self._heard < interval * 0.9:
            return self._heard + jittered(interval)
        self._pinged = now
        self._sent, waiting = sent(transport)
        self._ping_end = self._sent + waiting + sum(map(len, self._outbox)) + len(wire.PING)
        self.write(wire.PING)
        return now + timeout

    def _ping_advances(self, transport: asyncio.Transport) -> bool:
        """Whether the ping is still on its way behind other bytes, and those move: a slow reader, not a dead one."""
        before = self._sent
        self._sent, _ = sent(transport)
        return before < self._sent < self._ping_end

    # --- the end ----------------------------------------------------------------------------------------

    def _farewell(self, reason: Disconnect, text: str) -> Sequence[bytes]:
        """A `disconnect` push where the client has a use for one, and a close frame."""
        frames = []
        if reason.code >= 3000:
            push = DisconnectPush(reason.code, text, reason.reconnect)
            frames = [self.framing((payload,)) for payload in self.codec.push(push)]
        return (*frames, wire.close_frame(reason.code, text))

    def _detach(self, reason: Disconnect | None, *, resumable: bool) -> None:
        """From here on the session is on its own."""
        session, self.session = self.session, None
        if session is None or session.id:  # the hub takes away admitted ones only
            self._node.newcomers.discard(self)
        if session is not None and session.connection is self:
            self._node.hub.detach(session, resumable=resumable)


class NativeWebSockets:
    """The endpoint at which native sessions are opened; the subprotocol decides between JSON and MessagePack."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.subprotocols = tuple(node.by_subprotocol)
        self.message_bytes = node.config.limits.message_bytes

    def judge(self, request: UpgradeRequest, subprotocol: str | None) -> Open:
        node = self._node
        entry = node.by_subprotocol[subprotocol] if subprotocol else node.protocols["native-json"]

        def connect(
            transport: asyncio.Transport, framing: Framing, parser: FrameParser
        ) -> WebSocketConnection:
            return WebSocketConnection(
                node,
                transport,
                entry.codec(),
                framing,
                parser,
                request.info(entry.name),
                address=request.address,
                binary=entry.binary,
                deadline=request.deadline,
            )

        return connect
