from __future__ import annotations

from typing import Any

import pytest
from tests.chat.review import audited, restrict, staff
from tests.chat.talk import limited, say, words
from tests.chat.world import World

from hubbub.chat.events import MemberChanged, RestrictionChanged
from hubbub.chat.model import FOREVER
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def told(chat: World, user: str) -> list[RestrictionChanged]:
    return [event for event in await chat.inbox(user) if isinstance(event, RestrictionChanged)]


async def test_a_mute_is_set_told_listed_and_lifted(chat: World) -> None:
    id = await chat.group("ada", "bob")
    until = chat.clock.now() + 600
    made = await restrict(chat, "ada", "bob", "mute", conversation=id, until=until, reason=" Calm down ")
    assert (made.user, made.kind, made.conversation, made.until) == ("bob", "mute", id, until)
    assert (made.reason, made.by) == (" Calm down ", "ada")
    (event,) = await told(chat, "bob")
    assert (event.kind, event.conversation, event.until, event.lifted) == ("mute", id, until, False)
    (mine,) = (await chat.do("me.restrictions", "bob")).restrictions
    assert (mine.kind, mine.reason, mine.by) == ("mute", " Calm down ", None)
    assert (await chat.do("restrictions.list", "ada", conversation=id)).restrictions == (made,)
    for _ in range(2):
        await chat.do("restrictions.lift", "ada", user="bob", kind="mute", conversation=id)
    assert [event.lifted for event in await told(chat, "bob")] == [False, True]
    assert (await chat.do("restrictions.list", "ada", conversation=id)).restrictions == ()
    assert await audited(chat) == [("restrictions.mute", "ada", "bob"), ("restrictions.lift", "ada", "bob")]
    await say(chat, id, "bob", "calm")


async def test_to_set_it_again_is_to_change_it(chat: World) -> None:
    id = await chat.group("ada", "bob")
    soon = chat.clock.now() + 10
    await restrict(chat, "ada", "bob", "mute", conversation=id, until=soon)
    await restrict(chat, "ada", "bob", "mute", conversation=id, until=FOREVER, reason="Again")
    (found,) = (await chat.do("restrictions.list", "ada", conversation=id)).restrictions
    assert (found.until, found.reason) == (None, "Again")


async def test_a_ban_takes_its_user_out(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve")
    await chat.user("invited")
    await chat.do("members.add", "ada", conversation=id, users=["invited"], invite=True)
    for user in ("bob", "invited"):
        await restrict(chat, "ada", user, "ban", conversation=id)
        event = next(each for each in reversed(await chat.log(id)) if isinstance(each, MemberChanged))
        assert (event.member.user, event.member.state, event.actor) == (user, "left", None)
    assert (await chat.state(id)).conversation.members == 2
    assert words((await chat.do("messages.list", "ada", conversation=id)).messages)[-1] == "member.removed"
    await chat.do("restrictions.lift", "ada", user="bob", kind="ban", conversation=id)
    assert (await chat.state(id)).conversation.members == 2, "to lift it puts nobody back"


async def test_a_direct_conversation_keeps_its_members(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "restrictions.set", "ada", user="bob", kind="mute", conversation=id
    )
    await restrict(chat, "", "bob", "ban", conversation=id)
    await chat.refused(
        ErrorCode.RESTRICTED,
        "messages.send",
        "bob",
        conversation=id,
        parts=[{"type": "text", "text": "x"}],
    )
    assert (await chat.state(id)).conversation.members == 2


async def test_nobody_restricts_who_stands_as_high(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "own", "adm", "mod", "mod2", "bob", "mo")
    for user, role in (("own", "owner"), ("adm", "admin"), ("mod", "moderator"), ("mod2", "moderator")):
        await chat.do("members.update", "ada", conversation=id, user=user, role=role)

    async def refused(by: str, user: str, **params: Any) -> None:
        for operation in ("restrictions.set", "restrictions.lift"):
            await chat.refused(ErrorCode.PERMISSION_DENIED, operation, by, user=user, kind="mute", **params)

    here = {"conversation": id}
    for by, user in [
        ("mod", "mod2"),
        ("mod", "adm"),
        ("mod", "own"),
        ("adm", "own"),
        ("bob", "mod"),
        ("mod", "mod"),
        ("ada", "mo"),
        ("mo", "chief"),
        ("mo", "mo"),
    ]:
        await refused(by, user, **here)
    for by, user in [
        ("mod", "bob"),
        ("adm", "mod"),
        ("own", "ada"),
        ("mo", "ada"),
        ("chief", "mo"),
        ("", "chief"),
    ]:
        await restrict(chat, by, user, "mute", **here)
    for by, user in [("ada", "bob"), ("mo", "chief"), ("mo", "mo"), ("bob", "mo")]:
        await refused(by, user)
    for by, user in [("mo", "ada"), ("chief", "mo"), ("", "chief")]:
        await restrict(chat, by, user, "mute")


async def test_what_an_office_has_decided_is_not_undone_by_a_role(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob", "eve")
    of: dict[str, Any] = {"kind": "mute", "conversation": id}
    for by, user in (("mo", "bob"), ("", "eve")):
        await restrict(chat, by, user, **of)
        for operation in ("restrictions.lift", "restrictions.set"):
            await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "ada", at="user", user=user, **of)
        await chat.do("restrictions.lift", "mo", user=user, **of)
        await restrict(chat, "ada", user, **of)


async def test_all_are_listed_for_offices_in_pages(chat: World) -> None:
    await staff(chat)
    users = [f"u{place}" for place in range(5)]
    id = await chat.group("ada", *users)
    for user in users:
        await restrict(chat, "mo", user, "mute", conversation=id)
    await restrict(chat, "mo", "u1", "ban")
    await restrict(chat, "mo", "u2", "shadow", until=chat.clock.now() + 5)
    chat.clock.advance(6)
    found: list[tuple[str, str | None, str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await chat.do("restrictions.list", "mo", limit=2, **cursor)
        found += [(each.user, each.conversation, each.kind) for each in page.restrictions]
        if page.next is None:
            break
        cursor = {"cursor": page.next}
    assert found == sorted(
        [*((user, id, "mute") for user in users), ("u1", None, "ban")],
        key=lambda each: (each[0], each[1] or ""),
    )
    assert [each.kind for each in (await chat.do("restrictions.list", "", user="u1")).restrictions] == [
        "ban",
        "mute",
    ]
    assert len((await chat.do("restrictions.list", "chief", kind="ban")).restrictions) == 1
    await chat.refused(ErrorCode.PERMISSION_DENIED, "restrictions.list", "ada", at="conversation")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "restrictions.list", "u1", conversation=id)
    await chat.refused(ErrorCode.VALIDATION_FAILED, "restrictions.list", "mo", at="cursor", cursor="x")


async def test_refusals(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await staff(chat)
    of: dict[str, Any] = {"user": "bob", "kind": "mute", "conversation": id}
    past = {"until": chat.clock.now() - 1}
    await chat.refused(ErrorCode.VALIDATION_FAILED, "restrictions.set", "ada", at="until", **of, **past)
    await chat.refused(
        ErrorCode.VALIDATION_FAILED, "restrictions.set", "ada", at="kind", **{**of, "kind": "x"}
    )
    await chat.refused(ErrorCode.VALIDATION_FAILED, "restrictions.set", "ada", at="reason", **of, reason="\0")
    await chat.refused(ErrorCode.NOT_FOUND, "restrictions.set", "ada", at="user", **{**of, "user": "no"})
    for by in ("ada", "mo", ""):
        await chat.refused(
            ErrorCode.NOT_FOUND, "restrictions.set", by, at="conversation", **{**of, "conversation": "no"}
        )


async def test_limits(database: str) -> None:
    async with limited(database, limits={"note_length": 3}) as chat:
        id = await chat.group("ada", "bob")
        of: dict[str, Any] = {"user": "bob", "kind": "mute", "conversation": id}
        await chat.do("restrictions.set", "ada", **of, reason="abc")
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED, "restrictions.set", "ada", at="reason", **of, reason="abcd"
        )
        assert chat.metrics.rejected["note_length"] == 1
