"""What coming and going does to cursors, counters and what is seen."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.chat.world import World

from hubbub.errors import ErrorCode
from hubbub.storage.tables import followers, mentions

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]


async def test_what_was_said_before_is_not_unread(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.user("eve")
    for _ in range(3):
        await chat.do("messages.send", "ada", conversation=group, parts=HELLO)
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    mine = await chat.do("conversations.get", "eve", conversation=group)
    assert (mine.membership.unread, mine.membership.visible) == (0, 0)
    assert mine.last_message.number == 3
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO)
    assert (await chat.do("conversations.get", "eve", conversation=group)).membership.unread == 1


async def test_with_history_from_joining_what_was_said_before_is_not_seen(chat: World) -> None:
    group = await chat.group("ada", "bob", history="joined")
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO)
    head = (await chat.state(group)).conversation.seq
    await chat.user("eve")
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    mine = await chat.do("conversations.get", "eve", conversation=group)
    assert (mine.membership.visible, mine.last_message) == (head, None)
    await chat.refused(
        ErrorCode.NOT_FOUND, "receipts.list", "eve", conversation=group, message=head, at="message"
    )
    assert (await chat.do("conversations.get", "bob", conversation=group)).last_message is not None


async def test_who_comes_back_has_nothing_unread_and_no_old_rights(chat: World) -> None:
    group = await chat.group("ada", members=[])
    await chat.user("bob")
    await chat.do("members.add", "ada", conversation=group, users=["bob"], role="admin")
    await chat.do("conversations.settings", "bob", conversation=group, archived=True, muted_until=9e15)
    mentioned = {"users": ["bob"]}
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO, mentions=mentioned)
    assert (await chat.do("conversations.get", "bob", conversation=group)).membership.mentions == 1
    await chat.do("members.remove", "ada", conversation=group, user="bob")
    gone = (await chat.state(group)).members["bob"]
    assert (gone.role, gone.state, gone.invited_by) == ("member", "left", None)
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO)
    await chat.do("members.add", "ada", conversation=group, users=["bob"])
    mine = (await chat.do("conversations.get", "bob", conversation=group)).membership
    assert (mine.role, mine.unread, mine.mentions) == ("member", 0, 0)
    assert (mine.archived, mine.muted_until) == (False, None)


async def test_who_is_gone_follows_no_threads_there(chat: World) -> None:
    group = await chat.group("ada", "bob")
    root = await chat.do("messages.send", "bob", conversation=group, parts=HELLO)
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO, thread=root.message.seq)
    assert len((await chat.do("threads.list", "bob")).threads) == 1
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO, mentions={"users": ["bob"]})
    await chat.do("members.leave", "bob", conversation=group)
    assert (await chat.do("threads.list", "bob")).threads == ()
    for table in (mentions, followers):
        query = sa.select(sa.func.count()).select_from(table).where(table.c.user == "bob")
        count = await chat.read(lambda view, query=query: view.execute(query).scalar_one())  # type: ignore[misc]
        assert count == 0, table.name
