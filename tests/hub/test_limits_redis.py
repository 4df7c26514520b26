"""Two nodes on a real Redis share what a user may use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from tests.waiting import until

import hubbub.broker.redis  # here: scripts are read from disk when these are imported
import hubbub.presence.redis
import hubbub.state.redis  # noqa: F401
from hubbub.config import RedisConfig
from hubbub.errors import USER_LIMIT, ErrorCode
from hubbub.testing.raw import RawClient
from hubbub.testing.redis import RedisServer
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio

SLOW = 1e-4
"""A rate at which no token comes back while a test runs."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """One that may be killed."""
    with RedisServer() as server:
        yield server


@contextlib.asynccontextmanager
async def two_nodes(redis: RedisConfig, **sections: Any) -> AsyncIterator[list[RunningServer]]:
    shared = {
        "broker": {"type": "redis"},
        "redis": redis.model_dump(),
        "chat": {"enabled": False},
        **sections,
    }
    async with contextlib.AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(running_server(**shared)) for _ in range(2)]
        for node in nodes:
            remote = node.app.hub.remote
            assert remote is not None
            await until(lambda remote=remote: len(remote.nodes()) == 2)  # type: ignore[misc]
        yield nodes


async def connect(
    stack: contextlib.AsyncExitStack, server: RunningServer
) -> tuple[RawClient, dict[str, Any]]:
    raw = await stack.enter_async_context(await RawClient.open(server.host, server.port))
    await raw.upgrade()
    await raw.send_json({"type": "connect", "id": 1, "token": server.token("ada")})
    return raw, await raw.read_json()


async def pings(client: RawClient, count: int) -> int:
    """How many of so many were let through."""
    through = 0
    for number in range(count):
        await client.send_json({"type": "ping", "id": 2 + number})
        reply = await client.read_json()
        assert reply["type"] == "result" or reply["code"] == ErrorCode.RATE_LIMITED, reply
        through += reply["type"] == "result"
    return through


def empty(server: RunningServer) -> bool:
    """Whether this node knows that nothing is left, without asking."""
    rate = server.app.hub.user_rate
    assert rate is not None
    return rate.take("ada") > 0


@pytest.mark.parametrize("shared", [True, False])
async def test_a_users_rate_is_one_for_both(shared: bool, redis_config: RedisConfig) -> None:
    limits = {"user_command_rate": SLOW, "user_command_burst": 20}
    async with (
        two_nodes(redis_config, limits=limits, cluster={"shared_rates": shared}) as (one, two),
        contextlib.AsyncExitStack() as stack,
    ):
        (first, _), (second, _) = await connect(stack, one), await connect(stack, two)
        assert await pings(first, 21) == 20
        if not shared:
            assert await pings(second, 21) == 20
            return
        state = one.app.hub.user_rate
        assert state is not None
        await until(lambda: not state._spent and not state._charging)
        assert await pings(second, 1) == 1, "it learns of it by this"
        await until(lambda: empty(two))
        assert await pings(second, 10) == 0


async def test_without_redis_each_node_has_its_own(redis: RedisServer) -> None:
    config = RedisConfig(url=SecretStr(redis.url), timeout=0.5)
    limits = {"user_command_rate": SLOW, "user_command_burst": 20}
    async with two_nodes(config, limits=limits) as (one, two), contextlib.AsyncExitStack() as stack:
        (first, _), (second, _) = await connect(stack, one), await connect(stack, two)
        await asyncio.to_thread(redis.kill)
        assert (await pings(first, 21), await pings(second, 21)) == (20, 20)
        await until(lambda: one.app.metrics.rates_local > 0 and two.app.metrics.rates_local > 0)


async def test_a_user_has_so_many_sessions_on_both(redis_config: RedisConfig) -> None:
    async with (
        two_nodes(redis_config, limits={"connections_per_user": 3}) as (one, two),
        contextlib.AsyncExitStack() as stack,
    ):
        for server, other in ((one, two), (two, one), (one, two)):
            _, reply = await connect(stack, server)
            assert reply["type"] == "connected"
            elsewhere, here = other.app.hub.elsewhere, len(server.app.hub.users["ada"])
            assert elsewhere is not None
            await until(lambda elsewhere=elsewhere, here=here: elsewhere.count("ada") == here)  # type: ignore[misc]
        for server in (one, two):
            raw, reply = await connect(stack, server)
            assert reply["code"] == ErrorCode.LIMIT_EXCEEDED
            assert (await raw.read_close()).code == USER_LIMIT.code
            assert server.app.metrics.rejected["connections_per_user"] == 1
