"""Logs that several nodes write: what they publish may overtake, and is waited for before the log is read."""

from __future__ import annotations

import pytest
from tests.hub.owner import Owner
from tests.hub.test_live_gaps import Faulty
from tests.hub.world import Client, settle

from hubbub.model import Envelope

pytestmark = pytest.mark.anyio


async def nodes() -> tuple[Faulty, Owner, Client]:
    """One node of several: a log that others write too, and somebody who follows it."""
    world = Faulty()
    owner = Owner(world.hub, lossless=False)
    await world.start()
    ada = await world.connected("ada", "own:a")
    owner.reads.clear()
    return world, owner, ada


def offsets(client: Client) -> list[int]:
    return [each["offset"] for each in client.take("publication")]


async def test_what_was_overtaken_is_waited_for_and_the_log_is_not_read() -> None:
    world, owner, ada = await nodes()
    world.faults.hold()
    for _ in range(4):
        await owner.publish("own:a")
    world.faults.release(reverse=True)
    await settle()
    assert offsets(ada) == [1, 2, 3, 4]
    assert owner.reads == []
    assert world.metrics.gaps == {"reordered": 1}


async def test_what_does_not_come_within_the_window_is_read() -> None:
    world, owner, ada = await nodes()
    owner.append("own:a")
    await owner.publish("own:a")
    await settle()
    assert offsets(ada) == []
    world.clock.advance(world.config.cluster.reorder_window)
    await settle()
    assert offsets(ada) == [1, 2]
    assert world.metrics.gaps == {"healed": 1}
    await owner.publish("own:a")
    assert offsets(ada) == [3]


async def test_one_of_two_that_are_missing_comes_and_the_other_does_not() -> None:
    world, owner, ada = await nodes()
    late = owner.append("own:a")
    await owner.publish("own:a")
    owner.append("own:a")  # is lost
    await owner.publish("own:a")
    await settle()
    assert offsets(ada) == []
    await world.hub.broker.publish(Envelope(late))
    await settle()
    assert offsets(ada) == [1, 2]
    world.clock.advance(world.config.cluster.reorder_window)
    await settle()
    assert offsets(ada) == [3, 4]


async def test_a_subscription_during_the_wait_is_whole() -> None:
    world, owner, ada = await nodes()
    owner.append("own:a")
    await owner.publish("own:a")
    bob = world.client()
    await bob.ask(type="connect", token="bob")
    bob.send(type="subscribe", channel="own:a", since={"epoch": "own", "offset": 0})
    await settle()
    world.clock.advance(world.config.cluster.reorder_window)
    await settle()
    (reply,) = bob.take("subscribed")
    assert [each["offset"] for each in reply["publications"]] == [1, 2]
    assert offsets(ada) == [1, 2]
    await owner.publish("own:a")
    assert offsets(ada) == offsets(bob) == [3]
