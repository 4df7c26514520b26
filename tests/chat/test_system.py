from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.chat.world import World

pytestmark = pytest.mark.anyio


async def told(chat: World, conversation: str) -> list[dict[str, Any]]:
    """The parts of the system messages."""
    messages = (await chat.state(conversation)).messages.values()
    return [msgspec.json.decode(part) for each in messages if each.kind == "system" for part in each.parts]


async def test_changes_of_a_group_s_members_stand_in_its_timeline(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.users("eve", "zoe", "max")
    await chat.do("members.add", "bob", conversation=group, users=["eve", "zoe"])
    await chat.do("members.add", "", conversation=group, users=["max"], invite=True)
    await chat.do("members.join", "max", conversation=group)
    await chat.do("members.update", "ada", conversation=group, user="eve", role="admin")
    await chat.do("members.remove", "ada", conversation=group, user="zoe")
    await chat.do("members.leave", "max", conversation=group)
    assert await told(chat, group) == [
        {"type": "system", "event": "member.joined", "users": ["eve", "zoe"], "actor": "bob"},
        {"type": "system", "event": "member.invited", "users": ["max"]},
        {"type": "system", "event": "member.joined", "users": ["max"], "actor": "max"},
        {"type": "system", "event": "member.role", "users": ["eve"], "actor": "ada", "role": "admin"},
        {"type": "system", "event": "member.removed", "users": ["zoe"], "actor": "ada"},
        {"type": "system", "event": "member.left", "users": ["max"], "actor": "max"},
    ]


async def test_they_are_nobody_s_and_unread_for_nobody(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve")
    before = (await chat.state(group)).conversation
    await chat.do("members.leave", "eve", conversation=group)
    state = await chat.state(group)
    (message,) = state.messages.values()
    assert (message.kind, message.sender, message.number) == ("system", None, None)
    assert (state.conversation.messages, state.conversation.last_message) == (0, None)
    assert state.conversation.last_activity == before.last_activity
    mine = await chat.do("conversations.get", "bob", conversation=group)
    assert (mine.membership.unread, mine.last_message) == (0, None)


async def test_where_members_are_many_it_is_no_news(chat: World) -> None:
    topic = await chat.topic("ada")
    await chat.users("bob")
    broadcast = await chat.conversation("broadcast", "ada", "bob")
    await chat.do("members.join", "bob", conversation=topic)
    await chat.do("members.leave", "bob", conversation=broadcast)
    assert await told(chat, topic) == await told(chat, broadcast) == []
