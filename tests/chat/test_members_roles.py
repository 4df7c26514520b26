"""Who may give which role, and who may remove whom."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.chat.world import World

from hubbub.chat.events import ConversationRemoved, MembershipUpdated
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
DENIED, NOT_FOUND, CONFLICT = ErrorCode.PERMISSION_DENIED, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT
ROLES = ("owner", "admin", "moderator", "member", "reader")


async def with_all_roles(chat: World, kind: str = "group") -> str:
    """A conversation in which each role has a member of its name (and the owner is `owner`)."""
    await chat.users(*ROLES, "zoe")
    members = [{"user": role, "role": role} for role in ROLES[1:]]
    return await chat.conversation(kind, "owner", members=members)


async def role_of(chat: World, conversation: str, user: str) -> str:
    return (await chat.state(conversation)).members[user].role


async def test_owners_give_any_role_and_the_member_s_devices_learn_of_it(chat: World) -> None:
    group = await with_all_roles(chat)
    changed = await chat.do("members.update", "owner", conversation=group, user="member", role="owner")
    assert (changed.user, changed.role, changed.state) == ("member", "owner", "joined")
    told = (await chat.inbox("member"))[-1]
    assert isinstance(told, MembershipUpdated)
    assert told.membership.role == "owner"
    head = (await chat.state(group)).conversation.seq
    assert (
        await chat.do("members.update", "owner", conversation=group, user="member", role="owner") == changed
    )
    assert (await chat.state(group)).conversation.seq == head


async def test_admins_stand_above_both_roles_or_may_not(chat: World) -> None:
    group = await with_all_roles(chat)
    update = "members.update"
    for user, role in (("member", "moderator"), ("moderator", "reader"), ("reader", "member")):
        await chat.do(update, "admin", conversation=group, user=user, role=role)
        assert await role_of(chat, group, user) == role
    for user, role in (("member", "admin"), ("member", "owner"), ("owner", "member"), ("admin", "owner")):
        await chat.refused(DENIED, update, "admin", conversation=group, user=user, role=role)
    for actor in ("moderator", "member", "reader"):
        await chat.refused(DENIED, update, actor, conversation=group, user="zoe", role="member")
    await chat.refused(NOT_FOUND, update, "zoe", conversation=group, user="member", role="reader")
    await chat.refused(NOT_FOUND, update, "owner", conversation=group, user="zoe", role="reader", at="user")
    await chat.refused(
        ErrorCode.VALIDATION_FAILED, update, "owner", conversation=group, user="member", role="god"
    )


async def test_nobody_raises_itself(chat: World) -> None:
    group = await with_all_roles(chat)
    for place, user in enumerate(ROLES[1:], 1):
        for higher in ROLES[:place]:
            await chat.refused(DENIED, "members.update", user, conversation=group, user=user, role=higher)


async def test_everybody_can_step_down(chat: World) -> None:
    group = await with_all_roles(chat)
    for user in ROLES[1:4]:
        await chat.do("members.update", user, conversation=group, user=user, role="reader")
        assert await role_of(chat, group, user) == "reader"


async def test_an_owner_stays_while_others_are_there(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.refused(CONFLICT, "members.leave", "ada", conversation=group)
    await chat.refused(CONFLICT, "members.remove", "ada", conversation=group, user="ada")
    await chat.refused(CONFLICT, "members.update", "ada", conversation=group, user="ada", role="member")
    await chat.do("members.update", "ada", conversation=group, user="bob", role="owner")
    await chat.do("members.leave", "ada", conversation=group)
    await chat.do("members.leave", "bob", conversation=group)
    state = await chat.state(group)
    assert state.conversation.members == 0
    await chat.refused(NOT_FOUND, "conversations.get", "bob", conversation=group)


async def test_two_owners_do_not_leave_at_once(chat: World) -> None:
    group = await chat.group("ada", members=[])
    await chat.users("bob", "eve")
    await chat.do("members.add", "ada", conversation=group, users=["bob"], role="owner")
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    left = await asyncio.gather(
        *(chat.do("members.leave", user, conversation=group) for user in ("ada", "bob")),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Exception) for each in left) == 1
    members = (await chat.state(group)).members.values()
    assert sum(member.role == "owner" and member.state == "joined" for member in members) == 1


async def test_the_server_may_take_the_last_owner(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.do("members.update", "", conversation=group, user="ada", role="reader")
    await chat.do("members.remove", "", conversation=group, user="ada")
    assert (await chat.state(group)).conversation.members == 1


async def test_who_may_remove_whom(chat: World) -> None:
    group = await with_all_roles(chat)
    remove = "members.remove"
    for actor, user in (
        ("member", "reader"),
        ("reader", "member"),
        ("moderator", "moderator2"),
        ("moderator", "admin"),
        ("moderator", "owner"),
        ("admin", "owner"),
    ):
        if user == "moderator2":
            await chat.user(user)
            await chat.do("members.add", "owner", conversation=group, users=[user], role="moderator")
        await chat.refused(DENIED, remove, actor, conversation=group, user=user)
    await chat.refused(NOT_FOUND, remove, "zoe", conversation=group, user="member")
    await chat.do(remove, "moderator", conversation=group, user="reader")
    await chat.do(remove, "moderator", conversation=group, user="member")
    await chat.do(remove, "admin", conversation=group, user="moderator")
    await chat.do(remove, "owner", conversation=group, user="admin")
    state = await chat.state(group)
    assert state.conversation.members == 2
    told = (await chat.inbox("member"))[-1]
    assert isinstance(told, ConversationRemoved)
    head = state.conversation.seq
    await chat.do(remove, "owner", conversation=group, user="member")
    await chat.do(remove, "owner", conversation=group, user="zoe")
    assert (await chat.state(group)).conversation.seq == head


async def test_to_remove_oneself_is_to_leave(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.do("members.remove", "bob", conversation=group, user="bob")
    parts = [
        msgspec.json.decode(part) for m in (await chat.state(group)).messages.values() for part in m.parts
    ]
    assert [part["event"] for part in parts] == ["member.left"]


async def test_an_invitation_is_taken_back_by_who_has_made_it_or_may_remove(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve")
    await chat.users("zoe", "max")
    await chat.do("members.add", "bob", conversation=group, users=["zoe", "max"], invite=True)
    await chat.refused(DENIED, "members.remove", "eve", conversation=group, user="zoe")
    await chat.do("members.remove", "bob", conversation=group, user="zoe")
    await chat.do("members.remove", "ada", conversation=group, user="max")
    await chat.refused(NOT_FOUND, "members.join", "zoe", conversation=group)
    members = (await chat.state(group)).members
    assert (members["zoe"].state, members["max"].state) == ("left", "left")


async def test_higher_roles_are_given_to_newcomers_only_by_who_stands_above(chat: World) -> None:
    group = await with_all_roles(chat)
    await chat.users("u1", "u2", "u3")
    add = "members.add"
    await chat.refused(DENIED, add, "member", conversation=group, users=["u1"], role="moderator", at="role")
    await chat.refused(DENIED, add, "admin", conversation=group, users=["u1"], role="admin", at="role")
    await chat.refused(DENIED, add, "reader", conversation=group, users=["u1"])
    await chat.do(add, "member", conversation=group, users=["u1"], role="reader")
    await chat.do(add, "admin", conversation=group, users=["u2"], role="moderator")
    await chat.do(add, "owner", conversation=group, users=["u3"], role="owner")
    roles = {user: await role_of(chat, group, user) for user in ("u1", "u2", "u3")}
    assert roles == {"u1": "reader", "u2": "moderator", "u3": "owner"}


async def test_a_conversation_s_own_permissions_say_who_may(chat: World) -> None:
    permissions = {"invite": "owner", "remove": "owner", "manage": "moderator"}
    group = await with_all_roles(chat)
    await chat.do("conversations.update", "owner", conversation=group, permissions=permissions)
    await chat.refused(DENIED, "members.add", "admin", conversation=group, users=["zoe"])
    await chat.refused(DENIED, "members.remove", "admin", conversation=group, user="reader")
    await chat.do("members.update", "moderator", conversation=group, user="member", role="reader")
    await chat.do("members.remove", "owner", conversation=group, user="reader")
