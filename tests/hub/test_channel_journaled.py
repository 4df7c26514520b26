"""Channels with members who resume by the journal: its order, other framings, and publications that are not for all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from hubbub.config import NamespaceConfig
from hubbub.hub.channel import Channel
from hubbub.hub.journal import Journal
from hubbub.model import Envelope, Publication, Push, Raw, Retention
from hubbub.protocols.base import Payload
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock, MemoryConnection
from hubbub.testing.connection import lines


class Numbering:
    """An encoding that shows the number, and counts its work."""

    def __init__(self, *, journaled: bool = True) -> None:
        self.journaled = journaled
        self.encoded = 0

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        self.encoded += 1
        assert isinstance(push, Publication)
        return (Payload(b"%b#%d" % (bytes(push.data), sequence)),)


def brackets(payloads: Sequence[Payload]) -> bytes:
    return b"[" + payloads[0].data + b"]"


class Place:
    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.journal = Journal(self.clock, 60.0, 1_000_000)
        self.encoding, self.native = Numbering(), Numbering(journaled=False)
        self.channels: dict[str, Channel] = {}
        self.names = 0
        self.options = options

    def channel(self, name: str) -> Channel:
        if name not in self.channels:
            config = NamespaceConfig(retention=10, **self.options)
            retention = Retention(10, 0, config.conflate)
            channel = Channel(name, config, retention, self.metrics, self.clock.call_later)
            channel.journal = self.journal
            self.channels[name] = channel
        return self.channels[name]

    def enter(
        self, *channels: str, encoding: Numbering | None = None, framing: Any = lines
    ) -> MemoryConnection:
        connection = MemoryConnection(None, framing)  # type: ignore[arg-type]
        for name in channels:
            self.channel(name).enter(encoding or self.encoding, connection, f"s{self.names}")
        self.names += 1
        return connection

    def say(self, channel: str, data: object, *, without: Collection[str] = (), **rest: Any) -> None:
        push = Publication(channel, "message", Raw(str(data).encode()))
        self.channel(channel).broadcast(Envelope(push, **rest), without)


# --- the order of the journal -----------------------------------------------------------------------------------


def test_what_is_numbered_is_written_in_that_order_over_all_channels() -> None:
    place = Place()
    member = place.enter("large", "small")
    natives = [place.enter("large", encoding=place.native) for _ in range(2_000)]
    crowd = [place.enter("large") for _ in range(2_000)]
    place.say("large", "a")
    place.say("small", "b")
    assert member.frames == [b"a#1\n", b"b#2\n"]  # a client that has seen 2 must have seen 1
    assert all(each.frames == [b"a#1\n"] for each in (*natives, *crowd))


def test_whoever_enters_is_not_written_what_was_numbered_before() -> None:
    place = Place(conflate=True, conflate_interval=0.1)
    early = place.enter("a")
    for data in (1, 2):
        place.channel("a").conflate("k", Envelope(Publication("a", "k", Raw(b"%d" % data))))
    late = place.enter("a")  # the 2 still waited, and has its number now
    assert (place.journal.head, early.frames, late.frames) == (2, [b"1#1\n", b"2#2\n"], [])


# --- another framing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("journaled", [True, False])
@pytest.mark.parametrize("size", [1, 5])
def test_a_connection_that_moves_loses_nothing_gets_nothing_twice_and_nothing_is_overtaken(
    size: int, journaled: bool
) -> None:
    place = Place()
    encoding = Numbering(journaled=journaled)
    members = [place.enter("a", encoding=encoding) for _ in range(size)]
    movers = [members[0], members[-1]] if size > 1 else members
    channel = place.channel("a")
    place.say("a", 1)
    for number, mover in enumerate(movers):
        channel.move(encoding, mover, brackets)
        mover.framing = brackets
        place.say("a", 2 + number)
    everything = [b"%d#%d" % (data, data) for data in range(1, 2 + len(movers))]
    for number, mover in enumerate(movers):
        cut = number + 1
        assert mover.frames == [
            *(each + b"\n" for each in everything[:cut]),
            *(b"[" + each + b"]" for each in everything[cut:]),
        ]
    for each in members:
        if each not in movers:
            assert each.frames == [each + b"\n" for each in everything]
    assert channel.size == size
    assert sum(len(group) for group in channel.groups.values()) == size
    for mover in movers:
        channel.leave(encoding, mover)
    assert channel.size == size - len(movers)


# --- not for all ------------------------------------------------------------------------------------------------


def test_those_passed_over_do_not_get_it_but_native_members_do() -> None:
    place = Place()
    first, second = place.enter("a"), place.enter("a")
    native = place.enter("a", encoding=place.native)
    place.say("a", 1, without={"s0", "s2"})
    assert (first.frames, second.frames, native.frames) == ([], [b"1#1\n"], [b"1#1\n"])
    assert (place.metrics.deliveries, place.metrics.messages_out) == (2, 2)
    assert place.metrics.bytes_out == 2 * len(b"1#1\n")


def test_the_excluded_session_does_not_get_it_whichever_its_protocol() -> None:
    place = Place()
    first, second = place.enter("a"), place.enter("a")
    native = place.enter("a", encoding=place.native)
    place.say("a", 1, without={"s0"}, exclude="s2")
    place.say("a", 2, without={"s0"}, exclude="s1")
    assert (first.frames, second.frames, native.frames) == ([], [b"1#1\n"], [b"2#2\n"])


def test_what_is_volatile_is_for_those_who_are_ready_and_is_not_kept() -> None:
    place = Place()
    ready, busy = place.enter("a"), place.enter("a")
    native = place.enter("a", encoding=place.native)
    busy.writable = native.writable = False
    place.say("a", 1)
    place.say("a", 2, volatile=True)
    assert ready.take() == [b"1#1\n", b"2#1\n"]  # with the number of what came before it
    assert busy.take() == [b"1#1\n"]
    assert native.take() == [b"1#1\n", b"2#1\n"]
    assert place.metrics.volatile_dropped == 1
    assert len(place.journal) == 1


def test_one_encoding_serves_a_group_whoever_is_left_out() -> None:
    place = Place()
    for _ in range(5):
        place.enter("a")
    place.say("a", 1, without={"s1", "s2"})
    assert (place.encoding.encoded, place.metrics.encodes) == (1, 1)


@pytest.mark.parametrize(("accepted", "seen"), [(0.0, 0), (1.0, 1)])
def test_its_latency_counts(accepted: float, seen: int) -> None:
    place = Place()
    place.enter("a")
    place.say("a", 1, accepted=accepted)
    place.metrics.flushed(2.0)
    assert sum(place.metrics.delivery_seconds.counts) == seen


def test_a_channel_knows_whether_anybody_resumes_by_the_journal() -> None:
    place = Place()
    channel = place.channel("a")
    place.enter("a", encoding=place.native)
    assert not channel.journaled
    member = place.enter("a")
    assert channel.journaled
    channel.leave(place.encoding, member)
    assert not channel.journaled
