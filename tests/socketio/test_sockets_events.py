"""The order in which a client's events are handled, how long that may take, and what they are answered with."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from tests.socketio.world import World, settle

from hubbub.errors import FORCED, ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


class Stage:
    """A world whose event `wait` waits at a gate, and what its handlers have seen."""

    def __init__(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.gate = asyncio.Event()
        self.seen: list[Any] = []
        sio = self.world.sio

        @sio.event
        async def wait(socket: Socket, name: str) -> str:
            self.seen.append(name)
            await self.gate.wait()
            self.seen.append(f"{name} is over")
            return name

        @sio.event
        async def note(socket: Socket, name: str) -> None:
            self.seen.append(name)

        @sio.on("apart", concurrent=True)
        async def apart(socket: Socket, name: str) -> str:
            return await wait(socket, name)


# --- order ------------------------------------------------------------------------------------------------------


async def test_events_of_a_client_are_handled_one_after_the_other_and_acks_wait_too() -> None:
    it = Stage()
    world = await it.world.start()
    peer = await world.entered()
    peer.emit("wait", "a", ack=True)
    peer.emit("note", "b", ack=True)
    peer.emit("wait", "c")
    peer.emit("note", "d")
    await settle()
    assert it.seen == ["a"]
    assert peer.texts() == []
    it.gate.set()
    await settle()
    assert it.seen == ["a", "a is over", "b", "c", "c is over", "d"]
    assert peer.texts() == ['30["a"]', "31[]"]


async def test_others_do_not_wait_for_them() -> None:
    it = Stage()
    it.world.sio.on("note", lambda socket, name: it.seen.append(name), "/other")
    world = await it.world.start()
    peer, other = await world.entered("alice", "/", "/other"), await world.entered("bob")
    peer.emit("wait", "a")
    peer.emit("note", "of the other namespace", namespace="/other")
    other.emit("note", "of the other client")
    await settle()
    assert sorted(it.seen) == ["a", "of the other client", "of the other namespace"]


async def test_a_concurrent_event_neither_waits_nor_is_waited_for() -> None:
    it = Stage()
    world = await it.world.start()
    peer = await world.entered()
    peer.emit("apart", "a", ack=True)
    peer.emit("note", "b")
    peer.emit("wait", "c")
    peer.emit("apart", "d", ack=True)
    peer.emit("note", "e")
    await settle()
    assert sorted(it.seen) == ["a", "b", "c", "d"]
    assert world.sockets.by_id[peer.sid].apart == 2
    it.gate.set()
    await settle()
    assert it.seen.index("e") > it.seen.index("c is over")
    peer.read()
    assert peer.place().acks == {0: ["a"], 1: ["d"]}
    assert world.sockets.by_id[peer.sid].apart == 0


async def test_too_many_concurrent_events_take_their_turn_and_so_hold_up_the_rest() -> None:
    it = Stage(limits={"pending_commands": 2})
    world = await it.world.start()
    peer = await world.entered()
    for name in ("a", "b", "c", "d"):
        peer.emit("apart", name)
    await settle()
    assert sorted(it.seen) == ["a", "b", "c"]
    it.gate.set()
    await settle()
    assert len(it.seen) == 8


async def test_handlers_run_in_a_task_each_with_a_context_of_its_own() -> None:
    world = World()
    seen: list[Any] = []
    variable = contextvars.ContextVar("variable", default=0)

    @world.sio.event
    async def check(socket: Socket, value: int) -> None:
        seen.append((asyncio.current_task() is not None, variable.get()))
        variable.set(value)
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        seen.append(variable.get())

    await world.start()
    for value, peer in enumerate([await world.entered(), await world.entered()], 1):
        peer.emit("check", value)
    await settle()
    assert seen == [(True, 0), (True, 0), 1, 2]


# --- asking the client ------------------------------------------------------------------------------------------


async def test_a_handler_may_wait_for_an_acknowledgement_of_its_own_client() -> None:
    world = World()

    @world.sio.event
    async def ask(socket: Socket) -> Any:
        return await socket.call("question", 7)

    world.sio.on("echo", lambda socket, value: value)
    await world.start()
    peer = await world.entered()
    id = peer.emit("ask", ack=True)
    peer.emit("echo", 1, ack=True)
    assert await peer.answered("answer") == ["question", 7]
    peer.read()
    assert peer.place().acks == {id: ["answer"], id + 1: [1]}


async def test_and_that_is_read_though_much_stands_before_it() -> None:
    world = World(limits={"pending_commands": 4})
    seen: list[int] = []

    @world.sio.event
    async def ask(socket: Socket) -> Any:
        return await socket.call("question")

    @world.sio.event
    def note(socket: Socket, number: int) -> None:
        seen.append(number)

    await world.start()
    peer = await world.entered()
    peer.emit("ask")
    await settle()
    for number in range(50):
        peer.emit("note", number)
    assert not peer.link.paused
    assert seen == []
    await peer.answered("answer")
    assert seen == list(range(50))
    peer.emit("ask")
    await settle()
    for number in range(64):
        assert not peer.link.paused
        peer.emit("note", number)
    assert peer.link.paused  # there is an end to it
    await peer.answered("answer")
    assert not peer.link.paused


async def test_a_client_whose_handlers_have_too_much_to_do_is_not_read() -> None:
    it = Stage(limits={"pending_commands": 3})
    world = await it.world.start()
    peer = await world.entered()
    peer.emit("wait", "a")
    await settle()
    for number in range(3):
        assert not peer.link.paused
        peer.emit("note", str(number))
    assert peer.link.paused
    assert world.metrics.rejected["pending_commands"] == 1
    it.gate.set()
    await settle()
    assert not peer.link.paused
    assert it.seen == ["a", "a is over", "0", "1", "2"]


async def test_events_above_the_rate_wait() -> None:
    it = Stage(limits={"command_rate": 1, "command_burst": 2})
    world = await it.world.start()
    peer = await world.entered()
    for name in ("a", "b", "c"):
        peer.emit("note", name)
    await settle()
    assert it.seen == ["a", "b"]
    world.clock.advance(1.01)
    await settle()
    assert it.seen == ["a", "b", "c"]


# --- how long ---------------------------------------------------------------------------------------------------


async def test_a_handler_has_so_long_and_then_the_next_event_has_its_turn() -> None:
    it = Stage(limits={"call_timeout": 5})
    world = await it.world.start()
    peer = await world.entered()
    peer.emit("wait", "a", ack=True)
    peer.emit("note", "b")
    peer.emit("apart", "c", ack=True)
    await settle()
    world.clock.advance(4.9)
    await settle()
    assert sorted(it.seen) == ["a", "c"]
    world.clock.advance(1.2)
    await settle()
    assert sorted(it.seen) == ["a", "b", "c"]
    peer.read()
    for number in (0, 1):
        error = peer.place().acks[number][0]["error"]
        assert (error["code"], error["message"]) == (
            121,
            f"the handler of {'apart' if number else 'wait'} took too long",
        )
    assert world.metrics.rejected["call_timeout"] == 2
    assert not world.sockets._deadlines
    assert not world.sockets._overdue
    await settle()
    assert await peer.ask("note", "d") == []


async def test_what_a_handler_makes_of_its_end_is_its_own_affair() -> None:
    world = World(limits={"call_timeout": 5})

    @world.sio.event
    async def stubborn(socket: Socket) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "anyway"
        return ""

    @world.sio.event
    async def failing(socket: Socket) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("in the end")

    @world.sio.event
    async def echo(socket: Socket, value: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()  # what ended the handler before it in this task is over
        return value

    await world.start()
    peer = await world.entered()
    for event in ("stubborn", "failing"):
        peer.emit(event, ack=True)
    peer.emit("echo", 1, ack=True)
    for _ in range(2):
        await settle()
        world.clock.advance(6.1)
    await settle()
    peer.read()
    acks = peer.place().acks
    assert acks[0] == ["anyway"]
    assert acks[1][0]["error"]["name"] == "internal"
    assert acks[2] == [1]
    assert not world.sockets._deadlines
    assert not world.sockets._overdue
    world.clock.advance(2)
    assert not world.sockets._watching


async def test_a_handler_that_is_cancelled_by_something_else_is_not_overdue() -> None:
    world = World()
    tasks: list[asyncio.Task[Any]] = []

    @world.sio.event
    async def wait(socket: Socket) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await asyncio.Event().wait()

    world.sio.on("echo", lambda socket, value: value)
    await world.start()
    peer = await world.entered()
    peer.emit("wait", ack=True)
    peer.emit("echo", 1, ack=True)
    await settle()
    tasks[0].cancel()
    await settle()
    peer.read()
    assert peer.place().acks == {1: [1]}
    assert not world.sockets._deadlines


# --- a session that ends meanwhile ------------------------------------------------------------------------------


async def test_an_event_that_is_being_handled_when_its_client_leaves_is_handled_to_the_end() -> None:
    it = Stage()
    world = await it.world.start()

    @world.sio.event
    async def use(socket: Socket) -> None:
        await it.gate.wait()
        await socket.join("room")
        await socket.leave("room")
        await socket.emit("x")
        await socket.broadcast("x", to="room")
        await socket.disconnect()
        socket.data["seen"] = True
        it.seen.append((socket.connected, socket.rooms == {socket.sid}, socket.transport))

    peer = await world.entered()
    peer.emit("use", ack=True)
    peer.emit("note", "behind it")
    await settle()
    peer.send("1")
    it.gate.set()
    await settle()
    assert it.seen == [(False, True, "websocket"), "behind it"]
    assert world.metrics.handler_errors == 0
    assert peer.texts() == []
    assert world.is_empty


async def test_a_handler_that_ends_its_own_client() -> None:
    it = Stage()
    world = await it.world.start()

    @world.sio.event
    async def leave(socket: Socket) -> str:
        await socket.disconnect()
        it.seen.append("ended")
        return "nobody hears it"

    @world.sio.event
    async def disconnect(socket: Socket, reason: str) -> None:
        it.seen.append(reason)

    peer = await world.entered()
    peer.emit("leave", ack=True)
    peer.emit("note", "not heard any more")
    await settle()
    assert it.seen == ["ended", "server namespace disconnect"]
    assert peer.texts() == ["1"]


async def test_who_is_asked_and_leaves_is_not_waited_for() -> None:
    world = World()
    seen: list[Any] = []

    @world.sio.event
    async def ask(socket: Socket) -> None:
        try:
            await socket.call("question", timeout=60)
        except HubbubError as error:
            seen.append(error.code)
        try:
            await socket.call("question", timeout=60)
        except HubbubError as error:
            seen.append(error.code)

    await world.start()
    peer = await world.entered()
    peer.emit("ask")
    await settle()
    peer.send("1")
    await settle()
    assert seen == [ErrorCode.SESSION_GONE] * 2
    assert world.is_empty


async def test_nothing_of_a_client_that_was_sent_away_is_handled_any_more() -> None:
    it = Stage()
    world = await it.world.start()
    peer = await world.entered()
    peer.emit("wait", "a")
    peer.emit("note", "b")
    peer.emit("apart", "c")
    await settle()
    session: Session = world.hub.sessions[peer.sid]
    world.hub.end(session, FORCED)
    it.gate.set()
    await settle()
    assert sorted(it.seen) == ["a", "a is over", "c", "c is over"]
    assert world.is_empty
