from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.later import items, pass_time
from tests.chat.review import audited, case_of, hold, restrict, staff
from tests.chat.talk import limited, said, say, text, words
from tests.chat.world import World

from hubbub.chat.events import CaseDecided, HoldChanged, MessageCreated
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import holds

pytestmark = pytest.mark.anyio


async def held_case(chat: World, id: str, hold: str) -> str:
    (case,) = (each for each in (await chat.do("cases.list", "", conversation=id)).cases if each.hold == hold)
    found: str = case.id
    return found


async def state(chat: World, hold: str) -> str:
    query = sa.select(holds.c.state).where(holds.c.id == hold)
    return await chat.read(lambda view: str(view.execute(query).scalar_one()))


async def changes(chat: World, user: str) -> list[HoldChanged]:
    return [event for event in await chat.inbox(user) if isinstance(event, HoldChanged)]


async def changed(chat: World, user: str) -> HoldChanged:
    """What became of the one that was told of as pending."""
    pending, change = await changes(chat, user)
    assert (pending.state, pending.hold) == ("pending", change.hold)
    return change


async def test_its_author_sees_it_as_pending(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob")
    held = await hold(chat, id, "bob", "rude")
    (found,) = (await chat.do("holds.list", "bob")).holds
    assert (found.id, found.state, found.reason) == (held, "pending", "It may be rude.")
    assert (found.message.seq, said(found.message)) == (0, ["rude"])
    assert (await chat.do("holds.list", "ada")).holds == ()
    for who in ("mo", ""):
        assert [each.id for each in (await chat.do("holds.list", who, sender="bob")).holds] == [held]
    await chat.refused(ErrorCode.PERMISSION_DENIED, "holds.list", "ada", at="sender", sender="bob")
    await chat.refused(ErrorCode.BAD_REQUEST, "holds.list", "")
    assert "rude" not in words((await chat.do("messages.list", "bob", conversation=id)).messages)
    case = await case_of(chat, await held_case(chat, id, held))
    assert (case.subject, case.user, case.priority, case.reasons) == ("hold", "bob", 3, ("rude",))
    assert b"rude" in bytes(case.parts[0])


async def test_its_authors_other_devices_hear_of_it_and_nobody_else(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve")
    held = await hold(chat, id, "bob", "rude")
    (told,) = await changes(chat, "bob")
    assert (told.hold, told.state, told.conversation) == (held, "pending", id)
    assert (told.message, told.reason) == (None, "It may be rude.")
    assert chat.chat.heard["inbox:bob"][-1].event == "hold.changed"
    for user in ("ada", "eve"):
        assert await changes(chat, user) == []


async def test_an_approved_one_is_sent(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve")
    root = await say(chat, id, "ada", "root")
    held = await hold(
        chat,
        id,
        "bob",
        "rude",
        key="k",
        thread=root.seq,
        reply_to=root.seq,
        mentions={"users": ["eve"]},
        silent=True,
    )
    await say(chat, id, "eve", "meanwhile")
    case = await held_case(chat, id, held)
    decided = await chat.do("cases.decide", "ada", case=case, action="approve")
    assert (decided.state, decided.decision.action) == ("closed", "approve")
    event = (await chat.log(id))[-1]
    assert isinstance(event, MessageCreated)
    message = event.message
    assert (message.sender, said(message), message.thread, message.reply_to) == (
        "bob",
        ["rude"],
        root.seq,
        root.seq,
    )
    assert message.mentions is not None
    assert message.mentions.users == ("eve",)
    assert message.options is not None
    assert message.options.silent
    change = await changed(chat, "bob")
    assert (change.hold, change.state, change.message) == (held, "approved", message.seq)
    (found,) = (await chat.do("holds.list", "bob", state="approved")).holds
    assert found.sent == message.seq
    again = await chat.do(
        "messages.send",
        "bob",
        idempotency_key="k",
        conversation=id,
        parts=text("rude"),
        thread=root.seq,
        reply_to=root.seq,
        mentions={"users": ["eve"]},
        silent=True,
    )
    assert (again.duplicate, again.message) == (True, message)
    assert [each for each in await chat.inbox("bob") if isinstance(each, CaseDecided)] == []


async def test_it_is_sent_once_however_many_approve_it(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob")
    held = await hold(chat, id, "bob", "rude", key="k")
    case = await held_case(chat, id, held)
    outcomes = await asyncio.gather(
        *(chat.do("cases.decide", who, case=case, action="approve") for who in ("ada", "mo", "chief", "")),
        return_exceptions=True,
    )
    codes = sorted(each.code if isinstance(each, HubbubError) else 0 for each in outcomes)
    assert codes == [0, *[ErrorCode.CONFLICT] * 3]
    assert words((await chat.do("messages.list", "ada", conversation=id)).messages).count("rude") == 1


async def test_two_nodes_send_it_once(postgres_url: str) -> None:
    async with World(postgres_url) as one, World(postgres_url, beside=one) as two:
        await staff(one)
        id = await one.group("ada", "bob")
        for place in range(5):
            held = await hold(one, id, "bob", f"rude {place}", key=None if place % 2 else str(place))
            case = await held_case(one, id, held)
            outcomes = await asyncio.gather(
                one.do("cases.decide", "mo", case=case, action="approve"),
                two.do("cases.decide", "ada", case=case, action="approve"),
                two.do("holds.withdraw", "bob", hold=held),
                return_exceptions=True,
            )
            done = [each for each in outcomes if not isinstance(each, HubbubError)]
            assert len(done) == 1, outcomes
            sent = words((await two.do("messages.list", "ada", conversation=id)).messages)
            approved = await state(one, held) == "approved"
            assert sent.count(f"rude {place}") == approved


async def test_a_rejected_one_is_not_and_may_be_appealed(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob")
    held = await hold(chat, id, "bob", "rude")
    case = await held_case(chat, id, held)
    await chat.do("cases.decide", "ada", case=case, action="reject", text="Be kind.")
    change = await changed(chat, "bob")
    assert (change.state, change.reason, change.message) == ("rejected", "Be kind.", None)
    assert "rude" not in words((await chat.do("messages.list", "bob", conversation=id)).messages)
    await chat.do("cases.appeal", "bob", case=case, text="It is a quotation")
    await chat.do("cases.answer", "mo", case=case, granted=True)
    assert words((await chat.do("messages.list", "ada", conversation=id)).messages)[-1] == "rude"
    assert await state(chat, held) == "approved"


@pytest.mark.parametrize("action", ["warn", "mute", "ban", "shadow"])
async def test_what_is_done_to_its_author_rejects_it(chat: World, action: str) -> None:
    id = await chat.group("ada", "bob")
    held = await hold(chat, id, "bob", "rude")
    await chat.do("cases.decide", "ada", case=await held_case(chat, id, held), action=action)
    assert await state(chat, held) == "rejected"


async def test_a_mute_or_slow_mode_of_later_does_not_keep_it(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.do("conversations.update", "ada", conversation=id, slow_mode=60)
    held = await hold(chat, id, "bob", "rude")
    await chat.refused(ErrorCode.SLOW_MODE, "messages.send", "bob", conversation=id, parts=text("x"))
    await restrict(chat, "ada", "bob", "mute", conversation=id)
    await chat.do("cases.decide", "ada", case=await held_case(chat, id, held), action="approve")
    assert await state(chat, held) == "approved"


async def test_what_cannot_be_sent_waits_on(chat: World) -> None:
    id = await chat.group("ada", "bob")
    held = await hold(chat, id, "bob", "rude")
    case = await held_case(chat, id, held)
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    of: dict[str, Any] = {"case": case, "action": "approve"}
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, "cases.decide", "ada", **of)
    await chat.do("conversations.update", "ada", conversation=id, closed=False)
    await chat.do("members.leave", "bob", conversation=id)
    await chat.refused(ErrorCode.NOT_FOUND, "cases.decide", "ada", **of)
    await chat.do("cases.decide", "ada", case=case, action="reject")


async def test_its_author_takes_it_back(chat: World) -> None:
    id = await chat.group("ada", "bob")
    held = await hold(chat, id, "bob", "rude")
    case = await held_case(chat, id, held)
    for who in ("ada", "eve"):
        error = await chat.refused(ErrorCode.NOT_FOUND, "holds.withdraw", who, at="hold", hold=held)
        none = await chat.refused(ErrorCode.NOT_FOUND, "holds.withdraw", who, at="hold", hold="none")
        assert error.message == none.message
    for _ in range(2):
        await chat.do("holds.withdraw", "bob", hold=held)
    assert await state(chat, held) == "withdrawn"
    assert (await case_of(chat, case)).state == "closed"
    assert (await changed(chat, "bob")).state == "withdrawn"
    await chat.refused(ErrorCode.CONFLICT, "cases.decide", "ada", case=case, action="approve")
    other = await hold(chat, id, "bob", "rude again")
    await chat.do("cases.decide", "ada", case=await held_case(chat, id, other), action="reject")
    await chat.refused(ErrorCode.CONFLICT, "holds.withdraw", "bob", at="hold", hold=other)


async def test_nobody_decides_in_time(database: str) -> None:
    async with limited(database, moderation={"hold_ttl": 3600.0}) as chat:
        id = await chat.group("ada", "bob")
        held, approved = await hold(chat, id, "bob", "rude"), await hold(chat, id, "bob", "fine")
        await chat.do("cases.decide", "ada", case=await held_case(chat, id, approved), action="approve")
        case = await held_case(chat, id, held)
        await pass_time(chat, 3500.0, step=1000.0)
        assert await state(chat, held) == "pending"
        await pass_time(chat, 200.0)
        assert (await state(chat, held), await state(chat, approved)) == ("rejected", "approved")
        assert (await case_of(chat, case)).state == "closed"
        told = [change.state for change in await changes(chat, "bob")]
        assert told == ["pending", "pending", "approved", "rejected"]
        assert ("holds.expire", None, "bob") in await audited(chat)
        assert await items(chat, "hold.expire") == []


async def test_without_a_time_it_waits_for_good(database: str) -> None:
    async with limited(database, moderation={"hold_ttl": 0.0}) as chat:
        id = await chat.group("ada", "bob")
        await hold(chat, id, "bob", "rude")
        assert await items(chat, "hold.expire") == []


async def test_they_come_in_pages(chat: World) -> None:
    id = await chat.group("ada", "bob")
    made = [await hold(chat, id, "bob", str(place)) for place in range(3)]
    first = await chat.do("holds.list", "bob", limit=2)
    second = await chat.do("holds.list", "bob", limit=2, cursor=first.next)
    assert [each.id for each in (*first.holds, *second.holds)] == made[::-1]
    assert second.next is None
    await chat.refused(ErrorCode.VALIDATION_FAILED, "holds.list", "bob", at="cursor", cursor="x")
    assert msgspec.json.encode(first.holds[0])
