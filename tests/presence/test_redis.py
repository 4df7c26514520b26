from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis
from hubbub.presence.base import PresenceStore
from hubbub.presence.redis import RedisPresence
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import SharedPresenceContract
from hubbub.testing.redis import RedisCluster

pytestmark = pytest.mark.anyio


class TestContract(SharedPresenceContract):
    ttl = 1.0
    lease = 2.0

    @pytest.fixture(autouse=True)
    async def at(self, redis_config: RedisConfig) -> AsyncIterator[None]:
        self.config = redis_config
        self.engines: list[Redis] = []
        yield
        for engine in self.engines:
            await engine.stop()

    async def open(self) -> PresenceStore:
        clock, metrics = SystemClock(), Metrics()
        engine = Redis(self.config, clock, metrics)
        self.engines.append(engine)
        await engine.start()
        return RedisPresence(engine, f"node{len(self.engines)}", clock, metrics, lease=self.lease)

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


class TestClusterContract(TestContract):
    @pytest.fixture(autouse=True)
    async def at(self, cluster: RedisCluster) -> AsyncIterator[None]:
        self.config = RedisConfig(
            url=SecretStr(cluster.url), mode="cluster", prefix=f"test-{secrets.token_hex(4)}"
        )
        self.engines = []
        yield
        for engine in self.engines:
            await engine.stop()
