"""Two servers on one PostgreSQL: each learns of what the other wrote by hints, and what hints miss by the heads."""

from __future__ import annotations

import pytest
from tests.chat.wire import Wire, chat_server, do, group, text

pytestmark = pytest.mark.anyio


async def test_both_nodes_see_one_order_and_everything(postgres_url: str) -> None:
    async with chat_server(postgres_url) as one, chat_server(postgres_url) as two:
        id = await group(one, "ada", "bob")
        channel = f"conversation:{id}"
        async with Wire.open(one, "ada") as ada, Wire.open(two, "bob") as bob:
            since = (await ada.subscribe(channel))["position"]["offset"]
            await bob.subscribe(channel)
            replies = [
                wire.begin(
                    type="call",
                    method="chat.messages.send",
                    params={"conversation": id, "parts": text(str(number))},
                )
                for number in range(30)
                for wire in (ada, bob)
            ]
            seqs = sorted([(await each)["result"]["message"]["seq"] for each in replies])
            assert seqs == list(range(since + 1, since + 61)), "no gap, whoever wrote"
            for wire in (ada, bob):
                await wire.until(lambda each: len(each.offsets(channel)) == 60)
                assert wire.offsets(channel) == seqs
            assert ada.events("message.created") == bob.events("message.created")


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
