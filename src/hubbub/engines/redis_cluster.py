"""A Redis Cluster: which of its masters has which slots, and what to do when that changes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from hubbub.clock import Clock
from hubbub.engines.redis_line import Locate, Owner, log, pause, stopping
from hubbub.engines.redis_link import Address, Broken, Link, Login, connect, unavailable
from hubbub.engines.redis_peer import Peer
from hubbub.engines.redis_topology import SLOTS, MakePeer, address_of, ignored, slot
from hubbub.engines.resp import RedisRefused, pack
from hubbub.errors import ConfigError, HubbubError
from hubbub.telemetry.metrics import Metrics

QUESTION = pack(("CLUSTER", "SLOTS"))
EVERY = 10.0
"""Seconds after which servers are asked for their slots although nothing points to a change."""
LOOK = 0.5
"""Seconds after which they are asked while one of them is away."""
BETWEEN = 0.1
"""Seconds between two questions at the least: views of a change spread by gossip, and come one after the other."""
SHARDED = (7, 0)

Ranges = dict[Address, list[tuple[int, int]]]


class Cluster:
    """Peers for all masters. Names that are listened to go along when their slots do."""

    def __init__(
        self,
        make: MakePeer,
        seeds: Iterable[Address],
        login: Login,
        clock: Clock,
        metrics: Metrics,
        owner: Owner,
        probe: str,
    ) -> None:
        self.trouble = "no server is known"
        self.publishing = "PUBLISH"
        self._make = make
        self._seeds = list(seeds)
        self._login = login
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._probe = probe
        self._by: dict[Address, Peer] = {}
        self._table: list[Peer | None] = [None] * SLOTS
        self._ranges: Ranges = {}
        self._homeless: set[str] = set()
        self._doubted = False
        self._preferred: Peer | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._asked = False
        self._looked: asyncio.Future[None] | None = None

    @property
    def peers(self) -> Collection[Peer]:
        return self._by.values()

    async def start(self) -> None:
        try:
            await self._look()
        except Broken as error:
            self.trouble = str(error)
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self.trouble = "no server is known"
        peers, self._by = self._by, {}
        self._table = [None] * SLOTS
        self._ranges = {}
        await asyncio.gather(*(peer.stop() for peer in peers.values()))

    def route(self, key: str | bytes | None) -> Peer:
        peer: Peer | None
        if key is None:
            for peer in self._by.values():
                if peer.commands.link is not None:
                    return peer
            raise unavailable(self.trouble or "no server answers")
        peer = self._table[slot(key.encode() if isinstance(key, str) else key)]
        if peer is None:
            raise unavailable(self.trouble or "no server has that slot")
        return peer

    async def moved(self, message: str, asking: bool) -> Peer:
        """Who has a slot now, by what an error reply says: `<slot> <host>:<port>`."""
        number, _, place = message.partition(" ")
        address = address_of(place)
        peer = self._by.get(address)
        if peer is None:
            self.stale()
            await self.fresh()
            peer = self._by.get(address)
            if peer is None:
                raise unavailable("a server is named that is not known")
        elif not asking:
            self._table[int(number)] = peer
            self._doubted = True
            self._preferred = peer
            self.stale()
        return peer

    def stale(self) -> None:
        self._asked = True
        self._wake.set()

    async def fresh(self) -> None:
        if self._looked is None:
            self._looked = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._looked)

    # --- looking again ------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        last = self._clock.monotonic()
        while True:
            timer = self._clock.call_later(LOOK, self._wake.set)
            await self._wake.wait()
            timer.cancel()
            self._wake.clear()
            away = not self._by or any(peer.commands.link is None for peer in self._by.values())
            if not (self._asked or away or self._clock.monotonic() - last >= EVERY):
                continue
            last = self._clock.monotonic()
            try:
                await self._look()
            except (Exception, asyncio.CancelledError) as error:  # whatever it is: they are asked again
                if stopping():
                    raise
                if not isinstance(error, Broken | ConfigError):
                    log.exception("the servers of a Cluster could not be found")
                if not self._by:
                    self.trouble = str(error)
                    self._owner.judge()
            await pause(self._clock, BETWEEN)

    async def _look(self) -> None:
        """Ask one of them, and take what it says. Raises Broken, ConfigError."""
        self._asked = False
        looked, self._looked = self._looked, None
        try:
            link, reply = await self._ask()
            await self._take(_ranges(reply, link.address), sharded=link.greeting.version >= SHARDED)
            await self._regain()
        finally:
            if looked is not None:
                looked.set_result(None)

    async def _ask(self) -> tuple[Link, Any]:
        """Who answered, and what. Those that are connected are asked first."""
        for peer in ([self._preferred] if self._preferred else []) + list(self._by.values()):
            if peer.commands.link is not None:
                with contextlib.suppress(HubbubError, RedisRefused):
                    return (link := peer.commands.link), await link.send(QUESTION)
        nobody: Exception = Broken("refused", "it cannot be reached")
        for address in dict.fromkeys((*self._by, *self._seeds)):
            try:
                link = await connect(address, self._login, self._clock, self._metrics, ignored)
            except (Broken, ConfigError) as error:
                nobody = error
                continue
            try:
                return link, await link.send(QUESTION)
            except RedisRefused as error:
                nobody = Broken(error.code.lower(), f"it is not ready ({error.code})")
                if "cluster support disabled" in error.message:
                    nobody = ConfigError("redis.mode: that server belongs to no Cluster")
            except HubbubError as error:
                nobody = Broken("lost", error.message)
            finally:
                link.drop("left", "it was asked")
        raise nobody

    async def _take(self, ranges: Ranges, sharded: bool) -> None:
        """Servers that are new are connected to, those without slots left, and names go where their slots are."""
        if ranges == self._ranges and not self._doubted:
            return
        self._doubted = False
        first = self._task is None
        if not self._ranges:  # what all nodes do alike, for as long as they run
            self.publishing = "SPUBLISH" if sharded else "PUBLISH"
        new = [address for address in ranges if address not in self._by]
        for address in new:
            self._by[address] = peer = self._make(_fixed(address), "")
            peer.listener.sharded = self.publishing == "SPUBLISH"
        left = [self._by.pop(address) for address in list(self._by) if address not in ranges]
        self._ranges = ranges
        self._table = [None] * SLOTS
        for address, parts in ranges.items():
            for begin, last in parts:
                self._table[begin : last + 1] = [self._by[address]] * (last + 1 - begin)
        self.trouble = "a part of the slots has no server" if None in self._table else ""
        for peer in self._by.values():
            probe = peer.listener.probe
            if not probe or self._table[slot(probe.encode())] is not peer:
                peer.rename(self._name(peer))
        moved = self._rehouse(left)
        outcomes = await asyncio.gather(
            *(self._by[address].start() for address in new), return_exceptions=True
        )
        wrong = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
        if first and wrong is not None:
            raise wrong
        await asyncio.gather(*(peer.listener.adopt(names) for peer, names in moved.items()))
        await asyncio.gather(*(peer.stop() for peer in left))
        if new and not first:
            self._owner.renew()
        if moved and not first:
            self._owner.miss()
        self._owner.judge()

    async def _regain(self) -> None:
        """Names of slots that went away and came back while nobody looked."""
        for peer in list(self._by.values()):
            listener = peer.listener
            taken, listener.taken = listener.taken & listener.names, set()
            if taken:
                await listener.adopt(taken)
                self._owner.miss()

    def _rehouse(self, left: Collection[Peer]) -> dict[Peer, list[str]]:
        """Give the names of slots that have moved to who has them now; which names each got."""
        moved: dict[Peer, list[str]] = defaultdict(list)
        for peer in (*left, *self._by.values()):
            gone = [
                name for name in peer.listener.names if self._table[slot(name.encode())] not in (peer, None)
            ]
            for name in gone:
                moved[self._table[slot(name.encode())]].append(name)  # type: ignore[index]
            peer.listener.forsake(gone)
        for peer in left:
            self._homeless |= peer.listener.names
        for name in list(self._homeless):
            if (home := self._table[slot(name.encode())]) is not None:
                moved[home].append(name)
                self._homeless.discard(name)
        for peer, names in moved.items():
            peer.listener.names.update(names)
        return moved

    def _name(self, peer: Peer) -> str:
        """A name for its probe that lies in one of its slots."""
        for number in itertools.count():
            name = f"{self._probe}.{number}"
            if self._table[slot(name.encode())] is peer:
                return name
        raise AssertionError("every server of the table has a slot")


def _fixed(address: Address) -> Locate:
    async def locate() -> Address:
        return address

    return locate


def _ranges(reply: Any, asked: Address) -> Ranges:
    """From the reply to CLUSTER SLOTS: `[[first, last, [host, port, ...], replica...], ...]`. Raises Broken."""
    ranges: Ranges = {}
    for first, last, master, *_ in reply:
        host = master[0].decode() if master[0] else asked.host
        if host == "?":
            raise Broken("cluster", "a server does not know its own name")
        ranges.setdefault(Address(host, master[1]), []).append((first, last))
    if not ranges:
        raise Broken("cluster", "no server has slots")
    return {address: sorted(parts) for address, parts in sorted(ranges.items(), key=lambda item: item[1])}
