"""Several whole nodes in one process, on one clock, joined by one broker and one State."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.hub.world import Client, World, settle, within

from hubbub.auth.revocation import Revocations
from hubbub.cluster.cluster import Cluster
from hubbub.presence.base import PresenceStore
from hubbub.state.memory import MemoryState
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeState, SharedBroker

T = TypeVar("T")


class Node:
    """One of them."""

    def __init__(self, several: Several, world: World) -> None:
        self.world = world
        self.hub = world.hub
        self.broker = several.shared.nodes[-1]
        self.state = NodeState(several.state)
        self.revocations = Revocations(several.clock, 3600.0)
        self.cluster = Cluster(self.hub, self.state, world.config, several.clock, self.revocations)

    @property
    def id(self) -> str:
        return self.cluster.nodes.id

    async def start(self) -> None:
        await self.hub.start()
        await self.cluster.start()

    async def stop(self) -> None:
        await self.cluster.stop()
        await self.hub.stop()

    def kill(self) -> None:
        """The process is gone, without a word."""
        self.broker.kill()
        self.state.cut = True
        self.cluster.nodes._running = False

    def cut_off(self) -> None:
        """No way to the broker nor to State, until `rejoin`."""
        self.broker.cut_off()
        self.state.cut = True

    def rejoin(self) -> None:
        self.state.cut = False
        self.broker.rejoin()

    async def connected(self, user: str, *channels: str) -> Client:
        return await self.world.connected(user, *channels)


class Several:
    """`several[0]` is the first. Settings are those of all."""

    def __init__(self, count: int = 3, *, presence: PresenceStore | None = None, **settings: Any) -> None:
        self.clock = FakeClock()
        self.shared = SharedBroker(self.clock)
        self.state = MemoryState(self.clock)
        self._presence = presence
        self._settings = settings
        self.nodes = [self.add() for _ in range(count)]

    def add(self) -> Node:
        """One more, not started."""
        world = World(broker=self.shared.node(), presence=self._presence, clock=self.clock, **self._settings)
        return Node(self, world)

    async def start(self) -> Self:
        for node in self.nodes:
            await node.start()
        await settle()
        return self

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        self.shared.resume()
        for node in self.nodes:
            await node.stop()

    def __getitem__(self, number: int) -> Node:
        return self.nodes[number]

    async def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            await settle()

    async def within(self, seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
        """What comes of `coroutine`, which may take so much time."""
        return await within(self.clock, seconds, coroutine)
