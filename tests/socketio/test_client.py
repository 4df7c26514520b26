"""What a client may send, and what becomes of one that sends something else."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from tests.socketio.world import FakeLink, World, settle

from hubbub.errors import BAD_COMMAND, FLOOD, SERVER_ERROR, ErrorCode
from hubbub.protocols.socketio_msgpack import MessagePackParser
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


async def world_of(*namespaces: str, **settings: Any) -> World:
    """A world with the event `echo` in `/` and in `namespaces`."""
    world = World(**settings)
    for namespace in ("/", *namespaces):

        @world.sio.on("echo", namespace=namespace)
        async def echo(socket: Socket, *arguments: Any) -> tuple[Any, ...]:
            return arguments

    return await world.start()


# --- packets ----------------------------------------------------------------------------------------------------


async def test_a_connect_is_answered_with_the_sid_and_for_those_who_recover_with_a_pid() -> None:
    world = await world_of()
    browser, python = world.peer(), world.peer(user_agent="Python/3.11 aiohttp/3.10")
    for peer in (browser, python):
        assert not peer.link.client.admitted  # type: ignore[union-attr]
        peer.connect()
    await settle()
    first, second = world.hub.sessions.values()
    assert browser.texts() == [f'0{{"sid":"{first.id}","pid":"{first.id}.{first.secret}"}}']
    assert python.texts() == [f'0{{"sid":"{second.id}"}}']
    assert browser.link.client.admitted  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("sent", "attachments", "answer"),
    [
        ('20["echo",1,"x"]', [], ['30[1,"x"]']),
        ('2/a,7["echo"]', [], ["3/a,7[]"]),
        ('2["echo",1]', [], []),
        (
            '51-3["echo",{"b":{"_placeholder":true,"num":0}}]',
            [b"\1"],
            ['61-3[{"b":{"_placeholder":true,"num":0}}]', b"\1"],
        ),
        (
            '52-/a,3["echo",{"_placeholder":true,"num":1}]',
            [b"\1", b"\2"],
            ['61-/a,3[{"_placeholder":true,"num":0}]', b"\2"],
        ),
        ("31[1]", [], []),
        ('61-31[{"_placeholder":true,"num":0}]', [b"\1"], []),
    ],
)
async def test_packets_of_a_client_that_is_in(
    sent: str, attachments: list[bytes], answer: list[str | bytes]
) -> None:
    world = await world_of("/a")
    peer = await world.entered("alice", "/", "/a")
    peer.send(sent, *attachments)
    await settle()
    assert peer.texts() == answer
    assert peer.link.closed is None


async def test_a_number_may_be_an_event_s_name() -> None:
    world = await world_of()
    seen: list[str] = []

    @world.sio.on("*")
    async def anything(event: str, socket: Socket, *arguments: Any) -> None:
        seen.append(event)

    peer = await world.entered()
    peer.send("2[7,1]")
    await settle()
    assert seen == ["7"]


async def test_a_disconnect_ends_one_namespace_and_it_can_be_entered_again() -> None:
    world = await world_of("/a")
    peer = await world.entered("alice", "/", "/a")
    first = peer.places["/a"].sid
    peer.send("1/a,")
    assert first not in world.sockets.by_id
    assert await peer.ask("echo", 1) == [1]
    assert (await peer.enter("/a")).sid != first
    assert await peer.ask("echo", 1, namespace="/a") == [1]
    assert peer.link.closed is None


async def test_an_event_and_the_disconnect_behind_it_are_both_taken() -> None:
    world = await world_of()
    seen: list[Any] = []

    @world.sio.event
    async def save(socket: Socket, value: int) -> None:
        seen.append(value)

    @world.sio.event
    async def disconnect(socket: Socket, reason: str) -> None:
        seen.append(reason)

    peer = await world.entered()
    for value in range(3):
        peer.emit("save", value)
    peer.send("1")
    await settle()
    assert seen == [0, 1, 2, "client namespace disconnect"]


async def test_over_msgpack_all_is_the_same() -> None:
    world = await world_of(parser=MessagePackParser())
    link = FakeLink(world.sockets.accept)
    assert link.client is not None
    pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode
    link.client.receive(pack({"type": 0, "nsp": "/", "data": {"token": "alice"}}), True)
    await settle()
    link.client.receive(pack({"type": 2, "nsp": "/", "id": 1, "data": ["echo", b"\1", 2]}), True)
    await settle()
    answers = [unpack(payload.data) for payload in link.take()]
    assert answers[0]["type"] == 0
    assert answers[1] == {"type": 3, "nsp": "/", "id": 1, "data": [b"\1", 2]}
    link.client.receive(b'2["text"]', False)
    assert link.closed is BAD_COMMAND


# --- what is not the protocol -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "x",
        "7",
        '2["echo"',
        "2",
        "2{}",
        '2["connect"]',
        '2["disconnect"]',
        "2[]",
        "2[null]",
        '51-["echo"]text',
        '5x-["echo"]',
        '51-["echo",{"_placeholder":true,"num":1}]',
        '599-["echo"]',
        "0",
        "0/a,",
        '4{"message":"x"}',
        '4/b,{"message":"x"}',
        '2/b,["echo"]',
        "1/b,",
        "3/b,1[]",
        '299999999999999999999["echo"]',
        '2/,a["echo"]',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
async def test_a_violation_of_the_protocol_closes_the_link(sent: str) -> None:
    world = await world_of("/a", "/b")
    peer = await world.entered("alice", "/", "/a")
    peer.send(sent)
    assert peer.link.closed is BAD_COMMAND
    assert world.metrics.errors[ErrorCode.BAD_REQUEST] == 1
    await settle()
    assert world.is_empty


async def test_text_where_an_attachment_is_due_and_the_other_way_round() -> None:
    world = await world_of()
    for packets in (
        [('51-["echo",{"_placeholder":true,"num":0}]', False), ('2["echo"]', False)],
        [("x", True)],
    ):
        peer = await world.entered()
        for data, binary in packets:
            assert peer.link.client is not None
            peer.link.client.receive(data.encode(), binary)
        assert peer.link.closed is BAD_COMMAND


@pytest.mark.parametrize("sent", ['2["echo"]', "1", "31[]", '0/a,{"x":1', '2/a,["echo"]'])
async def test_nothing_may_come_before_a_connect(sent: str) -> None:
    world = await world_of("/a")
    peer = world.peer()
    peer.send(sent)
    assert peer.link.closed is BAD_COMMAND
    assert not world.hub.sessions


@pytest.mark.parametrize("sent", ['0{"token":"alice"}', '2["echo",1]', "1", "31[]"])
async def test_nor_before_its_answer(sent: str) -> None:
    """What a client may do is not known before: its event must not overtake the handler that lets it in."""
    world = await world_of()
    handled: list[str] = []

    @world.sio.event
    async def connect(socket: Socket) -> None:
        await settle()
        handled.append("connect")

    @world.sio.event
    async def secret(socket: Socket) -> None:
        handled.append("secret")

    peer = world.peer()
    peer.connect()
    peer.send(sent)
    assert peer.link.closed is BAD_COMMAND
    await settle()
    await settle()
    assert "secret" not in handled
    assert world.is_empty


async def test_what_comes_behind_the_fault_in_the_same_read_is_not_taken() -> None:
    world = await world_of()
    peer = await world.entered()
    client = peer.link.client
    assert client is not None
    peer.send("x")
    client.receive(b'20["echo"]', False)
    client.receive(b"\1", True)
    await settle()
    assert peer.texts() == []
    assert world.metrics.errors[ErrorCode.BAD_REQUEST] == 1


async def test_a_fault_of_ours_ends_this_link_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await world_of()
    peer, other = await world.entered(), await world.entered("bob")

    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(world.sockets, "concurrent", True)
    monkeypatch.setattr(world.sockets, "run_apart", fail)
    peer.emit("echo")
    assert peer.link.closed is SERVER_ERROR
    monkeypatch.undo()
    assert await other.ask("echo", 1) == [1]


# --- data that can be read but is not taken ---------------------------------------------------------------------

DEEP = "[" * 40 + "]" * 40


async def test_data_beyond_the_limits_is_answered_and_the_link_goes_on() -> None:
    world = await world_of("/a")
    peer = await world.entered("alice", "/", "/a")
    before = world.metrics.errors[ErrorCode.INVALID_DATA]
    peer.send(f'20["echo",{DEEP}]')
    peer.send(f'2/a,["echo",{DEEP}]')
    peer.send('21["echo",{"a":1,"a":2}]')
    await settle()
    peer.read()
    assert peer.place().acks[0][0]["error"]["name"] == "limit_exceeded"
    assert peer.place().acks[1][0]["error"]["name"] == "invalid_data"
    ((name, error),) = peer.events("/a")
    assert (name, error["name"]) == ("hubbub:error", "limit_exceeded")
    assert peer.link.closed is None
    assert await peer.ask("echo", 1) == [1]
    assert world.metrics.errors[ErrorCode.INVALID_DATA] == before + 1


async def test_such_an_acknowledgement_is_counted_and_no_more() -> None:
    world = await world_of()
    peer = await world.entered()
    peer.send(f"31[{DEEP}]")
    await settle()
    assert peer.texts() == []
    assert world.metrics.errors[ErrorCode.LIMIT_EXCEEDED] == 1
    assert peer.link.closed is None


async def test_such_a_connect_is_refused() -> None:
    world = await world_of()
    peer = world.peer(None)
    peer.send(f'0{{"token":{DEEP}}}')
    await settle()
    peer.read()
    (refusal,) = peer.place().refusals
    assert refusal["data"]["name"] == "limit_exceeded"
    assert peer.link.closed is None
    peer.token = "alice"
    assert (await peer.enter()).sid


async def test_such_a_packet_for_a_namespace_that_was_not_entered_is_a_violation() -> None:
    world = await world_of()
    peer = await world.entered()
    peer.send(f'2/a,["echo",{DEEP}]')
    assert peer.link.closed is BAD_COMMAND


async def test_errors_beyond_the_burst_end_the_client_and_leave_nothing() -> None:
    world = await world_of("/a", limits={"error_burst": 3})
    peer = await world.entered("alice", "/", "/a")
    for _ in range(3):
        peer.send(f'2["echo",{DEEP}]')
    assert peer.link.closed is None
    peer.send(f'2["echo",{DEEP}]')
    assert peer.link.closed is FLOOD
    peer.read()
    assert peer.place().disconnects == 1
    assert peer.place().events[-1][0] == "hubbub:disconnect"
    await settle()
    assert world.is_empty


# --- how many namespaces ----------------------------------------------------------------------------------------


async def test_a_connection_may_be_in_so_many_namespaces() -> None:
    world = await world_of("/1", "/2", "/3", limits={"socketio_namespaces": 3})
    peer = await world.entered("alice", "/", "/1", "/2")
    refusal = await peer.refused("/3")
    assert refusal == {
        "message": "limits.socketio_namespaces = 3 of a connection",
        "data": {
            "code": 115,
            "name": "limit_exceeded",
            "message": "limits.socketio_namespaces = 3 of a connection",
        },
    }
    assert world.metrics.rejected["socketio_namespaces"] == 1
    peer.send("1/1,")
    assert (await peer.enter("/3")).sid


async def test_those_that_are_being_entered_count_once() -> None:
    world = await world_of("/1", "/2", "/3", limits={"socketio_namespaces": 3})

    async def connect(socket: Socket) -> None:
        await settle()

    for namespace in ("/", "/1", "/2", "/3"):
        world.sio.on("connect", connect, namespace)
    peer = world.peer()
    for namespace in ("/", "/1", "/2", "/3"):
        peer.connect(namespace)
    for _ in range(4):
        await settle()
    peer.read()
    assert [bool(peer.place(each).sid) for each in ("/", "/1", "/2", "/3")] == [True, True, True, False]
    assert len(peer.place("/3").refusals) == 1


async def test_whoever_asks_for_namespaces_too_fast_is_ended() -> None:
    world = await world_of(limits={"command_rate": 1, "command_burst": 5})
    peer = world.peer()
    for _ in range(5):
        assert (await peer.refused("/none"))["message"] == "Invalid namespace"
    assert peer.link.closed is None
    peer.connect("/none")
    assert peer.link.closed is FLOOD


# --- of several namespaces --------------------------------------------------------------------------------------


async def test_each_namespace_has_its_own_handlers_data_and_identity() -> None:
    world = await world_of()
    seen: list[tuple[str, str, str]] = []

    @world.sio.on("who", namespace="*")
    async def who(namespace: str, socket: Socket) -> None:
        seen.append((namespace, socket.namespace, socket.user))

    peer = world.peer()
    await peer.enter("/a")
    peer.token = "bob"
    await peer.enter("/b")
    peer.emit("who", namespace="/a")
    peer.emit("who", namespace="/b")
    await settle()
    assert seen == [("/a", "/a", "alice"), ("/b", "/b", "bob")]


async def test_what_is_on_its_way_when_the_server_ends_a_socket_is_no_fault() -> None:
    world = await world_of("/a")
    peer = await world.entered("alice", "/", "/a")
    await world.sio.disconnect(peer.places["/a"].sid)
    peer.emit("echo", 1, namespace="/a")
    peer.emit("echo", 1, namespace="/a", ack=True)
    peer.send('51-/a,["echo",{"_placeholder":true,"num":0}]', b"\1")
    peer.send(f'2/a,["echo",{DEEP}]')
    peer.send("3/a,1[]")
    peer.send("1/a,")
    assert peer.link.closed is None
    assert await peer.ask("echo", 1) == [1]
    await peer.enter("/a")
    peer.send("1/a,")
    peer.emit("echo", 1, namespace="/a")
    assert peer.link.closed is BAD_COMMAND  # this time the client itself had left it


# --- the link ---------------------------------------------------------------------------------------------------


async def test_one_namespace_with_too_much_to_do_pauses_the_whole_link() -> None:
    world = await world_of("/a")
    peer = await world.entered("alice", "/", "/a")
    client = peer.link.client
    first, second = (world.sockets.by_id[peer.places[each].sid] for each in ("/", "/a"))
    assert client is not None
    first.pause()
    second.pause()
    first.resume()
    assert peer.link.paused
    second.resume()
    assert not peer.link.paused
    second.pause()
    peer.send("1/a,")
    assert not peer.link.paused


async def test_a_pong_confirms_in_every_namespace() -> None:
    world = await world_of("/a")
    peer = await world.entered("alice", "/", "/a")
    client = peer.link.client
    assert client is not None
    await world.sio.emit("x")
    mark = client.mark()
    await world.sio.emit("x", namespace="/a")
    client.heard(mark)
    trails = [world.hub.sessions[peer.places[each].sid].trail for each in ("/", "/a")]
    assert [trail.confirmed for trail in trails if trail is not None] == [1, 1]


async def test_a_pong_of_a_client_that_cannot_recover_says_nothing() -> None:
    world = await world_of()
    peer = await world.entered("alice", user_agent="okhttp/4")
    assert peer.link.client is not None
    peer.link.client.heard(peer.link.client.mark())
    assert world.hub.sessions[peer.sid].trail is None


# --- random peers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_nothing_raises_and_nothing_is_left(seed: int) -> None:
    chance = random.Random(seed)
    world = await world_of("/a")
    world.sio.on("connect", lambda socket: None, "/a")
    good = [
        b'0{"token":"alice"}',
        b'0/a,{"token":"bob"}',
        b"1",
        b"1/a,",
        b'2["echo",1]',
        b'2/a,3["echo"]',
        b'51-["echo",{"_placeholder":true,"num":0}]',
        b"31[]",
        b"0/none,",
        b'20["hubbub:ping"]',
        b'21["hubbub:subscribe",{"channel":"c"}]',
    ]
    for _ in range(60):
        peer = world.peer()
        for _ in range(chance.randrange(1, 12)):
            raw = bytearray(chance.choice(good))
            if chance.random() < 0.2:
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            if peer.link.client is not None:
                peer.link.client.receive(bytes(raw), chance.random() < 0.1)
            if chance.random() < 0.5:
                await settle()
        if chance.random() < 0.5:
            peer.drop(resumable=chance.random() < 0.5)
        elif peer.link.client is not None:
            peer.send("x")
            assert peer.link.closed is BAD_COMMAND or peer.link.client is None
    world.clock.advance(1_000)
    await settle()
    assert world.is_empty
