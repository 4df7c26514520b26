"""The WebSocket connection: frames in, commands to the session; shared frames out, joined once a turn of the loop.

It takes over an accepted socket after the HTTP side has read the request (`transports/server.py`).
"""

from __future__ import annotations

import asyncio
import math
import os
from typing import TYPE_CHECKING

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import (
    CONNECT_TIMEOUT,
    FLOOD,
    NO_PONG,
    NORMAL,
    SERVER_ERROR,
    SLOW,
    Disconnect,
    ProtocolError,
)
from hubbub.model import DisconnectPush
from hubbub.protocols.base import Codec, Framing, Payload
from hubbub.telemetry.logging import get_logger
from hubbub.transports import framing as wire
from hubbub.transports.frames import Binary, Close, FrameError, FrameParser, Ping, Pong, Text
from hubbub.transports.kernel import plain_descriptor, reset, sent
from hubbub.transports.node import Node, jittered

if TYPE_CHECKING:
    from hubbub.hub.session import Session

log = get_logger("hubbub.websocket")

HIGH_WATER = 65_536
"""Bytes in a transport's buffer above which its peer counts as slow, and of a frame that is written at once."""
CLOSING_TIMEOUT = 5.0
IDLE_BEAT = 60.0
SLOW_LOOK = 1.0


class WebSocketConnection(asyncio.Protocol):
    """Frames wait in `_outbox` until the flush. While the peer reads too slowly they stay there, counted."""

    __slots__ = (
        "_address",
        "_binary",
        "_closing",
        "_control_tat",
        "_counted",
        "_deadline",
        "_descriptor",
        "_dirty",
        "_due",
        "_heard",
        "_node",
        "_outbox",
        "_parser",
        "_paused_at",
        "_paused_size",
        "_ping_end",
        "_pinged",
        "_queued",
        "_reading",
        "_sent",
        "_socket",
        "codec",
        "framing",
        "protocol",
        "session",
    )
    transport = "websocket"

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
        self._node = node
        self._socket: asyncio.Transport | None = socket_transport
        self._descriptor = plain_descriptor(socket_transport)
        self._parser = parser
        self._address = address
        self._binary = binary
        self.protocol = info.protocol
        self.codec = codec
        self.framing = framing
        self.session: Session | None = None
        self._outbox: list[bytes] = []
        self._dirty = False
        self._closing: float | None = None
        self._queued = 0  # bytes of the first `_counted` frames of the outbox, while writing is paused
        self._counted = 0
        self._paused_at: float | None = None
        self._paused_size = 0
        self._reading = True
        self._pinged: float | None = None
        self._ping_end = 0  # where in the stream of sent bytes the last ping ends
        self._sent = 0  # how much of that stream the peer had acknowledged when last asked
        self._control_tat = 0.0
        self._heard = node.clock.monotonic()
        socket_transport.set_write_buffer_limits(high=HIGH_WATER)
        node.metrics.connections[self.transport, self.protocol] += 1
        node.metrics.connections_opened[self.transport, self.protocol] += 1
        node.websockets.add(self)
        node.hub.open(self, info)
        self._deadline = deadline
        self._due = min(deadline, self._heard + (node.config.heartbeat.ping_interval or IDLE_BEAT))
        node.wheel.add(self, self._due)

    # --- in ---------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._closing is not None:
            self._await_close(data)
            return
        node = self._node
        self._heard = node.clock.monotonic()
        self._pinged = None
        fault: FrameError | None = None
        try:
            events = self._parser.feed(data)
        except FrameError as error:
            events, fault = list(error.events), error
        for event in events:
            kind = type(event)
            if kind is Text or kind is Binary:
                self._message(event.data, kind is Binary)  # type: ignore[union-attr]
            else:
                self._control(event)
            if self._closing is not None:
                return
        if fault is not None:
            self.close(fault.disconnect, str(fault))
            self._end_stream()

    def _end_stream(self) -> None:
        """The peer's close frame cannot be read any more, so the end of the stream has to do. What it still sends
        is read and dropped, so that our close frame is not lost to a reset."""
        transport = self._socket
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()  # TLS: its own end of the stream, then a short wait for the peer's

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

    def _control(self, event: Ping | Pong | Close | Text | Binary) -> None:
        if isinstance(event, Close):
            self._finish(event.code)
            return
        self._control_tat = self._node.control_rate.take(self._control_tat, self._heard)
        if self._control_tat < 0:
            self._node.metrics.rejected["control_rate"] += 1
            self.close(FLOOD)
        elif isinstance(event, Ping):
            self.write(wire.pong(event.data))

    # --- out --------------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        self._outbox.append(frame)
        if not self._dirty:
            self._dirty = True
            self._node.dirty(self)

    def flush(self) -> None:
        self._dirty = False
        outbox, transport = self._outbox, self._socket
        if transport is None:
            outbox.clear()
        elif self._paused_at is not None:
            self._count_queued()
        elif outbox:
            data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
            outbox.clear()  # first, because `write` may call `pause_writing`, which counts what is in it
            if self._descriptor >= 0 and not transport.get_write_buffer_size():
                # Nothing is before it in the transport, so the kernel may have it at once (decision 6).
                try:
                    written = os.write(self._descriptor, data)
                except OSError:
                    written = 0  # full or broken: the transport finds out which, and does what is due
                if written == len(data):
                    return
                data = data[written:]
            transport.write(data)

    def pause_writing(self) -> None:
        assert self._socket is not None
        self._paused_at = self._node.clock.monotonic()
        self._paused_size = self._socket.get_write_buffer_size()
        self._sent, _ = sent(self._socket)
        self._count_queued()
        self._call_at(self._paused_at + self._look)

    def resume_writing(self) -> None:
        self._paused_at = None
        self._uncount()
        self.flush()

    def _count_queued(self) -> None:
        """A slow reader: what waits here behind the bytes that the socket holds is counted, and bounded.

        The socket's own buffer is what one turn wrote to a peer that was keeping up, perhaps one answer larger than
        the limit: that much is given `write_timeout`.
        """
        new = sum(map(len, self._outbox[self._counted :]))
        self._counted = len(self._outbox)
        self._queued += new
        self._node.queued_bytes += new
        if self._queued > self._node.config.limits.queue_bytes:
            self._node.metrics.rejected["queue_bytes"] += 1
            self.abort(SLOW)

    def _uncount(self) -> None:
        self._node.queued_bytes -= self._queued
        self._queued = self._counted = 0

    def pause(self) -> None:
        if self._reading and self._socket is not None:
            self._reading = False
            self._socket.pause_reading()

    def resume(self) -> None:
        if not self._reading and self._socket is not None:
            self._reading = True
            self._heard = self._node.clock.monotonic()
            self._socket.resume_reading()

    # --- deadlines --------------------------------------------------------------------------------------

    def beat(self, now: float) -> float | None:
        """Called by the wheel: the handshake, slow readers and dead peers, whichever is due."""
        if self._socket is None or now < self._due:
            return None  # gone, or another entry in the wheel stands for this connection
        again = self._next_beat(self._socket, now)
        self._due = again if again is not None else math.inf
        return again

    def _call_at(self, at: float) -> None:
        """Be called by the wheel at `at`, if not before."""
        if at < self._due:
            self._due = at
            self._node.wheel.add(self, at)

    def _next_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        config = self._node.config
        if self._closing is not None:
            if now < self._closing:
                return self._closing
            reset(transport)
            return None
        interval, timeout = config.heartbeat.ping_interval, config.heartbeat.ping_timeout
        session = self.session
        if session is not None and not session.id:
            if now < self._deadline:
                return min(self._deadline, now + (interval or IDLE_BEAT))
            self._node.metrics.rejected["handshake_timeout"] += 1
            self.close(CONNECT_TIMEOUT)
            return now + CLOSING_TIMEOUT
        if (
            self._paused_at is not None
        ):  # a ping would wait behind all that is queued; progress is what counts
            self._pinged = None
            if self._stalled(transport, now):
                return None
            return min(self._paused_at + config.limits.write_timeout, now + self._look)
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

    @property
    def _look(self) -> float:
        """Seconds between looks at a slow reader's progress."""
        return min(SLOW_LOOK, self._node.config.limits.write_timeout / 5)

    def _stalled(self, transport: asyncio.Transport, now: float) -> bool:
        """Whether the slow reader took nothing for `write_timeout`; then it is gone."""
        assert self._paused_at is not None
        size, before = transport.get_write_buffer_size(), self._sent
        self._sent, _ = sent(transport)
        # The kernel takes from us by large steps only; what the peer acknowledges tells of smaller ones.
        if size < self._paused_size or self._sent > before:
            self._paused_at = max(self._paused_at, now - self._look)
        self._paused_size = size
        if now - self._paused_at < self._node.config.limits.write_timeout:
            return False
        self._node.metrics.rejected["write_timeout"] += 1
        self.abort(SLOW)
        return True

    # --- the end ----------------------------------------------------------------------------------------

    def close(self, reason: Disconnect, text: str = "") -> None:
        """Say why in a `disconnect` push and a close frame, flush, and wait a little for the peer's close."""
        if self._closing is not None or self._socket is None:
            return
        self._node.metrics.disconnects[reason.code] += 1
        push = DisconnectPush(reason.code, text or reason.text, reason.reconnect)
        frames = (
            [self.framing((payload,)) for payload in self.codec.push(push)] if reason.code >= 3000 else []
        )
        for frame in (*frames, wire.close_frame(reason.code, text or reason.text)):
            self._outbox.append(frame)
        self._end(resumable=reason.resumable)
        if self._paused_at is None:
            self.flush()
        else:
            reset(self._socket)

    def abort(self, reason: Disconnect) -> None:
        if self._socket is None or self._closing is not None:
            return
        self._node.metrics.disconnects[reason.code] += 1
        self._outbox.clear()
        self._uncount()
        self._end(resumable=reason.resumable)
        reset(self._socket)

    def cut(self) -> None:
        """Drop the link at once, whatever is still to be written."""
        if self._socket is not None:
            reset(self._socket)

    def _end(self, *, resumable: bool) -> None:
        """From here on nothing is read but the peer's close frame, and the session is on its own."""
        self._closing = self._node.clock.monotonic() + CLOSING_TIMEOUT
        self._call_at(self._closing)
        session, self.session = self.session, None
        if session is not None and session.connection is self:
            self._node.hub.detach(session, resumable=resumable)

    def _finish(self, code: int) -> None:
        """The peer closes: echo its frame (RFC 6455, section 5.5.1). 1001 is a page that may come back."""
        assert self._socket is not None
        self._outbox.append(wire.close_frame(code))
        self._end(resumable=code != NORMAL.code)
        self.flush()
        self._socket.close()

    def _await_close(self, data: bytes) -> None:
        try:
            events = self._parser.feed(data)
        except FrameError:
            events = [Close(NORMAL.code, "")]
        if self._socket is not None and any(isinstance(event, Close) for event in events):
            self._socket.close()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket = None
        self._node.websockets.discard(self)
        self._outbox.clear()
        self._uncount()
        self._node.admission.leave(self._address)
        self._node.metrics.connections[self.transport, self.protocol] -= 1
        session, self.session = self.session, None
        if session is not None and session.connection is self:
            self._node.hub.detach(session)
