"""Engine.IO by long-polling, as the carrier of a session: a GET waits for packets, a POST brings some, one of each at
a time. Nothing here waits: the requests are answered when there is something to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import SLOW, Disconnect, ErrorCode, ProtocolError
from hubbub.protocols import engineio
from hubbub.protocols.engineio import SEPARATOR, PacketType
from hubbub.transports.direct import Request
from hubbub.transports.engineio import compression
from hubbub.transports.engineio.requests import (
    BROKEN,
    NO_SUCH_METHOD,
    POLL,
    POLL_ENCODED,
    TAKEN,
    TOO_LARGE,
)
from hubbub.transports.node import Node
from hubbub.transports.outbox import Outbox

if TYPE_CHECKING:
    from hubbub.transports.engineio.session import Session

PACKETS = 16
"""Packets of one answer: python-engineio refuses more."""
NEVER = float("inf")
LINGER = 30.0
"""Seconds for which a session that was closed waits for the poll that is told so."""


class Polling(Outbox[list[bytes]]):
    """The carrier; `write` takes what `engineio.poll` makes."""

    __slots__ = (
        "_body",
        "_closing",
        "_due",
        "_get",
        "_post",
        "_session",
        "heard",
        "taking",
    )
    transport = "polling"

    def __init__(self, node: Node, session: Session) -> None:
        super().__init__(node, [])
        self._session: Session | None = session
        self._get: Request | None = None
        self._post: Request | None = None
        self._body: bytes | None = None  # of a POST that came while nothing is taken
        self._closing: float | None = None  # until when the last poll is waited for
        self._due = NEVER
        self.heard = node.clock.monotonic()
        self.taking = True
        self.call_at(session.due)

    # --- out ----------------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        self._append(frame)

    @property
    def writable(self) -> bool:
        return self._get is not None and not self._outbox

    def flush(self) -> None:
        self._dirty = False
        if self._get is not None and self._outbox:
            self._answer(self._take())
        if self._queued > self._node.config.limits.queue_bytes and self._session is not None:
            self._node.metrics.rejected["queue_bytes"] += 1
            self._session.abort(SLOW)

    def _take(self) -> bytes:
        """The first packets that wait, as many as one answer may hold."""
        outbox = self._outbox
        if len(outbox) == 1 and SEPARATOR not in outbox[0]:  # as mostly
            body = outbox.pop()
            self._count(-len(body))
            return body
        packets: list[bytes] = []
        taken = size = 0
        rest: list[bytes] = []
        while taken < len(outbox) and not rest and len(packets) < PACKETS:
            frame = outbox[taken]
            more = frame.split(SEPARATOR)
            rest = more[PACKETS - len(packets) :]
            packets += more[: PACKETS - len(packets)]
            size += len(frame)
            taken += 1
        del outbox[:taken]
        if rest:
            outbox.insert(0, SEPARATOR.join(rest))
            size -= len(outbox[0])
        self._count(-size)
        return SEPARATOR.join(packets)

    def _answer(self, body: bytes) -> None:
        request, self._get = self._get, None
        assert request is not None
        request.reader = None
        config = self._node.config.socketio
        answer = POLL
        if config.http_compression and len(body) >= config.http_compression_minimum:
            coding = compression.choose(request.header(b"accept-encoding") or b"")
            if coding is not None:
                answer, body = POLL_ENCODED[coding], compression.compress(coding, body)
        request.respond(answer, body)

    def release(self) -> None:
        """Answer a poll that waits with nothing: a client that upgrades waits for its end."""
        if self._get is not None:
            self._answer(engineio.NOOP)

    # --- requests -----------------------------------------------------------------------------------------

    def take(self, request: Request) -> None:
        """A request with the session's id, its body yet to come."""
        if request.method == "GET":
            self._poll(request)
        elif request.method == "POST":
            self._begin(request)
        else:
            request.respond(NO_SUCH_METHOD)

    def _poll(self, request: Request) -> None:
        session = self._session
        if self._get is not None and session is not None:
            session.fail("transport error")
            request.respond(BROKEN)
            return
        self._get = request
        request.reader = self
        if self._outbox:
            self._answer(self._take())
        elif self._closing is not None:
            self._finish(engineio.NOOP + SEPARATOR + engineio.CLOSE)

    def _begin(self, request: Request) -> None:
        if self._post is not None or request.header(b"content-type") == b"application/octet-stream":
            if self._session is not None:
                self._session.fail("transport error")
            request.respond(BROKEN)
            return
        self._post = request
        request.reader = self

    def read(self, request: Request, body: bytes) -> None:
        if request is not self._post:
            return  # a GET's body: nobody wants it
        self.heard = self._node.clock.monotonic()
        if self.taking:
            self._post = None  # whatever comes of the packets, they were taken
            self._read(body)
            if not self.taking and self._session is not None:
                self._post, self._body = request, b""
                return
            request.reader = None
            request.respond(TAKEN, b"ok")
        else:
            self._body = body

    def _read(self, body: bytes) -> None:
        metrics, limits = self._node.metrics, self._node.config.limits
        metrics.bytes_in += len(body)
        fault: ProtocolError | None = None
        try:
            packets = engineio.decode_payload(body, packets=limits.packets)
        except ProtocolError as error:
            packets, fault = tuple(error.commands), error
            if error.code is ErrorCode.LIMIT_EXCEEDED:
                metrics.rejected["packets"] += 1
        metrics.messages_in += len(packets)
        for packet in packets:
            session = self._session
            if session is None:
                return
            if packet.type is PacketType.CLOSE:
                session.left()
                session.gone("transport close", resumable=True)
                self._finish(engineio.NOOP)
                return
            session.receive(packet)
        if fault is not None and self._session is not None:
            self._session.fail("parse error")

    def oversized(self, request: Request) -> None:
        self._node.metrics.rejected["packet_bytes"] += 1
        self._post = None
        request.reader = None
        request.respond(TOO_LARGE)

    def lost(self, request: Request) -> None:
        if request is self._get:
            self._get = None
        else:
            self._post = self._body = None
        if self._session is not None:
            self._session.gone("transport error", resumable=True)
            self._finish(engineio.CLOSE)

    def pause(self) -> None:
        self.taking = False

    def resume(self) -> None:
        """Read the body that waits, if one does, and let the client send the next."""
        if self.taking:
            return
        self.taking = True
        self.heard = self._node.clock.monotonic()
        request, body = self._post, self._body
        self._body = None
        if request is None or body is None:
            return
        if body:
            self.read(request, body)
        else:
            self._post = request.reader = None
            request.respond(TAKEN, b"ok")

    # --- deadlines ----------------------------------------------------------------------------------------

    def call_at(self, at: float) -> None:
        if at < self._due:
            self._due = at
            self._node.wheel.add(self, at)

    def pinged(self) -> None: ...

    def ping_advances(self) -> bool:
        return False

    def beat(self, now: float) -> float | None:
        if now < self._due:
            return None  # another entry in the wheel stands for this session
        again = self._look(now)
        self._due = again if again is not None else NEVER
        return again

    def _look(self, now: float) -> float | None:
        session = self._session
        if session is None:
            return None
        if self._closing is None:
            return session.check(now) or self._closing
        if now < self._closing:
            return self._closing
        self.drop()
        return None

    # --- the end ------------------------------------------------------------------------------------------

    def close(self, reason: Disconnect) -> None:
        """Say that it is over behind all that waits: now, or when the client polls."""
        self._node.metrics.disconnects[reason.code] += 1
        if self._get is not None and self._outbox:
            self._answer(self._take())
        if self._get is not None:
            self._finish(engineio.CLOSE)
        else:
            self._stop_post()
            self._closing = self._node.clock.monotonic() + LINGER
            self.call_at(self._closing)

    def fail(self, reason: Disconnect) -> None:
        """The end at once."""
        self._node.metrics.disconnects[reason.code] += 1
        self._finish(engineio.CLOSE)

    abort = fail

    def drop(self) -> None:
        """Wait no longer for the client to fetch what is left."""
        self._finish(engineio.CLOSE)

    def _finish(self, last: bytes) -> None:
        """Nothing is carried any more; a poll that waits gets `last`."""
        if self._get is not None:
            self._answer(last)
        self._stop_post()
        self.clear()
        session, self._session = self._session, None
        if session is not None:
            session.forget()

    def leave(self) -> list[bytes]:
        """The client has upgraded: the packets that wait are for the WebSocket."""
        if self._get is not None:
            self._answer(engineio.CLOSE)
        if self._body:
            body, self._body = self._body, b""
            self._read(body)  # though nothing should be taken just now: it came before the upgrade
        packets = [packet for frame in self._outbox for packet in engineio.split(frame)]
        self._stop_post()
        self.clear()
        self._session = None
        return packets

    def _stop_post(self) -> None:
        """A POST that has been read is answered, and any other cut off."""
        request, body = self._post, self._body
        self._post = self._body = None
        if request is None:
            return
        request.reader = None
        if body is None:
            request.abort()
        else:
            request.respond(TAKEN, b"ok")
