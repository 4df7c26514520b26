from __future__ import annotations

from typing import Any

import pytest
from tests.chat.world import World

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]


async def ids(chat: World, operation: str, actor: str, **params: Any) -> list[str]:
    page = await chat.do(operation, actor, **params)
    return [mine.conversation.id for mine in page.conversations]


async def say(chat: World, sender: str, conversation: str) -> None:
    await chat.do("messages.send", sender, conversation=conversation, parts=HELLO)


async def test_the_one_with_the_newest_message_is_first(chat: World) -> None:
    one, two, three = [await chat.group("ada", "bob") for _ in range(3)]
    await chat.group("eve")
    assert await ids(chat, "conversations.list", "ada") == [three, two, one]
    await say(chat, "bob", one)
    page = await chat.do("conversations.list", "ada")
    assert [mine.conversation.id for mine in page.conversations] == [one, three, two]
    first = page.conversations[0]
    assert (first.membership.unread, first.last_message.sender) == (1, "bob")
    assert page.conversations[1].last_message is None


async def test_filters(chat: World) -> None:
    group, topic = await chat.group("ada", "bob"), await chat.topic("ada", "bob")
    direct = await chat.direct("ada", "bob")
    invited = await chat.group("bob", "ada", invite=True)
    archived = await chat.group("ada", "bob")
    await chat.do("conversations.settings", "ada", conversation=archived, archived=True)
    await say(chat, "bob", group)
    gone = await chat.do("messages.send", "bob", conversation=topic, parts=HELLO)
    await chat.do("messages.delete", "bob", conversation=topic, message=gone.message.seq)
    listed = "conversations.list"
    for params, found in (
        ({}, [topic, group, direct]),
        ({"kind": "direct"}, [direct]),
        ({"kind": "broadcast"}, []),
        ({"state": "invited"}, [invited]),
        ({"archived": True}, [archived]),
        ({"unread": True}, [group]),
        ({"unread": False}, [topic, direct]),
        ({"unread": True, "kind": "topic"}, []),
    ):
        assert await ids(chat, listed, "ada", **params) == found, params
    await chat.do("members.leave", "bob", conversation=topic)
    assert await ids(chat, listed, "bob", kind="topic") == []


async def test_pages_have_each_once_whatever_happens_between(chat: World) -> None:
    groups = [await chat.group("ada", "bob") for _ in range(6)]
    first = await chat.do("conversations.list", "ada", limit=2)
    await say(chat, "bob", groups[5])  # was on the first page
    await say(chat, "bob", groups[0])  # moves to the top
    await chat.group("ada")
    await chat.do("members.remove", "ada", conversation=groups[3], user="bob")
    second = await chat.do("conversations.list", "ada", limit=2, cursor=first.next)
    third = await chat.do("conversations.list", "ada", limit=2, cursor=second.next)
    pages = [[mine.conversation.id for mine in page.conversations] for page in (first, second, third)]
    assert pages == [[groups[5], groups[4]], [groups[3], groups[2]], [groups[1]]]
    assert third.next is None


async def test_conversations_of_one_moment_are_paged_too(chat: World) -> None:
    made = [await chat.group("ada") for _ in range(3)]
    for group in made:
        await say(chat, "ada", group)
    found: list[str] = []
    after = None
    while True:
        page = await chat.do("conversations.list", "ada", limit=1, cursor=after)
        found += [mine.conversation.id for mine in page.conversations]
        if (after := page.next) is None:
            break
    assert sorted(found) == sorted(made)


async def test_topics_are_found_by_anybody(chat: World) -> None:
    engines = await chat.topic("ada", name="Analytical Engines")
    poems = await chat.topic("ada", name="Poems")
    await chat.topic("ada", name="Engines, hidden", permissions={"read": "reader"})
    closed = await chat.topic("ada", name="Engines, closed")
    await chat.do("conversations.update", "ada", conversation=closed, closed=True)
    await chat.group("ada", name="Engines, a group")
    await chat.user("zoe")
    discover = "conversations.discover"
    assert await ids(chat, discover, "zoe") == [poems, engines]
    assert await ids(chat, discover, "zoe", query="eng") == [engines]
    assert await ids(chat, discover, "zoe", query="analytical e") == [engines]
    assert await ids(chat, discover, "zoe", query="ngines") == []
    await say(chat, "ada", engines)
    first = await chat.do(discover, "zoe", limit=1)
    second = await chat.do(discover, "zoe", limit=1, cursor=first.next)
    assert [page.conversations[0].conversation.id for page in (first, second)] == [engines, poems]
    assert (first.conversations[0].membership.role, second.next) == (None, None)
    await chat.do("conversations.update", "ada", conversation=poems, permissions={"join": "nobody"})
    assert await ids(chat, discover, "zoe", query="poems") == [poems]


async def test_a_list_that_is_none_is_refused(chat: World) -> None:
    await chat.user("ada")
    for operation, params, code, at in (
        ("conversations.list", {"limit": 201}, ErrorCode.LIMIT_EXCEEDED, "limit"),
        ("conversations.list", {"limit": 0}, ErrorCode.VALIDATION_FAILED, "limit"),
        ("conversations.list", {"cursor": "bm9wZQ"}, ErrorCode.VALIDATION_FAILED, "cursor"),
        ("conversations.list", {"state": "left"}, ErrorCode.VALIDATION_FAILED, "state"),
        ("conversations.list", {"user": "bob"}, ErrorCode.VALIDATION_FAILED, None),
        ("conversations.discover", {"query": " "}, ErrorCode.VALIDATION_FAILED, "query"),
        ("conversations.discover", {"query": "x" * 257}, ErrorCode.LIMIT_EXCEEDED, "query"),
        ("conversations.discover", {"limit": 201}, ErrorCode.LIMIT_EXCEEDED, "limit"),
    ):
        fields: dict[str, Any] = dict(params)
        await chat.refused(code, operation, "ada", at=at, **fields)
    await chat.refused(ErrorCode.BAD_REQUEST, "conversations.list", "")
    assert await ids(chat, "conversations.list", "ada", limit=200) == []
