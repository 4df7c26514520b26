"""Two servers on one PostgreSQL: each learns of what the other wrote by hints, and what hints miss by the heads."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.talk_of_two import see_one_order
from tests.chat.wire import Wire, chat_server, do, group, text

import hubbub.broker.redis
import hubbub.presence.redis
import hubbub.state.redis  # noqa: F401  read their scripts before there is a loop
from hubbub.config.cluster import RedisConfig

pytestmark = pytest.mark.anyio


async def test_both_nodes_see_one_order_and_everything(postgres_url: str) -> None:
    async with chat_server(postgres_url) as one, chat_server(postgres_url) as two:
        await see_one_order(one, two)


async def test_memberships_are_followed_across_nodes(postgres_url: str) -> None:
    async with chat_server(postgres_url) as one, chat_server(postgres_url) as two:
        await group(one, "bob")
        async with Wire.open(two, "bob") as bob:
            await bob.call("sync", live=True)
            id = await group(one, "ada", "bob")
            channel = f"conversation:{id}"
            await bob.until(lambda wire: channel in wire.told("subscribed"))
            await do(one, "messages.send", "ada", conversation=id, parts=text("hello"))
            await bob.heard("message.created", conversation=id)
            await do(one, "members.remove", "ada", conversation=id, user="bob")
            await bob.until(lambda wire: channel in wire.told("unsubscribed"))


async def test_a_lost_hint_is_made_good_by_the_head_check(postgres_url: str) -> None:
    """Here none is ever given."""
    async with (
        chat_server(postgres_url, storage={"notify": False}) as one,
        chat_server(postgres_url, storage={"notify": False}, broker={"head_check": 0.2}) as two,
    ):
        id = await group(one, "ada", "bob")
        async with Wire.open(two, "bob") as bob:
            await bob.subscribe(f"conversation:{id}")
            await do(one, "messages.send", "ada", conversation=id, parts=text("hello"))
            await bob.heard("message.created")
            assert two.app.metrics.gaps["healed"] >= 1


async def test_who_is_there_is_known_to_all_nodes(postgres_url: str, redis_config: RedisConfig) -> None:
    together: dict[str, Any] = {
        "broker": {"type": "redis"},
        "redis": redis_config,
        "chat": {"presence_grace": 0.05},
        "sessions": {"resume_window": 0},
    }
    async with chat_server(postgres_url, **together) as one, chat_server(postgres_url, **together) as two:
        await group(one, "ada", "bob")
        async with Wire.open(two, "bob") as bob:
            await bob.call("presence.follow", users=["ada"])
            async with Wire.open(one, "ada") as ada:
                await bob.heard("presence", user="ada", availability="online")
                await ada.call("me.update", show_last_seen="contacts")
                await do(two, "presence.set", "ada", away=True)
                await bob.heard("presence", user="ada", availability="away")
                (known,) = (await bob.call("presence.query", users=["ada"]))["users"]
                assert known["availability"] == "away"
            gone = await bob.heard("presence", user="ada", availability="offline")
            (known,) = (await bob.call("presence.query", users=["ada"]))["users"]
            assert known == {"user": "ada", "availability": "offline", "last_seen": gone["last_seen"]}
