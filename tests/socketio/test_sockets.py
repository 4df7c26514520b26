"""How a client enters a namespace, or is refused, and what may happen while it waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.socketio.world import World, settle
from tests.waiting import until

from hubbub.config import NamespaceConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Principal
from hubbub.socketio.socket import Socket
from hubbub.socketio.sockets import ConnectionRefused

pytestmark = pytest.mark.anyio


# --- the welcome ------------------------------------------------------------------------------------------------


async def test_what_a_connect_handler_emits_comes_after_the_answer_and_in_its_order() -> None:
    world = await World().start()

    @world.sio.event
    async def connect(socket: Socket) -> None:
        await socket.join("room")
        await socket.emit("direct", 1)
        await world.sio.emit("to room", 2, to="room")
        await asyncio.sleep(0)
        await world.sio.emit("to all", 3)
        await world.sio.emit("binary", b"\1", to=socket)

    peer = world.peer()
    peer.connect()
    await settle()
    texts = peer.texts()
    assert [text[:1] for text in texts[:-1]] == ["0", "2", "2", "2", "5"]
    assert texts[-1] == b"\1"
    names = [re.findall(r'\["(.*?)"', str(text))[0] for text in texts[1:-1]]
    assert names == ["direct", "to room", "to all", "binary"]


async def test_handlers_of_connect_are_told_of_the_request_and_of_auth() -> None:
    world = World()
    told: list[Any] = []

    @world.sio.event
    async def connect(socket: Socket, environ: Any, auth: Any) -> None:
        told.append((environ["HTTP_COOKIE"], environ["QUERY_STRING"], environ["REMOTE_ADDR"], auth))
        assert socket.environ is environ
        told.append((socket.user, socket.namespace, socket.transport, socket.connected, socket.recovered))

    await world.start()
    peer = await world.entered(headers=(("cookie", "a=1"),), query="EIO=4&x=1")
    assert told == [
        ("a=1", "EIO=4&x=1", "192.0.2.7", {"token": "alice"}),
        ("alice", "/", "websocket", True, False),
    ]
    assert world.sio.socket(peer.sid).environ == {}


async def test_auth_is_none_where_a_client_sends_none() -> None:
    world = World()
    told: list[Any] = []

    async def authenticate(token: str | None, info: Any) -> Principal:
        return Principal("")

    world.policy.authenticate = authenticate  # type: ignore[method-assign]

    @world.sio.event
    def connect(socket: Socket, environ: Any, auth: Any) -> None:
        told.append(auth)

    await world.start()
    await world.entered(None)
    peer = world.peer(None)
    peer.send("0{}")
    await settle()
    assert told == [None, None]


class Auth(msgspec.Struct):
    token: str
    version: int


async def test_annotated_parameters_of_connect_are_validated() -> None:
    world = World()
    told: list[Any] = []

    @world.sio.event
    async def connect(socket: Socket, environ: dict[str, Any], auth: Auth) -> None:
        told.append(auth)

    await world.start()
    refusal = await world.peer().refused()
    assert (refusal["data"]["name"], refusal["data"]["field"]) == ("validation_failed", "arguments[1]")
    await world.peer().enter(version=3)
    assert told == [Auth("alice", 3)]


async def test_a_second_namespace_sees_the_same_request() -> None:
    """A policy that reads cookies must find them again."""
    world = World()
    seen: list[Any] = []
    authenticate = world.policy.authenticate

    async def by_cookie(token: str | None, info: Any) -> Principal:
        seen.append(info.headers)
        return await authenticate(token, info)

    world.policy.authenticate = by_cookie  # type: ignore[method-assign]

    @world.sio.on("connect", namespace="/chat")
    async def connect(socket: Socket, environ: dict[str, Any]) -> None:
        seen.append(environ.get("HTTP_COOKIE"))

    await world.start()
    headers = (("cookie", "a=1"),)
    peer = await world.entered("alice", "/", "/chat", headers=headers)
    assert seen == [headers, headers, "a=1"]
    assert all(session.info.headers == () for session in world.hub.sessions.values())
    assert peer.link.info.headers == headers


async def test_headers_are_let_go_where_there_is_no_second_namespace() -> None:
    world = await World().start()
    world.sio.on("x", lambda socket: None)
    peer = await world.entered(headers=(("cookie", "a=1"),))
    assert peer.link.info.headers == ()


# --- who is let in ----------------------------------------------------------------------------------------------


async def test_the_token_in_auth_says_who_it_is() -> None:
    world = await World().start()
    peer = await world.entered("bob")
    assert world.hub.sessions[peer.sid].user == "bob"
    for token, code, name in ((None, 101, "unauthenticated"), ("bad", 102, "invalid_token")):
        peer = world.peer(token)
        refusal = await peer.refused()
        assert (refusal["data"]["code"], refusal["data"]["name"]) == (code, name)
        assert refusal["message"] == refusal["data"]["message"]
        assert peer.link.closed is None
        assert peer.link.client is not None
        assert not peer.link.client.admitted
    peer = world.peer(None)
    peer.send('0{"token":7}')
    await settle()
    peer.read()
    assert peer.place().refusals[0]["data"]["code"] == 101
    assert world.metrics.errors == {101: 2, 102: 1}


async def test_a_namespace_that_is_not_there_is_refused_in_the_reference_s_words() -> None:
    world = await World().start()
    peer = await world.entered()
    assert await peer.refused("/none") == {"message": "Invalid namespace"}
    assert peer.link.closed is None


async def test_a_namespace_that_is_mapped_is_there() -> None:
    world = await World(
        socketio={"rooms": {"/orders": "orders:{room}"}, "everyone": {"/news": "news"}}
    ).start()
    await world.entered("alice", "/orders", "/news")


async def test_dynamic_namespaces_by_pattern_and_by_predicate() -> None:
    world = World()
    seen: list[str] = []

    async def is_team(name: str, auth: Any) -> bool:
        await asyncio.sleep(0)
        return bool(name == f"/team-{auth.get('team')}")

    @world.sio.on("x", namespace=re.compile(r"/room-\d+"))
    @world.sio.on("x", namespace=is_team)
    async def x(socket: Socket) -> None:
        seen.append(socket.namespace)

    await world.start()
    peer = world.peer()
    await peer.enter("/room-12")
    await peer.enter("/team-a", team="a")
    assert (await peer.refused("/team-b", team="a"))["message"] == "Invalid namespace"
    assert (await peer.refused("/room-x", team="b"))["message"] == "Invalid namespace"
    peer.emit("x", namespace="/room-12")
    peer.emit("x", namespace="/team-a")
    await settle()
    assert seen == ["/room-12", "/team-a"]


async def test_a_predicate_that_fails_or_never_answers_lets_nobody_in() -> None:
    world = World(limits={"call_timeout": 0.01})

    async def hang(name: str, auth: Any) -> bool:
        if name == "/fail":
            raise ValueError("no")
        return bool(await asyncio.Event().wait())

    world.sio.on("x", lambda socket: None, hang)
    await world.start()
    peer = world.peer()
    assert (await peer.refused("/fail"))["message"] == "internal error"
    peer.connect("/hang")
    await until(lambda: bool(peer.refusals("/hang")))
    assert world.metrics.handler_errors == 2


REFUSALS: list[tuple[Callable[[], Any], str, Any]] = [
    (lambda: ConnectionRefused("go away", {"why": [1]}), "go away", {"why": [1]}),
    (lambda: ConnectionRefused("go away"), "go away", None),
    (lambda: ConnectionRefused(), "Connection rejected by server", None),
    (lambda: ConnectionRefused("bytes", b"\1"), "bytes", "AQ=="),
    (
        lambda: HubbubError(ErrorCode.PERMISSION_DENIED, "not you", field="auth.x"),
        "not you",
        {"code": 104, "name": "permission_denied", "message": "not you", "field": "auth.x"},
    ),
    (
        lambda: ValueError("a secret of the server"),
        "internal error",
        {"code": 100, "name": "internal", "message": "internal error", "temporary": True},
    ),
    (
        lambda: ConnectionRefused("no JSON", object()),
        "internal error",
        {"code": 100, "name": "internal", "message": "internal error", "temporary": True},
    ),
]


@pytest.mark.parametrize(("error", "message", "data"), REFUSALS)
async def test_a_connect_handler_refuses(error: Callable[[], Any], message: str, data: Any) -> None:
    world = World()

    @world.sio.event
    async def connect(socket: Socket) -> None:
        await socket.join("room")
        await socket.emit("never", 1)
        raise error()

    @world.sio.event
    async def disconnect(socket: Socket) -> None:
        raise AssertionError("it never was connected")

    await world.start()
    peer = world.peer()
    refusal = await peer.refused()
    assert refusal == {"message": message} | ({} if data is None else {"data": data})
    assert peer.texts() == []
    assert peer.link.closed is None
    assert peer.link.client is not None
    assert not peer.link.client.admitted
    await settle()
    assert world.is_empty
    assert (await peer.refused())["message"] == message  # it may try again


@pytest.mark.parametrize("verdict", [False, None, True, 0, ""])
async def test_false_refuses_and_nothing_else_that_is_returned(verdict: Any) -> None:
    world = World()
    world.sio.on("connect", lambda socket: verdict)
    await world.start()
    peer = world.peer()
    if verdict is False:
        assert await peer.refused() == {"message": "Connection rejected by server"}
        assert world.is_empty
    else:
        await peer.enter()


async def test_a_refused_namespace_leaves_the_others_alone() -> None:
    world = World()
    world.sio.on("connect", lambda socket: False, "/a")
    world.sio.on("x", lambda socket: "fine")
    await world.start()
    peer = await world.entered()
    await peer.refused("/a")
    assert await peer.ask("x") == ["fine"]
    assert peer.link.client is not None
    assert peer.link.client.admitted


async def test_hooks_for_all_protocols_are_asked_first() -> None:
    world = World()
    order: list[str] = []

    async def hook(session: Session) -> None:
        order.append(f"hook {session.user}")
        session.state["by"] = "hook"
        await session.subscribe("lobby")
        if session.user == "mallory":
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "not mallory")

    world.handlers.add_hook(world.handlers.connected, hook)

    @world.sio.event
    async def connect(socket: Socket) -> None:
        order.append(f"handler {socket.data['by']}")
        assert "lobby" in socket.rooms

    await world.start()
    await world.entered("alice")
    assert (await world.peer("mallory").refused())["message"] == "not mallory"
    assert order == ["hook alice", "handler hook", "hook mallory"]


async def test_handlers_that_never_end_let_nobody_in() -> None:
    world = World(limits={"call_timeout": 0.01})

    @world.sio.event
    async def connect(socket: Socket) -> None:
        await asyncio.Event().wait()

    await world.start()
    peer = world.peer()
    peer.connect()
    await until(lambda: bool(peer.refusals()))
    assert peer.place().refusals[0]["data"]["name"] == "timeout"
    assert world.is_empty


async def test_a_user_may_have_so_many_sessions() -> None:
    world = await World(limits={"connections_per_user": 2}).start()
    world.sio.on("x", lambda socket: None, "/a")
    await world.entered("alice", "/", "/a")
    refusal = await world.peer().refused()
    assert refusal["data"]["name"] == "limit_exceeded"
    assert len(world.hub.sessions) == len(world.sockets.by_id) == 2
    await world.entered("bob")


async def test_nobody_is_let_in_while_the_server_goes() -> None:
    world = await World().start()
    world.hub.draining = True
    refusal = await world.peer().refused()
    assert refusal["data"]["name"] == "draining"
    assert refusal["data"]["retry_after"] == 1.0


# --- channels of a token, presence ------------------------------------------------------------------------------


async def test_a_token_puts_into_channels_but_into_none_of_the_server_s_own() -> None:
    world = await World().start()
    world.policy.principal["tom"] = Principal("tom", subscribe=("news", "user:tom"))
    peer = await world.entered("tom")
    assert set(world.hub.sessions[peer.sid].subscriptions) == {"socketio:#/", "news", "user:tom"}
    world.policy.principal["eve"] = Principal("eve", subscribe=("socketio:#/",))
    assert (await world.peer("eve").refused())["data"]["name"] == "invalid_channel"


PRESENT = NamespaceConfig(
    subscribe="authenticated", publish="authenticated", presence="full", join_leave=True
)


async def test_whoever_is_in_a_mapped_room_is_present_once_it_has_been_let_in() -> None:
    world = World(default=PRESENT, socketio={"rooms": {"/": "{room}"}})
    present: list[int] = []

    @world.sio.event
    async def connect(socket: Socket) -> bool:
        await socket.join("lobby")
        present.append((await world.presence.members("lobby", 9)).sessions)
        return socket.user != "mallory"

    await world.start()
    bob = await world.connected("bob", "lobby")
    await world.peer("mallory").refused()
    assert bob.take() == []
    peer = await world.entered("alice")
    await settle()
    (join,) = bob.take("join")
    assert join["member"]["user"] == "alice"
    peer.send("1")
    await settle()
    (leave,) = bob.take("leave")
    assert leave["member"]["user"] == "alice"
    assert present == [1, 1]  # bob
