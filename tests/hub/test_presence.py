from __future__ import annotations

from typing import cast

import pytest
from tests.hub.slow import Delays, SlowPresence, quiet
from tests.hub.world import World, settle

from hubbub.config import NamespaceConfig
from hubbub.errors import ErrorCode
from hubbub.hub.base import Remote
from hubbub.hub.presence import CROWDED
from hubbub.model import Member, Presence, Principal
from hubbub.presence.memory import MemoryPresence
from hubbub.testing import FakeClock

pytestmark = pytest.mark.anyio


class Broken(MemoryPresence):
    async def touch(self, channel: str, member: Member, ttl: float) -> bool:
        raise ConnectionError("presence is away")


async def test_a_store_that_fails_costs_no_subscription_and_no_second_answer() -> None:
    clock = FakeClock()
    world = await World(clock=clock, presence=Broken(clock)).start()
    alice = await world.connected("alice")
    alice.send(type="subscribe", channel="a")
    await settle()
    assert [each["type"] for each in alice.take()] == ["subscribed"]
    assert (await alice.ask(type="subscribe", channel="a"))["code"] == ErrorCode.ALREADY_SUBSCRIBED
    assert not world.hub.attendance._moving


async def test_a_session_that_ends_while_it_enters_leaves_no_ghost() -> None:
    for seed in range(30):
        clock = FakeClock()
        store = MemoryPresence(clock)
        world = await World(clock=clock, presence=SlowPresence(store, Delays(seed, 6))).start()
        alice = await world.connected("alice")
        alice.send(type="subscribe", channel="a")
        await quiet(seed % 7)
        world.hub.end(world.hub.sessions[alice.session], None)
        await quiet()
        assert (await store.members("a", 10)).sessions == 0, f"a ghost with seed {seed}"


async def test_members_carry_what_the_token_shows_of_them() -> None:
    world = World()
    world.policy.principal["alice"] = Principal("alice", info=b'{"name":"A"}')
    await world.start()
    alice = await world.connected("alice", "a")
    who = (await alice.ask(type="presence", channel="a"))["result"]
    assert who["members"] == [{"session": alice.session, "user": "alice", "info": {"name": "A"}}]


class Large(MemoryPresence):
    """There are more on other nodes."""

    elsewhere = 0
    asked = 0

    async def members(self, channel: str, limit: int) -> Presence:
        here = await super().members(channel, limit)
        self.asked += 1
        return Presence(here.sessions + self.elsewhere, here.users + self.elsewhere, None)


async def test_joins_are_told_as_long_as_the_channel_is_small_on_all_nodes_together() -> None:
    clock = FakeClock()
    store = Large(clock)
    options = NamespaceConfig(subscribe="anyone", presence="full", join_leave=True, presence_limit=4)
    world = await World(clock=clock, presence=store, default=options).start()
    world.hub.remote = cast("Remote", object())
    watcher = await world.connected("watcher", "a")
    store.elsewhere = 2
    await world.connected("at", "a")
    assert [each["member"]["user"] for each in watcher.take("join")] == ["at"]
    bob = await world.connected("above", "a")
    assert watcher.take("join") == []
    await bob.ask(type="unsubscribe", channel="a")
    assert watcher.take("leave") == [], "it was above it a moment ago"
    asked = store.asked
    for number in range(20):
        await world.connected(f"{number}", "b")
        await world.connected(f"{number}", "a")
    assert store.asked - asked <= 5, "what is too large is not counted again and again"
    store.elsewhere = -18
    clock.advance(1.0)
    await settle()
    await world.connected("again", "a")
    assert watcher.take("join") == [], "too large here"
    assert watcher.take() == []


async def test_a_channel_that_has_become_smaller_is_told_of_again() -> None:
    clock = FakeClock()
    store = Large(clock)
    options = NamespaceConfig(subscribe="anyone", presence="full", join_leave=True, presence_limit=4)
    world = await World(clock=clock, presence=store, default=options).start()
    world.hub.remote = cast("Remote", object())
    watcher = await world.connected("watcher", "a")
    store.elsewhere = 4
    await world.connected("one", "a")
    store.elsewhere = 0
    clock.advance(CROWDED)
    await settle()
    await world.connected("two", "a")
    assert [each["member"]["user"] for each in watcher.take("join")] == ["two"]
