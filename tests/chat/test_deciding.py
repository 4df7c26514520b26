from __future__ import annotations

from typing import Any

import pytest
from tests.chat.review import audited, case_of, report, restrict, staff
from tests.chat.talk import limited, say, words
from tests.chat.test_caseload import reported
from tests.chat.world import World

from hubbub.chat.events import AppealAnswered, CaseDecided, MessageDeleted, ReportDecided
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def told(chat: World, user: str, kind: type[Any]) -> list[Any]:
    return [event for event in await chat.inbox(user) if isinstance(event, kind)]


async def texts(chat: World, id: str, user: str = "ada") -> list[str]:
    return words((await chat.do("messages.list", user, conversation=id)).messages)


async def test_to_dismiss_is_to_do_nothing(chat: World) -> None:
    id, case = await reported(chat)
    decided = await chat.do("cases.decide", "mod", case=case, action="dismiss", note="harmless")
    assert (decided.state, decided.decision.action, decided.decision.by) == ("closed", "dismiss", "mod")
    (event,) = await told(chat, "eve", ReportDecided)
    assert (event.case, event.acted) == (case, False)
    assert await told(chat, "bob", CaseDecided) == []
    assert (await chat.do("cases.mine", "bob")).cases == ()
    await chat.refused(ErrorCode.NOT_FOUND, "cases.appeal", "bob", case=case, text="why")
    assert "rude" in await texts(chat, id)
    (note,) = (await chat.do("cases.get", "mod", case=case)).notes
    assert (note.kind, note.text) == ("decision", "harmless")
    await chat.refused(ErrorCode.CONFLICT, "cases.decide", "ada", case=case, action="warn")


async def test_a_message_is_deleted_and_its_author_told(chat: World) -> None:
    id, case = await reported(chat)
    decided = await chat.do("cases.decide", "mod", case=case, action="delete", text="Be kind.")
    assert (decided.state, decided.decision.deleted) == ("decided", True)
    event = (await chat.log(id))[-1]
    assert isinstance(event, MessageDeleted)
    assert event.actor is None, "members do not see who has decided"
    (event,) = await told(chat, "bob", CaseDecided)
    assert (event.case, event.action, event.text, event.conversation) == (case, "delete", "Be kind.", id)
    (reporter,) = await told(chat, "eve", ReportDecided)
    assert reporter.acted
    (mine,) = (await chat.do("cases.mine", "bob")).cases
    assert (mine.case, mine.action, mine.state, mine.text) == (case, "delete", "decided", "Be kind.")
    assert ("cases.decide", "mod", "bob") in await audited(chat)


async def test_what_its_author_has_deleted_meanwhile_stays_so(chat: World) -> None:
    id, case = await reported(chat)
    seq = (await case_of(chat, case)).message
    await chat.do("messages.delete", "bob", conversation=id, message=seq)
    log = len(await chat.log(id))
    await chat.do("cases.decide", "mod", case=case, action="delete")
    assert len(await chat.log(id)) == log


@pytest.mark.parametrize("action", ["mute", "ban", "shadow"])
async def test_users_are_restricted_and_their_message_goes(chat: World, action: str) -> None:
    id, case = await reported(chat)
    until = chat.clock.now() + 3600
    decided = await chat.do(
        "cases.decide", "mod", case=case, action=action, until=until, delete=True, text="Enough."
    )
    assert decided.decision.conversation == id
    assert "rude" not in await texts(chat, id)
    (found,) = (await chat.do("restrictions.list", "ada", conversation=id)).restrictions
    assert (found.user, found.kind, found.until, found.by) == ("bob", action, until, "mod")
    assert len(await told(chat, "bob", CaseDecided)) == (action != "shadow")
    assert decided.state == ("closed" if action == "shadow" else "decided")


async def test_everywhere_takes_an_office(chat: World) -> None:
    await staff(chat)
    _, case = await reported(chat)
    of: dict[str, Any] = {"case": case, "action": "ban", "everywhere": True}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "cases.decide", "mod", **of)
    await chat.do("cases.decide", "mo", **of)
    (found,) = (await chat.do("me.restrictions", "bob")).restrictions
    assert (found.kind, found.conversation) == ("ban", None)


async def test_what_can_be_decided(chat: World) -> None:
    await staff(chat)
    id, case = await reported(chat)
    seq = (await say(chat, id, "", "of the server")).seq
    of_server = await report(chat, "eve", conversation=id, message=seq)
    of_user = await report(chat, "eve", user="bob")
    wrong: list[tuple[str, str, dict[str, Any]]] = [
        (case, "action", {"action": "approve"}),
        (case, "until", {"action": "warn", "until": 2e9}),
        (case, "everywhere", {"action": "warn", "everywhere": True}),
        (case, "until", {"action": "mute", "until": 1.0}),
        (case, "text", {"action": "warn", "text": "\0"}),
        (case, "note", {"action": "warn", "note": "\0"}),
        (of_server, "action", {"action": "mute"}),
        (of_server, "action", {"action": "warn"}),
        (of_user, "action", {"action": "delete"}),
        (of_user, "delete", {"action": "warn", "delete": True}),
    ]
    for name, at, params in wrong:
        await chat.refused(ErrorCode.VALIDATION_FAILED, "cases.decide", "mo", at=at, case=name, **params)
    assert (await chat.do("cases.decide", "mo", case=of_server, action="delete")).state == "closed"


async def test_nobody_decides_on_who_stands_as_high(chat: World) -> None:
    id, _ = await reported(chat)
    seq = (await say(chat, id, "ada", "rude")).seq
    case = await report(chat, "eve", conversation=id, message=seq)
    for action in ("mute", "warn", "shadow", "ban"):
        await chat.refused(
            ErrorCode.PERMISSION_DENIED, "cases.decide", "mod", at="action", case=case, action=action
        )
    await chat.do("cases.decide", "mod", case=case, action="delete")


async def appealed(chat: World, action: str = "mute", *, by: str = "mod") -> tuple[str, str]:
    id, case = await reported(chat)
    await chat.do("cases.decide", by, case=case, action=action)
    mine = await chat.do("cases.appeal", "bob", case=case, text="It was a quotation.")
    assert (mine.state, mine.appeal_until) == ("appealed", None)
    return id, case


async def test_a_granted_appeal_lifts_the_restriction(chat: World) -> None:
    id, case = await appealed(chat)
    assert [each.id for each in (await chat.do("cases.list", "ada", conversation=id)).cases] == [case]
    notes = (await chat.do("cases.get", "ada", case=case)).notes
    assert [(each.kind, each.author, each.text) for each in notes] == [
        ("appeal", "bob", "It was a quotation.")
    ]
    answered = await chat.do("cases.answer", "ada", case=case, granted=True, text="You are right.")
    assert (answered.state, answered.granted) == ("closed", True)
    await say(chat, id, "bob", "thanks")
    (event,) = await told(chat, "bob", AppealAnswered)
    assert (event.case, event.granted, event.text) == (case, True, "You are right.")
    (mine,) = (await chat.do("cases.mine", "bob")).cases
    assert (mine.state, mine.granted) == ("closed", True)
    await chat.refused(ErrorCode.CONFLICT, "cases.answer", "ada", case=case, granted=False)
    await chat.refused(ErrorCode.CONFLICT, "cases.appeal", "bob", case=case, text="again")


async def test_a_refused_appeal_leaves_it(chat: World) -> None:
    id, case = await appealed(chat)
    assert (await chat.do("cases.answer", "ada", case=case, granted=False)).granted is False
    assert len((await chat.do("restrictions.list", "ada", conversation=id)).restrictions) == 1


async def test_who_has_decided_does_not_answer(chat: World) -> None:
    await staff(chat)
    _, case = await appealed(chat)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "cases.answer", "mod", case=case, granted=False)
    await chat.do("cases.claim", "mo", case=case)
    await chat.refused(ErrorCode.CONFLICT, "cases.answer", "ada", case=case, granted=False)
    await chat.do("cases.answer", "mo", case=case, granted=False)


async def test_what_an_office_has_decided_an_office_answers(chat: World) -> None:
    await staff(chat)
    _, case = await appealed(chat, by="mo")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "cases.answer", "ada", case=case, granted=True)
    await chat.do("cases.answer", "chief", case=case, granted=True)


async def test_restrictions_that_were_set_at_once_are_appealed_too(chat: World) -> None:
    await staff(chat)
    await chat.users("bob", "eve")
    await restrict(chat, "mo", "bob", "ban", reason="Spam")
    (mine,) = (await chat.do("cases.mine", "bob")).cases
    assert (mine.action, mine.text) == ("ban", "Spam")
    await chat.refused(ErrorCode.NOT_FOUND, "cases.appeal", "eve", case=mine.case, text="me too")
    await chat.do("cases.appeal", "bob", case=mine.case, text="not me")
    await chat.do("cases.answer", "chief", case=mine.case, granted=True)
    assert (await chat.do("me.restrictions", "bob")).restrictions == ()


async def test_appeals_have_their_time(database: str) -> None:
    async with limited(database, moderation={"appeal_window": 100.0}) as chat:
        _, case = await reported(chat)
        await chat.refused(ErrorCode.NOT_FOUND, "cases.appeal", "bob", case=case, text="early")
        await chat.do("cases.decide", "mod", case=case, action="warn")
        (mine,) = (await chat.do("cases.mine", "bob")).cases
        assert mine.appeal_until == mine.time + 100
        for wrong in ("", " ", "\0"):
            await chat.refused(ErrorCode.VALIDATION_FAILED, "cases.appeal", "bob", case=case, text=wrong)
        chat.clock.advance(101)
        await chat.refused(ErrorCode.CONFLICT, "cases.appeal", "bob", at="case", case=case, text="late")


async def test_ones_decisions_come_in_pages(chat: World) -> None:
    await staff(chat)
    await chat.user("bob")
    for kind in ("mute", "shadow", "ban"):
        await restrict(chat, "mo", "bob", kind)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await chat.do("cases.mine", "bob", limit=1, **cursor)
        found += [each.action for each in page.cases]
        if page.next is None:
            break
        cursor = {"cursor": page.next}
    assert found == ["ban", "mute"]
