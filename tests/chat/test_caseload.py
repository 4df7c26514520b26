from __future__ import annotations

from typing import Any

import pytest
from tests.chat.review import case_of, hold, report, restrict, staff
from tests.chat.talk import limited, say
from tests.chat.world import World

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def reported(chat: World, *, by: str = "eve") -> tuple[str, str]:
    """A group of ada (owner), mod, bob and eve, and the case of a message of bob's."""
    id = await chat.group("ada", "mod", "bob", "eve")
    await chat.do("members.update", "ada", conversation=id, user="mod", role="moderator")
    seq = (await say(chat, id, "bob", "rude")).seq
    return id, await report(chat, by, conversation=id, message=seq)


async def test_the_queue_is_the_urgent_first_in_pages(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve", "joe")
    seqs = [(await say(chat, id, "bob", str(place))).seq for place in range(5)]
    cases = [await report(chat, "eve", conversation=id, message=seq) for seq in seqs]
    await report(chat, "joe", conversation=id, message=seqs[3])
    held = await hold(chat, id, "bob", "rude")
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await chat.do("cases.list", "ada", conversation=id, limit=2, **cursor)
        found += page.cases
        if page.next is None:
            break
        cursor = {"cursor": page.next}
    assert [each.hold for each in found[:1]] == [held]
    assert [each.id for each in found[1:]] == [cases[3], cases[0], cases[1], cases[2], cases[4]]
    assert (await chat.do("cases.list", "ada", conversation=id, user="eve")).cases == ()
    await chat.do("cases.decide", "ada", case=cases[0], action="warn")
    (decided,) = (await chat.do("cases.list", "ada", conversation=id, state="decided")).cases
    assert decided.id == cases[0]
    await chat.refused(ErrorCode.VALIDATION_FAILED, "cases.list", "", at="cursor", cursor="x")


async def test_who_works_on_which_cases(chat: World) -> None:
    await staff(chat)
    id, case = await reported(chat)
    await chat.user("stranger")
    everywhere = await report(chat, "eve", user="bob")
    for who in ("mod", "ada", "mo", "chief", ""):
        assert (await chat.do("cases.get", who, case=case)).case.id == case
        assert [each.id for each in (await chat.do("cases.list", who, conversation=id)).cases] == [case]
    for who in ("mo", "chief", ""):
        assert [each.id for each in (await chat.do("cases.list", who)).cases] == [case, everywhere]
    for who in ("eve", "bob", "stranger"):
        words = {
            (await chat.refused(ErrorCode.NOT_FOUND, "cases.get", who, at="case", case=name)).message
            for name in (case, everywhere, "none")
        }
        assert len(words) == 1
    for who in ("eve", "bob"):
        await chat.refused(ErrorCode.PERMISSION_DENIED, "cases.list", who, conversation=id)
    await chat.refused(ErrorCode.NOT_FOUND, "cases.list", "stranger", conversation=id)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "cases.list", "mod", at="conversation")
    await chat.refused(ErrorCode.NOT_FOUND, "cases.get", "mod", case=everywhere)


async def test_nobody_works_on_its_own_case(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "mo", "eve")
    case = await report(chat, "eve", user="ada", conversation=id)
    other = await report(chat, "eve", user="mo")
    assert (await chat.do("cases.list", "ada", conversation=id)).cases == ()
    assert [each.id for each in (await chat.do("cases.list", "mo")).cases] == [case]
    for who, name in (("ada", case), ("mo", other)):
        for operation, params in [
            ("cases.get", {}),
            ("cases.claim", {}),
            ("cases.note", {"text": "not me"}),
            ("cases.decide", {"action": "dismiss"}),
        ]:
            await chat.refused(ErrorCode.NOT_FOUND, operation, who, case=name, **params)


async def test_who_has_reported_is_told_to_offices_alone(chat: World) -> None:
    await staff(chat)
    _, case = await reported(chat)
    for who, reporter in (("mod", None), ("ada", None), ("mo", "eve"), ("", "eve")):
        (told,) = (await chat.do("cases.get", who, case=case)).reports
        assert told.reporter == reporter, who


async def test_a_claim_is_ones_own_until_it_expires(database: str) -> None:
    async with limited(database, moderation={"claim_ttl": 60.0}) as chat:
        await staff(chat)
        _, case = await reported(chat)
        claimed = await chat.do("cases.claim", "mod", case=case)
        assert (claimed.claimed_by, claimed.claimed_until) == ("mod", chat.clock.now() + 60)
        for operation, params in [
            ("cases.claim", {}),
            ("cases.decide", {"action": "dismiss"}),
            ("cases.release", {}),
        ]:
            await chat.refused(ErrorCode.CONFLICT, operation, "mo", at="case", case=case, **params)
        (mine,) = (await chat.do("cases.list", "mo", claimed_by="mod")).cases
        assert mine.id == case
        await chat.do("cases.note", "mo", case=case, text="looks bad")
        chat.clock.advance(30)
        again = await chat.do("cases.claim", "mod", case=case)
        assert again.claimed_until > claimed.claimed_until
        chat.clock.advance(61)
        assert (await case_of(chat, case)).claimed_by is None
        assert (await chat.do("cases.claim", "mo", case=case)).claimed_by == "mo"
        assert (await chat.do("cases.release", "chief", case=case)).claimed_by is None
        assert (await chat.do("cases.release", "mod", case=case)).claimed_by is None
        await chat.do("cases.claim", "mod", case=case)
        await chat.do("cases.release", "mod", case=case)
        decided = await chat.do("cases.decide", "mo", case=case, action="dismiss")
        assert decided.state == "closed"
        await chat.refused(ErrorCode.CONFLICT, "cases.claim", "mod", case=case)
        await chat.refused(ErrorCode.BAD_REQUEST, "cases.claim", "", case=case)


async def test_notes_are_for_moderators(chat: World) -> None:
    _, case = await reported(chat)
    await chat.do("cases.note", "mod", case=case, text="first")
    await chat.do("cases.note", "", case=case, text="second")
    notes = (await chat.do("cases.get", "ada", case=case)).notes
    assert [(each.kind, each.text, each.author) for each in notes] == [
        ("note", "first", "mod"),
        ("note", "second", None),
    ]
    await chat.refused(ErrorCode.NOT_FOUND, "cases.note", "eve", case=case, text="x")
    for wrong in ("", " ", "\0"):
        await chat.refused(ErrorCode.VALIDATION_FAILED, "cases.note", "mod", at="text", case=case, text=wrong)


async def test_restrictions_are_cases(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await restrict(chat, "ada", "bob", "mute", conversation=id, reason="Calm down")
    (case,) = (await chat.do("cases.list", "ada", conversation=id, state="decided")).cases
    assert (case.subject, case.user, case.decision.action, case.decision.by) == ("user", "bob", "mute", "ada")
