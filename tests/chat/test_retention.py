"""For how long messages are kept, and that all that counts goes on counting when they are gone."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.later import items, pass_time, quiet
from tests.chat.talk import said, text
from tests.chat.world import World

from hubbub.chat.events import MessagesExpunged
from hubbub.chat.ledger import View
from hubbub.chat.model import Message, MyConversation
from hubbub.chat.retention import SWEEP
from hubbub.errors import ErrorCode
from hubbub.storage.tables import events, mentions, pins, reactions, versions, votes

pytestmark = pytest.mark.anyio
HOUR = 3600.0


async def send(chat: World, id: str, words: str, user: str = "ada", **params: Any) -> Message:
    sent = await chat.do("messages.send", user, conversation=id, parts=text(words), **params)
    message: Message = sent.message
    return message


async def keep(chat: World, id: str, seconds: float | None) -> None:
    await chat.do("retention.update", "", conversation=id, retention=seconds)


async def mine(chat: World, user: str, id: str) -> MyConversation:
    found: MyConversation = await chat.do("conversations.get", user, conversation=id)
    return found


async def timeline(chat: World, user: str, id: str) -> list[str]:
    page = await chat.do("messages.list", user, conversation=id)
    assert not page.more_before
    return [words for message in page.messages for words in said(message)]


async def expunged(chat: World, id: str) -> list[int]:
    return [event.through for event in await chat.log(id) if isinstance(event, MessagesExpunged)]


async def test_messages_go_when_their_time_is_over_and_younger_ones_stay(chat: World) -> None:
    id = await chat.group("ada", "bob")
    other = await chat.group("ada", "bob")
    first = await send(chat, id, "an old word")
    await send(chat, other, "kept for ever")
    await keep(chat, id, HOUR)
    await pass_time(chat, HOUR / 2)
    await send(chat, id, "a younger word")
    assert await timeline(chat, "bob", id) == ["an old word", "a younger word"]
    await pass_time(chat, HOUR / 2 + 300)
    assert await timeline(chat, "bob", id) == ["a younger word"]
    gone = await chat.do("messages.get", "bob", conversation=id, message=first.seq)
    assert gone.deleted is not None
    assert gone.parts == ()
    assert [m.message.seq for m in (await chat.do("search", "bob", query="word")).hits] != [first.seq]
    assert len((await chat.do("search", "bob", query="word")).hits) == 1
    assert await timeline(chat, "bob", other) == ["kept for ever"]
    (through,) = await expunged(chat, id)
    assert first.seq <= through
    assert (await mine(chat, "bob", id)).conversation.expunged == through


async def test_nothing_of_what_they_said_is_left_anywhere(chat: World) -> None:
    id = await chat.group("ada", "bob")
    options = [{"id": "1", "text": "hush"}, {"id": "2", "text": "hush hush"}]
    poll = {"type": "poll", "question": "hush?", "options": options, "closes": chat.clock.now() + 9 * HOUR}
    message = await send(chat, id, "hush", mentions={"users": ["bob"]})
    voted = (await chat.do("messages.send", "ada", conversation=id, parts=[poll])).message
    await chat.do("messages.edit", "ada", conversation=id, message=message.seq, parts=text("hush now"))
    await chat.do("reactions.add", "bob", conversation=id, message=message.seq, name="hush")
    await chat.do("pins.add", "ada", conversation=id, message=message.seq)
    await chat.do("polls.vote", "bob", conversation=id, message=voted.seq, options=["1"])
    await send(chat, id, "hush in a thread", thread=message.seq)
    await keep(chat, id, 60.0)
    await pass_time(chat, 700.0)

    def rows(view: View) -> list[Any]:
        found: list[Any] = []
        for table in (versions, reactions, pins, votes, mentions):
            found += view.execute(sa.select(table)).all()
        return found

    assert await chat.read(rows) == []
    logged = await chat.read(lambda view: list(view.execute(sa.select(events.c.data)).scalars()))
    assert not [data for data in logged if "hush" in data]
    assert await items(chat, "poll.close") == []
    assert (await chat.do("search", "bob", query="hush")).hits == ()


async def test_who_has_read_nothing_has_nothing_unread_of_what_is_gone(chat: World) -> None:
    id = await chat.group("ada", "bob")
    for number in range(5):
        await send(chat, id, f"old {number}", mentions={"users": ["bob"]})
    await keep(chat, id, HOUR)
    await pass_time(chat, 2 * HOUR)
    await send(chat, id, "new", mentions={"users": ["bob"]})
    membership = (await mine(chat, "bob", id)).membership
    assert (membership.unread, membership.mentions) == (1, 1)
    me = await chat.do("me.get", "bob")
    assert (me.unread, me.unread_conversations) == (1, 1)


async def test_a_thread_goes_on_without_its_beginning(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await send(chat, id, "root")
    await keep(chat, id, HOUR)
    await pass_time(chat, HOUR / 2)
    await send(chat, id, "reply", user="bob", thread=root.seq)
    await pass_time(chat, HOUR / 2 + 300)
    page = await chat.do("messages.list", "ada", conversation=id, thread=root.seq)
    assert [said(message) for message in page.messages] == [["reply"]]
    await chat.refused(
        ErrorCode.MESSAGE_DELETED, "messages.send", "bob", conversation=id, parts=text("x"), thread=root.seq
    )


async def test_many_go_in_batches(database: str) -> None:
    async with World(database, retention={"sweep_batch": 3}) as chat:
        id = await chat.group("ada", "bob")
        for number in range(8):
            await send(chat, id, str(number))
        await chat.do("messages.delete", "ada", conversation=id, message=(await chat.log(id))[-1].seq)
        await keep(chat, id, 60.0)
        await pass_time(chat, 400.0)
        assert await timeline(chat, "bob", id) == []
        found = await expunged(chat, id)
        assert len(found) >= 3
        assert found == sorted(set(found))


async def test_the_settings_say_for_how_long_where_a_conversation_does_not(database: str) -> None:
    async with World(database, retention={"messages": HOUR}) as chat:
        by_default, longer, for_ever = [await chat.group("ada", "bob") for _ in range(3)]
        for id in (by_default, longer, for_ever):
            await send(chat, id, "word")
        await keep(chat, longer, 10 * HOUR)
        await keep(chat, for_ever, 0.0)
        await pass_time(chat, 2 * HOUR, step=600)
        assert [await timeline(chat, "bob", id) for id in (by_default, longer, for_ever)] == [
            [],
            ["word"],
            ["word"],
        ]
        await keep(chat, for_ever, None)
        await pass_time(chat, 600, step=300)
        assert await timeline(chat, "bob", for_ever) == []


async def test_there_is_one_sweep_as_long_as_anything_is_to_be_swept(chat: World) -> None:
    one, other = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    assert await items(chat, SWEEP) == []
    await keep(chat, one, HOUR)
    await keep(chat, other, HOUR)
    await quiet(chat)
    assert len(await items(chat, SWEEP)) == 1
    await keep(chat, one, None)
    await keep(chat, other, 0.0)
    await pass_time(chat, 400.0)
    assert await items(chat, SWEEP) == []


async def test_two_nodes_sweep_once(database: str) -> None:
    async with World(database, retention={"messages": HOUR}) as one:
        if one.store.dialect == "sqlite":
            return
        two = World(database, beside=one, retention={"messages": HOUR})
        await two.start()
        try:
            id = await one.group("ada", "bob")
            for number in range(5):
                await send(one, id, str(number))
            for _ in range(8):
                one.clock.advance(600.0)
                two.clock.advance(600.0)
                await quiet(one, two)
            assert await timeline(one, "bob", id) == []
            found = await expunged(one, id)
            assert found == sorted(set(found)), "each message once"
            assert len(await items(one, SWEEP)) == 1
        finally:
            await two.stop()


async def test_it_is_for_the_server_and_admins_and_is_written_down(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "retention.update", "ada", conversation=id, retention=60.0
    )
    await chat.refused(ErrorCode.NOT_FOUND, "retention.update", "", conversation="none", retention=60.0)
    for wrong in (-1, 2e10):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "retention.update", "", conversation=id, retention=wrong
        )
    await chat.do("users.upsert", "", user="ada", office="admin")
    changed = await chat.do("retention.update", "ada", conversation=id, retention=HOUR)
    assert changed.retention == HOUR
    acts = (await chat.do("audit.list", "")).acts
    (entry,) = [entry for entry in acts if entry.act == "retention.update"]
    assert (entry.actor, entry.conversation) == ("ada", id)
