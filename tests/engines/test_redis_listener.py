"""What listens goes on listening: cut off, deaf, overrun, or told no."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.engines.redis_world import Ear, again, config, ear, refused
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.engines.redis import Redis, RedisRefused
from hubbub.engines.redis_link import Address
from hubbub.errors import ConfigError
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.proxy import FaultProxy
from hubbub.testing.redis import RedisServer

NAMES = 2_500


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def world(server: RedisServer) -> AsyncIterator[Ear]:
    async with ear(config(server)) as world:
        await until(lambda: world.redis.condition.up)
        yield world


async def kill_listeners(server: RedisServer) -> int:
    killed: int = await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "pubsub")
    return killed


async def test_it_takes_all_its_names_again_each_time(world: Ear, server: RedisServer) -> None:
    names = [world.name(f"ch:{{{n}}}") for n in range(NAMES)]
    await asyncio.gather(*map(world.redis.listen, names))
    await asyncio.gather(*map(world.redis.unlisten, names[::2]))
    for round in range(1, 6):
        assert await kill_listeners(server) == 1
        await until(lambda round=round: world.missed == round)  # type: ignore[misc]
        receivers = await asyncio.gather(*(world.redis.publish(name, b"%d" % round) for name in names))
        assert receivers == [0, 1] * (NAMES // 2)
        await until(lambda: len(world.heard) == NAMES // 2)
        assert world.heard == [(name, b"%d" % round) for name in names[1::2]]
        world.heard.clear()
    assert world.renewed == 0


async def test_it_survives_what_its_server_cannot_keep_for_it(world: Ear, server: RedisServer) -> None:
    """A message beyond the limit for subscribers (32 MB) has the server cut it off."""
    name = world.name("c")
    await world.redis.listen(name)
    await asyncio.to_thread(server.ask, "PUBLISH", name, b"x" * 33_000_000)
    await until(lambda: world.missed > 0 or bool(world.heard))
    await until(lambda: world.redis.condition.up)
    await world.hears(name, b"small")


async def test_names_change_while_it_is_cut_off(server: RedisServer) -> None:
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        ear(config(server, url=f"redis://127.0.0.1:{proxy.port}")) as world,
    ):
        kept, left, new = (world.name(name) for name in ("kept", "left", "new"))
        await asyncio.gather(world.redis.listen(kept), world.redis.listen(left))
        proxy.refusing = True
        proxy.reset()
        await until(lambda: not world.redis.condition.up)
        await world.redis.unlisten(left)
        with refused():
            await world.redis.listen(new)
        proxy.refusing = False
        await until(lambda: world.missed == 1)
        await again(lambda: world.redis.call("PING"))
        assert [await world.redis.publish(name, b"") for name in (kept, left, new)] == [1, 0, 1]


async def test_one_that_is_deaf_is_found_out_and_made_anew(world: Ear) -> None:
    """TCP stays open and nothing comes: only the probe can tell."""
    name = world.name("c")
    await world.redis.listen(name)
    await world.hears(name, b"1")
    [peer] = world.redis._topology.peers
    deaf = peer.listener.require()
    deaf._transport.pause_reading()  # type: ignore[union-attr]
    await until(lambda: not world.redis.condition.up)
    await until(lambda: world.missed == 1)
    assert str(deaf.ended.result()) == "its own probe does not come back"
    assert world.metrics.engine_errors["redis", "deaf"] == 1
    await until(lambda: world.redis.condition.up)
    await world.hears(name, b"2")
    assert world.renewed == 0


async def test_it_is_made_anew_for_who_asks(world: Ear) -> None:
    name = world.name("c")
    await world.redis.listen(name)
    world.redis.relisten()
    await until(lambda: world.missed == 1)
    await world.hears(name, b"1")


@pytest.mark.parametrize(
    "wrong", [asyncio.CancelledError(), RuntimeError("no"), OSError(), ValueError(), None]
)
async def test_nothing_ends_what_listens(
    world: Ear, server: RedisServer, wrong: BaseException | None
) -> None:
    """Not even what nobody thought of, at each step of beginning anew."""
    name = world.name("c")
    await world.redis.listen(name)
    [peer] = world.redis._topology.peers
    locate, attempts = peer.listener._locate, 0

    async def fail() -> Address:
        nonlocal attempts
        attempts += 1
        if attempts > 3:
            return await locate()
        if wrong is None:
            return Address("no such host.invalid", 1)
        raise wrong

    peer.listener._locate = fail
    await kill_listeners(server)
    await until(lambda: world.missed == 1)
    assert attempts == 4
    await world.hears(name, b"1")


async def test_what_may_not_be_heard_is_told_and_forgotten() -> None:
    server = RedisServer(user="hubbub on >pw ~hubbub:* resetchannels &hubbub:* +@all")
    await asyncio.to_thread(server.open)
    try:
        async with ear(config(server, url=server.url.replace("//", "//hubbub:pw@"))) as world:
            with pytest.raises(RedisRefused) as error:
                await world.redis.listen("other:c")
            assert error.value.code == "NOPERM"
            name = world.name("c")
            await world.redis.listen(name)
            await kill_listeners(server)
            await until(lambda: world.missed == 1)
            await world.hears(name, b"1")
    finally:
        await asyncio.to_thread(server.close)


@pytest.mark.parametrize(
    ("rights", "told"),
    [
        ("~hubbub:* resetchannels &other:* +@all", "may not listen|may not write and publish"),
        ("~other:* resetchannels &hubbub:* +@all", "may not write and publish"),
        ("~hubbub:* resetchannels &hubbub:* +@all -info", "may not say INFO"),
        ("~hubbub:* resetchannels &hubbub:* +@all -subscribe", "may not listen"),
    ],
)
async def test_rights_that_do_not_do_are_told_at_the_start(rights: str, told: str) -> None:
    server = RedisServer(user=f"hubbub on >pw {rights}")
    await asyncio.to_thread(server.open)
    try:
        redis = Redis(config(server, url=server.url.replace("//", "//hubbub:pw@")), SystemClock(), Metrics())
        with pytest.raises(ConfigError, match=told):
            await redis.start()
    finally:
        await asyncio.to_thread(server.close)
