"""Sockets among clients of other protocols: the same channels, commands, methods, presence and limits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.socketio.world import PYTHON, World, settle

from hubbub.config import NamespaceConfig
from hubbub.hub import operations
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio
MAPPED = {"rooms": {"/": "{room}"}, "everyone": {"/news": "news"}}
LOGGED = NamespaceConfig(
    retention=10, subscribe="authenticated", publish="authenticated", history="authenticated", presence="full"
)


async def world_of(**settings: Any) -> World:
    return await World(**{"socketio": MAPPED, "default": LOGGED, **settings}).start()


# --- events and publications ------------------------------------------------------------------------------------


async def test_what_a_native_client_and_the_rest_api_publish_is_an_event_in_the_room() -> None:
    world = await world_of()
    bob = await world.connected("bob", "chat:1")
    peer = await world.entered()
    python = await world.entered("carol", user_agent=PYTHON)
    for each in (peer, python):
        await world.sio.enter_room(each.sid, "chat:1")
    await bob.ask(type="publish", channel="chat:1", event="said", data={"text": "hi"})
    await operations.publish(world.hub, "chat:1", "price", [1, 2])
    expected = [["said", {"text": "hi"}], ["price", [1, 2]]]
    assert peer.events() == python.events() == expected


async def test_what_is_emitted_into_the_room_is_a_publication_with_a_place_in_the_log() -> None:
    world = await world_of()
    bob = await world.connected("bob", "chat:1")
    peer = await world.entered()
    await world.sio.enter_room(peer.sid, "chat:1")
    await world.sio.emit("said", {"text": "hi"}, to="chat:1")
    await world.sio.emit("said", ("a", b"\1\2"), to="chat:1", skip_sid=peer.sid)
    first, second = bob.take("publication")
    assert (first["event"], first["data"], first["offset"]) == ("said", {"text": "hi"}, 1)
    assert (second["data"], second["attachments"], second["spread"]) == (
        ["a", {"_placeholder": True, "num": 0}],
        ["AQI="],
        True,
    )
    assert peer.events() == [["said", {"text": "hi"}]]
    reply = await bob.ask(type="history", channel="chat:1")
    assert [each["offset"] for each in reply["result"]["publications"]] == [1, 2]


async def test_a_whole_namespace_is_a_channel() -> None:
    world = await world_of()
    bob = await world.connected("bob", "news")
    peer = await world.entered("alice", "/news")
    await bob.ask(type="publish", channel="news", event="flash", data=1)
    await world.sio.emit("late", 2, namespace="/news")
    assert peer.events("/news") == [["flash", 1], ["late", 2]]
    assert [each["event"] for each in bob.take("publication")] == ["flash", "late"]


async def test_those_in_two_rooms_get_it_once_and_native_clients_what_is_in_each_log() -> None:
    world = await world_of()
    bob = await world.connected("bob", "a", "b")
    peer = await world.entered()
    for room in ("a", "b"):
        await world.sio.enter_room(peer.sid, room)
    await world.sio.emit("x", 1, to=["a", "b"])
    assert peer.events() == [["x", 1]]
    assert [each["channel"] for each in bob.take("publication")] == ["a", "b"]


@pytest.mark.parametrize("arguments", ["one", "spread"])
async def test_data_of_publications_from_elsewhere_is_one_argument_or_several(arguments: str) -> None:
    world = await world_of(socketio={**MAPPED, "arguments": arguments})
    peer = await world.entered()
    await world.sio.enter_room(peer.sid, "a")
    await operations.publish(world.hub, "a", "x", [1, "two"])
    await operations.publish(world.hub, "a", "x", {"a": [1]})
    assert peer.events() == [
        ["x", 1, "two"] if arguments == "spread" else ["x", [1, "two"]],
        ["x", {"a": [1]}],
    ]


async def test_members_come_and_go_for_all_to_see() -> None:
    options = LOGGED.model_copy(update={"join_leave": True})
    world = await world_of(default=options)
    bob = await world.connected("bob", "a")
    peer = await world.entered()
    await world.sio.enter_room(peer.sid, "a")
    await world.connected("carol", "a")
    joins = [(name, push["member"]["user"]) for name, push in peer.events()]
    assert joins == [("hubbub:join", "alice"), ("hubbub:join", "carol")]
    assert [each["member"]["user"] for each in bob.take("join")][-2:] == ["alice", "carol"]
    reply = await bob.ask(type="presence", channel="a")
    assert reply["result"]["users"] == 3


async def test_who_comes_back_after_a_while_is_present_again() -> None:
    world = await world_of(sessions={"presence_grace": 5})
    peer = await world.entered()
    await world.sio.enter_room(peer.sid, "a")
    await world.sio.emit("x")
    peer.read()
    peer.drop()
    world.clock.advance(6)
    await settle()
    assert (await world.presence.members("a", 9)).sessions == 0
    assert await peer.back()
    await settle()
    assert (await world.presence.members("a", 9)).sessions == 1


async def test_namespaces_may_share_a_room_and_each_knows_its_own_sockets_in_it() -> None:
    world = await world_of(socketio={"rooms": {"/*": "{room}"}})
    peer = await world.entered("alice", "/a", "/b")
    for namespace in ("/a", "/b"):
        await world.sio.enter_room(peer.places[namespace].sid, "both")
    await world.sio.emit("x", 1, to="both", namespace="/a")
    assert peer.events("/a") == peer.events("/b") == [["x", 1]]
    for namespace in ("/a", "/b"):
        (socket,) = world.sio.members("both", namespace)
        assert socket.sid == peer.places[namespace].sid
    assert await world.sio.disconnect_all("both", "/a") == 1
    assert world.sio.members("both", "/b")


# --- what a socket asks of the hub ------------------------------------------------------------------------------


async def test_a_socket_may_subscribe_publish_and_recover_like_everybody() -> None:
    world = await world_of()
    bob = await world.connected("bob", "a")
    peer = await world.entered()
    (subscribed,) = await peer.ask("hubbub:subscribe", {"channel": "a"})
    assert (subscribed["type"], subscribed["recoverable"]) == ("subscribed", True)
    (published,) = await peer.ask("hubbub:publish", {"channel": "a", "event": "said", "data": 1})
    assert published["position"]["offset"] == 1
    assert [each["data"] for each in bob.take("publication")] == [1]
    assert peer.events() == [["said", 1]]
    assert "a" in world.sio.rooms(peer.sid)
    peer.drop()
    await bob.ask(type="publish", channel="a", data=2)
    assert await peer.back()
    assert peer.events() == [["message", 2]]
    assert (await peer.ask("hubbub:unsubscribe", {"channel": "a"}))[0]["type"] == "result"
    world.policy.refuse.add(("subscribe", "b"))
    assert (await peer.ask("hubbub:subscribe", {"channel": "b"}))[0]["error"]["name"] == "permission_denied"


@pytest.mark.parametrize("channel", ["socketio:#/", "socketio:#/,room", "socketio:##", "session:x"])
async def test_but_not_to_what_is_the_server_s(channel: str) -> None:
    world = await world_of()
    victim, peer = await world.entered("bob"), await world.entered()
    for command in ("subscribe", "publish", "history", "presence"):
        fields = {"channel": channel, **({"data": 1} if command == "publish" else {})}
        (answer,) = await peer.ask(f"hubbub:{command}", fields)
        assert answer["error"]["name"] in ("invalid_channel", "permission_denied")
    assert victim.events() == []


class Order(msgspec.Struct):
    id: int


async def test_methods_for_all_protocols_are_events_too() -> None:
    world = World()

    async def order(session: Any, params: Order) -> dict[str, Any]:
        return {"user": session.user, "id": params.id}

    world.handlers.add("order", order)
    await world.start()
    peer, native = await world.entered(), await world.connected("bob")
    assert await peer.ask("order", {"id": 7}) == [{"user": "alice", "id": 7}]
    assert (await native.ask(type="call", method="order", params={"id": 7}))["result"] == {
        "user": "bob",
        "id": 7,
    }


async def test_which_handler_comes_first() -> None:
    """The namespace's own, then what is Hubbub's own, then the catch-all, then methods for all protocols."""
    world = World()
    seen: list[str] = []

    async def method(session: Any) -> str:
        return "method"

    for name in ("own", "other"):
        world.handlers.add(name, method)
    world.sio.on("own", lambda socket: "handler")
    world.sio.on("hubbub:ping", lambda socket: "mine", "/a")

    await world.start()
    peer = await world.entered("alice", "/", "/a")
    assert await peer.ask("own") == ["handler"]
    assert await peer.ask("other") == ["method"]
    assert (await peer.ask("hubbub:ping"))[0]["type"] == "result"
    assert await peer.ask("hubbub:ping", namespace="/a") == ["mine"]

    @world.sio.on("*")
    async def anything(event: str, socket: Socket, *arguments: Any) -> str:
        seen.append(event)
        return "anything"

    assert await peer.ask("other") == ["anything"]
    assert (await peer.ask("hubbub:ping"))[0]["type"] == "result"
    assert (await peer.ask("hubbub:unknown"))[0]["error"]["name"] == "method_not_found"
    assert seen == ["other"]


async def test_commands_may_be_turned_off() -> None:
    world = World(socketio={"commands": False})
    seen: list[str] = []

    @world.sio.on("*", namespace="/a")
    async def anything(event: str, socket: Socket) -> None:
        seen.append(event)

    await world.start()
    peer = await world.entered("alice", "/", "/a")
    assert (await peer.ask("hubbub:ping"))[0]["error"]["name"] == "method_not_found"
    assert await peer.ask("hubbub:ping", namespace="/a") == []
    assert seen == ["hubbub:ping"]


async def test_limits_are_those_of_everybody() -> None:
    world = await world_of(limits={"subscriptions": 3, "channels": 4})
    peer = await world.entered()
    for room in ("a", "b"):
        await world.sio.enter_room(peer.sid, room)
    (answer,) = await peer.ask("hubbub:subscribe", {"channel": "c"})
    assert answer["error"]["name"] == "limit_exceeded"
    other = await world.entered("bob")
    await world.sio.enter_room(other.sid, "d")
    assert (await world.peer("carol").refused("/news"))["data"]["name"] == "limit_exceeded"
    await settle()
    assert len(world.hub.sessions) == 2
