from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.broker.nats_case import running

from hubbub.broker.nats_keys import NatsKeys, Used
from hubbub.model import Position
from hubbub.testing.nats import NatsServer

pytestmark = pytest.mark.anyio

ONE = Used("digest", "id-1", Position("epoch", 7))


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


async def test_of_many_who_claim_a_key_one_has_it(server: NatsServer) -> None:
    async with running(server.url, 2) as nodes:
        all_keys: list[NatsKeys] = [node.broker._keys for node in nodes]
        claims = await asyncio.gather(
            *(all_keys[number % 2].claim("k", Used("d", str(number), None)) for number in range(20))
        )
        assert claims.count(None) == 1
        winner = Used("d", str(claims.index(None)), None)
        assert [first for first in claims if first is not None] == [winner] * 19
        await all_keys[0].keep("k", ONE)
        assert await all_keys[1].find("k") == ONE
        assert await all_keys[1].find("another") is None


async def test_keys_are_forgotten(server: NatsServer) -> None:
    async with running(server.url, idempotency_ttl=0.2) as (node,):
        keys = node.broker._keys
        assert await keys.claim("k", ONE) is None
        async with asyncio.timeout(60):
            while await keys.find("k") is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await keys.claim("k", ONE) is None
