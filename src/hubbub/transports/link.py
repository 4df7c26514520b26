"""A WebSocket as a link: frames in, messages to a subclass; frames out, joined once a turn of the loop; slow readers
found, and the end.

It takes over an accepted socket after the HTTP side has read the request (`transports/upgrade.py`). What a message
means, who the peer is and whether it lives, the subclass knows.
"""

from __future__ import annotations

import asyncio
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from hubbub.errors import FLOOD, NORMAL, SLOW, Disconnect
from hubbub.transports import framing as wire
from hubbub.transports.frames import Binary, Close, FrameError, FrameParser, Ping, Pong, Text
from hubbub.transports.kernel import plain_descriptor, reset, sent
from hubbub.transports.node import Node

HIGH_WATER = 65_536
"""Bytes in a transport's buffer above which its peer counts as slow, and of a frame that is written at once."""
CLOSING_TIMEOUT = 5.0
SLOW_LOOK = 1.0


class WebSocketLink(asyncio.Protocol, ABC):
    """Frames wait in `_outbox` until the flush. While the peer reads too slowly they stay there, counted.

    A subclass says what to do with a message, when the peer's silence is one too many, what to say at the end, whether
    the peer is still unknown, and tells those behind it that the link is down.
    """

    __slots__ = (
        "_address",
        "_closing",
        "_control_tat",
        "_counted",
        "_descriptor",
        "_dirty",
        "_due",
        "_heard",
        "_node",
        "_outbox",
        "_parser",
        "_paused_at",
        "_paused_size",
        "_pinged",
        "_queued",
        "_reading",
        "_sent",
        "_socket",
        "protocol",
    )
    transport = "websocket"
    counted: ClassVar[bool] = True
    """Whether a link is a connection in the metrics and among the newcomers; if not, something behind it is."""

    def __init__(
        self,
        node: Node,
        socket_transport: asyncio.Transport,
        parser: FrameParser,
        *,
        address: str,
        protocol: str,
        due: float,
    ) -> None:
        """`address` was admitted and is given back at the end; the first beat is at `due` (monotonic)."""
        self._node = node
        self._socket: asyncio.Transport | None = socket_transport
        self._descriptor = plain_descriptor(socket_transport)
        self._parser = parser
        self._address = address
        self.protocol = protocol
        self._outbox: list[bytes] = []
        self._dirty = False
        self._closing: float | None = None
        self._queued = 0  # bytes of the first `_counted` frames of the outbox, while writing is paused
        self._counted = 0
        self._paused_at: float | None = None
        self._paused_size = 0
        self._reading = True
        self._pinged: float | None = None  # since when a sign of life is asked for: any byte is one
        self._sent = 0  # how many bytes the peer had acknowledged when last asked
        self._control_tat = 0.0
        self._heard = node.clock.monotonic()
        socket_transport.set_write_buffer_limits(high=HIGH_WATER)
        node.websockets.add(self)
        if self.counted:
            node.metrics.connections[self.transport, protocol] += 1
            node.metrics.connections_opened[self.transport, protocol] += 1
            node.newcomers.add(self)
        self._due = due
        node.wheel.add(self, due)

    # --- what a subclass says -----------------------------------------------------------------------------

    @property
    @abstractmethod
    def anonymous(self) -> bool:
        """Whether the peer has not yet said who it is; asked of a newcomer until the answer is no."""

    @abstractmethod
    def _message(self, data: bytes, binary: bool) -> None:
        """A whole message has come; text is valid UTF-8. Raises nothing."""

    @abstractmethod
    def _idle_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        """A beat of an open link whose peer is not slow. Returns when to beat again, None for never."""

    @abstractmethod
    def _farewell(self, reason: Disconnect, text: str) -> Sequence[bytes]:
        """The last frames to a peer that is sent away; the very last is a close frame."""

    @abstractmethod
    def _detach(self, reason: Disconnect | None, *, resumable: bool) -> None:
        """The link is down for those behind it: nothing more comes in, nothing more goes out. `reason` is ours; None
        if the peer or the network ended it. Called again when the socket is gone."""

    # --- in -----------------------------------------------------------------------------------------------

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

    @property
    def writable(self) -> bool:
        """Whether what is written now goes out at the end of this turn, with nothing in front of it in the socket."""
        transport = self._socket
        return (
            transport is not None
            and self._closing is None
            and self._paused_at is None
            and not transport.get_write_buffer_size()
        )

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

    # --- deadlines ----------------------------------------------------------------------------------------

    def beat(self, now: float) -> float | None:
        """Called by the wheel: the end, slow readers and what the subclass looks after, whichever is due."""
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
        if self._closing is None:
            return self._open_beat(transport, now)
        if now < self._closing:
            return self._closing
        reset(transport)
        return None

    def _open_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        """A beat of a link that is not closing. Returns when to beat again, None for never."""
        if self._paused_at is None:
            return self._idle_beat(transport, now)
        self._pinged = None  # a ping would wait behind all that is queued; progress is what counts
        if self._stalled(transport, now):
            return None
        return min(self._paused_at + self._node.config.limits.write_timeout, now + self._look)

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
        """Say why, flush, and wait a little for the peer's close."""
        if self._closing is None and self._socket is not None:
            self._node.metrics.disconnects[reason.code] += 1
            self.part(*self._farewell(reason, text or reason.text), reason=reason, resumable=reason.resumable)

    def part(self, *frames: bytes, reason: Disconnect | None, resumable: bool) -> None:
        """Send `frames`, of which the last is a close frame, behind all that waits, and wait a little for the
        peer's. Not counted among the disconnects."""
        if self._closing is not None or self._socket is None:
            return
        self._outbox.extend(frames)
        self._end(reason, resumable=resumable)
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
        self._end(reason, resumable=reason.resumable)
        reset(self._socket)

    def cut(self) -> None:
        """Drop the link at once, whatever is still to be written."""
        if self._socket is not None:
            reset(self._socket)

    def _end(self, reason: Disconnect | None, *, resumable: bool) -> None:
        """From here on nothing is read but the peer's close frame."""
        self._closing = self._node.clock.monotonic() + CLOSING_TIMEOUT
        self._call_at(self._closing)
        self._detach(reason, resumable=resumable)

    def _finish(self, code: int) -> None:
        """The peer closes: echo its frame (RFC 6455, section 5.5.1). 1001 is a page that may come back."""
        assert self._socket is not None
        self._outbox.append(wire.close_frame(code))
        self._end(None, resumable=code != NORMAL.code)
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
        node = self._node
        self._socket = None
        self._outbox.clear()
        self._uncount()
        node.websockets.discard(self)
        node.admission.leave(self._address)
        if self.counted:
            node.metrics.connections[self.transport, self.protocol] -= 1
            node.newcomers.discard(self)
        self._detach(None, resumable=True)
