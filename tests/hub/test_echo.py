from __future__ import annotations

import asyncio

import pytest
from tests.hub.world import Client, World, settle

from hubbub.hub import operations
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeBroker, SharedBroker

pytestmark = pytest.mark.anyio


async def one_of_several() -> tuple[World, NodeBroker]:
    clock = FakeClock()
    broker = SharedBroker(clock).node()
    world = World(broker=broker, clock=clock)
    world.hub.node_id = "aaaaaa"
    return await world.start(), broker


def heard(client: Client) -> list[object]:
    return [each["data"] for each in client.take("publication")]


async def test_what_is_written_to_a_session_afterwards_comes_after_it() -> None:
    world, _ = await one_of_several()
    ada = await world.connected("ada", "a")
    for number in range(0, 10, 2):
        await operations.publish(world.hub, "a", "message", number)
        await operations.to_session(world.hub, ada.session, "message", number + 1)
    assert heard(ada) == list(range(10))
    assert not world.hub.live.echoes.waiting


async def test_nobody_waits_where_nobody_listens_or_nothing_is_heard() -> None:
    world, broker = await one_of_several()
    await operations.publish(world.hub, "nobody", "message", 1)
    await world.connected("ada", "a")
    broker.silent_since, broker.deaf = 0.0, True
    await asyncio.wait_for(operations.publish(world.hub, "a", "message", 1), 5)


async def test_nobody_waits_for_what_was_published_before() -> None:
    world, _ = await one_of_several()
    ada = await world.connected("ada", "a")
    first = await operations.publish(world.hub, "a", "message", 1, key="k")
    again = await asyncio.wait_for(operations.publish(world.hub, "a", "message", 1, key="k"), 5)
    assert (again.duplicate, again.id) == (True, first.id)
    assert heard(ada) == [1]


async def test_an_echo_that_is_lost_is_not_waited_for_long() -> None:
    world, broker = await one_of_several()
    await world.connected("ada", "a")
    broker.lose(1)
    task = asyncio.ensure_future(operations.publish(world.hub, "a", "message", 1))
    await settle()
    assert not task.done()
    world.clock.advance(0.25)
    await settle()
    assert task.done()
    assert not world.hub.live.echoes.waiting


async def test_ids_are_unlike_those_of_other_nodes() -> None:
    world, _ = await one_of_several()
    await world.connected("ada", "a")
    ids = [(await operations.publish(world.hub, "a", "message", 1)).id for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(id.startswith("aaaaaa") for id in ids)
