from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec import json as msgjson

from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Position, Publication, Retention
from hubbub.testing import FakeClock
from hubbub.testing.contracts import BrokerContract, Inbox, publication

T = TypeVar("T")
KEPT = Retention(100, 60.0)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine that promises never to suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it suspended")


def publish(broker: MemoryBroker, channel: str, data: object = 0, retention: Retention = KEPT) -> int | None:
    """Publish, and return the offset."""
    accepted = run(broker.publish(Envelope(publication(channel, data)), retention))
    return accepted.position.offset if accepted.position is not None else None


def position(broker: MemoryBroker, channel: str) -> Position:
    return run(broker.history(channel, KEPT, limit=0)).position


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def broker(clock: FakeClock, inbox: Inbox) -> MemoryBroker:
    broker = MemoryBroker(clock, idempotency_ttl=60.0, idempotency_keys=3, logs=3)
    run(broker.start(inbox))
    return broker


class TestContract(BrokerContract):
    clock: FakeClock

    async def open(self) -> Broker:
        self.clock = FakeClock()
        return MemoryBroker(self.clock, idempotency_ttl=self.idempotency_ttl, logs=10)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def lose(self, broker: Broker, channel: str) -> None:
        for number in range(10):
            await broker.history(f"filler:{number}", self.retention())


def test_publish_has_delivered_when_it_returns(broker: MemoryBroker, inbox: Inbox) -> None:
    assert broker.lossless
    run(broker.subscribe("a"))
    publish(broker, "a", 1)
    assert [bytes(p.data) for p in inbox.publications] == [b"1"]


@pytest.mark.parametrize("retention", [KEPT, Retention()], ids=["retained", "unretained"])
def test_a_nested_publish_does_not_overtake(clock: FakeClock, retention: Retention) -> None:
    broker, heard = MemoryBroker(clock), list[str]()
    returned: list[str] = []

    def listen(envelope: Envelope) -> None:
        push = envelope.push
        assert isinstance(push, Publication)
        heard.append(f"{push.channel}{bytes(push.data).decode()}")
        if len(push.data) < 3:
            for digit in "12":
                publish(
                    broker, "b" if push.channel == "a" else "a", bytes(push.data).decode() + digit, retention
                )
                returned.append(digit)
        assert len(heard) == 1 or returned, "the first callback had not returned yet"

    run(broker.start(listen))
    run(broker.subscribe("a"))
    run(broker.subscribe("b"))
    publish(broker, "a", 1, retention)
    assert heard == ["a1", "b11", "b12", "a111", "a112", "a121", "a122"]
    if retention.size:
        kept = run(broker.history("a", retention)).publications
        assert [bytes(p.data) for p in kept] == [b"1", b"111", b"112", b"121", b"122"]


def test_what_waits_is_not_delivered_after_an_unsubscribe(clock: FakeClock) -> None:
    broker, heard = MemoryBroker(clock), list[str]()

    def listen(envelope: Envelope) -> None:
        heard.append(envelope.push.channel)
        if envelope.push.channel == "a":
            publish(broker, "b")
            run(broker.unsubscribe("b"))
            run(broker.subscribe("c"))

    run(broker.start(listen))
    run(broker.subscribe("a"))
    run(broker.subscribe("b"))
    publish(broker, "a")
    assert heard == ["a"]
    publish(broker, "c")
    assert heard == ["a", "c"]


def test_a_failing_listener_is_logged_and_what_waits_still_comes(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    broker, heard = MemoryBroker(clock), list[bytes]()

    def listen(envelope: Envelope) -> None:
        push = envelope.push
        assert isinstance(push, Publication)
        heard.append(bytes(push.data))
        if push.data == Raw(b"1"):
            publish(broker, "a", 2)
            raise RuntimeError("broken")

    run(broker.start(listen))
    run(broker.subscribe("a"))
    with caplog.at_level(logging.ERROR, "hubbub.broker"):
        assert publish(broker, "a", 1) == 1
    assert heard == [b"1", b"2"]
    assert ["the listener failed" in record.getMessage() for record in caplog.records] == [True]
    (letter,) = run(broker.dead_letters.page())
    assert (letter.channel, letter.reason) == ("a", "listener")
    assert publish(broker, "a", 3) == 3
    assert heard[-1] == b"3"


def test_the_longest_idle_log_is_evicted(broker: MemoryBroker) -> None:
    first = {name: position(broker, name) for name in "abc"}
    publish(broker, "a")
    position(broker, "d")
    assert run(broker.channels()) == ["a", "c", "d"]
    assert position(broker, "a") == Position(first["a"].epoch, 1)
    assert position(broker, "b").epoch != first["b"].epoch
    assert run(broker.channels()) == ["a", "b", "d"]


def test_logs_without_a_subscriber_are_evicted_first(broker: MemoryBroker) -> None:
    for name in "abc":
        publish(broker, name)
    run(broker.subscribe("a"))
    run(broker.subscribe("b"))
    run(broker.unsubscribe("b"))
    for name in "defg":
        publish(broker, name)
    assert position(broker, "a").offset == 1
    assert run(broker.channels()) == ["a", "f", "g"]


def test_where_all_have_subscribers_the_longest_idle_goes(broker: MemoryBroker, inbox: Inbox) -> None:
    for name in "abcd":
        run(broker.subscribe(name))
        publish(broker, name)
    assert position(broker, "b").offset == 1
    assert publish(broker, "a") == 1
    assert len({p.epoch for p in inbox.publications if p.channel == "a"}) == 2
    assert len(inbox.publications) == 5


def test_turning_conflation_on_or_off_begins_a_new_epoch(broker: MemoryBroker) -> None:
    publish(broker, "a")
    before = position(broker, "a")
    assert publish(broker, "a", retention=Retention(100, 60.0, conflate=True)) == 1
    assert not run(broker.history("a", Retention(100, 60.0, conflate=True), since=before)).complete


def test_a_changed_retention_counts_at_once(broker: MemoryBroker) -> None:
    for number in range(10):
        publish(broker, "a", number)
    assert len(run(broker.history("a", Retention(4, 60.0))).publications) == 4
    for number in range(10):
        publish(broker, "a", number)
    assert len(run(broker.history("a", KEPT)).publications) == 14


def test_without_retention_there_is_no_log_to_read(broker: MemoryBroker) -> None:
    nothing = run(broker.history("a", Retention()))
    assert (nothing.complete, nothing.publications, nothing.position) == (True, (), Position("", 0))
    assert not run(broker.history("a", Retention(), since=Position("", 0))).complete
    assert run(broker.channels()) == []


def test_the_oldest_key_is_forgotten_first(broker: MemoryBroker) -> None:
    envelope = Envelope(publication("a"))
    for key in "abcd":
        run(broker.publish(envelope, key=key))
    assert run(broker.publish(envelope, key="b")).duplicate
    assert not run(broker.publish(envelope, key="a")).duplicate
    assert not run(broker.publish(envelope, key="b")).duplicate


def test_keys_live_by_monotonic_time(broker: MemoryBroker, clock: FakeClock) -> None:
    envelope = Envelope(publication("a"))
    run(broker.publish(envelope, key="k"))
    clock.advance(59.0)
    clock.step_wall(86_400.0)
    assert run(broker.publish(envelope, key="k")).duplicate
    clock.advance(1.0)
    assert not run(broker.publish(envelope, key="k")).duplicate


def test_logs_live_by_monotonic_time(broker: MemoryBroker, clock: FakeClock) -> None:
    publish(broker, "a")
    clock.step_wall(86_400.0)
    assert len(run(broker.history("a", KEPT)).publications) == 1
    clock.step_wall(-2 * 86_400.0)
    clock.advance(60.1)
    assert run(broker.history("a", KEPT)).publications == ()


NAMES = st.text("1:", max_size=3)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_channel_and_event_are_told_apart_in_a_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    broker = MemoryBroker(FakeClock())
    run(broker.publish(Envelope(publication(one[0], event=one[1])), key="k"))
    again = broker.publish(Envelope(publication(other[0], event=other[1])), key="k")
    if one == other:
        assert run(again).duplicate
    elif one[0] != other[0]:
        assert not run(again).duplicate  # a key is its channel's
    else:
        with pytest.raises(HubbubError) as refusal:
            run(again)
        assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


def test_a_log_does_not_keep_the_message_that_data_came_in(broker: MemoryBroker) -> None:
    """Or else one small item retained from a batch would hold the whole batch in memory."""
    message = b"[" + b"0," * 50_000 + b"7]"
    references = sys.getrefcount(message)
    run(
        broker.publish(
            Envelope(Publication("a", "message", msgjson.decode(message, type=list[Raw])[-1])), KEPT
        )
    )
    assert run(broker.history("a", KEPT)).publications[0].data == Raw(b"7")
    assert sys.getrefcount(message) == references


def test_what_has_expired_is_freed_in_channels_that_nobody_uses(clock: FakeClock) -> None:
    broker, data = MemoryBroker(clock), bytes(1000)
    run(broker.start(Inbox()))
    references = sys.getrefcount(data)
    for number in range(1000):
        run(broker.publish(Envelope(Publication(f"c:{number}", "message", Raw(data))), KEPT))
    run(broker.subscribe("c:1"))
    assert sys.getrefcount(data) > references + 999
    clock.advance(KEPT.ttl / 2)
    assert sys.getrefcount(data) > references + 999
    clock.advance(KEPT.ttl)
    assert sys.getrefcount(data) == references
    assert position(broker, "c:0").offset == 1
    run(broker.stop())
    assert clock.pending == 0


def test_ids_differ_between_brokers() -> None:
    made = {run(MemoryBroker(FakeClock()).publish(Envelope(publication("a")))).id for _ in range(20)}
    assert len(made) == 20
    assert all(len(one) <= 16 and one.isalnum() for one in made)


def test_ids_go_on_past_any_length(broker: MemoryBroker) -> None:
    made = {run(broker.publish(Envelope(publication("a")))).id for _ in range(50_000)}
    assert len(made) == 50_000


def test_stop_ends_delivery_and_keeps_the_logs(broker: MemoryBroker, inbox: Inbox) -> None:
    run(broker.subscribe("a"))
    publish(broker, "a")
    run(broker.stop())
    assert publish(broker, "a") == 2
    run(broker.start(inbox))
    assert publish(broker, "a") == 3
    assert [p.offset for p in inbox.publications] == [1]
