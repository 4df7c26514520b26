"""Redis as an engine: commands that are pipelined, scripts, and channels that are listened to without end.

redis = Redis(config, clock, metrics)
redis.heard = lambda name, payload: ...
await redis.start()
await redis.listen(name)
await redis.call("SET", key, value, "EX", 60, key=key)
await redis.run(script, [key], [argument])
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from hubbub.clock import Clock, Timer
from hubbub.config.cluster import RedisConfig
from hubbub.engines.base import Condition, call_all
from hubbub.engines.redis_cluster import Cluster
from hubbub.engines.redis_line import NAME, Locate, log, pause
from hubbub.engines.redis_link import Address, Link, Login, unavailable
from hubbub.engines.redis_peer import Peer
from hubbub.engines.redis_script import Script
from hubbub.engines.redis_topology import Alone, Guarded, Sentinels, Topology, address_of
from hubbub.engines.resp import Part, RedisRefused, pack
from hubbub.errors import ConfigError, HubbubError
from hubbub.telemetry.metrics import Metrics

__all__ = ["Redis", "RedisRefused", "Script"]

PROBE = 0.6
"""Seconds from one probe to the next: whoever is deaf knows it, and listens anew, within two."""
REDIRECTIONS = 5
AGAIN = 0.05
"""Seconds until a command is repeated whose keys are just being moved: TRYAGAIN, or one redirection after another."""
ASKING = pack(("ASKING",))
UNAVAILABLE = frozenset(
    {
        "READONLY",
        "LOADING",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "NOAUTH",
        "NOREPLICAS",
        "MISCONF",
        "OOM",
        "BUSY",
        "TRYAGAIN",
    }
)
"""Error replies that are about the server's state and not about what was asked: nothing was done."""


class Redis:
    """A server, one behind Sentinels, or a Cluster. Names and keys are the users', with `prefix` put in by them.

    `heard` gets each message on a name that is listened to, in order for each name. `missed` are called after listening
    was interrupted and all names are heard again; `renewed` when commands reach a server again, or another one, or one
    that has forgotten its keys: users then write theirs again. What any of them raises is logged.
    """

    def __init__(self, config: RedisConfig, clock: Clock, metrics: Metrics) -> None:
        self.prefix = config.prefix
        self.heard: Callable[[str, bytes], object] = lambda name, payload: None
        self.missed: list[Callable[[], object]] = []
        self.renewed: list[Callable[[], object]] = []
        self.condition = Condition(False, clock.monotonic(), "not started")
        self._clock = clock
        self._metrics = metrics
        self._login, address = parse(config)
        self._topology = self._build(config, address)
        self._users = 0
        self._started: asyncio.Future[None] | None = None
        self._timer: Timer | None = None

    # --- begin and end ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Several may: each is to `stop`. Returns when the first attempt to connect is over, however it went; Redis is
        tried on and on. Raises ConfigError for what never will work: a wrong password, a version that is too old."""
        self._users += 1
        if self._started is None:
            self._started = asyncio.ensure_future(self._begin())
        try:
            await asyncio.shield(self._started)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """The last one's ends it; what still waits is refused."""
        self._users -= 1
        if self._users or self._started is None:
            return
        started, self._started = self._started, None
        started.cancel()
        await asyncio.wait([started])
        if self._timer is not None:
            self._timer.cancel()
        await self._topology.stop()
        self.condition = Condition(False, self._clock.monotonic(), "stopped")
        self._metrics.engine_up[NAME] = self._metrics.engine_breaker_open[NAME] = 0

    async def _begin(self) -> None:
        self._metrics.engine_up[NAME] = 0
        self._timer = self._clock.call_later(PROBE, self._tick)
        await self._topology.start()
        self.judge()

    # --- commands -----------------------------------------------------------------------------------------------

    async def call(self, *command: Part, key: str | bytes | None = None) -> Any:
        """The reply to a command, at the server of `key` (any, without one).

        Replies are as RESP3 has them: text is bytes (`OK` too), maps are dicts. Raises HubbubError BROKER_UNAVAILABLE
        when there is no answer within `redis.timeout`, at once when Redis is known to be away, or when its state
        forbids it; RedisRefused for other error replies. It may be cancelled at any time.
        """
        packed = pack(command)
        peer = self._topology.route(key)
        try:
            return await peer.commands.require().send(packed)
        except RedisRefused as refused:
            return await self._again(refused, peer, lambda link: packed, key)

    async def run(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Part] = ()) -> Any:
        """The reply to a script, at the server of the first key: all are to lie in one slot (hash tags).

        Two more ARGV come at the end: who writes at the other end of that very connection (`Greeting.writer`), and the
        command to publish with (see `publishing`). Raises as `call` does.
        """
        peer = self._topology.route(keys[0])
        link = peer.commands.require()
        try:
            return await link.send(self._packed("EVALSHA", script.sha, keys, args, link))
        except RedisRefused as refused:
            if refused.code != "NOSCRIPT":
                return await self._again(
                    refused, peer, lambda link: self._packed("EVAL", script.source, keys, args, link), keys[0]
                )
        try:
            return await link.send(self._packed("EVAL", script.source, keys, args, link))
        except RedisRefused as refused:
            return await self._again(
                refused, peer, lambda link: self._packed("EVAL", script.source, keys, args, link), keys[0]
            )

    async def publish(self, name: str, payload: bytes) -> int:
        """Publish to all who listen to `name`; how many the server knows of. Raises as `call` does."""
        reply: int = await self.call(self.publishing, name, payload, key=name)
        return reply

    async def each_server(self, *command: Part) -> list[Any]:
        """The replies of all masters. Raises as `call` does, if one of them does."""
        packed = pack(command)
        links = [peer.commands.require() for peer in self._topology.peers]
        waiting = [link.send(packed) for link in links]
        replies = await asyncio.gather(*waiting, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, RedisRefused) and reply.code in UNAVAILABLE:
                raise unavailable(f"it is not ready ({reply.code})")
            if isinstance(reply, BaseException):
                raise reply
        return replies

    @property
    def publishing(self) -> str:
        """`SPUBLISH` where channels belong to slots (a Cluster of Redis 7 or later), else `PUBLISH`."""
        return self._topology.publishing

    def _packed(
        self, word: str, script: str, keys: Sequence[str | bytes], args: Sequence[Part], link: Link
    ) -> bytes:
        return pack((word, script, len(keys), *keys, *args, link.greeting.writer, self._topology.publishing))

    async def _again(
        self, refused: RedisRefused, peer: Peer, make: Callable[[Link], bytes], key: str | bytes | None
    ) -> Any:
        """What an error reply asks for: another server, another time. Raises as `call` does."""
        for attempt in range(REDIRECTIONS):
            code = refused.code
            asking = code == "ASK"
            if code in ("MOVED", "ASK"):
                if attempt:  # they do not agree yet on whose it is
                    await pause(self._clock, AGAIN)
                peer.refused(code)
                peer = await self._topology.moved(refused.message, asking)
            elif code == "TRYAGAIN":
                await pause(self._clock, AGAIN)
            else:
                break
            link = peer.commands.require()
            if asking:
                link.send(ASKING)
            try:
                return await link.send(make(link))
            except RedisRefused as another:
                refused = another
        peer.refused(refused.code)
        if refused.code in UNAVAILABLE:
            raise unavailable(f"it is not ready ({refused.code})") from None
        raise refused

    # --- listening ----------------------------------------------------------------------------------------------

    async def listen(self, name: str) -> None:
        """Hear what is published to `name` from when this returns. Raises HubbubError BROKER_UNAVAILABLE if that cannot
        be now: it is remembered, and `missed` tells when all is heard. RedisRefused if it may not be."""
        for attempt in range(REDIRECTIONS):
            try:
                await self._topology.route(name).listener.listen(name)
                return
            except RedisRefused as refused:
                if refused.code != "MOVED" or attempt == REDIRECTIONS - 1:
                    raise
                self._topology.stale()
                await self._topology.fresh()

    async def unlisten(self, name: str) -> None:
        """Hear it no more. Raises nothing."""
        try:
            listener = self._topology.route(name).listener
        except HubbubError:
            return
        await listener.unlisten(name)

    def relisten(self) -> None:
        """Make the lines that listen anew: somebody has found out that not all is heard. `missed` follows."""
        for peer in self._topology.peers:
            peer.listener.drop("asked", "it was asked for")

    # --- what the lines tell (Owner) ----------------------------------------------------------------------------

    def judge(self) -> None:
        if self._started is None:
            return
        peers = self._topology.peers
        troubles = [trouble for peer in peers if (trouble := peer.trouble)]
        detail = troubles[0] if troubles else self._topology.trouble
        if len(peers) > 1 and troubles:
            detail = f"{len(troubles)} of {len(peers)} servers: {detail}"
        lines = [line for peer in peers for line in (peer.commands, peer.listener)]
        self._metrics.engine_breaker_open[NAME] = sum(line.breaker.open for line in lines)
        if detail == self.condition.detail and self.condition.up is (not detail):
            return
        before = self.condition
        since = before.since if before.up is (not detail) else self._clock.monotonic()
        self.condition = Condition(not detail, since, detail)
        self._metrics.engine_up[NAME] = int(not detail)
        if before.up and detail:
            log.warning("engine down", engine=NAME, detail=detail)
        elif not detail:
            log.info("engine up", engine=NAME)

    def renew(self) -> None:
        call_all(self.renewed, NAME)

    def miss(self) -> None:
        call_all(self.missed, NAME)

    def stale(self) -> None:
        self._topology.stale()

    def _tick(self) -> None:
        self._timer = self._clock.call_later(PROBE, self._tick)
        for peer in list(self._topology.peers):
            peer.tick()

    # --- how it is put together ---------------------------------------------------------------------------------

    def _build(self, config: RedisConfig, address: Address) -> Topology:
        probe = f"{config.prefix}:probe:{secrets.token_hex(6)}"
        if config.mode == "sentinel":
            password = config.sentinel_password.get_secret_value() if config.sentinel_password else None
            login = Login(config.sentinel_username, password, 0, self._login.tls, config.timeout)
            nodes = [address_of(node) for node in config.nodes] or [address]
            sentinels = Sentinels(self._clock, self._metrics, login, nodes, config.sentinel_master)
            return Guarded(self._peer, sentinels, self._clock, probe)

        if config.mode == "cluster":
            seeds = (address, *map(address_of, config.nodes))
            return Cluster(self._peer, seeds, self._login, self._clock, self._metrics, self, probe)

        async def locate() -> Address:
            return address

        return Alone(self._peer, locate, probe)

    def _peer(self, locate: Locate, probe: str) -> Peer:
        return Peer(self._clock, self._metrics, self._login, locate, self, self._hear, probe)

    def _hear(self, name: str, payload: bytes) -> None:
        self.heard(name, payload)


def parse(config: RedisConfig) -> tuple[Login, Address]:
    """How to begin, and where. Raises ConfigError."""
    parts = urlsplit(config.url.get_secret_value())
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ConfigError("redis.url: it begins with redis://, rediss:// or unix://")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    login = Login(username, password, _database(config, parts), _tls(config, parts), config.timeout)
    if parts.scheme == "unix":
        return login, Address(path=unquote(parts.path))
    try:
        return login, Address(parts.hostname or "127.0.0.1", parts.port or 6379)
    except ValueError:
        raise ConfigError("redis.url: its port is no port") from None


def _database(config: RedisConfig, parts: SplitResult) -> int:
    text = "0"
    if parts.scheme == "unix":
        text = dict(part.partition("=")[::2] for part in parts.query.split("&")).get("db", "0")
    elif parts.path.strip("/"):
        text = parts.path.strip("/")
    if not text.isdecimal():
        raise ConfigError("redis.url: its path is the number of a database")
    if config.mode == "cluster" and int(text):
        raise ConfigError("redis.url: a Cluster has no database but 0")
    return int(text)


def _tls(config: RedisConfig, parts: SplitResult) -> ssl.SSLContext | None:
    if parts.scheme != "rediss":
        return None
    try:
        context = ssl.create_default_context(cafile=config.tls_ca)
        if config.tls_certificate is not None:
            context.load_cert_chain(config.tls_certificate, config.tls_key)
    except OSError as error:
        raise ConfigError(f"redis.tls_*: the files cannot be read: {error.strerror or error}") from None
    return context
