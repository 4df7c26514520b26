"""What happens while a handler of `connect` is running: its client goes, the server ends it, the link changes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.socketio.world import CHROME, PYTHON, World, settle

from hubbub.errors import DRAIN, FORCED, REVOKED, Disconnect
from hubbub.hub.session import Session
from hubbub.socketio.socket import Socket
from hubbub.socketio.sockets import ConnectionRefused

pytestmark = pytest.mark.anyio


class Waiting:
    """A world whose `connect` handler waits at a gate, and what its `disconnect` handler is told."""

    def __init__(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.gate = asyncio.Event()
        self.told: list[str] = []
        self.fails = False

        @self.world.sio.event
        async def connect(socket: Socket) -> None:
            self.told.append("connect")
            await socket.join("room")
            await socket.emit("hello")
            await self.gate.wait()
            if self.fails:
                raise ConnectionRefused
            self.told.append("in")

        @self.world.sio.event
        async def disconnect(socket: Socket, reason: str) -> None:
            self.told.append(reason)
            self.told.extend(sorted(socket.rooms - {socket.sid}))


@pytest.mark.parametrize("agent", [CHROME, PYTHON])
@pytest.mark.parametrize("resumable", [True, False])
async def test_the_link_breaks(agent: str, resumable: bool) -> None:
    it = Waiting()
    world = await it.world.start()
    peer = world.peer(user_agent=agent)
    peer.connect()
    await settle()
    peer.drop("ping timeout", resumable=resumable)
    assert not world.hub.sessions
    it.gate.set()
    await settle()
    assert it.told == ["connect", "in", "ping timeout", "room"]
    assert peer.texts() == []
    assert peer.link.late == []
    assert world.is_empty


async def test_the_link_breaks_and_the_handler_refuses() -> None:
    it = Waiting()
    it.fails = True
    world = await it.world.start()
    peer = world.peer()
    peer.connect()
    await settle()
    peer.drop()
    it.gate.set()
    await settle()
    assert it.told == ["connect"]
    assert world.is_empty


@pytest.mark.parametrize("reason", [FORCED, REVOKED])
async def test_the_server_ends_the_session(reason: Disconnect) -> None:
    it = Waiting()
    world = await it.world.start()
    peer = world.peer()
    peer.connect()
    await settle()
    (session,) = world.hub.sessions.values()
    world.hub.end(session, reason)
    await settle()
    assert peer.texts() == []
    it.gate.set()
    await settle()
    peer.read()
    (refusal,) = peer.place().refusals
    assert refusal["data"]["name"] == "session_gone"
    assert peer.place().disconnects == 0
    assert it.told == ["connect", "in", "server namespace disconnect", "room"]
    assert peer.link.closed is None
    assert world.is_empty
    await peer.enter()


async def test_who_is_known_has_time() -> None:
    it = Waiting()
    world = await it.world.start()
    world.sio.on("x", lambda socket: None, "/a")
    world.policy.gate = asyncio.Event()
    peer = world.peer()
    client = peer.link.client
    assert client is not None
    peer.connect("/none")
    peer.connect()
    await settle()
    assert not client.admitted
    world.policy.gate.set()
    await settle()
    assert client.admitted  # the handler is asked
    assert len(peer.refusals("/none")) == 1
    assert client.admitted
    it.gate.set()
    await settle()
    assert client.admitted


async def test_the_server_drains() -> None:
    it = Waiting()
    world = await it.world.start()
    peer = world.peer()
    peer.connect()
    await settle()
    (session,) = world.hub.sessions.values()
    assert session.connection is not None
    session.connection.close(DRAIN)
    assert peer.link.closed is DRAIN
    it.gate.set()
    await settle()
    assert world.is_empty


async def test_the_server_stops() -> None:
    it = Waiting()
    world = await it.world.start()
    peer = world.peer()
    peer.connect()
    await settle()
    stopping = asyncio.create_task(world.hub.stop())
    await settle()
    it.gate.set()
    await stopping
    assert not world.hub.sessions
    assert not world.sockets.by_id


@pytest.mark.parametrize("gap", ["authenticate", "hook", "subscribe"])
async def test_the_link_breaks_before_the_handler_is_asked(gap: str) -> None:
    it = Waiting()
    world, gate = it.world, asyncio.Event()

    async def wait(_: str) -> None:
        await gate.wait()

    if gap == "authenticate":
        world.policy.gate = gate
    elif gap == "hook":

        async def hook(session: Session) -> None:
            await gate.wait()

        world.handlers.add_hook(world.handlers.connected, hook)
    await world.start()
    if gap == "subscribe":
        world.broker.subscribe = wait  # type: ignore[method-assign,assignment]
    peer = world.peer()
    peer.connect()
    await settle()
    peer.drop()
    gate.set()
    await settle()
    assert it.told == []
    assert world.is_empty


async def test_the_link_is_upgraded_and_what_was_held_is_written_the_new_way() -> None:
    it = Waiting()
    world = await it.world.start()
    peer = world.peer(transport="polling")
    peer.connect()
    await settle()
    await world.sio.emit("bytes", b"\1\2", to="room")
    peer.link.upgrade()
    await world.sio.emit("after", 1, to="room")
    assert peer.texts() == []
    it.gate.set()
    await settle()
    assert [event[0] for event in peer.events()] == ["hello", "bytes", "after"]
    assert peer.link.strays == []
    socket = world.sio.socket(peer.sid)
    assert (socket.transport, socket.session.info.transport) == ("websocket", "websocket")
    await world.sio.emit("later", 1)
    assert peer.events() == [["later", 1]]


async def test_a_pong_that_belongs_to_the_time_before_the_answer_confirms_nothing_of_it() -> None:
    it = Waiting()
    world = await it.world.start()
    peer = world.peer()
    peer.connect()
    await settle()
    assert peer.link.client is not None
    mark = peer.link.client.mark()
    it.gate.set()
    await settle()
    peer.link.client.heard(mark)  # the ping had been sent before `hello` was written
    peer.link.take()  # lost on the way, but for the answer
    (session,) = world.hub.sessions.values()
    place = peer.place()
    place.sid, place.pid = session.id, f"{session.id}.{session.secret}"
    peer.drop()
    assert await peer.back()
    assert peer.events() == [["hello"], ["hello"]]  # missed, and what the handler emits anew
