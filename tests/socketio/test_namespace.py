"""Namespaces as classes: methods that are handlers, and the server's own in one namespace."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from tests.socketio.world import World, settle

from hubbub.socketio.namespace import Namespace
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


class Chat(Namespace):
    def __init__(self, *names: Any, **options: Any) -> None:
        super().__init__(*names, **options)
        self.seen: list[str] = []

    async def on_connect(self, socket: Socket) -> None:
        self.seen.append("connect")

    async def on_disconnect(self, socket: Socket, reason: str) -> None:
        self.seen.append(reason)

    async def on_say(self, socket: Socket, text: str) -> str:
        await self.emit("said", text, skip_sid=socket)
        return text.upper()

    def on_two_words(self, socket: Socket) -> str:
        return "plain"

    def helper(self) -> None: ...


async def test_methods_are_handlers() -> None:
    world = World()
    chat = Chat("/chat")
    world.sio.register_namespace(chat)
    assert chat.server is world.sio
    await world.start()
    peer, other = await world.entered("alice", "/chat"), await world.entered("bob", "/chat")
    assert await peer.ask("say", "hello", namespace="/chat") == ["HELLO"]
    assert other.events("/chat") == [["said", "hello"]]
    assert peer.events("/chat") == []
    assert await peer.ask("two_words", namespace="/chat") == ["plain"]
    peer.send("1/chat,")
    await settle()
    assert chat.seen == ["connect", "connect", "client namespace disconnect"]
    with pytest.raises(TypeError):
        world.sio.register_namespace(Chat("/chat"))


async def test_its_methods_are_the_server_s_in_its_namespace() -> None:
    world = World()
    chat = Chat("/chat")
    world.sio.register_namespace(chat)
    await world.start()
    peer, other = await world.entered("alice", "/", "/chat"), await world.entered("bob", "/chat")
    sid = peer.places["/chat"].sid
    await chat.emit("x", 1, to=sid)
    await chat.send("text")
    assert peer.events("/chat") == [["x", 1], ["message", "text"]]
    assert other.events("/chat") == [["message", "text"]]
    calling = asyncio.create_task(chat.call("ask", 2, to=sid))
    assert await peer.answered(3, namespace="/chat") == ["ask", 2]
    assert await calling == 3
    calling = asyncio.create_task(chat.call("ask", 2, sid=sid, timeout=30))
    assert await peer.answered(4, namespace="/chat") == ["ask", 2]
    assert await calling == 4
    asking = asyncio.create_task(chat.call_all("all", skip_sid=sid, timeout=30))
    assert await other.answered(5, namespace="/chat") == ["all"]
    assert await asking == ((5,), 0)
    await chat.enter_room(sid, "r")
    await chat.enter_room(sid, "s")
    assert chat.rooms(sid) == {sid, "r", "s"}
    assert [socket.sid for socket in chat.members("r")] == [sid]
    assert len(chat.members()) == 2
    assert chat.socket(sid) is world.sio.socket(sid)
    assert world.sio.members("r") == []
    await chat.leave_room(sid, "r")
    await chat.close_room("s")
    assert chat.rooms(sid) == {sid}
    await chat.save_session(sid, {"a": 1})
    assert await chat.get_session(sid) == {"a": 1}
    async with chat.session(sid) as session:
        session["b"] = 2
    assert world.sio.socket(sid).data == {"a": 1, "b": 2}


async def test_it_ends_one_socket_all_that_a_client_has_or_all_sockets_in_it() -> None:
    world = World()
    chat = Chat("/chat")
    world.sio.register_namespace(chat)
    await world.start()
    one, both, last = [await world.entered(name, "/", "/chat") for name in ("one", "both", "last")]
    await chat.disconnect(one.places["/chat"].sid)
    await chat.disconnect(both.places["/chat"].sid, close=True)
    assert await chat.disconnect_all("nobody") == 0
    assert await chat.disconnect_all() == 1
    for peer in (one, both, last):
        peer.read()
    assert [peer.place("/chat").disconnects for peer in (one, both, last)] == [1, 1, 1]
    assert [peer.place().disconnects for peer in (one, both, last)] == [0, 1, 0]
    assert [peer.link.closed is not None for peer in (one, both, last)] == [False, True, False]


async def test_a_namespace_of_a_pattern_has_no_name_to_emit_to() -> None:
    world = World()
    chat = Chat(re.compile("/chat-.*"))
    world.sio.register_namespace(chat)
    await world.start()
    peer = await world.entered("alice", "/chat-1")
    for refused in (
        chat.emit("x"),
        chat.send("x"),
        chat.call("x"),
        chat.call_all("x"),
        chat.close_room("x"),
        chat.disconnect_all(),
    ):
        with pytest.raises(TypeError, match="dynamic namespace"):
            await refused
    with pytest.raises(TypeError, match="dynamic namespace"):
        chat.members()
    assert await peer.ask("two_words", namespace="/chat-1") == ["plain"]
