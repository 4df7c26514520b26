from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import Struct
from tests.cluster.fake_state import Leases
from tests.hub.world import World, settle

from hubbub.cluster.bus import PART, PARTS, Bus, Replies, Request
from hubbub.cluster.nodes import Nodes
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Publication, Raw
from hubbub.state.base import NodeInfo
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeBroker, NodeState, SharedBroker

pytestmark = pytest.mark.anyio


class Say(Struct, frozen=True):
    text: str
    data: bytes = b""


class Said(Struct, frozen=True):
    text: str
    data: bytes = b""


ECHO = Request("test.echo", Say, Said)
NOTE = Request("test.note", Say, type(None))
UNKNOWN = Request("test.unknown", Say, Said)


class Peer:
    """A hub, its nodes and its bus."""

    def __init__(self, clock: FakeClock, shared: SharedBroker, leases: Leases, id: str) -> None:
        self.broker: NodeBroker = shared.node()
        self.state = NodeState(leases)
        self.world = World(clock=clock, broker=self.broker)
        self.nodes = Nodes(self.state, clock, 4.0, NodeInfo, self.world.hub.spawn, id=id)
        self.bus = Bus(self.world.hub, self.nodes, clock, 2.0)
        self.heard: list[tuple[str, str]] = []
        self.bus.on(ECHO, self.echo)
        self.bus.on(NOTE, self.note)

    def note(self, sender: str, message: Say) -> None:
        self.heard.append((sender, message.text))

    async def echo(self, sender: str, message: Say) -> Said:
        if message.text == "refuse":
            raise HubbubError(ErrorCode.LIMIT_EXCEEDED, "too many", field="text", retry_after=1.5)
        if message.text == "fail":
            raise KeyError("secret")
        await asyncio.sleep(0)
        return Said(f"{message.text} of {sender} at {self.nodes.id}", message.data)


class Some:
    def __init__(self, *ids: str) -> None:
        self.clock = FakeClock()
        self.shared = SharedBroker(self.clock)
        leases = Leases(self.clock)
        self.peers = {id: Peer(self.clock, self.shared, leases, id) for id in ids}

    async def start(self) -> Some:
        for peer in self.peers.values():
            await peer.world.start()
            await peer.nodes.start()
        self.clock.advance(1.0)
        await settle()
        return self

    def __getitem__(self, id: str) -> Peer:
        return self.peers[id]

    async def passing(self, coroutine: Any, seconds: float) -> Any:
        """What comes of `coroutine` when so much time passes meanwhile."""
        task = asyncio.ensure_future(coroutine)
        await settle()
        if not task.done():
            self.clock.advance(seconds)
            await settle()
        assert task.done()
        return await task


async def test_one_node_asks_another() -> None:
    some = await Some("a", "b", "c").start()
    assert await some["a"].bus.ask("b", ECHO, Say("hello")) == Said("hello of a at b")
    assert some["c"].broker.delivered == 0, "the others hear nothing of it"


async def test_what_is_told_arrives_in_order_at_one_or_at_all_others() -> None:
    some = await Some("a", "b", "c").start()
    for number in range(3):
        assert await some["a"].bus.tell("b", NOTE, Say(str(number)))
    assert await some["a"].bus.tell_all(NOTE, Say("all"))
    await settle()
    assert some["b"].heard == [("a", "0"), ("a", "1"), ("a", "2"), ("a", "all")]
    assert some["c"].heard == [("a", "all")]
    assert some["a"].heard == []


async def test_what_is_told_is_not_answered() -> None:
    some = await Some("a", "b").start()
    await some["a"].bus.tell("b", ECHO, Say("hello"))
    await settle()
    assert some["b"].broker.delivered == 1
    assert some["a"].broker.delivered == 0


async def test_all_are_asked_and_who_does_not_answer_is_named() -> None:
    some = await Some("a", "b", "c").start()
    assert await some["a"].bus.ask_all(ECHO, Say("x")) == Replies(
        {"b": Said("x of a at b"), "c": Said("x of a at c")}, ()
    )
    some["c"].broker.deaf = True
    found = await some.passing(some["a"].bus.ask_all(ECHO, Say("x")), 2.0)
    assert found == Replies({"b": Said("x of a at b")}, ("c",))


async def test_who_has_not_answered_does_not_hold_up_the_next_question_for_long() -> None:
    some = await Some("a", "b", "c").start()
    some["c"].broker.deaf = True
    await some.passing(some["a"].bus.ask_all(ECHO, Say("x")), 2.0)
    found = await some.passing(some["a"].bus.ask_all(ECHO, Say("x")), 0.25)
    assert found == Replies({"b": Said("x of a at b")}, ("c",))
    alone = asyncio.ensure_future(some["a"].bus.ask("c", ECHO, Say("x")))
    await settle()
    some.clock.advance(1.5)
    await settle()
    assert not alone.done(), "who is asked alone has all the time"
    some.clock.advance(0.5)
    await settle()
    assert isinstance(alone.exception(), HubbubError)


@pytest.mark.parametrize("why", ["it is heard of", "it was long ago"])
async def test_nobody_is_doubted_for_long(why: str) -> None:
    some = await Some("a", "b").start()
    some["b"].broker.deaf = True
    await some.passing(some["a"].bus.ask_all(ECHO, Say("x")), 2.0)
    some["b"].broker.deaf = False
    if why == "it is heard of":
        await some["b"].bus.tell("a", NOTE, Say("here I am"))
    else:
        some.clock.advance(5.0)
    await settle()
    some.shared.pause()
    asked = asyncio.ensure_future(some["a"].bus.ask_all(ECHO, Say("x")))
    await settle()
    some.clock.advance(1.0)
    some.shared.resume()
    await settle()
    assert asked.result() == Replies({"b": Said("x of a at b")}, ())


async def test_a_node_alone_asks_nobody() -> None:
    some = await Some("a").start()
    assert await some["a"].bus.ask_all(ECHO, Say("x")) == Replies({}, ())
    assert await some["a"].bus.tell_all(NOTE, Say("x"))


@pytest.mark.parametrize("within", [None, 0.5])
async def test_a_node_that_does_not_answer_in_time(within: float | None) -> None:
    some = await Some("a", "b").start()
    some["b"].broker.deaf = True
    with pytest.raises(HubbubError) as failure:
        await some.passing(some["a"].bus.ask("b", ECHO, Say("x"), within), within or 2.0)
    assert failure.value.code == ErrorCode.NODE_UNAVAILABLE
    assert not some["a"].bus._waiting


async def test_an_answer_that_comes_too_late_is_nobody_s() -> None:
    some = await Some("a", "b").start()
    some["a"].broker.deaf = True
    with pytest.raises(HubbubError):
        await some.passing(some["a"].bus.ask("b", ECHO, Say("x")), 2.0)
    some["a"].broker.deaf = False
    assert await some["a"].bus.ask("b", ECHO, Say("y")) == Said("y of a at b")


async def test_a_node_that_is_not_there_is_known_to_be_gone() -> None:
    some = await Some("a", "b").start()
    with pytest.raises(HubbubError) as failure:
        await some["a"].bus.ask("zzzzzz", ECHO, Say("x"))
    assert failure.value.code == ErrorCode.NODE_UNAVAILABLE


async def test_a_node_that_is_new_is_found() -> None:
    some = await Some("a", "b").start()
    del some["a"].nodes.others["b"]
    assert await some["a"].bus.ask("b", ECHO, Say("x")) == Said("x of a at b")


async def test_nobody_waits_for_a_node_that_goes() -> None:
    some = await Some("a", "b").start()
    some["b"].broker.deaf = True
    one = asyncio.ensure_future(some["a"].bus.ask("b", ECHO, Say("x")))
    all_of_them = asyncio.ensure_future(some["a"].bus.ask_all(ECHO, Say("x")))
    await settle()
    some["a"].nodes.forget("b")
    await settle()
    assert all_of_them.result() == Replies({}, ("b",))
    assert isinstance(one.exception(), HubbubError)


async def test_a_refusal_is_raised_where_it_was_asked_and_a_fault_says_nothing_of_itself() -> None:
    some = await Some("a", "b", "c").start()
    with pytest.raises(HubbubError) as failure:
        await some["a"].bus.ask("b", ECHO, Say("refuse"))
    error = failure.value
    assert (error.code, error.message, error.field, error.retry_after) == (
        ErrorCode.LIMIT_EXCEEDED,
        "too many",
        "text",
        1.5,
    )
    with pytest.raises(HubbubError) as failure:
        await some["a"].bus.ask("b", ECHO, Say("fail"))
    assert failure.value.code == ErrorCode.INTERNAL
    assert "secret" not in str(failure.value)
    assert (await some["a"].bus.ask_all(ECHO, Say("refuse"))).missing == ("b", "c")


async def test_a_node_that_does_not_know_a_request_says_so() -> None:
    some = await Some("a", "b").start()
    with pytest.raises(HubbubError) as failure:
        await some["a"].bus.ask("b", UNKNOWN, Say("x"))
    assert failure.value.code == ErrorCode.NOT_AVAILABLE
    assert await some["a"].bus.tell("b", UNKNOWN, Say("x"))
    await settle()


async def test_an_answer_that_cannot_be_read_is_none() -> None:
    some = await Some("a", "b").start()
    other = Request("test.note", Say, Said)  # as a later version may have it
    with pytest.raises(HubbubError) as failure:
        await some["a"].bus.ask("b", other, Say("x"))
    assert failure.value.code == ErrorCode.NODE_UNAVAILABLE
    assert (await some["a"].bus.ask_all(other, Say("x"))).missing == ("b",)


async def test_with_the_broker_known_to_be_away_nobody_waits() -> None:
    some = await Some("a", "b").start()
    some["a"].broker.cut_off()
    with pytest.raises(HubbubError) as failure:
        await some["a"].bus.ask("b", ECHO, Say("x"))
    assert failure.value.code == ErrorCode.NODE_UNAVAILABLE
    assert await some["a"].bus.ask_all(ECHO, Say("x")) == Replies({}, ("b",))
    assert not await some["a"].bus.tell("b", NOTE, Say("x"))
    assert not await some["a"].bus.tell_all(NOTE, Say("x"))


async def test_a_broker_that_is_not_heard_yet_is_tried() -> None:
    some = await Some("a", "b").start()
    some["a"].broker.silent_since = some.clock.monotonic()
    assert not some["a"].broker.condition.up
    assert await some["a"].bus.ask("b", ECHO, Say("x")) == Said("x of a at b")
    some.clock.advance(2.0)
    assert await some["a"].bus.ask_all(ECHO, Say("x")) == Replies({}, ("b",))


@pytest.mark.parametrize("size", [PART - 100, PART, 3 * PART + 5])
async def test_large_messages_go_in_parts(size: int) -> None:
    some = await Some("a", "b").start()
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert (await some["a"].bus.ask("b", ECHO, Say("x", data))).data == data
    assert not some["a"].bus._parts
    assert not some["b"].bus._parts


async def test_a_message_that_lost_a_part_never_arrives_and_leaves_nothing() -> None:
    some = await Some("a", "b").start()
    await some["a"].bus.tell("b", NOTE, Say("first", b"x" * PART))
    some["b"].broker.lose(1)
    await some["a"].bus.tell("b", NOTE, Say("second", b"x" * 2 * PART))
    await settle()
    assert some["b"].heard == [("a", "first")]
    assert not some["b"].bus._parts
    await some["a"].bus.tell("b", NOTE, Say("third", b"x" * PART))
    some["b"].broker.cut = True
    await settle()
    some["b"].broker.cut = False
    some.clock.advance(2.0)
    await some["a"].bus.tell("b", NOTE, Say("fourth", b"x" * PART))
    await settle()
    assert some["b"].heard[-1] == ("a", "fourth")
    assert not some["b"].bus._parts


async def test_what_is_too_large_for_any_is_refused() -> None:
    some = await Some("a", "b").start()
    with pytest.raises(HubbubError) as failure:
        await some["a"].bus.tell("b", NOTE, Say("x", bytes(PART * PARTS)))
    assert failure.value.code == ErrorCode.MESSAGE_TOO_LARGE


async def test_what_cannot_be_read_harms_nobody() -> None:
    some = await Some("a", "b").start()
    for frame in (b"", b"\xc1", b"\x93\x01\x02\x03"):
        await some["a"].broker.publish(
            Envelope(Publication("node:##b", "tell", Raw(b"null"), attachments=(frame,)))
        )
    await some["a"].broker.publish(Envelope(Publication("node:##b", "tell", Raw(b"null"))))
    await settle()
    assert await some["a"].bus.ask("b", ECHO, Say("x")) == Said("x of a at b")


async def test_no_client_can_listen_in_or_speak() -> None:
    some = await Some("a", "b").start()
    mallory = await some["b"].world.connected("mallory")
    for channel in ("nodes:##", "node:##b"):
        for command in ("subscribe", "publish"):
            reply = await mallory.ask(type=command, channel=channel, data=1)
            assert (reply["type"], reply["name"]) == ("error", "invalid_channel")


async def test_after_the_end_nobody_waits() -> None:
    some = await Some("a", "b").start()
    some["b"].broker.deaf = True
    asked = asyncio.ensure_future(some["a"].bus.ask_all(ECHO, Say("x")))
    await settle()
    some["a"].bus.stop()
    await settle()
    assert asked.result().missing == ("b",)


def test_a_request_has_one_handler() -> None:
    some = Some("a")
    with pytest.raises(ValueError, match=r"test\.echo"):
        some["a"].bus.on(ECHO, some["a"].echo)
