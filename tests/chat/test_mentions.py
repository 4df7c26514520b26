from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.talk import limited, say, text
from tests.chat.world import World

from hubbub.chat.ledger import View
from hubbub.chat.model import Mentions
from hubbub.errors import ErrorCode
from hubbub.storage.tables import mentions

pytestmark = pytest.mark.anyio


async def rows(chat: World, id: str) -> dict[str, list[int]]:
    """The users who are mentioned in a conversation, and in which messages."""

    def query(view: View) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        where = sa.select(mentions.c.user, mentions.c.seq).where(mentions.c.conversation == id)
        for user, seq in view.execute(where.order_by(mentions.c.user, mentions.c.seq)):
            found.setdefault(user, []).append(seq)
        return found

    return await chat.read(query)


async def counted(chat: World, id: str, user: str) -> int:
    """How often the user is mentioned in what it has not read."""
    found: int = (await chat.do("conversations.get", user, conversation=id)).membership.mentions
    return found


async def test_users_are_mentioned(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy")
    sent = await say(chat, id, "ada", "you two", mentions={"users": ["cy", "bob", "cy"]})
    assert sent.mentions == Mentions(("cy", "bob"))
    assert await rows(chat, id) == {"bob": [sent.seq], "cy": [sent.seq]}
    assert [await counted(chat, id, user) for user in ("ada", "bob", "cy")] == [0, 1, 1]
    await say(chat, id, "cy", "yes?")
    assert await counted(chat, id, "cy") == 0
    nobody = await say(chat, id, "ada", "nobody", mentions={})
    assert nobody.mentions is None


@pytest.mark.parametrize("who", ["eve", "nobody", "left", "invited", "*", "\\"])
async def test_only_members_are_mentioned(chat: World, who: str) -> None:
    id = await chat.group("ada", "bob", "cy", "left")
    await chat.users("eve", "invited")
    await chat.do("members.leave", "left", conversation=id)
    await chat.do("members.add", "ada", conversation=id, users=["invited"], invite=True)
    error = await chat.refused(
        ErrorCode.VALIDATION_FAILED,
        "messages.send",
        "ada",
        at="mentions.users[2]",
        conversation=id,
        parts=text("x"),
        mentions={"users": ["bob", "cy", who]},
    )
    assert error.message == "mentions.users[2]: not a member of the conversation"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"users": [""]}, "mentions.users[0]"),
        ({"users": [3]}, "mentions.users[0]"),
        ({"users": ["a\0b"]}, "mentions.users[0]"),
        ({"users": "bob"}, "mentions.users"),
        ({"everyone": "there"}, "mentions.everyone"),
        ({"everyone": True}, "mentions.everyone"),
        ({"roles": ["owner"]}, "mentions.roles"),
        (["bob"], "mentions"),
    ],
)
async def test_mentions_are_checked(chat: World, given: Any, field: str) -> None:
    id = await chat.group("ada", "bob")
    await chat.refused(
        ErrorCode.VALIDATION_FAILED,
        "messages.send",
        "ada",
        at=field,
        conversation=id,
        parts=text("x"),
        mentions=given,
    )


async def test_mentions_are_bounded(database: str) -> None:
    async with limited(database, limits={"mentions": 2}) as chat:
        id = await chat.group("ada", "bob", "cy", "di")
        for count in (1, 2):
            await say(chat, id, "ada", "x", mentions={"users": ["bob", "cy"][:count]})
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED,
            "messages.send",
            "ada",
            at="mentions.users",
            conversation=id,
            parts=text("x"),
            mentions={"users": ["bob", "cy", "di"]},
        )
        assert chat.metrics.rejected["mentions"] == 1


async def test_everybody_is_one_row(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy")
    sent = await say(chat, id, "ada", "all of you", mentions={"users": ["bob"], "everyone": "all"})
    assert await rows(chat, id) == {"*": [sent.seq], "bob": [sent.seq]}
    assert [await counted(chat, id, user) for user in ("ada", "bob", "cy")] == [0, 1, 1]


@pytest.mark.parametrize("everyone", ["all", "here"])
async def test_everybody_is_mentioned_by_permission(chat: World, everyone: str) -> None:
    id = await chat.topic("ada", "bob")
    asked: dict[str, Any] = {"conversation": id, "parts": text("x"), "mentions": {"everyone": everyone}}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.send", "bob", at="mentions.everyone", **asked)
    for user in ("ada", ""):
        await chat.do("messages.send", user, **asked)


async def test_who_is_here_is_who_is_online_now(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy", "di", "left")
    await chat.do("members.leave", "left", conversation=id)
    for user in ("ada", "bob", "left"):
        await chat.client(user)
    await chat.settle()
    sent = await say(chat, id, "ada", "anybody?", mentions={"users": ["di"], "everyone": "here"})
    assert sent.mentions == Mentions(("di",), "here")
    assert await rows(chat, id) == {"bob": [sent.seq], "di": [sent.seq]}
    await chat.client("cy")
    assert [await counted(chat, id, user) for user in ("bob", "cy", "di")] == [1, 0, 1]


async def test_mentions_in_a_thread_do_not_count_in_the_main_timeline(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "ada", "root")
    reply = await say(chat, id, "ada", "reply", thread=root.seq, mentions={"users": ["bob"]})
    assert await rows(chat, id) == {"bob": [reply.seq]}
    assert await counted(chat, id, "bob") == 0
    (thread,) = (await chat.do("threads.list", "bob")).threads
    assert (thread.root.seq, thread.unread) == (root.seq, 1)


# --- after an edit ------------------------------------------------------------------------------------------------


async def test_an_edit_mentions_anew(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy", "di")
    sent = await say(chat, id, "ada", "x", mentions={"users": ["bob", "cy"]})
    await chat.do("members.remove", "ada", conversation=id, user="bob")
    edit: dict[str, Any] = {"conversation": id, "message": sent.seq, "parts": text("y")}
    await chat.do("messages.edit", "ada", **edit)
    assert await rows(chat, id) == {"bob": [sent.seq], "cy": [sent.seq]}, "as they were"
    await chat.do("messages.edit", "ada", **edit, mentions={"users": ["bob", "di"]})
    assert await rows(chat, id) == {"bob": [sent.seq], "di": [sent.seq]}, "bob was mentioned before"
    assert [await counted(chat, id, user) for user in ("cy", "di")] == [0, 1]
    await chat.do("messages.edit", "ada", **edit, mentions={"everyone": "all"})
    assert await rows(chat, id) == {"*": [sent.seq]}
    assert [await counted(chat, id, user) for user in ("cy", "di")] == [1, 1]
    await chat.do("messages.edit", "ada", **edit, mentions=None)
    assert await rows(chat, id) == {}
    assert (await chat.do("messages.get", "cy", conversation=id, message=sent.seq)).mentions is None
    await chat.refused(
        ErrorCode.VALIDATION_FAILED,
        "messages.edit",
        "ada",
        at="mentions.users[1]",
        **edit,
        mentions={"users": ["cy", "bob"]},
    )


async def test_who_was_here_stays_so_as_long_as_the_message_says_it(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy")
    await chat.client("bob")
    await chat.settle()
    sent = await say(chat, id, "ada", "x", mentions={"everyone": "here"})
    edit: dict[str, Any] = {"conversation": id, "message": sent.seq, "parts": text("y")}
    await chat.do("messages.edit", "ada", **edit, mentions={"users": ["cy"], "everyone": "here"})
    assert await rows(chat, id) == {"bob": [sent.seq], "cy": [sent.seq]}
    await chat.do("messages.edit", "ada", **edit, mentions={"users": ["cy"]})
    assert await rows(chat, id) == {"cy": [sent.seq]}
    await chat.refused(
        ErrorCode.VALIDATION_FAILED,
        "messages.edit",
        "ada",
        at="mentions.everyone",
        **edit,
        mentions={"everyone": "here"},
    )


async def test_an_edit_mentions_everybody_by_permission(chat: World) -> None:
    id = await chat.topic("ada", "bob")
    sent = await say(chat, id, "bob", "x")
    await chat.refused(
        ErrorCode.PERMISSION_DENIED,
        "messages.edit",
        "bob",
        at="mentions.everyone",
        conversation=id,
        message=sent.seq,
        parts=text("y"),
        mentions={"everyone": "all"},
    )


async def test_a_deleted_message_mentions_nobody(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy")
    await chat.client("cy")
    await chat.settle()
    for everyone in ("all", "here"):
        sent = await say(chat, id, "ada", "x", mentions={"users": ["bob"], "everyone": everyone})
        assert len(await rows(chat, id)) == 2
        await chat.do("messages.delete", "ada", conversation=id, message=sent.seq)
        assert await rows(chat, id) == {}
        assert [await counted(chat, id, user) for user in ("bob", "cy")] == [0, 0]
