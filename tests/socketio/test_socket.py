"""What handlers see of a client, and what they may do to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.socketio.world import Peer, World, settle

from hubbub.errors import FORCED, ErrorCode, HubbubError
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


async def two(*namespaces: str) -> tuple[World, Peer, Peer, Socket]:
    """Two clients in `/` and `namespaces`, and the first one's socket in `/`."""
    world = World()
    for namespace in namespaces:
        world.sio.on("x", lambda socket: "ok", namespace)
    await world.start()
    peer = await world.entered("alice", "/", *namespaces)
    return world, peer, await world.entered("bob", "/", *namespaces), world.sio.socket(peer.sid)


async def test_who_it_is() -> None:
    world, peer, _, socket = await two("/a")
    assert str(socket) == socket.sid == socket.session.id == peer.sid
    assert repr(socket) == f"<Socket {peer.sid} in />"
    assert (socket.namespace, socket.user, socket.transport) == ("/", "alice", "websocket")
    assert (socket.connected, socket.recovered, socket.environ, socket.data) == (True, False, {}, {})
    assert socket.rooms == {peer.sid}
    assert world.sio.socket(socket) is world.sio.socket(peer.sid, "/") is socket
    there = world.sio.socket(peer.places["/a"].sid)
    assert there is not socket
    assert (there.namespace, there.user) == ("/a", "alice")
    there.data["a"] = 1
    assert socket.data == {}


async def test_the_transport_is_that_of_now() -> None:
    world = await World().start()
    peer = await world.entered("alice", transport="polling")
    socket = world.sio.socket(peer.sid)
    assert socket.transport == "polling"
    peer.link.upgrade()
    assert socket.transport == "websocket"


async def test_emit_is_for_it_alone() -> None:
    _, peer, other, socket = await two()
    await socket.emit("x")
    await socket.emit("x", (1, b"2"))
    assert peer.events() == [["x"], ["x", 1, b"2"]]
    assert other.events() == []
    peer.link.writable = False
    await socket.emit("lost", volatile=True)
    await socket.emit("kept")
    assert peer.events() == [["kept"]]


async def test_call_is_for_it_alone() -> None:
    _, peer, other, socket = await two()
    calling = asyncio.create_task(socket.call("ask", 1))
    assert await peer.answered("a", 2) == ["ask", 1]
    assert await calling == ("a", 2)
    with pytest.raises(TimeoutError):
        await socket.call("ask", timeout=0.01)
    assert other.asked() == []


async def test_broadcast_is_for_all_but_it() -> None:
    world, peer, other, socket = await two("/a")
    third = await world.entered("cid")
    for each in (socket.sid, other.sid):
        await world.sio.enter_room(each, "room")
    await socket.broadcast("all", 1)
    await socket.broadcast("room", 2, to="room")
    await socket.broadcast("both", 3, to=["room", third.sid, socket.sid])
    assert peer.events() == other.events("/a") == []
    assert other.events() == [["all", 1], ["room", 2], ["both", 3]]
    assert third.events() == [["all", 1], ["both", 3]]
    other.link.writable = False
    await socket.broadcast("lost", volatile=True)
    assert other.events() == []
    assert third.events() == [["lost"]]


async def test_in_another_namespace_it_emits_there() -> None:
    world, peer, other, _ = await two("/a")
    there = world.sio.socket(peer.places["/a"].sid)
    await there.join("room")
    await there.emit("one")
    await there.broadcast("others")
    await world.sio.emit("room", to="room", namespace="/a")
    await world.sio.emit("nobody", to="room")
    calling = asyncio.create_task(there.call("ask"))
    assert await peer.answered(1, namespace="/a") == ["ask"]
    assert await calling == 1
    assert peer.events("/a") == [["one"], ["room"]]
    assert other.events("/a") == [["others"]]
    assert peer.events() == other.events() == []


async def test_rooms_are_entered_and_left() -> None:
    world, peer, _, socket = await two()
    await socket.join("a")
    await socket.join("b")
    assert socket.rooms == {socket.sid, "a", "b"}
    await socket.leave("a")
    await socket.leave("never entered")
    assert socket.rooms == {socket.sid, "b"}
    await world.sio.emit("x", to=["a", "b"])
    assert peer.events() == [["x"]]


@pytest.mark.parametrize("why", ["client", "link", "server"])
async def test_after_its_end_it_knows_what_it_was_and_does_nothing(why: str) -> None:
    world = World()
    seen: list[Any] = []

    @world.sio.event
    async def disconnect(socket: Socket) -> None:
        seen.append((socket.rooms, socket.user, socket.data, socket.connected, socket.namespace))
        await socket.emit("x")
        await socket.join("b")
        await socket.leave("a")
        await socket.broadcast("gone", socket.sid)
        await socket.disconnect()

    await world.start()
    peer, other = await world.entered("alice"), await world.entered("bob")
    socket = world.sio.socket(peer.sid)
    await socket.join("a")
    socket.data["k"] = 1
    if why == "client":
        peer.send("1")
    elif why == "link":
        peer.drop(resumable=False)
    else:
        await socket.disconnect()
    await settle()
    assert seen == [({socket.sid, "a"}, "alice", {"k": 1}, False, "/")]
    assert other.events() == [["gone", socket.sid]]
    assert peer.events() == []
    with pytest.raises(HubbubError) as refused:
        await socket.call("ask")
    assert refused.value.code == ErrorCode.SESSION_GONE
    other.drop(resumable=False)
    await settle()
    assert world.is_empty


async def test_it_is_the_same_once_its_client_has_come_back() -> None:
    world, peer, _, socket = await two()
    await socket.join("a")
    socket.data["k"] = 1
    await socket.emit("x", 1)
    peer.read()
    peer.drop()
    assert (socket.connected, socket.recovered) == (False, False)
    assert socket.rooms == {socket.sid, "a"}
    await socket.emit("x", 2)
    await socket.join("b")
    await socket.leave("a")
    assert await peer.back()
    assert world.sio.socket(peer.sid) is socket
    assert (socket.connected, socket.recovered, socket.data) == (True, True, {"k": 1})
    assert socket.rooms == {socket.sid, "b"}
    await world.sio.emit("x", 3, to="a")
    await world.sio.emit("x", 4, to="b")
    assert peer.events() == [["x", 1], ["x", 2], ["x", 4]]


@pytest.mark.parametrize("close", [False, True])
async def test_disconnect(*, close: bool) -> None:
    _, peer, other, socket = await two("/a")
    await socket.disconnect(close=close)
    await socket.disconnect(close=close)
    peer.read()
    assert (peer.place().disconnects, peer.place("/a").disconnects) == (1, int(close))
    assert peer.link.closed is (FORCED if close else None)
    assert other.link.closed is None
    assert not socket.connected
    if not close:
        assert await peer.ask("x", namespace="/a") == ["ok"]
