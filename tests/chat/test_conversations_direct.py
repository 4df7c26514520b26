"""Direct conversations: one for each pair, whoever is first."""

from __future__ import annotations

import asyncio

import pytest
from tests.chat.world import World

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def test_it_is_the_same_for_both_and_made_once(chat: World) -> None:
    await chat.users("ada", "bob", "eve")
    made = await chat.do("conversations.direct", "ada", user="bob")
    assert made.created
    assert (made.conversation.conversation.kind, made.conversation.peer) == ("direct", "bob")
    found = await chat.do("conversations.direct", "bob", user="ada")
    assert not found.created
    assert found.conversation.conversation == made.conversation.conversation
    assert found.conversation.peer == "ada"
    other = await chat.do("conversations.direct", "ada", user="eve")
    assert other.conversation.conversation.id != made.conversation.conversation.id
    assert [len(await chat.inbox(user)) for user in ("ada", "bob", "eve")] == [2, 1, 1]
    assert (await chat.state(made.conversation.conversation.id)).conversation.members == 2


async def test_one_with_oneself_is_for_notes(chat: World) -> None:
    await chat.user("ada")
    made = await chat.do("conversations.direct", "ada", user="ada")
    assert (made.conversation.peer, made.conversation.conversation.members) == ("ada", 1)
    notes = made.conversation.conversation.id
    await chat.do("messages.send", "ada", conversation=notes, parts=[{"type": "text", "text": "milk"}])
    again = await chat.do("conversations.direct", "ada", user="ada")
    assert (again.created, again.conversation.membership.unread) == (False, 0)
    assert again.conversation.last_message.number == 1


async def test_twenty_at_once_make_one(chat: World) -> None:
    await chat.users("ada", "bob")
    pairs = [("ada", "bob"), ("bob", "ada")] * 10
    opened = await asyncio.gather(*(chat.do("conversations.direct", one, user=other) for one, other in pairs))
    assert len({each.conversation.conversation.id for each in opened}) == 1
    assert sum(each.created for each in opened) == 1
    assert [each.conversation.peer for each in opened] == [other for _, other in pairs]
    assert [len(await chat.inbox(user)) for user in ("ada", "bob")] == [1, 1]


async def test_twins_on_two_nodes_make_one(postgres_url: str) -> None:
    one = World(postgres_url)
    async with one, World(postgres_url, beside=one) as two:
        await one.users("ada", "bob")
        opened = await asyncio.gather(
            *(world.do("conversations.direct", "ada", user="bob") for world in (one, two) * 10)
        )
        assert len({each.conversation.conversation.id for each in opened}) == 1
        assert sum(each.created for each in opened) == 1
        assert len(await two.inbox("bob")) == 1


async def test_users_whose_ids_look_alike_are_other_pairs(chat: World) -> None:
    ids = ("a", "a b", "b", "b a", "A")
    await chat.users(*ids)
    made = {await chat.direct("a", other) for other in ids[1:]} | {await chat.direct("a b", "b")}
    assert len(made) == 5


async def test_with_whom_it_cannot_be(chat: World) -> None:
    await chat.user("ada")
    await chat.refused(ErrorCode.NOT_FOUND, "conversations.direct", "ada", user="nobody", at="user")
    await chat.refused(ErrorCode.BAD_REQUEST, "conversations.direct", "", user="ada")
    await chat.refused(ErrorCode.VALIDATION_FAILED, "conversations.direct", "ada", user="ada", kind="group")


async def test_it_keeps_its_two_members(chat: World) -> None:
    direct = await chat.direct("ada", "bob")
    await chat.user("eve")
    for operation, actor, params in (
        ("members.add", "", {"users": ["eve"]}),
        ("members.remove", "", {"user": "bob"}),
        ("members.update", "", {"user": "bob", "role": "owner"}),
        ("members.leave", "ada", {}),
    ):
        await chat.refused(ErrorCode.CONFLICT, operation, actor, conversation=direct, **params)
    for operation, params in (
        ("members.add", {"users": ["eve"]}),
        ("members.remove", {"user": "bob"}),
        ("members.update", {"user": "bob", "role": "owner"}),
    ):
        await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "ada", conversation=direct, **params)
    await chat.refused(ErrorCode.NOT_FOUND, "members.join", "eve", conversation=direct)
    assert (await chat.do("members.join", "bob", conversation=direct)).membership.role == "member"
