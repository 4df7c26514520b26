from __future__ import annotations

from typing import Any

import pytest
from tests.chat.later import items, leap, pass_time, quiet, refused
from tests.chat.talk import limited, say
from tests.chat.world import World

from hubbub.chat import later
from hubbub.chat.events import ReminderChanged, ReminderDue
from hubbub.chat.model import Reminder
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def remind(chat: World, seconds: float, user: str = "ada", **params: Any) -> Reminder:
    made: Reminder = await chat.do("reminders.create", user, at=chat.clock.now() + seconds, **params)
    return made


async def listed(chat: World, **params: Any) -> list[Reminder]:
    """Of ada."""
    return list((await chat.do("reminders.list", "ada", **params)).reminders)


async def news(chat: World) -> list[Any]:
    return [event for event in await chat.inbox("ada") if isinstance(event, ReminderChanged | ReminderDue)]


async def test_of_a_message_once_at_its_time(chat: World) -> None:
    id = await chat.group("ada", "bob")
    seq = (await say(chat, id, "bob", "hello")).seq
    made = await remind(chat, 600.0, conversation=id, message=seq, note=" look again ")
    assert (made.conversation, made.message, made.reminded) == (id, seq, None)
    assert await listed(chat) == [made]
    assert (await chat.do("reminders.list", "bob")).reminders == ()
    await pass_time(chat, 590.0)
    assert [type(event) for event in await news(chat)] == [ReminderChanged]
    await pass_time(chat, 20.0)
    event = (await news(chat))[-1]
    assert isinstance(event, ReminderDue)
    assert (event.reminder.id, event.reminder.at, event.reminder.note) == (made.id, made.at, made.note)
    assert event.reminder.reminded is not None
    assert made.at <= event.reminder.reminded == event.time
    assert (await listed(chat), await listed(chat, past=True)) == ([], [event.reminder])
    await pass_time(chat, 1000.0)
    assert len(await news(chat)) == 2


async def test_of_a_note_and_of_a_conversation(chat: World) -> None:
    id = await chat.group("ada")
    await remind(chat, 10.0, note="call Bob")
    await remind(chat, 20.0, conversation=id)
    await pass_time(chat, 15.0)  # of two that are due at once nobody says which comes first
    await pass_time(chat, 60.0)
    assert [(event.reminder.note, event.reminder.conversation) for event in (await news(chat))[2:]] == [
        ("call Bob", None),
        ("", id),
    ]


async def test_it_is_its_users_though_the_message_is_gone(chat: World) -> None:
    id = await chat.group("bob", "ada")
    seq = (await say(chat, id, "bob", "secret")).seq
    await remind(chat, 10.0, conversation=id, message=seq, note="mine")
    await chat.do("messages.delete", "bob", conversation=id, message=seq)
    await chat.do("members.remove", "bob", conversation=id, user="ada")
    await pass_time(chat, 20.0)
    assert (await news(chat))[-1].reminder.note == "mine"


async def test_it_can_be_put_off_and_removed(chat: World) -> None:
    await chat.user("ada")
    made = await remind(chat, 10.0, note="one")
    changed = await chat.do("reminders.update", "ada", reminder=made.id, note="two")
    assert (changed.at, changed.note) == (made.at, "two")
    await pass_time(chat, 20.0)
    again = await chat.do("reminders.update", "ada", reminder=made.id, at=chat.clock.now() + 100.0)
    assert (again.id, again.reminded, again.note) == (made.id, None, "two")
    assert (await listed(chat), await listed(chat, past=True)) == ([again], [])
    await pass_time(chat, 200.0)
    assert [type(event).__name__ for event in await news(chat)].count("ReminderDue") == 2
    await chat.do("reminders.remove", "ada", reminder=made.id)
    assert (await news(chat))[-1].removed
    assert await items(chat) == []
    for operation in ("reminders.update", "reminders.remove"):
        await refused(chat, ErrorCode.NOT_FOUND, operation, "ada", reminder=made.id)


async def test_past_ones_are_kept_for_a_time_and_up_to_a_number(database: str) -> None:
    async with limited(database, limits={"reminders": 2}) as chat:
        await chat.user("ada")
        for place in range(5):
            await remind(chat, 10.0, note=str(place))
            await pass_time(chat, 20.0)
        assert [each.note for each in await listed(chat, past=True)] == ["3", "4"]
        await leap(chat, later.KEPT + 60.0)
        assert await items(chat) == []


async def test_limits(database: str) -> None:
    allowed = {"reminders": 2, "schedule_ahead": 1000.0, "note_length": 3}
    async with limited(database, limits=allowed) as chat:
        await chat.users("ada", "bob")
        now = chat.clock.now()
        far: dict[str, Any] = {"at": now + 1001.0, "note": "x"}
        await refused(chat, ErrorCode.LIMIT_EXCEEDED, "reminders.create", "ada", **far)
        await refused(chat, ErrorCode.LIMIT_EXCEEDED, "reminders.create", "ada", at=now + 10.0, note="long")
        first = await remind(chat, 5.0, note="one")
        await remind(chat, 500.0, note="two")
        await refused(chat, ErrorCode.LIMIT_EXCEEDED, "reminders.create", "ada", at=now + 10.0, note="x")
        await remind(chat, 500.0, "bob", note="two")
        await pass_time(chat, 10.0)
        await remind(chat, 500.0, note="two")  # what is past does not count
        late = {"reminder": first.id, "at": now + 100.0}
        await refused(chat, ErrorCode.LIMIT_EXCEEDED, "reminders.update", "ada", **late)
        assert (chat.metrics.rejected["reminders"], chat.metrics.rejected["note_length"]) == (2, 1)


async def test_refusals(chat: World) -> None:
    id = await chat.group("ada")
    await chat.user("eve")
    topic = await chat.topic("ada")
    soon = {"at": chat.clock.now() + 100.0}
    own = await remind(chat, 50.0, note="x")
    failed, missing = ErrorCode.VALIDATION_FAILED, ErrorCode.NOT_FOUND
    await refused(chat, failed, "reminders.create", "ada", **soon)
    await refused(chat, failed, "reminders.create", "ada", **soon, note="  ")
    await refused(chat, failed, "reminders.create", "ada", **soon, message=1, note="x")
    await refused(chat, failed, "reminders.create", "ada", note="x", at=chat.clock.now())
    await refused(chat, failed, "reminders.update", "ada", reminder=own.id, note=" ")
    await refused(chat, failed, "reminders.update", "ada", reminder=own.id, at=1.0)
    await refused(chat, missing, "reminders.create", "ada", **soon, conversation=id, message=10**6)
    await refused(chat, missing, "reminders.create", "eve", **soon, conversation=id)
    await refused(chat, missing, "reminders.create", "nobody", **soon, note="x")
    await refused(chat, missing, "reminders.remove", "eve", reminder=own.id)
    await refused(chat, ErrorCode.PERMISSION_DENIED, "reminders.create", "eve", **soon, conversation=topic)
    for operation in ("reminders.create", "reminders.update", "reminders.remove", "reminders.list"):
        given: dict[str, Any] = {"create": soon | {"note": "x"}, "list": {}}.get(
            operation.partition(".")[2], {"reminder": own.id}
        )
        await refused(chat, ErrorCode.BAD_REQUEST, operation, "", **given)


async def test_pages(chat: World) -> None:
    await chat.user("ada")
    made = [await remind(chat, 100.0 * (place * 3 % 5 + 1), note=str(place)) for place in range(5)]
    first = await chat.do("reminders.list", "ada", limit=3)
    rest = await chat.do("reminders.list", "ada", limit=3, cursor=first.next)
    assert [*first.reminders, *rest.reminders] == sorted(made, key=lambda each: each.at)
    assert rest.next is None


async def test_one_that_was_due_while_no_server_ran(database: str) -> None:
    async with World(database) as chat:
        await chat.user("ada")
        await remind(chat, 100.0, note="late")
    again = World(database, beside=chat)
    again.clock.advance(10_000.0)
    async with again:
        await quiet(again)
        event = (await news(again))[-1]
        assert event.time > event.reminder.at + 9_000.0
