"""Three masters: keys, channels, and slots that go elsewhere."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.engines.redis_world import Ear, again, ear
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis, Script
from hubbub.engines.redis_topology import slot
from hubbub.errors import ConfigError
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.redis import RedisCluster, RedisServer

ECHO = Script.of("redis.call('SET', KEYS[1], 1, 'EX', 60) return ARGV")
SAY = Script.of("redis.call('SET', KEYS[1], 1, 'EX', 60) return redis.call(ARGV[4], ARGV[1], ARGV[2])")
NAMES = 300


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


def config(cluster: RedisCluster) -> RedisConfig:
    return RedisConfig.model_validate({"url": cluster.url, "mode": "cluster", "nodes": cluster.nodes[1:2]})


@pytest.fixture
async def world(cluster: RedisCluster) -> AsyncIterator[Ear]:
    async with ear(config(cluster)) as world:
        await until(lambda: world.redis.condition.up)
        yield world


async def all_are_heard(world: Ear, names: list[str], text: bytes) -> None:
    async with asyncio.timeout(30):
        while set(await asyncio.gather(*(world.redis.publish(name, b"") for name in names))) != {1}:  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # slots are on their way, and `missed` will be called again
    world.heard.clear()
    assert await asyncio.gather(*(world.redis.publish(name, text) for name in names)) == [1] * len(names)
    await until(lambda: len(said(world, text)) >= len(names))
    assert sorted(said(world, text)) == sorted(names)


def said(world: Ear, text: bytes) -> list[str]:
    return [name for name, payload in world.heard if payload == text]


async def test_keys_go_to_their_master(world: Ear, cluster: RedisCluster) -> None:
    names = [world.name(str(n)) for n in range(NAMES)]
    await asyncio.gather(*(world.redis.call("SET", name, name, "EX", 60, key=name) for name in names))
    got = await asyncio.gather(*(world.redis.call("GET", name, key=name) for name in names))
    assert got == [name.encode() for name in names]
    assert "moved" not in {reason for _, reason in world.metrics.engine_errors}
    sizes = await world.redis.each_server("DBSIZE")
    assert len(sizes) == 3
    assert min(sizes) > NAMES // 5


async def test_scripts_run_where_their_keys_are(world: Ear) -> None:
    ids = {peer.commands.require().greeting.writer for peer in world.redis._topology.peers}
    replies = await asyncio.gather(*(world.redis.run(ECHO, [world.name(str(n))], ["x"]) for n in range(30)))
    assert {reply[1] for reply in replies} == ids
    assert {(reply[0], reply[2]) for reply in replies} == {(b"x", b"SPUBLISH")}


async def test_names_are_heard_wherever_they_are(world: Ear) -> None:
    names = [world.name(f"ch:{{{n}}}") for n in range(NAMES)]
    await asyncio.gather(*map(world.redis.listen, names))
    await all_are_heard(world, names, b"1")
    assert await world.redis.run(SAY, [world.name("log:{7}")], [names[7], b"from a script"]) == 1
    await until(lambda: world.heard[-1] == (names[7], b"from a script"))
    await asyncio.gather(*map(world.redis.unlisten, names[1:]))
    assert sum(await asyncio.gather(*(world.redis.publish(name, b"2") for name in names))) == 1


async def test_names_and_keys_follow_their_slots(world: Ear, cluster: RedisCluster) -> None:
    names = [world.name(f"ch:{{{n}}}") for n in range(NAMES)]
    await asyncio.gather(*map(world.redis.listen, names))
    wanted = {slot(name.encode()) for name in names[:40]}
    target = cluster.servers[2]
    for number in wanted:
        await empty(cluster, number)
        await asyncio.to_thread(cluster.move, number, target)
    await until(lambda: world.missed >= 1)
    for name in names[:40]:
        await again(lambda name=name: world.redis.call("SET", name, 1, "EX", 60, key=name))  # type: ignore[misc]
    await until(lambda: world.redis.condition.up)
    await until(lambda: {place(world, name) for name in names[:40]} == {target.port})
    await all_are_heard(world, names, b"2")


def place(world: Ear, name: str) -> int:
    link = world.redis._topology.route(name).commands.link
    return link.address.port if link is not None else 0


async def identity(server: RedisServer) -> str:
    found: bytes = await asyncio.to_thread(server.ask, "CLUSTER", "MYID")
    return found.decode()


async def empty(cluster: RedisCluster, number: int) -> None:
    """`move` is for slots without keys."""

    def run() -> None:
        for server in cluster.servers:
            for key in server.ask("CLUSTER", "GETKEYSINSLOT", number, 100):
                server.ask("DEL", key)

    await asyncio.to_thread(run)


async def test_a_key_that_is_just_being_moved(world: Ear, cluster: RedisCluster) -> None:
    key = next(
        name
        for n in itertools.count()
        if place(world, name := world.name(f"k{n}")) == cluster.servers[0].port
    )
    source, target, number = cluster.servers[0], cluster.servers[1], slot(key.encode())
    await empty(cluster, number)
    ids = [await identity(server) for server in (source, target)]
    await asyncio.to_thread(target.ask, "CLUSTER", "SETSLOT", number, "IMPORTING", ids[0])
    await asyncio.to_thread(source.ask, "CLUSTER", "SETSLOT", number, "MIGRATING", ids[1])
    assert await world.redis.call("SET", key, "there", "EX", 60, key=key) == b"OK"  # ASK
    assert await world.redis.call("GET", key, key=key) == b"there"
    assert (await world.redis.run(ECHO, [key]))[1] == b"SPUBLISH"
    assert place(world, key) == source.port
    await asyncio.to_thread(cluster.move, number, target)
    assert await world.redis.call("GET", key, key=key) == b"1"  # MOVED
    await until(lambda: place(world, key) == target.port)
    assert world.metrics.engine_errors["redis", "ask"] >= 2


async def test_servers_that_do_not_agree_yet_are_waited_for(world: Ear, cluster: RedisCluster) -> None:
    """One names the other, which still names the first: as they do for a moment when a slot is moved."""
    source, target = cluster.servers[:2]
    key = next(name for n in itertools.count() if place(world, name := world.name(f"k{n}")) == source.port)
    number, old, new = slot(key.encode()), *[await identity(server) for server in (source, target)]
    await empty(cluster, number)
    await asyncio.to_thread(source.ask, "CLUSTER", "SETSLOT", number, "NODE", new)
    before = world.metrics.engine_errors["redis", "moved"]
    setting = asyncio.create_task(world.redis.call("SET", key, "there", "EX", 60, key=key))
    await until(lambda: world.metrics.engine_errors["redis", "moved"] >= before + 2)
    await asyncio.to_thread(target.ask, "CLUSTER", "SETSLOT", number, "IMPORTING", old)
    for server in (target, *cluster.servers):
        await asyncio.to_thread(server.ask, "CLUSTER", "SETSLOT", number, "NODE", new)
    assert await setting == b"OK"


async def test_a_master_that_dies_and_returns(world: Ear, cluster: RedisCluster) -> None:
    names = [world.name(f"ch:{{{n}}}") for n in range(NAMES)]
    await asyncio.gather(*map(world.redis.listen, names))
    await asyncio.to_thread(cluster.servers[1].kill)
    await until(lambda: not world.redis.condition.up)
    assert world.redis.condition.detail.startswith("1 of 3 servers: ")
    await asyncio.to_thread(cluster.servers[1].start)
    await asyncio.to_thread(cluster.settle)
    await until(lambda: world.redis.condition.up)
    assert world.missed >= 1
    assert world.renewed >= 1
    await all_are_heard(world, names, b"3")


async def test_before_7_channels_belong_to_no_slot(
    cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.engines.redis_cluster.SHARDED", (99, 0))
    async with ear(config(cluster)) as world:
        await until(lambda: world.redis.condition.up)
        names = [world.name(f"ch:{{{n}}}") for n in range(NAMES)]
        await asyncio.gather(*map(world.redis.listen, names))
        assert world.redis.publishing == "PUBLISH"
        await all_are_heard(world, names, b"1")
        number = slot(names[0].encode())
        await empty(cluster, number)
        target = next(server for server in cluster.servers if server.port != place(world, names[0]))
        await asyncio.to_thread(cluster.move, number, target)
        await again(lambda: world.redis.call("SET", names[0], 1, "EX", 60, key=names[0]))
        await until(lambda: world.missed >= 1)
        await all_are_heard(world, names, b"2")


async def test_a_replica_takes_over() -> None:
    cluster = RedisCluster(replicated=True, repl_diskless_sync_delay="0")
    await asyncio.to_thread(cluster.open)
    try:
        async with ear(config(cluster)) as world:
            names = [world.name(f"ch:{{{n}}}") for n in range(NAMES)]
            await asyncio.gather(*map(world.redis.listen, names))
            cluster.servers[0].pause()  # worse than a kill: its connections stay open
            await until(lambda: cluster.replicas[0].port in {place(world, name) for name in names})
            await until(lambda: world.redis.condition.up and world.renewed >= 1 and world.missed >= 1)
            await all_are_heard(world, names, b"1")
            cluster.servers[0].resume()  # it learns that it is a replica now
            await all_are_heard(world, names, b"2")
    finally:
        await asyncio.to_thread(cluster.close)


async def test_it_starts_when_its_seeds_are_away(cluster: RedisCluster) -> None:
    alone = {"url": "redis://127.0.0.1:1", "mode": "cluster", "nodes": cluster.nodes[2:]}
    async with ear(RedisConfig.model_validate(alone)) as world:
        assert len(await world.redis.each_server("PING")) == 3
    async with ear(RedisConfig.model_validate({**alone, "nodes": ()})) as world:
        assert world.redis.condition.detail == "it cannot be reached"
        assert not world.redis.condition.up


async def test_one_server_is_no_cluster(redis_server: RedisServer) -> None:
    settings = RedisConfig.model_validate({"url": redis_server.url, "mode": "cluster"})
    with pytest.raises(ConfigError, match=r"redis\.mode"):
        await Redis(settings, SystemClock(), Metrics()).start()


async def test_a_cluster_is_not_one_server(cluster: RedisCluster) -> None:
    settings = RedisConfig.model_validate({"url": cluster.url})
    async with ear(settings) as world:
        outcomes = await asyncio.gather(
            *(world.redis.call("GET", str(n), key=str(n)) for n in range(20)), return_exceptions=True
        )
        assert any("belongs to a Cluster" in str(outcome) for outcome in outcomes)
