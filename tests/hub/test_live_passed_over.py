"""Publications that are not for everybody: who is passed over, and when that is decided."""

from __future__ import annotations

from typing import Any

import pytest
from tests.hub.following import Follower, follower
from tests.hub.world import OPEN, World, memory_broker, settle

from hubbub.config import NamespaceConfig
from hubbub.errors import INSUFFICIENT_STATE
from hubbub.model import Envelope, Publication, Raw
from hubbub.testing import FakeClock, FaultyBroker

pytestmark = pytest.mark.anyio
PLAIN = NamespaceConfig(subscribe="authenticated", publish="authenticated")
LOGGED = NamespaceConfig(retention=5, subscribe="authenticated", publish="authenticated")
CONFLATING = NamespaceConfig(
    retention=5, conflate=True, conflate_interval=1.0, subscribe="authenticated", publish="authenticated"
)


async def say(world: World, channel: str, data: object, **rest: Any) -> None:
    push = Publication(channel, "x", Raw(str(data).encode()))
    await world.hub.broker.publish(Envelope(push, **rest), world.hub.retention(channel))


def texts(device: Follower) -> list[Any]:
    return [data for data, _ in device.read()]


@pytest.mark.parametrize("options", [PLAIN, LOGGED, CONFLATING], ids=["plain", "logged", "conflating"])
async def test_whoever_is_in_another_channel_or_named_is_passed_over(options: NamespaceConfig) -> None:
    world = await World(default=options).start()
    both, one, named = [await follower(world, name, "a") for name in ("both", "one", "named")]
    await world.hub.enter(both.session, "b")
    bob = await world.connected("bob", "a", "b")
    unless = ("b", "nobody-is-here", f"session:{named.session.id}", "session:nobody")
    await say(world, "a", 1, unless=unless)
    await say(world, "a", 2, unless=unless, exclude=bob.session)
    world.clock.advance(2)
    assert (texts(both), texts(named)) == ([], [])
    assert texts(one) == [1, 2]
    assert bob.texts() == [1]


@pytest.mark.parametrize("order", ["abc", "bac", "cab"])
async def test_one_tuple_does_for_several_channels_as_each_counts_what_stands_before_it(order: str) -> None:
    world = await World(default=PLAIN).start()
    bob = await world.connected("bob", *"abc")
    every, last, named = [
        await follower(world, name, *channels)
        for name, channels in (("every", "abc"), ("last", "c"), ("named", "abc"))
    ]
    unless = (f"session:{named.session.id}", *order)
    for data in (1, 2):
        for channel in order if data == 1 else reversed(order):
            await say(world, channel, data, unless=unless)
    assert (texts(every), texts(last), texts(named)) == ([1, 2], [1, 2], [])
    assert bob.texts() == [1, 1, 1, 2, 2, 2]
    await say(world, order[0], 3, unless=(order[0],))
    await say(world, order[0], 4, unless=(order[0], order[0]))  # those in it are passed over all the same
    assert texts(every) == [3]
    every.drop()
    every.got.clear()
    assert every.come_back() == [1, 2, 3]


async def test_who_enters_or_leaves_between_two_channels_of_one_emit_is_seen_where_it_is() -> None:
    world = await World(default=PLAIN).start()
    comes, goes = await follower(world, "comes", "b"), await follower(world, "goes", "a", "b")
    await say(world, "a", 1, unless=("a", "b"))
    await world.hub.enter(comes.session, "a")
    await world.hub.server_unsubscribe(goes.session, "a")
    await say(world, "b", 2, unless=("a", "b"))
    assert (texts(comes), texts(goes)) == ([], [1, 2])
    goes.drop()
    goes.got.clear()
    assert goes.come_back() == [1, 2]


async def test_of_a_conflated_publication_it_is_decided_when_it_is_sent() -> None:
    world = await World(default=CONFLATING).start()
    fay, gus = await follower(world, "fay", "a"), await follower(world, "gus", "a")
    await say(world, "a", 1)
    await say(world, "a", 2, unless=("b",))
    await world.hub.enter(fay.session, "b")
    world.clock.advance(2)
    assert (texts(fay), texts(gus)) == ([1], [1, 2])
    fay.drop()
    assert fay.come_back() == []  # and remembered so


async def test_who_is_away_and_was_passed_over_has_missed_nothing() -> None:
    world = await World(default=PLAIN).start()
    both, one = await follower(world, "both", "a", "b"), await follower(world, "one", "a")
    both.drop()
    one.drop()
    await say(world, "b", 1)
    await say(world, "a", 1, unless=("b",))
    await say(world, "a", 2, unless=(f"session:{one.session.id}",))
    await say(world, "a", 3, volatile=True)
    assert both.come_back() == [1, 2]
    assert one.come_back() == [1]


async def test_a_gap_that_cannot_be_healed_ends_recovery_for_those_here_and_those_away() -> None:
    clock = FakeClock()
    faults = FaultyBroker(memory_broker(clock))
    options = OPEN.model_copy(update={"retention": 2, "join_leave": False})
    world = await World(clock=clock, broker=faults, default=options).start()
    here, away, elsewhere = [await follower(world, name, "a") for name in ("here", "away", "else")]
    await world.hub.server_unsubscribe(elsewhere.session, "a")
    await say(world, "a", 0)
    away.drop()
    faults.drop(5)
    for data in range(1, 7):
        await say(world, "a", data)
    await settle()
    assert here.connection.closed is INSUFFICIENT_STATE
    here.drop()
    elsewhere.drop()
    assert here.come_back() is None
    assert away.come_back() is None
    assert elsewhere.come_back() is not None
