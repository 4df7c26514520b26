"""Whole servers, as their settings make them, on what stands between nodes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from pydantic import SecretStr
from tests.hub.world import Client, OpenPolicy, World
from tests.socketio.world import Peer
from tests.waiting import until

import hubbub.broker.nats
import hubbub.broker.postgres
import hubbub.broker.redis
import hubbub.presence.postgres
import hubbub.presence.redis
import hubbub.state.postgres
import hubbub.state.redis  # noqa: F401  read their scripts before there is a loop
from hubbub.app import Hubbub
from hubbub.config import Config
from hubbub.config.cluster import RedisConfig
from hubbub.errors import FORCED
from hubbub.hub import operations
from hubbub.hub.base import Tally
from hubbub.protocols.native import JsonCodec
from hubbub.testing.connection import MemoryConnection
from hubbub.testing.nats import NatsServer
from hubbub.testing.redis import RedisCluster, RedisServer

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


@pytest.fixture(scope="module")
def redis_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(params=["redis", "cluster", "postgresql", "nats"])
def between(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings of what stands between the nodes."""
    kind: str = request.param
    if kind == "redis":
        yield {"redis": request.getfixturevalue("redis_config")}
    elif kind == "cluster":
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        url, prefix = SecretStr(cluster.url), f"test-{secrets.token_hex(4)}"
        yield {"redis": RedisConfig(url=url, mode="cluster", nodes=cluster.nodes, prefix=prefix)}
    else:
        storage = {"url": request.getfixturevalue("postgres_url")}
        if kind == "postgresql":
            yield {"broker": {"type": kind}, "storage": storage}
        else:
            with NatsServer() as nats:
                yield {
                    "broker": {"type": kind},
                    "nats": {"url": nats.url},
                    "storage": storage,
                    "cluster": {"state": "postgresql"},
                }


@contextlib.asynccontextmanager
async def servers(between: dict[str, Any], count: int = 3) -> AsyncIterator[list[Hubbub]]:
    async with contextlib.AsyncExitStack() as stack:
        running = []
        for _ in range(count):
            settings: dict[str, Any] = {
                "broker": {"type": "redis"},
                "default": {"subscribe": "authenticated", "publish": "authenticated", "retention": 100},
                **between,
                "cluster": {"lease": 2.0, "request_timeout": 1.0, **between.get("cluster", {})},
            }
            config = Config(**settings)
            app = Hubbub(config, policy=OpenPolicy())
            await app.start()
            stack.push_async_callback(app.stop)
            running.append(app)
        await until(lambda: all(len(others(app)) == count - 1 for app in running))
        yield running


def others(app: Hubbub) -> dict[str, Any]:
    assert app._cluster is not None
    return app._cluster.nodes.others


async def connected(app: Hubbub, user: str, *channels: str) -> Client:
    client = Client(cast(World, SimpleNamespace(hub=app.hub)), MemoryConnection(JsonCodec()))
    await answered(client, type="connect", token=user)
    client.session = next(each.id for each in app.hub.users[user] if each.connection is client.connection)
    for channel in channels:
        await answered(client, type="subscribe", channel=channel)
    client.take()
    return client


async def answered(client: Client, **command: Any) -> None:
    id = client.send(**command)
    await until(lambda: any(each.get("id") == id for each in client.peek()))


async def entered(app: Hubbub, user: str) -> Peer:
    peer = Peer(cast(Any, SimpleNamespace(sockets=app.socketio.sockets, hub=app.hub)), user, {})
    peer.connect()

    def inside() -> bool:
        peer.read()
        return bool(peer.sid)

    await until(inside)
    return peer


async def test_everything_is_reached_from_every_node(between: dict[str, Any]) -> None:
    async with servers(between) as (one, two, three):
        ada, bob = await connected(two, "ada", "a"), await connected(three, "ada", "a")
        await operations.publish(one.hub, "a", "message", 1)
        await until(lambda: len(ada.peek()) == len(bob.peek()) == 1)
        assert await operations.to_user(one.hub, "ada", "hello", 2) == Tally(2)
        assert await operations.to_session(one.hub, bob.session, "hello", 3) == Tally(1)
        assert (ada.texts(), bob.texts()) == ([1, 2], [1, 2, 3])
        page, missing = await operations.session_list(one.hub)
        assert {each.session for each in page} == {ada.session, bob.session}
        assert missing == ()
        channels, _ = await operations.channel_list(two.hub)
        assert [(each.name, each.subscribers) for each in channels] == [("a", 2)]
        assert await operations.disconnect(one.hub, user="ada") == Tally(2)
        assert ada.connection.closed == bob.connection.closed == FORCED


async def test_sockets_are_reached_from_every_node(between: dict[str, Any]) -> None:
    async with servers(between) as (one, two, three):
        ada, bob = await entered(two, "ada"), await entered(three, "bob")
        await one.socketio.enter_room(ada.sid, "a")
        assert await one.socketio.sockets_join("a", to=bob.sid) == 1
        await one.socketio.emit("hi", b"\x00", to="a")
        await one.socketio.emit("alone", 1, to=bob.sid)
        seen: dict[Peer, list[Any]] = {ada: [], bob: []}

        def heard() -> bool:
            for peer, events in seen.items():
                events += peer.events()
            return len(seen[ada]) == 1 and len(seen[bob]) == 2

        await until(heard)
        assert seen == {ada: [["hi", b"\x00"]], bob: [["hi", b"\x00"], ["alone", 1]]}
        asked = asyncio.create_task(one.socketio.call_all("q", to="a"))
        for number, peer in enumerate((ada, bob)):

            def was_asked(peer: Peer = peer) -> bool:
                peer.read()
                return bool(peer.place().asked)

            await until(was_asked)
            peer.ack(peer.place().asked[0][0], number)
        answers = await asked
        assert (sorted(answers.values), answers.missing) == ([0, 1], 0)
        fetched = await one.socketio.fetch_sockets("a")
        assert {each.user for each in fetched} == {"ada", "bob"}


async def test_a_room_and_who_is_in_it_are_written_to_in_order(between: dict[str, Any]) -> None:
    async with servers(between, 2) as (one, _):
        await until(lambda: one.hub.broker.condition.up)
        ada = await entered(one, "ada")
        await one.socketio.enter_room(ada.sid, "a")
        for number in range(0, 200, 2):
            await one.socketio.emit("n", number, to="a")
            await one.socketio.emit("n", number + 1, to=ada.sid)
        assert [event[1] for event in ada.events()] == list(range(200))


async def test_a_large_answer_comes_in_parts(between: dict[str, Any]) -> None:
    patient = {**between, "cluster": {**between.get("cluster", {}), "request_timeout": 15.0}}
    async with servers(patient, 2) as (one, two):
        peer = await entered(two, "ada")
        two.socketio.socket(peer.sid).data["large"] = bytes(3 * 1024 * 1024)
        (fetched,) = await one.socketio.fetch_sockets()
        assert fetched.data["large"] == bytes(3 * 1024 * 1024)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that this test may end."""
    with RedisServer() as server:
        yield server


@pytest.mark.parametrize("fault", ["flush", "kill", "pause"])
async def test_redis_fails_and_nobody_is_held_dead(own_redis: RedisServer, fault: str) -> None:
    redis, config = own_redis, RedisConfig(url=SecretStr(own_redis.url), timeout=0.5)
    async with servers({"redis": config}) as running:
        left: list[str] = []
        looked = dict[str, float]()

        def note(id: str) -> None:
            looked[id] = time.monotonic()

        nodes = [app._cluster.nodes for app in running if app._cluster is not None]
        for each in nodes:
            each.left.append(lambda node: left.append(node.id))
            each.beaten.append(partial(note, each.id))
        one, two, _ = running
        ada = await connected(two, "ada")
        if fault == "flush":
            await asyncio.to_thread(redis.flush)
        else:
            await asyncio.to_thread(redis.pause if fault == "pause" else redis.kill)
            await until(lambda: not one.hub.broker.condition.up)
            assert (await operations.to_user(one.hub, "ada", "hello", 0)).incomplete
            assert one._cluster is not None
            await until(lambda: one._cluster is not None and not one._cluster.nodes.sure)
            await asyncio.to_thread(redis.resume if fault == "pause" else redis.start)
        await until(lambda: all(app.hub.broker.condition.up for app in running))
        with anyio.fail_after(PATIENCE):
            while await operations.to_user(one.hub, "ada", "hello", 1) != Tally(1):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert 1 in ada.texts()
        # Each has looked who lives, so late that it would have believed that somebody is dead.
        over = time.monotonic()
        looked.clear()
        await until(
            lambda: all(
                looked.get(each.id, 0.0) > max(over, each._believe_from) + each._interval for each in nodes
            )
        )
        assert left == []
        assert all(len(others(app)) == 2 for app in running)
