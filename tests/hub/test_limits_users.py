"""A bucket for each user, and one for all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.hub.world import World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.limits import GATHER, Buckets, Rate
from hubbub.state.base import OWED
from hubbub.state.memory import MemoryState
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeState

pytestmark = pytest.mark.anyio


class Node:
    """Of several that share a State."""

    def __init__(
        self, clock: FakeClock, shared: MemoryState, rate: float, burst: int, size: int = 1000
    ) -> None:
        self.metrics = Metrics()
        self.state = NodeState(shared)
        self.tasks: list[asyncio.Task[None]] = []
        self.buckets = Buckets("limit", Rate(rate, burst), clock, self.metrics, self._spawn, size)
        self.buckets.state = self.state

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(coroutine))

    def take(self, count: int, user: str = "ada") -> int:
        """How many of so many were let through."""
        return sum(self.buckets.take(user) == 0.0 for _ in range(count))


class Nodes:
    def __init__(self, count: int = 2, *, rate: float = 1.0, burst: int = 10) -> None:
        self.clock = FakeClock()
        self.state = MemoryState(self.clock)
        self.all = [Node(self.clock, self.state, rate, burst) for _ in range(count)]

    async def settled(self, seconds: float = 2 * GATHER) -> None:
        """What was spent has been charged. (Two rounds: what was spent in the first goes with the second.)"""
        self.clock.advance(seconds)
        await settle()


# --- alone ------------------------------------------------------------------------------------------------------


def buckets(clock: FakeClock, size: int) -> Buckets:
    return Buckets("limit", Rate(1.0, 3), clock, Metrics(), lambda coroutine: coroutine.close(), size)


def test_each_user_has_a_bucket() -> None:
    clock = FakeClock()
    alone = buckets(clock, 10)
    assert [alone.take("ada") for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]
    assert alone.take("bob") == 0.0
    clock.advance(0.75)
    assert alone.take("ada") == pytest.approx(0.25)
    clock.advance(0.25)
    assert alone.take("ada") == 0.0


def test_what_is_refused_says_which_limit_and_when() -> None:
    alone = buckets(FakeClock(), 10)
    for _ in range(3):
        alone.spend("ada")
    with pytest.raises(HubbubError, match=r"limits\.limit") as caught:
        alone.spend("ada")
    assert (caught.value.code, caught.value.retry_after) == (ErrorCode.RATE_LIMITED, 1.0)
    assert alone._metrics.rejected["limit"] == 1


def test_buckets_that_are_full_again_are_forgotten() -> None:
    clock = FakeClock()
    alone = buckets(clock, 10)
    for number in range(10):
        assert alone.take(f"u{number}") == 0.0
    clock.advance(1.5)
    assert alone.take("new") == 0.0
    assert len(alone) == 1


def test_there_are_never_more_than_so_many_and_the_emptiest_stay() -> None:
    alone = buckets(FakeClock(), 10)
    for _ in range(3):
        assert alone.take("flood") == 0.0
    for number in range(100):
        assert alone.take(f"u{number}") == 0.0
        assert len(alone) <= 10
    assert alone.take("flood") == 1.0


# --- shared -----------------------------------------------------------------------------------------------------


async def test_what_is_spent_on_one_node_is_gone_on_the_other() -> None:
    nodes = Nodes()
    one, two = nodes.all
    assert one.take(9) == 9
    await nodes.settled()
    assert two.take(1) == 1, "the tenth: at the limit"
    await nodes.settled()
    assert (one.take(1), two.take(1)) == (1, 0), "one has not asked since, and learns of it by this"
    await nodes.settled()
    assert (one.take(5), two.take(5)) == (0, 0)
    assert one.take(5, "bob") == 5


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_over_a_while_all_nodes_together_let_through_what_one_does(count: int) -> None:
    rate, burst, seconds = 5.0, 20, 60
    nodes = Nodes(count, rate=rate, burst=burst)
    through = 0
    for _ in range(seconds * 10):
        through += sum(node.take(3) for node in nodes.all)
        await nodes.settled(0.1)
    assert burst + rate * (seconds - 2) <= through <= burst * count + rate * seconds, through
    late = 0
    for _ in range(100):
        late += sum(node.take(3) for node in nodes.all)
        await nodes.settled(0.1)
    assert abs(late - 10 * rate) <= 2 * count, "what was let through too much at first has been made up for"


async def test_a_burst_on_all_nodes_at_once_is_owed() -> None:
    nodes = Nodes(3, rate=1.0, burst=10)
    assert sum(node.take(20) for node in nodes.all) == 30
    await nodes.settled()
    waits = []
    for node in nodes.all:
        node.take(1)
        waits.append(node.buckets.take("ada"))
    assert max(waits) > 20
    nodes.clock.advance(31)
    await nodes.settled()
    assert nodes.all[0].take(20) >= 10 - 1


async def test_no_more_than_so_many_bursts_are_owed() -> None:
    nodes = Nodes(OWED + 4, rate=1.0, burst=10)
    for node in nodes.all:
        node.take(10)
    await nodes.settled()
    assert max(node.buckets.take("ada") for node in nodes.all) <= 10 * OWED + 1


async def test_many_spend_and_the_state_is_asked_once() -> None:
    nodes = Nodes(1, burst=1000)
    (node,) = nodes.all
    asked: list[int] = []
    charge = node.state.charge

    async def counted(key: str, rate: float, burst: int, count: int) -> float:
        asked.append(count)
        assert "ada" not in key
        return await charge(key, rate, burst, count)

    node.state.charge = counted  # type: ignore[method-assign]
    assert node.take(500) == 500
    assert not asked, "nobody waits for it"
    await nodes.settled()
    assert asked == [500]
    await nodes.settled()
    assert asked == [500], "and nothing is asked when nothing is spent"
    assert not node.buckets._charging
    assert node.take(7) == 7
    await nodes.settled()
    assert asked == [500, 7]


async def test_without_the_state_each_node_has_its_own_and_says_so() -> None:
    nodes = Nodes(2)
    one, two = nodes.all
    one.state.cut = two.state.cut = True
    assert (one.take(11), two.take(11)) == (10, 10)
    await nodes.settled()
    assert (one.metrics.rates_local, two.metrics.rates_local) == (1, 1)
    nodes.clock.advance(4)
    await settle()
    assert (one.take(11), two.take(11)) == (4, 4)
    one.state.cut = two.state.cut = False
    await nodes.settled()
    nodes.clock.advance(20)
    await settle()
    assert one.take(11) == 10, "nothing is owed for what was spent without it"
    await nodes.settled()
    assert two.take(1) == 1
    await nodes.settled()
    assert two.take(1) == 0, "and they are one again"
    assert one.metrics.rates_local == 1


async def test_a_shared_bucket_that_is_fuller_fills_none() -> None:
    nodes = Nodes(1)
    (node,) = nodes.all
    node.state.cut = True
    assert node.take(20) == 10
    await nodes.settled(1.0)
    node.state.cut = False
    assert node.take(20) == 1
    await nodes.settled()
    assert node.take(20) == 0


async def test_what_is_spent_while_the_shared_bucket_is_asked_comes_on_top_of_its_answer() -> None:
    nodes = Nodes(2)
    one, two = nodes.all
    assert two.take(4) == 4
    await nodes.settled()
    charge, gate = one.state.charge, asyncio.Event()

    async def slow(key: str, rate: float, burst: int, count: int) -> float:
        await gate.wait()
        return await charge(key, rate, burst, count)

    one.state.charge = slow  # type: ignore[method-assign]
    assert one.take(1) == 1
    nodes.clock.advance(GATHER)
    await settle()
    assert one.take(5) == 5
    gate.set()
    await settle()
    assert one.take(5) == 0


@pytest.mark.parametrize("user", ["x" * 100_000, "\ud800", "a}b{c"])
async def test_users_are_called_anything(user: str) -> None:
    nodes = Nodes(2)
    one, two = nodes.all
    assert one.take(10, user) == 10
    await nodes.settled()
    two.take(1, user)
    await nodes.settled()
    assert two.take(1, user) == 0
    assert one.metrics.rates_local == 0


# --- sessions ---------------------------------------------------------------------------------------------------


async def test_all_sessions_of_a_user_spend_out_of_one_bucket() -> None:
    world = await World(limits={"user_command_rate": 1.0, "user_command_burst": 4}).start()
    one, two = await world.connected("ada"), await world.connected("ada")
    for client in (one, two, one, two):
        assert (await client.ask(type="ping"))["type"] == "result"
    for client in (one, two):
        late = await client.ask(type="ping")
        assert (late["code"], late["retry_after"]) == (ErrorCode.RATE_LIMITED, 1.0)
    assert world.metrics.rejected["user_command_rate"] == 2
    bob = await world.connected("bob")
    assert (await bob.ask(type="ping"))["type"] == "result"
    world.clock.advance(1)
    assert (await two.ask(type="ping"))["type"] == "result"
    assert (await one.ask(type="ping"))["code"] == ErrorCode.RATE_LIMITED


async def test_a_command_that_the_user_may_not_send_costs_the_session_nothing() -> None:
    limits = {"user_command_rate": 1.0, "user_command_burst": 1, "command_rate": 1.0, "command_burst": 3}
    world = await World(limits=limits).start()
    ada = await world.connected("ada")
    session = world.hub.sessions[ada.session]
    await ada.ask(type="ping")
    before = session.command_tat
    assert (await ada.ask(type="ping"))["code"] == ErrorCode.RATE_LIMITED
    assert session.command_tat == before


async def test_there_is_no_such_limit_unless_it_is_set() -> None:
    world = await World().start()
    assert world.hub.user_rate is None
