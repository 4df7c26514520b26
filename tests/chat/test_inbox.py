from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.chat.world import World

from hubbub.chat.events import BlocksChanged, UserUpdated
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import SLACK, Ledger, Notice
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import inbox

pytestmark = pytest.mark.anyio


async def tell(chat: World, *notices: Notice) -> None:
    def run(tx: Transaction, item: tuple[Notice, ...]) -> None:
        tell_all(Ledger(tx, chat.config), item)

    await chat.store.write(each("tell", run), notices)


def blocked(user: str, whom: str) -> Notice:
    return (user, BlocksChanged, {"user": whom, "blocked": True})


async def test_each_is_told_in_the_order_given(chat: World) -> None:
    await chat.users("ada", "bob")
    await tell(chat, blocked("bob", "1"), blocked("ada", "2"), ("bob", UserUpdated, {}), blocked("bob", "3"))
    told = await chat.inbox("bob")
    assert [event.seq for event in told] == [1, 2, 3]
    assert [getattr(event, "user", None) for event in told] == ["1", None, "3"]
    await tell(chat, blocked("bob", "4"))
    assert [event.seq for event in await chat.inbox("bob")] == [1, 2, 3, 4]
    assert [event.seq for event in await chat.inbox("ada")] == [1]


async def test_nobody_and_nothing(chat: World) -> None:
    await chat.user("ada")
    await tell(chat)
    await tell(chat, blocked("nobody", "1"), blocked("ada", "2"))
    assert len(await chat.inbox("ada")) == 1
    assert await chat.inbox("nobody") == []


async def test_only_the_newest_are_kept(database: str) -> None:
    async with World(database, chat={"inbox_size": 5}) as chat:
        await chat.user("ada")
        for number in range(3 * SLACK):
            await tell(chat, blocked("ada", str(number)))
            kept = [event.seq for event in await chat.inbox("ada")]
            assert kept == list(range(kept[0], number + 2))
            assert min(number + 1, 5) <= len(kept) <= 5 + SLACK
        await tell(chat, *(blocked("ada", str(number)) for number in range(50)))
        count = sa.select(sa.func.count()).select_from(inbox)
        assert await chat.read(lambda view: view.execute(count).scalar_one()) <= 5 + SLACK
