"""Votes of who is shadowed: they look counted to who has cast them, and to nobody else."""

from __future__ import annotations

import pytest
from tests.chat import checks
from tests.chat.review import restrict
from tests.chat.test_polls import ask, standing
from tests.chat.world import World

from hubbub.chat.model import PollOption, PollState

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("anonymous", [False, True])
async def test_a_vote_looks_counted(chat: World, anonymous: bool) -> None:
    of = await ask(chat, "bob", "cleo", anonymous=anonymous)
    await chat.do("polls.vote", "cleo", **of, options=["1"])
    await restrict(chat, "", "bob", "shadow")
    before = await chat.read(checks.everything)
    voted = await chat.do("polls.vote", "bob", **of, options=["1"])
    users = () if anonymous else ("cleo", "bob")
    assert voted.poll == PollState((PollOption("1", 2, users), PollOption("2"), PollOption("3")), 2)
    assert (voted.mine, voted.results) == (("1",), True)
    assert await chat.read(checks.everything) == before
    assert (await standing(chat, of)).voters == 1


async def test_what_one_has_voted_before_is_taken_back_and_not_moved(chat: World) -> None:
    of = await ask(chat, "bob")
    await chat.do("polls.vote", "bob", **of, options=["1"])
    await restrict(chat, "ada", "bob", "shadow", conversation=of["conversation"])
    before = await chat.read(checks.everything)
    moved = await chat.do("polls.vote", "bob", **of, options=["2"])
    assert moved.poll == PollState((PollOption("1"), PollOption("2", 1, ("bob",)), PollOption("3")), 1)
    assert await chat.read(checks.everything) == before
    await chat.do("polls.retract", "bob", **of)
    assert (await standing(chat, of)).voters == 0


@pytest.mark.parametrize("results", ["after_vote", "closed"])
async def test_results_that_come_later_come_to_who_has_voted_in_vain_as_to_all(
    chat: World, results: str
) -> None:
    of = await ask(chat, "bob", "cleo", results=results)
    await chat.do("polls.vote", "cleo", **of, options=["3"])
    await restrict(chat, "", "bob", "shadow")
    voted = await chat.do("polls.vote", "bob", **of, options=["2"])
    assert voted.poll.voters == 2
    shown = results == "after_vote"
    assert voted.results is shown
    assert [each.votes for each in voted.poll.options] == ([0, 1, 1] if shown else [])
    assert (await standing(chat, of)).voters == 1


async def test_elsewhere_it_is_a_vote(chat: World) -> None:
    of = await ask(chat, "bob")
    other = await chat.group("ada", "bob")
    await restrict(chat, "ada", "bob", "shadow", conversation=other)
    await chat.do("polls.vote", "bob", **of, options=["2"])
    assert (await standing(chat, of)).voters == 1


async def test_nobody_sees_that_one_has_closed_a_poll(chat: World) -> None:
    of = await ask(chat, "bob")
    await restrict(chat, "", "ada", "shadow")
    before = await chat.read(checks.everything)
    closed = await chat.do("polls.close", "ada", **of)
    assert (closed.poll.closed_by, closed.results) == ("ada", True)
    assert await chat.read(checks.everything) == before
    await chat.do("polls.vote", "bob", **of, options=["2"])
