from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, Raw
from tests.chat.world import World

from hubbub.chat.events import (
    ConversationAdded,
    ConversationCreated,
    ConversationUpdated,
    MembershipUpdated,
)
from hubbub.chat.model import FOREVER
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]


async def test_who_makes_a_conversation_owns_it_and_all_of_it_learn_of_it(chat: World) -> None:
    await chat.users("ada", "bob", "eve")
    made = await chat.do(
        "conversations.create",
        "ada",
        kind="group",
        name="  Engines\uff01 ",
        topic="What they\ncan do",
        avatar="/e.png",
        custom={"color": "red"},
        members=[{"user": "bob"}, {"user": "eve", "role": "admin"}, {"user": "bob"}, {"user": "ada"}],
    )
    conversation = made.conversation
    assert (conversation.kind, conversation.name, conversation.topic) == (
        "group",
        "Engines!",
        "What they\ncan do",
    )
    assert (conversation.avatar, conversation.custom) == ("/e.png", Raw(b'{"color":"red"}'))
    assert (conversation.seq, conversation.messages, conversation.members) == (1, 0, 3)
    assert conversation.created_by == "ada"
    assert (made.membership.role, made.membership.state) == ("owner", "joined")
    (created,) = await chat.log(conversation.id)
    assert isinstance(created, ConversationCreated)
    assert {member.user: member.role for member in created.members} == {
        "ada": "owner",
        "bob": "member",
        "eve": "admin",
    }
    for user, role in (("ada", "owner"), ("bob", "member"), ("eve", "admin")):
        (added,) = await chat.inbox(user)
        assert isinstance(added, ConversationAdded)
        assert added.conversation.conversation == conversation
        assert added.conversation.membership.role == role


@pytest.mark.parametrize(
    ("kind", "role"), [("group", "member"), ("broadcast", "reader"), ("topic", "member")]
)
async def test_members_get_the_role_of_the_kind(chat: World, kind: str, role: str) -> None:
    made = await chat.conversation(kind, "ada", "bob", name="X")
    assert (await chat.state(made)).members["bob"].role == role


async def test_members_can_be_asked_first(chat: World) -> None:
    group = await chat.group("ada", "bob", invite=True)
    state = await chat.state(group)
    assert (state.members["bob"].state, state.members["bob"].invited_by) == ("invited", "ada")
    assert (state.members["ada"].state, state.conversation.members) == ("joined", 1)
    await chat.do("members.join", "bob", conversation=group)
    assert (await chat.state(group)).conversation.members == 2


async def test_the_server_makes_conversations_with_and_without_an_owner(chat: World) -> None:
    await chat.users("ada", "bob")
    members = [{"user": "bob"}]
    owned = await chat.do("conversations.create", "", kind="group", owner="ada", members=members)
    assert owned.conversation.created_by == "ada"
    assert (await chat.state(owned.conversation.id)).members["ada"].role == "owner"
    free = await chat.do("conversations.create", "", kind="broadcast", members=members)
    assert (free.conversation.created_by, free.conversation.members) == (None, 1)
    assert free.membership.role is None
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "conversations.create", "ada", kind="group", owner="bob", at="owner"
    )


async def test_with_a_key_a_conversation_is_made_once(chat: World) -> None:
    await chat.users("ada", "bob")
    create = {"kind": "group", "name": "X", "members": [{"user": "bob"}]}
    one = await chat.do("conversations.create", "ada", idempotency_key="k", **create)
    two = await chat.do("conversations.create", "ada", idempotency_key="k", **create)
    assert one == two
    assert len(await chat.inbox("bob")) == 1


NONE: tuple[tuple[dict[str, Any], ErrorCode, str | None], ...] = (
    ({"kind": "direct"}, ErrorCode.VALIDATION_FAILED, "kind"),
    ({"kind": "topic"}, ErrorCode.VALIDATION_FAILED, "name"),
    ({"name": ""}, ErrorCode.VALIDATION_FAILED, "name"),
    ({"name": "ad\u202emin"}, ErrorCode.VALIDATION_FAILED, "name"),
    ({"name": "x" * 101}, ErrorCode.LIMIT_EXCEEDED, "name"),
    ({"topic": "x" * 1_001}, ErrorCode.LIMIT_EXCEEDED, "topic"),
    ({"topic": " "}, ErrorCode.VALIDATION_FAILED, "topic"),
    ({"avatar": "javascript:x"}, ErrorCode.VALIDATION_FAILED, "avatar"),
    ({"custom": "x" * 8_191}, ErrorCode.MESSAGE_TOO_LARGE, "custom"),
    ({"history": "some"}, ErrorCode.VALIDATION_FAILED, "history"),
    ({"permissions": {"fly": "member"}}, ErrorCode.VALIDATION_FAILED, None),
    ({"permissions": {"send": "god"}}, ErrorCode.VALIDATION_FAILED, None),
    ({"permissions": {"manage": "nobody"}}, ErrorCode.VALIDATION_FAILED, "permissions.manage"),
    ({"permissions": {"read": "guest"}}, ErrorCode.VALIDATION_FAILED, "permissions.read"),
    (
        {"kind": "topic", "name": "X", "permissions": {"send": "guest"}},
        ErrorCode.VALIDATION_FAILED,
        "permissions.send",
    ),
    ({"members": [{"user": "bob"}, {"user": "nobody"}]}, ErrorCode.NOT_FOUND, "members[1].user"),
    ({"members": [{"user": "bob", "role": "god"}]}, ErrorCode.VALIDATION_FAILED, None),
    (
        {"members": [{"user": "bob", "role": "admin"}, {"user": "bob", "role": "reader"}]},
        ErrorCode.VALIDATION_FAILED,
        "members[1].role",
    ),
    ({"members": [{"user": "ada", "role": "reader"}]}, ErrorCode.VALIDATION_FAILED, "members[0].role"),
    ({"members": [{"user": "bob", "state": "joined"}]}, ErrorCode.VALIDATION_FAILED, None),
    ({"id": "mine"}, ErrorCode.VALIDATION_FAILED, None),
    ({"seq": 7}, ErrorCode.VALIDATION_FAILED, None),
    ({"created_by": "bob"}, ErrorCode.VALIDATION_FAILED, None),
)


async def test_what_is_no_conversation_is_refused(chat: World) -> None:
    await chat.users("ada", "bob")
    for fields, code, at in NONE:
        await chat.refused(code, "conversations.create", "ada", at=at, **({"kind": "group"} | fields))


@pytest.mark.parametrize(("several", "fits"), [(2, True), (3, True), (4, False)])
async def test_one_call_adds_so_many_at_most(database: str, several: int, fits: bool) -> None:
    async with World(database, limits={"invitees": 3}) as chat:
        names = [f"user{number}" for number in range(several)]
        await chat.users("ada", *names)
        members = [{"user": name} for name in names]
        if fits:
            await chat.do("conversations.create", "ada", kind="group", members=members)
            return
        error = await chat.refused(
            ErrorCode.LIMIT_EXCEEDED,
            "conversations.create",
            "ada",
            kind="group",
            members=members,
            at="members",
        )
        assert "limits.invitees = 3" in error.message
        assert chat.metrics.rejected["invitees"] == 1


async def test_members_and_invited_see_a_conversation_and_others_do_not_know_of_it(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.users("eve", "zoe")
    await chat.do("members.add", "ada", conversation=group, users=["eve"], invite=True)
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO)
    mine = await chat.do("conversations.get", "bob", conversation=group)
    assert (mine.membership.unread, mine.last_message.number) == (1, 1)
    invited = await chat.do("conversations.get", "eve", conversation=group)
    assert (invited.membership.state, invited.membership.invited_by) == ("invited", "ada")
    assert invited.last_message is None
    unknown = await chat.refused(ErrorCode.NOT_FOUND, "conversations.get", "zoe", conversation="nowhere")
    await chat.do("members.remove", "ada", conversation=group, user="bob")
    for stranger in ("zoe", "bob"):
        error = await chat.refused(ErrorCode.NOT_FOUND, "conversations.get", stranger, conversation=group)
        assert (error.message, error.field) == (unknown.message, unknown.field)
    assert (await chat.do("conversations.get", "", conversation=group)).conversation.id == group


async def test_guests_see_topics_and_who_may_read_them(chat: World) -> None:
    topic = await chat.topic("ada")
    await chat.user("zoe")
    await chat.do("messages.send", "ada", conversation=topic, parts=HELLO)
    seen = await chat.do("conversations.get", "zoe", conversation=topic)
    assert seen.membership.role is None
    assert seen.last_message is not None
    await chat.do("conversations.update", "ada", conversation=topic, permissions={"read": "reader"})
    await chat.refused(ErrorCode.NOT_FOUND, "conversations.get", "zoe", conversation=topic)


async def test_a_conversation_is_changed_by_what_is_given(chat: World) -> None:
    group = await chat.group("ada", "bob", name="X", topic="T", custom=[1])
    changed = await chat.do(
        "conversations.update", "ada", conversation=group, name="Y", topic=None, custom=None, avatar="/a"
    )
    assert (changed.name, changed.topic, changed.custom, changed.avatar) == ("Y", None, UNSET, "/a")
    assert changed.seq == 2
    again = await chat.do("conversations.update", "ada", conversation=group, name="Y")
    assert again == changed
    managed = await chat.do(
        "conversations.update",
        "ada",
        conversation=group,
        history="joined",
        closed=True,
        permissions={"send": "admin", "react": "member"},
    )
    assert (managed.history, managed.closed, managed.permissions) == ("joined", True, {"send": "admin"})
    log = await chat.log(group)
    assert [type(event) for event in log] == [ConversationCreated, ConversationUpdated, ConversationUpdated]
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, "messages.send", "ada", conversation=group, parts=HELLO)
    cleared = await chat.do("conversations.update", "ada", conversation=group, permissions={}, closed=False)
    assert (cleared.permissions, cleared.closed) == ({}, False)


async def test_who_may_change_what(chat: World) -> None:
    group = await chat.group("ada", "bob", members=[{"user": "bob", "role": "moderator"}])
    await chat.user("zoe")
    update = "conversations.update"
    await chat.refused(ErrorCode.PERMISSION_DENIED, update, "bob", conversation=group, name="Y")
    await chat.refused(ErrorCode.NOT_FOUND, update, "zoe", conversation=group, name="Y")
    await chat.do(update, "ada", conversation=group, permissions={"update": "moderator"})
    await chat.do(update, "bob", conversation=group, name="Y")
    await chat.refused(ErrorCode.PERMISSION_DENIED, update, "bob", conversation=group, closed=True)
    await chat.do(update, "ada", conversation=group, permissions={"manage": "moderator"})
    await chat.refused(ErrorCode.PERMISSION_DENIED, update, "bob", conversation=group, closed=True, name="Z")
    await chat.do(update, "bob", conversation=group, closed=True)
    await chat.do(update, "", conversation=group, name="Z", closed=False)
    direct = await chat.direct("ada", "bob")
    await chat.refused(ErrorCode.PERMISSION_DENIED, update, "ada", conversation=direct, name="Y")


async def test_a_change_that_is_none_is_refused(chat: World) -> None:
    topic = await chat.topic("ada", name="X")
    for fields, code, at in (
        ({"name": None}, ErrorCode.VALIDATION_FAILED, "name"),
        ({"name": "\u200b"}, ErrorCode.VALIDATION_FAILED, "name"),
        ({"topic": "x" * 1_001}, ErrorCode.LIMIT_EXCEEDED, "topic"),
        ({"permissions": {"manage": "nobody"}}, ErrorCode.VALIDATION_FAILED, "permissions.manage"),
        ({"kind": "group"}, ErrorCode.VALIDATION_FAILED, None),
        ({"messages": 9}, ErrorCode.VALIDATION_FAILED, None),
        ({"closed": "yes"}, ErrorCode.VALIDATION_FAILED, "closed"),
    ):
        await chat.refused(code, "conversations.update", "ada", conversation=topic, at=at, **fields)


async def test_settings_are_one_s_own_and_known_on_all_devices(chat: World) -> None:
    group = await chat.group("ada", "bob")
    later = chat.clock.now() + 3600
    mine = await chat.do("conversations.settings", "bob", conversation=group, muted_until=later)
    assert (mine.muted_until, mine.archived) == (later, False)
    mine = await chat.do("conversations.settings", "bob", conversation=group, archived=True)
    assert (mine.muted_until, mine.archived) == (later, True)
    await chat.do("conversations.settings", "bob", conversation=group, archived=True)
    told = [event for event in await chat.inbox("bob") if isinstance(event, MembershipUpdated)]
    assert [event.membership.archived for event in told] == [False, True]
    assert told[-1].membership == mine
    assert (await chat.do("conversations.get", "ada", conversation=group)).membership.archived is False
    for muted in (None, 5.0):  # a time that has passed
        await chat.do("conversations.settings", "bob", conversation=group, muted_until=FOREVER)
        mine = await chat.do("conversations.settings", "bob", conversation=group, muted_until=muted)
        assert mine.muted_until is None
    assert len(await chat.log(group)) == 1


async def test_settings_are_for_members(chat: World) -> None:
    topic, group = await chat.topic("ada"), await chat.group("ada", "bob", invite=True)
    settings = "conversations.settings"
    await chat.refused(ErrorCode.PERMISSION_DENIED, settings, "bob", conversation=topic, archived=True)
    await chat.refused(ErrorCode.PERMISSION_DENIED, settings, "bob", conversation=group, archived=True)
    await chat.refused(ErrorCode.BAD_REQUEST, settings, "", conversation=group, archived=True)
    await chat.user("zoe")
    await chat.refused(ErrorCode.NOT_FOUND, settings, "zoe", conversation=group, archived=True)
    for value in (-1, 9.1e15, "later"):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED,
            settings,
            "ada",
            conversation=group,
            muted_until=value,
            at="muted_until",
        )
