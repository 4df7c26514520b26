"""Transactions of several nodes on the same conversations and users wait for each other, and never in a circle."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.chat.talk import text
from tests.chat.world import World

pytestmark = pytest.mark.anyio
ROUNDS = 12


@pytest.mark.parametrize("same", ["conversations", "users"])
async def test_two_nodes_that_write_in_other_orders_come_to_no_deadlock(postgres_url: str, same: str) -> None:
    async with World(postgres_url) as one:
        two = World(postgres_url, beside=one)
        await two.start()
        try:
            groups = [await one.group("ada", "bob") for _ in range(8)]
            seqs = {}
            for id in groups:
                sent = await one.do("messages.send", "ada", conversation=id, parts=text("x"))
                seqs[id] = sent.message.seq

            def about(id: str) -> dict[str, Any]:
                return {"conversation": id, "message": seqs[id]}

            for number in range(ROUNDS):
                writes = []
                half = groups if same == "conversations" else groups[:4]
                for node, order in ((one, half), (two, groups[-len(half) :][::-1])):
                    for place, id in enumerate(order):
                        user = ("ada", "bob")[place % 2]
                        writes += [
                            node.do("pins.add" if number % 2 else "pins.remove", "ada", **about(id)),
                            node.do("reactions.add", user, name=f"r{number}", **about(id)),
                            node.do(
                                "conversations.settings", user, conversation=id, archived=number % 2 == 0
                            ),
                            node.do("bookmarks.add", "ada", note=f"{number}", **about(id)),
                        ]
                await asyncio.wait_for(asyncio.gather(*writes), 60.0)
            assert [node.metrics.store_retries["deadlock"] for node in (one, two)] == [0, 0]
        finally:
            await two.stop()
