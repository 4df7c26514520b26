from __future__ import annotations

import pytest
from tests.hub.slow import Delays, SlowPresence, quiet
from tests.hub.world import World, settle

from hubbub.errors import ErrorCode
from hubbub.model import Member, Principal
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
