"""One connection to a Redis server: commands of one turn of the loop leave in one write, replies come back in order."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from msgspec import Struct

from hubbub.clock import Clock, Timer
from hubbub.engines.resp import ProtocolBroken, Push, Reader, RedisRefused, pack
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.telemetry.metrics import Metrics

FULL = 64 * 1024 * 1024
"""Bytes that wait for a server which reads nothing, from which on commands are refused."""
OLDEST = (6, 2)


Tag = tuple[bytes, bytes]
"""Kind and name of the push that answers a command."""


class Address(Struct, frozen=True):
    """Where a server listens: `host` and `port`, or the `path` of a socket."""

    host: str = ""
    port: int = 0
    path: str = ""


class Login(Struct, frozen=True):
    """How connections begin. `timeout` is seconds, for a connection to be made and for a command to be answered."""

    username: str | None
    password: str | None
    database: int
    tls: ssl.SSLContext | None
    timeout: float


class Greeting(Struct, frozen=True):
    """What a server says of itself. `run_id` is another after each start of its process, and `history` (its
    `master_replid`) also after it was a replica in between; `role` is `master`, `replica`, or "" for a Sentinel."""

    run_id: bytes
    version: tuple[int, int]
    role: str
    history: bytes = b""

    @property
    def writer(self) -> bytes:
        """Who writes there: where this is the same, nothing that was written is gone."""
        return self.run_id + b"." + self.history[:16] if self.history else self.run_id


class Broken(Exception):
    """A connection could not be made, or is not what is looked for; `reason` is a word for metrics."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


def unavailable(detail: str) -> HubbubError:
    """What callers get: whether their command was carried out is not known."""
    return HubbubError(ErrorCode.BROKER_UNAVAILABLE, f"Redis: {detail}")


class Link(asyncio.Protocol):
    """A connection, made by `connect`. When it ends, all that waits is told, and `ended` has the reason."""

    def __init__(
        self, clock: Clock, metrics: Metrics, timeout: float, pushed: Callable[[Push], object]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Broken] = loop.create_future()
        self.address = Address()
        self.greeting = Greeting(b"", (0, 0), "")
        self._loop = loop
        self._clock = clock
        self._timeout = timeout
        self._pushed = pushed
        self._observe = metrics.engine_seconds.observe
        self._transport: asyncio.WriteTransport | None = None
        self._reader = Reader()
        self._waiting: deque[tuple[asyncio.Future[Any], float, Tag | None]] = deque()
        self._out: list[bytes] = []
        self._now = 0.0
        self._timer: Timer | None = None
        self._full = False

    def send(self, packed: bytes, tag: Tag | None = None) -> asyncio.Future[Any]:
        """Send a packed command with the next write; the future has the reply, or raises RedisRefused or, when the
        connection ends first, HubbubError. It may be cancelled: the reply to it is then thrown away.

        `tag` is of commands that are answered by a push."""
        if self._full or self.ended.done():
            raise unavailable("too much waits for it" if self._full else str(self.ended.result()))
        if not self._out:
            self._now = self._clock.monotonic()
            self._loop.call_soon(self._flush)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._out.append(packed)
        self._waiting.append((future, self._now, tag))
        return future

    def drop(self, reason: str, detail: str) -> None:
        """End it now, with a word for metrics and a few for people."""
        if self._transport is not None:
            self._transport.abort()
        self._end(Broken(reason, detail))

    def confirm(self, tag: Tag) -> bool:
        """A push is the answer to the command with this tag, if that is the one whose turn it is."""
        if not self._waiting or self._waiting[0][2] != tag:
            return False
        future = self._waiting.popleft()[0]
        if not future.done():
            future.set_result(None)
        return True

    # --- what the loop calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's do not derive from it
        self._transport.set_write_buffer_limits(high=FULL)
        if self.ended.done():
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(Broken("lost", "the connection was lost"))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except ProtocolBroken:
            self.drop("protocol", "it does not speak RESP3")
            return
        waiting = self._waiting
        observe = self._observe
        now = self._clock.monotonic()
        for reply in replies:
            kind = type(reply)
            if kind is Push:
                self._pushed(reply)
                continue
            if not waiting:
                self.drop("protocol", "it answered what nobody asked")
                return
            future, sent, _ = waiting.popleft()
            observe(now - sent)
            if future.done():
                continue
            if kind is RedisRefused:
                future.set_exception(reply)
            else:
                future.set_result(reply)

    # --- the rest -----------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is None or self.ended.done():
            return
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._timer is None:
            self._timer = self._clock.call_later(self._timeout, self._look)

    def _look(self) -> None:
        """Is the oldest command's answer overdue? There is one timer for all, not one each."""
        self._timer = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + self._timeout - self._clock.monotonic()
        if left > 0:
            self._timer = self._clock.call_later(left, self._look)
        else:  # loops read before they look at timers: what came while ours was busy is not late
            self.drop("timeout", "it does not answer")

    def _end(self, broken: Broken) -> None:
        if self.ended.done():
            return
        self.ended.set_result(broken)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, deque()
        for future, _, _ in waiting:
            if not future.done():
                future.set_exception(unavailable(str(broken)))
                future.exception()  # it is known: nobody has to ask


async def connect(
    address: Address, login: Login, clock: Clock, metrics: Metrics, pushed: Callable[[Push], object]
) -> Link:
    """A link on which one may speak. Raises Broken, or ConfigError for what no patience mends; within the timeout."""
    link = Link(clock, metrics, login.timeout, pushed)
    link.address = address
    try:
        async with asyncio.timeout(login.timeout):
            await _dial(link, address, login)
            await _greet(link, login)
    except BaseException as error:
        link.drop("lost", "it did not begin")
        if isinstance(error, HubbubError):
            raise link.ended.result() from None
        if isinstance(error, TimeoutError):
            raise Broken("timeout", "it does not answer") from None
        if isinstance(error, ssl.SSLError):
            raise Broken("tls", f"TLS failed: {error.reason}") from None
        if isinstance(error, OSError):
            raise Broken("refused", "it cannot be reached") from None
        raise
    return link


async def _dial(link: Link, address: Address, login: Login) -> None:
    loop = asyncio.get_running_loop()
    if address.path:
        await loop.create_unix_connection(lambda: link, address.path)
    else:
        await loop.create_connection(lambda: link, address.host, address.port, ssl=login.tls)


async def _greet(link: Link, login: Login) -> None:
    """Say who we are, and hear who it is, in one round trip."""
    hello: list[str] = ["HELLO", "3"]
    if login.password is not None:
        hello += ["AUTH", login.username or "default", login.password]
    commands: list[list[str]] = [[*hello, "SETNAME", "hubbub"], ["PING"], ["INFO"]]
    if login.database:
        commands.append(["SELECT", str(login.database)])
    replies: list[Any] = await asyncio.gather(
        *(link.send(pack(command)) for command in commands), return_exceptions=True
    )
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, RedisRefused):
            raise _refusal(command[0], reply)
        if isinstance(reply, BaseException):
            raise reply
    said, info = replies[0], replies[2]
    facts = dict(line.split(b":", 1) for line in info.split(b"\r\n") if b":" in line)
    major, minor = said[b"version"].split(b".")[:2]
    version = (int(major), int(minor))
    if version < OLDEST:
        raise ConfigError(
            f"redis.url: Redis 6.2 or later is needed, this is {major.decode()}.{minor.decode()}"
        )
    link.greeting = Greeting(
        facts.get(b"run_id", b""),
        version,
        said.get(b"role", b"").decode(),
        facts.get(b"master_replid", b""),
    )


def _refusal(command: str, refused: RedisRefused) -> Exception:
    code, message = refused.code, refused.message
    if command == "HELLO" and code in ("WRONGPASS", "NOAUTH"):
        return ConfigError("redis.url: the server wants another user or password")
    if command == "HELLO" and (code == "NOPROTO" or "unknown command" in message):
        return ConfigError("redis.url: Redis 6.2 or later is needed")
    if code == "NOPERM":
        return ConfigError(
            f"redis.url: the user may not say {command}; docs/how-to/redis.md lists its rights"
        )
    if command == "SELECT":
        return ConfigError("redis.url: there is no such database at that server")
    return Broken(code.lower(), f"it is not ready ({code})")
