from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.ruling import RUDE, publish, rule, text
from tests.chat.world import World

from hubbub.chat.events import MessageCreated, MessageWithheld
from hubbub.chat.sending import SendMessage, outgoing_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import Draft, Judgement
from hubbub.storage.tables import cases, holds

pytestmark = pytest.mark.anyio
SLOW: dict[str, Any] = {"moderation": {"hook_timeout": 60.0}}


async def rows(chat: World, table: sa.Table) -> list[Any]:
    return await chat.read(lambda view: list(view.execute(sa.select(table)).all()))


async def say(chat: World, who: str, group: str, said: str, **params: Any) -> Any:
    return await chat.do("messages.send", who, conversation=group, parts=text(said), **params)


async def timeline(chat: World, who: str, group: str, **params: Any) -> list[int]:
    page = await chat.do("messages.list", who, conversation=group, **params)
    return [message.seq for message in page.messages if message.kind == "user"]


# --- what becomes of messages -------------------------------------------------------------------------------------


async def test_what_is_refused_leaves_nothing(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "reject", reason="Mind your words.")
    error = await chat.refused(
        ErrorCode.REJECTED, "messages.send", "bob", conversation=group, parts=text("b4dword"), at="parts"
    )
    assert error.message == "Mind your words."
    await say(chat, "bob", group, "a good word")


async def test_what_is_masked_is_kept_and_found_without_the_word(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "mask")
    parts = [
        {"type": "text", "text": "such a ba\u0301dw0rd here", "format": "markdown"},
        {"type": "data", "data": {"n": 1}},
        {"type": "text", "text": "fine"},
    ]
    sent = await chat.do("messages.send", "bob", conversation=group, parts=parts)
    assert [msgspec.json.decode(bytes(part)) for part in sent.message.parts] == [
        {"type": "text", "text": "such a ••••••• here", "format": "markdown"},
        {"type": "data", "data": {"n": 1}},
        {"type": "text", "text": "fine"},
    ]
    assert sent.message.options.masked
    assert (
        await chat.do("messages.get", "ada", conversation=group, message=sent.message.seq)
    ) == sent.message
    assert not (await chat.do("search", "ada", query="badword")).hits
    assert len((await chat.do("search", "ada", query="such here fine")).hits) == 1


async def test_what_is_flagged_is_sent_and_opens_a_case(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await publish(
        chat,
        {"when": RUDE, "action": "flag", "priority": 7},
        {"when": [{"type": "shape", "characters": 3}], "action": "flag"},
    )
    sent = await say(chat, "bob", group, "badword")
    await say(chat, "bob", group, "hi")
    (case,) = await rows(chat, cases)
    assert (case.subject, case.conversation, case.message, case.user) == (
        "message",
        group,
        sent.message.seq,
        "bob",
    )
    assert case.priority == 7
    verdict = msgspec.json.decode(case.data)["verdict"]
    assert verdict["flags"] == ["rule 0", "rule 1"]


async def test_what_is_held_waits_and_is_there_once(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "hold", reason="Somebody will look.")
    held = await say(chat, "bob", group, "badword", idempotency_key="k")
    assert held.held
    assert (held.message.seq, held.message.sender) == (0, "bob")
    again = await say(chat, "bob", group, "badword", idempotency_key="k")
    assert (again.held, again.duplicate, again.message) == (held.held, True, held.message)
    await chat.refused(
        ErrorCode.IDEMPOTENCY_CONFLICT,
        "messages.send",
        "bob",
        conversation=group,
        parts=text("other"),
        idempotency_key="k",
    )
    (hold,) = await rows(chat, holds)
    assert (hold.id, hold.state, hold.sender, hold.key) == (held.held, "pending", "bob", "k")
    (case,) = await rows(chat, cases)
    assert (case.subject, case.hold, case.user) == ("hold", hold.id, "bob")
    for who in ("ada", "bob"):
        assert await timeline(chat, who, group) == []


async def test_a_rule_that_is_gone_does_not_send_what_it_held(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "hold")
    held = await say(chat, "bob", group, "badword", idempotency_key="k")
    await publish(chat)
    assert (await say(chat, "bob", group, "badword", idempotency_key="k")).held == held.held
    assert not (await say(chat, "bob", group, "badword")).held


async def test_two_in_one_batch_with_one_key_are_held_once(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "hold")
    answers = await asyncio.gather(
        *(say(chat, "bob", group, "badword", idempotency_key="k") for _ in range(5))
    )
    assert len({answer.held for answer in answers}) == 1
    assert len(await rows(chat, holds)) == 1


async def test_moderators_and_the_server_are_exempt(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await chat.user("eve", office="moderator")
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    await rule(chat, "reject")
    for who in ("ada", "eve", ""):
        await say(chat, who, group, "badword")
    await chat.refused(ErrorCode.REJECTED, "messages.send", "bob", conversation=group, parts=text("badword"))


async def test_moderators_need_not_be_exempt(database: str) -> None:
    async with World(database, moderation={"exempt_moderators": False}) as chat:
        group = await chat.group("ada", "bob")
        await rule(chat, "reject")
        await chat.refused(
            ErrorCode.REJECTED, "messages.send", "ada", conversation=group, parts=text("badword")
        )


async def test_moderation_may_be_off(database: str) -> None:
    async with World(database, moderation={"enabled": False}) as chat:
        group = await chat.group("ada", "bob")
        await rule(chat, "reject")
        await say(chat, "bob", group, "badword")


async def test_new_members_and_kinds_are_known(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await publish(
        chat,
        {"when": [{"type": "new_member", "joined": 60}], "action": "reject", "where": {"kinds": ["group"]}},
    )
    await chat.refused(ErrorCode.REJECTED, "messages.send", "bob", conversation=group, parts=text("hi"))
    direct = await chat.direct("ada", "bob")
    await say(chat, "bob", direct, "hi")
    chat.clock.advance(61.0)
    await say(chat, "bob", group, "hi")


async def test_floods_are_refused_and_pass(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await publish(chat, {"when": [{"type": "flood", "messages": 2, "seconds": 5}], "action": "reject"})
    await say(chat, "bob", group, "one")
    await say(chat, "bob", group, "two")
    await chat.refused(ErrorCode.REJECTED, "messages.send", "bob", conversation=group, parts=text("three"))
    chat.clock.advance(6.0)
    await say(chat, "bob", group, "three")


# --- edits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["reject", "hold", "shadow"])
async def test_an_edit_is_refused_that_could_not_be_sent(chat: World, action: str) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, action)
    sent = await say(chat, "bob", group, "fine")
    await chat.refused(
        ErrorCode.REJECTED,
        "messages.edit",
        "bob",
        conversation=group,
        message=sent.message.seq,
        parts=text("b4dword"),
    )
    await chat.do("messages.edit", "", conversation=group, message=sent.message.seq, parts=text("badword"))


async def test_edits_are_masked_and_flagged(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await publish(chat, {"when": RUDE, "action": "mask"}, {"when": RUDE, "action": "flag"})
    sent = await say(chat, "bob", group, "fine")
    where = {"conversation": group, "message": sent.message.seq}
    await chat.do("messages.edit", "bob", **where, parts=text("a badword"))
    message = await chat.do("messages.get", "ada", **where)
    assert msgspec.json.decode(bytes(message.parts[0]))["text"] == "a •••••••"
    (case,) = await rows(chat, cases)
    assert (case.message, case.user) == (sent.message.seq, "bob")


# --- shadows ------------------------------------------------------------------------------------------------------


async def test_a_shadow_is_its_senders_alone(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve")
    await rule(chat, "shadow")
    before = await say(chat, "ada", group, "hello")
    sent = await say(chat, "bob", group, "badword", mentions={"users": ["eve"]})
    after = await say(chat, "ada", group, "bye")
    seq = sent.message.seq
    assert after.message.number == before.message.number + 1
    where = {"conversation": group, "message": seq}
    assert (await chat.do("messages.get", "bob", **where)).parts == sent.message.parts
    assert seq in await timeline(chat, "bob", group)
    for who in ("ada", "eve"):
        assert await timeline(chat, who, group) == [before.message.seq, after.message.seq]
        attempts: list[tuple[str, dict[str, Any]]] = [
            ("messages.get", {}),
            ("messages.edit", {"parts": text("x")}),
            ("messages.delete", {}),
            ("reactions.add", {"name": "+1"}),
            ("receipts.list", {}),
        ]
        for operation, params in attempts:
            await chat.refused(ErrorCode.NOT_FOUND, operation, who, **where, **params)
        for answer in ({"thread": seq}, {"reply_to": seq}):
            await chat.refused(
                ErrorCode.NOT_FOUND, "messages.send", who, conversation=group, parts=text("x"), **answer
            )
        for synced in (await chat.do("sync", who)).conversations:
            assert seq not in [message.seq for message in synced.messages]
        assert not (await chat.do("search", who, query="badword")).hits
    (mine,) = (await chat.do("conversations.list", "eve")).conversations
    assert mine.membership.mentions == 0
    events = [event for event in await chat.log(group) if isinstance(event, MessageWithheld)]
    assert [(event.message, event.actor) for event in events] == [(seq, None)]
    assert b"badword" not in msgspec.json.encode(await chat.log(group))


async def test_what_is_done_with_a_shadow_stays_in_it(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "shadow")
    root = (await say(chat, "bob", group, "badword")).message.seq
    for answer in ({"thread": root}, {"reply_to": root}):
        reply = await say(chat, "bob", group, "harmless", **answer)
        await chat.refused(
            ErrorCode.NOT_FOUND, "messages.get", "ada", conversation=group, message=reply.message.seq
        )
    await chat.do("messages.edit", "bob", conversation=group, message=root, parts=text("other words"))
    await chat.do("messages.delete", "bob", conversation=group, message=root)
    assert await timeline(chat, "ada", group) == []
    assert not [
        event
        for event in await chat.log(group)
        if isinstance(event, MessageCreated) and event.message.kind == "user"
    ]
    assert b"words" not in msgspec.json.encode(await chat.log(group))


async def test_keys_of_shadows_are_kept(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "shadow")
    sent = await say(chat, "bob", group, "badword", idempotency_key="k")
    again = await say(chat, "bob", group, "badword", idempotency_key="k")
    assert again.duplicate
    assert again.message == sent.message


# --- hooks --------------------------------------------------------------------------------------------------------


async def test_a_hook_judges_what_is_sent_and_edited(chat: World) -> None:
    group = await chat.group("ada", "bob")
    seen: list[Draft] = []

    async def hook(draft: Draft) -> Judgement | None:
        seen.append(draft)
        if "no" in draft.text:
            return Judgement("reject", "The model says no.")
        if "cover" in draft.text:
            return Judgement("mask", parts=({"type": "text", "text": "••••"},))
        return None

    chat.chat.moderation.hooks.judges.append(hook)
    sent = await say(chat, "bob", group, "hello", idempotency_key="k")
    await say(chat, "bob", group, "hello", idempotency_key="k")
    assert [(draft.what, draft.sender, draft.text) for draft in seen] == [("send", "bob", "hello")]
    error = await chat.refused(
        ErrorCode.REJECTED, "messages.send", "bob", conversation=group, parts=text("no")
    )
    assert error.message == "The model says no."
    where = {"conversation": group, "message": sent.message.seq}
    await chat.refused(ErrorCode.REJECTED, "messages.edit", "bob", **where, parts=text("no"))
    await chat.do("messages.edit", "bob", **where, parts=text("cover"))
    message = await chat.do("messages.get", "ada", **where)
    assert msgspec.json.decode(bytes(message.parts[0]))["text"] == "••••"
    covered = await say(chat, "bob", group, "cover this")
    assert covered.message.options.masked
    seen.clear()
    await say(chat, "", group, "no")
    assert not seen


async def test_who_may_not_write_costs_no_hook(chat: World) -> None:
    group = await chat.group("ada")
    await chat.user("eve")

    async def hook(draft: Draft) -> None:
        raise AssertionError

    chat.chat.moderation.hooks.judges.append(hook)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.send", "eve", conversation=group, parts=text("x"))


async def test_a_sender_s_messages_keep_their_order_and_others_do_not_wait(database: str) -> None:
    async with World(database, **SLOW) as chat:
        group = await chat.group("ada", "bob")
        gates = {name: asyncio.Event() for name in ("one", "two", "three")}

        async def hook(draft: Draft) -> None:
            if draft.text in gates:
                await gates[draft.text].wait()

        chat.chat.moderation.hooks.judges.append(hook)
        sending = [asyncio.ensure_future(say(chat, "bob", group, name)) for name in gates]
        await chat.settle()
        other = await say(chat, "ada", group, "meanwhile")
        for name in ("three", "two", "one"):
            assert not any(each.done() for each in sending)
            gates[name].set()
            await chat.settle()
        seqs = [(await each).message.seq for each in sending]
        assert seqs == sorted(seqs)
        assert other.message.seq < seqs[0]
        assert not chat.chat.moderation._turns


async def test_a_refused_message_does_not_keep_those_behind_it(database: str) -> None:
    async with World(database, **SLOW) as chat:
        group = await chat.group("ada", "bob")
        gate = asyncio.Event()

        async def hook(draft: Draft) -> Judgement | None:
            if draft.text == "first":
                await gate.wait()
                raise HubbubError(ErrorCode.REJECTED)
            return None

        chat.chat.moderation.hooks.judges.append(hook)
        first = asyncio.ensure_future(say(chat, "bob", group, "first"))
        second = asyncio.ensure_future(say(chat, "bob", group, "second"))
        await chat.settle()
        assert not second.done()
        gate.set()
        with pytest.raises(HubbubError):
            await first
        assert (await second).message.number == 1


async def test_what_is_long_is_judged_beside_the_loop_and_in_order(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await rule(chat, "mask")
    long = "fine words " * 400 + "badword"
    sending = [asyncio.ensure_future(say(chat, "bob", group, said)) for said in (long, "short", long, "last")]
    sent = [(await each).message for each in sending]
    assert [message.seq for message in sent] == sorted(message.seq for message in sent)
    assert [message.options is not None for message in sent] == [True, False, True, False]


async def test_without_rules_and_hooks_nothing_is_asked(chat: World) -> None:
    group = await chat.group("ada", "bob")
    assert not chat.chat.moderation.active
    await say(chat, "bob", group, "badword")
    await publish(chat)
    assert not chat.chat.moderation.active


async def test_a_program_s_message_is_examined(chat: World) -> None:
    """As what is scheduled or forwarded is."""
    group = await chat.group("ada", "bob")
    await rule(chat, "reject")
    moderation = chat.chat.moderation

    params = SendMessage(group, (msgspec.Raw(b'{"type":"text","text":"badword"}'),))
    examined = await moderation.examine(outgoing_of(chat.chat, "bob", params))
    assert examined.findings is not None
    assert (await moderation.examine(outgoing_of(chat.chat, "", params))).findings is None
