"""Threads of those who have left, and of those who may not read any more."""

from __future__ import annotations

import pytest
from tests.chat.talk import say
from tests.chat.world import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("how", ["members.leave", "members.remove"])
async def test_who_has_left_hears_of_no_thread_that_it_began(chat: World, how: str) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "bob", "root")
    if how == "members.leave":
        await chat.do(how, "bob", conversation=id)
    else:
        await chat.do(how, "ada", conversation=id, user="bob")
    before = await chat.inbox("bob")
    await say(chat, id, "ada", "reply", thread=root.seq)
    assert await chat.inbox("bob") == before
    await chat.do("members.add", "ada", conversation=id, users=["bob"])
    assert (await chat.do("threads.list", "bob")).threads == ()
    await say(chat, id, "ada", "another", thread=root.seq)
    (thread,) = (await chat.do("threads.list", "bob")).threads
    assert thread.unread == 1, "it is a member again"


async def test_threads_are_listed_where_one_may_read(chat: World) -> None:
    id, other = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    for each in (id, other):
        root = await say(chat, each, "bob", "root")
        await say(chat, each, "ada", "reply", thread=root.seq)

    async def shown(user: str) -> set[str]:
        return {each.root.conversation for each in (await chat.do("threads.list", user)).threads}

    await chat.do("conversations.update", "ada", conversation=id, permissions={"read": "moderator"})
    assert await shown("bob") == {other}
    assert await shown("ada") == {id, other}
    await chat.do("members.update", "ada", conversation=id, user="bob", role="moderator")
    assert await shown("bob") == {id, other}
