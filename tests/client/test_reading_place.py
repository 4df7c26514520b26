"""Where a reader says that it stands, when the answer to its entering was lost."""

from __future__ import annotations

import pytest
from tests.client.places import take
from tests.client.scripted import Peer, connected, error, publication, scripted, subscribed

from hubbub.client import Client, ErrorCode, Position

pytestmark = pytest.mark.anyio


async def test_it_stands_before_what_it_was_given() -> None:
    """The session is resumed, and in the channel; what was published meanwhile came before the reader knew of it."""

    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.take("subscribe")
        peer.cut()

    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        there = subscribed(0, "a", 4, recovered=True)
        items = {"session": "s1", "resumed": True, "recovered": True, "subscriptions": [there]}
        await peer.give(connected(command["id"], **items), publication("a", 5), publication("a", 6))
        command = await peer.take("subscribe")
        await peer.give(error(command["id"], ErrorCode.ALREADY_SUBSCRIBED))
        await peer.stay()

    async with (
        scripted(before, after) as url,
        Client(url) as client,
        client.channel("a").subscribe() as reader,
    ):
        assert reader.position == Position("e", 4)
        assert [each.offset for each in await take(reader, 2)] == [5, 6]
        assert reader.position == Position("e", 6)
