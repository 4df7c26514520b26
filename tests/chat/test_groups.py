from __future__ import annotations

from typing import Any

import pytest
from tests.chat.talk import limited, say
from tests.chat.test_mentions import counted, rows
from tests.chat.world import World

from hubbub.chat.groups import Group
from hubbub.chat.model import Mentions
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def group(chat: World, id: str = "support", *users: str) -> None:
    await chat.do("groups.upsert", "", group=id, name="Support team")
    if users:
        await chat.users(*users)
        await chat.do("groups.add", "", group=id, users=list(users))


async def test_groups_are_made_changed_and_deleted(chat: World) -> None:
    await chat.users("ada", "bob", "cy")
    made = await chat.do("groups.upsert", "", group="support", name="Support")
    assert made == Group("support", "Support", made.created)
    await chat.do("groups.upsert", "", group="support", description="They help")
    added = await chat.do("groups.add", "", group="support", users=["ada", "bob", "ada"])
    assert added == Group("support", "Support", made.created, "They help", 2)
    assert await chat.do("groups.add", "", group="support", users=["bob"]) == added
    assert (await chat.do("groups.members", "cy", group="support")).users == ("ada", "bob")
    assert (await chat.do("groups.list", "cy")).groups == (
        await chat.do("groups.get", "cy", group="support"),
    )
    for _ in range(2):
        assert (await chat.do("groups.remove", "", group="support", user="bob")).members == 1
    await chat.do("groups.delete", "", group="support")
    assert (await chat.do("groups.list", "cy")).groups == ()
    for name, params in (("get", {}), ("members", {}), ("delete", {}), ("add", {"users": ["ada"]})):
        await chat.refused(ErrorCode.NOT_FOUND, f"groups.{name}", "", at="group", group="support", **params)
    await group(chat, "support")
    assert (await chat.do("groups.members", "cy", group="support")).users == ()


async def test_whose_groups_they_are(chat: World) -> None:
    await group(chat, "support", "ada")
    attempts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("upsert", {"name": "x"}),
        ("delete", {}),
        ("add", {"users": ["ada"]}),
        ("remove", {"user": "ada"}),
    )
    for name, params in attempts:
        for id in ("support", "nothing"):
            await chat.refused(ErrorCode.PERMISSION_DENIED, f"groups.{name}", "ada", group=id, **params)
    await chat.user("ada", office="moderator")
    await chat.do("groups.upsert", "ada", group="other")
    acts = (await chat.do("audit.list", "", act="groups.upsert")).acts
    assert {entry.actor for entry in acts} == {None, "ada"}


@pytest.mark.parametrize(
    "params", [{"group": "A"}, {"group": ""}, {"group": "a b"}, {"name": "\x00"}, {"name": " "}]
)
async def test_what_is_no_group(chat: World, params: dict[str, Any]) -> None:
    await chat.refused(ErrorCode.VALIDATION_FAILED, "groups.upsert", "", **{"group": "a", **params})
    await group(chat)
    await chat.refused(
        ErrorCode.NOT_FOUND, "groups.add", "", at="users[0]", group="support", users=["nobody"]
    )


async def test_limits(database: str) -> None:
    async with limited(database, limits={"groups": 2, "group_members": 2, "name_length": 5}) as chat:
        await chat.users("ada", "bob", "cy")
        for id in ("a", "b", "b"):
            await chat.do("groups.upsert", "", group=id, name="12345")
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "groups.upsert", "", at="group", group="c")
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "groups.upsert", "", at="name", group="a", name="123456")
        await chat.do("groups.add", "", group="a", users=["ada", "bob"])
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "groups.add", "", at="users", group="a", users=["cy"])
        page = await chat.do("groups.list", "ada", limit=1)
        rest = await chat.do("groups.list", "ada", cursor=page.next)
        assert [each.id for each in (*page.groups, *rest.groups)] == ["a", "b"]
        page = await chat.do("groups.members", "ada", group="a", limit=1)
        assert (page.users, (await chat.do("groups.members", "ada", group="a", cursor=page.next)).users) == (
            ("ada",),
            ("bob",),
        )


# --- mentioning ---------------------------------------------------------------------------------------------------


async def test_a_group_is_mentioned(chat: World) -> None:
    await group(chat, "support", "ada", "bob", "cy", "eve")
    id = await chat.group("ada", "bob", "cy", "dan")
    await chat.do("members.leave", "cy", conversation=id)
    sent = await say(chat, id, "ada", "help", mentions={"groups": ["support"], "users": ["dan"]})
    assert sent.mentions == Mentions(("dan",), None, ("support",))
    assert await rows(chat, id) == {"bob": [sent.seq], "dan": [sent.seq]}
    assert [await counted(chat, id, user) for user in ("ada", "bob", "dan")] == [0, 1, 1]
    await chat.do("groups.delete", "", group="support")
    assert await counted(chat, id, "bob") == 1, "who was meant stays so"


async def test_groups_that_are_none(database: str) -> None:
    async with limited(database, limits={"mentions": 2}) as chat:
        await group(chat, "support")
        id = await chat.group("ada", "bob")
        params: dict[str, Any] = {"conversation": id, "parts": [{"type": "text", "text": "x"}]}
        send = ("messages.send", "ada")
        await chat.refused(
            ErrorCode.VALIDATION_FAILED,
            *send,
            at="mentions.groups[1]",
            mentions={"groups": ["support", "nothing"]},
            **params,
        )
        await chat.do(*send, mentions={"groups": ["support"], "users": ["bob"]}, **params)
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED,
            *send,
            at="mentions.users",
            mentions={"groups": ["support", "b"], "users": ["bob"]},
            **params,
        )


async def test_edits_mention_other_groups(chat: World) -> None:
    await group(chat, "support", "bob", "cy")
    await group(chat, "sales", "cy", "dan")
    id = await chat.group("ada", "bob", "cy", "dan", "eve")
    sent = await say(chat, id, "ada", "help", mentions={"groups": ["support"], "users": ["eve"]})

    async def edited(**mentions: Any) -> list[str]:
        await chat.do(
            "messages.edit",
            "ada",
            conversation=id,
            message=sent.seq,
            parts=[{"type": "text", "text": "help"}],
            mentions=mentions or None,
        )
        return sorted(await rows(chat, id))

    assert await edited(groups=["sales"], users=["eve"]) == ["cy", "dan", "eve"]
    assert await edited(groups=["sales"], users=[]) == ["cy", "dan"]
    assert await edited(groups=["sales"], users=["cy"]) == ["cy", "dan"]
    assert await edited(groups=["sales"], users=[]) == ["cy", "dan"], "still meant by the group"
    assert await edited(groups=["sales", "support"]) == ["bob", "cy", "dan"]
    assert await edited() == []
    await chat.refused(
        ErrorCode.VALIDATION_FAILED,
        "messages.edit",
        "ada",
        at="mentions.groups[0]",
        conversation=id,
        message=sent.seq,
        parts=[{"type": "text", "text": "help"}],
        mentions={"groups": ["nothing"]},
    )
    await edited(groups=["support"])
    await chat.do("messages.delete", "ada", conversation=id, message=sent.seq)
    assert await rows(chat, id) == {}
