"""What the tests of PostgresBroker share: an engine and a broker on a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr
from tests.waiting import until

from hubbub.broker.postgres import PostgresBroker
from hubbub.clock import SystemClock
from hubbub.config import BrokerConfig, StorageConfig
from hubbub.engines.postgres import Postgres
from hubbub.model import Envelope
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import Inbox


def engine(url: str, metrics: Metrics | None = None, **settings: Any) -> Postgres:
    config = StorageConfig(url=SecretStr(url), **settings)
    return Postgres(config, SystemClock(), metrics or Metrics())


class Node:
    """A broker, what it has heard, and how often it said that it may have missed something."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.metrics = Metrics()
        self.engine = engine(url, self.metrics)
        self.broker = PostgresBroker(self.engine, BrokerConfig(**settings), SystemClock(), self.metrics)
        self.inbox = Inbox()
        self.missed = 0

    def on_missed(self) -> None:
        self.missed += 1

    def heard(self) -> list[bytes]:
        return [bytes(each.data) for each in self.inbox.publications]

    @property
    def envelopes(self) -> list[Envelope]:
        return self.inbox.envelopes


@asynccontextmanager
async def running(url: str, count: int = 1, **settings: Any) -> AsyncIterator[list[Node]]:
    nodes = [Node(url, **settings) for _ in range(count)]
    for node in nodes:
        await node.broker.start(node.inbox, node.on_missed)
    try:
        for node in nodes:
            await until(lambda node=node: node.broker.condition.up)  # type: ignore[misc]
        yield nodes
    finally:
        for node in nodes:
            await node.broker.stop()
