"""Nodes with Socket.IO in one process, joined by one broker and one State."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.hub.world import within
from tests.socketio.world import Peer, World, settle

from hubbub.cluster.cluster import Cluster
from hubbub.socketio import SocketIo
from hubbub.state.memory import MemoryState
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeBroker, NodeState, SharedBroker

T = TypeVar("T")


class Node:
    def __init__(self, world: World, broker: NodeBroker, cluster: Cluster) -> None:
        self.world = world
        self.broker = broker
        self.cluster = cluster
        self.sio: SocketIo = world.sio

    @property
    def id(self) -> str:
        return self.cluster.nodes.id

    async def entered(self, user: str, *namespaces: str, **link: Any) -> Peer:
        return await self.world.entered(user, *namespaces, **link)


class Several:
    def __init__(self, count: int = 3, **settings: Any) -> None:
        self.clock = FakeClock()
        self.shared = SharedBroker(self.clock)
        state = MemoryState(self.clock)
        self.nodes: list[Node] = []
        for _ in range(count):
            broker = self.shared.node()
            world = World(broker=broker, clock=self.clock, **settings)
            cluster = Cluster(world.hub, NodeState(state), world.config, self.clock)
            world.sio.join(cluster.bus)
            self.nodes.append(Node(world, broker, cluster))

    async def __aenter__(self) -> Several:
        for node in self.nodes:
            await node.world.start()
            await node.cluster.start()
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            await node.cluster.stop()
            await node.world.hub.stop()

    def __getitem__(self, number: int) -> Node:
        return self.nodes[number]

    async def within(self, seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
        """What comes of `coroutine`, which may take so much time."""
        return await within(self.clock, seconds, coroutine)
