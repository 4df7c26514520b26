from __future__ import annotations

import pytest
from tests.chat.talk import say, words
from tests.chat.world import World

from hubbub.chat.ledger import Actor
from hubbub.chat.sync_parts import changed_threads, newest

pytestmark = pytest.mark.anyio


async def test_the_newest_of_each_and_no_replies(chat: World) -> None:
    one = await chat.group("ada", "bob")
    two = await chat.group("ada", "bob")
    empty = await chat.topic("ada", "bob")
    root = await say(chat, one, "ada", "root")
    await say(chat, one, "ada", "second")
    await say(chat, one, "ada", "reply", thread=root.seq)
    await say(chat, two, "ada", "other")
    found = await chat.read(lambda view: newest(view, "bob", [one, two, empty], 2))
    assert words(found[one][0]) == ["root", "second"]
    assert words(found[two][0])[-1] == "other"
    assert found[empty] == ((), False)
    found = await chat.read(lambda view: newest(view, "bob", [one], 1))
    assert (words(found[one][0]), found[one][1]) == (["second"], True)
    assert await chat.read(lambda view: newest(view, "bob", [], 1)) == {}
    assert (await chat.read(lambda view: newest(view, "bob", [one], 0)))[one] == ((), True)


async def test_threads_of_what_one_may_not_read(chat: World) -> None:
    group = await chat.group("ada", "bob")
    root = await say(chat, group, "bob", "root")
    await say(chat, group, "ada", "reply", thread=root.seq)
    (thread,) = await chat.read(lambda view: changed_threads(view, Actor("bob"), 0))
    assert (thread.root.seq, thread.unread) == (root.seq, 1)
    await chat.do("conversations.update", "ada", conversation=group, permissions={"read": "moderator"})
    assert await chat.read(lambda view: changed_threads(view, Actor("bob"), 0)) == ()
    assert await chat.read(lambda view: changed_threads(view, Actor("bob"), 2**60)) == ()
