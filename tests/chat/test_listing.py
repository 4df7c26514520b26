from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from tests.chat.world import World

from hubbub.chat.ledger import View
from hubbub.chat.listing import for_users, memberships_of, my_conversations, my_membership
from hubbub.chat.model import MyConversation, MyMembership
from hubbub.chat.rows import CONVERSATION, ConversationRow
from hubbub.storage.tables import conversations

T = TypeVar("T")
pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]


class Counted(View):
    """How often the database is asked."""

    asked = 0

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        self.asked += 1
        return super().execute(statement, parameters)


def rows_of(view: View) -> list[ConversationRow]:
    found = view.execute(sa.select(*CONVERSATION).order_by(conversations.c.created))
    return [ConversationRow(*row) for row in found]


async def counted(chat: World, query: Callable[[View, list[ConversationRow]], T]) -> tuple[T, int]:
    """What `query` gives of all conversations, and how often it asks."""

    def run(view: View) -> tuple[T, int]:
        rows = rows_of(view)
        counting = Counted(view.source, view.config, view.now)
        return query(counting, rows), counting.asked

    return await chat.read(run)


async def busy(chat: World, several: int) -> None:
    for _ in range(several):
        group = await chat.group("ada", "bob", "eve")
        for _ in range(2):
            await chat.do(
                "messages.send", "ada", conversation=group, parts=HELLO, mentions={"users": ["bob"]}
            )


async def test_a_page_asks_as_often_as_a_single_one(chat: World) -> None:
    await busy(chat, 1)
    _, once = await counted(chat, lambda view, rows: my_conversations(view, "bob", rows))
    await busy(chat, 5)
    found, often = await counted(chat, lambda view, rows: my_conversations(view, "bob", rows))
    assert once == often <= 3
    assert [(mine.membership.unread, mine.membership.mentions) for mine in found] == [(2, 2)] * 6


async def test_many_users_ask_as_often_as_one(chat: World) -> None:
    await busy(chat, 1)
    _, once = await counted(chat, lambda view, rows: for_users(view, rows[0], ["bob"]))
    found, often = await counted(
        chat, lambda view, rows: for_users(view, rows[0], ["eve", "ada", "bob", "zoe"])
    )
    assert once == often <= 3
    unread = {user: (mine.membership.unread, mine.membership.mentions) for user, mine in found.items()}
    assert unread == {"eve": (2, 0), "ada": (0, 0), "bob": (2, 2), "zoe": (0, 0)}
    assert found["zoe"].membership == MyMembership()


async def test_nothing_is_asked_of_nothing(chat: World) -> None:
    await chat.user("ada")
    assert await chat.read(lambda view: my_conversations(view, "ada", [])) == []
    assert await chat.read(lambda view: memberships_of(view, {}, [])) == {}


async def test_all_ways_say_the_same(chat: World) -> None:
    await busy(chat, 2)

    def all_ways(view: View, rows: list[ConversationRow]) -> list[tuple[MyConversation, ...]]:
        pairs = [(row.id, "bob") for row in rows]
        several = memberships_of(view, {row.id: row.messages for row in rows}, pairs)
        mine = my_conversations(view, "bob", rows)
        for row, one in zip(rows, mine, strict=True):
            assert one.membership == several[row.id, "bob"] == my_membership(view, "bob", row)
        return [(one, for_users(view, row, ["bob"])["bob"]) for row, one in zip(rows, mine, strict=True)]

    for one, other in (await counted(chat, all_ways))[0]:
        assert one == other


async def test_a_message_that_one_has_deleted_for_oneself_is_not_the_newest_to_see(chat: World) -> None:
    group = await chat.group("ada", "bob")
    sent = await chat.do("messages.send", "ada", conversation=group, parts=HELLO)
    await chat.do("messages.delete", "bob", conversation=group, message=sent.message.seq, **{"for": "me"})
    assert (await chat.do("conversations.get", "bob", conversation=group)).last_message is None
    assert (await chat.do("conversations.get", "ada", conversation=group)).last_message == sent.message


async def test_deleted_messages_are_not_unread(chat: World) -> None:
    group = await chat.group("ada", "bob")
    sent = [await chat.do("messages.send", "ada", conversation=group, parts=HELLO) for _ in range(3)]
    await chat.do("messages.delete", "ada", conversation=group, message=sent[1].message.seq)
    mine = await chat.do("conversations.get", "bob", conversation=group)
    assert mine.membership.unread == 2
    await chat.do("messages.delete", "ada", conversation=group, message=sent[2].message.seq)
    mine = await chat.do("conversations.get", "bob", conversation=group)
    assert (mine.membership.unread, mine.last_message.deleted is not None) == (1, True)


async def test_who_has_left_is_told_nothing_but_that(chat: World) -> None:
    topic = await chat.topic("ada", "bob")
    await chat.do("messages.send", "ada", conversation=topic, parts=HELLO)
    await chat.do("members.leave", "bob", conversation=topic)
    mine = await chat.do("conversations.get", "bob", conversation=topic)
    assert mine.membership == MyMembership(state="left")
