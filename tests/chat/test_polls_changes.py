"""Polls through edits and deletion, and when they are closed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.later import items, pass_time
from tests.chat.talk import limited, say
from tests.chat.test_polls import ask, last, poll, standing
from tests.chat.world import World

from hubbub.chat.events import MessageAnnotated, MessageUpdated
from hubbub.chat.kinds.poll import CLOSE
from hubbub.chat.model import Annotations, PollOption, PollState
from hubbub.errors import ErrorCode
from hubbub.storage.tables import audit, votes

pytestmark = pytest.mark.anyio
closings = sa.select(audit).where(audit.c.act == "polls.close")


async def edit(chat: World, of: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    await chat.do("messages.edit", "ada", **of, parts=parts)


async def options(chat: World, of: dict[str, Any]) -> list[tuple[str, str]]:
    """Ids and texts, as the message has them now."""
    message = await chat.do("messages.get", "ada", **of)
    (part,) = map(msgspec.json.decode, message.parts)
    return [(each["id"], each["text"]) for each in part["options"]]


# --- edits --------------------------------------------------------------------------------------------------------


async def test_votes_hold_to_their_options_through_edits(chat: World) -> None:
    of = await ask(chat, "bob", "cleo")
    await chat.do("polls.vote", "bob", **of, options=["1"])
    await chat.do("polls.vote", "cleo", **of, options=["2"])
    # Renamed by its id, found by its text, taken away, and new ones before the others.
    await edit(chat, of, poll("Soon", {"id": "1", "text": "On Monday"}, "Never", "Later"))
    assert await options(chat, of) == [
        ("2-1", "Soon"),
        ("1", "On Monday"),
        ("3", "Never"),
        ("2-2", "Later"),
    ]
    now = PollState((PollOption("2-1"), PollOption("1", 1, ("bob",)), PollOption("3"), PollOption("2-2")), 1)
    assert await standing(chat, of) == now
    event = await last(chat, of)
    assert isinstance(event, MessageUpdated)
    assert event.message.annotations == Annotations(poll=now)
    assert (await chat.do("polls.get", "cleo", **of)).mine == ()
    # Who has not seen the edit votes for nothing that it did not mean.
    await chat.refused(ErrorCode.NOT_FOUND, "polls.vote", "cleo", at="options", **of, options=["2"])
    await edit(chat, of, poll({"id": "1", "text": "On Monday"}, "Tuesday"))
    assert [id for id, _ in await options(chat, of)] == ["1", "3-1"]
    found = (await chat.do("messages.versions", "bob", **of)).versions
    assert [each.version for each in found] == [1, 2, 3]


async def test_an_edit_without_ids_is_about_the_same_options(chat: World) -> None:
    of = await ask(chat, "bob")
    await chat.do("polls.vote", "bob", **of, options=["2"])
    await edit(chat, of, poll("Tuesday", "Monday", "Ne\u0301ver"))
    assert await options(chat, of) == [("2", "Tuesday"), ("1", "Monday"), ("2-1", "Néver")]
    assert (await standing(chat, of)).options[0] == PollOption("2", 1, ("bob",))


async def test_what_voters_relied_on_stays(chat: World) -> None:
    of = await ask(chat, "bob", anonymous=True, results="closed")
    await chat.do("polls.vote", "bob", **of, options=["2"])
    for changed in (
        {},
        {"anonymous": True},
        {"results": "closed"},
        {"anonymous": True, "results": "after_vote"},
    ):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "messages.edit", "ada", at="parts", **of, parts=poll(**changed)
        )
    several = {"anonymous": True, "results": "closed", "multiple": True}
    refused = (ErrorCode.VALIDATION_FAILED, "messages.edit", "ada")
    await chat.refused(*refused, at="parts", **of, parts=poll(**several))
    await edit(chat, of, [{**poll(anonymous=True, results="closed")[0], "question": "When, then?"}])
    assert await standing(chat, of) == PollState((), 1)


async def test_a_poll_that_an_edit_takes_away_begins_anew(chat: World) -> None:
    of = await ask(chat, "bob", anonymous=True, closes=chat.clock.now() + 100)
    await chat.do("polls.vote", "bob", **of, options=["2"])
    await edit(chat, of, [{"type": "text", "text": "Forget it."}])
    assert (await chat.do("messages.get", "ada", **of)).annotations is None
    await chat.refused(ErrorCode.NOT_FOUND, "polls.get", "bob", at="message", **of)
    await edit(chat, of, poll())
    assert await standing(chat, of) == PollState(tuple(map(PollOption, "123")))
    assert (await chat.do("polls.get", "bob", **of)).mine == ()


async def test_an_edit_beside_the_poll_changes_nothing_of_it(chat: World) -> None:
    id = await chat.group("ada", "bob")
    parts = [{"type": "text", "text": "Please vote"}, *poll()]
    of = {"conversation": id}
    of["message"] = (await chat.do("messages.send", "ada", **of, parts=parts)).message.seq
    await chat.do("polls.vote", "bob", **of, options=["2"])
    before = await standing(chat, of)
    await edit(chat, of, [{"type": "text", "text": "Please vote today"}, *poll()])
    assert await standing(chat, of) == before


async def test_a_closed_poll_keeps_its_options(chat: World) -> None:
    of = await ask(chat, "bob")
    await chat.do("polls.vote", "bob", **of, options=["2"])
    closed = (await chat.do("polls.close", "ada", **of)).poll
    for parts in (poll("Monday", "Tuesday"), poll("Monday", "Tuesday", "Never", "Ever"), poll(closes=1e10)):
        await chat.refused(ErrorCode.VALIDATION_FAILED, "messages.edit", "ada", at="parts", **of, parts=parts)
    await edit(chat, of, [{**poll()[0], "question": "When did we ship?"}])
    assert await standing(chat, of) == closed


async def test_a_deleted_poll_is_gone(chat: World) -> None:
    of = await ask(chat, "bob", closes=chat.clock.now() + 100)
    await chat.do("polls.vote", "bob", **of, options=["2"])
    await chat.do("messages.delete", "ada", **of)
    message = await chat.do("messages.get", "bob", **of)
    assert (message.parts, message.annotations) == ((), None)
    assert await chat.read(lambda view: view.execute(sa.select(votes)).all()) == []
    assert await items(chat, CLOSE) == []
    told = [each for each in await chat.log(of["conversation"]) if isinstance(each, MessageAnnotated)]
    assert [each.annotations for each in told] == [None]
    await chat.refused(ErrorCode.MESSAGE_DELETED, "polls.get", "bob", at="message", **of)


# --- closing ------------------------------------------------------------------------------------------------------


async def test_who_has_asked_closes_it_once(chat: World) -> None:
    of = await ask(chat, "bob")
    await chat.do("polls.vote", "bob", **of, options=["2"])
    closed = (await chat.do("polls.close", "ada", **of)).poll
    assert (closed.closed_by, closed.closed) == ("ada", chat.clock.now())
    event = await last(chat, of)
    assert isinstance(event, MessageAnnotated)
    assert (event.actor, event.annotations) == ("ada", Annotations(poll=closed))
    head = len(await chat.log(of["conversation"]))
    assert (await chat.do("polls.close", "ada", **of)).poll == closed
    assert len(await chat.log(of["conversation"])) == head
    assert await chat.read(lambda view: view.execute(closings).all()) == []


async def test_moderators_close_what_is_others_and_it_is_written_down(chat: World) -> None:
    of = await ask(chat, "bob", "mod", "eve")
    await chat.do("members.update", "ada", conversation=of["conversation"], user="mod", role="moderator")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "polls.close", "eve", at="message", **of)
    assert (await chat.do("polls.close", "mod", **of)).poll.closed_by == "mod"
    (row,) = await chat.read(lambda view: view.execute(closings).all())
    assert (row.act, row.actor, row.user, row.message) == ("polls.close", "mod", "ada", of["message"])
    other = await ask(chat, "bob")
    assert (await chat.do("polls.close", "", **other)).poll.closed_by is None
    text = {**other, "message": (await say(chat, other["conversation"], "ada", "hello")).seq}
    await chat.refused(ErrorCode.NOT_FOUND, "polls.close", "ada", at="message", **text)


async def test_it_closes_by_itself_once(chat: World) -> None:
    closes = chat.clock.now() + 100
    of = await ask(chat, "bob", results="closed", closes=closes)
    await chat.do("polls.vote", "bob", **of, options=["2"])
    (item,) = await items(chat, CLOSE)
    assert (item.due, item.message) == (closes, of["message"])
    await pass_time(chat, 90.0)
    assert (await standing(chat, of)).closed is None
    await pass_time(chat, 20.0)
    state = await standing(chat, of)
    assert state.closed is not None
    assert closes <= state.closed
    assert (state.closed_by, state.options[1]) == (None, PollOption("2", 1, ("bob",)))
    await pass_time(chat, 100.0)
    told = [each for each in await chat.log(of["conversation"]) if isinstance(each, MessageAnnotated)]
    assert len(told) == 2


async def test_nobody_votes_when_the_time_is_over_even_if_the_agenda_is_late(chat: World) -> None:
    of = await ask(chat, "bob", closes=chat.clock.now() + 100)
    await chat.chat.agenda.stop()
    chat.clock.advance(100.0)
    await chat.refused(ErrorCode.CONFLICT, "polls.vote", "bob", at="message", **of, options=["2"])
    await chat.do("polls.close", "ada", **of)


async def test_closing_by_hand_or_by_edit_takes_it_off_the_agenda(chat: World) -> None:
    now = chat.clock.now()
    of = await ask(chat, "bob", closes=now + 100)
    await edit(chat, of, poll(closes=now + 500))
    assert [item.due for item in await items(chat, CLOSE)] == [now + 500]
    await pass_time(chat, 200.0)
    assert (await standing(chat, of)).closed is None
    await edit(chat, of, poll())
    assert await items(chat, CLOSE) == []
    await edit(chat, of, poll(closes=now + 900))
    await chat.do("polls.close", "ada", **of)
    assert await items(chat, CLOSE) == []


async def test_it_closes_in_a_closed_conversation_and_without_its_sender(chat: World) -> None:
    of = await ask(chat, "bob", closes=chat.clock.now() + 100)
    id = of["conversation"]
    await chat.do("members.update", "ada", conversation=id, user="bob", role="owner")
    await chat.do("members.leave", "ada", conversation=id)
    await chat.do("conversations.update", "bob", conversation=id, closed=True)
    await pass_time(chat, 110.0)
    message = await chat.do("messages.get", "bob", **of)
    assert message.annotations.poll.closed is not None


async def test_when_it_may_close(database: str) -> None:
    async with limited(database, limits={"schedule_ahead": 1_000.0}) as chat:
        id = await chat.group("ada")
        send = ("messages.send", "ada")
        now = chat.clock.now()
        for closes, code in (
            (now - 10, ErrorCode.VALIDATION_FAILED),
            (now + 1_010, ErrorCode.LIMIT_EXCEEDED),
        ):
            parts = poll(closes=closes)
            await chat.refused(code, *send, at="parts", conversation=id, parts=parts)
        assert chat.metrics.rejected["schedule_ahead"] == 1
        sent = await chat.do(*send, conversation=id, parts=poll(closes=now + 900))
        of = {"conversation": id, "message": sent.message.seq}
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "messages.edit", "ada", at="parts", **of, parts=poll(closes=now - 1)
        )
        edit_far = poll(closes=now + 2_000)
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "messages.edit", "ada", at="parts", **of, parts=edit_far)
