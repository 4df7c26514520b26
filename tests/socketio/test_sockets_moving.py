"""Sockets that come back on another node."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.socketio.several import Node, Several
from tests.socketio.world import Peer, settle

from hubbub.cluster.claims import Claims
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


@pytest.fixture
async def nodes() -> AsyncIterator[list[Node]]:
    several = Several()
    for node in several.nodes:
        claims = Claims(node.world.hub, node.cluster.nodes, node.cluster.bus, node.cluster.nodes._state)
        claims._running = True
    async with several:
        several.clock.advance(1.0)
        await settle()
        yield several.nodes


async def returned(peer: Peer, node: Node) -> bool:
    """The client comes to that node; whether it is recovered."""
    peer.world = node.world
    peer.dial()
    return await peer.back()


def ticks(peer: Peer) -> list[Any]:
    peer.read()
    return [event[1] for event in peer.place().events if event[0] == "tick"]


async def test_it_has_its_id_rooms_data_and_what_it_missed(nodes: list[Node]) -> None:
    a, b, c = nodes
    peer = await a.entered("ada")
    sid = peer.place().sid
    await a.sio.enter_room(sid, "room")
    a.sio.socket(sid).data["color"] = "red"
    await b.sio.emit("tick", 1, room="room")
    await settle()
    assert ticks(peer) == [1]
    peer.drop()
    await c.sio.emit("tick", 2, room="room")
    await a.sio.emit("tick", 3)
    await b.sio.emit("tick", 4, to=sid)
    await settle()
    assert await returned(peer, b)
    assert peer.place().sid == sid
    assert ticks(peer) == [1, 2, 3, 4]
    await c.sio.emit("tick", 5, room="room")
    await a.sio.emit("tick", 6, to=sid)
    await settle()
    assert ticks(peer) == [1, 2, 3, 4, 5, 6]
    assert b.sio.socket(sid).data == {"color": "red"}
    assert b.sio.socket(sid).rooms == {sid, "room"}
    assert b.sio.socket(sid).recovered
    assert sid not in a.world.sockets.by_id
    assert not a.world.hub.sessions


async def test_the_handlers_of_both_nodes_are_told(nodes: list[Node]) -> None:
    told: list[tuple[str, str, bool]] = []
    for name, node in zip("abc", nodes, strict=True):

        def on(name: str, node: Node) -> None:
            async def connect(socket: Socket) -> None:
                told.append((name, "connect", socket.recovered))

            async def disconnect(socket: Socket) -> None:
                told.append((name, "disconnect", socket.recovered))

            node.sio.on("connect")(connect)
            node.sio.on("disconnect")(disconnect)

        on(name, node)
    a, b, _ = nodes
    peer = await a.entered("ada")
    assert await returned(peer, b)  # the old link is not known to be dead
    await settle()
    assert told == [("a", "connect", False), ("a", "disconnect", False), ("b", "connect", True)]


async def test_what_was_not_meant_for_it_is_not_given(nodes: list[Node]) -> None:
    a, b, c = nodes
    peer = await a.entered("ada")
    sid = peer.place().sid
    await a.sio.enter_room(sid, "one")
    await a.sio.enter_room(sid, "two")
    peer.drop()
    await c.sio.emit("tick", "both", room=["one", "two"])
    await c.sio.emit("tick", "not me", room="one", skip_sid=sid)
    await c.sio.emit("tick", "other", room="three")
    await settle()
    assert await returned(peer, b)
    assert ticks(peer) == ["both"]


async def test_it_may_move_again_before_it_has_had_anything(nodes: list[Node]) -> None:
    a, b, c = nodes
    peer = await a.entered("ada")
    sid = peer.place().sid
    offset = peer.place().offset
    peer.drop()
    await a.sio.emit("tick", 1)
    await settle()
    await returned(peer, b)
    peer.place().offset, peer.place().events = offset, []  # the answer was lost on its way
    peer.drop()
    await a.sio.emit("tick", 2)
    await settle()
    assert await returned(peer, b)
    assert ticks(peer) == [1, 2]
    peer.drop()
    await b.sio.emit("tick", 3)
    await settle()
    assert await returned(peer, c)
    assert (peer.place().sid, ticks(peer)) == (sid, [1, 2, 3])


@pytest.mark.parametrize(
    ("changed", "token"),
    [
        ({"offset": "other.1"}, "ada"),
        ({"offset": 5}, "ada"),
        ({"pid": "x"}, "ada"),
        ({"pid": "nodeZZ" + "x" * 20 + ".y"}, "ada"),
        ({}, "bob"),
    ],
)
async def test_who_does_not_show_what_it_should_gets_a_new_one(
    nodes: list[Node], changed: dict[str, Any], token: str
) -> None:
    a, b, _ = nodes
    peer = await a.entered("ada")
    sid = peer.place().sid
    await a.sio.emit("tick", 1)
    await settle()
    ticks(peer)
    peer.drop()
    peer.token = token
    for name, value in changed.items():
        setattr(peer.place(), name, value)
    assert not await returned(peer, b)
    assert peer.place().sid not in ("", sid)
    if token == "bob":
        assert sid in a.world.hub.sessions, "it is not his to move"


@pytest.mark.parametrize("turns", range(40))
async def test_what_is_published_while_it_moves_comes_once(nodes: list[Node], turns: int) -> None:
    a, b, c = nodes
    peer = await a.entered("ada")
    sid = peer.place().sid
    await a.sio.enter_room(sid, "room")
    peer.drop()
    peer.world = b.world
    peer.dial()
    subscribe = b.broker.subscribe

    async def slowly(channel: str) -> None:
        await subscribe(channel)
        for _ in range(3):  # in which the answer is on its way, and what is published is heard already
            await asyncio.sleep(0)

    b.broker.subscribe = slowly  # type: ignore[method-assign]
    place = peer.place()
    peer.connect(pid=place.pid)
    sent = 0
    for turn in range(turns + 3):
        if turn >= turns:
            sent += 1
            await (a, b, c)[turn % 3].sio.emit("tick", sent, room="room")
        await asyncio.sleep(0)
    await settle()
    await c.sio.emit("tick", sent + 1, room="room")
    await settle()
    peer.read()
    assert (place.sid, place.recovered) == (sid, True)
    assert ticks(peer) == list(range(1, sent + 2))


async def test_a_wrong_secret_takes_no_socket_away(nodes: list[Node]) -> None:
    a, b, _ = nodes
    peer = await a.entered("ada")
    pid = peer.place().pid
    assert pid is not None
    thief = b.world.peer("ada")
    thief.place().pid = pid.partition(".")[0] + ".wrong"
    assert not await thief.back()
    await a.sio.emit("tick", 1)
    await settle()
    assert ticks(peer) == [1]


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_each_event_comes_once_and_in_order(nodes: list[Node], seed: int) -> None:
    chance = random.Random(seed)
    peers = [await chance.choice(nodes).entered(f"user-{number}") for number in range(4)]
    rooms = ["red", "blue"]
    for peer in peers:
        for room in rooms:
            here = next(node for node in nodes if node.world is peer.world)
            await here.sio.enter_room(peer.place().sid, room)
    sids = [peer.place().sid for peer in peers]
    sent = dict.fromkeys(rooms, 0)
    for _ in range(120):
        match chance.randrange(8):
            case 0:
                peer = chance.choice(peers)
                peer.read()
                if chance.random() < 0.7:
                    peer.drop()
                assert await returned(peer, chance.choice(nodes))
            case 1:
                await settle()
            case _:
                room = chance.choice(rooms)
                sent[room] += 1
                # Of one room's events the order is that of their publication: each waits for the one before.
                await chance.choice(nodes).sio.emit("tick", [room, sent[room]], room=room)
    await settle()
    for peer in peers:
        if peer.link.client is None:
            assert await returned(peer, chance.choice(nodes))
    await settle()
    for peer in peers:
        got = ticks(peer)
        for room in rooms:
            assert [number for name, number in got if name == room] == list(range(1, sent[room] + 1))
    assert [peer.place().sid for peer in peers] == sids
    assert sum(len(node.world.hub.sessions) for node in nodes) == 4
