from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.broker.nats_case import Node, prefix

from hubbub.broker.base import Broker
from hubbub.broker.nats import NatsBroker
from hubbub.broker.nats_log import token_of
from hubbub.testing.contracts import SharedBrokerContract
from hubbub.testing.nats import NatsServer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


class TestContract(SharedBrokerContract):
    ttl = 1.0
    idempotency_ttl = 2.0

    @pytest.fixture(autouse=True)
    def at(self, server: NatsServer) -> None:
        self.url = server.url
        self.prefix = prefix()

    async def open(self) -> Broker:
        return Node(self.url, self.prefix, self.idempotency_ttl).broker

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def lose(self, broker: Broker, channel: str) -> None:
        assert isinstance(broker, NatsBroker)
        subject = f"{self.prefix}.log.{token_of(channel)}"
        await broker._engine.api(f"STREAM.PURGE.{self.prefix}_log", filter=subject)

    async def settle(self, broker: Broker) -> None:
        """What is asked last is answered last."""
        assert isinstance(broker, NatsBroker)
        assert broker._engine._wire is not None
        await broker._engine._wire.confirm()

    async def interrupt(self, broker: Broker) -> None:
        assert isinstance(broker, NatsBroker)
        assert broker._engine._wire is not None
        broker._engine._wire.abort()
