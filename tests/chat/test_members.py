from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.chat.world import World

from hubbub.chat.events import ConversationAdded, ConversationRemoved, MemberChanged, MessageCreated
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]
DENIED, NOT_FOUND = ErrorCode.PERMISSION_DENIED, ErrorCode.NOT_FOUND


async def states(chat: World, conversation: str) -> dict[str, str]:
    return {user: member.state for user, member in (await chat.state(conversation)).members.items()}


async def test_users_are_added_and_hear_of_it(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.users("eve", "zoe")
    added = await chat.do("members.add", "bob", conversation=group, users=["zoe", "eve", "zoe", "ada"])
    assert [(member.user, member.state) for member in added.members] == [
        ("zoe", "joined"),
        ("eve", "joined"),
        ("ada", "joined"),
    ]
    assert (await chat.state(group)).conversation.members == 4
    log = await chat.log(group)
    assert [type(event) for event in log[1:]] == [MemberChanged, MemberChanged, MessageCreated]
    (told,) = await chat.inbox("eve")
    assert isinstance(told, ConversationAdded)
    assert told.conversation.conversation == (await chat.state(group)).conversation
    again = await chat.do("members.add", "bob", conversation=group, users=["zoe", "eve"])
    assert again.members == added.members[:2]
    assert len(await chat.log(group)) == len(log)


async def test_to_join_twice_is_to_join_once(chat: World) -> None:
    topic = await chat.topic("ada")
    await chat.user("bob")
    joined = await chat.do("members.join", "bob", conversation=topic)
    assert (joined.membership.role, joined.conversation.members) == ("member", 2)
    assert await chat.do("members.join", "bob", conversation=topic) == joined
    assert len(await chat.log(topic)) == 2
    assert len(await chat.inbox("bob")) == 1


async def test_to_leave_twice_is_to_leave_once(chat: World) -> None:
    for conversation in (await chat.group("ada", "bob"), await chat.topic("ada", "bob")):
        await chat.do("members.leave", "bob", conversation=conversation)
        head = (await chat.state(conversation)).conversation.seq
        await chat.do("members.leave", "bob", conversation=conversation)
        state = await chat.state(conversation)
        assert (state.conversation.seq, state.conversation.members) == (head, 1)
        assert state.members["bob"].state == "left"
        removed = (await chat.inbox("bob"))[-1]
        assert isinstance(removed, ConversationRemoved)
        assert removed.conversation == conversation
    await chat.user("zoe")
    await chat.do("members.leave", "zoe", conversation=conversation)  # a guest of the topic


async def test_an_invitation_is_accepted_or_declined(chat: World) -> None:
    group = await chat.group("ada")
    await chat.users("bob", "eve")
    await chat.do("members.add", "ada", conversation=group, users=["bob", "eve"], role="admin", invite=True)
    await chat.do("members.add", "ada", conversation=group, users=["bob"], invite=True)
    assert (await chat.state(group)).conversation.members == 1
    await chat.refused(DENIED, "messages.send", "bob", conversation=group, parts=HELLO)
    await chat.refused(DENIED, "members.list", "bob", conversation=group)
    accepted = await chat.do("members.join", "bob", conversation=group)
    assert (accepted.membership.role, accepted.membership.invited_by) == ("admin", "ada")
    await chat.do("members.leave", "eve", conversation=group)
    assert await states(chat, group) == {"ada": "joined", "bob": "joined", "eve": "left"}
    told = [type(event) for event in await chat.inbox("eve")]
    assert told == [ConversationAdded, ConversationRemoved]
    await chat.refused(NOT_FOUND, "members.join", "eve", conversation=group)


async def test_who_was_invited_can_be_added(chat: World) -> None:
    group = await chat.group("ada", "bob", invite=True)
    await chat.do("members.add", "ada", conversation=group, users=["bob"])
    assert await states(chat, group) == {"ada": "joined", "bob": "joined"}


async def test_who_may_not_join(chat: World) -> None:
    group = await chat.group("ada")
    await chat.user("zoe")
    join = "members.join"
    error = await chat.refused(NOT_FOUND, join, "zoe", conversation=group)
    unknown = await chat.refused(NOT_FOUND, join, "zoe", conversation="nowhere")
    assert (error.message, error.field) == (unknown.message, unknown.field)
    topic = await chat.topic("ada", permissions={"join": "nobody"})
    await chat.refused(DENIED, join, "zoe", conversation=topic)
    await chat.do("conversations.update", "ada", conversation=topic, permissions={}, closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, join, "zoe", conversation=topic)
    hidden = await chat.topic("ada", permissions={"read": "reader"})
    await chat.refused(NOT_FOUND, join, "zoe", conversation=hidden)
    await chat.refused(ErrorCode.BAD_REQUEST, join, "", conversation=topic)


async def test_who_may_not_add(chat: World) -> None:
    group = await chat.group("ada", members=[])
    broadcast = await chat.conversation("broadcast", "ada", "bob")
    await chat.users("zoe", "eve")
    add = "members.add"
    await chat.refused(NOT_FOUND, add, "zoe", conversation=group, users=["eve"])
    await chat.refused(DENIED, add, "bob", conversation=broadcast, users=["eve"])
    await chat.refused(NOT_FOUND, add, "ada", conversation=group, users=["eve", "nobody"], at="users[1]")
    await chat.refused(ErrorCode.VALIDATION_FAILED, add, "ada", conversation=group, users=[], at="users")
    await chat.refused(
        ErrorCode.VALIDATION_FAILED, add, "ada", conversation=group, users=["eve"], state="joined"
    )
    await chat.do(add, "", conversation=group, users=["eve"], role="owner")
    assert (await chat.state(group)).members["eve"].role == "owner"


@pytest.mark.parametrize(("several", "fits"), [(1, True), (2, True), (3, False)])
async def test_a_conversation_has_so_many_members_at_most(database: str, several: int, fits: bool) -> None:
    async with World(database, limits={"members": 3}) as chat:
        group = await chat.group("ada")
        topic = await chat.topic("ada", "bob", "eve")
        names = [f"user{number}" for number in range(several)]
        await chat.users(*names, "zoe")
        for invite in (True, False):
            params: dict[str, Any] = {"conversation": group, "users": names, "invite": invite}
            if fits:
                await chat.do("members.add", "ada", **params)
            else:
                error = await chat.refused(ErrorCode.LIMIT_EXCEEDED, "members.add", "ada", **params)
                assert "limits.members = 3" in error.message
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "members.join", "zoe", conversation=topic)
        await chat.do("members.leave", "eve", conversation=topic)
        await chat.do("members.join", "zoe", conversation=topic)


@pytest.mark.parametrize(("several", "fits"), [(2, True), (3, True), (4, False)])
async def test_one_call_adds_so_many_at_most(database: str, several: int, fits: bool) -> None:
    async with World(database, limits={"invitees": 3}) as chat:
        group = await chat.group("ada")
        names = [f"user{number}" for number in range(several)]
        await chat.users(*names)
        if fits:
            await chat.do("members.add", "ada", conversation=group, users=names)
            return
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED, "members.add", "ada", conversation=group, users=names, at="users"
        )


async def test_pages_of_members(chat: World) -> None:
    names = [f"user{number}" for number in range(5)]
    group = await chat.group("ada", *names)
    await chat.do("members.update", "ada", conversation=group, user="user3", role="moderator")
    first = await chat.do("members.list", "user0", conversation=group, limit=4)
    await chat.do("members.leave", "user0", conversation=group)
    second = await chat.do("members.list", "user1", conversation=group, limit=4, cursor=first.next)
    assert [[member.user for member in page.members] for page in (first, second)] == [
        ["ada", "user0", "user1", "user2"],
        ["user3", "user4"],
    ]
    assert second.next is None
    for params, found in (
        ({"role": "moderator"}, ["user3"]),
        ({"state": "left"}, ["user0"]),
        ({"state": "invited"}, []),
    ):
        page = await chat.do("members.list", "ada", conversation=group, **params)
        assert [member.user for member in page.members] == found
    await chat.refused(NOT_FOUND, "members.list", "user0", conversation=group)
    await chat.refused(ErrorCode.LIMIT_EXCEEDED, "members.list", "ada", conversation=group, limit=201)
    await chat.refused(ErrorCode.VALIDATION_FAILED, "members.list", "ada", conversation=group, cursor="x")


async def test_twenty_at_once_are_counted_once_each(chat: World) -> None:
    topic = await chat.topic("ada")
    names = [f"user{number:02}" for number in range(10)]
    await chat.users(*names)
    await asyncio.gather(*(chat.do("members.join", name, conversation=topic) for name in names * 2))
    state = await chat.state(topic)
    assert (state.conversation.members, state.conversation.seq) == (11, 11)
    await asyncio.gather(*(chat.do("members.leave", name, conversation=topic) for name in names * 2))
    state = await chat.state(topic)
    assert (state.conversation.members, state.conversation.seq) == (1, 21)
