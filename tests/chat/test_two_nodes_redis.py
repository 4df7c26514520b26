"""Two nodes on one PostgreSQL and one Redis: what the chat tells goes to everybody, and Redis may go away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from tests.chat.talk_of_two import see_one_order
from tests.chat.wire import Wire, chat_server, do, group, text
from tests.waiting import until

import hubbub.broker.redis  # here: scripts are read from disk when these are imported
import hubbub.presence.redis
import hubbub.state.redis  # noqa: F401
from hubbub.config import RedisConfig
from hubbub.testing.redis import RedisServer
from hubbub.testing.server import RunningServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """One that may be killed."""
    with RedisServer() as server:
        yield server


@contextlib.asynccontextmanager
async def two_nodes(database: str, redis: RedisConfig, **sections: Any) -> AsyncIterator[list[RunningServer]]:
    shared: dict[str, Any] = {
        "broker": {"type": "redis"},
        "redis": redis.model_dump(),
        "storage": {"notify": False},  # Redis carries all that there is
        **sections,
    }
    async with contextlib.AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(chat_server(database, **dict(shared))) for _ in range(2)]
        for node in nodes:
            remote = node.app.hub.remote
            assert remote is not None
            await until(lambda remote=remote: len(remote.nodes()) == 2)  # type: ignore[misc]
        yield nodes


async def test_both_nodes_see_one_order_and_everything(postgres_url: str, redis_config: RedisConfig) -> None:
    async with two_nodes(postgres_url, redis_config) as (one, two):
        await see_one_order(one, two)


async def test_who_is_there_who_types_and_who_has_read(postgres_url: str, redis_config: RedisConfig) -> None:
    async with two_nodes(postgres_url, redis_config, chat={"presence_grace": 0.1}) as (one, two):
        id = await group(one, "ada", "bob")
        async with Wire.open(one, "ada") as ada:
            await ada.call("sync", live=True)
            await ada.call("presence.follow", users=["bob"])
            async with Wire.open(two, "bob") as bob, Wire.open(one, "bob") as phone:
                await ada.heard("presence", user="bob", availability="online")
                await bob.call("sync", live=True)
                sent = await ada.call("messages.send", conversation=id, parts=text("Are you there?"))
                await bob.heard("message.created", conversation=id)
                await bob.call("typing.start", conversation=id)
                await ada.heard("typing", user="bob")
                mark = {"conversation": id, "read": sent["message"]["seq"]}
                await bob.call("receipts.mark", marks=[mark])
                await ada.heard("receipts")
                await phone.close()
                await bob.call("presence.set", away=True)
                await ada.heard("presence", user="bob", availability="away")
            await ada.heard("presence", user="bob", availability="offline")


async def test_memberships_are_followed_and_sessions_resume_on_the_other_node(
    postgres_url: str, redis_config: RedisConfig
) -> None:
    async with two_nodes(postgres_url, redis_config) as (one, two):
        await group(one, "bob")
        async with Wire.open(two, "bob") as bob:
            await bob.call("sync", live=True)
            id = await group(one, "ada", "bob")
            channel = f"conversation:{id}"
            await bob.until(lambda wire: channel in wire.told("subscribed"))
            await do(one, "messages.send", "ada", conversation=id, parts=text("one"))
            await bob.heard("message.created", conversation=id)
            position = {"epoch": bob.pushes[-1]["epoch"], "offset": bob.offsets(channel)[-1]}
            await bob.close()
            await do(one, "messages.send", "ada", conversation=id, parts=text("two"))
            async with Wire.open(one, "", **bob.proof, positions={channel: position}) as back:
                assert back.connected["resumed"] is True
                (missed,) = [each for each in back.connected["subscriptions"] if each["channel"] == channel]
                assert missed["recovered"] is True
                assert [each["offset"] for each in missed["publications"]] == [position["offset"] + 1]
                await do(two, "messages.send", "ada", conversation=id, parts=text("three"))
                await back.until(lambda wire: wire.offsets(channel) == [position["offset"] + 2])
                await do(two, "members.remove", "ada", conversation=id, user="bob")
                await back.until(lambda wire: channel in wire.told("unsubscribed"))


async def test_while_redis_is_away_conversations_go_on_and_catch_up_from_the_database(
    postgres_url: str, redis: RedisServer
) -> None:
    config = RedisConfig(url=SecretStr(redis.url), timeout=0.5)
    async with two_nodes(postgres_url, config) as (one, two):
        id = await group(one, "ada", "bob")
        channel = f"conversation:{id}"
        async with Wire.open(one, "ada") as ada, Wire.open(two, "bob") as bob:
            for wire in (ada, bob):
                await wire.subscribe(channel)
            await asyncio.to_thread(redis.kill)
            for number in range(5):
                await ada.call("messages.send", conversation=id, parts=text(str(number)))
                await bob.call("messages.send", conversation=id, parts=text(str(number)))
            for wire in (ada, bob):
                await wire.until(lambda each: len(each.offsets(channel)) == 10)
            assert not one.app.hub.broker.condition.up
            async with Wire.open(two, "bob") as late:  # who comes now may still follow it
                await late.subscribe(channel)
                await ada.call("messages.send", conversation=id, parts=text("late"))
                await late.heard("message.created")
            await asyncio.to_thread(redis.start)
            await ada.call("messages.send", conversation=id, parts=text("again"))
            for wire in (ada, bob):
                await wire.until(lambda each: len(each.offsets(channel)) == 12)
                offsets = wire.offsets(channel)
                assert offsets == list(range(offsets[0], offsets[0] + 12))
            await until(lambda: all(node.app.hub.broker.condition.up for node in (one, two)))
