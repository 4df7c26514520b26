from __future__ import annotations

from typing import Any

import pytest
from tests.chat.later import items, leap, pass_time, quiet, refused
from tests.chat.talk import limited, said, say, text
from tests.chat.world import World

from hubbub.chat import later
from hubbub.chat.events import MessageCreated, ScheduledChanged, ScheduledFailed
from hubbub.chat.model import Message, Scheduled
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


def at(chat: World, seconds: float) -> float:
    return chat.clock.now() + seconds


async def schedule(chat: World, conversation: str, words: str, seconds: float, **params: Any) -> Scheduled:
    """Of ada."""
    made: Scheduled = await chat.do(
        "scheduled.create",
        params.pop("actor", "ada"),
        conversation=conversation,
        parts=text(words),
        at=at(chat, seconds),
        **params,
    )
    return made


async def sent(chat: World, conversation: str) -> list[Message]:
    """Users' messages, as they were sent."""
    return [
        event.message
        for event in await chat.log(conversation)
        if isinstance(event, MessageCreated) and event.message.kind == "user"
    ]


async def listed(chat: World, user: str = "ada", **params: Any) -> list[Scheduled]:
    return list((await chat.do("scheduled.list", user, **params)).scheduled)


async def news(chat: World, user: str = "ada") -> list[Any]:
    """Events about scheduled messages in a user's inbox."""
    return [
        event for event in await chat.inbox(user) if isinstance(event, ScheduledChanged | ScheduledFailed)
    ]


async def test_it_is_sent_at_its_time_and_not_before(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "bob", "root")
    made = await schedule(
        chat, id, "later", 600.0, reply_to=root.seq, mentions={"users": ["bob"]}, silent=True, expires_in=60
    )
    assert (made.conversation, made.silent, made.expires_in, made.reply_to) == (id, True, 60.0, root.seq)
    assert await listed(chat) == [made]
    assert await listed(chat, "bob") == []
    await pass_time(chat, 590.0)
    assert len(await sent(chat, id)) == 1
    await pass_time(chat, 20.0)
    message = (await sent(chat, id))[-1]
    assert (said(message), message.sender, message.reply_to) == (["later"], "ada", root.seq)
    assert message.mentions is not None
    assert message.mentions.users == ("bob",)
    assert message.options is not None
    assert (message.options.silent, message.options.expires) == (True, message.created + 60.0)
    assert made.at <= message.created
    assert await listed(chat) == []
    first, last = await news(chat)
    assert (first.scheduled, first.state) == (made, "scheduled")
    assert (last.scheduled, last.state, last.message) == (made, "sent", message.seq)
    assert await news(chat, "bob") == []
    await pass_time(chat, 70.0)
    now = await chat.do("messages.get", "bob", conversation=id, message=message.seq)
    assert (now.parts, now.deleted is not None) == ((), True)


async def test_a_reply_in_a_thread_and_the_servers_own(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "bob", "root")
    await schedule(chat, id, "reply", 10.0, thread=root.seq)
    await schedule(chat, id, "announcement", 10.0, actor="")
    assert [each.parts for each in await listed(chat, "")] != []
    await pass_time(chat, 20.0)
    by_sender = {message.sender: message for message in (await sent(chat, id))[1:]}
    assert by_sender["ada"].thread == root.seq
    assert said(by_sender[None]) == ["announcement"]


async def test_it_can_be_changed_until_it_is_sent(chat: World) -> None:
    id = await chat.group("ada", "bob")
    made = await schedule(chat, id, "first", 100.0, mentions={"users": ["bob"]}, expires_in=60)
    changed = await chat.do(
        "scheduled.update",
        "ada",
        scheduled=made.id,
        parts=text("second"),
        mentions=None,
        expires_in=None,
        silent=True,
        at=at(chat, 1000.0),
    )
    assert (changed.id, changed.mentions, changed.expires_in, changed.silent) == (made.id, None, None, True)
    assert await listed(chat) == [changed]
    await pass_time(chat, 500.0)
    assert await sent(chat, id) == []
    await chat.do("scheduled.update", "ada", scheduled=made.id, at=at(chat, 10.0))
    await pass_time(chat, 20.0)
    (message,) = await sent(chat, id)
    assert (said(message), message.mentions) == (["second"], None)
    for operation in ("scheduled.update", "scheduled.cancel", "scheduled.send_now"):
        await refused(chat, ErrorCode.NOT_FOUND, operation, "ada", scheduled=made.id)


async def test_it_says_whether_previews_are_made(chat: World) -> None:
    id = await chat.group("ada", "bob")
    made = await schedule(chat, id, "see https://example.org/", 600.0, previews=False)
    assert not made.previews
    assert [each.previews for each in await listed(chat)] == [False]
    changed = await chat.do(
        "scheduled.update", "ada", scheduled=made.id, parts=text("so https://example.org/")
    )
    assert not changed.previews, "what is not given stays"
    other = await schedule(chat, id, "and https://example.org/a", 600.0)
    assert other.previews
    await chat.do("scheduled.update", "ada", scheduled=other.id, previews=False)
    third = await schedule(chat, id, "more", 600.0, previews=False)
    assert (await chat.do("scheduled.update", "ada", scheduled=third.id, previews=True)).previews
    await pass_time(chat, 620.0)
    options = [each.options for each in await sent(chat, id)]
    assert [each is None or each.previews for each in options] == [False, False, True]


async def test_it_can_be_cancelled_and_sent_at_once(chat: World) -> None:
    id = await chat.group("ada", "bob")
    one, two = await schedule(chat, id, "one", 100.0), await schedule(chat, id, "two", 100.0)
    await chat.do("scheduled.cancel", "ada", scheduled=one.id)
    result = await chat.do("scheduled.send_now", "ada", scheduled=two.id)
    assert said(result.message) == ["two"]
    assert [event.state for event in (await news(chat))[2:]] == ["removed", "sent"]
    await pass_time(chat, 200.0)
    assert [said(message) for message in await sent(chat, id)] == [["two"]]
    assert await items(chat) == []


async def test_others_ids_are_as_those_of_nothing(chat: World) -> None:
    id = await chat.group("ada", "bob")
    made = await schedule(chat, id, "mine", 100.0)
    for operation in ("scheduled.update", "scheduled.cancel", "scheduled.send_now"):
        theirs = await refused(chat, ErrorCode.NOT_FOUND, operation, "bob", scheduled=made.id)
        nothing = await refused(chat, ErrorCode.NOT_FOUND, operation, "bob", scheduled=made.id + 1)
        servers = await refused(chat, ErrorCode.NOT_FOUND, operation, "", scheduled=made.id)
        assert theirs.message == nothing.message == servers.message


@pytest.mark.parametrize("why", ["left", "closed", "thread deleted", "mentioned left", "blocked"])
async def test_what_cannot_be_sent_by_then_is_told_and_kept(chat: World, why: str) -> None:
    id = await (chat.direct("ada", "bob") if why == "blocked" else chat.group("bob", "ada", "eve"))
    root = await say(chat, id, "bob", "root")
    params: dict[str, Any] = {}
    if why == "thread deleted":
        params["thread"] = root.seq
    if why == "mentioned left":
        params["mentions"] = {"users": ["eve"]}
    made = await schedule(chat, id, "never", 100.0, **params)
    code = {
        "left": ErrorCode.NOT_FOUND,
        "closed": ErrorCode.CONVERSATION_CLOSED,
        "thread deleted": ErrorCode.MESSAGE_DELETED,
        "mentioned left": ErrorCode.VALIDATION_FAILED,
        "blocked": ErrorCode.PERMISSION_DENIED,
    }[why]
    match why:
        case "left":
            await chat.do("members.leave", "ada", conversation=id)
        case "closed":
            await chat.do("conversations.update", "bob", conversation=id, closed=True)
        case "thread deleted":
            await chat.do("messages.delete", "bob", conversation=id, message=root.seq)
        case "mentioned left":
            await chat.do("members.leave", "eve", conversation=id)
        case "blocked":
            await chat.do("blocks.add", "bob", user="ada")
    await refused(chat, code, "scheduled.send_now", "ada", scheduled=made.id)
    await pass_time(chat, 200.0)
    assert len(await sent(chat, id)) == 1
    (failed,) = await listed(chat)
    assert failed.failed is not None
    assert (failed.id, failed.at, failed.parts, failed.failed.code) == (made.id, made.at, made.parts, code)
    event = (await news(chat))[-1]
    assert isinstance(event, ScheduledFailed)
    assert event.scheduled == failed
    await leap(chat, later.KEPT + 60.0)
    assert (await listed(chat), await items(chat)) == ([], [])
    assert (await news(chat))[-1].state == "removed"


async def test_one_that_failed_can_be_tried_again(chat: World) -> None:
    id = await chat.group("bob", "ada")
    one, two = await schedule(chat, id, "one", 10.0), await schedule(chat, id, "two", 10.0)
    await chat.do("conversations.update", "bob", conversation=id, closed=True)
    await pass_time(chat, 20.0)
    await refused(chat, ErrorCode.CONVERSATION_CLOSED, "scheduled.send_now", "ada", scheduled=one.id)
    await chat.do("conversations.update", "bob", conversation=id, closed=False)
    again = await chat.do("scheduled.update", "ada", scheduled=one.id, at=at(chat, 50.0))
    assert (again.id, again.failed) == (one.id, None)
    await chat.do("scheduled.send_now", "ada", scheduled=two.id)
    await pass_time(chat, 60.0)
    assert [said(message) for message in await sent(chat, id)] == [["two"], ["one"]]
    assert await listed(chat) == []


async def test_slow_mode_makes_it_late(chat: World) -> None:
    id = await chat.group("bob", "ada")
    await chat.do("conversations.update", "bob", conversation=id, slow_mode=30.0)
    for words in ("one", "two"):
        await schedule(chat, id, words, 10.0)
    await pass_time(chat, 60.0, step=5.0)
    one, two = await sent(chat, id)
    assert two.created - one.created >= 30.0
    assert await listed(chat) == []


async def test_what_was_due_while_no_server_ran_is_sent_late_and_says_so(database: str) -> None:
    async with World(database) as chat:
        id = await chat.group("ada", "bob")
        made = await schedule(chat, id, "late", 100.0)
    again = World(database, beside=chat)
    again.clock.advance(10_000.0)
    async with again:
        await quiet(again)
        (message,) = await sent(again, id)
        event = (await news(again))[-1]
        assert (event.state, event.scheduled.at) == ("sent", made.at)
        assert message.created == event.time >= made.at + 9_000.0


@pytest.mark.parametrize("seconds", [-1e9, -1.0, 0.0])
async def test_the_past_is_refused(chat: World, seconds: float) -> None:
    id = await chat.group("ada")
    made = await schedule(chat, id, "x", 100.0)
    when = {"at": at(chat, seconds)}
    params: dict[str, Any] = {"conversation": id, "parts": text("x"), **when}
    await refused(chat, ErrorCode.VALIDATION_FAILED, "scheduled.create", "ada", **params)
    await refused(chat, ErrorCode.VALIDATION_FAILED, "scheduled.update", "ada", scheduled=made.id, **when)


@pytest.mark.parametrize("when", ["tomorrow", None, -5, 1e300, [1]])
async def test_times_are_numbers(chat: World, when: Any) -> None:
    id = await chat.group("ada")
    error = await refused(
        chat,
        ErrorCode.VALIDATION_FAILED,
        "scheduled.create",
        "ada",
        conversation=id,
        parts=text("x"),
        at=when,
    )
    assert error.field == "at"


async def test_limits(database: str) -> None:
    async with limited(database, limits={"scheduled": 2, "schedule_ahead": 1000.0}) as chat:
        id = await chat.group("ada", "bob")
        params: dict[str, Any] = {"conversation": id, "parts": text("x")}
        far = {"at": at(chat, 1001.0)}
        await refused(chat, ErrorCode.LIMIT_EXCEEDED, "scheduled.create", "ada", **params, **far)
        await chat.do("scheduled.create", "ada", **params, at=at(chat, 999.0))
        first = await schedule(chat, id, "one", 100.0)
        soon = {"at": at(chat, 100.0)}
        await refused(chat, ErrorCode.LIMIT_EXCEEDED, "scheduled.create", "ada", **params, **soon)
        await schedule(chat, id, "of another", 100.0, actor="bob")
        await refused(
            chat, ErrorCode.LIMIT_EXCEEDED, "scheduled.update", "ada", scheduled=first.id, at=at(chat, 1001.0)
        )
        assert (chat.metrics.rejected["scheduled"], chat.metrics.rejected["schedule_ahead"]) == (1, 2)
        await chat.do("scheduled.cancel", "ada", scheduled=first.id)
        await schedule(chat, id, "again", 100.0)


async def test_who_may_not_send_may_not_schedule(chat: World) -> None:
    id = await chat.conversation("broadcast", "ada", "bob")
    params: dict[str, Any] = {"conversation": id, "parts": text("x"), "at": at(chat, 50.0)}
    await refused(chat, ErrorCode.PERMISSION_DENIED, "scheduled.create", "bob", **params)
    await refused(chat, ErrorCode.NOT_FOUND, "scheduled.create", "ada", **params, reply_to=10**6)
    await refused(chat, ErrorCode.VALIDATION_FAILED, "scheduled.create", "ada", **{**params, "parts": []})
    gone = await say(chat, id, "ada", "gone")
    await chat.do("messages.delete", "ada", conversation=id, message=gone.seq)
    await refused(chat, ErrorCode.MESSAGE_DELETED, "scheduled.create", "ada", **params, reply_to=gone.seq)
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await refused(chat, ErrorCode.CONVERSATION_CLOSED, "scheduled.create", "ada", **params)


async def test_with_a_key_it_is_scheduled_once(chat: World) -> None:
    id = await chat.group("ada")
    params: dict[str, Any] = {"conversation": id, "parts": text("x"), "at": at(chat, 50.0)}
    one = await chat.do("scheduled.create", "ada", idempotency_key="k", **params)
    two = await chat.do("scheduled.create", "ada", idempotency_key="k", **params)
    assert one.id == two.id
    assert len(await listed(chat)) == 1


async def test_pages_are_in_the_order_of_time(chat: World) -> None:
    id, other = await chat.group("ada"), await chat.group("ada")
    made = [await schedule(chat, id, str(place), 100.0 * (place * 3 % 7 + 1)) for place in range(7)]
    elsewhere = await schedule(chat, other, "other", 50.0)
    found: list[Scheduled] = []
    cursor: dict[str, str] = {}
    while True:
        page = await chat.do("scheduled.list", "ada", conversation=id, limit=3, **cursor)
        found += page.scheduled
        if page.next is None:
            break
        cursor = {"cursor": page.next}
    assert found == sorted(made, key=lambda each: each.at)
    assert (await listed(chat))[0] == elsewhere
    await refused(chat, ErrorCode.VALIDATION_FAILED, "scheduled.list", "ada", cursor="x")
