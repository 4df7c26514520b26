from __future__ import annotations

from typing import Any

import pytest
from tests.chat.later import items, pass_time
from tests.chat.talk import limited, said, text
from tests.chat.world import World

from hubbub.chat.events import MessageDeleted
from hubbub.chat.model import Message
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def send(chat: World, id: str, words: str, **params: Any) -> Message:
    """Of ada."""
    sent = await chat.do("messages.send", "ada", conversation=id, parts=text(words), **params)
    message: Message = sent.message
    return message


async def now(chat: World, message: Message) -> Message:
    found: Message = await chat.do(
        "messages.get", "bob", conversation=message.conversation, message=message.seq
    )
    return found


async def deletions(chat: World, id: str) -> list[MessageDeleted]:
    return [event for event in await chat.log(id) if isinstance(event, MessageDeleted)]


async def test_it_is_there_for_its_time_and_deleted_once(chat: World) -> None:
    id = await chat.group("ada", "bob")
    message = await send(chat, id, "for a minute", expires_in=60.5)
    assert message.options is not None
    assert message.options.expires == message.created + 60.5
    assert await now(chat, message) == message
    await pass_time(chat, 50.0)
    assert said(await now(chat, message)) == ["for a minute"]
    await pass_time(chat, 20.0)
    gone = await now(chat, message)
    assert (gone.parts, gone.options) == ((), message.options)
    assert gone.deleted is not None
    assert gone.deleted >= message.options.expires
    (event,) = await deletions(chat, id)
    assert (event.actor, event.message) == (None, gone)
    assert (await chat.do("search", "bob", query="minute")).hits == ()
    assert await items(chat) == []
    await pass_time(chat, 100.0)
    assert len(await deletions(chat, id)) == 1


async def test_what_was_deleted_before_is_deleted_no_more(chat: World) -> None:
    id = await chat.group("ada", "bob")
    message = await send(chat, id, "x", expires_in=60)
    await chat.do("messages.delete", "ada", conversation=id, message=message.seq)
    await pass_time(chat, 70.0)
    assert [event.actor for event in await deletions(chat, id)] == ["ada"]
    assert await items(chat) == []


async def test_edits_do_not_keep_it_and_a_closed_conversation_neither(chat: World) -> None:
    id = await chat.group("ada", "bob")
    message = await send(chat, id, "x", expires_in=60)
    await chat.do("messages.edit", "ada", conversation=id, message=message.seq, parts=text("y"))
    assert (await now(chat, message)).options == message.options
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await chat.do("members.leave", "bob", conversation=id)
    await pass_time(chat, 70.0)
    assert len(await deletions(chat, id)) == 1


async def test_a_root_that_expires_leaves_its_thread(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await send(chat, id, "root", expires_in=60)
    reply = await send(chat, id, "reply", thread=root.seq)
    await pass_time(chat, 70.0)
    assert said(await now(chat, reply)) == ["reply"]
    assert (await now(chat, root)).replies == 1


async def test_many_in_one_batch(chat: World) -> None:
    id = await chat.group("ada", "bob")
    for place in range(40):
        await send(chat, id, str(place), **({"expires_in": 10 + place % 3} if place % 2 else {}))
    await pass_time(chat, 30.0, step=5.0)
    page = await chat.do("messages.list", "bob", conversation=id)
    assert [said(message) for message in page.messages] == [
        [] if place % 2 else [str(place)] for place in range(40)
    ]


async def test_a_key_tells_what_was_sent_with_it(chat: World) -> None:
    id = await chat.group("ada", "bob")
    params: dict[str, Any] = {"conversation": id, "parts": text("x"), "expires_in": 60, "silent": True}
    first = await chat.do("messages.send", "ada", idempotency_key="k", **params)
    again = await chat.do("messages.send", "ada", idempotency_key="k", **params)
    assert (again.message, again.duplicate) == (first.message, True)
    assert len(await items(chat)) == 1
    other = {**params, "expires_in": 61}
    with pytest.raises(Exception, match="another body"):
        await chat.do("messages.send", "ada", idempotency_key="k", **other)


async def test_silent_messages_say_so(chat: World) -> None:
    id = await chat.group("ada", "bob")
    message = await send(chat, id, "psst", silent=True)
    assert message.options is not None
    assert (message.options.silent, message.options.expires) == (True, None)
    assert await now(chat, message) == message
    assert (await send(chat, id, "hello")).options is None
    assert (await send(chat, id, "hello", silent=False)).options is None


async def test_limits(database: str) -> None:
    async with limited(database, limits={"schedule_ahead": 100.0}) as chat:
        id = await chat.group("ada", "bob")
        for seconds, code in (
            (100.5, ErrorCode.LIMIT_EXCEEDED),
            (0.5, ErrorCode.VALIDATION_FAILED),
            (0, ErrorCode.VALIDATION_FAILED),
            (-1, ErrorCode.VALIDATION_FAILED),
            ("x", ErrorCode.VALIDATION_FAILED),
        ):
            error = await chat.refused(
                code, "messages.send", "ada", conversation=id, parts=text("x"), expires_in=seconds
            )
            assert error.field == "expires_in"
        await send(chat, id, "x", expires_in=100)
        await send(chat, id, "x", expires_in=1)
        assert chat.metrics.rejected["schedule_ahead"] == 1
