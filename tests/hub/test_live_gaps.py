"""Live streams that lose, double, reorder or overtake: what every subscriber sees is the log, each offset once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.hub.slow import quiet
from tests.hub.world import OPEN, Client, World, memory_broker, settle

from hubbub.config import NamespaceConfig
from hubbub.errors import INSUFFICIENT_STATE, ErrorCode
from hubbub.hub import operations
from hubbub.model import History
from hubbub.testing import FakeClock, FaultyBroker

pytestmark = pytest.mark.anyio


class Faulty(World):
    """A world whose live stream breaks on demand, while its logs stay right."""

    def __init__(self, **settings: Any) -> None:
        clock = FakeClock()
        self.faults = FaultyBroker(memory_broker(clock))
        super().__init__(clock=clock, broker=self.faults, **settings)

    async def publish(self, *data: Any, channel: str = "a") -> None:
        for each in data:
            await operations.publish(self.hub, channel, "message", each)
        await settle()

    async def head(self, channel: str = "a") -> dict[str, Any]:
        position = (await self.hub.history(channel, limit=0)).position
        return {"epoch": position.epoch, "offset": position.offset}


async def resume(world: World, old: Client, **positions: Any) -> tuple[Client, dict[str, Any]]:
    client = world.client()
    proof = {"session": old.session, "secret": old.secret, "positions": positions}
    client.send(type="connect", resume=proof)
    await quiet()
    (reply,) = client.take("connected")
    return client, reply


def offsets(messages: list[dict[str, Any]]) -> list[int]:
    return [each["offset"] for each in messages]


# --- gaps in the live stream ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2, 5])
async def test_what_was_lost_is_filled_in_from_the_log_before_what_follows(lost: int) -> None:
    world = Faulty()
    await world.start()
    alice, bob = await world.connected("alice", "a"), await world.connected("bob", "a")
    alice.take()
    await world.publish(0)
    world.faults.drop(lost)
    await world.publish(*range(1, lost + 1))
    assert alice.texts() == [0]
    await world.publish(lost + 1)
    assert alice.texts() == list(range(1, lost + 2))
    assert bob.texts() == list(range(lost + 2))
    assert world.metrics.gaps == {"healed": 1}


async def test_what_comes_twice_is_sent_once() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    world.faults.duplicate(3)
    await world.publish(*range(5))
    assert alice.texts() == [0, 1, 2, 3, 4]


async def test_what_comes_in_the_wrong_order_is_sent_in_the_right_one() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    world.faults.hold()
    await world.publish(1, 2, 3)
    world.faults.release(reverse=True)
    await settle()
    assert alice.texts() == [0, 1, 2, 3]


async def test_what_arrives_while_a_gap_is_filled_waits_its_turn() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    gate = asyncio.Event()
    world.faults.before_history = gate.wait
    world.faults.drop()
    await world.publish(1, 2, 3)  # 1 is lost, 2 starts the healing
    assert alice.texts() == [0]
    gate.set()
    await settle()
    assert alice.texts() == [1, 2, 3]
    assert world.faults.histories == 2  # the subscription's, and one for the gap


async def test_a_lost_last_message_is_found_by_the_head_check() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    world.faults.drop()
    await world.publish(1)
    alice.take()
    world.clock.advance(world.config.broker.head_check - 1)
    await settle()
    assert alice.texts() == []
    world.clock.advance(3)
    await settle()
    assert alice.texts() == [1]
    await world.publish(2)
    assert alice.texts() == [2]


async def test_the_head_check_leaves_a_channel_alone_that_has_missed_nothing() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    before = world.faults.histories
    for _ in range(30):
        world.clock.advance(1)
        await settle()
    assert 5 <= world.faults.histories - before <= 7  # one a period
    assert alice.texts() == [0]
    assert not world.metrics.gaps


async def test_a_gap_that_the_log_cannot_fill_ends_the_connections_and_is_then_owned_up_to() -> None:
    world = Faulty(default=OPEN.model_copy(update={"retention": 2}))
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    seen = await world.head()
    world.faults.drop(4)
    await world.publish(1, 2, 3, 4)
    await world.publish(5)
    assert alice.texts() == [0]
    assert alice.connection.closed is INSUFFICIENT_STATE
    assert world.metrics.gaps == {"lost": 1}
    alice.drop()
    back, reply = await resume(world, alice, a=seen)
    assert reply["resumed"] is True
    assert "recovered" not in reply
    assert "publications" not in reply["subscriptions"][0]
    assert reply["subscriptions"][0]["position"]["offset"] == 6
    await world.publish(6)
    assert back.texts() == [6]


async def test_a_log_that_begins_anew_ends_the_connections() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    fresh = memory_broker(world.clock)
    await fresh.start(world.hub.live.on_push)
    await fresh.subscribe("a")
    world.faults._broker = fresh  # as after a restart of the broker without its data
    await world.publish(1)
    assert alice.connection.closed is INSUFFICIENT_STATE


async def test_a_log_that_cannot_be_read_leaves_nobody_deaf() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)

    async def broken() -> None:
        raise ConnectionError("the log is away")

    world.faults.before_history = broken
    world.faults.drop()
    await world.publish(1, 2)
    assert alice.texts() == [0]
    world.faults.before_history = None
    await world.publish(3)
    assert alice.texts() == [1, 2, 3]


async def test_a_log_that_cannot_be_read_is_tried_again_for_an_idle_channel() -> None:
    world = Faulty()
    await world.start()
    alice, bob = await world.connected("alice", "a"), await world.connected("bob", "b")
    await world.publish(0)
    await world.publish(0, channel="b")

    async def broken() -> None:
        raise ConnectionError("the log is away")

    world.faults.before_history = broken
    world.faults.drop(2)
    await world.publish(1)
    await world.publish(1, channel="b")
    world.clock.advance(10)
    await settle()
    world.faults.before_history = None
    world.clock.advance(10)
    await settle()
    assert alice.texts() == bob.texts() == [0, 1]


async def test_a_log_that_is_behind_the_stream_is_not_asked_for_ever() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    stale = History((await world.hub.history("a", limit=0)).position)
    world.faults.drop()
    reads = 0

    async def history(*_: Any, **__: Any) -> Any:
        nonlocal reads
        reads += 1
        return stale

    world.faults.history = history  # type: ignore[method-assign]
    await world.publish(1, 2)
    assert reads == 1
    assert alice.connection.closed is INSUFFICIENT_STATE


async def test_a_healed_channel_of_another_does_not_wait() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a", "b")
    await world.publish(0)
    gate = asyncio.Event()
    world.faults.before_history = gate.wait
    world.faults.drop(channel="a")
    await world.publish(1, 2)
    await world.publish("b", channel="b")
    assert alice.texts() == [0, "b"]
    gate.set()
    await settle()
    assert alice.texts() == [1, 2]


# --- publishes that overtake a subscription -------------------------------------------------------------------


@pytest.mark.parametrize("others", [False, True], ids=["alone", "with another subscriber"])
@pytest.mark.parametrize("live", ["at once", "late", "never"])
async def test_a_publish_during_subscribe_is_seen_exactly_once(others: bool, live: str) -> None:
    world = Faulty()
    await world.start()
    if others:
        await world.connected("other", "a")
    await world.publish(0)
    since = await world.head()
    await world.publish(1)
    bob = await world.connected("bob")

    async def overtaken() -> None:
        world.faults.before_history = None
        if live == "late":
            world.faults.hold()
        elif live == "never":
            world.faults.drop(2)
        await world.publish(2, 3)

    world.faults.before_history = overtaken
    bob.send(type="subscribe", channel="a", since=since)
    await quiet()
    reply = bob.take("subscribed")[0]
    assert reply["recovered"] is True
    assert offsets(reply["publications"]) == [2, 3, 4]
    assert reply["position"]["offset"] == 4
    world.faults.release()
    await world.publish(4)
    assert offsets(bob.take("publication")) == [5]


async def test_one_who_subscribes_ahead_of_the_others_brings_them_up() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    world.faults.hold()
    await world.publish(0, 1)
    assert alice.texts() == []
    bob = await world.connected("bob", "a")  # the log is at 2 already, the live stream at 0
    assert alice.texts() == [0, 1]
    world.faults.release()
    await world.publish(2)
    assert alice.texts() == bob.texts() == [2]


async def test_one_who_subscribes_while_a_gap_is_filled_sees_nothing_twice() -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a")
    await world.publish(0)
    since = await world.head()
    bob = await world.connected("bob")
    gate = asyncio.Event()
    world.faults.before_history = gate.wait
    world.faults.drop()
    await world.publish(1, 2)
    world.faults.before_history = None  # the subscriber's read overtakes that of the healing
    bob.send(type="subscribe", channel="a", since=since)
    await settle()
    gate.set()
    await settle()
    reply = bob.take("subscribed")[0]
    assert [each["data"] for each in reply["publications"]] == [1, 2]
    assert alice.texts() == [0, 1, 2]
    assert bob.texts() == []


@pytest.mark.parametrize("live", ["at once", "late", "never"])
async def test_a_publish_during_resume_is_seen_exactly_once(live: str) -> None:
    world = Faulty()
    await world.start()
    alice = await world.connected("alice", "a", "b")
    seen = {"a": await world.head("a"), "b": await world.head("b")}
    alice.drop()
    await world.publish(0)

    async def overtaken() -> None:
        world.faults.before_history = None
        if live == "late":
            world.faults.hold()
        elif live == "never":
            world.faults.drop(1, "a")
        await world.publish(1)
        await world.publish("b", channel="b")

    world.faults.before_history = overtaken
    back, reply = await resume(world, alice, **seen)
    assert reply["recovered"] is True
    missed = {each["channel"]: offsets(each.get("publications", [])) for each in reply["subscriptions"]}
    assert missed == {"a": [1, 2], "b": [1]}
    world.faults.release()
    await world.publish(2)
    assert offsets(back.take("publication")) == [3]


async def test_a_broker_that_contradicts_itself_gets_an_error_and_not_a_hole() -> None:
    world = Faulty()
    await world.start()
    await world.connected("alice", "a")
    stale = await world.hub.history("a", limit=0)
    await world.publish(0, 1)
    bob = await world.connected("bob")

    async def history(*_: Any, **__: Any) -> Any:
        return stale

    world.faults.history = history  # type: ignore[method-assign]
    reply = await bob.ask(type="subscribe", channel="a")
    assert (reply["code"], reply["temporary"]) == (ErrorCode.INTERNAL, True)
    assert world.hub.channels["a"].buffers is None


async def test_a_read_that_fails_leaves_no_channel_behind() -> None:
    world = Faulty()
    await world.start()
    bob = await world.connected("bob")

    async def broken() -> None:
        raise ConnectionError("the log is away")

    world.faults.before_history = broken
    assert (await bob.ask(type="subscribe", channel="a"))["code"] == ErrorCode.INTERNAL
    assert not world.hub.channels
    world.faults.before_history = None
    assert (await bob.ask(type="subscribe", channel="a"))["type"] == "subscribed"


async def test_a_channel_without_a_log_is_at_most_once_and_never_healed() -> None:
    world = Faulty(default=NamespaceConfig(subscribe="anyone"))
    await world.start()
    alice = await world.connected("alice", "a")
    world.faults.drop()
    await world.publish(0, 1)
    world.clock.advance(20)
    await settle()
    assert alice.texts() == [1]
    assert world.faults.histories == 0
