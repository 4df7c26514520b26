"""Several nodes in one process, each with a hub, a bus and claims, and clients of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.hub.world import Client, World, settle

from hubbub.auth.revocation import Revocations
from hubbub.cluster.bus import Bus
from hubbub.cluster.claims import Claims
from hubbub.cluster.nodes import Nodes
from hubbub.cluster.records import COALESCE
from hubbub.state.base import NodeInfo
from hubbub.state.memory import MemoryState
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeState, SharedBroker

LEASE = 4.0


class StoppableClock(FakeClock):
    def stands(self, seconds: float) -> None:
        """So much time passes in which nothing runs."""
        self._monotonic += seconds


class CountingState(NodeState):
    """Counts what is written."""

    writes = 0

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        self.writes += 1
        return await super().swap(key, old, new, ttl)


class Peer:
    """One node. Its clock is its own, so that it can be stopped."""

    def __init__(self, shared: SharedBroker, state: MemoryState, id: str, **settings: Any) -> None:
        self.id = id
        self.clock = StoppableClock()
        self.broker = shared.node()
        self.state = CountingState(state)
        self.world = World(clock=self.clock, broker=self.broker, **settings)
        self.hub = self.world.hub
        self.hub.node_id = id
        self.nodes = Nodes(self.state, self.clock, LEASE, NodeInfo, self.hub.spawn, id=id)
        self.bus = Bus(self.hub, self.nodes, self.clock, 2.0)
        self.revocations = Revocations(self.clock, 3600.0)
        self.claims = Claims(self.hub, self.nodes, self.bus, self.state, self.revocations)
        self.stopped = False

    async def start(self) -> None:
        await self.hub.start()
        await self.nodes.start()
        await self.claims.start()

    async def resume(self, client: Client, **positions: Any) -> tuple[Client, dict[str, Any]]:
        """The client comes to this node; its new end, and what it is answered."""
        again = self.world.client()
        resume = {"session": client.session, "secret": client.secret, "positions": positions}
        reply = await again.ask(type="connect", resume=resume)
        again.session, again.secret = client.session, client.secret
        return again, reply

    def kill(self) -> None:
        """The process is gone: nothing is heard or said, nobody told, and no timer runs."""
        self.broker.kill()
        self.state.cut = self.stopped = True


class Cluster:
    def __init__(self, *ids: str, **settings: Any) -> None:
        self.clock = FakeClock()
        self.shared = SharedBroker(self.clock)
        self.state = MemoryState(self.clock)
        self.peers = [Peer(self.shared, self.state, id, **settings) for id in ids]

    async def start(self) -> Cluster:
        for peer in self.peers:
            await peer.start()
        await self.passes(1.0)
        return self

    def __iter__(self) -> Iterator[Peer]:
        return iter(self.peers)

    async def passes(self, seconds: float, *, step: float = 0.5) -> None:
        """Time goes by for all nodes that are not stopped."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            for peer in self.peers:
                move = peer.clock.stands if peer.stopped else peer.clock.advance
                move(min(step, seconds))
            await settle()
            seconds -= step

    async def written(self) -> None:
        """What has changed has been written down."""
        await self.passes(2 * COALESCE)


async def cluster(*ids: str, **settings: Any) -> Cluster:
    return await Cluster(*(ids or ("nodeAA", "nodeBB", "nodeCC")), **settings).start()


def kept(cluster: Cluster, client: Client) -> bytes:
    value = cluster.state._values.get(f"session:{client.session}")
    return value.data if value is not None else b""
