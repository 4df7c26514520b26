"""What is not in tests/broker/test_deadletters.py: several nodes, and no Redis."""

from __future__ import annotations

import msgspec
import pytest
from tests.broker.redis_case import Node, running

from hubbub.broker.deadletters import replay
from hubbub.broker.envelopes import frame_of
from hubbub.config.cluster import RedisConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope
from hubbub.testing.contracts import publication

pytestmark = pytest.mark.anyio

SAID = Envelope(msgspec.structs.replace(publication("a", 1), id="id-1"))


async def test_they_are_of_all_nodes(redis_config: RedisConfig) -> None:
    async with running(redis_config) as (here, there):
        for node in (here, there):
            await node.subscribe("a")
            node.dead_letters.add("a", "listener", "", frame_of(SAID))
        letters = await here.dead_letters.page()
        assert letters == await there.dead_letters.page()
        assert len({each.node for each in letters}) == 2
        await replay(there, letters[0].id)
        assert await here.inbox.expect(1) == await there.inbox.expect(1) == [SAID.push]
        key = f"{redis_config.prefix}:dead"
        assert await here.engine.call("TTL", key, key=key) > 86_400


async def test_without_redis_nothing_is_raised_and_all_is_counted(redis_config: RedisConfig) -> None:
    node = Node(redis_config)
    node.dead_letters.add("a", "version", "", b"")
    assert node.metrics.dead_letters == {"version": 1}
    for asked in (node.dead_letters.page(), node.dead_letters.get("1-1"), node.dead_letters.drop()):
        with pytest.raises(HubbubError) as refusal:
            await asked
        assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE
