"""What the tests of NatsBroker share: brokers on a NATS server."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from pydantic import SecretStr

from hubbub.broker.nats import NatsBroker
from hubbub.clock import SystemClock
from hubbub.config import BrokerConfig, Config
from hubbub.config.cluster import NatsConfig
from hubbub.engines.nats import Nats
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import Inbox


class Node:
    """A broker, what it has heard, and how often it said that it may have missed something."""

    def __init__(
        self,
        url: str,
        prefix: str,
        idempotency_ttl: float = 300.0,
        within: float = 2.0,
        storage: Literal["memory", "file"] = "memory",
    ) -> None:
        self.config = Config(
            broker=BrokerConfig(idempotency_ttl=idempotency_ttl),
            nats=NatsConfig(url=SecretStr(url), prefix=prefix, timeout=within, storage=storage),
        )
        self.metrics = Metrics()
        self.engine = Nats(self.config.nats, SystemClock(), self.metrics)
        self.broker = NatsBroker(self.engine, self.config, SystemClock(), self.metrics)
        self.inbox = Inbox()
        self.missed = 0

    def on_missed(self) -> None:
        self.missed += 1

    def heard(self) -> list[bytes]:
        return [bytes(each.data) for each in self.inbox.publications]


def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@asynccontextmanager
async def running(
    url: str, count: int = 1, idempotency_ttl: float = 300.0, within: float = 2.0
) -> AsyncIterator[list[Node]]:
    name = prefix()
    nodes = [Node(url, name, idempotency_ttl, within) for _ in range(count)]
    for node in nodes:
        await node.broker.start(node.inbox, node.on_missed)
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.broker.stop()
