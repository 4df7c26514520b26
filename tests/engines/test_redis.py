from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from tests.engines.redis_world import Ear, ear, refused
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis, RedisRefused, Script
from hubbub.errors import ConfigError
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.redis import RedisServer

ECHO = Script.of("return {KEYS, ARGV}")


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: their transports differ."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def world(redis_config: RedisConfig) -> AsyncIterator[Ear]:
    async with ear(redis_config) as world:
        yield world


async def test_commands_are_answered(world: Ear) -> None:
    key = world.name("x")
    assert await world.redis.call("SET", key, "ü", "EX", 60, key=key) == b"OK"
    assert await world.redis.call("GET", key, key=key) == "ü".encode()
    assert await world.redis.call("HSET", key + "h", b"\x00", 1.5) == 1
    assert await world.redis.call("HGETALL", key + "h") == {b"\x00": b"1.5"}
    assert await world.redis.each_server("GET", key) == ["ü".encode()]
    assert sum(world.metrics.engine_seconds.counts) >= 5


async def test_commands_of_one_turn_leave_together_and_are_answered_in_order(world: Ear) -> None:
    key = world.name("n")
    assert await asyncio.gather(*(world.redis.call("INCR", key) for _ in range(500))) == list(range(1, 501))


async def test_an_error_is_its_command_s_alone(world: Ear) -> None:
    key = world.name("x")
    await world.redis.call("SET", key, "text")
    calls = [world.redis.call("LPUSH", key, 1), world.redis.call("GET", key)]
    wrong, right = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(wrong, RedisRefused)
    assert wrong.code == "WRONGTYPE"
    assert right == b"text"


async def test_scripts_know_the_server_and_how_to_publish(world: Ear, redis_server: RedisServer) -> None:
    info = (await asyncio.to_thread(redis_server.ask, "INFO")).decode()
    facts = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    writer = f"{facts['run_id']}.{facts['master_replid'][:16]}"
    for _ in range(2):
        keys, argv = await world.redis.run(ECHO, ["a", "b"], ["x", 1, 2.5, b"\xff"])
        assert keys == [b"a", b"b"]
        assert argv == [b"x", b"1", b"2.5", b"\xff", writer.encode(), b"PUBLISH"]
    await asyncio.to_thread(redis_server.ask, "SCRIPT", "FLUSH")
    assert (await world.redis.run(ECHO, ["a"]))[0] == [b"a"]


async def test_the_error_of_a_script_has_its_code(world: Ear) -> None:
    with pytest.raises(RedisRefused) as error:
        await world.redis.run(Script.of("return redis.error_reply('MINE and no other')"), ["a"])
    assert (error.value.code, error.value.message) == ("MINE", "and no other")


async def test_a_name_is_heard_in_order_from_when_it_is_listened_to(world: Ear) -> None:
    name, other = world.name("ch:{a}"), world.name("ch:{b}")
    await asyncio.gather(world.redis.listen(name), world.redis.listen(other))
    counts = await asyncio.gather(*(world.redis.publish(name, b"%d" % n) for n in range(200)))
    assert counts == [1] * 200
    await world.hears(other, b"last")
    assert world.heard == [*((name, b"%d" % n) for n in range(200)), (other, b"last")]
    await world.redis.unlisten(name)
    assert await world.redis.publish(name, b"nobody") == 0
    assert world.missed == world.renewed == 0


async def test_the_last_of_listen_and_unlisten_holds(world: Ear) -> None:
    name = world.name("x")
    dice = random.Random(5)
    for round in range(20):
        actions = [dice.choice((True, False)) for _ in range(9)]
        await asyncio.gather(
            *(world.redis.listen(name) if wanted else world.redis.unlisten(name) for wanted in actions)
        )
        assert await world.redis.publish(name, b"%d" % round) == int(actions[-1])


async def test_an_exception_in_what_hears_ends_nothing(world: Ear) -> None:
    name, heard = world.name("x"), []

    def fail(name: str, payload: bytes) -> None:
        heard.append(payload)
        raise RuntimeError("no")

    world.redis.heard = fail
    await world.redis.listen(name)
    for payload in (b"1", b"2"):
        await world.redis.publish(name, payload)
    await until(lambda: heard == [b"1", b"2"])
    assert world.metrics.engine_errors["redis", "heard"] == 2


async def test_its_condition_is_proven_by_its_own_probe(world: Ear) -> None:
    await until(lambda: world.redis.condition.up)
    assert world.metrics.engine_up["redis"] == 1
    assert world.metrics.engine_breaker_open["redis"] == 0


async def test_cancelled_callers_disturb_nobody(world: Ear) -> None:
    """Each reply has a tag that only its caller knows: none goes to another."""
    dice = random.Random(7)

    async def caller(tag: int) -> None:
        reply = await world.redis.call("ECHO", str(tag))
        assert reply == str(tag).encode()

    for turn in range(300):
        tasks = [asyncio.create_task(caller(turn * 20 + n)) for n in range(20)]
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        for task in dice.sample(tasks, 10):
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)


async def test_several_share_one_and_the_last_ends_it(redis_config: RedisConfig) -> None:
    redis = Redis(redis_config, SystemClock(), Metrics())
    await asyncio.gather(redis.start(), redis.start())
    await redis.stop()
    assert await redis.call("PING") == b"PONG"
    await redis.stop()
    with refused():
        await redis.call("PING")
    assert not redis.condition.up
    await redis.start()
    assert await redis.call("PING") == b"PONG"
    await redis.stop()


async def test_a_database_of_its_own(redis_config: RedisConfig, redis_server: RedisServer) -> None:
    url = redis_server.url.replace("/0", "/3")
    async with ear(RedisConfig.model_validate({"url": url, "prefix": redis_config.prefix})) as world:
        await world.redis.call("SET", world.name("x"), 1, "EX", 60)
    async with ear(redis_config) as world:
        assert await world.redis.call("GET", world.name("x")) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://127.0.0.1"},
        {"url": "redis://127.0.0.1/x"},
        {"url": "redis://127.0.0.1:x"},
        {"url": "redis://127.0.0.1/1", "mode": "cluster"},
        {"url": "rediss://127.0.0.1", "tls_ca": "/nowhere/ca.pem"},
        {"mode": "sentinel", "nodes": ["127.0.0.1"]},
    ],
)
def test_wrong_settings_are_told(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^redis\."):
        Redis(RedisConfig.model_validate(settings), SystemClock(), Metrics())
