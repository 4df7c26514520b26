"""NATS as an engine: subjects that are published and listened to, and JetStream's interface.

A connection to one of the servers of `nats.url`, made again for ever. Speaking the protocol ourselves, a message costs
no task and no queue, and nothing that happens can end the listening without another begin.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from hubbub.clock import Clock
from hubbub.config.cluster import NatsConfig
from hubbub.engines.base import Condition, call_all
from hubbub.engines.breaker import Breaker
from hubbub.engines.nats_wire import Info, NatsError, Wire, headers_of
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.engines")

ENGINE = "nats"
PORT = 4222
OLDEST = (2, 9)
PROBE = 1.0
"""Seconds between probes; with two of them missing, the connection is made again."""
RETRY_AFTER = 1.0
NO_RESPONDERS = b"503"
DIFFERENT = 10058
"""JetStream's error code: there is such a stream, configured otherwise."""
NEVER = ("authorization", "authentication", "user authentication")

Handler = Callable[[bytes, bytes, bytes, bytes], object]
"""Subject, reply subject, headers, body."""


class NatsRefused(Exception):
    """JetStream's answer that it did not do something: `code` is its `err_code`."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code


def unavailable() -> HubbubError:
    return HubbubError(ErrorCode.BROKER_UNAVAILABLE, retry_after=RETRY_AFTER)


class Nats:
    """Subjects get no prefix by the engine: users put `prefix` in. Start and stop are counted."""

    def __init__(self, config: NatsConfig, clock: Clock, metrics: Metrics) -> None:
        self.prefix = config.prefix
        self.replicas = config.replicas
        self.timeout = config.timeout
        self.node = secrets.token_hex(6)
        self.condition = Condition(False, clock.monotonic(), "not started")
        self.missed: list[Callable[[], object]] = []
        """Called after the connection was interrupted and all subjects are listened to again, and when a node says so
        by `tell_all`."""
        self.renewed: list[Callable[[], object]] = []
        """Called whenever there is a connection, before `missed`: what JetStream kept may be gone."""
        self.info = Info()
        self._servers = [_address(url) for url in config.url.get_secret_value().split(",")]
        self._clock = clock
        self._metrics = metrics
        self._breaker = Breaker(random.random)
        self._numbers = itertools.count(10)
        self._handlers: dict[int, tuple[str, Handler]] = {}
        self._listening: dict[str, int] = {}
        self._inbox = f"_INBOX.{self.node}"
        self._asked: dict[bytes, asyncio.Future[tuple[dict[bytes, bytes], bytes]]] = {}
        self._own = f"{self.prefix}.node.{self.node}"
        self._all = f"{self.prefix}.all"
        self._streams: list[dict[str, Any]] = []
        self._probes = [0, 0]  # sent, heard
        self._wire: Wire | None = None
        self._lost: asyncio.Future[Exception] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._users = 0
        self._before = False

    # --- life ---------------------------------------------------------------------------------------------

    def need(self, stream: dict[str, Any]) -> None:
        """Have a stream of that configuration there, whenever there is a connection. Before `start`."""
        self._streams.append(stream)

    async def start(self) -> None:
        """Raises ConfigError for what will never work. It goes on without a server that does not answer now."""
        self._users += 1
        if self._users > 1:
            return
        try:
            await self._connect()
        except (ConfigError, NatsRefused) as error:
            self._users -= 1
            self._drop()
            raise ConfigError(f"nats.url cannot be used: {error}") from error
        except Exception as error:
            self._drop()
            self._failed(error)
        self._tasks = [asyncio.create_task(self._serve()), asyncio.create_task(self._probe())]

    async def stop(self) -> None:
        self._users -= 1
        if self._users or not self._tasks:
            return
        if self._wire is not None and self._wire.open:  # let go out what was said
            await asyncio.wait([self._wire.confirm()], timeout=self.timeout)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._drop()
        self._judge("stopped")

    # --- speaking and hearing -----------------------------------------------------------------------------

    def publish(self, subject: str, body: bytes, headers: bytes = b"") -> asyncio.Future[None]:
        """Say it. The future, which need not be waited for, is done when the server has it and this node has heard what
        it says itself. Raises HubbubError BROKER_UNAVAILABLE at once if there is no connection; the future raises
        what ended the connection."""
        if (wire := self._wire) is None:
            raise unavailable()
        wire.publish(subject, body, "", headers)
        return wire.confirm()

    async def confirmed(self, future: asyncio.Future[None]) -> None:
        """Wait for what `publish` gave. Raises HubbubError BROKER_UNAVAILABLE."""
        try:
            await asyncio.shield(future)
        except (OSError, NatsError):
            raise unavailable() from None

    async def request(
        self, subject: str, body: bytes, headers: bytes = b""
    ) -> tuple[dict[bytes, bytes], bytes]:
        """Headers and body of the answer. Raises HubbubError BROKER_UNAVAILABLE if there is none in time."""
        if (wire := self._wire) is None:
            raise unavailable()
        reply = f"{self._inbox}.{next(self._numbers):x}"
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[dict[bytes, bytes], bytes]] = loop.create_future()
        self._asked[reply.encode()] = future
        began = self._clock.monotonic()
        timer = loop.call_later(self.timeout, expire, future)
        try:
            wire.publish(subject, body, reply, headers)
            answer = await future
        except TimeoutError as error:
            self._cut(error)
            raise unavailable() from None
        except (OSError, NatsError):
            raise unavailable() from None
        finally:
            timer.cancel()
            self._asked.pop(reply.encode(), None)
        if answer[0].get(b"") == NO_RESPONDERS:
            self._metrics.engine_errors[ENGINE, "no responders"] += 1
            raise unavailable()
        self._metrics.engine_seconds.observe(self._clock.monotonic() - began)
        return answer

    async def api(self, subject: str, **asked: Any) -> dict[str, Any]:
        """JetStream's answer. Raises NatsRefused, and HubbubError BROKER_UNAVAILABLE."""
        _, raw = await self.request(f"$JS.API.{subject}", msgspec.json.encode(asked) if asked else b"")
        return answered(raw)

    async def listen(self, subject: str, handler: Handler) -> None:
        """From when this returns, `handler` is called with what is published there, in order. If there is no connection
        that is later, and `missed` tells."""
        self.attach(subject, handler)
        if self._wire is not None:
            try:
                await self.confirmed(self._wire.confirm())
            except HubbubError:
                return

    def attach(self, subject: str, handler: Handler) -> None:
        """As `listen`, from when the server has what is said now."""
        number = self._listening.get(subject)
        if number is None:
            number = self._listening[subject] = next(self._numbers)
            if self._wire is not None:
                self._wire.subscribe(subject, number)
        self._handlers[number] = subject, handler

    def unlisten(self, subject: str) -> None:
        if (number := self._listening.pop(subject, None)) is not None:
            del self._handlers[number]
            if self._wire is not None:
                self._wire.unsubscribe(number)

    def tell_all(self) -> asyncio.Future[None]:
        """Have all nodes look whether they missed something. Raises as `publish`."""
        return self.publish(self._all, b"")

    def inbox(self) -> str:
        """A subject of this node's own, to be listened to for a while."""
        return f"{self._inbox}x.{next(self._numbers):x}"

    # --- the connection -----------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            try:
                if self._wire is None:
                    await self._connect()
                assert self._lost is not None
                raise await self._lost
            except Exception as error:
                # Whatever it is, without the task nothing would ever be said or heard again.
                self._drop()
                self._failed(error)
            self._metrics.engine_reconnects[ENGINE] += 1
            await asyncio.sleep(self._breaker.delay())

    async def _connect(self) -> None:
        server = self._servers[0]
        self._servers.append(self._servers.pop(0))
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[Exception] = loop.create_future()

        def ended(error: Exception) -> None:
            if not lost.done():
                lost.set_result(error)

        async with asyncio.timeout(self.timeout):
            _, wire = await loop.create_connection(
                lambda: Wire(self._heard, ended, self.timeout), server.hostname or "", server.port or PORT
            )
            try:
                await self._greet(wire, server)
                wire.subscribe(f"{self._inbox}.*", 1)
                wire.subscribe(self._own, 2)
                wire.subscribe(self._all, 3)
                for number, (subject, _) in self._handlers.items():
                    wire.subscribe(subject, number)
                await wire.confirm()
                self._wire, self._lost = wire, lost
                for stream in self._streams:
                    await self._make(stream)
            except BaseException:
                self._wire = None
                wire.abort()
                raise
        self._breaker.succeeded(self._clock.monotonic())
        self._probes[1] = self._probes[0]
        self._judge()
        call_all(self.renewed, ENGINE)
        if self._before:
            call_all(self.missed, ENGINE)
        self._before = True

    async def _greet(self, wire: Wire, server: SplitResult) -> None:
        self.info = info = await wire.info
        version = tuple(int(part) for part in info.version.split(".")[:2] if part.isdecimal())
        if version < OLDEST or not info.headers:
            raise ConfigError(f"NATS {info.version} is too old; 2.9 or later is needed")
        if info.tls_required or server.scheme == "tls":
            assert wire.transport is not None
            transport = await asyncio.get_running_loop().start_tls(
                wire.transport,
                wire,
                await asyncio.to_thread(ssl.create_default_context),
                server_hostname=server.hostname,
            )
            assert transport is not None
            wire.rewire(transport)
        told: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "lang": "python",
            "version": "1",
            "name": "hubbub",
            "protocol": 1,
            "echo": True,
            "headers": True,
            "no_responders": True,
        }
        if server.username and server.password:
            told |= {"user": unquote(server.username), "pass": unquote(server.password)}
        elif server.username:
            told["auth_token"] = unquote(server.username)
        wire.write(b"CONNECT " + msgspec.json.encode(told) + b"\r\n")
        try:
            await wire.confirm()
        except NatsError as error:
            if str(error).lower().startswith(NEVER):
                raise ConfigError(f"NATS says: {error}") from error
            raise

    async def _make(self, stream: dict[str, Any]) -> None:
        name = stream["name"]
        try:
            await self.api(f"STREAM.CREATE.{name}", **stream)
        except NatsRefused as refused:
            if refused.code != DIFFERENT:
                raise
            await self.api(f"STREAM.UPDATE.{name}", **stream)

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abort()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ConnectionError("the connection was lost"))
                future.exception()
        self._asked.clear()

    def _cut(self, error: Exception) -> None:
        """The connection is there, and does not answer."""
        if self._wire is not None and self._lost is not None and not self._lost.done():
            self._lost.set_result(error)
            self._drop()
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
        if not self._breaker.open:
            log.warning("no connection to NATS; trying on", reason=reason)
        self._breaker.failed(self._clock.monotonic())
        self._metrics.engine_errors[ENGINE, reason] += 1
        self._judge("NATS does not answer")

    def _heard(self, number: int, subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
        if number == 1:
            if (future := self._asked.get(subject)) is not None and not future.done():
                future.set_result((headers_of(headers) if headers else {}, body))
        elif number == 2:
            if body.isdigit():
                self._probes[1] = max(self._probes[1], min(int(body), self._probes[0]))
        elif number == 3:
            call_all(self.missed, ENGINE)
        elif (found := self._handlers.get(number)) is not None:
            try:
                found[1](subject, reply, headers, body)
            except Exception:
                log.exception("what was heard from NATS was not taken")

    async def _probe(self) -> None:
        """Hear oneself each second: a connection that is open need not be one that hears."""
        while True:
            await asyncio.sleep(PROBE)
            if (wire := self._wire) is None:
                continue
            if self._probes[0] - self._probes[1] >= 2:
                self._cut(TimeoutError())
                continue
            self._probes[0] += 1
            wire.publish(self._own, str(self._probes[0]).encode())

    def _judge(self, detail: str = "") -> None:
        self._metrics.engine_up[ENGINE] = int(not detail)
        self._metrics.engine_breaker_open[ENGINE] = int(self._breaker.open)
        if detail != self.condition.detail:
            self.condition = Condition(not detail, self._clock.monotonic(), detail)


def expire(future: asyncio.Future[Any]) -> None:
    """What was waited for did not come."""
    if not future.done():
        future.set_exception(TimeoutError("NATS does not answer"))


def answered(raw: bytes) -> dict[str, Any]:
    """An answer of JetStream's. Raises NatsRefused."""
    try:
        answer: dict[str, Any] = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise NatsRefused(0, "an answer that is none") from None
    if (error := answer.get("error")) is not None:
        raise NatsRefused(error.get("err_code", 0), error.get("description", ""))
    return answer


def _address(url: str) -> SplitResult:
    address = urlsplit(url.strip() if "://" in url else f"nats://{url.strip()}")
    if address.scheme not in ("nats", "tls") or not address.hostname:
        raise ConfigError("nats.url is not nats://user:password@host:port, or several of these with commas.")
    return address
