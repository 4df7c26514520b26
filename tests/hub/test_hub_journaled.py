"""Sessions that resume by the journal: away, back, and gone, with nothing lost and nothing left over."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.hub.following import follower
from tests.hub.world import World, settle

from hubbub.config import NamespaceConfig
from hubbub.errors import FORCED
from hubbub.hub import operations
from hubbub.model import Principal

pytestmark = pytest.mark.anyio


QUIET = NamespaceConfig(retention=50, subscribe="authenticated", publish="authenticated", presence="full")


async def world_of(**settings: Any) -> World:
    return await World(**{"default": QUIET, **settings}).start()


async def say(world: World, channel: str, data: object, **rest: Any) -> None:
    await operations.publish(world.hub, channel, "x", data, **rest)


def is_empty(world: World) -> bool:
    hub = world.hub
    return not (hub.channels or hub.sessions or hub.users or hub.detached)


async def test_what_is_said_while_it_is_away_is_there_when_it_comes_back() -> None:
    world = await world_of()
    fay = await follower(world, "fay", "a", "b")
    await say(world, "a", 1)
    assert fay.read() == [(1, 1)]
    await say(world, "b", 2)  # written, but never read
    fay.drop()
    await say(world, "a", 3)
    await fay.session.send("x", 4)
    await say(world, "c", 5)
    assert fay.come_back() == [2, 3, 4]
    await say(world, "a", 6)
    await say(world, "b", 7)
    assert [data for data, _ in fay.read()] == [6, 7]
    assert set(fay.session.subscriptions) == {"a", "b"}
    assert fay.session.away == ()


async def test_the_node_goes_on_listening_for_those_who_are_away_until_the_last_is_gone() -> None:
    world = await world_of()
    fay, gus = await follower(world, "fay", "a"), await follower(world, "gus", "a")
    fay.drop()
    gus.drop()
    channel = world.hub.channels["a"]
    assert (channel.size, channel.kept) == (0, 2)
    world.hub.end(fay.session, None)
    assert world.hub.channels["a"] is channel
    assert gus.come_back() == []
    assert (channel.size, channel.kept) == (1, 0)
    gus.drop()
    world.hub.end(gus.session, None)
    await settle()
    assert is_empty(world)


async def test_a_session_is_kept_for_the_window_of_its_kind() -> None:
    world = await world_of(sessions={"resume_window": 10}, socketio={"recovery_window": 60})
    fay = await follower(world, "fay", "a")
    bob = await world.connected("bob", "a")
    fay.drop()
    bob.drop()
    world.clock.advance(11)
    assert set(world.hub.sessions) == {fay.session.id}
    world.clock.advance(48)
    await say(world, "a", 1)
    assert fay.come_back() == [1]
    fay.drop()
    world.clock.advance(61)
    await settle()
    assert is_empty(world)


async def test_entries_outlast_the_window_by_the_time_in_which_a_dead_link_is_not_noticed() -> None:
    world = await world_of(socketio={"recovery_window": 60, "ping_interval": 10, "ping_timeout": 5})
    fay = await follower(world, "fay", "a")
    await say(world, "a", 1)  # just after the link broke
    world.clock.advance(14.5)
    fay.drop()  # noticed by the pong that does not come
    world.clock.advance(59.5)
    assert fay.come_back() == [1]


async def test_a_session_that_was_never_let_in_is_not_kept() -> None:
    world = await world_of(socketio={"recovery_window": 0})
    fay = await follower(world, "fay", "a")
    fay.drop()
    await settle()
    assert is_empty(world)


async def test_presence_lasts_as_long_as_for_everybody() -> None:
    world = await world_of(sessions={"presence_grace": 5})
    fay = await follower(world, "fay", "a")

    async def present() -> int:
        return (await world.presence.members("a", 10)).sessions

    fay.drop()
    world.clock.advance(4)
    await settle()
    assert await present() == 1
    world.clock.advance(2)
    await settle()
    assert await present() == 0
    assert fay.session.absent


# --- entering and leaving while it is away --------------------------------------------------------------------


async def test_what_it_enters_while_it_is_away_counts_from_then() -> None:
    world = await world_of()
    bob = await world.connected("bob", "b")
    fay = await follower(world, "fay", "a")
    fay.drop()
    await say(world, "b", 1)
    await fay.session.subscribe("b")
    await fay.session.subscribe("b")
    await fay.session.subscribe("new")
    await say(world, "b", 2)
    await say(world, "new", 3)
    assert fay.come_back() == [2, 3]
    assert set(fay.session.subscriptions) == {"a", "b", "new"}
    assert bob.texts() == [1, 2]
    world.hub.end(fay.session, FORCED)
    bob.drop()
    world.clock.advance(1_000)
    await settle()
    assert is_empty(world)


async def test_what_it_is_taken_out_of_while_it_is_away_counts_until_then() -> None:
    world = await world_of()
    fay = await follower(world, "fay", "a", "b")
    fay.drop()
    await say(world, "a", 1)
    assert await world.hub.server_unsubscribe(fay.session, "a")
    assert not await world.hub.server_unsubscribe(fay.session, "a")
    await say(world, "a", 2)
    await say(world, "b", 3)
    assert "a" not in world.hub.channels
    assert fay.come_back() == [1, 3]
    assert set(fay.session.subscriptions) == {"b"}


async def test_the_same_after_its_end_leaves_the_others_alone() -> None:
    world = await world_of()
    fay, gus = await follower(world, "fay", "a"), await follower(world, "gus", "a")
    fay.drop()
    gus.drop()
    world.hub.end(fay.session, FORCED)
    assert not await world.hub.server_unsubscribe(fay.session, "a")
    await say(world, "a", 1)
    assert gus.come_back() == [1]


async def test_pushes_that_say_nothing_to_it_do_not_pile_up() -> None:
    world = await world_of()
    fay = await follower(world, "fay", "a")
    for _ in range(3):
        fay.drop()
        await world.hub.server_unsubscribe(fay.session, "a")
        await fay.session.subscribe("a")
        fay.come_back()
        fay.session.release()
    assert fay.session.pending is None
    assert fay.session.pending_bytes == 0


# --- what is recorded -----------------------------------------------------------------------------------------


async def test_nothing_is_recorded_where_nobody_resumes_by_it() -> None:
    world = await world_of()
    await world.connected("bob", "a")
    plain = await follower(world, "gus", "a", numbered=False)
    await say(world, "a", 1)
    assert world.hub.journal.head == 0
    assert plain.connection.take() == [b'42["x",1]\n']
    fay = await follower(world, "fay", "a")
    await say(world, "a", 2)
    assert world.hub.journal.head == 1
    world.hub.end(fay.session, None)
    world.hub.end(plain.session, None)
    await say(world, "a", 3)
    assert world.hub.journal.head == 1
    assert world.hub.channels["a"].journal is None


async def test_entries_go_with_time_though_nothing_more_is_said() -> None:
    world = await world_of()
    await follower(world, "fay", "a")
    await say(world, "a", 1)
    assert world.metrics.gauges["journal_bytes"]() > 0
    world.clock.advance(200)
    assert world.metrics.gauges["journal_bytes"]() == 0
    assert world.hub.journal.floor == 1


async def test_what_waits_for_the_end_of_an_interval_is_not_lost_by_coming_back_within_it() -> None:
    conflating = {"retention": 5, "conflate": True, "conflate_interval": 1.0, "subscribe": "authenticated"}
    world = await world_of(default=conflating)
    fay = await follower(world, "fay", "a")
    await say(world, "a", 1)
    fay.read()
    fay.drop()
    await say(world, "a", 2)
    assert fay.come_back() == [2]
    await say(world, "a", 3)
    world.clock.advance(2)
    assert [data for data, _ in fay.read()] == [3]


async def test_what_it_enters_within_such_an_interval_counts_from_then_too() -> None:
    conflating = {"retention": 5, "conflate": True, "conflate_interval": 1.0, "subscribe": "authenticated"}
    world = await world_of(default=conflating)
    await world.connected("bob", "a")
    fay = await follower(world, "fay")
    await say(world, "a", 1)
    await say(world, "a", 2)
    fay.drop()
    await fay.session.subscribe("a")
    world.clock.advance(2)
    assert fay.come_back() == []


# --- everything at once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_comes_and_goes_all_is_seen_once_and_in_order_and_nothing_is_left(seed: int) -> None:
    chance = random.Random(seed)
    world = await world_of()
    rooms = ("a", "b", "c:1")
    devices = [await follower(world, f"user{number}") for number in range(4)]
    native = await world.connected("bob", "a", "b")
    due: dict[str, list[int]] = {each.session.id: [] for each in devices}
    away: set[int] = set()
    for step in range(400):
        number = chance.randrange(len(devices))
        device = devices[number]
        action = chance.random()
        if action < 0.45:
            room = chance.choice(rooms)
            exclude = chance.choice([None, device.session.id])
            for each in devices:
                inside = room in each.session.subscriptions or room in each.session.away
                if inside and each.session.id != exclude:
                    due[each.session.id].append(step)
            await say(world, room, step, exclude=exclude)
        elif action < 0.55:
            await device.session.send("x", step)
            due[device.session.id].append(step)
        elif action < 0.7:
            await device.session.subscribe(chance.choice(rooms))
        elif action < 0.8:
            await world.hub.server_unsubscribe(device.session, chance.choice(rooms))
        elif number in away:
            assert device.come_back() is not None
            away.discard(number)
        elif action < 0.9:
            device.read()
        else:
            device.drop()
            away.add(number)
    for number in away:
        devices[number].come_back()
    for device in devices:
        device.read()
        assert [data for data, _ in device.got] == due[device.session.id]
        numbers = [at for _, at in device.got]
        assert numbers == sorted(set(numbers))
        world.hub.end(device.session, None)
    native.drop()
    world.clock.advance(1_000)
    await settle()
    assert is_empty(world)
    assert len(world.hub.journal) == 0


async def test_admitting_is_what_makes_room_among_the_sessions_of_a_user() -> None:
    world = await world_of(limits={"connections_per_user": 2})
    fay = await follower(world, "fay", "a")
    fay.drop()
    await follower(world, "fay", "a")
    third = await follower(world, "fay", "a")
    assert fay.session.closed
    assert world.hub.channels["a"].kept == 0
    assert third.session.principal == Principal("fay")
