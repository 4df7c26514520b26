from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat import checks
from tests.chat.talk import limited, say
from tests.chat.world import World

from hubbub.chat.events import LogEvent, MessageAnnotated, MessageWithheld
from hubbub.chat.model import Annotations, PollOption, PollState
from hubbub.errors import ErrorCode
from hubbub.storage.tables import agenda, audit, events, inbox, votes

pytestmark = pytest.mark.anyio
OPTIONS = ("Monday", "Tuesday", "Never")


def poll(*options: Any, **fields: Any) -> list[dict[str, Any]]:
    """Parts with a poll."""
    given = [each if isinstance(each, dict) else {"text": each} for each in options or OPTIONS]
    return [{"type": "poll", "question": "When do we ship?", "options": given, **fields}]


async def ask(chat: World, *others: str, kind: str = "group", **fields: Any) -> dict[str, Any]:
    """A poll of ada's, as params name it."""
    id = await chat.conversation(kind, "ada", *others)
    sent = await chat.do("messages.send", "ada", conversation=id, parts=poll(**fields))
    return {"conversation": id, "message": sent.message.seq}


async def standing(chat: World, of: dict[str, Any]) -> PollState:
    message = await chat.do("messages.get", "ada", **of)
    assert message.annotations is not None
    found: PollState = message.annotations.poll
    return found


async def last(chat: World, of: dict[str, Any]) -> LogEvent:
    return (await chat.log(of["conversation"]))[-1]


async def test_votes_are_counted_and_named(chat: World) -> None:
    of = await ask(chat, "bob", "cleo")
    assert await standing(chat, of) == PollState(tuple(map(PollOption, "123")))
    first = await chat.do("polls.vote", "bob", **of, options=["2"])
    now = PollState((PollOption("1"), PollOption("2", 1, ("bob",)), PollOption("3")), 1)
    assert (first.poll, first.mine, first.results) == (now, ("2",), True)
    event = await last(chat, of)
    assert isinstance(event, MessageAnnotated)
    assert (event.message, event.actor, event.what) == (of["message"], "bob", "poll")
    assert event.annotations == Annotations(poll=now)
    await chat.do("polls.vote", "cleo", **of, options=["2"])
    moved = await chat.do("polls.vote", "bob", **of, options=["1"])
    now = PollState((PollOption("1", 1, ("bob",)), PollOption("2", 1, ("cleo",)), PollOption("3")), 2)
    assert moved.poll == now == await standing(chat, of)
    for _ in range(2):
        gone = await chat.do("polls.retract", "bob", **of)
        assert (gone.poll.voters, gone.mine) == (1, ())
    assert (await chat.do("polls.get", "ada", **of)).poll == await standing(chat, of) == gone.poll


async def test_to_vote_alike_twice_is_to_vote_once(chat: World) -> None:
    of = await ask(chat, "bob")
    await chat.do("polls.vote", "bob", **of, options=["3"])
    head = len(await chat.log(of["conversation"]))
    again = await chat.do("polls.vote", "bob", **of, options=["3", "3"])
    assert (again.poll.voters, again.mine) == (1, ("3",))
    assert len(await chat.log(of["conversation"])) == head


async def test_several_votes_where_the_poll_says_so(chat: World) -> None:
    one = await ask(chat, "bob")
    two = await ask(chat, "bob", multiple=True, max_votes=2)
    all = await ask(chat, "bob", multiple=True)
    refused = (ErrorCode.VALIDATION_FAILED, "polls.vote", "bob")
    await chat.refused(*refused, at="options", **one, options=["1", "2"])
    await chat.refused(*refused, at="options", **two, options=["1", "2", "3"])
    result = await chat.do("polls.vote", "bob", **two, options=["3", "1"])
    assert (result.mine, result.poll.voters) == (("1", "3"), 1)
    result = await chat.do("polls.vote", "bob", **two, options=["3", "2"])
    assert [(each.id, each.votes) for each in result.poll.options] == [("1", 0), ("2", 1), ("3", 1)]
    result = await chat.do("polls.vote", "bob", **all, options=["1", "2", "3"])
    assert (result.mine, result.poll.voters) == (("1", "2", "3"), 1)


async def test_ten_voters_are_named_and_all_are_listed(chat: World) -> None:
    users = [f"u{place:02}" for place in range(13)]
    of = await ask(chat, *users)
    for user in users:
        await chat.do("polls.vote", user, **of, options=["1"])
    assert (await standing(chat, of)).options[0] == PollOption("1", 13, tuple(users[:10]))
    await chat.do("polls.retract", "u03", **of)
    await chat.do("polls.vote", "u12", **of, options=["2"])
    named = tuple(user for user in users[:11] if user != "u03")
    assert (await standing(chat, of)).options[0] == PollOption("1", 11, named)
    found: list[tuple[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await chat.do("polls.voters", "u01", **of, limit=5, **cursor)
        found += [(each.user, each.option) for each in page.votes]
        if page.next is None:
            break
        cursor = {"cursor": page.next}
    assert found == [(user, "2" if user == "u12" else "1") for user in users if user != "u03"]
    (only,) = (await chat.do("polls.voters", "ada", **of, option="2")).votes
    assert (only.user, only.time > 0) == ("u12", True)


async def test_many_at_once_are_counted_exactly(chat: World) -> None:
    users = [f"u{place}" for place in range(25)]
    of = await ask(chat, *users, multiple=True)
    tries = [(user, options) for user in users for options in (["1"], ["1", "2"], ["2"])]
    await asyncio.gather(
        *(chat.do("polls.vote", user, **of, options=options) for user, options in tries),
        *(chat.do("polls.retract", user, **of) for user in users[:5]),
    )
    state = await standing(chat, of)
    rows = await chat.read(lambda view: view.execute(sa.select(votes.c.user, votes.c.option)).all())
    assert state.voters == len({user for user, _ in rows})
    assert [each.votes for each in state.options] == [
        sum(option == each.id for _, option in rows) for each in state.options
    ]


# --- what is told, and to whom ------------------------------------------------------------------------------------


async def test_counts_come_after_the_vote(chat: World) -> None:
    of = await ask(chat, "bob", "cleo", results="after_vote")
    voted = await chat.do("polls.vote", "bob", **of, options=["2"])
    assert (voted.results, voted.poll.options[1]) == (True, PollOption("2", 1, ("bob",)))
    assert await standing(chat, of) == PollState((), 1)
    event = await last(chat, of)
    assert isinstance(event, MessageAnnotated)
    assert event.annotations == Annotations(poll=PollState((), 1))
    looked = await chat.do("polls.get", "cleo", **of)
    assert (looked.results, looked.poll, looked.mine) == (False, PollState((), 1), ())
    await chat.refused(ErrorCode.PERMISSION_DENIED, "polls.voters", "cleo", at="message", **of)
    assert len((await chat.do("polls.voters", "bob", **of)).votes) == 1
    assert (await chat.do("polls.get", "", **of)).poll.options[1].votes == 1
    await chat.do("polls.retract", "bob", **of)
    assert (await chat.do("polls.get", "bob", **of)).poll == PollState()
    await chat.do("polls.vote", "bob", **of, options=["1"])
    await chat.do("polls.close", "ada", **of)
    assert (await chat.do("polls.get", "cleo", **of)).poll.options[0] == PollOption("1", 1, ("bob",))


async def test_counts_come_when_it_is_closed(chat: World) -> None:
    of = await ask(chat, "bob", results="closed")
    voted = await chat.do("polls.vote", "bob", **of, options=["2"])
    assert (voted.results, voted.poll, voted.mine) == (False, PollState((), 1), ("2",))
    head = len(await chat.log(of["conversation"]))
    await chat.do("polls.vote", "bob", **of, options=["1"])
    assert len(await chat.log(of["conversation"])) == head, "there is nothing to tell of"
    closed = await chat.do("polls.close", "ada", **of)
    assert (closed.results, closed.poll.options[0]) == (True, PollOption("1", 1, ("bob",)))
    assert closed.poll == await standing(chat, of)


@pytest.mark.parametrize("results", ["always", "after_vote", "closed"])
async def test_nobody_learns_who_has_voted_in_an_anonymous_poll(chat: World, results: str) -> None:
    of = await ask(chat, "bob-voter", anonymous=True, results=results)
    before = await chat.read(checks.everything)
    for options in (["1"], ["2"]):
        voted = await chat.do("polls.vote", "bob-voter", **of, options=options)
    assert voted.mine == ("2",)
    await chat.do("polls.retract", "bob-voter", **of)
    await chat.do("polls.vote", "bob-voter", **of, options=["3"])
    await chat.do("polls.close", "", **of)
    state = await standing(chat, of)
    assert (state.voters, state.options[2]) == (1, PollOption("3", 1))
    for who in ("ada", "bob-voter", ""):
        await chat.refused(ErrorCode.PERMISSION_DENIED, "polls.voters", who, at="message", **of)
        told = await chat.do("polls.get", who, **of)
        assert b"bob-voter" not in msgspec.json.encode(told)
    after = await chat.read(checks.everything)
    for table in (events, inbox, audit, agenda):
        fresh = [row for row in after[table.name] if row not in before[table.name]]
        assert "bob-voter" not in repr(fresh), table.name
    told_live = [each for logged in chat.chat.heard.values() for each in logged]
    annotated = [each for each in told_live if each.event == "message.annotated"]
    assert annotated
    assert all(each.sender is None and b"bob-voter" not in each.data for each in annotated)


async def test_what_members_hear_who_joined_later_has_no_words_of_it(chat: World) -> None:
    id = await chat.group("ada", "bob", history="joined")
    sent = await chat.do("messages.send", "ada", conversation=id, parts=poll("Kiwi", "Lime"))
    of = {"conversation": id, "message": sent.message.seq}
    await chat.users("late")
    await chat.do("members.add", "ada", conversation=id, users=["late"])
    head = len(await chat.log(id))
    await chat.do("polls.vote", "bob", **of, options=["2"])
    await chat.do("messages.edit", "ada", **of, parts=poll({"id": "2", "text": "Lemon"}, "Quince"))
    await chat.do("polls.close", "ada", **of)
    heard = chat.chat.heard[f"conversation:{id}"][head:]
    assert len(heard) == 3
    for word in (b"Kiwi", b"Lime", b"Lemon", b"Quince", b"ship"):
        assert all(word not in each.data for each in heard)
    for operation, params in (("polls.get", {}), ("polls.vote", {"options": ["2"]}), ("polls.close", {})):
        await chat.refused(ErrorCode.NOT_FOUND, operation, "late", at="message", **of, **params)


async def test_it_is_found_by_what_it_asks(chat: World) -> None:
    of = await ask(chat, "bob")

    async def found(query: str) -> list[int]:
        hits = (await chat.do("search", "bob", query=query)).hits
        return [hit.message.seq for hit in hits]

    assert await found("ship") == await found("tuesday") == [of["message"]]
    kept = [{"id": "1", "text": "Monday"}, {"id": "2", "text": "Saturday"}]
    await chat.do("messages.edit", "ada", **of, parts=poll(*kept))
    assert await found("saturday") == [of["message"]]
    assert await found("tuesday") == []
    await chat.do("messages.delete", "ada", **of)
    assert await found("ship") == []


# --- refusals -----------------------------------------------------------------------------------------------------

VOTE = ("polls.vote", {"options": ["1"]})
RETRACT: tuple[str, dict[str, Any]] = ("polls.retract", {})
CLOSE: tuple[str, dict[str, Any]] = ("polls.close", {})


@pytest.mark.parametrize(("operation", "params"), [VOTE, RETRACT])
async def test_who_may_not_vote(chat: World, operation: str, params: dict[str, Any]) -> None:
    of = await ask(chat, "bob")
    id = of["conversation"]
    await chat.users("eve")
    await chat.refused(ErrorCode.NOT_FOUND, operation, "eve", at="conversation", **of, **params)
    await chat.refused(ErrorCode.BAD_REQUEST, operation, "", **of, **params)
    other = {"conversation": id, "message": (await say(chat, id, "ada", "hello")).seq}
    await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", at="message", **other, **params)
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, operation, "bob", **of, **params)
    await chat.do("conversations.update", "ada", conversation=id, closed=False)
    await chat.do("conversations.update", "ada", conversation=id, permissions={"react": "owner"})
    await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "bob", **of, **params)
    await chat.do("conversations.update", "ada", conversation=id, permissions={})
    await chat.do("polls.close", "ada", **of)
    await chat.refused(ErrorCode.CONFLICT, operation, "bob", at="message", **of, **params)
    await chat.do("messages.delete", "ada", **of)
    await chat.refused(ErrorCode.MESSAGE_DELETED, operation, "ada", at="message", **of, **params)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], ErrorCode.VALIDATION_FAILED),
        (["9"], ErrorCode.NOT_FOUND),
        (["1", "9"], ErrorCode.NOT_FOUND),
        (["Monday"], ErrorCode.VALIDATION_FAILED),
        (["1\n"], ErrorCode.VALIDATION_FAILED),
        ("1", ErrorCode.VALIDATION_FAILED),
        ([1], ErrorCode.VALIDATION_FAILED),
        (None, ErrorCode.VALIDATION_FAILED),
        (["1"] * 1_001, ErrorCode.VALIDATION_FAILED),
    ],
)
async def test_what_is_no_vote(chat: World, options: Any, code: ErrorCode) -> None:
    of = await ask(chat, "bob")
    await chat.refused(code, "polls.vote", "bob", **of, options=options)


async def test_nobody_votes_past_a_block(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    sent = await chat.do("messages.send", "ada", conversation=id, parts=poll())
    await chat.do("blocks.add", "ada", user="bob")
    of = {"conversation": id, "message": sent.message.seq}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "polls.vote", "bob", **of, options=["1"])


async def test_readers_of_a_broadcast_vote_and_do_not_ask(chat: World) -> None:
    of = await ask(chat, "bob", kind="broadcast")
    await chat.do("polls.vote", "bob", **of, options=["1"])
    id = await chat.group("ada", "bob", permissions={"poll": "admin"})
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "messages.send", "bob", at="parts", conversation=id, parts=poll()
    )
    own = {"conversation": id, "message": (await say(chat, id, "bob", "hello")).seq}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.edit", "bob", at="parts", **own, parts=poll())


async def test_guests_of_a_topic_look_and_do_not_vote(chat: World) -> None:
    id = await chat.topic("ada")
    sent = await chat.do("messages.send", "ada", conversation=id, parts=poll(results="after_vote"))
    of = {"conversation": id, "message": sent.message.seq}
    await chat.user("eve")
    assert (await chat.do("polls.get", "eve", **of)).results is False
    await chat.refused(ErrorCode.PERMISSION_DENIED, "polls.vote", "eve", **of, options=["1"])


async def test_limits(database: str) -> None:
    async with limited(database, limits={"poll_options": 3, "option_length": 6}) as chat:
        id = await chat.group("ada")
        for options in (["a", "b"], ["a", "b", "c"], ["abcdef", "b"]):
            await chat.do("messages.send", "ada", conversation=id, parts=poll(*options))
        send = ("messages.send", "ada")
        long, many = poll("abcdefg", "b"), poll("a", "b", "c", "d")
        for parts, at in ((many, "parts[0].options"), (long, "parts[0].options[0].text")):
            await chat.refused(ErrorCode.LIMIT_EXCEEDED, *send, at=at, conversation=id, parts=parts)
        assert (chat.metrics.rejected["poll_options"], chat.metrics.rejected["option_length"]) == (1, 1)


async def test_of_a_poll_that_only_its_sender_sees_nobody_else_hears(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.do("restrictions.set", "", user="ada", kind="shadow")
    sent = await chat.do("messages.send", "ada", conversation=id, parts=poll())
    of = {"conversation": id, "message": sent.message.seq}
    head = len(await chat.log(id))
    voted = await chat.do("polls.vote", "ada", **of, options=["2"])
    assert voted.poll.options[1] == PollOption("2", 1, ("ada",))
    assert await standing(chat, of) == voted.poll
    (event,) = (await chat.log(id))[head:]
    assert isinstance(event, MessageWithheld)
    assert event.actor is None
    await chat.refused(ErrorCode.NOT_FOUND, "polls.vote", "bob", at="message", **of, options=["2"])
