"""What an event may be, whom it reaches, and how its answers come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.socketio.world import PLAIN, PYTHON, Peer, World, settle

from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def four(**settings: Any) -> tuple[World, list[Peer]]:
    """Four clients: the first three are in the rooms `a`, `a` and `b`, and `b`; the last is in none."""
    world = await World(**settings).start()
    peers = [await world.entered(name) for name in ("ann", "ben", "cid", "dan")]
    for number, room in ((0, "a"), (1, "a"), (1, "b"), (2, "b")):
        await world.sio.enter_room(peers[number].sid, room)
    return world, peers


def heard(peers: list[Peer]) -> list[int]:
    """How many events each has got since the last call."""
    return [len(peer.events()) for peer in peers]


# --- what an event is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        (None, []),
        ((), []),
        ((None,), [None]),
        (1, [1]),
        ("a, b", ["a, b"]),
        ([1, 2], [[1, 2]]),
        ([], [[]]),
        (([],), [[]]),
        ((1, "two", [3], None), [1, "two", [3], None]),
        ({"t": (1, 2)}, [{"t": [1, 2]}]),
        (b"\0\1", [b"\0\1"]),
        (bytearray(b"x"), [b"x"]),
        ((b"one", {"deep": [b"two"]}, 3), [b"one", {"deep": [b"two"]}, 3]),
    ],
)
@pytest.mark.parametrize("to_one", [False, True])
@pytest.mark.parametrize("agent", ["Chrome/130", PYTHON])
async def test_data_becomes_arguments(data: Any, arguments: list[Any], *, to_one: bool, agent: str) -> None:
    world = await World().start()
    peer = await world.entered(user_agent=agent)
    await world.sio.emit("x", data, to=peer.sid if to_one else None)
    assert peer.events() == [["x", *arguments]]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("", ErrorCode.BAD_REQUEST),
        ("line\nbreak", ErrorCode.BAD_REQUEST),
        ("n" * 11, ErrorCode.BAD_REQUEST),
        *(
            (name, ErrorCode.BAD_REQUEST)
            for name in ("connect", "connect_error", "disconnect", "disconnecting", "newListener")
        ),
    ],
)
async def test_names_that_no_event_can_have(event: str, code: ErrorCode) -> None:
    world = await World(
        limits={"key_length": 13 if event in ("connect_error", "disconnecting") else 10}
    ).start()
    peer = await world.entered()
    for to in (None, "room", peer.sid, [peer.sid, "room"]):
        with pytest.raises(HubbubError) as refused:
            await world.sio.emit(event, 1, to=to)
        assert (refused.value.code, refused.value.field) == (code, "event")
    with pytest.raises(HubbubError):
        await world.sio.call(event, to=peer.sid)
    with pytest.raises(HubbubError):
        await world.sio.call_all(event)
    assert peer.events() == []
    await world.sio.emit("n" * 10)
    assert len(peer.events()) == 1


@pytest.mark.parametrize(
    "data",
    [
        object(),
        {"deep": [object()]},
        (1, object()),
        "\ud800",
        {"_placeholder": True, "num": 0, "b": b""},
    ],
)
async def test_what_cannot_be_sent_reaches_nobody(data: Any) -> None:
    world = await World().start()
    peer = await world.entered()
    with pytest.raises(HubbubError) as refused:
        await world.sio.emit("x", data)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_DATA, "data")
    assert peer.events() == []


@pytest.mark.parametrize(
    ("limits", "fits", "too_much"),
    [
        ({"packet_bytes": 20}, "x" * 16, "x" * 17),
        ({"packet_bytes": 20}, ("x" * 12, 123), ("x" * 12, 1234)),
        ({"attachments": 2}, (b"1", b"2"), (b"1", b"2", b"3")),
        ({"attachment_bytes": 10}, (b"12345", b"67890"), (b"12345", b"678901")),
        ({"attachment_bytes": 10}, b"1" * 10, b"1" * 11),
    ],
)
async def test_limits_of_data(limits: dict[str, int], fits: Any, too_much: Any) -> None:
    world = await World(limits=limits).start()
    peer = await world.entered()
    await world.sio.emit("x", fits)
    assert len(peer.events()) == 1
    with pytest.raises(HubbubError) as refused:
        await world.sio.emit("x", too_much)
    assert (refused.value.code, refused.value.field) == (ErrorCode.MESSAGE_TOO_LARGE, "data")
    ((name, most),) = limits.items()
    assert refused.value.message == f"data: more than limits.{name} = {most}"
    assert world.metrics.rejected == {name: 1}
    assert peer.events() == []


# --- whom it reaches --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "counts"),
    [
        (None, [1, 1, 1, 1]),
        ("a", [1, 1, 0, 0]),
        (["a", "b"], [1, 1, 1, 0]),
        (["b", "a", "b"], [1, 1, 1, 0]),
        ("nobody's", [0, 0, 0, 0]),
        ([], [0, 0, 0, 0]),
        (3, [0, 0, 0, 1]),
        ([3, 3], [0, 0, 0, 1]),
        ([1, "a", "b"], [1, 1, 1, 0]),
        (["a", 3, 2], [1, 1, 1, 1]),
        ([0, 1], [1, 1, 0, 0]),
    ],
)
@pytest.mark.parametrize("form", ["sid", "Socket"])
@pytest.mark.parametrize("volatile", [False, True])
async def test_rooms_and_sids_reach_each_socket_once(
    to: Any, counts: list[int], form: str, *, volatile: bool
) -> None:
    world, peers = await four()

    def meant(each: Any) -> Any:
        if not isinstance(each, int):
            return each
        return peers[each].sid if form == "sid" else world.sio.socket(peers[each].sid)

    wanted = [meant(each) for each in to] if isinstance(to, list) else meant(to)
    await world.sio.emit("x", 1, to=wanted, volatile=volatile)
    assert heard(peers) == counts
    await world.sio.emit("x", 1, room=wanted, volatile=volatile)
    assert heard(peers) == counts


@pytest.mark.parametrize("rooms", [{}, {"/*": "orders:{room}"}], ids=["private", "mapped"])
async def test_a_sid_that_is_not_here_is_nobody_and_no_room(rooms: dict[str, str]) -> None:
    world = World(socketio={"rooms": rooms}, namespaces={"orders": PLAIN})
    for namespace in ("/", "/other"):
        world.sio.on("x", lambda socket: None, namespace)
    await world.start()
    elsewhere = await world.entered("alice", "/")
    gone = await world.entered("bob", "/other")
    stranger = await world.entered("eve", "/other")
    gone_sid = gone.place("/other").sid
    gone.drop(resumable=False)
    for sid in (elsewhere.sid, gone_sid):
        eve = await world.connected("eve", f"orders:{sid}")
        await world.sio.enter_room(stranger.place("/other").sid, sid)
        for to in (sid, [sid], [sid, "lobby"]):
            for volatile in (False, True):
                await world.sio.emit("x", to=to, namespace="/other", volatile=volatile)
        assert await world.sio.call_all("x", to=sid, namespace="/other") == ((), 0)
        assert await world.sio.disconnect_all(sid, "/other") == 0
        assert eve.texts() == []
    assert elsewhere.events() == stranger.events("/other") == []


@pytest.mark.parametrize(
    ("to", "skip", "counts"),
    [
        (None, [0], [0, 1, 1, 1]),
        (None, [0, 2], [0, 1, 0, 1]),
        ("a", [1], [1, 0, 0, 0]),
        (["a", "b"], [1], [1, 0, 1, 0]),
        (["a", "b"], [0, 1], [0, 0, 1, 0]),
        ([3, "a"], [3], [1, 1, 0, 0]),
        ([3, 2, "a"], [1, 3], [1, 0, 1, 0]),
        (None, [], [1, 1, 1, 1]),
    ],
)
@pytest.mark.parametrize("volatile", [False, True])
async def test_skip_sid(to: Any, skip: list[int], counts: list[int], *, volatile: bool) -> None:
    world, peers = await four()
    wanted = [peers[each].sid if isinstance(each, int) else each for each in to] if to else to
    await world.sio.emit("x", to=wanted, skip_sid=[peers[each].sid for each in skip], volatile=volatile)
    assert heard(peers) == counts
    if len(skip) == 1:
        socket = world.sio.socket(peers[skip[0]].sid)
        for alone in (socket, socket.sid):
            await world.sio.emit("x", to=wanted, skip_sid=alone, volatile=volatile)
            assert heard(peers) == counts


@pytest.mark.parametrize(
    ("to", "unless", "counts"),
    [
        (None, "a", [0, 0, 1, 1]),
        (None, ["a", "b"], [0, 0, 0, 1]),
        ("a", "b", [1, 0, 0, 0]),
        (["a", "b"], "a", [0, 0, 1, 0]),
        ([0, 3], "a", [0, 0, 0, 1]),
        ([1, "b"], "a", [0, 0, 1, 0]),
        (None, "nobody's", [1, 1, 1, 1]),
    ],
)
async def test_unless(to: Any, unless: Any, counts: list[int]) -> None:
    world, peers = await four()
    wanted = [peers[each].sid if isinstance(each, int) else each for each in to] if to else to
    await world.sio.emit("x", to=wanted, unless=unless)
    assert heard(peers) == counts
    await world.sio.emit("x", to=wanted, unless=unless, skip_sid=peers[3].sid)
    assert heard(peers) == [*counts[:3], 0]


async def test_user_is_all_sessions_of_a_user_but_its_sockets_elsewhere() -> None:
    world = World()
    world.sio.on("x", lambda socket: None, "/other")
    await world.start()
    first, second = await world.entered("alice", "/", "/other"), await world.entered("alice")
    stranger = await world.entered("bob")
    native = await world.connected("alice")
    await world.sio.emit("x", {"a": 1}, user="alice")
    for peer in (first, second):
        assert peer.events() == [["x", {"a": 1}]]
    assert first.events("/other") == stranger.events() == []
    (push,) = native.take("publication")
    assert (push["channel"], push["event"], push["data"]) == ("user:alice", "x", {"a": 1})
    await world.sio.emit("x", user="alice", namespace="/other", skip_sid=second.sid)
    assert (first.events(), second.events(), first.events("/other")) == ([], [], [["x"]])
    await world.sio.emit("x", user="alice", skip_sid=[second.sid])
    assert (first.events(), second.events()) == ([["x"]], [])
    await world.sio.emit("x", user="nobody")
    assert heard([first, second, stranger]) == [0, 0, 0]


async def test_one_emit_to_a_thousand_sockets_is_encoded_once() -> None:
    world = await World().start()
    peers = [await world.entered(f"user{number}") for number in range(1_000)]
    for peer in peers:
        await world.sio.enter_room(peer.sid, "room")
        peer.link.take()
    before = world.metrics.encodes, world.metrics.deliveries, world.metrics.publications
    await world.sio.emit("x", {"price": 1}, to="room")
    metrics = world.metrics
    assert (metrics.encodes, metrics.deliveries, metrics.publications) == (
        before[0] + 1,
        before[1] + 1_000,
        before[2] + 1,
    )
    assert heard(peers) == [1] * 1_000


async def test_an_emit_to_many_rooms_names_each_of_them_once() -> None:
    world, peers = await four()
    rooms = [f"r{number}" for number in range(100)]
    for room in rooms:
        await world.sio.enter_room(peers[0].sid, room)
    await world.sio.emit("x", to=rooms, unless="b")
    assert heard(peers) == [1, 0, 0, 0]
    assert {len(entry.envelope.unless) for entry in world.hub.journal} == {101}
    assert len({id(entry.envelope.unless) for entry in world.hub.journal}) == 1


# --- volatile ---------------------------------------------------------------------------------------------------


async def test_volatile_events_are_dropped_where_they_could_not_be_written_at_once() -> None:
    world, peers = await four()
    peers[0].link.writable = False
    for to in (None, "a", peers[0].sid, [peers[0].sid, "b"]):
        before = world.metrics.volatile_dropped
        await world.sio.emit("x", to=to, volatile=True)
        assert world.metrics.volatile_dropped == before + 1
        assert heard(peers)[0] == 0
    await world.sio.emit("x", to="a")
    assert heard(peers) == [1, 1, 0, 0]


@pytest.mark.parametrize("volatile", [False, True])
async def test_what_single_sockets_get_is_counted(*, volatile: bool) -> None:
    world = await World().start()
    peers = [await world.entered(name, user_agent=agent) for name in "ab" for agent in ("Chrome/1", PYTHON)]
    metrics = world.metrics
    before = metrics.messages_out, metrics.bytes_out
    await world.sio.emit("x", b"\1", to=[peer.sid for peer in peers], volatile=volatile)
    written = [payload for peer in peers for payload in peer.link.take()]
    assert len(written) == 8  # the event and its attachment
    framed = sum(5 + len(payload.data) for payload in written)
    assert (metrics.messages_out - before[0], metrics.bytes_out - before[1]) == (8, framed)


async def test_volatile_events_do_not_wait_for_those_who_are_away() -> None:
    world = await World().start()
    peer = await world.entered()
    await world.sio.emit("kept")
    peer.read()
    peer.drop()
    await world.sio.emit("lost", to=peer.sid, volatile=True)
    await world.sio.emit("lost", volatile=True)
    await world.sio.emit("kept", 2)
    assert world.metrics.volatile_dropped == 1
    assert await peer.back()
    assert peer.events() == [["kept"], ["kept", 2]]


# --- acknowledgements -------------------------------------------------------------------------------------------


async def test_pending_acks_at_and_above_their_limit() -> None:
    world = await World(limits={"pending_acks": 2}).start()
    peer, other = await world.entered(), await world.entered("bob")
    got: list[Any] = []

    def keep(*arguments: Any) -> None:
        got.append(arguments)

    for number in range(2):
        await world.sio.emit("x", number, to=peer.sid, callback=keep)
    with pytest.raises(HubbubError) as refused:
        await world.sio.emit("x", 2, to=peer.sid, callback=keep)
    assert refused.value.code == ErrorCode.LIMIT_EXCEEDED
    assert world.metrics.rejected["pending_acks"] == 1
    asked = peer.asked()
    assert [event for _, event in asked] == [["x", 0], ["x", 1]]
    await world.sio.emit("x", to=other.sid, callback=keep)
    peer.ack(asked[1][0], "b")
    peer.ack(asked[0][0], "a", 1)
    peer.ack(asked[0][0], "twice")
    await settle()
    assert got == [("b",), ("a", 1)]
    await world.sio.emit("x", 3, to=peer.sid, callback=keep)
    assert [event for _, event in peer.asked()] == [["x", 3]]


async def test_of_many_those_who_owe_too_much_are_not_asked() -> None:
    world = await World(limits={"pending_acks": 1}).start()
    peer, other = await world.entered(), await world.entered("bob")
    await world.sio.emit("x", to=peer.sid, callback=print)
    assert len(peer.asked()) == 1
    asking = asyncio.create_task(world.sio.call_all("y", timeout=30))
    await other.answered("fine")
    answers = await asking
    assert (answers.values, answers.missing) == (("fine",), 1)
    assert peer.asked() == []


async def test_an_event_that_asks_is_counted_and_carries_attachments() -> None:
    world = await World().start()
    peer = await world.entered()
    before = world.metrics.messages_out, world.metrics.publications
    await world.sio.emit("x", (b"\1", 2), to=peer.sid, callback=print)
    # The event, its attachment, and the offset that an event with an id cannot carry
    assert (world.metrics.messages_out, world.metrics.publications) == (before[0] + 3, before[1] + 1)
    ((_, event),) = peer.asked()
    assert event == ["x", b"\1", 2]
    assert peer.events() == []


async def test_what_asks_many_is_encoded_once_for_all_who_get_the_same() -> None:
    world = await World().start()
    kinds = [
        {},
        {"user_agent": PYTHON},
        {"transport": "polling"},
        {"transport": "polling", "user_agent": PYTHON},
    ]
    peers = [await world.entered(f"user{number}", **kinds[number % 4]) for number in range(40)]
    before = world.metrics.encodes
    asking = asyncio.create_task(world.sio.call_all("x", {"price": 1}, timeout=30))
    await settle()
    assert world.metrics.encodes == before + 4
    for number, peer in enumerate(peers):
        assert await peer.answered(number) == ["x", {"price": 1}]
    answers = await asking
    assert sorted(answers.values) == list(range(40))
    offsets = [peer.place().offset for peer in peers]  # each has its own, or none
    assert len({each for each in offsets if each is not None}) == 20


async def test_those_who_did_not_answer_in_time_are_forgotten() -> None:
    world, peers = await four()
    answers = await world.sio.call_all("x", timeout=0.01)
    assert (answers.values, answers.missing) == ((), 4)
    assert not any(connection.acks for connection in world.sockets.by_id.values())
    ((id, _),) = peers[0].asked()
    peers[0].ack(id, "late")
    await settle()
    assert peers[0].link.closed is None


async def test_whoever_leaves_while_asked_is_missing() -> None:
    world, peers = await four()
    asking = asyncio.create_task(world.sio.call_all("x", timeout=30))
    await settle()
    peers[1].send("1")
    peers[2].drop(resumable=False)
    for peer in (peers[0], peers[3]):
        await peer.answered(1)
    answers = await asking
    assert (answers.values, answers.missing) == ((1, 1), 2)


@pytest.mark.parametrize(
    "choice", [{"to": "r"}, {"room": "r"}, {"unless": "r"}, {"volatile": True}, {"callback": print}]
)
async def test_user_goes_with_no_other_choice(choice: dict[str, Any]) -> None:
    world = await World().start()
    with pytest.raises(HubbubError) as caught:
        await world.sio.emit("x", user="alice", **choice)
    assert (caught.value.code, caught.value.field) == (ErrorCode.BAD_REQUEST, "user")
