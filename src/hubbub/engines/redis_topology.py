"""Which server of Redis has a key: one alone, the master that Sentinels know, or those of a Cluster."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Collection
from typing import Any, Protocol

from hubbub.clock import Clock
from hubbub.engines.redis_line import Locate
from hubbub.engines.redis_link import Address, Broken, Login, connect
from hubbub.engines.redis_peer import Peer
from hubbub.engines.resp import Push, RedisRefused, pack
from hubbub.errors import ConfigError, HubbubError
from hubbub.telemetry.metrics import Metrics

SLOTS = 16_384

MakePeer = Callable[[Locate, str], Peer]
"""A peer at that place, with that name for its probe."""


class Topology(Protocol):
    """Where keys are."""

    @property
    def peers(self) -> Collection[Peer]: ...

    def route(self, key: str | bytes | None) -> Peer:
        """The peer of a key, any for None. Raises HubbubError if none is known."""

    async def at(self, address: Address) -> Peer:
        """The peer at an address that a server named."""

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
        self.start = self._peer.start
        self.stop = self._peer.stop

    def route(self, key: str | bytes | None) -> Peer:
        return self._peer

    async def at(self, address: Address) -> Peer:
        return self._peer

    def stale(self) -> None:
        """It has no other place."""

    async def fresh(self) -> None:
        """It is what it was."""


class Sentinels:
    """Whom to ask for the master. Each that cannot be reached costs `login.timeout` seconds at the most."""

    def __init__(
        self, clock: Clock, metrics: Metrics, login: Login, nodes: Collection[Address], master: str
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._login = login
        self._nodes = list(nodes)
        self._question = pack(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master))
        self._master = master

    async def locate(self) -> Address:
        """Where the master is. Raises Broken; ConfigError if those who answer know none of that name."""
        nobody: Exception = Broken("sentinel", "no Sentinel answers")
        for node in list(self._nodes):
            try:
                reply = await ask(node, self._login, self._clock, self._metrics, self._question)
            except Broken:
                continue
            if reply is None:
                nobody = ConfigError(
                    f"redis.sentinel_master: Sentinels know no master named {self._master!r}"
                )
                continue
            self._nodes.remove(node)
            self._nodes.insert(0, node)  # who answered is asked first the next time
            return Address(reply[0].decode(), int(reply[1]))
        raise nobody


async def ask(node: Address, login: Login, clock: Clock, metrics: Metrics, question: bytes) -> Any:
    """The reply to one packed command, on a connection of its own. Raises Broken, ConfigError."""
    link = await connect(node, login, clock, metrics, _ignored)
    try:
        return await link.send(question)
    except (HubbubError, RedisRefused) as error:
        raise Broken("refused", "it does not answer what is asked") from error
    finally:
        link.drop("it was asked")


def slot(key: bytes) -> int:
    """Of the 16,384 parts of a Cluster, the one of a key: by what stands in its first braces, if anything does."""
    begin = key.find(b"{")
    if begin >= 0:
        end = key.find(b"}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return crc_hqx(key, 0) & (SLOTS - 1)


def _ignored(push: Push) -> None:
    """Nobody asked for it."""
