"""Engine.IO on a WebSocket: as the carrier of a session, or on probation while a client upgrades to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hubbub.errors import TOO_LARGE, Disconnect, ProtocolError
from hubbub.protocols import engineio
from hubbub.protocols.base import Framing, Payload
from hubbub.transports import framing as wire
from hubbub.transports.engineio.polling import Polling
from hubbub.transports.engineio.session import PROTOCOL, Session, why
from hubbub.transports.frames import NO_STATUS, FrameParser
from hubbub.transports.kernel import sent
from hubbub.transports.link import WebSocketLink
from hubbub.transports.node import Node

CLOSE = wire.close_frame(NO_STATUS)
RELEASE_INTERVAL = 0.1
"""Seconds between the empty answers to polls while a client upgrades, which it waits for."""
_MESSAGE = ord("4")


class EngineWebSocket(WebSocketLink):
    """The socket of one session. It is the session's carrier, or else its probe."""

    __slots__ = ("_ping_end", "_polling", "_session", "_until", "framing")
    counted = False  # the session is

    def __init__(
        self,
        node: Node,
        socket_transport: asyncio.Transport,
        framing: Framing,
        parser: FrameParser,
        *,
        address: str,
    ) -> None:
        """To be followed by `carry` or `probe`."""
        self._session: Session | None = None
        self._polling: Polling | None = None  # what carries the session that may upgrade to this socket
        self._until = node.clock.monotonic() + node.config.socketio.upgrade_timeout
        self._ping_end = 0  # where in the stream of sent bytes the last ping ends
        self.framing = framing
        super().__init__(node, socket_transport, parser, address=address, protocol=PROTOCOL, due=self._until)

    def carry(self, session: Session) -> None:
        """Open `session`."""
        self._session = session
        session.open(self, self.framing)
        self._call_at(session.due)

    def try_for(self, session: Session) -> None:
        """Let `session` upgrade to this socket, unless it cannot (any more)."""
        if session.client is None or session.probe is not None or not isinstance(session.carrier, Polling):
            self.leave()
            return
        self._session = session
        self._polling = session.carrier
        session.probe = self

    # --- the carrier --------------------------------------------------------------------------------------

    @property
    def heard(self) -> float:
        return self._heard

    @property
    def taking(self) -> bool:
        return self._reading

    def call_at(self, at: float) -> None:
        self._call_at(at)

    def close(self, reason: Disconnect, text: str = "") -> None:
        if reason is TOO_LARGE and self._closing is None:
            self._node.metrics.rejected["fragments" if "fragments" in text else "packet_bytes"] += 1
        super().close(reason, text)

    def fail(self, reason: Disconnect) -> None:
        self.close(reason)

    def drop(self) -> None:
        """The end of the server waits for what is left of it, as for all WebSockets."""

    # --- in -----------------------------------------------------------------------------------------------

    def _message(self, data: bytes, binary: bool) -> None:
        metrics, session = self._node.metrics, self._session
        metrics.messages_in += 1
        metrics.bytes_in += len(data)
        if session is None:
            return
        if self._polling is not None:
            self._probe(session, data, binary)
            return
        client = session.client
        if client is not None:
            if binary:
                client.receive(data, True)
                return
            if data and data[0] == _MESSAGE:
                client.receive(data[1:], False)
                return
        try:
            session.receive(engineio.decode(data, binary))
        except ProtocolError:
            session.fail("parse error")

    def _probe(self, session: Session, data: bytes, binary: bool) -> None:
        """A packet before the upgrade: a probe, the upgrade itself, or the end of the attempt."""
        polling = self._polling
        assert polling is not None
        if not binary and data == engineio.PROBE:
            self.write(self.framing((Payload(engineio.PROBE_ANSWER),)))
            self._call_at(self._node.clock.monotonic() + RELEASE_INTERVAL)
        elif not binary and data[:1] == engineio.UPGRADE:
            self._polling = None
            packets = polling.leave()
            if self._closing is not None:
                return  # the session ended over what a last POST brought
            for packet in packets:
                self.write(self.framing((engineio.to_payload(packet),)))
            session.move(self, self.framing)
            if session.client is None:  # it was being closed
                session.forget()
                self.leave()
            else:
                self._call_at(session.due)
        else:
            self.leave()

    def leave(self) -> None:
        """Close without a word, as nobody is behind this socket (any more)."""
        self.part(CLOSE, reason=None, resumable=True)

    # --- deadlines ----------------------------------------------------------------------------------------

    @property
    def anonymous(self) -> bool:
        return False  # the session is the newcomer

    def _open_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        if self._paused_at is not None and self._session is not None and self._polling is None:
            self._session.postpone(now)
        return super()._open_beat(transport, now)

    def _idle_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        session = self._session
        if session is None:
            return None
        if self._polling is None:
            return session.check(now) or self._closing
        if now < self._until:
            self._polling.release()
            return min(self._until, now + RELEASE_INTERVAL)
        self.leave()
        return self._closing

    def pinged(self) -> None:
        if self._socket is not None:
            self._sent, waiting = sent(self._socket)
            self._ping_end = self._sent + waiting + sum(map(len, self._outbox))

    def ping_advances(self) -> bool:
        if self._socket is None:
            return False
        before = self._sent
        self._sent, _ = sent(self._socket)
        return before < self._sent < self._ping_end

    # --- the end ------------------------------------------------------------------------------------------

    def _farewell(self, reason: Disconnect, text: str) -> Sequence[bytes]:
        """A close frame without a code, unless the WebSocket layer itself found a fault."""
        return (wire.close_frame(reason.code) if reason.code < 3000 else CLOSE,)

    def _detach(self, reason: Disconnect | None, *, resumable: bool) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        if self._polling is None:
            session.gone(why(reason), resumable=reason is None or reason.resumable)
            session.forget()
        elif session.probe is self:
            session.probe = None
            self._polling = None
