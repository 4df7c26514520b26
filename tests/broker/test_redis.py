from __future__ import annotations

import asyncio

import pytest
from tests.broker.redis_case import Node

from hubbub.broker.base import Broker
from hubbub.config.cluster import RedisConfig
from hubbub.testing.contracts import SharedBrokerContract


class TestContract(SharedBrokerContract):
    ttl = 1.0
    idempotency_ttl = 2.0
    config: RedisConfig

    @pytest.fixture(autouse=True)
    def server(self, redis_config: RedisConfig) -> None:
        self.config = redis_config

    async def open(self) -> Broker:
        return Node(self.config, idempotency_ttl=self.idempotency_ttl)

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def lose(self, broker: Broker, channel: str) -> None:
        assert isinstance(broker, Node)
        await broker.forget(channel)

    async def settle(self, broker: Broker) -> None:
        assert isinstance(broker, Node)
        await broker.engine.settle()

    async def interrupt(self, broker: Broker) -> None:
        assert isinstance(broker, Node)
        broker.engine.relisten()
