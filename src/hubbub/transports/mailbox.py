"""The Connection of a session over HTTP: it persists between requests.

Replies answer the POST that brought their command. Pushes are numbered from 1 and wait in the mailbox until the
client has acknowledged them, so that neither a broken poll nor a dropped stream loses any, and a repeat can be told
by its number. One GET reads at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hubbub.errors import INSUFFICIENT_STATE, REPLACED, SLOW, ErrorCode, HubbubError
from hubbub.model import Acknowledged, Command, DisconnectPush, Invalid, Reply, SessionPush
from hubbub.protocols.base import Codec, Encoding, Payload
from hubbub.transports import framing as wire
from hubbub.transports.http import Exchange
from hubbub.transports.node import Node
from hubbub.transports.polling import Poll
from hubbub.transports.streams import CHUNK, EventStream, OutboxConnection, connection_info

PROTOCOL = "native-json"


class Reader(Protocol):
    """The GET that reads. `blocked` tells whether it waits for a client that does not take what is sent."""

    @property
    def blocked(self) -> bool: ...
    async def run(self) -> None: ...
    def wake(self) -> None: ...
    def end(self) -> None: ...
    def abort(self) -> None: ...
    def beat(self, now: float) -> float: ...


class RepliesApart:
    """A Codec whose replies do not go to the connection but to `answer`; everything else is `codec`'s."""

    def __init__(self, codec: Codec, answer: Callable[[Reply], None]) -> None:
        self._codec = codec
        self._answer = answer

    def receive(self, data: bytes | str) -> Sequence[Command | Invalid | Payload]:
        return self._codec.receive(data)

    def reply(self, reply: Reply | Acknowledged) -> Sequence[Payload]:
        if not isinstance(reply, Acknowledged):  # of Socket.IO's alone
            self._answer(reply)
        return ()

    def push(self, push: SessionPush) -> Sequence[Payload]:
        return self._codec.push(push)

    def encoding(self, channel: str) -> Encoding:
        return self._codec.encoding(channel)


@dataclass(slots=True)
class _Post:
    """Commands that are being handled, and the replies so far."""

    expected: int
    done: asyncio.Future[None]
    replies: list[Reply] = field(default_factory=list)

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Mailbox(OutboxConnection):
    """`_outbox` holds what the reader has yet to take, `_sent` what it has taken and not acknowledged."""

    def __init__(self, node: Node, exchange: Exchange, registry: set[OutboxConnection]) -> None:
        self.json = node.protocols[PROTOCOL].codec()
        super().__init__(
            node,
            exchange.scope,
            RepliesApart(self.json, self._answered),
            wire.poll_body,
            connection_info(exchange.scope, "poll", PROTOCOL),
            registry,
        )
        self.secret = ""
        self._forgotten: Callable[[], object] | None = None
        self._sent: deque[bytes] = deque()
        self._sent_bytes = 0
        self._head = 0  # the number of the last push
        self._dropped = 0  # the number of the last one let go without an acknowledgement
        self._mark = (0, 0.0)
        self._reader: Reader | None = None
        self._farewells: dict[Reader, bytes] = {}
        self._post: _Post | None = None
        self._posts = 0
        self._turn = asyncio.Lock()
        self._seen = node.clock.monotonic()
        heartbeat = node.config.heartbeat
        self._grace = heartbeat.ping_interval + heartbeat.ping_timeout
        self._due = float("inf")
        self._remembered = True

    def begin(self, secret: str, forgotten: Callable[[], object]) -> None:
        """The session stands. From now on it needs a reader, or a POST now and then; `forgotten` is called when
        nothing more can be read here."""
        self.secret = secret
        self._forgotten = forgotten
        self._beat_at(self._seen + self._grace)

    # --- commands and their replies -----------------------------------------------------------------------

    async def execute(self, commands: Sequence[Command | Invalid]) -> list[Reply]:
        """Hand `commands` to the session; their replies, in order. Fewer if the session ends meanwhile.

        Raises RATE_LIMITED if too many others wait, SESSION_GONE if the session has ended.
        """
        limit = self._node.config.limits.pending_commands
        if self._posts >= limit:
            self._node.metrics.rejected["pending_commands"] += 1
            raise HubbubError(
                ErrorCode.RATE_LIMITED,
                f"more than limits.pending_commands = {limit} requests",
                retry_after=1.0,
            )
        self._posts += 1
        try:
            async with self._turn:
                return await self._execute(commands)
        finally:
            self._posts -= 1
            self._seen = self._node.clock.monotonic()

    async def _execute(self, commands: Sequence[Command | Invalid]) -> list[Reply]:
        if not self._open:
            raise HubbubError(ErrorCode.SESSION_GONE)
        post = self._post = _Post(len(commands), asyncio.get_running_loop().create_future())
        try:
            for command in commands:
                await self.ready()
                if self.session is None:
                    break
                self.session.accept(command)
            if self._open and len(post.replies) < post.expected:
                await post.done
            if commands and not post.replies:
                raise HubbubError(ErrorCode.SESSION_GONE)
            return post.replies
        finally:
            self._post = None

    def _answered(self, reply: Reply) -> None:
        post = self._post
        if post is not None:
            post.replies.append(reply)
            if len(post.replies) == post.expected:
                post.finish()

    # --- the reader ---------------------------------------------------------------------------------------

    async def stream(self, exchange: Exchange, seen: int | None) -> None:
        """Answer a GET with server-sent events. `seen`: the last number that the client has, None if unknown."""
        self._acknowledge(seen)
        reader = EventStream(self._node, exchange, lambda: self._events(reader), lambda: self.abort(SLOW))
        await self._read(reader, "sse")

    async def poll(self, exchange: Exchange, seen: int | None) -> None:
        """Answer a long-poll with lines of JSON."""
        self._acknowledge(seen)
        reader = Poll(self._node, exchange, lambda: self._lines(reader), lambda: self._first - 1)
        await self._read(reader, "poll")

    async def _read(self, reader: Reader, transport: str) -> None:
        self._replace_reader(reader)
        if self._open:
            self._relabel(transport)
            self._beat_at(reader.beat(self._node.clock.monotonic()))
        else:
            reader.end()
        try:
            await reader.run()
        finally:
            self._farewells.pop(reader, None)
            if self._reader is reader:
                self._reader = None
                self._seen = self._node.clock.monotonic()
                self._beat_at(self._seen + self._grace)
                if not self._open and not self._outbox:
                    self._forget()

    def _replace_reader(self, reader: Reader) -> None:
        old, self._reader = self._reader, reader
        if old is not None:
            push = DisconnectPush(REPLACED.code, REPLACED.text, REPLACED.reconnect)
            self._farewells[old] = wire.poll_body(self.json.push(push))
            old.end()
            if old.blocked:
                old.abort()
        self._mark = (0, self._node.clock.monotonic())
        # The last reader may not have got what it took.
        self._outbox.extendleft(reversed(self._sent))
        self._count(self._sent_bytes)
        self._sent.clear()
        self._sent_bytes = 0

    def _relabel(self, transport: str) -> None:
        connections = self._node.metrics.connections
        connections[self.transport, self.protocol] -= 1
        connections[transport, self.protocol] += 1
        self.transport = transport

    @property
    def _first(self) -> int:
        """The number of the first push that has not been taken."""
        return self._head - len(self._outbox) + 1

    def _events(self, reader: Reader) -> bytes:
        if reader is not self._reader:
            farewell = self._farewells.pop(reader, b"")
            return b"data: " + farewell + b"\n" if farewell else b""
        number = self._first
        taken = self._taken()
        return b"".join([b"id: %d\ndata: %b\n" % (number + i, line) for i, line in enumerate(taken)])

    def _lines(self, reader: Reader) -> bytes:
        if reader is not self._reader:
            return self._farewells.pop(reader, b"")
        return b"".join(self._taken())

    def _taken(self) -> list[bytes]:
        """Move what the reader takes now to `_sent`."""
        taken: list[bytes] = []
        size = 0
        while self._outbox and (not taken or size + len(self._outbox[0]) <= CHUNK):
            taken.append(self._outbox.popleft())
            size += len(taken[-1])
        self._count(-size)
        self._sent.extend(taken)
        self._sent_bytes += size
        while self._sent and self._sent_bytes + self._queued > self._node.config.limits.queue_bytes:
            self._drop()
        return taken

    def _acknowledge(self, seen: int | None) -> None:
        """Let go what the client has. Raises BAD_REQUEST for a number that was never given."""
        if seen is not None and seen > self._head:
            raise HubbubError(ErrorCode.BAD_REQUEST, f"nothing was sent with the number {seen}")
        if (seen or 0) < self._dropped and self._open:
            self._node.metrics.gaps["lost"] += 1
            self.abort(INSUFFICIENT_STATE)  # it has to resume with its positions
            return
        while self._sent and self._first - len(self._sent) <= (seen or 0):
            self._sent_bytes -= len(self._sent.popleft())
        while self._outbox and self._first <= (seen or 0):
            self._count(-len(self._outbox.popleft()))

    def _drop(self) -> None:
        self._dropped = self._first - len(self._sent)
        self._sent_bytes -= len(self._sent.popleft())

    def _age(self, now: float) -> None:
        """Let go what a stream has sent at least `write_timeout` ago: had it not arrived, TCP_USER_TIMEOUT would
        have ended the connection by now."""
        mark, since = self._mark
        if now - since >= self._node.config.limits.write_timeout:
            while self._sent and self._first - len(self._sent) <= mark:
                self._drop()
            self._mark = (self._first - 1, now)

    # --- what goes on ------------------------------------------------------------------------------------

    def _append(self, frame: bytes) -> None:
        self._head += 1
        super()._append(frame)

    def clear(self) -> None:
        super().clear()
        self._sent.clear()
        self._sent_bytes = 0
        self._dropped = self._head

    def beat(self, now: float) -> float | None:
        """Called by the wheel."""
        if now < self._due or not self._remembered:
            return None
        self._due = float("inf")
        if self._reader is not None:
            if isinstance(self._reader, EventStream):
                self._age(now)
            self._due = min(self._due, self._reader.beat(now))
        elif self._post is not None:
            self._due = now + self._grace
        elif now - self._seen < self._grace:
            self._due = self._seen + self._grace
        else:
            self.lost()
            self._forget()
            return None
        return self._due

    def _beat_at(self, at: float) -> None:
        if at < self._due:
            self._due = at
            self._node.wheel.add(self, at)

    def _wake(self) -> None:
        if self._reader is not None:
            self._reader.wake()

    def _finish(self) -> None:
        self._stop_posts()
        if self._reader is not None:
            self._reader.end()

    def _cut(self) -> None:
        self._stop_posts()
        if self._reader is not None:
            self._reader.abort()
        elif self.ended is None:
            self._forget()

    def _stop_posts(self) -> None:
        if self._post is not None:
            self._post.finish()

    def _forget(self) -> None:
        """Between the end and the next GET, which is told of it, the mailbox is remembered for the grace."""
        if self._remembered:
            self._remembered = False
            self.clear()
            if self._forgotten is not None:
                self._forgotten()
