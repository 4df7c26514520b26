from __future__ import annotations

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
from hubbub.testing import FakeClock
from hubbub.testing.contracts import SharedPresenceContract
from hubbub.testing.redis import RedisCluster

pytestmark = pytest.mark.anyio


class TestContract(SharedPresenceContract):
    """Time passes in a moment: the nodes' clock is moved, and all times that Redis keeps are put back."""

    lease = 60.0

    @pytest.fixture(autouse=True)
    async def at(self, redis_config: RedisConfig) -> AsyncIterator[None]:
        self.config = redis_config
        self.clock = FakeClock()
        self.engines: list[Redis] = []
        yield
        for engine in self.engines:
            await engine.stop()

    async def open(self) -> PresenceStore:
        metrics = Metrics()
        engine = Redis(self.config, SystemClock(), metrics)
        self.engines.append(engine)
        await engine.start()
        return RedisPresence(engine, f"node{len(self.engines)}", self.clock, metrics, lease=self.lease)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)
        leases = f"{self.config.prefix}:presence"
        kept = await self.engines[0].call("HGETALL", leases, key=leases)
        for owner, text in kept.items():
            kind, space, end = text.rpartition(b" ")
            earlier = b"%b%b%d" % (kind, space, int(end) - round(seconds * 1000))
            await self.engines[0].call("HSET", leases, owner, earlier, key=leases)


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
        self.clock = FakeClock()
        self.engines = []
        yield
        for engine in self.engines:
            await engine.stop()
