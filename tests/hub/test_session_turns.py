"""Events and other work of a session, one after the other, also around its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from tests.hub.world import World, settle

from hubbub.errors import FORCED, Disconnect, ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Acknowledged, Event, Invalid, Ping, Raw
from hubbub.testing.connection import MemoryConnection

pytestmark = pytest.mark.anyio


class Stage:
    """A session, and a handler of events that writes down what it is given and waits at the ones called `wait`."""

    def __init__(self, world: World, session: Session) -> None:
        self.session = session
        self.seen: list[str] = []
        self.gate = asyncio.Event()
        self.work_gate = asyncio.Event()
        self.tasks: set[asyncio.Task[Any] | None] = set()
        world.hub.commands[Event] = self.handle

    async def handle(self, session: Session, event: Event) -> Acknowledged | None:
        self.tasks.add(asyncio.current_task())
        self.seen.append(event.name)
        if event.name.startswith("wait"):
            await self.gate.wait()
            self.seen.append(f"{event.name} is over")
        if event.name == "fail":
            raise ValueError("a handler's own")
        if event.name == "cancel":
            raise asyncio.CancelledError
        return None

    def accept(self, *names: str) -> None:
        for name in names:
            self.session.accept(Event(-1, name, (), Raw(b"[]")))

    def work(self, name: str, *, wait: bool = False) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            self.seen.append(name)
            if wait:
                await self.work_gate.wait()
                self.seen.append(f"{name} is over")

        return run


async def stage(**settings: Any) -> tuple[World, Stage]:
    world = await World(**settings).start()
    alice = await world.connected("alice")
    return world, Stage(world, world.hub.sessions[alice.session])


async def test_events_are_handled_in_a_task_one_after_the_other() -> None:
    _, it = await stage()
    it.accept("a", "wait", "b", "c")
    assert it.seen == []
    await settle()
    assert it.seen == ["a", "wait"]
    assert it.session.busy
    assert it.session.waiting == 2
    it.gate.set()
    await settle()
    assert it.seen == ["a", "wait", "wait is over", "b", "c"]
    assert None not in it.tasks
    assert (it.session.busy, it.session.waiting) == (False, 0)


@pytest.mark.parametrize("fault", ["fail", "cancel"])
async def test_those_behind_an_event_that_fails_are_handled_all_the_same(fault: str) -> None:
    _, it = await stage()
    it.accept("a", fault, "b")
    it.session.in_turn(it.work("work"))
    await settle()
    assert it.seen == ["a", fault, "b", "work"]
    it.accept("c")
    await settle()
    assert it.seen[-1] == "c"


async def test_other_work_is_done_in_its_turn_and_holds_up_what_is_behind_it() -> None:
    _, it = await stage()
    it.session.in_turn(it.work("first"))
    await settle()
    assert it.seen == ["first"]
    it.accept("wait")
    it.session.in_turn(it.work("second", wait=True))
    it.accept("last")
    await settle()
    assert it.seen == ["first", "wait"]
    it.gate.set()
    await settle()
    assert it.seen == ["first", "wait", "wait is over", "second"]
    assert it.session.busy
    it.work_gate.set()
    await settle()
    assert it.seen[3:] == ["second", "second is over", "last"]


async def test_work_that_fails_holds_up_nothing() -> None:
    _, it = await stage()

    async def fail() -> None:
        raise ValueError("a fault")

    it.session.in_turn(fail)
    it.accept("a")
    await settle()
    assert it.seen == ["a"]


async def test_a_hub_that_stops_waits_for_work_that_has_begun() -> None:
    world, it = await stage()
    it.session.in_turn(it.work("work", wait=True))
    stopping = asyncio.create_task(world.hub.stop())
    await settle()
    assert not stopping.done()
    it.work_gate.set()
    await stopping
    assert it.seen == ["work", "work is over"]


# --- around the end of the session ----------------------------------------------------------------------------


async def test_what_a_client_has_sent_before_it_left_is_handled() -> None:
    world, it = await stage()
    it.accept("wait", "a")
    it.session.in_turn(it.work("work"))
    world.hub.end(it.session, None)
    it.accept("too late")
    it.session.in_turn(it.work("after"))
    it.gate.set()
    await settle()
    assert it.seen == ["wait", "wait is over", "a", "work", "after"]


async def test_of_a_session_that_the_server_ends_nothing_more_is_handled() -> None:
    world, it = await stage()
    it.accept("wait", "a", "b")
    it.session.in_turn(it.work("work"))
    await settle()
    world.hub.end(it.session, FORCED)
    it.gate.set()
    await settle()
    assert it.seen == ["wait", "wait is over", "work"]


async def test_nor_of_those_that_end_with_the_server() -> None:
    world, it = await stage()
    it.accept("wait", "a")
    await settle()
    await world.hub.stop()
    it.gate.set()
    await settle()
    assert it.seen == ["wait"]  # and was cancelled


async def test_commands_are_not_kept_for_a_session_that_has_ended() -> None:
    world, it = await stage()
    it.accept("wait")
    it.session.accept(Ping(1))
    it.session.accept(Invalid(2, 107, "no"))
    world.hub.end(it.session, None)
    assert it.session.waiting == 0
    commands = dict(world.metrics.commands)
    it.gate.set()
    await settle()
    assert world.metrics.commands == {**commands, "event": 1}


@pytest.mark.parametrize(("code", "ends"), [(100, False), (121, False), (107, True)])
async def test_a_client_is_ended_for_its_own_faults_only(code: int, ends: bool) -> None:
    world, it = await stage(limits={"error_burst": 3})
    connection = it.session.connection
    assert isinstance(connection, MemoryConnection)

    async def fail(session: Session, event: Event) -> None:
        raise HubbubError(ErrorCode(code))

    world.hub.commands[Event] = fail
    it.accept(*"abcd")
    await settle()
    assert (connection.closed is not None) is ends
    assert world.metrics.errors[code] == 4


# --- above the rate -------------------------------------------------------------------------------------------


async def test_events_above_the_rate_wait_those_beside_the_order_too() -> None:
    world, it = await stage(limits={"command_rate": 1, "command_burst": 3})
    connection = it.session.connection
    assert connection is not None
    it.accept("a", "b", "c")  # one was spent on `connect`
    beside = asyncio.create_task(it.session.handle_apart(Event(-1, "beside", (), Raw(b"[]")), connection))
    await settle()
    assert it.seen == ["a", "b"]
    assert world.metrics.rejected["command_rate"] == 2
    world.clock.advance(1.01)
    await settle()
    assert len(it.seen) == 3
    world.clock.advance(1.01)
    await beside
    await settle()
    assert sorted(it.seen) == ["a", "b", "beside", "c"]


@pytest.mark.parametrize(("reason", "handled"), [(None, True), (FORCED, False)])
async def test_who_is_sent_away_meanwhile_is_not_heard_any_more(
    reason: Disconnect | None, handled: bool
) -> None:
    world, it = await stage(limits={"command_rate": 1, "command_burst": 1})
    it.accept("a")
    await settle()
    assert it.seen == []
    world.hub.end(it.session, reason)
    world.clock.advance(1.01)
    await settle()
    assert it.seen == ["a"] * handled


async def test_an_event_knows_whence_it_came_whatever_was_handled_while_it_waited() -> None:
    world, it = await stage(limits={"command_rate": 1, "command_burst": 1})
    askers: list[object] = []

    async def handle(session: Session, event: Event) -> None:
        askers.append(session.asker)

    world.hub.commands[Event] = handle
    connection = it.session.connection
    it.accept("a")
    await settle()
    world.hub.detach(it.session)
    world.clock.advance(1.01)
    await settle()
    assert askers == [connection]


async def test_events_of_one_burst_are_handled_in_one_turn_each_in_a_context_of_its_own() -> None:
    world, it = await stage()
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[str] = []

    async def handle(session: Session, event: Event) -> None:
        seen.append(who.get())
        who.set(event.name)

    world.hub.commands[Event] = handle
    for name in ("a", "b", "c"):
        it.session.accept(Event(-1, name, (), Raw(b"[]")))
    await asyncio.sleep(0)
    assert seen == ["nobody"] * 3
