"""That administrators find everybody and everything, and nobody else does."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.review import restrict
from tests.chat.sharing import HELLO, stored
from tests.chat.talk import say
from tests.chat.world import World

from hubbub.chat.administration import AccountDetails, AccountPage, ListedPage
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def users(chat: World, who: str = "", **params: Any) -> list[str]:
    found: AccountPage = await chat.do("administration.users", who, **params)
    return [each.user.id for each in found.users]


async def conversations(chat: World, who: str = "", **params: Any) -> list[str]:
    found: ListedPage = await chat.do("administration.conversations", who, **params)
    return [each.conversation.id for each in found.conversations]


async def test_all_users_are_found(chat: World) -> None:
    await chat.users("bob", "ada", "eve")
    await chat.user("robot", kind="agent", name="The Helper")
    await chat.user("mo", office="moderator", show_last_seen="nobody")
    client = await chat.client("ada")
    assert await users(chat) == ["ada", "bob", "eve", "mo", "robot"]
    assert await users(chat, kind="agent") == ["robot"]
    assert await users(chat, office="moderator") == ["mo"]
    assert await users(chat, prefix="hel") == ["robot"]
    assert await users(chat, prefix="E") == ["eve"]
    first = await chat.do("administration.users", "", limit=2)
    assert [each.user.id for each in first.users] == ["ada", "bob"]
    assert [each.online for each in first.users] == [True, False]
    assert await users(chat, limit=3, cursor=first.next) == ["eve", "mo", "robot"]
    await chat.refused(ErrorCode.VALIDATION_FAILED, "administration.users", "", cursor="x")
    client.drop()


async def test_one_user_is_shown_whole(chat: World) -> None:
    await chat.group("ada", "bob")
    id = await chat.group("ada")
    await chat.do("members.add", "ada", conversation=id, users=["bob"], invite=True)
    await stored(chat, "bob")
    await restrict(chat, "", "bob", "mute", conversation=id, reason="loud")
    await restrict(chat, "", "bob", "shadow")
    await chat.do("retention.hold", "", subject="user", id="bob", reason="Case 1")
    found: AccountDetails = await chat.do("administration.user", "", user="bob")
    assert (found.account.user.id, found.account.office, found.account.online) == ("bob", "none", False)
    assert (found.conversations, found.invitations) == (1, 1)
    assert (found.files, found.file_bytes) == (1, len(HELLO))
    assert [(each.kind, each.conversation) for each in found.restrictions] == [("shadow", None), ("mute", id)]
    assert (found.show_last_seen, found.legal_hold) == ("contacts", True)
    await chat.refused(ErrorCode.NOT_FOUND, "administration.user", "", at="user", user="nobody")


async def test_all_conversations_are_found(chat: World) -> None:
    group = await chat.group("ada", "bob", name="Engineers")
    topic = await chat.topic("eve", name="News of engines")
    pair = await chat.direct("bob", "ada")
    await chat.do("conversations.update", "eve", conversation=topic, closed=True)
    await say(chat, group, "ada", "hello")
    assert await conversations(chat) == [group, pair, topic]
    assert await conversations(chat, kind="topic") == [topic]
    assert await conversations(chat, closed=False) == [group, pair]
    assert await conversations(chat, user="bob") == [group, pair]
    assert await conversations(chat, query="engine") == [group, topic]
    assert await conversations(chat, query="engineers", user="eve") == []
    first: ListedPage = await chat.do("administration.conversations", "", limit=2)
    assert [each.between for each in first.conversations] == [(), ("ada", "bob")]
    assert await conversations(chat, cursor=first.next) == [topic]
    await chat.do("members.leave", "bob", conversation=group)
    assert await conversations(chat, user="bob") == [pair]


async def test_it_is_for_the_server_and_admins(chat: World) -> None:
    await chat.group("ada", "bob")
    await chat.user("mo", office="moderator")
    await chat.user("eve", office="admin")
    for who in ("ada", "mo"):
        await chat.refused(ErrorCode.PERMISSION_DENIED, "administration.users", who)
        await chat.refused(ErrorCode.PERMISSION_DENIED, "administration.user", who, user=who)
        await chat.refused(ErrorCode.PERMISSION_DENIED, "administration.user", who, user="nobody")
        await chat.refused(ErrorCode.PERMISSION_DENIED, "administration.conversations", who)
    assert await users(chat, "eve") == ["ada", "bob", "eve", "mo"]
    assert len(await conversations(chat, "eve")) == 1
