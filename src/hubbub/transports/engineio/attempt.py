"""A client's attempt to go on by WebSocket: its socket is on probation until it says that it has upgraded."""

from __future__ import annotations

from typing import Protocol

from hubbub.clock import Clock
from hubbub.protocols import engineio
from hubbub.protocols.base import Framing, Payload
from hubbub.transports.engineio.polling import Polling
from hubbub.transports.engineio.session import Carrier, Session

RELEASE_INTERVAL = 0.1
"""Seconds between the empty answers to polls meanwhile: the client waits for its poll to end."""


class Socket(Carrier, Protocol):
    """A WebSocket that may become a session's carrier."""

    framing: Framing

    @property
    def closing(self) -> bool: ...

    def leave(self) -> None:
        """Close it: it is not wanted any more."""

    def carry(self, session: Session) -> None:
        """It has the session from now on."""


class Attempt:
    """Ends with `Socket.carry` or `Socket.leave`. At most one a session, as its `probe`."""

    __slots__ = ("_clock", "_polling", "_session", "_socket", "_until")

    def __init__(
        self, session: Session, polling: Polling, socket: Socket, clock: Clock, timeout: float
    ) -> None:
        self._session = session
        self._polling = polling
        self._socket = socket
        self._clock = clock
        self._until = clock.monotonic() + timeout
        session.probe = self
        socket.call_at(self._until)

    def receive(self, data: bytes, binary: bool) -> None:
        """A probe, the upgrade itself, or the end of the attempt."""
        socket = self._socket
        if not binary and data == engineio.PROBE:
            socket.write(socket.framing((Payload(engineio.PROBE_ANSWER),)))
            socket.call_at(self._clock.monotonic() + RELEASE_INTERVAL)
        elif not binary and data[:1] == engineio.UPGRADE:
            self._upgrade()
        else:
            socket.leave()

    def _upgrade(self) -> None:
        session, socket = self._session, self._socket
        packets = self._polling.leave()
        if socket.closing:
            return  # the session has ended over what its last POST brought
        for packet in packets:
            socket.write(socket.framing((engineio.to_payload(packet),)))
        session.probe = None
        if session.client is None:  # it was being closed
            session.forget()
            socket.leave()
        else:
            socket.carry(session)
            session.move(socket, socket.framing)
            socket.call_at(session.due)

    def beat(self, now: float) -> float | None:
        """Let a poll go, or give up. Returns when to be called again."""
        if now >= self._until:
            self._socket.leave()
            return None
        self._polling.release()
        return min(self._until, now + RELEASE_INTERVAL)

    def leave(self) -> None:
        """The session has ended."""
        self._socket.leave()

    def gone(self) -> None:
        """The socket has gone, for whatever reason: the session goes on without it."""
        if self._session.probe is self:
            self._session.probe = None


def begin(session: Session, socket: Socket, clock: Clock, timeout: float) -> Attempt | None:
    """Let `session` upgrade to `socket` within `timeout` seconds; None, and the socket is closed, if it cannot (any
    more)."""
    polling = session.carrier
    if session.client is None or session.probe is not None or not isinstance(polling, Polling):
        socket.leave()
        return None
    return Attempt(session, polling, socket, clock, timeout)
