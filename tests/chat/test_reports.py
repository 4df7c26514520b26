from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.chat.review import case_of, report, staff
from tests.chat.talk import limited, say, text
from tests.chat.world import World

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def test_reports_of_one_message_are_one_case(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve", "joe")
    seq = (await say(chat, id, "bob", "buy this")).seq
    case = await report(chat, "eve", conversation=id, message=seq, note="again")
    assert await report(chat, "joe", conversation=id, message=seq, reason="illegal") == case
    for _ in range(2):
        assert await report(chat, "eve", conversation=id, message=seq, reason="abuse") == case
    found = await case_of(chat, case)
    assert (found.subject, found.state, found.user, found.message) == ("message", "open", "bob", seq)
    assert (found.reports, found.priority) == (2, 2)
    assert found.reasons == ("spam", "illegal", "abuse")
    assert [bytes(part) for part in found.parts] == [b'{"type":"text","text":"buy this"}']
    told = (await chat.do("cases.get", "", case=case)).reports
    assert [(each.reporter, each.reason, each.note) for each in told] == [
        ("eve", "spam", "again"),
        ("joe", "illegal", ""),
    ]
    assert [each for each in await chat.inbox("bob") if "report" in type(each).__name__.lower()] == []


async def test_what_was_said_is_kept(chat: World) -> None:
    id = await chat.group("ada", "bob")
    of: dict[str, Any] = {"conversation": id, "message": (await say(chat, id, "bob", "rude")).seq}
    case = await report(chat, "ada", **of)
    await chat.do("messages.edit", "bob", **of, parts=text("polite"))
    await chat.do("messages.delete", "bob", **of)
    assert b"rude" in bytes((await case_of(chat, case)).parts[0])
    await chat.refused(ErrorCode.MESSAGE_DELETED, "reports.create", "ada", **of, reason="spam")


async def test_users_are_reported_too(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.users("eve")
    everywhere = await report(chat, "eve", user="bob")
    here = await report(chat, "ada", user="bob", conversation=id)
    assert everywhere != here
    assert await report(chat, "ada", user="bob") == everywhere
    assert (await case_of(chat, here)).conversation == id
    assert (await case_of(chat, everywhere)).reports == 2


async def test_one_sees_ones_own(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve")
    seqs = [(await say(chat, id, "bob", str(place))).seq for place in range(3)]
    cases = [await report(chat, "eve", conversation=id, message=seq) for seq in seqs]
    await chat.do("cases.decide", "ada", case=cases[1], action="dismiss")
    first = await chat.do("reports.list", "eve", limit=2)
    second = await chat.do("reports.list", "eve", limit=2, cursor=first.next)
    found = (*first.reports, *second.reports)
    assert [each.case for each in found] == cases[::-1]
    assert [each.state for each in found] == ["open", "closed", "open"]
    assert second.next is None
    assert (await chat.do("reports.list", "bob")).reports == ()


async def test_many_at_once_are_counted_exactly(chat: World) -> None:
    users = [f"u{place}" for place in range(8)]
    id = await chat.group("ada", *users)
    seq = (await say(chat, id, "ada", "x")).seq
    cases = await asyncio.gather(
        *(report(chat, user, conversation=id, message=seq) for user in users),
        *(report(chat, user, user="ada") for user in users),
    )
    one, two = set(cases[:8]), set(cases[8:])
    assert (len(one), len(two)) == (1, 1)
    for case in (one.pop(), two.pop()):
        assert (await case_of(chat, case)).reports == 8


async def test_refusals(chat: World) -> None:
    id = await chat.group("ada", "bob")
    seq = (await say(chat, id, "bob", "x")).seq
    await chat.user("eve")

    async def refused(code: ErrorCode, by: str, at: str | None, **params: Any) -> None:
        await chat.refused(code, "reports.create", by, at=at, **({"reason": "spam"} | params))

    await refused(ErrorCode.NOT_FOUND, "eve", "conversation", conversation=id, message=seq)
    await refused(ErrorCode.NOT_FOUND, "eve", "conversation", conversation=id, user="bob")
    await refused(ErrorCode.NOT_FOUND, "ada", "message", conversation=id, message=99)
    await refused(ErrorCode.NOT_FOUND, "ada", "user", user="nobody")
    await refused(ErrorCode.VALIDATION_FAILED, "bob", "message", conversation=id, message=seq)
    await refused(ErrorCode.VALIDATION_FAILED, "bob", "user", user="bob")
    await refused(ErrorCode.VALIDATION_FAILED, "ada", "conversation", message=seq)
    await refused(ErrorCode.VALIDATION_FAILED, "ada", "message", conversation=id)
    await refused(ErrorCode.VALIDATION_FAILED, "ada", "message", conversation=id, message=seq, user="bob")
    await refused(ErrorCode.VALIDATION_FAILED, "ada", "reason", user="bob", reason="boring")
    await refused(ErrorCode.BAD_REQUEST, "", None, user="bob")


async def test_a_rate(database: str) -> None:
    async with limited(database, limits={"reports_burst": 2, "reports_rate": 0.1, "note_length": 3}) as chat:
        await chat.users("ada", "bob", "eve", "joe", "sue")
        await report(chat, "ada", user="bob", note="abc")
        await report(chat, "ada", user="eve")
        error = await chat.refused(ErrorCode.RATE_LIMITED, "reports.create", "ada", user="joe", reason="spam")
        assert error.retry_after is not None
        assert error.retry_after == pytest.approx(20, abs=0.1)
        assert chat.metrics.rejected["reports_rate"] == 1
        await report(chat, "sue", user="joe")
        chat.clock.advance(error.retry_after)
        await report(chat, "ada", user="joe")
        chat.clock.advance(100)
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED,
            "reports.create",
            "ada",
            at="note",
            user="sue",
            reason="spam",
            note="abcd",
        )


async def test_without_a_rate_there_is_no_limit(database: str) -> None:
    async with limited(database, limits={"reports_burst": 1, "reports_rate": 0}) as chat:
        await staff(chat)
        await chat.users("ada", "bob", "eve")
        for user in ("bob", "eve", "mo"):
            await report(chat, "ada", user=user)
