"""The server as an application sees it: handlers, calls, rooms, clients, and rooms that are channels."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from tests.socketio.world import Peer, World, settle

from hubbub.config import NamespaceConfig
from hubbub.errors import FORCED, ErrorCode, HubbubError
from hubbub.hub import operations
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


async def two(**settings: Any) -> tuple[World, Peer, Peer]:
    world = await World(**settings).start()
    return world, await world.entered("alice"), await world.entered("bob")


# --- handlers ---------------------------------------------------------------------------------------------------


async def test_all_forms_in_which_handlers_are_registered() -> None:
    world = World()
    sio = world.sio

    @sio.on("one")
    async def first(socket: Socket, value: int) -> int:
        return value + 1

    def second(socket: Socket) -> str:
        return "plain"

    assert sio.on("two", second) is second

    @sio.event
    async def three(socket: Socket) -> tuple[int, int]:
        return 1, 2

    @sio.event(namespace="/a", concurrent=True)
    async def four(socket: Socket) -> str:
        return socket.namespace

    sio.on("five", namespace=re.compile("/b[0-9]"))(lambda socket: socket.namespace)
    sio.on("*", lambda event, socket, *arguments: [event, *arguments], "/a")
    sio.on("*", lambda event, namespace, socket: [event, namespace], "*")
    assert first.__name__ == "first"
    assert three.__name__ == "three"
    await world.start()
    peer = await world.entered("alice", "/", "/a", "/b7", "/none")
    assert await peer.ask("one", 1) == [2]
    assert await peer.ask("two") == ["plain"]
    assert await peer.ask("three") == [1, 2]
    assert await peer.ask("four", namespace="/a") == ["/a"]
    assert await peer.ask("other", 5, namespace="/a") == [["other", 5]]
    assert await peer.ask("five", namespace="/b7") == ["/b7"]
    assert await peer.ask("six", namespace="/none") == [["six", "/none"]]


async def test_what_cannot_be_registered() -> None:
    sio = World().sio
    sio.on("x", print)
    sio.on("connect", lambda socket: None)
    for event, handler in (
        ("x", print),
        ("connect", lambda socket: None),
        ("connect_error", lambda socket: None),
        ("y", lambda: None),
        ("disconnect", lambda socket, reason, more: None),
    ):
        with pytest.raises(TypeError):
            sio.on(event, handler)
    for namespace in ("chat", "/a,b"):
        with pytest.raises(ValueError, match="not a namespace"):
            sio.on("x", print, namespace)
    sio.on("x", print, "/other")


# --- asking clients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "value"), [((), None), ((7,), 7), (([1],), [1]), ((1, "b"), (1, "b")), ((None,), None)]
)
async def test_call_returns_what_the_client_answers(answer: tuple[Any, ...], value: Any) -> None:
    world, peer, other = await two()
    for name in ("to", "sid"):
        for whom in (peer.sid, world.sio.socket(peer.sid)):
            target: Any = {name: whom}
            calling = asyncio.create_task(world.sio.call("ask", (1, 2), **target))
            assert await peer.answered(*answer) == ["ask", 1, 2]
            assert await calling == value
    assert other.asked() == []


async def test_call_in_time_or_not_at_all() -> None:
    world, peer, _ = await two()
    with pytest.raises(TimeoutError, match="no answer to ask within"):
        await world.sio.call("ask", to=peer.sid, timeout=0.01)
    ((id, _),) = peer.asked()
    peer.ack(id, "late")
    assert peer.link.closed is None


@pytest.mark.parametrize("to", [None, "nobody", "room"])
async def test_call_of_nobody(to: str | None) -> None:
    world, peer, _ = await two()
    await world.sio.enter_room(peer.sid, "room")
    with pytest.raises(HubbubError) as refused:
        await world.sio.call("ask", to=to)
    assert refused.value.code == ErrorCode.NOT_FOUND
    with pytest.raises(HubbubError) as refused:
        await world.sio.call("ask", to=peer.sid, namespace="/other")
    assert refused.value.code == ErrorCode.NOT_FOUND


async def test_call_of_one_who_leaves_or_has_left() -> None:
    world, peer, _ = await two()
    socket = world.sio.socket(peer.sid)
    calling = asyncio.create_task(world.sio.call("ask", to=socket))
    await settle()
    peer.send("1")
    with pytest.raises(HubbubError) as refused:
        await calling
    assert refused.value.code == ErrorCode.SESSION_GONE
    with pytest.raises(HubbubError) as refused:
        await world.sio.call("ask", to=socket)
    assert refused.value.code == ErrorCode.SESSION_GONE
    with pytest.raises(HubbubError) as refused:
        await world.sio.call("ask", to=socket.sid)
    assert refused.value.code == ErrorCode.NOT_FOUND


async def test_callbacks_are_for_one_sid() -> None:
    world, peer, other = await two()
    got: list[Any] = []

    async def waits(*arguments: Any) -> None:
        await asyncio.sleep(0)
        got.append(arguments)

    for to in (None, "room", [peer.sid, other.sid], [peer.sid, "room"]):
        with pytest.raises(HubbubError) as refused:
            await world.sio.emit("ask", to=to, callback=waits)
        assert (refused.value.code, refused.value.field) == (ErrorCode.BAD_REQUEST, "callback")
    await world.sio.emit("ask", 1, to=peer.sid, callback=waits)
    await world.sio.emit("ask", 1, to=other.sid, callback=lambda *arguments: got.append(arguments))
    assert await peer.answered("a", 2) == ["ask", 1]
    await other.answered()
    assert got == [("a", 2), ()]


async def test_a_callback_that_fails_is_counted_and_one_without_an_answer_is_not_called() -> None:
    world, peer, other = await two()
    called: list[Any] = []

    def fail(*arguments: Any) -> None:
        called.append(arguments)
        raise ValueError("no")

    await world.sio.emit("ask", to=peer.sid, callback=fail)
    await world.sio.emit("ask", to=other.sid, callback=fail)
    await peer.answered(1)
    other.send("1")
    await settle()
    assert called == [(1,)]
    assert world.metrics.handler_errors == 1
    assert peer.link.closed is None


async def test_call_all_asks_those_of_a_room_once_each() -> None:
    world, peer, other = await two()
    third = await world.entered("cid")
    for each in (peer, other):
        await world.sio.enter_room(each.sid, "room")
    for to, asked, skip in (
        ("room", [peer, other], None),
        (["room", peer.sid], [peer, other], None),
        (None, [peer, other, third], None),
        (None, [peer, third], other.sid),
        ([third.sid], [third], [peer.sid]),
    ):
        calling = asyncio.create_task(world.sio.call_all("ask", 1, to=to, skip_sid=skip))
        for each in asked:
            assert await each.answered(each.token) == ["ask", 1]
        answers = await calling
        assert sorted(answers.values) == sorted(str(each.token) for each in asked)
        assert answers.missing == 0
    assert await world.sio.call_all("ask", to="nobody's") == ((), 0)
    assert peer.asked() == other.asked() == third.asked() == []


# --- rooms --------------------------------------------------------------------------------------------------------


async def test_rooms_and_members() -> None:
    world, peer, other = await two()
    sio = world.sio
    await sio.enter_room(peer.sid, "a")
    await sio.enter_room(peer.sid, "a")
    await sio.enter_room(sio.socket(peer.sid), "b", "/")
    await sio.enter_room(other.sid, "a")
    assert sio.rooms(peer.sid) == {peer.sid, "a", "b"}
    assert {each.sid for each in sio.members("a")} == {peer.sid, other.sid}
    assert [each.sid for each in sio.members("b")] == [peer.sid]
    assert [each.sid for each in sio.members(peer.sid)] == [peer.sid]
    assert len(sio.members()) == 2
    assert sio.members("c") == sio.members("a", "/other") == []
    await sio.leave_room(peer.sid, "b")
    await sio.leave_room(peer.sid, "b")
    assert sio.members("b") == []
    await sio.close_room("a")
    await sio.close_room("a")
    assert sio.members("a") == []
    await sio.emit("x", to=["a", "b"])
    assert peer.events() == other.events() == []
    assert sio.rooms(peer.sid) == {peer.sid}


async def test_closing_a_room_takes_those_out_who_are_away() -> None:
    world, peer, _ = await two()
    await world.sio.enter_room(peer.sid, "a")
    await world.sio.emit("x")
    peer.read()
    peer.drop()
    assert world.sio.rooms(peer.sid) == {peer.sid, "a"}
    await world.sio.close_room("a")
    await world.sio.emit("missed", to="a")
    assert await peer.back()
    assert world.sio.rooms(peer.sid) == {peer.sid}
    await world.sio.emit("y", to="a")
    assert peer.events() == [["x"]]


async def test_rooms_of_nobody_and_of_no_name() -> None:
    world, peer, _ = await two(limits={"channel_length": 10, "subscriptions": 2})
    sio = world.sio
    for refused, code in (
        (sio.enter_room("nobody", "a"), ErrorCode.NOT_FOUND),
        (sio.enter_room(peer.sid, "a", "/other"), ErrorCode.NOT_FOUND),
        (sio.leave_room("nobody", "a"), ErrorCode.NOT_FOUND),
        (sio.get_session("nobody"), ErrorCode.NOT_FOUND),
        (sio.save_session("nobody", {}), ErrorCode.NOT_FOUND),
        (sio.enter_room(peer.sid, ""), ErrorCode.BAD_REQUEST),
        (sio.enter_room(peer.sid, "r" * 11), ErrorCode.BAD_REQUEST),
        (sio.emit("x", to="r" * 11), ErrorCode.BAD_REQUEST),
        (sio.emit("x", unless=""), ErrorCode.BAD_REQUEST),
    ):
        with pytest.raises(HubbubError) as error:
            await refused
        assert error.value.code == code
    for unknown in (sio.rooms, sio.socket):
        with pytest.raises(HubbubError):
            unknown("nobody")
    await sio.enter_room(peer.sid, "r" * 10)
    with pytest.raises(HubbubError) as error:
        await sio.enter_room(peer.sid, "third")
    assert error.value.code == ErrorCode.LIMIT_EXCEEDED


# --- single clients -----------------------------------------------------------------------------------------------


async def test_sessions() -> None:
    world, peer, other = await two()
    sio = world.sio
    assert await sio.get_session(peer.sid) == {}
    await sio.save_session(peer.sid, {"a": 1})
    async with sio.session(peer.sid) as data:
        data["b"] = 2
    kept = await sio.get_session(peer.sid)
    assert kept == sio.socket(peer.sid).data == {"a": 1, "b": 2}
    await sio.save_session(peer.sid, kept)
    assert kept == {"a": 1, "b": 2}
    await sio.save_session(peer.sid, {"c": 3}, "/")
    assert sio.socket(peer.sid).data == {"c": 3}
    assert await sio.get_session(other.sid) == {}


@pytest.mark.parametrize("close", [False, True])
async def test_disconnect(*, close: bool) -> None:
    world = World()
    world.sio.on("x", lambda socket: "ok", "/a")
    await world.start()
    peer, other = await world.entered("alice", "/", "/a"), await world.entered("bob")
    await world.sio.disconnect(peer.sid, "/a")
    await world.sio.disconnect("nobody")
    peer.read()
    assert peer.place().disconnects == 0
    await world.sio.disconnect(peer.sid, close=close)
    await world.sio.disconnect(peer.sid, close=close)
    peer.read()
    assert (peer.place().disconnects, peer.place("/a").disconnects) == (1, int(close))
    assert peer.link.closed is (FORCED if close else None)
    if not close:
        assert await peer.ask("x", namespace="/a") == ["ok"]
    assert other.link.closed is None
    assert len(world.sio.members()) == 1


async def test_disconnect_all_of_a_room_or_of_the_namespace_those_too_who_are_away() -> None:
    world, peer, other = await two()
    third = await world.entered("cid")
    for each in (peer, other):
        await world.sio.enter_room(each.sid, "room")
    other.drop()
    assert await world.sio.disconnect_all("nobody's") == 0
    assert await world.sio.disconnect_all("room") == 2
    peer.read()
    assert peer.place().disconnects == 1
    assert not await other.back()
    assert await world.sio.disconnect_all() == 2
    assert await world.sio.disconnect_all() == 0
    third.read()
    assert third.place().disconnects == 1
    await settle()
    assert world.is_empty


async def test_server_emit_reaches_no_client() -> None:
    world, peer, _ = await two()
    heard: list[Any] = []

    @world.sio.on_server_event("tell")
    async def tell(*arguments: Any) -> None:
        heard.append(arguments)

    await world.sio.server_emit("tell", 1, {"a": 2})
    await settle()
    assert peer.events() == heard == []  # the one node does not hear itself


# --- rooms that are channels --------------------------------------------------------------------------------------


async def mapped(**settings: Any) -> tuple[World, Peer]:
    """The room `1` of `/` is the channel `orders:1`, and the namespace as a whole `news`."""
    settings.setdefault(
        "namespaces",
        {"orders": NamespaceConfig(retention=10, subscribe="authenticated", publish="authenticated")},
    )
    socketio = {"rooms": {"/": "orders:{room}"}, "everyone": {"/": "news"}}
    world = await World(socketio=socketio, **settings).start()
    peer = await world.entered("alice")
    await world.sio.enter_room(peer.sid, "1")
    return world, peer


async def test_publications_reach_sockets_as_events() -> None:
    world, peer = await mapped()
    await operations.publish(world.hub, "orders:1", "paid", {"id": 7})
    await operations.publish(world.hub, "orders:2", "paid", {"id": 8})
    await operations.publish(world.hub, "news", "message", [1, 2])
    await operations.publish(world.hub, "news", "connect", 1)
    assert peer.events() == [["paid", {"id": 7}], ["message", [1, 2]], ["hubbub:connect", 1]]


@pytest.mark.parametrize(
    ("data", "shown"), [({"id": 7}, {"id": 7}), ((1, 2), [1, 2]), (None, []), ("a", "a")]
)
async def test_events_reach_native_sessions(data: Any, shown: Any) -> None:
    world, peer = await mapped()
    native = await world.connected("bob", "orders:1", "news")
    await world.sio.emit("paid", data, to="1")
    (push,) = native.take("publication")
    assert (push["channel"], push["event"], push["data"], push["offset"]) == ("orders:1", "paid", shown, 1)
    await world.sio.emit("all", data)
    (push,) = native.take("publication")
    assert (push["channel"], push["event"], push["data"]) == ("news", "all", shown)
    assert len(peer.events()) == 2


async def test_volatile_events_take_no_place_in_the_log() -> None:
    world, peer = await mapped()
    native = await world.connected("bob", "orders:1")
    await world.sio.emit("kept", 1, to="1")
    await world.sio.emit("seen", 2, to="1", volatile=True)
    await world.sio.emit("kept", 3, to="1")
    assert [event[1] for event in peer.events()] == native.texts() == [1, 2, 3]
    history = await world.hub.history("orders:1")
    assert [(each.event, each.offset) for each in history.publications] == [("kept", 1), ("kept", 2)]
    assert "seen" not in str(history)


async def test_a_room_whose_channel_could_not_be_named_so() -> None:
    world, peer = await mapped()
    for bad in ("a b", "#"):
        with pytest.raises(HubbubError) as refused:
            await world.sio.emit("x", to=bad)
        assert refused.value.code == ErrorCode.INVALID_CHANNEL
        with pytest.raises(HubbubError):
            await world.sio.enter_room(peer.sid, bad)
