from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.chat.talk import limited, say, text
from tests.chat.world import World

from hubbub.chat.events import State, apply, decode_event
from hubbub.chat.events_list import inbox_page, log_page
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def seqs(world: World, user: str, conversation: str, **params: Any) -> list[int]:
    page = await world.do("events.list", user, conversation=conversation, **params)
    return [decode_event(event).seq for event in page.events]


async def test_the_log_gives_what_is_so_now(chat: World) -> None:
    group = await chat.group("ada", "bob")
    message = await say(chat, group, "ada", "hello")
    await chat.do("messages.edit", "ada", conversation=group, message=message.seq, parts=text("bye"))
    await chat.do("reactions.add", "bob", conversation=group, message=message.seq, name="👍")
    state: State | None = None
    since = 0
    while True:
        page = await chat.do("events.list", "bob", conversation=group, since=since, limit=2)
        for event in page.events:
            state = apply(state, decode_event(event))
        if page.next is None:
            break
        assert page.next == since + 2
        since = page.next
    fresh = await chat.state(group)
    assert state is not None
    assert page.seq == fresh.conversation.seq
    assert state.messages == fresh.messages
    assert state.conversation == fresh.conversation


async def test_pages_end_where_they_should(database: str) -> None:
    async with limited(database, limits={"history": 3, "history_bytes": 100_000}) as chat:
        group = await chat.group("ada", "bob")
        for number in range(5):
            await say(chat, group, "ada", str(number))
        head = (await chat.state(group)).conversation.seq
        assert await seqs(chat, "bob", group, since=head - 3) == [head - 2, head - 1, head]
        assert await seqs(chat, "bob", group, since=head) == []
        assert await seqs(chat, "bob", group, since=head + 9) == []
        assert await seqs(chat, "bob", group, limit=3) == [1, 2, 3]
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED, "events.list", "bob", conversation=group, limit=4, at="limit"
        )


async def test_pages_end_early_when_they_are_long(database: str) -> None:
    async with limited(database, limits={"history_bytes": 3_000}) as chat:
        group = await chat.group("ada", "bob")
        first = await say(chat, group, "ada", "x" * 5_000)
        for _ in range(5):
            await say(chat, group, "ada", "y" * 1_000)
        page = await chat.do("events.list", "bob", conversation=group, since=first.seq - 1)
        assert len(page.events) == 1, "one is always given"
        assert page.next == first.seq
        page = await chat.do("events.list", "bob", conversation=group, since=page.next)
        assert (len(page.events), page.next) == (2, first.seq + 2)


async def test_nothing_from_before_one_may_read(chat: World) -> None:
    group = await chat.group("ada", "bob", history="joined")
    old = await say(chat, group, "ada", "secret")
    await chat.user("eve")
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    await say(chat, group, "ada", "welcome")
    await chat.do("messages.edit", "ada", conversation=group, message=old.seq, parts=text("secret two"))
    await chat.do("reactions.add", "bob", conversation=group, message=old.seq, name="👍")
    last = await say(chat, group, "ada", "the end")
    page = await chat.do("events.list", "eve", conversation=group)
    raw = msgspec.json.encode(page.events)
    assert b"secret" not in raw
    assert b"reactions" not in raw
    assert b"welcome" in raw
    assert (page.seq, decode_event(page.events[-1]).seq) == (last.seq, last.seq)
    # What is left out does not end the pages.
    found: list[int] = []
    since: int | None = 0
    while since is not None:
        page = await chat.do("events.list", "eve", conversation=group, since=since, limit=1)
        found += [decode_event(event).seq for event in page.events]
        since = page.next
    assert found == await seqs(chat, "eve", group)


async def test_it_is_for_those_who_may_read(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.user("eve")
    await chat.refused(ErrorCode.NOT_FOUND, "events.list", "eve", conversation=group)
    await chat.do("members.remove", "ada", conversation=group, user="bob")
    await chat.refused(ErrorCode.NOT_FOUND, "events.list", "bob", conversation=group)


async def test_logs_backwards(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await say(chat, group, "ada", "hello")
    head = (await chat.state(group)).conversation.seq
    rows = await chat.read(lambda view: log_page(view, group, 0, 2, reverse=True))
    assert [row.seq for row in rows] == [head, head - 1]
    assert rows[0].type == "message.created"
    assert rows[0].actor == "ada"
    rows = await chat.read(lambda view: log_page(view, group, 0, 9, before=3))
    assert [row.seq for row in rows] == [1, 2]
    told = await chat.read(lambda view: inbox_page(view, "bob", 0, 9, reverse=True))
    assert [row.type for row in told][-1] == "conversation.added"
    assert told[0].actor is None
