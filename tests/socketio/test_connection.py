"""One client's place in a namespace: what is held, moved, awaited and ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.socketio.world import FakeLink, Peer, World, settle

from hubbub.errors import BAD_COMMAND, DRAIN, FLOOD, FORCED, REVOKED, Disconnect
from hubbub.protocols import engineio
from hubbub.protocols.base import Payload
from hubbub.protocols.socketio import PacketType
from hubbub.socketio.connection import NamespaceConnection

pytestmark = pytest.mark.anyio


async def place(**link: Any) -> tuple[World, Peer, NamespaceConnection]:
    """A client in `/`, and its connection there."""
    world = World()
    world.sio.on("x", lambda socket: None, "/a")
    await world.start()
    peer = await world.entered(**link)
    return world, peer, world.sockets.by_id[peer.sid]


# --- holding ----------------------------------------------------------------------------------------------------


async def test_what_is_held_is_written_in_its_order_and_nothing_is_held_after_that() -> None:
    _, peer, connection = await place()
    connection.hold()
    assert not connection.writable
    connection.send(PacketType.EVENT, b'["a"]')
    connection.send(PacketType.EVENT, b'["b"]')
    assert peer.texts() == []
    connection.release()
    assert connection.writable
    connection.send(PacketType.EVENT, b'["c"]')
    assert peer.texts() == ['2["a"]', '2["b"]', '2["c"]']
    connection.release()
    assert peer.texts() == []


async def entering(*namespaces: str, **settings: Any) -> tuple[World, Peer, asyncio.Event]:
    """A client that is being let into `namespaces`, and what opens them."""
    world, gate = World(**settings), asyncio.Event()
    for namespace in namespaces:
        world.sio.on("connect", lambda socket: gate.wait(), namespace)
    await world.start()
    peer = world.peer()
    for namespace in namespaces:
        peer.connect(namespace)
    await settle()
    return world, peer, gate


@pytest.mark.parametrize("namespaces", [("/",), ("/", "/a")])
@pytest.mark.parametrize("above", [0, 1])
async def test_what_is_held_at_and_above_queue_bytes(namespaces: tuple[str, ...], above: int) -> None:
    world, peer, gate = await entering(*namespaces, limits={"queue_bytes": 1024})
    clients = {each.client for each in world.sockets.by_id.values()}
    (client,) = clients
    while client.held < 700:
        for namespace in namespaces:
            await world.sio.emit("x", "y" * 100, namespace=namespace)
    connection = next(iter(world.sockets.by_id.values()))
    connection.write(b"z" * (1024 + above - client.held))
    assert peer.link.counted == client.held == 1024 + above
    assert not peer.link.aborted  # as long as others are being written to
    world.clock.run_ready()
    assert peer.link.aborted is bool(above)
    assert world.metrics.rejected == ({"queue_bytes": 1} if above else {})
    gate.set()
    await settle()
    assert peer.link.counted == client.held == 0
    assert bool(peer.link.take()) is not bool(above)
    assert len(world.sockets.by_id) == (0 if above else len(namespaces))


async def test_what_is_held_for_one_who_leaves_or_is_refused_counts_no_more() -> None:
    world, peer, _ = await entering("/")
    connection = next(iter(world.sockets.by_id.values()))
    await world.sio.emit("x")
    assert peer.link.counted > 0
    assert connection.session is not None
    connection.session.disconnect(FORCED)
    assert peer.link.counted == 0
    await world.sio.emit("y")
    connection.write(b"late")
    assert peer.link.counted == 0
    assert connection.held == []


async def test_it_is_ready_to_be_written_to_as_its_link_is() -> None:
    _, peer, connection = await place()
    peer.link.writable = False
    assert not connection.writable


# --- moving -----------------------------------------------------------------------------------------------------


async def test_from_polling_to_websocket_it_changes_groups_in_all_its_channels() -> None:
    world, peer, connection = await place(transport="polling")
    for room in ("1", "2"):
        await world.sio.enter_room(peer.sid, room)
    peer.link.upgrade()
    assert connection.transport == "websocket"
    for channel in world.hub.channels.values():
        ((key, members),) = channel.groups.items()
        assert key == (connection.codec.encoding(channel.name), peer.link.framing)
        assert members == {connection: peer.sid}
        assert channel.size == 1
    peer.send("1")
    assert not world.hub.channels


async def test_what_is_held_moves_with_it_each_packet_as_it_was_meant() -> None:
    _, peer, connection = await place(transport="polling")
    connection.hold()
    connection.write(
        connection.framing([Payload(b'451-["a",{"_placeholder":true,"num":0}]'), Payload(b"\1\2", True)])
    )
    connection.write(connection.framing([Payload(b'42["b"]')]))
    assert connection.held == [b'451-["a",{"_placeholder":true,"num":0}]\x1ebAQI=', b'42["b"]']
    peer.link.upgrade()
    assert peer.link.counted == sum(map(len, connection.held))
    connection.write(connection.framing([Payload(b'42["c"]')]))
    assert peer.texts() == []
    connection.release()
    assert peer.texts() == ['51-["a",{"_placeholder":true,"num":0}]', b"\1\2", '2["b"]', '2["c"]']
    assert peer.link.strays == []
    assert peer.link.counted == 0
    assert engineio.split(b"") == []


async def test_moving_one_whose_session_has_ended_harms_nobody() -> None:
    _, peer, connection = await place(transport="polling")
    connection.session = None
    peer.link.upgrade()
    assert connection.framing is peer.link.framing


# --- acknowledgements -------------------------------------------------------------------------------------------


async def test_each_acknowledgement_is_given_to_who_waits_for_it_and_once() -> None:
    _, _, connection = await place()
    got: list[Any] = []
    assert connection.acknowledged(1) is None
    connection.await_ack(1, lambda arguments: got.append((1, arguments)), 0)
    connection.await_ack(2, lambda arguments: got.append((2, arguments)), 0)
    answer = connection.acknowledged(2)
    assert answer is not None
    answer([7])
    assert connection.acknowledged(2) is None
    connection.forget_ack(3)
    connection.drop_acks()
    assert got == [(2, [7]), (1, None)]
    assert connection.acknowledged(1) is None
    connection.forget_ack(1)
    connection.drop_acks()
    assert len(got) == 2


async def test_an_acknowledgement_proves_that_all_before_it_has_arrived() -> None:
    world, peer, connection = await place()
    await world.sio.emit("x")
    trail = world.hub.sessions[peer.sid].trail
    assert trail is not None
    connection.await_ack(1, lambda arguments: None, 1)
    connection.acknowledged(9)
    assert trail.confirmed == 0
    connection.acknowledged(1)
    assert trail.confirmed == 1


async def test_of_those_who_cannot_recover_it_proves_nothing() -> None:
    _, _, connection = await place(user_agent="okhttp/4")
    connection.await_ack(1, lambda arguments: None, 0)
    assert connection.acknowledged(1) is not None


# --- ending -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "said", "disconnects", "link"),
    [
        (FORCED, None, True, False),
        (REVOKED, "access was revoked", True, False),
        (FLOOD, "too many frames", True, True),
        (BAD_COMMAND, "a command could not be read", True, True),
        (DRAIN, "the server is shutting down", False, True),
    ],
)
@pytest.mark.parametrize("by_the_hub", [True, False])
async def test_the_end_of_one_namespace_or_of_the_link(
    reason: Disconnect, said: str | None, disconnects: bool, link: bool, by_the_hub: bool
) -> None:
    world, peer, connection = await place()
    await peer.enter("/a")
    session = world.hub.sessions[peer.sid]
    if by_the_hub:
        world.hub.end(session, reason)
    else:
        connection.close(reason)
    farewell = '2["hubbub:disconnect",{{"type":"disconnect","code":{},"reason":"{}","reconnect":{}}}]'
    reconnect = "true" if reason is DRAIN else "false"
    assert peer.texts() == [
        *([] if said is None else [farewell.format(reason.code, said, reconnect)]),
        *(["1"] if disconnects else []),
    ]
    assert (peer.link.closed is reason) is link
    kept = reason is DRAIN and not by_the_hub
    assert (peer.sid in world.sockets.by_id) is kept
    assert session.closed is not kept
    assert connection.session is (session if kept else None)


async def test_closing_again_ends_nothing_more() -> None:
    world, peer, connection = await place()
    await peer.enter("/a")
    connection.close(FORCED)
    peer.texts()
    world.hub.end(connection.socket.session, FORCED)
    await settle()
    assert peer.texts() == []
    assert peer.link.closed is None


async def test_a_session_that_is_told_to_close_while_its_link_is_paused_resumes_it() -> None:
    _, peer, connection = await place()
    await peer.enter("/a")
    connection.pause()
    assert peer.link.paused
    connection.close(FORCED)
    assert not peer.link.paused


async def test_it_stands_on_whatever_link_it_is_given() -> None:
    world, peer, connection = await place()
    other = FakeLink(world.sockets.accept, transport="polling")
    assert other.client is not None
    connection.stand_on(other.client)  # type: ignore[arg-type]
    connection.send(PacketType.EVENT, b'["a"]')
    assert [payload.data for payload in other.take()] == [b'42["a"]']
    assert peer.texts() == []
    assert connection.transport == "polling"
