"""Real servers in one process that are nodes of one cluster, and the balancer before them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.balancer import Balancer
from tests.waiting import until

from hubbub.app import Hubbub
from hubbub.clock import SystemClock
from hubbub.cluster.claims import Claims
from hubbub.cluster.cluster import Cluster
from hubbub.cluster.nodes import Nodes
from hubbub.cluster.passes import Passes
from hubbub.config import Config, development
from hubbub.config.cluster import RedisConfig
from hubbub.state.memory import MemoryState
from hubbub.testing.cluster import NodeBroker, NodeState, SharedBroker
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.forwarding import Forwarder
from hubbub.transports.peers import Peers

SECRET = "0123456789abcdef0123456789abcdef"


@dataclass
class Node:
    """One of them."""

    app: Hubbub
    broker: NodeBroker
    state: NodeState
    cluster: Cluster
    claims: Claims
    forwarder: Forwarder
    address: str = ""
    server: RunningServer | None = None
    ends: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def nodes(self) -> Nodes:
        return self.cluster.nodes

    @property
    def port(self) -> int:
        assert self.server is not None
        return self.server.port

    async def start(self) -> None:
        self.server = await self.ends.enter_async_context(running_server(app=self.app))
        self.address = f"127.0.0.1:{self.server.port}"
        self.cluster.address = self.address
        await self.cluster.start()
        await self.claims.start()

    async def stop(self) -> None:
        """In order, as a process that was asked to."""
        await self.claims.stop()
        self.forwarder.stop()
        await self.cluster.stop()
        await self.ends.aclose()

    def vanish(self) -> None:
        """For the others: it answers nothing and shows no sign of life any more."""
        self.broker.kill()
        self.state.cut = True


class Three:
    """`balancer.url` is what clients connect to."""

    def __init__(self, nodes: list[Any], balancer: Balancer) -> None:
        self.nodes = nodes
        self.balancer = balancer

    @property
    def url(self) -> str:
        return self.balancer.url

    def token(self, user: str = "ada", **claims: Any) -> str:
        assert self.nodes[0].server is not None
        token: str = self.nodes[0].server.token(user, **claims)
        return token

    def node(self, id: str) -> Any:
        """The node on which a session, or a link, began."""
        return next(each for each in self.nodes if id.startswith(each.nodes.id))

    def others(self, id: str) -> list[Any]:
        return [each for each in self.nodes if not id.startswith(each.nodes.id)]


def _node(app: Hubbub, shared: SharedBroker, state: MemoryState, id: str) -> Node:
    broker, own = shared.node(), NodeState(state)
    hub = app.hub
    hub.broker = broker
    app.node.load.changed.clear()  # three servers and all clients share a loop: nothing is shed
    cluster = Cluster(hub, own, app.config, app.clock, id=id)
    app.socketio.join(cluster.bus)
    claims = Claims(hub, cluster.nodes, cluster.bus, own)
    passes = Passes(cluster.nodes, own, app.clock)
    forwarder = Forwarder(app.node, cluster.nodes, claims, passes, Peers(app.clock, 2.0))
    return Node(app, broker, own, cluster, claims, forwarder)


@contextlib.asynccontextmanager
async def three(
    make: Callable[[], Hubbub] | None = None, *, seed: int = 1, **sections: Any
) -> AsyncIterator[Three]:
    """Three nodes that know each other. `make` gives an application with handlers, else `sections` are as for
    `running_server`."""
    clock = SystemClock()
    shared, state = SharedBroker(clock), MemoryState(clock)
    nodes = [
        _node(
            make() if make is not None else Hubbub(development(Config(**sections), SECRET)),
            shared,
            state,
            f"node{letter}{letter}",
        )
        for letter in "ABC"
    ]
    try:
        for node in nodes:
            await node.start()
        for node in nodes:
            await node.nodes.look()
        await until(
            lambda: all(len(node.nodes.others) == 2 and node.forwarder._passes.ready for node in nodes)
        )
        async with Balancer([node.port for node in nodes], seed) as balancer:
            yield Three(nodes, balancer)
    finally:
        for node in nodes:
            await node.stop()


@contextlib.asynccontextmanager
async def three_on_redis(redis: RedisConfig, *, seed: int = 1, **sections: Any) -> AsyncIterator[Three]:
    """Three nodes by configuration alone, on a Redis."""
    config = development(Config(broker={"type": "redis"}, redis=redis, **sections), SECRET)
    async with contextlib.AsyncExitStack() as ends:
        nodes = []
        for _ in range(3):
            app = await asyncio.to_thread(Hubbub, config)  # it reads scripts
            app.node.load.changed.clear()
            server = await ends.enter_async_context(running_server(app=app))
            assert app._cluster is not None
            app._cluster.address = f"127.0.0.1:{server.port}"
            await app._cluster.nodes.look()
            nodes.append(Configured(app, server))
        await until(lambda: all(node.ready for node in nodes))
        balancer = await ends.enter_async_context(Balancer([node.port for node in nodes], seed))
        yield Three(nodes, balancer)


class Configured:
    """A node that was made by configuration alone."""

    def __init__(self, app: Hubbub, server: RunningServer) -> None:
        assert app._cluster is not None
        self.app = app
        self.server = server
        self.nodes = app._cluster.nodes
        self.claims = app._claims
        self.port = server.port

    @property
    def ready(self) -> bool:
        others = self.nodes.others.values()
        return len(others) == 2 and all(each.address for each in others) and self.app._forwarder._passes.ready
