from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat import checks
from tests.chat.talk import say, text
from tests.chat.world import World

from hubbub.chat.events import (
    MessageCreated,
    MessageDeleted,
    MessageHidden,
    MessageUpdated,
    ReactionsChanged,
)
from hubbub.chat.ledger import View
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio

SECRET = "xyzzy"


async def message(chat: World, *others: str, user: str = "ada") -> dict[str, Any]:
    """A message in a group of ada's, as params name it."""
    id = await chat.group("ada", *others)
    return {"conversation": id, "message": (await say(chat, id, user, SECRET)).seq}


async def unread(chat: World, user: str, id: str) -> int:
    found: int = (await chat.do("conversations.get", user, conversation=id)).membership.unread
    return found


async def dump(chat: World) -> str:
    """All that is kept, the search index too."""

    def query(view: View) -> str:
        found = sa.text("SELECT * FROM message_search")
        return repr((checks.everything(view), view.execute(found).all()))

    return await chat.read(query)


async def test_what_is_deleted_for_all_is_a_tombstone(chat: World) -> None:
    of = await message(chat, "bob")
    before = await chat.do("messages.get", "bob", **of)
    assert await unread(chat, "bob", of["conversation"]) == 1
    await chat.do("messages.delete", "ada", **of)
    after = await chat.do("messages.get", "bob", **of)
    assert (after.parts, after.mentions, after.reactions) == ((), None, ())
    assert after.deleted is not None
    assert (after.seq, after.number, after.sender) == (before.seq, before.number, "ada")
    event = (await chat.log(of["conversation"]))[-1]
    assert isinstance(event, MessageDeleted)
    assert (event.message, event.actor) == (after, "ada")
    assert await unread(chat, "bob", of["conversation"]) == 0
    log = len(await chat.log(of["conversation"]))
    await chat.do("messages.delete", "ada", **of)
    assert len(await chat.log(of["conversation"])) == log


async def test_nothing_of_it_is_left(chat: World) -> None:
    of = await message(chat, "bob")
    for n in range(3):
        await chat.do(
            "messages.edit",
            "ada",
            idempotency_key=f"k{n}",
            **of,
            parts=[*text(f"{SECRET} {n}"), {"type": "data", "data": {"x": SECRET}}],
            mentions={"users": ["bob"]},
        )
        await chat.do("reactions.add", "bob", idempotency_key=f"r{n}", **of, name=f"smile{n}")
        await chat.do("reactions.add", "ada", **of, name="smile0")
    await chat.do("reactions.remove", "bob", **of, name="smile1")
    await chat.do(
        "threads.follow", "bob", idempotency_key="t", conversation=of["conversation"], thread=of["message"]
    )
    assert SECRET in await dump(chat)
    await chat.do("messages.delete", "ada", idempotency_key="d", **of)
    assert SECRET not in await dump(chat)
    assert (await chat.do("messages.versions", "bob", **of)).versions == ()
    assert (await chat.do("reactions.list", "bob", **of)).reactions == ()
    tombstone = await chat.do("messages.get", "bob", **of)
    events = await chat.log(of["conversation"])
    about = [each for each in events if isinstance(each, MessageCreated | MessageUpdated)]
    assert len([each for each in about if each.message == tombstone]) == 4
    reacted = [each for each in events if isinstance(each, ReactionsChanged)]
    assert [(each.name, each.reactions) for each in reacted] == [("", ())] * len(reacted)
    assert len(reacted) == 5


async def test_who_deletes_for_all(chat: World) -> None:
    of = await message(chat, "bob", "cy", user="bob")
    await chat.user("eve")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.delete", "cy", at="message", **of)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.delete", "eve", at="conversation", **of)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.delete", "bob", at="message", **{**of, "message": 999})
    await chat.do(
        "conversations.update", "ada", conversation=of["conversation"], permissions={"delete_own": "nobody"}
    )
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.delete", "bob", at="message", **of)
    await chat.do("members.update", "ada", conversation=of["conversation"], user="cy", role="moderator")
    await chat.do("messages.delete", "cy", **of)
    other = await message(chat, "bob", user="bob")
    await chat.do("messages.delete", "", **other)


async def test_nobody_deletes_the_others_messages_in_a_direct_conversation(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    of: dict[str, Any] = {"conversation": id, "message": (await say(chat, id, "ada", "hello")).seq}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.delete", "bob", at="message", **of)
    await chat.do("blocks.add", "bob", user="ada")
    await chat.do("messages.delete", "ada", **of)


async def test_a_closed_conversation_lets_go_of_what_was_said(chat: World) -> None:
    of = await message(chat)
    await chat.do("conversations.update", "ada", conversation=of["conversation"], closed=True)
    await chat.do("messages.delete", "ada", **of)


async def test_system_messages_go_by_permission_alone(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy")
    await chat.do("members.leave", "cy", conversation=id)
    seq = max(seq for seq, each in (await chat.state(id)).messages.items() if each.kind == "system")
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "messages.delete", "bob", at="message", conversation=id, message=seq
    )
    await chat.do("messages.delete", "ada", conversation=id, message=seq)


async def test_what_one_deletes_for_oneself_others_still_see(chat: World) -> None:
    of = await message(chat, "bob", "cy")
    head = (await chat.state(of["conversation"])).conversation.seq
    for _ in range(2):
        await chat.do("messages.delete", "bob", **of, **{"for": "me"})
    await chat.refused(ErrorCode.NOT_FOUND, "messages.get", "bob", at="message", **of)
    assert (await chat.do("messages.get", "cy", **of)).parts
    assert (await chat.state(of["conversation"])).conversation.seq == head
    hidden = [each for each in await chat.inbox("bob") if isinstance(each, MessageHidden)]
    assert [(each.conversation, each.message) for each in hidden] == [(of["conversation"], of["message"])]
    assert not [each for each in await chat.inbox("cy") if isinstance(each, MessageHidden)]
    await chat.refused(ErrorCode.NOT_FOUND, "messages.delete", "bob", at="message", **of)


async def test_hiding_is_for_those_who_see(chat: World) -> None:
    of = await message(chat, "bob")
    await chat.user("eve")
    me = {"for": "me"}
    await chat.refused(ErrorCode.NOT_FOUND, "messages.delete", "eve", at="conversation", **of, **me)
    await chat.refused(
        ErrorCode.NOT_FOUND, "messages.delete", "bob", at="message", **{**of, **me, "message": 99}
    )
    await chat.refused(ErrorCode.BAD_REQUEST, "messages.delete", "", **of, **me)
    await chat.refused(ErrorCode.VALIDATION_FAILED, "messages.delete", "ada", at="for", **of, **{"for": "us"})


async def test_deleting_a_root_keeps_its_thread(chat: World) -> None:
    of = await message(chat, "bob")
    for n in range(3):
        await say(chat, of["conversation"], "bob", str(n), thread=of["message"])
    await chat.do("messages.delete", "ada", **of)
    root = await chat.do("messages.get", "bob", **of)
    assert root.replies == 3
    page = await chat.do("messages.list", "bob", conversation=of["conversation"], thread=of["message"])
    assert len(page.messages) == 3


async def test_counters_hold_whatever_is_deleted(chat: World) -> None:
    id = await chat.group("ada", "bob")
    sent = [await say(chat, id, "ada", str(n)) for n in range(6)]
    await chat.do("messages.delete", "ada", conversation=id, message=sent[1].seq)
    await chat.do("messages.delete", "ada", conversation=id, message=sent[5].seq)
    assert await unread(chat, "bob", id) == 4
    await say(chat, id, "bob", "read all")
    assert await unread(chat, "bob", id) == 0
    assert await unread(chat, "ada", id) == 1


async def test_one_of_many_who_delete_at_once_does(chat: World) -> None:
    of = await message(chat, "bob")
    await asyncio.gather(
        *(chat.do("messages.delete", "ada", **of) for _ in range(10)),
        *(chat.do("messages.edit", "", **of, parts=text(f"{SECRET} {n}")) for n in range(5)),
        return_exceptions=True,
    )
    events = await chat.log(of["conversation"])
    assert sum(isinstance(each, MessageDeleted) for each in events) == 1
    assert SECRET not in await dump(chat)
