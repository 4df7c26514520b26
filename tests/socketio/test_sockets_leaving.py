"""How sockets end, what their handlers are told, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from tests.socketio.world import CHROME, PYTHON, Peer, World, settle

from hubbub.errors import (
    BAD_COMMAND,
    DRAIN,
    EXPIRED,
    FLOOD,
    FORCED,
    REVOKED,
    SLOW,
    Disconnect,
)
from hubbub.hub import operations
from hubbub.hub.session import Session
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


class Stage:
    """A world that writes down what its handlers of `connect` and `disconnect` are told, in `/` and `/a`."""

    def __init__(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.told: list[Any] = []
        self.gate: asyncio.Event | None = None
        for namespace in ("/", "/a"):

            @self.world.sio.on("connect", namespace=namespace)
            async def connect(socket: Socket) -> None:
                await socket.join("room")
                socket.data["of"] = socket.namespace

            @self.world.sio.on("disconnect", namespace=namespace)
            async def disconnect(socket: Socket, reason: str) -> None:
                if self.gate is not None:
                    await self.gate.wait()
                self.told.append((socket.data["of"], reason, "room" in socket.rooms))

            self.world.sio.on("note", lambda socket, name: self.told.append(name), namespace)

    async def peer(self, *namespaces: str, **link: Any) -> Peer:
        await self.world.start()
        return await self.world.entered("alice", *namespaces, **link)


REASONS = ["transport close", "transport error", "ping timeout", "parse error", "server shutting down"]


@pytest.mark.parametrize("why", REASONS)
@pytest.mark.parametrize("agent", [CHROME, PYTHON])
async def test_each_namespace_is_told_once_why_the_link_is_down(why: str, agent: str) -> None:
    it = Stage()
    peer = await it.peer("/", "/a", user_agent=agent)
    peer.drop(why)
    await settle()
    assert it.told == [("/", why, True), ("/a", why, True)]
    assert len(it.world.hub.sessions) == (2 if agent == CHROME else 0)
    it.world.clock.advance(121)
    await settle()
    assert len(it.told) == 2
    assert it.world.is_empty


@pytest.mark.parametrize("why", ["parse error", "forced close"])
async def test_a_link_after_which_there_is_no_recovery_leaves_nothing(why: str) -> None:
    it = Stage()
    peer = await it.peer("/", "/a")
    peer.drop(why, resumable=False)
    assert it.world.is_empty
    await settle()
    assert it.told == [("/", why, True), ("/a", why, True)]


async def test_a_client_leaves_one_namespace() -> None:
    it = Stage()
    peer = await it.peer("/", "/a")
    peer.send("1/a,")
    await settle()
    assert it.told == [("/a", "client namespace disconnect", True)]
    assert [session.id for session in it.world.hub.sessions.values()] == [peer.sid]
    peer.drop()
    await settle()
    assert it.told[1:] == [("/", "transport close", True)]


async def test_what_a_client_has_sent_is_handled_before_it_is_said_to_be_gone() -> None:
    it = Stage()
    gate = asyncio.Event()

    @it.world.sio.event
    async def wait(socket: Socket) -> None:
        await gate.wait()
        it.told.append("waited")

    for agent, ends in ((CHROME, "drop"), (PYTHON, "drop"), (CHROME, "leave")):
        it.told.clear()
        gate.clear()
        peer = await it.peer("/", user_agent=agent)
        peer.emit("wait")
        peer.emit("note", "after")
        peer.send("1") if ends == "leave" else peer.drop()
        await settle()
        assert it.told == []
        gate.set()
        await settle()
        why = "transport close" if ends == "drop" else "client namespace disconnect"
        assert it.told == ["waited", "after", ("/", why, True)]


@pytest.mark.parametrize(
    ("reason", "closes", "pushed"),
    [
        (FORCED, False, False),
        (REVOKED, False, True),
        (FLOOD, True, True),
        (BAD_COMMAND, True, True),
        (Disconnect(4001, "custom", "because", "none"), False, True),
    ],
)
async def test_the_server_ends_a_socket_for_good(reason: Disconnect, closes: bool, pushed: bool) -> None:
    it = Stage()
    peer = await it.peer("/", "/a")
    it.world.hub.end(it.world.hub.sessions[peer.places["/a"].sid], reason)
    await settle()
    peer.read()
    place = peer.places["/a"]
    push = {"type": "disconnect", "code": reason.code, "reason": reason.text, "reconnect": False}
    assert place.events == ([["hubbub:disconnect", push]] if pushed else [])
    assert place.disconnects == 1
    assert it.told[0] == ("/a", "server namespace disconnect", True)
    assert peer.link.closed is (reason if closes else None)
    if closes:
        assert it.told[1:] == [("/", "forced close", True)]
    else:
        assert len(it.told) == 1
        assert await peer.ask("note", "alive") == []


@pytest.mark.parametrize("reason", [DRAIN, SLOW, EXPIRED])
async def test_or_the_whole_link_where_the_client_shall_come_back(reason: Disconnect) -> None:
    it = Stage()
    peer = await it.peer("/", "/a")
    session = it.world.hub.sessions[peer.sid]
    if reason is EXPIRED:
        it.world.hub.end(session, reason)
    else:
        assert session.connection is not None
        session.connection.close(reason)
    assert peer.link.closed is reason
    peer.read()
    assert peer.place().disconnects == 0
    assert peer.place().events[-1][0] == "hubbub:disconnect"
    await settle()
    assert sorted(it.told) == [("/", "forced close", True), ("/a", "forced close", True)]
    assert len(it.world.hub.sessions) == (0 if reason is EXPIRED else 2)


async def test_aborting_takes_the_link_down_at_once() -> None:
    it = Stage()
    peer = await it.peer("/")
    connection = it.world.hub.sessions[peer.sid].connection
    assert connection is not None
    connection.abort(SLOW)
    assert peer.link.aborted


async def test_a_token_that_runs_out_ends_its_sockets() -> None:
    it = Stage(auth={"expiry_grace": 5})
    it.world.policy.expires = it.world.clock.now() + 60
    peer = await it.peer("/")
    it.world.clock.advance(64)
    assert peer.link.closed is None
    it.world.clock.advance(3)
    assert peer.link.closed is EXPIRED
    assert it.world.is_empty


async def test_what_operators_end_is_told_like_everything_else() -> None:
    it = Stage()
    peer = await it.peer("/", "/a")
    assert (await operations.disconnect(it.world.hub, user="alice")).count == 2
    await settle()
    assert sorted(it.told) == [(each, "server namespace disconnect", True) for each in ("/", "/a")]
    assert peer.link.closed is None
    assert it.world.is_empty


async def test_a_socket_that_is_away_ends_silently() -> None:
    it = Stage()
    peer = await it.peer("/")
    peer.drop()
    await settle()
    await it.world.sio.disconnect(peer.sid)
    await settle()
    assert it.told == [("/", "transport close", True)]
    assert it.world.is_empty


@pytest.mark.parametrize("parameters", [0, 1, 2])
async def test_handlers_of_disconnect_take_what_they_want(parameters: int) -> None:
    world = World()
    told: list[Any] = []
    handlers: list[Any] = [
        lambda socket: told.append(()),
        lambda socket, reason: told.append((reason,)),
        lambda socket, *rest: told.append(rest),
    ]
    world.sio.on("disconnect", handlers[parameters])
    await world.start()
    (await world.entered()).drop("ping timeout")
    await settle()
    assert told == [() if parameters == 0 else ("ping timeout",)]


async def test_a_handler_that_fails_or_never_ends_harms_nobody() -> None:
    world = World(limits={"call_timeout": 0.01})

    @world.sio.event
    async def disconnect(socket: Socket, reason: str) -> None:
        if socket.user == "alice":
            raise ValueError("no")
        await asyncio.Event().wait()

    await world.start()
    alice, bob = await world.entered("alice"), await world.entered("bob")
    alice.drop(resumable=False)
    bob.drop(resumable=False)
    await world.hub.stop()
    assert world.metrics.handler_errors == 2
    assert not world.sockets.by_id


async def test_hooks_for_all_protocols_are_told_when_it_is_over() -> None:
    it = Stage()

    async def hook(session: Session) -> None:
        it.told.append(("hook", session.user))

    it.world.handlers.add_hook(it.world.handlers.disconnected, hook)
    peer = await it.peer("/")
    peer.drop()
    await settle()
    assert ("hook", "alice") not in it.told
    it.world.clock.advance(121)
    await settle()
    assert it.told[-1] == ("hook", "alice")


async def test_data_and_rooms_are_there_when_it_is_told_and_messages_reach_the_others() -> None:
    world = World()
    told: list[Any] = []

    @world.sio.event
    async def disconnect(socket: Socket, reason: str) -> None:
        session = await world.sio.get_session(socket)
        async with world.sio.session(socket) as same:
            assert same is session
        await world.sio.save_session(socket, {"name": "Al"})
        told.append((session["name"], world.sio.rooms(socket) - {socket.sid}))
        await socket.broadcast("left", session["name"], to="room")
        await socket.emit("nobody gets it")

    await world.start()
    alice, bob = await world.entered("alice"), await world.entered("bob")
    for peer in (alice, bob):
        await world.sio.enter_room(peer.sid, "room")
        await world.sio.save_session(peer.sid, {"name": "Al" if peer is alice else "Bo"})
    alice.send("1")
    await settle()
    assert told == [("Al", frozenset({"room"}))]
    assert bob.events() == [["left", "Al"]]


async def test_nothing_holds_what_is_over() -> None:
    world = World()
    world.sio.on("connect", lambda socket: None)
    world.sio.on("x", lambda socket: None)
    await world.start()
    peer = await world.entered()
    await peer.ask("x")
    connection = world.sockets.by_id[peer.sid]
    assert peer.link.client is not None
    gone = [weakref.ref(each) for each in (connection.codec, connection.socket.session)]
    peer.send("1")
    peer.drop()
    del connection
    await settle()
    gc.collect()
    assert [each() for each in gone] == [None, None]
    assert not world.sockets._codecs
