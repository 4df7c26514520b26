"""Nodes for tests of brokers: a broker, and what it has said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from tests.waiting import until

from hubbub.broker.base import Broker
from hubbub.model import Envelope
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import Inbox

B = TypeVar("B", bound=Broker)
E = TypeVar("E")


class Node(Generic[B, E]):
    """A broker on an engine of its own, what it has heard, and how often it said that it may have missed something."""

    def __init__(self, broker: B, engine: E, metrics: Metrics) -> None:
        self.broker = broker
        self.engine = engine
        self.metrics = metrics
        self.inbox = Inbox()

    async def start(self) -> None:
        await self.broker.start(self.inbox, self.inbox.on_missed)

    @property
    def missed(self) -> int:
        return self.inbox.missed

    @property
    def envelopes(self) -> list[Envelope]:
        return self.inbox.envelopes

    def heard(self) -> list[bytes]:
        return [bytes(each.data) for each in self.inbox.publications]


N = TypeVar("N", bound=Node)  # type: ignore[type-arg]


@asynccontextmanager
async def started(nodes: Sequence[N]) -> AsyncIterator[Sequence[N]]:
    """They are up, and stop afterwards."""
    for node in nodes:
        await node.start()
    try:
        await until(lambda: all(node.broker.condition.up for node in nodes))
        yield nodes
    finally:
        for node in nodes:
            await node.broker.stop()
