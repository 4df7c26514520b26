"""A client that comes back is the same socket, with exactly what it has missed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.socketio.world import World, recovering, settle

from hubbub.config import NamespaceConfig
from hubbub.model import Advice

pytestmark = pytest.mark.anyio


# --- the same socket --------------------------------------------------------------------------------------------


async def test_id_rooms_data_and_what_was_missed_are_there_again() -> None:
    world, peer, _ = await recovering()
    sio, sid = world.sio, peer.sid
    (await sio.get_session(sid))["cart"] = [1]
    socket = sio.socket(sid)
    await sio.emit("lost", 1, to="a")  # written, but it never arrives
    peer.drop()
    assert not socket.connected
    await sio.emit("to room", 2, to="a")
    await sio.emit("to other room", 3, to="c")
    await sio.emit("to all", b"\1\2")
    await sio.emit("to it", (4, {"b": b"\3"}), to=sid)
    assert await peer.back()
    assert peer.sid == sid
    assert peer.events() == [
        ["lost", 1],
        ["to room", 2],
        ["to all", b"\1\2"],
        ["to it", 4, {"b": b"\3"}],
    ]
    assert sio.socket(sid) is socket
    assert (socket.connected, socket.recovered, socket.data) == (True, True, {"cart": [1]})
    assert socket.rooms == {sid, "a", "b"}
    await sio.emit("later", 5, to=["a", "b"])
    assert peer.events() == [["later", 5]]
    assert world.metrics.resumes == {"recovered": 1}


async def test_the_answer_comes_first_and_then_what_was_missed_in_order() -> None:
    world, peer, _ = await recovering()
    peer.drop()
    for number in range(3):
        await world.sio.emit("x", number)
    pid, offset = peer.place().pid, peer.place().offset
    assert pid is not None
    assert offset is not None
    peer.dial()
    peer.connect(pid=pid, offset=offset)
    await settle()
    epoch, _, last = offset.partition(".")
    assert peer.texts() == [
        f'0{{"sid":"{peer.sid}","pid":"{pid}"}}',
        *(f'2["x",{each},"{epoch}.{int(last) + 1 + each}"]' for each in range(3)),
    ]


async def test_in_several_namespaces_at_once() -> None:
    world = World()
    world.sio.on("x", lambda socket: None, "/chat")
    await world.start()
    peer = await world.entered("alice", "/", "/chat")
    await world.sio.emit("x", 0)
    await world.sio.emit("x", 0, namespace="/chat")
    peer.read()
    peer.drop()
    await world.sio.emit("x", 1)
    await world.sio.emit("x", 2, namespace="/chat")
    assert await peer.back()
    assert await peer.back("/chat")
    assert peer.events() == [["x", 0], ["x", 1]]
    assert peer.events("/chat") == [["x", 0], ["x", 2]]


async def test_again_and_again() -> None:
    world, peer, _ = await recovering()
    for number in range(5):
        peer.drop()
        await world.sio.emit("x", number, to="a")
        assert await peer.back()
        await world.sio.emit("y", number, to="a")
        assert peer.events() == [["x", number], ["y", number]]
        await world.sio.emit("z", number)
        peer.link.take()  # lost
        peer.drop()
        assert await peer.back()
        assert peer.events() == [["z", number]]


async def test_a_client_that_has_seen_no_event_yet() -> None:
    world = await World().start()
    peer = await world.entered()
    await world.sio.emit("x", 1)
    peer.drop()
    await world.sio.emit("x", 2)
    assert peer.place().offset is None
    assert await peer.back()
    assert peer.events() == [["x", 1], ["x", 2]]


async def test_what_a_pong_has_confirmed_is_not_given_again_whatever_the_client_says() -> None:
    world, peer, _ = await recovering()
    await world.sio.emit("x", 1)
    client = peer.link.client
    assert client is not None
    client.heard(client.mark())
    await world.sio.emit("x", 2)
    peer.link.take()
    peer.drop()
    assert await peer.back()
    assert peer.events() == [["x", 2]]


async def test_over_polling_and_back_over_websocket() -> None:
    world, _, _ = await recovering()
    peer = await world.entered(transport="polling")
    await world.sio.emit("x", b"\1")
    assert peer.events() == [["x", b"\1"]]
    peer.drop()
    await world.sio.emit("x", b"\2")
    peer.dial(transport="websocket")
    assert await peer.back()
    await world.sio.emit("x", b"\3")
    assert peer.events() == [["x", b"\2"], ["x", b"\3"]]
    assert world.sio.socket(peer.sid).transport == "websocket"


async def test_during_an_upgrade_nothing_is_lost_doubled_or_overtaken() -> None:
    world = await World().start()
    peer = await world.entered(transport="polling")
    await world.sio.enter_room(peer.sid, "a")
    for number in range(3):
        await world.sio.emit("x", number, to="a")
        if number == 1:
            peer.link.upgrade()
        await world.sio.emit("y", b"%d" % number)
    assert peer.events() == [
        [name, value] for each in range(3) for name, value in (("x", each), ("y", b"%d" % each))
    ]
    assert peer.link.strays == []
    await world.sio.emit("lost")
    peer.drop()
    assert await peer.back()
    assert peer.events() == [["lost"]]
    await world.sio.leave_room(peer.sid, "a")
    peer.send("1")
    assert "socketio:#/,a" not in world.hub.channels


# --- what was missed, exactly -----------------------------------------------------------------------------------


async def test_several_rooms_in_one_emit_give_it_once() -> None:
    world, peer, witness = await recovering()
    peer.drop()
    await world.sio.emit("both", 1, to=["a", "b"])
    await world.sio.emit("both", 2, to=["b", "a", "c"])
    await world.sio.emit("both", 3, to=["a", peer.sid])
    assert await peer.back()
    assert sorted(peer.events()) == [["both", 1], ["both", 2], ["both", 3]]
    assert witness.events() == [["both", 1], ["both", 2]]


async def test_whoever_was_left_out_has_not_missed_it() -> None:
    world, peer, witness = await recovering()
    sio = world.sio
    peer.drop()
    await sio.emit("x", 1, skip_sid=peer.sid)
    await sio.emit("x", 2, skip_sid=[peer.sid, "another"])
    await sio.emit("x", 3, unless="a")
    await sio.emit("x", 4, unless=["c", "d"])
    await sio.emit("x", 5, to=["a", "b"], unless="b")
    await sio.emit("x", 6, volatile=True)
    await sio.emit("x", 7, to=peer.sid, volatile=True)
    await sio.emit("x", 8, to=peer.sid, unless="b")
    await sio.emit("x", 9, skip_sid=witness.sid)
    assert await peer.back()
    assert peer.events() == [["x", 4], ["x", 9]]
    assert witness.events() == [["x", number] for number in (1, 2, 3, 4, 6)]


async def test_rooms_entered_and_left_on_the_way() -> None:
    world, peer, _ = await recovering()
    sio = world.sio
    await sio.emit("x", 1, to="c")
    await sio.enter_room(peer.sid, "c")
    await sio.emit("x", 2, to="c")
    await sio.leave_room(peer.sid, "c")
    await sio.emit("x", 3, to="c")
    await sio.leave_room(peer.sid, "a")
    peer.link.take()
    peer.drop()
    await sio.emit("x", 4, to="a")
    await sio.leave_room(peer.sid, "b")
    await sio.emit("x", 5, to="b")
    await sio.enter_room(peer.sid, "d")
    await sio.emit("x", 6, to="d")
    assert await peer.back()
    assert peer.events() == [["x", 2], ["x", 6]]
    assert sio.rooms(peer.sid) == {peer.sid, "d"}


async def test_a_room_that_was_closed_is_not_entered_again() -> None:
    world, peer, _ = await recovering()
    peer.drop()
    await world.sio.close_room("a")
    await world.sio.emit("x", 1, to="a")
    assert await peer.back()
    assert peer.events() == []
    assert world.sio.rooms(peer.sid) == {peer.sid, "b"}


async def test_own_errors_and_advice_move_no_offset() -> None:
    world, peer, _ = await recovering()
    peer.emit("nobody", *range(200))
    deep = "[" * 40 + "]" * 40
    peer.send(f'2["x",{deep}]')
    session = world.hub.sessions[peer.sid]
    session.push(Advice(reconnect_after=1.0, spread=1.0))
    await settle()
    assert [name for name, _ in peer.events()] == ["hubbub:error", "hubbub:advice"]
    peer.drop()
    assert await peer.back()
    assert peer.events() == []


# --- events that ask for an acknowledgement ---------------------------------------------------------------------


async def test_an_event_that_asks_is_given_again_and_can_be_answered() -> None:
    world, peer, _ = await recovering()
    answer = asyncio.create_task(world.sio.call("q", 1, to=peer.sid))
    await settle()
    peer.link.take()
    peer.drop()
    later = asyncio.create_task(world.sio.call("q", 2, to=peer.sid))
    await settle()
    assert peer.link.take() == []
    assert await peer.back()
    (first, second) = peer.asked()
    assert (first[1], second[1]) == (["q", 1], ["q", 2])
    peer.ack(second[0], "two")
    peer.ack(first[0], "one")
    assert await answer == "one"
    assert await later == "two"


async def test_one_that_was_answered_has_arrived_and_all_before_it() -> None:
    world, peer, _ = await recovering()
    await world.sio.emit("before", 1)
    answer = asyncio.create_task(world.sio.call("q", 1, to=peer.sid))
    await settle()
    ((id, _),) = peer.asked()
    peer.place().offset = None  # as if the small event behind it had been lost
    peer.ack(id)
    assert await answer is None
    peer.drop()
    assert await peer.back()
    assert peer.asked() == []
    assert peer.events() == [["before", 1]]  # seen before the break


async def test_one_that_nobody_waits_for_any_more_was_missed_all_the_same() -> None:
    world, peer, _ = await recovering()
    peer.drop()
    with pytest.raises(TimeoutError):
        await world.sio.call("q", 1, to=peer.sid, timeout=0.001)
    assert await peer.back()
    ((id, event),) = peer.asked()
    assert event == ["q", 1]
    peer.ack(id, "too late")
    await settle()
    assert peer.link.closed is None


async def test_a_callback_survives_the_break() -> None:
    world, peer, _ = await recovering()
    answers: list[Any] = []
    await world.sio.emit("q", 1, to=peer.sid, callback=answers.append)
    await settle()
    ((id, _),) = peer.asked()
    peer.drop()
    assert await peer.back()
    peer.ack(id, "late")
    await settle()
    assert answers == ["late"]


# --- other channels ---------------------------------------------------------------------------------------------


async def test_events_of_mapped_rooms_with_a_log_and_with_conflation() -> None:
    options = {
        "log": NamespaceConfig(retention=5, publish="authenticated"),
        "fast": NamespaceConfig(retention=5, conflate=True, conflate_interval=1.0, publish="authenticated"),
    }
    world = await World(namespaces=options, socketio={"rooms": {"/": "{room}"}}).start()
    bob = await world.connected("bob")
    peer = await world.entered()
    for room in ("log:a", "fast:a"):
        await world.sio.enter_room(peer.sid, room)
    await bob.ask(type="publish", channel="fast:a", data=0)
    assert peer.events() == [["message", 0]]
    peer.drop()
    await bob.ask(type="publish", channel="log:a", data=1)
    await bob.ask(type="publish", channel="fast:a", data=2)
    assert await peer.back()
    assert peer.events() == [["message", 1], ["message", 2]]
    world.clock.advance(2)
    assert peer.events() == []
