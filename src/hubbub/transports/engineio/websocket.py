"""Engine.IO on a WebSocket of our own server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hubbub.errors import TOO_LARGE, Disconnect
from hubbub.protocols.base import Framing
from hubbub.transports import framing as wire
from hubbub.transports.engineio.attempt import Attempt, begin
from hubbub.transports.engineio.session import PROTOCOL, Session, why
from hubbub.transports.frames import NO_STATUS, FrameParser
from hubbub.transports.kernel import sent
from hubbub.transports.link import CLOSING_TIMEOUT, WebSocketLink
from hubbub.transports.node import Node

CLOSE = wire.close_frame(NO_STATUS)


class EngineWebSocket(WebSocketLink):
    """The socket of one session, as its carrier or in an attempt to become that."""

    __slots__ = ("_attempt", "_ping_end", "_session", "framing")
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
        """To be followed by `open` or `attempt`."""
        self._session: Session | None = None
        self._attempt: Attempt | None = None
        self._ping_end = 0  # where in the stream of sent bytes the last ping ends
        self.framing = framing
        due = node.clock.monotonic() + CLOSING_TIMEOUT
        super().__init__(node, socket_transport, parser, address=address, protocol=PROTOCOL, due=due)

    def open(self, session: Session) -> None:
        """Begin a new session."""
        self._session = session
        session.open(self, self.framing)
        self._call_at(session.due)

    def attempt(self, session: Session) -> None:
        """Let a session upgrade to this socket."""
        self._attempt = begin(session, self, self._node.clock, self._node.config.socketio.upgrade_timeout)

    # --- the carrier --------------------------------------------------------------------------------------

    @property
    def heard(self) -> float:
        return self._heard

    @property
    def taking(self) -> bool:
        return self._reading

    @property
    def closing(self) -> bool:
        return self._closing is not None

    def call_at(self, at: float) -> None:
        self._call_at(at)

    def carry(self, session: Session) -> None:
        self._attempt = None
        self._session = session

    def close(self, reason: Disconnect, text: str = "") -> None:
        if reason is TOO_LARGE and self._closing is None:
            self._node.metrics.rejected["fragments" if "fragments" in text else "packet_bytes"] += 1
        super().close(reason, text)

    def fail(self, reason: Disconnect) -> None:
        self.close(reason)

    def drop(self) -> None:
        """The end of the server waits for what is left of it, as for all WebSockets."""

    def leave(self) -> None:
        """Close without a word, as nobody is behind this socket (any more)."""
        self.part(CLOSE, reason=None, resumable=True)

    def _message(self, data: bytes, binary: bool) -> None:
        metrics, session = self._node.metrics, self._session
        metrics.messages_in += 1
        metrics.bytes_in += len(data)
        if session is not None:
            session.receive_message(data, binary)
        elif self._attempt is not None:
            self._attempt.receive(data, binary)

    # --- deadlines ----------------------------------------------------------------------------------------

    @property
    def anonymous(self) -> bool:
        return False  # the session is the newcomer

    def _open_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        if self._paused_at is not None and self._session is not None:
            self._session.postpone(now)
        return super()._open_beat(transport, now)

    def _idle_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        again = None
        if self._session is not None:
            again = self._session.check(now)
        elif self._attempt is not None:
            again = self._attempt.beat(now)
        return again if again is not None else self._closing

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
        attempt, self._attempt = self._attempt, None
        if session is not None:
            session.gone(why(reason), resumable=reason is None or reason.resumable)
            session.forget()
        elif attempt is not None:
            attempt.gone()
