"""This node among the others: the whole of it, as `app` starts and stops it."""

from __future__ import annotations

from collections.abc import Callable

from hubbub import __version__
from hubbub.auth.revocation import Revocations
from hubbub.auth.revocation_log import RevocationLog
from hubbub.clock import Clock
from hubbub.cluster.bus import Bus, Request
from hubbub.cluster.headcounts import Headcounts
from hubbub.cluster.nodes import Nodes
from hubbub.cluster.remote import Nothing, RemoteNodes
from hubbub.config import Config
from hubbub.hub.hub import Hub
from hubbub.state.base import NodeInfo, State

HELLO = Request("hello", Nothing, type(None))
GOODBYE = Request("goodbye", Nothing, type(None))


class Cluster:
    """To be made before the hub starts, started after it and stopped before it.

    `address` is the `host:port` at which others reach this node; `load` gives its level and how full it is.
    """

    def __init__(
        self,
        hub: Hub,
        state: State,
        config: Config,
        clock: Clock,
        revocations: Revocations | None = None,
        *,
        id: str | None = None,
    ) -> None:
        self._hub = hub
        self._name = config.cluster.name
        self._started = clock.now()
        self.address = config.cluster.address
        self.load: Callable[[], tuple[str, float]] = lambda: ("normal", 0.0)
        self.nodes = Nodes(state, clock, config.cluster.lease, self._describe, hub.spawn, id=id)
        self.bus = Bus(hub, self.nodes, clock, config.cluster.request_timeout)
        log = RevocationLog(state, revocations) if revocations is not None else None
        self.remote = RemoteNodes(hub, self.nodes, self.bus, revocations, log)
        self.headcounts = Headcounts(hub, self.nodes, self.bus)
        self.bus.on(HELLO, self._hello)
        self.bus.on(GOODBYE, self._goodbye)
        hub.node_id = self.nodes.id
        hub.remote = self.remote
        hub.metrics.gauges["nodes"] = lambda: len(self.nodes.others) + 1
        self.nodes.lapsed.append(self._lapsed)

    async def start(self) -> None:
        """Join the others, and learn what they have to say. Does not fail because nobody answers."""
        self.bus.start()
        await self.nodes.start()
        await self.bus.tell_all(HELLO, Nothing())
        await self.remote.catch_up()

    async def stop(self) -> None:
        await self.nodes.stop()
        await self.bus.tell_all(GOODBYE, Nothing())
        self.bus.stop()

    def _lapsed(self) -> None:
        self._hub.metrics.node_lapses += 1

    def _describe(self, id: str) -> NodeInfo:
        level, load = self.load()
        hub = self._hub
        return NodeInfo(
            id,
            name=self._name or id,
            address=self.address,
            version=__version__,
            started=self._started,
            sessions=len(hub.sessions),
            connections=hub.metrics.connections_total(),
            level=level,
            load=load,
            weight=0.0 if hub.draining else 1.0,
            draining=hub.draining,
        )

    async def _hello(self, node: str, message: Nothing) -> None:
        await self.nodes.look()

    def _goodbye(self, node: str, message: Nothing) -> None:
        self.nodes.forget(node)
