from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.chat.talk import say, text
from tests.chat.world import World

from hubbub.chat.events import MessageCreated
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def keyed(chat: World, user: str, key: str, id: str, words: str, **params: Any) -> Any:
    return await chat.do(
        "messages.send", user, idempotency_key=key, conversation=id, parts=text(words), **params
    )


async def created(chat: World, id: str) -> list[MessageCreated]:
    return [
        event
        for event in await chat.log(id)
        if isinstance(event, MessageCreated) and event.message.kind == "user"
    ]


@pytest.mark.parametrize("user", ["ada", ""])
async def test_the_same_key_gives_the_same_message(chat: World, user: str) -> None:
    id = await chat.group("ada", "bob")
    first = await keyed(chat, user, "k", id, "hello")
    await say(chat, id, "bob", "between")
    again = await keyed(chat, user, "k", id, "hello")
    assert (first.duplicate, again.duplicate) == (False, True)
    assert first.message == again.message
    assert len(await created(chat, id)) == 2


async def test_it_is_the_message_as_it_was_sent(chat: World) -> None:
    id = await chat.group("ada", "bob")
    first = await keyed(chat, "ada", "k", id, "hello")
    await chat.do("messages.edit", "ada", conversation=id, message=first.message.seq, parts=text("changed"))
    assert (await keyed(chat, "ada", "k", id, "hello")).message == first.message
    await chat.do("messages.delete", "ada", conversation=id, message=first.message.seq)
    gone = await keyed(chat, "ada", "k", id, "hello")
    assert gone.duplicate
    assert gone.message.parts == ()
    assert gone.message.deleted is not None


@pytest.mark.parametrize("user", ["ada", ""])
async def test_another_body_under_the_same_key_is_a_conflict(chat: World, user: str) -> None:
    id = await chat.group("ada", "bob")
    first = await say(chat, id, "ada", "root")
    await keyed(chat, user, "k", id, "hello")
    bodies: list[dict[str, Any]] = [
        {"parts": text("other")},
        {"parts": text("hello") * 2},
        {"parts": text("hello"), "reply_to": first.seq},
        {"parts": text("hello"), "thread": first.seq},
        {"parts": text("hello"), "mentions": {"users": ["bob"]}},
    ]
    for body in bodies:
        await chat.refused(
            ErrorCode.IDEMPOTENCY_CONFLICT,
            "messages.send",
            user,
            at="key",
            idempotency_key="k",
            conversation=id,
            **body,
        )


async def test_keys_are_of_one_sender_and_one_conversation(chat: World) -> None:
    one, two = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    sent = [
        await keyed(chat, user, "k", id, f"{user} in {id}")
        for id in (one, two)
        for user in ("ada", "bob", "")
    ]
    assert not any(each.duplicate for each in sent)


@pytest.mark.parametrize("key", ["", "x" * 1000, "a\nb", "a\0b"])
async def test_a_key_is_printable(chat: World, key: str) -> None:
    id = await chat.group("ada")
    await chat.refused(
        ErrorCode.BAD_REQUEST,
        "messages.send",
        "ada",
        at="key",
        idempotency_key=key,
        conversation=id,
        parts=text("x"),
    )


@pytest.mark.parametrize("user", ["ada", ""])
async def test_a_hundred_twins_are_one_message(chat: World, user: str) -> None:
    id = await chat.group("ada", "bob")
    sent = await asyncio.gather(*(keyed(chat, user, "k", id, "hello") for _ in range(100)))
    assert sum(not each.duplicate for each in sent) == 1
    assert {each.message.seq for each in sent} == {sent[0].message.seq}
    assert len({repr(each.message.created) for each in sent}) == 1
    assert len(await created(chat, id)) == 1


async def test_twins_with_different_bodies_are_one_message_and_conflicts(chat: World) -> None:
    id = await chat.group("ada")
    outcomes = await asyncio.gather(
        *(keyed(chat, "ada", "k", id, f"body {place % 2}") for place in range(20)), return_exceptions=True
    )
    conflicts = [each for each in outcomes if isinstance(each, HubbubError)]
    assert len(conflicts) == 10
    assert {each.code for each in conflicts} == {ErrorCode.IDEMPOTENCY_CONFLICT}
    assert len(await created(chat, id)) == 1
