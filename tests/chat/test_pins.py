from __future__ import annotations

from typing import Any

import pytest
from tests.chat.talk import limited, say, text, words
from tests.chat.world import World

from hubbub.chat.events import MessageAnnotated
from hubbub.chat.model import Annotations, Message, Pin
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def pinned(world: World, user: str, conversation: str, **params: Any) -> list[str]:
    """What the pinned messages say that a user sees."""
    page = await world.do("pins.list", user, conversation=conversation, **params)
    return words(page.messages)


async def said(world: World, *others: str, count: int = 1, **params: Any) -> tuple[str, list[Message]]:
    """A group of ada's with messages of hers: m0, m1, ..."""
    id = await world.group("ada", *others, **params)
    return id, [await say(world, id, "ada", f"m{n}") for n in range(count)]


async def test_what_is_pinned_says_so_and_is_listed(chat: World) -> None:
    id, told = await said(chat, "bob", count=3)
    for message in (told[2], told[0]):
        pin = await chat.do("pins.add", "ada", conversation=id, message=message.seq)
        assert pin == Pin(chat.clock.now(), "ada")
    event = (await chat.log(id))[-1]
    assert isinstance(event, MessageAnnotated)
    assert (event.actor, event.message, event.what) == ("ada", told[0].seq, "pin")
    assert event.annotations == Annotations(pin=pin)
    assert await pinned(chat, "bob", id) == ["m0", "m2"], "the last pinned first"
    message = await chat.do("messages.get", "bob", conversation=id, message=told[0].seq)
    assert message.annotations == Annotations(pin=pin)
    assert await chat.do("pins.add", "", conversation=id, message=told[0].seq) == pin, "once"
    assert (await chat.log(id))[-1].seq == event.seq
    for _ in range(2):
        await chat.do("pins.remove", "ada", conversation=id, message=told[0].seq)
        last = (await chat.log(id))[-1]
        assert isinstance(last, MessageAnnotated)
        assert (last.seq, last.annotations) == (event.seq + 1, None)
    assert await pinned(chat, "bob", id) == ["m2"]
    assert await chat.do("pins.add", "", conversation=id, message=told[1].seq) == Pin(chat.clock.now())


async def test_pages(chat: World) -> None:
    id, told = await said(chat, count=5)
    for message in told:
        await chat.do("pins.add", "ada", conversation=id, message=message.seq)
    found: list[str] = []
    cursor = None
    while True:
        params: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        page = await chat.do("pins.list", "ada", conversation=id, limit=2, **params)
        found += words(page.messages)
        if (cursor := page.next) is None:
            break
        assert len(page.messages) == 2
    assert found == ["m4", "m3", "m2", "m1", "m0"]
    await chat.refused(
        ErrorCode.VALIDATION_FAILED, "pins.list", "ada", at="cursor", conversation=id, cursor="nonsense"
    )


async def test_a_pin_stays_through_edits_and_goes_with_its_message(chat: World) -> None:
    id, (message, _) = await said(chat, "bob", count=2)
    of: dict[str, Any] = {"conversation": id, "message": message.seq}
    await chat.do("pins.add", "ada", **of)
    await chat.do("messages.edit", "ada", **of, parts=text("better"))
    assert await pinned(chat, "bob", id) == ["better"]
    await chat.do("messages.delete", "ada", **of)
    assert await pinned(chat, "bob", id) == []
    assert (await chat.do("messages.get", "bob", **of)).annotations is None
    await chat.refused(ErrorCode.MESSAGE_DELETED, "pins.add", "ada", at="message", **of)
    await chat.do("pins.remove", "ada", **of)


async def test_a_pin_stands_beside_a_poll(chat: World) -> None:
    id = await chat.group("ada", "bob")
    poll = {"type": "poll", "question": "Ready?", "options": [{"text": "Yes"}, {"text": "No"}]}
    sent = await chat.do("messages.send", "ada", conversation=id, parts=[poll])
    of: dict[str, Any] = {"conversation": id, "message": sent.message.seq}
    await chat.do("polls.vote", "bob", **of, options=["1"])
    await chat.do("pins.add", "ada", **of)
    await chat.do("polls.vote", "ada", **of, options=["1"])
    found = (await chat.do("messages.get", "bob", **of)).annotations
    assert (found.pin.by, found.poll.voters) == ("ada", 2)
    await chat.do("pins.remove", "ada", **of)
    found = (await chat.do("messages.get", "bob", **of)).annotations
    assert (found.pin, found.poll.voters) == (None, 2)


async def test_nobody_is_shown_what_it_may_not_read(chat: World) -> None:
    id, (before,) = await said(chat, "bob", history="joined")
    await chat.do("pins.add", "ada", conversation=id, message=before.seq)
    await chat.users("late")
    await chat.do("members.add", "ada", conversation=id, users=["late"])
    after = await say(chat, id, "ada", "after")
    await chat.do("pins.add", "ada", conversation=id, message=after.seq)
    assert await pinned(chat, "late", id) == ["after"]
    assert await pinned(chat, "bob", id) == ["after", "m0"]
    await chat.do("messages.delete", "bob", conversation=id, message=after.seq, **{"for": "me"})
    assert await pinned(chat, "bob", id) == ["m0"]
    assert await pinned(chat, "", id) == ["after", "m0"]


async def test_guests_of_a_topic_see_them(chat: World) -> None:
    id = await chat.topic("ada")
    message = await say(chat, id, "ada", "rules")
    await chat.do("pins.add", "ada", conversation=id, message=message.seq)
    await chat.users("guest")
    assert await pinned(chat, "guest", id) == ["rules"]


@pytest.mark.parametrize("operation", ["pins.add", "pins.remove"])
async def test_refusals(chat: World, operation: str) -> None:
    id, (message,) = await said(chat, "bob")
    of: dict[str, Any] = {"conversation": id, "message": message.seq}
    await chat.users("eve")
    await chat.refused(ErrorCode.NOT_FOUND, operation, "eve", at="conversation", **of)
    await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "bob", **of)
    await chat.refused(
        ErrorCode.NOT_FOUND, operation, "ada", at="message", conversation=id, message=message.seq + 1
    )
    await chat.do("members.update", "ada", conversation=id, user="bob", role="moderator")
    await chat.do("restrictions.set", "", conversation=id, user="bob", kind="mute")
    await chat.refused(ErrorCode.RESTRICTED, operation, "bob", **of)
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, operation, "ada", **of)


async def test_who_is_shadowed_pins_in_vain(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    told = [await say(chat, id, "ada", f"m{n}") for n in range(2)]
    await chat.do("pins.add", "bob", conversation=id, message=told[0].seq)
    await chat.do("restrictions.set", "", user="bob", kind="shadow")
    own = await say(chat, id, "bob", "own")
    head = (await chat.log(id))[-1].seq
    for message in (told[1], own):
        pin = await chat.do("pins.add", "bob", conversation=id, message=message.seq)
        assert pin == Pin(chat.clock.now(), "bob")
    await chat.do("pins.remove", "bob", conversation=id, message=told[0].seq)
    await chat.do("pins.add", "", conversation=id, message=own.seq)
    assert (await chat.log(id))[-1].seq == head
    assert await pinned(chat, "ada", id) == ["m0"]


async def test_both_pin_in_a_direct_conversation(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    message = await say(chat, id, "ada", "address")
    assert (await chat.do("pins.add", "bob", conversation=id, message=message.seq)).by == "bob"


async def test_the_limit(database: str) -> None:
    async with limited(database, limits={"pins": 2}) as chat:
        id, told = await said(chat, count=3)
        for message in told[:2]:
            await chat.do("pins.add", "ada", conversation=id, message=message.seq)
        third: dict[str, Any] = {"conversation": id, "message": told[2].seq}
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "pins.add", "ada", at="message", **third)
        assert chat.metrics.rejected["pins"] == 1
        await chat.do("pins.add", "ada", conversation=id, message=told[0].seq)
        await chat.do("messages.delete", "ada", conversation=id, message=told[0].seq)
        await chat.do("pins.add", "ada", **third)
