"""Servers that die, hang, lag, refuse, and come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from tests.engines.redis_world import Ear, again, config, ear, refused
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.engines.redis import Redis
from hubbub.errors import ConfigError, HubbubError
from hubbub.loadgen.target import free_port
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.proxy import FaultProxy
from hubbub.testing.redis import RedisServer


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    """One that runs, whatever the test before did to it."""
    if not shared.running:
        shared.start()
    return shared


async def heard_again(world: Ear, name: str) -> None:
    await until(lambda: world.redis.condition.up)
    await world.hears(name, b"again")


async def test_a_killed_one_is_found_again(server: RedisServer) -> None:
    async with ear(config(server)) as world:
        name = world.name("c")
        await world.redis.listen(name)
        await until(lambda: world.redis.condition.up)
        for round in range(1, 4):
            await asyncio.to_thread(server.kill)
            await until(lambda: not world.redis.condition.up)
            with refused():
                await world.redis.call("PING")
            assert world.metrics.engine_up["redis"] == 0
            await until(lambda: world.metrics.engine_breaker_open["redis"] == 2)
            await asyncio.to_thread(server.start)
            await until(lambda round=round: world.missed == world.renewed == round)  # type: ignore[misc]
            await heard_again(world, name)
            world.heard.clear()
        assert world.metrics.engine_reconnects["redis"] >= 6


async def test_what_was_under_way_is_not_known(server: RedisServer) -> None:
    async with ear(config(server)) as world:
        await asyncio.to_thread(server.pause)
        waiting = [asyncio.create_task(world.redis.call("INCR", "x")) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.to_thread(server.kill)
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, HubbubError)


async def test_a_paused_one_is_given_up_and_found_again(server: RedisServer) -> None:
    async with ear(config(server, timeout=0.3)) as world:
        name = world.name("c")
        await world.redis.listen(name)
        server.pause()
        waiting = [asyncio.create_task(world.redis.call("INCR", "x")) for _ in range(5)]
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, HubbubError)
        with refused():
            await world.redis.call("PING")
        assert not world.redis.condition.up
        server.resume()
        await heard_again(world, name)
        assert world.renewed >= 1


async def test_it_starts_while_there_is_none(server: RedisServer) -> None:
    await asyncio.to_thread(server.kill)
    async with ear(config(server)) as world:
        name = world.name("c")
        assert not world.redis.condition.up
        assert world.redis.condition.detail == "it cannot be reached"
        with refused():
            await world.redis.listen(name)
        with refused():
            await world.redis.call("PING")
        await world.redis.unlisten(world.name("never"))
        await asyncio.to_thread(server.start)
        await until(lambda: world.missed == world.renewed == 1)
        await heard_again(world, name)


async def test_it_starts_while_one_hangs(server: RedisServer) -> None:
    server.pause()
    async with ear(config(server, timeout=0.2)) as world:
        assert world.redis.condition.detail == "it does not answer"
        server.resume()
        assert await again(lambda: world.redis.call("PING")) == b"PONG"


async def test_late_answers_are_not_waited_for(server: RedisServer) -> None:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        slow = config(server, url=f"redis://127.0.0.1:{proxy.port}", timeout=0.3)
        async with ear(slow) as world:
            name = world.name("c")
            await world.redis.listen(name)
            await world.hears(name, b"1")
            proxy.to_client.delay = 0.6
            with refused():
                await world.redis.call("PING")
            proxy.to_client.delay = 0.0
            await heard_again(world, name)


async def test_replies_are_never_another_s(server: RedisServer) -> None:
    """Callers give up, connections are reset within frames, and each reply still belongs to its command."""
    dice = random.Random(11)
    wrong: list[tuple[str, bytes]] = []
    right = 0

    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        ear(config(server, url=f"redis://127.0.0.1:{proxy.port}")) as world,
    ):

        async def caller(tag: str) -> None:
            nonlocal right
            try:
                reply = await world.redis.call("ECHO", tag)
            except HubbubError:
                return
            if reply == tag.encode():
                right += 1
            else:
                wrong.append((tag, reply))

        for turn in range(60):
            proxy.to_client.slice = dice.choice((0, 1, 7))
            tasks = [asyncio.create_task(caller(f"{turn}-{n}")) for n in range(30)]
            for _ in range(dice.randrange(6)):
                await asyncio.sleep(0)
            for task in dice.sample(tasks, 10):
                task.cancel()
            if turn % 10 == 9:
                proxy.reset()
            await asyncio.gather(*tasks, return_exceptions=True)
            if turn % 10 == 9:
                await again(lambda: world.redis.call("PING"))
    assert wrong == []
    assert right > 500


async def test_a_replica_is_not_spoken_to(server: RedisServer) -> None:
    async with ear(config(server)) as world:
        key = world.name("x")
        await asyncio.to_thread(server.ask, "REPLICAOF", "127.0.0.1", free_port())
        with refused():
            await world.redis.call("SET", key, 1)
        await until(lambda: world.redis.condition.detail == "it is a replica")
        assert world.metrics.engine_errors["redis", "readonly"] >= 1
        await asyncio.to_thread(server.ask, "REPLICAOF", "NO", "ONE")
        assert await again(lambda: world.redis.call("SET", key, 1)) == b"OK"


async def test_it_is_told_when_memory_is_full(server: RedisServer) -> None:
    async with ear(config(server)) as world:
        await asyncio.to_thread(server.ask, "CONFIG", "SET", "maxmemory", "1")
        with refused():
            await world.redis.call("SET", world.name("x"), 1)
        await asyncio.to_thread(server.ask, "CONFIG", "SET", "maxmemory", "0")
        assert await world.redis.call("SET", world.name("x"), 1) == b"OK"
        assert world.metrics.engine_errors["redis", "oom"] >= 1


async def test_a_password_is_needed_and_told() -> None:
    server = RedisServer(requirepass="secret")
    await asyncio.to_thread(server.open)
    try:
        for url in (server.url, server.url.replace("//", "//:wrong@")):
            with pytest.raises(ConfigError, match=r"redis\.url: the server wants another user or password"):
                await Redis(config(server, url=url), SystemClock(), Metrics()).start()
        async with ear(config(server, url=server.url.replace("//", "//:secret@"))) as world:
            assert await world.redis.call("PING") == b"PONG"
    finally:
        await asyncio.to_thread(server.close)


async def test_what_is_no_redis_is_given_up() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        redis = Redis(config(RedisServer(), url=f"redis://127.0.0.1:{port}"), SystemClock(), Metrics())
        await redis.start()
        assert redis.condition.detail == "it does not speak RESP3"
        await redis.stop()
