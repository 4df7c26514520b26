"""Which server of Redis has a key: one alone, the master that Sentinels know, or those of a Cluster."""

from __future__ import annotations

import asyncio
import contextlib
from binascii import crc_hqx
from collections.abc import Callable, Collection
from typing import Any, Protocol

from hubbub.clock import Clock
from hubbub.engines.redis_line import Locate, pause
from hubbub.engines.redis_link import Address, Broken, Link, Login, connect, unavailable
from hubbub.engines.redis_peer import Peer
from hubbub.engines.resp import Push, RedisRefused, pack
from hubbub.errors import ConfigError, HubbubError
from hubbub.telemetry.metrics import Metrics

SLOTS = 16_384

WATCH = 1.0
"""Seconds after which Sentinels are asked again."""

MakePeer = Callable[[Locate, str], Peer]
"""A peer at that place, with that name for its probe."""


class Topology(Protocol):
    """Where keys are. `publishing` is the command to publish with; `trouble` what is wrong besides the peers, or ""."""

    publishing: str
    trouble: str

    @property
    def peers(self) -> Collection[Peer]: ...

    def route(self, key: str | bytes | None) -> Peer:
        """The peer of a key, any for None. Raises HubbubError if none is known."""

    async def moved(self, message: str, asking: bool) -> Peer:
        """Who has a slot now (or, `asking`, is about to), by what a MOVED or ASK says: `<slot> <host>:<port>`."""

    async def start(self) -> None:
        """Find them. Raises ConfigError for what never will work."""

    async def stop(self) -> None: ...

    def stale(self) -> None:
        """It may have changed: look again."""

    async def fresh(self) -> None:
        """Returns when it has been looked at again."""


class Alone:
    """One server, whose address is `locate`'s to say."""

    def __init__(self, make: MakePeer, locate: Locate, probe: str) -> None:
        self._peer = make(locate, probe)
        self.peers = (self._peer,)
        self.publishing = "PUBLISH"
        self.trouble = ""

    async def start(self) -> None:
        await self._peer.start()

    async def stop(self) -> None:
        await self._peer.stop()

    def route(self, key: str | bytes | None) -> Peer:
        return self._peer

    async def moved(self, message: str, asking: bool) -> Peer:
        raise unavailable("it belongs to a Cluster, which `redis.mode` is to say")

    def stale(self) -> None:
        """It has no other place."""

    async def fresh(self) -> None:
        """It is what it was."""


class Sentinels:
    """Whom to ask for the master. Who answers is asked again, on the same connection; else each in turn, which costs
    `login.timeout` seconds at the most."""

    def __init__(
        self, clock: Clock, metrics: Metrics, login: Login, nodes: Collection[Address], master: str
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._login = login
        self._nodes = list(nodes)
        self._question = pack(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master))
        self._master = master
        self._link: Link | None = None

    async def locate(self) -> Address:
        """Where the master is. Raises Broken; ConfigError if those who answer know none of that name."""
        if self._link is not None:
            with contextlib.suppress(Broken):
                if (address := await self._ask(self._link)) is not None:
                    return address
        self.leave()
        nobody: Exception = Broken("sentinel", "no Sentinel answers")
        for node in self._nodes:
            try:
                link = await connect(node, self._login, self._clock, self._metrics, ignored)
                address = await self._ask(link)
            except Broken:
                continue
            if address is not None:
                self.leave()
                self._link = link
                return address
            link.drop("left", "it was asked")
            nobody = ConfigError(f"redis.sentinel_master: Sentinels know no master named {self._master!r}")
        raise nobody

    async def _ask(self, link: Link) -> Address | None:
        reply = await ask(link, self._question)
        return None if reply is None else Address(reply[0].decode(), int(reply[1]))

    def leave(self) -> None:
        """Forget who answered."""
        if self._link is not None:
            self._link.drop("left", "it was left")
            self._link = None


class Guarded(Alone):
    """The master that Sentinels know. They are asked each second, for the one before it may go on for long, and take
    writes that are lost, before anybody tells it that it is no master any more."""

    def __init__(self, make: MakePeer, sentinels: Sentinels, clock: Clock, probe: str) -> None:
        super().__init__(make, sentinels.locate, probe)
        self._sentinels = sentinels
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._watch())
        await super().start()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await super().stop()
        self._sentinels.leave()

    async def _watch(self) -> None:
        while True:
            await pause(self._clock, WATCH)
            try:
                address = await self._sentinels.locate()
            except Exception:  # nobody knows now: what stands goes on
                continue
            for line in (self._peer.commands, self._peer.listener):
                if line.link is not None and line.link.address != address:
                    line.drop("moved", "Sentinels have made another the master")


async def ask(link: Link, question: bytes) -> Any:
    """The reply to one packed command. Raises Broken, and the link is ended then."""
    try:
        return await link.send(question)
    except (HubbubError, RedisRefused) as error:
        link.drop("refused", "it does not answer")
        raise Broken("refused", "it does not answer what is asked") from error


def address_of(text: str) -> Address:
    """Of `host:port`; IPv6 has colons, too. Raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise ConfigError(f"redis.nodes: {text!r} is not host:port")
    return Address(host.strip("[]"), int(port))


def slot(key: bytes) -> int:
    """Of the 16,384 parts of a Cluster, the one of a key: by what stands in its first braces, if anything does."""
    begin = key.find(b"{")
    if begin >= 0:
        end = key.find(b"}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return crc_hqx(key, 0) & (SLOTS - 1)


def ignored(push: Push) -> None:
    """Nobody listens on that link."""
