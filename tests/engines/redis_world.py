"""What the tests of the engine Redis have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis
from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.redis import RedisServer

T = TypeVar("T")


class Ear:
    """A started engine, and what it was told."""

    def __init__(self, redis: Redis, metrics: Metrics) -> None:
        self.redis = redis
        self.metrics = metrics
        self.heard: list[tuple[str, bytes]] = []
        self.missed = 0
        self.renewed = 0
        redis.heard = lambda name, payload: self.heard.append((name, payload))
        redis.missed.append(self._miss)
        redis.renewed.append(self._renew)

    def name(self, name: str) -> str:
        return f"{self.redis.prefix}:{name}"

    async def hears(self, name: str, payload: bytes) -> None:
        """Publish, and wait until it is heard."""
        await self.redis.publish(name, payload)
        await until(lambda: (name, payload) in self.heard)

    def _miss(self) -> None:
        self.missed += 1

    def _renew(self) -> None:
        self.renewed += 1


@asynccontextmanager
async def ear(config: RedisConfig) -> AsyncIterator[Ear]:
    metrics = Metrics()
    redis = Redis(config, SystemClock(), metrics)
    heard = Ear(redis, metrics)
    await redis.start()
    try:
        yield heard
    finally:
        await redis.stop()


def config(server: RedisServer, **settings: Any) -> RedisConfig:
    return RedisConfig.model_validate({"url": server.url, **settings})


async def again(action: Callable[[], Awaitable[T]]) -> T:
    """Try until Redis is there."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await action()
            except HubbubError as error:
                if error.code != ErrorCode.BROKER_UNAVAILABLE:
                    raise
                await asyncio.sleep(0.005)


def refused() -> Any:
    return pytest.raises(HubbubError, check=lambda error: error.code == ErrorCode.BROKER_UNAVAILABLE)
