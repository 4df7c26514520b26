"""A node that is cut off from the others: what they write is found in the logs until it hears them."""

from __future__ import annotations

import pytest
from tests.hub.owner import Owner
from tests.hub.test_live_gaps import Faulty
from tests.hub.world import settle

from hubbub.engines.base import UP, Condition
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.upkeep import ALONE, SWEEP

pytestmark = pytest.mark.anyio


async def test_logs_are_looked_at_often_while_nothing_is_heard_of_others() -> None:
    world = Faulty()
    owner = Owner(world.hub, lossless=False)
    await world.start()
    ada = await world.connected("ada", "own:a", "a")
    world.faults.condition = Condition(False)
    world.clock.advance(SWEEP)
    await settle()
    for expected in range(1, 4):
        owner.append("own:a")
        world.clock.advance(ALONE)
        await settle()
        assert [each["offset"] for each in ada.take("publication")] == [expected]
    world.faults.condition = UP
    world.clock.advance(SWEEP)
    await settle()
    asked = len(owner.asked)
    world.clock.advance(ALONE)
    await settle()
    assert len(owner.asked) == asked


async def test_the_brokers_own_logs_are_left_alone_meanwhile() -> None:
    world = Faulty()
    await world.start()
    await world.connected("ada", "a")
    read = world.faults.histories
    world.faults.condition = Condition(False)
    world.clock.advance(world.config.broker.head_check + 2 * SWEEP)
    await settle()
    assert world.faults.histories == read
    world.faults.condition = UP
    world.clock.advance(SWEEP)
    await settle()
    assert world.faults.histories == read + 1


async def test_a_broker_that_is_cut_off_keeps_nobody_out_of_what_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Faulty()
    owner = Owner(world.hub, lossless=False)
    await world.start()
    inner = world.faults.subscribe

    async def remembered(channel: str) -> None:
        await inner(channel)
        raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)

    monkeypatch.setattr(world.faults, "subscribe", remembered)
    ada = await world.connected("ada", "own:a")
    await owner.publish("own:a")
    assert [each["offset"] for each in ada.take("publication")] == [1]
