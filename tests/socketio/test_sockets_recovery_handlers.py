"""What handlers are told of a client that comes back, and of one whose old link still stands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.socketio.world import Peer, World, settle

from hubbub.errors import AUTH_FAILED, REPLACED, ErrorCode, HubbubError
from hubbub.socketio.socket import Socket
from hubbub.socketio.sockets import ConnectionRefused

pytestmark = pytest.mark.anyio


class Stage:
    """A world that writes down what its handlers are told, and one client."""

    def __init__(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.told: list[Any] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        sio = self.world.sio

        @sio.event
        async def connect(socket: Socket, environ: Any, auth: Any) -> None:
            self.told.append(("connect", socket.recovered, environ["HTTP_COOKIE"], "pid" in auth))
            await self.gate.wait()
            if self.error is not None:
                raise self.error
            self.told.append("connected")

        @sio.event
        async def disconnect(socket: Socket, reason: str) -> None:
            await self.gate.wait()
            self.told.append(reason)

        sio.on("note", lambda socket, name: self.told.append(name))

    async def peer(self) -> Peer:
        await self.world.start()
        peer = await self.world.entered("alice", headers=(("cookie", "a=1"),))
        await self.world.sio.emit("first")
        peer.events()
        self.told.clear()
        return peer


async def test_connect_is_told_that_it_is_recovered() -> None:
    it = Stage()
    peer = await it.peer()
    peer.drop()
    assert await peer.back()
    await settle()
    assert it.told == ["transport close", ("connect", True, "a=1", True), "connected"]


async def test_the_order_is_kept_though_handlers_take_their_time() -> None:
    it = Stage()
    peer = await it.peer()
    it.gate.clear()
    peer.emit("note", "before the break")
    peer.drop()
    assert await peer.back()
    peer.emit("note", "after it")
    await settle()
    assert it.told == ["before the break"]
    it.gate.set()
    await settle()
    assert it.told == [
        "before the break",
        "transport close",
        ("connect", True, "a=1", True),
        "connected",
        "after it",
    ]


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (ConnectionRefused("no"), 0),
        (HubbubError(ErrorCode.PERMISSION_DENIED), 0),
        (ValueError("no"), 1),
    ],
)
async def test_a_handler_of_connect_may_send_away_whoever_is_back(error: Exception, counted: int) -> None:
    it = Stage()
    peer = await it.peer()
    peer.drop()
    it.error = error
    peer.dial()
    peer.connect(pid=peer.place().pid, offset=peer.place().offset)
    await settle()
    peer.read()
    assert peer.place().disconnects == 1
    assert peer.place().events[-1][1]["code"] == AUTH_FAILED.code
    assert it.world.metrics.handler_errors == counted
    assert it.world.is_empty
    assert it.told == [
        "transport close",
        ("connect", True, "a=1", True),
    ]  # of whom it has not let in, it is not told


# --- taking over ------------------------------------------------------------------------------------------------


async def test_a_client_may_come_back_before_its_old_link_is_known_to_be_dead() -> None:
    it = Stage()
    peer = await it.peer()
    world, old = it.world, peer.link
    await world.sio.enter_room(peer.sid, "a")
    await world.sio.emit("lost", 1, to="a")
    peer.dial()
    assert await peer.back()
    await settle()
    assert peer.events() == [["lost", 1]]
    assert old.closed is REPLACED
    await world.sio.emit("x", 2, to="a")
    assert peer.events() == [["x", 2]]
    old.take()
    await world.sio.emit("x", 3, to="a")
    assert old.take() == []
    assert it.told == ["transport close", ("connect", True, "a=1", True), "connected"]
    old.drop("ping timeout")
    await settle()
    assert world.sio.socket(peer.sid).connected


async def test_a_pong_to_a_ping_of_before_confirms_nothing_of_what_was_given_again() -> None:
    it = Stage()
    peer = await it.peer()
    await it.world.sio.emit("x", 1)
    peer.link.take()
    peer.drop()
    peer.dial()
    assert peer.link.client is not None
    mark = peer.link.client.mark()
    assert await peer.back()
    peer.link.client.heard(mark)
    place = peer.place()
    place.events, place.offset = [], None  # lost once more
    peer.drop()
    assert await peer.back()
    assert ["x", 1] in peer.events()


async def test_what_the_namespace_is_now_handles_its_events() -> None:
    """Which handlers a dynamic namespace has may depend on `auth`."""
    world = World()
    seen: list[str] = []
    for role in ("guest", "member"):

        def has_role(name: str, auth: Any, role: str = role) -> bool:
            return bool(auth["role"] == role)

        def x(socket: Socket, role: str = role) -> None:
            seen.append(role)

        world.sio.on("x", x, has_role)
    await world.start()
    peer = world.peer()
    await peer.enter("/a", role="guest")
    peer.emit("x", namespace="/a")
    await settle()
    peer.drop()
    assert await peer.back("/a", role="member")
    peer.emit("x", namespace="/a")
    await settle()
    assert seen == ["guest", "member"]


async def test_what_was_kept_for_it_in_vain_is_let_go() -> None:
    it = Stage()
    peer = await it.peer()
    session = it.world.hub.sessions[peer.sid]
    await it.world.sio.enter_room(peer.sid, "a")
    peer.drop()
    await it.world.sio.leave_room(peer.sid, "a")
    assert session.pending_bytes > 0
    assert await peer.back()
    assert (session.pending, session.pending_bytes) == (None, 0)


async def test_its_other_namespaces_go_on_where_they_are() -> None:
    world = World()
    world.sio.on("x", lambda socket: None, "/chat")
    await world.start()
    peer = await world.entered("alice", "/", "/chat")
    old = peer.link
    await world.sio.emit("x", 1)
    peer.read()
    peer.dial()
    assert await peer.back()
    assert old.closed is None
    await world.sio.emit("x", 2)
    assert peer.events() == [["x", 1], ["x", 2]]
    assert await peer.back("/chat")
    assert old.closed is REPLACED


async def test_what_the_old_link_still_says_is_not_heard() -> None:
    it = Stage()
    peer = await it.peer()
    old = peer.link
    world = it.world
    world.sio.on("x", lambda socket: None, "/chat")
    peer.connect("/chat")
    await settle()
    peer.dial()
    assert await peer.back()
    await settle()
    it.told.clear()
    assert old.client is not None
    old.client.receive(b'2["note","from the old one"]', False)
    await settle()
    assert it.told == []
