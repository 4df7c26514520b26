"""Sessions of this process: how they come, last, are found, and go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.hub.slow import Delays, SlowBroker, SlowPresence, quiet
from tests.hub.world import Client, World, memory_broker, settle

from hubbub.errors import EXPIRED, REPLACED, USER_LIMIT, ErrorCode
from hubbub.hub import operations
from hubbub.hub.session import Session
from hubbub.model import Principal
from hubbub.presence.memory import MemoryPresence
from hubbub.testing import FakeClock, FaultyBroker

pytestmark = pytest.mark.anyio


def proof(client: Client, **positions: Any) -> dict[str, Any]:
    return {"session": client.session, "secret": client.secret, "positions": positions}


async def resume(world: World, old: Client, **positions: Any) -> tuple[Client, dict[str, Any]]:
    client = world.client()
    reply = await client.ask(type="connect", resume=proof(old, **positions))
    client.session, client.secret = old.session, old.secret
    return client, reply


def pass_time(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.clock.advance(1)


def nothing_left(world: World) -> None:
    hub = world.hub
    assert not hub.sessions
    assert not hub.users
    assert not hub.channels
    assert not hub.detached
    assert not hub._tasks
    assert not hub._leaving
    assert not hub.attendance._moving
    for gauge in ("sessions", "sessions_detached", "users", "channels", "subscriptions"):
        assert world.metrics.gauges[gauge]() == 0, gauge


# --- the end of a token ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "alive"), [(59, True), (60, True), (60 + 24, True), (60 + 25, False), (60 + 26, False)]
)
async def test_a_session_outlives_its_token_by_the_grace(after: int, alive: bool) -> None:
    world = await World(auth={"expiry_grace": 25}).start()
    world.policy.expires = world.clock.now() + 60
    alice = await world.connected("alice", "a")
    pass_time(world, after)
    assert (alice.session in world.hub.sessions) is alive
    assert alice.connection.closed is (None if alive else EXPIRED)


async def test_a_session_ended_by_its_token_cannot_be_resumed() -> None:
    world = await World().start()
    world.policy.expires = world.clock.now() + 1
    alice = await world.connected("alice", "a")
    pass_time(world, 30)
    _, reply = await resume(world, alice)
    assert reply["code"] == ErrorCode.SESSION_GONE
    await settle()
    assert not world.hub.channels


async def test_a_refresh_within_the_grace_saves_the_session() -> None:
    world = await World(auth={"expiry_grace": 25}).start()
    world.policy.expires = world.clock.now() + 60
    alice = await world.connected("alice", "a")
    pass_time(world, 80)
    world.policy.expires = world.clock.now() + 3600
    assert (await alice.ask(type="refresh", token="alice"))["type"] == "result"
    pass_time(world, 600)
    assert alice.connection.closed is None


async def test_a_detached_session_ends_with_its_token_too() -> None:
    world = await World(auth={"expiry_grace": 5}).start()
    world.policy.expires = world.clock.now() + 10
    alice = await world.connected("alice", "a")
    alice.drop()
    pass_time(world, 16)
    await settle()
    nothing_left(world)


async def test_a_step_of_the_wall_clock_moves_no_window() -> None:
    world = await World().start()
    alice = await world.connected("alice", "a")
    alice.drop()
    world.clock.step_wall(3600)
    pass_time(world, 30)
    world.clock.step_wall(-7200)
    pass_time(world, 29)
    assert (await resume(world, alice))[1]["resumed"] is True


# --- a client that is away ------------------------------------------------------------------------------------


async def members(world: World, channel: str = "a") -> int:
    return (await world.presence.members(channel, 100)).sessions


async def test_a_short_break_is_not_seen() -> None:
    world = await World(sessions={"presence_grace": 3}).start()
    watcher, alice = await world.connected("watcher", "a"), await world.connected("alice", "a")
    watcher.take()
    alice.drop()
    pass_time(world, 2)
    await settle()
    await resume(world, alice)
    pass_time(world, 10)
    await settle()
    assert watcher.take("join", "leave") == []
    assert await members(world) == 2


async def test_a_long_break_is_a_leave_and_the_return_a_join() -> None:
    world = await World(sessions={"presence_grace": 3}).start()
    watcher, alice = await world.connected("watcher", "a"), await world.connected("alice", "a")
    watcher.take()
    alice.drop()
    pass_time(world, 4)
    await settle()
    assert [each["type"] for each in watcher.take("join", "leave")] == ["leave"]
    assert await members(world) == 1
    await resume(world, alice)
    assert [each["type"] for each in watcher.take("join", "leave")] == ["join"]
    assert await members(world) == 2


async def test_a_session_that_ends_while_absent_leaves_once() -> None:
    world = await World(sessions={"presence_grace": 3, "resume_window": 20}).start()
    watcher, alice = await world.connected("watcher", "a"), await world.connected("alice", "a")
    watcher.take()
    alice.drop()
    pass_time(world, 40)
    await settle()
    assert [each["type"] for each in watcher.take("join", "leave")] == ["leave"]


async def test_a_hidden_subscription_stays_hidden_when_the_client_comes_back() -> None:
    world = await World(sessions={"presence_grace": 3}).start()
    alice = await world.connected("alice")
    await alice.ask(type="subscribe", channel="a", presence=False)
    alice.drop()
    pass_time(world, 10)
    await settle()
    back, _ = await resume(world, alice)
    assert await members(world) == 0
    await back.ask(type="unsubscribe", channel="a")
    await back.ask(type="subscribe", channel="a")  # and is seen if it now wants to be
    assert await members(world) == 1


@pytest.mark.parametrize(("after", "alive"), [(59, True), (60, False), (61, False)])
async def test_a_dropped_session_is_kept_for_the_window(after: int, alive: bool) -> None:
    world = await World(sessions={"resume_window": 60}).start()
    alice = await world.connected("alice", "a")
    alice.drop()
    pass_time(world, after)
    await settle()
    assert (alice.session in world.hub.sessions) is alive
    if not alive:
        nothing_left(world)


async def test_without_a_window_a_dropped_session_is_gone() -> None:
    world = await World(sessions={"resume_window": 0}).start()
    alice = await world.connected("alice", "a")
    alice.drop()
    await settle()
    nothing_left(world)


async def test_of_two_resumes_at_once_the_later_connection_has_the_session_whole() -> None:
    clock = FakeClock()
    faults = FaultyBroker(memory_broker(clock))
    world = await World(broker=faults, clock=clock).start()
    alice = await world.connected("alice", "a", "b")
    seen = {
        name: {"epoch": (await faults.history(name, world.hub.retention(name))).position.epoch, "offset": 0}
        for name in ("a", "b")
    }
    alice.drop()
    await operations.publish(world.hub, "a", "message", 0)
    gate = asyncio.Event()
    faults.before_history = gate.wait
    one, two = world.client(), world.client()
    one.send(type="connect", resume=proof(alice, **seen))
    await settle()
    two.send(type="connect", resume=proof(alice, **seen))
    await settle()
    await operations.publish(world.hub, "a", "message", 1)
    gate.set()
    await quiet()
    first, second = one.take("connected")[0], two.take("connected")[0]
    assert one.connection.closed is REPLACED
    assert two.connection.closed is None
    for reply in (first, second):
        assert reply["recovered"] is True
        assert [p["data"] for p in reply["subscriptions"][0]["publications"]] == [0, 1]
    await operations.publish(world.hub, "a", "message", 2)
    assert two.texts() == [2]
    assert one.texts() == []
    world.hub.end(world.hub.sessions[alice.session], None)
    await quiet()
    nothing_left(world)


# --- how many sessions a user may have ------------------------------------------------------------------------


async def test_sessions_of_a_user_are_limited() -> None:
    world = await World(limits={"connections_per_user": 2}).start()
    one, _ = await world.connected("alice"), await world.connected("alice")
    third = world.client()
    assert (await third.ask(type="connect", token="alice"))["code"] == ErrorCode.LIMIT_EXCEEDED
    assert third.connection.closed is USER_LIMIT
    assert world.metrics.rejected["connections_per_user"] == 1
    await world.connected("bob")
    world.hub.end(world.hub.sessions[one.session], None)
    await world.connected("alice")
    assert len(world.hub.users["alice"]) == 2


async def test_the_session_longest_away_makes_room_for_a_new_one() -> None:
    world = await World(limits={"connections_per_user": 3}).start()
    clients = [await world.connected("alice", "a") for _ in range(3)]
    clients[0].drop()
    world.clock.advance(1)
    clients[1].drop()
    await world.connected("alice")
    assert clients[0].session not in world.hub.sessions
    assert clients[1].session in world.hub.sessions
    assert clients[2].connection.closed is None


async def test_anonymous_clients_are_not_one_user() -> None:
    world = World(limits={"connections_per_user": 1})
    world.policy.principal["nobody"] = Principal("")
    await world.start()
    await world.connected("nobody")
    await world.connected("nobody")
    assert not world.hub.users


# --- what the server does to a session ------------------------------------------------------------------------


async def test_the_server_subscribes_and_unsubscribes_a_connected_session() -> None:
    world = await World().start()
    alice = await world.connected("alice")
    session = world.hub.sessions[alice.session]
    await session.subscribe("a")
    await session.subscribe("a")
    assert [(each["type"], each["channel"]) for each in alice.take("subscribed", "unsubscribed")] == [
        ("subscribed", "a")
    ]
    assert await members(world) == 1
    await operations.publish(world.hub, "a", "message", 1)
    assert alice.texts() == [1]
    await session.unsubscribe("a")
    await session.unsubscribe("a")
    assert [each["type"] for each in alice.take("subscribed", "unsubscribed")] == ["unsubscribed"]
    assert await members(world) == 0
    assert not world.hub.channels


async def test_the_server_subscribes_and_unsubscribes_a_session_whose_client_is_away() -> None:
    world = await World().start()
    alice = await world.connected("alice", "old")
    session = world.hub.sessions[alice.session]
    alice.drop()
    await session.subscribe("new")
    await session.unsubscribe("old")
    assert await members(world, "new") == 1  # present, as in its other channels
    back, reply = await resume(world, alice)
    assert [each["channel"] for each in reply["subscriptions"]] == ["new"]
    assert [each["channel"] for each in back.take("unsubscribed")] == ["old"]
    await operations.publish(world.hub, "new", "message", 1)
    assert back.texts() == [1]
    assert await members(world, "new") == 1


async def test_the_server_too_keeps_to_the_limit_of_subscriptions() -> None:
    world = World(limits={"subscriptions": 1})
    world.policy.principal["alice"] = Principal("alice", subscribe=("a", "b"))
    await world.start()
    alice = world.client()
    alice.send(type="connect", token="alice")
    await settle()
    answers = alice.take("connected", "subscribed", "unsubscribed", "error")
    assert [each["type"] for each in answers] == ["connected", "subscribed", "unsubscribed"]
    assert (answers[2]["channel"], answers[2]["code"]) == ("b", ErrorCode.LIMIT_EXCEEDED)
    assert alice.connection.closed is None


Racer = Callable[[World, Session], Awaitable[Any]]


async def _subscribe(world: World, session: Session) -> None:
    await session.subscribe("a")


async def _unsubscribe(world: World, session: Session) -> None:
    await session.unsubscribe("a")


async def _end(world: World, session: Session) -> None:
    world.hub.end(session, None)


async def _drop(world: World, session: Session) -> None:
    connection = session.connection
    assert connection is not None
    connection.session = None
    world.hub.detach(session)


@pytest.mark.parametrize("racer", [_subscribe, _unsubscribe, _end, _drop])
@pytest.mark.parametrize("first", ["client", "server"])
async def test_a_subscribe_in_flight_is_overtaken(racer: Racer, first: str) -> None:
    clock = FakeClock()
    faults = FaultyBroker(memory_broker(clock))
    world = await World(broker=faults, clock=clock).start()
    alice = await world.connected("alice")
    session = world.hub.sessions[alice.session]
    gate = asyncio.Event()
    faults.before_history = gate.wait
    if first == "client":
        alice.send(type="subscribe", channel="a")
    else:
        world.hub.spawn(session.subscribe("a"))
    await settle()
    assert "a" in world.hub.channels
    racing = asyncio.ensure_future(racer(world, session))
    await settle()
    gate.set()
    await quiet()
    await racing
    kept = racer is _subscribe or (racer is _drop and first == "server")
    assert ("a" in session.subscriptions or "a" in session.away) is kept
    assert await members(world) == kept
    attached = kept and session.connection is not None
    assert ("a" in world.hub.channels) is attached
    if attached:
        assert world.hub.channels["a"].size == 1
    if racer is _unsubscribe and first == "client":
        assert alice.take("error")[0]["code"] == ErrorCode.PERMISSION_DENIED
    world.hub.end(session, None)
    await quiet()
    nothing_left(world)


async def test_an_answer_goes_to_the_connection_that_asked_or_nowhere() -> None:
    clock = FakeClock()
    faults = FaultyBroker(memory_broker(clock))
    world = await World(broker=faults, clock=clock).start()
    alice = await world.connected("alice")
    gate = asyncio.Event()
    faults.before_history = gate.wait
    for command in ("subscribe", "history", "publish"):  # the first waits, the others wait behind it
        alice.send(type=command, channel="a", **({"data": 1} if command == "publish" else {}))
    await settle()
    alice.drop()
    back, _ = await resume(world, alice)
    gate.set()
    await quiet()
    assert back.take() == []
    assert (await world.hub.history("a")).position.offset == 1  # the publish was done all the same
    assert (await back.ask(type="subscribe", channel="a"))["type"] == "subscribed"


async def test_a_channel_that_is_entered_while_the_broker_is_told_to_leave_it_is_heard() -> None:
    for seed in range(50):
        clock = FakeClock()
        world = await World(broker=SlowBroker(memory_broker(clock), Delays(seed)), clock=clock).start()
        alice, bob = world.client(), world.client()
        for client, name in ((alice, "alice"), (bob, "bob")):
            client.send(type="connect", token=name)
        alice.send(type="subscribe", channel="a")
        await quiet(40)
        alice.send(type="unsubscribe", channel="a")
        bob.send(type="subscribe", channel="a")
        await quiet(60)
        await operations.publish(world.hub, "a", "message", seed)
        await quiet(20)
        assert bob.texts() == [seed], f"deaf with seed {seed}"


@pytest.mark.parametrize("seed", range(30))
async def test_presence_is_right_however_slow_the_store(seed: int) -> None:
    clock = FakeClock()
    presence = SlowPresence(MemoryPresence(clock), Delays(seed))
    world = await World(clock=clock, presence=presence, sessions={"presence_grace": 0}).start()
    alice = world.client()
    alice.send(type="connect", token="alice")
    await settle()
    session = next(iter(world.hub.sessions.values()))
    alice.session, alice.secret = session.id, session.secret
    for step in range(12):
        choice = (seed >> step % 5) % 3
        if choice == 0 and session.connection is not None:
            await _drop(world, session)
            world.clock.advance(1)
        elif choice == 1 and session.connection is None:
            world.client().send(type="connect", resume=proof(alice))
        elif "a" in session.subscriptions:
            world.hub.spawn(session.unsubscribe("a"))
        else:
            world.hub.spawn(session.subscribe("a"))
        await quiet(2)
    world.clock.advance(1)
    await quiet(100)
    assert await members(world) == session.present_in("a")
    world.hub.end(session, None)
    await quiet(100)
    assert await members(world) == 0


# --- the life of the hub itself -------------------------------------------------------------------------------


async def test_a_hub_can_be_stopped_and_started_again() -> None:
    world = await World().start()
    alice = await world.connected("alice", "a")
    await world.hub.stop()
    nothing_left(world)
    await world.hub.start()
    alice = await world.connected("alice", "a")
    await operations.publish(world.hub, "a", "message", 1)
    assert alice.texts() == [1]
    alice.drop()
    assert (await resume(world, alice))[1]["resumed"] is True
    assert world.clock.pending <= 2  # one tick of the hub, one sweep of the broker


async def test_stop_does_not_wait_for_ever_for_a_hook() -> None:
    world = World(limits={"call_timeout": 0})

    async def never(session: Session) -> None:
        await asyncio.Event().wait()

    world.handlers.disconnected.append(never)
    await world.start()
    await world.connected("alice")
    await world.hub.stop()
    assert world.metrics.handler_errors == 1


async def test_a_client_that_floods_during_on_connect_is_read_no_more() -> None:
    world = World()
    gate = asyncio.Event()

    async def slow(session: Session) -> None:
        await gate.wait()

    world.handlers.connected.append(slow)
    await world.start()
    alice = world.client()
    alice.send(type="connect", token="alice")
    await settle()
    assert alice.connection.paused
    gate.set()
    await settle()
    assert alice.take("connected")
    assert not alice.connection.paused


async def test_channels_of_a_node_are_limited() -> None:
    world = await World(limits={"channels": 2}).start()
    alice = await world.connected("alice", "a", "b")
    assert (await alice.ask(type="subscribe", channel="c"))["code"] == ErrorCode.LIMIT_EXCEEDED
    assert world.metrics.rejected["channels"] == 1
    await alice.ask(type="unsubscribe", channel="a")
    assert (await alice.ask(type="subscribe", channel="c"))["type"] == "subscribed"
