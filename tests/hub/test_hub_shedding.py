"""What the hub gives up while there is too much load, and what it never does."""

from __future__ import annotations

import pytest
from tests.hub.world import OPEN, World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Principal
from hubbub.telemetry.levels import NOTHING, SHEDDING, Level

pytestmark = pytest.mark.anyio


def at(world: World, level: Level) -> None:
    world.hub.shedding = SHEDDING[level]


@pytest.mark.parametrize(
    ("level", "asked", "given"),
    [
        (Level.NORMAL, 40, 40),
        (Level.BUSY, 40, 40),
        (Level.OVERLOADED, 9, 9),
        (Level.OVERLOADED, 10, 10),
        (Level.OVERLOADED, 11, 10),
        (Level.CRITICAL, 40, 4),
        (Level.CRITICAL, 0, 0),
    ],
)
async def test_an_answer_holds_less_history_and_says_that_there_is_more(
    level: Level, asked: int, given: int
) -> None:
    world = await World(limits={"history": 40}).start()
    ada = await world.connected("ada", "lobby")
    for number in range(45):
        await ada.ask(type="publish", channel="lobby", event="e", data=number)
    at(world, level)
    result = (await ada.ask(type="history", channel="lobby", limit=asked))["result"]
    assert len(result["publications"]) == given
    assert result["more"] is True
    assert world.metrics.shed["history"] == (given < asked)


async def test_a_recovery_is_as_long_as_ever() -> None:
    world = await World().start()
    ada, bob = await world.connected("ada", "lobby"), await world.connected("bob", "lobby")
    here = (await ada.ask(type="history", channel="lobby", limit=0))["result"]["position"]
    ada.drop()
    for number in range(30):
        await bob.ask(type="publish", channel="lobby", event="e", data=number)
    at(world, Level.CRITICAL)
    back = world.client()
    resume = {"session": ada.session, "secret": ada.secret, "positions": {"lobby": here}}
    reply = await back.ask(type="connect", resume=resume)
    (lobby,) = reply["subscriptions"]
    assert reply["recovered"] is True
    assert [each["data"] for each in lobby["publications"]] == list(range(30))


@pytest.mark.parametrize("level", Level)
async def test_every_publication_is_delivered_at_every_level(level: Level) -> None:
    world = await World().start()
    ada, bob = await world.connected("ada", "lobby"), await world.connected("bob", "lobby")
    at(world, level)
    for number in range(30):
        assert (await bob.ask(type="publish", channel="lobby", event="e", data=number))["position"]
    assert ada.texts() == list(range(30))


@pytest.mark.parametrize("level", Level)
async def test_who_has_no_name_is_refused_from_overloaded_on(level: Level) -> None:
    world = await World().start()
    world.policy.principal["nobody"] = Principal("")
    at(world, level)
    reply = await world.client().ask(type="connect", token="nobody")
    refused = level >= Level.OVERLOADED
    assert reply["type"] == ("error" if refused else "connected")
    if refused:
        assert reply["code"] == ErrorCode.OVERLOADED
        assert 5 <= reply["retry_after"] <= 15
    assert (await world.client().ask(type="connect", token="ada"))["type"] == "connected"


async def test_refusals_are_spread() -> None:
    world = await World().start()
    at(world, Level.CRITICAL)
    told = set()
    for _ in range(20):
        session = world.hub.open(world.client().connection, world.client().connection.session.info)  # type: ignore[union-attr]
        with pytest.raises(HubbubError) as refused:
            world.hub.admit(session, Principal(""))
        told.add(refused.value.retry_after)
    assert len(told) == 20


@pytest.mark.parametrize("level", [Level.BUSY, Level.OVERLOADED, Level.CRITICAL])
async def test_joins_and_leaves_are_gathered(level: Level) -> None:
    world = await World(sessions={"resume_window": 0}).start()
    ada = await world.connected("ada", "lobby")
    bob = await world.connected("bob", "lobby")
    ada.take()
    at(world, level)
    wait = SHEDDING[level].presence
    for _ in range(3):
        cleo = await world.connected("cleo", "lobby")
        cleo.drop()
        await settle()
    bob.drop()
    await world.connected("dan", "lobby")
    world.clock.advance(wait - 0.01)
    await settle()
    assert ada.take("join", "leave") == []
    world.clock.advance(0.01)
    await settle()
    told = [(each["type"], each["member"]["user"]) for each in ada.take("join", "leave")]
    assert told == [("leave", "bob"), ("join", "dan")]
    assert world.metrics.shed["presence"] == 6
    assert (await ada.ask(type="presence", channel="lobby"))["result"]["users"] == 2, "who asks is told"


async def test_another_session_of_who_was_there_is_no_news() -> None:
    world = await World(sessions={"resume_window": 0}).start()
    ada = await world.connected("ada", "lobby")
    bob = await world.connected("bob", "lobby")
    ada.take()
    at(world, Level.BUSY)
    bob.drop()
    await settle()
    await world.connected("bob", "lobby")
    world.clock.advance(1)
    await settle()
    assert ada.take("join", "leave") == []


async def test_after_the_load_they_are_told_at_once_again() -> None:
    world = await World(default=OPEN).start()
    ada = await world.connected("ada", "lobby")
    at(world, Level.CRITICAL)
    await world.connected("bob", "lobby")
    world.hub.shedding = NOTHING
    world.clock.advance(10)
    await settle()
    await world.connected("cleo", "lobby")
    assert [each["member"]["user"] for each in ada.take("join")] == ["bob", "cleo"]
    await world.hub.stop()
