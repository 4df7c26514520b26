"""The review queue, live."""

from __future__ import annotations

import pytest
from tests.chat.wire import RefusedError, Wire, chat_server, do, group, text

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def gone(wire: Wire, channel: str) -> None:
    await wire.until(lambda wire: channel in wire.told("unsubscribed"))


async def test_moderators_hear_of_cases(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob", "eve")
        await do(server, "users.upsert", "", user="mo", office="moderator")
        sent = await do(server, "messages.send", "bob", conversation=id, parts=text("rude"))
        seq = sent.message.seq
        async with Wire.open(server, "ada") as ada, Wire.open(server, "mo") as mo:
            await ada.subscribe(f"cases:{id}")
            await mo.subscribe("cases:all")
            made = await do(server, "reports.create", "eve", conversation=id, message=seq, reason="spam")
            for wire in (ada, mo):
                event = await wire.heard("case.changed", state="open", priority=1)
                assert event["case"] == made.case
                assert event["conversation"] == id
                assert "parts" not in event
            await mo.call("cases.decide", case=made.case, action="dismiss")
            await ada.heard("case.changed", state="closed")


@pytest.mark.parametrize(
    ("user", "channel", "code"),
    [
        ("eve", "cases:{id}", ErrorCode.PERMISSION_DENIED),
        ("stranger", "cases:{id}", ErrorCode.NOT_FOUND),
        ("stranger", "cases:nowhere", ErrorCode.NOT_FOUND),
        ("ada", "cases:all", ErrorCode.PERMISSION_DENIED),
    ],
)
async def test_others_do_not(database: str, user: str, channel: str, code: ErrorCode) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "eve")
        async with Wire.open(server, user) as wire:
            with pytest.raises(RefusedError) as refused:
                await wire.subscribe(channel.format(id=id))
            assert refused.value.code == code
            with pytest.raises(RefusedError) as refused:
                await wire.ask(type="publish", channel=channel.format(id=id), event="x", data={})
            assert refused.value.code == ErrorCode.PERMISSION_DENIED


async def test_who_is_moderator_no_more_hears_no_more(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "mod")
        await do(server, "members.update", "ada", conversation=id, user="mod", role="moderator")
        await do(server, "users.upsert", "", user="mo", office="moderator")
        async with Wire.open(server, "mod") as mod, Wire.open(server, "mo") as mo:
            await mod.subscribe(f"conversation:{id}")
            await mod.subscribe(f"cases:{id}")
            await mo.subscribe("inbox:mo")
            await mo.subscribe("cases:all")
            await do(server, "members.update", "ada", conversation=id, user="mod", role="member")
            await gone(mod, f"cases:{id}")
            await do(server, "users.upsert", "", user="mo", office="none")
            await gone(mo, "cases:all")


async def test_a_guest_who_is_banned_hears_no_more(database: str) -> None:
    async with chat_server(database) as server:
        await do(server, "users.upsert", "", user="ada")
        made = await do(server, "conversations.create", "ada", kind="topic", name="News")
        id = made.conversation.id
        async with Wire.open(server, "eve") as eve:
            await eve.subscribe(f"conversation:{id}")
            await do(server, "users.upsert", "", user="eve")
            await do(server, "restrictions.set", "ada", user="eve", kind="ban", conversation=id)
            await gone(eve, f"conversation:{id}")
            with pytest.raises(RefusedError) as refused:
                await eve.subscribe(f"conversation:{id}")
            assert refused.value.code == ErrorCode.RESTRICTED
