"""What connections over ASGI share: an outbox that is counted and bounded, and the response that streams it."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import SLOW, Disconnect, ErrorCode, HubbubError
from hubbub.model import DisconnectPush
from hubbub.protocols.base import Codec, Framing
from hubbub.transports import framing as wire
from hubbub.transports.http import TRANSPORT, Exchange, Scope, header_values
from hubbub.transports.node import Node, jittered
from hubbub.transports.outbox import Outbox

if TYPE_CHECKING:
    from hubbub.hub.session import Session

CHUNK = 65_536
"""Bytes that are sent at once, and the most that is put into one answer to a poll."""

RETRY = 1_000
"""Milliseconds after which an EventSource comes back."""

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the events
)
COMMENT = wire.sse_comment()


def connection_info(scope: Scope, transport: str, protocol: str) -> ConnectionInfo:
    """What is known of the client; the query is left out, for it may hold credentials."""
    origins = header_values(scope, b"origin")
    agents = header_values(scope, b"user-agent")
    return ConnectionInfo(
        address=(scope.get("client") or ("",))[0],
        transport=transport,
        protocol=protocol,
        origin=origins[0] if origins else None,
        user_agent=agents[0][:256] if agents else "",
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
    )


def check_room(node: Node) -> None:
    """Raises DRAINING or CONNECTION_LIMIT if no further connection can be taken in."""
    hub, limits = node.hub, node.config.limits
    if hub.draining:
        raise HubbubError(ErrorCode.DRAINING, retry_after=1.0)
    if node.crowded():
        raise HubbubError(ErrorCode.CONNECTION_LIMIT, retry_after=node.door.later())
    if len(hub.sessions) >= limits.connections:
        node.metrics.rejected["connections"] += 1
        raise HubbubError(ErrorCode.CONNECTION_LIMIT, retry_after=5.0)


class OutboxConnection(Outbox[deque[bytes]]):
    """The part of a `hubbub.hub.base.Connection` that does not depend on who reads: frames wait until a task takes and
    sends them, which subclasses wake and end.
    """

    resumable = True
    """Whether the client can come back to its session."""

    def __init__(
        self,
        node: Node,
        scope: Scope,
        codec: Codec,
        framing: Framing,
        info: ConnectionInfo,
        registry: set[OutboxConnection],
    ) -> None:
        check_room(node)
        super().__init__(node, deque())
        self._admitted: str | None = None
        if TRANSPORT not in (scope.get("extensions") or {}):  # our own server has counted the socket
            if not node.admission.enter(info.address):
                raise HubbubError(ErrorCode.CONNECTION_LIMIT, retry_after=5.0)
            self._admitted = info.address
        self.transport = info.transport
        self.protocol = info.protocol
        self.codec = codec
        self.framing = framing
        self.session: Session | None = None
        self.ended: Disconnect | None = None
        self._open = True
        self._allowance = 0.0  # bytes beyond the limit: one recovery may be larger
        self._paused: asyncio.Future[None] | None = None
        self._registry = registry
        registry.add(self)
        node.metrics.connections[self.transport, self.protocol] += 1
        node.metrics.connections_opened[self.transport, self.protocol] += 1
        node.hub.open(self, info)
        node.newcomers.add(self)

    @property
    def anonymous(self) -> bool:
        """Whether the client has not yet said who it is."""
        return self.session is None or not self.session.id

    # --- out ----------------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        if self._open and frame:  # a reply that goes another way leaves an empty one
            self._append(frame)

    @property
    def writable(self) -> bool:
        """Whether nothing waits in front of what is written now."""
        return self._open and not self._outbox

    def flush(self) -> None:
        self._dirty = False
        if self._queued > self._node.config.limits.queue_bytes + self._allowance and self._open:
            self._node.metrics.rejected["queue_bytes"] += 1
            self.abort(SLOW)
        else:
            self._wake()

    def take(self) -> bytes:
        """Frames that wait, joined up to about `CHUNK` bytes; b"" for none."""
        outbox = self._outbox
        if not outbox:
            self._allowance = 0
            return b""
        taken = [outbox.popleft()]
        size = len(taken[0])
        while outbox and size + len(outbox[0]) <= CHUNK:
            taken.append(outbox.popleft())
            size += len(taken[-1])
        self._count(-size)
        return b"".join(taken)

    # --- in -----------------------------------------------------------------------------------------------

    def pause(self) -> None:
        if self._paused is None:
            self._paused = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None and not paused.done():
            paused.set_result(None)

    async def ready(self) -> None:
        """Wait until the session takes commands again."""
        while self._paused is not None:
            await asyncio.shield(self._paused)

    # --- the end ------------------------------------------------------------------------------------------

    def close(self, reason: Disconnect, text: str = "") -> None:
        """Say why in a `disconnect` push behind all that waits, then end."""
        if self._open:
            self._say(reason, text)
            self._leave(reason)
            self._finish()

    def abort(self, reason: Disconnect) -> None:
        """Drop all that waits, and end."""
        if self._open:
            self.clear()
            self._say(reason)
            self._leave(reason)
            self._cut()

    def lost(self, *, resumable: bool = True) -> None:
        """The client has gone without a word."""
        if self._open:
            self.clear()
            self._leave(None, resumable=resumable)
            self._cut()

    def _say(self, reason: Disconnect, text: str = "") -> None:
        self._node.metrics.disconnects[reason.code] += 1
        if reason.code >= 3000:
            push = DisconnectPush(reason.code, text or reason.text, reason.reconnect)
            for payload in self.codec.push(push):
                self._append(self.framing((payload,)))

    def _leave(self, reason: Disconnect | None, *, resumable: bool = True) -> None:
        """From here on the session is on its own."""
        self._open = False
        self.ended = reason
        self.resume()
        metrics = self._node.metrics
        metrics.connections[self.transport, self.protocol] -= 1
        self._node.newcomers.discard(self)
        if self._admitted is not None:
            self._node.admission.leave(self._admitted)
        self._registry.discard(self)
        session, self.session = self.session, None
        if session is not None and session.connection is self:
            wanted = reason.resumable if reason is not None else resumable
            self._node.hub.detach(session, resumable=wanted and self.resumable)

    @abstractmethod
    def _wake(self) -> None:
        """There may be something to take."""

    @abstractmethod
    def _finish(self) -> None:
        """The end has been told to the hub: send what is left."""

    @abstractmethod
    def _cut(self) -> None:
        """Nothing more shall be sent."""


class EventStream:
    """A `text/event-stream` response. `take` gives what is due, b"" for nothing; `stalled` is called when the client
    has taken nothing for `write_timeout`."""

    def __init__(
        self, node: Node, exchange: Exchange, take: Callable[[], bytes], stalled: Callable[[], object]
    ) -> None:
        self._node = node
        self._exchange = exchange
        self._take = take
        self._stalled = stalled
        self._waiting: asyncio.Future[None] | None = None
        self._guard: asyncio.Timeout | None = None
        self._ending = False
        self._gone = False
        self._comment = False
        self._wrote = node.clock.monotonic()
        self._sending: float | None = None  # since when the client takes nothing
        self._left = 0

    async def run(self) -> None:
        """Stream until `end`, `abort` or the client's leaving."""
        watcher = asyncio.get_running_loop().create_task(self._watch())
        try:
            async with asyncio.timeout(None) as self._guard:
                await self._exchange.start(200, HEADERS)
                await self._send(b"retry: %d\n\n" % RETRY)
                while not self._gone:
                    if data := self._take():
                        await self._send(data)
                    elif self._ending:
                        await self._exchange.write(b"", more=False)
                        return
                    elif self._comment:
                        self._comment = False
                        await self._send(COMMENT)
                    else:
                        self._waiting = asyncio.get_running_loop().create_future()
                        await self._waiting
        except TimeoutError:
            return  # aborted
        finally:
            self._guard = None
            self._gone = True
            watcher.cancel()

    async def _send(self, data: bytes) -> None:
        self._sending = self._node.clock.monotonic()
        self._left = self._unsent()
        await self._exchange.write(data)
        self._sending = None
        self._wrote = self._node.clock.monotonic()

    async def _watch(self) -> None:
        await self._exchange.gone()
        self._gone = True
        self.wake()

    @property
    def blocked(self) -> bool:
        """Whether the client keeps us waiting."""
        return self._sending is not None

    def wake(self) -> None:
        """There may be something to take."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def end(self) -> None:
        """End once everything has been taken."""
        self._ending = True
        self.wake()

    def abort(self) -> None:
        """End now, whatever still waits in the socket's buffer."""
        self._gone = True
        if (socket := self._exchange.socket) is not None:
            socket.abort()
        if self._guard is not None:
            self._guard.reschedule(asyncio.get_running_loop().time())

    def beat(self, now: float) -> float:
        """Look for a client that does not read, and keep a silent stream alive. Returns when to look again."""
        config = self._node.config
        if self._sending is not None:
            left = self._unsent()
            if left < self._left:
                self._sending = now
            self._left = left
            if now - self._sending >= config.limits.write_timeout:
                self._node.metrics.rejected["write_timeout"] += 1
                self._stalled()
                return now
            return self._sending + config.limits.write_timeout
        interval = config.heartbeat.sse_comment
        if interval <= 0:
            return now + config.limits.write_timeout
        interval = min(interval, config.limits.write_timeout)
        if now - self._wrote >= interval * 0.85:
            self._comment = True
            self.wake()
            return now + jittered(interval)
        return self._wrote + interval

    def _unsent(self) -> int:
        socket = self._exchange.socket
        return socket.get_write_buffer_size() if socket is not None else 0
