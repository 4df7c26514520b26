"""To whom an event goes: each once, in its own namespace, now or when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.socketio.world import PYTHON, Peer, World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


class Room:
    """Clients by name, in rooms: `a` in 1; `b` in 1 and 2; `c` in 2; `d` in none."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sio = world.sio
        self.peers: dict[str, Peer] = {}

    async def fill(self, **link: Any) -> Room:
        for name, rooms in (("a", "1"), ("b", "12"), ("c", "2"), ("d", "")):
            self.peers[name] = await self.world.entered(name, **link)
            for room in rooms:
                await self.sio.enter_room(self.sid(name), room)
        return self

    def sid(self, name: str) -> str:
        return self.peers[name].sid

    def sids(self, names: str) -> list[str]:
        return [self.sid(name) for name in names]

    def got(self) -> str:
        """The names of those who got an event, as often as they did."""
        return "".join(name for name, peer in self.peers.items() for _ in peer.events())


async def room(**settings: Any) -> Room:
    return await Room(await World(**settings).start()).fill()


# --- to whom ----------------------------------------------------------------------------------------------------

Emit = Callable[[Room], Awaitable[None]]


@pytest.mark.parametrize(
    ("emit", "expected"),
    [
        (lambda it: it.sio.emit("x"), "abcd"),
        (lambda it: it.sio.emit("x", to="1"), "ab"),
        (lambda it: it.sio.emit("x", room="2"), "bc"),
        (lambda it: it.sio.emit("x", to=["1", "2"]), "abc"),
        (lambda it: it.sio.emit("x", to=("2", "1", "2")), "abc"),
        (lambda it: it.sio.emit("x", to="nobody"), ""),
        (lambda it: it.sio.emit("x", to=[]), ""),
        (lambda it: it.sio.emit("x", to=it.sid("d")), "d"),
        (lambda it: it.sio.emit("x", to=it.sio.socket(it.sid("d"))), "d"),
        (lambda it: it.sio.emit("x", to=it.sids("ad")), "ad"),
        (lambda it: it.sio.emit("x", to=[*it.sids("dda"), "1"]), "abd"),
        (lambda it: it.sio.emit("x", skip_sid=it.sid("a")), "bcd"),
        (lambda it: it.sio.emit("x", skip_sid=it.sio.socket(it.sid("a"))), "bcd"),
        (lambda it: it.sio.emit("x", skip_sid=it.sids("ab")), "cd"),
        (lambda it: it.sio.emit("x", skip_sid=[it.sio.socket(it.sid("a")), it.sid("b"), "x"]), "cd"),
        (lambda it: it.sio.emit("x", skip_sid=[]), "abcd"),
        (lambda it: it.sio.emit("x", to="1", skip_sid=it.sid("b")), "a"),
        (lambda it: it.sio.emit("x", to=["1", "2"], skip_sid=it.sids("bc")), "a"),
        (lambda it: it.sio.emit("x", to=it.sids("ab"), skip_sid=it.sid("b")), "a"),
        (lambda it: it.sio.emit("x", to=[*it.sids("ab"), "2"], skip_sid=it.sids("bc")), "a"),
        (lambda it: it.sio.emit("x", unless="1"), "cd"),
        (lambda it: it.sio.emit("x", unless=["1", "2"]), "d"),
        (lambda it: it.sio.emit("x", to="1", unless="2"), "a"),
        (lambda it: it.sio.emit("x", to=["1", "2"], unless="nobody"), "abc"),
        (lambda it: it.sio.emit("x", to=it.sids("abd"), unless="2"), "ad"),
        (lambda it: it.sio.emit("x", to=[*it.sids("d"), "1"], unless="2", skip_sid=it.sid("a")), "d"),
        (lambda it: it.sio.emit("x", user="c"), "c"),
        (lambda it: it.sio.emit("x", user="nobody"), ""),
        (lambda it: it.sio.send("hello", to="1"), "ab"),
        (lambda it: it.sio.emit("x", to="1", volatile=True), "ab"),
        (lambda it: it.sio.emit("x", to=["1", "2"], volatile=True), "abc"),
        (lambda it: it.sio.emit("x", to=it.sids("ad"), volatile=True), "ad"),
        (lambda it: it.sio.emit("x", volatile=True, unless="1"), "cd"),
        (lambda it: it.sio.socket(it.sid("a")).broadcast("x"), "bcd"),
        (lambda it: it.sio.socket(it.sid("a")).broadcast("x", to="1"), "b"),
        (lambda it: it.sio.socket(it.sid("a")).broadcast("x", to=["1", "2"]), "bc"),
        (lambda it: it.sio.socket(it.sid("a")).emit("x"), "a"),
    ],
)
@pytest.mark.parametrize("agent", ["Mozilla/5.0", PYTHON])
async def test_who_gets_it(emit: Emit, expected: str, agent: str) -> None:
    it = await Room(await World().start()).fill(user_agent=agent)
    await emit(it)
    assert it.got() == expected


async def test_a_namespace_hears_only_its_own() -> None:
    world = World()
    world.sio.on("x", lambda socket: None, "/chat")
    await world.start()
    peer = await world.entered("alice", "/", "/chat")
    here, there = peer.sid, peer.places["/chat"].sid
    for namespace, sid in (("/", here), ("/chat", there)):
        await world.sio.enter_room(sid, "room")
        await world.sio.emit("all", namespace=namespace)
        await world.sio.emit("room", to="room", namespace=namespace)
        await world.sio.emit("sid", to=sid, namespace=namespace)
        await world.sio.emit("user", user="alice", namespace=namespace)
    await world.sio.emit("lost", to=there)  # nobody in `/` has this sid
    await world.sio.emit("socket", to=world.sio.socket(there))  # which knows where it is
    names = [["all"], ["room"], ["sid"], ["user"]]
    assert peer.events() == names
    assert peer.events("/chat") == [*names, ["socket"]]


async def test_those_who_are_away_get_it_later() -> None:
    it = await room()
    a, d = it.peers["a"], it.peers["d"]
    a.drop()
    d.drop()
    await it.sio.emit("x", to="1")
    await it.sio.emit("y", to=it.sids("d"))
    await it.sio.emit("z", user="d")
    assert await a.back()
    assert await d.back()
    assert (a.events(), d.events()) == ([["x"]], [["y"], ["z"]])


async def test_nothing_is_sent_to_anybody_if_one_of_the_rooms_cannot_be() -> None:
    it = await room()
    for to in (["1", ""], ["1", "r" * 256], [*it.sids("a"), ""]):
        with pytest.raises(HubbubError) as refusal:
            await it.sio.emit("x", to=to)
        assert refusal.value.code is ErrorCode.BAD_REQUEST
    with pytest.raises(HubbubError):
        await it.sio.emit("x", to="1", unless="")
    assert it.got() == ""


# --- volatile ---------------------------------------------------------------------------------------------------


async def test_their_offset_is_that_of_what_came_before() -> None:
    it = await room()
    peer = it.peers["a"]
    await it.sio.emit("x", "one")
    peer.events()
    before = peer.place().offset
    for to in ("1", peer.sid):
        await it.sio.emit("x", "text", to=to, volatile=True)
        assert peer.events() == [["x", "text"]]
        assert peer.place().offset == before


async def test_a_client_that_is_being_let_in_is_not_ready() -> None:
    world = World()
    gate = asyncio.Event()

    @world.sio.event
    async def connect(socket: Socket) -> None:
        await gate.wait()

    await world.start()
    peer = world.peer()
    peer.connect()
    await settle()
    await world.sio.emit("x", volatile=True)
    await world.sio.emit("y")
    gate.set()
    await settle()
    assert peer.events() == [["y"]]
