from __future__ import annotations

import pytest
from tests.chat.world import World

from hubbub.chat.events import BlocksChanged, ConversationAdded
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]


async def test_to_block_twice_is_to_block_once_and_the_blocked_is_not_told(chat: World) -> None:
    await chat.users("ada", "bob")
    await chat.do("blocks.add", "ada", user="bob")
    await chat.do("blocks.add", "ada", user="bob")
    (block,) = (await chat.do("blocks.list", "ada")).blocks
    assert block.user == "bob"
    await chat.do("blocks.remove", "ada", user="bob")
    await chat.do("blocks.remove", "ada", user="bob")
    assert (await chat.do("blocks.list", "ada")).blocks == ()
    told = [
        (event.user, event.blocked) for event in await chat.inbox("ada") if isinstance(event, BlocksChanged)
    ]
    assert told == [("bob", True), ("bob", False)]
    assert await chat.inbox("bob") == []
    assert (await chat.do("blocks.list", "bob")).blocks == ()


async def test_only_others_who_are_there_can_be_blocked(chat: World) -> None:
    await chat.user("ada")
    await chat.refused(ErrorCode.NOT_FOUND, "blocks.add", "ada", user="nobody", at="user")
    await chat.refused(ErrorCode.VALIDATION_FAILED, "blocks.add", "ada", user="ada", at="user")
    await chat.refused(ErrorCode.BAD_REQUEST, "blocks.add", "", user="ada")
    await chat.refused(ErrorCode.BAD_REQUEST, "blocks.remove", "", user="ada")


async def test_pages_of_blocks_begin_with_the_newest(chat: World) -> None:
    names = [f"user{number}" for number in range(5)]
    await chat.users("ada", *names)
    for name in names:
        await chat.do("blocks.add", "ada", user=name)
    first = await chat.do("blocks.list", "ada", limit=2)
    await chat.do("blocks.remove", "ada", user="user3")
    second = await chat.do("blocks.list", "ada", limit=2, cursor=first.next)
    third = await chat.do("blocks.list", "ada", limit=2, cursor=second.next)
    pages = [[block.user for block in page.blocks] for page in (first, second, third)]
    assert pages == [["user4", "user3"], ["user2", "user1"], ["user0"]]
    assert third.next is None
    await chat.refused(ErrorCode.LIMIT_EXCEEDED, "blocks.list", "ada", limit=201, at="limit")


@pytest.mark.parametrize("blocker", ["ada", "bob"])
async def test_a_block_is_in_both_directions_and_does_not_say_whose_it_is(chat: World, blocker: str) -> None:
    group = await chat.group("ada", "eve")
    direct = await chat.direct("ada", "bob")
    await chat.do("blocks.add", blocker, user="bob" if blocker == "ada" else "ada")
    denied = ErrorCode.PERMISSION_DENIED
    errors = [
        await chat.refused(denied, "conversations.direct", "ada", user="bob"),
        await chat.refused(denied, "conversations.create", "ada", kind="group", members=[{"user": "bob"}]),
        await chat.refused(
            denied, "members.add", "ada", conversation=group, users=["eve", "bob"], at="users[1]"
        ),
        await chat.refused(
            denied, "members.add", "ada", conversation=group, users=["bob"], invite=True, at="users[0]"
        ),
    ]
    assert len({error.message for error in errors}) == 1
    assert "block" not in errors[0].message
    await chat.refused(denied, "conversations.direct", "bob", user="ada")
    for sender in ("ada", "bob"):
        error = await chat.refused(denied, "messages.send", sender, conversation=direct, parts=HELLO)
        assert "block" not in error.message
    assert not any(isinstance(event, ConversationAdded) for event in (await chat.inbox("bob"))[1:])


async def test_others_still_bring_them_together(chat: World) -> None:
    await chat.users("ada", "bob", "eve")
    await chat.do("blocks.add", "ada", user="bob")
    group = await chat.group("eve", "ada", "bob")
    await chat.do("messages.send", "bob", conversation=group, parts=HELLO)
    assert (await chat.state(group)).conversation.members == 3


async def test_without_the_block_all_is_as_before(chat: World) -> None:
    direct = await chat.direct("ada", "bob")
    await chat.do("blocks.add", "ada", user="bob")
    await chat.do("blocks.remove", "ada", user="bob")
    assert await chat.direct("bob", "ada") == direct
    await chat.do("messages.send", "bob", conversation=direct, parts=HELLO)
