"""RedisBroker on a Redis Cluster of three masters."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from tests.broker.redis_case import KEPT, running
from tests.broker.test_redis import TestContract as OnOneServer
from tests.waiting import until

from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis_topology import slot
from hubbub.model import Envelope
from hubbub.testing.contracts import publication
from hubbub.testing.redis import RedisCluster

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_config(cluster: RedisCluster) -> RedisConfig:
    return RedisConfig(
        url=SecretStr(cluster.url), nodes=cluster.nodes, mode="cluster", prefix=f"test-{secrets.token_hex(6)}"
    )


class TestContract(OnOneServer):
    @pytest.fixture(autouse=True)
    def server(self, cluster_config: RedisConfig) -> None:
        self.config = cluster_config


async def test_channels_lie_on_all_servers_and_are_listed_together(
    cluster: RedisCluster, cluster_config: RedisConfig
) -> None:
    async with running(cluster_config) as (here, there):
        channels = sorted(f"c:{number:02}" for number in range(40))
        for channel in channels[:20]:
            await here.subscribe(channel)
        for channel in channels[20:]:
            await there.say(channel, 1)
        assert len({slot(channel.encode()) * 3 // 16_384 for channel in channels}) == 3
        async with asyncio.timeout(10):
            while await there.channels("c:") != channels:  # noqa: ASYNC110 Redis tells nobody
                await asyncio.sleep(0)
        for channel in channels[:20]:
            await there.say(channel, 1)
            await there.publish(Envelope(publication(channel, 2)))
            await there.publish(Envelope(publication(channel, 3)), KEPT, key="k")
        assert len(await here.inbox.expect(60)) == 60
        assert there.engine.frames == 0


async def test_a_log_whose_slot_moved_goes_on_with_another_epoch(
    cluster: RedisCluster, cluster_config: RedisConfig
) -> None:
    """It is another process' now: an empty slot moves here, as if its keys had been lost on the way."""
    async with running(cluster_config) as (here, there):
        await there.subscribe("a")
        before = await here.say("a", 1)
        await there.inbox.expect(1)
        await here.forget("a")
        await here.engine.call("DEL", f"{cluster_config.prefix}:logs", key=f"{cluster_config.prefix}:logs")
        moved = slot(b"a")
        owner = moved * 3 // 16_384
        target = cluster.servers[(owner + 1) % 3]
        missed = there.inbox.missed
        await asyncio.to_thread(cluster.move, moved, target)
        await until(lambda: there.inbox.missed > missed or len(there.inbox.envelopes) > 1)
        after = await here.say("a", 2)
        assert (after.offset, after.epoch != before.epoch) == (1, True)
        async with asyncio.timeout(30):
            while all(push.epoch != after.epoch for push in there.inbox.publications):
                await here.say(
                    "a", 3
                )  # it may have listened where the slot was: then `missed` is called again
                await asyncio.sleep(0.01)
        await here.forget("a")
        await asyncio.to_thread(cluster.move, moved, cluster.servers[owner])
