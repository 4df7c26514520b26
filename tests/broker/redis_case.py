"""What the tests of RedisBroker share: brokers on a Redis, each with a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.waiting import until

from hubbub.broker.redis import RedisBroker
from hubbub.broker.redis_names import naming
from hubbub.clock import SystemClock
from hubbub.config import BrokerConfig, Config
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis
from hubbub.model import Envelope, Retention
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import Inbox, publication

PATIENCE = 20.0
KEPT = Retention(10_000, 600.0)


class Engine(Redis):
    """Counts what it hears, and says when all that was said before has been heard."""

    frames = 0

    def watch(self) -> None:
        """To be called after the broker has said who listens."""
        self._to = self.heard
        self._settled: dict[str, asyncio.Event] = {}
        self.heard = self._count

    def _count(self, name: str, payload: bytes) -> None:
        if name in self._settled:
            self._settled[name].set()
        else:
            self.frames += 1
            self._to(name, payload)

    async def settle(self) -> None:
        """On each server of a Cluster: 64 names leave none out."""
        names = [f"{self.prefix}:settle:{id(self)}:{number}" for number in range(64)]
        self._settled = {name: asyncio.Event() for name in names}
        for name in names:
            await self.listen(name)
            await self.publish(name, b"")
        for name in names:
            await asyncio.wait_for(self._settled[name].wait(), PATIENCE)
            await self.unlisten(name)
        self._settled.clear()


class Node(RedisBroker):
    """A broker with what belongs to it."""

    def __init__(self, config: RedisConfig, **settings: Any) -> None:
        self.metrics = Metrics()
        self.engine = Engine(config, SystemClock(), self.metrics)
        self.config = Config(redis=config, broker=BrokerConfig(**settings))
        self.inbox = Inbox()
        super().__init__(self.engine, self.config, SystemClock(), self.metrics)

    async def start(self, *arguments: Any) -> None:
        await super().start(*arguments or (self.inbox, self.inbox.on_missed))
        self.engine.watch()

    async def forget(self, channel: str) -> None:
        """Lose a log."""
        names = naming(self.engine.prefix)(channel)
        await self.engine.call("DEL", names.meta, names.stream, key=names.meta)

    def heard(self) -> list[bytes]:
        return [bytes(push.data) for push in self.inbox.publications]

    async def say(self, channel: str, data: object, retention: Retention = KEPT, **more: Any) -> Any:
        accepted = await self.publish(Envelope(publication(channel, data)), retention, **more)
        return accepted.position


@asynccontextmanager
async def running(config: RedisConfig, count: int = 2, **settings: Any) -> AsyncIterator[list[Node]]:
    nodes = [Node(config, **settings) for _ in range(count)]
    for node in nodes:
        await node.start()
    await until(lambda: all(node.condition.up for node in nodes))
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.stop()
