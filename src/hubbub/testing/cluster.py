"""Several nodes in one process: a broker and a State that they share, and a network that fails on demand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from hubbub.broker.base import Accepted, nothing
from hubbub.broker.memory import MemoryBroker
from hubbub.clock import Clock
from hubbub.engines.base import UP, Condition
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import NO_RETENTION, Envelope, History, Position, Publication, Retention
from hubbub.state.base import NodeInfo, State

CUT_OFF = Condition(False, 0.0, "cut off by a test")


class SharedBroker:
    """What stands between the nodes, as a Redis does: it keeps the logs, and gives each node what it listens to.

    All nodes hear a channel in one order, their own publications among it. Delivery takes a turn of the loop, of which
    `delivered` counts the envelopes for each node.
    """

    def __init__(self, clock: Clock) -> None:
        self.logs = MemoryBroker(clock)
        self.nodes: list[NodeBroker] = []
        self.started = False
        self.paused = False

    def node(self) -> NodeBroker:
        """A new node's broker."""
        node = NodeBroker(self)
        self.nodes.append(node)
        return node

    def pause(self) -> None:
        """Nothing is delivered any more until `resume`, and nothing lost."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        for node in self.nodes:
            node.wake()

    async def start(self) -> None:
        if not self.started:
            self.started = True
            await self.logs.start(self._spread)

    def _spread(self, envelope: Envelope) -> None:
        for node in self.nodes:
            node.hear(envelope)


class NodeBroker:
    """One node's end of a SharedBroker: a `Broker`."""

    lossless = False

    def __init__(self, shared: SharedBroker) -> None:
        self._shared = shared
        self._listener: Callable[[Envelope], object] | None = None
        self._missed: Callable[[], object] = nothing
        self._subscribed: set[str] = set()
        self._queue: deque[Envelope] = deque()
        self._scheduled = False
        self._dropping = 0
        self.cut = False
        self.deaf = False
        """Hears nothing, and does not know it."""
        self.silent_since: float | None = None
        """Since when (monotonic) it says of itself that it hears nothing, though it does."""
        self.delivered = 0

    # --- faults -------------------------------------------------------------------------------------------

    def cut_off(self) -> None:
        """Neither hear nor say anything until `rejoin`, and know it."""
        self.cut = True
        self._queue.clear()

    def rejoin(self) -> None:
        self.cut = False
        self._missed()

    def lose(self, count: int) -> None:
        """Lose the next `count` envelopes for this node."""
        self._dropping += count

    def kill(self) -> None:
        """The node's process is gone: nobody hears or says anything any more."""
        self.cut = True
        self._listener = None
        self._queue.clear()

    # --- the Broker ---------------------------------------------------------------------------------------

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        self._listener = listener
        self._missed = missed
        await self._shared.start()

    async def stop(self) -> None:
        self._listener = None
        self._subscribed.clear()

    async def subscribe(self, channel: str) -> None:
        self._subscribed.add(channel)
        await self._shared.logs.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        self._subscribed.discard(channel)
        if not any(channel in node._subscribed for node in self._shared.nodes):
            await self._shared.logs.unsubscribe(channel)

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        push = envelope.push
        placed = isinstance(push, Publication) and push.offset is not None
        if self.cut:
            if retention.size and not placed:
                raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)
            self.hear(envelope, here=True)
            return Accepted(None, "")
        return await self._shared.logs.publish(envelope, NO_RETENTION if placed else retention, key=key)

    async def history(
        self,
        channel: str,
        retention: Retention,
        *,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> History:
        self._reach()
        return await self._shared.logs.history(channel, retention, since=since, limit=limit, reverse=reverse)

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        self._reach()
        return await self._shared.logs.channels(prefix, limit)

    @property
    def condition(self) -> Condition:
        if self.silent_since is not None:
            return Condition(False, self.silent_since, "said so by a test")
        return CUT_OFF if self.cut else UP

    def _reach(self) -> None:
        if self.cut:
            raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)

    # --- delivery -----------------------------------------------------------------------------------------

    def hear(self, envelope: Envelope, *, here: bool = False) -> None:
        """Deliver in the next turn of the loop, if this node listens; `here` what comes from itself alone."""
        if envelope.push.channel not in self._subscribed or ((self.cut or self.deaf) and not here):
            return
        if self._dropping:
            self._dropping -= 1
            return
        self._queue.append(envelope)
        self.wake()

    def wake(self) -> None:
        if self._queue and not self._scheduled and not self._shared.paused:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        while self._queue and not self._shared.paused:
            envelope = self._queue.popleft()
            if self._listener is not None:
                self.delivered += 1
                self._listener(envelope)


class NodeState:
    """One node's way to a State that all share, which a test can cut off: a `State`."""

    def __init__(self, shared: State) -> None:
        self._shared = shared
        self.cut = False

    def _reach(self) -> State:
        if self.cut:
            raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)
        return self._shared

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def beat(self, node: NodeInfo, ttl: float) -> bool:
        return await self._reach().beat(node, ttl)

    async def retire(self, node: str) -> None:
        await self._reach().retire(node)

    async def nodes(self) -> list[NodeInfo]:
        return await self._reach().nodes()

    async def put(self, key: str, value: bytes, ttl: float, *, fresh: bool = False) -> bool:
        return await self._reach().put(key, value, ttl, fresh=fresh)

    async def get(self, key: str) -> bytes | None:
        return await self._reach().get(key)

    async def take(self, key: str) -> bytes | None:
        return await self._reach().take(key)

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        return await self._reach().swap(key, old, new, ttl)

    async def delete(self, key: str) -> bool:
        return await self._reach().delete(key)

    async def spend(self, key: str, rate: float, burst: int) -> float:
        return await self._reach().spend(key, rate, burst)

    async def charge(self, key: str, rate: float, burst: int, count: int) -> float:
        return await self._reach().charge(key, rate, burst, count)

    @property
    def condition(self) -> Condition:
        return CUT_OFF if self.cut else self._shared.condition
