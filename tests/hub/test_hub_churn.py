"""Everything at once, by seeded random drivers: what every subscriber sees, and that nothing is left at the end."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.hub.slow import Delays, SlowBroker, SlowPresence, quiet
from tests.hub.world import OPEN, Client, World, memory_broker

from hubbub.hub import operations
from hubbub.presence.memory import MemoryPresence
from hubbub.testing import FakeClock, FaultyBroker

pytestmark = pytest.mark.anyio
CHANNELS = ("a", "b", "c:1", "c:2")
USERS = ("alice", "bob", "carol")


class Seen:
    """What one client has been handed in one channel, as an SDK would keep it."""

    def __init__(self, epoch: str, offset: int) -> None:
        self.epoch = epoch
        self.offset = offset

    def hand_over(self, publication: dict[str, Any]) -> None:
        assert publication["epoch"] == self.epoch
        assert publication["offset"] == self.offset + 1, f"after {self.offset}: {publication}"
        self.offset = publication["offset"]


class Device:
    """A client that checks every message it gets, and drops, resumes and leaves as it is told."""

    def __init__(self, world: World, user: str) -> None:
        self.world = world
        self.user = user
        self.link: Client | None = None
        self.session = self.secret = ""
        self.seen: dict[str, Seen] = {}
        self.asked: dict[int, tuple[str, str]] = {}
        self.whole = self.lost = 0

    def connect(self) -> None:
        self.link = self.world.client()
        if self.session:
            positions = {
                name: {"epoch": seen.epoch, "offset": seen.offset} for name, seen in self.seen.items()
            }
            resume = {"session": self.session, "secret": self.secret, "positions": positions}
            self.link.send(type="connect", resume=resume)
        else:
            self.link.send(type="connect", token=self.user)

    def drop(self) -> None:
        self.read()
        if self.link is not None:
            self.link.drop()
        self.link = None
        self.asked.clear()

    def command(self, type: str, channel: str, **rest: Any) -> None:
        if self.link is not None and self.session and self.link.connection.session is not None:
            self.asked[self.link.send(type=type, channel=channel, **rest)] = (type, channel)

    def read(self) -> None:
        if self.link is None:
            return
        for message in self.link.take():
            getattr(self, f"on_{message['type']}", lambda _: None)(message)
        if self.link.connection.closed is not None:
            link, self.link = self.link, None
            link.drop()
            self.asked.clear()

    def on_connected(self, message: dict[str, Any]) -> None:
        if not message.get("resumed"):
            self.seen.clear()
        self.session, self.secret = message["session"], message["secret"]
        recovered = [each.get("recovered", False) for each in message.get("subscriptions", ())]
        assert message.get("recovered", False) is (message.get("resumed", False) and all(recovered))
        before, self.seen = self.seen, {}
        for each in message.get("subscriptions", ()):
            self.enter(each, before.get(each["channel"]))

    def on_subscribed(self, message: dict[str, Any]) -> None:
        self.enter(message, None)

    def enter(self, message: dict[str, Any], before: Seen | None) -> None:
        position = message["position"]
        if message.get("recovered"):
            assert before is not None
            for publication in message.get("publications", ()):
                before.hand_over(publication)
            assert (before.epoch, before.offset) == (position["epoch"], position["offset"])
            self.whole += 1
        else:
            assert "publications" not in message
            self.lost += before is not None
        self.seen[message["channel"]] = Seen(position["epoch"], position["offset"])

    def on_unsubscribed(self, message: dict[str, Any]) -> None:
        self.seen.pop(message["channel"], None)

    def on_result(self, message: dict[str, Any]) -> None:
        type, channel = self.asked.pop(message["id"], ("", ""))
        if type == "unsubscribe":
            self.seen.pop(channel, None)

    def on_error(self, message: dict[str, Any]) -> None:
        if message["name"] == "session_gone" and message["id"] not in self.asked:
            assert self.link is not None
            self.session = ""
            self.link.send(type="connect", token=self.user)

    def on_publication(self, message: dict[str, Any]) -> None:
        seen = self.seen.get(message["channel"])
        assert seen is not None, f"a publication in a channel that the client is not in: {message}"
        seen.hand_over(message)


async def drive(
    world: World, steps: int, seed: int, *, turns: int, faults: FaultyBroker | None
) -> list[Device]:
    """Devices do what a random number generator says; every message they get is checked."""
    chance = random.Random(seed)
    devices = [Device(world, user) for user in USERS for _ in range(3)]
    for step in range(steps):
        device = chance.choice(devices)
        channel = chance.choice(CHANNELS)
        session = world.hub.sessions.get(device.session)
        match chance.randrange(17):
            case 0 | 1 | 2:
                device.command("subscribe", channel)
            case 3:
                device.command("unsubscribe", channel)
            case 4 | 5 | 6:
                device.command("publish", channel, data=step)
            case 7:
                world.hub.spawn(_publish(world, channel, step))
            case 8 | 9:
                device.drop()
            case 10 | 11 | 12:
                if device.link is None:
                    device.connect()
            case 13:
                if session is not None:
                    world.hub.spawn(session.subscribe(channel))
            case 14:
                if session is not None:
                    world.hub.spawn(session.unsubscribe(channel))
            case 15:
                if session is not None and chance.random() < 0.2:
                    world.hub.end(session, None)
                    device.drop()
                    device.seen.clear()
            case 16:
                world.clock.advance(chance.choice((0.1, 1, 4)))
                if faults is not None:
                    getattr(faults, chance.choice(("drop", "duplicate")))()
        await quiet(chance.randint(0, turns))
        device.read()
    return devices


async def _publish(world: World, channel: str, data: int) -> None:
    await operations.publish(world.hub, channel, "message", data)


async def end_all(world: World, devices: list[Device]) -> None:
    for device in devices:
        device.drop()
    for session in list(world.hub.sessions.values()):
        world.hub.end(session, None)
    await quiet()


async def nothing_left(world: World, presence: MemoryPresence) -> None:
    hub, metrics = world.hub, world.metrics
    assert not hub.sessions
    assert not hub.users
    assert not hub.channels
    assert not hub.detached
    assert not hub._tasks
    assert not hub._leaving
    assert not hub.attendance._moving
    assert not presence._rolls
    assert not presence._due
    for gauge in ("sessions", "sessions_detached", "users", "channels", "subscriptions"):
        assert metrics.gauges[gauge]() == 0, gauge
    for name in CHANNELS:
        assert (await world.presence.members(name, 10)).sessions == 0


@pytest.mark.parametrize("seed", range(6))
async def test_numbers_settle_to_zero_after_churn(seed: int) -> None:
    clock = FakeClock()
    presence = MemoryPresence(clock)
    world = await World(
        clock=clock, presence=presence, sessions={"resume_window": 20, "presence_grace": 2}
    ).start()
    devices = await drive(world, 400, seed, turns=3, faults=None)
    await end_all(world, devices)
    await nothing_left(world, presence)
    assert sum(device.whole for device in devices) > 10
    assert sum(device.lost for device in devices) == 0  # everything was within the window and the log


@pytest.mark.parametrize("seed", range(12))
async def test_numbers_settle_to_zero_after_churn_on_a_slow_and_faulty_broker(seed: int) -> None:
    clock = FakeClock()
    presence = MemoryPresence(clock)
    faults = FaultyBroker(SlowBroker(memory_broker(clock), Delays(seed)))
    world = await World(
        clock=clock,
        broker=faults,
        presence=SlowPresence(presence, Delays(seed + 1)),
        sessions={"resume_window": 20, "presence_grace": 2},
        default=OPEN.model_copy(update={"retention": 500}),
    ).start()
    devices = await drive(world, 400, seed, turns=12, faults=faults)
    await end_all(world, devices)
    await nothing_left(world, presence)
    assert sum(device.whole for device in devices) > 10


@pytest.mark.parametrize("seed", range(6))
async def test_everybody_is_level_with_the_log_once_it_is_quiet(seed: int) -> None:
    clock = FakeClock()
    faults = FaultyBroker(SlowBroker(memory_broker(clock), Delays(seed)))
    world = await World(
        clock=clock, broker=faults, default=OPEN.model_copy(update={"retention": 500})
    ).start()
    devices = await drive(world, 300, seed, turns=12, faults=faults)
    for device in devices:
        device.drop()
        device.connect()
    await quiet()
    for device in devices:
        device.read()
    for _ in range(3):
        world.clock.advance(6)  # the head check finds what was lost last
        await quiet()
    reached = 0
    for device in devices:
        device.read()
        for name, seen in device.seen.items():
            head = (await world.hub.history(name, limit=0)).position
            assert (seen.epoch, seen.offset) == (head.epoch, head.offset)
            reached += 1
    assert reached > 5


@pytest.mark.parametrize("retention", [1, 3])
@pytest.mark.parametrize("seed", range(4))
async def test_recovered_is_said_exactly_when_nothing_is_missing(seed: int, retention: int) -> None:
    chance = random.Random(seed)
    world = await World(default=OPEN.model_copy(update={"retention": retention})).start()
    device = Device(world, "alice")
    device.connect()
    await quiet(5)
    device.read()
    device.command("subscribe", "a")
    await quiet(5)
    for step in range(60):
        device.drop()
        missed = chance.randrange(6)
        for number in range(missed):
            await _publish(world, "a", step * 10 + number)
        whole, lost = device.whole, device.lost
        device.connect()
        await quiet(5)
        device.read()
        assert (device.whole - whole, device.lost - lost) == ((1, 0) if missed <= retention else (0, 1))
