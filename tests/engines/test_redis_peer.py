"""A server that forgets, and the proof that what is said is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines.redis_world import config, ear
from tests.waiting import until

from hubbub.engines.redis import Script
from hubbub.testing.redis import RedisServer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


async def test_who_forgets_everything_is_found_out(server: RedisServer) -> None:
    async with ear(config(server)) as world:
        await until(lambda: world.redis.condition.up)
        for round in range(1, 3):
            await asyncio.to_thread(server.flush)
            await until(lambda round=round: world.renewed == round)  # type: ignore[misc]
        assert world.metrics.engine_errors["redis", "forgotten"] == 2
        assert world.missed == 0


async def test_its_own_keys_go_by_themselves(server: RedisServer) -> None:
    async with ear(config(server, prefix="mine")) as world:
        await until(lambda: world.redis.condition.up)
        keys = await world.redis.call("KEYS", "mine:*")
        assert len(keys) == 1
        assert 0 < await world.redis.call("TTL", keys[0]) <= 60


async def test_a_callback_that_fails_does_not_keep_others_from_theirs(server: RedisServer) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    async with ear(config(server)) as world:
        world.redis.renewed.insert(0, fail)
        world.redis.missed.insert(0, fail)
        await asyncio.to_thread(server.restart)
        await until(lambda: world.renewed == world.missed == 1)
        await until(lambda: world.redis.condition.up)


async def test_users_with_few_rights_will_do() -> None:
    """Those that the page about many nodes names."""
    page = (ROOT / "docs/how-to/redis.md").read_text(encoding="utf-8")
    rights = page.partition(">password ")[2].partition("\n")[0]
    server = RedisServer(user=f"hubbub on >pw {rights}")
    await asyncio.to_thread(server.open)
    try:
        async with ear(config(server, url=server.url.replace("//", "//hubbub:pw@"))) as world:
            await until(lambda: world.redis.condition.up)
            name = world.name("c")
            await world.redis.listen(name)
            await world.hears(name, b"1")
            script = Script.of("redis.call('SET', KEYS[1], redis.call('TIME')[1], 'EX', 9) return ARGV")
            assert len(await world.redis.run(script, [name])) == 2
    finally:
        await asyncio.to_thread(server.close)
